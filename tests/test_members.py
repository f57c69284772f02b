"""What members are worth."""

from __future__ import annotations

from itertools import permutations

import pytest

from hubplan import members
from hubplan.data.scenario import scenario_from_dict
from hubplan.data.tables import Tables, read_tables
from hubplan.errors import DataError
from hubplan.members import orders_of, players_of, value_members

GLOVES = {"left": frozenset({"AUS"}), "right-a": frozenset({"USA"}), "right-b": frozenset({"JPN"})}


@pytest.fixture(scope="module")
def tables() -> Tables:
    return read_tables()


def glove_cost(coalition: frozenset[str]) -> float:
    """A pair saves 6: left glove with any right one."""
    return 100.0 - (6.0 if "left" in coalition and coalition & {"right-a", "right-b"} else 0.0)


def test_the_glove_game_has_its_known_value():
    """Shapley of the glove game: the single left glove is worth 2/3 of the pair, each right one 1/6: 4, 1 and 1 of 6.

    Without the left nothing is saved, so the others lose 6; without one right glove the other does, so they lose nothing.
    """
    orders = list(permutations(GLOVES))
    costs = {coalition: glove_cost(coalition) for coalition in members._coalitions(sorted(GLOVES), orders)}
    worth = members._worth(GLOVES, costs, orders, True).set_index("member")
    assert worth["shapley_usd"].to_dict() == pytest.approx({"left": 4, "right-a": 1, "right-b": 1})
    assert worth["leave_one_out_usd"].to_dict() == pytest.approx({"left": 6, "right-a": 0, "right-b": 0})
    assert (worth["shapley_error_usd"] == 0).all()


def test_sampled_orders_come_in_pairs_and_state_an_error():
    """Values of any sample add up to what all save together, 6."""
    orders, exact = orders_of(sorted(GLOVES), samples=4, seed=3)
    assert not exact
    assert orders[1::2] == [tuple(reversed(order)) for order in orders[::2]]
    costs = {coalition: glove_cost(coalition) for coalition in members._coalitions(sorted(GLOVES), orders)}
    worth = members._worth(GLOVES, costs, orders, exact)
    assert worth["shapley_usd"].sum() == pytest.approx(6)
    assert worth["shapley_error_usd"].notna().all()


def test_all_orders_are_taken_where_they_are_no_more_than_asked():
    orders, exact = orders_of(["a", "b", "c"], samples=6, seed=1)
    assert exact
    assert sorted(orders) == sorted(permutations("abc"))


def test_a_country_plays_with_the_first_that_names_it(tables):
    """The USA, Canada and the United Kingdom are of the Five Eyes and of NATO."""
    scenario = scenario_from_dict({"name": "two", "coalition": {"members": ["five-eyes", "nato"]}})
    players = players_of(scenario, tables)
    assert {"USA", "CAN", "GBR"} <= players["five-eyes"]
    assert not players["five-eyes"] & players["nato"]


@pytest.mark.parametrize("named", [[], ["AUS"]])
def test_a_game_of_one_is_refused(tables, named):
    scenario = scenario_from_dict({"name": "one", "coalition": {"members": named}})
    with pytest.raises(DataError, match="players"):
        players_of(scenario, tables)


def test_members_of_a_real_coalition_are_valued():
    """Two players, one period: both orders, so exact; values add up, and neither is worth less than nothing."""
    scenario = scenario_from_dict(
        {
            "name": "pair",
            "horizon": {"years": [2032]},
            "coalition": {"members": ["AUS", "USA"], "excluded": ["CHN", "RUS"]},
        }
    )
    worth = value_members(scenario, samples=2)
    assert worth.exact
    cost = worth.coalitions.set_index("members")["cost_usd"]
    assert worth.members["shapley_usd"].sum() == pytest.approx(cost[""] - cost["AUS;USA"])
    assert (worth.members["leave_one_out_usd"] >= -1.0).all()
    assert cost["AUS;USA"] <= cost["AUS"] < cost[""]
