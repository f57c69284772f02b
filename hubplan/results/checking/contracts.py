"""Contracts and procurement targets, from flows and demand."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping

from hubplan.data.access import countries_of
from hubplan.data.scenario import Procurement
from hubplan.results.checking.reading import Reading, rows
from hubplan.results.checking.stockpiles import Short

Pool = frozenset[str]


def contracts_short(reading: Reading) -> Short:
    """By how many t offtake contracts are not taken, and targets are not served."""
    return {**_offtakes(reading), **_targets(reading)}


def _offtakes(reading: Reading) -> Short:
    """Every union of pools that hang together sends what all contracts within it ask."""
    asked: defaultdict[str, defaultdict[Pool, list[tuple[int, float]]]] = defaultdict(lambda: defaultdict(list))
    for deal in reading.plan.scenario.policy.offtake:
        for period in reading.blocks:
            years = reading.share_of_block(period, deal.from_year, deal.to_year) * reading.years(period)
            asked[deal.commodity][frozenset(deal.sites)].append((period, deal.t_yr * years))
    sent = reading.plan.flows.groupby(["origin", "commodity", "period"])["flow_t"].sum().to_dict()
    short: Short = {}
    for good, pools in asked.items():
        for union in _unions(list(pools)):
            for period in reading.blocks:
                want = math.fsum(t for pool, due in pools.items() if pool <= union for at, t in due if at == period)
                got = math.fsum(float(sent.get((site, good, period), 0.0)) for site in union)
                if want > 0:
                    short["offtake", f"{'+'.join(sorted(union))}/{good}", period] = want - got
    return short


def _unions(pools: list[Pool]) -> set[Pool]:
    """Unions of pools, grown one at a time by a pool that shares a site with what is there."""
    found = set(pools)
    while more := {one | pool for one, pool in _pairs(found, pools) if one & pool} - found:
        found |= more
    return found


def _pairs(some: Iterable[Pool], pools: list[Pool]) -> Iterable[tuple[Pool, Pool]]:
    return ((one, pool) for one in some for pool in pools)


def name_targets(reading: Reading) -> dict[str, Procurement]:
    """Targets by id: buyer/sector/product, those alike numbered from the second on."""
    found: dict[str, Procurement] = {}
    for goal in reading.plan.scenario.demand.procurement:
        name = "/".join(part or "all" for part in (goal.buyer, goal.sector, goal.product))
        count = sum(1 for known in found if known == name or known.rpartition("/")[0] == name)
        found[name if not count else f"{name}/{count + 1}"] = goal
    return found


def _targets(reading: Reading) -> Short:
    need: defaultdict[tuple[str, int], float] = defaultdict(float)
    unmet: defaultdict[tuple[str, int], float] = defaultdict(float)
    names: Mapping[str, Procurement] = name_targets(reading)
    there = {name: countries_of([goal.buyer] if goal.buyer else [], reading.tables) for name, goal in names.items()}
    for row in rows(reading.plan.demand):
        for name, goal in names.items():
            country = reading.country.get(str(row.market), "")
            buys = goal.buyer in (None, row.market) or country in there[name]
            if buys and goal.sector in (None, row.sector) and goal.product in (None, row.product):
                need[name, int(row.period)] += float(row.demand_t)
                unmet[name, int(row.period)] += float(row.unmet_t)
    short: Short = {}
    for (name, period), amount in need.items():
        goal = names[name]
        last = math.inf if goal.to_year is None else goal.to_year
        window = reading.share_of_block(period, goal.from_year, last)
        if window > 0:
            short["procurement", name, period] = unmet[name, period] - amount * (1.0 - goal.share * window)
    return short
