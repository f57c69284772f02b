"""The checker's reading of rules of content, on the small world, where all of Kobe's magnets come from Hill."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from hubplan.data.scenario import scenario_from_dict
from hubplan.results.check import check_plan
from hubplan.results.plan import Plan, as_table

COLUMNS = ["period", "kind", "id", "mine", "origin_facility", "destination_facility", "amount_t"]


def bound(plan: Plan, *countries: str, product: str = "magnet-high") -> Plan:
    """The same plan under a rule from 2032 on."""
    raw = plan.scenario.resolved()
    rule = {"name": "content", "products": [product], "countries": list(countries), "from": 2032}
    raw["policy"]["legal"] = [rule]
    return replace(plan, scenario=scenario_from_dict(raw))


@pytest.fixture
def traced(plan) -> Plan:
    """Everything the plan does is qualified: China has no part in it."""
    rows = [(r.period, "run", r.process, "", r.facility, "", r.input_t) for r in plan.processes.itertuples()]
    rows += [
        (f.period, "flow", f.commodity, f.mine, f.origin_facility, f.destination_facility, f.flow_t)
        for f in plan.flows.itertuples()
    ]
    return bound(replace(plan, qualified=as_table("qualified", pd.DataFrame(rows, columns=COLUMNS))), "CHN")


def found(plan, tables) -> str:
    return "\n".join(str(fault) for fault in check_plan(plan, tables))


def test_what_can_be_traced_has_no_fault(traced, tables):
    assert found(traced, tables) == ""


def test_a_plant_in_a_country_named_makes_nothing_qualified(traced, tables):
    assert "kobe-metal in JPN makes nothing that is qualified" in found(bound(traced, "JPN"), tables)
    assert "hill in AUS makes nothing that is qualified" in found(bound(traced, "AUS"), tables)


def test_a_break_in_the_trace_is_found(traced, tables):
    """Carbonate that no qualified cracker made, an oxide that no separator did, and magnets of nothing."""
    table = traced.qualified
    for process, good in (("concentrate@hill", "carbonate at bay-crack-leach"), ("dy-oxide", "dy-metal at kobe-metal")):
        less = table[~((table["kind"] == "run") & (table["id"] == process))].reset_index(drop=True)
        assert f"{good}, 2032" in found(replace(traced, qualified=less), tables)


def test_what_is_served_and_not_traced_is_found(traced, tables):
    """From 2032 on, in the markets that are bound, and of the product named."""
    none = replace(traced, qualified=traced.qualified.iloc[:0])
    text = found(none, tables)
    assert "magnet-high at market-jpn, 2032" in text
    assert "2030" not in text and "magnet-standard" not in text
    assert found(bound(none, "JPN"), tables) == ""  # its own market is not bound


def test_no_more_is_qualified_than_the_plan_has(traced, tables):
    more = traced.qualified.assign(amount_t=traced.qualified["amount_t"] * 1.01)
    assert "the plan has" in found(replace(traced, qualified=more), tables)


def test_a_stock_may_be_qualified_as_far_as_it_was_left(traced, tables):
    """2032 takes its Dy from what heavy separation left in 2030-2031; without that run there is none to take."""
    table = traced.qualified
    heavy = (table["kind"] == "run") & (table["id"] == "heavy-concentrate@hill")
    stocks = traced.stocks[(traced.stocks["commodity"] == "dy-oxide") & (traced.stocks["period"] == 2030)]
    taken = table[(table["kind"] == "flow") & (table["id"] == "dy-oxide") & (table["period"] == 2032)]["amount_t"].sum()
    assert stocks["closing_t"].sum() > taken
    later = table[~(heavy & (table["period"] == 2032))].reset_index(drop=True)
    assert "dy-oxide" not in found(replace(traced, qualified=later), tables)
    never = table[~heavy].reset_index(drop=True)
    assert "dy-oxide at bay" in found(replace(traced, qualified=never), tables)


def test_rows_without_a_rule_are_found(traced, plan, tables):
    assert "the scenario no rule of content" in found(replace(traced, scenario=plan.scenario), tables)
