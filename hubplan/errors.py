"""What can go wrong, said so that a reader can mend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Parameters
    ----------
    where
        File, line, column, key or id.
    found
        What is there.
    fix
        What to do about it.
    """

    where: str
    found: str
    fix: str

    def __str__(self) -> str:
        return f"{self.where}: {self.found}\n    fix: {self.fix}"


class HubplanError(Exception):
    """All faults of one step, raised once.

    Parameters
    ----------
    faults
        At least one fault.
    summary
        First line of the message; by default the number of faults.
    """

    def __init__(self, faults: Sequence[Fault], summary: str = "") -> None:
        self.faults = tuple(faults)
        self.summary = summary or f"{len(self.faults)} fault{'s' if len(self.faults) != 1 else ''}"
        super().__init__(str(self))

    def __str__(self) -> str:
        return "\n".join([f"{self.summary}:", *(str(fault) for fault in self.faults)])


class DataError(HubplanError):
    """A table, scenario or argument is not what it should be (exit status 2)."""


class NoRouteError(HubplanError):
    """The open network does not join two places (exit status 3); the faults name what cuts them off."""


class NoPlanError(HubplanError):
    """The hard rules leave no plan (exit status 3), or time ran out with nothing usable (exit status 4)."""

    def __init__(self, faults: Sequence[Fault], summary: str = "", *, timed_out: bool = False) -> None:
        super().__init__(faults, summary)
        self.timed_out = timed_out
