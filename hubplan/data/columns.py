"""Text cells -> typed columns; every cell that breaks its rule becomes a fault with file, line and column."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from hubplan.errors import Fault

SHOWN: Final = 20
"""Faults of one rule in one column that are written out; the rest are counted."""

_NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"


@dataclass(frozen=True)
class RawTable:
    """A file as text: one list of cells per column, and the line each row starts on."""

    file: str
    cells: dict[str, list[str]]
    lines: list[int]
    sha256: str

    def where(self, row: int, column: str) -> str:
        """Name a cell as a person would look for it."""
        return f"{self.file}, line {self.lines[row]}, column {column}"


def load_table(path: Path, schema: Mapping[str, Any], faults: list[Fault]) -> RawTable | None:
    """Read a CSV file as text; None, with faults, if it cannot be laid out in the columns described."""
    wanted = [f["name"] for f in schema["fields"]]
    try:
        data = path.read_bytes()
        rows = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        header = next(rows, [])
        if problems := _header_faults(path.name, header, wanted):
            faults.extend(problems)
            return None
        table: list[list[str]] = []
        lines: list[int] = []
        start = rows.line_num + 1
        for row in rows:
            if len(row) != len(header):
                if row:
                    fix = "quote a cell that contains a comma"
                    faults.append(
                        Fault(f"{path.name}, line {start}", f"has {len(row)} cells for {len(header)} columns", fix)
                    )
            else:
                table.append([cell.strip() for cell in row])
                lines.append(start)
            start = rows.line_num + 1
    except FileNotFoundError:
        faults.append(Fault(path.name, "is missing", f"add it beside datapackage.json in {path.parent}"))
        return None
    except UnicodeDecodeError as error:
        faults.append(Fault(path.name, f"is not UTF-8 at byte {error.start}", "save the file as UTF-8"))
        return None
    except csv.Error as error:
        faults.append(Fault(f"{path.name}, line {rows.line_num}", f"is not CSV: {error}", "mend the quotes"))
        return None
    columns = list(map(list, zip(*table, strict=True))) if table else [[] for _ in header]
    cells = dict(zip(header, columns, strict=True))
    return RawTable(path.name, {name: cells[name] for name in wanted}, lines, hashlib.sha256(data).hexdigest())


def _header_faults(file: str, header: list[str], wanted: list[str]) -> list[Fault]:
    missing = [
        Fault(f"{file}, line 1, column {c}", "is missing", "add the column; blank cells mean unknown")
        for c in wanted
        if c not in header
    ]
    extra = [
        Fault(f"{file}, line 1, column {c}", "is not described", "remove it, or describe it in datapackage.json")
        for c in header
        if c not in wanted
    ]
    twice = [
        Fault(f"{file}, line 1, column {c}", "stands twice", "keep one")
        for c in dict.fromkeys(header)
        if header.count(c) > 1
    ]
    return missing + extra + twice


def type_columns(table: RawTable, schema: Mapping[str, Any], faults: list[Fault]) -> pd.DataFrame:
    """Turn text into typed columns; cells that break a rule become faults."""
    columns: dict[str, Any] = {}
    for field in schema["fields"]:
        text = pd.Series(table.cells[field["name"]], dtype=object)
        columns[field["name"]] = _COLUMN[field["type"]](text, Reporter(table, field, faults))
    return pd.DataFrame(columns, index=pd.RangeIndex(len(table.lines)))


@dataclass(frozen=True)
class Reporter:
    """Turns row masks of one column into faults."""

    table: RawTable
    field: Mapping[str, Any]
    faults: list[Fault]

    @property
    def rules(self) -> Mapping[str, Any]:
        """Give the constraints of the column."""
        rules: Mapping[str, Any] = self.field.get("constraints", {})
        return rules

    def add(self, bad: np.ndarray | pd.Series, problem: str, fix: str) -> None:
        """Write a fault for each row of the mask."""
        rows = np.flatnonzero(np.asarray(bad, dtype=bool))
        name = self.field["name"]
        for row in rows[:SHOWN]:
            self.faults.append(
                Fault(self.table.where(int(row), name), f"{self.table.cells[name][row]!r} {problem}", fix)
            )
        if len(rows) > SHOWN:
            self.faults.append(
                Fault(f"{self.table.file}, column {name}", f"{len(rows) - SHOWN} more cells: {problem}", fix)
            )


def _text(cells: pd.Series, report: Reporter) -> pd.Series:
    blank = cells == ""
    rules = report.rules
    if rules.get("required"):
        report.add(blank, "is blank", f"give it: {report.field.get('description', '')}")
    if "enum" in rules:
        report.add(
            ~blank & ~cells.isin(rules["enum"]),
            "is not one of the words allowed",
            "use one of " + ", ".join(rules["enum"]),
        )
    if "pattern" in rules and len(cells):
        report.add(
            ~blank & ~cells.str.fullmatch(rules["pattern"]),
            "has the wrong form",
            f"give {report.field.get('description', '')} Form: {rules['pattern']}",
        )
    return cells.astype(str)


def _number(cells: pd.Series, report: Reporter) -> pd.Series:
    blank = cells == ""
    unit = report.field.get("unit", "a number")
    if report.rules.get("required"):
        report.add(blank, "is blank", f"give {unit}")
    good = cells.str.fullmatch(_NUMBER).astype(bool) if len(cells) else blank
    hint = "" if report.rules.get("required") else ", or leave the cell empty if unknown"
    report.add(~blank & ~good, "is not a number", f"give {unit}{hint}")
    values = pd.to_numeric(cells.where(good, None), errors="coerce").astype(float)
    report.add(np.isinf(values), "is beyond what a number can hold", f"give {unit}")
    for rule, broken, words in _RANGES:
        if rule in report.rules:
            limit = report.rules[rule]
            report.add(
                broken(values, limit) & values.notna(),
                f"is {words} {limit:g}",
                f"give {unit}, {_RANGE_FIX[rule]} {limit:g}",
            )
    return values


_RANGES: tuple[tuple[str, Callable[[pd.Series, float], pd.Series], str], ...] = (
    ("minimum", lambda v, limit: v < limit, "below"),
    ("exclusiveMinimum", lambda v, limit: v <= limit, "not above"),
    ("maximum", lambda v, limit: v > limit, "above"),
)
_RANGE_FIX = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most"}


def _integer(cells: pd.Series, report: Reporter) -> pd.Series:
    values = _number(cells, report)
    report.add(
        (values != values.round()) & values.notna() & np.isfinite(values),
        "is not a whole number",
        "give a whole number",
    )
    whole = report.rules.get("required") and values.notna().all() and np.isfinite(values).all()
    return values.astype(int) if whole else values


def _boolean(cells: pd.Series, report: Reporter) -> pd.Series:
    report.add(~cells.isin(["true", "false"]), "is neither true nor false", "write true or false")
    return cells == "true"


def _date(cells: pd.Series, report: Reporter) -> pd.Series:
    blank = cells == ""
    if report.rules.get("required"):
        report.add(blank, "is blank", "give a day as YYYY-MM-DD")
    known = {cell: _is_date(cell) for cell in cells.unique()}
    report.add(~blank & ~cells.map(known).astype(bool), "is not a day", "give a day as YYYY-MM-DD")
    return cells.astype(str)


def _is_date(cell: str) -> bool:
    try:
        return len(cell) == 10 and bool(date.fromisoformat(cell))
    except ValueError:
        return False


_COLUMN: dict[str, Callable[[pd.Series, Reporter], pd.Series]] = {
    "string": _text,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "date": _date,
}
