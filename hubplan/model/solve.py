"""Solve an instance: exact where it is small, bounded always (docs/model.md, How it is solved)."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import numpy.typing as npt

from hubplan.errors import Fault, NoPlanError
from hubplan.model.assembly import Arrays
from hubplan.model.conflicts import conflict_faults, find_conflict
from hubplan.model.contingency import read_copies
from hubplan.model.duals import read_prices
from hubplan.model.engine import Answer, Engine, Job
from hubplan.model.formulation import KT, M_USD, Variables, build_model
from hubplan.model.instance import Instance
from hubplan.model.rulebook import UNITS
from hubplan.model.solution import Solution

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Progress = Callable[[Mapping[str, object]], None]

EXACT_BINARIES = 300
THRESHOLDS = (0.5, 0.2, 0.35, 0.7, 0.1, 1.0, 0.03)
PRICING_S = 15.0
"""Seconds that the linear program of the best plan may take beyond the time limit, at least; else a quarter of the limit."""
TOLERANCE_SHARE = 1e-6
"""A gap below this counts as closed: the solver's own feasibility tolerance."""


def quiet(_: Mapping[str, object]) -> None:
    """Tell nobody."""
    return None


class Search:
    """The best plan and the best bound seen so far, in M USD."""

    def __init__(self, progress: Progress, start: float, gap_share: float) -> None:
        self.values: Floats | None = None
        self.row_duals: Floats | None = None
        self.cost, self.bound = np.inf, -np.inf
        self.gap_share = gap_share
        self._progress, self._start = progress, start

    def offer(self, label: str, answer: Answer) -> None:
        """Keep an answer if it is the best so far."""
        if answer.values is not None and answer.cost < self.cost - 1e-9 * max(1.0, abs(answer.cost)):
            self.values, self.cost, self.row_duals = answer.values, answer.cost, answer.row_duals
        self.tell(label)

    def tell(self, event: str) -> None:
        """Pass on where the search stands."""
        self._progress(
            {
                "event": event,
                "seconds": round(time.monotonic() - self._start, 2),
                "incumbent_usd": None if self.values is None else self.cost * M_USD,
                "bound_usd": None if np.isinf(self.bound) else self.bound * M_USD,
            }
        )

    @property
    def gap(self) -> float:
        """How far the best plan can be from the bound, as a share of its cost."""
        if self.values is None or np.isinf(self.bound):
            return np.inf
        return max(0.0, self.cost - self.bound) / max(abs(self.cost), 1e-9)

    @property
    def done(self) -> bool:
        """Whether the gap asked for is reached."""
        return self.gap <= max(self.gap_share, TOLERANCE_SHARE)


def solve(
    inst: Instance,
    *,
    time_limit_s: float = 60.0,
    gap_share: float = 0.0,
    seed: int = 1,
    progress: Progress = quiet,
    workers: int = 2,
) -> Solution:
    """Find a plan and prove how good it is.

    Parameters
    ----------
    inst
        The numbers.
    time_limit_s
        Wall-clock limit of the search, building included; the best plan by then is returned with its bound.
    gap_share
        Stop when (cost - bound) / cost is at most this. 0 asks for the optimum.
    progress
        Called with ``event``, ``seconds``, ``incumbent_usd`` and ``bound_usd`` at each step.
    workers
        Solver processes.

    Raises
    ------
    NoPlanError
        The hard rules (budget, number of hubs, what must open) leave no plan, or time ran out before there was one.

    Notes
    -----
    Up to 300 binaries HiGHS branches and bounds. Above, the relaxation is solved by interior point, sizes are rounded at
    several thresholds and each is re-solved as a linear program; then neighbourhoods of the best plan are searched exactly.
    Ctrl-C ends the search and returns the best plan so far; without one it is passed on.
    """
    start = time.monotonic()
    arrays, var = build_model(inst)
    built = time.monotonic()
    search = Search(progress, start, gap_share)
    binaries = int(arrays.integer.sum())
    search.tell(
        f"model built: {len(arrays.cost):,} columns, {len(arrays.row_lower):,} rows, "
        f"{arrays.matrix.nnz:,} terms, {binaries} binaries"
    )
    until = start + time_limit_s
    cancelled = False
    with Engine(arrays, workers=workers) as engine:
        try:
            if binaries <= EXACT_BINARIES or inst.lane_whole.any():
                _search_exactly(engine, search, until=until, gap_share=gap_share, seed=seed, binaries=binaries)
            else:
                _search_by_rounding(engine, search, arrays, inst, var, until=until, seed=seed)
            _price(engine, search, arrays, time_limit_s=max(PRICING_S, time_limit_s / 4), seed=seed)
        except KeyboardInterrupt:
            if search.values is None:
                raise
            cancelled = True
            search.tell("cancelled; the best plan so far is kept")
    if search.values is None:
        _refuse(inst, search, time_limit_s, seed)
    status = (
        "optimal"
        if search.gap <= TOLERANCE_SHARE
        else "within_gap"
        if search.gap <= gap_share
        else "cancelled"
        if cancelled
        else "time_limit"
    )
    seconds = {"model": built - start, "solve": time.monotonic() - built}
    found = read_solution(inst, var, search, status, seconds)
    if search.row_duals is None:
        return found
    assert search.values is not None
    return replace(found, prices=read_prices(inst, var, arrays, search.values, search.row_duals))


def _price(engine: Engine, search: Search, arrays: Arrays, *, time_limit_s: float, seed: int) -> None:
    """Solve the linear program of the best plan, if that came from branch and bound: only a linear program has duals."""
    if search.values is None or search.row_duals is not None:
        return
    engine.stop()
    best = np.round(search.values[np.flatnonzero(arrays.integer)])
    engine.submit(Job(label="prices", fixed=best, time_limit_s=time_limit_s, seed=seed))
    for _, job, answer in engine.answers(until=time.monotonic() + time_limit_s + 1.0):
        if answer.values is not None and answer.cost <= search.cost + TOLERANCE_SHARE * abs(search.cost):
            search.values, search.row_duals = answer.values, answer.row_duals
            search.cost = answer.cost
            search.tell(job.label)


def relaxation_usd(
    inst: Instance, *, closed: Collection[int] | Ints = (), time_limit_s: float = 60.0, seed: int = 1
) -> float:
    """Least cost of the linear relaxation, discounted USD: a lower bound of every plan's cost; -inf if not solved in time.

    Facilities whose rows are in `closed` neither run nor are built; what they are reported to have made is not asked of them.
    """
    rows = np.asarray(list(closed), dtype=int)
    shut = np.isin(inst.processes["facility"].to_numpy(dtype=int), rows)
    known = ~shut[inst.fixed_output["process"].to_numpy(dtype=int)]
    arrays, var = build_model(replace(inst, fixed_output=inst.fixed_output[known].reset_index(drop=True)))
    upper = arrays.upper.copy()
    for columns in (var.run[shut], var.opened[rows], var.size[rows], var.kept[rows]):
        upper[columns[columns >= 0]] = 0.0
    until = time.monotonic() + time_limit_s
    bound = -np.inf
    with Engine(replace(arrays, upper=upper), workers=1) as engine:
        engine.submit(Job(label="relaxation", relaxed=True, time_limit_s=time_limit_s, seed=seed))
        for _, _, answer in engine.answers(until=until + 1.0):
            bound = answer.bound
    return bound * M_USD


def _refuse(inst: Instance, search: Search, time_limit_s: float, seed: int) -> None:
    if np.isposinf(search.bound):
        search.tell("the hard rules leave no plan; looking for those that conflict")
        conflict = find_conflict(inst, time_limit_s=time_limit_s, seed=seed)
        raise NoPlanError(conflict_faults(inst, conflict), "no plan")
    fault = Fault(
        "solver.time_limit_s", f"{time_limit_s:g} s passed without a plan", "give more time, or fewer periods"
    )
    raise NoPlanError([fault], "no plan in time", timed_out=True)


def _search_exactly(
    engine: Engine, search: Search, *, until: float, gap_share: float, seed: int, binaries: int
) -> None:
    """Branch and bound; the relaxation runs beside it, so that a bound is there early."""
    left = max(0.0, until - time.monotonic())
    if binaries:
        engine.submit(Job(label="relaxation", relaxed=True, time_limit_s=left, seed=seed))
    engine.submit(Job(label="branch and bound", time_limit_s=left, gap_share=gap_share, seed=seed))
    for _, job, answer in engine.answers(until=until + 5.0):
        if "infeasible" in answer.reason:
            search.bound = np.inf
            return
        search.bound = max(search.bound, answer.bound)
        if job.relaxed and binaries:
            search.tell(job.label)
        else:
            search.offer(job.label, answer)


def _relax(engine: Engine, search: Search, arrays: Arrays, inst: Instance, *, until: float, seed: int) -> Floats | None:
    """Values of the relaxation, whose cost bounds every plan's; None if there is no plan or no time.

    The copies of N-1 come last and only add cost, so the relaxation without them bounds the plan as well, in a third of the
    time (docs/performance.md); the plans themselves have them.
    """
    job = Job(label="relaxation", relaxed=True, time_limit_s=max(0.0, until - time.monotonic()), seed=seed)
    if inst.contingencies is None:
        engine.submit(job)
        return _first_values(engine, search, until=until)
    lighter, _ = build_model(replace(inst, contingencies=None))
    size = len(lighter.cost)
    assert np.array_equal(lighter.cost, arrays.cost[:size]) and (arrays.cost[size:] >= 0).all()
    with Engine(lighter, workers=1) as apart:
        apart.submit(job)
        values = _first_values(apart, search, until=until)
    return None if values is None else np.concatenate([values, np.zeros(len(arrays.cost) - size)])


def _first_values(engine: Engine, search: Search, *, until: float) -> Floats | None:
    for _, job, answer in engine.answers(until=until):
        if "infeasible" in answer.reason:
            search.bound = np.inf
            return None
        search.bound = answer.bound
        search.tell(job.label)
        return answer.values
    return None


def _search_by_rounding(
    engine: Engine, search: Search, arrays: Arrays, inst: Instance, var: Variables, *, until: float, seed: int
) -> None:
    """Relaxation, threshold rounding, neighbourhoods of the best plan, and branch and bound with what time is left."""
    relaxed = _relax(engine, search, arrays, inst, until=until, seed=seed)
    if relaxed is None:
        return
    _solve_patterns(engine, search, find_roundings(inst, var, arrays, relaxed), until=until, seed=seed)
    if search.values is not None and not search.done:
        _search_neighbourhoods(engine, search, arrays, inst, var, relaxed, until=until, seed=seed)
    if not search.done and (left := until - time.monotonic()) > 2.0:
        best = None if search.values is None else np.round(search.values[np.flatnonzero(arrays.integer)])
        engine.submit(
            Job(label="branch and bound", hint=best, time_limit_s=left, gap_share=search.gap_share, seed=seed)
        )
        for _, job, answer in engine.answers(until=until + 5.0):
            if "infeasible" in answer.reason and search.values is None:
                search.bound = np.inf
                return
            search.bound = max(search.bound, answer.bound)
            search.offer(job.label, answer)


def find_roundings(inst: Instance, var: Variables, arrays: Arrays, relaxed: Floats) -> dict[str, Floats]:
    """Open by t where the relaxed size by t reaches a share of the smallest size; monotone because sizes are.

    The last pattern builds nothing but what must open, and that at the end, so that there is a plan even where growth limits
    defeat the others.
    """
    integer = np.flatnonzero(arrays.integer)
    size = np.where(var.size >= 0, relaxed[var.size], 0.0)
    smallest = np.maximum(inst.facilities["smallest_t_yr"].to_numpy(float)[:, None] / KT, 1e-9)
    must = np.zeros(len(inst.facilities), dtype=bool)
    must[list(inst.must_open)] = True
    patterns: dict[str, Floats] = {}
    for threshold in (*THRESHOLDS, np.inf):
        opened = (size >= threshold * smallest) | must[:, None]
        if np.isinf(threshold):
            opened[:, :-1] = False
        values = np.zeros(len(arrays.cost))
        exists = var.opened >= 0
        values[var.opened[exists]] = opened[exists]
        pattern = values[integer]
        if not any(np.array_equal(pattern, other) for other in patterns.values()):
            patterns[f"rounding at {threshold:g}"] = pattern
    return patterns


def _solve_patterns(engine: Engine, search: Search, patterns: Mapping[str, Floats], *, until: float, seed: int) -> None:
    """Solve the linear program of each pattern until one is good enough.

    Answers count in the patterns' order, whichever process is first, so that the same instance gives the same plan.
    """
    numbers = [
        engine.submit(Job(label=label, fixed=pattern, time_limit_s=max(1.0, until - time.monotonic()), seed=seed))
        for label, pattern in patterns.items()
    ]
    waiting: dict[int, tuple[Job, Answer]] = {}
    for number, job, answer in engine.answers(until=until):
        waiting[number] = (job, answer)
        while numbers and numbers[0] in waiting and not search.done:
            search.offer(waiting[numbers[0]][0].label, waiting.pop(numbers.pop(0))[1])
        if search.done:
            engine.stop()
            return
    for job, answer in (
        waiting[number] for number in sorted(waiting)
    ):  # left when time is up before an earlier pattern came
        search.offer(job.label, answer)


def _search_neighbourhoods(
    engine: Engine,
    search: Search,
    arrays: Arrays,
    inst: Instance,
    var: Variables,
    relaxed: Floats,
    *,
    until: float,
    seed: int,
) -> None:
    """Free the binaries of a few stages at a time, those that the relaxation leaves undecided first, and solve exactly."""
    integer = np.flatnonzero(arrays.integer)
    stage_of = np.full(len(arrays.cost), "", dtype=object)
    exists = var.opened >= 0
    stage_of[var.opened[exists]] = np.broadcast_to(
        inst.facilities["stage"].to_numpy(dtype=object)[:, None], exists.shape
    )[exists]
    stages = [
        "mine",
        "crack_leach",
        "separation_light",
        "separation_heavy",
        "metal",
        "alloy",
        "magnet",
        "recycling",
    ]
    undecided = (relaxed[integer] > 1e-6) & (relaxed[integer] < 1 - 1e-6)
    groups: list[tuple[str, npt.NDArray[np.bool_]]] = [("undecided facilities", undecided)]
    groups += [
        (f"{a} and {b}", np.isin(stage_of[integer], (a, b)))
        for a, b in zip(stages, [*stages[1:], stages[0]], strict=True)
    ]
    for label, free in groups:
        left = until - time.monotonic()
        if search.done or left < 2.0:
            return
        assert search.values is not None
        best = np.round(search.values[integer])
        pattern = np.where(free, np.nan, best)
        share = max(search.gap_share / 4, 1e-5)
        engine.submit(
            Job(
                label=f"neighbourhood: {label}",
                fixed=pattern,
                hint=best,
                time_limit_s=min(left, 15.0),
                gap_share=share,
                seed=seed,
            )
        )
        for _, job, answer in engine.answers(until=until):
            search.offer(job.label, answer)


def read_solution(
    inst: Instance, var: Variables, search: Search, status: str, seconds: Mapping[str, float]
) -> Solution:
    """Turn columns into a `Solution` in t and USD."""
    values = search.values
    assert values is not None

    def take(ids: npt.NDArray[np.int64]) -> Floats:
        return np.where(ids >= 0, values[ids], 0.0) * KT if ids.size else np.zeros(ids.shape)

    exists = var.opened >= 0
    scale = inst.rules.table["unit"].map(dict(UNITS)).to_numpy(dtype=float)
    return Solution(
        status=status,
        cost_usd=search.cost * M_USD,
        bound_usd=min(search.bound, search.cost) * M_USD,
        opened=exists & (np.where(exists, values[var.opened], 0.0) > 0.5),
        size_t_yr=take(var.size),
        run_t=take(var.run),
        flow_t=take(var.flow),
        stock_t=take(var.stock),
        held_t=take(var.held),
        sold_t=take(var.sold),
        unmet_t=take(var.unmet),
        kept_share=np.where(var.kept >= 0, values[var.kept], 1.0),
        broken=np.where(var.broken >= 0, values[var.broken], 0.0) * scale,
        copies=read_copies(var.copies, take),
        seconds=seconds,
        solver=f"MathOpt HiGHS, OR-Tools {version('ortools')}",
    )
