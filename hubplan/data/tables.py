"""geodata/ -> checked, sourced Tables: what the world is, as one DataFrame a file."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hubplan.data.shipped import shipped_path
from hubplan.errors import DataError, Fault

_NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_SHOWN = 20  # faults of one rule in one column that are written out; the rest are counted


@dataclass(frozen=True)
class Tables:
    """The world as the shipped or a user's tables have it.

    Every frame has a plain RangeIndex and the columns of its file, as datapackage.json describes them: text is str with
    "" for a blank, numbers are float with NaN for a blank, years that may not be blank are int, flags are bool.

    Parameters
    ----------
    folder
        Where the files lie.
    hashes
        sha256 of each file by its name.
    """

    folder: Path
    hashes: Mapping[str, str]
    sources: pd.DataFrame
    countries: pd.DataFrame
    blocs: pd.DataFrame
    sites: pd.DataFrame
    mines: pd.DataFrame
    baskets: pd.DataFrame
    outputs: pd.DataFrame
    locks: pd.DataFrame
    stages: pd.DataFrame
    recipes: pd.DataFrame
    commodities: pd.DataFrame
    elements: pd.DataFrame
    grades: pd.DataFrame
    facilities: pd.DataFrame
    demand: pd.DataFrame
    byproducts: pd.DataFrame
    prices: pd.DataFrame
    scrap: pd.DataFrame
    transport: pd.DataFrame
    ports: pd.DataFrame
    terminals: pd.DataFrame
    zones: pd.DataFrame
    policy: pd.DataFrame


TABLE_NAMES: tuple[str, ...] = tuple(f.name for f in fields(Tables) if f.name not in ("folder", "hashes"))


def read_tables(geodata: Path | str | None = None) -> Tables:
    """Read and check every table.

    Parameters
    ----------
    geodata
        Folder with datapackage.json and the CSV files; None is the shipped one.

    Raises
    ------
    DataError
        With every fault of every file: types, required cells, ranges, lists, keys, references, and the rules that
        span rows (baskets sum to 1, recipes make no matter, ids are not shared).
    """
    folder = Path(geodata) if geodata is not None else shipped_path("geodata")
    schemas = read_schemas(folder)
    faults: list[Fault] = []
    raw: dict[str, _Raw] = {}
    for name in TABLE_NAMES:
        if name not in schemas:
            faults.append(Fault(f"datapackage.json, resource {name}", "is missing", "describe the table there"))
        elif (loaded := _load(folder / f"{name}.csv", schemas[name], faults)) is not None:
            raw[name] = loaded
    frames = {name: _typed(table, schemas[name], faults) for name, table in raw.items()}
    for name in frames:
        _check_keys(name, frames, raw, schemas[name], faults)
    if not faults:  # rules across rows read typed, complete tables only
        for rule in _RULES:
            faults.extend(rule(frames, raw))
    if faults:
        raise DataError(faults, f"{folder.name} has {len(faults)} fault{'s' if len(faults) != 1 else ''}")
    return Tables(folder=folder, hashes={f"{name}.csv": raw[name].sha256 for name in TABLE_NAMES}, **frames)


def read_schemas(folder: Path) -> dict[str, dict[str, Any]]:
    """Read the schema of each tabular resource of a folder's datapackage.json by name."""
    path = folder / "datapackage.json"
    try:
        package = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError([Fault(str(path), "is missing", "point to a folder with hubplan tables")]) from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError([Fault(str(path), f"is not JSON: {error}", "run geodata/make/describe.py")]) from None
    return {r["name"]: r["schema"] for r in package.get("resources", []) if "fields" in r.get("schema", {})}


@dataclass(frozen=True)
class _Raw:
    """A file as text: one list of cells per column, and the line each row starts on."""

    file: str
    cells: dict[str, list[str]]
    lines: list[int]
    sha256: str

    def where(self, row: int, column: str) -> str:
        return f"{self.file}, line {self.lines[row]}, column {column}"


def _load(path: Path, schema: Mapping[str, Any], faults: list[Fault]) -> _Raw | None:
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
                    faults.append(Fault(f"{path.name}, line {start}", f"has {len(row)} cells for {len(header)} columns", fix))
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
    return _Raw(path.name, {name: cells[name] for name in wanted}, lines, hashlib.sha256(data).hexdigest())


def _header_faults(file: str, header: list[str], wanted: list[str]) -> list[Fault]:
    missing = [Fault(f"{file}, line 1, column {c}", "is missing", "add the column; blank cells mean unknown") for c in wanted if c not in header]
    extra = [Fault(f"{file}, line 1, column {c}", "is not described", "remove it, or describe it in datapackage.json") for c in header if c not in wanted]
    twice = [Fault(f"{file}, line 1, column {c}", "stands twice", "keep one") for c in dict.fromkeys(header) if header.count(c) > 1]
    return missing + extra + twice


def _typed(table: _Raw, schema: Mapping[str, Any], faults: list[Fault]) -> pd.DataFrame:
    """Turn text into typed columns; cells that break a rule become faults."""
    columns: dict[str, Any] = {}
    for field in schema["fields"]:
        text = pd.Series(table.cells[field["name"]], dtype=object)
        columns[field["name"]] = _COLUMN[field["type"]](text, _Reporter(table, field, faults))
    return pd.DataFrame(columns, index=pd.RangeIndex(len(table.lines)))


@dataclass(frozen=True)
class _Reporter:
    """Turns row masks of one column into faults."""

    table: _Raw
    field: Mapping[str, Any]
    faults: list[Fault]

    @property
    def rules(self) -> Mapping[str, Any]:
        rules: Mapping[str, Any] = self.field.get("constraints", {})
        return rules

    def add(self, bad: np.ndarray | pd.Series, problem: str, fix: str) -> None:
        rows = np.flatnonzero(np.asarray(bad, dtype=bool))
        name = self.field["name"]
        for row in rows[:_SHOWN]:
            self.faults.append(Fault(self.table.where(int(row), name), f"{self.table.cells[name][row]!r} {problem}", fix))
        if len(rows) > _SHOWN:
            self.faults.append(Fault(f"{self.table.file}, column {name}", f"{len(rows) - _SHOWN} more cells: {problem}", fix))


def _text(cells: pd.Series, report: _Reporter) -> pd.Series:
    blank = cells == ""
    rules = report.rules
    if rules.get("required"):
        report.add(blank, "is blank", f"give it: {report.field.get('description', '')}")
    if "enum" in rules:
        report.add(~blank & ~cells.isin(rules["enum"]), "is not one of the words allowed", "use one of " + ", ".join(rules["enum"]))
    if "pattern" in rules and len(cells):
        report.add(~blank & ~cells.str.fullmatch(rules["pattern"]), "has the wrong form", f"give {report.field.get('description', '')} Form: {rules['pattern']}")
    return cells.astype(str)


def _number(cells: pd.Series, report: _Reporter) -> pd.Series:
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
            report.add(broken(values, limit) & values.notna(), f"is {words} {limit:g}", f"give {unit}, {_RANGE_FIX[rule]} {limit:g}")
    return values


_RANGES: tuple[tuple[str, Callable[[pd.Series, float], pd.Series], str], ...] = (
    ("minimum", lambda v, limit: v < limit, "below"),
    ("exclusiveMinimum", lambda v, limit: v <= limit, "not above"),
    ("maximum", lambda v, limit: v > limit, "above"),
)
_RANGE_FIX = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most"}


def _integer(cells: pd.Series, report: _Reporter) -> pd.Series:
    values = _number(cells, report)
    report.add((values != values.round()) & values.notna() & np.isfinite(values), "is not a whole number", "give a whole number")
    whole = report.rules.get("required") and values.notna().all() and np.isfinite(values).all()
    return values.astype(int) if whole else values


def _boolean(cells: pd.Series, report: _Reporter) -> pd.Series:
    report.add(~cells.isin(["true", "false"]), "is neither true nor false", "write true or false")
    return cells == "true"


def _date(cells: pd.Series, report: _Reporter) -> pd.Series:
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


_COLUMN: dict[str, Callable[[pd.Series, _Reporter], pd.Series]] = {
    "string": _text,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "date": _date,
}


def _check_keys(name: str, frames: Mapping[str, pd.DataFrame], raw: Mapping[str, _Raw], schema: Mapping[str, Any], faults: list[Fault]) -> None:
    """Primary keys are unique; foreign keys point at rows that exist (a blank cell points nowhere)."""
    frame, table = frames[name], raw[name]
    key = list(schema.get("primaryKey", []))
    if key and len(frame):
        for row in np.flatnonzero(frame.duplicated(key).to_numpy())[:_SHOWN]:
            value = " ".join(str(frame[k].iloc[row]) for k in key)
            faults.append(Fault(table.where(int(row), key[0]), f"{value!r} stands twice ({', '.join(key)})", "keep one row, or give another id"))
    for link in schema.get("foreignKeys", []):
        column, target = link["fields"], link["reference"]
        if target["resource"] not in frames:
            continue  # that file's own fault is already listed
        known = frames[target["resource"]][target["fields"]]
        bad = ~frame[column].isin(known) & (frame[column] != "")
        _Reporter(table, {"name": column}, faults).add(bad, f"is not in {target['resource']}.csv", f"add it there ({target['fields']}), or correct it here")


Frames = Mapping[str, pd.DataFrame]
Files = Mapping[str, _Raw]


def _baskets_sum(frames: Frames, raw: Files) -> Iterator[Fault]:
    """Each mine has the 15 oxides, and their shares sum to 1."""
    oxides = set(frames["elements"]["oxide"])
    grouped = frames["baskets"].groupby("mine", sort=False)
    for mine, rows in grouped:
        where = raw["baskets"].where(int(rows.index[0]), "share")
        total = float(rows["share"].sum())
        if abs(total - 1) > 1e-6:
            yield Fault(where, f"the shares of {mine} sum to {total:.7g}", "make the rows of a mine sum to 1")
        if missing := sorted(oxides - set(rows["oxide"])):
            yield Fault(where, f"{mine} has no row for {', '.join(missing)}", "give every oxide; 0 where there is none")
    have = set(frames["baskets"]["mine"])
    for row, mine in enumerate(frames["mines"]["mine"]):
        if mine not in have:
            yield Fault(raw["mines"].where(row, "mine"), f"{mine} has no basket", "add its 15 rows to baskets.csv")


def _recipes_make_no_matter(frames: Frames, raw: Files) -> Iterator[Fault]:
    """What one recipe's input gives is at most what went in; separation counts each element by itself."""
    recipes = frames["recipes"]
    counted = recipes[~recipes["stage"].isin(["separation_light", "separation_heavy"])]
    for (stage, feed, source), rows in counted.groupby(["stage", "feed", "input"], sort=False):
        total = float(rows["yield_t_t"].sum()) if stage in ("magnet", "recycling") else float(rows["yield_t_t"].max())
        if total > 1 + 1e-9:
            where = raw["recipes"].where(int(rows.index[0]), "yield_t_t")
            yield Fault(where, f"{stage} makes {total:.4g} t of 1 t {source} {feed}".rstrip(), "lower the yields to a sum of at most 1")
    for grade, rows in frames["grades"].groupby("grade", sort=False):
        if not 0.2 <= (total := float(rows["metal_t_t"].sum())) <= 0.4:
            where = raw["grades"].where(int(rows.index[0]), "metal_t_t")
            yield Fault(where, f"{grade} magnets hold {total:.4g} t rare earth metal per t", "NdFeB holds 0.2 to 0.4")


def _sizes_in_order(frames: Frames, raw: Files) -> Iterator[Fault]:
    """Low ends lie below high ends, and a size below its maximum."""
    for name, low, high in (
        ("stages", "size_min_t_yr", "size_max_t_yr"),
        ("facilities", "capacity_t_yr", "max_t_yr"),
        ("locks", "from_year", "to_year"),
        ("transport", "low", "high"),
        ("transport", "low", "value"),
        ("transport", "value", "high"),
    ):
        frame = frames[name]
        for row in np.flatnonzero((frame[low] > frame[high]).to_numpy()):
            found = f"{frame[low].iloc[row]:g} is above {high} {frame[high].iloc[row]:g}"
            yield Fault(raw[name].where(int(row), low), found, f"make {low} at most {high}")


def _sites_fit(frames: Frames, raw: Files) -> Iterator[Fault]:
    """Mines stand on mine sites, demand on markets, and a facility is named after its site and stage."""
    kind = frames["sites"].set_index("site")["kind"]
    for name, column, wanted in (("mines", "mine", "mine"), ("demand", "market", "market"), ("scrap", "market", "market")):
        sites = frames[name][column]
        for row in np.flatnonzero((sites.map(kind) != wanted).to_numpy())[:_SHOWN]:
            yield Fault(raw[name].where(int(row), column), f"{sites.iloc[row]} is not a {wanted} in sites.csv", f"use a site of kind {wanted}")
    facilities = frames["facilities"]
    for row, (facility, site, stage) in enumerate(zip(facilities["facility"], facilities["site"], facilities["stage"], strict=True)):
        if not (facility.startswith(site) and facility.endswith("-" + stage.replace("_", "-"))):
            where = raw["facilities"].where(row, "facility")
            yield Fault(where, f"{facility} is not named after {site} and {stage}", f"name it {site}-{stage.replace('_', '-')}")


def _ids_not_shared(frames: Frames, raw: Files) -> Iterator[Fault]:
    """A scenario names sites, ports and zones by id alone, so no two may share one; nor may an alias hide a site."""
    taken: dict[str, str] = {}
    for name, column in (("sites", "site"), ("ports", "port"), ("zones", "zone"), ("facilities", "facility")):
        for row, key in enumerate(frames[name][column]):
            if key in taken:
                yield Fault(raw[name].where(row, column), f"{key} is also in {taken[key]}.csv", "give it another id")
            taken[key] = name
    for row, aliases in enumerate(frames["sites"]["aliases"]):
        for alias in filter(None, aliases.split(";")):
            if alias in taken:
                yield Fault(raw["sites"].where(row, "aliases"), f"{alias} is an id in {taken[alias]}.csv", "drop the alias")
            taken[alias] = "sites"


def _outputs_point_somewhere(frames: Frames, raw: Files) -> Iterator[Fault]:
    """The id of an output is a mine, facility or country, as its kind says."""
    known = {k: set(frames[f"{k[:-1]}ies" if k.endswith("y") else f"{k}s"][k]) for k in ("mine", "facility", "country")}
    for row, (kind, key) in enumerate(zip(frames["outputs"]["kind"], frames["outputs"]["id"], strict=True)):
        if key not in known[kind]:
            yield Fault(raw["outputs"].where(row, "id"), f"there is no {kind} {key}", "correct kind or id")


def _years_are_whole(frames: Frames, raw: Files) -> Iterator[Fault]:
    """Every yearly series has each year between its first and last, so none is guessed between."""
    for name, keys in (
        ("demand", ["set", "market", "product", "sector"]),
        ("prices", ["set", "commodity"]),
        ("byproducts", ["commodity"]),
        ("scrap", ["market", "grade"]),
    ):
        years = frames[name].groupby(keys, sort=False)["year"].agg(["min", "max", "count"])
        for key in years.index[(years["max"] - years["min"] + 1 != years["count"]).to_numpy()]:
            label = key if isinstance(key, str) else " ".join(key)
            yield Fault(f"{name}.csv, column year", f"{label} lacks years between its first and last", "give every year")


_RULES: tuple[Callable[[Frames, Files], Iterator[Fault]], ...] = (
    _baskets_sum,
    _recipes_make_no_matter,
    _sizes_in_order,
    _sites_fit,
    _ids_not_shared,
    _outputs_point_somewhere,
    _years_are_whole,
)
