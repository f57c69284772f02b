"""The app's pages. `hubplan app` starts it with settings that keep it off the network."""

import streamlit as st

from hubplan.views.basemap import ASSETS
from hubplan.views.pages import plan

PAGES = (plan,)

st.set_page_config(page_title="hubplan", page_icon=str(ASSETS / "icon.png"), layout="wide")
st.navigation([st.Page(page.show, title=page.TITLE, url_path=page.SLUG) for page in PAGES], position="top").run()
