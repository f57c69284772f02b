"""From tables, routes and a scenario to an `Instance`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from hubplan.data.access import Access, resolve_access
from hubplan.data.chain import STOCKED, build_chain
from hubplan.data.frames import rows_of
from hubplan.data.scenario import Scenario
from hubplan.data.tables import Tables
from hubplan.errors import DataError, Fault
from hubplan.model.calendar import build_calendar, ramped
from hubplan.model.draft import Draft
from hubplan.model.emissions import with_co2
from hubplan.model.facilities import STOCKPILE, add_collections, add_mines, add_plants, add_stockpiles
from hubplan.model.instance import Instance
from hubplan.model.lanes import LaneFinder
from hubplan.model.legal import MARK, add_qualified, find_lawful_lanes
from hubplan.model.losses import find_contingencies
from hubplan.model.policy.page import write_rules
from hubplan.model.purchases import STAGE as PURCHASE
from hubplan.model.purchases import add_purchase_lanes, add_purchases, find_purchases
from hubplan.model.rulebook import Rulebook
from hubplan.model.rules import (
    find_available_share,
    find_byproducts,
    find_demand,
    find_growth,
    find_keeping,
    find_locks,
    find_must_open,
    find_open_lanes,
    find_reported,
    find_yearly_needs,
)
from hubplan.model.supply import KEEP_LEAST, add_downstream, add_stock_lanes, add_upstream
from hubplan.routing.routes import Routes

STORAGE_SHARE_YR = 0.01
"""Yearly cost of keeping separated oxides, as a share of their value; assumed (warehouse, insurance, assay)."""


def build_instance(tables: Tables, routes: Routes, scenario: Scenario, *, access: Access | None = None) -> Instance:
    """Line up the numbers of one scenario.

    Parameters
    ----------
    tables, routes
        The world, and the ways this scenario leaves open in it.

    Raises
    ------
    DataError
        Something cannot be modelled: a lost passage (close it in `routes.closed` instead), or numbers that make no sense.
    """
    access = access or resolve_access(scenario, tables)
    _refuse_unmodelled(scenario, tables)
    draft = Draft(tables, scenario, access, routes, build_chain(tables), build_calendar(scenario))
    add_mines(draft)
    add_plants(draft)
    add_collections(draft)
    add_stockpiles(draft)
    add_purchases(draft)
    finder = LaneFinder(routes, least=KEEP_LEAST)
    add_upstream(draft, finder)
    demand = find_demand(draft)
    add_downstream(draft, finder, demand)
    add_stock_lanes(draft, finder, demand)
    add_purchase_lanes(draft, finder, demand)
    add_qualified(draft)
    inst = _assemble(draft, finder, demand)
    rules = write_rules(Rulebook(inst, draft))
    return replace(inst, rules=rules, contingencies=find_contingencies(draft, inst))


def _refuse_unmodelled(scenario: Scenario, tables: Tables) -> None:
    passages = set(tables.zones["zone"]) | set(tables.ports["port"]) | set(tables.terminals["terminal"])
    faults = [
        Fault(
            f"shock.lost, {loss.id}",
            "a passage lost for some years only is not modelled",
            "close it in routes.closed, for all years",
        )
        for loss in scenario.shock.lost
        if loss.id in passages
    ]
    if faults:
        raise DataError(faults)


def _assemble(draft: Draft, finder: LaneFinder, demand: pd.DataFrame) -> Instance:
    calendar, tables = draft.calendar, draft.tables
    for row in rows_of(demand):
        draft.balance(row.product, "", row.market)
    balances = pd.DataFrame(list(draft.balances), columns=["commodity", "tag", "place"])
    balances["market"] = balances["place"].isin(set(demand["market"]))
    commodity = balances["commodity"].to_numpy(dtype=str)
    demand = demand.assign(balance=[draft.balances[r.product, "", r.market] for r in rows_of(demand)])
    byproducts = find_byproducts(draft)
    fixed, limits = find_reported(draft)
    needs = find_yearly_needs(draft, demand)
    value = dict(zip(tables.commodities["commodity"], tables.commodities["value_usd_t"].astype(float), strict=True))
    held = np.zeros((len(balances), len(calendar.first)), dtype=bool)
    for row in rows_of(fixed):
        mine = str(draft.facilities[draft.processes[row.process]["facility"]]["facility"])
        held[(balances["place"] == mine).to_numpy(), row.period] = True
    lanes, processes = with_co2(draft, pd.DataFrame(draft.lanes), pd.DataFrame(draft.processes))
    loose = ("lace-oxide", "other-oxide", "sm-oxide", "gd-oxide", "y-oxide", "heavy-concentrate", "scrap")
    surplus = np.isin(commodity, loose) | np.char.startswith(commodity, "swarf-")
    market = balances["market"].to_numpy(dtype=bool)
    works = ~(market | _at(draft, balances, STOCKPILE) | _at(draft, balances, PURCHASE))
    made = works & _made_here(draft, balances)
    kept = made | _at(draft, balances, STOCKPILE)
    terms = np.array(draft.terms, dtype=float).reshape(-1, 3)
    t = len(calendar.first)
    ramp = np.zeros((len(draft.facilities), t, t))
    for n, profile in enumerate(draft.ramps):
        for opened, year in enumerate(calendar.first):
            ramp[n, opened] = ramped(calendar, year, profile)
    row_of = {str(row["facility"]): n for n, row in enumerate(draft.facilities)}
    return Instance(
        periods=calendar.first,
        block_years=calendar.block_years,
        discount=calendar.discount,
        facilities=pd.DataFrame(draft.facilities),
        existing_t_yr=np.array(draft.existing),
        installed_t_yr=np.array(draft.installed),
        ramp_share=ramp,
        available_share=find_available_share(draft),
        balances=balances,
        processes=processes,
        term_process=terms[:, 0].astype(int),
        term_balance=terms[:, 1].astype(int),
        term_t_t=terms[:, 2],
        lanes=lanes,
        lane_open=find_open_lanes(draft, lanes) & find_lawful_lanes(draft, lanes),
        lane_whole=np.zeros(len(lanes), dtype=bool),
        demand=demand,
        byproducts=byproducts,
        may_hold=surplus & works & _made_here(draft, balances),  # what nobody takes stays where it is made
        may_sell=np.isin(commodity, byproducts["commodity"].to_numpy(dtype=str)) & made,
        may_stock=np.isin(commodity, STOCKED) & kept & ~balances["tag"].str.endswith(MARK).to_numpy(dtype=bool),
        held_periods=held,
        storage_usd_t_yr=np.array([STORAGE_SHARE_YR * value[c] for c in commodity]),
        fixed_output=fixed,
        output_limits=limits,
        locks=find_locks(draft),
        purchases=find_purchases(draft),
        yearly_needs=needs,
        growth=find_growth(draft),
        keep_usd_yr=find_keeping(draft),
        co2_usd_t=draft.scenario.policy.co2_usd_t,
        must_open=tuple(find_must_open(draft, row_of)),
        counts={
            "lanes": len(lanes),
            "lanes_offered": finder.offered,
            "facilities": len(draft.facilities),
            "processes": len(draft.processes),
        },
    )


def _at(draft: Draft, balances: pd.DataFrame, stage: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Balances at facilities of a stage."""
    places = {str(row["facility"]) for row in draft.facilities if row["stage"] == stage}
    return balances["place"].isin(list(places)).to_numpy(dtype=bool)


def _made_here(draft: Draft, balances: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Balances at facilities that make the commodity, not only use it."""
    made = np.zeros(len(balances), dtype=bool)
    for _, balance, amount in draft.terms:
        made[balance] |= amount > 0
    return made
