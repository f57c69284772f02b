"""The checker: silent on a plan that holds, loud on one altered number or one broken rule."""

from __future__ import annotations

import json
from dataclasses import replace

import geopandas as gpd
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely import LineString

from hubplan.data.access import resolve_access
from hubplan.data.scenario import scenario_from_dict
from hubplan.results import check
from hubplan.results.check import check_plan, check_run
from hubplan.results.checking.money import STORAGE_SHARE_YR
from hubplan.results.checking.works import MINE_LIFE_YEARS, MINE_RAMP, NEW_MINE_YEARS
from hubplan.results.plan import TABLES
from hubplan.results.save import hash_file, write_run

FREE = {("legs", "length_km"), ("legs", "hours"), ("legs", "cost_usd_t")}
"""Columns that more than one value fits, within bounds; the last two are held by the cost of what goes over the leg."""
NUMBERS = sorted(
    (table, column)
    for table, columns in TABLES.items()
    for column, kind in columns.items()
    if kind is float and (table, column) not in FREE
)
MAIN = [("flows", "flow_t"), ("flows", "cost_usd"), ("costs", "cost_usd"), ("hubs", "throughput_t"), ("demand", "served_t"),
        ("hubs", "built_t_yr"), ("hubs", "capex_usd")]  # fmt: skip


def changed_scenario(plan, tables, **changes):
    """The plan as the answer to a stricter question."""
    raw = plan.scenario.resolved()
    for key, value in changes.items():
        part, name = key.split("__")
        raw[part][name] = value
    scenario = scenario_from_dict(raw)
    return replace(plan, scenario=scenario, access=resolve_access(scenario, tables))


def found(plan, tables) -> str:
    return "\n".join(str(fault) for fault in check_plan(plan, tables))


def test_a_plan_that_holds_has_no_fault(plan, tables):
    assert found(plan, tables) == ""


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_one_altered_number_is_found(plan, tables, data):
    """By a part in a thousand and one unit: more than the tolerance, less than a planner sees."""
    filled = [(table, column) for table, column in NUMBERS if len(plan.table(table))]
    table, column = data.draw(st.sampled_from(filled))
    frame = plan.table(table).copy()
    row = data.draw(st.integers(0, len(frame) - 1))
    value = frame[column].iloc[row]
    sign = data.draw(st.sampled_from([1.0, -1.0]))
    frame.loc[frame.index[row], column] = value + sign * (
        0.001 * abs(value) + (2000.0 if column.endswith("_usd") else 1.0)
    )
    assert check_plan(replace(plan, **{table: frame}), tables) != [], (table, column, row)


@pytest.mark.parametrize(("table", "column"), MAIN)
def test_the_main_numbers_are_watched_row_by_row(plan, tables, table, column):
    for row in plan.table(table).index[::2]:
        frame = plan.table(table).copy()
        frame.loc[row, column] = frame.loc[row, column] * 1.01 + (2000.0 if column.endswith("_usd") else 0.1)
        faults = check_plan(replace(plan, **{table: frame}), tables)
        assert faults, f"{table}, {column}, row {row}"
        assert all(fault.where and fault.found and fault.fix for fault in faults)


@pytest.mark.parametrize("table", sorted(set(TABLES) - {"sites", "periods"}))
def test_a_row_that_is_missing_is_found(plan, tables, table):
    for row in plan.table(table).index[::2]:
        without = plan.table(table).drop(index=row).reset_index(drop=True)
        assert check_plan(replace(plan, **{table: without}), tables), f"{table}, row {row}"


def test_legs_are_held_by_the_cost_of_what_goes_over_them(plan, tables):
    for column in ("hours", "cost_usd_t"):
        for row in plan.legs.index:
            frame = plan.legs.copy()
            frame.loc[row, column] += 5.0
            assert check_plan(replace(plan, legs=frame), tables)


def test_a_line_through_a_closed_polygon_is_found(plan, tables):
    """The sea leg is bent to 155 E, 5 N, inside the closed zone, whatever legs.csv says."""
    routes = plan.routes.copy()
    sea = routes.index[routes["mode"] == "sea"][0]
    ends = routes.geometry[sea].coords
    bent = LineString([ends[0], (155.0, 5.0), ends[-1]])
    routes.loc[[sea], "geometry"] = gpd.GeoSeries([bent], index=[sea], crs="EPSG:4326")
    assert "touches shut, which is closed" in found(replace(plan, routes=routes), tables)


def with_plant(tables, facility: str, column: str, value):
    plants = tables.facilities.copy()
    plants.loc[plants["facility"] == facility, column] = value
    return replace(tables, facilities=plants)


def test_a_grade_that_the_plant_does_not_list_is_found(plan, tables):
    """Kobe lists nothing, so it makes any NdFeB grade; if it listed samarium-cobalt alone, its alloy would be none of it."""
    assert found(plan, with_plant(tables, "kobe-alloy", "grades", "smco;high;standard")) == ""
    text = found(plan, with_plant(tables, "kobe-alloy", "grades", "smco"))
    assert "a alloy has no process alloy-standard" in text


def test_a_plant_that_has_ended_is_found(plan, tables):
    """Ends with 2030: half of 2030-2031 stands, 1,000 t of alloy a year, less than the plan casts; nothing in 2032."""
    assert found(plan, with_plant(tables, "kobe-alloy", "end_year", 2032.0)) == ""
    text = found(plan, with_plant(tables, "kobe-alloy", "end_year", 2030.0))
    assert "kobe-alloy" in text
    assert "2032" in text


def test_a_strait_that_legs_do_not_own_up_to_is_found(plan, tables):
    legs = plan.legs.assign(chokepoints="")
    assert "lacks gate, which its line meets" in found(replace(plan, legs=legs), tables)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"routes__closed": ["gate"]}, "gate is closed"),
        ({"routes__closed": ["kobe-port"]}, "kobe-port may not be called at"),
        ({"routes__closed": ["kobe-one"]}, "terminal kobe-one"),
        ({"routes__modes": ["rail", "road"]}, "sea is no mode of the scenario"),
        ({"coalition__excluded": ["JPN"], "coalition__members": []}, "JPN is excluded"),
        ({"coalition__members": ["JPN"]}, "AUS is no member, so no new hub may stand there"),
        ({"policy__keep_closed": ["kobe-alloy"]}, "the scenario keeps it closed"),
        ({"policy__budget_usd": 1e8}, "is above policy.budget_usd"),
        ({"policy__max_hubs": 0}, "1 new hubs, policy.max_hubs is 0"),
        ({"policy__must_open": ["kobe-magnet"]}, "kobe-magnet is not built"),
        ({"policy__stockpile_days": {"dy": 36500}}, "stockpile_days dy-oxide 2030 is broken"),
        (
            {"policy__offtake": [{"site": "bay", "commodity": "dy-oxide", "t_yr": 90, "from": 2030, "to": 2030}]},
            "offtake",
        ),
        (
            {"shock__export_ban": [{"country": "AUS", "commodities": ["dy-oxide"], "from": 2031}]},
            "AUS lets no dy-oxide out",
        ),
        ({"shock__lost": [{"id": "kobe-alloy", "from": 2030, "to": 2031}]}, "at most 0"),
        ({"demand__unmet_usd_t": {"default": 2e6}}, "unmet x demand.unmet_usd_t"),
        ({"horizon__discount_share": 0.05}, "periods.csv"),
        ({"routes__surcharge_usd_t": {"gate": 6.0}}, "price of risk"),
    ],
)
def test_a_rule_that_is_broken_is_found(plan, tables, changes, text):
    assert text in found(changed_scenario(plan, tables, **changes), tables)


def with_table(tables, name, **cells):
    """Tables with one row changed: ``row`` is its position."""
    frame = getattr(tables, name).copy()
    row = cells.pop("row")
    for column, value in cells.items():
        frame[column] = [value if at == row else old for at, old in enumerate(frame[column])]
    return replace(tables, **{name: frame})


@pytest.mark.parametrize(
    ("name", "cells", "text"),
    [
        ("facilities", {"row": 1, "lead_years": 2.0}, "lead time allows 2032 at the earliest"),
        ("facilities", {"row": 1, "max_t_yr": 2600.0}, "allowed is between 100 and 2,600"),
        ("facilities", {"row": 1, "status": "cancelled"}, "nothing may be built here"),
        ("stages", {"row": 1, "growth_t_yr": 2000.0}, "2,500 t/yr built by then, crews and equipment allow 2,000"),
        ("facilities", {"row": 0, "feeds": "monazite"}, "is bastnaesite, the plant takes monazite"),
        ("facilities", {"row": 3, "chinese_share": 0.4}, "Chinese owners hold more"),
        ("facilities", {"row": 3, "chinese_share": float("nan")}, "Chinese owners hold more"),
        ("facilities", {"row": 4, "capacity_t_yr": 400.0}, "at most"),
        ("mines", {"row": 0, "capacity_reo_t_yr": 1000.0}, "at most"),
        (
            "terminals",
            {"row": 0, "chinese_share": 0.5, "whole_port": True},
            "kobe-port may not be called at: terminal kobe-one",
        ),
        ("byproducts", {"row": 0, "limit_t_yr": 100.0}, "the market takes"),
        ("baskets", {"row": 3, "share": 0.2}, "t are left over, stocks change by +0 t"),
        ("recipes", {"row": 0, "yield_t_t": 0.8}, "made + arrived is not used"),
        ("sites", {"row": 1, "lon": 116.8}, "km are missing"),
        ("demand", {"row": 0, "demand_t": 900.0}, "demand.csv of geodata"),
    ],
)
def test_a_plan_that_the_data_do_not_allow_is_found(plan, tables, name, cells, text):
    assert text in found(plan, with_table(tables, name, **cells))


def test_what_is_sold_ahead_to_an_excluded_country_is_not_there(plan, tables):
    """60 % of Hill's 3,000 t/yr is sold to China in 2030 and 2031: 1,200 a year remain, 2,400 in the block."""
    columns = ["mine", "destination_country", "share", "from_year", "to_year"]
    locks = pd.DataFrame([("hill", "CHN", 0.6, 2030, 2031)], columns=columns)
    text = found(plan, replace(tables, locks=locks))
    assert "hubs.csv, line 8" in text and "3,000, at most 2,400" in text


def test_what_is_sold_ahead_to_a_country_that_takes_part_is_processed_there(plan, tables):
    columns = ["mine", "destination_country", "share", "from_year", "to_year"]
    for buyer, broken in (("AUS", False), ("JPN", True)):
        locks = pd.DataFrame([("hill", buyer, 0.5, 2031, 2032)], columns=columns)
        text = found(plan, replace(tables, locks=locks))
        assert ("flows.csv: carbonate@hill, 2030" in text and "to which 25% is sold" in text) == broken


def test_a_mine_that_reported_its_output_ran_as_it_did(plan, tables):
    outputs = pd.DataFrame(
        [("mine", "hill", 2032, "reo", 2400.0)], columns=["kind", "id", "year", "commodity", "output_t"]
    )
    assert "2,500, expected 2,400: what outputs.csv says it mined" in found(plan, replace(tables, outputs=outputs))


@pytest.fixture
def run(plan, tables, tmp_path, monkeypatch):
    monkeypatch.setattr(check, "read_tables", lambda geodata: tables)
    return write_run(plan, tmp_path / "run", extra={"map.html": "<p>"})


def test_a_run_folder_that_holds_has_no_fault(run):
    assert check_run(run) == []


@pytest.mark.parametrize("name", ["flows.csv", "routes.geojson", "map.html", "plan.gpkg"])
def test_an_altered_file_is_found_by_its_hash(run, name):
    (run / name).write_bytes((run / name).read_bytes() + b"\n")
    assert check_run(run)[0].where == name


def test_an_altered_number_is_found_with_the_hash_forged(run):
    path = run / "demand.csv"
    lines = path.read_text().splitlines()
    cells = lines[1].split(",")
    cells[5] = repr(float(cells[5]) + 1)
    path.write_text("\n".join([lines[0], ",".join(cells), *lines[2:]]) + "\n")
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["tables"]["demand.csv"] = hash_file(path)
    (run / "manifest.json").write_text(json.dumps(manifest))
    assert any(fault.where.startswith("demand.csv, line 2") for fault in check_run(run))


@pytest.mark.parametrize("key", ["objective_usd", "bound_usd", "gap_share", "seed", "inputs", "periods"])
def test_an_altered_manifest_is_found(run, key):
    manifest = json.loads((run / "manifest.json").read_text())
    manifest[key] = {"inputs": {"sites.csv": "0"}, "periods": []}.get(key, 1e12)
    (run / "manifest.json").write_text(json.dumps(manifest))
    assert check_run(run) != []


def test_a_file_that_cannot_be_read_is_a_fault_and_no_crash(run):
    (run / "hubs.csv").write_text("facility,site\n")
    assert any("hubs.csv, line 1" in fault.where for fault in check_run(run))


def test_the_two_readings_assume_the_same():
    """The checker writes these down a second time, because it may not import the model."""
    from hubplan.model import build, facilities

    assert (facilities.MINE_RAMP, facilities.MINE_LIFE_YEARS, facilities.NEW_MINE_YEARS) == (
        MINE_RAMP,
        MINE_LIFE_YEARS,
        NEW_MINE_YEARS,
    )
    assert build.STORAGE_SHARE_YR == STORAGE_SHARE_YR
