"""Funds, worked out by hand: capital of 10 USD for each t/yr, paid in full each year that it stands."""

from __future__ import annotations

from typing import Any

import pytest

from hubplan.errors import DataError
from hubplan.model.policy.funds import add_funds
from model.policy.books import frame, with_rules
from model.worlds import World, hub, shop, solve

TABLES = {"blocs": frame("bloc country", ("pacific", "AUS"), ("pacific", "JPN"))}


def fund(budget_usd: float, first: int, last: int, **more: Any) -> dict[str, Any]:
    return {"name": "pot", "budget_usd": budget_usd, "from": first, "to": last, **more}


def two_years(need_t: Any = 100.0) -> World:
    return hub(shop(2030, 2031), need_t=need_t, sizes=(0, 100), slope_usd_t_yr=10.0)


def solved(world: World, *funds: dict[str, Any]) -> Any:
    return solve(with_rules(world, add_funds, tables=TABLES, policy={"fund": list(funds)}))


def test_what_is_built_in_its_years_is_within_the_fund():
    """600 USD build 60 t/yr in 2030; 2031 is free. 60 x 10 + 100 x 10 + 40 t unmet at 10,000 = 401,600 USD."""
    found = solved(two_years(), fund(600, 2030, 2030))
    assert found.cost_usd == pytest.approx(401_600)
    assert found.size_t_yr[-1] == pytest.approx([60, 100])


def test_what_stood_before_is_not_the_funds():
    """60 t, then 100 t are asked for, and 100 USD pay 10 t/yr in 2031: 90 stand from 2030 on. (90 + 100) x 10 = 1,900 USD.

    Without the fund 60 would do in 2030: 1,600.
    """
    assert solved(two_years((60, 100))).cost_usd == pytest.approx(1600)
    found = solved(two_years((60, 100)), fund(100, 2031, 2031))
    assert found.cost_usd == pytest.approx(1900)
    assert found.size_t_yr[-1] == pytest.approx([90, 100])


def test_the_fixed_part_of_a_hub_counts_where_it_opens():
    """50 USD to open and 10 for each t/yr: of 600 USD, 550 build 55 t/yr. (50 + 550) x 2 + 5 t x 2 at 10,000 = 101,200 USD."""
    world = hub(shop(2030, 2031), need_t=60.0, sizes=(0, 100), fixed_usd=50.0, slope_usd_t_yr=10.0)
    found = solved(world, fund(600, 2030, 2031))
    assert found.cost_usd == pytest.approx(101_200)


@pytest.mark.parametrize("only", [{"members": ["AUS"]}, {"stages": ["separation_heavy"]}])
def test_a_fund_binds_its_own_countries_and_stages_only(only):
    """600 USD build 60 t/yr at 10 in Australia; Japan builds 40 at 12 without it: (600 + 480) x 2 = 2,160 USD."""
    world = two_years()
    world._facilities[-1]["stage"] = "separation_heavy"
    hub(world, "japan", need_t=0.0, country="JPN", sizes=(0, 100), slope_usd_t_yr=12.0)
    assert solved(world, fund(600, 2030, 2031, **only)).cost_usd == pytest.approx(2160)


def test_a_bloc_is_its_countries():
    """Of 1,000 USD for both countries, all goes to Australia's 10 a tonne: 100 t/yr, 2,000 USD."""
    world = two_years()
    hub(world, "japan", need_t=0.0, country="JPN", sizes=(0, 100), slope_usd_t_yr=12.0)
    assert solved(world, fund(1000, 2030, 2031, members=["pacific"])).cost_usd == pytest.approx(2000)


def test_two_funds_bind_each_on_its_own():
    """400 USD in 2030 and 300 in 2031: 40 t/yr, then 70. (40 + 70) x 10 + (60 + 30) t at 10,000 = 901,100 USD."""
    pots = fund(400, 2030, 2030), fund(300, 2031, 2031) | {"name": "pot-2"}
    assert solved(two_years(), *pots).cost_usd == pytest.approx(901_100)


def test_a_fund_in_no_periods_first_year_is_refused():
    """2031 lies within the block of 2030, whose hubs are paid in 2030."""
    world = hub(shop(2030, 2032), sizes=(0, 100))
    with pytest.raises(DataError, match="no period of the horizon begins in 2031 to 2031"):
        solved(world, fund(600, 2031, 2031))
