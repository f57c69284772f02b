"""Every example reads, runs through the command line, keeps its own rules, and tells what a planner asks."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
from shapely import from_wkt
from shapely.geometry.base import BaseGeometry

from hubplan.data.access import Access, resolve_access
from hubplan.data.scenario import read_scenario
from hubplan.data.tables import Tables
from hubplan.results.check import check_run
from hubplan.results.plan import Plan
from hubplan.results.save import read_run

EXAMPLES = sorted((Path(__file__).resolve().parent.parent / "examples").glob("*.toml"))
STUDIES = sorted((Path(__file__).resolve().parent.parent / "examples" / "studies").glob("*.toml"))
RUNS = ["today_run", "allied_run", "strict_run"]


@pytest.fixture(scope="session", params=RUNS)
def run(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def plan(run: Any) -> Plan:
    return read_run(run.folder)


@pytest.fixture(scope="session")
def allied(allied_run: Any) -> Plan:
    return read_run(allied_run.folder)


@pytest.fixture(scope="session")
def strict(strict_run: Any) -> Plan:
    return read_run(strict_run.folder)


@pytest.mark.parametrize("path", [*EXAMPLES, *STUDIES], ids=lambda path: path.stem)
def test_every_example_reads_and_resolves(path: Path, tables: Tables) -> None:
    scenario = read_scenario(path)
    assert scenario.name == path.stem
    access = resolve_access(scenario, tables)
    assert access.modes
    assert set(tomllib.loads(path.read_text(encoding="utf-8"))) <= set(scenario.resolved())


def test_every_example_is_run_here(request: pytest.FixtureRequest) -> None:
    names = {request.getfixturevalue(name).folder.name for name in RUNS}
    assert names == {path.stem for path in EXAMPLES}


def test_a_run_is_proven_to_a_hundredth(plan: Plan) -> None:
    assert plan.status in ("optimal", "within_gap", "time_limit")
    assert plan.gap_share <= 0.01
    assert plan.bound_usd <= plan.objective_usd * (1 + 1e-9)
    assert (plan.objective_usd - plan.bound_usd) / abs(plan.objective_usd) == pytest.approx(plan.gap_share, abs=1e-6)


def test_the_checker_finds_no_fault(run: Any) -> None:
    assert [str(fault) for fault in check_run(run.folder)] == []


def test_cost_lines_add_up_to_the_objective(plan: Plan) -> None:
    assert plan.costs["discounted_usd"].sum() == pytest.approx(plan.objective_usd, rel=1e-6)


def test_a_run_folder_is_whole(run: Any) -> None:
    names = {path.name for path in run.folder.iterdir()}
    tables = {f"{name}.csv" for name in ("hubs", "flows", "legs", "stocks", "demand", "costs", "exposure")}
    assert {*tables, "manifest.json", "routes.geojson", "plan.gpkg", "map.html", "report.html"} <= names
    manifest = json.loads((run.folder / "manifest.json").read_text(encoding="utf-8"))
    assert {
        "hubplan_version",
        "scenario",
        "inputs",
        "solver",
        "seed",
        "status",
        "objective_usd",
        "bound_usd",
        "gap_share",
    } <= set(manifest)
    assert {"seconds", "created"} <= set(manifest)


def parts(column: pd.Series) -> set[str]:
    """Everything that a ``;``-separated column names."""
    return {part for cell in column for part in str(cell).split(";") if part}


def used_legs(plan: Plan) -> pd.DataFrame:
    return plan.legs[plan.legs["route"].isin(plan.flows["route"])]


def test_no_leg_passes_what_is_closed(plan: Plan) -> None:
    legs = used_legs(plan)
    assert parts(legs["chokepoints"]) & plan.access.closed == set()
    assert parts(legs["ports"]) & set(plan.access.closed_ports) == set()
    assert parts(legs["countries"]) & plan.access.excluded == set()
    assert set(legs["mode"]) <= set(plan.access.modes)


def closed_shapes(access: Access, tables: Tables) -> dict[str, BaseGeometry]:
    zones = tables.zones.set_index("zone")
    return {
        zone: from_wkt(zones.at[zone, "geometry_wkt"])
        for zone in sorted(access.closed)
        if zones.at[zone, "geometry_wkt"]
    }


def test_no_line_on_the_map_touches_what_is_closed(run: Any, plan: Plan, tables: Tables) -> None:
    """By geometry, on the file that a planner would open in QGIS; the arc table has no say here."""
    lines = gpd.read_file(run.folder / "routes.geojson", engine="pyogrio")
    lines = lines[lines["route"].isin(plan.flows["route"])]
    shapes = closed_shapes(plan.access, tables)
    assert shapes
    touched = {zone: sorted(set(lines.loc[lines.intersects(shape), "route"])) for zone, shape in shapes.items()}
    assert {zone: routes for zone, routes in touched.items() if routes} == {}


def test_nothing_is_mined_or_made_where_it_may_not_be(plan: Plan) -> None:
    hubs = plan.hubs[plan.hubs["throughput_t"] > 0]
    assert set(hubs["country"]) & plan.access.excluded == set()
    assert set(hubs["site"]) & set(plan.access.barred_sites) == set()
    assert set(hubs["facility"]) & set(plan.access.barred_facilities) == set()
    if plan.access.members:
        assert set(hubs.loc[hubs["is_new"] & (hubs["stage"] != "mine"), "country"]) <= plan.access.members


def test_today_builds_nothing_and_mines_what_was_mined(today_run: Any, tables: Tables) -> None:
    plan = read_run(today_run.folder)
    assert not plan.hubs["is_new"].any()
    known = tables.outputs[
        (tables.outputs["kind"] == "mine") & (tables.outputs["year"] == 2025) & (tables.outputs["commodity"] == "reo")
    ]
    made = plan.hubs.set_index("facility")["throughput_t"]
    assert len(known) > 0
    for row in known.to_dict("records"):
        if row["id"] in made.index:
            assert made[row["id"]] == pytest.approx(row["output_t"], rel=1e-3), row["id"]


def test_the_allies_serve_their_defence_and_build_for_it(allied: Plan) -> None:
    defence = allied.demand[allied.demand["sector"] == "defence"]
    assert len(defence) > 0
    assert defence.loc[defence["period"] >= 2030, "unmet_t"].sum() == pytest.approx(0, abs=1e-3)
    assert "magnet" in set(allied.hubs.loc[allied.hubs["is_new"], "stage"])


def test_strictness_costs(allied: Plan, strict: Plan) -> None:
    """More is closed and barred, so the strict plan's cost is above what the open question cannot go below."""
    assert strict.access.closed > allied.access.closed
    assert set(strict.access.barred_facilities) > set(allied.access.barred_facilities)
    assert strict.objective_usd > allied.bound_usd
    assert {"kuantan-port", "darwin"} <= set(strict.access.closed_ports)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_study_has_a_page_that_names_its_command(path: Path) -> None:
    pages = [page.read_text(encoding="utf-8") for page in (path.parents[2] / "docs" / "studies").glob("*.md")]
    assert any(f"hubplan plan examples/studies/{path.name}" in page for page in pages) or path.stem in (
        "ban-6",
        "ban-24",
    )
