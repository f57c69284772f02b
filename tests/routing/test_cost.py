"""Arithmetic of arcs, on networks small enough to do by hand."""

import numpy as np
import pytest
from worlds import RATES, World, open_to, strait_world

from hubplan.errors import DataError
from hubplan.routing.cost import arc_cost_usd_t, arc_freight_usd_t, arc_surcharge_usd_t, hour_usd_t, transport_value
from hubplan.routing.paths import find_path


def test_freight_example_of_ftot():
    """40 mi truck, transload, 600 mi rail, transload, 400 mi barge for 1,000 t at FTOT's defaults (schema 6.0.2) is 74,500 USD.

    Per tonne: 40 x 0.22 + 12.35 + 600 x 0.047 + 12.35 + 400 x 0.032. The barge stands for the sea mode; its transload is the
    loading port's call, and the river mouth's is free.
    """
    mile_km = 1.609344
    world = World()
    world.rates |= {"road_usd_tkm": 0.22 / mile_km, "rail_usd_tkm": 0.047 / mile_km, "sea_usd_tkm": 0.032 / mile_km}
    world.node("farm", "site", "USA").node("a", "road", "USA").node("b", "road", "USA").node("c", "rail", "USA").node(
        "d", "rail", "USA"
    )
    world.port("river", "USA", handling_usd_t=12.35).port("mouth", "USA", handling_usd_t=0.0).node(
        "mill", "site", "USA"
    )
    world.arc("farm", "a", "access", 0).arc("a", "b", "road", 40 * mile_km).arc("b", "c", "transfer", 0, usd_t=12.35)
    world.arc("c", "d", "rail", 600 * mile_km).arc("d", "river", "access", 0).arc(
        "river@sea", "mouth@sea", "sea", 400 * mile_km
    )
    world.arc("mouth", "mill", "access", 0)
    path = find_path(world.network(), world.tables(), "farm", "mill", open_to(), ware="bulk", year=2026)
    assert path["cost_usd_t"].sum() * 1000 == pytest.approx(74_500)


def test_generalised_cost_adds_capital_tied_up():
    """1 h of a tonne worth 10,000 USD at 8 % a year is 10,000 x 0.08 / 8766 = 0.0913 USD."""
    world = strait_world()
    world.rates["capital_cost_share"] = 0.08
    network, tables = world.network(), world.tables()
    extra = arc_cost_usd_t(network, tables, ware="bulk") - arc_freight_usd_t(network, tables)
    assert extra == pytest.approx(network.arcs["hours"].to_numpy() * 10_000 * 0.08 / 8766)
    assert hour_usd_t(tables, ware="value") == pytest.approx(10 * hour_usd_t(tables, ware="bulk"))


def test_a_gate_is_charged_when_crossed_and_a_port_when_called_at():
    world = strait_world()
    network, tables = world.network(), world.tables()
    extra = arc_surcharge_usd_t(network, tables, {"strait": 15.0, "east": 2.0})
    assert sorted(extra[extra > 0].tolist()) == [2.0, 15.0]
    assert network.crosses[int(np.argmax(extra)), 0]


def test_a_polygon_is_charged_once_a_passage():
    """Four arcs through an area: in, within, within, out. And a port inside: in, call."""
    world = World(zones=("sea-area",), zone_shapes={"sea-area": "POLYGON ((1 -1, 9 -1, 9 1, 1 1, 1 -1))"})
    for number, lon in enumerate((0, 3, 5, 7, 10)):
        world.node(f"s{number}", "sea", lon=lon)
    for number in range(4):
        world.arc(f"s{number}", f"s{number + 1}", "sea", 100, zones=["sea-area"])
    world.port("inside", "PHL", lon=5).arc("inside@sea", "s2", "sea", 1, zones=["sea-area"])
    extra = arc_surcharge_usd_t(world.network(), world.tables(), {"sea-area": 10.0})
    assert extra[:4].tolist() == [5.0, 0.0, 0.0, 5.0]
    assert extra[:2].sum() + extra[4] + extra[5] == 10.0  # in, to the offing, call: port arc is number 4


@pytest.mark.parametrize("value", [None, -1.0, float("nan")])
def test_a_missing_or_senseless_rate_is_an_error(value):
    world = strait_world()
    world.rates = {name: rate for name, rate in RATES.items() if name != "rail_usd_tkm"}
    if value is not None:
        world.rates["rail_usd_tkm"] = value
    with pytest.raises(DataError, match="rail_usd_tkm"):
        transport_value(world.tables(), "rail_usd_tkm")
    with pytest.raises(DataError):
        arc_freight_usd_t(world.network(), world.tables())


def test_unknown_ware_and_surcharge_are_errors():
    world = strait_world()
    with pytest.raises(DataError, match="gold"):
        hour_usd_t(world.tables(), ware="gold")
    with pytest.raises(DataError, match="atlantis"):
        arc_surcharge_usd_t(world.network(), world.tables(), {"atlantis": 1.0})
