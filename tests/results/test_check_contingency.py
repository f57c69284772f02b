"""The checker's reading of N-1, on the small world: two losses, one that stops everything and one that nobody feels."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from hubplan.data.scenario import scenario_from_dict
from hubplan.results.check import check_plan
from hubplan.results.plan import as_table

SHARE = 0.8
ASKED = {"magnet-standard": 1000.0, "magnet-high": 60.0}
COLUMNS = ["loss", "kind", "id", "mine", "origin_facility", "destination_facility", "route", "amount_t"]


def year_of(plan, loss: str) -> list[tuple]:
    """The copy does in its year what the plan does in 2032, which is one year: no stock is needed, and none is lost."""
    runs = plan.processes[plan.processes["period"] == 2032]
    flows = plan.flows[plan.flows["period"] == 2032]
    rows = [(loss, "run", r.process, "", r.facility, "", "", r.input_t) for r in runs.itertuples()]
    return rows + [
        (loss, "flow", f.commodity, f.mine, f.origin_facility, f.destination_facility, f.route, f.flow_t)
        for f in flows.itertuples()
    ]


@pytest.fixture
def with_losses(plan):
    """The gate closed: all 0.8 x 1,000 t and 0.8 x 60 t are short. China lost: what arrives, less than the share."""
    arrives = plan.flows[plan.flows["period"] == 2032].groupby("commodity")["flow_t"].sum()
    rows = [("gate", "short", product, "", "", "", "", SHARE * amount) for product, amount in ASKED.items()]
    rows += [
        ("CHN", "short", product, "", "", "", "", max(0.0, SHARE * amount - arrives[product]))
        for product, amount in ASKED.items()
    ]
    table = as_table("contingencies", pd.DataFrame([*rows, *year_of(plan, "CHN")], columns=COLUMNS))
    short = table[(table["kind"] == "short") & (table["amount_t"] > 1e-4)]
    broken = pd.DataFrame(
        {
            "rule": "n_1", "id": short["loss"] + "/" + short["id"], "period": 2032, "amount": short["amount_t"], "unit": "t",
            "penalty_usd": short["amount_t"] * 2e5,
        }
    )  # fmt: skip
    raw = plan.scenario.resolved()
    raw["policy"]["n_1"] = {"year": 2032, "served_share": SHARE, "losses": ["gate", "CHN"], "shortfall_usd_t": 2e5}
    costs = plan.costs.copy()
    line = (costs["line"] == "rule_violations") & (costs["period"] == 2032)
    costs.loc[line, "cost_usd"] += broken["penalty_usd"].sum()
    costs.loc[line, "discounted_usd"] += broken["penalty_usd"].sum() / 1.08**2
    objective = float(costs["discounted_usd"].sum())
    return replace(
        plan, scenario=scenario_from_dict(raw), contingencies=table, costs=costs, objective_usd=objective,
        violations=as_table("violations", pd.concat([plan.violations, broken], ignore_index=True)),
        gap_share=(objective - plan.bound_usd) / objective,
    )  # fmt: skip


def found(plan, tables) -> str:
    return "\n".join(str(fault) for fault in check_plan(plan, tables))


def altered(plan, change) -> object:
    return replace(plan, contingencies=change(plan.contingencies.copy()))


def test_a_year_that_holds_has_no_fault(with_losses, tables):
    assert found(with_losses, tables) == ""


def test_a_row_that_is_missing_is_found(with_losses, tables):
    """All but those of heavy separation: its Dy and Tb are in stock, so the year can do without."""
    for row, cells in with_losses.contingencies.iterrows():
        if "heavy" not in cells["id"]:
            less = altered(with_losses, lambda table, row=row: table.drop(index=row).reset_index(drop=True))
            assert found(less, tables), cells.to_dict()


def test_what_is_short_is_worked_out_anew(with_losses, tables):
    """A tonne more or less than what does not arrive."""
    for row in with_losses.contingencies.index[with_losses.contingencies["kind"] == "short"]:
        for change in (1.0, -1.0):
            table = with_losses.contingencies.copy()
            table.loc[row, "amount_t"] += change
            assert "by what arrives" in found(replace(with_losses, contingencies=table), tables) or change < 0
            assert found(replace(with_losses, contingencies=table), tables)


def test_no_plant_runs_more_than_it_can(with_losses, tables):
    """Bay separates 2,750 t/yr in 2032; Hill mines 3,000. Everything half as much again is too much."""
    text = found(altered(with_losses, lambda table: table.assign(amount_t=table["amount_t"] * 1.5)), tables)
    assert "hill with CHN lost" in text
    assert "bay-separation-light with CHN lost" in text


def test_nothing_passes_what_is_lost(with_losses, tables):
    """The same year with the gate closed: Bay's oxides go to Kobe by sea, through the gate."""
    rows = pd.DataFrame(year_of(with_losses, "gate"), columns=COLUMNS)
    plan = altered(with_losses, lambda table: as_table("contingencies", pd.concat([table, rows], ignore_index=True)))
    assert "passes gate, which is lost" in found(plan, tables)


def test_nothing_runs_where_something_is_lost(with_losses, tables):
    """Under the name of Kobe's loss the year would run at Kobe."""
    raw = with_losses.scenario.resolved()
    raw["policy"]["n_1"]["losses"] = ["gate", "kobe"]
    plan = altered(with_losses, lambda table: table.replace({"loss": {"CHN": "kobe"}}))
    assert "kobe-metal is lost with kobe" in found(replace(plan, scenario=scenario_from_dict(raw)), tables)


def test_a_loss_that_nobody_asked_for_is_found(with_losses, plan, tables):
    text = found(replace(with_losses, scenario=plan.scenario), tables)
    assert "is no loss and kind of row that the scenario asks for" in text


def test_a_stock_that_nobody_kept_is_found(with_losses, tables):
    """Dy that heavy separation does not make: 10 t were in stock at the end of 2030-2031 at most."""
    table = with_losses.contingencies
    dy = table[(table["id"] == "dy-oxide") & (table["kind"] == "flow")].index[0]
    more = altered(with_losses, lambda t: t.assign(amount_t=t["amount_t"].where(t.index != dy, 500.0)))
    assert "dy-oxide at bay with CHN lost" in found(more, tables)
