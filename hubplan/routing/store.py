"""Folded land cells on disk: written by ``geodata/make/land_paths.py``, used only where the digest of a cell's arcs agrees."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hubplan.data.shipped import shipped_path
from hubplan.routing.land import FoldedCell, Links

_log = logging.getLogger(__name__)
_FILE = Path("network") / "land_paths.npz"


def pack_cells(cells: Mapping[str, FoldedCell]) -> dict[str, np.ndarray]:
    """Turn folded cells into arrays for an ``.npz``; in order of their digests."""
    digests = sorted(cells)
    ordered = [cells[digest] for digest in digests]
    key_start = np.cumsum([0, *(len(cell.keys) for cell in ordered)]).astype(np.int32)
    link_start = np.cumsum([0, *(len(cell.links.tail) for cell in ordered)]).astype(np.int32)

    def joined(parts: list[np.ndarray], dtype: type) -> np.ndarray:
        return np.concatenate([np.zeros(0), *parts]).astype(dtype)

    return {
        "digest": np.array(digests, dtype="U64"), "key_start": key_start, "link_start": link_start,
        "keys": joined([cell.keys for cell in ordered], np.int32),
        "tail": joined([cell.links.tail for cell in ordered], np.int32),
        "head": joined([cell.links.head for cell in ordered], np.int32),
        "cost_usd_t": joined([cell.links.cost_usd_t for cell in ordered], np.float64),
        "freight_usd_t": joined([cell.links.measures[0] for cell in ordered], np.float64),
        "hours": joined([cell.links.measures[1] for cell in ordered], np.float64),
        "length_km": joined([cell.links.measures[2] for cell in ordered], np.float64),
    }


def unpack_cells(arrays: Mapping[str, np.ndarray]) -> dict[str, FoldedCell]:
    """Undo `pack_cells`."""
    keys, links = arrays["key_start"], arrays["link_start"]
    named = {name: arrays[name] for name in ("keys", "tail", "head", "cost_usd_t", "freight_usd_t", "hours", "length_km")}
    cells = {}
    for position, digest in enumerate(arrays["digest"].tolist()):
        span = slice(links[position], links[position + 1])
        tail, head = named["tail"][span].astype(np.int64), named["head"][span].astype(np.int64)
        measures = (named["freight_usd_t"][span], named["hours"][span], named["length_km"][span])
        own = named["keys"][keys[position]:keys[position + 1]].astype(np.int64)
        cells[digest] = FoldedCell(own, Links(tail, head, named["cost_usd_t"][span], measures))
    return cells


def read_store(path: Path | None = None) -> dict[str, FoldedCell]:
    """Read the shipped cells; none when the file is absent, so that they are searched anew."""
    file = path or shipped_path("geodata") / _FILE
    if not file.exists():
        _log.info("no %s: every cell of the land network is searched now", file.name)
        return {}
    with np.load(file, allow_pickle=False) as box:
        return unpack_cells({name: box[name] for name in box.files})
