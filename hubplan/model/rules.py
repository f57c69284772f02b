"""What the periods of an instance ask and forbid: demand, markets, reports, contracts, stocks, growth."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hubplan.data.chain import GRADES, MAGNET_ELEMENTS, STOCKED, Chain, alloy_process
from hubplan.data.frames import rows_of
from hubplan.errors import DataError, Fault
from hubplan.model.draft import Draft
from hubplan.model.facilities import sold_to_excluded
from hubplan.model.instance import Floats

MONTHS_YEAR = 12.0


def find_demand(draft: Draft) -> pd.DataFrame:
    """Demand by market, product, sector and period, in t over the period's years."""
    table, calendar, rules = draft.tables.demand, draft.calendar, draft.scenario.demand
    rows = table[(table["set"] == rules.set) & ~table["market"].isin(list(draft.access.barred_sites))]
    if rows.empty:
        fault = Fault(
            "coalition", f"no market of demand set {rules.set} takes part", "add a member that buys, or exclude fewer"
        )
        raise DataError([fault])
    found = []
    for t, block in enumerate(calendar.years):
        there = rows[rows["year"].isin(block)]
        missing = sorted(set(block) - set(there["year"]))
        if missing:
            fault = Fault(
                "horizon.years",
                f"demand set {rules.set} has no rows for {missing[0]}",
                "keep within the years of demand.csv",
            )
            raise DataError([fault])
        summed = there.groupby(["market", "product", "sector"], as_index=False, sort=True)["demand_t"].sum()
        found.append(summed.assign(period=t))
    demand = pd.concat(found, ignore_index=True)
    penalty = demand["sector"].map(lambda sector: rules.unmet_usd_t.get(sector, rules.unmet_usd_t["default"]))
    asked: pd.DataFrame = demand[demand["demand_t"] > 0].assign(unmet_usd_t=penalty).reset_index(drop=True)
    return asked


def find_byproducts(draft: Draft) -> pd.DataFrame:
    """What by-product markets take and pay, by period; price path of the shock where there is one."""
    calendar = draft.calendar
    path = draft.scenario.shock.price_path or "outside"
    prices = draft.tables.prices[draft.tables.prices["set"] == path]
    rows = []
    for commodity, limits in draft.tables.byproducts.groupby("commodity", sort=True):
        paid_there = prices[prices["commodity"] == commodity]
        price = dict(zip(paid_there["year"].astype(int), paid_there["price_usd_t"].astype(float), strict=True))
        limit = dict(zip(limits["year"].astype(int), limits["limit_t_yr"].astype(float), strict=True))
        if not price:
            continue
        for t, (amount, paid) in enumerate(
            zip(calendar.mean(limit) * calendar.block_years, calendar.mean(price), strict=True)
        ):
            rows.append({"commodity": commodity, "period": t, "limit_t": amount, "price_usd_t": paid})
    return pd.DataFrame(rows, columns=["commodity", "period", "limit_t", "price_usd_t"])


def find_growth(draft: Draft) -> pd.DataFrame:
    """Capacity that a stage's new hubs can have by each period: its yearly growth times the years since the horizon began."""
    firsts = draft.calendar.first
    rows = [
        {"stage": stage.stage, "period": t, "most_t_yr": float(stage.growth_t_yr) * (first - firsts[0] + 1)}
        for stage in rows_of(draft.tables.stages)
        for t, first in enumerate(firsts)
    ]
    return pd.DataFrame(rows, columns=["stage", "period", "most_t_yr"])


def find_keeping(draft: Draft) -> Floats:
    """What it costs a year to keep each facility that stands: the fixed operating share of what it would cost to build it."""
    return np.array(
        [
            row["fixed_opex_share"] * (row["capital_fixed_usd"] + row["capital_slope_usd_t_yr"] * stands.max())
            if stands.any()
            else 0.0
            for row, stands in zip(draft.facilities, draft.installed, strict=True)
        ],
        dtype=float,
    )


def find_available_share(draft: Draft) -> Floats:
    """Share of each period in which a facility is not lost, less what a mine has sold ahead to excluded countries."""
    available = np.ones((len(draft.facilities), len(draft.calendar.first)))
    for n, row in enumerate(draft.facilities):
        if row["stage"] == "mine":
            available[n] -= sold_to_excluded(draft, str(row["facility"]))
    lost = np.zeros_like(available)
    for loss in draft.scenario.shock.lost:
        gone = draft.calendar.mean(dict.fromkeys(range(loss.from_year, loss.to_year + 1), 1.0))
        for n, row in enumerate(draft.facilities):
            if loss.id in (row["facility"], row["site"]):
                lost[n] = np.maximum(lost[n], gone)
    return available * (1.0 - lost)


def find_reported(draft: Draft) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Reported activity of mines and output of plants, for one-year periods that lie in the past of the data."""
    calendar, outputs = draft.calendar, draft.tables.outputs
    usable = np.array(draft.existing) * find_available_share(draft)
    fixed, limits = [], []
    row_of = {str(row["facility"]): n for n, row in enumerate(draft.facilities)}
    process_of = {p["facility"]: m for m, p in enumerate(draft.processes) if p["process"] == "mine"}
    for row in rows_of(outputs):
        if row.kind == "country" or row.id not in row_of:
            continue
        for t, block in enumerate(calendar.years):
            if block != (row.year,):
                continue
            n = row_of[row.id]
            if row.kind == "mine" and row.commodity == "reo":
                amount = min(float(row.output_t), float(usable[n, t]))
                fixed.append({"process": process_of[n], "period": t, "output_t": amount})
            elif row.kind == "facility":
                limits.append({"facility": n, "commodity": row.commodity, "period": t, "output_t": float(row.output_t)})
    return (
        pd.DataFrame(fixed, columns=["process", "period", "output_t"]),
        pd.DataFrame(limits, columns=["facility", "commodity", "period", "output_t"]),
    )


def find_locks(draft: Draft) -> pd.DataFrame:
    """Offtake locks on countries that take part, by period.

    Where a country has no plant that can take it, what is sold ahead to it goes nowhere: the lock holds all the same.
    """
    calendar = draft.calendar
    here = {str(row["facility"]) for row in draft.facilities}
    rows = []
    for lock in rows_of(draft.tables.locks):
        if lock.mine not in here or lock.destination_country in draft.access.excluded:
            continue
        shares = lock.share * calendar.mean(dict.fromkeys(range(int(lock.from_year), int(lock.to_year) + 1), 1.0))
        rows += [
            {"mine": lock.mine, "country": lock.destination_country, "period": t, "share": s}
            for t, s in enumerate(shares)
            if s > 0
        ]
    return pd.DataFrame(rows, columns=["mine", "country", "period", "share"])


def element_need_t_t(chain: Chain, element: str, grade: str) -> float:
    """Oxide of an element needed for a tonne of finished magnet of a grade, swarf not returned."""
    metal = alloy_process(chain, grade).takes.get((f"{element}-metal", ""), 0.0)
    alloy = 1.0 / chain.yield_t_t("magnet", "", f"alloy-{grade}", f"magnet-{grade}")
    return metal * alloy / chain.yield_t_t("metal", "", f"{element}-oxide", f"{element}-metal")


def find_yearly_needs(draft: Draft, demand: pd.DataFrame) -> pd.DataFrame:
    """Separated oxide that a year's demand asks for: magnets through their grades and yields, oxides as they are."""
    asked = demand.groupby(["product", "period"])["demand_t"].sum()
    rows = []
    for commodity in STOCKED:
        element = commodity.removesuffix("-oxide")
        for t, years in enumerate(draft.calendar.block_years):
            need = float(asked.get((commodity, t), 0.0))
            if element in MAGNET_ELEMENTS:
                need += sum(
                    float(asked.get((f"magnet-{g}", t), 0.0)) * element_need_t_t(draft.chain, element, g)
                    for g in GRADES
                )
            rows.append({"commodity": commodity, "period": t, "yearly_t": need / years})
    return pd.DataFrame(rows, columns=["commodity", "period", "yearly_t"])


def find_open_lanes(draft: Draft, lanes: pd.DataFrame) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Lanes that no export ban forbids; a ban that touches part of a block forbids the block.

    A ban of less than a year's months leaves them open: it ends purchases only, in proportion.
    """
    country = dict(zip(draft.tables.sites["site"], draft.tables.sites["country"], strict=True))
    allowed = np.ones((len(lanes), len(draft.calendar.first)), dtype=bool)
    abroad = lanes["origin"].map(country).ne(lanes["destination"].map(country)).to_numpy(dtype=bool)
    for ban in draft.scenario.shock.export_ban:
        if ban.months < MONTHS_YEAR:
            continue
        hit = abroad & (
            lanes["origin"].map(country).eq(ban.country) & lanes["commodity"].isin(ban.commodities)
        ).to_numpy(dtype=bool)
        last = ban.to_year if ban.to_year is not None else np.inf
        for t, block in enumerate(draft.calendar.years):
            if any(ban.from_year <= year <= last for year in block):
                allowed[hit, t] = False
    return allowed


def find_must_open(draft: Draft, row_of: dict[str, int]) -> list[int]:
    """Rows of the facilities that have to be open at the end; a DataError names those that cannot be."""
    faults, rows = [], []
    for name in draft.scenario.policy.must_open:
        if name not in row_of or draft.facilities[row_of[name]]["first_period"] == len(draft.calendar.first):
            why = draft.access.barred_facilities.get(
                name, "its lead time ends after the horizon, or it has no capacity figure"
            )
            why = "policy.max_hubs is 0" if draft.scenario.policy.max_hubs == 0 else why
            faults.append(
                Fault("policy.must_open", f"'{name}' cannot be built: {why}", "remove it, or mend what bars it")
            )
        else:
            rows.append(row_of[name])
    if faults:
        raise DataError(faults)
    return rows
