"""What moves which way, for a map: flows summed by route, and routes bundled into lines."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from hubplan.data.tables import Tables
from hubplan.results.exposure import ON_SITE
from hubplan.results.plan import Plan
from hubplan.views.bundle import Path, bundle
from hubplan.views.mapspec import Flow, Line, Site
from hubplan.views.polyline import encode, simplify
from hubplan.views.tables import rows_of
from hubplan.views.words import FORM_OF

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
    return {
        str(route): Total(
            length_km=short(group["length_km"].sum()),
            days=short(group["hours"].sum() / 24.0),
            usd_t=short(group["cost_usd_t"].sum()),
            zones=_split(group["chokepoints"]),
            ports=_split(group["ports"]),
        )
        for route, group in legs.sort_values(["route", "leg"]).groupby("route", sort=False)
    }


def _split(cells: Iterable[object]) -> tuple[str, ...]:
    """Join semicolon lists in order, each id once."""
    return tuple(dict.fromkeys(part for cell in cells if isinstance(cell, str) for part in cell.split(";") if part))


def plan_flows(plan: Plan, tables: Tables, years: Mapping[int, float]) -> tuple[tuple[Flow, ...], dict[str, list[int]]]:
    """Sum flows over mines and facilities.

    Parameters
    ----------
    years
        Length of each period.

    Returns
    -------
    tuple
        The flows, and for each route the positions of its flows.
    """
    commodity = {str(row.commodity): row for row in rows_of(tables.commodities)}
    name = {str(row.site): str(row.name) for row in rows_of(plan.sites)}
    totals = leg_totals(plan.legs)
    moved = plan.flows[(plan.flows["route"] != ON_SITE) & (plan.flows["flow_t"] > 0)]
    key = ["route", "commodity", "origin", "destination", "period"]
    summed = moved.groupby(key)["flow_t"].sum().reset_index()
    loads: dict[tuple[str, str, str, str], dict[int, float]] = {}
    for row in rows_of(summed):
        loads.setdefault((row.route, row.commodity, row.origin, row.destination), {})[row.period] = row.flow_t
    flows: list[Flow] = []
    positions: dict[str, list[int]] = {}
    for (route, what, origin, destination), load in loads.items():
        positions.setdefault(route, []).append(len(flows))
        flows.append(
            Flow(
                route=route,
                form=FORM_OF[commodity[what].form],
                commodity=commodity[what].name,
                origin=name[origin],
                destination=name[destination],
                t_yr=tuple(short(load.get(period, 0.0) / length) for period, length in years.items()),
                **vars(totals[route]),
            )
        )
    return tuple(flows), positions


def short(value: float) -> float:
    """Five digits are enough for the eye, and keep the page small."""
    return float(f"{value:.5g}")


def bundle_lines(routes: gpd.GeoDataFrame, positions: Mapping[str, Sequence[int]]) -> tuple[Line, ...]:
    """Bundle the routes that have flows into lines, each with its flows; `routes` as ``routes.geojson``."""
    paths = []
    for row in rows_of(_drawn(routes, positions).sort_values(["route", "leg"])):
        points = shapely.get_coordinates(row.geometry)
        paths.append(Path(str(row.route), str(row.mode), points[:, 0], points[:, 1]))
    lines = []
    for stretch in bundle(paths):
        lon, lat = simplify(stretch.lon, stretch.lat, tolerance=_TOLERANCE)
        ways = ([i for route in group for i in positions[route]] for group in (stretch.along, stretch.against))
        along, against = (tuple(way) for way in ways)
        lines.append(Line(stretch.mode, encode(lon, lat), along, against))
    return tuple(lines)


def frame_view(
    routes: gpd.GeoDataFrame, wanted: Collection[str], sites: Sequence[Site]
) -> tuple[float, float, float, float]:
    """Frame routes and sites, looking from the side where the emptiest stretch of longitude is behind."""
    points = shapely.get_coordinates(_drawn(routes, wanted).geometry.to_numpy())
    points = np.vstack([points, *([[site.lon, site.lat]] for site in sites)])
    if not len(points):
        return (-30.0, -55.0, 330.0, 70.0)
    lon = np.unique(points[:, 0] % 360.0)
    gaps = np.diff(np.r_[lon, lon[0] + 360.0])
    widest = int(np.argmax(gaps))
    west = float(lon[(widest + 1) % lon.size])
    east = west + 360.0 - float(gaps[widest])
    turn = 360.0 * np.floor(((west + east) / 2 + 180.0) / 360.0)
    return (float(west - turn), float(points[:, 1].min()), float(east - turn), float(points[:, 1].max()))


def _drawn(routes: gpd.GeoDataFrame, wanted: Collection[str]) -> gpd.GeoDataFrame:
    return routes[routes["route"].isin(list(wanted))]
