"""N-1 as tables: how the plan's own capacity is run in the year of each loss, and what is short."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from hubplan.model.contingency import Recourse, asked_yearly_t
from hubplan.model.instance import Instance
from hubplan.model.legal import LOWERED
from hubplan.model.solution import Solution
from hubplan.results.plan import KEYS, as_table
from hubplan.results.qualified import merge_kinds

Floats = npt.NDArray[np.float64]

SMALLEST_T = 1e-4
"""Tonnes below which an amount is the solver's rounding, not a decision."""
FAMILY = "n_1"
"""Name of the rule in violations.csv; its id is ``loss/product``."""


def build_copies(inst: Instance, solution: Solution) -> pd.DataFrame:
    """What runs, what moves and what is short in each copy: rows of the table ``contingencies``."""
    if inst.contingencies is None:
        return as_table("contingencies", pd.DataFrame())
    parts = []
    for loss, copy in zip(inst.contingencies.losses, solution.copies, strict=True):
        short = pd.DataFrame({"kind": "short", "id": _products(inst, loss.asks), "amount_t": copy.short})
        found = pd.concat([_runs(inst, copy), _flows(inst, copy), short], ignore_index=True)
        parts.append(found.assign(loss=loss.name))
    ends = ("mine", "origin_facility", "destination_facility", "route")
    table = pd.concat(parts, ignore_index=True).fillna(dict.fromkeys(ends, ""))
    return as_table("contingencies", merge_kinds(table[table["id"] != LOWERED], KEYS["contingencies"]))


def shortfall_rows(inst: Instance, solution: Solution) -> list[dict[str, object]]:
    """Rows of violations.csv: each product that is short with a loss."""
    asked = inst.contingencies
    if asked is None:
        return []
    return [
        {
            "rule": FAMILY,
            "id": f"{loss.name}/{product}",
            "period": inst.periods[asked.period],
            "amount": float(amount),
            "unit": "t",
            "penalty_usd": float(amount) * asked.shortfall_usd_t,
        }
        for loss, copy in zip(asked.losses, solution.copies, strict=True)
        for product, amount in zip(_products(inst, loss.asks), copy.short, strict=True)
        if amount > SMALLEST_T
    ]


def shortfall_usd(inst: Instance, solution: Solution) -> Floats:
    """Price of what is short, by period, undiscounted."""
    total = np.zeros(len(inst.periods))
    if inst.contingencies is not None:
        short = sum(float(copy.short.sum()) for copy in solution.copies)
        total[inst.contingencies.period] = short * inst.contingencies.shortfall_usd_t
    return total


def count_losses(inst: Instance, solution: Solution) -> dict[str, int]:
    """Losses looked at, and with how many of them something is short."""
    if inst.contingencies is None:
        return {}
    short = sum(bool((copy.short > SMALLEST_T).any()) for copy in solution.copies)
    return {"n_1_losses": len(solution.copies), "n_1_short": short}


def routes_of(table: pd.DataFrame) -> set[str]:
    """Routes that the copies use."""
    return set(table["route"]) - {""}


def _products(inst: Instance, asks: npt.NDArray[np.bool_]) -> list[str]:
    assert inst.contingencies is not None
    asked = asked_yearly_t(inst, inst.contingencies.period, asks)
    return sorted({str(product) for product in asked.index.get_level_values("product")})


def _runs(inst: Instance, copy: Recourse) -> pd.DataFrame:
    rows = np.flatnonzero(copy.run > SMALLEST_T)
    facility = inst.facilities["facility"].to_numpy()[inst.processes["facility"].to_numpy(dtype=int)[rows]]
    process = inst.processes["process"].to_numpy()[rows]
    return pd.DataFrame({"kind": "run", "id": process, "origin_facility": facility, "amount_t": copy.run[rows]})


def _flows(inst: Instance, copy: Recourse) -> pd.DataFrame:
    rows = np.flatnonzero(copy.flow > SMALLEST_T)
    lanes, place = inst.lanes.iloc[rows], inst.balances["place"].to_numpy()
    return pd.DataFrame(
        {
            "kind": "flow",
            "id": lanes["commodity"].to_numpy(),
            "mine": lanes["tag"].to_numpy(),
            "origin_facility": place[lanes["tail"].to_numpy(dtype=int)],
            "destination_facility": place[lanes["head"].to_numpy(dtype=int)],
            "route": lanes["route"].to_numpy(),
            "amount_t": copy.flow[rows],
        }
    )
