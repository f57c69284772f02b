"""The planning model against its peers, and how it grows: build, solve, the two prototype files, everything on.

    pip install '.[bench]'
    python benchmarks/model.py build solve everything          # parts, in this order; all but core by default
    python benchmarks/model.py core --core FOLDER              # a folder with core_*.mps.gz; not part of this project
    python benchmarks/model.py growth                          # also draws docs/growth.svg

Each run is a process of its own (`benchmarks/peers.py` for other people's tools), and ratios are taken within one call of this
program. CPU seconds are of the whole tree of processes; they say more than wall seconds on a machine that others use too.
Results are stored in ``benchmarks/results/PART.json`` with versions and machine.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from everything import SCENARIO, everything
from mps import read_mps, write_mps

from hubplan.data.scenario import read_scenario
from hubplan.model.assembly import Arrays
from hubplan.model.formulation import M_USD, build_model
from hubplan.model.instance import Instance
from hubplan.model.solve import solve
from hubplan.run import prepare

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PARTS = ("build", "solve", "core", "growth", "everything")
PEER_GAPS = (0.025, 0.01, 0.003)
PEER_RATIO = 10.5
"""A peer gets this many times our CPU seconds for the same gap, then it is stopped."""
PEER_MOST_S = 160.0
"""CPU seconds that a peer gets at most."""
BARE_LIMIT_S = 60.0
"""Wall seconds for our search on a file."""
MB = 1024.0


def tree_usage() -> tuple[float, float]:
    """CPU seconds and resident MB of this process and its children; children that ended count in the seconds."""
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE") / MB / MB
    own = os.times()
    cpu, pages = own.user + own.system + own.children_user + own.children_system, _resident(os.getpid())
    for task in Path("/proc/self/task").iterdir():
        for child in _read(task / "children").split():
            words = _read(Path(f"/proc/{child}/stat")).rpartition(")")[2].split()
            if words:
                cpu += (int(words[11]) + int(words[12])) / ticks
                pages += _resident(int(child))
    return cpu, pages * page


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it ended meanwhile
        return ""


def _resident(pid: int) -> float:
    words = _read(Path(f"/proc/{pid}/statm")).split()
    return float(words[1]) if words else 0.0


class Meter:
    """Peak resident memory of the tree of processes, sampled five times a second."""

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Meter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.2):
            self.peak_mb = max(self.peak_mb, tree_usage()[1])


def recorder(before: float) -> tuple[list[dict[str, Any]], Callable[[Mapping[str, object]], None]]:
    """A list, and a progress callback that adds to it what is known at each step, with the CPU seconds so far."""
    steps: list[dict[str, Any]] = []

    def told(event: Mapping[str, object]) -> None:
        cost, bound = event["incumbent_usd"], event["bound_usd"]
        gap = None if cost is None or bound is None else max(0.0, (cost - bound) / abs(cost))  # type: ignore[operator]
        cpu = round(tree_usage()[0] - before, 2)
        steps.append({"event": event["event"], "wall_s": event["seconds"], "cpu_s": cpu, "gap_share": gap})

    return steps, told


def run_ours(inst: Instance, gap_share: float, limit_s: float) -> dict[str, Any]:
    """Solve, and tell when which gap was reached."""
    before = tree_usage()[0]
    steps, told = recorder(before)
    start = time.perf_counter()
    with Meter() as meter:
        found = solve(inst, gap_share=gap_share, time_limit_s=limit_s, progress=told)
    return {
        "tool": f"hubplan, {found.solver}",
        "cpu_s": tree_usage()[0] - before,
        "wall_s": time.perf_counter() - start,
        "cost": found.cost_usd / M_USD,
        "bound": found.bound_usd / M_USD,
        "gap_share": found.gap_share,
        "reached": found.gap_share <= gap_share,
        "peak_mb": meter.peak_mb,
        "steps": steps,
    }


def child(job: str, *words: object, timeout_s: float) -> dict[str, Any]:
    """Run one job of this file or of peers.py in a fresh process; its last line is JSON."""
    script = HERE / ("model.py" if job.startswith("_") else "peers.py")
    command = [sys.executable, str(script), job, *map(str, words)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        return {"tool": job, "failed": f"no answer in {timeout_s:.0f} s"}
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        return {"tool": job, "failed": (done.stderr.strip().splitlines() or ["no output"])[-1]}
    return dict(json.loads(lines[-1]))


def save_model(inst: Instance, folder: Path, name: str) -> Arrays:
    """The instance, its model as arrays and as MPS, for the jobs to read."""
    arrays, _ = build_model(inst)
    (folder / f"{name}.pickle").write_bytes(pickle.dumps(inst))
    save_arrays(arrays, folder, name)
    return arrays


def save_arrays(arrays: Arrays, folder: Path, name: str) -> None:
    matrix = {"data": arrays.matrix.data, "indices": arrays.matrix.indices, "indptr": arrays.matrix.indptr}
    plain = {k: getattr(arrays, k) for k in ("lower", "upper", "cost", "integer", "row_lower", "row_upper")}
    np.savez(folder / f"{name}.npz", **plain, **matrix)  # type: ignore[arg-type]
    write_mps(arrays, folder / f"{name}.mps")


def job_build(path: Path) -> dict[str, Any]:
    """Build ours: best of three, arrays and protocol buffer."""
    inst = pickle.loads(path.read_bytes())
    found = []
    for _ in range(3):
        start, cpu = time.perf_counter(), time.process_time()
        arrays, _ = build_model(inst)
        built, built_cpu = time.perf_counter(), time.process_time()
        arrays.to_proto()
        found.append(
            {
                "tool": "hubplan",
                "build_s": built - start,
                "build_cpu_s": built_cpu - cpu,
                "hand_over_s": time.perf_counter() - built,
                "hand_over_cpu_s": time.process_time() - built_cpu,
            }
        )
    return min(found, key=lambda one: one["build_cpu_s"] + one["hand_over_cpu_s"])


def measure_build(folder: Path, inst: Instance) -> dict[str, Any]:
    """(a) The same model built by three tools; PuLP and linopy are given the finished arrays, ours the instance."""
    arrays = save_model(inst, folder, "build")
    rows = [
        child("_build", folder / "build.pickle", timeout_s=120),
        child("build-pulp", folder / "build.npz", timeout_s=300),
        child("build-linopy", folder / "build.npz", timeout_s=300),
    ]
    ours = rows[0]["build_cpu_s"] + rows[0]["hand_over_cpu_s"]
    for row in rows[1:]:
        if "failed" not in row:
            row["build_times_ours"] = row["build_cpu_s"] / ours
            row["all_times_ours"] = (row["build_cpu_s"] + row["hand_over_cpu_s"]) / ours
    show(rows, ["tool", "build_s", "build_cpu_s", "hand_over_cpu_s", "build_times_ours", "all_times_ours"])
    return {"size": size_of(arrays), "rows": rows}


def measure_solve(folder: Path, inst: Instance, name: str) -> dict[str, Any]:
    """(b) CPU seconds to the same gap: ours, then PuLP with CBC and linopy with HiGHS, each up to `PEER_RATIO` times ours."""
    arrays = save_model(inst, folder, name)
    mine = child("_solve", folder / f"{name}.pickle", min(PEER_GAPS), 120, timeout_s=400)
    return compare_solvers(folder, name, size_of(arrays), mine)


def compare_solvers(
    folder: Path, name: str, size: Mapping[str, int], mine: dict[str, Any], least_s: float = 20.0
) -> dict[str, Any]:
    """Peers to each gap that ours reached, loosest first; one that misses a gap is not asked for a closer one."""
    rows: list[dict[str, Any]] = []
    slow: set[str] = set()
    columns = ["tool", "asked_gap_share", "reached", "gap_share", "cpu_s", "wall_s", "cpu_times_ours", "failed"]
    for gap in PEER_GAPS:
        reached = [s for s in mine.get("steps", []) if s["gap_share"] is not None and s["gap_share"] <= gap]
        if not reached:
            continue
        ours_s = reached[0]["cpu_s"]
        rows.append(
            {"tool": mine["tool"], "asked_gap_share": gap, "reached": True, "gap_share": reached[0]["gap_share"]}
            | {"cpu_s": ours_s, "wall_s": reached[0]["wall_s"], "cpu_times_ours": 1.0}
        )
        show(rows[-1:], columns)
        limit = min(max(least_s, PEER_RATIO * ours_s), PEER_MOST_S)
        for task, model in (("solve-pulp", f"{name}.mps"), ("solve-linopy", f"{name}.npz")):
            if task in slow:
                continue
            words = ("--gap-share", gap, "--cpu-s", round(limit, 1))
            row = child(task, folder / model, *words, timeout_s=limit * 6 + 120) | {"asked_gap_share": gap}
            if "cpu_s" in row:
                row["cpu_times_ours"] = row["cpu_s"] / ours_s
            if not row.get("reached"):
                slow.add(task)
            rows.append(row)
            show(rows[-1:], columns)
    if not rows:
        show([mine], columns)
    return {"size": dict(size), "ours": mine, "rows": rows}


def measure_core(folder: Path, source: Path | None) -> dict[str, Any] | None:
    """(c) The prototype's MPS files through the same search and the same peers."""
    if source is None or not sorted(source.glob("core_*.mps.gz")):
        print("core: give --core FOLDER with core_*.mps.gz; skipped")
        return None
    found = {}
    for path in sorted(source.glob("core_*.mps.gz"), reverse=True):
        name = path.name.removesuffix(".mps.gz")
        arrays = read_mps(path)
        save_arrays(arrays, folder, name)

        print(name, size_of(arrays))
        mine = child("_solve-mps", folder / f"{name}.mps", min(PEER_GAPS), BARE_LIMIT_S, timeout_s=300)
        found[name] = compare_solvers(folder, name, size_of(arrays), mine)
    return found


def measure_everything(folder: Path, limit_s: float) -> dict[str, Any]:
    """(e) Everything on: seconds to each gap, and memory."""
    start = time.perf_counter()
    inst = everything()
    prepared = time.perf_counter() - start
    arrays = save_model(inst, folder, "everything")
    build = child("_build", folder / "everything.pickle", timeout_s=120)
    row = child("_solve", folder / "everything.pickle", 0.003, limit_s, timeout_s=limit_s + 200)
    stages = inst.facilities["stage"].value_counts().to_dict()
    found = {
        "scenario": SCENARIO.name,
        "size": size_of(arrays)
        | {"mines": int(stages.get("mine", 0)), "facilities": len(inst.facilities), "lanes": len(inst.lanes)}
        | {"markets": inst.demand["market"].nunique(), "materials": inst.balances["commodity"].nunique()}
        | {"periods": len(inst.periods), "rules": len(inst.rules)},
        "tables_to_instance_s": prepared,
        "build": build,
        "solve": row,
    }
    print(found["size"])
    show([build], ["tool", "build_s", "build_cpu_s", "hand_over_s", "hand_over_cpu_s"])
    show(row.get("steps", [row]), ["event", "wall_s", "cpu_s", "gap_share", "failed"])
    for gap in (0.015, 0.01, 0.003):
        reached = [s for s in row.get("steps", []) if s["gap_share"] is not None and s["gap_share"] <= gap]
        said = f"{reached[0]['wall_s']} s wall, {reached[0]['cpu_s']} s CPU" if reached else "not reached"
        print(f"to {gap:.1%}: {said}; peak of all processes {row.get('peak_mb', np.nan):.0f} MB")
    return found


def size_of(arrays: Arrays) -> dict[str, int]:
    rows, columns = arrays.matrix.shape
    return {"columns": columns, "rows": rows, "terms": arrays.matrix.nnz, "binaries": int(arrays.integer.sum())}


def show(rows: list[dict[str, Any]], columns: list[str]) -> None:
    frame = pd.DataFrame(rows)
    print(
        frame[[c for c in columns if c in frame]].to_string(index=False, float_format=lambda v: f"{v:.4g}"), flush=True
    )


def store(part: str, found: Mapping[str, Any]) -> None:
    """Write a part's figures with what they were measured on."""
    versions = {}
    for name in ("hubplan", "ortools", "numpy", "scipy", "PuLP", "linopy", "highspy"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "from the source tree" if name == "hubplan" else "not installed"
    cpu = next(
        (line.split(":")[1].strip() for line in _read(Path("/proc/cpuinfo")).splitlines() if "model name" in line), ""
    )
    machine = {"cpu": cpu, "cores": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()}
    RESULTS.mkdir(exist_ok=True)
    entry = {"part": part, "date": date.today().isoformat(), "machine": machine, "versions": versions, "found": found}
    (RESULTS / f"{part}.json").write_text(json.dumps(entry, indent=1) + "\n")


def allied(years: tuple[int, ...] | None = None) -> Instance:
    scenario = read_scenario(HERE.parent / "examples" / "allied-2035.toml")
    if years:
        scenario = scenario.model_copy(update={"horizon": scenario.horizon.model_copy(update={"years": years})})
    return prepare(scenario).instance


def run_job(job: str, words: list[str]) -> dict[str, Any]:
    """What a child process of this file does."""
    path = Path(words[0])
    if job == "_build":
        return job_build(path)
    if job == "_solve-mps":
        from bare import run_bare

        return run_bare(read_mps(path), float(words[1]), float(words[2]))
    inst: Instance = pickle.loads(path.read_bytes())
    return run_ours(replace(inst), float(words[1]), float(words[2]))


def main() -> None:
    if len(sys.argv) > 1 and sys.argv[1].startswith("_"):
        print(json.dumps(run_job(sys.argv[1], sys.argv[2:])))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"any of {', '.join(PARTS)}")
    parser.add_argument("--core", type=Path, help="folder with core_*.mps.gz")
    parser.add_argument("--limit-s", type=float, default=600.0, help="wall seconds for everything on")
    args = parser.parse_args()
    if unknown := sorted(set(args.parts) - set(PARTS)):
        parser.error(f"no part {', '.join(unknown)}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in [p for p in PARTS if p in (args.parts or PARTS)]:
            print(f"\n{part}", flush=True)
            found: Mapping[str, Any] | None
            if part == "build":
                found = measure_build(folder, allied())
            elif part == "solve":
                found = measure_solve(folder, allied(), "allied-2035")
            elif part == "core":
                found = measure_core(folder, args.core)
            elif part == "growth":
                from growth import measure_growth

                found = measure_growth(folder)
            else:
                found = measure_everything(folder, args.limit_s)
            if found is not None:
                store(part, found)


if __name__ == "__main__":
    main()
