"""What holds for any instance: it matches a dumb solver, and moves the right way when the world changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from oracles import enumerate_hubs
from strategies import instances

from hubplan.model.instance import Instance
from hubplan.model.rulebook import HARD, KINDS, UNITS, WHOLE, Rules
from hubplan.model.solution import Solution
from model.worlds import solve

some = settings(
    phases=[p for p in Phase if p is not Phase.explain],
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def near(usd: float) -> object:
    """Equal to the gap at which a plan counts as optimal."""
    return pytest.approx(usd, rel=2e-6, abs=1e-2)


@settings(some, max_examples=80)
@given(instances())
def test_equals_a_solver_that_tries_every_set_of_openings(inst):
    solution = solve(inst)
    assert solution.status == "optimal"
    assert solution.cost_usd == near(enumerate_hubs(inst))


@some
@given(instances(), st.data())
def test_closing_a_lane_never_lowers_cost(inst, data):
    shut = data.draw(st.integers(0, len(inst.lanes) - 1))
    fewer = inst.lane_open.copy()
    fewer[shut] = False
    assert solve(replace(inst, lane_open=fewer)).cost_usd >= solve(inst).bound_usd - 1e-2


@some
@given(instances(), st.data())
def test_losing_a_facility_never_lowers_cost(inst, data):
    lost = data.draw(st.integers(0, len(inst.facilities) - 1))
    left = inst.available_share.copy()
    left[lost] = 0.0
    assert solve(replace(inst, available_share=left)).cost_usd >= solve(inst).bound_usd - 1e-2


@some
@given(instances().filter(lambda inst: len(inst.rules) > 0), st.data())
def test_a_rule_dropped_never_raises_cost(inst, data):
    dropped = data.draw(st.integers(0, len(inst.rules) - 1))
    freer = replace(inst, rules=without_rule(inst.rules, dropped))
    assert solve(freer).bound_usd <= solve(inst).cost_usd + 1e-2


def without_rule(rules: Rules, dropped: int) -> Rules:
    """All rules but one."""
    keep = rules.rule != dropped
    terms = {name: getattr(rules, name)[keep] for name in ("kind", "row", "period", "weight")}
    left = rules.rule[keep]
    table = rules.table.drop(index=dropped).reset_index(drop=True)
    return Rules(table=table, rule=left - (left > dropped), **terms)


@some
@given(instances(), st.floats(1.0, 3.0))
def test_more_capacity_never_raises_cost(inst, factor):
    more = inst.facilities.assign(largest_t_yr=inst.facilities["largest_t_yr"] * factor)
    richer = replace(inst, existing_t_yr=inst.existing_t_yr * factor, facilities=more)
    assert solve(richer).bound_usd <= solve(inst).cost_usd + 1e-2


def dearer_rules(rules: Rules, factor: float) -> Rules:
    """Prices of breaches, and what is counted in money."""
    money = (rules.table["unit"] == "USD").to_numpy()
    table = rules.table.assign(
        penalty_usd=rules.table["penalty_usd"] * np.where(money, 1.0, factor),
        limit=rules.table["limit"] * np.where(money, factor, 1.0),
    )
    return replace(rules, table=table, weight=rules.weight * np.where(money[rules.rule], factor, 1.0))


@some
@given(instances(), st.sampled_from([0.25, 4.0]))
def test_scaling_money_scales_cost(inst, factor):
    def scaled(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
        return frame.assign(**{column: frame[column] * factor for column in columns})

    dearer = replace(
        inst,
        facilities=scaled(inst.facilities, "capital_fixed_usd", "capital_slope_usd_t_yr"),
        processes=scaled(inst.processes, "opex_usd_t"),
        purchases=scaled(inst.purchases, "price_usd_t"),
        lanes=scaled(inst.lanes, "freight_usd_t", "transit_usd_t", "surcharge_usd_t"),
        demand=scaled(inst.demand, "unmet_usd_t"),
        byproducts=scaled(inst.byproducts, "price_usd_t"),
        storage_usd_t_yr=inst.storage_usd_t_yr * factor,
        keep_usd_yr=inst.keep_usd_yr * factor,
        rules=dearer_rules(inst.rules, factor),
    )
    assert solve(dearer).cost_usd == near(solve(inst).cost_usd * factor)


def moved_rules(rules: Rules, **orders: list[int]) -> Rules:
    """The same rules over decisions whose rows are in another order."""
    row = rules.row.copy()
    for kind, order in orders.items():
        here = rules.kind == KINDS.index(kind)
        row[here] = np.argsort(order)[rules.row[here]]
    return replace(rules, row=row)


@some
@given(instances(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(inst, random):
    """Lanes, demand and processes in another order, with the columns that go along."""
    lanes, wants, runs = (random.sample(range(k), k) for k in (len(inst.lanes), len(inst.demand), len(inst.processes)))
    moved = np.argsort(runs) if runs else np.empty(0, int)
    other = replace(
        inst,
        lanes=inst.lanes.iloc[lanes].reset_index(drop=True),
        lane_open=inst.lane_open[lanes],
        lane_whole=inst.lane_whole[lanes],
        demand=inst.demand.iloc[wants].reset_index(drop=True),
        processes=inst.processes.iloc[runs].reset_index(drop=True),
        term_process=moved[inst.term_process],
        purchases=inst.purchases.assign(process=moved[inst.purchases["process"].to_numpy(int)]),
        rules=moved_rules(inst.rules, flow=lanes, unmet=wants, run=runs),
    )
    assert solve(other).cost_usd == near(solve(inst).cost_usd)


@some
@given(instances())
def test_no_plan_costs_less_than_its_bound(inst):
    solution = solve(inst)
    assert solution.bound_usd <= solution.cost_usd
    assert solution.gap_share == pytest.approx(0, abs=1e-6)


@some
@given(instances())
def test_what_comes_goes_and_nothing_is_negative(inst):
    solution = solve(inst)
    assert imbalance_t(inst, solution) == pytest.approx(np.zeros(len(inst.periods)), abs=1e-4)
    for name in ("run_t", "flow_t", "stock_t", "held_t", "sold_t", "unmet_t", "size_t_yr", "kept_share", "broken"):
        assert (getattr(solution, name) >= -1e-6).all(), name
    assert served_t(inst, solution) == pytest.approx(inst.demand["demand_t"].sum() - solution.unmet_t.sum(), abs=1e-4)


@some
@given(instances())
def test_each_element_mined_is_sold_served_held_or_stocked(inst):
    """Over the world and the horizon: what processes make of an element less what they take is what is left at the end."""
    solution = solve(inst)
    for element in ("ndpr", "dy"):
        of = (inst.balances["commodity"] == element).to_numpy()
        made = (inst.term_t_t[:, None] * solution.run_t[inst.term_process])[of[inst.term_balance]].sum()
        served = served_t(inst, solution, element)
        left = solution.stock_t[of][:, -1].sum() + solution.held_t[of].sum() + solution.sold_t[of].sum()
        assert made == pytest.approx(served + left, abs=1e-3), element


@some
@given(instances())
def test_what_each_decision_costs_sums_to_the_cost_of_the_plan(inst):
    solution = solve(inst)
    assert sum(money_usd(inst, solution).values()) == near(solution.cost_usd)


@some
@given(instances())
def test_rules_hold_but_for_what_is_said_to_break_them(inst):
    """And nothing is said to break that holds, unless breaking it is free."""
    solution = solve(inst)
    table = inst.rules.table
    limit = table["limit"].to_numpy(float)
    excess = np.where(table["sense"] == "at_most", 1.0, -1.0) * (weighed(inst, solution) - limit)
    tolerance = 1e-6 * np.array([UNITS[unit] for unit in table["unit"]]) + 1e-9 * np.abs(limit)
    assert (excess - solution.broken <= tolerance).all()
    assert (solution.broken[table["penalty_usd"].to_numpy(float) == HARD] == 0).all()
    priced = (table["penalty_usd"] > 0).to_numpy()
    assert (solution.broken - np.maximum(excess, 0.0) <= tolerance)[priced].all()


def weighed(inst: Instance, solution: Solution) -> np.ndarray:
    """The left side of each rule, in its unit."""
    decisions = {
        "opened": solution.opened.astype(float),
        "size": solution.size_t_yr,
        "kept": np.where(inst.installed_t_yr * (inst.keep_usd_yr > 0)[:, None] > 0, solution.kept_share, 0.0),
        "run": solution.run_t,
        "flow": solution.flow_t,
        "stock": solution.stock_t,
        "held": solution.held_t,
        "sold": solution.sold_t,
    }
    total = np.zeros(len(inst.rules))
    terms = (inst.rules.rule, inst.rules.kind, inst.rules.row, inst.rules.period, inst.rules.weight)
    for rule, code, row, period, weight in zip(*terms, strict=True):
        kind = KINDS[code]
        total[rule] += weight * (solution.unmet_t[row] if kind == "unmet" else decisions[kind][row, period])
    return total


def money_usd(inst: Instance, solution: Solution) -> dict[str, float]:
    """Discounted cost by what it is spent on."""
    plants, worth, yearly = inst.facilities, inst.discount, inst.discount * inst.block_years
    share = plants["annuity_share"] + plants["fixed_opex_share"]
    price = np.zeros((len(inst.balances), len(inst.periods)))
    for row in inst.byproducts.itertuples():
        price[(inst.balances["commodity"] == row.commodity).to_numpy(), row.period] = row.price_usd_t
    rules = inst.rules.table
    at = rules["period"].to_numpy(int)
    closable = inst.installed_t_yr * (inst.keep_usd_yr > 0)[:, None] > 0
    lane_usd_t = inst.lanes[["freight_usd_t", "transit_usd_t", "surcharge_usd_t"]].sum(axis=1)
    return {
        "opening": ((share * plants["capital_fixed_usd"]).to_numpy() @ solution.opened) @ yearly,
        "size": ((share * plants["capital_slope_usd_t_yr"]).to_numpy() @ solution.size_t_yr) @ yearly,
        "keeping": (inst.keep_usd_yr @ np.where(closable, solution.kept_share, 0.0)) @ yearly,
        "work": (inst.processes["opex_usd_t"].to_numpy() @ solution.run_t) @ worth,
        "bought": (inst.purchase_usd_t * solution.run_t).sum(axis=0) @ worth,
        "lanes": (lane_usd_t.to_numpy() @ solution.flow_t) @ worth,
        "storage": (inst.storage_usd_t_yr @ solution.stock_t) @ yearly,
        "sales": -(price * solution.sold_t).sum(axis=0) @ worth,
        "unmet": float(solution.unmet_t @ (inst.demand["unmet_usd_t"] * worth[inst.demand["period"].to_numpy(int)])),
        "breaches": sum(
            broken * usd * (1.0 if period == WHOLE else worth[period])
            for broken, usd, period in zip(solution.broken, rules["penalty_usd"], at, strict=True)
            if np.isfinite(usd)
        ),
    }


def imbalance_t(inst: Instance, solution: Solution) -> np.ndarray:
    """Largest imbalance of any commodity at any facility, by period."""
    net = -(solution.held_t + solution.sold_t + solution.stock_t)
    net[:, 1:] += solution.stock_t[:, :-1]
    for m, b, amount in zip(inst.term_process, inst.term_balance, inst.term_t_t, strict=True):
        net[b] += amount * solution.run_t[m]
    for a, lane in enumerate(inst.lanes.itertuples()):
        net[lane.tail] -= solution.flow_t[a]
        net[lane.head] += solution.flow_t[a]
    net[inst.balances["market"].to_numpy()] = 0.0
    return np.abs(net).max(axis=0)


def served_t(inst: Instance, solution: Solution, commodity: str | None = None) -> float:
    """What comes to markets, of one commodity or of all."""
    into = inst.balances["market"].to_numpy()[inst.lanes["head"]]
    if commodity is not None:
        into &= (inst.lanes["commodity"] == commodity).to_numpy()
    return float(solution.flow_t[into].sum())
