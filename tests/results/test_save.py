"""A run folder: whole or not at all, never in the way of another, and read back as it was."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pyogrio
import pytest

from hubplan.errors import DataError
from hubplan.results import save
from hubplan.results.plan import TABLES, as_table
from hubplan.results.save import read_run, require_free, write_run


@pytest.fixture
def run(plan, tmp_path):
    return write_run(plan, tmp_path / "runs" / "tiny", extra={"map.html": "<p>map</p>", "report.html": "<p>report</p>"})


def test_the_folder_has_every_file_and_nothing_beside_it(run):
    files = {path.name for path in run.iterdir()}
    assert files == {
        *(f"{name}.csv" for name in TABLES), "manifest.json", "routes.geojson", "plan.gpkg", "map.html", "report.html",
    }  # fmt: skip
    assert [path.name for path in run.parent.iterdir()] == ["tiny"]


def test_a_run_comes_back(plan, run):
    back = read_run(run)
    for name in TABLES:
        pd.testing.assert_frame_equal(
            as_table(name, back.table(name)), as_table(name, plan.table(name)), check_exact=True
        )
    assert back.scenario == plan.scenario and back.access == plan.access
    for key in ("status", "objective_usd", "bound_usd", "gap_share", "solver", "inputs", "counts"):
        assert getattr(back, key) == getattr(plan, key)
    drawn = {(row.route, row.leg): row.geometry for row in plan.routes.itertuples()}
    assert all(row.geometry.hausdorff_distance(drawn[row.route, row.leg]) < 1e-5 for row in back.routes.itertuples())


def test_the_manifest_says_what_the_run_rests_on(plan, run):
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["scenario"] == plan.scenario.resolved()
    assert manifest["inputs"] == dict(plan.inputs) and manifest["seed"] == 1
    assert manifest["objective_usd"] == plan.objective_usd
    assert set(manifest["tables"]) == {f"{name}.csv" for name in TABLES}
    assert manifest["created"].endswith("+00:00")
    assert manifest["access"]["barred_sites"] == {"baotou": "CHN is excluded"}


def test_discounted_costs_in_the_file_sum_to_the_objective(plan, run):
    costs = pd.read_csv(run / "costs.csv")
    assert costs["discounted_usd"].sum() == pytest.approx(plan.objective_usd, rel=1e-12)


def test_one_plan_gives_the_same_tables_whatever_the_order_of_rows(plan, run, tmp_path):
    shuffled = {name: plan.table(name).iloc[::-1].reset_index(drop=True) for name in TABLES}
    again = write_run(replace(plan, **shuffled, routes=plan.routes.iloc[::-1]), tmp_path / "again")
    for name in [*(f"{name}.csv" for name in TABLES), "routes.geojson"]:
        assert (again / name).read_bytes() == (run / name).read_bytes(), name


def test_a_geopackage_has_points_lines_and_tables(run):
    layers = dict(pyogrio.list_layers(run / "plan.gpkg"))
    assert set(layers) == {*TABLES, "routes"}
    assert (layers["hubs"], layers["routes"], layers["costs"]) == ("Point", "MultiLineString", None)
    routes = pyogrio.read_dataframe(run / "plan.gpkg", layer="routes")
    assert routes.crs.to_epsg() == 4326 and (routes["flow_t"] > 0).all()
    assert pyogrio.read_info(run / "plan.gpkg", layer="flows")["features"] == 26


def test_an_existing_folder_is_never_overwritten(plan, run):
    before = (run / "manifest.json").read_bytes()
    with pytest.raises(DataError, match="is there already"):
        write_run(plan, run)
    assert (run / "manifest.json").read_bytes() == before


def test_force_replaces_a_run(plan, run):
    write_run(replace(plan, status="optimal"), run, force=True)
    assert read_run(run).status == "optimal"
    assert not (run / "map.html").exists()
    assert [path.name for path in run.parent.iterdir()] == ["tiny"]


def test_force_never_replaces_what_is_no_run(plan, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="is no run folder"):
        write_run(plan, tmp_path, force=True)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_force_never_takes_a_strangers_file_with_it(plan, run):
    (run / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match=r"holds what no run wrote: notes\.txt"):
        write_run(plan, run, force=True)


def test_force_never_follows_a_link(plan, run, tmp_path):
    (tmp_path / "link").symlink_to(run, target_is_directory=True)
    with pytest.raises(DataError):
        write_run(plan, tmp_path / "link", force=True)


@pytest.mark.parametrize("step", ["write_geopackage", "_bring_to_disk", "_put_in_place"])
def test_a_failure_leaves_nothing(plan, tmp_path, monkeypatch, step):
    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(save, step, fail)
    with pytest.raises(OSError, match="disk full"):
        write_run(plan, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_with_force_leaves_the_old_run(plan, run, monkeypatch):
    before = (run / "manifest.json").read_bytes()
    real = type(run).replace

    def fail_once(self, target):
        if self.name.startswith(".tiny-") and os.fspath(target).endswith("tiny"):
            raise OSError("no")
        return real(self, target)

    monkeypatch.setattr(type(run), "replace", fail_once)
    with pytest.raises(OSError, match="no"):
        write_run(plan, run, force=True)
    assert (run / "manifest.json").read_bytes() == before
    assert [path.name for path in run.parent.iterdir()] == ["tiny"]


@pytest.mark.parametrize("name", ["../map.html", "flows.csv", "manifest.json", "a/b", ".hidden"])
def test_a_further_file_has_a_plain_name_of_its_own(plan, tmp_path, name):
    with pytest.raises(DataError, match="cannot be a further file"):
        write_run(plan, tmp_path / "run", extra={name: ""})
    assert list(tmp_path.iterdir()) == []


def test_a_place_may_be_asked_for_before_solving(tmp_path, run):
    assert require_free(tmp_path / "new") == tmp_path / "new"
    with pytest.raises(DataError):
        require_free(run)
    assert require_free(run, force=True) == run


@pytest.mark.parametrize("name", ["flows.csv", "routes.geojson", "hubs.csv"])
def test_a_missing_or_altered_file_is_refused(run, name):
    (run / name).write_bytes((run / name).read_bytes().replace(b"1", b"2", 1))
    with pytest.raises(DataError, match=name):
        read_run(run)
    (run / name).unlink()
    with pytest.raises(DataError, match=f"{name}: is missing"):
        read_run(run)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"status": 3}', "\xff"])
def test_a_manifest_that_is_none_is_refused(run, text):
    (run / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"manifest\.json"):
        read_run(run)


def test_no_run_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="hubplan plan wrote"):
        read_run(tmp_path / "nowhere")


def test_an_unproven_bound_is_null(plan, tmp_path):
    folder = write_run(replace(plan, bound_usd=-np.inf, gap_share=np.inf, status="time_limit"), tmp_path / "run")
    assert json.loads((folder / "manifest.json").read_text())["bound_usd"] is None
    assert read_run(folder).bound_usd == -np.inf


def test_no_cell_of_a_run_starts_a_formula(plan, tmp_path):
    sites = plan.sites.assign(name='=HYPERLINK("http://x")')
    folder = write_run(replace(plan, sites=sites), tmp_path / "run")
    assert "=HYPERLINK" in (folder / "sites.csv").read_text()
    assert pd.read_csv(folder / "sites.csv")["name"].str.startswith("'=").all()
    assert read_run(folder).sites["name"].iloc[0] == '=HYPERLINK("http://x")'
