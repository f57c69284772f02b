"""Where stocks lie and when they are let go, worked out by hand; 73 t of dysprosium oxide a year are 6 t in 30 days."""

from __future__ import annotations

from typing import Any

import pytest

from hubplan.data.chain import build_chain
from hubplan.errors import DataError
from hubplan.model.policy.stockpile import add_release, add_stock_places, add_stockpile
from model.policy.books import broken, frame, with_rules
from model.worlds import World, solve

SITES = frame("site country", ("kiln", "AUS"), ("store", "JPN"), ("user", "JPN"))


@pytest.fixture(scope="module")
def chain(tables: Any) -> Any:
    return build_chain(tables)


def keepers(*years: int, kiln_t: Any = 100.0, need_t: Any = 73.0, unmet_usd_t: float = 1e4) -> World:
    """A kiln in Australia that may keep what it makes at 1 USD/t, a store in Japan 2 USD/t away; keeping costs 1 USD/t/yr."""
    world = World(years or (2030, 2031), stock=["dy-oxide"], storage_usd_t_yr=1.0, rule_usd_t=100.0)
    world.facility("kiln", existing=kiln_t, makes={"dy-oxide": 1}, opex_usd_t=1.0)
    world.facility("store", "stockpile", country="JPN", existing=1.0)
    world.lane("dy-oxide", "kiln", "store", 2.0).lane("dy-oxide", "kiln", "user").lane("dy-oxide", "store", "user")
    return world.demand("user", "dy-oxide", need_t, unmet_usd_t=unmet_usd_t)


def ruled(world: World, chain: Any, *families: Any, stockpile: dict[str, Any], **parts: Any) -> Any:
    policy = {"stockpile": stockpile, **parts.pop("policy", {})}
    return with_rules(world, *families, tables={"sites": SITES}, chain=chain, policy=policy, **parts)


def test_each_ally_keeps_its_own_days_at_home(chain):
    """Japan keeps 6 t: 79 t made in 2030 and 73 in 2031 = 152, 6 t sent to the store = 12, kept for two years = 12: 176 USD.

    Kept at the kiln they would not be in Japan, and cost 164.
    """
    inst = ruled(keepers(), chain, add_stock_places, stockpile={"ally_days": {"JPN": {"dy": 30}}})
    assert inst.rules.table[["id", "limit"]].to_numpy().tolist() == [["JPN/dy-oxide", 6.0]] * 2
    found = solve(inst)
    assert found.cost_usd == pytest.approx(176.0)
    assert broken(inst, found) == {}
    anywhere = keepers()
    for t in (0, 1):
        anywhere.note("yearly_needs", commodity="dy-oxide", period=t, yearly_t=73.0)
    inst = with_rules(anywhere, add_stockpile, policy={"stockpile_days": {"dy": 30}})
    assert solve(inst).cost_usd == pytest.approx(164.0)


def test_an_ally_without_days_in_stock_pays_for_each_tonne(chain):
    """The kiln makes 76 t: 3 of 6 t are missing. 76 + 73 made, 3 sent for 6, kept for 6, 2 x 3 t broken at 100: 761 USD."""
    inst = ruled(keepers(kiln_t=(76, 73)), chain, add_stock_places, stockpile={"ally_days": {"JPN": {"dy-oxide": 30}}})
    found = solve(inst)
    assert broken(inst, found) == {("ally_days", "JPN/dy-oxide", t): 3.0 for t in (0, 1)}
    assert found.cost_usd == pytest.approx(761.0)


def test_only_its_own_need_counts(chain):
    """Australia buys nothing, so 30 days of its need are nothing."""
    inst = ruled(keepers(), chain, add_stock_places, stockpile={"ally_days": {"AUS": {"dy": 30}}})
    assert inst.rules.table["limit"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("days", "words"), [({"KOR": {"dy": 30}}, "nowhere to hold dy-oxide"), ({"JPN": {"lace": 1}}, "cannot be stocked")]
)
def test_days_that_cannot_be_held_are_refused(chain, days, words):
    with pytest.raises(DataError, match=words):
        ruled(keepers(), chain, add_stock_places, stockpile={"ally_days": days})


def test_no_country_holds_more_than_its_share(chain):
    """145 t, then 1 are made for 146 USD, and 72 of them kept a year: 72 USD. 218 in all.

    With at most half in one country, 36 t go to the store at 2 USD/t: 72 more, 290 USD.
    """
    world = keepers(kiln_t=(145, 1))
    assert solve(world.build()).cost_usd == pytest.approx(218.0)
    inst = ruled(world, chain, add_stock_places, stockpile={"max_country_share": 0.5})
    found = solve(inst)
    assert found.cost_usd == pytest.approx(290.0)
    assert found.stock_t[inst.may_stock, 0] == pytest.approx([36.0, 36.0])


def shocked(**shock: Any) -> dict[str, Any]:
    return {"stockpile": {"release": "shock"}, "shock": shock}


LOSS = {"lost": [{"id": "kiln", "from": 2032, "to": 2032}]}
BAN = {"export_ban": [{"country": "CHN", "commodities": ["dy-oxide"], "from": 2032, "months": 6}]}


@pytest.mark.parametrize("shock", [LOSS, BAN])
def test_stocks_for_shocks_are_let_go_in_a_shock_only(chain, shock):
    """200, 50 and 50 t can be made, 100 are asked for each year.

    Freely: 100 t are kept over 2030 and 50 over 2031, all demand is met: 300 + 150 = 450 USD.
    For a shock in 2032: only what 2032 needs is kept, 50 t over both years. 250 + 100, and 50 t unmet in 2031 at 100: 5,350.
    """
    world = keepers(2030, 2031, 2032, kiln_t=(200, 50, 50), need_t=100.0, unmet_usd_t=100.0)
    assert solve(world.build()).cost_usd == pytest.approx(450.0)
    inst = ruled(world, chain, add_release, **shocked(**shock))
    assert inst.rules.table["period"].tolist() == [1]
    found = solve(inst)
    assert found.cost_usd == pytest.approx(5350.0)
    assert found.stock_t.sum(axis=0) == pytest.approx([50.0, 50.0, 0.0])


def test_without_a_shock_nothing_is_ever_let_go(chain):
    """Nothing worth keeping then: 100, 50 and 50 t are made and used, 100 t unmet at 100 USD: 10,200."""
    world = keepers(2030, 2031, 2032, kiln_t=(200, 50, 50), need_t=100.0, unmet_usd_t=100.0)
    found = solve(ruled(world, chain, add_release, **shocked()))
    assert found.cost_usd == pytest.approx(10_200.0)
    assert found.stock_t.sum() == pytest.approx(0.0)


def test_a_release_at_any_time_is_no_rule(chain):
    assert len(ruled(keepers(), chain, add_release, stockpile={"release": "any"}, shock=LOSS).rules) == 0
