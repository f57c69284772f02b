"""The map of a plan, and the map of single routes."""

from __future__ import annotations

from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from hubplan.data.access import Access, resolve_access
from hubplan.data.frames import rows_of
from hubplan.data.scenario import Scenario
from hubplan.data.tables import Tables
from hubplan.results.plan import Plan
from hubplan.views.mapspec import Flow, Form, MapSpec, Site, Way
from hubplan.views.places import barred_sites, called_ports, country_tints, map_zones, plan_sites
from hubplan.views.polyline import unwrap
from hubplan.views.tables import country_names
from hubplan.views.ways import WHOLE_WORLD, bundle_lines, frame_view, leg_totals, plan_flows
from hubplan.views.words import FORM_COLOURS, FORM_WORDS, counted, plan_sentence

_WAY_COLOURS = ("carbonate", "metal", "magnet", "oxide", "concentrate", "recycled")


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
    ways, flows = plan_flows(plan, tables, years)
    lines = bundle_lines(plan.routes, ways)
    sites = plan_sites(plan, tables, years)
    used = {flow.form for flow in flows}
    return MapSpec(
        title=plan.scenario.name,
        sentence=plan_sentence(plan),
        periods=tuple(str(period) for period in years),
        forms=tuple(Form(form, FORM_WORDS[form], FORM_COLOURS[form]) for form in FORM_WORDS if form in used),
        ways=ways,
        flows=flows,
        lines=lines,
        sites=(*sites, *called_ports(ways, tables, len(years)), *barred_sites(plan.access, tables, len(years))),
        zones=map_zones(tables, plan.access.closed),
        tints=country_tints(plan.access.members, plan.access.excluded),
        view=frame_view(lines, flows, sites),
    )


def route_map(
    legs: pd.DataFrame,
    lines: gpd.GeoDataFrame,
    tables: Tables,
    *,
    access: Access,
    title: str = "",
    names: Mapping[str, str] | None = None,
) -> MapSpec:
    """Build the map of single routes, such as the alternatives between two places; each has a colour of its own.

    Parameters
    ----------
    legs, lines
        As the run folder's ``legs.csv`` and ``routes.geojson``.
    access
        What was open: closed zones and excluded countries are shown.
    title
        By default the two ends of the first route.
    names
        Route to what it is called; by default the route's own id.
    """
    called = {**_names(tables.ports, "port"), **_names(tables.sites, "site")}
    forms: list[Form] = []
    ways: list[Way] = []
    sites: dict[str, Site] = {}
    for position, (route, total) in enumerate(leg_totals(legs).items()):
        own = legs[legs["route"] == route].sort_values("leg")
        drawn = lines[lines["route"] == route].sort_values("leg").geometry
        ends = [str(own["from"].iloc[0]), str(own["to"].iloc[-1])]
        origin, destination = (called.get(end, end) for end in ends)
        name = (names or {}).get(route, route)
        forms.append(Form(route, name, FORM_COLOURS[_WAY_COLOURS[position % len(_WAY_COLOURS)]]))
        ways.append(Way(route, origin, destination, **vars(total)))
        sites[origin] = _end(origin, "mine", shapely.get_coordinates(drawn.iloc[0])[0])
        sites[destination] = _end(destination, "market", shapely.get_coordinates(drawn.iloc[-1])[-1])
    flows = tuple(Flow(i, form.id, form.name, (1.0,)) for i, form in enumerate(forms))
    drawn_lines = bundle_lines(lines, ways)
    best = ways[0]
    facts = f"{best.length_km:,.0f} km, {best.days:,.1f} days, {best.usd_t:,.0f} USD a tonne"
    return MapSpec(
        title=title or f"{best.origin} to {best.destination}",
        sentence=facts if len(ways) == 1 else f"{counted(len(ways), 'way')}; the first is {facts}",
        periods=("",),
        forms=tuple(forms),
        ways=tuple(ways),
        flows=flows,
        lines=drawn_lines,
        sites=(*sites.values(), *called_ports(ways, tables, 1)),
        zones=map_zones(tables, access.closed),
        tints=country_tints(access.members, access.excluded),
        view=frame_view(drawn_lines, flows, tuple(sites.values())),
    )


def _names(frame: pd.DataFrame, key: str) -> dict[str, str]:
    return dict(zip(frame[key], frame["name"], strict=True))


def world_map(scenario: Scenario, tables: Tables) -> MapSpec:
    """Build the map of a question before there is an answer: mines, passages and countries."""
    access = resolve_access(scenario, tables)
    names = country_names(tables)
    mines = tables.sites[(tables.sites["kind"] == "mine") & ~tables.sites["site"].isin(list(access.barred_sites))]
    sites = tuple(
        Site(
            row.site,
            "mine",
            row.name,
            names.get(row.country, ""),
            float(row.lon),
            float(row.lat),
            (0.0,),
            (False,),
            always=True,
        )
        for row in rows_of(mines)
    )
    return MapSpec(
        title=scenario.name,
        sentence="",
        periods=("today",),
        forms=(),
        ways=(),
        flows=(),
        lines=(),
        sites=(*sites, *barred_sites(access, tables, 1)),
        zones=map_zones(tables, access.closed),
        tints=country_tints(access.members, access.excluded),
        view=WHOLE_WORLD,
    )


def _end(name: str, kind: str, point: NDArray[np.float64]) -> Site:
    lon, lat = float(unwrap(point[:1])[0]), float(point[1])
    return Site(name, kind, name, "", lon, lat, (1.0,), (False,), always=True)
