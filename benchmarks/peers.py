"""Other people's tools on a model of ours, one tool in a process of its own. `benchmarks/model.py` calls this.

    python benchmarks/peers.py build-pulp MODEL.npz
    python benchmarks/peers.py build-linopy MODEL.npz
    python benchmarks/peers.py solve-pulp MODEL.mps --gap-share 0.01 --cpu-s 150    # PuLP with the CBC that comes with it
    python benchmarks/peers.py solve-linopy MODEL.npz --gap-share 0.01 --cpu-s 150  # linopy with HiGHS

The last line printed is JSON. Nothing of hubplan is imported: HiGHS may not be loaded twice in one process, and OR-Tools has
its own. Each tool is used as its own documentation does: PuLP writes ``value * variable`` for each coefficient, linopy
takes arrays; rows of like length are one array there, since linopy pads a group of rows to its longest.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import resource
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

CBC_NONE = 1e49
"""CBC tells 1e50 as its objective where it has no plan."""


def cpu_s(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def build_pulp(path: Path) -> dict[str, Any]:
    """Columns, rows and coefficients as PuLP's objects; then its MPS file, which is how it hands a model over."""
    import pulp

    data, matrix = read_model(path)
    lower, upper, cost, low, high = (data[k].tolist() for k in ("lower", "upper", "cost", "row_lower", "row_upper"))
    whole, starts, columns, values = (x.tolist() for x in (data["integer"], matrix.indptr, matrix.indices, matrix.data))
    start, cpu = time.perf_counter(), cpu_s(resource.RUSAGE_SELF)
    problem = pulp.LpProblem("hubplan", pulp.LpMinimize)
    x = [
        pulp.LpVariable(
            f"c{n}",
            None if lo == -np.inf else lo,
            None if up == np.inf else up,
            pulp.LpInteger if w else pulp.LpContinuous,
        )
        for n, (lo, up, w) in enumerate(zip(lower, upper, whole, strict=True))
    ]
    problem += pulp.lpSum(c * v for c, v in zip(cost, x, strict=True) if c)
    for row, (lo, up) in enumerate(zip(low, high, strict=True)):
        span = range(starts[row], starts[row + 1])
        total = pulp.lpSum(values[at] * x[columns[at]] for at in span)
        if lo == up:
            problem += total == lo, f"r{row}"
        elif np.isfinite(up):
            problem += total <= up, f"r{row}"
            if np.isfinite(lo):
                problem += total >= lo, f"r{row}_low"
        elif np.isfinite(lo):
            problem += total >= lo, f"r{row}"
    built = time.perf_counter()
    built_cpu = cpu_s(resource.RUSAGE_SELF)
    with tempfile.TemporaryDirectory() as folder:
        problem.writeMPS(str(Path(folder) / "model.mps"))
    return {
        "tool": f"PuLP {pulp.__version__}",
        "build_s": built - start,
        "build_cpu_s": built_cpu - cpu,
        "hand_over_s": time.perf_counter() - built,
        "hand_over_cpu_s": cpu_s(resource.RUSAGE_SELF) - built_cpu,
    }


def linopy_model(data: dict[str, np.ndarray], matrix: sparse.csr_array) -> Any:
    """The model as linopy's arrays: groups of rows that are about as long."""
    import linopy
    import xarray as xr

    model = linopy.Model(force_dim_names=False)
    ids = []
    for name, mask in (("whole", data["integer"]), ("part", ~data["integer"])):
        at = np.flatnonzero(mask)
        if not at.size:
            continue
        bounds = [xr.DataArray(data[k][at], dims=[name]) for k in ("lower", "upper")]
        binary = name == "whole" and bool((data["lower"][at] == 0).all() and (data["upper"][at] == 1).all())
        coords = [np.arange(at.size)]
        made = (
            model.add_variables(binary=True, coords=coords, dims=[name], name=name)
            if binary
            else model.add_variables(*bounds, integer=name == "whole", name=name)
        )
        ids.append((at, made.labels.to_numpy()))
    label = np.zeros(matrix.shape[1], dtype=np.int64)
    for at, labels in ids:
        label[at] = labels
    lengths = np.diff(matrix.indptr)
    group = np.where(lengths > 0, np.ceil(np.log2(np.maximum(lengths, 1))), -1).astype(int)
    for size in np.unique(group[group >= 0]):
        for sign in ("=", "<=", ">="):
            _add_group(model, data, matrix, label, np.flatnonzero(group == size), sign)
    used = np.flatnonzero(data["cost"])
    objective = xr.Dataset({"coeffs": ("_term", data["cost"][used]), "vars": ("_term", label[used])})
    model.add_objective(linopy.LinearExpression(objective, model))
    return model


def _add_group(
    model: Any, data: dict[str, np.ndarray], matrix: sparse.csr_array, label: np.ndarray, rows: np.ndarray, sign: str
) -> None:
    import linopy
    import xarray as xr

    low, high = data["row_lower"][rows], data["row_upper"][rows]
    equal = low == high
    keep = {"=": equal, "<=": ~equal & np.isfinite(high), ">=": ~equal & np.isfinite(low)}[sign]
    rows, side = rows[keep], (high if sign != ">=" else low)[keep]
    if not rows.size:
        return
    lengths = np.diff(matrix.indptr)[rows]
    width = int(lengths.max())
    place = np.arange(width)[None, :] < lengths[:, None]
    at = (matrix.indptr[rows][:, None] + np.arange(width)[None, :])[place]
    coeffs, which = np.full(place.shape, np.nan), np.full(place.shape, -1, dtype=np.int64)
    coeffs[place], which[place] = matrix.data[at], label[matrix.indices[at]]
    terms = xr.Dataset({"coeffs": (("row", "_term"), coeffs), "vars": (("row", "_term"), which)}, {"row": rows})
    name = f"rows of {width} {sign}"
    model.add_constraints(linopy.LinearExpression(terms, model), sign, xr.DataArray(side, dims="row"), name=name)


def build_linopy(path: Path) -> dict[str, Any]:
    """Build, and hand over to HiGHS in memory."""
    import linopy

    data, matrix = read_model(path)
    start, cpu = time.perf_counter(), cpu_s(resource.RUSAGE_SELF)
    model = linopy_model(data, matrix)
    built, built_cpu = time.perf_counter(), cpu_s(resource.RUSAGE_SELF)
    model.to_highspy()
    return {
        "tool": f"linopy {linopy.__version__}",
        "build_s": built - start,
        "build_cpu_s": built_cpu - cpu,
        "hand_over_s": time.perf_counter() - built,
        "hand_over_cpu_s": cpu_s(resource.RUSAGE_SELF) - built_cpu,
    }


def solve_pulp(path: Path, gap_share: float, limit_s: float) -> dict[str, Any]:
    """CBC to a gap or a limit of CPU seconds, from an MPS file through PuLP; only CBC's own process is counted."""
    import pulp

    _, problem = pulp.LpProblem.fromMPS(str(path))
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "cbc.log"
        solver = pulp.PULP_CBC_CMD(msg=False, timeLimit=limit_s, gapRel=gap_share, logPath=str(log), timeMode="cpu")
        resource.setrlimit(
            resource.RLIMIT_CPU, (int(limit_s * 1.5) + 60, int(limit_s * 1.5) + 90)
        )  # CBC overruns its own
        start, cpu = time.perf_counter(), cpu_s(resource.RUSAGE_CHILDREN)
        with contextlib.suppress(pulp.PulpSolverError):  # ended by the limit: its log is there
            problem.solve(solver)
        seconds, used = time.perf_counter() - start, cpu_s(resource.RUSAGE_CHILDREN) - cpu
        told = read_cbc_log(log.read_text())
    version = re.search(r"Version: (\S+)", told.pop("head"))
    return {
        "tool": f"PuLP {pulp.__version__}, CBC {version.group(1) if version else ''}",
        "cpu_s": used,
        "wall_s": seconds,
        "reached": told["gap_share"] is not None and told["gap_share"] <= gap_share * 1.0001,
        **told,
    }


def read_cbc_log(text: str) -> dict[str, Any]:
    """Objective, bound and gap that CBC ended with; None where it found none."""
    number = r"(-?[0-9.]+(?:e[+-]?\d+)?)"
    objective = re.findall(rf"^Objective value:\s+{number}", text, re.M)
    lower = re.findall(rf"^Lower bound:\s+{number}", text, re.M) or re.findall(rf"best possible {number}", text)
    relaxation = re.findall(rf"Continuous objective value is {number} - {number} seconds", text)
    best = re.findall(rf"Integer solution of {number} found", text)
    value = float(objective[-1]) if objective else float(best[-1]) if best else None
    if "No feasible solution found" in text or (value is not None and abs(value) >= CBC_NONE):
        value = None
    optimal = "Optimal solution found" in text and "within gap" not in text
    bound = float(lower[-1]) if lower else float(relaxation[-1][0]) if relaxation else None
    if optimal:
        bound = value
    gap = None if value is None or bound is None else max(0.0, value - bound) / max(abs(value), 1e-9)
    return {
        "head": text[:600],
        "cost": value,
        "bound": bound,
        "gap_share": gap,
        "relaxation_cpu_s": float(relaxation[-1][1]) if relaxation else None,
    }


def solve_linopy(path: Path, gap_share: float, limit_s: float) -> dict[str, Any]:
    """HiGHS to a gap or a limit, through linopy; building and handing over is not counted."""
    import highspy
    import linopy

    data, matrix = read_model(path)
    highs = linopy_model(data, matrix).to_highspy()
    for name, value in (("mip_rel_gap", gap_share), ("output_flag", False)):
        highs.setOptionValue(name, value)
    start, cpu = time.perf_counter(), cpu_s(resource.RUSAGE_SELF)
    over = threading.Event()

    def watch() -> None:  # HiGHS's own limit is of wall seconds
        while not over.wait(0.5):
            if cpu_s(resource.RUSAGE_SELF) - cpu > limit_s:
                highs.cancelSolve()

    highs.HandleUserInterrupt = True
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    highs.solve()
    over.set()
    watcher.join()
    info = highs.getInfo()
    found = info.primal_solution_status == 2
    gap = abs(info.objective_function_value - info.mip_dual_bound) / max(1e-9, abs(info.objective_function_value))
    return {
        "tool": f"linopy {linopy.__version__}, HiGHS {highspy.Highs().version()}",
        "cpu_s": cpu_s(resource.RUSAGE_SELF) - cpu,
        "wall_s": time.perf_counter() - start,
        "cost": info.objective_function_value if found else None,
        "bound": info.mip_dual_bound if np.isfinite(info.mip_dual_bound) else None,
        "gap_share": gap if found and np.isfinite(gap) else None,
        "reached": bool(found and gap <= gap_share * 1.0001),
    }


def read_model(path: Path) -> tuple[dict[str, np.ndarray], sparse.csr_array]:
    with np.load(path) as file:
        data = dict(file)
    shape = (len(data["row_lower"]), len(data["cost"]))
    return data, sparse.csr_array((data["data"], data["indices"], data["indptr"]), shape=shape)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["build-pulp", "build-linopy", "solve-pulp", "solve-linopy"])
    parser.add_argument("model", type=Path)
    parser.add_argument("--gap-share", type=float, default=0.01)
    parser.add_argument("--cpu-s", type=float, default=150.0)
    args = parser.parse_args()
    if args.task.startswith("build"):
        builders: dict[str, Callable[[Path], dict[str, Any]]] = {"build-pulp": build_pulp, "build-linopy": build_linopy}
        print(json.dumps(builders[args.task](args.model)))
    else:
        solvers = {"solve-pulp": solve_pulp, "solve-linopy": solve_linopy}
        print(json.dumps(solvers[args.task](args.model, args.gap_share, args.cpu_s)))


if __name__ == "__main__":
    main()
