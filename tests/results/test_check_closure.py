"""The checker's reading of closure, on the small world, where every plant that stands runs in both periods."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from hubplan.results.check import check_plan
from hubplan.results.plan import as_table

KEEP_METAL_USD = 0.04 * 1.1 * (6e7 + 2e4 * 1000.0)
"""Kobe's metal, 1,000 t/yr: a year's keeping."""


def found(plan, tables) -> str:
    return "\n".join(str(fault) for fault in check_plan(plan, tables))


def keep(plan, shares: dict[int, float]):
    """Kobe's metal kept in part, with every number that follows from it."""
    hubs, costs = plan.hubs.copy(), plan.costs.copy()
    for period, share in shares.items():
        row = hubs.index[(hubs["facility"] == "kobe-metal") & (hubs["period"] == period)][0]
        saved = KEEP_METAL_USD * (1 - share) * (2 if period == 2030 else 1)
        hubs.loc[row, ["capacity_t_yr", "usable_t_yr"]] = 1000.0 * share
        hubs.loc[row, "opex_usd"] -= saved
        line = (costs["line"] == "fixed_operating") & (costs["period"] == period)
        costs.loc[line, "cost_usd"] -= saved
        worth = plan.periods.set_index("period").at[period, "discount"]
        costs.loc[line, "discounted_usd"] -= saved * worth
    objective = float(costs["discounted_usd"].sum())
    bound = min(plan.bound_usd, objective)
    gap = (objective - bound) / objective
    return replace(plan, hubs=hubs, costs=costs, objective_usd=objective, bound_usd=bound, gap_share=gap)


def test_what_is_kept_may_be_as_much_as_runs(plan, tables):
    """Kobe makes under 460 t of metal a year."""
    assert found(keep(plan, {2030: 0.5, 2032: 0.5}), tables) == ""


def test_no_more_runs_than_is_kept(plan, tables):
    assert "at most 200" in found(keep(plan, {2030: 0.1, 2032: 0.1}), tables)


def test_a_closed_plant_stays_closed(plan, tables):
    assert "what is closed stays closed" in found(keep(plan, {2030: 0.5}), tables)


def test_keeping_is_paid_for(plan, tables):
    """Half is kept and all is charged, or the other way round."""
    halved = keep(plan, {2030: 0.5, 2032: 0.5})
    assert "fixed operating share" in found(
        replace(halved, hubs=halved.hubs.assign(opex_usd=plan.hubs["opex_usd"])), tables
    )
    assert "fixed_operating" in found(replace(halved, costs=plan.costs), tables)


def test_an_idle_plant_that_is_kept_is_paid_for(plan, tables):
    """A second metal plant at Bay, 500 t/yr, kept and idle in 2030: 0.04 x 1.2 x (60 M + 10 M) x 2 years."""
    plants = tables.facilities
    own = plants[plants["facility"] == "kobe-metal"].assign(facility="bay-metal", site="bay", capacity_t_yr=500.0)
    more = replace(tables, facilities=pd.concat([plants, own], ignore_index=True))
    assert found(plan, more) == ""  # closed from the first: it has no row
    cost = 0.04 * 1.2 * 7e7 * 2
    row = plan.hubs[(plan.hubs["facility"] == "bay-crack-leach") & (plan.hubs["period"] == 2030)].assign(
        facility="bay-metal", stage="metal", capacity_t_yr=500.0, usable_t_yr=500.0, throughput_t=0.0, opex_usd=cost
    )
    hubs = as_table("hubs", pd.concat([plan.hubs, row], ignore_index=True))
    costs = plan.costs.copy()
    line = (costs["line"] == "fixed_operating") & (costs["period"] == 2030)
    costs.loc[line, "cost_usd"] += cost
    costs.loc[line, "discounted_usd"] += cost * (1 + 1 / 1.08) / 2
    objective = float(costs["discounted_usd"].sum())
    gap = (objective - plan.bound_usd) / objective
    kept = replace(plan, hubs=hubs, costs=costs, objective_usd=objective, gap_share=gap)
    assert found(kept, more) == ""
    assert "fixed_operating" in found(replace(kept, costs=plan.costs), more)
