"""Where a number of the tables comes from."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import pandas as pd

from hubplan.data.tables import TABLE_NAMES, Tables, read_schemas
from hubplan.errors import DataError, Fault


def explain_number(tables: Tables, table: str, row_id: str, column: str) -> dict[str, Any]:
    """Say what one cell is and what it rests on.

    Parameters
    ----------
    row_id
        The row's key; several parts joined by ``/``.

    Returns
    -------
    dict
        ``table``, ``id``, ``column``, ``value`` (``"not found"`` for an empty cell, never 0), ``unit``, ``meaning``, ``basis``
        (``assumed`` where the row lists the column in ``assumed_columns``), ``as_of``, ``source``, ``title``, ``url``, ``note``.

    Raises
    ------
    DataError
        No such table, row or column.
    """
    if table not in TABLE_NAMES:
        raise DataError([Fault("TABLE", f"'{table}' is no table", f"give one of {', '.join(TABLE_NAMES)}")])
    frame: pd.DataFrame = getattr(tables, table)
    schema = read_schemas(tables.folder)[table]
    fields: dict[str, Mapping[str, Any]] = {str(field["name"]): field for field in schema["fields"]}
    if column not in fields:
        raise DataError([Fault(f"{table}, {column}", "no such column", f"give one of {', '.join(fields)}")])
    keys = [schema["primaryKey"]] if isinstance(schema["primaryKey"], str) else list(schema["primaryKey"])
    names = frame[keys].astype(str).agg("/".join, axis=1)
    found = frame[names == row_id]
    if found.empty:
        near = get_close_matches(row_id, list(names), n=3)
        hint = f"did you mean {', '.join(near)}?" if near else f"`hubplan data show {table}` lists the rows"
        raise DataError([Fault(f"{table}, {row_id}", f"no such {'/'.join(keys)}", hint)])
    row = found.iloc[0]
    value = row[column]
    empty = bool(pd.isna(value)) or value == ""
    assumed = column in str(row.get("assumed_columns", "")).split(";")
    sources = tables.sources.set_index("source")
    source = str(row.get("source", ""))
    return {
        "table": table,
        "id": row_id,
        "column": column,
        "value": "not found" if empty else value.item() if hasattr(value, "item") else value,
        "unit": str(fields[column].get("unit", "")),
        "meaning": str(fields[column].get("description", "")),
        "basis": "" if empty else "assumed" if assumed else str(row.get("basis", "")),
        "as_of": str(row.get("as_of", "")),
        "source": source,
        "title": str(sources.at[source, "title"]) if source in sources.index else "",
        "url": str(sources.at[source, "url"]) if source in sources.index else "",
        "note": str(row.get("note", "")),
    }
