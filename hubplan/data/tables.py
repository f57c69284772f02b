"""geodata/ -> checked, sourced Tables: what the world is, as one DataFrame a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hubplan.data.columns import SHOWN, RawTable, Reporter, load_table, type_columns
from hubplan.data.shipped import shipped_path
from hubplan.data.table_rules import RULES
from hubplan.errors import DataError, Fault


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
    railheads: pd.DataFrame
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
    raw: dict[str, RawTable] = {}
    for name in TABLE_NAMES:
        if name not in schemas:
            faults.append(Fault(f"datapackage.json, resource {name}", "is missing", "describe the table there"))
        elif (loaded := load_table(folder / f"{name}.csv", schemas[name], faults)) is not None:
            raw[name] = loaded
    frames = {name: type_columns(table, schemas[name], faults) for name, table in raw.items()}
    for name in frames:
        _check_keys(name, frames, raw, schemas[name], faults)
    if not faults:  # rules across rows read typed, complete tables only
        for rule in RULES:
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


def _check_keys(
    name: str,
    frames: Mapping[str, pd.DataFrame],
    raw: Mapping[str, RawTable],
    schema: Mapping[str, Any],
    faults: list[Fault],
) -> None:
    """Primary keys are unique; foreign keys point at rows that exist (a blank cell points nowhere)."""
    frame, table = frames[name], raw[name]
    key = list(schema.get("primaryKey", []))
    if key and len(frame):
        for row in np.flatnonzero(frame.duplicated(key).to_numpy())[:SHOWN]:
            value = " ".join(str(frame[k].iloc[row]) for k in key)
            faults.append(
                Fault(
                    table.where(int(row), key[0]),
                    f"{value!r} stands twice ({', '.join(key)})",
                    "keep one row, or give another id",
                )
            )
    for link in schema.get("foreignKeys", []):
        column, target = link["fields"], link["reference"]
        if target["resource"] not in frames:
            continue  # that file's own fault is already listed
        known = frames[target["resource"]][target["fields"]]
        bad = ~frame[column].isin(known) & (frame[column] != "")
        Reporter(table, {"name": column}, faults).add(
            bad, f"is not in {target['resource']}.csv", f"add it there ({target['fields']}), or correct it here"
        )
