"""Tables of a run as CSV text: exact numbers, fixed order, and no cell that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence

import pandas as pd

from hubplan.errors import DataError, Fault
from hubplan.results.plan import KEYS, TABLES, as_table, find_shape_faults

_FORMULA = re.compile(r"['\s]*[=+\-@＝＋－＠]|'*[\t\r\n]")


def guard_text(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would read as a formula; see `unguard_text`."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguard_text(cell: str) -> str:
    """Take back the apostrophe of `guard_text`; ``unguard_text(guard_text(text)) == text`` for every text."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell[1:]) else cell


def _write_cell(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(value + 0.0)  # + 0.0 turns -0.0 into 0.0
    return str(value) if isinstance(value, int) else _quote(guard_text(str(value)))


def _quote(text: str) -> str:
    """Quote a cell as RFC 4180 says.

    Before Python 3.13 the csv writer leaves a lone carriage return bare, and its reader then ends the row.
    """
    return '"' + text.replace('"', '""') + '"' if re.search(r'[",\r\n]', text) else text


def table_to_csv(name: str, frame: pd.DataFrame) -> str:
    """Write a table of a plan as CSV.

    Rows stand in the order of the table's key. Numbers have the fewest digits that read back as the same float, so that
    sums hold; unknown is an empty cell.

    Raises
    ------
    DataError
        A column is missing, a key repeats, or a number is infinite.
    """
    faults = find_shape_faults(name, frame)
    if faults:
        raise DataError(faults)
    table = as_table(name, frame)
    for column, kind in TABLES[name].items():
        if kind is float and any(math.isinf(value) for value in table[column]):
            raise DataError([Fault(f"{name}.csv, column {column}", "an infinite number", "leave it unknown (NaN)")])
        if kind is str and not all(isinstance(value, str) for value in table[column]):
            raise DataError([Fault(f"{name}.csv, column {column}", "a value that is no text", "give text, '' if none")])
    header = [_quote(guard_text(str(column))) for column in table.columns]
    columns = [[_write_cell(value) for value in table[column].tolist()] for column in table.columns]
    return "".join(f"{','.join(row)}\n" for row in [header, *zip(*columns, strict=True)])


def csv_to_table(name: str, text: str) -> pd.DataFrame:
    """Read a table of a plan from CSV, checked cell by cell.

    Raises
    ------
    DataError
        Not CSV of this table; every fault names file, line and column.
    """
    where = f"{name}.csv"
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise DataError([Fault(where, str(error), "write the run again with hubplan plan --force")]) from error
    header = [unguard_text(cell) for cell in rows[0]] if rows else []
    missing = [column for column in TABLES[name] if column not in header]
    if missing or len(set(header)) != len(header):
        found = f"no column {', '.join(missing)}" if missing else "a column name stands twice"
        raise DataError([Fault(f"{where}, line 1", found, f"its columns are {', '.join(TABLES[name])}")])
    faults: list[Fault] = []
    values: dict[str, list[object]] = {column: [] for column in header}
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            found = f"{len(row)} cells, the header has {len(header)}"
            faults.append(Fault(f"{where}, line {line}", found, "give one cell a column"))
            continue
        for column, cell in zip(header, row, strict=True):
            kind = TABLES[name].get(column, str)
            values[column].append(_read_cell(cell, kind, f"{where}, line {line}", column, faults))
    if faults:
        raise DataError(faults)
    _require_distinct(name, values)
    values |= {column: _infer_kind(values[column]) for column in header if column not in TABLES[name]}
    return as_table(name, pd.DataFrame(values, columns=header))


def _read_cell(cell: str, kind: type, where: str, column: str, faults: list[Fault]) -> object:
    if kind is str:
        return unguard_text(cell)
    if kind is float and not cell:
        return math.nan
    if kind is bool and cell in ("true", "false"):
        return cell == "true"
    number = _as_number(cell, kind)
    if number is None:
        wanted = {int: "a whole number", float: "a finite number", bool: "true or false"}[kind]
        faults.append(Fault(f"{where}, column {column}", f"{cell!r} is not {wanted}", f"give {wanted}"))
    return number


def _as_number(cell: str, kind: type) -> float | int | None:
    try:
        number = int(cell) if kind is int else float(cell)
    except ValueError:
        return None
    return number if kind is not bool and math.isfinite(number) else None


def _infer_kind(cells: list[object]) -> list[object]:
    """Read a column beyond those of `TABLES` as floats if every cell is empty or one as `table_to_csv` writes it."""
    texts = [str(cell) for cell in cells]
    numbers = [_as_number(text, float) for text in texts]
    pairs = zip(texts, numbers, strict=True)
    floats = [not text or (number is not None and repr(number) == text) for text, number in pairs]
    return [math.nan if number is None else number for number in numbers] if any(texts) and all(floats) else cells


def _require_distinct(name: str, values: dict[str, list[object]]) -> None:
    seen: dict[Sequence[object], int] = {}
    for line, key in enumerate(zip(*(values[column] for column in KEYS[name]), strict=True), start=2):
        if key in seen:
            found = f"same {', '.join(KEYS[name])} as line {seen[key]}"
            raise DataError([Fault(f"{name}.csv, line {line}", found, "keep one row of each key")])
        seen[key] = line
