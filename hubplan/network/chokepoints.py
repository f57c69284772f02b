"""Straits, canals and zones as geometry: which arcs meet them.

A gate is a line from coast to coast, a zone is a polygon. An arc is tested as it is drawn, piece by piece, so a route that is
free of a closed zone by its tags is also free of it on the map.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from shapely import affinity
from shapely.geometry.base import BaseGeometry

from hubplan.errors import DataError, Fault
from hubplan.network.sea import Bools, Floats, densify_arcs

MARGIN_DEG = 0.002
"""About 200 m. Tags are taken this much too wide, so that rounding drawn coordinates never makes a free arc touch a zone."""


@dataclass(frozen=True)
class Zone:
    """A gate or zone of zones.csv.

    Parameters
    ----------
    zone
        Id.
    kind
        ``strait``, ``canal``, ``passage``, ``zone`` or ``rail-gate``.
    shape
        A line or polygon, EPSG:4326, not crossing +-180.
    """

    zone: str
    kind: str
    shape: BaseGeometry


def read_zones(zones: pd.DataFrame) -> tuple[Zone, ...]:
    """Build the zones of the table.

    Parameters
    ----------
    zones
        Columns ``zone``, ``kind``, ``geometry_wkt``.

    Raises
    ------
    DataError
        A geometry cannot be read, is empty, invalid or outside the world.
    """
    found, faults = [], []
    for line, row in enumerate(zones.itertuples(index=False), start=2):
        where = f"zones.csv, line {line}, column geometry_wkt"
        try:
            shape = shapely.from_wkt(str(row.geometry_wkt))
        except shapely.errors.GEOSException as error:
            faults.append(Fault(where, f"cannot be read ({error})", "give a WKT line or polygon in lon lat"))
            continue
        if shape is None or shape.is_empty or not shape.is_valid:
            faults.append(Fault(where, "is empty or crosses itself", "give a simple WKT line or polygon"))
        elif not _within_world(shape):
            faults.append(Fault(where, "leaves the world", "give lon in -180..180 and lat in -90..90, in that order"))
        found.append(Zone(str(row.zone), str(row.kind), shape))
    if faults:
        raise DataError(faults)
    return tuple(found)


def tag_arcs(lon0: Floats, lat0: Floats, lon1: Floats, lat1: Floats, zones: Sequence[Zone]) -> Bools:
    """Find which great-circle arcs meet which zones.

    Returns
    -------
    array, (arcs, zones)
        True where the drawn arc comes within ``MARGIN_DEG`` of the zone.
    """
    lon, lat, start = densify_arcs(lon0, lat0, lon1, lat1)
    return tag_lines(lon, lat, start, zones)


def tag_lines(lon: Floats, lat: Floats, start: np.ndarray, zones: Sequence[Zone]) -> Bools:
    """Find which drawn lines meet which zones.

    Parameters
    ----------
    lon, lat
        Points of all lines, one line after another; continuous longitudes within a line.
    start
        Offsets (lines + 1) into them; a line needs two points.
    """
    line = np.repeat(np.arange(len(start) - 1), np.diff(start))
    first = np.flatnonzero(line[:-1] == line[1:])
    home = 360.0 * np.floor((lon[first] + 180.0) / 360.0)
    ends = np.stack(
        [np.column_stack([lon[first] - home, lat[first]]), np.column_stack([lon[first + 1] - home, lat[first + 1]])],
        axis=1,
    )
    met = np.zeros((len(start) - 1, len(zones)), dtype=bool)
    tree = shapely.STRtree(shapely.linestrings(ends))
    for column, zone in enumerate(zones):
        for copy in _copies(zone.shape.buffer(MARGIN_DEG)):
            met[line[first[tree.query(copy, predicate="intersects")]], column] = True
    return met


def find_inside(lon: Floats, lat: Floats, zones: Sequence[Zone]) -> Bools:
    """Find which points lie inside which polygons (points, zones); nothing lies inside a gate."""
    points = shapely.points(lon, lat)
    inside = [shapely.intersects(zone.shape, points) & (zone.shape.area > 0.0) for zone in zones]
    return np.column_stack(inside) if inside else np.zeros((len(points), 0), dtype=bool)


def touches(lines: Iterable[BaseGeometry], zone: Zone) -> Bools:
    """Find which drawn lines meet a zone, exactly as drawn.

    Parameters
    ----------
    lines
        Lines, EPSG:4326, cut at +-180 or running on past it.
    """
    drawn = np.array(list(lines), dtype=object)
    met = np.zeros(len(drawn), dtype=bool)
    for turn in (-360.0, 0.0, 360.0):
        shape = affinity.translate(zone.shape, xoff=turn)
        shapely.prepare(shape)
        met |= shapely.intersects(shape, drawn)
    return met


def _copies(shape: BaseGeometry) -> list[BaseGeometry]:
    """The shape, and its image one turn on where a piece that runs past 180 could meet it."""
    return [shape, affinity.translate(shape, xoff=360.0)] if shape.bounds[0] < -175.0 else [shape]


def _within_world(shape: BaseGeometry) -> bool:
    west, south, east, north = shape.bounds
    return bool(west >= -180.0 and east <= 180.0 and south >= -90.0 and north <= 90.0)
