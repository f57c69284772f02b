"""A path of arcs as a traveller sees it: legs by mode, and the lines to draw."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely.geometry import LineString

from hubplan.network.assemble import Network
from hubplan.network.sea import EARTH_KM, densify_arcs
from hubplan.routing.columns import columns
from hubplan.routing.land import Measures

LEG_COLUMNS = (
    "route",
    "leg",
    "mode",
    "from",
    "to",
    "length_km",
    "hours",
    "cost_usd_t",
    "countries",
    "chokepoints",
    "ports",
    "gauge",
    "assumed_km",
)
_LEG_MODE = {"rail": 0, "road": 1, "access": 1, "sea": 2}
_NAMES = ("rail", "road", "sea")
_CONNECTOR = -1
_SHORT_KM = 3.0
"""Access links up to this length are no leg of their own: a siding, a quay road, a plant gate."""
_STEP_KM = 25.0


@dataclass(frozen=True)
class Path:
    """A way through the network: n + 1 nodes and the n arcs between them, in order of travel."""

    nodes: np.ndarray
    arcs: np.ndarray


@dataclass(frozen=True)
class Span:
    """Arcs ``start`` to ``stop`` of a path, in one mode; transfers and port calls belong to the leg that follows them."""

    start: int
    stop: int
    mode: str
    origin: str
    destination: str


def join_paths(parts: list[Path]) -> Path:
    """Join paths end to end."""
    nodes = [parts[0].nodes, *(part.nodes[1:] for part in parts[1:])]
    return Path(np.concatenate(nodes), np.concatenate([part.arcs for part in parts]))


def split_legs(network: Network, path: Path, *, origin: str, destination: str) -> list[Span]:
    """Split a path into legs.

    Notes
    -----
    A leg ends where the mode changes, at a port call, and at a break of gauge. What a change costs (transfer, handling, dwell)
    is part of the leg that follows, or of the last leg when nothing follows. So is an access link of up to 3 km.
    """
    mode = columns(network).mode[path.arcs]
    short = (mode == "access") & (columns(network).length_km[path.arcs] <= _SHORT_KM)
    code = np.array(
        [_CONNECTOR if skip else _LEG_MODE.get(name, _CONNECTOR) for name, skip in zip(mode, short, strict=True)]
    )
    handled = np.isin(mode, ("transfer", "port"))
    moving = np.flatnonzero(code != _CONNECTOR)
    if not len(moving):
        return [Span(0, len(code), "road", origin, destination)] if len(code) else []
    breaks = [
        (before, after)
        for before, after in pairwise(moving)
        if code[before] != code[after] or handled[before:after].any()
    ]
    starts = [0, *(int(before) + 1 for before, _ in breaks)]
    stops = [*starts[1:], len(code)]
    names = [
        origin,
        *(_change_name(network, path, int(before) + 1, int(after), code) for before, after in breaks),
        destination,
    ]
    first_moving = [int(moving[0]), *(int(after) for _, after in breaks)]
    return [
        Span(start, stop, _NAMES[code[at]], a, b)
        for start, stop, at, (a, b) in zip(starts, stops, first_moving, pairwise(names), strict=True)
    ]


def _change_name(network: Network, path: Path, first: int, last: int, code: np.ndarray) -> str:
    """Name the place between two legs: the port called at, or what is done there."""
    place = path.nodes[first : last + 1]
    kinds, refs = columns(network).kind[place], columns(network).ref[place]
    named = [str(ref) for kind, ref in zip(kinds, refs, strict=True) if kind == "port" and ref] or [
        str(ref) for ref in refs if ref
    ]
    if named:
        return named[0]
    return "break of gauge" if code[first - 1] == code[last] else "rail-road transfer"


def tell_legs(
    network: Network, path: Path, measures: Measures, *, route: str, origin: str, destination: str
) -> list[dict[str, object]]:
    """Describe the legs of a path: one dict per leg with the keys of `LEG_COLUMNS`."""
    at = columns(network)
    rows: list[dict[str, object]] = []
    for number, span in enumerate(split_legs(network, path, origin=origin, destination=destination), start=1):
        arcs, nodes = path.arcs[span.start : span.stop], path.nodes[span.start : span.stop + 1]
        called = np.array([], dtype=object)
        if (
            span.mode == "sea"
        ):  # the quay of the last port comes one arc after the leg, since unloading belongs to the next
            nodes = path.nodes[span.start : span.stop + 2]
            nodes = nodes[at.kind[nodes] == "port"]
            called = at.ref[nodes]
        seen = np.nonzero(network.crosses[arcs])[1]  # row by row, so in order of travel
        gauges = {int(value) for value in at.gauge_mm[arcs][at.mode[arcs] == "rail"] if value > 0}
        rows.append(
            {
                "route": route,
                "leg": number,
                "mode": span.mode,
                "from": span.origin,
                "to": span.destination,
                "length_km": float(measures[2][arcs].sum()),
                "hours": float(measures[1][arcs].sum()),
                "cost_usd_t": float(measures[0][arcs].sum()),
                "countries": _listed(at.country[nodes]),
                "chokepoints": _listed(np.array(network.zones, dtype=object)[seen]),
                "ports": _listed(called),
                "gauge": ";".join(str(value) for value in sorted(gauges)),
                "assumed_km": float(measures[2][arcs][at.assumed[arcs]].sum()),
            }
        )
    return rows


def _listed(values: np.ndarray) -> str:
    return ";".join(dict.fromkeys(str(value) for value in values if value))


def legs_table(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Legs as a table with the columns of the run folder's legs.csv, and ``gauge`` (mm) and ``assumed_km``."""
    return pd.DataFrame(rows, columns=list(LEG_COLUMNS))


def draw_legs(network: Network, path: Path, *, route: str, origin: str, destination: str) -> list[dict[str, object]]:
    """Lines of the legs of a path; longitudes run on past +-180 rather than jump, also from leg to leg."""
    drawn: list[dict[str, object]] = []
    turn = 0.0
    for number, span in enumerate(split_legs(network, path, origin=origin, destination=destination), start=1):
        points = draw_path(network, Path(path.nodes[span.start : span.stop + 1], path.arcs[span.start : span.stop]))
        points[:, 0] += 360.0 * np.round((turn - points[0, 0]) / 360.0) if drawn else 0.0
        turn = float(points[-1, 0])
        drawn.append({"route": route, "leg": number, "mode": span.mode, "geometry": LineString(points)})
    return drawn


def lines_table(rows: list[dict[str, object]]) -> gpd.GeoDataFrame:
    """Drawn legs as a table in EPSG:4326."""
    columns = ["route", "leg", "mode", "geometry"]
    return gpd.GeoDataFrame(rows, columns=columns, geometry="geometry", crs="EPSG:4326")


def draw_path(network: Network, path: Path) -> np.ndarray:
    """Points (lon, lat) along a path: drawn lines where there are some, else great circles; longitudes run on past +-180."""
    at = columns(network)
    start, stop = network.line_start[path.arcs], network.line_start[path.arcs + 1]
    bare = stop == start
    a, b = path.nodes[:-1][bare], path.nodes[1:][bare]
    lon, lat, offset = densify_arcs(at.lon[a], at.lat[a], at.lon[b], at.lat[b], step_km=_STEP_KM)
    parts, number = [], 0
    for arc, first, last, node in zip(
        path.arcs.tolist(), start.tolist(), stop.tolist(), path.nodes.tolist(), strict=False
    ):
        if last > first:
            line = np.column_stack([network.line_lon[first:last], network.line_lat[first:last]])
            parts.append(line if at.tail[arc] == node else line[::-1])
        else:
            parts.append(
                np.column_stack([lon[offset[number] : offset[number + 1]], lat[offset[number] : offset[number + 1]]])
            )
            number += 1
    points = np.concatenate(parts).astype(float)
    points[:, 0] = np.unwrap(points[:, 0], period=360.0)
    moved = np.ones(len(points), dtype=bool)
    moved[1:] = np.any(points[1:] != points[:-1], axis=1)
    moved[-1] = moved[-1] or moved.sum() < 2  # a line needs two points, even one of no length
    return points[moved]


def resample(points: np.ndarray, *, step_km: float) -> np.ndarray:
    """Points at even steps along a line of (lon, lat)."""
    lon, lat = np.radians(points).T
    half = np.sin(np.diff(lat) / 2) ** 2 + np.cos(lat[:-1]) * np.cos(lat[1:]) * np.sin(np.diff(lon) / 2) ** 2
    along_km = np.concatenate([[0.0], np.cumsum(2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(half, 0, 1))))])
    at_km = np.linspace(0.0, along_km[-1], int(along_km[-1] / step_km) + 2)
    return np.column_stack([np.interp(at_km, along_km, points[:, 0]), np.interp(at_km, along_km, points[:, 1])])
