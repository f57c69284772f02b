"""Published siting instances through hubplan's own model: value, bound, gap, seconds against the published optimum.

    python benchmarks/siting.py FOLDER      # a folder with OR-Library cap*.txt and optima.json, pmedcap*.txt, pmed*.txt

The instances are not part of this project (their terms are not stated); give the folder where you keep them.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse.csgraph import floyd_warshall

from hubplan.model.instance import Instance
from hubplan.model.rulebook import COLUMNS, HARD, KINDS, WHOLE, Rules
from hubplan.model.solve import solve


def siting_instance(
    capacity: np.ndarray,
    fixed: np.ndarray,
    demand: np.ndarray,
    unit_cost: np.ndarray,
    *,
    max_hubs: int | None = None,
    whole: bool = False,
) -> Instance:
    """A one-period siting problem as an `Instance`.

    ``unit_cost[i, j]`` is the cost per tonne from facility i to customer j; infinite where there is no lane.
    """
    n, m = unit_cost.shape
    tail, head = np.nonzero(np.isfinite(unit_cost))
    names = [f"hub-{i}" for i in range(n)]
    facilities = pd.DataFrame(
        {
            "facility": names,
            "site": names,
            "name": names,
            "stage": "magnet",
            "country": "AAA",
            "smallest_t_yr": 0.0,
            "largest_t_yr": capacity.astype(float),
            "capital_fixed_usd": fixed.astype(float),
            "capital_slope_usd_t_yr": 0.0,
            "annuity_share": 1.0,
            "fixed_opex_share": 0.0,
            "first_period": 0,
        }
    )
    balances = pd.DataFrame(
        {
            "commodity": "good",
            "tag": "",
            "place": [*names, *[f"customer-{j}" for j in range(m)]],
            "market": [*[False] * n, *[True] * m],
        }
    )
    lanes = pd.DataFrame(
        {
            "tail": tail,
            "head": n + head,
            "commodity": "good",
            "tag": "",
            "origin": [names[i] for i in tail],
            "destination": [f"customer-{j}" for j in head],
            "route": "lane",
            "freight_usd_t": unit_cost[tail, head],
            "transit_usd_t": 0.0,
            "surcharge_usd_t": 0.0,
        }
    )
    wanted = pd.DataFrame(
        {
            "balance": n + np.arange(m),
            "market": [f"customer-{j}" for j in range(m)],
            "product": "good",
            "sector": "all",
            "period": 0,
            "demand_t": demand.astype(float),
            "unmet_usd_t": 1e3 * max(1.0, float(unit_cost[np.isfinite(unit_cost)].max()) + float(fixed.max())),
        }
    )
    none = np.zeros(n + m, dtype=bool)
    return Instance(
        periods=(2030,),
        block_years=np.ones(1),
        discount=np.ones(1),
        facilities=facilities,
        existing_t_yr=np.zeros((n, 1)),
        installed_t_yr=np.zeros((n, 1)),
        ramp_share=np.ones((n, 1, 1)),
        available_share=np.ones((n, 1)),
        balances=balances,
        processes=pd.DataFrame({"facility": np.arange(n), "process": "make", "opex_usd_t": 0.0, "capacity_use": 1.0}),
        term_process=np.arange(n),
        term_balance=np.arange(n),
        term_t_t=np.ones(n),
        lanes=lanes,
        lane_open=np.ones((len(lanes), 1), dtype=bool),
        lane_whole=np.full(len(lanes), whole),
        demand=wanted[wanted["demand_t"] > 0].reset_index(drop=True),
        may_hold=none,
        may_sell=none,
        may_stock=none,
        held_periods=none[:, None],
        storage_usd_t_yr=np.zeros(n + m),
        keep_usd_yr=np.zeros(n),
        rules=Rules() if max_hubs is None else _at_most(max_hubs, n),
    )


def _at_most(count: int, n: int) -> Rules:
    """So many of n facilities are open at most, whatever it costs."""
    rule = ("max_hubs", "all", WHOLE, "at_most", float(count), "facilities", HARD)
    nought = np.zeros(n, dtype=np.int64)
    return Rules(
        table=pd.DataFrame([rule], columns=list(COLUMNS)),
        rule=nought,
        kind=nought + KINDS.index("opened"),
        row=np.arange(n),
        period=nought,
        weight=np.ones(n),
    )


def read_cap(path: Path) -> Instance:
    """OR-Library capacitated warehouse location: cost is that of serving a customer's whole demand."""
    numbers = iter(float(word) for word in path.read_text().split())
    n, m = int(next(numbers)), int(next(numbers))
    pairs = np.array([[next(numbers), next(numbers)] for _ in range(n)])
    demand, cost = np.zeros(m), np.zeros((n, m))
    for j in range(m):
        demand[j] = next(numbers)
        cost[:, j] = [next(numbers) for _ in range(n)]
    return siting_instance(pairs[:, 0], pairs[:, 1], demand, cost / np.maximum(demand, 1e-12))


def read_pmed(path: Path) -> Instance:
    """OR-Library uncapacitated p-median: distances are shortest paths in the graph; the last line of an edge counts."""
    numbers = [int(word) for word in path.read_text().split()]
    n, _, p = numbers[:3]
    graph = np.full((n, n), np.inf)
    for i, j, length in zip(numbers[3::3], numbers[4::3], numbers[5::3], strict=True):
        graph[i - 1, j - 1] = graph[j - 1, i - 1] = length
    distance = floyd_warshall(np.where(np.isinf(graph), 0, graph))
    return siting_instance(np.full(n, float(n)), np.zeros(n), np.ones(n), distance, max_hubs=p)


def read_pmedcap(path: Path) -> list[tuple[int, Instance]]:
    """OR-Library capacitated p-median: one median for each customer, distance rounded down; (best known, instance) pairs."""
    numbers = iter(float(word) for word in path.read_text().split())
    _, best = int(next(numbers)), int(next(numbers))
    n, p, capacity = int(next(numbers)), int(next(numbers)), next(numbers)
    rows = np.array([[next(numbers) for _ in range(4)] for _ in range(n)])
    distance = np.floor(np.hypot(rows[:, None, 1] - rows[None, :, 1], rows[:, None, 2] - rows[None, :, 2]))
    demand = rows[:, 3]
    return [
        (
            best,
            siting_instance(
                np.full(n, capacity), np.zeros(n), demand, distance / demand[None, :], max_hubs=p, whole=True
            ),
        )
    ]


def report(name: str, inst: Instance, known: float, *, time_limit_s: float = 120.0) -> bool:
    """Solve and print one line; true where value and bound equal the known optimum."""
    start = time.perf_counter()
    found = solve(inst, gap_share=0.0, time_limit_s=time_limit_s)
    exact = abs(found.cost_usd - known) <= 1e-6 * known and abs(found.bound_usd - known) <= 1e-6 * known
    seconds = time.perf_counter() - start
    print(
        f"{name:16} {found.cost_usd:>18,.3f} {found.bound_usd:>18,.3f} {known:>18,.3f} "
        f"{found.gap_share:>9.2e} {seconds:>7.2f} {found.status} {'exact' if exact else 'NOT EXACT'}"
    )
    return exact


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    print(f"{'instance':16} {'value':>18} {'bound':>18} {'published':>18} {'gap':>9} {'seconds':>7}")
    results = []
    for optima in sorted(folder.rglob("optima.json")):
        for name, known in json.loads(optima.read_text()).items():
            results.append(report(name, read_cap(optima.parent / f"{name}.txt"), known))
    for path in sorted(folder.rglob("pmed1.txt")):
        results.append(report(path.stem, read_pmed(path), 5819))
    for path in sorted(folder.rglob("pmedcap*.txt")):
        for best, inst in read_pmedcap(path):
            results.append(report(path.stem, inst, best))
    for table in sorted(folder.rglob("sf_16x205.csv")):
        rows = pd.read_csv(table)
        distance = rows.drop(columns=["demand", "weight"]).to_numpy(float).T
        known = json.loads(table.with_name("sf_16x205_optima.json").read_text())
        for name, entry in known.items():
            if name.startswith("pmedian_p"):
                n = distance.shape[0]
                inst = siting_instance(
                    np.full(n, rows["weight"].sum() * 1.0),
                    np.zeros(n),
                    rows["weight"].to_numpy(float),
                    distance,
                    max_hubs=int(name[9:]),
                )
                results.append(report(f"sf {name}", inst, entry["objective"]))
    print(f"{sum(results)} of {len(results)} exact")
    raise SystemExit(0 if results and all(results) else 1)


if __name__ == "__main__":
    main()
