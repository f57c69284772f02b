"""A path of arcs as a traveller sees it: legs by mode, and the lines to draw."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely.geometry import LineString

from hubplan.network.assemble import Network
from hubplan.network.sea import densify
from hubplan.routing.columns import columns
from hubplan.routing.land import Measures

LEG_COLUMNS = (
    "route", "leg", "mode", "from", "to", "length_km", "hours", "cost_usd_t", "countries", "chokepoints", "ports", "gauge", "assumed_km",
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
    code = np.array([_CONNECTOR if skip else _LEG_MODE.get(name, _CONNECTOR) for name, skip in zip(mode, short, strict=True)])
    handled = np.isin(mode, ("transfer", "port"))
    moving = np.flatnonzero(code != _CONNECTOR)
    if not len(moving):
        return [Span(0, len(code), "road", origin, destination)] if len(code) else []
    breaks = [
        (before, after) for before, after in zip(moving, moving[1:], strict=False)
        if code[before] != code[after] or handled[before:after].any()
    ]
    starts = [0, *(int(before) + 1 for before, _ in breaks)]
    stops = [*starts[1:], len(code)]
    names = [origin, *(_change_name(network, path, int(before) + 1, int(after), code) for before, after in breaks), destination]
    first_moving = [int(moving[0]), *(int(after) for _, after in breaks)]
    return [
        Span(start, stop, _NAMES[code[at]], a, b)
        for start, stop, at, a, b in zip(starts, stops, first_moving, names, names[1:], strict=False)
    ]


def _change_name(network: Network, path: Path, first: int, last: int, code: np.ndarray) -> str:
    """Name the place between two legs: the port called at, or what is done there."""
    place = path.nodes[first:last + 1]
    kinds, refs = columns(network).kind[place], columns(network).ref[place]
    named = [str(ref) for kind, ref in zip(kinds, refs, strict=True) if kind == "port" and ref] or [str(ref) for ref in refs if ref]
    if named:
        return named[0]
    return "break of gauge" if code[first - 1] == code[last] else "rail-road transfer"


def tell_legs(network: Network, path: Path, measures: Measures, *, route: str, origin: str, destination: str) -> list[dict[str, object]]:
    """Describe the legs of a path: one dict per leg with the keys of `LEG_COLUMNS`."""
    at = columns(network)
    rows: list[dict[str, object]] = []
    for number, span in enumerate(split_legs(network, path, origin=origin, destination=destination), start=1):
        arcs, nodes = path.arcs[span.start:span.stop], path.nodes[span.start:span.stop + 1]
        called = np.array([], dtype=object)
        if span.mode == "sea":   # the quay of the last port comes one arc after the leg, since unloading belongs to the next
            nodes = path.nodes[span.start:span.stop + 2]
            nodes = nodes[at.kind[nodes] == "port"]
            called = at.ref[nodes]
        seen = np.nonzero(network.crosses[arcs])[1]   # row by row, so in order of travel
        gauges = {int(value) for value in at.gauge_mm[arcs][at.mode[arcs] == "rail"] if value > 0}
        rows.append({
            "route": route, "leg": number, "mode": span.mode, "from": span.origin, "to": span.destination,
            "length_km": float(measures[2][arcs].sum()), "hours": float(measures[1][arcs].sum()),
            "cost_usd_t": float(measures[0][arcs].sum()),
            "countries": _listed(at.country[nodes]), "chokepoints": _listed(np.array(network.zones, dtype=object)[seen]),
            "ports": _listed(called), "gauge": ";".join(str(value) for value in sorted(gauges)),
            "assumed_km": float(measures[2][arcs][at.assumed[arcs]].sum()),
        })
    return rows


def _listed(values: np.ndarray) -> str:
    return ";".join(dict.fromkeys(str(value) for value in values if value))


def legs_table(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Legs as a table with the columns of the run folder's legs.csv, and ``gauge`` (mm) and ``assumed_km``."""
    return pd.DataFrame(rows, columns=list(LEG_COLUMNS))


def draw_legs(network: Network, path: Path, *, route: str, origin: str, destination: str) -> list[dict[str, object]]:
    """Lines of the legs of a path; longitudes run on past +-180 rather than jump, also from leg to leg."""
    drawn = []
    turn = 0.0
    for number, span in enumerate(split_legs(network, path, origin=origin, destination=destination), start=1):
        points = _points(network, Path(path.nodes[span.start:span.stop + 1], path.arcs[span.start:span.stop]))
        lon = np.unwrap(points[:, 0], period=360.0)
        lon += 360.0 * np.round((turn - lon[0]) / 360.0) if drawn else 0.0
        turn = float(lon[-1])
        drawn.append({"route": route, "leg": number, "mode": span.mode, "geometry": LineString(np.column_stack([lon, points[:, 1]]))})
    return drawn


def lines_table(rows: list[dict[str, object]]) -> gpd.GeoDataFrame:
    """Drawn legs as a table in EPSG:4326."""
    columns = ["route", "leg", "mode", "geometry"]
    return gpd.GeoDataFrame(rows, columns=columns, geometry="geometry", crs="EPSG:4326")


def _points(network: Network, path: Path) -> np.ndarray:
    """Points along a path: drawn geometry where there is some, great circles in steps of 25 km at sea, straight lines on land."""
    at = columns(network)
    lon, lat = at.lon, at.lat
    parts = []
    for arc, a, b in zip(path.arcs, path.nodes, path.nodes[1:], strict=False):
        span = slice(network.line_start[arc], network.line_start[arc + 1])
        if span.stop > span.start:
            inner = np.column_stack([network.line_lon[span], network.line_lat[span]]).astype(float)
            parts.append(inner if at.tail[arc] == a else inner[::-1])
        elif at.mode[arc] == "sea":
            parts.append(densify(lon[a], lat[a], lon[b], lat[b], _STEP_KM))
        else:
            parts.append(np.array([[lon[a], lat[a]], [lon[b], lat[b]]]))
    points = np.concatenate(parts)
    moved = np.ones(len(points), dtype=bool)
    moved[1:] = np.any(points[1:] != points[:-1], axis=1)
    moved[-1] = moved[-1] or moved.sum() < 2   # a line needs two points, even one of no length
    return points[moved]
