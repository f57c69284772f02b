"""The whole program on one page."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hubplan.data.access import Access, resolve_access
from hubplan.data.scenario import Scenario
from hubplan.data.tables import Tables, read_tables
from hubplan.model.build import build_instance
from hubplan.model.instance import Instance
from hubplan.model.solution import Solution
from hubplan.model.solve import solve
from hubplan.network.assemble import build_network
from hubplan.results.build import build_plan
from hubplan.results.plan import Plan
from hubplan.routing.routes import Routes, find_routes

Progress = Callable[[Mapping[str, object]], None]


def run(
    scenario: Scenario,
    geodata: Path | str | None = None,
    *,
    time_limit_s: float | None = None,
    gap_share: float | None = None,
    progress: Progress = lambda event: None,
) -> Plan:
    """Plan one scenario.

    Parameters
    ----------
    scenario
        The question.
    geodata
        Folder of tables; by default the shipped one.
    time_limit_s, gap_share
        Override the scenario's own.
    progress
        Called with ``event``, ``seconds`` and, once there are any, ``incumbent_usd`` and ``bound_usd``.

    Raises
    ------
    DataError, NoPlanError
        See `hubplan.data.scenario`, `hubplan.model.solve`.
    """
    clock = Clock(progress)
    case = prepare(scenario, geodata, clock=clock)
    solution = solve(  # the decision
        case.instance,
        time_limit_s=scenario.solver.time_limit_s if time_limit_s is None else time_limit_s,
        gap_share=scenario.solver.gap_share if gap_share is None else gap_share,
        seed=scenario.solver.seed,
        progress=progress,
    )
    clock.mark("solution")
    return case.plan(solution, seconds=clock.seconds)  # the answer, as tables


@dataclass(frozen=True, kw_only=True)
class Case:
    """A scenario made ready to solve: everything the decision rests on."""

    scenario: Scenario
    tables: Tables
    access: Access
    routes: Routes
    instance: Instance

    def plan(self, solution: Solution, *, seconds: Mapping[str, float] | None = None) -> Plan:
        """Write a solution as a plan."""
        return build_plan(
            self.instance,
            solution,
            tables=self.tables,
            routes=self.routes,
            scenario=self.scenario,
            access=self.access,
            seconds=seconds,
        )


def prepare(scenario: Scenario, geodata: Path | str | None = None, *, clock: Clock | None = None) -> Case:
    """Read the world, and line up the numbers of one scenario."""
    clock = clock or Clock()
    tables = read_tables(geodata)  # what the world is
    access = resolve_access(scenario, tables)  # what this scenario leaves open in it
    clock.mark("tables")
    network = build_network(tables)  # how cargo can move at all
    clock.mark("network")
    routes = find_routes(network, tables, scenario, access=access)  # the ways this scenario leaves open
    clock.mark("routes")
    instance = build_instance(tables, routes, scenario, access=access)  # the numbers, aligned and checked
    clock.mark("instance")
    return Case(scenario=scenario, tables=tables, access=access, routes=routes, instance=instance)


class Clock:
    """Seconds by step, told as they pass."""

    def __init__(self, progress: Progress = lambda event: None) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress
        self._start = self._last = time.monotonic()

    def say(self, words: str) -> None:
        """Tell something that happened."""
        self._progress(
            {
                "event": words,
                "seconds": round(time.monotonic() - self._start, 2),
                "incumbent_usd": None,
                "bound_usd": None,
            }
        )

    def mark(self, step: str) -> None:
        """Tell that a step is done, and keep its seconds."""
        now = time.monotonic()
        self.seconds[step], self._last = now - self._last, now
        self.say(step)
