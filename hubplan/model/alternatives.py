"""Other plans that cost nearly as little: as far as can be from those found already, within a stated cost.

Modelling to generate alternatives by hop, skip and jump: minimise the use of facilities that earlier plans built, subject to
a cost at most so much above the best (Brill, Chang and Hopkins 1982, doi:10.1287/mnsc.28.3.221). Sizes of that program's
relaxation are rounded as in `hubplan.model.solve`, and each pattern is priced with the true cost, so what is returned keeps
every rule.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy import sparse

from hubplan.errors import DataError, Fault
from hubplan.model.assembly import Arrays
from hubplan.model.engine import Answer, Engine, Job
from hubplan.model.formulation import M_USD, Variables, build_model
from hubplan.model.instance import Instance
from hubplan.model.solution import Solution
from hubplan.model.solve import Progress, Search, find_roundings, quiet, read_solution

Floats = npt.NDArray[np.float64]

DISTANCE_WORTH = 10.0
"""Avoiding all that a plan built is worth this many times the cost allowed above the best."""


def built(solution: Solution) -> frozenset[int]:
    """Rows of the facilities that a plan has built by the end."""
    return frozenset(np.flatnonzero(solution.opened[:, -1]).tolist())


def find_alternatives(
    inst: Instance,
    best: Solution,
    *,
    count: int,
    within_share: float,
    time_limit_s: float = 60.0,
    seed: int = 1,
    progress: Progress = quiet,
) -> list[Solution]:
    """Find plans that build other facilities and cost at most a share more.

    Parameters
    ----------
    inst, best
        The problem and the plan to differ from.
    count
        Plans wanted; fewer come back when none is left within the cost or the time.
    within_share
        Cost allowed above the best plan's, as a share of it.

    Returns
    -------
    list of Solution
        Each differs from `best` and the others in what it builds; in the order found, the farthest first. Their bound is that of
        the best plan.

    Raises
    ------
    DataError
        ``within_share`` is not above nought, or the best plan costs nothing.
    """
    if within_share <= 0 or best.cost_usd <= 0:
        fault = Fault(
            "within_share", f"{within_share:g} of {best.cost_usd:,.0f} USD", "allow a cost above the best plan's"
        )
        raise DataError([fault])
    start = time.monotonic()
    until = start + time_limit_s
    arrays, var = build_model(inst)
    most = best.cost_usd * (1 + within_share) / M_USD
    found: list[Solution] = []
    with Engine(arrays, workers=2) as pricing:
        while len(found) < count and time.monotonic() < until - 1:
            known = [built(plan) for plan in (best, *found)]
            answer = _farthest(
                pricing, arrays, inst, var, known, best=best.cost_usd / M_USD, most=most, until=until, seed=seed
            )
            if answer is None:
                break
            search = Search(progress, start, 0.0)
            search.bound = best.bound_usd / M_USD
            search.offer(f"alternative {len(found) + 1}", answer)
            seconds = {"alternative": time.monotonic() - start}
            found.append(read_solution(inst, var, search, "time_limit", seconds))
    return found


def _away_from(arrays: Arrays, var: Variables, known: Sequence[frozenset[int]], *, best: float, most: float) -> Arrays:
    """The program that avoids what earlier plans built, at a cost of at most `most` M USD."""
    cost = arrays.cost.copy()
    for plan in known:
        columns = var.opened[sorted(plan), -1]
        cost[columns[columns >= 0]] += DISTANCE_WORTH * (most - best) / max(1, len(plan))
    limited = sparse.csr_array(arrays.cost[None, :])
    return replace(
        arrays,
        cost=cost,
        matrix=sparse.vstack([arrays.matrix, limited], format="csr"),
        row_lower=np.append(arrays.row_lower, -np.inf),
        row_upper=np.append(arrays.row_upper, most),
    )


def _farthest(
    pricing: Engine,
    arrays: Arrays,
    inst: Instance,
    var: Variables,
    known: Sequence[frozenset[int]],
    *,
    best: float,
    most: float,
    until: float,
    seed: int,
) -> Answer | None:
    """The priced pattern that is within the cost and differs most from what is known; None if there is none."""
    away = _away_from(arrays, var, known, best=best, most=most)
    relaxed: Floats | None = None
    with Engine(away, workers=1) as engine:
        engine.submit(Job(label="away", relaxed=True, time_limit_s=max(1.0, until - time.monotonic()), seed=seed))
        for _, _, answer in engine.answers(until=until):
            relaxed = answer.values
    if relaxed is None:
        return None
    for label, pattern in find_roundings(inst, var, arrays, relaxed).items():
        pricing.submit(Job(label=label, fixed=pattern, time_limit_s=max(1.0, until - time.monotonic()), seed=seed))
    farthest: tuple[int, float, Answer] | None = None
    for _, _, answer in sorted(pricing.answers(until=until), key=lambda item: item[0]):
        if answer.values is None or answer.cost > most:
            continue
        opened = frozenset(
            np.flatnonzero(np.where(var.opened >= 0, answer.values[var.opened], 0.0)[:, -1] > 0.5).tolist()
        )
        distance = min(len(opened ^ plan) for plan in known)
        if distance and (farthest is None or (distance, -answer.cost) > farthest[:2]):
            farthest = (distance, -answer.cost, answer)
    return None if farthest is None else farthest[2]
