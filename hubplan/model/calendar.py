"""The periods of a scenario: which years each stands for, and what a year is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hubplan.data.scenario import Scenario
from hubplan.model.instance import Floats


@dataclass(frozen=True)
class Calendar:
    """The periods of a scenario."""

    first: tuple[int, ...]
    years: tuple[tuple[int, ...], ...]
    discount_share: float

    @property
    def block_years(self) -> Floats:
        """Years in each period."""
        return np.array([len(block) for block in self.years], dtype=float)

    @property
    def discount(self) -> Floats:
        """Mean discount factor of each period's years; 1 in the first year of the horizon."""
        start = self.first[0]
        return np.array([np.mean([(1 + self.discount_share) ** -(y - start) for y in block]) for block in self.years])

    def mean(self, by_year: dict[int, float]) -> Floats:
        """Mean over the years of each period, nothing for years that are missing."""
        return np.array([np.mean([by_year.get(y, 0.0) for y in block]) for block in self.years])


def build_calendar(scenario: Scenario) -> Calendar:
    """A year stands for itself and those up to the next; the last stands for itself."""
    years = scenario.horizon.years
    ends = [*years[1:], years[-1] + 1]
    blocks = tuple(tuple(range(first, end)) for first, end in zip(years, ends, strict=True))
    return Calendar(years, blocks, scenario.horizon.discount_share)


def period_at(calendar: Calendar, year: float) -> int:
    """First period that starts in or after a year; the number of periods if none does."""
    return int(np.searchsorted(np.array(calendar.first), year))


def ramped(calendar: Calendar, start: float, ramp: Sequence[float], *, last: float = np.inf) -> Floats:
    """Share of capacity usable in each period when opened in a year: the ramp by years since, averaged over the block.

    Nothing is usable after the year ``last``.
    """
    return np.array(
        [
            np.mean([ramp[int(min(y - start, len(ramp) - 1))] if start <= y <= last else 0.0 for y in block])
            for block in calendar.years
        ]
    )


def recovery_share(rate: float, years: float) -> float:
    """Yearly payment that pays 1 back over a life at a rate of interest."""
    return 1 / years if rate == 0 else rate / (1 - (1 + rate) ** -years)
