"""Families (4) to (9) of docs/model.md on instances solved by hand: what is made, sent, sold, kept and wanted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hubplan.model.instance import Instance
from model.worlds import World, cost, hub, shop, solve

# (4) Balance -----------------------------------------------------------------------------------------------------------


def test_separation_makes_its_outputs_in_fixed_proportion():
    """Carbonate gives 0.2 NdPr, 0.05 Dy, the rest lost. 10 t of Dy need 200 t of carbonate; the 40 t of NdPr that come too are
    wanted only to 30 t, so 10 are held."""
    world = World(hold=["ndpr"]).mine("mine", "carbonate@mine", 1000, opex_usd_t=1)
    world.facility("hub", existing=1000, takes={"carbonate@mine": 1}, makes={"ndpr": 0.2, "dy": 0.05})
    world.lane("carbonate@mine", "mine", "hub").lane("ndpr", "hub", "user").lane("dy", "hub", "user")
    solution = solve(world.demand("user", "ndpr", 30).demand("user", "dy", 10).build())
    assert solution.cost_usd == pytest.approx(200)
    assert solution.held_t.sum() == pytest.approx(10)


def test_without_leave_to_hold_a_surplus_stops_the_plant():
    """As above with nowhere to leave NdPr: 150 t of carbonate, so 7.5 t of Dy."""
    world = World().mine("mine", "carbonate@mine", 1000)
    world.facility("hub", existing=1000, takes={"carbonate@mine": 1}, makes={"ndpr": 0.2, "dy": 0.05})
    world.lane("carbonate@mine", "mine", "hub").lane("ndpr", "hub", "user").lane("dy", "hub", "user")
    solution = solve(world.demand("user", "ndpr", 30).demand("user", "dy", 10).build())
    assert solution.unmet_t == pytest.approx([0, 2.5])


def test_an_alloy_takes_its_metals_in_the_ratio_of_its_grade():
    """0.27 NdPr and 0.03 Dy a tonne: 6 t of Dy allow 200 t, whatever there is of NdPr."""
    world = World().mine("ndpr-mine", "ndpr", 500).mine("dy-mine", "dy", 6)
    world.facility("alloy", "alloy", existing=1000, takes={"ndpr": 0.27, "dy": 0.03}, makes={"alloy": 1})
    world.lane("ndpr", "ndpr-mine", "alloy").lane("dy", "dy-mine", "alloy").lane("alloy", "alloy", "user")
    solution = solve(world.demand("user", "alloy", 300).build())
    assert solution.unmet_t == pytest.approx([100])
    assert solution.run_t[:, 0] == pytest.approx([54, 6, 200])


@pytest.mark.parametrize(("pooled", "wanted"), [(False, 420), (True, 20)])
def test_mine_tags_prevent_the_pooling_cheat(pooled, wanted):
    """Two mines of 10 t, A (0.6 NdPr, 0.2 Dy) and B (0.2, 0.6), cracked at one plant. North wants all NdPr (8 t), South all Dy
    (8 t); oxide between them costs 100, carbonate 1.

    Honest: A to North, B to South; 2 t of Dy and 2 t of NdPr cross: 20 + 400 = 420. A model that carries the elements of the
    blend apart sends all NdPr north and all Dy south through the one door, and pays 20: no plant can do that.
    """
    basket = {"a": {"ndpr": 0.6, "dy": 0.2, "la": 0.2}, "b": {"ndpr": 0.2, "dy": 0.6, "la": 0.2}}
    world = World(hold=["la"]).facility("crack", "crack_leach", existing=20)
    for mine, shares in basket.items():
        world.mine(mine, f"ore@{mine}", 10).lane(f"ore@{mine}", mine, "crack")
        made = (
            {f"{element}-in-carbonate": share for element, share in shares.items()}
            if pooled
            else {f"carbonate@{mine}": 1.0}
        )
        world.process("crack", mine, {f"ore@{mine}": 1}, made)
    for place in ("north", "south"):
        world.facility(place, existing=1000)
        runs = (
            {f"{e}-in-carbonate": {e: 1.0} for e in ("ndpr", "dy", "la")}
            if pooled
            else {f"carbonate@{m}": basket[m] for m in basket}
        )
        for taken, made in runs.items():
            world.process(place, taken, {taken: 1}, made).lane(taken, "crack", place, 1)
    for element, near, far in (("ndpr", "north", "south"), ("dy", "south", "north")):
        world.lane(element, near, f"user-{near}", 0).lane(element, far, f"user-{near}", 100).demand(
            f"user-{near}", element, 8
        )
    assert cost(world.build()) == pytest.approx(wanted)


def lossy(*, stock: tuple[str, ...] = ("oxide",)) -> Instance:
    """Three years of which the hub is lost in the second: 30 t wanted in each, at 2 a tonne, kept at 1 a year."""
    world = World((2030, 2031, 2032), stock=stock, storage_usd_t_yr=1).mine("mine", "ore", 1000, opex_usd_t=2)
    inst = hub(world, need_t=30, existing=1000).build()
    return replace(inst, available_share=np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 1.0]]))


def test_stock_bridges_a_year_in_which_the_hub_is_lost():
    """Nothing runs in 2031: 30 t more in 2030, kept one year."""
    solution = solve(lossy())
    assert solution.run_t[1] == pytest.approx([60, 0, 30])
    assert solution.cost_usd == pytest.approx(90 * 2 + 30)


def test_only_what_keeps_is_stocked():
    """As the lost year, but nothing may be stocked: 30 t unmet."""
    assert solve(lossy(stock=())).unmet_t == pytest.approx([0, 30, 0])


# (5) Demand ------------------------------------------------------------------------------------------------------------


def test_the_sector_dearest_to_miss_is_served_first():
    """60 t for defence (40 wanted at 500), cars (40 at 20) and others (40 at 10): 20 cars and 40 others go without."""
    world = (
        shop()
        .facility("hub", existing=60, takes={"ore": 1}, makes={"oxide": 1})
        .lane("ore", "mine", "hub")
        .lane("oxide", "hub", "user")
    )
    for sector, penalty in (("other", 10), ("defence", 500), ("ev", 20)):
        world.demand("user", "oxide", 40, sector=sector, unmet_usd_t=penalty)
    solution = solve(world.build())
    assert solution.unmet_t == pytest.approx([40, 0, 20])
    assert solution.cost_usd == pytest.approx(40 * 10 + 20 * 20)


def test_demand_dearer_to_serve_than_to_miss_goes_unserved(tiny):
    """Serving 30 t costs 1030; missing them at 34 a tonne costs 1020, at 35 it would be 1050."""
    for penalty, wanted in ((34, 1020), (35, 1030)):
        assert cost(replace(tiny, demand=tiny.demand.assign(unmet_usd_t=float(penalty)))) == pytest.approx(wanted)


def test_demand_without_a_lane_is_unmet_not_an_error():
    world = shop().facility("hub", existing=60, takes={"ore": 1}, makes={"oxide": 1})
    assert solve(world.demand("user", "oxide", 40, unmet_usd_t=3).build()).cost_usd == pytest.approx(120)


def test_no_demand_costs_nothing():
    assert (
        cost(
            shop()
            .facility("hub", sizes=(5, 50), fixed_usd=9, takes={"ore": 1}, makes={"oxide": 1})
            .lane("ore", "mine", "hub")
            .build()
        )
        == 0
    )


def test_a_market_takes_no_more_than_it_wants_even_in_a_period_without_demand():
    """Lanthanum sells at 10, but each tonne comes with one of NdPr that nobody takes in 2031: 10 t sold in 2030 earn 100."""
    world = World((2030, 2031), sell=["la"]).mine("mine", "ore", 100)
    world.facility("hub", existing=100, takes={"ore": 1}, makes={"ndpr": 0.5, "la": 0.5}).lane("ore", "mine", "hub")
    world.lane("ndpr", "hub", "user").demand("user", "ndpr", (10, 0))
    for t in (0, 1):
        world.note("byproducts", commodity="la", period=t, limit_t=1000.0, price_usd_t=10.0)
    assert cost(world.build()) == pytest.approx(-100)


# (6) By-product markets ------------------------------------------------------------------------------------------------


def test_by_products_are_sold_up_to_what_their_market_takes():
    """100 t of carbonate give 60 t of lanthanum; 25 are taken at 4, 35 are left over: 100 to mine less 100 earned."""
    world = World(hold=["la"], sell=["la"]).mine("mine", "ore", 1000, opex_usd_t=1)
    world.facility("hub", existing=1000, takes={"ore": 1}, makes={"ndpr": 0.4, "la": 0.6}).lane("ore", "mine", "hub")
    world.lane("ndpr", "hub", "user").demand("user", "ndpr", 40).note(
        "byproducts", commodity="la", period=0, limit_t=25.0, price_usd_t=4.0
    )
    solution = solve(world.build())
    assert (solution.sold_t.sum(), solution.held_t.sum()) == pytest.approx((25, 35))
    assert solution.cost_usd == pytest.approx(100 - 25 * 4)


def test_each_period_has_its_own_market_for_a_by_product():
    """60 t of lanthanum a year, of which 10 are taken in 2030 and 40 in 2031, at 4: 200."""
    world = World((2030, 2031), hold=["la"], sell=["la"]).mine("mine", "ore", 1000)
    world.facility("hub", existing=1000, takes={"ore": 1}, makes={"ndpr": 0.4, "la": 0.6}).lane("ore", "mine", "hub")
    world.lane("ndpr", "hub", "user").demand("user", "ndpr", 40)
    for t, limit_t in enumerate((10.0, 40.0)):
        world.note("byproducts", commodity="la", period=t, limit_t=limit_t, price_usd_t=4.0)
    solution = solve(world.build())
    assert solution.sold_t.sum(axis=0) == pytest.approx([10, 40])
    assert solution.cost_usd == pytest.approx(-200)


def test_two_plants_share_one_by_product_market():
    """Two plants of 50 t of lanthanum each, market of 30: one half of it is not sold twice."""
    world = World(hold=["la"], sell=["la"])
    for name in ("east", "west"):
        world.mine(f"{name}-mine", "ore", 100).facility(
            name, existing=100, takes={"ore": 1}, makes={"ndpr": 0.5, "la": 0.5}
        )
        world.lane("ore", f"{name}-mine", name).lane("ndpr", name, f"user-{name}").demand(f"user-{name}", "ndpr", 50)
    world.note("byproducts", commodity="la", period=0, limit_t=30.0, price_usd_t=2.0)
    assert cost(world.build()) == pytest.approx(-60)


# (7) Reported output ---------------------------------------------------------------------------------------------------


def test_a_mine_of_a_past_year_runs_as_reported_and_holds_the_rest():
    """80 t reported at 2 a tonne, 30 needed: 160, and 50 t held at the mine."""
    inst = (
        hub(World().mine("mine", "ore", 200, opex_usd_t=2), need_t=30, existing=100)
        .note("fixed_output", process=0, period=0, output_t=80.0)
        .build()
    )
    held = (inst.balances["place"] == "mine").to_numpy()[:, None]
    solution = solve(replace(inst, held_periods=held))
    assert solution.run_t[0, 0] == pytest.approx(80)
    assert solution.cost_usd == pytest.approx(160)
    assert solution.held_t.sum() == pytest.approx(50)


def test_a_plant_of_a_past_year_makes_no_more_than_reported():
    """Capacity 100, reported 25 t of oxide from 50 t of ore; another good of the same plant is not limited."""
    world = (
        shop()
        .facility("hub", existing=100)
        .process("hub", "oxide", {"ore": 1}, {"oxide": 0.5})
        .process("hub", "salt", {"ore": 1}, {"salt": 1})
    )
    world.lane("ore", "mine", "hub")
    for good in ("oxide", "salt"):
        world.lane(good, "hub", "user").demand("user", good, 40)
    solution = solve(world.note("output_limits", facility=1, commodity="oxide", period=0, output_t=25.0).build())
    assert solution.unmet_t == pytest.approx([15, 0])


# (8) Offtake locks -----------------------------------------------------------------------------------------------------


def lock_world(*years: int) -> World:
    """A mine of 100 t; a cracker and a plant at home (free), and abroad (ore goes there at 10, carbonate crosses at 1)."""
    world = World(years or (2030,)).mine("mine", "concentrate@mine", 100)
    for name, country, usd_t in (("home", "AUS", 0), ("abroad", "MYS", 10)):
        world.facility(
            f"{name}-crack",
            "crack_leach",
            country=country,
            existing=1000,
            takes={"concentrate@mine": 1},
            makes={"carbonate@mine": 1},
        )
        world.facility(name, country=country, existing=1000, takes={"carbonate@mine": 1}, makes={"oxide": 1})
        world.lane("concentrate@mine", "mine", f"{name}-crack", usd_t).lane("oxide", name, "user")
    for crack, plant in np.ndindex(2, 2):
        names = ("home", "abroad")
        world.lane("carbonate@mine", f"{names[crack]}-crack", names[plant], float(crack != plant))
    return world


def test_what_was_sold_ahead_is_cracked_and_separated_in_its_country():
    """60 t wanted, 0.4 of what the mine ships sold to MYS: 24 t at 10."""
    world = lock_world().demand("user", "oxide", 60).note("locks", mine="mine", country="MYS", period=0, share=0.4)
    solution = solve(world.build())
    assert solution.cost_usd == pytest.approx(240)
    assert solution.run_t[:, 0] == pytest.approx([60, 36, 36, 24, 24])


def test_without_the_lock_all_stays_at_home():
    assert cost(lock_world().demand("user", "oxide", 60).build()) == 0


def test_a_lock_binds_its_own_period_only():
    world = (
        lock_world(2030, 2031)
        .demand("user", "oxide", 60)
        .note("locks", mine="mine", country="MYS", period=1, share=0.5)
    )
    assert solve(world.build()).run_t[3] == pytest.approx([0, 30])


# (9) Whole lanes -----------------------------------------------------------------------------------------------------


def test_a_customer_with_one_supplier_is_not_split():
    """Two customers of 60 t; hubs of 100 t/yr (cheap, 1) and 100 (dear, 5). Split: 100 + 20*5 = 200; whole: 60 + 300 = 360."""
    for whole, wanted in ((False, 200), (True, 360)):
        world = World()
        for name, usd_t in (("cheap", 1), ("dear", 5)):
            world.mine(name, "good", 100)
            for user in ("first", "second"):
                world.lane("good", name, user, usd_t, whole=whole)
        solution = solve(world.demand("first", "good", 60).demand("second", "good", 60).build())
        assert solution.cost_usd == pytest.approx(wanted)
        assert solution.flow_t.max() == pytest.approx(60)
        assert (solution.flow_t > 1e-6).sum() == (2 if whole else 3)
