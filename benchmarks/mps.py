"""A model of ours as an MPS file, and an MPS file as a model of ours, so that other solvers get the same numbers.

python benchmarks/mps.py examples/allied-2035.toml allied-2035.mps    # columns c0, c1 ...; rows r0, r1 ...; objective cost
"""

from __future__ import annotations

import argparse
import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import sparse

from hubplan.data.scenario import read_scenario
from hubplan.model.assembly import Arrays
from hubplan.model.formulation import build_model
from hubplan.run import prepare


def write_mps(arrays: Arrays, path: Path) -> None:
    """Write free MPS, numbers to the last digit; integer columns stand between markers and always have both bounds."""
    low, high = arrays.row_lower, arrays.row_upper
    equal = low == high
    kind = np.select([equal, np.isfinite(low), np.isfinite(high)], ["E", "G", "L"], "N")
    lines = ["NAME hubplan", "ROWS", " N cost"]
    lines += [f" {k} r{i}" for i, k in enumerate(kind.tolist())]
    lines.append("COLUMNS")
    lines += _column_lines(arrays)
    lines.append("RHS")
    side = np.where(np.isin(kind, ("E", "G")), low, np.where(kind == "L", high, 0.0))
    given = np.flatnonzero(side)
    lines += [f" rhs r{i} {v!r}" for i, v in zip(given.tolist(), side[given].tolist(), strict=True)]
    both = np.flatnonzero(np.isfinite(low) & np.isfinite(high) & ~equal)
    if both.size:
        lines.append("RANGES")
        lines += [f" rng r{i} {v!r}" for i, v in zip(both.tolist(), (high - low)[both].tolist(), strict=True)]
    lines.append("BOUNDS")
    lines += _bound_lines(arrays)
    lines.append("ENDATA\n")
    path.write_text("\n".join(lines))


def _column_lines(arrays: Arrays) -> Iterator[str]:
    columns = sparse.csc_array(arrays.matrix)
    starts, rows, values = columns.indptr.tolist(), columns.indices.tolist(), columns.data.tolist()
    inside = False
    for n, (cost, whole) in enumerate(zip(arrays.cost.tolist(), arrays.integer.tolist(), strict=True)):
        if whole != inside:
            yield f" m{n} 'MARKER' '{'INTORG' if whole else 'INTEND'}'"
            inside = whole
        if cost or starts[n] == starts[n + 1]:
            yield f" c{n} cost {cost!r}"
        for at in range(starts[n], starts[n + 1]):
            yield f" c{n} r{rows[at]} {values[at]!r}"
    if inside:
        yield " mlast 'MARKER' 'INTEND'"


def _bound_lines(arrays: Arrays) -> Iterator[str]:
    for n, (low, high, whole) in enumerate(
        zip(arrays.lower.tolist(), arrays.upper.tolist(), arrays.integer.tolist(), strict=True)
    ):
        if low == high:
            yield f" FX bnd c{n} {low!r}"
            continue
        if low == -np.inf:
            yield f" MI bnd c{n}"
        elif low:
            yield f" LO bnd c{n} {low!r}"
        if high != np.inf:
            yield f" UP bnd c{n} {high!r}"
        elif whole:
            yield f" PL bnd c{n}"


def read_mps(path: Path) -> Arrays:
    """Read free MPS, or fixed MPS whose names hold no blanks; ``.gz`` too. Minimises.

    Raises
    ------
    ValueError
        A section or a kind of bound that is not known, or a constant in the objective.
    """
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    section, whole = "", False
    rows: dict[str, int] = {}
    kinds: list[str] = []
    objective = ""
    columns: dict[str, int] = {}
    integer: list[bool] = []
    cost: dict[int, float] = {}
    entries: tuple[list[int], list[int], list[float]] = ([], [], [])
    side: dict[int, float] = {}
    ranges: dict[int, float] = {}
    bounds: list[tuple[str, int, float]] = []
    for line in text.splitlines():
        words = line.split()
        if not words or line[0] == "*":
            continue
        if line[0] not in " \t":
            section = words[0]
            if section not in ("NAME", "ROWS", "COLUMNS", "RHS", "RANGES", "BOUNDS", "ENDATA"):
                raise ValueError(f"{path}: section {section} is not known")
        elif section == "ROWS":
            if words[0] == "N" and not objective:
                objective = words[1]
            else:
                rows[words[1]] = len(rows)
                kinds.append(words[0])
        elif section == "COLUMNS":
            if words[1] == "'MARKER'":
                whole = words[2] == "'INTORG'"
                continue
            if words[0] not in columns:
                columns[words[0]] = len(columns)
                integer.append(whole)
            column = columns[words[0]]
            for name, number in zip(words[1::2], words[2::2], strict=True):
                if name == objective:
                    cost[column] = float(number)
                else:
                    for store, value in zip(entries, (rows[name], column, float(number)), strict=True):
                        store.append(value)  # type: ignore[arg-type]
        elif section in ("RHS", "RANGES"):
            for name, number in zip(words[1::2], words[2::2], strict=True):
                if name == objective:
                    raise ValueError(f"{path}: a constant in the objective")
                (side if section == "RHS" else ranges)[rows[name]] = float(number)
        elif section == "BOUNDS":
            bounds.append((words[0], columns[words[2]], float(words[3]) if len(words) > 3 else 0.0))
    return _arrays(kinds, integer, cost, entries, side, ranges, bounds)


def _arrays(
    kinds: list[str],
    integer: list[bool],
    cost: dict[int, float],
    entries: tuple[list[int], list[int], list[float]],
    side: dict[int, float],
    ranges: dict[int, float],
    bounds: list[tuple[str, int, float]],
) -> Arrays:
    m, n = len(kinds), len(integer)
    right, kind, width = np.zeros(m), np.array(kinds), np.full(m, np.nan)
    right[list(side)] = list(side.values())
    width[list(ranges)] = list(ranges.values())
    low = np.where(np.isin(kind, ("E", "G")), right, -np.inf)
    high = np.where(np.isin(kind, ("E", "L")), right, np.inf)
    ranged = np.isfinite(width)
    low = np.where(ranged & (kind == "L"), right - np.abs(width), low)
    low = np.where(ranged & (kind == "E") & (width < 0), right + width, low)
    high = np.where(ranged & (kind == "G"), right + np.abs(width), high)
    high = np.where(ranged & (kind == "E") & (width > 0), right + width, high)
    whole = np.array(integer)
    lower, upper, costs = np.zeros(n), np.full(n, np.inf), np.zeros(n)
    costs[list(cost)] = list(cost.values())
    for name, column, value in bounds:
        if name in ("UP", "UI", "FX"):
            upper[column] = value
        if name in ("LO", "LI", "FX"):
            lower[column] = value
        if name in ("MI", "FR"):
            lower[column] = -np.inf
        if name == "BV":
            lower[column], upper[column] = 0.0, 1.0
        if name in ("BV", "LI", "UI"):
            whole[column] = True
        if name not in ("UP", "UI", "FX", "LO", "LI", "MI", "FR", "BV", "PL"):
            raise ValueError(f"bound {name} is not known")
    matrix = sparse.coo_array((entries[2], (entries[0], entries[1])), shape=(m, n)).tocsr()
    return Arrays(
        lower=lower, upper=upper, cost=costs, integer=whole, row_lower=low, row_upper=high, matrix=matrix, families={}
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", type=Path)
    parser.add_argument("mps", type=Path)
    args = parser.parse_args()
    arrays, _ = build_model(prepare(read_scenario(args.scenario)).instance)
    write_mps(arrays, args.mps)


if __name__ == "__main__":
    main()
