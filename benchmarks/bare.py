"""Our search on a bare mixed-integer program, such as an MPS file, of which nobody told what its columns mean.

The search rounds sizes, so it needs to know which continuous column is the size of which binary. That shows in the rows: a row of
two terms, ``smallest * open - size <= 0``. A binary without such a row is rounded itself.
"""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from hubplan.model import solve as ours
from hubplan.model.assembly import Arrays
from hubplan.model.engine import Engine
from hubplan.model.formulation import KT

STAGES = ("mine", "crack_leach", "separation_light", "separation_heavy", "metal", "alloy", "magnet", "recycling")


def find_sizes(arrays: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """Column of the size, and smallest size, of each integer column."""
    integer = np.flatnonzero(arrays.integer)
    position = {int(column): n for n, column in enumerate(integer)}
    size, smallest = integer.copy(), np.ones(len(integer))
    matrix = arrays.matrix
    for row in np.flatnonzero((np.diff(matrix.indptr) == 2) & (arrays.row_upper == 0)):
        span = slice(matrix.indptr[row], matrix.indptr[row + 1])
        terms = dict(zip(matrix.indices[span].tolist(), matrix.data[span].tolist(), strict=True))
        binary = [c for c in terms if arrays.integer[c] and terms[c] > 0]
        other = [c for c in terms if not arrays.integer[c] and terms[c] < 0]
        if binary and other:
            size[position[binary[0]]], smallest[position[binary[0]]] = other[0], -terms[binary[0]] / terms[other[0]]
    return size, smallest


def run_bare(arrays: Arrays, gap_share: float, limit_s: float) -> dict[str, Any]:
    """Search exactly up to `EXACT_BINARIES`, by rounding above, as `hubplan.model.solve.solve` does."""
    from model import Meter, recorder, tree_usage

    integer = np.flatnonzero(arrays.integer)
    size, smallest = find_sizes(arrays)
    blocks = np.concatenate([[0], np.cumsum(np.diff(integer) > 1)])
    inst: Any = SimpleNamespace(
        facilities=pd.DataFrame(
            {"smallest_t_yr": smallest * KT, "stage": [STAGES[min(b, len(STAGES) - 1)] for b in blocks]}
        ),
        must_open=(),
    )
    var: Any = SimpleNamespace(opened=integer[:, None], size=size[:, None])
    start, before = time.monotonic(), tree_usage()[0]
    steps, told = recorder(before)
    search = ours.Search(told, start, gap_share)
    until = start + limit_s
    exact = len(integer) <= ours.EXACT_BINARIES
    with Meter() as meter, Engine(arrays, workers=2) as engine:
        if exact:
            ours._search_exactly(engine, search, until=until, gap_share=gap_share, seed=1, binaries=len(integer))
        else:
            ours._search_by_rounding(engine, search, arrays, inst, var, until=until, seed=1)
    return {
        "tool": f"hubplan, {'exact' if exact else 'rounding'}",
        "cpu_s": tree_usage()[0] - before,
        "wall_s": time.monotonic() - start,
        "cost": search.cost,
        "bound": search.bound,
        "gap_share": search.gap,
        "reached": search.done,
        "peak_mb": meter.peak_mb,
        "steps": steps,
    }
