"""A second, dumb solver: every set of openings is tried, and each is a linear program written out term by term.

It reads docs/model.md, not `hubplan.model.formulation`, works in t and USD, and knows neither lane pruning nor dead facilities.
Families (0) to (12), save whole lanes (9): those, and single losses (13), are left to instances solved by hand.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import product

import numpy as np
from scipy.optimize import linprog

from hubplan.model.instance import Instance
from hubplan.model.rulebook import KINDS, WHOLE

Key = tuple[Hashable, ...]
MOST_SETS = 1024


class Rows:
    """A linear program by name: terms are added to rows as they are met."""

    def __init__(self) -> None:
        self.columns: dict[Key, int] = {}
        self.cost: list[float] = []
        self.bounds: list[tuple[float, float]] = []
        self.rows: dict[str, list[tuple[dict[int, float], float]]] = {"at most": [], "equal": []}

    def column(self, key: Key, *, cost: float = 0.0, lower: float = 0.0, upper: float = np.inf) -> None:
        self.columns[key] = len(self.cost)
        self.cost.append(cost)
        self.bounds.append((lower, upper))

    def row(self, kind: str, terms: list[tuple[Key, float]], limit: float) -> None:
        found: dict[int, float] = {}
        for key, value in terms:
            found[self.columns[key]] = found.get(self.columns[key], 0.0) + value
        self.rows[kind].append((found, limit))

    def best(self) -> float | None:
        """Least cost, None if no values satisfy the rows."""
        matrices = {}
        for kind, rows in self.rows.items():
            dense = np.zeros((len(rows), len(self.cost)))
            for i, (terms, _) in enumerate(rows):
                dense[i, list(terms)] = list(terms.values())
            matrices[kind] = dense, np.array([limit for _, limit in rows])
        (upper, most), (equal, exactly) = matrices["at most"], matrices["equal"]
        found = linprog(
            self.cost, A_ub=upper, b_ub=most, A_eq=equal, b_eq=exactly, bounds=self.bounds, method="highs-ds"
        )
        if found.status == 2:
            return None
        assert found.status == 0, found.message
        return float(found.fun)


def enumerate_hubs(inst: Instance) -> float | None:
    """Find the least cost by trying every period in which each facility may open, or never.

    Returns
    -------
    float or None
        Discounted cost in USD; None if the hard rules leave no plan.
    """
    assert not inst.lane_whole.any(), "whole lanes are not tried"
    periods = len(inst.periods)
    choices = [
        [*range(int(f.first_period), periods), periods] if f.largest_t_yr > 0 else [periods]
        for f in inst.facilities.itertuples()
    ]
    assert np.prod([len(choice) for choice in choices]) <= MOST_SETS, "too many sets to try"
    costs = (_cost_of(inst, opening) for opening in product(*choices))
    return min((cost for cost in costs if cost is not None), default=None)


def _cost_of(inst: Instance, opening: tuple[int, ...]) -> float | None:
    """Solve for sizes, flows, stocks and sales once it is known what opens when."""
    program = Rows()
    fixed_usd = _columns(program, inst, opening)
    for t in range(len(inst.periods)):
        _capacity(program, inst, t)
        for b in range(len(inst.balances)):
            _balance(program, inst, b, t)
    _building(program, inst, opening)
    _known(program, inst)
    _rules(program, inst, opening)
    cost = program.best()
    return None if cost is None else cost + fixed_usd


def _columns(program: Rows, inst: Instance, opening: tuple[int, ...]) -> float:
    """(0) Decisions with their discounted cost; the cost of opening itself is returned."""
    fixed_usd = 0.0
    for t, (worth, years) in enumerate(zip(inst.discount, inst.block_years, strict=True)):
        for n, plant in enumerate(inst.facilities.itertuples()):
            open_now = opening[n] <= t
            yearly = worth * years * (plant.annuity_share + plant.fixed_opex_share)
            fixed_usd += yearly * plant.capital_fixed_usd * open_now
            limits = {"lower": plant.smallest_t_yr, "upper": plant.largest_t_yr} if open_now else {"upper": 0.0}
            program.column(("size", n, t), cost=yearly * plant.capital_slope_usd_t_yr, **limits)
            if _closable(inst, n, t):
                program.column(("kept", n, t), cost=worth * years * inst.keep_usd_yr[n], upper=1.0)
        for m, run in enumerate(inst.processes.itertuples()):
            paid = sum(row.price_usd_t for row in inst.purchases.itertuples() if (row.process, row.period) == (m, t))
            program.column(("run", m, t), cost=worth * (run.opex_usd_t + paid))
        for a, lane in enumerate(inst.lanes.itertuples()):
            usd_t = lane.freight_usd_t + lane.transit_usd_t + lane.surcharge_usd_t
            program.column(("flow", a, t), cost=worth * usd_t, upper=np.inf if inst.lane_open[a, t] else 0.0)
        for b, good in enumerate(inst.balances.itertuples()):
            free, none = np.inf, 0.0
            program.column(
                ("stock", b, t),
                cost=worth * years * inst.storage_usd_t_yr[b],
                upper=free if inst.may_stock[b] else none,
            )
            program.column(("held", b, t), upper=free if inst.may_hold[b] or inst.held_periods[b, t] else none)
            price = [
                row.price_usd_t
                for row in inst.byproducts.itertuples()
                if (row.commodity, row.period) == (good.commodity, t)
            ]
            sells = inst.may_sell[b] and bool(price)
            program.column(("sold", b, t), cost=-worth * price[0] if sells else 0.0, upper=free if sells else none)
    for i, want in enumerate(inst.demand.itertuples()):
        program.column(("unmet", i), cost=inst.discount[int(want.period)] * want.unmet_usd_t, upper=want.demand_t)
    for i, rule in enumerate(inst.rules.table.itertuples()):
        if np.isfinite(rule.penalty_usd):
            worth = 1.0 if rule.period == WHOLE else inst.discount[int(rule.period)]
            program.column(("broken", i), cost=worth * rule.penalty_usd)
    return fixed_usd


def _closable(inst: Instance, n: int, t: int) -> bool:
    """(11) What stands and costs something to keep may be closed."""
    return bool(inst.installed_t_yr[n, t] > 0 and inst.keep_usd_yr[n] > 0)


def _capacity(program: Rows, inst: Instance, t: int) -> None:
    """(1) Use of capacity within what stands and what was added, each addition at its own ramp."""
    for n in range(len(inst.facilities)):
        years = float(inst.block_years[t] * inst.available_share[n, t])
        terms: list[tuple[Key, float]] = [
            (("run", m, t), float(run.capacity_use))
            for m, run in enumerate(inst.processes.itertuples())
            if run.facility == n
        ]
        for added in range(t + 1):
            usable = float(inst.ramp_share[n, added, t]) * years
            terms.append((("size", n, added), -usable))
            if added:
                terms.append((("size", n, added - 1), usable))
        standing = float(inst.existing_t_yr[n, t]) * years
        if _closable(inst, n, t):
            terms.append((("kept", n, t), -standing))
            standing = 0.0
        program.row("at most", terms, standing)


def _building(program: Rows, inst: Instance, opening: tuple[int, ...]) -> None:
    """(3) Nothing that was built is taken down, (11) nothing closed reopens; (2) and lead times are bounds of the columns."""
    for n, _ in enumerate(opening):
        for t in range(1, len(inst.periods)):
            program.row("at most", [(("size", n, t - 1), 1.0), (("size", n, t), -1.0)], 0.0)
            if _closable(inst, n, t - 1) and _closable(inst, n, t):
                program.row("at most", [(("kept", n, t), 1.0), (("kept", n, t - 1), -1.0)], 0.0)


def _balance(program: Rows, inst: Instance, b: int, t: int) -> None:
    """(4) At facilities, what comes goes; (5) at markets, what comes and what is missed is what is wanted."""
    terms: list[tuple[Key, float]] = []
    for a, lane in enumerate(inst.lanes.itertuples()):
        terms += [(("flow", a, t), 1.0)] * int(lane.head == b) + [(("flow", a, t), -1.0)] * int(lane.tail == b)
    if inst.balances.at[b, "market"]:
        wants = [(i, want) for i, want in enumerate(inst.demand.itertuples()) if (want.balance, want.period) == (b, t)]
        program.row(
            "equal", terms + [(("unmet", i), 1.0) for i, _ in wants], sum(float(want.demand_t) for _, want in wants)
        )
        return
    for m, at, amount in zip(inst.term_process, inst.term_balance, inst.term_t_t, strict=True):
        terms += [(("run", int(m), t), float(amount))] * int(at == b)
    terms += [((what, b, t), -1.0) for what in ("stock", "held", "sold")]
    terms += [(("stock", b, t - 1), 1.0)] * int(t > 0)
    program.row("equal", terms, 0.0)


def _known(program: Rows, inst: Instance) -> None:
    """(6) by-products, (7) reported output, (8) locks, (10) growth."""
    commodity = list(inst.balances["commodity"])
    for row in inst.byproducts.itertuples():
        sold: list[tuple[Key, float]] = [
            (("sold", b, row.period), 1.0) for b, name in enumerate(commodity) if name == row.commodity
        ]
        program.row("at most", sold, float(row.limit_t))
    for row in inst.fixed_output.itertuples():
        program.row("equal", [(("run", row.process, row.period), 1.0)], float(row.output_t))
    for row in inst.output_limits.itertuples():
        program.row("at most", list(_made(inst, row.facility, row.commodity, row.period)), float(row.output_t))
    country = dict(zip(inst.facilities["facility"], inst.facilities["country"], strict=True))
    for row in inst.locks.itertuples():
        for step in ("concentrate", "carbonate"):
            terms: list[tuple[Key, float]] = []
            for a, lane in enumerate(inst.lanes.itertuples()):
                if (lane.tag, lane.commodity) == (row.mine, step):
                    there = country.get(inst.balances.at[lane.head, "place"]) == row.country
                    terms.append((("flow", a, row.period), row.share - there))
            program.row("at most", terms, 0.0)
    for row in inst.growth.itertuples():
        sizes = [n for n, stage in enumerate(inst.facilities["stage"]) if stage == row.stage]
        program.row("at most", [(("size", n, row.period), 1.0) for n in sizes], float(row.most_t_yr))


def _made(inst: Instance, facility: int, commodity: str, t: int) -> Iterator[tuple[Key, float]]:
    for m, b, amount in zip(inst.term_process, inst.term_balance, inst.term_t_t, strict=True):
        if (
            inst.processes.at[m, "facility"] == facility
            and inst.balances.at[b, "commodity"] == commodity
            and amount > 0
        ):
            yield ("run", int(m), t), float(amount)


def _rules(program: Rows, inst: Instance, opening: tuple[int, ...]) -> None:
    """(12) Each rule, with what breaks it where that has a price."""
    terms = zip(*(getattr(inst.rules, name) for name in ("rule", "kind", "row", "period", "weight")), strict=True)
    found: dict[int, list[tuple[str, int, int, float]]] = {}
    for rule, kind, row, period, weight in terms:
        found.setdefault(int(rule), []).append((KINDS[kind], int(row), int(period), float(weight)))
    for i, rule in enumerate(inst.rules.table.itertuples()):
        sign = 1.0 if rule.sense == "at_most" else -1.0
        limit = float(rule.limit)
        weighed: list[tuple[Key, float]] = []
        for kind, row, period, weight in found.get(i, []):
            key = (kind, row) if kind == "unmet" else (kind, row, period)
            if kind == "opened":
                limit -= weight * (opening[row] <= period)
            elif key in program.columns:
                weighed.append((key, sign * weight))
        if ("broken", i) in program.columns:
            weighed.append((("broken", i), -1.0))
        program.row("at most", weighed, sign * limit)
