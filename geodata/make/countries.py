"""Country polygons from Natural Earth (npm ``world-atlas``): who controls a point, and outlines to draw."""

from __future__ import annotations

import csv
import json
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from archive import write_arrays
from shapely.geometry import Polygon, box
from shapely.geometry.base import BaseGeometry

WORLD_ATLAS = "world-atlas@2.0.2"
AREAS_10M = 255  # features of countries-10m.json; any other number means that the layer was not read whole
ANTARCTICA = "ATA"
_KNOWN = {
    "AUS": (121.46, -30.75),
    "MYS": (103.38, 3.99),
    "RUS": (177.5, 64.7),
    "FJI": (178.2, -17.8),
    "NOR": (10.75, 59.91),
    "IND": (78.48, 17.37),
    "BRA": (-46.63, -23.55),
    "USA": (-115.5, 35.48),
    "CHN": (109.97, 41.78),
    "GRL": (-46.0, 61.0),
}


@dataclass(frozen=True)
class Countries:
    """Country polygons, each within -180..180.

    Parameters
    ----------
    codes
        ISO 3166 alpha-3 by position; ``codes[0]`` is ``""`` (no country).
    shapes, shape_code
        Polygons, and the position in ``codes`` of each.
    """

    codes: tuple[str, ...]
    shapes: np.ndarray
    shape_code: np.ndarray


def fetch_world_atlas(folder: Path | None = None) -> Path:
    """Find the unpacked npm package, or fetch it with npm into a temporary folder."""
    if folder is not None:
        return folder
    target = Path(tempfile.mkdtemp(prefix="world-atlas-"))
    subprocess.run(["npm", "pack", WORLD_ATLAS, "--silent"], cwd=target, check=True, capture_output=True)
    with tarfile.open(next(target.glob("*.tgz"))) as archive:
        archive.extractall(target, filter="data")
    return target / "package"


def read_countries(atlas: Path, areas: Path, *, resolution: str = "10m") -> Countries:
    """Read a TopoJSON layer and give each area the country of our own list.

    Parameters
    ----------
    atlas
        Unpacked ``world-atlas`` package.
    areas
        ``country_areas.csv``: area name, ISO number, country.
    resolution
        ``10m`` (255 areas, checked) or ``50m``.

    Raises
    ------
    ValueError
        An area is missing from the list, or a known point is not where it should be.
    """
    with areas.open(encoding="utf-8", newline="") as file:
        country = {row["area"]: row["country"] for row in csv.DictReader(file)}
    layer = json.loads((atlas / f"countries-{resolution}.json").read_text(encoding="utf-8"))
    features = layer["objects"]["countries"]["geometries"]
    if resolution == "10m" and len(features) != AREAS_10M:
        raise ValueError(f"countries-10m.json has {len(features)} areas, not {AREAS_10M}")
    missing = {f["properties"]["name"] for f in features} - set(country)
    if missing:
        raise ValueError(f"{areas.name} lacks {sorted(missing)}")
    codes = ("", *sorted(set(country.values()) - {""}))
    arcs = _decode_arcs(layer)
    shapes, owner = [], []
    for feature in features:
        parts = _cut_polygons(feature, arcs)
        shapes += parts
        owner += [codes.index(country[feature["properties"]["name"]])] * len(parts)
    found = Countries(codes, np.array(shapes, dtype=object), np.array(owner, dtype=np.uint8))
    _check_known_points(found)
    return found


def label_points(countries: Countries, lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Give each point the code of the polygon it lies in, else of the nearest polygon (coast, bridges).

    Returns
    -------
    ndarray
        uint8 positions in ``countries.codes``.
    """
    cells, owner = _subdivide(countries)
    tree = shapely.STRtree(cells)
    points = shapely.points(lon, lat)
    label = np.zeros(len(points), dtype=np.uint8)
    inside = np.zeros(len(points), dtype=bool)
    which, cell = tree.query(points, predicate="intersects")
    order = np.argsort(-cell, kind="stable")  # of several cells the first wins, whatever order the tree answers in
    label[which[order]] = owner[cell[order]]
    inside[which] = True
    outside = np.flatnonzero(~inside)
    if len(outside):
        label[outside] = owner[tree.nearest(points[outside])]
    return label


def write_outlines(atlas: Path, areas: Path, out: Path) -> None:
    """Write 50m outlines for drawing: cut at the antimeridian, without Antarctica.

    Keys of the file: ``ring_start`` (rings + 1), ``lon``, ``lat`` (float32), ``ring_code`` (position in ``iso3``),
    ``iso3``, ``outer`` (False for a hole, which follows its outer ring).
    """
    countries = read_countries(atlas, areas, resolution="50m")
    start, lon, lat, code, outer = [0], [], [], [], []
    for shape, owner in zip(countries.shapes, countries.shape_code, strict=True):
        if countries.codes[owner] == ANTARCTICA:
            continue
        for number, ring in enumerate([shape.exterior, *shape.interiors]):
            xy = np.asarray(ring.coords)
            lon.append(xy[:, 0])
            lat.append(xy[:, 1])
            start.append(start[-1] + len(xy))
            code.append(owner)
            outer.append(number == 0)
    write_arrays(
        out / "network" / "land50.npz",
        {
            "ring_start": np.array(start, dtype=np.int32),
            "lon": np.round(np.concatenate(lon), 4).astype(np.float32),
            "lat": np.round(np.concatenate(lat), 4).astype(np.float32),
            "ring_code": np.array(code, dtype=np.uint8),
            "outer": np.array(outer, dtype=bool),
            "iso3": np.array(countries.codes, dtype="U3"),
        },
    )


def _decode_arcs(layer: dict[str, Any]) -> list[np.ndarray]:
    """Undo TopoJSON's delta coding and quantisation."""
    scale, shift = np.array(layer["transform"]["scale"]), np.array(layer["transform"]["translate"])
    return [np.cumsum(np.array(arc), axis=0) * scale + shift for arc in layer["arcs"]]


def _cut_polygons(feature: dict[str, Any], arcs: list[np.ndarray]) -> list[Polygon]:
    """Build a feature's polygons, unwrapped across 180 degrees and then cut there."""
    groups = [feature["arcs"]] if feature["type"] == "Polygon" else feature["arcs"]
    found: list[Polygon] = []
    for rings in groups:
        outlines = [_unwrap(_join_arcs(ring, arcs)) for ring in rings]
        if len(outlines[0]) < 4:  # an islet that quantisation flattened
            continue
        shape = shapely.make_valid(Polygon(outlines[0], [hole for hole in outlines[1:] if len(hole) > 3]))
        low, _, high, _ = shape.bounds
        for turn in range(int(np.floor((low + 180) / 360)), int(np.ceil((high + 180) / 360))):
            piece = shape.intersection(box(360 * turn - 180, -90, 360 * turn + 180, 90))
            found += _flatten(shapely.transform(piece, lambda xy, turn=turn: xy - [360 * turn, 0]))
    return found


def _join_arcs(ring: list[int], arcs: list[np.ndarray]) -> np.ndarray:
    """Join a ring's arcs; a negative number is the arc backwards."""
    parts = [arcs[i] if i >= 0 else arcs[~i][::-1] for i in ring]
    return np.concatenate([parts[0], *(part[1:] for part in parts[1:])])


def _unwrap(ring: np.ndarray) -> np.ndarray:
    """Remove 360 degree jumps; close a ring round the pole along the pole."""
    lon = np.unwrap(ring[:, 0], period=360)
    xy = np.column_stack([lon, ring[:, 1]])
    if abs(lon[-1] - lon[0]) > 180:
        xy = np.concatenate([xy, [[lon[-1], -90], [lon[0], -90], xy[0]]])
    return xy


def _flatten(shape: BaseGeometry) -> list[Polygon]:
    """Polygons of a possibly nested collection, without slivers."""
    if isinstance(shape, Polygon):
        return [shape] if shape.area > 0 else []
    if hasattr(shape, "geoms"):
        return [polygon for part in shape.geoms for polygon in _flatten(part)]
    return []


def _subdivide(countries: Countries, *, degrees: float = 4.0) -> tuple[np.ndarray, np.ndarray]:
    """Cut polygons into cells of a few degrees: point queries get some twenty times quicker."""
    cells: list[Polygon] = []
    owner: list[int] = []
    for shape, code in zip(countries.shapes, countries.shape_code, strict=True):
        low_x, low_y, high_x, high_y = shape.bounds
        if high_x - low_x <= degrees and high_y - low_y <= degrees:
            cells.append(shape)
            owner.append(int(code))
            continue
        for x in np.arange(np.floor(low_x / degrees), np.ceil(high_x / degrees)) * degrees:
            strip = shapely.clip_by_rect(shape, x, -90, x + degrees, 90)
            for y in np.arange(np.floor(low_y / degrees), np.ceil(high_y / degrees)) * degrees:
                parts = _flatten(shapely.make_valid(shapely.clip_by_rect(strip, x, y, x + degrees, y + degrees)))
                cells += parts
                owner += [int(code)] * len(parts)
    return np.array(cells, dtype=object), np.array(owner, dtype=np.uint8)


def _check_known_points(countries: Countries) -> None:
    """Refuse a layer in which whole countries got lost on the way."""
    tree = shapely.STRtree(countries.shapes)
    for country, (lon, lat) in _KNOWN.items():
        hits = {
            countries.codes[countries.shape_code[i]]
            for i in tree.query(shapely.Point(lon, lat), predicate="dwithin", distance=0.3)
        }
        if country not in hits:
            raise ValueError(f"{country} is missing at {lon}, {lat}: found {sorted(hits)}")
