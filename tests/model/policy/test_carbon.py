"""CO2, residue and thorium, worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from hubplan.errors import DataError
from hubplan.model.emissions import with_co2
from hubplan.model.policy.carbon import add_emission_limits
from model.policy.books import ask, broken, frame, with_rules
from model.worlds import World, solve

PRICE = 1000.0
TABLES = {
    "stages": frame("stage co2_t_t residue_t_t", ("magnet", 4.0, 0.5), ("crack_leach", 3.0, 5.0)),
    "mines": frame("mine product thorium_t_t", ("hill", "concentrate", 0.1), ("clay", "carbonate", 0.02)),
}


def makers() -> World:
    """60 t of magnets from North, at 1 USD/t and near, or South, at 5 and far; two years."""
    world = World((2030, 2032), rule_usd_t=PRICE)
    for name, country, opex in (("north", "USA", 1.0), ("south", "FRA", 5.0)):
        world.facility(name, "magnet", country=country, existing=100.0, makes={"oxide": 1.0}, opex_usd_t=opex, use=0.5)
        world.lane("oxide", name, "user")
    return world.demand("user", "oxide", (60.0, 0.0), unmet_usd_t=1e6)


def emitting(lane_t_t: tuple[float, float] = (3.0, 1.0), run_t_t: float = 2.0, co2_usd_t: float = 0.0):
    inst = makers().build()
    return replace(
        inst,
        lanes=inst.lanes.assign(co2_t_t=list(lane_t_t)),
        processes=inst.processes.assign(co2_t_t=run_t_t),
        co2_usd_t=co2_usd_t,
    )


def test_a_price_of_co2_turns_the_choice() -> None:
    """North sets free 2 + 3 t for each t, South 2 + 1. At 1 USD/t CO2: 60 x (1 + 5) = 360 against 60 x (5 + 3) = 480.
    At 3: 60 x (1 + 15) = 960 against 60 x (5 + 9) = 840."""
    assert solve(emitting(co2_usd_t=1.0)).cost_usd == pytest.approx(360.0)
    assert solve(emitting(co2_usd_t=3.0)).cost_usd == pytest.approx(840.0)


def test_a_limit_of_co2_is_by_year() -> None:
    """120 t/yr are 240 t in two years: North for x t and South for 60 - x: 5 x + 3 (60 - x) = 240, x = 30: 30 + 150."""
    inst = with_rules(makers(), add_emission_limits, inst=emitting(), tables=TABLES, policy={"max_co2_t_yr": 120.0})
    assert inst.rules.table[["period", "limit", "unit"]].to_numpy().tolist() == [[0, 240, "t CO2"], [1, 120, "t CO2"]]
    assert solve(inst).cost_usd == pytest.approx(30 + 150)


def test_a_limit_of_co2_beyond_reach_is_broken_openly() -> None:
    """60 t at 3 t of CO2 at least are 180; 150 are allowed: 30 over at 1,000."""
    inst = with_rules(makers(), add_emission_limits, inst=emitting(), tables=TABLES, policy={"max_co2_t_yr": 75.0})
    found = solve(inst)
    assert broken(inst, found) == {("max_co2_t_yr", "all", 0): 30.0}
    assert found.cost_usd == pytest.approx(60 * 5 + 30 * PRICE)


def test_residue_is_held_by_country() -> None:
    """Half a tonne for each tonne of capacity used, half a tonne of capacity for each of magnet: 0.25 t/t. America may
    have 5 t/yr, 10 in two years: 40 t from North, 20 from South: 40 + 100."""
    inst = with_rules(makers(), add_emission_limits, tables=TABLES, policy={"max_residue_t_yr": {"USA": 5.0}})
    assert solve(inst).cost_usd == pytest.approx(140.0)


def test_a_figure_that_is_not_known_is_asked_for() -> None:
    tables = {**TABLES, "stages": frame("stage residue_t_t", ("magnet", float("nan")))}
    with pytest.raises(DataError, match=r"stages\.csv, magnet, column residue_t_t"):
        with_rules(makers(), add_emission_limits, tables=tables, policy={"max_residue_t_yr": {"USA": 5.0}})


def cracking() -> World:
    """Concentrate of Hill, with 0.1 t of ThO2 a tonne, is cracked in America at 1 USD/t or France at 4; Clay ships carbonate."""
    world = World(rule_usd_t=PRICE).mine("hill", "concentrate@hill", 1e3, country="AUS")
    for name, country, opex in (("houston", "USA", 1.0), ("havre", "FRA", 4.0)):
        made = {"takes": {"concentrate@hill": 1.0}, "makes": {"oxide": 1.0}, "opex_usd_t": opex}
        world.facility(name, "crack_leach", country=country, existing=1e3, process="concentrate@hill", **made)
        world.lane("concentrate@hill", "hill", name).lane("oxide", name, "user")
    world.mine("clay", "oxide", 1e3, country="AUS", opex_usd_t=2.0).lane("oxide", "clay", "user")
    return world.demand("user", "oxide", 100.0, unmet_usd_t=1e6)


@pytest.mark.parametrize(
    ("most", "cost_usd"),
    [
        ({"USA": 4.0}, 40 * 1 + 60 * 2),
        ({"USA": 4.0, "AUS": 0.2}, 40 * 1 + 10 * 2 + 50 * 4),
        ({"AUS": 0.0}, 100 * 1),
    ],
)
def test_thorium_stays_where_the_concentrate_is_cracked(most: dict[str, float], cost_usd: float) -> None:
    """4 t of ThO2 in America are 40 t of Hill's concentrate; the rest is Clay's carbonate. Clay's own 0.02 stay at the mine:
    0.2 t in Australia are 10 t of it, and France cracks 50. Hill's thorium leaves Australia: nought there costs nothing."""
    inst = with_rules(cracking(), add_emission_limits, tables=TABLES, policy={"max_thorium_t_yr": most})
    assert solve(inst).cost_usd == pytest.approx(cost_usd)


def test_thorium_that_is_not_known_is_asked_for() -> None:
    tables = {
        **TABLES,
        "mines": frame("mine product thorium_t_t", ("hill", "concentrate", np.nan), ("clay", "carbonate", 0.0)),
    }
    with pytest.raises(DataError, match=r"mines\.csv, hill, column thorium_t_t"):
        with_rules(cracking(), add_emission_limits, tables=tables, policy={"max_thorium_t_yr": {"USA": 5.0}})


def draft(**policy: float):
    legs = pd.DataFrame(
        {"route": ["a--b", "a--b", "b--a"], "mode": ["rail", "sea", "road"], "length_km": [500.0, 10_000.0, 200.0]}
    )
    return SimpleNamespace(
        scenario=ask(World(), policy=policy),
        tables=SimpleNamespace(stages=TABLES["stages"]),
        facilities=[{"stage": "mine"}, {"stage": "magnet"}],
        routes=SimpleNamespace(legs=lambda ids: legs[legs["route"].isin(ids)]),
        parameters={"co2_rail_g_tkm": 15.0, "co2_road_g_tkm": 40.0, "co2_sea_g_tkm": 17.0},
        mines={"hill": {"product": "concentrate", "product_grade_share": 0.4}},
        commodities={"concentrate": {"gross_t_t": 2.0}, "oxide": {"gross_t_t": 1.05}},
    )


def test_co2_of_lanes_is_by_leg_and_gross_mass() -> None:
    """500 km of rail and 10,000 of sea: 7.5 + 170 kg a gross tonne; Hill's concentrate is 1 / 0.4 gross: 0.44375 t.
    Oxide by 200 km of road: 8 kg x 1.05. On site nothing. A magnet plant: 4 t for each of its capacity, 0.74 here."""
    lanes = frame(
        "route commodity tag", ("a--b", "concentrate", "hill"), ("b--a", "oxide", ""), ("on-site", "oxide", "")
    )
    processes = frame("facility capacity_use", (0, 1.0), (1, 0.74))
    moved, made = with_co2(draft(co2_usd_t=50.0), lanes, processes)  # type: ignore[arg-type]
    assert moved["co2_t_t"].tolist() == pytest.approx([0.1775 * 2.5, 0.0084, 0.0])
    assert made["co2_t_t"].tolist() == pytest.approx([0.0, 4 * 0.74])


def test_co2_is_worked_out_only_where_it_counts() -> None:
    lanes, processes = frame("route commodity tag"), frame("facility capacity_use")
    found = with_co2(draft(), lanes, processes)  # type: ignore[arg-type]
    assert found == (lanes, processes)
