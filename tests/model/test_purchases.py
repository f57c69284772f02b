"""What is bought outside the plan: how much is to be had, at what price, where it goes; by hand, then from the shipped tables."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hubplan.data.scenario import Purchase, Shock, read_scenario, scenario_from_dict
from hubplan.errors import DataError
from hubplan.model.build import build_instance
from hubplan.model.calendar import build_calendar
from hubplan.model.instance import Instance
from hubplan.model.policy.purchases import add_purchase_caps
from hubplan.model.purchases import offered_t_yr
from model.policy.books import with_rules
from model.test_build import ALLIED, straight_routes
from model.test_contingency import losing
from model.worlds import World, solve

OFFER = {"country": "CHN", "commodity": "dy-oxide", "most_t_yr": 100, "from": 2030}
BAN = {"country": "CHN", "commodities": ["dy-oxide", "tb-oxide"], "from": 2031, "to": 2031}

# By hand ---------------------------------------------------------------------------------------------------------------


def on_offer(*bans: dict[str, Any], years: tuple[int, ...] = (2030, 2031, 2032), **offer: Any) -> list[float]:
    raw = {"name": "n", "horizon": {"years": list(years)}, "shock": {"export_ban": list(bans)}}
    scenario = scenario_from_dict(raw)
    draft: Any = SimpleNamespace(scenario=scenario, calendar=build_calendar(scenario))
    return offered_t_yr(draft, Purchase.model_validate(OFFER | offer)).tolist()


def test_a_ban_takes_its_months_of_each_of_its_years():
    """100 t/yr: in 2031 half of it, or none; of a block 2030-2031 with a ban of 6 months in 2031, (100 + 50) / 2."""
    assert on_offer() == [100, 100, 100]
    assert on_offer(BAN | {"months": 6}) == [100, 50, 100]
    assert on_offer(BAN) == [100, 0, 100]
    assert on_offer(BAN | {"months": 6}, years=(2030, 2032)) == [75, 100]
    assert on_offer(BAN | {"to": None, "months": 3}) == [100, 75, 75]


def test_the_longest_ban_of_a_year_counts_and_others_do_not_touch_it():
    assert on_offer(BAN | {"months": 3}, BAN | {"months": 6}) == [100, 50, 100]
    assert on_offer(BAN | {"country": "MYS"}, BAN | {"commodities": ["tb-oxide"]}) == [100, 100, 100]


def test_an_offer_has_its_own_years():
    """From 2031, of a block 2030-2031: half."""
    assert on_offer(**{"from": 2031}) == [0, 100, 100]
    assert on_offer(to=2030) == [100, 0, 0]
    assert on_offer(years=(2030, 2032), **{"from": 2031}) == [50, 100]


def doors(existing_t: Any, *prices_usd_t: float, unmet_usd_t: float = 1000.0, need_t: Any = 80.0) -> World:
    """A door each in Japan and Korea, each with a store; keeping costs 1 USD/t a year."""
    world = World((2030, 2031), stock=["store-oxide"], storage_usd_t_yr=1.0)
    for n, place in enumerate(("japan", "korea")):
        world.facility(
            f"{place}-door", "purchase", country="CHN", existing=existing_t, makes={"oxide": 1}, process="offer-1"
        )
        world.lane("oxide", f"{place}-door", place).demand(place, "oxide", need_t, unmet_usd_t=unmet_usd_t)
        for t, price in enumerate(prices_usd_t):
            world.note("purchases", process=n, period=t, price_usd_t=price)
    return world


def test_all_doors_together_buy_no_more_than_there_is():
    """Each door could sell 100 t/yr, both together 100: of 160 t a year 60 stay unmet. 2 x (100 x 10 + 60 x 1000) = 122,000."""
    world = doors(100.0, 10.0, 10.0)
    inst = with_rules(world, add_purchase_caps, policy={"purchase": [OFFER]})
    assert inst.rules.table["limit"].tolist() == [100.0, 100.0]
    assert np.isinf(inst.rules.table["penalty_usd"].astype(float)).all()
    assert solve(inst).cost_usd == pytest.approx(122_000.0)
    assert solve(world.build()).cost_usd == pytest.approx(2 * 160 * 10)


def test_without_a_mine_the_offer_is_still_one_for_all_doors():
    """A pit serves both markets for nothing. With it lost, 100 of 160 t can be bought: 60 short at 5 USD, at whichever door."""
    world = doors(100.0, 10.0, 10.0).mine("pit", "oxide", 1000)
    for place in ("japan", "korea"):
        world.lane("oxide", "pit", place)
    inst = losing(with_rules(world, add_purchase_caps, policy={"purchase": [OFFER]}), "pit", share=1.0, usd_t=5.0)
    found = solve(inst)
    assert found.copies[0].short.tolist() == pytest.approx([60.0])
    assert found.cost_usd == pytest.approx(300.0)


def test_what_is_bought_costs_the_price_of_its_year():
    """160 t at 10 USD, then 160 at 25; where a tonne unmet costs 20, nothing is bought in 2031: 1,600 + 3,200."""
    assert solve(doors(100.0, 10.0, 25.0).build()).cost_usd == pytest.approx(160 * 35)
    assert solve(doors(100.0, 10.0, 25.0, unmet_usd_t=20.0).build()).cost_usd == pytest.approx(1600 + 3200)


@pytest.mark.parametrize(("months", "left_t", "cost_usd"), [(6, 50.0, 11_620.0), (12, 0.0, 61_020.0)])
def test_a_stock_is_bought_before_the_ban_it_is_for(months, left_t, cost_usd):
    """100 t a year to be had, 80 asked for: 20 t of 2030 can be kept for 2031, at 1 USD.

    Banned for 6 months of 2031: 100 t at 10, 50 at 12, 20 kept, 10 unmet at 1,000: 1,000 + 600 + 20 + 10,000 = 11,620 USD.
    For all of 2031: 1,000 + 20 and 60 unmet = 61,020 USD.
    """
    world = World((2030, 2031), storage_usd_t_yr=1.0, stock=["kept"])
    world.facility("door", "purchase", country="CHN", existing=(100, left_t), makes={"oxide": 1}, process="offer-1")
    world.facility("store", "stockpile", existing=1.0)
    world.lane("oxide", "door", "user").lane("oxide", "door", "store", arrives_as="kept")
    world.lane("kept", "store", "user", arrives_as="oxide").demand("user", "oxide", 80.0, unmet_usd_t=1000.0)
    for t, price in enumerate((10.0, 12.0)):
        world.note("purchases", process=0, period=t, price_usd_t=price)
    ban = BAN | {"months": months}
    inst = with_rules(world, add_purchase_caps, policy={"purchase": [OFFER]}, shock={"export_ban": [ban]})
    assert inst.rules.table["limit"].tolist() == [100.0, left_t]
    assert solve(inst).cost_usd == pytest.approx(cost_usd)


# From the shipped tables -----------------------------------------------------------------------------------------------

YEARS = {"years": [2026, 2027, 2028]}
OFFERS = [
    {"country": "CHN", "commodity": "dy-oxide", "most_t_yr": 200, "from": 2026, "markup_share": 0.1},
    {"country": "CHN", "commodity": "dy-oxide", "most_t_yr": 50, "from": 2027, "price_set": "china", "markets": ["market-jpn"]},
    {"country": "CHN", "commodity": "y-oxide", "most_t_yr": 900, "from": 2026, "markets": ["market-jpn", "market-usa"]},
    {"country": "MYS", "commodity": "magnet-high", "most_t_yr": 70, "from": 2026},
]  # fmt: skip
CHINA_SHUT = {"country": "CHN", "commodities": ["dy-oxide"], "from": 2028, "months": 6}


@pytest.fixture(scope="module")
def routes(tables: Any) -> Any:
    return straight_routes(tables)


def build(
    tables: Any, routes: Any, *, bans: Any = (), offers: Any = OFFERS, places: Any = ("japan", "USA")
) -> Instance:
    policy = {"purchase": offers, "stockpile": {"places": list(places)}}
    raw = {**ALLIED, "horizon": YEARS, "policy": policy, "shock": {"export_ban": list(bans)}}
    return build_instance(tables, routes, scenario_from_dict(raw))


@pytest.fixture(scope="module")
def offered(tables: Any, routes: Any) -> Instance:
    return build(tables, routes, bans=[CHINA_SHUT])


def lanes_of(inst: Instance, place: str, end: str = "tail") -> Any:
    """Lanes out of a place (or into it), with the stage or market at their other end."""
    stage = dict(zip(inst.facilities["facility"], inst.facilities["stage"], strict=True))
    own, other = (inst.balances["place"].to_numpy()[inst.lanes[side].to_numpy(int)] for side in ("tail", "head"))
    if end == "head":
        own, other = other, own
    here = inst.lanes.assign(other=other, stage=[stage.get(name, "market") for name in other])
    return here[own == place]


def test_each_market_that_takes_part_has_a_door(tables, offered):
    """Its stage is its own, its country is where it buys; what it has is the offers' sum, less the ban of 6 months in 2028."""
    doors = offered.facilities[offered.facilities["stage"] == "purchase"].set_index("facility")
    markets = {*tables.sites.loc[tables.sites["kind"] == "market", "site"]} - {"market-chn", "market-row"}
    takes_part = set(offered.demand["market"])
    assert takes_part <= {name.split("-purchase-")[0] for name in doors.index if "dy-oxide" in name} <= markets
    assert doors.at["market-jpn-purchase-dy-oxide-CHN", "country"] == "CHN"
    row = offered.facilities.index[offered.facilities["facility"] == "market-jpn-purchase-dy-oxide-CHN"][0]
    assert offered.existing_t_yr[row] == pytest.approx([200, 250, 125])
    assert offered.installed_t_yr[row] == pytest.approx([200, 250, 125])
    assert "market-gbr-purchase-y-oxide-CHN" not in doors.index


def test_each_offer_has_its_price(tables, offered):
    """Dysprosium oxide outside China plus a tenth; inside China as it is."""
    prices = tables.prices.set_index(["set", "commodity", "year"])["price_usd_t"]
    row = offered.facilities.index[offered.facilities["facility"] == "market-jpn-purchase-dy-oxide-CHN"][0]
    runs = offered.processes[offered.processes["facility"] == row]
    assert runs["process"].tolist() == ["offer-1", "offer-2"]
    for m, place, markup in ((runs.index[0], "outside", 1.1), (runs.index[1], "china", 1.0)):
        paid = [prices[place, "dy-oxide", year] * markup for year in YEARS["years"]]
        assert offered.purchase_usd_t[m] == pytest.approx(paid)


def test_what_is_bought_goes_where_it_is_of_use(offered):
    """Oxide to metal plants and stores; yttrium, which nobody works, to stores and its market; magnets to their market."""
    dy, y = (lanes_of(offered, f"market-jpn-purchase-{element}-oxide-CHN") for element in ("dy", "y"))
    assert set(dy["stage"]) == {"metal", "stockpile"}
    assert "market-jpn-stockpile" in set(dy["other"])
    assert set(y["stage"]) == {"stockpile", "market"}
    assert set(y.loc[y["stage"] == "market", "other"]) == {"market-jpn"}
    magnets = lanes_of(offered, "market-deu-purchase-magnet-high-MYS")
    assert magnets["other"].tolist() == ["market-deu"]
    assert magnets["route"].tolist() == ["on-site"]


def test_a_door_keeps_sells_and_wastes_nothing(offered):
    door = offered.balances["place"].str.contains("-purchase-").to_numpy()
    for may in (offered.may_stock, offered.may_sell, offered.may_hold):
        assert not may[door].any()


def test_a_store_keeps_what_it_is_sent(tables, offered):
    """Stores at the markets of Japan and the United States, fed by those who separate, emptied by those who make metal."""
    stores = offered.facilities[offered.facilities["stage"] == "stockpile"]
    assert set(stores["site"]) == {"market-jpn", "market-usa"}
    here = offered.balances["place"].isin(list(stores["facility"])).to_numpy()
    assert offered.may_stock[here].all()
    assert not offered.may_sell[here].any()
    into, out = (lanes_of(offered, "market-jpn-stockpile", end) for end in ("head", "tail"))
    assert set(into["stage"]) == {"separation_light", "separation_heavy", "recycling", "purchase"}
    assert set(out["stage"]) == {"metal", "market"}
    for commodity in ("ndpr-oxide", "dy-oxide", "tb-oxide", "sm-oxide"):
        assert {commodity} <= set(into["commodity"]) & set(out["commodity"])


def test_without_places_and_offers_nothing_changes(tables, routes):
    bare = build(tables, routes, offers=[], places=[])
    assert set(bare.facilities["stage"]) & {"purchase", "stockpile"} == set()
    with_places = build(tables, routes, offers=[])
    assert len(with_places.lanes) - len(bare.lanes) < 0.1 * len(bare.lanes)
    for name in ("facilities", "lanes", "balances", "processes"):
        few, more = getattr(bare, name), getattr(with_places, name)
        assert len(more) == len(few) or name in ("facilities", "lanes", "balances")


@pytest.mark.parametrize(
    ("offer", "words"),
    [
        ({"commodity": "carbonate"}, "carbonate cannot be bought"),
        ({"markets": ["market-chn"]}, "nothing is bought at market-chn: CHN is excluded"),
        ({"commodity": "lace-oxide"}, "no plant works lace-oxide"),
    ],
)
def test_what_cannot_be_bought_is_refused(tables, routes, offer, words):
    with pytest.raises(DataError, match=words):
        build(tables, routes, offers=[{**OFFERS[0], **offer}])


def test_a_year_without_a_price_is_refused(tables, routes):
    """Where nothing is to be had, none is needed."""
    prices = tables.prices
    short = replace(tables, prices=prices[(prices["year"] < 2028) | (prices["commodity"] != "dy-oxide")])
    with pytest.raises(DataError, match="price set outside has no dy-oxide in 2028"):
        build(short, routes, offers=OFFERS[:1])
    build(short, routes, offers=[{**OFFERS[0], "to": 2027}])


def test_a_place_without_a_market_is_refused(tables, routes):
    with pytest.raises(DataError, match="no market that takes part lies in any of them"):
        build(tables, routes, offers=[], places=["NLD"])


def test_a_ban_of_part_of_a_year_leaves_the_lanes_of_plants_open(tables, routes):
    """Australia buys from nobody here but itself is an offer's country: 6 months end half of the offer, 12 the lanes as well."""
    offer = {"country": "AUS", "commodity": "ndpr-oxide", "most_t_yr": 10, "from": 2026}
    ban = {"country": "AUS", "commodities": ["ndpr-oxide"], "from": 2028}
    half, whole = (build(tables, routes, offers=[offer], bans=[ban | {"months": months}]) for months in (6, 12))
    country = dict(zip(tables.sites["site"], tables.sites["country"], strict=True))
    out = (half.lanes["commodity"] == "ndpr-oxide") & (half.lanes["origin"].map(country) == "AUS")
    out &= half.lanes["destination"].map(country) != "AUS"
    assert out.any()
    assert half.lane_open[out.to_numpy()].all()
    assert not whole.lane_open[out.to_numpy(), 2].any()


def test_a_ban_that_ends_nothing_is_refused(tables, routes):
    with pytest.raises(DataError, match="a ban of 6 months a year by CHN ends nothing"):
        build(tables, routes, offers=OFFERS[2:], bans=[CHINA_SHUT])


# The studies -----------------------------------------------------------------------------------------------------------


def test_the_studies_of_a_ban_differ_in_the_ban_alone(root):
    """6 months of 2028, 12, and 24 in 2028 and 2029."""
    asked = {months: read_scenario(root / "examples" / "studies" / f"ban-{months}.toml") for months in (6, 12, 24)}
    bans = {months: scenario.shock.export_ban[0] for months, scenario in asked.items()}
    years = {months: (ban.to_year or 0) - ban.from_year + 1 for months, ban in bans.items()}
    assert {months: bans[months].months * years[months] for months in bans} == {6: 6, 12: 12, 24: 24}
    rest = [scenario.model_copy(update={"name": "", "shock": Shock()}) for scenario in asked.values()]
    assert rest[0] == rest[1] == rest[2]
