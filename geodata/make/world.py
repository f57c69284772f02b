"""Natural Earth land as clean polygons: world-atlas TopoJSON unwrapped, cut at +-180 degrees, by ISO numeric code.

The rings of Russia, Fiji and Antarctica cross +-180; read plainly they become strips around the whole world.

Source: npm package ``world-atlas`` 2.0.2 (ISC), which carries Natural Earth 1:10m (public domain).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely import affinity
from shapely.geometry import MultiPolygon, Point, Polygon, box
from shapely.geometry.base import BaseGeometry

PACKAGE = "world-atlas@2.0.2"


@dataclass(frozen=True)
class Land:
    """One feature of Natural Earth's countries.

    Parameters
    ----------
    iso_numeric
        ISO 3166-1 numeric code with leading zeros, or "" where Natural Earth gives none (Kosovo, N. Cyprus...).
    name
        Natural Earth's name, which is the only key of the features without a code.
    shape
        Valid, within [-180, 180], EPSG:4326.
    """

    iso_numeric: str
    name: str
    shape: MultiPolygon


def source_folder() -> Path:
    """Give the folder where downloaded source packages are kept between runs (``HUBPLAN_SOURCES`` moves it)."""
    folder = Path(os.environ.get("HUBPLAN_SOURCES", Path.home() / ".cache" / "hubplan-sources"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def fetch_world_atlas() -> Path:
    """Fetch the world-atlas package with npm unless it is there already, and give its folder."""
    folder = source_folder() / PACKAGE
    if not folder.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise FileNotFoundError(f"npm is not installed; unpack {PACKAGE} to {folder} by hand")
        with tempfile.TemporaryDirectory() as scratch:
            subprocess.run([npm, "pack", PACKAGE, "--silent"], cwd=scratch, check=True, capture_output=True)
            with tarfile.open(next(Path(scratch).glob("*.tgz"))) as archive:
                archive.extractall(scratch, filter="data")
            shutil.move(Path(scratch) / "package", folder)
    return folder


def read_countries(scale: str = "10m") -> list[Land]:
    """Read all countries.

    Parameters
    ----------
    scale
        ``10m``, ``50m`` or ``110m``.

    Returns
    -------
    list[Land]
        In the order of the file; 255 features at 10m.
    """
    return _read(fetch_world_atlas() / f"countries-{scale}.json")


def read_land(scale: str = "10m") -> list[Polygon]:
    """Read all land as single polygons, without borders.

    Lakes other than the Caspian count as land. Dissolved from the countries, since world-atlas's own land layer has
    Natural Earth's joke island at (0, 0).
    """
    merged = shapely.union_all([land.shape for land in read_countries(scale)])
    return list(_only_polygons(merged).geoms)


def _read(path: Path) -> list[Land]:
    topology = json.loads(path.read_text(encoding="utf-8"))
    arcs = _decode_arcs(topology)
    lands = []
    for geometry in topology["objects"]["countries"]["geometries"]:
        polygons = [geometry["arcs"]] if geometry["type"] == "Polygon" else geometry["arcs"]
        parts = [part for rings in polygons for part in _build_parts([_join_arcs(arcs, ring) for ring in rings])]
        shape = _only_polygons(shapely.union_all(parts))
        lands.append(Land(str(geometry.get("id", "")), str(geometry.get("properties", {}).get("name", "")), shape))
    _check(lands)
    return lands


def _decode_arcs(topology: dict[str, Any]) -> list[np.ndarray]:
    scale, shift = np.array(topology["transform"]["scale"]), np.array(topology["transform"]["translate"])
    return [np.cumsum(np.array(arc), axis=0) * scale + shift for arc in topology["arcs"]]


def _join_arcs(arcs: list[np.ndarray], ring: list[int]) -> np.ndarray:
    pieces = [arcs[i] if i >= 0 else arcs[~i][::-1] for i in ring]
    return np.vstack([pieces[0], *(piece[1:] for piece in pieces[1:])])


def _unwrap(ring: np.ndarray) -> np.ndarray:
    """Make longitudes continuous; a ring around a pole is closed along that pole."""
    lon = np.unwrap(ring[:, 0], period=360.0)
    out = np.column_stack([lon, ring[:, 1]])
    if abs(lon[-1] - lon[0]) > 180.0:
        pole = -90.0 if ring[:, 1].mean() < 0 else 90.0
        out = np.vstack([out, [lon[-1], pole], [lon[0], pole], out[0]])
    return out


def _build_parts(rings: list[np.ndarray]) -> list[BaseGeometry]:
    """Build one polygon with its holes, cut it at odd multiples of 180 and move the pieces home."""
    if len(rings[0]) < 4:  # an islet that quantising has shrunk to a point
        return []
    shell, *holes = [_unwrap(ring) for ring in rings if len(ring) >= 4]
    centre = shell[:, 0].mean()
    homed = [np.column_stack([h[:, 0] + 360.0 * np.round((centre - h[:, 0].mean()) / 360.0), h[:, 1]]) for h in holes]
    polygon = _only_polygons(shapely.make_valid(Polygon(shell, homed)))
    parts = []
    for turn in (-1, 0, 1):
        piece = polygon.intersection(box(-180.0 + 360.0 * turn, -90.0, 180.0 + 360.0 * turn, 90.0))
        if piece.area > 0.0:
            parts.append(affinity.translate(piece, xoff=-360.0 * turn))
    return parts


def _only_polygons(shape: BaseGeometry) -> MultiPolygon:
    """Flatten nested collections and drop the points and lines that cutting leaves."""
    flat = shapely.get_parts(shape)
    while any(part.geom_type in ("GeometryCollection", "MultiPolygon") for part in flat):
        flat = shapely.get_parts(flat)
    return MultiPolygon([part for part in flat if part.geom_type == "Polygon" and part.area > 0.0])


def _check(lands: list[Land]) -> None:
    """Hold the result to what is known of the world, since an unwrapping fault loses or floods continents."""
    tree = shapely.STRtree([land.shape for land in lands])
    on_land = {
        "Kansas": (-98.0, 39.0),
        "Delhi": (77.2, 28.6),
        "Hamar": (11.1, 60.8),
        "Chukotka west": (179.0, 67.0),
        "Chukotka east": (-175.0, 66.5),
        "Vanua Levu": (179.2, -16.6),
        "Manaus": (-60.5, -3.5),
        "South Pole": (0.0, -88.0),
    }
    at_sea = {
        "Tasman": (160.0, -38.0),
        "mid Pacific": (-179.9, 10.0),
        "Guinea": (0.0, 0.0),
        "Arctic": (90.0, 87.0),
        "date line south": (179.9, -45.0),
        "Barents": (40.0, 73.0),
    }
    wrong = [n for n, xy in on_land.items() if tree.query(Point(xy), predicate="intersects").size == 0]
    wrong += [n for n, xy in at_sea.items() if tree.query(Point(xy), predicate="intersects").size > 0]
    if wrong or not all(land.shape.is_valid for land in lands):
        raise ValueError(f"the land polygons are wrong at {wrong}")
