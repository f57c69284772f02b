import sys
import time

import pytest

from hubplan.data.scenario import Scenario
from hubplan.views.jobs import BusyError, Jobs, latest_runs

CHILD = """
import json, pathlib, signal, sys, time
name, folder = pathlib.Path(sys.argv[2]).read_text(), pathlib.Path(sys.argv[4])
print(json.dumps({"event": "network", "seconds": 1.5, "incumbent_usd": None, "bound_usd": None}), file=sys.stderr, flush=True)
if "fails" in name:
    print("scenario fails has 1 fault:", file=sys.stderr); sys.exit(2)
print(json.dumps({"event": "search", "seconds": 2.0, "incumbent_usd": 200.0, "bound_usd": 190.0}), file=sys.stderr, flush=True)
def keep(*_):
    folder.mkdir(); (folder / "manifest.json").write_text("{}"); sys.exit(130)
signal.signal(signal.SIGINT, keep)
if "slow" in name:
    time.sleep(30)
folder.mkdir(); (folder / "manifest.json").write_text("{}")
"""


@pytest.fixture
def jobs(tmp_path):
    script = tmp_path / "child.py"
    script.write_text(CHILD, encoding="utf-8")
    return Jobs(tmp_path / "runs", command=(sys.executable, str(script)))


def wait_until(jobs, name, reached):
    end = time.monotonic() + 15
    while not reached(found := jobs.progress(name)):
        assert time.monotonic() < end, found
        time.sleep(0.05)
    return found


def test_a_run_reports_and_ends_with_its_folder(jobs, tmp_path):
    name = jobs.start(Scenario(name="quick"))
    found = wait_until(jobs, name, lambda p: p.state != "running")
    assert (found.state, found.step, found.folder) == ("done", "search", tmp_path / "runs" / name)
    assert found.gap_share == pytest.approx(0.05)
    assert latest_runs(tmp_path / "runs") == [tmp_path / "runs" / name]


def test_a_failed_run_says_what_the_command_said(jobs):
    found = wait_until(jobs, jobs.start(Scenario(name="fails")), lambda p: p.state != "running")
    assert (found.state, found.folder) == ("failed", None)
    assert found.message == "scenario fails has 1 fault:"


def test_a_third_run_waits_and_a_stopped_one_keeps_its_plan(jobs):
    first, second = jobs.start(Scenario(name="slow 1")), jobs.start(Scenario(name="slow 2"))
    with pytest.raises(BusyError):
        jobs.start(Scenario(name="slow 3"))
    for name in (first, second):
        wait_until(jobs, name, lambda p: p.step == "search")
        asked = time.monotonic()
        jobs.stop(name)
        found = wait_until(jobs, name, lambda p: p.state != "running")
        assert time.monotonic() - asked < 2.0
        assert found.state == "stopped" and found.folder is not None


def test_a_run_of_another_server_is_unknown(jobs):
    assert jobs.progress("20260101T000000Z-abcdef") is None


def test_no_runs_yet(tmp_path):
    assert latest_runs(tmp_path / "none") == []
