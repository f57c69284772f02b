"""Rail and road extracts, read from ``geodata/network/osm`` (OpenStreetMap, ODbL; made by ``geodata/make/land.py``)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hubplan.errors import DataError, Fault

EARTH_KM = 6371.0088
_GRID = 1000.0  # stored coordinates are thousandths of a degree

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Lines:
    """Links of one land mode, with the line each is drawn as.

    Parameters
    ----------
    lon, lat, country
        Degrees and ISO alpha-3, by node.
    tail, head, length_km
        Node numbers and track or road length, by link.
    gauge_mm
        0 where unknown, and for roads.
    bridge
        True where the link closes a gap of the source data.
    link
        0, or 1 + the position in ``link_name`` and so on of a hand-entered link.
    start, line_lon, line_lat
        Points of link ``i`` are ``start[i]:start[i + 1]``, both ends included.
    line_km
        Length of the link from its tail to each of these points: track is mostly longer than it is drawn.
    """

    lon: Floats
    lat: Floats
    country: NDArray[np.str_]
    tail: Ints
    head: Ints
    length_km: Floats
    gauge_mm: Ints
    bridge: Bools
    link: Ints
    link_name: NDArray[np.str_]
    link_zone: NDArray[np.str_]
    link_opens_year: Ints
    link_assumed: Bools
    start: Ints
    line_lon: Floats
    line_lat: Floats
    line_km: Floats


def read_lines(path: Path) -> Lines:
    """Read an extract.

    Raises
    ------
    DataError
        The file is missing or is not an extract.
    """
    if not path.is_file():
        raise DataError([Fault(str(path), "is missing", "run: python geodata/make/build.py")])
    try:
        with np.load(path) as file:
            raw = {key: file[key] for key in file.files}
        tail = np.cumsum(raw["tail"], dtype=np.int64)
        head = tail + raw["head"]
        lon, lat = np.cumsum(raw["node_x"], dtype=np.int64) / _GRID, np.cumsum(raw["node_y"], dtype=np.int64) / _GRID
        start, line_lon, line_lat, line_km = _decode_lines(raw, lon, lat, tail, head)
        return Lines(
            lon=lon,
            lat=lat,
            country=raw["country"][raw["node_country"]],
            tail=tail,
            head=head,
            length_km=raw["length_10m"] / 100.0,
            gauge_mm=raw["gauge_mm"].astype(np.int64),
            bridge=raw["bridge"],
            link=raw["link"].astype(np.int64),
            link_name=raw["link_name"],
            link_zone=raw["link_zone"],
            link_opens_year=raw["link_opens_year"].astype(np.int64),
            link_assumed=raw["link_assumed"],
            start=start,
            line_lon=line_lon,
            line_lat=line_lat,
            line_km=line_km,
        )
    except (KeyError, ValueError, OSError) as error:
        raise DataError(
            [Fault(str(path), f"is not a land extract ({error})", "run: python geodata/make/build.py")]
        ) from error


def great_circle_km(lon1: Floats, lat1: Floats, lon2: Floats, lat2: Floats) -> Floats:
    """Great-circle distance in km on the mean sphere (haversine)."""
    x1, y1, x2, y2 = np.radians(lon1), np.radians(lat1), np.radians(lon2), np.radians(lat2)
    half = np.sin((y2 - y1) / 2) ** 2 + np.cos(y1) * np.cos(y2) * np.sin((x2 - x1) / 2) ** 2
    return np.asarray(2 * EARTH_KM * np.arcsin(np.sqrt(np.minimum(1.0, half))))


def part_length_km(lines: Lines) -> Floats:
    """Length of the connected part that each node is in."""
    size = len(lines.lon)
    matrix = coo_array((np.ones(len(lines.tail)), (lines.tail, lines.head)), shape=(size, size))
    count, label = connected_components(matrix, directed=False)
    return np.asarray(np.bincount(label[lines.tail], weights=lines.length_km, minlength=count)[label], dtype=np.float64)


def _decode_lines(
    raw: dict[str, NDArray[np.generic]], lon: Floats, lat: Floats, tail: Ints, head: Ints
) -> tuple[Ints, Floats, Floats, Floats]:
    """Undo the delta coding: each stored line steps from the tail; both ends are added."""
    inner = raw["line_count"].astype(np.int64)
    start = np.concatenate([[0], np.cumsum(inner + 2)])
    total = int(start[-1])
    x, y, m = (np.zeros(total, dtype=np.int64) for _ in range(3))
    is_end = np.zeros(total, dtype=bool)
    is_end[start[:-1]] = is_end[start[1:] - 1] = True
    x[~is_end], y[~is_end], m[~is_end] = raw["line_dx"], raw["line_dy"], raw["line_10m"]
    x, y, m = np.cumsum(x), np.cumsum(y), np.cumsum(m)
    before = np.repeat(start[:-1], inner + 2)
    line_lon = (x - x[before]) / _GRID + np.repeat(lon[tail], inner + 2)
    line_lat = (y - y[before]) / _GRID + np.repeat(lat[tail], inner + 2)
    last = start[1:] - 1
    line_lon[last] = line_lon[last] + (lon[head] - line_lon[last] + 180) % 360 - 180
    line_lat[last] = lat[head]
    line_km = (m - m[before]) / 100.0
    line_km[last] = raw["length_10m"].astype(np.float64) / 100.0
    return start, line_lon, line_lat, line_km
