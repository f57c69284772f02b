"""Solver processes: each keeps one model and answers jobs on it, and can be ended at any moment.

MathOpt's HiGHS neither calls back nor heeds an interrupt, so the only way to cancel is to end the process it runs in. A child
also keeps a crash of native code away from the caller.
"""

from __future__ import annotations

import datetime
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait

import numpy as np
import numpy.typing as npt

from hubplan.errors import Fault, NoPlanError
from hubplan.model.assembly import Arrays

Floats = npt.NDArray[np.float64]

IMPLIED = ("closed sends nothing",)
"""Families that only tighten a relaxation: left out once every yes and no is fixed, since they would share the others' duals."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One solve of the engine's model.

    Parameters
    ----------
    label
        Names the job in progress events.
    fixed
        Values of the integer columns (NaN leaves one free); None leaves all free.
    relaxed
        Drop integrality: a linear program by interior point.
    hint
        Values of the integer columns to start from.
    """

    label: str
    fixed: Floats | None = None
    relaxed: bool = False
    hint: Floats | None = None
    time_limit_s: float = 60.0
    gap_share: float = 0.0
    seed: int = 1


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a job found: values of all columns, or None; M USD; the bound is for the job's own problem.

    ``row_duals`` is there for linear programs only: cost of one more unit of each row's limit.
    """

    values: Floats | None
    cost: float
    bound: float
    reason: str
    seconds: float
    row_duals: Floats | None = None


def solve_here(arrays: Arrays, job: Job) -> Answer:
    """Run one job with MathOpt's HiGHS in this process."""
    from ortools.math_opt import parameters_pb2
    from ortools.math_opt.core.python import solver as core
    from ortools.math_opt.python import mathopt

    start = time.perf_counter()
    integer = np.flatnonzero(arrays.integer)
    lower, upper = arrays.lower.copy(), arrays.upper.copy()
    if job.fixed is not None:
        known = np.isfinite(job.fixed)
        lower[integer[known]] = upper[integer[known]] = job.fixed[known]
    free = job.fixed is None or not np.isfinite(job.fixed).all()
    linear = job.relaxed or not free or not len(integer)
    row_upper = arrays.row_upper.copy()
    if not free:
        for family in IMPLIED:
            row_upper[slice(*arrays.families.get(family, (0, 0)))] = np.inf
    proto = replace(arrays, lower=lower, upper=upper, row_upper=row_upper).to_proto(relaxed=linear)
    params = mathopt.SolveParameters(
        time_limit=datetime.timedelta(seconds=job.time_limit_s),
        random_seed=job.seed,
        lp_algorithm=mathopt.LPAlgorithm.BARRIER if linear else None,
        relative_gap_tolerance=None if linear else job.gap_share,
        absolute_gap_tolerance=None if linear else 0.0,
    )
    extra = mathopt.ModelSolveParameters().to_proto()
    if job.hint is not None and not linear:
        hint = extra.solution_hints.add()
        hint.variable_values.ids.extend(integer.tolist())
        hint.variable_values.values.extend(job.hint.tolist())
    result = core.solve(
        proto,
        parameters_pb2.SOLVER_TYPE_HIGHS,
        mathopt.StreamableSolverInitArguments().to_proto(),
        params.to_proto(),
        extra,
        None,
        mathopt.CallbackRegistration().to_proto(),
        None,
        None,
    )
    answer = _answer(result, len(arrays.cost), time.perf_counter() - start, minimum=linear)
    return replace(answer, row_duals=_row_duals(result, len(arrays.row_lower))) if linear else answer


def _row_duals(result: object, size: int) -> Floats | None:
    """Duals of a linear program that was solved to the end; interior point ends in a crossover, so they are a basis's."""
    from ortools.math_opt import solution_pb2

    for solution in result.solutions:  # type: ignore[attr-defined]
        dual = solution.dual_solution
        if solution.HasField("dual_solution") and dual.feasibility_status == solution_pb2.SOLUTION_STATUS_FEASIBLE:
            duals = np.zeros(size)
            duals[np.asarray(dual.dual_values.ids, dtype=int)] = np.asarray(dual.dual_values.values)
            return duals
    return None


def _answer(result: object, size: int, seconds: float, *, minimum: bool) -> Answer:
    from ortools.math_opt import result_pb2, solution_pb2

    termination = result.termination  # type: ignore[attr-defined]
    reason = result_pb2.TerminationReasonProto.Name(termination.reason).removeprefix("TERMINATION_REASON_").lower()
    values, cost = None, np.inf
    for solution in result.solutions:  # type: ignore[attr-defined]
        primal = solution.primal_solution
        if (
            solution.HasField("primal_solution")
            and primal.feasibility_status == solution_pb2.SOLUTION_STATUS_FEASIBLE
            and primal.objective_value < cost
        ):
            values, cost = np.zeros(size), float(primal.objective_value)
            values[np.asarray(primal.variable_values.ids, dtype=int)] = np.asarray(primal.variable_values.values)
    bound = float(termination.objective_bounds.dual_bound)
    if minimum and reason != "optimal":
        bound = -np.inf
    return Answer(values=values, cost=cost, bound=bound, reason=reason, seconds=seconds)


def work(descriptor: int) -> None:
    """Main loop of a child: the model, then jobs in and answers out; the parent decides about interrupts."""
    pipe = Connection(descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    arrays: Arrays | None = None
    while True:
        try:
            received = pipe.recv()
        except (EOFError, ConnectionError):
            return
        if arrays is None:
            arrays = received
            continue
        job = received
        try:
            pipe.send(solve_here(arrays, job))
        except Exception as error:  # whatever the solver throws goes to the parent as text
            pipe.send(f"{type(error).__name__}: {error}; {error.__context__ or ''}")


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold back Ctrl-C and SIGTERM until the block is done; only the main thread is ever interrupted by them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda got, _: came.append(got)) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for late in came:
            signal.raise_signal(late)


class Engine:
    """A few solver processes on one model. Use as a context manager: leaving it ends them."""

    def __init__(self, arrays: Arrays, *, workers: int = 2) -> None:
        self._arrays = arrays
        self._queue: deque[tuple[int, Job]] = deque()
        self._busy: dict[Connection, tuple[int, Job]] = {}
        self._workers: list[tuple[subprocess.Popen[bytes], Connection]] = []
        self._count = 0
        self._limit = workers

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, job: Job) -> int:
        """Queue a job; the number returned comes back with its answer."""
        self._count += 1
        self._queue.append((self._count, job))
        self._feed()
        return self._count

    def _feed(self) -> None:
        idle = [pipe for _, pipe in self._workers if pipe not in self._busy]
        while self._queue and (idle or len(self._workers) < self._limit):
            if not idle:
                idle.append(self._start())
            pipe = idle.pop()
            number, job = self._queue.popleft()
            pipe.send(job)
            self._busy[pipe] = (number, job)

    def _start(self) -> Connection:
        """Start a child and give it the model."""
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-c", f"from hubplan.model.engine import work; work({theirs.fileno()})"]
        pipe = Connection(ours.detach())
        with _undisturbed():  # so that a child that starts is known, and ended with the others
            process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
            self._workers.append((process, pipe))
        theirs.close()
        pipe.send(self._arrays)
        return pipe

    def answers(self, *, until: float) -> Iterator[tuple[int, Job, Answer]]:
        """Answers as they come, until none is left or the clock (`time.monotonic`) passes `until`.

        Raises
        ------
        NoPlanError
            A solver process died or refused the model.
        """
        while self._busy and (left := until - time.monotonic()) > 0:
            for pipe in wait(list(self._busy), timeout=min(left, 0.5)):
                assert isinstance(pipe, Connection)
                number, job = self._busy.pop(pipe)
                try:
                    answer = pipe.recv()
                except (EOFError, ConnectionError) as error:
                    fault = Fault(
                        "solver", f"its process ended during {job.label}", "free memory, or lower the number of periods"
                    )
                    raise NoPlanError([fault], "the solver stopped") from error
                if isinstance(answer, str):
                    raise NoPlanError(
                        [Fault(f"solver, {job.label}", answer, "report this with the scenario")],
                        "the solver refused the model",
                    )
                self._feed()
                yield number, job, answer

    def stop(self) -> None:
        """Forget all jobs, running ones too: their processes are ended, and new ones start with the next job."""
        self.close()

    def close(self) -> None:
        """End the processes at once, whatever they are doing."""
        for process, pipe in self._workers:
            process.kill()
            process.wait()
            pipe.close()
        self._workers.clear()
        self._busy.clear()
        self._queue.clear()
