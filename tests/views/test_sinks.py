"""Folium compiles strings as templates and some calls take HTML: only the map module may touch them."""

import re
from pathlib import Path

import pytest

import hubplan

ROOT = Path(hubplan.__file__).parent
FORBIDDEN = {
    r"\bfolium\b": {"views/mapview.py", "views/maps.py"},
    r"st\.html\b|st\.iframe\b|components\.v1\.html|unsafe_allow_html|unsafe_allow_javascript": set(),
    r"\.explore\(": set(),
    r"\bst\.map\b|st\.pydeck_chart|st\.plotly_chart": set(),
    r"\bpickle\b|yaml\.load\b": set(),
}


@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_only_the_map_module_uses(pattern):
    files = [*ROOT.rglob("*.py"), ROOT.parent / "streamlit_app.py"]
    found = {
        path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
        for path in files
        if path.is_file() and re.search(pattern, path.read_text(encoding="utf-8"))
    }
    assert found <= FORBIDDEN[pattern]


def test_the_search_finds_what_it_looks_for():
    assert re.search(r"\bfolium\b", (ROOT / "views" / "mapview.py").read_text(encoding="utf-8"))
