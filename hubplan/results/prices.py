"""Transfer prices of a scenario: what a tonne of each commodity changes hands for, by period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hubplan.data.chain import HEAVY, Chain, build_chain, recycling_process
from hubplan.data.frames import rows_of
from hubplan.data.scenario import Scenario
from hubplan.data.tables import Tables
from hubplan.errors import DataError, Fault
from hubplan.model.calendar import Calendar

OUTSIDE = "outside"
PAID_SHARE: Mapping[str, float] = {"concentrate": 0.4, "carbonate": 0.7, "heavy-concentrate": 0.6, "scrap": 0.5}
"""Share of the value of the separated oxides in it that is paid for a feed; assumed, the shares of the notes of prices.csv.

Its rows for these are those of one reference basket; ores differ by a factor of ten in what is in them.
"""


@dataclass(frozen=True, eq=False)
class PriceBook:
    """Prices by commodity and period, mean over the years of the period.

    Parameters
    ----------
    path
        Set of prices.csv asked for.
    mean_usd_t
        ``(commodity, period)`` to price.
    borrowed
        ``(commodity, period)`` for which the path has no price in some year, so that the one of `OUTSIDE` holds there.
    """

    path: str
    chain: Chain
    mean_usd_t: Mapping[tuple[str, int], float]
    borrowed: frozenset[tuple[str, int]]

    @cached_property
    def _feeds(self) -> dict[tuple[str, str, int], float]:
        return {}

    def usd_t(self, commodity: str, tag: str, period: int) -> float:
        """Price of a commodity; of a feed, by the oxides that its mine's basket or its grade has in it.

        Raises
        ------
        DataError
            prices.csv has no row for it.
        """
        if not tag or commodity not in PAID_SHARE:
            return self._known(commodity, period)
        key = (commodity, tag, period)
        if key not in self._feeds:
            value = sum(share * self._known(oxide, period) for oxide, share in self._content(commodity, tag).items())
            self._feeds[key] = PAID_SHARE[commodity] * value
        return self._feeds[key]

    def set_of(self, commodity: str, period: int) -> str:
        """Set of prices.csv that a price is from."""
        return OUTSIDE if (commodity, period) in self.borrowed else self.path

    def _known(self, commodity: str, period: int) -> float:
        if (commodity, period) not in self.mean_usd_t:
            found = f"no price of {commodity} for every year of the period from {period}, in {self.path} or {OUTSIDE}"
            raise DataError([Fault("prices.csv", found, "add the rows, or end the horizon earlier")])
        return self.mean_usd_t[commodity, period]

    def _content(self, commodity: str, tag: str) -> dict[str, float]:
        """Tonnes of separated oxide in a tonne of feed."""
        if commodity == "scrap":
            made = recycling_process(self.chain, tag, swarf=False).makes
            return {oxide: amount for (oxide, _), amount in made.items()}
        basket = self.chain.baskets[tag]
        if commodity != "heavy-concentrate":
            return {f"{element}-oxide": share for element, share in basket.items() if share > 0}
        total = self.chain.heavy_share(tag)
        return {f"{element}-oxide": basket[element] / total for element in HEAVY if basket[element] > 0}


def read_prices(tables: Tables, scenario: Scenario, calendar: Calendar) -> PriceBook:
    """Read the prices of a scenario: those of its price path, else of the world outside China.

    Where the path says nothing of a commodity in a year, the price outside holds; `PriceBook.borrowed` tells which.
    """
    path = scenario.shock.price_path or OUTSIDE
    by_set: dict[str, dict[tuple[str, int], float]] = {path: {}, OUTSIDE: {}}
    for row in rows_of(tables.prices[tables.prices["set"].isin([path, OUTSIDE])]):
        by_set[row.set][row.commodity, int(row.year)] = float(row.price_usd_t)
    mean, borrowed = {}, set()
    for commodity in sorted({commodity for commodity, _ in by_set[OUTSIDE] | by_set[path]}):
        for period, block in zip(calendar.first, calendar.years, strict=True):
            years = [(commodity, year) for year in block]
            found = [by_set[path].get(key, by_set[OUTSIDE].get(key)) for key in years]
            if None not in found:
                mean[commodity, period] = float(np.mean([price for price in found if price is not None]))
                if any(key not in by_set[path] for key in years):
                    borrowed.add((commodity, period))
    return PriceBook(path, build_chain(tables), mean, frozenset(borrowed))
