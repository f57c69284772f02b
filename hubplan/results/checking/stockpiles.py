"""Stocks: as many days as were asked for, where they were asked for, and let go when that is allowed."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import pairwise

import pandas as pd

from hubplan.errors import Fault
from hubplan.results.checking.balance import STOCKED
from hubplan.results.checking.reading import Reading, at_most, breaks, differs, near, rows
from hubplan.results.checking.recipes import Recipes

GRADES = ("standard", "high", "defence", "smco")
MAGNET_ELEMENTS = ("ndpr", "dy", "tb", "sm")

Short = dict[tuple[str, str, int], float]
"""Rule, id and period to by how many t it is broken; nothing or less if it is kept."""


def find_stock_faults(reading: Reading, recipes: Recipes) -> list[Fault]:
    """Days of cover as stocks and needs have them, and no stock that falls when it may not."""
    return [*_cover(reading, recipes), *_release(reading)]


def stockpiles_short(reading: Reading, recipes: Recipes) -> Short:
    """By how much each rule about stocks is broken."""
    return {**_all_days(reading, recipes), **_ally_days(reading, recipes), **_shares(reading)}


def yearly_need_t(
    reading: Reading, recipes: Recipes, commodity: str, period: int, *, demand: pd.DataFrame | None = None
) -> float:
    """Separated oxide that the demand of a period asks for in a year: as it is, and in magnets by grade and yield."""
    element = commodity.removesuffix("-oxide")
    table = reading.plan.demand if demand is None else demand
    asked = table[table["period"] == period].groupby("product")["demand_t"].sum()
    need = float(asked.get(commodity, 0.0))
    if element in MAGNET_ELEMENTS:
        for grade in GRADES:
            made = recipes.gain("magnet", f"alloy-{grade}", f"magnet-{grade}")
            alloy = float(asked.get(f"magnet-{grade}", 0.0)) / made
            share = recipes.metals.get(grade, {}).get(element, 0.0)
            if share > 0:
                metal = alloy * share / recipes.gain("alloy", f"{element}-metal", f"alloy-{grade}")
                need += metal / recipes.gain("metal", commodity, f"{element}-metal")
    return need / reading.years(period)


def _oxide(name: str) -> str:
    return name if name.endswith("-oxide") else f"{name}-oxide"


def _held(reading: Reading) -> dict[tuple[str, str, int], float]:
    """Closing stock by commodity, country of its site, and period."""
    held: defaultdict[tuple[str, str, int], float] = defaultdict(float)
    for row in rows(reading.plan.stocks):
        held[str(row.commodity), reading.country.get(str(row.site), ""), int(row.period)] += float(row.closing_t)
    return dict(held)


def _all_days(reading: Reading, recipes: Recipes) -> Short:
    stocks = reading.plan.stocks.groupby(["commodity", "period"])["closing_t"].sum().to_dict()
    short = {}
    for name, days in reading.plan.scenario.policy.stockpile_days.items():
        commodity = _oxide(name)
        for period in reading.blocks:
            need = yearly_need_t(reading, recipes, commodity, period) * days / 365
            short["stockpile_days", commodity, period] = need - float(stocks.get((commodity, period), 0.0))
    return short


def _ally_days(reading: Reading, recipes: Recipes) -> Short:
    """Each ally's own need, and what lies in its own country."""
    held, demand = _held(reading), reading.plan.demand
    short = {}
    for country, days in reading.plan.scenario.policy.stockpile.ally_days.items():
        own = demand[demand["market"].map(reading.country) == country]
        for name, count in days.items():
            commodity = _oxide(name)
            for period in reading.blocks:
                need = yearly_need_t(reading, recipes, commodity, period, demand=own) * count / 365
                here = held.get((commodity, country, period), 0.0)
                short["ally_days", f"{country}/{commodity}", period] = need - here
    return short


def _shares(reading: Reading) -> Short:
    """No country holds more than its share of an element's stock."""
    share = reading.plan.scenario.policy.stockpile.max_country_share
    if share is None:
        return {}
    held = _held(reading)
    total: defaultdict[tuple[str, int], float] = defaultdict(float)
    for (commodity, _, period), amount in held.items():
        total[commodity, period] += amount
    return {
        ("stock_share", f"{commodity}/{country}", period): amount - share * total[commodity, period]
        for (commodity, country, period), amount in held.items()
    }


def _release(reading: Reading) -> list[Fault]:
    """Stocks kept for shocks fall only in periods that a loss or an export ban touches."""
    scenario = reading.plan.scenario
    if scenario.policy.stockpile.release != "shock":
        return []
    spans = [(loss.from_year, float(loss.to_year)) for loss in scenario.shock.lost]
    spans += [(b.from_year, math.inf if b.to_year is None else float(b.to_year)) for b in scenario.shock.export_ban]
    stocks = reading.plan.stocks.groupby(["commodity", "period"])["closing_t"].sum().to_dict()
    periods, faults = list(reading.blocks), []
    for commodity in sorted(STOCKED):
        for before, period in pairwise(periods):
            shaken = any(first <= year <= last for first, last in spans for year in reading.blocks[period])
            was, left = (float(stocks.get((commodity, at), 0.0)) for at in (before, period))
            if not shaken and not at_most(was, left, absolute=0.01):
                found = f"falls from {was:,.9g} t to {left:,.9g} t, with neither loss nor ban"
                faults.append(breaks(f"stocks.csv: {commodity}, {period}", found))
    return faults


def _cover(reading: Reading, recipes: Recipes) -> list[Fault]:
    faults = []
    for row in rows(reading.plan.stocks):
        if row.period not in reading.blocks:
            continue
        need = yearly_need_t(reading, recipes, str(row.commodity), int(row.period))
        days = float(row.closing_t) / need * 365 if need > 0 else math.nan
        if not near(float(row.days_of_cover), days, absolute=1e-3):
            where = reading.where("stocks", row.Index, "days_of_cover")
            faults.append(differs(where, float(row.days_of_cover), days, "closing / yearly need x 365"))
    return faults
