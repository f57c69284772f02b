"""How long a plan gets by without one country, element by element, and the stock that would bridge the time until its hubs run.

Supply counts where no step behind it lies in that country: no mine, no plant, no way overland or by its ports.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from hubplan.data.chain import STOCKED
from hubplan.data.tables import Tables
from hubplan.errors import DataError, Fault
from hubplan.model.stocksize import DAYS_YEAR, MONTHS_YEAR, cover_for_ban, spread_over_months
from hubplan.results.checking.reading import Reading, rows
from hubplan.results.checking.recipes import Recipes, Run
from hubplan.results.checking.works import Works, read_works
from hubplan.results.exposure import ON_SITE, split_ids
from hubplan.results.plan import Plan

Floats = npt.NDArray[np.float64]

FORMS = ("oxide", "magnet")
SEPARATING = ("separation_light", "separation_heavy", "recycling")
COLUMNS = (
    "element",
    "ban_from",
    "ban_months",
    "need_t",
    "supply_t",
    "stock_needed_t",
    "days_of_cover",
    "held_t",
    "runs_out_month",
    "ended_month",
    "ended_by",
)
_SWEEPS, _STILL = 500, 1e-10

Good = tuple[str, str, str]
"""Facility (or market), commodity, tag."""


def build_cover(
    plan: Plan,
    tables: Tables,
    *,
    without: str,
    ban_from: str,
    ban_months: Sequence[int],
    form: str = "oxide",
    level: bool = False,
) -> pd.DataFrame:
    """Size the stocks for bans by one country.

    Parameters
    ----------
    plan, tables
        A plan and the tables it was made from.
    without
        The country whose goods stop, ISO 3166 alpha-3. Its own markets ask for nothing here.
    ban_from
        First month of the ban, ``2030-01``.
    ban_months
        Lengths of bans to look at.
    form
        ``oxide``: what plants outside the country separate counts as supply, and the stock is oxide; it helps as far as metal and
        magnets are made elsewhere too. ``magnet``: only demand served by a chain that is outside the country to the end
        counts, and the stock is finished goods, in t of the oxide in them.
    level
        As in `spread_over_months`: supply and need alike in all months of a period, rather than along lines.

    Returns
    -------
    DataFrame
        A row for each element and length. ``need_t`` and ``supply_t`` in the months of the ban, t of oxide;
        ``stock_needed_t`` on its first day; ``days_of_cover``, the same in days of the need of its first month (what
        ``policy.stockpile_days`` asks for; NaN without need); ``held_t``, what the plan holds outside the country, as oxide,
        at the end of the period before; ``runs_out_month``, the month in which that is gone, empty if it lasts;
        ``ended_month``, the first month from which supply meets need for the rest of the ban, and ``ended_by``, the plant
        whose independent output has grown most since the ban began; both empty where there is no gap, or it never ends.

    Raises
    ------
    DataError
        A country in no table, a month outside the plan's years, or a form there is not.
    """
    first_month = _find_month(plan, ban_from)
    if without not in set(tables.sites["country"]):
        raise DataError([Fault("without", f"no site lies in '{without}'", "give a country of sites.csv, such as CHN")])
    supply = find_independent_supply(plan, tables, without=without, form=form)
    need = find_needs(plan, tables, without=without)
    held = _find_held(plan, tables, without=without, first_month=first_month) if form == "oxide" else {}
    found = []
    for element in [name.removesuffix("-oxide") for name in STOCKED]:
        line = _Line(plan, element, supply[supply["element"] == element], need[need["element"] == element], level)
        for months in ban_months:
            row = line.cover(first_month, months, held.get(element, 0.0))
            found.append({"element": element, "ban_from": ban_from, "ban_months": months, **row})
    return pd.DataFrame(found, columns=list(COLUMNS))


def find_needs(plan: Plan, tables: Tables, *, without: str) -> pd.DataFrame:
    """Oxide that demand outside a country asks for in a year of each period.

    Returns
    -------
    DataFrame
        ``element, period, need_t_yr``: magnets through grades and yields, with no swarf returned; oxides as they are.
    """
    reading = Reading(plan, tables)
    contents = _Contents(Recipes(tables))
    found: defaultdict[tuple[str, int], float] = defaultdict(float)
    for row in rows(plan.demand):
        if reading.country[str(row.market)] != without:
            for element, share in contents.of(str(row.product)).items():
                found[element, int(row.period)] += share * float(row.demand_t) / reading.years(int(row.period))
    table = [{"element": e, "period": t, "need_t_yr": amount} for (e, t), amount in sorted(found.items())]
    return pd.DataFrame(table, columns=["element", "period", "need_t_yr"])


def find_independent_supply(plan: Plan, tables: Tables, *, without: str, form: str = "oxide") -> pd.DataFrame:
    """Supply of each element that no step in one country stands behind.

    Returns
    -------
    DataFrame
        ``element, period, facility, supply_t_yr``, t of oxide a year: by the plant that separates or recycles it
        (``oxide``), or by the last plant before the market (``magnet``).

    Notes
    -----
    Where a plant mixes goods that depend on the country with goods that do not, its outputs carry the same share, and a
    process does as much as the scarcest of its inputs lets it. Swarf goes round, so shares are swept to a standstill from
    above. What has no other origin than a stock counts as independent.
    """
    if form not in FORMS:
        raise DataError([Fault("form", f"'{form}'", f"one of {', '.join(FORMS)}")])
    reading, recipes = Reading(plan, tables), Recipes(tables)
    works, contents = read_works(reading), _Contents(recipes)
    touched = {
        str(route): {country for cell in legs for country in split_ids(str(cell))}
        for route, legs in plan.legs.groupby("route")["countries"]
    }
    stopped = {route for route, countries in touched.items() if without in countries}
    parts = []
    for period in reading.blocks:
        trace = _Trace.read(plan, period, works, recipes, without=without, stopped=stopped)
        amounts = trace.separated() if form == "oxide" else trace.served(reading.country, contents)
        parts += [
            {"element": e, "period": period, "facility": place, "supply_t_yr": amount / reading.years(period)}
            for (e, place), amount in sorted(amounts.items())
        ]
    return pd.DataFrame(parts, columns=["element", "period", "facility", "supply_t_yr"])


@dataclass(frozen=True)
class _Contents:
    """Oxide behind a tonne of a product, through the losses of every stage."""

    recipes: Recipes

    def of(self, product: str) -> dict[str, float]:
        """Element to t of oxide per t of product."""
        if product.endswith("-oxide"):
            return {product.removesuffix("-oxide"): 1.0}
        grade = product.removeprefix("magnet-")
        gain = self.recipes.gain
        alloy = 1.0 / gain("magnet", f"alloy-{grade}", product)
        return {
            e: metal * alloy / gain("alloy", f"{e}-metal", f"alloy-{grade}") / gain("metal", f"{e}-oxide", f"{e}-metal")
            for e, metal in self.recipes.metals[grade].items()
            if metal > 0
        }


@dataclass(frozen=True)
class _Trace:
    """One period of a plan as a graph of goods at facilities.

    Parameters
    ----------
    activities
        Facility, run of a recipe, t of activity.
    arrivals
        Good to what arrives: the good it was at its origin, and t.
    """

    works: Mapping[str, Works]
    without: str
    stopped: set[str]
    activities: list[tuple[str, Run, float]]
    arrivals: Mapping[Good, list[tuple[Good, float, bool]]]

    @classmethod
    def read(
        cls,
        plan: Plan,
        period: int,
        works: Mapping[str, Works],
        recipes: Recipes,
        *,
        without: str,
        stopped: set[str],
    ) -> _Trace:
        """Take a period's processes and flows."""
        activities = [
            (str(row.facility), recipes.run(works[str(row.facility)], str(row.process)), float(row.input_t))
            for row in rows(plan.processes[plan.processes["period"] == period])
        ]
        arrivals: defaultdict[Good, list[tuple[Good, float, bool]]] = defaultdict(list)
        for flow in rows(plan.flows[plan.flows["period"] == period]):
            goods = str(flow.commodity), str(flow.mine)
            head, tail = (str(flow.destination_facility), *goods), (str(flow.origin_facility), *goods)
            free = flow.route == ON_SITE or str(flow.route) not in stopped
            arrivals[head].append((tail, float(flow.flow_t), free))
        return cls(works, without, stopped, activities, dict(arrivals))

    def inside(self, place: str) -> bool:
        """Whether a facility lies in the country."""
        return place in self.works and self.works[place].country == self.without

    def shares(self) -> tuple[list[float], dict[Good, float]]:
        """Independent share of each activity, and of each good at each facility."""
        made: defaultdict[Good, list[tuple[int, float]]] = defaultdict(list)
        for n, (place, run, amount) in enumerate(self.activities):
            for (commodity, tag), yield_t_t in run.makes.items():
                made[place, commodity, tag].append((n, yield_t_t * amount))
        tails = [tail for parts in self.arrivals.values() for tail, _, _ in parts]
        goods = dict.fromkeys([*made, *self.arrivals, *tails], 1.0)
        done = [0.0 if self.inside(place) else 1.0 for place, _, _ in self.activities]
        for _ in range(_SWEEPS):
            moved = 0.0
            for n, (place, run, _) in enumerate(self.activities):
                if done[n] > 0 and run.takes:
                    least = min(goods.get((place, *taken), 1.0) for taken in run.takes)
                    moved, done[n] = max(moved, abs(done[n] - least)), least
            for good in goods:
                share = 0.0 if self.inside(good[0]) else self._share(good, made, done, goods)
                moved, goods[good] = max(moved, abs(goods[good] - share)), share
            if moved < _STILL:
                break
        return done, goods

    def _share(
        self,
        good: Good,
        made: Mapping[Good, list[tuple[int, float]]],
        done: Sequence[float],
        goods: Mapping[Good, float],
    ) -> float:
        parts = [(amount, done[n]) for n, amount in made.get(good, [])]
        parts += [(amount, goods[tail] if free else 0.0) for tail, amount, free in self.arrivals.get(good, [])]
        total = sum(amount for amount, _ in parts)
        return sum(amount * share for amount, share in parts) / total if total > 0 else 1.0

    def separated(self) -> dict[tuple[str, str], float]:
        """Oxide made at plants that separate or recycle, t by element and plant."""
        done, _ = self.shares()
        found: defaultdict[tuple[str, str], float] = defaultdict(float)
        for share, (place, run, amount) in zip(done, self.activities, strict=True):
            if self.works[place].stage in SEPARATING:
                for (commodity, _), yield_t_t in run.makes.items():
                    if commodity in STOCKED and share > 0:
                        found[commodity.removesuffix("-oxide"), place] += share * yield_t_t * amount
        return found

    def served(self, country: Mapping[str, str], contents: _Contents) -> dict[tuple[str, str], float]:
        """Oxide in what reaches markets outside the country, t by element and last plant."""
        _, goods = self.shares()
        found: defaultdict[tuple[str, str], float] = defaultdict(float)
        for (head, commodity, _), parts in self.arrivals.items():
            if head in self.works or country[head] == self.without:
                continue
            for tail, amount, free in parts:
                for element, share in contents.of(commodity).items():
                    if free and goods[tail] > 0:
                        found[element, tail[0]] += share * amount * goods[tail]
        return found


@dataclass(frozen=True)
class _Line:
    """One element, month by month."""

    plan: Plan
    element: str
    supply: pd.DataFrame
    need: pd.DataFrame
    level: bool

    def _months(self, frame: pd.DataFrame, column: str) -> Floats:
        yearly = frame.groupby("period")[column].sum().reindex(self.plan.periods["period"], fill_value=0.0)
        years = [int(length) for length in self.plan.periods["years"]]
        return spread_over_months(years, yearly.to_numpy(dtype=float), level=self.level)

    def cover(self, first_month: int, months: int, held_t: float) -> dict[str, object]:
        """The cells of one ban."""
        need = self._months(self.need, "need_t_yr")
        supply = self._months(self.supply, "supply_t_yr")
        found = cover_for_ban(need * MONTHS_YEAR, supply, months, first_month=first_month, held_t=held_t)
        gone = first_month + int(found.lasts_months) if np.isfinite(found.lasts_months) else None
        ended = found.ended_month or None  # from the first month on: there is no gap to end
        began = float(need[first_month]) * MONTHS_YEAR
        return {
            "need_t": found.need_t,
            "supply_t": found.supply_t,
            "stock_needed_t": found.stock_needed_t,
            "days_of_cover": found.stock_needed_t / began * DAYS_YEAR if began > 0 else np.nan,
            "held_t": held_t,
            "runs_out_month": "" if gone is None else _name_month(self.plan, gone),
            "ended_month": "" if ended is None else _name_month(self.plan, first_month + ended),
            "ended_by": "" if ended is None else self._grown(first_month, first_month + ended),
        }

    def _grown(self, start: int, end: int) -> str:
        """The plant whose supply has grown most between two months."""
        growth = {
            str(place): float(np.diff(self._months(part, "supply_t_yr")[[start, end]])[0])
            for place, part in self.supply.groupby("facility")
        }
        best = max(sorted(growth), key=lambda place: growth[place], default="")
        return best if best and growth[best] > 0 else ""


def _find_month(plan: Plan, name: str) -> int:
    """Months from January of the plan's first year."""
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", name):
        raise DataError([Fault("ban_from", f"'{name}'", "give a year and a month, such as 2030-01")])
    year, month = (int(part) for part in name.split("-"))
    first, years = int(plan.periods["period"].iloc[0]), int(plan.periods["years"].sum())
    if not first <= year < first + years:
        found = f"{name} lies outside {first} to {first + years - 1}"
        raise DataError([Fault("ban_from", found, "give a month within the plan's years")])
    return (year - first) * MONTHS_YEAR + month - 1


def _name_month(plan: Plan, month: int) -> str:
    year = int(plan.periods["period"].iloc[0]) + month // MONTHS_YEAR
    return f"{year}-{month % MONTHS_YEAR + 1:02d}"


def _find_held(plan: Plan, tables: Tables, *, without: str, first_month: int) -> dict[str, float]:
    """Oxide in stock outside the country at the end of the last period that is over when the ban begins, t by element."""
    ends = np.cumsum(plan.periods["years"].to_numpy(dtype=int)) * MONTHS_YEAR
    over = plan.periods["period"].to_numpy(dtype=int)[ends <= first_month]
    if not len(over):
        return {}
    country = dict(zip(tables.sites["site"], tables.sites["country"], strict=True))
    stocks = plan.stocks[(plan.stocks["period"] == over[-1]) & (plan.stocks["site"].map(country) != without)]
    return {
        str(name).removesuffix("-oxide"): float(amount)
        for name, amount in stocks.groupby("commodity")["closing_t"].sum().items()
    }
