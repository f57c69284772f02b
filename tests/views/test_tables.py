import math

import pytest

from hubplan.views import tables as views


def test_new_plants_with_years_size_and_capital(plan, tables):
    table = views.hub_table(plan, tables, new=True)
    assert table.to_dict("records") == [
        {
            "Place": "Saskatoon",
            "Country": "Canada",
            "Stage": "magnet making",
            "Built": "2030",
            "Capacity, t/yr": 8000.0,
            "Used, t/yr": 5600.0,
            "Capital, M USD": 200.0,
        }
    ]


def test_plants_in_use_as_they_are(plan, tables):
    table = views.hub_table(plan, tables, new=False)
    assert list(table["Stage"]) == ["mine", "mine", "separation, light"]
    assert "Built" not in table.columns


def test_demand_by_period(plan, tables):
    table = views.demand_table(plan, tables).set_index(["Product", "Sector"])
    assert table.loc[("magnets, high grade", "electric vehicles"), "2030"] == pytest.approx(0.6)
    assert table.loc[("Dy oxide", "industry"), "2035"] == 0.0


def test_demand_that_nobody_asks_for_has_no_share(plan, tables):
    from dataclasses import replace

    silent = replace(plan, demand=plan.demand.assign(demand_t=0.0, served_t=0.0, unmet_t=0.0))
    assert all(math.isnan(value) for value in views.demand_table(silent, tables)["2035"])
    assert views.unmet_table(silent, tables).empty


def test_unmet_largest_first(plan, tables):
    table = views.unmet_table(plan, tables)
    assert list(table["Unmet, t/yr"]) == [300.0, 50.0]
    assert list(table["Of demand"]) == [pytest.approx(0.1), 1.0]


def test_cargoes_say_what_the_map_says(plan, tables):
    table = views.cargo_table(plan, tables)
    assert list(table["t/yr"]) == [30000.0, 3000.0, 2500.0, 1800.0]
    assert table["Passes"].iloc[0] == "Sunda Strait"


def test_closures_have_reasons(plan, tables):
    table = views.closed_table(plan, tables).set_index("Kind")
    assert table.loc["port", "What"] == "Darwin"
    assert "Chinese owners hold 30%" in table.loc["mine or plant", "Why"]
    assert len(table) == 4


def test_rows_by_basis(tables):
    table = views.basis_table(tables).set_index("Table")
    assert table.loc["zones"].to_dict() == {"Reported": 0, "Estimated": 3, "Assumed": 0}


def test_places_to_build_each_once(plan, tables):
    (row,) = views.place_table(plan, tables).to_dict("records")
    assert row == {
        "Place": "Saskatoon",
        "Country": "Canada",
        "What, and capacity in t/yr": "magnet making 8,000",
        "First built": "2030",
        "Capital, M USD": 200.0,
    }
