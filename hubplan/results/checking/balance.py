"""Does mass add up? Every commodity at every facility, every stock, every market."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import pandas as pd

from hubplan.errors import Fault
from hubplan.results.checking.reading import Reading, at_most, breaks, differs, near, rows
from hubplan.results.checking.recipes import Recipes
from hubplan.results.checking.works import Works

STOCKED = frozenset({"ndpr-oxide", "dy-oxide", "tb-oxide", "sm-oxide", "gd-oxide", "y-oxide"})
LOOSE = frozenset({"lace-oxide", "other-oxide", "sm-oxide", "gd-oxide", "y-oxide", "heavy-concentrate", "scrap"})
"""Commodities that may be left over anywhere; swarf as well."""

Key = tuple[str, str, str, int]
"""facility, commodity, tag, period."""


def find_balance_faults(reading: Reading, works: Mapping[str, Works], recipes: Recipes) -> list[Fault]:
    """Families (4), (5) and (6) of docs/model.md."""
    return [
        *_negative(reading),
        *_facilities(reading, works, recipes),
        *_stocks(reading),
        *_surplus(reading),
        *_demand(reading),
        *_markets(reading),
        *_byproducts(reading),
    ]


def _negative(reading: Reading) -> list[Fault]:
    columns = {
        "flows": ("flow_t", "freight_usd", "transit_usd", "surcharge_usd"),
        "surplus": ("held_t", "sold_t"),
        "stocks": ("opening_t", "added_t", "drawn_t", "closing_t"),
        "demand": ("served_t", "unmet_t"),
        "violations": ("amount", "penalty_usd"),
    }
    return [
        breaks(reading.where(table, row, column), f"{value:,.9g} is below 0")
        for table, names in columns.items()
        for column in names
        for row, value in reading.plan.table(table)[column].items()
        if not at_most(0.0, float(value))
    ]


def _facilities(reading: Reading, works: Mapping[str, Works], recipes: Recipes) -> list[Fault]:
    """Made + arrived = used + sent + held + sold + put in stock; stocks are kept by site."""
    rest: defaultdict[Key, float] = defaultdict(float)
    size: defaultdict[Key, float] = defaultdict(float)

    def add(key: Key, amount_t: float) -> None:
        rest[key] += amount_t
        size[key] += abs(amount_t)

    for row in rows(reading.plan.processes):
        run = recipes.run(works[str(row.facility)], str(row.process))
        for sign, goods in ((1.0, run.makes), (-1.0, run.takes)):
            for (commodity, tag), share in goods.items():
                add((str(row.facility), commodity, tag, int(row.period)), sign * share * float(row.input_t))
    for flow in rows(reading.plan.flows):
        commodity, tag, period = str(flow.commodity), str(flow.mine), int(flow.period)
        add((str(flow.origin_facility), commodity, tag, period), -float(flow.flow_t))
        if flow.destination_facility in works:
            add((str(flow.destination_facility), commodity, tag, period), float(flow.flow_t))
    for left in rows(reading.plan.surplus):
        key = str(left.facility), str(left.commodity), str(left.mine), int(left.period)
        add(key, -float(left.held_t) - float(left.sold_t))
    return _unbalanced(reading, works, rest, size)


def _unbalanced(
    reading: Reading, works: Mapping[str, Works], rest: Mapping[Key, float], size: Mapping[Key, float]
) -> list[Fault]:
    change: defaultdict[tuple[str, str, int], float] = defaultdict(float)
    for stock in rows(reading.plan.stocks):
        spot = str(stock.site), str(stock.commodity), int(stock.period)
        change[spot] += float(stock.closing_t) - float(stock.opening_t)
    faults: list[Fault] = []
    pooled: defaultdict[tuple[str, str, int], float] = defaultdict(float)
    scale: defaultdict[tuple[str, str, int], float] = defaultdict(float)
    for key in sorted(rest):
        facility, commodity, tag, period = key
        if facility not in works:
            faults.append(breaks(f"flows.csv, {facility}", "sends or takes, and is in no table"))
        elif commodity in STOCKED and not tag:
            pooled[works[facility].site, commodity, period] += rest[key]
            scale[works[facility].site, commodity, period] += size[key]
        elif not near(size[key] + rest[key], size[key]):
            name = f"{commodity}@{tag}" if tag else commodity
            where = f"processes.csv, flows.csv, surplus.csv: {name} at {facility}, {period}"
            found = f"{rest[key]:+,.9g} t are left of {size[key] / 2:,.9g} t"
            faults.append(breaks(where, f"{found}: made + arrived is not used + sent + held + sold"))
    for spot in sorted({*pooled, *change}):
        if not near(scale[spot] + pooled[spot], scale[spot] + change[spot]):
            site, commodity, period = spot
            where = f"processes.csv, flows.csv, stocks.csv: {commodity} at {site}, {period}"
            why = f"{pooled[spot]:+,.9g} t are left over, stocks change by {change[spot]:+,.9g} t"
            faults.append(breaks(where, why))
    return faults


def _stocks(reading: Reading) -> list[Fault]:
    """Closing of one period opens the next; the first opens empty; opening + added = drawn + closing."""
    faults = []
    order = list(reading.blocks)
    closing = {(r.site, r.commodity, r.period): float(r.closing_t) for r in rows(reading.plan.stocks)}
    for row in rows(reading.plan.stocks):
        if row.commodity not in STOCKED:
            faults.append(breaks(reading.where("stocks", row.Index), f"{row.commodity} is not kept in stock"))
        if row.period not in reading.blocks:
            faults.append(breaks(reading.where("stocks", row.Index), f"{row.period} is no period of the scenario"))
            continue
        place = order.index(int(row.period))
        before = closing.get((row.site, row.commodity, order[place - 1]), 0.0) if place else 0.0
        if not near(float(row.opening_t), before):
            where = reading.where("stocks", row.Index, "opening_t")
            faults.append(differs(where, float(row.opening_t), before, "what the period before closed with"))
        end = float(row.opening_t) + float(row.added_t) - float(row.drawn_t)
        if not near(float(row.closing_t), end):
            where = reading.where("stocks", row.Index, "closing_t")
            faults.append(differs(where, float(row.closing_t), end, "opening + added - drawn"))
    kept = {(r.site, r.commodity, r.period) for r in rows(reading.plan.stocks)}
    for site, commodity, period in sorted(kept):
        after = order[order.index(period) + 1 :][:1] if period in order else []
        if after and closing[site, commodity, period] > 1e-3 and (site, commodity, after[0]) not in kept:
            found = f"{commodity} at {site} is not carried on from {period} to {after[0]}"
            faults.append(breaks("stocks.csv", found))
    return faults


def _surplus(reading: Reading) -> list[Fault]:
    """Only what may be left over is held; a mine may hold what it had to mine in a year already reported."""
    outputs = reading.tables.outputs
    mined = {(r.id, int(r.year)) for r in rows(outputs[(outputs["kind"] == "mine")])}
    faults = []
    for row in rows(reading.plan.surplus):
        block = reading.blocks.get(int(row.period), ())
        loose = row.commodity in LOOSE or str(row.commodity).startswith("swarf-")
        reported = len(block) == 1 and (row.facility, block[0]) in mined
        if row.held_t > 1e-3 and not loose and not reported:
            where = reading.where("surplus", row.Index, "held_t")
            faults.append(breaks(where, f"{row.commodity} may not be left over"))
    return faults


def _demand(reading: Reading) -> list[Fault]:
    """Every row of the demand set in the block, of members, and nothing else."""
    table, rules = reading.tables.demand, reading.plan.scenario.demand
    wanted: defaultdict[tuple[str, str, str, int], float] = defaultdict(float)
    asked_here = table[(table["set"] == rules.set) & ~table["market"].isin(list(reading.access.barred_sites))]
    period_of = {year: period for period, block in reading.blocks.items() for year in block}
    for row in rows(asked_here):
        if row.year in period_of:
            wanted[row.market, row.product, row.sector, period_of[row.year]] += float(row.demand_t)
    faults = []
    for row in rows(reading.plan.demand):
        asked = wanted.pop((row.market, row.product, row.sector, row.period), 0.0)
        if not near(float(row.demand_t), asked):
            where = reading.where("demand", row.Index, "demand_t")
            faults.append(differs(where, float(row.demand_t), asked, "demand.csv of geodata, years of the period"))
        if not near(float(row.served_t) + float(row.unmet_t), float(row.demand_t)):
            where = reading.where("demand", row.Index, "served_t")
            faults.append(differs(where, row.served_t, row.demand_t - row.unmet_t, "demand - unmet"))
    for key, amount in sorted(wanted.items()):
        if amount > 1e-3:
            faults.append(breaks("demand.csv", f"no row for {', '.join(map(str, key))}: {amount:,.9g} t"))
    return faults


def _markets(reading: Reading) -> list[Fault]:
    """What arrives at a market is what is served there."""
    served: defaultdict[tuple[str, str, int], float] = defaultdict(float)
    arrived: defaultdict[tuple[str, str, int], float] = defaultdict(float)
    for row in rows(reading.plan.demand):
        served[str(row.market), str(row.product), int(row.period)] += float(row.served_t)
    for flow in rows(reading.plan.flows):
        if flow.destination_facility == flow.destination:
            arrived[str(flow.destination), str(flow.commodity), int(flow.period)] += float(flow.flow_t)
    faults = []
    for key in sorted({*served, *arrived}):
        # a mine's facility is its site as well; what goes there is the balance's business
        if not near(arrived[key], served[key]):
            where = f"flows.csv, demand.csv: {key[1]} at {key[0]}, {key[2]}"
            faults.append(differs(where, arrived[key], served[key], "what arrives is what is served"))
    return faults


def _byproducts(reading: Reading) -> list[Fault]:
    """By-products are sold at the price of the period, up to what their market takes."""
    path = reading.plan.scenario.shock.price_path or "outside"
    faults = []
    sold: defaultdict[tuple[str, int], float] = defaultdict(float)
    for row in rows(reading.plan.surplus):
        price = period_mean(reading, "prices", "price_usd_t", str(row.commodity), int(row.period), path)
        sold[str(row.commodity), int(row.period)] += float(row.sold_t)
        if not near(float(row.revenue_usd), float(row.sold_t) * price, absolute=1.0):
            where = reading.where("surplus", row.Index, "revenue_usd")
            faults.append(differs(where, float(row.revenue_usd), float(row.sold_t) * price, "sold x price"))
    for (commodity, period), amount in sorted(sold.items()):
        limit = period_mean(reading, "byproducts", "limit_t_yr", commodity, period) * reading.years(period)
        if not at_most(amount, limit):
            found = f"{amount:,.9g} t sold, the market takes {limit:,.9g}"
            faults.append(breaks(f"surplus.csv: {commodity}, {period}", found))
    return faults


def period_mean(reading: Reading, table: str, column: str, commodity: str, period: int, path: str = "") -> float:
    """Mean over the years of a period of a yearly figure of a commodity; a year without a row counts as 0."""
    frame: pd.DataFrame = getattr(reading.tables, table)
    frame = frame[frame["commodity"] == commodity]
    frame = frame[frame["set"] == path] if path else frame
    by_year = dict(zip(frame["year"].astype(int), frame[column].astype(float), strict=True))
    return sum(by_year.get(year, 0.0) for year in reading.blocks[period]) / reading.years(period)
