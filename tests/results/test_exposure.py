"""What a plan depends on."""

from dataclasses import replace

import pandas as pd
import pytest

from hubplan.errors import DataError
from hubplan.results.exposure import build_exposure

LEGS = pd.DataFrame(
    [
        ("a--b", 1, "sea", "gate;gate-two", "AUS;JPN", "kobe-port"),
        ("a--b", 2, "rail", "gate", "JPN", ""),
        ("b--c", 1, "road", "", "JPN", ""),
    ],
    columns=["route", "leg", "mode", "chokepoints", "countries", "ports"],
)


def flows(*rows):
    columns = ["period", "commodity", "origin", "destination", "route", "flow_t"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(origin_facility=table["origin"])


MOVED = flows(
    (2030, "ndpr-oxide", "bay", "kobe", "a--b", 30.0), (2030, "dy-oxide", "kobe", "market-jpn", "b--c", 10.0),
    (2030, "carbonate", "bay", "bay", "on-site", 500.0), (2032, "ndpr-oxide", "bay", "kobe", "a--b", 5.0),
)  # fmt: skip
VALUE = {"ndpr-oxide": 100.0, "dy-oxide": 1000.0, "carbonate": 20.0}


def test_adds_up_what_passes(tables):
    """40 t move in 2030: 30 of them by the gate (75 %), all of them touch Japan, the 30 from Bay touch Australia."""
    found = build_exposure(MOVED, LEGS, VALUE, tables=tables).set_index(["kind", "id", "period"])
    assert found.loc[("chokepoint", "gate", 2030)].tolist() == [30.0, 0.75, 3000.0]
    assert found.loc[("chokepoint", "gate-two", 2032)].tolist() == [5.0, 1.0, 500.0]
    assert found.loc[("country", "JPN", 2030)].tolist() == [40.0, 1.0, 13000.0]
    assert found.loc[("country", "AUS", 2030)].tolist() == [30.0, 0.75, 3000.0]
    assert found.loc[("operator", "Kobe One (COSCO 10%)", 2030), "flow_t"] == 30.0
    assert len(found) == 10


def test_what_is_bought_outside_depends_on_where_it_is_bought(tables):
    """7 t at Japan's door never leave the site, 10 t go on to Kobe's neighbour: 17 t come from China, of 17 t that moved."""
    door = "market-jpn-purchase-dy-oxide-CHN"
    bought = flows(
        (2030, "dy-oxide", "market-jpn", "market-jpn", "on-site", 7.0), (2030, "dy-oxide", "kobe", "market-jpn", "b--c", 10.0)
    ).assign(origin_facility=door)  # fmt: skip
    found = build_exposure(bought, LEGS, VALUE, tables=tables, bought={door: "CHN"}).set_index(["kind", "id", "period"])
    assert found.loc[("country", "CHN", 2030)].tolist() == [17.0, 1.0, 17000.0]
    assert found.loc[("country", "JPN", 2030)].tolist() == [17.0, 1.0, 17000.0]
    assert build_exposure(bought, LEGS, VALUE, tables=tables).set_index(["kind", "id"])["flow_t"].to_dict() == {
        ("country", "JPN"): 10.0
    }


@pytest.mark.parametrize(("share", "counts"), [(0.0, False), (0.01, True), (float("nan"), True)])
def test_counts_operators_with_chinese_owners_or_unknown_ones(tables, share, counts):
    held = replace(tables, terminals=tables.terminals.assign(chinese_share=share))
    assert ("operator" in set(build_exposure(MOVED, LEGS, VALUE, tables=held)["kind"])) == counts


def test_nothing_moved_exposes_nothing(tables):
    assert build_exposure(flows(), LEGS, VALUE, tables=tables).empty
    assert build_exposure(MOVED[MOVED["route"] == "on-site"], LEGS, VALUE, tables=tables).empty


def test_a_route_without_legs_or_a_commodity_without_value_is_refused(tables):
    with pytest.raises(DataError, match="route b--c is in use and has no legs"):
        build_exposure(MOVED, LEGS[LEGS["route"] == "a--b"], VALUE, tables=tables)
    with pytest.raises(DataError, match="commodity dy-oxide has no value"):
        build_exposure(MOVED, LEGS, {**VALUE, "dy-oxide": float("nan")}, tables=tables)


def test_more_flow_never_lowers_what_depends_on_a_gate(tables):
    more = MOVED.assign(flow_t=MOVED["flow_t"] * 2)
    first, second = (build_exposure(table, LEGS, VALUE, tables=tables) for table in (MOVED, more))
    assert (second["flow_t"] == 2 * first["flow_t"]).all()
    assert (second["flow_share"] == first["flow_share"]).all()
