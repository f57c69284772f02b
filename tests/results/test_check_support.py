"""The checker's second reading of support: silent on what `build_support` says, loud on what was altered."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from hubplan.data.scenario import scenario_from_dict
from hubplan.results.checking.reading import Reading
from hubplan.results.checking.recipes import Recipes
from hubplan.results.checking.support import PAID_SHARE, find_support_faults
from hubplan.results.checking.works import read_works
from hubplan.results.prices import PAID_SHARE as MODEL_SHARE
from hubplan.results.support import build_support

PRICES = {
    "ndpr-oxide": 1e5, "dy-oxide": 4e5, "tb-oxide": 1e6, "lace-oxide": 1e3, "sm-oxide": 1e4, "gd-oxide": 1e4, "y-oxide": 1e4,
    "other-oxide": 1e4, "ndpr-metal": 1.3e5, "dy-metal": 5e5, "tb-metal": 1.3e6, "alloy-standard": 5e4, "alloy-high": 7e4,
    "magnet-standard": 7.5e4, "magnet-high": 1.2e5, "swarf-standard": 1.5e4, "swarf-high": 2e4,
}  # fmt: skip


@pytest.fixture(scope="module")
def priced(tables):
    rows = [("outside", c, year, price) for c, price in PRICES.items() for year in (2030, 2031, 2032)]
    rows += [("dump", "ndpr-oxide", year, price) for year, price in ((2030, 6e4), (2031, 6e4), (2032, 1e5))]
    return replace(tables, prices=pd.DataFrame(rows, columns=["set", "commodity", "year", "price_usd_t"]))


@pytest.fixture
def checked(plan, priced):
    """A function: a scenario's support, changed by another function, and the faults found in it."""

    def check(change=lambda table: table, *, path=None, **policy):
        raw = plan.scenario.resolved()
        raw["shock"]["price_path"] = path
        deal = {"site": "bay", "commodity": "ndpr-oxide", "t_yr": 200, "from": 2030, "to": 2031, "floor_usd_kg": 110}
        raw["policy"].update({"offtake": [deal], "capex_grant_share": {"separation_light": 0.1}, **policy})
        scenario = scenario_from_dict(raw)
        parts = {name: plan.table(name) for name in ("hubs", "processes", "flows", "surplus")}
        table, _ = build_support(parts, priced, scenario)
        reading = Reading(replace(plan, scenario=scenario), priced)
        faults = find_support_faults(reading, read_works(reading), Recipes(priced), change(table.copy()))
        return "\n".join(str(fault) for fault in faults)

    return check


ALL = {"forms": ["grant", "floor", "cfd"]}


@pytest.mark.parametrize("path", [None, "dump"])
@pytest.mark.parametrize("forms", [None, ["grant"], ["floor"], ["cfd"], ["grant", "floor", "cfd"]])
@pytest.mark.parametrize("budget", [None, 2e7])
def test_what_is_worked_out_holds(checked, path, forms, budget):
    assert checked(path=path, support=forms and {"forms": forms, "budget_usd": budget}) == ""
    assert checked(path=path, stockpile_days={}, support=forms and {"forms": forms}) == ""


def test_both_readings_pay_the_same_for_feeds():
    assert PAID_SHARE == MODEL_SHARE


NUMBERS = ("payment_usd", "npv_usd", "npv_before_usd", "margin_usd", "gap_usd", "volume_t", "price_usd_t", "given_usd")


@pytest.mark.parametrize("column", NUMBERS)
def test_an_altered_number_is_found(checked, column):
    """Up by a fifth and a million in every row that is not 0, one at a time: hubs of the small world move 10 to 100 M USD."""
    plain = []
    checked(lambda table: plain.append(table) or table, support=ALL)
    rows = plain[0].index[plain[0][column].abs() > 1.0]
    if column == "given_usd":
        rows = rows[(plain[0].loc[rows, "form"] == "grant").to_numpy()]
    for row in rows[::3]:

        def change(table, row=row):
            table.loc[row, column] = table.loc[row, column] * 1.2 + 1e6
            return table

        assert checked(change, support=ALL), (column, row)


def test_a_missing_row_is_found(checked):
    assert "has no row" in checked(lambda table: table[table["facility"] != "hill"])


def test_a_hub_that_would_stop_is_not_kept(checked):
    def all_kept(table):
        return table.assign(kept=True)

    assert "is kept, and lacks" in checked(all_kept, support={"forms": ["floor"], "budget_usd": 1.0})


def test_a_form_that_is_not_offered_is_found(checked):
    def renamed(table):
        return table.assign(form=table["form"].where(table["form"] != "floor", "cfd"))

    assert "policy.support.forms" in checked(renamed, support={"forms": ["floor"]})


def test_no_table_has_no_fault(checked):
    assert checked(lambda table: table.iloc[:0]) == ""
