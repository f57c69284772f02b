import hashlib
import json

import pytest

from hubplan.data.shipped import shipped_path
from hubplan.views.basemap import ASSETS, build_land_script, land_rings, read_land
from hubplan.views.maps import SCRIPTS, STYLES

MANIFEST = json.loads((ASSETS / "manifest.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", MANIFEST["files"], ids=lambda file: file["path"])
def test_every_vendored_file_is_the_one_whose_papers_we_have(file):
    assert hashlib.sha256((ASSETS / file["path"]).read_bytes()).hexdigest() == file["sha256"]
    assert all(file[key] for key in ("title", "version", "licence", "homepage", "origin"))


def test_every_file_is_vendored_with_papers_or_our_own():
    known = {file["path"] for file in MANIFEST["files"]} | {"manifest.json"}
    own = {"hubplan.js", "hubplan.css", "report.css", "icon.png"}
    assert {path.name for path in ASSETS.iterdir()} == known | own
    assert {*SCRIPTS, *STYLES} <= known | own


def test_land_is_built_from_the_shipped_extract():
    built = build_land_script(shipped_path("geodata") / "network" / "land50.npz")
    assert built == (ASSETS / "land.js").read_text(encoding="ascii")


def test_no_ring_crosses_the_antimeridian():
    """A ring that is not cut there draws a streak over the whole map; Russia, Fiji and the United States have pieces beyond."""
    for code in read_land():
        for lon, lat in land_rings(code):
            assert lon.min() >= -180.0 and lon.max() <= 180.0
            assert lon.max() - lon.min() < 359.0 and abs(lat).max() <= 90.0
    assert len(land_rings("RUS")) > 20 and len(land_rings("AUS")) > 10
