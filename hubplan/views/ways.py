"""What moves which way, for a map: flows summed by route, and routes bundled into lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from hubplan.data.frames import rows_of
from hubplan.data.tables import Tables
from hubplan.results.exposure import ON_SITE
from hubplan.results.plan import Plan
from hubplan.views.bundle import Path, bundle
from hubplan.views.mapspec import Flow, Line, Site, Way
from hubplan.views.polyline import decode, encode, simplify
from hubplan.views.words import FORM_OF

View = tuple[float, float, float, float]

WHOLE_WORLD: View = (-30.0, -50.0, 330.0, 70.0)
_NEVER_CUT = 1e12
_MID_OCEAN = (*range(320, 341), *range(190, 216))  # degrees east where the edges of a world map may lie
_TOLERANCE = 0.01  # degrees: about 1.1 km


@dataclass(frozen=True)
class Total:
    """A route from end to end."""

    length_km: float
    days: float
    usd_t: float
    zones: tuple[str, ...]
    ports: tuple[str, ...]


def leg_totals(legs: pd.DataFrame) -> dict[str, Total]:
    """Sum the legs of each route; `legs` as the run folder's ``legs.csv``."""
    sums: dict[str, list[float]] = {}
    passed: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for row in rows_of(legs.sort_values(["route", "leg"])):
        total = sums.setdefault(row.route, [0.0, 0.0, 0.0])
        for i, value in enumerate((row.length_km, row.hours / 24.0, row.cost_usd_t)):
            total[i] += value
        zones, ports = passed.setdefault(row.route, ({}, {}))
        zones.update(dict.fromkeys(_ids(row.chokepoints)))
        ports.update(dict.fromkeys(_ids(row.ports)))
    return {
        route: Total(short(total[0]), short(total[1]), short(total[2]), *(tuple(ids) for ids in passed[route]))
        for route, total in sums.items()
    }


def _ids(cell: object) -> list[str]:
    """Split a semicolon list; a blank cell has none."""
    return [part for part in cell.split(";") if part] if isinstance(cell, str) else []


def plan_flows(plan: Plan, tables: Tables, years: Mapping[int, float]) -> tuple[tuple[Way, ...], tuple[Flow, ...]]:
    """List the ways in use and what moves on them, summed over mines and facilities.

    Parameters
    ----------
    years
        Length of each period.
    """
    commodity = {str(row.commodity): row for row in rows_of(tables.commodities)}
    name = {str(row.site): str(row.name) for row in rows_of(plan.sites)}
    moved = plan.flows[(plan.flows["route"] != ON_SITE) & (plan.flows["flow_t"] > 0)]
    totals = leg_totals(plan.legs)
    ends = moved.drop_duplicates("route").sort_values("route")
    ways = tuple(
        Way(str(row.route), name[row.origin], name[row.destination], **vars(totals[row.route])) for row in rows_of(ends)
    )
    position = {way.route: i for i, way in enumerate(ways)}
    loads: dict[tuple[str, str], dict[int, float]] = {}
    for row in rows_of(moved.groupby(["route", "commodity", "period"])["flow_t"].sum().reset_index()):
        loads.setdefault((row.route, row.commodity), {})[row.period] = row.flow_t
    flows = tuple(
        Flow(
            way=position[route],
            form=FORM_OF[commodity[what].form],
            commodity=commodity[what].name,
            t_yr=tuple(short(load.get(period, 0.0) / length) for period, length in years.items()),
        )
        for (route, what), load in loads.items()
    )
    return ways, flows


def short(value: float) -> float:
    """Round to four digits: enough for the eye, and short to write."""
    return float(f"{value:.4g}")


def bundle_lines(routes: gpd.GeoDataFrame, ways: Sequence[Way]) -> tuple[Line, ...]:
    """Bundle the routes of some ways into lines; `routes` as ``routes.geojson``."""
    position = {way.route: i for i, way in enumerate(ways)}
    paths = []
    for row in rows_of(routes[routes["route"].isin(list(position))].sort_values(["route", "leg"])):
        points = shapely.get_coordinates(row.geometry)
        paths.append(Path(str(row.route), str(row.mode), points[:, 0], points[:, 1]))
    lines = []
    for stretch in bundle(paths):
        lon, lat = simplify(stretch.lon, stretch.lat, tolerance=_TOLERANCE)
        along, against = (tuple(position[route] for route in group) for group in (stretch.along, stretch.against))
        lines.append(Line(stretch.mode, encode(lon, lat), along, against))
    return tuple(lines)


def frame_view(lines: Sequence[Line], flows: Sequence[Flow], sites: Sequence[Site]) -> View:
    """Frame everything, looking from the side where as little as can be is cut in two at the edges.

    Notes
    -----
    The edges lie in the widest stretch of longitude where nothing is, or else in the middle of the Atlantic or the Pacific,
    where the fewest tonnes pass.
    """
    load: dict[int, float] = {}
    for flow in flows:
        load[flow.way] = load.get(flow.way, 0.0) + max(flow.t_yr)
    weight, lats = np.zeros(360), [site.lat for site in sites]
    for line in lines:
        lon, lat = decode(line.line)
        spanned = np.arange(np.floor(lon.min()), np.floor(lon.max()) + 1).astype(int) % 360
        weight[spanned] += sum(load.get(way, 0.0) for way in (*line.along, *line.against))
        lats += [float(lat.min()), float(lat.max())]
    for site in sites:
        weight[int(np.floor(site.lon)) % 360] += _NEVER_CUT
    if not lats:
        return WHOLE_WORLD
    first, last = _widest_gap(weight)
    west = float(last + 1)
    east = float(first + 360) if first <= last else west + 360.0
    turn = 360.0 * np.floor(((west + east) / 2 + 180.0) / 360.0)
    return (west - turn, min(lats), east - turn, max(lats))


def _widest_gap(weight: NDArray[np.float64]) -> tuple[int, int]:
    """Find the longest run of degrees where nothing is: its first and last, the last not wrapped.

    Where there is none, the gap is empty and lies in mid ocean: no continent is cut.
    """
    empty = np.tile(weight <= 0, 2)
    if not empty.any():
        seam = min(_MID_OCEAN, key=lambda degree: (weight[degree], degree))
        return seam + 1, seam
    edges = np.flatnonzero(np.diff(np.r_[False, empty, False].astype(int)))
    starts, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - starts))
    first = int(starts[longest])
    return first, min(int(ends[longest]) - 1, first + 359)
