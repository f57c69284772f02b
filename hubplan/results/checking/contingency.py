"""N-1 checked: with each loss, does the year in contingencies.csv run on the plan's own capacity, and is what is short told?

A second plan need not be found here: the run folder says how each loss is borne, and that is held against the tables.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hubplan.errors import Fault
from hubplan.results.checking.capacity import built_by, usable_t_yr
from hubplan.results.checking.reading import ON_SITE, Reading, at_most, breaks, near, rows
from hubplan.results.checking.recipes import Recipes, UnknownProcessError
from hubplan.results.checking.works import Works

RULE = "n_1"
_SLACK_T = 0.1
"""Rows below 0.1 kg are left out of the table; a balance may miss a thousand of them."""

Key = tuple[str, str, str]
"""place, commodity, tag."""


@dataclass(frozen=True)
class _Case:
    """One loss, and its rows of the table by kind."""

    loss: str
    period: int
    found: pd.DataFrame

    def of(self, kind: str) -> Any:
        return rows(self.found[self.found["kind"] == kind])


def find_contingency_faults(reading: Reading, works: Mapping[str, Works], recipes: Recipes) -> list[Fault]:
    """N-1 of docs/model.md: losses asked for and no others; capacity, balance, ways and what is served with each."""
    table = reading.plan.contingencies
    asked = _losses(reading)
    faults = [
        breaks(reading.where("contingencies", row.Index), "is no loss and kind of row that the scenario asks for")
        for row in rows(table)
        if row.loss not in asked or row.kind not in ("run", "flow", "short")
    ]
    faults += [
        breaks(reading.where("contingencies", row.Index, "amount_t"), f"{row.amount_t:,.9g} is below 0")
        for row in rows(table)
        if not at_most(0.0, float(row.amount_t))
    ]
    period = n_1_period(reading)
    if faults or period is None:
        return faults
    passed = _passed(reading)
    for loss in asked:
        case = _Case(loss, period, table[table["loss"] == loss])
        unknown = _unknown(reading, works, recipes, case)
        faults += unknown
        if unknown:
            continue  # nothing can be worked out for what the tables do not know
        faults += [*_lost(reading, works, case, passed), *_capacity(reading, works, recipes, case)]
        faults += [*_balance(reading, works, recipes, case), *_served(reading, works, case)]
    return faults


def n_1_period(reading: Reading) -> int | None:
    """First year of the period that the rule is about."""
    rule = reading.plan.scenario.policy.n_1
    found = [] if rule is None else [first for first, block in reading.blocks.items() if rule.year in block]
    return found[0] if found else None


def n_1_short(reading: Reading) -> dict[tuple[str, str, int], float]:
    """What violations.csv has to say of the rule: tonnes short by loss and product."""
    table, period = reading.plan.contingencies, n_1_period(reading)
    if period is None:
        return {}
    return {(RULE, f"{r.loss}/{r.id}", period): float(r.amount_t) for r in rows(table[table["kind"] == "short"])}


def _losses(reading: Reading) -> tuple[str, ...]:
    rule = reading.plan.scenario.policy.n_1
    return () if rule is None else tuple(dict.fromkeys(rule.losses))


def _site(works: Mapping[str, Works], place: str) -> str:
    """Site of a facility; a market is its own."""
    return works[place].site if place in works else place


def _passed(reading: Reading) -> Mapping[str, set[str]]:
    """Route to what its legs pass, run through or call at."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for leg in rows(reading.plan.legs):
        for cell in (leg.chokepoints, leg.countries, leg.ports):
            found[str(leg.route)] |= set(str(cell).split(";"))
    return found


def _unknown(reading: Reading, works: Mapping[str, Works], recipes: Recipes, case: _Case) -> list[Fault]:
    markets = set(reading.plan.demand["market"])
    faults = []
    for row in case.of("run"):
        where = reading.where("contingencies", row.Index)
        if row.origin_facility not in works:
            faults.append(breaks(where, f"{row.origin_facility} is in no table"))
            continue
        try:
            recipes.run(works[str(row.origin_facility)], str(row.id))
        except UnknownProcessError as error:
            faults.append(breaks(where, str(error)))
    for row in case.of("flow"):
        for place in (row.origin_facility, row.destination_facility):
            if place not in works and place not in markets:
                faults.append(breaks(reading.where("contingencies", row.Index), f"{place} is no facility or market"))
    return faults


def _lost(reading: Reading, works: Mapping[str, Works], case: _Case, passed: Mapping[str, set[str]]) -> list[Fault]:
    """Nothing runs or moves where something is lost or kept out, and every way is one of legs.csv."""
    faults = []

    def gone(place: str) -> bool:
        site = _site(works, place)
        return case.loss in (place, site, reading.country.get(site, ""))

    for row in [*case.of("run"), *case.of("flow")]:
        where = reading.where("contingencies", row.Index)
        ends = [place for place in (str(row.origin_facility), str(row.destination_facility)) if place]
        for place in ends:
            if gone(place):
                faults.append(breaks(where, f"{place} is lost with {case.loss}"))
            site = _site(works, place)
            why = reading.access.barred_facilities.get(place) or reading.access.barred_sites.get(site)
            if why:
                faults.append(breaks(where, f"{place}: {why}"))
        if row.kind == "flow":
            faults += _way(reading, [_site(works, place) for place in ends], row, case, passed)
    return faults


def _way(reading: Reading, sites: list[str], row: Any, case: _Case, passed: Mapping[str, set[str]]) -> list[Fault]:
    where = reading.where("contingencies", row.Index, "route")
    if (sites[0] == sites[1]) != (row.route == ON_SITE):
        return [breaks(where, f"'{row.route}' from {sites[0]} to {sites[1]}")]
    if row.route == ON_SITE:
        return []
    if row.route not in passed:
        return [breaks(where, f"{row.route} has no legs in legs.csv")]
    legs = reading.plan.legs[reading.plan.legs["route"] == row.route]
    ends = [legs["from"].iloc[0], legs["to"].iloc[-1]]
    if ends != sites:
        return [breaks(where, f"leads from {ends[0]} to {ends[1]}, and should from {sites[0]} to {sites[1]}")]
    if case.loss in passed[str(row.route)]:
        return [breaks(where, f"passes {case.loss}, which is lost")]
    for ban in reading.plan.scenario.shock.export_ban:
        last = math.inf if ban.to_year is None else ban.to_year
        acts = any(ban.from_year <= year <= last for year in reading.blocks[case.period])
        origin, destination = (reading.country.get(site, "") for site in sites)
        if acts and origin == ban.country != destination and row.id in ban.commodities:
            return [breaks(where, f"{ban.country} lets no {row.id} out")]
    return []


def _capacity(reading: Reading, works: Mapping[str, Works], recipes: Recipes, case: _Case) -> list[Fault]:
    """Each facility runs within what the plan has built, the mean of the period for a year."""
    used: defaultdict[str, float] = defaultdict(float)
    for row in case.of("run"):
        work = works[str(row.origin_facility)]
        used[work.facility] += float(row.amount_t) * recipes.run(work, str(row.id)).use
    built = built_by(reading)
    faults = []
    for facility, amount in sorted(used.items()):
        most = usable_t_yr(reading, works[facility], built.get(facility, {}), case.period)
        if not at_most(amount, most, absolute=_SLACK_T):
            found = f"{amount:,.9g} t/yr run, {most:,.9g} can"
            faults.append(breaks(f"contingencies.csv: {facility} with {case.loss} lost", found))
    return faults


def _balance(reading: Reading, works: Mapping[str, Works], recipes: Recipes, case: _Case) -> list[Fault]:
    """What is used and sent was made, arrived, or was in stock at the site when the period before ended."""
    rest: defaultdict[Key, float] = defaultdict(float)
    size: defaultdict[Key, float] = defaultdict(float)
    stocked = set(reading.plan.stocks["commodity"])

    def add(place: str, commodity: str, tag: str, amount_t: float) -> None:
        key = (_site(works, place) if commodity in stocked and not tag else place), commodity, tag
        rest[key] += amount_t
        size[key] += abs(amount_t)

    for row in case.of("run"):
        run, amount = recipes.run(works[str(row.origin_facility)], str(row.id)), float(row.amount_t)
        for sign, goods in ((1.0, run.makes), (-1.0, run.takes)):
            for (commodity, tag), share in goods.items():
                add(str(row.origin_facility), commodity, tag, sign * share * amount)
    for row in case.of("flow"):
        add(str(row.origin_facility), str(row.id), str(row.mine), -float(row.amount_t))
        if row.destination_facility in works:
            add(str(row.destination_facility), str(row.id), str(row.mine), float(row.amount_t))
    order = list(reading.blocks)
    before = order[order.index(case.period) - 1] if order[0] != case.period else None
    for stock in rows(reading.plan.stocks):
        if stock.period == before:
            rest[str(stock.site), str(stock.commodity), ""] += float(stock.closing_t)
    return [
        breaks(
            f"contingencies.csv: {key[1]} at {key[0]} with {case.loss} lost",
            f"{-rest[key]:,.9g} t more are used and sent than made, arrived and in stock",
        )
        for key in sorted(rest)
        if not at_most(size[key] - rest[key], size[key], absolute=_SLACK_T)
    ]


def _served(reading: Reading, works: Mapping[str, Works], case: _Case) -> list[Fault]:
    """No market gets more than its year's demand; what all get and what is short make up the share asked for."""
    rule = reading.plan.scenario.policy.n_1
    assert rule is not None
    asked: defaultdict[tuple[str, str], float] = defaultdict(float)
    for row in rows(reading.plan.demand):
        if row.period == case.period and case.loss not in (row.market, reading.country.get(str(row.market), "")):
            asked[str(row.product), str(row.market)] += float(row.demand_t) / reading.years(case.period)
    got: defaultdict[tuple[str, str], float] = defaultdict(float)
    for row in case.of("flow"):
        if row.destination_facility not in works:
            got[str(row.id), str(row.destination_facility)] += float(row.amount_t)
    faults = [
        breaks(f"contingencies.csv: {key[0]} to {key[1]} with {case.loss} lost", f"{amount:,.9g} t, asked for less")
        for key, amount in sorted(got.items())
        if not at_most(amount, asked.get(key, 0.0), absolute=_SLACK_T)
    ]
    short = {str(row.id): float(row.amount_t) for row in case.of("short")}
    for product in sorted({name for name, _ in asked} | set(short)):
        wanted = rule.served_share * math.fsum(t for (name, _), t in asked.items() if name == product)
        missing = max(0.0, wanted - math.fsum(t for (name, _), t in got.items() if name == product))
        if product not in short:
            faults.append(breaks("contingencies.csv", f"no row for what is short of {product} with {case.loss} lost"))
        elif not near(short[product], missing, absolute=_SLACK_T):
            where = f"contingencies.csv: {product} with {case.loss} lost"
            faults.append(breaks(where, f"{short[product]:,.9g} t short, {missing:,.9g} by what arrives"))
    return faults
