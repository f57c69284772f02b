"""Shares of countries, owners and sites, and the benchmarks of a bloc, worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from hubplan.data.chain import MAGNET_ELEMENTS, Chain
from hubplan.model.policy.shares import add_self_supply, add_shares
from model.policy.books import broken, frame, with_rules
from model.worlds import World, solve

PRICE = 100.0
TABLES = {
    "mines": frame("mine owner", ("mine", "digger")),
    "facilities": frame("facility owner", ("a1", "anna"), ("a2", "anna"), ("b1", "bert"), ("new", "")),
    "blocs": frame("bloc country", ("eu", "FRA"), ("eu", "EST")),
}


def makers(need_t: float = 100.0, unmet_usd_t: float = 1000.0) -> World:
    """Anna has a plant of 80 t at 1 USD/t in France and one at 2 in Estonia; Bert's, in America, costs 5; 100 t wanted.

    The new plant, at 9 USD/t, is nobody's: in Japan.
    """
    world = World(rule_usd_t=PRICE).mine("mine", "ore", 1e4, country="AUS")
    plants = (("a1", "FRA", 1.0), ("a2", "EST", 2.0), ("b1", "USA", 5.0), ("new", "JPN", 9.0))
    for name, country, opex in plants:
        made = {"takes": {"ore": 1.0}, "makes": {"oxide": 1.0}, "opex_usd_t": opex}
        world.facility(name, "magnet", country=country, existing=80.0, **made)
        world.lane("ore", "mine", name).lane("oxide", name, "user")
    return world.demand("user", "oxide", need_t, unmet_usd_t=unmet_usd_t)


def plan(**policy: object):
    inst = with_rules(makers(), add_shares, tables=TABLES, policy=policy)
    return inst, solve(inst)


def test_without_a_rule_the_cheapest_plants_run() -> None:
    """80 from Anna's first, 20 from her second: 80 + 40 = 120."""
    assert plan()[1].cost_usd == pytest.approx(120.0)


def test_a_country_runs_no_more_than_its_share() -> None:
    """France at most half: 50 at 1, 50 at 2: 150."""
    assert plan(max_country_share={"magnet": 0.5})[1].cost_usd == pytest.approx(150.0)


def test_an_owner_is_held_over_all_of_its_plants() -> None:
    """Anna at most half with both her plants: 50 at 1, and 50 of Bert's at 5: 300. Sites alone would let her have all."""
    assert plan(max_owner_share={"magnet": 0.5})[1].cost_usd == pytest.approx(300.0)
    assert plan(max_site_share={"magnet": 0.5})[1].cost_usd == pytest.approx(150.0)


def test_what_has_no_owner_counts_under_none() -> None:
    """Anna and Bert at most 0.3 each: 30 at 1, 30 at 5, and 40 from the new plant at 9, which no cap holds: 540."""
    inst, found = plan(max_owner_share={"magnet": 0.3})
    assert found.cost_usd == pytest.approx(30 + 150 + 360)
    assert sorted(inst.rules.table["id"]) == ["magnet/anna", "magnet/bert"]


def test_a_share_that_cannot_be_kept_is_broken_openly() -> None:
    """A share of nought for Anna, Bert and the new plant's sites: 100 t run all the same, each t over at 100 USD."""
    inst, found = plan(max_site_share={"magnet": 0.0})
    assert found.cost_usd == pytest.approx(120 + 100 * PRICE)
    assert broken(inst, found) == {("max_site_share", "magnet/a1", 0): 80.0, ("max_site_share", "magnet/a2", 0): 20.0}


def test_a_country_runs_no_less_than_promised() -> None:
    """America at least a quarter: 25 at 5, 75 at 1: 200."""
    inst, found = plan(min_country_share={"magnet": {"USA": 0.25}})
    assert found.cost_usd == pytest.approx(200.0)
    assert inst.rules.table[["family", "id", "sense"]].to_numpy().tolist() == [
        ["min_country_share", "magnet/USA", "at_least"]
    ]


def bloc_world() -> World:
    """The bloc needs 100 t of NdPr oxide. Its own ore (a fifth NdPr) and separation are dearer than what Peru sends.

    Ore of Peru is cracked in the bloc, its oxide comes separated too; a recycler of the bloc makes oxide of scrap.
    """
    world = World(rule_usd_t=1e4, hold=("lace-oxide",))
    world.mine("kiruna", "carbonate@kiruna", 1e4, country="EST", opex_usd_t=10.0)
    world.mine("lima", "carbonate@lima", 1e4, country="PER", opex_usd_t=1.0)
    split = {"ndpr-oxide": 0.2, "lace-oxide": 0.8}
    for place, country, opex in (("narva", "EST", 3.0), ("callao", "PER", 1.0)):
        world.facility(place, "separation_light", country=country, existing=1e5)
        for mine in ("kiruna", "lima"):
            world.process(place, f"carbonate@{mine}", {f"carbonate@{mine}": 1.0}, split, opex_usd_t=opex)
    for mine in ("kiruna", "lima"):
        world.lane(f"carbonate@{mine}", mine, "narva").lane(f"carbonate@{mine}", mine, "callao")
    world.facility("lyon", "recycling", country="FRA", existing=1e4, makes={"ndpr-oxide": 0.3}, opex_usd_t=100.0)
    for place in ("narva", "callao", "lyon"):
        world.lane("ndpr-oxide", place, "market-fra")
    return world.demand("market-fra", "ndpr-oxide", 100.0, unmet_usd_t=1e6)


SITES = {
    "kiruna": "EST", "narva": "EST", "lima": "PER", "callao": "PER", "lyon": "FRA", "market-fra": "FRA"
}  # fmt: skip


def bloc_plan(**goal: object):
    tables = {**TABLES, "sites": frame("site country", *SITES.items())}
    chain = SimpleNamespace(baskets={"kiruna": {"ndpr": 0.2, "lace": 0.8}, "lima": {"ndpr": 0.2, "lace": 0.8}})
    policy = {"self_supply": [{"bloc": "eu", "from": 2030, **goal}]}
    inst = with_rules(bloc_world(), add_self_supply, tables=tables, chain=chain, policy=policy)
    return inst, solve(inst)


def test_a_bloc_without_benchmarks_buys_abroad() -> None:
    """500 t of Peru's carbonate, mined and separated there at 1 + 1: 1,000 USD."""
    assert bloc_plan()[1].cost_usd == pytest.approx(1000.0)


def test_a_tenth_is_mined_at_home() -> None:
    """10 t of oxide contained are 50 t of Kiruna's ore at 10 + 1 (separated in Peru): 550; 450 of Peru's at 2: 900."""
    inst, found = bloc_plan(mine_share=0.10)
    assert inst.rules.table[["id", "limit"]].to_numpy().tolist() == [["eu/extraction", 10.0]]
    assert found.cost_usd == pytest.approx(550 + 900)


def test_four_tenths_are_separated_at_home() -> None:
    """40 t from 200 t of Peru's carbonate separated in Narva at 1 + 3: 800; 300 t in Peru: 600."""
    assert bloc_plan(processing_share=0.40)[1].cost_usd == pytest.approx(1400.0)


def test_a_quarter_is_recycled_at_home_and_does_not_count_as_processing() -> None:
    """25 t from 83.33 t of scrap at 100: 8,333.33; 75 t from 375 t of carbonate at 2: 750. Then 40 t separated as well:
    200 t at 4 and 175 t at 2: 1,150."""
    assert bloc_plan(recycling_share=0.25)[1].cost_usd == pytest.approx(25 / 0.3 * 100 + 750)
    both = bloc_plan(recycling_share=0.25, processing_share=0.40)
    assert both[1].cost_usd == pytest.approx(25 / 0.3 * 100 + 800 + 350)


def test_the_cap_on_one_third_country_holds_class_by_class() -> None:
    """65 % from Peru at most. Oxide: 65 t from Callao (325 t at 2: 650), 35 t from Narva. Its carbonate, 175 t, is capped too:
    113.75 t from Peru at 1, 61.25 t from Kiruna at 10, all separated at 3: 113.75 + 612.5 + 525 = 1,251.25."""
    inst, found = bloc_plan(max_third_country_share=0.65)
    assert sorted(inst.rules.table["id"]) == ["eu/carbonate/PER", "eu/oxide/PER"]
    assert found.cost_usd == pytest.approx(650 + 1251.25)


def thirds_world(oxide_from_abroad_t: float = 66.0) -> World:
    """100 t of oxide and 100 t of metal reach the bloc; metal is the bloc's own for 36 t and of two countries for 32 each."""
    world = World(rule_usd_t=10.0)
    for good, places in (
        ("dy-oxide", (("nara", "JPN", oxide_from_abroad_t), ("narva", "EST", 100.0 - oxide_from_abroad_t))),
        ("dy-metal", (("osaka", "JPN", 32.0), ("perth", "AUS", 32.0), ("lacq", "FRA", 36.0))),
    ):
        for place, country, amount in places:
            world.mine(place, good, amount, country=country).lane(good, place, "market-fra")
        world.demand("market-fra", good, 100.0, unmet_usd_t=1e6)
    return world


@pytest.mark.parametrize(("oxide_t", "over"), [(66.0, {("self_supply", "eu/oxide/JPN", 0): 1.0}), (65.0, {})])
def test_66_per_cent_from_one_third_country_fails_at_that_stage_alone(oxide_t, over) -> None:
    """Of 100 t of oxide 66 from Japan are 1 t over 65 %; metal, 32 % from each of two, passes. 65 t pass as well."""
    sites = [
        ("nara", "JPN"),
        ("narva", "EST"),
        ("osaka", "JPN"),
        ("perth", "AUS"),
        ("lacq", "FRA"),
        ("market-fra", "FRA"),
    ]
    tables = {**TABLES, "sites": frame("site country", *sites)}
    policy = {"self_supply": [{"bloc": "eu", "from": 2030, "max_third_country_share": 0.65}]}
    inst = with_rules(thirds_world(oxide_t), add_self_supply, tables=tables, policy=policy)
    found = solve(inst)
    assert broken(inst, found) == over
    assert sorted(inst.rules.table["id"]) == ["eu/metal/AUS", "eu/metal/JPN", "eu/oxide/JPN"]


def test_magnets_ask_oxide_through_grades_and_yields() -> None:
    """74 t of a magnet at a yield of 0.74 are 100 t of alloy with 30 % metal, lost at 1 %, from oxide at 0.83:
    100 x 0.3 / 0.99 / 0.83 = 36.51 t of oxide; a tenth of it is to be mined in the bloc."""
    recipes = {
        ("alloy", "", "ndpr-metal", "alloy-standard"): 0.99, ("magnet", "", "alloy-standard", "magnet-standard"): 0.74,
        ("metal", "", "ndpr-oxide", "ndpr-metal"): 0.83,
    }  # fmt: skip
    recipes |= {("metal", "", f"{e}-oxide", f"{e}-metal"): 0.83 for e in MAGNET_ELEMENTS}
    world = World().mine("kiruna", "magnet-standard", 100.0, country="EST")
    world.lane("magnet-standard", "kiruna", "market-fra").demand("market-fra", "magnet-standard", 74.0)
    inst = with_rules(
        world,
        add_self_supply,
        tables={**TABLES, "sites": frame("site country", *SITES.items())},
        chain=Chain({"kiruna": {}}, recipes, {"standard": {"ndpr": 0.3}}),
        policy={"self_supply": [{"bloc": "eu", "from": 2030, "mine_share": 0.1}]},
    )
    assert inst.rules.table["limit"].tolist() == [pytest.approx(0.1 * 100 * 0.3 / 0.99 / 0.83)]


def test_a_bloc_that_buys_nothing_has_no_benchmark() -> None:
    world = bloc_world().demand("market-per", "ndpr-oxide", 1.0)
    tables = {**TABLES, "sites": frame("site country", *SITES.items(), ("market-per", "PER"))}
    tables["blocs"] = frame("bloc country", ("eu", "JPN"))
    policy = {"self_supply": [{"bloc": "eu", "from": 2030, "mine_share": 0.5}]}
    assert len(with_rules(world, add_self_supply, tables=tables, policy=policy).rules) == 0
