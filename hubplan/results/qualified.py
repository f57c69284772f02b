"""Rules of content as a table: which part of the plan's runs and flows is known to hold nothing of the countries named."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from hubplan.model.instance import Instance
from hubplan.model.legal import LOWERED
from hubplan.model.solution import Solution
from hubplan.results.plan import as_table

Floats = npt.NDArray[np.float64]

SMALLEST_T = 1e-4
"""Tonnes below which an amount is the solver's rounding, not a decision."""


def merge_kinds(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Sum the rows of qualified and other goods, which are one good in every table but ``qualified``."""
    if not table.duplicated(list(keys)).any():
        return table
    sums = [name for name in table.columns if name not in keys and pd.api.types.is_numeric_dtype(table[name])]
    rest = [name for name in table.columns if name not in keys and name not in sums]
    how = {**dict.fromkeys(sums, "sum"), **dict.fromkeys(rest, "first")}
    merged = table.groupby(list(keys), as_index=False, sort=False).agg(how)
    return merged[list(table.columns)]


def real_processes(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of processes without those that only let a qualified good be used as any other."""
    return table[table["process"] != LOWERED].reset_index(drop=True)


def build_qualified(inst: Instance, solution: Solution) -> pd.DataFrame:
    """Runs that take and make only what is qualified, and flows of it: rows of the table ``qualified``."""
    if "qualified" not in inst.lanes:
        return as_table("qualified", pd.DataFrame())
    place = inst.balances["place"].to_numpy()
    runs = solution.run_t * inst.processes["qualified"].to_numpy(dtype=bool)[:, None]
    rows, at = np.nonzero(runs > SMALLEST_T)
    facility = inst.facilities["facility"].to_numpy()[inst.processes["facility"].to_numpy(dtype=int)[rows]]
    ran = pd.DataFrame(
        {
            "period": np.array(inst.periods)[at],
            "kind": "run",
            "id": inst.processes["process"].to_numpy()[rows],
            "mine": "",
            "origin_facility": facility,
            "destination_facility": "",
            "amount_t": runs[rows, at],
        }
    )
    flows = solution.flow_t * inst.lanes["qualified"].to_numpy(dtype=bool)[:, None]
    rows, at = np.nonzero(flows > SMALLEST_T)
    lanes = inst.lanes.iloc[rows]
    moved = pd.DataFrame(
        {
            "period": np.array(inst.periods)[at],
            "kind": "flow",
            "id": lanes["commodity"].to_numpy(),
            "mine": lanes["tag"].to_numpy(),
            "origin_facility": place[lanes["tail"].to_numpy(dtype=int)],
            "destination_facility": place[lanes["head"].to_numpy(dtype=int)],
            "amount_t": flows[rows, at],
        }
    )
    table = pd.concat([ran, moved], ignore_index=True)
    keys = [name for name in table.columns if name != "amount_t"]
    return as_table("qualified", merge_kinds(table, keys))
