"""Facilities of an instance: mines, plants that stand, hubs that may be built, and the collection of old magnets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hubplan.data.access import countries_of
from hubplan.data.chain import (
    GRADES,
    MAGNET_ELEMENTS,
    Process,
    alloy_process,
    grades_made,
    magnet_process,
    metal_process,
    mine_process,
    recycling_process,
)
from hubplan.data.frames import rows_of
from hubplan.errors import DataError, Fault
from hubplan.model.calendar import period_at, ramped, recovery_share
from hubplan.model.draft import Draft
from hubplan.model.instance import Floats

STOCKPILE = "stockpile"
MINE_LIFE_YEARS = 20.0
MINE_RAMP = (0.5, 0.8, 1.0)
NEW_MINE_YEARS = 6
"""Years from decision to first output of a mine that is neither committed nor permitted."""
_USABLE = frozenset({"operating", "commissioning", "construction", "advanced", "feasibility", "early"})


def add_facility(
    draft: Draft, existing: Floats, ramp: Sequence[float], *, capacity_t_yr: Floats | float, **row: Any
) -> int:
    """Add a facility with its capacity by period and its ramp by year since opening; returns its row."""
    draft.facilities.append(row)
    draft.existing.append(existing)
    draft.installed.append(np.where(existing > 0, capacity_t_yr, 0.0))
    draft.ramps.append(tuple(ramp))
    return len(draft.facilities) - 1


def add_mines(draft: Draft) -> None:
    """Mines with a known capacity, by year; those not committed may be opened whole."""
    tables, calendar = draft.tables, draft.calendar
    sites = tables.sites.set_index("site")
    rate = draft.scenario.horizon.discount_share
    for mine in rows_of(tables.mines.sort_values("mine")):
        if mine.mine in draft.access.barred_facilities or pd.isna(mine.capacity_reo_t_yr) or mine.status not in _USABLE:
            continue
        if mine.committed and not (pd.isna(mine.first_year) and mine.status != "operating"):
            start = -np.inf if pd.isna(mine.first_year) else mine.first_year
            ramp = (1.0,) if mine.status == "operating" else MINE_RAMP
            existing, first, largest, capex = (
                mine.capacity_reo_t_yr * ramped(calendar, start, ramp),
                len(calendar.first),
                0.0,
                0.0,
            )
        else:
            if pd.isna(mine.first_year) or pd.isna(mine.capex_usd):
                continue
            earliest = (
                mine.first_year
                if mine.status == "advanced"
                else max(mine.first_year, calendar.first[0] + NEW_MINE_YEARS)
            )
            first, largest, capex = period_at(calendar, earliest), float(mine.capacity_reo_t_yr), float(mine.capex_usd)
            existing = np.zeros(len(calendar.first))
        if not existing.any() and first >= len(calendar.first):
            continue
        n = add_facility(
            draft,
            existing,
            MINE_RAMP,
            capacity_t_yr=float(mine.capacity_reo_t_yr),
            facility=mine.mine,
            site=mine.mine,
            name=sites.at[mine.mine, "name"],
            stage="mine",
            country=sites.at[mine.mine, "country"],
            smallest_t_yr=largest,
            largest_t_yr=largest,
            capital_fixed_usd=0.0,
            capital_slope_usd_t_yr=capex / largest if largest else 0.0,
            annuity_share=recovery_share(rate, MINE_LIFE_YEARS),
            fixed_opex_share=0.0,
            first_period=first,
        )
        draft.add_process(n, mine_process(mine.mine, mine.product), float(mine.opex_usd_reo_t))


def sold_to_excluded(draft: Draft, mine: str) -> Floats:
    """Share of a mine's output sold ahead to excluded countries, by period: not available to the plan at all."""
    calendar, locks = draft.calendar, draft.tables.locks
    total = np.zeros(len(calendar.first))
    for lock in rows_of(locks[locks["mine"] == mine]):
        if lock.destination_country in draft.access.excluded:
            total += lock.share * calendar.mean(dict.fromkeys(range(int(lock.from_year), int(lock.to_year) + 1), 1.0))
    return np.minimum(total, 1.0)


def add_plants(draft: Draft) -> None:
    """Plants that run or are committed, and hubs that may be built."""
    tables, calendar = draft.tables, draft.calendar
    sites, stages = tables.sites.set_index("site"), tables.stages.set_index("stage")
    index = dict(zip(tables.countries["country"], tables.countries["capex_index"], strict=True))
    rate = draft.scenario.horizon.discount_share
    allow_new = draft.scenario.policy.max_hubs != 0
    for plant in rows_of(tables.facilities.sort_values("facility")):
        if plant.facility in draft.access.barred_facilities or plant.status == "cancelled":
            continue
        stage = stages.loc[plant.stage]
        ramp = tuple(float(share) for share in str(stage["ramp"]).split(";"))
        country = str(sites.at[plant.site, "country"])
        existing, first, largest = np.zeros(len(calendar.first)), len(calendar.first), 0.0
        if plant.committed:
            if pd.isna(plant.capacity_t_yr) or (pd.isna(plant.start_year) and plant.status != "operating"):
                continue
            start = -np.inf if pd.isna(plant.start_year) else plant.start_year
            last = np.inf if pd.isna(plant.end_year) else plant.end_year
            existing = plant.capacity_t_yr * ramped(calendar, start, ramp, last=last)
        elif allow_new:
            largest = float(stage["size_max_t_yr"])
            for limit in (plant.max_t_yr, plant.capacity_t_yr):
                largest = float(limit) if pd.notna(limit) else largest
                if pd.notna(limit):
                    break
            lead = stage["lead_years"] if pd.isna(plant.lead_years) else plant.lead_years
            announced = -np.inf if pd.isna(plant.start_year) else plant.start_year
            first = period_at(calendar, max(announced, calendar.first[0] + lead))
        if not existing.any() and first >= len(calendar.first):
            continue
        scale = float(index.get(country, 1.0))
        n = add_facility(
            draft,
            existing,
            ramp,
            capacity_t_yr=float(plant.capacity_t_yr),
            facility=plant.facility,
            site=plant.site,
            name=sites.at[plant.site, "name"],
            stage=plant.stage,
            country=country,
            smallest_t_yr=min(float(stage["size_min_t_yr"]), largest),
            largest_t_yr=largest,
            capital_fixed_usd=float(stage["capex_fixed_usd"]) * scale,
            capital_slope_usd_t_yr=float(stage["capex_usd_t_yr"]) * scale,
            annuity_share=recovery_share(rate, float(stage["life_years"])),
            fixed_opex_share=float(stage["fixed_opex_share"]),
            first_period=first,
        )
        _add_stage_processes(draft, n, plant.stage, float(stage["opex_usd_t"]), grades=grades_made(plant.grades))


def _add_stage_processes(draft: Draft, n: int, stage: str, opex_usd_t: float, *, grades: Sequence[str]) -> None:
    """Processes of stages whose inputs carry no mine; upstream ones come with their lanes."""
    made: list[Process] = []
    if stage == "metal":
        made = [metal_process(draft.chain, element) for element in MAGNET_ELEMENTS]
    elif stage == "alloy":
        made = [alloy_process(draft.chain, grade) for grade in grades]
    elif stage == "magnet":
        made = [magnet_process(draft.chain, grade) for grade in grades]
    elif stage == "recycling":
        made = [recycling_process(draft.chain, grade, swarf=swarf) for grade in GRADES for swarf in (True, False)]
    for process in made:
        draft.add_process(n, process, opex_usd_t * process.capacity_use)


def add_collections(draft: Draft) -> None:
    """End-of-life magnets at each market: a facility without input whose capacity is what can be collected."""
    sites, calendar = draft.tables.sites.set_index("site"), draft.calendar
    scrap = draft.tables.scrap
    for (market, grade), rows in scrap.groupby(["market", "grade"], sort=True):
        if market in draft.access.barred_sites:
            continue
        yearly = calendar.mean(dict(zip(rows["year"].astype(int), rows["scrap_t"].astype(float), strict=True)))
        if not yearly.any():
            continue
        n = add_facility(
            draft,
            yearly,
            (1.0,),
            capacity_t_yr=yearly,
            facility=f"{market}-collection-{grade}",
            site=market,
            name=str(sites.at[market, "name"]) + ": collection",
            stage="collection",
            country=sites.at[market, "country"],
            smallest_t_yr=0.0,
            largest_t_yr=0.0,
            capital_fixed_usd=0.0,
            capital_slope_usd_t_yr=0.0,
            annuity_share=0.0,
            fixed_opex_share=0.0,
            first_period=len(calendar.first),
        )
        draft.add_process(n, Process("collection", {}, {("scrap", str(grade)): 1.0}), 0.0)


def add_stockpiles(draft: Draft) -> None:
    """A place for stocks at each market of the countries asked for: it runs nothing and only keeps what it is sent."""
    scenario, tables = draft.scenario, draft.tables
    countries = countries_of(scenario.policy.stockpile.places, tables)
    markets = tables.sites[(tables.sites["kind"] == "market") & tables.sites["country"].isin(list(countries))]
    markets = markets[~markets["site"].isin(list(draft.access.barred_sites))]
    if countries and markets.empty:
        fault = Fault(
            "policy.stockpile.places",
            "no market that takes part lies in any of them, and stocks are kept at markets",
            "name a bloc or country with a market; `hubplan data show sites` lists them",
        )
        raise DataError([fault])
    for market in rows_of(markets.sort_values("site")):
        add_facility(
            draft,
            np.ones(len(draft.calendar.first)),  # it stands; with no process there is nothing to limit
            (1.0,),
            capacity_t_yr=1.0,
            facility=f"{market.site}-{STOCKPILE}",
            site=market.site,
            name=str(market.name),
            stage=STOCKPILE,
            country=market.country,
            smallest_t_yr=0.0,
            largest_t_yr=0.0,
            capital_fixed_usd=0.0,
            capital_slope_usd_t_yr=0.0,
            annuity_share=0.0,
            fixed_opex_share=0.0,
            first_period=len(draft.calendar.first),
        )
