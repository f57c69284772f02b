"""Coverage: need, what is served of it, and what of that came from no excluded country, from demand, runs and stocks alone."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping

from hubplan.errors import Fault
from hubplan.results.checking.reading import Reading, breaks, differs, near, rows
from hubplan.results.checking.recipes import Recipes
from hubplan.results.checking.works import Works

ELEMENTS = ("ndpr", "dy", "tb", "sm", "gd", "y")
_MAGNETS = frozenset({"ndpr", "dy", "tb", "sm"})
_SMALLEST_T = 1e-3
_STEPS = 100

Key = tuple[str, int]
"""Commodity and period."""


def find_coverage_faults(reading: Reading, works: Mapping[str, Works], recipes: Recipes) -> list[Fault]:
    """Every element with a need has a row in every period, and its numbers are what the other tables make of them."""
    demand: defaultdict[Key, float] = defaultdict(float)
    supply: defaultdict[Key, float] = defaultdict(float)
    for row in rows(reading.plan.demand):
        demand[str(row.product), int(row.period)] += float(row.demand_t)
        supply[str(row.product), int(row.period)] += float(row.served_t)
    said = {(str(row.element), int(row.period)): row for row in rows(reading.plan.coverage)}
    outside = _Origins(reading, works, recipes)
    faults = []
    for element in ELEMENTS:
        content = _content(recipes, element)
        for period in reading.blocks:
            need = math.fsum(each * demand[product, period] for product, each in content.items())
            served = math.fsum(each * supply[product, period] for product, each in content.items())
            own = math.fsum(
                each * supply[product, period] * (1 - outside.share(product, element, period))
                for product, each in content.items()
            )
            found = said.pop((element, period), None)
            if found is None:
                if need > _SMALLEST_T:
                    faults.append(breaks("coverage.csv", f"no row for {element}, {period}: {need:,.9g} t are needed"))
                continue
            expected = {"need_t": need, "served_t": served, "independent_t": own}
            if need > 0:
                expected["covered_share"] = own / need
            for column, value in expected.items():
                if not near(float(getattr(found, column)), value, absolute=1e-6 if column == "covered_share" else 1e-3):
                    where = reading.where("coverage", found.Index, column)
                    faults.append(
                        differs(where, float(getattr(found, column)), value, "demand, recipes and what was bought")
                    )
    return [*faults, *(breaks("coverage.csv", f"{e}, {period} is no element or period") for e, period in sorted(said))]


def _content(recipes: Recipes, element: str) -> dict[str, float]:
    """t of an element's oxide that a t of each product takes, swarf not returned."""
    found = {f"{element}-oxide": 1.0}
    for grade, metals in recipes.metals.items():
        if element in _MAGNETS and metals.get(element, 0.0) > 0:
            alloy = metals[element] / recipes.gain("alloy", f"{element}-metal", f"alloy-{grade}")
            oxide = alloy / recipes.gain("metal", f"{element}-oxide", f"{element}-metal")
            found[f"magnet-{grade}"] = oxide / recipes.gain("magnet", f"alloy-{grade}", f"magnet-{grade}")
    return found


class _Origins:
    """Which share of each good was bought in excluded countries; goods of a kind are one pool, stocks included."""

    def __init__(self, reading: Reading, works: Mapping[str, Works], recipes: Recipes) -> None:
        self._reading = reading
        self._made: defaultdict[Key, float] = defaultdict(float)
        self._bought: defaultdict[Key, float] = defaultdict(float)
        self._excluded: defaultdict[Key, float] = defaultdict(float)
        self._returned: defaultdict[tuple[str, str, int], float] = defaultdict(float)
        for row in rows(reading.plan.processes):
            work, period = works[str(row.facility)], int(row.period)
            for (good, _), share in recipes.run(work, str(row.process)).makes.items():
                amount = share * float(row.input_t)
                if work.stage != "purchase":
                    self._made[good, period] += amount
                    if str(row.process).startswith("swarf-"):
                        self._returned[good, str(row.process), period] += amount
                elif work.country in reading.access.excluded:
                    self._excluded[good, period] += amount
                else:
                    self._bought[good, period] += amount
        self._closing = reading.plan.stocks.groupby(["commodity", "period"])["closing_t"].sum().to_dict()
        self._known: dict[str, dict[Key, float]] = {}

    def share(self, product: str, element: str, period: int) -> float:
        """Share of an element in a product that excluded countries sold."""
        if not self._excluded:
            return 0.0
        if element not in self._known:
            self._known[element] = self._trace(element)
        return self._known[element].get((product, period), 0.0)

    def _trace(self, element: str) -> dict[Key, float]:
        """Period by period, since only stock carries over; within one, until swarf that returns changes nothing more."""
        oxide, metal = f"{element}-oxide", f"{element}-metal"
        pools = [*self._made, *self._bought, *self._excluded]
        grades = sorted(
            {good.partition("-")[2] for good, _ in pools if good.startswith(("alloy-", "magnet-", "swarf-"))}
        )
        found: dict[Key, float] = {}
        kept, kept_share = 0.0, 0.0
        for period in self._reading.blocks:
            for _ in range(_STEPS):
                back = math.fsum(
                    amount * found.get((swarf, period), 0.0)
                    for (good, swarf, t), amount in self._returned.items()
                    if good == oxide and t == period
                )
                total = kept + math.fsum(pool[oxide, period] for pool in (self._made, self._bought, self._excluded))
                bad = kept * kept_share + back + self._excluded[oxide, period]
                found[oxide, period] = bad / total if total > _SMALLEST_T else 0.0
                found[metal, period] = self._mix(metal, period, found[oxide, period])
                for grade in grades:
                    alloy = self._mix(f"alloy-{grade}", period, found[metal, period])
                    found[f"magnet-{grade}", period] = self._mix(f"magnet-{grade}", period, alloy)
                    found[f"swarf-{grade}", period] = self._mix(f"swarf-{grade}", period, alloy)
            kept, kept_share = float(self._closing.get((oxide, period), 0.0)), found[oxide, period]
        return found

    def _mix(self, good: str, period: int, of_input: float) -> float:
        made, bought, excluded = (pool[good, period] for pool in (self._made, self._bought, self._excluded))
        total = made + bought + excluded
        return (made * of_input + excluded) / total if total > _SMALLEST_T else 0.0
