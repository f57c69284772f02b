"""Contracts and targets: what buyers have promised to take, what sellers to deliver, and whose need is served first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from hubplan.data.access import countries_of
from hubplan.data.scenario import Procurement
from hubplan.errors import DataError, Fault
from hubplan.model.instance import Floats
from hubplan.model.rulebook import Rulebook

Pool = frozenset[str]
_MOST_POOLS = 8
"""Pools of one commodity that may overlap: every union of them is a rule."""


def add_offtakes(book: Rulebook) -> None:
    """(14) Contracts are taken or paid for: what the sites of a contract send in a year of it is at least its amount.

    A tonne counts in one contract only. So contracts of one pool of sites and commodity are one rule of their sum; and
    where pools share sites, each union of them is a rule too: what the union sends is at least what all contracts within
    it ask. That suffices (Gale 1957, doi:10.2140/pjm.1957.7.1073). A tonne that is missing is priced in every rule it breaks.
    """
    lanes = book.inst.lanes
    origin, commodity = lanes["origin"].to_numpy(dtype=object), lanes["commodity"].to_numpy(dtype=object)
    for good, pools in sorted(_pools(book).items()):
        for union in find_unions(pools, good):
            amounts = sum(
                (amount for pool, amount in pools.items() if pool <= union), start=np.zeros(len(book.periods))
            )
            rows = np.flatnonzero(np.isin(origin, list(union)) & (commodity == good))
            for t in np.flatnonzero(amounts > 0):
                name = f"{'+'.join(sorted(union))}/{good}"
                rule = book.add("offtake", name, sense="at_least", limit=float(amounts[t]), period=int(t))
                book.weigh(rule, "flow", rows, int(t))


def _pools(book: Rulebook) -> dict[str, dict[Pool, Floats]]:
    """Commodity to pool of sites to t in each period."""
    found: dict[str, dict[Pool, Floats]] = {}
    for deal in book.policy.offtake:
        amount = book.share_of(deal.from_year, deal.to_year) * book.inst.block_years * deal.t_yr
        pools = found.setdefault(deal.commodity, {})
        pool = frozenset(deal.sites)
        pools[pool] = pools.get(pool, np.zeros(len(book.periods))) + amount
    return found


def find_unions(pools: Iterable[Pool], commodity: str) -> list[Pool]:
    """Pools, and the unions of pools that hang together by shared sites; others say nothing that their parts do not.

    Raises
    ------
    DataError
        So many pools overlap that their unions are too many.
    """
    found: set[Pool] = set()
    for group in _overlapping(list(pools)):
        if len(group) > _MOST_POOLS:
            fix = f"let at most {_MOST_POOLS} pools share sites, or join some"
            raise DataError([Fault("policy.offtake", f"{len(group)} pools of {commodity} share sites", fix)])
        for size in range(1, len(group) + 1):
            found |= {
                frozenset().union(*chosen)
                for chosen in combinations(group, size)
                if len(_overlapping(list(chosen))) == 1
            }
    return sorted(found, key=sorted)


def _overlapping(pools: list[Pool]) -> list[list[Pool]]:
    """Groups of pools that hang together by shared sites."""
    groups: list[list[Pool]] = []
    for pool in sorted(pools, key=sorted):
        touching = [group for group in groups if any(pool & other for other in group)]
        groups = [group for group in groups if group not in touching]
        groups.append([pool, *(other for group in touching for other in group)])
    return groups


def add_procurement(book: Rulebook) -> None:
    """(18) Procurement: of what a buyer needs in a sector and product, so much is served, at the target's own price.

    A target that holds for some years of a period asks its share of those years' demand. What is unmet costs its penalty
    in the objective (0) and, beyond the target, the shortfall price as well. A buyer that takes no part has no rule.

    Raises
    ------
    DataError
        The demand set has no row that a target could mean.
    """
    goals, demand = book.draft.scenario.demand.procurement, book.inst.demand
    need_t, period = demand["demand_t"].to_numpy(float), demand["period"].to_numpy(dtype=int)
    for goal, name in zip(goals, name_targets(goals), strict=True):
        _refuse_empty(book, goal, name)
        asked = _matches(demand, goal, book)
        window = book.share_of(goal.from_year, goal.to_year)
        for t in book.periods:
            rows = np.flatnonzero(asked & (period == t))
            if window[t] > 0 and len(rows):
                most = float(need_t[rows].sum() * (1.0 - goal.share * window[t]))
                price = goal.shortfall_usd_t
                rule = book.add("procurement", name, sense="at_most", limit=most, period=t, penalty_usd=price)
                book.weigh(rule, "unmet", rows, t)


def name_targets(goals: Iterable[Procurement]) -> list[str]:
    """Id of each target: buyer/sector/product, and its number among those alike."""
    return tell_apart("/".join(part or "all" for part in (goal.buyer, goal.sector, goal.product)) for goal in goals)


def tell_apart(names: Iterable[str]) -> list[str]:
    """Names as they are, the second of a name with ``/2``, and so on."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}/{seen[name]}")
    return found


def _matches(demand: pd.DataFrame, goal: Procurement, book: Rulebook) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    asked = np.ones(len(demand), dtype=bool)
    for column, wanted in (("sector", goal.sector), ("product", goal.product)):
        if wanted is not None:
            asked &= (demand[column] == wanted).to_numpy(dtype=bool)
    if goal.buyer is not None:
        country = _country_of_site(book)
        there = countries_of([goal.buyer], book.draft.tables)
        asked &= np.array([m == goal.buyer or country[m] in there for m in demand["market"]], dtype=bool)
    return asked


def _country_of_site(book: Rulebook) -> Mapping[str, str]:
    sites = book.draft.tables.sites
    return dict(zip(sites["site"], sites["country"], strict=True))


def _refuse_empty(book: Rulebook, goal: Procurement, name: str) -> None:
    table = book.draft.tables.demand
    if not _matches(table[table["set"] == book.draft.scenario.demand.set], goal, book).any():
        fix = "name a buyer, sector and product that the demand set has together"
        raise DataError([Fault("demand.procurement", f"{name} is in no row of demand.csv", fix)])
