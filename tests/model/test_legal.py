"""Rules of content: which goods get a second kind, by hand, and no way to a market that is bound on the shipped data."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hubplan.data.chain import Process
from hubplan.data.scenario import scenario_from_dict
from hubplan.data.tables import read_tables
from hubplan.errors import DataError
from hubplan.model.build import build_instance
from hubplan.model.calendar import build_calendar
from hubplan.model.draft import Draft
from hubplan.model.legal import LOWERED, MARK, add_qualified, find_lawful_lanes
from model.test_build import straight_routes
from model.worlds import solve

DFARS = {
    "name": "DFARS 252.225-7052",
    "products": ["magnet-defence", "magnet-smco"],
    "countries": ["CHN", "RUS", "PRK", "IRN"],
    "from": 2025,
}
TODAY = {"name": "today", "horizon": {"years": [2025]}, "demand": {"set": "world-2025"}, "policy": {"max_hubs": 0}}
COALITION = {"members": ["five-eyes", "nato", "eu", "japan", "korea"], "excluded": ["CHN", "RUS", "PRK", "IRN"]}

# By hand ---------------------------------------------------------------------------------------------------------------

SITES = {"hill": "AUS", "perth": "AUS", "baotou": "CHN", "market-jpn": "JPN", "market-chn": "CHN"}


def small_draft(*legal: dict[str, Any], crackers: tuple[str, ...] = ("perth", "baotou")) -> Draft:
    """Ore from Hill; crackers and separators at Perth and at Baotou; oxide for Japan and China."""
    rule = {"name": "oxide", "products": ["ndpr-oxide"], "countries": ["CHN"], "from": 2027}
    scenario = scenario_from_dict(
        {"name": "small", "horizon": {"years": [2026, 2027]}, "policy": {"legal": list(legal) or [rule]}}
    )
    tables = SimpleNamespace(
        mines=pd.DataFrame({"mine": ["hill"]}), commodities=pd.DataFrame({"commodity": ["ndpr-oxide"]}),
        transport=pd.DataFrame({"parameter": [], "value": []}), blocs=pd.DataFrame({"bloc": [], "country": []}),
        sites=pd.DataFrame(
            [(site, country, "market" if "market" in site else "plant") for site, country in SITES.items()],
            columns=["site", "country", "kind"],
        ),
    )  # fmt: skip
    draft: Any = Draft(tables, scenario, None, None, None, build_calendar(scenario))  # type: ignore[arg-type]
    ore, carbonate, oxide = ("concentrate", "hill"), ("carbonate", "hill"), ("ndpr-oxide", "")
    plants = [("hill", "hill", "mine")]
    plants += [(f"{site}-crack", site, "crack_leach") for site in crackers]
    plants += [(f"{site}-sep", site, "separation_light") for site in ("perth", "baotou")]
    runs = {
        "mine": Process("mine", {}, {ore: 1.0}),
        "crack_leach": Process("concentrate@hill", {ore: 1.0}, {carbonate: 0.9}),
        "separation_light": Process("carbonate@hill", {carbonate: 1.0}, {oxide: 0.2, ("lace-oxide", ""): 0.6}),
    }
    for n, (name, site, stage) in enumerate(plants):
        draft.facilities.append({"facility": name, "site": site, "stage": stage, "country": SITES[site]})
        draft.add_process(n, runs[stage], 1.0)

    def lane(good: tuple[str, str], tail: str, head: str) -> None:
        ends = {"tail": draft.balance(*good, tail), "head": draft.balance(*good, head)}
        places = {"origin": tail.partition("-crack")[0].partition("-sep")[0], "destination": head}
        draft.lanes.append({**ends, "commodity": good[0], "tag": good[1], **places})

    for site in crackers:
        lane(ore, "hill", f"{site}-crack")
        for other in ("perth", "baotou"):
            lane(carbonate, f"{site}-crack", f"{other}-sep")
    for site in ("perth", "baotou"):
        for market in ("market-jpn", "market-chn"):
            lane(oxide, f"{site}-sep", market)
    for row in draft.lanes:
        row["destination"] = row["destination"].partition("-crack")[0].partition("-sep")[0]
    return draft


def told(draft: Draft) -> set[tuple[str, str, str]]:
    """Lanes of what is qualified: commodity and both ends; a lane that exists in both kinds has a marked tail."""
    places = list(draft.balances)
    return {(x["commodity"], places[x["tail"]][2], places[x["head"]][2]) for x in draft.lanes if x["qualified"]}


def test_a_second_kind_is_made_where_both_could_be():
    """Ore is known by its mine. Perth cracks and separates both kinds; Baotou's carbonate of the same ore is not qualified."""
    draft = small_draft()
    before = len(draft.processes), len(draft.lanes)
    add_qualified(draft)
    assert told(draft) == {
        ("concentrate", "hill", "perth-crack"),
        ("concentrate", "hill", "baotou-crack"),
        ("carbonate", "perth-crack", "perth-sep"),
        ("ndpr-oxide", "perth-sep", "market-jpn"),
        ("ndpr-oxide", "perth-sep", "market-chn"),
    }
    assert len(draft.lanes) - before[1] == 3  # carbonate, and oxide to two markets
    added = draft.processes[before[0] :]
    assert [p["process"] for p in added] == ["concentrate@hill", "carbonate@hill", LOWERED, LOWERED]
    assert [draft.facilities[p["facility"]]["facility"] for p in added[:2]] == ["perth-crack", "perth-sep"]


def test_the_second_kind_takes_and_makes_the_second_kind():
    """Perth's separator: a tonne of qualified carbonate to 0.2 t of qualified oxide and 0.6 t of La-Ce oxide."""
    draft = small_draft()
    add_qualified(draft)
    keys = list(draft.balances)
    (row,) = [m for m, p in enumerate(draft.processes) if p["process"] == "carbonate@hill" and p["qualified"]]
    terms = {(*keys[balance], amount) for process, balance, amount in draft.terms if process == row}
    assert terms == {
        ("carbonate", "hill" + MARK, "perth-sep", -1.0),
        ("ndpr-oxide", MARK, "perth-sep", 0.2),
        ("lace-oxide", "", "perth-sep", 0.6),
    }


def test_carbonate_needs_no_second_kind_where_none_is_cracked_in_the_countries():
    """Perth alone cracks: all carbonate is qualified, wherever it goes. Oxide is of both kinds still."""
    draft = small_draft(crackers=("perth",))
    add_qualified(draft)
    assert not any(tag.endswith(MARK) for commodity, tag, _ in draft.balances if commodity == "carbonate")
    assert ("carbonate", "perth-crack", "baotou-sep") in told(draft)
    assert ("ndpr-oxide", "baotou-sep", "market-jpn") not in told(draft)


def test_from_the_date_on_only_what_is_qualified_reaches_markets_outside():
    """In 2026 everything may go everywhere; from 2027 Japan gets no other oxide; China's own market is not bound."""
    draft = small_draft()
    add_qualified(draft)
    lanes = pd.DataFrame(draft.lanes)
    lawful = find_lawful_lanes(draft, lanes)
    assert lawful[:, 0].all()
    shut = lanes[~lawful[:, 1]]
    assert set(zip(shut["origin"], shut["destination"], strict=True)) == {
        ("perth", "market-jpn"),
        ("baotou", "market-jpn"),
    }
    assert not shut["qualified"].any()


def test_a_rule_that_ends_binds_no_more():
    rule = {"name": "short", "products": ["ndpr-oxide"], "countries": ["CHN"], "from": 2025, "to": 2026}
    draft = small_draft(rule)
    add_qualified(draft)
    lawful = find_lawful_lanes(draft, pd.DataFrame(draft.lanes))
    assert not lawful[:, 0].all()
    assert lawful[:, 1].all()


def test_rules_that_name_different_countries_are_refused():
    one = {"name": "a", "products": ["ndpr-oxide"], "countries": ["CHN"], "from": 2026}
    with pytest.raises(DataError, match=r"policy\.legal\.countries"):
        add_qualified(small_draft(one, {**one, "name": "b", "countries": ["AUS"]}))


# On the shipped data ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tables():
    return read_tables()


@pytest.fixture(scope="module")
def routes(tables):
    return straight_routes(tables)


@pytest.fixture(scope="module")
def ruled(tables, routes):
    return build_instance(tables, routes, scenario_from_dict({**TODAY, "policy": {"max_hubs": 0, "legal": [DFARS]}}))


def test_no_way_leads_from_the_countries_to_a_market_that_is_bound(ruled):
    """From every balance that a facility there makes, along every process and every lane that is open."""
    owner = ruled.processes["facility"].to_numpy(dtype=int)
    named = ruled.facilities["country"].isin(DFARS["countries"]).to_numpy()[owner]
    makes, takes = ruled.term_t_t > 0, ruled.term_t_t < 0
    reached = np.zeros(len(ruled.balances), dtype=bool)
    reached[ruled.term_balance[makes & named[ruled.term_process]]] = True
    bound = ruled.lanes["commodity"].isin(DFARS["products"]) & ruled.lanes["destination"].str.startswith("market")
    bound &= ruled.lanes["destination"] != "market-chn"
    tail, head = (ruled.lanes[end].to_numpy(dtype=int) for end in ("tail", "head"))
    count = -1
    while reached.sum() != count:
        count = reached.sum()
        runs = np.zeros(len(ruled.processes), dtype=bool)
        runs[ruled.term_process[takes & reached[ruled.term_balance]]] = True
        reached[ruled.term_balance[makes & runs[ruled.term_process]]] = True
        reached[head[ruled.lane_open[:, 0] & reached[tail]]] = True
    into = bound.to_numpy(dtype=bool) & ruled.lane_open[:, 0]
    assert into.any()
    assert not reached[tail[into]].any()


def test_the_rule_costs_money_and_leaves_defence_short(tables, routes, ruled):
    """In 2025 outside those countries Dy, Tb and Sm are separated in a few places only."""
    free = solve(build_instance(tables, routes, scenario_from_dict(TODAY)))
    bound = solve(ruled)
    assert bound.cost_usd > 1.01 * free.cost_usd
    defence = ruled.demand["product"].isin(DFARS["products"]).to_numpy()
    assert bound.unmet_t[defence].sum() > 100.0


def test_where_the_countries_take_no_part_the_rule_costs_no_column(tables, routes):
    """And all that matters is marked as qualified, so that a run can be traced."""
    raw = {"name": "allied", "coalition": COALITION}
    free = build_instance(tables, routes, scenario_from_dict(raw))
    ruled = build_instance(tables, routes, scenario_from_dict({**raw, "policy": {"legal": [DFARS]}}))
    for part in ("lanes", "processes", "balances"):
        assert len(getattr(ruled, part)) == len(getattr(free, part)), part
    assert (ruled.lane_open == free.lane_open).all()
    assert ruled.lanes.loc[ruled.lanes["commodity"].isin(DFARS["products"]), "qualified"].all()
