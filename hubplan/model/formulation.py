"""The planning model as algebra: one function for each numbered family of docs/model.md.

Inside, masses are kt and money is M USD (a factor of 1e3 and 1e6), which keeps coefficients near one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from hubplan.data.frames import rows_of
from hubplan.model.assembly import Arrays, Assembly
from hubplan.model.contingency import Recourse, add_copy
from hubplan.model.instance import Instance
from hubplan.model.rule_rows import add_shared_totals, rule_weights
from hubplan.model.rulebook import UNITS, WHOLE

Ints = npt.NDArray[np.int64]

KT = 1e3
"""t in a kt."""
M_USD = 1e6
"""USD in a M USD."""
TIGHT_BINARIES = 300
"""Up to so many binaries, where branch and bound is exact, rows that only tighten the relaxation are worth their number."""


@dataclass(frozen=True)
class Variables:
    """Column ids by key; -1 where the decision does not exist."""

    opened: Ints  # (N, T) y: open by t
    size: Ints  # (N, T) C: size built by t, kt/yr
    run: Ints  # (M, T) x: activity of a process, kt
    flow: Ints  # (A, T) f: flow on a lane, kt
    chosen: Ints  # (A, T) s: the lane carries its market's whole demand
    stock: Ints  # (B, T) I: stock at the end of the period, kt
    held: Ints  # (B, T) g: surplus held, kt
    sold: Ints  # (B, T) b: by-product sold, kt
    kept: Ints  # (N, T) k: share of the standing capacity that is kept
    unmet: Ints  # (demand rows,) u, kt
    broken: Ints  # (rules,) z: amount by which a rule is broken, in its scaled unit
    copies: tuple[Recourse, ...] = ()  # one year for each single loss

    def of(self, kind: str) -> Ints:
        """Columns of a kind of decision that rules may weigh."""
        return np.asarray(getattr(self, kind))


def build_model(inst: Instance) -> tuple[Arrays, Variables]:
    """Write an instance as a mixed-integer linear program.

    Returns
    -------
    Arrays, Variables
        The program in kt and M USD, and which column is which decision.
    """
    model = Assembly()
    var = add_variables(model, inst)  # (0) with the objective
    add_capacity(model, inst, var)  # (1)
    add_size(model, inst, var)  # (2)
    add_building_order(model, inst, var)  # (3)
    add_balance(model, inst, var)  # (4)
    add_demand(model, inst, var)  # (5)
    add_byproduct_markets(model, inst, var)  # (6)
    add_reported_output(model, inst, var)  # (7)
    add_offtake_locks(model, inst, var)  # (8)
    add_whole_lanes(model, inst, var)  # (9)
    add_growth(model, inst, var)  # (10)
    add_closure(model, inst, var)  # (11)
    add_rules(model, inst, var)  # (12)
    var = add_single_losses(model, inst, var)  # (13)
    return model.finish(), var


def _where(
    model: Assembly,
    mask: npt.NDArray[np.bool_],
    *,
    cost: npt.ArrayLike = 0.0,
    upper: npt.ArrayLike = np.inf,
    integer: bool = False,
) -> Ints:
    """Add one column for each true cell of a mask, -1 elsewhere."""
    ids = np.full(mask.shape, -1, dtype=np.int64)
    costs = np.broadcast_to(np.asarray(cost, dtype=float), mask.shape)[mask]
    uppers = np.broadcast_to(np.asarray(upper, dtype=float), mask.shape)[mask]
    ids[mask] = model.add_columns(int(mask.sum()), upper=uppers, cost=costs, integer=integer)
    return ids


def live_facilities(inst: Instance) -> npt.NDArray[np.bool_]:
    """Facilities that exist or may be open in a period; shape (N, T)."""
    t = np.arange(len(inst.periods))
    return np.asarray((inst.existing_t_yr > 0) | _may_open(inst, t))


def _may_open(inst: Instance, t: Ints) -> npt.NDArray[np.bool_]:
    first = inst.facilities["first_period"].to_numpy(dtype=int)
    return np.asarray((first[:, None] <= t[None, :]) & (inst.facilities["largest_t_yr"].to_numpy(float) > 0)[:, None])


def add_variables(model: Assembly, inst: Instance) -> Variables:
    """(0) Every decision with its bounds and its discounted cost."""
    periods = np.arange(len(inst.periods))
    worth = inst.discount * KT / M_USD  # M USD per kt for each USD per t
    fac = inst.facilities
    may_open, live = _may_open(inst, periods), live_facilities(inst)
    yearly = (fac["annuity_share"] + fac["fixed_opex_share"]).to_numpy(float)[:, None] * (
        inst.discount * inst.block_years
    )[None, :]
    opened = _where(
        model,
        may_open,
        cost=fac["capital_fixed_usd"].to_numpy(float)[:, None] / M_USD * yearly,
        upper=1.0,
        integer=True,
    )
    largest = fac["largest_t_yr"].to_numpy(float)[:, None] / KT
    size = _where(
        model,
        may_open,
        cost=fac["capital_slope_usd_t_yr"].to_numpy(float)[:, None] * KT / M_USD * yearly,
        upper=largest,
    )
    owner = inst.processes["facility"].to_numpy(dtype=int)
    work_usd_t = inst.processes["opex_usd_t"].to_numpy(float)[:, None] + inst.purchase_usd_t
    work_usd_t = work_usd_t + _carbon_usd_t(inst, inst.processes)[:, None]
    run = _where(model, live[owner], cost=work_usd_t * worth)
    lane_cost = inst.lanes[["freight_usd_t", "transit_usd_t", "surcharge_usd_t"]].to_numpy(float).sum(axis=1)
    lane_cost = lane_cost + _carbon_usd_t(inst, inst.lanes)
    flow = _where(model, inst.lane_open & _ends_live(inst, live), cost=lane_cost[:, None] * worth)
    chosen = _where(model, (flow >= 0) & inst.lane_whole[:, None], upper=1.0, integer=True)
    here = _balance_live(inst, live)
    stock = _where(
        model, inst.may_stock[:, None] & here, cost=inst.storage_usd_t_yr[:, None] * (worth * inst.block_years)
    )
    held = _where(model, (inst.may_hold[:, None] | inst.held_periods) & here)
    price = _byproduct_price(inst)
    sold = _where(model, inst.may_sell[:, None] & here & np.isfinite(price), cost=-np.nan_to_num(price) * worth)
    at = inst.demand["period"].to_numpy(dtype=int)
    unmet = model.add_columns(
        len(inst.demand),
        upper=inst.demand["demand_t"].to_numpy(float) / KT,
        cost=inst.demand["unmet_usd_t"].to_numpy(float) * worth[at],
    )
    return Variables(
        opened=opened,
        size=size,
        run=run,
        flow=flow,
        chosen=chosen,
        stock=stock,
        held=held,
        sold=sold,
        unmet=unmet,
        kept=_where(
            model,
            inst.installed_t_yr * (inst.keep_usd_yr > 0)[:, None] > 0,
            cost=inst.keep_usd_yr[:, None] / M_USD * (inst.discount * inst.block_years)[None, :],
            upper=1.0,
        ),
        broken=_add_breaches(model, inst),
    )


def _carbon_usd_t(inst: Instance, frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Price of the CO2 of a tonne of each row."""
    if inst.co2_usd_t == 0:
        return np.zeros(len(frame))
    return inst.co2_usd_t * frame["co2_t_t"].to_numpy(dtype=float)


def _add_breaches(model: Assembly, inst: Instance) -> Ints:
    """One column for each rule that may be broken, at its price."""
    table = inst.rules.table
    ids = np.full(len(table), -1, dtype=np.int64)
    price = table["penalty_usd"].to_numpy(dtype=float)
    soft = np.isfinite(price)
    at = table["period"].to_numpy(dtype=int)
    worth = np.where(at == WHOLE, 1.0, inst.discount[at]) if len(table) else np.zeros(0)
    scale = table["unit"].map(dict(UNITS)).to_numpy(dtype=float)
    ids[soft] = model.add_columns(int(soft.sum()), cost=price[soft] * scale[soft] / M_USD * worth[soft])
    return ids


def _balance_live(inst: Instance, live: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Balances whose facility is live; markets always are."""
    row = dict(zip(inst.facilities["facility"], range(len(inst.facilities)), strict=True))
    at = np.array([row.get(place, -1) for place in inst.balances["place"]], dtype=int)
    market = inst.balances["market"].to_numpy(dtype=bool)
    return np.where(market[:, None], True, live[at]) if len(at) else np.zeros((0, live.shape[1]), bool)


def _ends_live(inst: Instance, live: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    here = _balance_live(inst, live)
    return np.asarray(here[inst.lanes["tail"].to_numpy(dtype=int)] & here[inst.lanes["head"].to_numpy(dtype=int)])


def _byproduct_price(inst: Instance) -> npt.NDArray[np.float64]:
    """Price by balance and period; NaN where there is no market."""
    price = np.full((len(inst.balances), len(inst.periods)), np.nan)
    commodity = inst.balances["commodity"].to_numpy()
    for row in rows_of(inst.byproducts):
        price[commodity == row.commodity, int(row.period)] = row.price_usd_t
    return price


def add_capacity(model: Assembly, inst: Instance, var: Variables) -> None:
    """(1) A facility processes at most what exists and what was built, ramped, less what is lost."""
    n, t = inst.existing_t_yr.shape
    years = inst.block_years * inst.available_share  # (N, T)
    standing = inst.existing_t_yr * years / KT
    closable = var.kept >= 0
    rows = model.add_rows("capacity", (n, t), upper=np.where(closable, 0.0, standing))
    model.add_terms(rows[closable], var.kept[closable], -standing[closable])
    owner = inst.processes["facility"].to_numpy(dtype=int)
    model.add_terms(rows[owner], var.run, inst.processes["capacity_use"].to_numpy(float)[:, None])
    for opened in range(t):
        usable = inst.ramp_share[:, opened, :] * years
        model.add_terms(rows[:, opened:], var.size[:, [opened]], -usable[:, opened:])
        if opened:
            model.add_terms(rows[:, opened:], var.size[:, [opened - 1]], usable[:, opened:])


def add_size(model: Assembly, inst: Instance, var: Variables) -> None:
    """(2) An open facility has a size between its smallest and its largest; a closed one has none."""
    largest = inst.facilities["largest_t_yr"].to_numpy(float)[:, None] / KT
    smallest = inst.facilities["smallest_t_yr"].to_numpy(float)[:, None] / KT
    keep = np.flatnonzero((var.size >= 0).any(axis=1))
    for family, limit, sign in (("largest size", largest, 1.0), ("smallest size", smallest, -1.0)):
        rows = model.add_rows(family, var.size[keep].shape, upper=0.0)
        model.add_terms(rows, var.size[keep], sign)
        model.add_terms(rows, var.opened[keep], -sign * limit[keep])
    _add_closed_sends_nothing(model, inst, var)


def _add_closed_sends_nothing(model: Assembly, inst: Instance, var: Variables) -> None:
    """Of a market's demand a facility that may be built sends nothing before it is open: implied, but much the tighter."""
    if int((var.opened >= 0).sum()) > TIGHT_BINARIES:
        return
    row = dict(zip(inst.facilities["facility"], range(len(inst.facilities)), strict=True))
    place, market = inst.balances["place"].to_numpy(dtype=object), inst.balances["market"].to_numpy(dtype=bool)
    tail, head = (inst.lanes[end].to_numpy(dtype=int) for end in ("tail", "head"))
    sender = np.array([row.get(name, -1) for name in place[tail]], dtype=int)
    amount = np.zeros((len(inst.balances), len(inst.periods)))
    wanted = inst.demand["balance"].to_numpy(dtype=int), inst.demand["period"].to_numpy(dtype=int)
    np.add.at(amount, wanted, inst.demand["demand_t"].to_numpy(float) / KT)
    cells = (
        (sender >= 0)[:, None]
        & (var.flow >= 0)
        & (var.opened[sender] >= 0)
        & (inst.existing_t_yr[sender] == 0)
        & market[head][:, None]
    )
    cells &= ~inst.may_stock[tail][:, None]
    lanes, at = np.nonzero(cells)
    rows = model.add_rows("closed sends nothing", len(lanes), upper=0.0)
    model.add_terms(rows, var.flow[lanes, at], 1.0)
    model.add_terms(rows, var.opened[sender[lanes], at], -amount[head[lanes], at])


def add_building_order(model: Assembly, inst: Instance, var: Variables) -> None:
    """(3) What is open stays open, and what is built stays built."""
    keep = np.flatnonzero((var.size >= 0).any(axis=1))
    if len(inst.periods) < 2:
        return
    for family, columns in (("open stays open", var.opened[keep]), ("built stays built", var.size[keep])):
        rows = model.add_rows(family, columns[:, 1:].shape, upper=0.0)
        model.add_terms(rows, columns[:, :-1], 1.0)
        model.add_terms(rows, columns[:, 1:], -1.0)


def add_balance(model: Assembly, inst: Instance, var: Variables) -> None:
    """(4) At each place, of each commodity: made + arrived + from stock = used + sent + to stock + held + sold."""
    market = inst.balances["market"].to_numpy(dtype=bool)
    inner = np.flatnonzero(~market)
    rows = np.full((len(inst.balances), len(inst.periods)), -1, dtype=np.int64)
    rows[inner] = model.add_rows("balance", (len(inner), len(inst.periods)), lower=0.0, upper=0.0)
    model.add_terms(rows[inst.term_balance], var.run[inst.term_process], inst.term_t_t[:, None])
    tail, head = (inst.lanes[end].to_numpy(dtype=int) for end in ("tail", "head"))
    model.add_terms(rows[tail], var.flow, -1.0)
    into = ~market[head]
    model.add_terms(rows[head[into]], var.flow[into], 1.0)
    for columns in (var.stock, var.held, var.sold):
        model.add_terms(rows[inner], columns[inner], -1.0)
    if len(inst.periods) > 1:
        model.add_terms(rows[inner][:, 1:], var.stock[inner][:, :-1], 1.0)


def add_demand(model: Assembly, inst: Instance, var: Variables) -> None:
    """(5) What arrives at a market and what is left unserved make up its demand, and nothing arrives where there is none."""
    markets = np.flatnonzero(inst.balances["market"].to_numpy(dtype=bool))
    wanted = inst.demand["balance"].to_numpy(dtype=int), inst.demand["period"].to_numpy(dtype=int)
    amount = np.zeros((len(inst.balances), len(inst.periods)))
    np.add.at(amount, wanted, inst.demand["demand_t"].to_numpy(float) / KT)
    rows = np.full(amount.shape, -1, dtype=np.int64)
    rows[markets] = model.add_rows(
        "demand", (len(markets), len(inst.periods)), lower=amount[markets], upper=amount[markets]
    )
    model.add_terms(rows[wanted], var.unmet, 1.0)
    into = rows[inst.lanes["head"].to_numpy(dtype=int)]
    model.add_terms(into[into >= 0], var.flow[into >= 0], 1.0)


def add_byproduct_markets(model: Assembly, inst: Instance, var: Variables) -> None:
    """(6) By-products are sold up to what their market takes."""
    commodity = inst.balances["commodity"].to_numpy()
    if not len(inst.byproducts):
        return
    rows = model.add_rows(
        "by-product market", len(inst.byproducts), upper=inst.byproducts["limit_t"].to_numpy(float) / KT
    )
    for row, product in zip(rows, rows_of(inst.byproducts), strict=True):
        model.add_terms(row, var.sold[commodity == product.commodity, int(product.period)], 1.0)


def add_reported_output(model: Assembly, inst: Instance, var: Variables) -> None:
    """(7) In years already reported a mine ran as it did, and a plant made no more than it did."""
    known = inst.fixed_output
    if len(known):
        amount = known["output_t"].to_numpy(float) / KT
        rows = model.add_rows("reported output", len(known), lower=amount, upper=amount)
        model.add_terms(rows, var.run[known["process"].to_numpy(dtype=int), known["period"].to_numpy(dtype=int)], 1.0)
    owner = inst.processes["facility"].to_numpy(dtype=int)
    commodity = inst.balances["commodity"].to_numpy()
    for limit in rows_of(inst.output_limits):
        row = model.add_rows("reported output limit", 1, upper=limit.output_t / KT)
        made = (
            (owner[inst.term_process] == limit.facility)
            & (commodity[inst.term_balance] == limit.commodity)
            & (inst.term_t_t > 0)
            & (inst.processes["capacity_use"].to_numpy(dtype=float)[inst.term_process] > 0)
        )
        model.add_terms(row, var.run[inst.term_process[made], int(limit.period)], inst.term_t_t[made])


def add_offtake_locks(model: Assembly, inst: Instance, var: Variables) -> None:
    """(8) What a mine has sold ahead is cracked and separated in the country it was sold to."""
    country = dict(zip(inst.facilities["facility"], inst.facilities["country"], strict=True))
    heads = inst.balances["place"].to_numpy()[inst.lanes["head"].to_numpy(dtype=int)]
    there = np.array([country.get(place, "") for place in heads])
    tag, commodity = inst.lanes["tag"].to_numpy(), inst.lanes["commodity"].to_numpy()
    for lock in rows_of(inst.locks):
        for step in ("concentrate", "carbonate"):
            lanes = np.flatnonzero((tag == lock.mine) & (commodity == step))
            if len(lanes):
                row = model.add_rows("offtake lock", 1, lower=0.0)
                model.add_terms(row, var.flow[lanes, int(lock.period)], (there[lanes] == lock.country) - lock.share)


def add_whole_lanes(model: Assembly, inst: Instance, var: Variables) -> None:
    """(9) Where a customer has one supplier, a lane carries its whole demand or nothing."""
    if not inst.lane_whole.any():
        return
    amount = np.zeros((len(inst.balances), len(inst.periods)))
    np.add.at(
        amount,
        (inst.demand["balance"].to_numpy(dtype=int), inst.demand["period"].to_numpy(dtype=int)),
        inst.demand["demand_t"].to_numpy(float),
    )
    lanes = np.flatnonzero(inst.lane_whole)
    rows = model.add_rows("whole lane", (len(lanes), len(inst.periods)), lower=0.0, upper=0.0)
    model.add_terms(rows, var.flow[lanes], 1.0)
    model.add_terms(rows, var.chosen[lanes], -amount[inst.lanes["head"].to_numpy(dtype=int)[lanes]] / KT)


def add_growth(model: Assembly, inst: Instance, var: Variables) -> None:
    """(10) A stage grows no faster than crews and equipment allow."""
    stage = inst.facilities["stage"].to_numpy()
    for limit in rows_of(inst.growth):
        row = model.add_rows("growth", 1, upper=limit.most_t_yr / KT)
        model.add_terms(row, var.size[stage == limit.stage, int(limit.period)], 1.0)


def add_closure(model: Assembly, inst: Instance, var: Variables) -> None:
    """(11) What stands may be closed to save what it costs to keep, and a closed plant stays closed."""
    before, after = var.kept[:, :-1], var.kept[:, 1:]
    both = (before >= 0) & (after >= 0)
    rows = model.add_rows("closed stays closed", int(both.sum()), upper=0.0)
    model.add_terms(rows, after[both], 1.0)
    model.add_terms(rows, before[both], -1.0)


def add_rules(model: Assembly, inst: Instance, var: Variables) -> None:
    """(12) Policy rules hold, or are broken at their price; `hubplan.model.policy` writes them."""
    rules = inst.rules
    if not len(rules):
        return
    table = rules.table
    scale = table["unit"].map(dict(UNITS)).to_numpy(dtype=float)
    limit = table["limit"].to_numpy(dtype=float) / scale
    least = (table["sense"] == "at_least").to_numpy()
    rows = model.add_rows(
        "rule", len(table), lower=np.where(least, limit, -np.inf), upper=np.where(least, np.inf, limit)
    )
    weights = rule_weights(model, inst, var, scale)
    add_shared_totals(model, rows, table["family"].to_numpy(dtype=object), weights)
    model.add_terms(rows, var.broken, np.where(least, 1.0, -1.0))


def add_single_losses(model: Assembly, inst: Instance, var: Variables) -> Variables:
    """(13) N-1: with any one loss, a copy of a year, run from the same sizes, serves the share asked for or pays the price."""
    if inst.contingencies is None:
        return var
    copies = [add_copy(model, inst, var, inst.contingencies, loss) for loss in inst.contingencies.losses]
    return replace(var, copies=tuple(copies))
