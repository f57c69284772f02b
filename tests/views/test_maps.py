import base64
import hashlib
import json
import re
from dataclasses import replace

import pytest
from jinja2 import Template

from hubplan.views.maps import asset, draw, literal, map_html, plan_map, write_map_html
from hubplan.views.mapspec import Line
from hubplan.views.polyline import encode

from .conftest import HOSTILE, long_plan_lines

PAYLOADS = [
    HOSTILE,
    "{{lipsum.__globals__.os.popen(dict(id=1)|join).read()}}",
    "{% for x in y %}{% endfor %}{# note #}",
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "`${alert(1)}`",
    "' onmouseover=alert(1) \"",
    "line\u2028and\u2029paragraph \u202e bidi",
    "back\\slash \\u003c %7B &lt;b&gt; $& #{x}",
]


@pytest.fixture(scope="module")
def spec(plan, tables):
    return plan_map(plan, tables)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_literal_is_data_to_every_reader(payload):
    text = literal({payload: [payload, 1.5, None, True]})
    assert json.loads(text) == {payload: [payload, 1.5, None, True]}
    assert Template(text).render() == text
    assert not re.search(r"[<>&'`$%#]|\{\{|\{%|\{#", text)
    assert text.isascii()


def test_a_literal_refuses_what_json_lacks():
    with pytest.raises(ValueError):
        literal([float("nan")])


def test_no_name_reaches_the_page_as_markup(spec):
    html = map_html(spec)
    assert HOSTILE not in html and "onerror=alert" not in html.replace("\\u003cimg src=x onerror=alert", "")
    data = re.search(r'<script type="application/json" id="spec">(.*?)</script>', html, re.S)
    assert data is not None
    assert HOSTILE in json.loads(data.group(1))["sites"]["name"]


def test_the_page_allows_its_own_script_and_nothing_else(spec):
    html = map_html(spec)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    script = re.findall(r"<script>(.*?)</script>", html, re.S)
    assert policy is not None and len(script) == 1
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert f"script-src &#x27;sha256-{digest}&#x27;" in policy.group(1)
    assert policy.group(1).startswith("default-src &#x27;none&#x27;")
    assert not re.search(r"<(?:link|img|iframe|script)[^>]+(?:src|href)=", html)
    assert not re.search(r"url\((?!#)|sourceMappingURL|@import", html)


def test_own_script_puts_text_only_as_text():
    """No sink that parses HTML, no request, no eval."""
    banned = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|fetch\(|XMLHttpRequest|import\("
    )
    assert not re.findall(banned, asset("hubplan.js"))


def test_three_hundred_edges_stay_under_600_kb(spec, tmp_path):
    ways = tuple(spec.ways[0] for _ in range(300))
    flows = tuple(replace(spec.flows[0], way=i) for i in range(300))
    lines = tuple(Line("sea", encode(*xy.T), (i,)) for i, xy in enumerate(long_plan_lines(300)))
    write_map_html(replace(spec, ways=ways, flows=flows, lines=lines), tmp_path / "map.html")
    size = (tmp_path / "map.html").stat().st_size
    assert 400_000 < size < 600_000


def test_names_that_differ_in_a_suffix_give_another_layer(spec):
    """streamlit-folium drops such suffixes from the key of a map, so the layer must carry them."""
    names = {literal(replace(spec, title=name).as_plain()) for name in ("scenario_a", "scenario_b")}
    assert len(names) == 2


def test_folium_runs_no_name_as_a_template(spec):
    html = draw(spec).get_root().render()
    assert "49<img" not in html and HOSTILE not in html
    assert not re.search(r'(?:src|href)="(?!data:)', html)


def test_two_maps_share_no_links(spec):
    """Folium keeps its links on the class; ours must not leak into other maps of the process."""
    import folium

    draw(spec)
    assert all(url.startswith("https://") for _, url in folium.Map.default_js)
