"""Each numbered family of docs/model.md on an instance solved by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hubplan.errors import NoPlanError
from hubplan.model.formulation import build_model
from hubplan.model.instance import Instance
from model.conftest import tiny_world
from model.worlds import World, solve


def cost(inst: Instance) -> float:
    solution = solve(inst)
    assert solution.status == "optimal"
    return solution.cost_usd


def shop(*years: int, **options: object) -> World:
    """A mine and a market with nothing between them yet."""
    return World(years or (2030,), **options).mine("mine", "ore", 1e4)  # type: ignore[arg-type]


def hub(
    world: World,
    name: str = "hub",
    need_t: float | tuple[float, ...] = 100.0,
    unmet_usd_t: float = 1e4,
    **options: object,
) -> World:
    """Add a hub that turns ore into as much oxide, its lanes, and demand."""
    world.facility(name, takes={"ore": 1}, makes={"oxide": 1}, **options)  # type: ignore[arg-type]
    world.lane("ore", "mine", name).lane("oxide", name, "user")
    return world.demand("user", "oxide", need_t, unmet_usd_t=unmet_usd_t)


# (0) Cost --------------------------------------------------------------------------------------------------------------


def test_picks_the_cheaper_hub(tiny):
    """South, 1030; North would be 1360."""
    solution = solve(tiny)
    assert solution.cost_usd == pytest.approx(1030)
    assert solution.bound_usd == pytest.approx(1030)
    assert solution.opened[:, 0].tolist() == [False, False, True]
    assert solution.size_t_yr[2, 0] >= 60 - 1e-6


def test_a_block_of_years_is_discounted_year_by_year(tiny_blocks):
    assert cost(tiny_blocks) == pytest.approx((2060 * (1 + 1 / 1.1) / 2) + 1030 / 1.21)


def test_capital_is_paid_yearly_from_opening_to_the_horizon():
    """A hub of 1000 + 10 a t/yr at annuity 0.1 and fixed share 0.05, opened 2031 of 2030-2032, for 100 t in the last two years:
    (1000 + 10*100) * 0.15 = 300 a year, for two years; 300/1.1 + 300/1.21 = 520.661."""
    world = hub(
        shop(2030, 2031, 2032, discount_share=0.1),
        need_t=(0, 100, 100),
        sizes=(0, 500),
        fixed_usd=1000,
        slope_usd_t_yr=10,
        annuity_share=0.1,
        fixed_opex_share=0.05,
    )
    solution = solve(world.build())
    assert solution.cost_usd == pytest.approx(300 / 1.1 + 300 / 1.21)
    assert solution.opened[1].tolist() == [False, True, True]
    assert solution.size_t_yr[1] == pytest.approx([0, 100, 100])


def test_work_freight_transit_surcharge_and_storage_are_costs():
    """100 t: 2 to mine, 3 to run, 4+5+6 to ship; mined and run in 2030 where alone there is capacity, so 100 t are kept one year
    (block of one) at 7: 200 + 300 + 1500 + 700."""
    world = World((2030, 2031), stock=["oxide"], storage_usd_t_yr=7.0).mine("mine", "ore", (100, 0), opex_usd_t=2)
    inst = hub(world, need_t=(0, 100), existing=1000, opex_usd_t=3).build()
    lanes = inst.lanes.assign(freight_usd_t=[0.0, 4.0], transit_usd_t=[0.0, 5.0], surcharge_usd_t=[0.0, 6.0])
    assert cost(replace(inst, lanes=lanes)) == pytest.approx(200 + 300 + 1500 + 700)


# (1) Capacity ----------------------------------------------------------------------------------------------------------


def test_yearly_capacity_counts_for_each_year_of_a_block():
    """40 t/yr for two years, then one: 80 and 40 of the 100 wanted. Unmet 20 and 60 at 10."""
    inst = hub(shop(2030, 2032), need_t=(100, 100), unmet_usd_t=10, existing=40).build()
    assert solve(inst).unmet_t == pytest.approx([20, 60])


def test_new_capacity_ramps_up_by_year_and_is_averaged_over_a_block():
    """100 t/yr opened in 2030 at 0.5, 0.8, 1: 65 a year over 2030-2031, so 130; all of it in 2032."""
    inst = hub(shop(2030, 2032), need_t=(1000, 1000), sizes=(100, 100), ramp=(0.5, 0.8, 1.0)).build()
    assert solve(inst).run_t[1] == pytest.approx([130, 100])


def test_each_addition_ramps_from_its_own_opening():
    """At half in the first year: 60 t in 2030 need 120 t/yr; these give 120 in 2031, where 140 are wanted: 40 more at half."""
    world = hub(shop(2030, 2031), need_t=(60, 140), sizes=(0, 500), slope_usd_t_yr=1, ramp=(0.5, 1.0))
    assert solve(world.build()).size_t_yr[1] == pytest.approx([120, 160])


def test_a_process_uses_capacity_by_what_the_stage_counts():
    """Capacity counts metal, 0.8 t per t of oxide: 40 t/yr run 50 t of oxide."""
    world = shop().facility("metal", "metal", existing=40, takes={"ore": 1}, makes={"metal": 0.8}, use=0.8)
    world.lane("ore", "mine", "metal").lane("metal", "metal", "user").demand("user", "metal", 100)
    assert solve(world.build()).run_t[1, 0] == pytest.approx(50)


def test_two_processes_share_one_capacity():
    """30 t/yr, for two oxides of which 20 t each are wanted; the dearer to miss goes first."""
    world = World().mine("a", "ore@a", 100).mine("b", "ore@b", 100).facility("hub", existing=30)
    for mine, penalty in (("a", 1.0), ("b", 9.0)):
        world.process("hub", mine, {f"ore@{mine}": 1}, {f"oxide-{mine}": 1}).lane(f"ore@{mine}", mine, "hub")
        world.lane(f"oxide-{mine}", "hub", "user").demand("user", f"oxide-{mine}", 20, unmet_usd_t=penalty)
    assert solve(world.build()).unmet_t == pytest.approx([10, 0])


def test_what_is_lost_takes_away_its_share_of_the_block():
    """Lost for half of a block of two years: 100 t/yr, existing or new, give 100 t."""
    for options in ({"existing": 100}, {"sizes": (100, 100)}):
        inst = hub(shop(2030, 2032), need_t=(1000, 0), **options).build()
        available = inst.available_share.copy()
        available[1, 0] = 0.5
        assert solve(replace(inst, available_share=available)).run_t[1, 0] == pytest.approx(100)


# (2) Size --------------------------------------------------------------------------------------------------------------


def test_the_smallest_size_is_paid_even_if_not_needed():
    """10 t wanted of a hub of 80 t/yr at least: 80 * 5."""
    assert cost(hub(shop(), need_t=10, sizes=(80, 500), slope_usd_t_yr=5).build()) == pytest.approx(400)


def test_the_largest_size_is_not_passed():
    """500 of 600 t; 100 unmet at 7, and the hub free."""
    assert cost(hub(shop(), need_t=600, unmet_usd_t=7, sizes=(80, 500)).build()) == pytest.approx(700)


def test_a_hub_not_worth_its_smallest_size_stays_closed():
    """10 t at 30 is 300, less than 80 * 5."""
    solution = solve(hub(shop(), need_t=10, unmet_usd_t=30, sizes=(80, 500), slope_usd_t_yr=5).build())
    assert solution.cost_usd == pytest.approx(300)
    assert not solution.opened.any() and not solution.size_t_yr.any()


# (3) Order of building -------------------------------------------------------------------------------------------------


def test_what_is_built_stays_and_is_paid_for():
    """100 t in 2030, 10 t in 2031: 100 t/yr paid twice, at 3 and 50 fixed."""
    solution = solve(hub(shop(2030, 2031), need_t=(100, 10), sizes=(0, 500), fixed_usd=50, slope_usd_t_yr=3).build())
    assert solution.size_t_yr[1] == pytest.approx([100, 100])
    assert solution.cost_usd == pytest.approx(2 * (50 + 300))


def test_nothing_opens_before_its_first_period():
    """Not before 2032, however dear the demand."""
    solution = solve(hub(shop(2030, 2031, 2032), need_t=(5, 5, 5), sizes=(0, 500), first=2).build())
    assert solution.opened[1].tolist() == [False, False, True]
    assert solution.unmet_t == pytest.approx([5, 5, 0])


def test_a_first_period_past_the_horizon_is_never():
    inst = hub(shop(2030), need_t=5, sizes=(0, 500), first=1).build()
    assert solve(inst).unmet_t == pytest.approx([5])


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
        world.rule("byproducts", commodity="la", period=t, limit_t=1000.0, price_usd_t=10.0)
    assert cost(world.build()) == pytest.approx(-100)


# (6) By-product markets ------------------------------------------------------------------------------------------------


def test_by_products_are_sold_up_to_what_their_market_takes():
    """100 t of carbonate give 60 t of lanthanum; 25 are taken at 4, 35 are left over: 100 to mine less 100 earned."""
    world = World(hold=["la"], sell=["la"]).mine("mine", "ore", 1000, opex_usd_t=1)
    world.facility("hub", existing=1000, takes={"ore": 1}, makes={"ndpr": 0.4, "la": 0.6}).lane("ore", "mine", "hub")
    world.lane("ndpr", "hub", "user").demand("user", "ndpr", 40).rule(
        "byproducts", commodity="la", period=0, limit_t=25.0, price_usd_t=4.0
    )
    solution = solve(world.build())
    assert (solution.sold_t.sum(), solution.held_t.sum()) == pytest.approx((25, 35))
    assert solution.cost_usd == pytest.approx(100 - 25 * 4)


def test_two_plants_share_one_by_product_market():
    """Two plants of 50 t of lanthanum each, market of 30: one half of it is not sold twice."""
    world = World(hold=["la"], sell=["la"])
    for name in ("east", "west"):
        world.mine(f"{name}-mine", "ore", 100).facility(
            name, existing=100, takes={"ore": 1}, makes={"ndpr": 0.5, "la": 0.5}
        )
        world.lane("ore", f"{name}-mine", name).lane("ndpr", name, f"user-{name}").demand(f"user-{name}", "ndpr", 50)
    world.rule("byproducts", commodity="la", period=0, limit_t=30.0, price_usd_t=2.0)
    assert cost(world.build()) == pytest.approx(-60)


# (7) Reported output ---------------------------------------------------------------------------------------------------


def test_a_mine_of_a_past_year_runs_as_reported_and_holds_the_rest():
    """80 t reported at 2 a tonne, 30 needed: 160, and 50 t held at the mine."""
    inst = (
        hub(World().mine("mine", "ore", 200, opex_usd_t=2), need_t=30, existing=100)
        .rule("fixed_output", process=0, period=0, output_t=80.0)
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
    solution = solve(world.rule("output_limits", facility=1, commodity="oxide", period=0, output_t=25.0).build())
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
    world = lock_world().demand("user", "oxide", 60).rule("locks", mine="mine", country="MYS", period=0, share=0.4)
    solution = solve(world.build())
    assert solution.cost_usd == pytest.approx(240)
    assert solution.run_t[:, 0] == pytest.approx([60, 36, 36, 24, 24])


def test_without_the_lock_all_stays_at_home():
    assert cost(lock_world().demand("user", "oxide", 60).build()) == 0


def test_a_lock_binds_its_own_period_only():
    world = (
        lock_world(2030, 2031)
        .demand("user", "oxide", 60)
        .rule("locks", mine="mine", country="MYS", period=1, share=0.5)
    )
    assert solve(world.build()).run_t[3] == pytest.approx([0, 30])


# (9) Offtake contracts -------------------------------------------------------------------------------------------------


def test_a_contract_is_taken_or_paid_for():
    """40 t contracted from `dear` (8 a tonne more); 30 t wanted, so 30 come from there at 8, and 10 are paid for at 50."""
    world = World(rules={"rule_usd_t": 50.0})
    for name, opex_usd_t in (("cheap", 0), ("dear", 8)):
        world.mine(name, "oxide", 100, opex_usd_t=opex_usd_t).lane("oxide", name, "user")
    world.demand("user", "oxide", 30).rule("offtakes", site="dear", commodity="oxide", period=0, amount_t=40.0)
    solution = solve(world.build())
    assert solution.offtake_short_t == pytest.approx([10])
    assert solution.cost_usd == pytest.approx(30 * 8 + 10 * 50)


def test_a_contract_cheaper_to_break_is_broken():
    """At a penalty of 5 the cheap mine serves all, and 40 t are paid for."""
    world = World(rules={"rule_usd_t": 5.0})
    for name, opex_usd_t in (("cheap", 0), ("dear", 8)):
        world.mine(name, "oxide", 100, opex_usd_t=opex_usd_t).lane("oxide", name, "user")
    world.demand("user", "oxide", 30).rule("offtakes", site="dear", commodity="oxide", period=0, amount_t=40.0)
    assert cost(world.build()) == pytest.approx(200)


# (10) Country shares ---------------------------------------------------------------------------------------------------


def test_no_country_runs_more_than_its_share_of_a_stage():
    """100 t of separation, at most 0.65 in one country: 35 t go to the dearer one at 4."""
    world = shop()
    for name, country, opex in (("here", "AUS", 0), ("there", "JPN", 4)):
        hub(world, name, need_t=0, country=country, existing=1000, opex_usd_t=opex)
    solution = solve(
        world.demand("user", "oxide", 100).rule("country_shares", stage="separation_light", share=0.65).build()
    )
    assert solution.run_t[1:, 0] == pytest.approx([65, 35])
    assert solution.cost_usd == pytest.approx(35 * 4)


def test_a_share_that_cannot_be_kept_is_priced():
    """One country only: of 100 t, 35 are over its share, at 3."""
    world = hub(shop(rules={"rule_usd_t": 3.0}), existing=1000).rule(
        "country_shares", stage="separation_light", share=0.65
    )
    solution = solve(world.build())
    assert solution.share_over_t.sum() == pytest.approx(35)
    assert solution.cost_usd == pytest.approx(105)


def test_a_share_counts_its_own_stage_only():
    world = hub(shop(rules={"rule_usd_t": 3.0}), existing=1000).rule("country_shares", stage="magnet", share=0.65)
    assert cost(world.build()) == 0


# (11) Stockpile --------------------------------------------------------------------------------------------------------


def stock_world(**options: object) -> World:
    world = World((2030, 2031, 2032), stock=["oxide"], storage_usd_t_yr=1.0, **options).mine(
        "mine", "ore", 1000, opex_usd_t=2
    )  # type: ignore[arg-type]
    world.facility("hub", existing=1000, takes={"ore": 1}, makes={"oxide": 1}).lane("ore", "mine", "hub").lane(
        "oxide", "hub", "user"
    )
    return world


def test_a_stockpile_is_built_held_and_released():
    """20 t at the ends of 2030 and 2031, 5 of 2032; 30 t wanted a year. Run: 50, 30, 15 = 95 t at 2; kept 20+20+5 at 1."""
    world = stock_world().demand("user", "oxide", 30)
    for t, amount in enumerate((20.0, 20.0, 5.0)):
        world.rule("stock_needs", commodity="oxide", period=t, amount_t=amount)
    solution = solve(world.build())
    assert solution.run_t[1] == pytest.approx([50, 30, 15])
    assert solution.cost_usd == pytest.approx(95 * 2 + 45)


def test_stock_bridges_a_year_in_which_the_hub_is_lost():
    """Nothing runs in 2031: 30 t more in 2030, kept one year."""
    inst = stock_world().demand("user", "oxide", 30).build()
    available = np.ones((2, 3))
    available[1, 1] = 0.0
    solution = solve(replace(inst, available_share=available))
    assert solution.run_t[1] == pytest.approx([60, 0, 30])
    assert solution.cost_usd == pytest.approx(90 * 2 + 30)


def test_a_stockpile_out_of_reach_is_priced():
    """Capacity of 10 t/yr, nothing else wanted: of 40 t, 10 are short after three years; 3 a tonne, once."""
    world = stock_world(rules={"rule_usd_t": 100.0})
    world._existing[1][:] = 10.0
    solution = solve(world.rule("stock_needs", commodity="oxide", period=2, amount_t=40.0).build())
    assert solution.stock_short_t == pytest.approx([10])
    assert solution.stock_t.max(axis=0) == pytest.approx([10, 20, 30])


def test_only_what_keeps_is_stocked():
    """As the lost year, but nothing may be stocked: 30 t unmet."""
    world = stock_world().demand("user", "oxide", 30)
    world.stock = ()
    available = np.ones((2, 3))
    available[1, 1] = 0.0
    assert solve(replace(world.build(), available_share=available)).unmet_t == pytest.approx([0, 30, 0])


# (12) Budget and number ------------------------------------------------------------------------------------------------


def test_capital_stays_within_the_budget():
    """100 + 2 a t/yr; 220 buys 60 t/yr of the 100 wanted."""
    world = hub(shop(rules={"budget_usd": 220.0}), sizes=(0, 500), fixed_usd=100, slope_usd_t_yr=2, annuity_share=0.1)
    solution = solve(world.build())
    assert solution.size_t_yr[1, 0] == pytest.approx(60)
    assert solution.unmet_t == pytest.approx([40])


def test_the_budget_counts_what_stands_at_the_end():
    """Built by steps, 40 then 60 t/yr: 100 + 2*60 in all, not the sum over periods."""
    world = hub(
        shop(2030, 2031, rules={"budget_usd": 220.0}),
        need_t=(40, 60),
        sizes=(0, 500),
        fixed_usd=100,
        slope_usd_t_yr=2,
        annuity_share=0.1,
    )
    solution = solve(world.build())
    assert solution.unmet_t == pytest.approx([0, 0])
    assert solution.size_t_yr[1] == pytest.approx([40, 60])


def test_no_more_hubs_than_allowed_and_mines_are_none():
    """Three users, each next to a hub of its own; two may be built: those dearest to miss. The mine is built besides."""
    world = World(rules={"max_hubs": 2}).facility("mine", "mine", sizes=(1000, 1000), makes={"ore": 1}, process="mine")
    for name, penalty in (("a", 1), ("b", 5), ("c", 7)):
        world.facility(name, sizes=(0, 100), takes={"ore": 1}, makes={"oxide": 1}).lane("ore", "mine", name).lane(
            "oxide", name, f"user-{name}"
        )
        world.demand(f"user-{name}", "oxide", 10, unmet_usd_t=penalty)
    solution = solve(world.build())
    assert solution.opened[:, 0].tolist() == [True, False, True, True]
    assert solution.cost_usd == pytest.approx(10)


def test_what_must_open_does(tiny):
    """North must, so North serves: 1360, less than both."""
    solution = solve(replace(tiny, must_open=(1,)))
    assert solution.opened[1, -1]
    assert solution.cost_usd == pytest.approx(1360)


def test_what_must_open_may_open_late():
    """The smallest size in the last of three years alone: 5 * 80."""
    world = hub(shop(2030, 2031, 2032, rules={"must_open": (1,)}), need_t=0, sizes=(80, 500), slope_usd_t_yr=5)
    assert cost(world.build()) == pytest.approx(400)


def test_rules_that_cannot_all_hold_are_no_plan(tiny):
    with pytest.raises(NoPlanError) as caught:
        solve(replace(tiny, must_open=(1, 2), max_hubs=1))
    assert not caught.value.timed_out


# (13) Whole lanes ------------------------------------------------------------------------------------------------------


def test_a_customer_with_one_supplier_is_not_split():
    """Two customers of 60 t; hubs of 100 t/yr (cheap, 1) and 100 (dear, 5). Split: 100 + 20*5 = 200; whole: 60 + 300 = 360."""
    for whole, wanted in ((False, 200), (True, 360)):
        world = World()
        for name, usd_t in (("cheap", 1), ("dear", 5)):
            world.mine(name, "good", 100)
            for user in ("first", "second"):
                world.lane("good", name, user, usd_t, whole=whole)
        world.demand("first", "good", 60).demand("second", "good", 60)
        assert cost(world.build()) == pytest.approx(wanted)


# (14) Growth ---------------------------------------------------------------------------------------------------------


def test_a_stage_grows_no_faster_than_it_can():
    """40 t/yr of new hubs by 2030 and 80 by 2031, whatever the number of hubs; what stands and another stage do not count."""
    world = shop(2030, 2031)
    for name, stage in (("a", "separation_light"), ("b", "separation_light"), ("c", "separation_heavy")):
        hub(world, name, need_t=0, stage=stage, sizes=(0, 30), opex_usd_t=float(stage == "separation_heavy"))
    hub(world, "old", need_t=0, existing=10)
    for t, most in enumerate((40.0, 80.0)):
        world.rule("growth", stage="separation_light", period=t, most_t_yr=most)
    solution = solve(world.demand("user", "oxide", 200, unmet_usd_t=5).build())
    assert solution.size_t_yr[1:3].sum(axis=0) == pytest.approx([40, 60])
    assert solution.unmet_t == pytest.approx([200 - 40 - 30 - 10, 200 - 60 - 30 - 10])


# All of them -----------------------------------------------------------------------------------------------------------


def test_rows_can_be_traced_to_their_family():
    """One row of each kind in a world that has them all; columns and rows as many as the arrays say."""
    world = tiny_world(years=(2030, 2031), need_t=(30.0, 30.0))
    world.rules = {"budget_usd": 1e9, "max_hubs": 5, "must_open": (1,)}
    world.sell, world.stock = ("salt",), ("oxide",)
    world.rule("byproducts", commodity="salt", period=0, limit_t=1.0, price_usd_t=1.0).rule(
        "fixed_output", process=0, period=0, output_t=60.0
    )
    world.rule("output_limits", facility=1, commodity="oxide", period=0, output_t=40.0)
    world.lane("concentrate@mine", "mine", "north").rule("locks", mine="mine", country="AUS", period=0, share=0.5)
    world.rule("offtakes", site="north", commodity="oxide", period=0, amount_t=1.0).rule(
        "country_shares", stage="separation_light", share=0.5
    )
    inst = (
        world.rule("stock_needs", commodity="oxide", period=0, amount_t=1.0)
        .rule("growth", stage="separation_light", period=0, most_t_yr=900.0)
        .build()
    )
    arrays, var = build_model(inst)
    wanted = {
        "capacity",
        "largest size",
        "smallest size",
        "open stays open",
        "built stays built",
        "balance",
        "demand",
        "by-product market",
        "reported output",
        "reported output limit",
        "offtake lock",
        "offtake",
        "country share",
        "stockpile",
        "budget",
        "number of hubs",
        "must open",
        "growth",
    }
    assert set(arrays.families) == wanted
    assert (
        sum(stop - start for start, stop in arrays.families.values()) == len(arrays.row_lower) == arrays.matrix.shape[0]
    )
    assert var.opened.shape == (3, 2) and var.flow.shape == (5, 2)


def test_the_program_is_the_same_twice(tiny_blocks):
    first, second = (build_model(tiny_blocks)[0].to_proto().SerializeToString(deterministic=True) for _ in range(2))
    assert first == second
