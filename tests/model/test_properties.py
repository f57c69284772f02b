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
from hubplan.model.solution import Solution
from model.worlds import solve

some = settings(
    phases=[p for p in Phase if p is not Phase.explain],
    max_examples=30,
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
@given(instances(), st.floats(1.0, 3.0))
def test_more_capacity_never_raises_cost(inst, factor):
    more = inst.facilities.assign(largest_t_yr=inst.facilities["largest_t_yr"] * factor)
    richer = replace(inst, existing_t_yr=inst.existing_t_yr * factor, facilities=more)
    assert solve(richer).bound_usd <= solve(inst).cost_usd + 1e-2


@some
@given(instances(), st.sampled_from([0.25, 4.0]))
def test_scaling_money_scales_cost(inst, factor):
    def scaled(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
        return frame.assign(**{column: frame[column] * factor for column in columns})

    dearer = replace(
        inst,
        facilities=scaled(inst.facilities, "capital_fixed_usd", "capital_slope_usd_t_yr"),
        processes=scaled(inst.processes, "opex_usd_t"),
        lanes=scaled(inst.lanes, "freight_usd_t", "transit_usd_t", "surcharge_usd_t"),
        demand=scaled(inst.demand, "unmet_usd_t"),
        byproducts=scaled(inst.byproducts, "price_usd_t"),
        storage_usd_t_yr=inst.storage_usd_t_yr * factor,
        rule_usd_t=inst.rule_usd_t * factor,
        budget_usd=None if inst.budget_usd is None else inst.budget_usd * factor,
    )
    assert solve(dearer).cost_usd == near(solve(inst).cost_usd * factor)


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
    for name in ("run_t", "flow_t", "stock_t", "held_t", "sold_t", "unmet_t", "size_t_yr"):
        assert (getattr(solution, name) >= -1e-6).all(), name
    assert served_t(inst, solution) == pytest.approx(inst.demand["demand_t"].sum() - solution.unmet_t.sum(), abs=1e-4)


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


def served_t(inst: Instance, solution: Solution) -> float:
    market = inst.balances["market"].to_numpy()[inst.lanes["head"]]
    return float(solution.flow_t[market].sum())
