"""Folded land cells and base sea ways on disk, made by ``geodata/make/paths.py``.

Both are only a memory of searches: each part carries a digest of the arcs and costs that it was searched on, and is used where
that digest agrees. Where it does not (a user's own corridor, another freight rate), the part is searched anew.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hubplan.data.shipped import shipped_path
from hubplan.routing.land import FoldedCell, Links
from hubplan.routing.lanes import SeaWays

_log = logging.getLogger(__name__)
LAND_FILE = Path("network") / "osm" / "land_paths.npz"
"""Under the Open Database License, as derived from OpenStreetMap."""
SEA_FILE = Path("network") / "sea_paths.npz"
_MEASURES = ("freight_usd_t", "hours", "length_km")


@dataclass(frozen=True)
class Store:
    """Parts searched earlier, by digest."""

    cells: Mapping[str, FoldedCell] = field(default_factory=dict)
    sea: Mapping[str, SeaWays] = field(default_factory=dict)


def read_store(folder: Path | None = None) -> Store:
    """Read the stored parts of a geodata folder, the shipped one by default; none of a file that is absent."""
    folder = shipped_path("geodata") if folder is None else folder
    parts: list[dict[str, np.ndarray]] = []
    for file in (folder / LAND_FILE, folder / SEA_FILE):
        if file.exists():
            with np.load(file, allow_pickle=False) as box:
                parts.append({name: box[name] for name in box.files})
        else:
            _log.info("no %s: everything in it is searched now", file.name)
            parts.append({})
    return Store(unpack_cells(parts[0]) if parts[0] else {}, unpack_sea(parts[1]) if parts[1] else {})


def pack_cells(folded: Sequence[Mapping[str, FoldedCell]], hour_usd_t: Sequence[float]) -> dict[str, np.ndarray]:
    """Turn the folded cells of each ware into arrays; the generalised cost is left out, since it follows from the rest.

    Parameters
    ----------
    folded, hour_usd_t
        By ware: cells by digest, and the cost of an hour, USD/t/h.
    """
    named = [
        (digest, cells[digest], hourly)
        for cells, hourly in zip(folded, hour_usd_t, strict=True)
        for digest in sorted(cells)
    ]

    def joined(parts: list[np.ndarray], kind: str) -> np.ndarray:
        return np.concatenate([np.zeros(0), *parts]).astype(kind)

    arrays = {
        "digest": np.array([digest for digest, _, _ in named], dtype="U64"),
        "hour_usd_t": np.array([hourly for _, _, hourly in named], dtype="float64"),
        "keys": joined([cell.keys for _, cell, _ in named], "int32"),
        "key_start": np.cumsum([0, *(len(cell.keys) for _, cell, _ in named)]).astype("int32"),
        "link_start": np.cumsum([0, *(len(cell.links.tail) for _, cell, _ in named)]).astype("int32"),
        "tail": joined([cell.links.tail for _, cell, _ in named], "int32"),
        "head": joined([cell.links.head for _, cell, _ in named], "int32"),
    }
    for number, name in enumerate(_MEASURES):
        arrays[name] = joined([cell.links.measures[number] for _, cell, _ in named], "float64")
    return arrays


def unpack_cells(arrays: Mapping[str, np.ndarray]) -> dict[str, FoldedCell]:
    """Undo `pack_cells`."""
    cells = {}
    for position, digest in enumerate(arrays["digest"].tolist()):
        links = slice(arrays["link_start"][position], arrays["link_start"][position + 1])
        keys = slice(arrays["key_start"][position], arrays["key_start"][position + 1])
        freight, hours, length_km = (arrays[name][links] for name in _MEASURES)
        tail, head = arrays["tail"][links].astype(np.int64), arrays["head"][links].astype(np.int64)
        cost = freight + hours * arrays["hour_usd_t"][position]
        cells[digest] = FoldedCell(
            arrays["keys"][keys].astype(np.int64), Links(tail, head, cost, (freight, hours, length_km))
        )
    return cells


def pack_sea(digests: Sequence[str], sea: Sequence[SeaWays], hour_usd_t: Sequence[float]) -> dict[str, np.ndarray]:
    """Turn the base sea ways of each ware into arrays: of each symmetric table the part above the diagonal.

    Where a ware goes as the first one does, a zero stands for the first one's value; no way has no length.
    """
    upper = np.triu_indices(len(sea[0].cost_usd_t), 1)
    open_pairs = np.stack([np.isfinite(ways.cost_usd_t[upper]) for ways in sea])
    arrays = {"digest": np.array(digests, dtype="U64"), "hour_usd_t": np.array(hour_usd_t), "joined": open_pairs}
    for name in (*_MEASURES, "passes"):
        values = np.stack([getattr(ways, name)[upper] for ways in sea])
        if name != "passes":
            values[1:][values[1:] == values[0]] = 0
        arrays[name] = values
    return arrays


def unpack_sea(arrays: Mapping[str, np.ndarray]) -> dict[str, SeaWays]:
    """Undo `pack_sea`."""
    n_ports = round((1 + np.sqrt(1 + 8 * arrays["joined"].shape[1])) / 2)
    upper = np.triu_indices(n_ports, 1)

    def square(values: np.ndarray, diagonal: float) -> np.ndarray:
        table = np.full((n_ports, n_ports, *values.shape[1:]), diagonal, dtype=values.dtype)
        table[upper] = values
        table[upper[::-1]] = values
        return table

    found = {}
    for number, digest in enumerate(arrays["digest"].tolist()):
        freight, hours, length_km = (
            np.where(arrays[name][number] == 0, arrays[name][0], arrays[name][number]) for name in _MEASURES
        )
        cost = np.where(arrays["joined"][number], freight + hours * arrays["hour_usd_t"][number], np.inf)
        found[digest] = SeaWays(
            square(cost, np.inf),
            square(freight, 0.0),
            square(hours, 0.0),
            square(length_km, 0.0),
            square(arrays["passes"][number], 0),
        )
    return found
