"""Closure by hand: what keeping costs, that a plan closes what is not worth it, and how the tables tell."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from hubplan.data.access import resolve_access
from hubplan.data.scenario import scenario_from_dict
from hubplan.data.tables import read_tables
from hubplan.model.build import build_instance
from hubplan.model.instance import Instance
from hubplan.results.build import _costs, _flows, _hubs
from model.worlds import World, solve


@pytest.fixture(scope="module")
def tables():
    return read_tables()


@pytest.fixture(scope="module")
def shipped(tables) -> Instance:
    columns = ["route", "origin", "destination", "ware", "usd_t", "hours", "generalised_usd_t"]
    row = ("mount-weld--kuantan--bulk", "mount-weld", "kuantan", "bulk", 50.0, 100.0, 60.0)
    scenario = scenario_from_dict({"name": "keeping"})
    routes = SimpleNamespace(table=pd.DataFrame([row], columns=columns))
    return build_instance(tables, routes, scenario, access=resolve_access(scenario, tables))


def test_keeping_costs_the_fixed_share_of_what_the_plant_would_cost(tables, shipped):
    """Kuantan's light separation: share x index of Malaysia x (fixed + slope x capacity); mines and plants to be cost nothing."""
    stage = tables.stages.set_index("stage").loc["separation_light"]
    index = tables.countries.set_index("country").at["MYS", "capex_index"]
    capacity = tables.facilities.set_index("facility").at["kuantan-separation-light", "capacity_t_yr"]
    capital = index * (stage["capex_fixed_usd"] + stage["capex_usd_t_yr"] * capacity)
    cost = dict(zip(shipped.facilities["facility"], shipped.keep_usd_yr, strict=True))
    assert cost["kuantan-separation-light"] == pytest.approx(stage["fixed_opex_share"] * capital)
    assert cost["mount-weld"] == 0.0
    assert cost["cand-kwinana-separation-light"] == 0.0


def shop(need_t: tuple[float, ...], unmet_usd_t: float) -> World:
    """A plant of 100 t/yr that costs 40 USD a year to keep, and a mine beside it."""
    world = World((2030, 2031)).mine("mine", "ore", 1000)
    world.facility("plant", existing=100, keep_usd_yr=40, takes={"ore": 1}, makes={"oxide": 1})
    return (
        world.lane("ore", "mine", "plant").lane("oxide", "plant", "user").demand("user", "oxide", need_t, unmet_usd_t=unmet_usd_t)
    )  # fmt: skip


PLACES = SimpleNamespace(
    sites=pd.DataFrame({"site": ["mine", "plant"], "lon": [0.0, 1.0], "lat": [0.0, 1.0], "name": ["Mine", "Plant"]})
)


def test_an_idle_plant_that_is_kept_for_later_is_listed_with_its_cost():
    """Nothing is wanted in 2030; 60 t in 2031 are worth more than keeping 0.6 of the plant for two years, 2 x 24 USD."""
    inst = shop((0.0, 60.0), 10.0).build()
    solution = solve(inst)
    assert solution.cost_usd == pytest.approx(48)
    hubs = _hubs(inst, solution, PLACES).set_index(["facility", "period"])
    assert hubs.loc[("plant", 2030), ["capacity_t_yr", "usable_t_yr", "throughput_t", "opex_usd"]].tolist() == (
        pytest.approx([60, 60, 0, 24])
    )
    assert ("mine", 2030) not in hubs.index
    costs = _costs(inst, solution, _flows(inst, solution))
    fixed = costs[costs["line"] == "fixed_operating"].set_index("period")["cost_usd"]
    assert fixed.to_dict() == pytest.approx({2030: 24, 2031: 24})


def test_a_plant_that_is_not_worth_keeping_is_closed_and_not_listed():
    """A tonne costs 2 x 0.4 USD to keep in two years, and is worth 0.7 in the second."""
    inst = shop((0.0, 60.0), 0.7).build()
    solution = solve(inst)
    assert solution.cost_usd == pytest.approx(42)
    assert _hubs(inst, solution, PLACES).empty
