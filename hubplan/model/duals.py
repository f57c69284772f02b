"""What one more of a thing is worth: prices of the linear program that is left when every yes and no of a plan is fixed.

Cost is convex in the limits of a linear program, so any optimal dual bounds it from one side: one more unit saves at most its
price, and one less costs at least that. At a degenerate optimum the two differ; the price is then one of several.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hubplan.data.frames import rows_of
from hubplan.model.assembly import Arrays
from hubplan.model.formulation import KT, M_USD, Variables
from hubplan.model.instance import Instance
from hubplan.model.rulebook import UNITS

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

USD_T = M_USD / KT
"""USD per t in a M USD per kt."""


@dataclass(frozen=True, kw_only=True)
class Prices:
    """What one more unit would save at a plan, discounted USD; at least 0 except where said.

    Parameters
    ----------
    capacity_usd_t
        A t of throughput in a period where there is capacity, NaN where there is none; shape (N, T).
    opening_usd_t
        The first t of throughput where there is none: inputs bought and products sold at the prices of the places in use.
        Nothing else is opened beside it. NaN where nothing in use sends what it takes or takes what it makes; shape (N, T).
    toll_usd_t_yr
        What a t/yr of new size takes from others, beside its own cost: growth of its stage, budget, rules; shape (N, T).
    largest_usd_t_yr
        A t/yr of largest size, where it is open; shape (N, T).
    goods_usd_t
        A t more of a commodity at a place. At a market: what serving a t more of demand costs; shape (B, T).
    byproduct_usd_t, growth_usd_t_yr
        A t that a by-product market takes; a t/yr that a stage may have built. By row of the instance's frames.
    rule_usd
        A unit of relief of a rule (of a limit that is lower for ``at_least``, higher for ``at_most``); by row of its rules.
    """

    capacity_usd_t: Floats
    opening_usd_t: Floats
    toll_usd_t_yr: Floats
    largest_usd_t_yr: Floats
    goods_usd_t: Floats
    byproduct_usd_t: Floats
    growth_usd_t_yr: Floats
    rule_usd: Floats


def read_prices(inst: Instance, var: Variables, arrays: Arrays, values: Floats, duals: Floats) -> Prices:
    """Turn the duals of a plan's linear program into prices by key.

    Parameters
    ----------
    values, duals
        Of the columns and rows of `arrays`, in kt and M USD; a dual is the cost of one more of its row's limit.
    """
    capacity = np.maximum(-duals[_rows(arrays, "capacity")].reshape(inst.existing_t_yr.shape), 0.0)
    usable = _usable(inst, var, values)
    goods = _goods(inst, arrays, duals)
    scale = inst.rules.table["unit"].map(dict(UNITS)).to_numpy(dtype=float)
    growth, largest, toll = _shift_to_growth(
        inst,
        np.where(var.size >= 0, values[var.size], 0.0),
        np.maximum(-duals[_rows(arrays, "growth")], 0.0),
        _largest(inst, var, arrays, values, duals),
        _toll(var, arrays, duals),
    )
    return Prices(
        capacity_usd_t=np.where(usable, capacity, np.nan) * USD_T,
        opening_usd_t=np.where(usable, np.nan, _opening(inst, var, arrays, duals, goods, usable)) * USD_T,
        toll_usd_t_yr=toll * USD_T,
        largest_usd_t_yr=largest * USD_T,
        goods_usd_t=goods * USD_T,
        byproduct_usd_t=np.maximum(-duals[_rows(arrays, "by-product market")], 0.0) * USD_T,
        growth_usd_t_yr=growth * USD_T,
        rule_usd=np.abs(duals[_rows(arrays, "rule")]) * M_USD / scale,
    )


def _rows(arrays: Arrays, *families: str) -> slice:
    """Rows of families that follow each other; none where there is no such family."""
    spans = [arrays.families.get(family, (0, 0)) for family in families]
    return slice(spans[0][0], spans[-1][1])


def _usable(inst: Instance, var: Variables, values: Floats) -> Bools:
    """Facilities that have capacity in a period; shape (N, T)."""
    size = np.where(var.size >= 0, values[var.size], 0.0) * KT
    kept = np.where(var.kept >= 0, values[var.kept], 1.0)
    built = np.einsum("nq,nqt->nt", np.diff(size, axis=1, prepend=0.0), inst.ramp_share)
    return np.asarray((inst.existing_t_yr * kept + built) * inst.available_share > 1e-6)


def _goods(inst: Instance, arrays: Arrays, duals: Floats) -> Floats:
    """Price of each balance in M USD per kt; shape (B, T)."""
    market = inst.balances["market"].to_numpy(dtype=bool)
    goods = np.zeros((len(market), len(inst.periods)))
    for there, family in ((~market, "balance"), (market, "demand")):
        goods[there] = duals[_rows(arrays, family)].reshape(-1, len(inst.periods))
    return goods


def _without(arrays: Arrays, duals: Floats, *families: str) -> Floats:
    """Cost of each column at the prices of all rows but those of some families."""
    others = duals.copy()
    for family in families:
        others[_rows(arrays, family)] = 0.0
    return np.asarray(arrays.cost - arrays.matrix.T @ others)


def _toll(var: Variables, arrays: Arrays, duals: Floats) -> Floats:
    """What size takes from others, in M USD by kt/yr."""
    own = ("capacity", "largest size", "smallest size", "built stays built")
    priced = _without(arrays, duals, *own) - arrays.cost
    return np.where(var.size >= 0, priced[var.size], 0.0)


def _largest(inst: Instance, var: Variables, arrays: Arrays, values: Floats, duals: Floats) -> Floats:
    """Worth of a larger largest size, which a row and the column's own bound both say; nothing where it is not open."""
    opened = np.where(var.opened >= 0, values[var.opened], 0.0) > 0.5
    keep = np.flatnonzero((var.size >= 0).any(axis=1))  # as in `formulation.add_size`
    rows = np.zeros(var.size.shape)
    rows[keep] = duals[_rows(arrays, "largest size")].reshape(len(keep), len(inst.periods))
    priced = _without(arrays, duals)
    bound = np.where(var.size >= 0, priced[var.size], 0.0)
    return np.where(opened, np.maximum(-rows, 0.0) + np.maximum(-bound, 0.0), 0.0)


def _shift_to_growth(
    inst: Instance, size: Floats, growth: Floats, largest: Floats, toll: Floats
) -> tuple[Floats, Floats, Floats]:
    """Where a stage's growth is used up, move to it what every open facility of the stage owes to its largest size alike.

    The two say the same there, and the solver picks either; but what a new facility would have to take from the others shows
    only in the price of growth.
    """
    growth, largest, toll = growth.copy(), largest.copy(), toll.copy()
    stage = inst.facilities["stage"].to_numpy(dtype=object)
    for row, limit in enumerate(rows_of(inst.growth)):
        t, all_here = int(limit.period), stage == limit.stage
        built = all_here & (size[:, t] > 0)
        if not built.any() or size[built, t].sum() < limit.most_t_yr / KT * (1 - 1e-9):
            continue
        shared = float(largest[built, t].min())
        growth[row] += shared
        toll[all_here, t] += shared
        largest[built, t] -= shared
    return growth, largest, toll


def _opening(inst: Instance, var: Variables, arrays: Arrays, duals: Floats, goods: Floats, usable: Bools) -> Floats:
    """What a first kt of throughput would earn at each facility alone, at the prices of places in use; M USD per kt.

    The solver's own duals say nothing of places where nothing can run: they may be anything above this.
    """
    cost = _without(arrays, duals, "capacity", "balance", "demand")
    bid, ask = _bids(inst, var, cost, goods, usable), _asks(inst, var, cost, goods, usable)
    terms, made = inst.term_t_t[:, None], (inst.term_t_t > 0)[:, None]
    worth = np.where(made, terms * bid[inst.term_balance], terms * ask[inst.term_balance])
    profit = np.where(var.run >= 0, -cost[var.run], -np.inf)
    np.add.at(profit, inst.term_process, worth)
    profit /= inst.processes["capacity_use"].to_numpy(float)[:, None]
    best = np.full(usable.shape, -np.inf)
    np.maximum.at(best, inst.processes["facility"].to_numpy(dtype=int), profit)
    return np.where(np.isfinite(best), np.maximum(best, 0.0), np.nan)


def _in_use(inst: Instance, usable: Bools) -> Bools:
    """Balances of places that can run, and of markets; shape (B, T)."""
    row = dict(zip(inst.facilities["facility"], range(len(inst.facilities)), strict=True))
    at = np.array([row.get(place, -1) for place in inst.balances["place"]], dtype=int)
    market = inst.balances["market"].to_numpy(dtype=bool)
    return np.where(market[:, None], True, usable[at])


def _bids(inst: Instance, var: Variables, cost: Floats, goods: Floats, usable: Bools) -> Floats:
    """The most that a kt of a commodity fetches from a place: sent to one in use, held, sold, or kept for the next period."""
    bid = np.full(goods.shape, -np.inf)
    tail, head = (inst.lanes[end].to_numpy(dtype=int) for end in ("tail", "head"))
    there = (var.flow >= 0) & _in_use(inst, usable)[head]
    np.maximum.at(bid, tail, np.where(there, goods[head] - cost[var.flow], -np.inf))
    for columns in (var.held, var.sold):
        bid = np.maximum(bid, np.where(columns >= 0, -cost[columns], -np.inf))
    for t in range(len(inst.periods) - 2, -1, -1):
        kept = np.where(var.stock[:, t] >= 0, bid[:, t + 1] - cost[var.stock[:, t]], -np.inf)
        bid[:, t] = np.maximum(bid[:, t], kept)
    return bid


def _asks(inst: Instance, var: Variables, cost: Floats, goods: Floats, usable: Bools) -> Floats:
    """The least that a kt of a commodity costs at a place, sent from one in use."""
    ask = np.full(goods.shape, np.inf)
    tail, head = (inst.lanes[end].to_numpy(dtype=int) for end in ("tail", "head"))
    there = (var.flow >= 0) & _in_use(inst, usable)[tail]
    np.minimum.at(ask, head, np.where(there, goods[tail] + cost[var.flow], np.inf))
    return ask
