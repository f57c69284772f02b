"""The command line keeps the contract of README.md: exit statuses, one JSON object, all faults at once, nothing half written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from hubplan.errors import NoPlanError

COMMANDS = [
    ("plan",), ("route",), ("check",), ("compare",), ("schema",), ("app",),
    ("data",), ("data", "list"), ("data", "show"), ("data", "why"), ("data", "validate"),
]  # fmt: skip


def scenario(folder: Path, text: str) -> Path:
    path = folder / "case.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(cli: Any, command: tuple[str, ...]) -> None:
    done = cli(*command, "--help")
    assert done.status == 0
    assert done.out.startswith("Usage: ")
    assert done.err == ""


def test_help_names_every_command(cli: Any) -> None:
    out = cli("--help").out
    assert [
        name for name in ("plan", "route", "check", "compare", "data", "schema", "app") if f"\n  {name} " not in out
    ] == []


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    """That is why it answers at once; a timer would measure the machine."""
    code = (
        "import sys, hubplan.__main__ as m\n"
        "sys.argv = ['hubplan', '--help']\n"
        "try: m.main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'pandas', 'scipy', 'ortools', 'geopandas', 'shapely', 'pydantic', 'folium', 'streamlit'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "Usage: " in done.stdout
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(
    "args",
    [
        ("nonsense",),
        ("plan",),
        ("plan", "case.toml"),
        ("plan", "nowhere.toml", "--out", "run"),
        ("plan", "case.toml", "--out", "run", "--gap", "2"),
        ("plan", "case.toml", "--out", "run", "--colour", "red"),
        ("route", "kuantan"),
        ("route", "narnia", "kuantan"),
        ("route", "mount-weld", "91,200"),
        ("route", "mount-weld", "kuantan", "--close", "taiwan-strit"),
        ("route", "mount-weld", "kuantan", "--modes", "teleport"),
        ("route", "mount-weld", "kuantan", "--ware", "gold"),
        ("check", "nowhere"),
        ("compare", "nowhere", "nowhere"),
        ("data", "show", "gold"),
        ("data", "why", "mines", "atlantis", "capacity_reo_t_yr"),
        ("data", "why", "mines", "mount-weld", "colour"),
        ("data", "validate", "nowhere"),
    ],
    ids=" ".join,
)
def test_bad_usage_is_status_2_and_writes_nothing(cli: Any, tmp_path: Path, args: tuple[str, ...]) -> None:
    scenario(tmp_path, 'name = "case"\n')
    done = cli(*args)
    assert done.status == 2, done.err
    assert done.err.strip()
    assert "Traceback" not in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["case.toml"]


def test_all_unknown_keys_are_told_at_once_with_their_lines(cli: Any, tmp_path: Path) -> None:
    path = scenario(tmp_path, 'name = "case"\ncolour = 1\n[horizon]\nyeers = [2026]\n[solver]\nseed = -1\n')
    done = cli("plan", path, "--out", tmp_path / "run")
    assert done.status == 2
    for line, key in ((2, "colour"), (4, "horizon.yeers"), (6, "solver.seed")):
        assert f"case.toml, line {line}, {key}: " in done.err
    assert done.err.count("fix: ") == 3
    assert not (tmp_path / "run").exists()


def test_all_unknown_ids_are_told_at_once(cli: Any, tmp_path: Path) -> None:
    path = scenario(
        tmp_path,
        'name = "case"\n[coalition]\nmembers = ["narnia"]\nexcluded = ["XYZ"]\n[routes]\nclosed = ["taiwan-strit"]\n'
        '[demand]\nset = "dreams"\n[policy]\nmust_open = ["atlantis-magnet"]\n',
    )
    done = cli("plan", path, "--out", tmp_path / "run", "--json")
    assert done.status == 2
    found = {fault["where"]: fault for fault in done.json["faults"]}
    assert set(found) == {"coalition.members", "coalition.excluded", "routes.closed", "demand.set", "policy.must_open"}
    assert "taiwan-strait" in found["routes.closed"]["fix"]
    assert all(fault["found"] and fault["fix"] for fault in found.values())
    assert not (tmp_path / "run").exists()


def test_a_key_that_does_nothing_yet_is_refused(cli: Any, tmp_path: Path) -> None:
    """A planner's own tables may not be left out of the plan without a word."""
    path = scenario(tmp_path, 'name = "case"\ndata = ["my-tables"]\n[horizon]\nyears = [2026]\n')
    done = cli("plan", path, "--out", tmp_path / "run")
    assert done.status == 2
    assert "data" in done.err


def test_an_existing_folder_is_left_alone(cli: Any, tmp_path: Path) -> None:
    path = scenario(tmp_path, 'name = "case"\n')
    mine = tmp_path / "run"
    mine.mkdir()
    (mine / "thesis.txt").write_text("mine", encoding="utf-8")
    for options in ((), ("--force",)):
        done = cli("plan", path, "--out", mine, *options)
        assert done.status == 2
        assert [entry.name for entry in mine.iterdir()] == ["thesis.txt"]


def test_no_route_is_status_3_and_names_the_cut(cli: Any) -> None:
    done = cli("route", "mount-weld", "kuantan", "--modes", "road,rail", "--json")
    assert done.status == 3
    assert "no open route" in done.json["error"]
    (fault,) = done.json["faults"]
    assert "sea" in fault["found"]
    assert "allow sea" in fault["fix"]


def test_an_excluded_country_is_no_destination(cli: Any, tmp_path: Path) -> None:
    path = scenario(tmp_path, 'name = "case"\n[coalition]\nexcluded = ["CHN"]\n')
    done = cli("route", "mount-weld", "baotou-cluster", "--scenario", path)
    assert done.status == 3
    assert "CHN" in done.err


def test_impossible_rules_are_status_3_and_name_the_rule(cli: Any, tmp_path: Path) -> None:
    """A magnet plant cannot be built for one dollar."""
    path = scenario(
        tmp_path,
        'name = "case"\n[horizon]\nyears = [2026, 2035]\n[coalition]\nmembers = ["five-eyes"]\n'
        '[policy]\nmust_open = ["cand-becancour-magnet"]\nbudget_usd = 1\n',
    )
    done = cli("plan", path, "--out", tmp_path / "run", "--json")
    assert done.status == 3, done.err
    assert "budget" in json.dumps(done.json["faults"])
    assert not (tmp_path / "run").exists()


def test_no_plan_in_time_is_status_4(cli: Any, tmp_path: Path, root: Path) -> None:
    done = cli("plan", root / "examples" / "allied-2035.toml", "--out", tmp_path / "run", "--time-limit", 0.1, "--json")
    assert done.status == 4
    assert "solver.time_limit_s" in done.json["faults"][0]["where"]
    assert list(tmp_path.iterdir()) == []


def test_out_of_time_is_not_out_of_plans() -> None:
    assert NoPlanError([], timed_out=True).timed_out
    assert not NoPlanError([]).timed_out


@pytest.mark.parametrize(
    "args",
    [
        ("route", "mount-weld", "kuantan"),
        ("route", "mount-weld", "MYKUA", "--alternatives", "2", "--close", "malacca"),
        ("data", "list"),
        ("data", "why", "mines", "mount-weld", "capacity_reo_t_yr"),
    ],
    ids=" ".join,
)
def test_json_is_one_object_and_nothing_else(cli: Any, args: tuple[str, ...]) -> None:
    done = cli(*args, "--json")
    assert done.status == 0, done.err
    assert done.json


def test_a_route_tells_what_the_contract_asks(cli: Any) -> None:
    found = cli("route", "mount-weld", "kuantan", "--json").json
    assert {"length_km", "hours", "cost_usd_t", "legs"} <= set(found)
    legs = found["legs"]
    columns = {"leg", "mode", "from", "to", "length_km", "hours", "cost_usd_t", "countries", "chokepoints", "ports"}
    assert all(columns <= set(leg) for leg in legs)
    assert sum(leg["length_km"] for leg in legs) == pytest.approx(found["length_km"])
    assert sum(leg["hours"] for leg in legs) == pytest.approx(found["hours"])
    assert [leg["leg"] for leg in legs] == list(range(1, len(legs) + 1))


def test_a_place_may_lie_south_and_west(cli: Any) -> None:
    """A latitude that starts with a minus is a place, not an option."""
    done = cli("route", "-28.86,122.55", "kuantan", "--json")
    assert done.status == 0, done.err
    named = cli("route", "mount-weld", "kuantan", "--json").json
    assert done.json["length_km"] == pytest.approx(named["length_km"], rel=0.05)


def test_a_route_map_is_written_once(cli: Any, tmp_path: Path) -> None:
    page = tmp_path / "way.html"
    assert cli("route", "mount-weld", "kuantan", "--map", page).status == 0
    before = page.read_bytes()
    assert b"<html" in before[:500].lower()
    assert cli("route", "mount-weld", "kuantan", "--map", page).status == 2
    assert page.read_bytes() == before


def test_schema_is_json_and_knows_every_key_of_the_examples(cli: Any, root: Path) -> None:
    schema = json.loads(cli("schema").out)
    for path in sorted((root / "examples").glob("*.toml")):
        assert set(tomllib.loads(path.read_text(encoding="utf-8"))) <= set(schema["properties"])


def test_plan_prints_one_object_and_tells_progress_beside_it(allied_run: Any) -> None:
    found = allied_run.done.json
    assert {"folder", "map", "status", "objective_usd", "bound_usd", "gap_share", "seconds"} <= set(found)
    assert Path(found["folder"]) == allied_run.folder
    assert Path(found["map"]).is_file()
    events = [json.loads(line) for line in allied_run.done.err.splitlines()]
    assert {"tables", "network", "routes", "instance", "solution"} <= {event["event"] for event in events}


def test_check_and_compare_read_what_plan_wrote(cli: Any, today_run: Any, allied_run: Any, tmp_path: Path) -> None:
    assert cli("check", today_run.folder, "--json").json["run"] == str(today_run.folder)
    told = cli("compare", allied_run.folder, today_run.folder)
    assert told.status == 0, told.err
    assert "demand.set" in told.out
    done = cli("compare", allied_run.folder, today_run.folder, "--out", tmp_path / "changes", "--json")
    assert done.status == 0, done.err
    assert done.json["objective_change_usd"] == pytest.approx(
        today_run.done.json["objective_usd"] - allied_run.done.json["objective_usd"]
    )
    assert (tmp_path / "changes").is_dir()


def test_a_tampered_run_does_not_pass(cli: Any, today_run: Any, tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(today_run.folder, tmp_path / "copy")
    text = (copy / "flows.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (copy / "flows.csv").write_text("".join(text[:-1]), encoding="utf-8")
    done = cli("check", copy)
    assert done.status == 2
    assert "flows.csv" in done.out


class _Started:
    """``hubplan plan`` under way in a process group of its own, so that what it leaves behind can be seen."""

    def __init__(self, folder: Path, path: Path, *options: str) -> None:
        self.out = folder / "run"
        command = [sys.executable, "-m", "hubplan", "plan", str(path), "--out", str(self.out), "--json", *options]
        self.process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip

    def interrupt_when(self, ready: Any) -> tuple[float, str, str]:
        """Wait for an event, press Ctrl-C (the terminal sends it to the whole group), and wait for the end."""
        assert self.process.stderr is not None
        seen = ""
        for line in self.process.stderr:
            seen += line
            if line.startswith("{") and ready(json.loads(line)):
                break
        else:
            pytest.fail(f"ended before it could be interrupted: {seen}")
        start = time.monotonic()
        os.killpg(self.process.pid, signal.SIGINT)
        out, err = self.process.communicate(timeout=60)
        return time.monotonic() - start, out, err

    def left_behind(self) -> bool:
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True


@pytest.mark.parametrize("step", ["tables", "routes", "model built"])
def test_ctrl_c_before_there_is_a_plan_writes_nothing(tmp_path: Path, root: Path, step: str) -> None:
    started = _Started(tmp_path, root / "examples" / "allied-2035.toml")
    seconds, out, err = started.interrupt_when(lambda event: event["event"].startswith(step))
    assert started.process.returncode == 130, err
    assert out == "" or json.loads(out)
    assert "cancelled" in err
    assert list(tmp_path.iterdir()) == []
    assert not started.left_behind()
    assert seconds < 10  # 2 s on an idle machine


def test_ctrl_c_keeps_the_best_plan(tmp_path: Path, root: Path, cli: Any) -> None:
    text = (root / "examples" / "allied-2035.toml").read_text(encoding="utf-8")
    years = "years = [2026, 2027, 2028, 2029, 2030, 2032, 2035]"
    assert years in text
    case = tmp_path / "case"
    case.mkdir()
    path = scenario(case, text.replace(years, "years = [2026, 2028, 2030, 2035]"))
    started = _Started(tmp_path, path, "--gap", "0", "--time-limit", "200")
    _, out, err = started.interrupt_when(lambda event: event["incumbent_usd"] is not None)
    assert started.process.returncode == 130, err
    assert not started.left_behind()
    found = json.loads(out)
    assert found["status"] == "cancelled"
    manifest = json.loads((started.out / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["status"] == "cancelled"
    assert (started.out / "map.html").is_file()
    assert cli("check", started.out, "--json").json["faults"] == []
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["case", "run"]


def test_the_console_script_is_the_same_program(cli: Any, tmp_path: Path) -> None:
    script = Path(sys.executable).parent / "hubplan"
    done = subprocess.run([script, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == cli("--help").out.replace("python -m hubplan", "hubplan")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """The wheel of this source tree, unpacked; built with the hatchling that is installed, without the internet."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    env = {**os.environ, "PIP_NO_INDEX": "1"}
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(root)]
    subprocess.run(build, env=env, cwd=folder, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    target = folder / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(target), str(built)], env=env, cwd=folder, check=True)
    return target


def test_the_wheel_needs_no_source_tree(wheel: Path, tmp_path: Path, root: Path) -> None:
    code = (
        "import hubplan, hubplan.data.shipped as s, hubplan.views.server as v\n"
        "print(hubplan.__file__)\n"
        "for name in ('geodata', 'examples', 'streamlit_app.py'): print(s.shipped_path(name))\n"
        "print(v.app_command()[4])\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(wheel), os.environ["PYTHONPATH"]])}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    paths = done.stdout.splitlines()
    assert len(paths) == 5
    assert [path for path in paths if not path.startswith(str(wheel))] == []
    assert [path for path in paths if not Path(path).exists()] == []
    shipped = wheel / "hubplan" / "_shipped"
    for folder in ("geodata", "examples"):
        ours = {
            path.relative_to(root)
            for path in (root / folder).rglob("*")
            if path.suffix in {".csv", ".json", ".npz", ".toml"}
        }
        assert {path for path in ours if (shipped / path).read_bytes() != (root / path).read_bytes()} == set()


def test_the_wheel_plans(wheel: Path, tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(wheel), os.environ["PYTHONPATH"]])}
    example = wheel / "hubplan" / "_shipped" / "examples" / "today.toml"
    command = [sys.executable, "-m", "hubplan", "plan", str(example), "--out", "run", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "map.html").is_file()
