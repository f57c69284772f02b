"""A published planning problem through hubplan's own model: H. P. Williams, Model Building in Mathematical Programming, 5th ed.

Examples 19 (distribution) and 20 (which depots to open). Depots are hubs that pass goods on; factories are mines.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hubplan.model.instance import Instance
from model.worlds import World, solve

SUPPLY_T = {"liverpool": 150_000, "brighton": 200_000}
THROUGHPUT_T = {
    "newcastle": 70_000, "birmingham": 50_000, "london": 100_000, "exeter": 40_000, "bristol": 30_000, "northampton": 25_000,
}  # fmt: skip
DEMAND_T = {"c1": 50_000, "c2": 10_000, "c3": 40_000, "c4": 35_000, "c5": 60_000, "c6": 20_000}
COST_USD_T = {
    "liverpool": {
        "newcastle": 0.5, "birmingham": 0.5, "london": 1.0, "exeter": 0.2, "bristol": 0.6, "northampton": 0.4,
        "c1": 1.0, "c3": 1.5, "c4": 2.0, "c6": 1.0,
    },
    "brighton": {"birmingham": 0.3, "london": 0.5, "exeter": 0.2, "bristol": 0.4, "northampton": 0.3, "c1": 2.0},
    "newcastle": {"c2": 1.5, "c3": 0.5, "c5": 1.5, "c6": 1.0},
    "birmingham": {"c1": 1.0, "c2": 0.5, "c3": 0.5, "c4": 1.0, "c5": 0.5},
    "london": {"c2": 1.5, "c3": 2.0, "c5": 0.5, "c6": 1.5},
    "exeter": {"c3": 0.2, "c4": 1.5, "c5": 0.5, "c6": 1.5},
    "bristol": {"c1": 1.2, "c2": 0.6, "c3": 0.5, "c5": 0.3, "c6": 0.8},
    "northampton": {"c2": 0.4, "c4": 0.5, "c5": 0.6, "c6": 0.9},
}  # fmt: skip
"""Cost per ton; a pair that is missing may not be used."""
BUILD_USD = {"newcastle": 10_000, "exeter": 5_000, "bristol": 12_000, "northampton": 4_000}
"""Cost of opening; for Newcastle and Exeter, which stand, what closing would save."""


def add_depot(
    world: World, name: str, *, like: str | None = None, stage: str = "separation_light", **options: object
) -> None:
    """Add a depot, and its lanes, which may be those of another one."""
    place = like or name
    world.facility(name, stage, takes={"goods": 1}, makes={"stored": 1}, **options)  # type: ignore[arg-type]
    for factory in SUPPLY_T:
        if place in COST_USD_T[factory]:
            world.lane("goods", factory, name, COST_USD_T[factory][place])
    for customer, usd_t in COST_USD_T[place].items():
        world.lane("stored", name, customer, usd_t, arrives_as="goods")


def factories_and_customers() -> World:
    world = World()
    for factory, supply_t in SUPPLY_T.items():
        world.mine(factory, "goods", supply_t)
        for customer in DEMAND_T:
            if customer in COST_USD_T[factory]:
                world.lane("goods", factory, customer, COST_USD_T[factory][customer])
    for customer, demand_t in DEMAND_T.items():
        world.demand(customer, "goods", demand_t, unmet_usd_t=1000.0)
    return world


@pytest.fixture(scope="module")
def example_19() -> Instance:
    """Four depots stand."""
    world = factories_and_customers()
    for depot in ("newcastle", "birmingham", "london", "exeter"):
        add_depot(world, depot, existing=THROUGHPUT_T[depot])
    return world.build()


def test_example_19(example_19):
    solution = solve(example_19)
    assert solution.status == "optimal"
    assert solution.cost_usd == pytest.approx(198_500, rel=1e-6)
    assert solution.bound_usd == pytest.approx(198_500, rel=1e-6)
    assert solution.unmet_t.sum() == pytest.approx(0, abs=1e-3)


def test_example_20():
    """At most four depots, Birmingham and London among them: so two more. Birmingham may take 20,000 t more for 3,000: a facility
    on the same lanes, which the count of hubs leaves out as it does mines. Both Newcastle and Exeter closed would save 15,000.
    """
    world = factories_and_customers().budget(max_hubs=2)
    for depot in ("birmingham", "london"):
        add_depot(world, depot, existing=THROUGHPUT_T[depot])
    for depot, usd in BUILD_USD.items():
        add_depot(world, depot, sizes=(0, THROUGHPUT_T[depot]), fixed_usd=usd)
    add_depot(world, "expansion", like="birmingham", stage="mine", sizes=(0, 20_000), fixed_usd=3_000)
    inst = world.build()
    solution = solve(inst)
    assert solution.cost_usd - 15_000 == pytest.approx(174_000, rel=1e-6)
    assert solution.bound_usd - 15_000 == pytest.approx(174_000, rel=1e-6)
    assert set(inst.facilities["facility"][solution.opened[:, 0]]) == {"exeter", "northampton", "expansion"}


def without(inst: Instance, *lost: str) -> Instance:
    """The same with some facilities lost for the whole period."""
    gone = inst.facilities["facility"].isin(lost).to_numpy()
    return replace(inst, available_share=np.where(gone[:, None], 0.0, inst.available_share))


@pytest.mark.parametrize(
    ("lost", "usd"),
    [
        (("birmingham",), 236_000), (("exeter",), 222_500), (("london",), 218_000), (("newcastle",), 198_500),
        (("birmingham", "london"), 293_000), (("london", "exeter"), 275_000), (("newcastle", "exeter"), 240_000),
    ],
)  # fmt: skip
def test_loss_of_depots_of_example_19(example_19, lost, usd):
    """By enumeration with another solver."""
    solution = solve(without(example_19, *lost))
    assert solution.cost_usd == pytest.approx(usd, rel=1e-6)
    assert solution.unmet_t.sum() == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("tail", "head", "usd"), [("liverpool", "c1", 246_000), ("london", "c5", 218_000), ("birmingham", "c4", 216_000)]
)
def test_loss_of_a_lane_of_example_19(example_19, tail, head, usd):
    lanes = example_19.lanes
    shut = ((lanes["origin"] == tail) & (lanes["destination"] == head)).to_numpy()
    assert shut.sum() == 1
    assert solve(replace(example_19, lane_open=~shut[:, None])).cost_usd == pytest.approx(usd, rel=1e-6)


@pytest.mark.parametrize(("factory", "short_t"), [("liverpool", 15_000), ("brighton", 65_000)])
def test_loss_of_a_factory_is_unmet_demand_not_an_error(example_19, factory, short_t):
    """215,000 t are wanted, more than either factory makes."""
    assert solve(without(example_19, factory)).unmet_t.sum() >= short_t - 1e-3
