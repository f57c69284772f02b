"""Rule rows as terms of the program: dense shares of a whole are written once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from hubplan.model.assembly import Assembly
from hubplan.model.instance import Instance
from hubplan.model.rulebook import KINDS, UNITS

if TYPE_CHECKING:
    from hubplan.model.formulation import Variables

Ints = npt.NDArray[np.int64]


def rule_weights(
    model: Assembly, inst: Instance, var: Variables, scale: npt.NDArray[np.floating[Any]]
) -> sparse.csr_array:
    """Scaled weights of decisions in rules; one row for each rule."""
    rules = inst.rules
    found, values = np.full(len(rules.rule), -1, dtype=np.int64), np.zeros(len(rules.rule))
    for code, kind in enumerate(KINDS):
        at = np.flatnonzero(rules.kind == code)
        columns = var.of(kind)
        if len(at):
            found[at] = columns[rules.row[at]] if columns.ndim == 1 else columns[rules.row[at], rules.period[at]]
            values[at] = rules.weight[at] * (1.0 if kind in ("opened", "kept") else UNITS["t"]) / scale[rules.rule[at]]
    there = found >= 0
    weights = sparse.coo_array(
        (values[there], (rules.rule[there], found[there])), shape=(len(rules), model.n_columns)
    ).tocsr()
    weights.sum_duplicates()
    weights.eliminate_zeros()
    return weights


def add_shared_totals(model: Assembly, rows: Ints, family: npt.NDArray[np.object_], weights: sparse.csr_array) -> None:
    """Weigh decisions in rules; a sum that rules of a family have in common is written once, as a column of its own.

    Shares of a whole are dense (each country against all of a stage), which is what an interior point method pays for.
    """
    alike: dict[tuple[str, bytes], list[int]] = {}
    for rule in range(weights.shape[0]):
        columns = weights.indices[weights.indptr[rule] : weights.indptr[rule + 1]]
        alike.setdefault((str(family[rule]), columns.tobytes()), []).append(rule)
    for members in alike.values():
        first = members[0]
        columns = weights.indices[weights.indptr[first] : weights.indptr[first + 1]]
        if not len(columns):
            continue
        dense = np.array([weights.data[weights.indptr[rule] : weights.indptr[rule + 1]] for rule in members])
        common = np.median(dense, axis=0)
        rest = np.where(np.abs(dense - common) > 1e-12, dense - common, 0.0)
        if np.count_nonzero(rest) + len(members) + len(columns) >= dense.size:
            model.add_terms(rows[members][:, None], columns[None, :], dense)
            continue
        total = model.add_columns(1, lower=-np.inf)
        row = model.add_rows("rule total", 1, lower=0.0, upper=0.0)
        model.add_terms(row, total, -1.0)
        model.add_terms(row, columns, common)
        model.add_terms(rows[members], total, 1.0)
        model.add_terms(rows[members][:, None], columns[None, :], rest)
