"""Contracts and procurement targets, worked out by hand."""

from __future__ import annotations

import pytest

from hubplan.errors import DataError
from hubplan.model.policy.contracts import add_offtakes, add_procurement, find_unions, name_targets
from hubplan.model.rulebook import UNITS
from model.policy.books import ask, broken, frame, with_rules
from model.worlds import World, solve

PRICE = 100.0


def two_makers(cap_t: float = 100.0, need_t: float = 60.0) -> World:
    """North makes oxide at 1 USD/t, South at 5; one user."""
    world = World(rule_usd_t=PRICE)
    for name, opex in (("north", 1.0), ("south", 5.0)):
        world.mine(name, "oxide", cap_t, opex_usd_t=opex).lane("oxide", name, "user")
    return world.demand("user", "oxide", need_t, unmet_usd_t=1000.0)


def deal(site: object, t_yr: float, **more: object) -> dict[str, object]:
    return {"site": site, "commodity": "oxide", "t_yr": t_yr, "from": 2030, "to": 2030, **more}


def limits(inst) -> dict[str, float]:
    return dict(zip(inst.rules.table["id"], inst.rules.table["limit"], strict=True))


def test_two_contracts_of_one_site_add_up() -> None:
    """South sells 20 and 30: 50 from South at 5, 10 from North at 1: 260 USD, where 60 from North were 60.

    Were each contract met by the same tonnes, 30 from South would do: 150 + 30 = 180.
    """
    inst = with_rules(two_makers(), add_offtakes, policy={"offtake": [deal("south", 20), deal("south", 30)]})
    assert limits(inst) == {"south/oxide": 50.0}
    assert solve(inst).cost_usd == pytest.approx(50 * 5 + 10 * 1)


def test_a_pool_is_one_pool_in_whatever_order_it_is_written() -> None:
    """Two halves of 30 from North and South together: 60 from North does it, for 60 USD."""
    deals = [deal(["north", "south"], 30), deal(["south", "north"], 30)]
    inst = with_rules(two_makers(), add_offtakes, policy={"offtake": deals})
    assert limits(inst) == {"north+south/oxide": 60.0}
    assert solve(inst).cost_usd == pytest.approx(60.0)


def test_a_tonne_does_not_count_in_two_pools_that_share_a_site() -> None:
    """South alone owes 40, North and South together 50: 90 t in all, of which the user needs 60: 30 t short.

    South's 40 are sent (200), North's 20 (20): the sum is short by 30 at 100 = 3,000. The pool's own rule holds with 60 >= 50.
    """
    deals = [deal("south", 40), deal(["north", "south"], 50)]
    inst = with_rules(two_makers(), add_offtakes, policy={"offtake": deals})
    assert limits(inst) == {"south/oxide": 40.0, "north+south/oxide": 90.0}
    found = solve(inst)
    assert broken(inst, found) == {("offtake", "north+south/oxide", 0): 30.0}
    assert found.cost_usd == pytest.approx(40 * 5 + 20 * 1 + 30 * PRICE)


def test_unions_are_those_of_pools_that_hang_together() -> None:
    """AB and BC share B; D stands alone: AB, ABC, BC, D - and AB with D would say nothing new."""
    ab, bc, d = (frozenset(names) for names in ("ab", "bc", "d"))
    assert find_unions([ab, bc, d], "oxide") == [ab, ab | bc, bc, d]
    chained = [frozenset((str(n), str(n + 1))) for n in range(9)]
    with pytest.raises(DataError, match="9 pools of oxide share sites"):
        find_unions(chained, "oxide")


def test_a_contract_for_one_year_of_two_asks_half() -> None:
    """30 t/yr in 2030 only, of a period of two years: 30 t of the period."""
    world = World((2030, 2032), rule_usd_t=PRICE).mine("south", "oxide", 100).lane("oxide", "south", "user")
    inst = with_rules(world.demand("user", "oxide", 1.0), add_offtakes, policy={"offtake": [deal("south", 30)]})
    assert inst.rules.table[["period", "limit"]].to_numpy().tolist() == [[0, 30.0]]


def shared_out(**goal: object):
    """30 t for 40 t of need: allies' defence 10, allies' cars 10, others 20; all cost the same unmet, 1,000 USD/t."""
    world = World(rule_usd_t=PRICE).mine("mine", "oxide", 30)
    world.lane("oxide", "mine", "us").lane("oxide", "mine", "jp")
    for market, sector, need_t in (("us", "defence", 10), ("us", "ev", 10), ("jp", "ev", 20)):
        world.demand(market, "oxide", need_t, unmet_usd_t=1000.0 if sector == "ev" else 900.0, sector=sector)
    rows = [("set", m, s, "oxide") for m, s in (("us", "defence"), ("us", "ev"), ("jp", "ev"))]
    tables = {
        "sites": frame("site country", ("us", "USA"), ("jp", "JPN")),
        "blocs": frame("bloc country", ("quad", "USA"), ("quad", "JPN")),
        "demand": frame("set market sector product", *rows),
    }
    return with_rules(
        world, add_procurement, tables=tables, demand={"set": "set", "procurement": [{"from": 2030, **goal}]}
    )


def test_a_target_puts_a_buyer_first() -> None:
    """Without it the 10 t short fall on defence, the cheapest to leave: 9,000. With 80 % of it asked: 2 t stay with defence."""
    plain = shared_out(buyer="USA", sector="defence", share=0.0)
    assert solve(plain).cost_usd == pytest.approx(10 * 900)
    inst = shared_out(buyer="USA", sector="defence", share=0.8, shortfall_usd_t=300.0)
    assert inst.rules.table[["id", "limit"]].to_numpy().tolist() == [["USA/defence/all", pytest.approx(2.0)]]
    found = solve(inst)
    assert found.cost_usd == pytest.approx(2 * 900 + 8 * 1000)
    assert broken(inst, found) == {}


def test_a_target_beyond_reach_is_broken_at_its_price() -> None:
    """All 40 t of the bloc asked of 30: 10 t short, at 900 and 50 more each."""
    inst = shared_out(buyer="quad", shortfall_usd_t=50.0)
    found = solve(inst)
    assert broken(inst, found) == {("procurement", "quad/all/all", 0): 10.0}
    assert found.cost_usd == pytest.approx(10 * (900 + 50))
    assert set(inst.rules.table["unit"]) <= set(UNITS)


def test_a_target_that_no_demand_can_mean_is_refused() -> None:
    with pytest.raises(DataError, match="jp/defence/all is in no row"):
        shared_out(buyer="jp", sector="defence")


def test_targets_are_told_apart() -> None:
    goals = [{"from": 2030, "sector": "ev"}, {"from": 2032, "sector": "ev"}, {"from": 2030, "product": "oxide"}]
    scenario = ask(World(), demand={"procurement": goals})
    assert name_targets(scenario.demand.procurement) == ["all/ev/all", "all/ev/all/2", "all/all/oxide"]
