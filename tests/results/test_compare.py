"""What changed between two plans, and why."""

from dataclasses import replace

import pytest

from hubplan.data.scenario import scenario_from_dict
from hubplan.results.compare import compare_runs, flatten_keys


@pytest.fixture
def stricter(plan):
    """The same plan with the gate closed: no light separation, nothing served, another way to Kobe, 100 M USD dearer."""
    raw = plan.scenario.resolved()
    raw["name"], raw["routes"]["closed"] = "strict", ["shut", "gate"]
    flows = plan.flows.assign(route=plan.flows["route"].replace("bay--kobe--value", "round--about--value"))
    legs = plan.legs.assign(route=plan.legs["route"].replace("bay--kobe--value", "round--about--value"))
    legs.loc[legs["chokepoints"] == "gate", ["chokepoints", "length_km"]] = ["horn", 20000.0]
    costs = plan.costs.copy()
    costs.loc[(costs["line"] == "freight") & (costs["period"] == 2030), ["cost_usd", "discounted_usd"]] += 1e8
    return replace(
        plan, scenario=scenario_from_dict(raw), hubs=plan.hubs[plan.hubs["stage"] != "separation_light"].reset_index(drop=True),
        demand=plan.demand.assign(served_t=0.0, unmet_t=plan.demand["demand_t"]), flows=flows, legs=legs, costs=costs,
        objective_usd=plan.objective_usd + 1e8, bound_usd=plan.objective_usd + 9e7, inputs={**plan.inputs, "sites.csv": "x"},
    )  # fmt: skip


def test_a_plan_does_not_differ_from_itself(plan):
    same = compare_runs(plan, plan)
    assert same.objective_change_usd == 0 and not same.certain
    assert same.reasons.empty and same.routes.empty
    assert set(same.hubs["where"]) == {"both"}
    assert (same.costs["change_usd"] == 0).all() and (same.exposure["change_share"] == 0).all()


def test_says_what_strictness_costs_and_why(plan, stricter):
    found = compare_runs(plan, stricter)
    assert found.objective_change_usd == pytest.approx(1e8)
    assert found.certain  # the strict plan cannot cost less than its bound, which is above the open plan's cost
    assert found.reasons["key"].tolist() == ["geodata.sites.csv", "name", "routes.closed"]
    assert found.reasons.set_index("key").loc["routes.closed"].tolist() == ["shut", "gate, shut"]
    hubs = found.hubs.set_index("facility")
    assert hubs.loc["bay-separation-light", ["where", "capacity_a_t_yr", "capacity_b_t_yr"]].tolist() == [
        "a",
        3000.0,
        0.0,
    ]
    assert hubs.loc["hill", "where"] == "both"
    assert found.costs.set_index("line").loc["freight", "change_usd"] == pytest.approx(1e8)
    assert (found.demand["served_b_share"] == 0).all()


def test_lists_the_routes_that_moved(plan, stricter):
    routes = compare_runs(plan, stricter).routes
    assert set(routes["commodity"]) == {"ndpr-oxide", "dy-oxide", "tb-oxide"}
    first = routes.iloc[0]
    assert (first["route_a"], first["route_b"]) == ("bay--kobe--value", "round--about--value")
    assert (first["chokepoints_a"], first["chokepoints_b"]) == ("gate", "horn")
    assert first["length_b_km"] > 20000 > first["length_a_km"]


def test_turned_round_it_says_the_opposite(plan, stricter):
    there, back = compare_runs(plan, stricter), compare_runs(stricter, plan)
    assert back.objective_change_usd == -there.objective_change_usd
    assert (back.costs["change_usd"] == -there.costs["change_usd"]).all()
    assert back.certain == there.certain


def test_a_difference_within_the_gap_is_not_certain(plan):
    dearer = replace(plan, objective_usd=plan.objective_usd * 1.001, bound_usd=plan.objective_usd * 0.99)
    assert not compare_runs(plan, dearer).certain


def test_keys_are_dotted_to_the_last():
    assert flatten_keys({"a": {"b": 1, "c": {"d": [2]}}, "e": None}) == {"a.b": 1, "a.c.d": [2], "e": None}
