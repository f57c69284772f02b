"""Contracts, shares, stockpiles, budget and number on instances solved by hand, through the functions that write their rules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hubplan.errors import DataError, NoPlanError
from hubplan.model.policy.contracts import add_offtakes
from hubplan.model.policy.purchases import add_purchase_caps
from hubplan.model.policy.shares import add_shares
from hubplan.model.policy.stockpile import add_stockpile
from model.conftest import tiny_world
from model.worlds import World, cost, hub, shop, solve

# Offtake contracts -----------------------------------------------------------------------------------------------------


def contract_world(*years: int, rule_usd_t: float, **deal: object) -> World:
    """30 t of oxide wanted a period, from `cheap` for nothing or from `dear` or `dearer` at 8 and 9; a contract from 2030."""
    world = World(years or (2030,), rule_usd_t=rule_usd_t)
    for name, opex_usd_t in (("cheap", 0), ("dear", 8), ("dearer", 9)):
        world.mine(name, "oxide", 100, opex_usd_t=opex_usd_t).lane("oxide", name, "user")
    contract = {"site": "dear", "commodity": "oxide", "t_yr": 40, "from": 2030, "to": 2035, **deal}
    return world.demand("user", "oxide", 30).policy(add_offtakes, offtake=[contract])


def test_a_contract_is_taken_or_paid_for():
    """40 t contracted from `dear` (8 a tonne more); 30 t wanted, so 30 come from there at 8, and 10 are paid for at 50."""
    solution = solve(contract_world(rule_usd_t=50).build())
    assert solution.broken == pytest.approx([10])
    assert solution.cost_usd == pytest.approx(30 * 8 + 10 * 50)


def test_a_contract_cheaper_to_break_is_broken():
    """At a penalty of 5 the cheap mine serves all, and 40 t are paid for."""
    assert cost(contract_world(rule_usd_t=5).build()) == pytest.approx(200)


def test_sites_of_a_pool_deliver_together():
    """20 t from `dear` and `dearer` together, of which `dear` has 15: 15 * 8 + 5 * 9."""
    world = contract_world(rule_usd_t=50, site=["dear", "dearer"], t_yr=20)
    world._existing[1][:] = 15.0
    solution = solve(world.build())
    assert solution.broken == pytest.approx([0])
    assert solution.cost_usd == pytest.approx(15 * 8 + 5 * 9)


def test_a_contract_is_due_for_each_of_its_years():
    """10 t/yr from 2031 to 2032, of blocks 2030-2031 and 2032-2033 and the year 2034: 10, 10 and nothing, at 8."""
    solution = solve(contract_world(2030, 2032, 2034, rule_usd_t=50, t_yr=10, **{"from": 2031, "to": 2032}).build())
    assert solution.run_t[1] == pytest.approx([10, 10, 0])


def test_a_tonne_counts_in_one_contract():
    """10 and 15 t of the same oxide from one site are 25 t."""
    world = contract_world(rule_usd_t=50)
    deals = [{"site": "dear", "commodity": "oxide", "t_yr": t_yr, "from": 2030, "to": 2030} for t_yr in (10, 15)]
    assert solve(world.policy(offtake=deals).build()).run_t[1, 0] == pytest.approx(25)


# Shares ----------------------------------------------------------------------------------------------------------------


def test_no_country_runs_more_than_its_share_of_a_stage():
    """100 t of separation, at most 0.65 in one country: 35 t go to the dearer one at 4."""
    world = shop().policy(add_shares, max_country_share={"separation_light": 0.65})
    for name, country, opex in (("here", "AUS", 0), ("there", "JPN", 4)):
        hub(world, name, need_t=0, country=country, existing=1000, opex_usd_t=opex)
    solution = solve(world.demand("user", "oxide", 100).build())
    assert solution.run_t[1:, 0] == pytest.approx([65, 35])
    assert solution.cost_usd == pytest.approx(35 * 4)


def test_a_share_that_cannot_be_kept_is_priced():
    """One country only: of 100 t, 35 are over its share, at 3."""
    world = hub(shop(rule_usd_t=3), existing=1000).policy(add_shares, max_country_share={"separation_light": 0.65})
    solution = solve(world.build())
    assert solution.broken.sum() == pytest.approx(35)
    assert solution.cost_usd == pytest.approx(105)


def test_a_share_counts_what_the_capacity_counts():
    """0.8 t of capacity for each of 100 t of oxide: 80 run, of which 28 are over 0.65."""
    world = hub(shop(rule_usd_t=3), existing=1000, use=0.8)
    solution = solve(world.policy(add_shares, max_country_share={"separation_light": 0.65}).build())
    assert solution.broken.sum() == pytest.approx(28)


def test_a_share_counts_its_own_stage_only():
    world = hub(shop(rule_usd_t=3), existing=1000).policy(add_shares, max_country_share={"magnet": 0.65})
    assert cost(world.build()) == 0


# Stockpile -------------------------------------------------------------------------------------------------------------


def stock_world(**options: object) -> World:
    """Three years of oxide at 2 a tonne, kept at 1 a year."""
    world = World((2030, 2031, 2032), stock=["ndpr-oxide"], storage_usd_t_yr=1, **options)  # type: ignore[arg-type]
    world.mine("mine", "ore", 1000, opex_usd_t=2)
    world.facility("hub", existing=1000, takes={"ore": 1}, makes={"ndpr-oxide": 1}).lane("ore", "mine", "hub")
    return world.lane("ndpr-oxide", "hub", "user")


def stockpile(world: World, *yearly_t: float, days: float = 73.0) -> World:
    """Ask for a stock of 73 days, 0.2 of a year's need, in each period that needs any."""
    for t, need_t in enumerate(yearly_t):
        if need_t:
            world.note("yearly_needs", commodity="ndpr-oxide", period=t, yearly_t=need_t)
    return world.policy(add_stockpile, stockpile_days={"ndpr": days})


def test_a_stockpile_is_built_held_and_released():
    """20 t at the ends of 2030 and 2031, 5 of 2032; 30 t wanted a year. Run: 50, 30, 15 = 95 t at 2; kept 20+20+5 at 1."""
    world = stockpile(stock_world().demand("user", "ndpr-oxide", 30), 100, 100, 25)
    solution = solve(world.build())
    assert solution.run_t[1] == pytest.approx([50, 30, 15])
    assert solution.cost_usd == pytest.approx(95 * 2 + 45)


def test_a_stockpile_out_of_reach_is_priced():
    """Capacity of 10 t/yr, nothing else wanted: of 40 t, 10 are short after three years."""
    world = stock_world(rule_usd_t=100)
    world._existing[1][:] = 10.0
    solution = solve(stockpile(world, 0, 0, 200).build())
    assert solution.broken == pytest.approx([10])
    assert solution.stock_t.max(axis=0) == pytest.approx([10, 20, 30])


def test_what_is_not_stocked_is_named():
    with pytest.raises(DataError, match="lace cannot be stocked"):
        stock_world().policy(add_stockpile, stockpile_days={"lace": 30}).build()
    with pytest.raises(DataError, match="given twice"):
        stock_world().policy(add_stockpile, stockpile_days={"dy": 30, "dy-oxide": 30}).build()


# Budget, number, purchases -----------------------------------------------------------------------------------------------------


def test_capital_stays_within_the_budget():
    """100 + 2 a t/yr; 220 buys 60 t/yr of the 100 wanted."""
    world = hub(shop(), sizes=(0, 500), fixed_usd=100, slope_usd_t_yr=2, annuity_share=0.1).budget(budget_usd=220)
    solution = solve(world.build())
    assert solution.size_t_yr[1, 0] == pytest.approx(60)
    assert solution.unmet_t == pytest.approx([40])


def test_the_budget_counts_what_stands_at_the_end():
    """Built by steps, 40 then 60 t/yr: 100 + 2*60 in all, not the sum over periods."""
    costs = {"fixed_usd": 100, "slope_usd_t_yr": 2, "annuity_share": 0.1}
    world = hub(shop(2030, 2031), need_t=(40, 60), sizes=(0, 500), **costs).budget(budget_usd=220)
    solution = solve(world.build())
    assert solution.unmet_t == pytest.approx([0, 0])
    assert solution.size_t_yr[1] == pytest.approx([40, 60])


def test_no_more_hubs_than_allowed_and_mines_are_none():
    """Three users, each next to a hub of its own; two may be built: those dearest to miss. The mine is built besides."""
    world = World().facility("mine", "mine", sizes=(1000, 1000), makes={"ore": 1}, process="mine").budget(max_hubs=2)
    for name, penalty in (("a", 1), ("b", 5), ("c", 7)):
        world.facility(name, sizes=(0, 100), takes={"ore": 1}, makes={"oxide": 1}).lane("ore", "mine", name)
        world.lane("oxide", name, f"user-{name}").demand(f"user-{name}", "oxide", 10, unmet_usd_t=penalty)
    solution = solve(world.build())
    assert solution.opened[:, 0].tolist() == [True, False, True, True]
    assert solution.cost_usd == pytest.approx(10)


def test_what_must_open_does():
    """North must, so North serves: 1360, less than both."""
    world = tiny_world()
    world.must_open = ["north"]
    solution = solve(world.budget().build())
    assert solution.opened[1, -1]
    assert solution.cost_usd == pytest.approx(1360)


def test_what_must_open_may_open_late():
    """The smallest size in the last of three years alone: 5 * 80."""
    world = hub(shop(2030, 2031, 2032, must_open=["hub"]), need_t=0, sizes=(80, 500), slope_usd_t_yr=5)
    assert cost(world.budget().build()) == pytest.approx(400)


def test_rules_that_cannot_all_hold_are_no_plan():
    world = tiny_world()
    world.must_open = ["north", "south"]
    with pytest.raises(NoPlanError) as caught:
        solve(world.budget(max_hubs=1).build())
    assert not caught.value.timed_out


def test_an_offer_is_bought_up_to_what_it_has_in_each_year():
    """10 t/yr on offer from 2031: 10 in the block 2030-2031, 20 in 2032-2033, 10 in 2034, at two doors together. 15 t wanted at
    each of two markets in each period."""
    world = World((2030, 2032, 2034))
    offer = {"country": "CHN", "commodity": "oxide", "most_t_yr": 10, "from": 2031}
    for name in ("east", "west"):
        world.facility(f"{name}-door", "purchase", existing=1000, makes={"oxide": 1}, process="offer-1")
        world.lane("oxide", f"{name}-door", name).demand(name, "oxide", 15)
    solution = solve(world.policy(add_purchase_caps, purchase=[offer]).build())
    assert solution.run_t.sum(axis=0) == pytest.approx([10, 20, 10])


def test_without_keys_nothing_is_ruled():
    assert len(hub(shop(), existing=1).policy(add_offtakes, add_shares, add_stockpile).budget().build().rules) == 0


def test_the_last_of_a_stockpile_may_be_drawn_when_the_hub_is_lost():
    """20 t asked for at the end of 2030 alone; in 2031 the hub is lost, so 30 are made ahead: 30 + 30 in 2030, and 30 in 2032."""
    inst = stockpile(stock_world().demand("user", "ndpr-oxide", 30), 100, 0, 0).build()
    available = np.ones((2, 3))
    available[1, 1] = 0.0
    assert solve(replace(inst, available_share=available)).run_t[1] == pytest.approx([60, 0, 30])
