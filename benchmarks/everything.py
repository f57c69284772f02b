"""`everything.toml` on a world with 60 mines, 21 markets and all rules: the size that the planning model is measured at.

The shipped tables know the capacity of some forty mines outside the excluded states, and one market for each large country.
For size alone, mines without a capacity get one, and large countries a second market with three tenths of their demand.
None of that is a fact; nothing here is read by the program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from hubplan.data.access import resolve_access
from hubplan.data.scenario import Scenario, read_scenario
from hubplan.data.tables import Tables, read_tables
from hubplan.model.build import build_instance
from hubplan.model.instance import Instance
from hubplan.network.assemble import build_network
from hubplan.routing.routes import Routes, find_routes

SCENARIO = Path(__file__).with_suffix(".toml")
MINE = {"capacity_reo_t_yr": 5000.0, "first_year": 2031.0, "capex_usd": 4e8}
SECOND_MARKETS: Mapping[str, tuple[str, float, float]] = {
    "market-usa": ("Houston", -95.37, 29.76),
    "market-deu": ("Hamburg", 10.0, 53.55),
    "market-jpn": ("Kitakyushu", 130.88, 33.88),
    "market-kor": ("Incheon", 126.7, 37.45),
    "market-ind": ("Chennai", 80.27, 13.08),
    "market-fra": ("Le Havre", 0.11, 49.49),
    "market-ita": ("Naples", 14.27, 40.85),
    "market-gbr": ("London", -0.12, 51.5),
}
MOVED_SHARE = 0.3


def widen(tables: Tables) -> Tables:
    """Tables with a capacity for each mine, and second markets."""
    mines = tables.mines.copy()
    unknown = mines["capacity_reo_t_yr"].isna() | mines["status"].isin(["stalled", "exploration", "care"])
    mines.loc[unknown, "status"] = "early"
    mines.loc[unknown, "committed"] = False
    for name, value in MINE.items():
        mines[name] = mines[name].fillna(value)
    places, moved = [], []
    demand = tables.demand.copy()
    for market, (city, lon, lat) in SECOND_MARKETS.items():
        place = tables.sites[tables.sites["site"] == market]
        places.append(place.assign(site=f"{market}-2", name=city, lon=lon, lat=lat))
        here = demand["market"] == market
        part = demand[here].assign(market=f"{market}-2")
        moved.append(part.assign(demand_t=part["demand_t"] * MOVED_SHARE))
        demand.loc[here, "demand_t"] *= 1 - MOVED_SHARE
    return replace(
        tables,
        mines=mines,
        sites=pd.concat([tables.sites, *places], ignore_index=True),
        demand=pd.concat([demand, *moved], ignore_index=True),
    )


def read_case() -> tuple[Scenario, Tables, Routes]:
    """The scenario, the widened tables and the routes between their sites."""
    scenario, tables = read_scenario(SCENARIO), widen(read_tables())
    access = resolve_access(scenario, tables)
    return scenario, tables, find_routes(build_network(tables), tables, scenario, access=access)


def everything() -> Instance:
    """The instance with everything on."""
    scenario, tables, routes = read_case()
    return build_instance(tables, routes, scenario)
