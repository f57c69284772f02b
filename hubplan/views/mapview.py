"""The map in folium: for a notebook, and in the app, where a new layer takes the old one's place and the map stays.

Folium compiles any string it is given as a template, so nothing from data is given to it: a layer is one escaped JSON
literal (`hubplan.views.maps.literal`). Leaflet comes from this package, never from another host.
"""

from __future__ import annotations

import base64
from functools import cache
from typing import Any

import folium
from branca.element import MacroElement
from jinja2 import Template

from hubplan.views.basemap import ASSETS
from hubplan.views.maps import SCRIPTS, asset, inline_styles, literal
from hubplan.views.mapspec import MapSpec

_OPTIONS: dict[str, Any] = {
    "location": [15.0, 150.0],
    "zoom_start": 2,
    "tiles": None,
    "zoom_control": False,
    "prefer_canvas": True,
    "zoom_snap": 0.25,
    "zoom_delta": 0.5,
    "min_zoom": 1.5,
    "max_zoom": 9,
    "world_copy_jump": True,
}


class _Base(MacroElement):
    """Styles, land and zoom buttons: the same for every map."""

    _template = Template("""
        {% macro script(this, kwargs) %}
        hubplan.style({{ this.styles }});
        hubplan.base({{ this._parent.get_name() }});
        {% endmacro %}
    """)

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = "hubplan_base"
        self.styles = literal(inline_styles())


class _Layer(MacroElement):
    """What varies: the spec as one literal."""

    _template = Template("""
        {% macro script(this, kwargs) %}
        hubplan.layer({{ this.spec }}, {frame: true}).addTo({{ this._parent.get_name() }});
        {% endmacro %}
    """)

    def __init__(self, spec: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = "hubplan_layer"
        self.spec = spec


@cache
def _data_links() -> tuple[tuple[str, str], ...]:
    def link(name: str) -> str:
        return "data:text/javascript;base64," + base64.b64encode(asset(name).encode()).decode()

    return tuple((name, link(name)) for name in SCRIPTS)


def _base_map(links: tuple[tuple[str, str], ...]) -> folium.Map:
    drawn = folium.Map(**_OPTIONS)
    drawn.default_js, drawn.default_css = list(links), []  # on this map, not on folium's class
    drawn.add_child(_Base())
    return drawn


def build_map(spec: MapSpec) -> folium.Map:
    """Draw a map with folium, whole: it needs no network."""
    drawn = _base_map(_data_links())
    drawn.add_child(_Layer(literal(spec.as_plain())))
    return drawn


def show_map(spec: str, *, key: str, height: int = 600) -> None:
    """Show a map in the app; the next call with another spec changes the layer and leaves zoom and centre.

    Parameters
    ----------
    spec
        `literal` of a MapSpec's plain values.
    """
    from streamlit_folium import st_folium

    group = folium.FeatureGroup(name="plan")
    group.add_child(_Layer(spec))
    st_folium(
        _base_map(_served_links()),
        key=key,
        height=height,
        use_container_width=True,
        feature_group_to_add=group,
        returned_objects=[],
        wrap_longitude=True,
    )


@cache
def _served_links() -> tuple[tuple[str, str], ...]:
    """Addresses of the scripts next to streamlit-folium's own component, wherever the app is mounted."""
    from streamlit.components.v1 import declare_component

    declare_component("assets", path=str(ASSETS))  # only for its static route
    return tuple((name, f"../{__name__}.assets/{name}") for name in SCRIPTS)
