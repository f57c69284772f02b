"""Do the routes hang together, and do they stay out of what is closed? Judged on the lines as drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from shapely import LineString

from hubplan.errors import Fault
from hubplan.network.chokepoints import read_zones, touches
from hubplan.results.checking.reading import ON_SITE, Reading, as_float, breaks, differs, rows

_EARTH_KM = 6371.0088
_JOIN_KM = 0.5
"""Legs must meet, and a route start and end at its sites, within half a kilometre."""
_SHORTER = 0.98
"""A leg is at least this much of its drawn line: the line is measured on a sphere, the leg on the ellipsoid."""
_SEA_SHARE = 0.02
"""At sea the drawn line is the way gone."""
_MEETING_KM = 10.0
"""Ways between railways, roads and quays within one leg come to no more than this."""
_LEG_MODES = ("rail", "road", "sea")


def find_route_faults(reading: Reading) -> list[Fault]:
    """Legs in order, from site to site, each drawn; none touches a closed zone; straits are those that lines meet."""
    lines = {(row.route, row.leg): row for row in rows(reading.plan.routes)}
    faults = [*_routes_known(reading), *_legs_drawn(reading, lines)]
    if not faults:
        faults = [*_chains(reading, lines), *_lengths(reading, lines), *_costs(reading), *_zones(reading, lines)]
    return faults


def line_km(line: LineString) -> float:
    """Length of a drawn line, km, great circles on a sphere of the earth's mean radius (within 0.6 %)."""
    lon, lat = np.radians(np.asarray(line.coords)[:, :2]).T
    half = np.sin(np.diff(lat) / 2) ** 2 + np.cos(lat[:-1]) * np.cos(lat[1:]) * np.sin(np.diff(lon) / 2) ** 2
    return float(2 * _EARTH_KM * np.arcsin(np.sqrt(np.clip(half, 0, 1))).sum())


def _routes_known(reading: Reading) -> list[Fault]:
    with_legs, used = set(reading.plan.legs["route"]), set(reading.plan.contingencies["route"])
    faults = []
    for flow in rows(reading.plan.flows):
        on_site = flow.origin == flow.destination
        if on_site != (flow.route == ON_SITE):
            where = reading.where("flows", flow.Index, "route")
            faults.append(breaks(where, f"'{flow.route}' from {flow.origin} to {flow.destination}"))
        elif not on_site and flow.route not in with_legs:
            faults.append(breaks(reading.where("flows", flow.Index, "route"), f"{flow.route} has no legs in legs.csv"))
        used.add(flow.route)
    faults += [breaks(f"legs.csv, route {route}", "carries nothing") for route in sorted(with_legs - used)]
    return faults


def _legs_drawn(reading: Reading, lines: Mapping[tuple[str, int], Any]) -> list[Fault]:
    faults = []
    for leg in rows(reading.plan.legs):
        line = lines.get((leg.route, leg.leg))
        if line is None:
            faults.append(breaks(reading.where("legs", leg.Index), "is not drawn in routes.geojson"))
        elif line.mode != leg.mode:
            faults.append(breaks(reading.where("legs", leg.Index, "mode"), "is of another mode in routes.geojson"))
        if leg.mode not in _LEG_MODES:
            faults.append(breaks(reading.where("legs", leg.Index, "mode"), f"'{leg.mode}' is no mode"))
    legs = set(zip(reading.plan.legs["route"], reading.plan.legs["leg"], strict=True))
    if len(reading.plan.routes) != len(legs) or set(lines) - legs:
        faults.append(breaks("routes.geojson", "has lines that are no legs of legs.csv, or a leg twice"))
    return faults


def _chains(reading: Reading, lines: Mapping[tuple[str, int], Any]) -> list[Fault]:
    """Legs are numbered from 1, each starts where the one before ends, the first and last are at the route's sites."""
    places = {row.site: (row.lon, row.lat) for row in rows(reading.tables.sites)}
    ends: dict[tuple[str, str], set[str]] = {}
    for flow in rows(reading.plan.flows):
        ends.setdefault((flow.route, "origin"), set()).add(flow.origin)
        ends.setdefault((flow.route, "destination"), set()).add(flow.destination)
    faults = []
    for route, legs in reading.plan.legs.groupby("route"):
        where = f"legs.csv, route {route}"
        if legs["leg"].tolist() != list(range(1, len(legs) + 1)):
            faults.append(breaks(where, f"legs are numbered {legs['leg'].tolist()}"))
            continue
        for end, site in (("origin", legs["from"].iloc[0]), ("destination", legs["to"].iloc[-1])):
            if ends.get((str(route), end), {site}) != {site}:
                found = f"{end} is {site}, flows.csv has {', '.join(sorted(ends[str(route), end]))}"
                faults.append(breaks(where, found))
        if legs["from"].tolist()[1:] != legs["to"].tolist()[:-1]:
            faults.append(breaks(where, "a leg does not start where the one before ends"))
        drawn = [np.asarray(lines[str(route), leg].geometry.coords)[:, :2] for leg in legs["leg"]]
        spots = [places.get(legs["from"].iloc[0]), *(points[-1] for points in drawn)]
        nexts = [*(points[0] for points in drawn), places.get(legs["to"].iloc[-1])]
        for number, (before, after) in enumerate(zip(spots, nexts, strict=True), start=1):
            if before is None or after is None:
                faults.append(breaks(where, "starts or ends at a place that is in no row of sites.csv"))
            elif (gap := line_km(LineString([before, after]))) > _JOIN_KM:
                faults.append(breaks(f"routes.geojson, route {route}", f"{gap:,.1f} km are missing at leg {number}"))
    return faults


def _lengths(reading: Reading, lines: Mapping[tuple[str, int], Any]) -> list[Fault]:
    faults = []
    for leg in rows(reading.plan.legs):
        drawn = line_km(lines[leg.route, leg.leg].geometry)
        where = reading.where("legs", leg.Index, "length_km")
        if leg.length_km < _SHORTER * drawn - _JOIN_KM:
            faults.append(differs(where, leg.length_km, drawn, "no way is shorter than its line in routes.geojson"))
        elif leg.mode == "sea" and abs(leg.length_km - drawn) > _SEA_SHARE * drawn + _JOIN_KM:
            faults.append(differs(where, leg.length_km, drawn, "at sea the line in routes.geojson is the way gone"))
    return faults


def _costs(reading: Reading) -> list[Fault]:
    """A leg costs its haul at least, and at most haul and every transfer, call and toll that it can have met.

    The way between a railway and a road where they meet is in the length, and in no other figure.
    """
    value = reading.parameter
    tolls = {"suez": value("suez_toll_usd_t"), "panama-canal": value("panama_toll_usd_t")}
    faults = []
    for leg in rows(reading.plan.legs):
        rolling = max(0.0, leg.length_km - _MEETING_KM)
        least, hours = rolling * value(f"{leg.mode}_usd_tkm"), rolling / value(f"{leg.mode}_kmh")
        most = _MEETING_KM * value("road_usd_tkm") + 9 * value("gauge_break_usd_t")
        most += 3 * (value("port_handling_usd_t") + value("rail_road_transfer_usd_t"))
        most += sum(tolls.get(zone, 0.0) for zone in str(leg.chokepoints).split(";"))
        if not least * (1 - 1e-6) - 1e-6 <= leg.cost_usd_t <= (least + most) * (1 + 1e-6):
            found = f"{leg.cost_usd_t:,.9g} USD/t, haul is {least:,.9g} and all else at most {most:,.9g}"
            faults.append(breaks(reading.where("legs", leg.Index, "cost_usd_t"), found))
        if not leg.hours >= hours * (1 - 1e-6) - 1e-6:
            found = f"{leg.hours:,.6g}, the haul alone takes {hours:,.6g}"
            faults.append(breaks(reading.where("legs", leg.Index, "hours"), found))
    return faults


def _zones(reading: Reading, lines: Mapping[tuple[str, int], Any]) -> list[Fault]:
    """No line touches a closed polygon, no line at sea a closed strait; open ones are listed by the legs that meet them.

    Straits, canals and passages are for ships: a railway under one does not pass it. A rail gate is judged by what
    legs.csv lists, because one that is drawn along a railway meets whatever crosses that railway.
    """
    listed = {(leg.route, leg.leg): set(str(leg.chokepoints).split(";")) for leg in rows(reading.plan.legs)}
    faults = []
    for zone in read_zones(reading.tables.zones):
        closed = zone.zone in reading.access.closed
        if zone.kind == "rail-gate":
            continue
        keys = [key for key, line in lines.items() if line.mode == "sea" or (closed and zone.kind == "zone")]
        drawn = [lines[key].geometry for key in keys]
        met = touches(drawn, zone) if drawn else np.zeros(0, dtype=bool)
        for key, touched in zip(keys, met.tolist(), strict=True):
            route, leg = key
            if touched and closed:
                found = f"touches {zone.zone}, which is closed"
                faults.append(breaks(f"routes.geojson, route {route}, leg {leg}", found))
            elif touched and zone.zone not in listed[key]:
                found = f"lacks {zone.zone}, which its line meets"
                faults.append(breaks(f"legs.csv, route {route}, leg {leg}, column chokepoints", found))
    return faults


def gross_t_t(reading: Reading, commodity: str, mine: str) -> float:
    """Gross shipped t per contained t: by the mine's own grade for what it ships, else as commodities.csv has it."""
    mines = reading.tables.mines
    own = mines[(mines["mine"] == mine) & (mines["product"] == commodity)]
    if commodity in ("concentrate", "carbonate") and len(own):
        grade = as_float(own["product_grade_share"].iloc[0])
        if not math.isnan(grade):
            return 1.0 / grade
    table = reading.tables.commodities
    return float(table.loc[table["commodity"] == commodity, "gross_t_t"].iloc[0])


def route_sums(legs: pd.DataFrame) -> pd.DataFrame:
    """Freight, hours and length by route."""
    return legs.groupby("route")[["cost_usd_t", "hours", "length_km"]].sum()
