"""The checker on stocks, purchases and funds: what it makes of the scenario, and each rule broken once on the small world.

Bay (Australia) keeps dysprosium and terbium oxide; Japan is the only market. In the fixture 2030 is a block of two years.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from hubplan.data.access import resolve_access
from hubplan.data.scenario import scenario_from_dict
from hubplan.results.check import check_plan
from hubplan.results.checking.purchases import find_purchase_faults, offer_price_usd_t, offered_t, paid_usd, read_offers
from hubplan.results.checking.reading import Reading
from hubplan.results.checking.recipes import Recipes, UnknownProcessError
from hubplan.results.checking.stockpiles import find_stock_faults, stockpiles_short
from hubplan.results.checking.works import read_works
from hubplan.results.plan import Plan
from hubplan.results.shares import build_shares

DOOR = "market-jpn-purchase-dy-oxide-CHN"
OFFER = {"country": "CHN", "commodity": "dy-oxide", "most_t_yr": 100, "from": 2030, "markup_share": 0.2}


@pytest.fixture
def asked(plan: Plan, tables: Any):
    """A function: the plan as the answer to another question."""

    def ask(shock: dict[str, Any] | None = None, **policy: Any) -> Plan:
        raw = plan.scenario.resolved()
        scenario = scenario_from_dict({**raw, "policy": {**raw["policy"], **policy}, "shock": shock or {}})
        return replace(plan, scenario=scenario, access=resolve_access(scenario, tables))

    return ask


@pytest.fixture
def priced(tables: Any) -> Any:
    """Prices of dysprosium oxide as well: 400, 500, 600 USD/t."""
    rows = {"set": "outside", "commodity": "dy-oxide", "year": [2030, 2031, 2032], "price_usd_t": [400.0, 500.0, 600.0]}
    return replace(tables, prices=pd.concat([tables.prices, pd.DataFrame(rows)], ignore_index=True))


def found(plan: Plan, tables: Any) -> str:
    return "\n".join(str(fault) for fault in check_plan(plan, tables))


# Stocks ----------------------------------------------------------------------------------------------------------------


def test_places_that_are_not_used_break_nothing(asked, tables):
    assert found(asked(stockpile={"places": ["quad"], "release": "shock"}), tables) == ""
    works = read_works(Reading(asked(stockpile={"places": ["quad"]}), tables))
    assert works["market-jpn-stockpile"].stage == "stockpile"
    assert not any(work.stage == "stockpile" for work in read_works(Reading(asked(), tables)).values())


def closing_t(plan: Plan, commodity: str, period: int) -> float:
    return float(plan.stocks.set_index(["commodity", "period"]).at[(commodity, period), "closing_t"])


def test_an_allys_days_are_counted_from_its_own_need_and_its_own_stock(asked, tables):
    """60 t of high magnets over two years take 60/2 x 0.025 / 0.99 / 0.74 / 0.83 t of dysprosium oxide a year; Japan has none in
    stock, and Australia needs none and has all."""
    plan = asked(stockpile={"ally_days": {"JPN": {"dy": 73}, "AUS": {"dy": 73}}})
    short = stockpiles_short(Reading(plan, tables), Recipes(tables))
    demand = plan.demand[(plan.demand["period"] == 2030) & (plan.demand["product"] == "magnet-high")]["demand_t"].sum()
    yearly = demand / 2 * 0.025 / 0.99 / 0.74 / 0.83
    assert short["ally_days", "JPN/dy-oxide", 2030] == pytest.approx(yearly * 73 / 365)
    assert short["ally_days", "AUS/dy-oxide", 2030] == pytest.approx(-closing_t(plan, "dy-oxide", 2030))
    assert "ally_days JPN/dy-oxide 2030 is broken" in found(plan, tables)


def test_a_country_with_more_than_its_share_of_a_stock_is_found(asked, tables):
    """All of it is in Australia: a fifth too much where four fifths are allowed."""
    plan = asked(stockpile={"max_country_share": 0.8})
    short = stockpiles_short(Reading(plan, tables), Recipes(tables))
    over = 0.2 * closing_t(plan, "tb-oxide", 2032)
    assert short["stock_share", "tb-oxide/AUS", 2032] == pytest.approx(over)
    assert "stock_share dy-oxide/AUS 2032 is broken" in found(plan, tables)
    assert "stock_share" not in found(asked(stockpile={"max_country_share": 1.0}), tables)


@pytest.mark.parametrize(
    ("shock", "loud"),
    [
        ({}, True),
        ({"lost": [{"id": "bay", "from": 2030, "to": 2031}]}, True),
        ({"lost": [{"id": "kobe-metal", "from": 2032, "to": 2032}]}, False),
        ({"export_ban": [{"country": "CHN", "commodities": ["dy-oxide"], "from": 2031}]}, False),
    ],
)
def test_a_stock_let_go_without_a_shock_is_found(asked, tables, shock, loud):
    plan = asked(stockpile={"release": "shock"}, shock=shock)
    stocks = plan.stocks.copy()
    stocks.loc[(stocks["commodity"] == "dy-oxide") & (stocks["period"] == 2032), "closing_t"] = 0.5
    faults = find_stock_faults(Reading(replace(plan, stocks=stocks), tables), Recipes(tables))
    words = [str(fault) for fault in faults if "neither loss nor ban" in str(fault)]
    assert bool(words) == loud
    assert all("stocks.csv: dy-oxide, 2032" in word for word in words)


# Funds -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fund", "loud"),
    [
        ({"from": 2030, "to": 2031, "budget_usd": 1.32e8}, False),
        ({"from": 2030, "to": 2031, "budget_usd": 1.31e8}, True),
        ({"from": 2032, "to": 2032, "budget_usd": 1.2e7}, False),
        ({"from": 2032, "to": 2032, "budget_usd": 1.1e7}, True),
        ({"from": 2030, "to": 2032, "budget_usd": 1.43e8}, True),
        ({"from": 2030, "to": 2032, "budget_usd": 1e6, "stages": ["magnet"]}, False),
        ({"from": 2030, "to": 2032, "budget_usd": 1e6, "members": ["JPN"]}, False),
        ({"from": 2030, "to": 2032, "budget_usd": 1e6, "members": ["quad"], "stages": ["separation_light"]}, True),
    ],
)
def test_what_is_spent_beyond_a_fund_is_found(asked, tables, fund, loud):
    """1.2 x (60 M + 20,000 x 2,500 t/yr) = 132 M USD in 2030, and 1.2 x 20,000 x 500 = 12 M in 2032, at Bay."""
    words = found(asked(fund=[{"name": "pot", **fund}]), tables)
    assert ("of pot" in words) == loud
    assert bool(words) == loud


# Purchases -------------------------------------------------------------------------------------------------------------


def bought(plan: Plan, amount_t: float, *, facility: str = DOOR, process: str = "offer-1", period: int = 2030) -> Plan:
    row = pd.DataFrame([{"period": period, "facility": facility, "process": process, "input_t": amount_t}])
    return replace(plan, processes=pd.concat([plan.processes, row], ignore_index=True))


def test_an_offer_has_its_years_and_what_a_ban_leaves(asked, tables):
    """100 t from 2030 on; 3 and 6 months banned in 2031: 50 are left."""
    bans = [{"country": "CHN", "commodities": ["dy-oxide"], "from": 2031, "to": 2031, "months": m} for m in (3, 6)]
    reading = Reading(asked(purchase=[OFFER], shock={"export_ban": bans}), tables)
    offer = read_offers(reading)["offer-1"]
    assert [offered_t(reading, offer, year) for year in (2029, 2030, 2031, 2032)] == [0, 100, 50, 100]


def test_a_door_is_there_where_the_market_takes_part(asked, tables):
    """150 t in the two years of 2030 are 75 a year; the country is where it comes from, the process makes the commodity."""
    ban = {"country": "CHN", "commodities": ["dy-oxide"], "from": 2031, "to": 2031, "months": 6}
    works = read_works(Reading(asked(purchase=[OFFER], shock={"export_ban": [ban]}), tables))
    doors = {name: work for name, work in works.items() if work.stage == "purchase"}
    assert set(doors) == {DOOR}
    assert doors[DOOR].country == "CHN"
    assert doors[DOOR].standing_t_yr((2030, 2031)) == 75.0
    assert Recipes(tables).run(doors[DOOR], "offer-1").makes == {("dy-oxide", ""): 1.0}
    with pytest.raises(UnknownProcessError):
        Recipes(tables).run(doors[DOOR], "dy-oxide")


def test_purchases_are_paid_at_the_mean_price_of_the_block_and_the_markup(asked, priced):
    """(400 + 500) / 2 x 1.2 = 540 USD/t: 10 t cost 5,400; in 2032, 720 a tonne."""
    reading = Reading(bought(bought(asked(purchase=[OFFER]), 10.0), 2.0, period=2032), priced)
    offer = read_offers(reading)["offer-1"]
    assert offer_price_usd_t(reading, offer, 2030) == pytest.approx(540.0)
    assert paid_usd(reading, read_works(reading)) == pytest.approx({(DOOR, 2030): 5400.0, (DOOR, 2032): 1440.0})


@pytest.mark.parametrize(
    ("amount_t", "options", "words"),
    [
        (200.0, {}, ""),
        (200.1, {}, "200.1 t bought, of which 200 were to be had"),
        (5.0, {"process": "offer-2"}, "no such offer in policy.purchase"),
        (5.0, {"process": "offer-3"}, "no such offer in policy.purchase"),
    ],
)
def test_what_no_offer_covers_is_found(asked, tables, amount_t, options, words):
    """100 t/yr over two years; offer 2 is of terbium and not of this door, and there is no third."""
    plan = bought(asked(purchase=[OFFER, OFFER | {"commodity": "tb-oxide"}]), amount_t, **options)
    reading = Reading(plan, tables)
    faults = "\n".join(map(str, find_purchase_faults(reading, read_works(reading))))
    assert (words in faults) if words else faults == ""


def test_a_purchase_shows_in_every_table_it_belongs_to(asked, priced):
    """Added to processes.csv alone, it lacks its row of hubs.csv, its way out and its money."""
    words = found(bought(asked(purchase=[OFFER]), 10.0), priced)
    for part in ("runs where hubs.csv has no row", "dy-oxide at market-jpn, 2030", "no row for purchases, 2030: 5,400"):
        assert part in words


def test_a_door_that_the_scenario_does_not_have_is_found(asked, priced):
    assert f"{DOOR} is in no table" in found(bought(asked(), 10.0), priced)


def test_a_flow_from_a_door_depends_on_where_it_bought(asked, priced):
    plan = asked(purchase=[OFFER])
    flows = plan.flows.copy()
    row = flows.index[flows["destination_facility"] == "kobe-metal"][0]
    flows.loc[row, "origin_facility"] = DOOR
    lines = [line for line in found(replace(plan, flows=flows), priced).splitlines() if line.startswith("exposure")]
    assert any("CHN" in line for line in lines)


def test_what_is_bought_is_nobodys_share_of_a_stage(plan, tables):
    """A door in hubs.csv adds no row to shares.csv: nobody in the plan runs it."""
    door = plan.hubs.iloc[[0]].assign(
        facility=DOOR, site="market-jpn", stage="purchase", country="CHN", throughput_t=9.0
    )
    tables = replace(tables, **{name: getattr(tables, name).assign(owner="") for name in ("mines", "facilities")})
    bare, bought_too = (
        build_shares(hubs, tables) for hubs in (plan.hubs, pd.concat([plan.hubs, door], ignore_index=True))
    )
    assert bought_too.equals(bare)
