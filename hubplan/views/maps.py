"""Maps: a MapSpec as a page that opens from disk, or as a folium.Map for notebooks and the app.

No text from data is ever part of a template or of HTML: it crosses as one JSON literal, and the page's own script sets
it as `textContent`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubplan.views.basemap import ASSETS
from hubplan.views.mapspec import MapSpec
from hubplan.views.planmap import plan_map, route_map

if TYPE_CHECKING:
    import folium

__all__ = ["MapSpec", "asset", "draw", "literal", "map_html", "plan_map", "route_map", "write_map_html"]

SCRIPTS = ("leaflet.js", "land.js", "hubplan.js")
STYLES = ("leaflet.css", "hubplan.css")

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_UNSAFE = {ord(char): f"\\u{ord(char):04x}" for char in "{}<>&'`$%#"}

_PAGE_STYLE = """
html,body{margin:0;background:#fff}
body{font:14px/1.5 system-ui,"DejaVu Sans",sans-serif;color:#1c2326}
header{padding:10px 20px 8px;display:flex;flex-wrap:wrap;gap:2px 18px;align-items:baseline}
h1{font-size:19px;margin:0;overflow-wrap:anywhere}
header p{margin:0;color:#3d474d}
#map{height:calc(100vh - 92px);min-height:460px}
#twin{padding:18px 20px;max-width:1240px}
"""


@cache
def asset(name: str) -> str:
    """Read a script or style of the package."""
    return (ASSETS / name).read_text(encoding="utf-8")


def literal(value: Any) -> str:
    """Write plain values as JSON that HTML, JavaScript and Jinja all read as data.

    Inside strings, every character that means something to one of them becomes ``\\uXXXX``.

    Raises
    ------
    ValueError
        A number is not finite.
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return _STRING.sub(lambda token: token.group().translate(_UNSAFE), text)


def inline_scripts() -> str:
    """Join the scripts for a page of its own; the hint at a source map, the only address in them, is left out."""
    return "\n".join(re.sub(r"//# sourceMappingURL=.*", "", asset(name)) for name in SCRIPTS)


def inline_styles() -> str:
    """Join the styles; comments, and images of Leaflet that are not used here, are left out."""
    text = re.sub(r"/\*.*?\*/", "", "\n".join(asset(name) for name in STYLES), flags=re.DOTALL)
    return re.sub(r"url\((?!#)[^)]*\)", "none", text)


def map_html(spec: MapSpec) -> str:
    """Write a map as one HTML page that needs no network and allows no request.

    Parameters
    ----------
    spec
        What to show.
    """
    script = inline_scripts() + "\nhubplan.page();\n"
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    title = escape(spec.title)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{title} - hubplan map</title>",
            f"<style>{inline_styles()}{_PAGE_STYLE}</style></head><body>",
            f"<header><h1>{title}</h1><p>{escape(spec.sentence)}</p></header>",
            '<main><div id="map" role="application" aria-label="Map; the tables below say the same"></div>',
            '<div id="twin"></div></main>',
            "<noscript><p>The map needs JavaScript; the tables of the run folder say the same.</p></noscript>",
            f'<script type="application/json" id="spec">{literal(spec.as_plain())}</script>',
            f"<script>{script}</script>",
            "</body></html>\n",
        ]
    )


def write_map_html(spec: MapSpec, path: Path | str) -> None:
    """Write a map as one HTML page; see `map_html`."""
    Path(path).write_text(map_html(spec), encoding="utf-8")


def draw(spec: MapSpec) -> folium.Map:
    """Draw a map with folium, for a notebook; it needs no network."""
    from hubplan.views.mapview import build_map

    return build_map(spec)
