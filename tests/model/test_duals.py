"""Prices of a plan, each worked out by hand: what one more of a thing saves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hubplan.model import solve as solving
from hubplan.model.duals import Prices
from hubplan.model.instance import Instance
from model.worlds import World, cost, hub, shop, solve


def prices(inst: Instance) -> Prices:
    found = solve(inst).prices
    assert found is not None
    return found


def two_hubs(cheap_t_yr: float = 60.0) -> World:
    """A cheap hub and a dear one, for 100 t: 5 and 8 USD per t."""
    world = hub(shop(), "cheap", existing=cheap_t_yr, opex_usd_t=5)
    world.facility("dear", existing=100.0, opex_usd_t=8, takes={"ore": 1}, makes={"oxide": 1})
    return world.lane("ore", "mine", "dear").lane("oxide", "dear", "user")


def test_capacity_is_worth_the_gap_between_it_and_what_replaces_it():
    """One more t at the cheap hub spares a t at the dear one: 8 - 5 = 3 USD. The dear hub and the mine have room: 0."""
    found = prices(two_hubs().build())
    assert found.capacity_usd_t[:, 0].tolist() == pytest.approx([0, 3, 0])
    assert np.isnan(found.opening_usd_t).all()


def test_a_price_says_what_one_more_really_saves():
    """60 t cheap and 40 dear cost 300 + 320 = 620; 61 and 39 cost 305 + 312 = 617."""
    assert cost(two_hubs().build()) - cost(two_hubs(61.0).build()) == pytest.approx(3)


def test_prices_of_a_later_block_are_discounted_and_per_tonne_of_the_block():
    """2030-2031 and 2032 at a tenth: means 0.954545 and 0.826446. 60 t/yr for 200 t and 100 t: 3 USD x each."""
    world = hub(shop(2030, 2032, discount_share=0.1), "cheap", (200.0, 100.0), existing=60.0, opex_usd_t=5)
    world.facility("dear", existing=100.0, opex_usd_t=8, takes={"ore": 1}, makes={"oxide": 1})
    found = prices(world.lane("ore", "mine", "dear").lane("oxide", "dear", "user").build())
    assert found.capacity_usd_t[1].tolist() == pytest.approx([3 * 0.9545454545, 3 * 0.826446281])


def test_one_more_tonne_of_demand_costs_the_dearest_way_in_use():
    """The next t comes from the dear hub: 8 USD. Where that is full it is left unserved: the penalty, 10,000."""
    inst = two_hubs().build()
    market = int(np.flatnonzero(inst.balances["market"])[0])
    assert prices(inst).goods_usd_t[market, 0] == pytest.approx(8)
    full = replace(inst, existing_t_yr=np.array([[1e4], [60.0], [30.0]]))
    assert prices(full).goods_usd_t[market, 0] == pytest.approx(1e4)
    assert prices(full).capacity_usd_t[:, 0].tolist() == pytest.approx([0, 1e4 - 5, 1e4 - 8])


def test_at_a_kink_a_price_lies_between_what_one_more_saves_and_one_less_costs():
    """60 t and 40 t of capacity serve 100 t exactly. Of the cheap one, a t more saves 3, a t less costs 10,000 - 5.

    The price may be any number between; the savings of one more are never above it, the cost of one less never below.
    """
    inst = replace(two_hubs().build(), existing_t_yr=np.array([[1e4], [60.0], [40.0]]))
    price = prices(inst).capacity_usd_t[1, 0]
    more, less = (replace(inst, existing_t_yr=inst.existing_t_yr + np.array([[0], [d], [0]])) for d in (1.0, -1.0))
    saves, costs = cost(inst) - cost(more), cost(less) - cost(inst)
    assert (saves, costs) == (pytest.approx(3), pytest.approx(1e4 - 5))
    assert saves - 1e-6 <= price <= costs + 1e-6


@pytest.mark.parametrize(
    "sense, limit, price", [("at_least", 50.0, 3.0), ("at_most", 30.0, 1e4 - 8.0), ("at_most", 70.0, 0.0)]
)
def test_a_rule_costs_what_relief_of_a_tonne_would_save(sense, limit, price):
    """The dear hub must run 50 t of 100: each t of relief goes to the cheap one and saves 8 - 5 = 3.

    Where it may run 30 t beside 60 cheap ones, a t of relief serves a t: 10,000 - 8. At most 70 t binds nothing: 0.
    """
    world = two_hubs()
    found = prices(world.rule("share", ("run", 2, 0, 1.0), sense=sense, limit=limit, period=0, penalty_usd=2e4).build())
    assert found.rule_usd.tolist() == pytest.approx([price])


def test_a_broken_rule_is_worth_its_penalty():
    """70 t asked of a hub that can 40, at 7 USD a t: the next t of relief saves 7."""
    world = hub(shop(), existing=40.0).at_least("offtake", 70.0, ("run", 1, 0, 1.0), period=0, penalty_usd=7.0)
    assert prices(world.build()).rule_usd.tolist() == pytest.approx([7])


def test_growth_of_a_stage_is_worth_what_the_next_hub_would_save():
    """Hubs cost 20 USD per t/yr and spare 1,000; the stage may build 30 t/yr of 100 wanted: 980 for each t/yr more."""
    world = hub(shop(), sizes=(0, 100), slope_usd_t_yr=20, unmet_usd_t=1000)
    found = prices(world.note("growth", stage="separation_light", period=0, most_t_yr=30.0).build())
    assert found.growth_usd_t_yr.tolist() == pytest.approx([980])
    assert found.capacity_usd_t[1, 0] == pytest.approx(1000)
    assert found.toll_usd_t_yr[1, 0] == pytest.approx(980)
    assert found.largest_usd_t_yr[1, 0] == pytest.approx(0)


def test_largest_size_is_worth_what_is_left_after_its_cost():
    """The same hub, at most 40 t/yr large and no limit to growth: 1,000 - 20."""
    found = prices(hub(shop(), sizes=(0, 40), slope_usd_t_yr=20, unmet_usd_t=1000).build())
    assert found.largest_usd_t_yr[1, 0] == pytest.approx(980)


def test_growth_that_is_used_up_is_worth_what_the_open_hubs_owe_to_it():
    """Two hubs of at most 40 and 60 t/yr at 20 and 30 USD fill a growth of 100; 1,000 saved. More growth alone helps no open hub:
    it is worth 1,000 - 30 to a third, which has to take it from the dearer of the two; 10 stay with the largest of the cheaper.
    """
    world = hub(shop(), "cheap", 200.0, sizes=(0, 40), slope_usd_t_yr=20, unmet_usd_t=1000)
    for name, largest, fixed in (("dear", 60, 0.0), ("third", 90, 1e6)):
        world.facility(
            name, sizes=(0, largest), slope_usd_t_yr=30, fixed_usd=fixed, takes={"ore": 1}, makes={"oxide": 1}
        )
        world.lane("ore", "mine", name).lane("oxide", name, "user")
    found = prices(world.note("growth", stage="separation_light", period=0, most_t_yr=100.0).build())
    assert found.growth_usd_t_yr.tolist() == pytest.approx([970])
    assert found.toll_usd_t_yr[1:, 0].tolist() == pytest.approx([970] * 3)
    assert found.largest_usd_t_yr[1:, 0].tolist() == pytest.approx([10, 0, 0])
    assert found.opening_usd_t[3, 0] == pytest.approx(1000)


def test_a_byproduct_market_is_worth_its_price():
    """10 t of La-Ce fetch 4 USD each where the market takes 6: one more brings 4."""
    world = World(hold=["lace"], sell=["lace"]).mine("mine", "ore", 100)
    world.facility("hub", existing=100, takes={"ore": 1}, makes={"oxide": 0.9, "lace": 0.1}).lane("ore", "mine", "hub")
    world.lane("oxide", "hub", "user").demand("user", "oxide", 90.0)
    world.note("byproducts", commodity="lace", period=0, limit_t=6.0, price_usd_t=4.0)
    assert prices(world.build()).byproduct_usd_t.tolist() == pytest.approx([4])


def test_a_shut_hub_is_priced_by_what_its_neighbours_pay():
    """Open: 8 USD per t with 2 of freight in and 1 out for the candidate, and 1 of processing: a first t saves 8 - 4 = 4.

    It costs 500 USD whatever its size, for 100 t a year: it stays shut. A second candidate sends to no one: no price.
    """
    world = hub(shop(), "open", existing=100.0, opex_usd_t=8)
    for name in ("shut", "lost"):
        world.facility(
            name, sizes=(0, 100), fixed_usd=500, opex_usd_t=1, takes={"ore": 1}, makes={"oxide": 1}, keep_usd_yr=0
        ).lane("ore", "mine", name, 2.0)
    found = prices(world.lane("oxide", "shut", "user", 1.0).build())
    assert found.opening_usd_t[2, 0] == pytest.approx(4)
    assert np.isnan(found.opening_usd_t[3, 0])
    assert np.isnan(found.capacity_usd_t[2:, 0]).all()


def test_a_shut_hub_that_may_keep_its_goods_counts_next_period():
    """Oxide is scarce in 2031 only (100 USD against 1): kept a year at 10 USD, a first t of 2030 earns 100 - 10 = 90."""
    world = World((2030, 2031), stock=["oxide"], storage_usd_t_yr=10.0).mine("mine", "ore", 1e4)
    world.facility("shut", sizes=(0, 5), fixed_usd=1e6, takes={"ore": 1}, makes={"oxide": 1}).lane(
        "ore", "mine", "shut"
    )
    world.lane("oxide", "shut", "user")
    world.demand("user", "oxide", (1.0, 0.0), unmet_usd_t=1.0, sector="now")
    world.demand("user", "oxide", (0.0, 100.0), unmet_usd_t=100.0, sector="then")
    assert prices(world.build()).opening_usd_t[1].tolist() == pytest.approx([90, 100])


def test_prices_are_there_whichever_way_the_plan_was_found(monkeypatch):
    """Branch and bound has no duals: the linear program of its plan is solved once more, and costs the same."""
    world = hub(shop(), sizes=(0, 40), fixed_usd=10, slope_usd_t_yr=20, unmet_usd_t=1000)
    exact = solve(world.build())
    monkeypatch.setattr(solving, "EXACT_BINARIES", 0)
    rounded = solve(world.build())
    assert exact.prices is not None and rounded.prices is not None
    assert exact.prices.largest_usd_t_yr[1, 0] == pytest.approx(rounded.prices.largest_usd_t_yr[1, 0]) == 980
    assert exact.cost_usd == pytest.approx(rounded.cost_usd)
