"""Rules of content checked: what is served of the products named is traced back, plant by plant, to mines outside the countries.

qualified.csv says which part of the runs and flows is qualified. It is believed for nothing: every row has to lie within a row of
the plan, every qualified run in a plant outside the countries, and all it takes has to be qualified itself.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping

from hubplan.data.access import countries_of
from hubplan.errors import Fault
from hubplan.results.checking.reading import Reading, at_most, breaks, rows
from hubplan.results.checking.recipes import Recipes
from hubplan.results.checking.works import Works

PURCHASE = "purchase"
"""Stage of what is bought: nobody says what is in it."""
_SLACK_T = 0.1
"""Rows below 0.1 kg are left out of the tables; a balance may miss a thousand of them."""

Key = tuple[str, str, str]
"""place, commodity, mine."""


def find_legal_faults(reading: Reading, works: Mapping[str, Works], recipes: Recipes) -> list[Fault]:
    """Dated rules of content, docs/model.md."""
    table, rules = reading.plan.qualified, reading.plan.scenario.policy.legal
    if not rules:
        return [breaks("qualified.csv", "has rows, and the scenario no rule of content")] if len(table) else []
    countries = frozenset[str]().union(*(countries_of(rule.countries, reading.tables) for rule in rules))
    faults = [*_within_plan(reading), *_made_elsewhere(reading, works, countries)]
    return faults or [*_traced(reading, works, recipes), *_served(reading, countries)]


def _within_plan(reading: Reading) -> list[Fault]:
    """No row has more than the plan itself."""
    runs: defaultdict[tuple[object, ...], float] = defaultdict(float)
    flows: defaultdict[tuple[object, ...], float] = defaultdict(float)
    for run in rows(reading.plan.processes):
        runs[run.period, run.process, run.facility] += float(run.input_t)
    for flow in rows(reading.plan.flows):
        flows[flow.period, flow.commodity, flow.mine, flow.origin_facility, flow.destination_facility] += float(
            flow.flow_t
        )
    faults = []
    for row in rows(reading.plan.qualified):
        if row.kind == "run":
            most = runs.get((row.period, row.id, row.origin_facility), 0.0)
        else:
            most = flows.get((row.period, row.id, row.mine, row.origin_facility, row.destination_facility), 0.0)
        if row.kind not in ("run", "flow") or not row.amount_t >= 0 or not at_most(float(row.amount_t), most):
            where = reading.where("qualified", row.Index, "amount_t")
            faults.append(breaks(where, f"{row.amount_t:,.9g} t, the plan has {most:,.9g}"))
    return faults


def _made_elsewhere(reading: Reading, works: Mapping[str, Works], countries: frozenset[str]) -> list[Fault]:
    """Nothing qualified is mined or made in the countries named, nor bought."""
    faults = []
    for row in rows(reading.plan.qualified):
        work = works.get(str(row.origin_facility)) if row.kind == "run" else None
        if work is None:
            continue
        if work.country in countries or work.stage == PURCHASE:
            found = f"{work.facility} in {work.country} makes nothing that is qualified"
            faults.append(breaks(reading.where("qualified", row.Index), found))
    return faults


def _traced(reading: Reading, works: Mapping[str, Works], recipes: Recipes) -> list[Fault]:
    """At each place what is qualified and used or sent was made or arrived qualified, or was left in stock before."""
    stock = {(s.site, s.commodity, s.period): float(s.closing_t) for s in rows(reading.plan.stocks)}
    stocked = set(reading.plan.stocks["commodity"])
    left: dict[Key, float] = {}
    faults = []
    for period in reading.blocks:
        net, size = _net(reading, works, recipes, period, stocked)
        for key in sorted({*net, *left}):
            now = left.get(key, 0.0) + net[key]
            if not at_most(size[key] - now, size[key], absolute=_SLACK_T):
                where = f"qualified.csv: {key[1]} at {key[0]}, {period}"
                faults.append(breaks(where, f"{-now:,.9g} t more are used and sent than made and arrived"))
            left[key] = max(0.0, min(now, stock.get((key[0], key[1], period), 0.0)))
    return faults


def _net(
    reading: Reading, works: Mapping[str, Works], recipes: Recipes, period: int, stocked: set[str]
) -> tuple[defaultdict[Key, float], defaultdict[Key, float]]:
    """Made and arrived less used and sent, and the sum of all four; what may be stocked is counted by site."""
    net: defaultdict[Key, float] = defaultdict(float)
    size: defaultdict[Key, float] = defaultdict(float)

    def add(place: str, commodity: str, mine: str, amount_t: float) -> None:
        key = (works[place].site if commodity in stocked and not mine else place), commodity, mine
        net[key] += amount_t
        size[key] += abs(amount_t)

    table = reading.plan.qualified
    for row in rows(table[table["period"] == period]):
        origin, amount = str(row.origin_facility), float(row.amount_t)
        if row.kind == "run":
            run = recipes.run(works[origin], str(row.id))
            for sign, goods in ((1.0, run.makes), (-1.0, run.takes)):
                for (commodity, mine), share in goods.items():
                    add(origin, commodity, mine, sign * share * amount)
        else:
            add(origin, str(row.id), str(row.mine), -amount)
            if row.destination_facility in works:
                add(str(row.destination_facility), str(row.id), str(row.mine), amount)
    return net, size


def _served(reading: Reading, countries: frozenset[str]) -> list[Fault]:
    """Markets outside the countries named get only what is qualified of the products named, from the first year of a rule."""
    arrived: defaultdict[tuple[str, str, int], float] = defaultdict(float)
    table = reading.plan.qualified
    for row in rows(table[table["kind"] == "flow"]):
        arrived[str(row.destination_facility), str(row.id), int(row.period)] += float(row.amount_t)
    served: defaultdict[tuple[str, str, int], float] = defaultdict(float)
    for row in rows(reading.plan.demand):
        if reading.country.get(str(row.market), "") not in countries and _bound(
            reading, str(row.product), int(row.period)
        ):
            served[str(row.market), str(row.product), int(row.period)] += float(row.served_t)
    return [
        breaks(
            f"demand.csv: {product} at {market}, {period}",
            f"{amount:,.9g} t are served, {arrived[market, product, period]:,.9g} t of them qualified",
        )
        for (market, product, period), amount in sorted(served.items())
        if not at_most(amount, arrived[market, product, period], absolute=_SLACK_T)
    ]


def _bound(reading: Reading, product: str, period: int) -> bool:
    """Whether a rule binds a product in any year of a period."""
    return any(
        product in rule.products
        and any(
            rule.from_year <= year <= (math.inf if rule.to_year is None else rule.to_year)
            for year in reading.blocks[period]
        )
        for rule in reading.plan.scenario.policy.legal
    )
