"""Columns, rows and terms as arrays, handed to MathOpt as one protocol buffer.

One Python object per coefficient costs 15 s at a million nonzeros; arrays cost 0.3 s (docs/performance.md). Names of families
are kept, so that a row can be traced to its function in `formulation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from ortools.math_opt import model_pb2
from scipy import sparse

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass
class Assembly:
    """A model under construction: the only object of this package that grows."""

    lower: list[Floats] = field(default_factory=list)
    upper: list[Floats] = field(default_factory=list)
    cost: list[Floats] = field(default_factory=list)
    integer: list[npt.NDArray[np.bool_]] = field(default_factory=list)
    row_lower: list[Floats] = field(default_factory=list)
    row_upper: list[Floats] = field(default_factory=list)
    rows: list[Ints] = field(default_factory=list)
    columns: list[Ints] = field(default_factory=list)
    values: list[Floats] = field(default_factory=list)
    families: dict[str, tuple[int, int]] = field(default_factory=dict)
    n_columns: int = 0
    n_rows: int = 0

    def add_columns(
        self,
        shape: int | tuple[int, ...],
        *,
        lower: npt.ArrayLike = 0.0,
        upper: npt.ArrayLike = np.inf,
        cost: npt.ArrayLike = 0.0,
        integer: bool = False,
    ) -> Ints:
        """Add columns and return their ids in the asked shape."""
        size = int(np.prod(shape))
        ids = np.arange(self.n_columns, self.n_columns + size)
        self.n_columns += size
        for store, values in ((self.lower, lower), (self.upper, upper), (self.cost, cost)):
            store.append(np.broadcast_to(np.asarray(values, dtype=float), shape).ravel())
        self.integer.append(np.full(size, integer))
        return ids.reshape(shape)

    def add_rows(
        self,
        family: str,
        shape: int | tuple[int, ...],
        *,
        lower: npt.ArrayLike = -np.inf,
        upper: npt.ArrayLike = np.inf,
    ) -> Ints:
        """Add rows of a family and return their ids in the asked shape."""
        size = int(np.prod(shape))
        ids = np.arange(self.n_rows, self.n_rows + size)
        start = self.families.get(family, (self.n_rows, self.n_rows))[0]
        self.n_rows += size
        self.families[family] = (start, self.n_rows)
        for store, values in ((self.row_lower, lower), (self.row_upper, upper)):
            store.append(np.broadcast_to(np.asarray(values, dtype=float), shape).ravel())
        return ids.reshape(shape)

    def add_terms(self, rows: npt.ArrayLike, columns: npt.ArrayLike, values: npt.ArrayLike) -> None:
        """Add coefficients; the three arrays are broadcast together. Terms of column id -1 (absent) are dropped."""
        row_ids, column_ids, numbers = np.broadcast_arrays(
            np.asarray(rows), np.asarray(columns), np.asarray(values, dtype=float)
        )
        keep = (column_ids.ravel() >= 0) & (numbers.ravel() != 0)
        self.rows.append(row_ids.ravel()[keep])
        self.columns.append(column_ids.ravel()[keep])
        self.values.append(numbers.ravel()[keep])

    def finish(self) -> Arrays:
        """Close the model: sum duplicate terms and freeze the arrays."""

        def joined(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
            return np.concatenate(parts) if parts else np.empty(0)

        entries = (joined(self.values).astype(float), (joined(self.rows).astype(int), joined(self.columns).astype(int)))
        matrix = sparse.coo_array(entries, shape=(self.n_rows, self.n_columns)).tocsr()
        matrix.sum_duplicates()
        return Arrays(
            lower=joined(self.lower),
            upper=joined(self.upper),
            cost=joined(self.cost),
            integer=joined(self.integer).astype(bool),
            row_lower=joined(self.row_lower),
            row_upper=joined(self.row_upper),
            matrix=matrix,
            families=dict(self.families),
        )


@dataclass(frozen=True)
class Arrays:
    """A finished mixed-integer linear program: min cost x, row_lower <= matrix x <= row_upper, lower <= x <= upper."""

    lower: Floats
    upper: Floats
    cost: Floats
    integer: npt.NDArray[np.bool_]
    row_lower: Floats
    row_upper: Floats
    matrix: sparse.csr_array
    families: dict[str, tuple[int, int]]

    def to_proto(self, *, relaxed: bool = False) -> model_pb2.ModelProto:
        """The same program as a MathOpt protocol buffer; `relaxed` drops integrality."""
        proto = model_pb2.ModelProto()
        n, m = len(self.cost), len(self.row_lower)
        proto.variables.ids.extend(range(n))
        proto.variables.lower_bounds.extend(self.lower.tolist())
        proto.variables.upper_bounds.extend(self.upper.tolist())
        proto.variables.integers.extend((np.zeros(n, bool) if relaxed else self.integer).tolist())
        proto.linear_constraints.ids.extend(range(m))
        proto.linear_constraints.lower_bounds.extend(self.row_lower.tolist())
        proto.linear_constraints.upper_bounds.extend(self.row_upper.tolist())
        used = np.flatnonzero(self.cost)
        proto.objective.linear_coefficients.ids.extend(used.tolist())
        proto.objective.linear_coefficients.values.extend(self.cost[used].tolist())
        entries = proto.linear_constraint_matrix
        entries.row_ids.extend(np.repeat(np.arange(m), np.diff(self.matrix.indptr)).tolist())
        entries.column_ids.extend(self.matrix.indices.tolist())
        entries.coefficients.extend(self.matrix.data.tolist())
        return proto
