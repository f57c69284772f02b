"""Preview: which ways cargo would go now, before anything is planned anew."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hubplan.data.access import Access
from hubplan.data.frames import rows_of
from hubplan.data.scenario import Scenario
from hubplan.data.tables import Tables
from hubplan.results.exposure import ON_SITE
from hubplan.results.plan import Plan
from hubplan.routing.routes import Routes
from hubplan.views.mapspec import Flow, Form, MapSpec, Site, Way
from hubplan.views.places import barred_sites, called_ports, country_tints, map_zones
from hubplan.views.planmap import plan_map
from hubplan.views.previews import CHANGE_COLUMNS
from hubplan.views.tables import country_names, product_names
from hubplan.views.ways import bundle_lines, frame_view, leg_totals
from hubplan.views.words import FORM_COLOURS, FORM_OF, FORM_WORDS, counted

_STANDING = ("operating", "commissioning")
_FIRST_STAGES = ("crack_leach", "separation_light")


@dataclass(frozen=True, eq=False)
class Preview:
    """A map of the ways now open, and what changed against those before.

    Parameters
    ----------
    changes
        ``From``, ``To``, ``km before``, ``km now``, ``USD/t before``, ``USD/t now``; those of now are empty where
        nothing joins the two any more.
    """

    spec: MapSpec
    changes: pd.DataFrame


def preview_plan(plan: Plan, tables: Tables, routes: Routes, scenario: Scenario) -> Preview:
    """Send the cargoes of a plan by the ways that another scenario leaves open.

    Notes
    -----
    A way whose length, time and freight are what they were, and which passes nothing closed, is the way it was: only the
    others are drawn anew.
    """
    ware = {str(row.commodity): str(row.ware) for row in rows_of(tables.commodities)}
    moved = plan.flows[plan.flows["route"] != ON_SITE]
    wanted = moved["origin"] + "--" + moved["destination"] + "--" + moved["commodity"].map(ware)
    open_now = routes.table[routes.table["route"].isin(set(wanted))]
    flows = moved.assign(route=wanted)[wanted.isin(set(open_now["route"]))]
    kept = _kept(plan, open_now, routes.access)
    anew = [route for route in dict.fromkeys(flows["route"]) if route not in kept]
    legs, lines = plan.legs[plan.legs["route"].isin(kept)], plan.routes[plan.routes["route"].isin(kept)]
    if anew:
        legs = pd.concat([legs, routes.legs(anew)], ignore_index=True)
        lines = pd.concat([lines, routes.lines(anew)], ignore_index=True)
    then = replace(plan, scenario=scenario, access=routes.access, flows=flows, legs=legs, routes=lines)
    spec = plan_map(then, tables)
    changes = _changes(plan, moved.assign(now=wanted), legs)
    cut = int(changes["km now"].isna().sum())
    sentence = f"Preview: the plan's cargoes by the ways now open; {counted(len(changes) - cut, 'way')} changed"
    spec = replace(spec, sentence=f"{sentence}, {counted(cut, 'way')} cut off." if cut else f"{sentence}.")
    return Preview(spec, changes)


def _kept(plan: Plan, open_now: pd.DataFrame, access: Access) -> set[str]:
    """Find the routes of a plan that are the same now."""
    sums = plan.legs.groupby("route")[["length_km", "hours", "cost_usd_t"]].sum()
    now = open_now.set_index("route")[["length_km", "hours", "usd_t"]]
    both = sums.index.intersection(now.index)
    same = np.isclose(sums.loc[both].to_numpy(), now.loc[both].to_numpy(), rtol=1e-9, atol=1e-6).all(axis=1)
    shut = access.closed | set(access.closed_ports) | access.excluded
    passed = plan.legs["chokepoints"] + ";" + plan.legs["ports"] + ";" + plan.legs["countries"]
    barred = {
        route for route, cell in zip(plan.legs["route"], passed, strict=True) if not shut.isdisjoint(cell.split(";"))
    }
    return set(both[same]) - barred


def _changes(plan: Plan, moved: pd.DataFrame, legs: pd.DataFrame) -> pd.DataFrame:
    name = {str(row.site): str(row.name) for row in rows_of(plan.sites)}
    before, now = leg_totals(plan.legs), leg_totals(legs)
    rows = []
    for row in rows_of(moved[["origin", "destination", "route", "now"]].drop_duplicates()):
        old, new = before[row.route], now.get(row.now)
        if new is None or abs(new.length_km - old.length_km) > 1.0 or abs(new.usd_t - old.usd_t) > 0.05:
            rows.append(
                {
                    "From": name[row.origin],
                    "To": name[row.destination],
                    "km before": old.length_km,
                    "km now": new.length_km if new else None,
                    "USD/t before": old.usd_t,
                    "USD/t now": new.usd_t if new else None,
                }
            )
    frame = pd.DataFrame(rows, columns=list(CHANGE_COLUMNS)).drop_duplicates()
    frame = frame.astype(dict.fromkeys(CHANGE_COLUMNS[2:], float))
    longer = (frame["km now"] - frame["km before"]).fillna(np.inf).sort_values(ascending=False, kind="stable")
    return frame.loc[longer.index].reset_index(drop=True)


def preview_supply(tables: Tables, routes: Routes, scenario: Scenario) -> MapSpec:
    """Show each standing mine's way to the plant, of those standing, that it reaches most cheaply."""
    access = routes.access
    mines = tables.mines[tables.mines["status"].isin(_STANDING)]
    mines = mines[~mines["mine"].isin([*access.barred_facilities, *access.barred_sites])]
    plants = tables.facilities[
        tables.facilities["stage"].isin(_FIRST_STAGES) & (tables.facilities["status"] == "operating")
    ]
    plants = plants[~plants["facility"].isin(list(access.barred_facilities))]
    ways = routes.table[
        (routes.table["ware"] == "bulk")
        & routes.table["origin"].isin(mines["mine"])
        & routes.table["destination"].isin(plants["site"])
    ]
    at_home = set(plants["site"])
    ways = ways[~ways["origin"].isin(at_home)]
    best = ways.loc[ways.groupby("origin")["generalised_usd_t"].idxmin()] if len(ways) else ways
    ids = list(best["route"])
    legs, lines = routes.legs(ids), routes.lines(ids)
    return _supply_map(tables, best, legs, lines, mines, scenario, access)


def _supply_map(
    tables: Tables,
    best: pd.DataFrame,
    legs: pd.DataFrame,
    lines: pd.DataFrame,
    mines: pd.DataFrame,
    scenario: Scenario,
    access: Access,
) -> MapSpec:
    place = {str(row.site): row for row in rows_of(tables.sites)}
    names, product, totals = country_names(tables), product_names(tables), leg_totals(legs)
    form = {str(row.commodity): str(row.form) for row in rows_of(tables.commodities)}
    mine = {str(row.mine): row for row in rows_of(mines)}
    ways: list[Way] = []
    flows: list[Flow] = []
    for row in rows_of(best):
        what, capacity = str(mine[row.origin].product), float(mine[row.origin].capacity_reo_t_yr)
        load = (capacity if capacity == capacity else 1.0,)
        flows.append(Flow(len(ways), FORM_OF[form[what]], product[what], load))
        ends = (str(place[row.origin].name), str(place[row.destination].name))
        ways.append(Way(row.route, *ends, **vars(totals[row.route])))
    drawn = bundle_lines(lines, ways)
    sent = {row.origin: flow.t_yr[0] for row, flow in zip(rows_of(best), flows, strict=True)}
    received: dict[str, float] = {}
    for row in rows_of(best):
        received[row.destination] = received.get(row.destination, 0.0) + sent[row.origin]
    marks = [(site, "mine", t) for site, t in sent.items()] + [(site, "plant", t) for site, t in received.items()]
    sites = tuple(
        Site(
            id=site,
            kind=kind,
            name=str(place[site].name),
            country=names.get(place[site].country, ""),
            lon=float(place[site].lon),
            lat=float(place[site].lat),
            size_t_yr=(t,),
            new=(False,),
        )
        for site, kind, t in marks
    )
    used = {flow.form for flow in flows}
    return MapSpec(
        title=scenario.name,
        sentence="No plan yet: each standing mine, and the standing plant it reaches most cheaply. Solve to plan.",
        periods=("today",),
        forms=tuple(Form(form, FORM_WORDS[form], FORM_COLOURS[form]) for form in FORM_WORDS if form in used),
        ways=tuple(ways),
        flows=tuple(flows),
        lines=drawn,
        sites=(*sites, *called_ports(ways, tables, 1), *barred_sites(access, tables, 1)),
        zones=map_zones(tables, access.closed),
        tints=country_tints(access.members, access.excluded),
        view=frame_view(drawn, flows, sites),
    )
