"""What the checker reads: a plan, the tables it rests on, and the calendar worked out again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from hubplan.data.access import Access, resolve_access
from hubplan.data.tables import Tables
from hubplan.errors import Fault
from hubplan.results.plan import KEYS, TABLES, Plan

RELATIVE = 1e-6
ABSOLUTE_T = 1e-3
"""Tonnes may differ by 1e-6 of the larger and a kilogram; USD by 1e-6 and a dollar."""
ABSOLUTE_USD = 1.0

ON_SITE = "on-site"


def near(found: float, expected: float, *, absolute: float = ABSOLUTE_T) -> bool:
    """Whether two numbers agree to the checker's tolerance; unknown agrees with unknown only."""
    if math.isnan(found) or math.isnan(expected):
        return math.isnan(found) and math.isnan(expected)
    return math.isclose(found, expected, rel_tol=RELATIVE, abs_tol=absolute)


def at_most(found: float, limit: float, *, absolute: float = ABSOLUTE_T) -> bool:
    """Whether a number is at most a limit, to the checker's tolerance."""
    return found <= limit or near(found, limit, absolute=absolute)


def mean(values: list[float]) -> float:
    """Arithmetic mean."""
    return sum(values) / len(values)


@dataclass(frozen=True)
class Reading:
    """A plan beside the tables it was made from."""

    plan: Plan
    tables: Tables

    @cached_property
    def access(self) -> Access:
        """What the scenario leaves open, resolved anew."""
        return resolve_access(self.plan.scenario, self.tables)

    @cached_property
    def blocks(self) -> Mapping[int, tuple[int, ...]]:
        """First year of each period to its years: itself and those up to the next; the last stands alone."""
        years = self.plan.scenario.horizon.years
        ends = [*years[1:], years[-1] + 1]
        return {first: tuple(range(first, end)) for first, end in zip(years, ends, strict=True)}

    @cached_property
    def discount(self) -> Mapping[int, float]:
        """Mean discount factor of each period's years, 1 in the first year of the horizon."""
        rate, start = self.plan.scenario.horizon.discount_share, self.plan.scenario.horizon.years[0]
        return {first: mean([(1 + rate) ** (start - year) for year in block]) for first, block in self.blocks.items()}

    @cached_property
    def country(self) -> Mapping[str, str]:
        """Site to country."""
        return dict(zip(self.tables.sites["site"], self.tables.sites["country"], strict=True))

    @cached_property
    def site(self) -> Mapping[str, Any]:
        """Site to its row of geodata."""
        return {row.site: row for row in rows(self.tables.sites)}

    @cached_property
    def value_usd_t(self) -> Mapping[str, float]:
        """Commodity to value."""
        table = self.tables.commodities
        return dict(zip(table["commodity"], table["value_usd_t"].astype(float), strict=True))

    def years(self, period: int) -> int:
        """Length of a period."""
        return len(self.blocks[period])

    def share_of_block(self, period: int, first: float, last: float) -> float:
        """Share of a period's years that lie within two years, both counted."""
        return mean([1.0 if first <= year <= last else 0.0 for year in self.blocks[period]])

    @cached_property
    def capacity_t_yr(self) -> Mapping[tuple[str, int], float]:
        """Facility and period to what hubs.csv says stands there."""
        hubs = self.plan.hubs
        return dict(zip(zip(hubs["facility"], hubs["period"], strict=True), hubs["capacity_t_yr"], strict=True))

    @cached_property
    def _parameters(self) -> Mapping[str, float]:
        return {row.parameter: float(row.value) for row in rows(self.tables.transport)}

    def parameter(self, name: str) -> float:
        """One value of transport.csv."""
        return self._parameters[name]

    @cached_property
    def _places(self) -> Mapping[str, Mapping[object, tuple[int, str]]]:
        """Of each row of each table: its line, and its key as text."""
        return {name: _number_rows(name, self.plan.table(name)) for name in TABLES}

    def where(self, table: str, row: object, column: str = "") -> str:
        """Name a row of a run's file, by line and key."""
        line, key = self._places[table][row]
        return f"{table}.csv, line {line} ({key})" + (f", column {column}" if column else "")


def rows(frame: pd.DataFrame) -> Iterable[Any]:
    """Rows of a frame as named tuples, with the label as ``Index``; their cells are as the schema has them."""
    return frame.itertuples()


def _number_rows(name: str, frame: pd.DataFrame) -> dict[object, tuple[int, str]]:
    keys = zip(frame.index, *(frame[column] for column in KEYS[name]), strict=True)
    return {label: (line, ", ".join(map(str, key))) for line, (label, *key) in enumerate(keys, start=2)}


def differs(where: str, found: float, expected: float, why: str) -> Fault:
    """Say that a number is not what the rules make of the rest."""
    fix = "this run does not follow from its data; plan again"
    return Fault(where, f"{found:,.9g}, expected {expected:,.9g}: {why}", fix)


def breaks(where: str, found: str) -> Fault:
    """Say that a rule is broken."""
    return Fault(where, found, "this run breaks a rule; plan again")


def as_float(value: Any) -> float:
    """A cell as a float; unknown is NaN."""
    return math.nan if value is None or pd.isna(value) else float(value)
