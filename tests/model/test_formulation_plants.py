"""Families (0) to (3), (10) and (11) of docs/model.md on instances solved by hand: cost, capacity, building, growth, closure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.worlds import World, cost, hub, shop, solve

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


def test_what_is_bought_is_paid_at_the_price_of_its_period():
    """100 t in each of two years at 3 and 5, a tenth a year, and 2 to run: 500 + 700/1.1."""
    world = hub(World((2030, 2031), 0.1).mine("mine", "ore", 1e4, opex_usd_t=2), existing=100)
    for t, price_usd_t in enumerate((3.0, 5.0)):
        world.note("purchases", process=0, period=t, price_usd_t=price_usd_t)
    assert cost(world.build()) == pytest.approx(500 + 700 / 1.1)


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


# (10) Growth ---------------------------------------------------------------------------------------------------------


def test_a_stage_grows_no_faster_than_it_can():
    """40 t/yr of new hubs by 2030 and 80 by 2031, whatever the number of hubs; what stands and another stage do not count."""
    world = shop(2030, 2031)
    for name, stage in (("a", "separation_light"), ("b", "separation_light"), ("c", "separation_heavy")):
        hub(world, name, need_t=0, stage=stage, sizes=(0, 30), opex_usd_t=float(stage == "separation_heavy"))
    hub(world, "old", need_t=0, existing=10)
    for t, most in enumerate((40.0, 80.0)):
        world.note("growth", stage="separation_light", period=t, most_t_yr=most)
    solution = solve(world.demand("user", "oxide", 200, unmet_usd_t=5).build())
    assert solution.size_t_yr[1:3].sum(axis=0) == pytest.approx([40, 60])
    assert solution.unmet_t == pytest.approx([200 - 40 - 30 - 10, 200 - 60 - 30 - 10])


# (11) Closure ----------------------------------------------------------------------------------------------------------


def test_a_plant_that_idles_is_closed_and_saves_what_it_costs_to_keep():
    """60 t of the plant that works for nothing, whose 100 t/yr cost 40 a year to keep: of these 0.6, 24. The other would cost 5
    a tonne and 30 to keep: it is closed."""
    world = shop()
    hub(world, "cheap", need_t=0, existing=100, keep_usd_yr=40)
    hub(world, "dear", need_t=0, existing=100, keep_usd_yr=30, opex_usd_t=5)
    solution = solve(world.demand("user", "oxide", 60).build())
    assert solution.kept_share[:, 0] == pytest.approx([1, 0.6, 0])
    assert solution.cost_usd == pytest.approx(24)


def test_what_is_closed_stays_closed():
    """60 t in the first and third of three years, at 0.6 x 40 = 24 a year to keep. Missing them costs 60 * 0.5 = 30: worth one
    year's keep, but not two. So it closes after the first: 24 + 30 = 54; kept throughout 72, closed throughout 60; could it
    reopen, 48."""
    world = hub(shop(2030, 2031, 2032), need_t=(60, 0, 60), unmet_usd_t=0.5, existing=100, keep_usd_yr=40)
    solution = solve(world.build())
    assert solution.kept_share[1] == pytest.approx([0.6, 0, 0])
    assert solution.cost_usd == pytest.approx(54)


def test_a_plant_needed_later_is_kept_meanwhile():
    """As above where missing a tonne costs 2: 120 > 72, so it is kept through the idle year."""
    world = hub(shop(2030, 2031, 2032), need_t=(60, 0, 60), unmet_usd_t=2, existing=100, keep_usd_yr=40)
    solution = solve(world.build())
    assert solution.kept_share[1] == pytest.approx([0.6, 0.6, 0.6])
    assert solution.cost_usd == pytest.approx(72)


def test_keeping_is_paid_for_each_year_of_a_block_and_discounted():
    """120 t in 2030-2031, 60 a year of 100: 0.6 x 40 in each of two years, worth (1 + 1/1.1)/2 each; none in 2032."""
    world = hub(shop(2030, 2032, discount_share=0.1), need_t=(120, 0), existing=100, keep_usd_yr=40)
    assert cost(world.build()) == pytest.approx(2 * 24 * (1 + 1 / 1.1) / 2)


def test_a_plant_in_its_ramp_costs_as_much_to_keep_as_one_in_full():
    """100 t/yr that give 50 in the first year: 50 t need the whole of it, 40."""
    inst = hub(shop(), need_t=50, existing=50, keep_usd_yr=40).build()
    assert cost(replace(inst, installed_t_yr=inst.installed_t_yr * 2)) == pytest.approx(40)


def test_what_costs_nothing_to_keep_or_does_not_stand_is_not_closed():
    """A plant without a keep cost, and one that may be built: both count as kept, and no column says otherwise."""
    world = hub(shop(), existing=40)
    hub(world, "new", need_t=0, sizes=(0, 100), keep_usd_yr=5)
    solution = solve(world.build())
    assert (solution.kept_share == 1).all()
    assert solution.cost_usd == pytest.approx(0)
