"""Coverage of elements: need, served, independent and what binds, by hand; and the checker's own reading of it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from model.worlds import World, solve

from hubplan.data.chain import Chain
from hubplan.model.instance import Instance
from hubplan.results.check import check_plan
from hubplan.results.checking.coverage import _Origins
from hubplan.results.coverage import build_coverage, first_covered, tell_coverage
from hubplan.results.plan import TABLES

VALUE = {"ndpr-oxide": 100.0, "dy-oxide": 500.0}
CHAIN = Chain(
    baskets={"hill": {"ndpr": 0.2, "dy": 0.01}},
    yields={
        ("magnet", "", "alloy-high", "magnet-high"): 0.8,
        **{("alloy", "", f"{e}-metal", "alloy-high"): 1.0 for e in ("ndpr", "dy")},
        **{("metal", "", f"{e}-oxide", f"{e}-metal"): 0.8 for e in ("ndpr", "dy")},
    },
    grades={"high": {"ndpr": 0.256, "dy": 0.032}},
)


def chain_world(*, years: tuple[int, ...] = (2030,), metal_t_yr: float = 100.0, need_t: float = 100.0) -> World:
    """100 t of magnets ask 40 t of NdPr oxide (0.256 / 0.8 / 0.8 = 0.4) and 5 t of Dy oxide (0.032 / 0.64 = 0.05)."""
    world = World(years)
    for element in ("ndpr", "dy"):
        world.facility(f"{element}-plant", "separation_light", existing=1e3, makes={f"{element}-oxide": 1.0})
        world.facility(f"{element}-metal-plant", "metal", existing=metal_t_yr if element == "ndpr" else 100.0, use=0.8,
                       takes={f"{element}-oxide": 1.0}, makes={f"{element}-metal": 0.8}, process=f"{element}-oxide")  # fmt: skip
        world.lane(f"{element}-oxide", f"{element}-plant", f"{element}-metal-plant")
    world.facility("cast", "alloy", existing=1e3, takes={"ndpr-metal": 0.256, "dy-metal": 0.032},
                   makes={"alloy-high": 1.0}, process="alloy-high")  # fmt: skip
    world.facility("press", "magnet", existing=1e3, takes={"alloy-high": 1.0}, makes={"magnet-high": 0.8}, use=0.8,
                   process="alloy-high")  # fmt: skip
    for element in ("ndpr", "dy"):
        world.lane(f"{element}-metal", f"{element}-metal-plant", "cast")
    world.lane("alloy-high", "cast", "press").lane("magnet-high", "press", "user")
    return world.demand("user", "magnet-high", need_t)


def coverage(inst: Instance, *excluded: str) -> pd.DataFrame:
    access = SimpleNamespace(excluded=frozenset(excluded))
    return build_coverage(inst, solve(inst), CHAIN, access=access, value_usd_t=VALUE).set_index(["element", "period"])


def test_need_is_oxide_through_alloy_metal_and_magnet():
    found = coverage(chain_world().build())
    assert found.loc[("ndpr", 2030), "need_t"] == pytest.approx(40)
    assert found.loc[("dy", 2030), "need_t"] == pytest.approx(5)
    assert found["covered_share"].tolist() == pytest.approx([1, 1])
    assert set(found["binding"]) == {"none"}


def test_the_stage_whose_capacity_is_worth_most_binds():
    """16 t of NdPr metal make 62.5 t of alloy and 50 t of magnets: half is covered, of Dy as well, and metal holds it back.

    Dy metal is made with room to spare, so nothing on Dy's own chain is worth anything but what casts and presses: no word.
    """
    found = coverage(chain_world(metal_t_yr=16.0).build())
    assert found["covered_share"].tolist() == pytest.approx([0.5, 0.5])
    assert found.loc[("ndpr", 2030), "served_t"] == pytest.approx(20)
    assert found.loc[("ndpr", 2030), "binding"] == "capacity of metal"
    assert found.loc[("dy", 2030), "binding"] == ""


def may_build(*, first: int, growth_t_yr: float | None = None) -> Instance:
    """The same with a metal plant that may be built for little, of at most 8 t/yr."""
    world = chain_world(metal_t_yr=8.0)
    world.facility("more", "metal", sizes=(0, 8), slope_usd_t_yr=1, first=first, use=0.8, takes={"ndpr-oxide": 1.0},
                   makes={"ndpr-metal": 0.8}, process="ndpr-oxide")  # fmt: skip
    world.lane("ndpr-oxide", "ndpr-plant", "more").lane("ndpr-metal", "more", "cast")
    if growth_t_yr is not None:
        world.note("growth", stage="metal", period=0, most_t_yr=growth_t_yr)
    return world.build()


@pytest.mark.parametrize(
    "inst, word, share",
    [
        (may_build(first=1), "lead time of metal", 0.25),
        (may_build(first=0, growth_t_yr=4.0), "growth of metal", 0.375),
        (may_build(first=0, growth_t_yr=50.0), "capacity of metal", 0.5),
    ],
)
def test_what_binds_is_called_by_what_would_lift_it(inst, word, share):
    """8 t of metal serve a quarter; 4 more where the stage may grow by 4; 8 more where the plant is at its largest."""
    found = coverage(inst).loc[("ndpr", 2030)]
    assert (found["binding"], found["covered_share"]) == (word, pytest.approx(share))


def bought(country: str = "XXX") -> Instance:
    """The plants make 10 t of NdPr oxide; 30 t more are bought."""
    world = chain_world()
    world._existing[world.row("ndpr-plant")][:] = 10.0
    world.facility("door", "purchase", country=country, existing=30.0, makes={"ndpr-oxide": 1.0}, process="offer-1")
    return world.lane("ndpr-oxide", "door", "ndpr-metal-plant", 5.0).build()


def test_what_excluded_countries_sell_is_served_and_not_covered():
    """All 40 t are served, 30 of them bought: a quarter is covered. Dy's own chain is untouched."""
    found = coverage(bought(), "XXX")
    assert found.loc[("ndpr", 2030), "served_t"] == pytest.approx(40)
    assert found.loc[("ndpr", 2030), "independent_t"] == pytest.approx(10)
    assert found.loc[("ndpr", 2030), "covered_share"] == pytest.approx(0.25)
    assert found.loc[("dy", 2030), "covered_share"] == pytest.approx(1)


def test_what_others_sell_is_covered():
    assert coverage(bought("YYY"), "XXX").loc[("ndpr", 2030), "covered_share"] == pytest.approx(1)


def test_stock_carries_its_origin_into_the_next_period():
    """2030: 30 t bought, 30 t made, 20 t used and 40 t kept, half of it bought; 2031 lives on the stock alone: half covered."""
    world = World((2030, 2031), stock=["ndpr-oxide"])
    world.facility("plant", "separation_light", existing=(30.0, 0.0), makes={"ndpr-oxide": 1.0})
    world.facility(
        "door", "purchase", country="XXX", existing=(30.0, 0.0), makes={"ndpr-oxide": 1.0}, process="offer-1"
    )
    world.facility("store", "stockpile", existing=1.0)
    for place in ("plant", "door"):
        world.lane("ndpr-oxide", place, "store")
    world.lane("ndpr-oxide", "store", "user").demand("user", "ndpr-oxide", (20.0, 40.0))
    found = coverage(world.build(), "XXX")
    assert found["served_t"].tolist() == pytest.approx([20, 40])
    assert found["independent_t"].tolist() == pytest.approx([10, 20])


def test_swarf_brings_back_what_was_bought():
    """Metal is bought outright (M of foreign): swarf of its magnets returns as oxide, of which all is foreign then."""
    world = World(years=(2030,))
    world.facility("door", "purchase", country="XXX", existing=1e3, makes={"ndpr-metal": 1.0}, process="offer-1")
    world.facility(
        "cast", "alloy", existing=1e3, takes={"ndpr-metal": 0.3}, makes={"alloy-high": 1.0}, process="alloy-high"
    )
    world.facility("press", "magnet", existing=1e3, takes={"alloy-high": 1.0},
                   makes={"magnet-high": 0.8, "swarf-high": 0.2}, process="alloy-high")  # fmt: skip
    world.facility("again", "recycling", existing=1e3, takes={"swarf-high": 1.0}, makes={"ndpr-oxide": 0.3},
                   process="swarf-high")  # fmt: skip
    world.lane("ndpr-metal", "door", "cast").lane("alloy-high", "cast", "press").lane("magnet-high", "press", "user")
    world.lane("swarf-high", "press", "again").lane("ndpr-oxide", "again", "other")
    world.demand("user", "magnet-high", 80.0).demand("other", "ndpr-oxide", 6.0)
    found = coverage(world.build(), "XXX").loc[("ndpr", 2030)]
    assert found["served_t"] == pytest.approx(80 * 0.4 + 6)
    assert found["independent_t"] == pytest.approx(0, abs=1e-6)


# First covered -----------------------------------------------------------------------------------------------------------


def covered(*shares: float, binding: tuple[str, ...]) -> SimpleNamespace:
    rows = [
        ("dy", 2030 + t, 1.0, share, share, share, held)
        for t, (share, held) in enumerate(zip(shares, binding, strict=True))
    ]
    return SimpleNamespace(coverage=pd.DataFrame(rows, columns=list(TABLES["coverage"])))


def test_the_first_period_covered_and_what_held_it_back_before():
    plan = covered(0.5, 0.8, 0.92, 0.91, binding=("lead time of metal", "growth of metal", "growth of magnet", "none"))
    found = first_covered(plan).iloc[0]
    assert (found["period"], found["covered_share"], found["binding"]) == (2032, 0.92, "growth of metal")
    assert tell_coverage(plan) == ["Dy: 90% covered from 2032; until then held back by growth of metal"]
    assert first_covered(plan, 0.5)["binding"].tolist() == [""]


def test_what_is_never_covered_says_what_holds_it_back_at_the_end():
    plan = covered(0.5, 0.8, binding=("growth of metal", "capacity of mine"))
    found = first_covered(plan).iloc[0]
    assert np.isnan(found["period"]) and (found["covered_share"], found["binding"]) == (0.8, "capacity of mine")
    assert tell_coverage(plan) == ["Dy: never 90% covered, 80% at the end; held back by capacity of mine"]


# The checker -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["need_t", "served_t", "independent_t", "covered_share"])
def test_the_checker_works_each_number_out_again(altered, tables, column):
    faults = check_plan(altered("coverage", lambda t: t.assign(**{column: t[column] * 1.01})), tables)
    assert len(faults) == 6 and all(column in fault.where for fault in faults)


def origins(runs: list[tuple[int, str, str, float]], closing: dict[int, float]) -> _Origins:
    """The checker's tracing, of runs (period, facility, good, t) and closing stocks of NdPr oxide."""
    places = {"plant": ("separation_light", "AUS"), "door": ("purchase", "XXX"), "again": ("recycling", "AUS"),
              "metal": ("metal", "AUS"), "cast": ("alloy", "AUS"), "press": ("magnet", "AUS")}  # fmt: skip
    works = {name: SimpleNamespace(stage=stage, country=country) for name, (stage, country) in places.items()}
    made = [
        (t, place, "swarf-high" if place == "again" else f"makes {good}", amount) for t, place, good, amount in runs
    ]
    names = {process: good for (_, _, process, _), (_, _, good, _) in zip(made, runs, strict=True)}
    plan = SimpleNamespace(
        processes=pd.DataFrame(made, columns=["period", "facility", "process", "input_t"]),
        stocks=pd.DataFrame(
            [("bay", "ndpr-oxide", t, amount) for t, amount in closing.items()],
            columns=["site", "commodity", "period", "closing_t"],
        ),
    )
    recipes = SimpleNamespace(run=lambda work, process: SimpleNamespace(makes={(names[process], ""): 1.0}))
    reading = SimpleNamespace(
        plan=plan, blocks={2030: (2030,), 2031: (2031,)}, access=SimpleNamespace(excluded=frozenset({"XXX"}))
    )
    return _Origins(reading, works, recipes)


def test_the_checker_follows_stock_as_the_plan_does():
    """Of 60 t half is bought; 40 t are kept, and 40 made beside them in 2031: (40 / 2) / 80 = a quarter."""
    runs = [
        (2030, "plant", "ndpr-oxide", 30.0),
        (2030, "door", "ndpr-oxide", 30.0),
        (2031, "plant", "ndpr-oxide", 40.0),
    ]
    found = origins(runs, {2030: 40.0, 2031: 0.0})
    assert [found.share("ndpr-oxide", "ndpr", t) for t in (2030, 2031)] == pytest.approx([0.5, 0.25])


def test_the_checker_follows_swarf_as_the_plan_does():
    """80 t of oxide made, 20 t of swarf oxide; 50 t of metal made, 50 bought. With s the share of oxide: metal m = (s + 1) / 2,
    s = 20 m / 100 = 0.1 s + 0.1, so s = 1/9, and m = 5/9 goes through alloy to magnets.
    """
    runs = [(2030, "plant", "ndpr-oxide", 80.0), (2030, "again", "ndpr-oxide", 20.0), (2030, "metal", "ndpr-metal", 50.0),
            (2030, "door", "ndpr-metal", 50.0), (2030, "cast", "alloy-high", 9.0), (2030, "press", "magnet-high", 9.0),
            (2030, "press", "swarf-high", 1.0)]  # fmt: skip
    found = origins([run for run in runs if run[1] != "metal"], {})
    assert found.share("ndpr-oxide", "ndpr", 2030) == pytest.approx(0.2)  # all metal is bought: all swarf is foreign
    mixed = origins(runs, {})
    assert mixed.share("ndpr-oxide", "ndpr", 2030) == pytest.approx(1 / 9)
    assert mixed.share("magnet-high", "ndpr", 2030) == pytest.approx(5 / 9)


def test_the_checker_misses_a_row_and_refuses_one_too_many(altered, tables):
    faults = check_plan(altered("coverage", lambda t: t.iloc[1:]), tables)
    assert [fault.found[:25] for fault in faults] == ["no row for dy, 2030: 4.93"]
    extra = check_plan(altered("coverage", lambda t: t.assign(element=t["element"].replace("dy", "xy"))), tables)
    assert len(extra) == 4
