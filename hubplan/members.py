"""What each member is worth to the coalition: what the others lose without it, and its Shapley value.

A coalition of suppliers S has the mines and plants of its members, and of countries outside the coalition that take part
anyway. The demand of all members stays, whoever supplies, and so do routes: a member's worth is that of its rocks, sites and
works, not of its waters. ``v(S) = cost(nobody) - cost(S)``, discounted USD.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hubplan.data.access import countries_of
from hubplan.data.scenario import Scenario
from hubplan.data.tables import Tables
from hubplan.errors import DataError, Fault, NoPlanError
from hubplan.model.solve import relaxation_usd
from hubplan.run import Case, prepare

Coalition = frozenset[str]
Progress = Callable[[Mapping[str, object]], None]
MOST_PLAYERS = 10


@dataclass(frozen=True, kw_only=True)
class Worth:
    """What members are worth.

    Parameters
    ----------
    members
        ``member, countries, leave_one_out_usd, alone_usd, shapley_usd, shapley_error_usd``: what the coalition loses without it,
        what it brings to nobody else, its mean marginal worth over orders of joining, and the standard error of that mean.
    coalitions
        ``members`` (``;``-separated), ``cost_usd``: every coalition that was costed.
    exact
        Whether the Shapley values are over all orders; else over those sampled.
    """

    members: pd.DataFrame
    coalitions: pd.DataFrame
    exact: bool


def value_members(
    scenario: Scenario,
    geodata: Path | str | None = None,
    *,
    samples: int = 8,
    seed: int = 1,
    workers: int = 2,
    progress: Progress = lambda event: None,
) -> Worth:
    """Value the members of a scenario's coalition.

    Parameters
    ----------
    scenario
        Its ``coalition.members``, two to ten blocs or countries, are the players; a country of two blocs plays with the
        first named.
    samples
        Orders of joining to sample, each with its reverse (antithetic, for less noise); all are taken where they are no more.
    workers
        Coalitions costed at a time.

    Raises
    ------
    DataError
        Fewer than two players, or more than ten.
    NoPlanError
        A coalition's relaxation could not be solved.

    Notes
    -----
    Costs are those of the linear relaxation, which bounds the best plan's cost from below (to 0.1 % on the shipped
    examples), on the lanes kept for the whole coalition: no member is ever worth less than nothing, and one whose absence
    would make other lanes worth keeping comes out a little too dear. Contracts and what must open are left out, since a
    seller who is not there owes nothing. Shapley (1953); sampling as Castro, Gomez and Tejada (2009),
    doi:10.1016/j.cor.2008.04.004.
    """
    unbound = {"offtake": (), "must_open": ()}
    asked = scenario.model_copy(update={"policy": scenario.policy.model_copy(update=unbound)})
    case = prepare(asked, geodata)
    players = players_of(asked, case.tables)
    orders, exact = orders_of(sorted(players), samples=samples, seed=seed)
    wanted = _coalitions(sorted(players), orders)
    start = time.monotonic()
    costs: dict[Coalition, float] = {}

    def cost(coalition: Coalition) -> float:
        absent = frozenset().union(*(players[name] for name in players if name not in coalition))
        return _cost_without(absent, case)

    with ThreadPoolExecutor(max_workers=workers) as pool:
        for done, (coalition, usd) in enumerate(zip(wanted, pool.map(cost, wanted), strict=True), start=1):
            costs[coalition] = usd
            progress(
                {
                    "event": f"coalition {done} of {len(wanted)}: {', '.join(sorted(coalition)) or 'nobody'}",
                    "seconds": round(time.monotonic() - start, 2),
                }
            )
    return Worth(members=_worth(players, costs, orders, exact), coalitions=_listed(costs), exact=exact)


def players_of(scenario: Scenario, tables: Tables) -> dict[str, frozenset[str]]:
    """Each named member with its countries; a country belongs to the first that names it."""
    players: dict[str, frozenset[str]] = {}
    taken: set[str] = set()
    for name in scenario.coalition.members:
        players[name] = countries_of([name], tables) - taken
        taken |= players[name]
    players = {name: countries for name, countries in players.items() if countries}
    if not 2 <= len(players) <= MOST_PLAYERS:
        fault = Fault("coalition.members", f"{len(players)} players", f"name 2 to {MOST_PLAYERS} blocs or countries")
        raise DataError([fault])
    return players


def orders_of(players: Sequence[str], *, samples: int, seed: int) -> tuple[list[tuple[str, ...]], bool]:
    """Orders of joining: all of them where they are no more than asked, else pairs of a random order and its reverse."""
    from itertools import permutations

    if math.factorial(len(players)) <= samples:
        return list(permutations(players)), True
    dice = random.Random(seed)
    orders: list[tuple[str, ...]] = []
    while len(orders) < samples:
        order = list(players)
        dice.shuffle(order)
        orders += [tuple(order), tuple(reversed(order))]
    return orders, False


def _coalitions(players: Sequence[str], orders: Sequence[Sequence[str]]) -> list[Coalition]:
    everyone = frozenset(players)
    wanted = {frozenset[str](), everyone}
    wanted |= {everyone - {name} for name in players} | {frozenset({name}) for name in players}
    wanted |= {frozenset(order[:n]) for order in orders for n in range(len(order) + 1)}
    return sorted(wanted, key=lambda coalition: (len(coalition), sorted(coalition)))


def _cost_without(absent: Collection[str], case: Case) -> float:
    """Relaxed cost when no mine or plant of some countries runs or is built."""
    country = case.instance.facilities["country"]
    gone = np.flatnonzero(country.isin(list(absent)).to_numpy())
    usd = relaxation_usd(case.instance, closed=gone, time_limit_s=case.scenario.solver.time_limit_s)
    if not math.isfinite(usd):
        fault = Fault(
            "solver.time_limit_s", "a coalition's relaxation was not solved", "give more time, or relax hard rules"
        )
        raise NoPlanError([fault], "no value")
    return usd


def _worth(
    players: Mapping[str, frozenset[str]],
    costs: Mapping[Coalition, float],
    orders: Sequence[Sequence[str]],
    exact: bool,
) -> pd.DataFrame:
    everyone = frozenset(players)
    gains = {name: np.zeros(len(orders)) for name in players}
    for n, order in enumerate(orders):
        for place, name in enumerate(order):
            before = frozenset(order[:place])
            gains[name][n] = costs[before] - costs[before | {name}]
    rows = []
    for name in sorted(players):
        gain = gains[name]
        means = gain if exact else gain.reshape(-1, 2).mean(axis=1)  # an order and its reverse are one draw
        error = 0.0 if exact else float(means.std(ddof=1) / math.sqrt(len(means))) if len(means) > 1 else math.nan
        rows.append(
            {
                "member": name,
                "countries": ";".join(sorted(players[name])),
                "leave_one_out_usd": costs[everyone - {name}] - costs[everyone],
                "alone_usd": costs[frozenset()] - costs[frozenset({name})],
                "shapley_usd": float(gain.mean()),
                "shapley_error_usd": error,
            }
        )
    return pd.DataFrame(rows).sort_values("shapley_usd", ascending=False, ignore_index=True)


def _listed(costs: Mapping[Coalition, float]) -> pd.DataFrame:
    rows = [{"members": ";".join(sorted(coalition)), "cost_usd": usd} for coalition, usd in costs.items()]
    return pd.DataFrame(rows, columns=["members", "cost_usd"])
