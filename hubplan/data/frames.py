"""Rows of a frame for plain loops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd


def rows_of(frame: pd.DataFrame) -> Iterator[Any]:
    """Go through a frame row by row; each row has its columns as attributes.

    The columns were checked where the data entered, and types cannot see them: hence ``Any``.
    """
    return frame.itertuples(index=False)
