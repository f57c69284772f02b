"""Where the shipped data and app lie: inside an installed wheel, or beside the package in a source tree."""

from __future__ import annotations

from pathlib import Path

from hubplan.errors import DataError, Fault

_PACKAGE = Path(__file__).resolve().parent.parent


def shipped_path(name: str) -> Path:
    """Find a shipped file or folder by its name at the top of the source tree.

    Parameters
    ----------
    name
        ``"geodata"``, ``"examples"`` or ``"streamlit_app.py"``.

    Returns
    -------
    Path
        The installed copy where there is one, else the one in the source tree.

    Raises
    ------
    DataError
        Neither exists.
    """
    for folder in (_PACKAGE / "_shipped", _PACKAGE.parent):
        if (folder / name).exists():
            return folder / name
    raise DataError(
        [Fault(name, "is not part of this installation", "install hubplan again from a complete wheel or source tree")]
    )
