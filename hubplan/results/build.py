"""From a solution's raw values to a `Plan`: tidy tables in t and USD."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from hubplan.data.access import Access
from hubplan.data.chain import build_chain
from hubplan.data.frames import rows_of
from hubplan.data.scenario import Scenario
from hubplan.data.tables import Tables
from hubplan.model.instance import Instance
from hubplan.model.lanes import ON_SITE
from hubplan.model.legal import plain
from hubplan.model.purchases import STAGE as PURCHASE
from hubplan.model.rulebook import UNITS, WHOLE
from hubplan.model.solution import Solution
from hubplan.results.copies import build_copies, count_losses, routes_of, shortfall_rows, shortfall_usd
from hubplan.results.coverage import build_coverage
from hubplan.results.emissions import build_emissions
from hubplan.results.exposure import build_exposure
from hubplan.results.plan import KEYS, Plan, as_table
from hubplan.results.qualified import build_qualified, merge_kinds, real_processes
from hubplan.results.reasons import build_reasons
from hubplan.results.shadow import build_shadow_prices
from hubplan.results.shares import build_shares
from hubplan.results.support import build_support
from hubplan.routing.routes import Routes

Floats = npt.NDArray[np.float64]

SMALLEST_T = 1e-4
"""Tonnes below which an amount is the solver's rounding, not a decision."""
COLLECTION = "collection"


def build_plan(
    inst: Instance,
    solution: Solution,
    *,
    tables: Tables,
    routes: Routes,
    scenario: Scenario,
    access: Access,
    seconds: Mapping[str, float] | None = None,
) -> Plan:
    """Write a solution as tables.

    Parameters
    ----------
    inst, solution
        The problem and its answer.
    tables, routes, scenario, access
        What the instance was built from; only names, coordinates and legs are taken from them.
    seconds
        Wall time of earlier steps.
    """
    flows = _flows(inst, solution)
    copies = build_copies(inst, solution)
    used = sorted((set(flows["route"]) | routes_of(copies)) - {ON_SITE})
    legs = routes.legs(used)
    costs = _costs(inst, solution, flows)
    value = dict(zip(tables.commodities["commodity"], tables.commodities["value_usd_t"].astype(float), strict=True))
    hubs = _hubs(inst, solution, tables)
    named = sorted({*hubs["site"], *flows["origin"], *flows["destination"], *inst.demand["market"]})
    sites = tables.sites.loc[tables.sites["site"].isin(named), ["site", "name", "kind", "country", "lon", "lat"]]
    periods = pd.DataFrame({"period": inst.periods, "years": inst.block_years.astype(int), "discount": inst.discount})
    processes, surplus = _processes(inst, solution), _surplus(inst, solution)
    earning = hubs[hubs["stage"] != "purchase"].reset_index(drop=True)
    sold = {"hubs": earning, "processes": processes, "flows": flows, "surplus": surplus}
    support, facts = build_support(sold, tables, scenario)
    return Plan(
        scenario=scenario,
        access=access,
        status=solution.status,
        objective_usd=solution.cost_usd,
        bound_usd=solution.bound_usd,
        gap_share=solution.gap_share,
        seconds={**(seconds or {}), **solution.seconds},
        inputs=dict(tables.hashes),
        solver=solution.solver,
        counts={**inst.counts, **count_losses(inst, solution)},
        periods=as_table("periods", periods),
        sites=as_table("sites", sites),
        hubs=hubs,
        processes=processes,
        flows=flows,
        surplus=surplus,
        stocks=_stocks(inst, solution),
        demand=_demand(inst, solution),
        costs=costs,
        violations=_violations(inst, solution),
        contingencies=copies,
        qualified=build_qualified(inst, solution),
        legs=legs,
        routes=routes.lines(used),
        exposure=build_exposure(flows, legs, value, tables=tables, bought=_bought(inst)),
        shares=build_shares(hubs, tables),
        emissions=build_emissions(flows, legs, hubs, processes, tables=tables),
        coverage=build_coverage(inst, solution, build_chain(tables), access=access, value_usd_t=value),
        support=as_table("support", support),
        support_facts=facts,
        shadow_prices=build_shadow_prices(inst, solution.prices),
        reasons=build_reasons(
            inst, solution, flows, names=dict(zip(tables.sites["site"], tables.sites["name"], strict=True))
        ),
    )


def _long(
    values: Floats, inst: Instance, *, above: float = SMALLEST_T
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats]:
    """Rows, periods and amounts of the cells that are more than rounding."""
    rows, at = np.nonzero(np.abs(values) > above)
    return rows, at, values[rows, at]


def _flows(inst: Instance, solution: Solution) -> pd.DataFrame:
    rows, at, amount = _long(solution.flow_t, inst)
    lanes = inst.lanes.iloc[rows].reset_index(drop=True)
    place = inst.balances["place"].to_numpy()
    table = pd.DataFrame(
        {
            "period": np.array(inst.periods)[at],
            "commodity": lanes["commodity"],
            "mine": lanes["tag"],
            "origin": lanes["origin"],
            "destination": lanes["destination"],
            "origin_facility": place[lanes["tail"].to_numpy(dtype=int)],
            "destination_facility": place[lanes["head"].to_numpy(dtype=int)],
            "route": lanes["route"],
            "flow_t": amount,
            "freight_usd": amount * lanes["freight_usd_t"].to_numpy(float),
            "transit_usd": amount * lanes["transit_usd_t"].to_numpy(float),
            "surcharge_usd": amount * lanes["surcharge_usd_t"].to_numpy(float),
        }
    )
    table["cost_usd"] = table["freight_usd"] + table["transit_usd"] + table["surcharge_usd"]
    return as_table("flows", merge_kinds(table, KEYS["flows"]))


def _installed(inst: Instance, solution: Solution) -> tuple[Floats, Floats, Floats]:
    """Size built in each period, standing capacity, and usable capacity after ramp and losses, t/yr."""
    built = np.diff(solution.size_t_yr, axis=1, prepend=0.0)
    usable = (
        inst.existing_t_yr * solution.kept_share + np.einsum("nq,nqt->nt", built, inst.ramp_share)
    ) * inst.available_share
    return built, inst.installed_t_yr * solution.kept_share + solution.size_t_yr, usable


def _bought(inst: Instance) -> dict[str, str]:
    """Facility that buys outside the plan to the country it buys from."""
    doors = inst.facilities[inst.facilities["stage"] == PURCHASE]
    return dict(zip(doors["facility"], doors["country"], strict=True))


def _use(inst: Instance, solution: Solution) -> Floats:
    """Throughput in capacity units; shape (N, T)."""
    total = np.zeros(inst.existing_t_yr.shape)
    np.add.at(
        total,
        inst.processes["facility"].to_numpy(dtype=int),
        solution.run_t * inst.processes["capacity_use"].to_numpy(float)[:, None],
    )
    return total


def _variable_opex(inst: Instance, solution: Solution) -> Floats:
    total = np.zeros(inst.existing_t_yr.shape)
    np.add.at(
        total,
        inst.processes["facility"].to_numpy(dtype=int),
        solution.run_t * inst.processes["opex_usd_t"].to_numpy(float)[:, None],
    )
    return total


def _purchases_usd(inst: Instance, solution: Solution) -> Floats:
    """What is paid for what is bought outside the plan, USD in each period; shape (N, T)."""
    total = np.zeros(inst.existing_t_yr.shape)
    np.add.at(total, inst.processes["facility"].to_numpy(dtype=int), solution.run_t * inst.purchase_usd_t)
    return total


def _closable(inst: Instance) -> npt.NDArray[np.bool_]:
    """What stands in a period and may be closed; shape (N, T)."""
    return np.asarray((inst.installed_t_yr > 0) & (inst.keep_usd_yr > 0)[:, None])


def _keeping(inst: Instance, solution: Solution) -> Floats:
    """What it costs to keep what stands and may be closed, USD in each period; shape (N, T)."""
    return np.where(_closable(inst), inst.keep_usd_yr[:, None] * solution.kept_share, 0.0) * inst.block_years


def _capital(inst: Instance, solution: Solution) -> Floats:
    """Overnight capital standing by t, USD; shape (N, T)."""
    fixed, slope = (
        inst.facilities[name].to_numpy(float)[:, None] for name in ("capital_fixed_usd", "capital_slope_usd_t_yr")
    )
    return np.asarray(fixed * solution.opened + slope * solution.size_t_yr)


def _hubs(inst: Instance, solution: Solution, tables: Tables) -> pd.DataFrame:
    built, standing, usable = _installed(inst, solution)
    use = _use(inst, solution)
    capital = _capital(inst, solution)
    fixed = capital * inst.facilities["fixed_opex_share"].to_numpy(float)[:, None] * inst.block_years
    fixed = fixed + _keeping(inst, solution)
    opex = _variable_opex(inst, solution) + _purchases_usd(inst, solution) + fixed
    capex = np.diff(capital, axis=1, prepend=0.0)
    shown = (inst.facilities["stage"] != COLLECTION).to_numpy()[:, None] & (
        (use > SMALLEST_T) | (solution.size_t_yr > SMALLEST_T) | (_closable(inst) & (standing > SMALLEST_T))
    )
    rows, at = np.nonzero(shown)
    fac = inst.facilities.iloc[rows].reset_index(drop=True)
    places = tables.sites.set_index("site")
    cell = (rows, at)
    table = fac[["facility", "site", "name", "stage", "country"]].assign(
        lon=places["lon"].reindex(fac["site"]).to_numpy(float),
        lat=places["lat"].reindex(fac["site"]).to_numpy(float),
        period=np.array(inst.periods)[at],
        built_t_yr=built[cell],
        capacity_t_yr=standing[cell],
        usable_t_yr=usable[cell],
        throughput_t=use[cell],
        capex_usd=capex[cell],
        opex_usd=opex[cell],
        is_new=solution.size_t_yr[cell] > SMALLEST_T,
    )
    return as_table("hubs", table)


def _processes(inst: Instance, solution: Solution) -> pd.DataFrame:
    rows, at, amount = _long(solution.run_t, inst)
    facility = inst.facilities["facility"].to_numpy()[inst.processes["facility"].to_numpy(dtype=int)[rows]]
    table = pd.DataFrame(
        {
            "period": np.array(inst.periods)[at],
            "facility": facility,
            "process": inst.processes["process"].to_numpy()[rows],
            "input_t": amount,
        }
    )
    return as_table("processes", merge_kinds(real_processes(table), KEYS["processes"]))


def _prices(inst: Instance) -> pd.Series:
    return inst.byproducts.set_index(["commodity", "period"])["price_usd_t"].astype(float)


def _surplus(inst: Instance, solution: Solution) -> pd.DataFrame:
    both = solution.held_t + solution.sold_t
    rows, at, _ = _long(both, inst)
    site = dict(zip(inst.facilities["facility"], inst.facilities["site"], strict=True))
    balances = inst.balances.iloc[rows].reset_index(drop=True)
    sold = solution.sold_t[rows, at]
    prices = _prices(inst).to_dict()
    paid = np.array([prices.get((c, t), 0.0) for c, t in zip(balances["commodity"], at, strict=True)])
    table = pd.DataFrame(
        {
            "period": np.array(inst.periods)[at],
            "facility": balances["place"],
            "site": balances["place"].map(site),
            "commodity": balances["commodity"],
            "mine": balances["tag"].map(plain),
            "held_t": solution.held_t[rows, at],
            "sold_t": sold,
            "revenue_usd": sold * paid,
        }
    )
    return as_table("surplus", merge_kinds(table, KEYS["surplus"]))


def _stocks(inst: Instance, solution: Solution) -> pd.DataFrame:
    """Stocks of a site's plants together."""
    site = dict(zip(inst.facilities["facility"], inst.facilities["site"], strict=True))
    keys = inst.balances.assign(site=inst.balances["place"].map(site))
    closing = pd.DataFrame(solution.stock_t, columns=list(inst.periods)).assign(
        site=keys["site"], commodity=keys["commodity"]
    )
    closing = closing[inst.may_stock].groupby(["site", "commodity"], sort=True).sum()
    closing = closing[(closing > SMALLEST_T).any(axis=1)]
    rows = []
    for key, values in closing.iterrows():
        place, commodity = cast(tuple[str, str], key)
        opening = 0.0
        for period, amount in values.items():
            rows.append(
                {
                    "site": place,
                    "commodity": commodity,
                    "period": period,
                    "opening_t": opening,
                    "added_t": max(0.0, amount - opening),
                    "drawn_t": max(0.0, opening - amount),
                    "closing_t": amount,
                }
            )
            opening = float(amount)
    table = pd.DataFrame(rows, columns=["site", "commodity", "period", "opening_t", "added_t", "drawn_t", "closing_t"])
    return as_table("stocks", table.assign(days_of_cover=_days(table, inst)))


def _days(stocks: pd.DataFrame, inst: Instance) -> Floats:
    """Days that a stock lasts against the yearly need of the demand in view; NaN where no need is known."""
    yearly = {(row.commodity, inst.periods[int(row.period)]): row.yearly_t for row in rows_of(inst.yearly_needs)}
    found = [
        row.closing_t / yearly[row.commodity, row.period] * 365
        if yearly.get((row.commodity, row.period), 0.0) > 0
        else np.nan
        for row in rows_of(stocks)
    ]
    return np.array(found, dtype=float)


def _demand(inst: Instance, solution: Solution) -> pd.DataFrame:
    unmet = np.where(solution.unmet_t > SMALLEST_T, solution.unmet_t, 0.0)
    asked = inst.demand["demand_t"].to_numpy(float)
    table = inst.demand[["market", "product", "sector"]].assign(
        period=np.array(inst.periods)[inst.demand["period"].to_numpy(dtype=int)],
        demand_t=asked,
        served_t=asked - unmet,
        unmet_t=unmet,
        penalty_usd=unmet * inst.demand["unmet_usd_t"].to_numpy(float),
    )
    return as_table("demand", table)


def _costs(inst: Instance, solution: Solution, flows: pd.DataFrame) -> pd.DataFrame:
    """Lines of cost by period. They are summed from raw values, so that the discounted lines make up the objective."""
    capital = _capital(inst, solution) * inst.block_years
    opex = _variable_opex(inst, solution)
    mines = (inst.facilities["stage"] == "mine").to_numpy()
    lanes = {
        name: (solution.flow_t * inst.lanes[name].to_numpy(float)[:, None]).sum(axis=0)
        for name in ("freight_usd_t", "transit_usd_t", "surcharge_usd_t")
    }
    at = inst.demand["period"].to_numpy(dtype=int)
    unmet: Floats = np.bincount(
        at, solution.unmet_t * inst.demand["unmet_usd_t"].to_numpy(float), minlength=len(inst.periods)
    ).astype(float)
    price = np.zeros(solution.sold_t.shape)
    commodity = inst.balances["commodity"].to_numpy()
    for row in rows_of(inst.byproducts):
        price[commodity == row.commodity, int(row.period)] = row.price_usd_t
    lines: dict[str, Floats] = {
        "capital": (capital * inst.facilities["annuity_share"].to_numpy(float)[:, None]).sum(axis=0),
        "fixed_operating": (capital * inst.facilities["fixed_opex_share"].to_numpy(float)[:, None]).sum(axis=0)
        + _keeping(inst, solution).sum(axis=0),
        "mining": opex[mines].sum(axis=0),
        "processing": opex[~mines].sum(axis=0),
        "purchases": _purchases_usd(inst, solution).sum(axis=0),
        "freight": lanes["freight_usd_t"],
        "transit_inventory": lanes["transit_usd_t"],
        "risk_surcharge": lanes["surcharge_usd_t"],
        "carbon": _carbon_usd(inst, solution),
        "storage": (solution.stock_t * inst.storage_usd_t_yr[:, None]).sum(axis=0) * inst.block_years,
        "unmet": unmet,
        "byproduct_sales": -(solution.sold_t * price).sum(axis=0),
        "rule_violations": _breaches_usd(inst, solution) + shortfall_usd(inst, solution),
    }
    rows = [
        {
            "line": line,
            "period": period,
            "cost_usd": float(cost[t]),
            "discounted_usd": float(cost[t] * inst.discount[t]),
        }
        for line, cost in lines.items()
        for t, period in enumerate(inst.periods)
    ]
    return as_table("costs", pd.DataFrame(rows))


def _carbon_usd(inst: Instance, solution: Solution) -> Floats:
    """Price of the CO2 of each period."""
    if inst.co2_usd_t == 0:
        return np.zeros(len(inst.periods))
    moved = inst.lanes["co2_t_t"].to_numpy(float) @ solution.flow_t
    made = inst.processes["co2_t_t"].to_numpy(float) @ solution.run_t
    return np.asarray(inst.co2_usd_t * (moved + made))


def _breaches_usd(inst: Instance, solution: Solution) -> Floats:
    """Price of broken rules by period; a rule of the whole horizon counts in the first, undiscounted."""
    table = inst.rules.table
    price = np.nan_to_num(table["penalty_usd"].to_numpy(dtype=float), posinf=0.0)
    at = np.maximum(table["period"].to_numpy(dtype=int), 0)
    whole = table["period"].to_numpy(dtype=int) == WHOLE
    worth = np.where(whole, 1.0 / inst.discount[0], 1.0)
    return np.bincount(at, solution.broken * price * worth, minlength=len(inst.periods)).astype(float)


def _violations(inst: Instance, solution: Solution) -> pd.DataFrame:
    """Rules that are broken; a rule of the whole horizon is told under its first period."""
    rows = [
        {
            "rule": rule.family,
            "id": rule.id,
            "period": inst.periods[max(int(rule.period), 0)],
            "amount": float(amount),
            "unit": rule.unit,
            "penalty_usd": float(amount) * rule.penalty_usd,
        }
        for rule, amount in zip(rows_of(inst.rules.table), solution.broken, strict=True)
        if amount > SMALLEST_T * UNITS[rule.unit] / UNITS["t"]
    ]
    return as_table("violations", pd.DataFrame([*rows, *shortfall_rows(inst, solution)]))
