"""CO2, residue and thorium: what is set free where, within limits, at its price, and as told."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping

from hubplan.errors import Fault
from hubplan.results.checking.capacity import throughput
from hubplan.results.checking.reading import ON_SITE, Reading, as_float, breaks, differs, near, rows
from hubplan.results.checking.recipes import Recipes
from hubplan.results.checking.stockpiles import Short
from hubplan.results.checking.ways import gross_t_t
from hubplan.results.checking.works import Works

Free = dict[tuple[str, str, int], tuple[float, float, float]]
"""Kind, id and period to t of CO2, of residue and of ThO2; NaN where unknown."""
_COLUMNS = ("co2_t", "residue_t", "thorium_t")


def emissions_over(reading: Reading, works: Mapping[str, Works], recipes: Recipes) -> Short:
    """By how many t a limit on CO2, or on a country's residue or thorium, is exceeded."""
    policy = reading.plan.scenario.policy
    if policy.max_co2_t_yr is None and not policy.max_residue_t_yr and not policy.max_thorium_t_yr:
        return {}
    free = set_free(reading, works, recipes)
    over: Short = {}
    for period in reading.blocks:
        years = reading.years(period)
        if policy.max_co2_t_yr is not None:
            over["max_co2_t_yr", "all", period] = co2_t(free, period) - policy.max_co2_t_yr * years
        for rule, limits, column in (
            ("max_residue_t_yr", policy.max_residue_t_yr, 1),
            ("max_thorium_t_yr", policy.max_thorium_t_yr, 2),
        ):
            for country, most in limits.items():
                amount = free.get(("country", country, period), (0.0, 0.0, 0.0))[column]
                over[rule, country, period] = (0.0 if math.isnan(amount) else amount) - most * years
    return over


def co2_t(free: Free, period: int) -> float:
    """CO2 of transport and plants in a period."""
    found = (amounts[0] for (kind, _, at), amounts in free.items() if kind in ("mode", "facility") and at == period)
    return math.fsum(amount for amount in found if not math.isnan(amount))


def carbon_usd(reading: Reading, works: Mapping[str, Works], recipes: Recipes) -> dict[int, float]:
    """Price of the CO2 of each period."""
    price = reading.plan.scenario.policy.co2_usd_t
    if price == 0:
        return {}
    free = set_free(reading, works, recipes)
    return {period: price * co2_t(free, period) for period in reading.blocks}


def set_free(reading: Reading, works: Mapping[str, Works], recipes: Recipes) -> Free:
    """Amounts by mode, facility, stage and country."""
    free = {("mode", mode, period): (co2, 0.0, 0.0) for (mode, period), co2 in _transport(reading).items()}
    stages = {row.stage: row for row in rows(reading.tables.stages)}
    left = _thorium(reading, works)
    sums: defaultdict[tuple[str, str, int], list[tuple[float, float, float]]] = defaultdict(list)
    for (facility, period), amount in throughput(reading, works, recipes).items():
        work = works[facility]
        stage, thorium = stages.get(work.stage), left.get((facility, period))
        if stage is not None:
            each = (amount * as_float(stage.co2_t_t), amount * as_float(stage.residue_t_t), thorium or 0.0)
        elif work.stage == "mine" and thorium is not None:
            each = (math.nan, math.nan, thorium)
        else:
            continue
        for kind, name in (("facility", facility), ("stage", work.stage), ("country", work.country)):
            sums[kind, name, period].append(each)
    return free | {key: (_known(parts, 0), _known(parts, 1), _known(parts, 2)) for key, parts in sums.items()}


def _known(parts: list[tuple[float, float, float]], column: int) -> float:
    """Sum of what is known; unknown if nothing is."""
    found = [part[column] for part in parts if not math.isnan(part[column])]
    return math.fsum(found) if found else math.nan


def _transport(reading: Reading) -> dict[tuple[str, int], float]:
    """CO2 by mode and period: gross tonnage on each leg by its length."""
    g_t: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for leg in rows(reading.plan.legs):
        each = float(leg.length_km) * reading.parameter(f"co2_{leg.mode}_g_tkm")
        g_t[str(leg.route)][str(leg.mode)] = g_t[str(leg.route)].get(str(leg.mode), 0.0) + each
    gross: dict[tuple[str, str], float] = {}
    found: defaultdict[tuple[str, int], float] = defaultdict(float)
    for flow in rows(reading.plan.flows):
        if flow.route == ON_SITE:
            continue
        good = str(flow.commodity), str(flow.mine)
        if good not in gross:
            gross[good] = gross_t_t(reading, *good)
        for mode, each in g_t[str(flow.route)].items():
            found[mode, int(flow.period)] += float(flow.flow_t) * gross[good] * each / 1e6
    return dict(found)


def _thorium(reading: Reading, works: Mapping[str, Works]) -> dict[tuple[str, int], float]:
    """ThO2 that stays where concentrate is cracked, or at a mine that ships carbonate."""
    mines = {row.mine: row for row in rows(reading.tables.mines)}
    left: defaultdict[tuple[str, int], float] = defaultdict(float)
    for row in rows(reading.plan.processes):
        good, _, mine = str(row.process).partition("@")
        if works[str(row.facility)].stage == "mine" and mines[row.facility].product == "carbonate":
            mine = str(row.facility)
        elif good != "concentrate":
            continue
        left[str(row.facility), int(row.period)] += float(row.input_t) * as_float(mines[mine].thorium_t_t)
    return dict(left)


def find_emission_faults(reading: Reading, works: Mapping[str, Works], recipes: Recipes) -> list[Fault]:
    """Rows of emissions.csv."""
    wanted, faults = set_free(reading, works, recipes), []
    for row in rows(reading.plan.emissions):
        expected = wanted.pop((str(row.kind), str(row.id), int(row.period)), (0.0, 0.0, 0.0))
        for column, value in zip(_COLUMNS, expected, strict=True):
            found = float(getattr(row, column))
            if not near(found, value, absolute=1e-2):
                where = reading.where("emissions", row.Index, column)
                faults.append(
                    differs(where, found, value, "flows over legs, and throughput of plants, by their factors")
                )
    for key, amounts in sorted(wanted.items()):
        if any(amount > 1e-2 for amount in amounts):
            faults.append(breaks("emissions.csv", f"no row for {', '.join(map(str, key))}: {max(amounts):,.9g} t"))
    return faults
