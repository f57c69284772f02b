"""N-1: a year of operations without one thing, from what the plan has built: what is lost, and a copy of that year.

A copy asks only whether so much can be served, not at what operating cost. Two things keep it small. What is left over may
simply be left (a plant would run less, or stock it), so no surplus is decided; and of the lanes that the loss leaves, the
cheapest few from each sender and into each taker are offered, so that a shortfall is never told too small.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from hubplan.model.assembly import Assembly
from hubplan.model.rulebook import UNITS

if TYPE_CHECKING:
    from hubplan.model.formulation import Variables
    from hubplan.model.instance import Instance

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

KT, M_USD = UNITS["t"], UNITS["USD"]
KEEP_FROM, KEEP_INTO = 3, 2
"""Lanes of a copy from each sender (to takers that stand, and as many to those that may be built), and into each taker."""


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What is gone in one copy.

    Parameters
    ----------
    name
        The site, facility, port, zone or country that is lost.
    stands
        Facilities that are left; shape (N,).
    lane_open
        Lanes that are left; shape (A,).
    asks
        Rows of demand that count: a market that is lost itself asks for nothing; shape (D,).
    """

    name: str
    stands: Bools
    lane_open: Bools
    asks: Bools


@dataclass(frozen=True, kw_only=True)
class Contingencies:
    """N-1: in a year of a period, with any one loss, this share of each product's demand is served, or the rest is paid for."""

    period: int
    served_share: float
    shortfall_usd_t: float
    losses: tuple[Loss, ...]


@dataclass(frozen=True, kw_only=True)
class Recourse:
    """Columns of one copy, or their values in t; in ids -1 where the decision does not exist.

    Parameters
    ----------
    run, flow
        Activity of processes (M,) and flows on lanes (A,) in the year.
    short
        By product of `asked_yearly_t`: how much less than the share is served.
    """

    run: npt.NDArray[Any]
    flow: npt.NDArray[Any]
    short: npt.NDArray[Any]


def asked_yearly_t(inst: Instance, period: int, asks: Bools) -> pd.Series:
    """Demand of a year by product and balance, t."""
    rows = inst.demand[asks & (inst.demand["period"] == period).to_numpy(dtype=bool)]
    total: pd.Series = rows.groupby(["product", "balance"], sort=True)["demand_t"].sum() / inst.block_years[period]
    return total


def add_copy(model: Assembly, inst: Instance, var: Variables, contingencies: Contingencies, loss: Loss) -> Recourse:
    """Add one year without what is lost: capacity from the plan's own sizes, stocks as the period before left them."""
    t = contingencies.period
    facility = _facility_of(inst)
    here = np.where(facility >= 0, loss.stands[facility], True)  # (B,)
    tail, head = (inst.lanes[end].to_numpy(dtype=int) for end in ("tail", "head"))
    owner = inst.processes["facility"].to_numpy(dtype=int)
    usable = loss.lane_open & (var.flow[:, t] >= 0) & here[tail] & here[head]
    flow, run = _ids(model, _nearest(inst, usable, facility, t)), _ids(model, (var.run[:, t] >= 0) & loss.stands[owner])
    _add_capacity(model, inst, var, run, t)
    _add_offers(model, inst, run, t)
    _add_balance(model, inst, run, flow, carried=np.where(here, var.stock[:, t - 1], -1) if t else None)
    return Recourse(run=run, flow=flow, short=_add_served(model, inst, flow, contingencies, loss))


def _facility_of(inst: Instance) -> Ints:
    """Row of the facility of each balance; -1 at a market."""
    row = dict(zip(inst.facilities["facility"], range(len(inst.facilities)), strict=True))
    found = np.array([row.get(place, -1) for place in inst.balances["place"]], dtype=int)
    return np.where(inst.balances["market"].to_numpy(dtype=bool), -1, found)


def _ids(model: Assembly, mask: Bools) -> Ints:
    ids = np.full(mask.shape, -1, dtype=np.int64)
    ids[mask] = model.add_columns(int(mask.sum()))
    return ids


def _nearest(inst: Instance, usable: Bools, facility: Ints, t: int) -> Bools:
    """Of the usable lanes, the cheapest few from each sender to what stands and to what may be built, and into each taker."""
    lanes = inst.lanes.loc[usable, ["tail", "head"]]
    costs = inst.lanes.loc[usable, ["freight_usd_t", "transit_usd_t", "surcharge_usd_t"]].sum(axis=1)
    at = facility[lanes["head"].to_numpy(dtype=int)]
    stands = np.where(at >= 0, inst.existing_t_yr[at, t] > 0, True)
    ordered = lanes.assign(cost=costs, stands=stands).sort_values("cost", kind="stable")
    from_sender = ordered.groupby(["tail", "stands"]).cumcount() < KEEP_FROM
    into_taker = ordered.groupby("head").cumcount() < KEEP_INTO
    kept = np.zeros(len(usable), dtype=bool)
    kept[ordered.index[(from_sender | into_taker).to_numpy()].to_numpy()] = True
    return kept


def _add_capacity(model: Assembly, inst: Instance, var: Variables, run: Ints, t: int) -> None:
    """What a facility processes in the year is at most its mean capacity of the period; only those with a process have a row."""
    owner = inst.processes["facility"].to_numpy(dtype=int)
    live = np.unique(owner[run >= 0])
    share = inst.available_share[live, t]
    standing = inst.existing_t_yr[live, t] * share / KT
    kept = var.kept[live, t]
    rows = np.full(len(inst.facilities), -1, dtype=np.int64)
    rows[live] = model.add_rows("N-1 capacity", len(live), upper=np.where(kept >= 0, 0.0, standing))
    model.add_terms(rows[live], kept, -standing)
    model.add_terms(rows[owner], run, inst.processes["capacity_use"].to_numpy(float))
    for opened in range(t + 1):
        usable = inst.ramp_share[live, opened, t] * share
        model.add_terms(rows[live], var.size[live, opened], -usable)
        if opened:
            model.add_terms(rows[live], var.size[live, opened - 1], usable)


def _add_offers(model: Assembly, inst: Instance, run: Ints, t: int) -> None:
    """All doors together buy at most what an offer has in a year of the period."""
    rules = inst.rules
    for row, offer in rules.of("purchase").iterrows():
        terms = rules.rule == row
        if offer["period"] == t and terms.any():
            limit = model.add_rows("N-1 offer", 1, upper=offer["limit"] / inst.block_years[t] / KT)
            model.add_terms(limit, run[rules.row[terms]], rules.weight[terms])


def _add_balance(model: Assembly, inst: Instance, run: Ints, flow: Ints, *, carried: Ints | None) -> None:
    """Used and sent is at most made, arrived and in stock at the end of the period before."""
    tail, head = (inst.lanes[end].to_numpy(dtype=int) for end in ("tail", "head"))
    touched = np.zeros(len(inst.balances), dtype=bool)
    touched[tail[flow >= 0]] = True
    touched[inst.term_balance[run[inst.term_process] >= 0]] = True
    inner = np.flatnonzero(touched & ~inst.balances["market"].to_numpy(dtype=bool))
    rows = np.full(len(inst.balances), -1, dtype=np.int64)
    rows[inner] = model.add_rows("N-1 balance", len(inner), lower=0.0)
    model.add_terms(rows[inst.term_balance], run[inst.term_process], inst.term_t_t)
    model.add_terms(rows[tail], flow, -1.0)
    into = rows[head] >= 0
    model.add_terms(rows[head[into]], flow[into], 1.0)
    if carried is not None:
        model.add_terms(rows[inner], carried[inner], 1.0)


def _add_served(model: Assembly, inst: Instance, flow: Ints, contingencies: Contingencies, loss: Loss) -> Ints:
    """No market takes more than a year's demand, and together they take the share asked for, or the rest is paid for."""
    asked = asked_yearly_t(inst, contingencies.period, loss.asks) / KT
    head = inst.lanes["head"].to_numpy(dtype=int)
    rows = np.full(len(inst.balances), -1, dtype=np.int64)
    markets = asked.index.get_level_values("balance").to_numpy(dtype=int)
    rows[markets] = model.add_rows("N-1 market", len(markets), upper=asked.to_numpy())
    into = rows[head] >= 0
    model.add_terms(rows[head[into]], flow[into], 1.0)
    required = asked.groupby(level="product", sort=True).sum() * contingencies.served_share
    price = contingencies.shortfall_usd_t * KT / M_USD * inst.discount[contingencies.period]
    short = model.add_columns(len(required), upper=required.to_numpy(), cost=price)
    served = model.add_rows("N-1 served", len(required), lower=required.to_numpy())
    number = dict(zip(required.index, range(len(required)), strict=True))
    product = np.full(len(inst.balances), -1, dtype=np.int64)
    product[markets] = [number[name] for name in asked.index.get_level_values("product")]
    model.add_terms(served[product[head[into]]], flow[into], 1.0)
    model.add_terms(served, short, 1.0)
    return short


def read_copies(copies: tuple[Recourse, ...], take: Callable[[Ints], Floats]) -> tuple[Recourse, ...]:
    """Values of the copies' columns."""
    return tuple(Recourse(run=take(c.run), flow=take(c.flow), short=take(c.short)) for c in copies)
