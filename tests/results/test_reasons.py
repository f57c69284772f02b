"""Why a hub is open or not, the runner-up, and what would flip it: each number by hand."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from model.worlds import World, hub, shop, solve

from hubplan.model.instance import Instance
from hubplan.results.build import _flows
from hubplan.results.reasons import OF_CAPITAL, OF_KEEPING, OF_RIVAL, OF_WORTH, build_reasons
from hubplan.results.shadow import build_shadow_prices


def reasons(inst: Instance) -> pd.DataFrame:
    solution = solve(inst)
    names = {"mine": "Old Mine", "user": "Harbour"}
    return build_reasons(inst, solution, _flows(inst, solution), names=names).set_index("facility")


def also(world: World, name: str, *, opex_usd_t: float = 0.0, **options) -> World:
    """Another hub between the same mine and user."""
    world.facility(name, takes={"ore": 1}, makes={"oxide": 1}, opex_usd_t=opex_usd_t, **options)
    return world.lane("ore", "mine", name).lane("oxide", name, "user")


def test_an_open_hub_at_its_largest_earns_what_a_tonne_saves():
    """40 t/yr of 100 wanted, 1,000 USD for each unserved: it earns 1,000, costs 20 + 200 / 40 = 25; capital could be 40 times."""
    found = reasons(hub(shop(), sizes=(10, 40), fixed_usd=200, slope_usd_t_yr=20, unmet_usd_t=1000).build()).loc["hub"]
    assert found["opened"] and found["flip_unit"] == OF_CAPITAL
    assert found["flip_number"] == pytest.approx(1000 / 25 - 1)
    assert found["why"] == (
        "Open from 2030, 40 t/yr by 2030, at full rate from 2030; at this plan's prices a t/yr of it earns 1,000 USD a year and "
        "costs 25; takes from Old Mine; serves Harbour."
    )
    assert found["runner_up"] == ""


def test_a_hub_that_grows_is_judged_by_all_its_sizes():
    """20 t/yr stand for 2030 and 60 for 2031, at 1,000 USD a t: 20,000 + 60,000 over 80 t/yr-years. Costs: twice 200, 20 x 80:
    2,000 / 80 = 25. A first t/yr alone would be told as 20 + 200 / 60 = 23.
    """
    world = hub(
        shop(2030, 2031), "hub", (20.0, 90.0), sizes=(10, 60), fixed_usd=200, slope_usd_t_yr=20, unmet_usd_t=1000
    )
    found = reasons(world.note("growth", stage="separation_light", period=0, most_t_yr=20.0).build()).loc["hub"]
    assert "costs 25;" in found["why"]


def test_a_shut_hub_needs_cheaper_capital():
    """An old plant makes oxide at 8 USD. A hub at 2 USD saves 6 a t, and costs 5 + 500 / 100 = 10 at its largest: 40 % off."""
    world = hub(shop(), "old", existing=100, opex_usd_t=8)
    found = reasons(also(world, "new", opex_usd_t=2, sizes=(10, 100), fixed_usd=500, slope_usd_t_yr=5).build()).loc[
        "new"
    ]
    assert not found["opened"] and found["flip_unit"] == OF_CAPITAL
    assert found["flip_number"] == pytest.approx(6 / 10 - 1)
    assert found["why"] == (
        "Not opened: at this plan's prices a first t/yr from 2030 would save at most 6 USD a year and costs 10 at 100 t/yr."
    )


def test_capital_that_falls_by_the_flip_number_flips():
    """At 0.59 of its capital (10 to 5.9 USD a t/yr) the hub of the test above opens: 100 x (6 - 5.9) saved. At 0.61 not."""
    opened = []
    for share in (0.59, 0.61):
        world = hub(shop(), "old", existing=100, opex_usd_t=8)
        also(world, "new", opex_usd_t=2, sizes=(10, 100), fixed_usd=500 * share, slope_usd_t_yr=5 * share)
        opened.append(bool(reasons(world.build()).loc["new", "opened"]))
    assert opened == [True, False]


def test_a_hub_whose_product_is_worth_nothing_more_needs_a_better_price():
    """At 9 USD of processing against 8 it saves nothing; a t/yr of it would have to be worth 10 more, whatever the capital."""
    world = hub(shop(), "old", existing=100, opex_usd_t=8)
    found = reasons(also(world, "new", opex_usd_t=9, sizes=(10, 100), fixed_usd=500, slope_usd_t_yr=5).build()).loc[
        "new"
    ]
    assert (found["flip_number"], found["flip_unit"]) == (pytest.approx(10), OF_WORTH)
    assert "worth no more than what it takes" in found["why"]


def test_a_hub_nobody_feeds_says_so():
    world = hub(shop(), "old", existing=100)
    world.facility("lost", sizes=(0, 50), fixed_usd=10, takes={"ore": 1}, makes={"oxide": 1}).lane(
        "oxide", "lost", "user"
    )
    found = reasons(world.build()).loc["lost"]
    assert found["why"] == "Not opened: nothing in use sends what it takes, or takes what it makes."


def test_of_two_like_hubs_the_cheaper_opens_and_the_other_is_its_runner_up():
    """Either could serve all 100 t; at 20 USD per t/yr and 100 USD fixed the last tonne earns its 20 only, so the fixed cost
    stands for the first. `dear` costs 22 + 1: against it `cheap` has (22 + 1) - (20 + 1) = 2, a tenth of its 21 or so.
    """
    world = hub(shop(), "cheap", sizes=(0, 200), fixed_usd=100, slope_usd_t_yr=20, unmet_usd_t=1000)
    found = reasons(also(world, "dear", sizes=(0, 200), fixed_usd=100, slope_usd_t_yr=22).build())
    assert found["runner_up"].to_dict() == {"cheap": "dear", "dear": "cheap"}
    assert (found.loc["cheap", "flip_number"], found.loc["cheap", "flip_unit"]) == (pytest.approx(2 / 21), OF_RIVAL)
    assert "do not carry the fixed cost" in found.loc["cheap", "why"]
    # dear: a first t/yr saves the 20 that cheap's costs, and costs 22 + 100 / 200
    assert found.loc["dear", "flip_number"] == pytest.approx(20 / 22.5 - 1)


def test_a_standing_plant_that_is_closed_says_what_it_would_have_saved():
    """The market takes 100 t. `good` makes them at 4 USD; `fair` at 3 saves 1 a t and costs 500 / 100 = 5 to keep: 80 % off."""
    world = hub(shop(), "good", existing=100, opex_usd_t=4)
    found = reasons(also(world, "fair", existing=100, opex_usd_t=3, keep_usd_yr=500).build()).loc["fair"]
    assert not found["opened"]
    assert found["why"] == (
        "Closed from 2030: at this plan's prices a t/yr of it would save at most 1 USD a year and costs 5 to keep."
    )
    assert (found["flip_number"], found["flip_unit"]) == (pytest.approx(1 / 5 - 1), OF_KEEPING)


def test_scarce_growth_is_told_apart():
    """The stage may grow by 30 t/yr; a t saves 1,000; one hub costs 20, the other 40 with 100 fixed: the growth is worth 980."""
    world = hub(shop(), "cheap", sizes=(0, 100), slope_usd_t_yr=20, unmet_usd_t=1000)
    also(world, "dear", sizes=(0, 100), slope_usd_t_yr=40, fixed_usd=100)
    found = reasons(world.note("growth", stage="separation_light", period=0, most_t_yr=30.0).build())
    # 1,000 - 980 = 20 is left to pay 40 + 100 / 100
    assert found.loc["dear", "flip_number"] == pytest.approx(20 / 41 - 1)
    assert "1,000 USD a year, 980 of it for what others of its stage would do with it" in found.loc["dear", "why"]


def test_sums_over_years_are_a_years_worth_with_ramp_and_discount():
    """Old plant at 8 USD, hub at 2: half rate in 2030-2031, full in 2032-33. At no interest a t/yr from 2030 saves
    (2 x 0.5 + 2 x 1) x 6 = 18 and costs 10 a year; from 2032, at half rate, it saves 2 x 0.5 x 6 = 6.
    """
    world = World((2030, 2032, 2034)).mine("mine", "ore", 1e4)
    hub(world, "old", (200.0, 200.0, 0.0), existing=100, opex_usd_t=8)
    also(world, "new", opex_usd_t=2, sizes=(10, 100), slope_usd_t_yr=10, ramp=(0.5, 0.5, 1.0))
    found = reasons(world.build()).loc["new"]
    assert "from 2030 would save at most 4 USD" in found["why"]
    # 2034 asks for nothing, and its year counts as cost: 18 / 5 years
    assert found["flip_number"] == pytest.approx(18 / 5 / 10 - 1)


def test_shadow_prices_name_what_they_are_of():
    """60 t of a 5-USD plant and 40 of an 8-USD one serve 100 t; the penalty, growth and size play no part: two rows."""
    world = hub(shop(), "cheap", existing=60, opex_usd_t=5)
    inst = also(world, "dear", existing=100, opex_usd_t=8).build()
    found = build_shadow_prices(inst, solve(inst).prices)
    rows = [tuple(row) for row in found[["kind", "id", "period", "unit"]].to_numpy()]
    assert rows == [("capacity", "cheap", 2030, "USD per t/yr"), ("demand", "user/oxide", 2030, "USD per t")]
    assert found["usd"].tolist() == pytest.approx([3, 8])


def test_a_capacity_price_is_for_a_tonne_a_year_throughout_the_period():
    """Two years: a t/yr more is 2 t, at 3 USD."""
    world = hub(shop(2030, 2032), "cheap", (200.0, 0.0), existing=60, opex_usd_t=5)
    inst = also(world, "dear", existing=100, opex_usd_t=8).build()
    found = build_shadow_prices(inst, solve(inst).prices).set_index("kind")
    assert found.loc["capacity", "usd"] == pytest.approx(6)


def test_a_rule_is_named_by_family_and_id_and_priced_by_its_unit():
    world = hub(shop(), existing=40.0).at_least("offtake", 70.0, ("run", 1, 0, 1.0), id="site/oxide", penalty_usd=7.0)
    inst = world.build()
    found = build_shadow_prices(inst, solve(inst).prices).set_index("kind").loc["rule"]
    assert (found["id"], found["period"], found["unit"]) == ("offtake/site/oxide", 2030, "USD per t")
    assert found["usd"] == pytest.approx(7)


def test_without_prices_there_is_no_reason():
    inst = hub(shop(), existing=40.0).build()
    assert build_shadow_prices(inst, None).empty
    solution = replace(solve(inst), prices=None)
    assert build_reasons(inst, solution, _flows(inst, solution), names={}).empty
