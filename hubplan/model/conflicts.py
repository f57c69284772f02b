"""When hard rules leave no plan: which rules conflict, as few as can be, and the cheapest way to let one give.

HiGHS names no infeasible subsystem, so every hard rule is given a price instead and the breach is minimised (elastic
programming: Chinneck 2008, Feasibility and Infeasibility in Optimization); a deletion filter then drops each rule without which
the rest still conflicts.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hubplan.errors import Fault
from hubplan.model.engine import Engine, Job
from hubplan.model.formulation import build_model
from hubplan.model.instance import Instance
from hubplan.model.rulebook import UNITS, Rules

_NOUGHT = 1e-6


@dataclass(frozen=True)
class Conflict:
    """Hard rules that cannot hold together.

    Parameters
    ----------
    rules
        Rows of the instance's rules; none could be left out. Empty when the rules are not to blame.
    relaxation
        Rule row to the amount, in the rule's unit, by which it has to give: the least in sum, each measured against its limit.
    exact
        Whether every step was solved to the end; if not, `rules` may hold more than needed.
    """

    rules: tuple[int, ...]
    relaxation: dict[int, float]
    exact: bool


def find_conflict(inst: Instance, *, time_limit_s: float = 30.0, seed: int = 1) -> Conflict:
    """Find a smallest set of hard rules that conflict, and the cheapest relaxation."""
    until = time.monotonic() + time_limit_s
    hard = [int(n) for n in np.flatnonzero(~np.isfinite(inst.rules.table["penalty_usd"].to_numpy(dtype=float)))]
    breach, exact = _least_breach(inst, hard, until=until, seed=seed)
    if not breach:
        return Conflict((), {}, exact)
    kept = list(hard)
    for rule in hard:
        rest = [other for other in kept if other != rule]
        found, sure = _least_breach(inst, rest, until=until, seed=seed)
        exact &= sure
        if found:
            kept = rest
    return Conflict(tuple(kept), breach, exact)


def _least_breach(inst: Instance, hard: Collection[int], *, until: float, seed: int) -> tuple[dict[int, float], bool]:
    """Amounts by which hard rules are broken at least, the other hard rules dropped; and whether that is proven."""
    table = inst.rules.table.copy()
    was_hard = ~np.isfinite(table["penalty_usd"].to_numpy(dtype=float))
    limit = np.maximum(np.abs(table["limit"].to_numpy(dtype=float)), 1.0)
    table["penalty_usd"] = np.where(was_hard, 1.0 / limit, 0.0)
    dropped = was_hard & ~np.isin(np.arange(len(table)), list(hard))
    table.loc[dropped, "penalty_usd"] = 0.0
    rules = inst.rules
    soft = Rules(table=table, rule=rules.rule, kind=rules.kind, row=rules.row, period=rules.period, weight=rules.weight)
    arrays, var = build_model(replace(inst, rules=soft))
    scale = table["unit"].map(dict(UNITS)).to_numpy(dtype=float)
    cost = np.zeros(len(arrays.cost))
    priced = (var.broken >= 0) & (table["penalty_usd"].to_numpy(dtype=float) > 0)
    cost[var.broken[priced]] = (table["penalty_usd"].to_numpy(dtype=float) * scale)[priced]
    left = max(0.5, until - time.monotonic())
    with Engine(replace(arrays, cost=cost), workers=1) as engine:
        engine.submit(Job(label="least breach", time_limit_s=left, gap_share=0.0, seed=seed))
        for _, _, answer in engine.answers(until=until + 1.0):
            if answer.values is None:
                break
            amount = np.where(var.broken >= 0, answer.values[var.broken], 0.0) * scale
            rows = np.flatnonzero(priced & (amount > _NOUGHT * np.maximum(limit, 1.0)))
            return {int(row): float(amount[row]) for row in rows}, answer.cost - answer.bound <= _NOUGHT
    return {}, False


def conflict_faults(inst: Instance, conflict: Conflict) -> list[Fault]:
    """Tell a conflict in words: what cannot hold together, and what to give."""
    table = inst.rules.table
    if not conflict.rules:
        found = "no plan keeps growth limits, reported outputs and offtake locks together"
        return [Fault("policy", found, "free the years already reported, or mend outputs.csv and locks.csv")]
    named = " and ".join(_named(table.iloc[row]) for row in conflict.rules)
    least = "; ".join(_change(table.iloc[row], amount) for row, amount in sorted(conflict.relaxation.items()))
    sure = "" if conflict.exact else " (found in the time there was; fewer rules may already conflict)"
    return [Fault("policy", f"{named} cannot hold together{sure}", f"the least change that gives a plan: {least}")]


def _change(rule: pd.Series, amount: float) -> str:
    if rule["family"] == "must_open":
        return f"take {rule['id']} out of policy.must_open"
    way = "raise" if rule["sense"] == "at_most" else "lower"
    return f"{way} {_named(rule)} by {amount:,.3g} {rule['unit']}"


def _named(rule: pd.Series) -> str:
    family, name = str(rule["family"]), str(rule["id"])
    return f"policy.{family}" if name == "all" else f"policy.{family} {name}"
