"""From ore to magnet: what each stage makes of what it takes, against sums done by hand."""

from __future__ import annotations

import pytest

from hubplan.data.chain import (
    ELEMENTS,
    GRADES,
    HEAVY,
    Chain,
    alloy_process,
    build_chain,
    crack_process,
    grades_made,
    heavy_process,
    light_process,
    magnet_process,
    metal_process,
    mine_process,
    recycling_process,
)
from hubplan.data.tables import Tables, read_tables
from hubplan.errors import DataError

BASKET = {"ndpr": 0.2, "dy": 0.02, "tb": 0.005, "sm": 0.015, "gd": 0.01, "lace": 0.7, "y": 0.04, "other": 0.01}


@pytest.fixture(scope="module")
def tables() -> Tables:
    return read_tables()


@pytest.fixture(scope="module")
def shipped(tables) -> Chain:
    return build_chain(tables)


@pytest.fixture
def chain() -> Chain:
    """Recoveries that are easy to reckon with; heavy elements are a tenth of the basket."""
    yields = {
        ("crack_leach", "", "concentrate", "carbonate"): 0.9,
        ("crack_leach", "xenotime", "concentrate", "carbonate"): 0.8,
        ("separation_light", "", "carbonate", "ndpr-oxide"): 0.95,
        ("separation_light", "", "carbonate", "lace-oxide"): 0.9,
        ("separation_light", "", "carbonate", "heavy-concentrate"): 0.5,
        ("metal", "", "ndpr-oxide", "ndpr-metal"): 0.8,
        ("alloy", "", "ndpr-metal", "alloy-high"): 0.9,
        ("alloy", "", "dy-metal", "alloy-high"): 0.5,
        ("magnet", "", "alloy-high", "magnet-high"): 0.75,
        ("magnet", "", "alloy-high", "swarf-high"): 0.25,
        ("recycling", "high", "swarf-high", "ndpr-oxide"): 0.3,
        ("recycling", "high", "swarf-high", "dy-oxide"): 0.03,
        ("recycling", "high", "scrap", "ndpr-oxide"): 0.2,
        ("recycling", "high", "scrap", "dy-oxide"): 0.02,
    } | {("separation_heavy", "", "heavy-concentrate", f"{element}-oxide"): 0.8 for element in HEAVY}
    return Chain({"hill": BASKET}, yields, {"high": {"ndpr": 0.27, "dy": 0.03, "tb": 0.0}})


def test_a_mine_ships_under_its_own_name():
    process = mine_process("hill", "concentrate")
    assert (process.takes, process.makes) == ({}, {("concentrate", "hill"): 1.0})


def test_cracking_keeps_the_mine_and_knows_the_feed(chain):
    """Xenotime has a yield of its own; any other feed the general one."""
    for feed, made in (("xenotime", 0.8), ("bastnaesite", 0.9)):
        process = crack_process(chain, "hill", feed)
        assert process.takes == {("concentrate", "hill"): 1.0}
        assert process.makes == {("carbonate", "hill"): made}


def test_light_separation_splits_a_basket(chain):
    """NdPr 0.2 x 0.95, LaCe 0.7 x 0.9, heavy (0.02 + 0.005 + 0.015 + 0.01 + 0.04 + 0.01) x 0.5 with the mine's name on it."""
    makes = light_process(chain, "hill").makes
    assert makes == pytest.approx(
        {("ndpr-oxide", ""): 0.19, ("lace-oxide", ""): 0.63, ("heavy-concentrate", "hill"): 0.05}
    )


def test_heavy_separation_splits_in_the_proportions_of_the_basket(chain):
    """Dy is 0.02 of 0.10: a fifth, of which 0.8 is recovered."""
    makes = heavy_process(chain, "hill").makes
    assert makes["dy-oxide", ""] == pytest.approx(0.16)
    assert makes["tb-oxide", ""] == pytest.approx(0.04)
    assert sum(makes.values()) == pytest.approx(0.8)


def test_metal_capacity_counts_metal(chain):
    process = metal_process(chain, "ndpr")
    assert process.takes == {("ndpr-oxide", ""): 1.0}
    assert process.makes == {("ndpr-metal", ""): 0.8}
    assert process.capacity_use == 0.8


def test_an_alloy_takes_its_metals_and_their_losses(chain):
    """0.27 / 0.9 and 0.03 / 0.5; no terbium, so no recipe is asked for it."""
    process = alloy_process(chain, "high")
    assert process.takes == pytest.approx({("ndpr-metal", ""): 0.3, ("dy-metal", ""): 0.06})
    assert process.makes == {("alloy-high", ""): 1.0}


def test_magnet_capacity_counts_magnets_and_swarf_comes_along(chain):
    process = magnet_process(chain, "high")
    assert process.makes == {("magnet-high", ""): 0.75, ("swarf-high", ""): 0.25}
    assert process.capacity_use == 0.75


def test_recycling_knows_swarf_from_old_magnets(chain):
    swarf, scrap = (recycling_process(chain, "high", swarf=flag) for flag in (True, False))
    assert (swarf.takes, scrap.takes) == ({("swarf-high", ""): 1.0}, {("scrap", "high"): 1.0})
    assert swarf.makes == {("ndpr-oxide", ""): 0.3, ("dy-oxide", ""): 0.03}
    assert scrap.makes == {("ndpr-oxide", ""): 0.2, ("dy-oxide", ""): 0.02}


def test_a_missing_recipe_is_a_fault_that_names_it(chain):
    with pytest.raises(DataError) as caught:
        metal_process(chain, "dy")
    assert "stage metal from dy-oxide to dy-metal" in caught.value.faults[0].found


@pytest.mark.parametrize(
    ("listed", "made"),
    [("", ("standard", "high", "defence")), ("smco", ("smco",)), ("smco;high", ("high", "smco"))],
)
def test_samarium_cobalt_is_made_only_where_it_is_listed(listed, made):
    assert grades_made(listed) == made


def test_samarium_cobalt_takes_samarium_and_nothing_else_rare(shipped):
    """0.25 t Sm / 0.97; t Sm2O3 a t of magnets: 0.25 / 0.97 / (0.8624 x 0.95) / 0.74 = 0.4251."""
    takes = alloy_process(shipped, "smco").takes
    assert takes == pytest.approx({("sm-metal", ""): 0.257732})
    oxide = takes["sm-metal", ""] / metal_process(shipped, "sm").capacity_use
    assert oxide / magnet_process(shipped, "smco").capacity_use == pytest.approx(0.4251, abs=1e-4)


def test_shipped_baskets_are_whole(shipped):
    assert len(shipped.baskets) > 10
    for mine, basket in shipped.baskets.items():
        assert tuple(basket) == ELEMENTS
        assert sum(basket.values()) == pytest.approx(1, abs=1e-6), mine


def test_no_shipped_separation_makes_more_of_an_element_than_comes_in(shipped):
    for mine, basket in shipped.baskets.items():
        makes = light_process(shipped, mine).makes
        assert sum(makes.values()) <= 1
        for element in ("ndpr", "lace"):
            assert makes.get((f"{element}-oxide", ""), 0.0) <= basket[element]
        if shipped.heavy_share(mine) > 0:
            assert sum(heavy_process(shipped, mine).makes.values()) <= 1


@pytest.mark.parametrize("grade", GRADES)
def test_no_shipped_recycling_gives_back_more_than_went_into_the_magnet(shipped, grade):
    """Oxide from a tonne of swarf or scrap, as metal (Nd2O3 0.857, Dy2O3 0.871, Tb4O7 0.850, Sm2O3 0.862): within its grade."""
    metal = {"ndpr": 0.86, "dy": 0.872, "tb": 0.851, "sm": 0.863}
    for swarf in (True, False):
        for (oxide, _), amount in recycling_process(shipped, grade, swarf=swarf).makes.items():
            element = oxide.removesuffix("-oxide")
            assert 0 < amount * metal[element] <= shipped.grades[grade][element] * 1.001


@pytest.mark.parametrize("grade", GRADES)
def test_every_shipped_grade_can_be_made_and_its_mass_closes(shipped, grade):
    first = "sm" if grade == "smco" else "ndpr"
    assert {commodity.removesuffix("-metal") for commodity, _ in alloy_process(shipped, grade).takes} >= {first}
    assert 0.9 <= sum(magnet_process(shipped, grade).makes.values()) <= 1
