"""What `solve` promises whatever the instance: limits, gaps, statuses, the same plan twice, and an end when told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from strategies import instances

from hubplan.errors import NoPlanError
from hubplan.model import engine
from hubplan.model import solve as solving
from hubplan.model.instance import Instance
from model.conftest import tiny_world
from model.worlds import InlineEngine, World, solve


def cities(n: int) -> Instance:
    """As many hubs as users, each near its own: a siting problem with many plans that are almost as good."""
    return cities_world(n).build()


def cities_world(n: int, *, seed: int = 7) -> World:
    random = np.random.default_rng(seed)
    at, size = random.uniform(0, 100, (n, 2)), random.uniform(10, 50, n).round(1) * 1e3
    world = World().mine("mine", "ore", 1e9)
    for i in range(n):
        world.facility(
            f"hub-{i}", sizes=(2e4, 3e5), fixed_usd=4e7, slope_usd_t_yr=100, takes={"ore": 1}, makes={"oxide": 1}
        )
        world.lane("ore", "mine", f"hub-{i}")
        for j in range(n):
            world.lane("oxide", f"hub-{i}", f"user-{j}", round(float(np.hypot(*(at[i] - at[j]))) * 20, 2))
    for j in range(n):
        world.demand(f"user-{j}", "oxide", float(size[j]), unmet_usd_t=1e6)
    return world


@pytest.fixture
def rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the path of large instances whatever the size."""
    monkeypatch.setattr(solving, "EXACT_BINARIES", 0)


# Processes -------------------------------------------------------------------------------------------------------------


def test_processes_find_the_same_plan_as_no_processes(tiny):
    solution = solving.solve(tiny)
    assert solution.cost_usd == pytest.approx(1030)
    assert (solution.status, solution.gap_share) == ("optimal", pytest.approx(0, abs=1e-6))
    assert set(solution.seconds) == {"model", "solve"}
    assert "HiGHS" in solution.solver


def test_the_same_seed_gives_the_same_values():
    inst = cities(8)
    first, second = (solving.solve(inst, seed=3) for _ in range(2))
    for name in ("cost_usd", "opened", "size_t_yr", "flow_t", "unmet_t"):
        assert np.array_equal(getattr(first, name), getattr(second, name)), name


def test_no_process_outlives_its_engine():
    with engine.Engine(solving.build_model(tiny_world().build())[0], workers=2) as pool:
        for label in ("one", "two"):
            pool.submit(engine.Job(label=label))
        children = [process for process, _ in pool._workers]
        assert len(children) == 2
    assert all(process.poll() is not None for process in children)


def test_a_dead_process_is_an_error_that_names_its_job():
    with engine.Engine(solving.build_model(tiny_world().build())[0], workers=1) as pool:
        pool.submit(engine.Job(label="doomed"))
        pool._workers[0][0].kill()
        with pytest.raises(NoPlanError, match="doomed"):
            list(pool.answers(until=time.monotonic() + 20))


# Limits ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("time_limit_s", [1e-4, 0.05])
def test_no_time_is_no_plan_in_time(tiny, time_limit_s):
    """Exit status 4, not 3: the rules are not to blame. A plan within the limit is fine too."""
    start = time.monotonic()
    try:
        assert solving.solve(tiny, time_limit_s=time_limit_s).cost_usd == pytest.approx(1030)
    except NoPlanError as error:
        assert error.timed_out
    assert time.monotonic() - start < 8


def test_out_of_time_the_best_plan_is_told_with_its_bound():
    """A hard instance and two seconds: whatever comes has a bound below it and says why it stopped."""
    inst = cities(40)
    start = time.monotonic()
    try:
        solution = solving.solve(inst, time_limit_s=2.5)
    except NoPlanError as error:
        assert error.timed_out
    else:
        assert solution.bound_usd <= solution.cost_usd
        assert solution.status in ("optimal", "time_limit")
        assert (solution.status == "optimal") == (solution.gap_share <= 1e-6)
    assert time.monotonic() - start < 9


def test_a_gap_that_is_allowed_is_stated():
    solution = solve(cities(8), gap_share=0.5)
    assert solution.status in ("optimal", "within_gap")
    assert solution.gap_share <= 0.5


def bound_to_open(*names: str, **policy: Any) -> Instance:
    """`tiny` where these must open, under a budget or a number."""
    world = tiny_world()
    world.must_open = names
    return world.budget(**policy).build()


@pytest.mark.parametrize(
    ("names", "policy"), [(("north", "south"), {"max_hubs": 1}), (("north",), {"budget_usd": 10.0})]
)
def test_hard_rules_that_cannot_hold_are_no_plan(names, policy):
    """Exit status 3. Building North costs 1000."""
    with pytest.raises(NoPlanError) as caught:
        solve(bound_to_open(*names, **policy))
    assert not caught.value.timed_out
    assert "policy" in str(caught.value)


def test_hard_rules_that_cannot_hold_are_no_plan_on_the_way_of_large_instances(rounding):
    with pytest.raises(NoPlanError) as caught:
        solve(bound_to_open("north", budget_usd=10.0))
    assert not caught.value.timed_out


def test_rules_that_only_whole_facilities_break_are_told_from_a_lack_of_time(rounding):
    """Half of North must open, and 600 of its 1000 USD may be spent: half a hub would do, a whole one is too dear."""
    world = tiny_world()
    north = world.row("north")
    world.at_least("must_open", 0.5, ("opened", north, 0, 1.0), id="north", unit="facilities", penalty_usd=np.inf)
    world.at_most("budget_usd", 600, ("opened", north, 0, 1000.0), unit="USD", penalty_usd=np.inf)
    with pytest.raises(NoPlanError) as caught:
        solve(world.build())
    assert not caught.value.timed_out
    assert "policy.must_open north and policy.budget_usd cannot hold together" in str(caught.value)


# Rounding --------------------------------------------------------------------------------------------------------------


def test_rounding_keeps_its_promises_on_cities(monkeypatch):
    inst = cities(12)
    exact = solve(inst)
    monkeypatch.setattr(solving, "EXACT_BINARIES", 0)
    rounded = solve(inst)
    assert rounded.bound_usd <= exact.cost_usd * (1 + 1e-6)
    assert exact.bound_usd <= rounded.cost_usd * (1 + 1e-6)
    assert rounded.cost_usd <= exact.cost_usd / (1 - rounded.gap_share) * (1 + 1e-6)


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(instances())
def test_rounding_is_never_better_than_the_bound_nor_worse_than_its_gap(inst):
    exact = solve(inst)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solving, "EXACT_BINARIES", -1)
        rounded = solve(inst)
    slack = 1e-6 * abs(exact.cost_usd) + 2.0
    assert exact.bound_usd - slack <= rounded.cost_usd
    assert rounded.bound_usd <= exact.cost_usd + slack
    assert rounded.cost_usd - rounded.gap_share * abs(rounded.cost_usd) <= exact.cost_usd + slack


def test_rounding_finds_a_plan_where_only_few_hubs_may_be_built(rounding):
    """The relaxation opens a bit of many hubs: rounding those up would break the number, and the budget."""
    for policy in ({"max_hubs": 1}, {"budget_usd": 5e7}):
        assert solve(cities_world(6).budget(**policy).build()).opened.sum() <= 1


def test_rounding_opens_late_what_must_open_but_may_not_grow_early(rounding):
    """80 t/yr at least, of which growth allows 40 by 2030: it must wait until 2031."""
    world = World((2030, 2031), must_open=["hub"]).budget().mine("mine", "ore", 1e4)
    world.facility("hub", sizes=(80, 500), slope_usd_t_yr=5, takes={"ore": 1}, makes={"oxide": 1}).lane(
        "ore", "mine", "hub"
    )
    world.lane("oxide", "hub", "user").demand("user", "oxide", 10)
    for t, most in enumerate((40.0, 80.0)):
        world.note("growth", stage="separation_light", period=t, most_t_yr=most)
    assert solve(world.build()).opened[1].tolist() == [False, True]


def test_a_plan_found_is_kept_though_an_earlier_one_never_came(monkeypatch, rounding):
    """The first pattern's process hangs until the time is up; the second has answered."""

    class Slow(InlineEngine):
        def answers(self, *, until: float) -> Iterator[tuple[int, Any, Any]]:
            for number, job, answer in super().answers(until=until):
                if not (job.label.startswith("rounding") and number == 2):
                    yield number, job, answer

    monkeypatch.setattr(solving, "Engine", Slow)
    solution = solving.solve(cities(8))
    assert solution.bound_usd <= solution.cost_usd


# Progress and cancelling -----------------------------------------------------------------------------------------------


def test_progress_tells_bound_and_incumbent(rounding):
    told: list[dict[str, Any]] = []
    solution = solve(cities(6), progress=lambda event: told.append(dict(event)))
    assert all(set(event) == {"event", "seconds", "incumbent_usd", "bound_usd"} for event in told)
    costs = [event["incumbent_usd"] for event in told if event["incumbent_usd"] is not None]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] == pytest.approx(solution.cost_usd)
    assert all(event["bound_usd"] <= solution.cost_usd * (1 + 1e-9) for event in told if event["bound_usd"] is not None)


def test_an_interrupt_keeps_the_best_plan(monkeypatch, rounding):
    class Interrupted(InlineEngine):
        def submit(self, job: engine.Job) -> int:
            if job.label.startswith("neighbourhood"):
                raise KeyboardInterrupt
            return super().submit(job)

    monkeypatch.setattr(solving, "Engine", Interrupted)
    inst = cities(12)
    solution = solving.solve(inst)
    assert solution.status in ("cancelled", "optimal")
    assert solution.bound_usd <= solution.cost_usd < np.inf


def test_an_interrupt_without_a_plan_is_passed_on(monkeypatch, tiny):
    class Interrupted(InlineEngine):
        def answers(self, *, until: float) -> Iterator[tuple[int, Any, Any]]:
            raise KeyboardInterrupt

    monkeypatch.setattr(solving, "Engine", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        solving.solve(tiny)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_ends_a_long_solve_within_two_seconds_and_leaves_no_process(tmp_path: Path):
    """A siting problem of half a minute, in a process group of its own, as a terminal would have it."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from model.test_solve import cities\nfrom hubplan.model.solve import solve\n"
        "inst = cities(150)\n"
        "def tell(event):\n    print(event['event'], flush=True)\n"
        "try:\n    print('status', solve(inst, time_limit_s=300, progress=tell).status)\n"
        "except KeyboardInterrupt:\n    print('interrupted')\n"
    )
    command = [sys.executable, "-c", script, str(Path(__file__).parents[1])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith("relaxation"):
                break
        time.sleep(1.0)
        start = time.monotonic()
        os.killpg(child.pid, signal.SIGINT)
        rest = child.communicate(timeout=20)[0]
        assert time.monotonic() - start < 2.0
        assert "interrupted" in rest or "status cancelled" in rest
        with pytest.raises(ProcessLookupError):
            for _ in range(40):
                os.killpg(child.pid, 0)
                time.sleep(0.05)
