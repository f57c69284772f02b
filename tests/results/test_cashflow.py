"""Cash flows and support of the plan of `conftest`, at prices that can be multiplied by hand.

NdPr oxide 100,000 USD/t, Dy 400,000, Tb 1,000,000, La-Ce 1,000, the others 10,000. A tonne of Hill's ore holds 0.2 t NdPr, 0.7
La-Ce, 0.02 Dy, 0.005 Tb and 0.075 t of others: 20,000 + 700 + 8,000 + 5,000 + 750 = 34,450 USD. Concentrate is paid at 0.4 of
it, 13,780 USD/t; carbonate at 0.7, 24,115; heavy concentrate at 0.6 of 13,750 / 0.1: 82,500.
"""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from hubplan.data.scenario import scenario_from_dict
from hubplan.errors import DataError
from hubplan.model.build import STORAGE_SHARE_YR
from hubplan.model.calendar import recovery_share
from hubplan.results.cashflow import build_cash_flows
from hubplan.results.support import KEY, build_support

PRICES = {
    "ndpr-oxide": 1e5, "dy-oxide": 4e5, "tb-oxide": 1e6, "lace-oxide": 1e3, "sm-oxide": 1e4, "gd-oxide": 1e4, "y-oxide": 1e4,
    "other-oxide": 1e4, "ndpr-metal": 1.4e5, "dy-metal": 5e5, "tb-metal": 1.3e6, "alloy-standard": 5e4, "alloy-high": 7e4,
    "magnet-standard": 9e4, "magnet-high": 1.2e5, "swarf-standard": 1.5e4, "swarf-high": 2e4,
}  # fmt: skip
CONCENTRATE, CARBONATE, HEAVY = 13_780.0, 24_115.0, 82_500.0
DISCOUNT = {2030: (1 + 1 / 1.08) / 2, 2032: 1 / 1.08**2}


@pytest.fixture(scope="module")
def priced(tables):
    """The world with prices, and a path on which NdPr falls to 60,000 USD/t in 2032; it says nothing of anything else."""
    rows = [("outside", c, year, price) for c, price in PRICES.items() for year in (2030, 2031, 2032)]
    rows += [("dump", "ndpr-oxide", year, price) for year, price in ((2030, 1e5), (2031, 1e5), (2032, 6e4))]
    return replace(tables, prices=pd.DataFrame(rows, columns=["set", "commodity", "year", "price_usd_t"]))


@pytest.fixture
def question(plan):
    """A function: the plan's scenario with other policy and price path."""

    def ask(path=None, **policy):
        raw = plan.scenario.resolved()
        raw["shock"]["price_path"] = path
        raw["policy"].update(policy)
        return scenario_from_dict(raw)

    return ask


@pytest.fixture
def parts(plan):
    return {name: plan.table(name) for name in ("hubs", "processes", "flows", "surplus")}


def row(flows, facility, period):
    frame = flows.hubs.set_index(["facility", "period"])
    return frame.loc[(facility, period)]


def test_a_mine_sells_by_what_is_in_its_ore(parts, priced, question):
    """3,000 t x 13,780 = 41.34 M USD, less 3,000 x 4,000 of mining: 29.34 M USD in 2030 and 2031."""
    hill = row(build_cash_flows(parts, priced, question()), "hill", 2030)
    assert hill["revenue_usd"] == pytest.approx(41.34e6)
    assert hill["margin_usd"] == pytest.approx(29.34e6)
    assert (hill["capital_usd"], hill["freight_usd"]) == (0.0, 0.0)


def test_a_buyer_pays_for_its_input_and_the_way_of_it(parts, plan, priced, question):
    """Cracking: 2,700 t x 24,115 = 65.1105 M USD of carbonate; 41.34 for concentrate, 3,000 x 2,200 of acid, and the freight.

    Keeping the standing plant: 4 % a year of 1.2 x (60 M + 20,000 x 3,000) = 144 M USD, 11.52 M USD in two years.
    """
    crack = row(build_cash_flows(parts, priced, question()), "bay-crack-leach", 2030)
    freight = plan.flows.query("commodity == 'concentrate' and period == 2030")["cost_usd"].sum()
    assert crack["freight_usd"] == pytest.approx(freight)
    assert crack["margin_usd"] == pytest.approx(65.1105e6 - 41.34e6 - 6.6e6 - 11.52e6 - freight)


def test_a_new_plant_carries_its_capital_and_a_standing_one_none(parts, priced, question):
    """1.2 x (60 M + 20,000 x 2,500) = 132 M USD for 2030, 12 M more for 2032; an annuity of 25 years at 8 % is 0.0936788."""
    flows = build_cash_flows(parts, priced, question())
    assert recovery_share(0.08, 25) == pytest.approx(0.0936788, abs=1e-7)
    assert recovery_share(0.0, 25) == 0.04
    assert row(flows, "bay-separation-light", 2030)["capital_usd"] == pytest.approx(132e6 * 0.0936788 * 2, rel=1e-6)
    assert row(flows, "bay-separation-light", 2032)["capital_usd"] == pytest.approx(144e6 * 0.0936788, rel=1e-6)
    assert flows.hubs[flows.hubs["facility"] != "bay-separation-light"]["capital_usd"].sum() == 0.0


def test_npv_is_discounted_cash(parts, priced, question):
    """Light separation, by its three products and its by-product: 513 t NdPr at 100,000, 256.5 t heavy, 1,200 t La-Ce sold."""
    flows = build_cash_flows(parts, priced, question())
    light = row(flows, "bay-separation-light", 2030)
    assert light["revenue_usd"] == pytest.approx(513 * 1e5 + 256.5 * HEAVY)
    assert light["byproduct_usd"] == pytest.approx(1200 * 1e3)
    opex = 2700 * 2500 + 132e6 * 0.04 * 2
    assert light["margin_usd"] == pytest.approx(513e5 + 256.5 * HEAVY + 1.2e6 - 2700 * CARBONATE - opex)
    cash = {period: row(flows, "bay-separation-light", period)["cash_usd"] for period in DISCOUNT}
    assert cash[2030] == pytest.approx(light["margin_usd"] - light["capital_usd"])
    assert flows.npv_usd["bay-separation-light"] == pytest.approx(sum(cash[p] * DISCOUNT[p] for p in cash))


def test_what_goes_to_stock_is_paid_when_it_leaves_unless_the_state_keeps_it(parts, plan, priced, question):
    """Dy is stockpiled by rule: bought as it is made. Tb piles up at the plant: in the margin at its price, not in the cash."""
    flows = build_cash_flows(parts, priced, question())
    heavy = row(flows, "bay-separation-heavy", 2030)
    stocks = plan.stocks.set_index(["commodity", "period"])["closing_t"]
    sent = plan.flows.query("period == 2030 and origin_facility == 'bay-separation-heavy'").set_index("commodity")[
        "flow_t"
    ]
    dy, tb = stocks["dy-oxide", 2030], stocks["tb-oxide", 2030]
    assert heavy["revenue_usd"] == pytest.approx(4e5 * (sent["dy-oxide"] + dy) + 1e6 * sent["tb-oxide"])
    assert heavy["stock_usd"] == pytest.approx(1e6 * tb)
    assert heavy["storage_usd"] == pytest.approx(2.2e6 * tb * STORAGE_SHARE_YR * 2)
    assert heavy["cash_usd"] == pytest.approx(heavy["margin_usd"] - heavy["stock_usd"])
    free = row(build_cash_flows(parts, priced, question(stockpile_days={})), "bay-separation-heavy", 2030)
    assert free["revenue_usd"] == pytest.approx(4e5 * sent["dy-oxide"] + 1e6 * sent["tb-oxide"])
    assert free["stock_usd"] == pytest.approx(4e5 * dy + 1e6 * tb)


def test_what_is_sold_is_what_is_bought(parts, priced, question):
    """Every sale but those to the market, the stockpile and by-product buyers is another hub's purchase."""
    flows = build_cash_flows(parts, priced, question(stockpile_days={}))
    market = sum(
        parts["flows"].query("commodity == @c")["flow_t"].sum() * PRICES[c] for c in ("magnet-standard", "magnet-high")
    )
    assert flows.hubs["revenue_usd"].sum() == pytest.approx(flows.hubs["purchases_usd"].sum() + market)


def test_a_floor_lifts_the_tonnes_it_covers(parts, priced, question):
    """300 t a year of 513 in two years at no less than 110 USD/kg, where 100 is paid: 600 are asked, 513 are there, 5.13 M USD.

    With 200 t a year it is 400 x 10,000 = 4 M USD; with a floor of 90 nothing; of two contracts the higher fills first.
    """
    deal = {"site": "bay", "commodity": "ndpr-oxide", "t_yr": 300, "from": 2030, "to": 2031, "floor_usd_kg": 110}

    def lift(*deals):
        flows = build_cash_flows(parts, priced, question(offtake=list(deals)))
        return [row(flows, "bay-separation-light", period)["contract_usd"] for period in DISCOUNT]

    assert lift(deal) == pytest.approx([5.13e6, 0.0])
    assert lift({**deal, "t_yr": 200}) == pytest.approx([4e6, 0.0])
    assert lift({**deal, "floor_usd_kg": 90}) == [0.0, 0.0]
    assert lift({**deal, "floor_usd_kg": 105}, {**deal, "t_yr": 200}) == pytest.approx([4e6 + 113 * 5000, 0.0])


def test_a_path_that_says_nothing_takes_the_price_outside_and_says_so(parts, priced, question):
    """NdPr at 60,000 in 2032; all else from outside. Feeds follow their oxides: ore loses 0.2 x 40,000 x 0.4 = 3,200 USD/t."""
    flows = build_cash_flows(parts, priced, question("dump"))
    assert row(flows, "hill", 2032)["revenue_usd"] == pytest.approx(2500 * (CONCENTRATE - 3200))
    used = flows.sales.groupby("commodity")["price_set"].agg(set)
    assert used["ndpr-oxide"] == {"dump"}
    assert used["magnet-high"] == {"outside"}
    _, summary = build_support(parts, priced, question("dump"))
    assert "magnet-high" in summary["priced_outside"]
    assert "ndpr-oxide" not in summary["priced_outside"]


def test_a_price_that_nobody_knows_is_a_fault(parts, priced, question):
    prices = priced.prices[priced.prices["commodity"] != "ndpr-metal"]
    with pytest.raises(DataError, match="no price of ndpr-metal"):
        build_cash_flows(parts, replace(priced, prices=prices), question())


def test_without_support_the_table_says_who_is_bankable(parts, priced, question):
    """Light separation loses money in any case: 51.3 + 21.2 + 1.2 M USD of sales, 65.1 of carbonate, 17.3 of running cost."""
    table, summary = build_support(parts, priced, question())
    assert not table.duplicated(list(KEY)).any()
    assert set(table["form"]) == {"none"}
    assert set(zip(table["facility"], table["period"], strict=True)) == set(
        zip(parts["hubs"]["facility"], parts["hubs"]["period"], strict=True)
    )
    light = table[table["facility"] == "bay-separation-light"].iloc[0]
    npv = build_cash_flows(parts, priced, question()).npv_usd["bay-separation-light"]
    assert (light["npv_usd"], light["gap_usd"]) == pytest.approx((npv, -npv))
    assert not light["bankable"]
    assert light["commodity"] == "ndpr-oxide"
    assert light["gap_usd_kg"] == pytest.approx(-npv / (1000 * (513 * DISCOUNT[2030] + 427.5 * DISCOUNT[2032])))
    assert summary["unbankable"]["bay-separation-light"] == pytest.approx(-npv)
    assert summary["would_stop"]["bay-separation-light"] == [2030, 2032]
    assert summary["public_usd"] == 0.0


def test_support_closes_every_gap_and_pays_by_the_contract(parts, priced, question):
    table, summary = build_support(parts, priced, question(support={"forms": ["grant", "floor", "cfd"]}))
    assert table["kept"].all()
    assert table["bankable"].all()
    contracts = table[table["form"].isin(["floor", "cfd"])]
    assert len(contracts)
    gap = contracts["strike_usd_t"] - contracts["price_usd_t"]
    expected = contracts["volume_t"] * gap.where(gap > 0, 0.3 * gap)
    assert contracts["payment_usd"].to_numpy() == pytest.approx(expected.to_numpy())
    assert summary["public_discounted_usd"] == pytest.approx(summary["least_usd"], rel=1e-6)
    assert sum(summary["by_form_usd"].values()) == pytest.approx(summary["public_usd"])
    assert sum(summary["by_period_usd"].values()) == pytest.approx(summary["public_usd"])


def test_grants_given_in_advance_count_and_are_told_apart(parts, priced, question):
    """A tenth of 132 and of 12 M USD: 13.2 M for 2030 and 1.2 M for 2032, and so much less is left to solve for."""
    plain, before = build_support(parts, priced, question(support={"forms": ["grant", "floor"]}))
    some = question(support={"forms": ["grant", "floor"]}, capex_grant_share={"separation_light": 0.1})
    table, after = build_support(parts, priced, some)
    grants = table[table["form"] == "grant"].set_index("period")
    assert grants["given_usd"].tolist() == pytest.approx([13.2e6, 1.2e6])
    assert (grants["payment_usd"] >= grants["given_usd"]).all()
    assert after["given_usd"] == pytest.approx(14.4e6)
    gain = table["npv_before_usd"].where(table["facility"] == "bay-separation-light").max()
    was = plain["npv_before_usd"].where(plain["facility"] == "bay-separation-light").max()
    assert gain - was == pytest.approx(13.2e6 * DISCOUNT[2030] + 1.2e6 * DISCOUNT[2032])
    assert after["least_usd"] <= before["least_usd"]


def test_a_budget_of_a_dollar_keeps_nobody_who_needs_more(parts, priced, question):
    table, summary = build_support(parts, priced, question(support={"forms": ["floor"], "budget_usd": 1.0}))
    lost = set(table.loc[~table["kept"], "facility"])
    assert lost == set(summary["not_kept"])
    assert set(summary["not_kept"].values()) == {"budget"}
    assert summary["missing_usd"] == pytest.approx(summary["least_usd"], rel=1e-6)
    assert not table.loc[table["facility"] == "bay-separation-light", "kept"].any()
