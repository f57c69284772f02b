"""A new folder of results: it appears whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from hubplan.errors import DataError, Fault
from hubplan.results.cells import guard_text


@contextmanager
def new_folder(folder: Path | str) -> Iterator[Path]:
    """Give a folder beside the target to fill; it takes the target's place when the block ends without an error.

    Raises
    ------
    DataError
        The target is there already.
    """
    target = Path(folder).expanduser().absolute()
    if target.exists():
        raise DataError([Fault(str(folder), "is there already", "give another folder")])
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as beside:
        made = Path(beside) / "new"
        made.mkdir()
        yield made
        made.replace(target)


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a table whose cells never start a formula in a spreadsheet."""
    safe = frame.map(lambda cell: guard_text(cell) if isinstance(cell, str) else cell)
    safe.to_csv(path, index=False)
