"""MapSpec: what a map shows, as plain data; built from a Plan or from single routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from hubplan.data.tables import Tables
from hubplan.results.plan import Plan
from hubplan.views.bundle import Path, bundle
from hubplan.views.polyline import encode, simplify, unwrap
from hubplan.views.words import FORM_COLOURS, FORM_OF, FORM_WORDS, STAGE_WORDS, plan_sentence

CREDITS = (
    "Land: Natural Earth (public domain)",
    "Roads and rail: © OpenStreetMap contributors (ODbL)",
    "Ports: NGA World Port Index",
    "Sea lanes: searoute and Eurostat",
)
_TOLERANCE = {"rail": 0.01, "road": 0.01, "sea": 0.01}
ON_SITE = "on-site"


@dataclass(frozen=True)
class Form:
    """A class of cargo with a colour of its own."""

    id: str
    name: str
    colour: str


@dataclass(frozen=True)
class Flow:
    """One cargo between two places by one route.

    Parameters
    ----------
    t_yr
        Tonnes a year in each period.
    zones
        Ids of the straits and zones it passes.
    """

    route: str
    form: str
    commodity: str
    origin: str
    destination: str
    t_yr: tuple[float, ...]
    length_km: float
    days: float
    usd_t: float
    zones: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """A stretch of the network, with the flows (by position) that pass it along, and against, its vertices."""

    mode: str
    line: str
    along: tuple[int, ...]
    against: tuple[int, ...] = ()


@dataclass(frozen=True)
class Detail:
    """One line of what is known of a site: a value for each period."""

    label: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Site:
    """A place with a mark.

    Parameters
    ----------
    kind
        ``mine``, ``plant``, ``market``, ``port`` or ``barred``.
    new
        Whether the plan builds here, by period.
    size_t_yr
        What the size of the mark stands for, by period; 0 hides the mark in that period unless `always`.
    """

    id: str
    kind: str
    name: str
    country: str
    lon: float
    lat: float
    size_t_yr: tuple[float, ...]
    new: tuple[bool, ...]
    details: tuple[Detail, ...] = ()
    always: bool = False


@dataclass(frozen=True)
class Zone:
    """A strait, canal, passage or sea area; `rings` are packed outlines, empty for a gate."""

    id: str
    name: str
    kind: str
    closed: bool
    lon: float
    lat: float
    rings: tuple[str, ...] = ()


@dataclass(frozen=True)
class MapSpec:
    """Everything a map shows, as plain data.

    Parameters
    ----------
    periods
        Labels of the periods; the values of flows and sites follow their order.
    tints
        ISO 3166-1 alpha-3 code to ``member`` or ``excluded``.
    view
        West, south, east, north in degrees; east may pass 180.
    """

    title: str
    sentence: str
    periods: tuple[str, ...]
    forms: tuple[Form, ...]
    flows: tuple[Flow, ...]
    lines: tuple[Line, ...]
    sites: tuple[Site, ...]
    zones: tuple[Zone, ...]
    tints: Mapping[str, str]
    view: tuple[float, float, float, float]
    credits: tuple[str, ...] = CREDITS

    def as_plain(self) -> dict[str, Any]:
        """Give the spec as JSON values."""
        return asdict(self)


def plan_map(plan: Plan, tables: Tables) -> MapSpec:
    """Build the map of a plan.

    Parameters
    ----------
    plan
        Its routes are bundled: a stretch of track is one line, whose width is the tonnes of all flows on it.
    tables
        Names, ports, zones and countries.
    """
    years = dict(zip(plan.periods["period"].astype(int), plan.periods["years"].astype(float), strict=True))
    flows, routes = _flows(plan, tables, years)
    lines = _lines(plan.routes, routes)
    sites = _sites(plan, tables, years)
    used = {flow.form for flow in flows}
    return MapSpec(
        title=plan.scenario.name,
        sentence=plan_sentence(plan),
        periods=tuple(str(period) for period in years),
        forms=tuple(Form(form, FORM_WORDS[form], FORM_COLOURS[form]) for form in FORM_WORDS if form in used),
        flows=flows,
        lines=lines,
        sites=(*sites, *_ports(flows, tables, len(years)), *_barred(plan, tables, len(years))),
        zones=_zones(tables, plan.access.closed),
        tints=_tints(plan.access.members, plan.access.excluded),
        view=_view(
            [*_line_lons(plan.routes, set(routes)), *(np.array([site.lon]) for site in sites)],
            [*_line_lats(plan.routes, set(routes)), *(np.array([site.lat]) for site in sites)],
        ),
    )


def route_map(
    legs: pd.DataFrame,
    lines: gpd.GeoDataFrame,
    tables: Tables,
    *,
    title: str,
    closed: frozenset[str] = frozenset(),
    names: Mapping[str, str] | None = None,
) -> MapSpec:
    """Build the map of single routes, such as the alternatives between two places; each has a colour of its own.

    Parameters
    ----------
    legs, lines
        As the run folder's ``legs.csv`` and ``routes.geojson``.
    closed
        Zones shown closed.
    names
        Route to what it is called; by default the route's own id.
    """
    order = list(dict.fromkeys(legs["route"].astype(str)))
    colours = [FORM_COLOURS[form] for form in ("carbonate", "metal", "magnet", "oxide", "concentrate", "recycled")]
    totals = _leg_totals(legs)
    forms, flows, sites = [], [], {}
    for position, route in enumerate(order):
        mine = legs[legs["route"] == route].sort_values("leg")
        origin, destination = str(mine["from"].iloc[0]), str(mine["to"].iloc[-1])
        name = (names or {}).get(route, f"Way {position + 1}" if len(order) > 1 else "Way")
        total = totals[route]
        forms.append(Form(route, name, colours[position % len(colours)]))
        way = (total.length_km, total.days, total.usd_t, total.zones, total.ports)
        flows.append(Flow(route, route, name, origin, destination, (1.0,), *way))
        drawn = lines[lines["route"] == route].sort_values("leg")
        for place, geometry, end in ((origin, drawn.geometry.iloc[0], 0), (destination, drawn.geometry.iloc[-1], -1)):
            lon, lat = shapely.get_coordinates(geometry)[end]
            kind, lon = ("market" if end else "mine"), float(unwrap([lon])[0])
            sites[place] = Site(place, kind, place, "", lon, float(lat), (1.0,), (False,), always=True)
    spec_lines = _lines(lines, {route: [i] for i, route in enumerate(order)})
    return MapSpec(
        title=title,
        sentence="",
        periods=("",),
        forms=tuple(forms),
        flows=tuple(flows),
        lines=spec_lines,
        sites=(*sites.values(), *_ports(flows, tables, 1)),
        zones=_zones(tables, closed),
        tints={},
        view=_view(_line_lons(lines, set(order)), _line_lats(lines, set(order))),
    )


@dataclass(frozen=True)
class _Total:
    length_km: float
    days: float
    usd_t: float
    zones: tuple[str, ...]
    ports: tuple[str, ...]


def _leg_totals(legs: pd.DataFrame) -> dict[str, _Total]:
    totals = {}
    for route, group in legs.sort_values(["route", "leg"]).groupby("route", sort=False):
        totals[str(route)] = _Total(
            float(group["length_km"].sum()),
            float(group["hours"].sum()) / 24.0,
            float(group["cost_usd_t"].sum()),
            _split(group["chokepoints"]),
            _split(group["ports"]),
        )
    return totals


def _split(cells: pd.Series) -> tuple[str, ...]:
    """Join semicolon lists in order, each id once."""
    return tuple(dict.fromkeys(part for cell in cells for part in str(cell if cell == cell else "").split(";") if part))


def _flows(plan: Plan, tables: Tables, years: Mapping[int, float]) -> tuple[tuple[Flow, ...], dict[str, list[int]]]:
    """Sum flows over mines and facilities; also give the positions of the flows of each route."""
    form_of = {
        str(c): FORM_OF[f] for c, f in zip(tables.commodities["commodity"], tables.commodities["form"], strict=True)
    }
    commodity = dict(zip(tables.commodities["commodity"], tables.commodities["name"], strict=True))
    name = dict(zip(plan.sites["site"], plan.sites["name"], strict=True))
    totals = _leg_totals(plan.legs)
    moved = plan.flows[(plan.flows["route"] != ON_SITE) & (plan.flows["flow_t"] > 0)]
    key = ["route", "commodity", "origin", "destination"]
    summed = moved.pivot_table(index=key, columns="period", values="flow_t", aggfunc="sum", fill_value=0.0)
    flows, routes = [], {}
    for (route, what, origin, destination), row in summed.iterrows():
        total = totals[route]
        routes.setdefault(str(route), []).append(len(flows))
        flows.append(
            Flow(
                route,
                form_of[what],
                commodity[what],
                name.get(origin, origin),
                name.get(destination, destination),
                tuple(_short(row.get(period, 0.0) / length) for period, length in years.items()),
                _short(total.length_km),
                _short(total.days),
                _short(total.usd_t),
                total.zones,
                total.ports,
            )
        )
    return tuple(flows), routes


def _short(value: float) -> float:
    """Five digits are enough for the eye, and keep the page small."""
    return float(f"{value:.5g}")


def _lines(routes: gpd.GeoDataFrame, flows_of: Mapping[str, Sequence[int]]) -> tuple[Line, ...]:
    paths = []
    for row in routes[routes["route"].isin(list(flows_of))].sort_values(["route", "leg"]).itertuples():
        points = shapely.get_coordinates(row.geometry)
        paths.append(Path(str(row.route), str(row.mode), points[:, 0], points[:, 1]))
    lines = []
    for stretch in bundle(paths):
        lon, lat = simplify(stretch.lon, stretch.lat, tolerance=_TOLERANCE.get(stretch.mode, 0.01))
        along, against = (
            tuple(i for route in group for i in flows_of[route]) for group in (stretch.along, stretch.against)
        )
        lines.append(Line(stretch.mode, encode(lon, lat), along, against))
    return tuple(lines)


def _line_lons(routes: gpd.GeoDataFrame, wanted: set[str]) -> list[np.ndarray]:
    return [shapely.get_coordinates(line)[:, 0] for line in routes.loc[routes["route"].isin(wanted), "geometry"]]


def _line_lats(routes: gpd.GeoDataFrame, wanted: set[str]) -> list[np.ndarray]:
    return [shapely.get_coordinates(line)[:, 1] for line in routes.loc[routes["route"].isin(wanted), "geometry"]]


def _view(lons: Sequence[np.ndarray], lats: Sequence[np.ndarray]) -> tuple[float, float, float, float]:
    """Frame everything, looking from the side where the emptiest stretch of longitude is behind."""
    if not lons:
        return (-30.0, -55.0, 330.0, 70.0)
    lon = np.unique(np.concatenate(lons) % 360.0)
    lat = np.concatenate(lats)
    gaps = np.diff(np.r_[lon, lon[0] + 360.0])
    widest = int(np.argmax(gaps))
    west = float(lon[(widest + 1) % lon.size])
    east = west + 360.0 - float(gaps[widest])
    middle = (west + east) / 2
    turn = 360.0 * np.floor((middle + 180.0) / 360.0)
    return (float(west - turn), float(lat.min()), float(east - turn), float(lat.max()))


def _sites(plan: Plan, tables: Tables, years: Mapping[int, float]) -> tuple[Site, ...]:
    product = dict(zip(tables.commodities["commodity"], tables.commodities["name"], strict=True))
    country = dict(zip(tables.countries["country"], tables.countries["name"], strict=True))
    place = {row.site: row for row in plan.sites.itertuples(index=False)}
    old = (False,) * len(years)
    sites = []
    for site, group in plan.hubs.groupby("site"):
        details, size, new = _hub_details(group, years)
        kind = "mine" if set(group["stage"]) <= {"mine"} else "plant"
        sites.append((place[site], kind, size, new, details))
    for site, group in plan.demand.groupby("market"):
        details, size = _market_details(group, years, product)
        sites.append((place[site], "market", size, old, details))
    return tuple(
        Site(
            at.site,
            kind,
            at.name,
            country.get(at.country, at.country),
            float(at.lon),
            float(at.lat),
            size,
            new,
            details,
        )
        for at, kind, size, new, details in sites
    )


def _hub_details(
    group: pd.DataFrame, years: Mapping[int, float]
) -> tuple[tuple[Detail, ...], tuple[float, ...], tuple[bool, ...]]:
    details, size, new = [], np.zeros(len(years)), np.zeros(len(years), dtype=bool)
    facilities = [rows for _, rows in group.groupby("facility")]
    for rows in sorted(facilities, key=lambda rows: _stage_rank(str(rows["stage"].iloc[0]))):
        by_period = rows.set_index("period").reindex(list(years))
        used = (by_period["throughput_t"].fillna(0.0) / np.array(list(years.values()))).to_numpy()
        capacity = by_period["capacity_t_yr"].fillna(0.0).to_numpy()
        is_new = bool(rows["is_new"].any())
        size += used
        new |= is_new & (capacity > 0)
        what = STAGE_WORDS[str(rows["stage"].iloc[0])] + (" (new)" if is_new else "")
        values = tuple(
            f"{u:,.0f} of {c:,.0f} t/yr" if c > 0 else "not yet" for u, c in zip(used, capacity, strict=True)
        )
        details.append(Detail(what, values))
    return tuple(details), tuple(_short(v) for v in size), tuple(bool(v) for v in new)


def _stage_rank(stage: str) -> int:
    return list(STAGE_WORDS).index(stage)


def _market_details(
    group: pd.DataFrame, years: Mapping[int, float], product: Mapping[str, str]
) -> tuple[tuple[Detail, ...], tuple[float, ...]]:
    length = np.array(list(years.values()))
    details = []
    for what, rows in group.groupby("product"):
        by_period = rows.groupby("period")[["served_t", "demand_t"]].sum().reindex(list(years), fill_value=0.0)
        served, asked = by_period["served_t"].to_numpy() / length, by_period["demand_t"].to_numpy() / length
        values = tuple(
            f"{s:,.0f} of {a:,.0f} t/yr served" if a > 0 else "no demand" for s, a in zip(served, asked, strict=True)
        )
        details.append(Detail(product.get(str(what), str(what)), values))
    served = group.groupby("period")["served_t"].sum().reindex(list(years), fill_value=0.0).to_numpy() / length
    return tuple(details), tuple(_short(v) for v in served)


def _ports(flows: Sequence[Flow], tables: Tables, periods: int) -> tuple[Site, ...]:
    called = {port for flow in flows for port in flow.ports}
    rows = tables.ports[tables.ports["port"].isin(called)]
    return tuple(
        _still(row.port, "port", row.name, row, Detail("UN/LOCODE", (row.un_locode or "unknown",) * periods))
        for row in rows.itertuples(index=False)
    )


def _barred(plan: Plan, tables: Tables, periods: int) -> tuple[Site, ...]:
    """Ports, mines and plants that a rule bars although their country is not excluded."""
    closed = plan.access.closed_ports
    sites = []
    for row in tables.ports[tables.ports["port"].isin(list(closed))].itertuples(index=False):
        if row.country not in plan.access.excluded:
            detail = Detail(f"barred: {closed[row.port]}", ("",) * periods)
            sites.append(_still(row.port, "barred", f"{row.name} (port)", row, detail))
    reasons = barred_places(plan, tables)
    for row in tables.sites[tables.sites["site"].isin(list(reasons))].itertuples(index=False):
        sites.append(_still(row.site, "barred", row.name, row, Detail(f"barred: {reasons[row.site]}", ("",) * periods)))
    return tuple(sites)


def _still(site: str, kind: str, name: str, place: Any, detail: Detail) -> Site:
    """Mark a place that is the same in every period."""
    idle, old = (0.0,) * len(detail.values), (False,) * len(detail.values)
    return Site(site, kind, name, place.country, float(place.lon), float(place.lat), idle, old, (detail,), True)


def barred_places(plan: Plan, tables: Tables) -> dict[str, str]:
    """Find what the rule on owners, or the scenario by name, bars outside excluded countries, with the reason."""
    country = dict(zip(tables.sites["site"], tables.sites["country"], strict=True))
    site_of = dict(zip(tables.facilities["facility"], tables.facilities["site"], strict=True))
    found: dict[str, str] = {}
    for facility, reason in plan.access.barred_facilities.items():
        site = site_of.get(facility, facility)
        if country.get(site, "") not in plan.access.excluded and ("owner" in reason or "kept closed" in reason):
            found.setdefault(site, reason)
    return found


def _zones(tables: Tables, closed: frozenset[str]) -> tuple[Zone, ...]:
    zones = []
    for row in tables.zones.itertuples(index=False):
        shape = shapely.from_wkt(row.geometry_wkt)
        rings: tuple[str, ...] = ()
        if shape.geom_type in ("Polygon", "MultiPolygon"):
            parts = shapely.get_parts(shape)
            rings = tuple(
                encode(unwrap(xy[:, 0]), xy[:, 1]) for xy in (shapely.get_coordinates(part.exterior) for part in parts)
            )
            point = shape.representative_point()
        else:
            point = shape.interpolate(0.5, normalized=True)
        zones.append(
            Zone(row.zone, row.name, row.kind, row.zone in closed, round(point.x, 3), round(point.y, 3), rings)
        )
    return tuple(zones)


def _tints(members: frozenset[str], excluded: frozenset[str]) -> dict[str, str]:
    return {code: "excluded" if code in excluded else "member" for code in sorted(members | excluded)}
