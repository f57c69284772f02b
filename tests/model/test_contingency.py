"""N-1 by hand: what it costs to be able to bear one loss, what is short when nobody can, and what a loss takes away."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from hubplan.data.access import resolve_access
from hubplan.data.scenario import scenario_from_dict
from hubplan.data.tables import read_tables
from hubplan.errors import DataError
from hubplan.model.build import build_instance
from hubplan.model.contingency import Contingencies, Loss
from hubplan.model.instance import Instance
from hubplan.results.copies import build_copies, count_losses, shortfall_rows, shortfall_usd
from model.worlds import World, solve


def two_plants(*, years: tuple[int, ...] = (2030,), need_t: float = 100.0, stock: tuple[str, ...] = ()) -> World:
    """North makes a tonne for 1 USD and costs 10 USD per t/yr; South for 2, at 12."""
    world = World(years, stock=stock).mine("mine", "ore", 1000)
    for name, opex, slope in (("north", 1.0, 10.0), ("south", 2.0, 12.0)):
        world.facility(
            name, sizes=(0, 500), slope_usd_t_yr=slope, opex_usd_t=opex, takes={"ore": 1}, makes={"oxide": 1}
        )
        world.lane("ore", "mine", name).lane("oxide", name, "user")
    return world.demand("user", "oxide", need_t, unmet_usd_t=1e4)


def losing(inst: Instance, *names: str, share: float, period: int = 0, usd_t: float = 1e3) -> Instance:
    """Each facility is lost once."""
    losses = tuple(
        Loss(
            name=name,
            stands=(inst.facilities["facility"] != name).to_numpy(),
            lane_open=np.ones(len(inst.lanes), dtype=bool),
            asks=np.ones(len(inst.demand), dtype=bool),
        )
        for name in names
    )
    rule = Contingencies(period=period, served_share=share, shortfall_usd_t=usd_t, losses=losses)
    return replace(inst, contingencies=rule)


def test_a_second_plant_is_built_so_that_either_may_be_lost():
    """100 t/yr. Alone North is cheapest: 1000 + 100 = 1100. With any one lost 60 t are served: South of 60 t/yr costs 720, and
    then North need have only 60: 60 x 10 + 60 x 1 + 720 + 40 x 2 = 1460; with North of 100 it is 1000 + 100 + 720 = 1820.
    """
    assert solve(two_plants().build()).cost_usd == pytest.approx(1100)
    solution = solve(losing(two_plants().build(), "north", "south", share=0.6))
    assert solution.cost_usd == pytest.approx(1460)
    assert solution.size_t_yr[1:, 0] == pytest.approx([60, 60])
    assert solution.run_t[1:, 0] == pytest.approx([60, 40])
    assert [copy.short.tolist() for copy in solution.copies] == [[0.0], [0.0]]
    assert solution.copies[0].flow[3] == pytest.approx(60)  # north is lost: south sends all that is served


def test_what_is_short_is_paid_for_and_told():
    """Without the mine nothing is served: 60 t short at 5 USD, and no plant can help. 1100 + 300 = 1400."""
    inst = losing(two_plants().build(), "mine", share=0.6, usd_t=5.0)
    solution = solve(inst)
    assert solution.cost_usd == pytest.approx(1400)
    assert shortfall_usd(inst, solution) == pytest.approx([300])
    (row,) = shortfall_rows(inst, solution)
    assert (row["rule"], row["id"], row["period"], row["unit"]) == ("n_1", "mine/oxide", 2030, "t")
    assert (row["amount"], row["penalty_usd"]) == pytest.approx((60, 300))
    assert count_losses(inst, solution) == {"n_1_losses": 1, "n_1_short": 1}
    table = build_copies(inst, solution)
    assert table[["loss", "kind", "id", "amount_t"]].to_numpy().tolist() == [
        ["mine", "short", "oxide", pytest.approx(60)]
    ]


def test_a_shortfall_that_costs_less_than_a_plant_is_accepted():
    """At 5 USD a tonne short. The first 40 t made at South instead of North cost 3 more each (2 of capital, 1 to run) and save 5;
    North has to stay at 60. The next 20 t would cost 12 each: 1100 + 40 x 3 + 20 x 5 = 1320.
    """
    solution = solve(losing(two_plants().build(), "north", "south", share=0.6, usd_t=5.0))
    assert solution.cost_usd == pytest.approx(1320)
    assert [copy.short.tolist() for copy in solution.copies] == [[pytest.approx(20)], [0.0]]


def test_a_stock_bears_the_loss_if_the_period_before_left_one():
    """Without the mine, 60 t of 2031 come from stock. North makes them in 2030 on 60 t/yr more, which stay: 2 x 10 x 60 on top of
    2 x 1100; what is made a year ahead costs no more to make. 2200 + 1200 = 3400.
    """
    world = two_plants(years=(2030, 2031), stock=("oxide",))
    inst = losing(world.build(), "mine", share=0.6, period=1, usd_t=1e3)
    solution = solve(inst)
    assert solution.cost_usd == pytest.approx(3400)
    assert solution.stock_t[:, 0].sum() == pytest.approx(60)
    assert [copy.short.tolist() for copy in solution.copies] == [[0.0]]


def test_no_stock_comes_from_a_place_that_is_lost():
    """All that could be stocked is made at North; with North lost South would serve, at its own size."""
    inst = losing(two_plants(years=(2030, 2031), stock=("oxide",)).build(), "north", share=1.0, period=1, usd_t=1e3)
    assert solve(inst).size_t_yr[2, 1] >= 40 - 1e-6


def test_a_market_that_is_lost_asks_for_nothing():
    """Two users of 50 t, the far one lost: 0.8 x 50 are wanted, and the near one may not take more than 50."""
    world = two_plants(need_t=50.0).lane("oxide", "north", "far").demand("far", "oxide", 50.0)
    inst = losing(world.build(), "south", share=0.8)
    rule = inst.contingencies
    assert rule is not None
    asks = (inst.demand["market"] != "far").to_numpy()
    inst = replace(inst, contingencies=replace(rule, losses=(replace(rule.losses[0], asks=asks),)))
    short_of_all = solve(replace(inst, contingencies=replace(inst.contingencies, served_share=1.0)))
    assert short_of_all.copies[0].short.tolist() == [0.0]
    assert short_of_all.copies[0].flow[[1, 3]].sum() == pytest.approx(50)


# What a loss takes away -------------------------------------------------------------------------------------------------

N_1 = {"year": 2033, "served_share": 0.8}


@pytest.fixture(scope="module")
def tables():
    return read_tables()


@pytest.fixture(scope="module")
def routes(tables):
    """Five sites that are joined; the way from Kuantan to Sagamihara passes Malacca, and that to Houston Panama."""
    names = ["mount-weld", "kuantan", "market-jpn", "market-usa"]
    rows = [(f"{a}--{b}--{ware}", a, b, ware) for a in names for b in names if a != b for ware in ("bulk", "value")]
    table = pd.DataFrame(rows, columns=["route", "origin", "destination", "ware"])
    table = table.assign(usd_t=50.0, hours=100.0, generalised_usd_t=60.0)

    def passages(ids):
        found = [
            (
                route,
                frozenset({"malacca"} if "kuantan--market-jpn" in route else ()),
                frozenset({"SGP"} if "kuantan" in route and "market" in route else ()),
                frozenset({"singapore"} if "kuantan--market" in route else ()),
            )
            for route in ids
        ]
        return pd.DataFrame(found, columns=["route", "zones", "countries", "ports"])

    return SimpleNamespace(table=table, passages=passages)


def build(tables, routes, *losses: str, **n_1: object) -> Instance:
    raw = {"name": "n-1", "policy": {"n_1": {**N_1, "losses": list(losses), **n_1}}}
    scenario = scenario_from_dict(raw)
    return build_instance(tables, routes, scenario, access=resolve_access(scenario, tables))


@pytest.mark.parametrize(
    ("loss", "column", "ways"),
    [
        ("kuantan", "site", []),
        ("kuantan-crack-leach", "facility", []),
        ("MYS", "country", []),
        ("malacca", "none", [("kuantan", "market-jpn")]),
        ("SGP", "country", [("kuantan", "market-jpn"), ("kuantan", "market-usa")]),
        ("singapore", "none", [("kuantan", "market-jpn"), ("kuantan", "market-usa")]),
    ],
)
def test_what_a_loss_takes_away(tables, routes, loss, column, ways):
    """A site or country its facilities and every lane that ends there, a facility itself, the others the lanes that pass."""
    inst = build(tables, routes, loss)
    rule = inst.contingencies
    assert rule is not None
    assert rule.period == 5  # 2032 to 2034
    gone = inst.facilities.assign(none="")[column] == loss
    assert (~rule.losses[0].stands).tolist() == gone.tolist()
    sites = set(inst.facilities.loc[gone, "site"]) if column in ("site", "country") else set()
    ends = list(zip(inst.lanes["origin"], inst.lanes["destination"], strict=True))
    assert (~rule.losses[0].lane_open).tolist() == [end in ways or not sites.isdisjoint(end) for end in ends]
    assert rule.losses[0].asks.all()


def test_a_country_that_is_lost_takes_its_market(tables, routes):
    rule = build(tables, routes, "JPN").contingencies
    assert rule is not None
    assert not rule.losses[0].asks.all()
    assert rule.losses[0].asks.any()


def test_a_year_outside_the_horizon_is_refused(tables, routes):
    with pytest.raises(DataError, match=r"policy\.n_1\.year"):
        build(tables, routes, "kuantan", year=2040)
