"""The app behind headers by which a browser refuses every request to another host; `streamlit run` finds `app` here."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module

import streamlit as st
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hubplan.data.shipped import shipped_path
from hubplan.views.previews import Question
from hubplan.views.world import shared_world

WARM_AFTER_S = 4.0
"""Pause before the network is laid out: on two cores it would hold up the first page."""

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self'; img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; "
    "frame-src 'self'; frame-ancestors 'self'; object-src 'none'; base-uri 'self'; form-action 'self'"
)
"""Inline scripts and eval stay allowed because Streamlit's components need them; nothing leaves for another host."""

HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


class OwnHostOnly:
    """Add the headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an app."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and the headers with its answer."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *HEADERS]
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


@asynccontextmanager
async def warm_up(_app: object) -> AsyncIterator[None]:
    """Read modules and tables before the first visitor is let in, and have the network laid out once the page is drawn."""
    page = import_module("hubplan.views.pages.plan")
    previews = shared_world().previews
    later = threading.Timer(WARM_AFTER_S, previews.warm, [Question(page.first_scenario(), None, 0.0)])
    later.daemon = True
    later.start()
    yield
    later.cancel()


app = st.App(shipped_path("streamlit_app.py"), lifespan=warm_up, middleware=[Middleware(OwnHostOnly)])
