"""Textbook cases over years, through hubplan's own model: H. P. Williams, Model Building in Mathematical Programming, 5th ed.

Example 7 (mining), and what is lost from the network of example 20. Examples 19 and 20 themselves are in `test_published`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hubplan.model.instance import Instance
from hubplan.model.rulebook import HARD
from model.test_published import THROUGHPUT_T, add_depot, factories_and_customers, without
from model.worlds import World, solve

YEARS = (2030, 2031, 2032, 2033, 2034)
ROYALTY_USD_YR = (5e6, 4e6, 4e6, 5e6)
MOST_T_YR = (2.0e6, 2.5e6, 1.3e6, 3.0e6)
QUALITY = (1.0, 0.7, 1.5, 0.5)
BLEND = (0.9, 0.8, 1.2, 0.6, 1.0)
PRICE_USD_T = 10.0
OPTIMUM_USD = 146_861_974.36


def mines_of_example_7(*, left_out: str = "") -> Instance:
    """Four mines stand. To keep one costs its royalty a year; given up, it stays so: that is closing a standing plant.

    Work is a decision of each year by itself, while what is opened stays open. So each mine has a permit for each year: it
    costs nothing, counts in its year only, and lets the mine dig up to its limit. A permit needs a mine that is kept.
    """
    world = World(YEARS, 0.1, sell=("ore",))
    for mine, (most_t_yr, royalty) in enumerate(zip(MOST_T_YR, ROYALTY_USD_YR, strict=True), start=1):
        name = f"mine-{mine}"
        world.facility(name, "mine", existing=most_t_yr, keep_usd_yr=royalty, makes={"ore": 1}, process="mine")
    for t, year in enumerate(YEARS):
        world.note("byproducts", commodity="ore", period=t, limit_t=sum(MOST_T_YR), price_usd_t=PRICE_USD_T)
        hard: dict[str, Any] = {"period": t, "penalty_usd": HARD}
        permits = []
        for mine, most_t_yr in enumerate(MOST_T_YR):
            world.facility(f"permit-{mine + 1}-{year}", sizes=(0, 1), first=t)
            permit = world.row(f"permit-{mine + 1}-{year}")
            permits.append(("opened", permit, t, 1.0))
            dig = ("run", mine, t, 1.0), ("opened", permit, t, -most_t_yr)
            keep = ("opened", permit, t, 1.0), ("kept", mine, t, -1.0)
            if left_out != "work":
                world.at_most("work", 0.0, *dig, id=f"mine-{mine + 1}", **hard)
            if left_out != "royalty":
                world.at_most("royalty", 0.0, *keep, id=f"mine-{mine + 1}", unit="facilities", **hard)
        if left_out != "three work":
            world.at_most("three work", 3.0, *permits, unit="facilities", **hard)
        if left_out != "quality":
            blend = [("run", mine, t, quality - BLEND[t]) for mine, quality in enumerate(QUALITY)]
            world.at_most("quality", 0.0, *blend, id="most", **hard)
            world.at_least("quality", 0.0, *blend, id="least", **hard)
    return world.build()


@pytest.fixture(scope="module")
def example_7() -> Instance:
    return mines_of_example_7()


def test_example_7(example_7):
    """Five years of mining: ore of an exact quality in each, three mines at work at most, royalties until a mine is given up."""
    solution = solve(example_7)
    assert solution.status == "optimal"
    assert -solution.cost_usd == pytest.approx(OPTIMUM_USD, rel=1e-6)
    assert -solution.bound_usd == pytest.approx(OPTIMUM_USD, rel=1e-6)
    dug_t = solution.run_t[:4]
    assert [set(np.flatnonzero(year > 1) + 1) for year in dug_t.T] == [
        {1, 3, 4},
        {2, 3, 4},
        {1, 3},
        {1, 2, 4},
        {1, 2, 3},
    ]
    assert dug_t.sum(axis=0) == pytest.approx([5.75e6, 6.0e6, 3.25e6, 5.625e6, 5.4666667e6], rel=1e-6)
    assert dug_t.T @ np.array(QUALITY) == pytest.approx(dug_t.sum(axis=0) * BLEND, rel=1e-6)
    assert (np.diff(solution.kept_share[:4], axis=1) <= 1e-9).all()


def test_example_7_adds_up(example_7):
    """10 x (5.75 + 6/1.1 + 3.25/1.21 + 5.625/1.331 + 5.466667/1.4641) = 57.5 + 54.545455 + 26.859504 + 42.261458 + 37.338069 =
    218.504486 M. Royalties: 13 M for mines 1 to 3 in five years, x 4.169865 = 54.208251; 5 M for mine 4 in four, x 3.486852 =
    17.434260. Left: 146.861974 M. Kept: 3 x 5 + 4 = 19 mine-years.
    """
    ore_t, factor = np.array([5.75e6, 6.0e6, 3.25e6, 5.625e6, 16.4e6 / 3]), 1.1 ** -np.arange(5.0)
    royalties = 13e6 * factor.sum() + 5e6 * factor[:4].sum()
    assert (PRICE_USD_T * ore_t * factor).sum() - royalties == pytest.approx(OPTIMUM_USD, rel=1e-9)
    assert solve(example_7).kept_share[:4].sum() == pytest.approx(19)


@pytest.mark.parametrize("family", ["three work", "quality", "royalty", "work"])
def test_each_rule_of_example_7_is_felt(family):
    """Without any one of its rules the case earns more."""
    assert -solve(mines_of_example_7(left_out=family)).cost_usd > OPTIMUM_USD * (1 + 1e-6)


@pytest.fixture(scope="module")
def network_20() -> Instance:
    """What example 20 opens: Birmingham with 20,000 t more, London, Exeter, Northampton; all stand."""
    world = factories_and_customers()
    for depot in ("birmingham", "london", "exeter", "northampton"):
        add_depot(world, depot, existing=THROUGHPUT_T[depot] + (20_000 if depot == "birmingham" else 0))
    return world.build()


@pytest.mark.parametrize(
    ("lost", "usd"),
    [
        ((), 177_000), (("birmingham",), 205_000), (("exeter",), 201_000), (("northampton",), 194_500),
        (("london",), 182_000),
    ],
)  # fmt: skip
def test_loss_of_depots_of_example_20(network_20, lost, usd):
    """By enumeration with another solver."""
    solution = solve(without(network_20, *lost))
    assert solution.cost_usd == pytest.approx(usd, rel=1e-6)
    assert solution.bound_usd == pytest.approx(usd, rel=1e-6)
    assert solution.unmet_t.sum() == pytest.approx(0, abs=1e-3)
