"""Is what runs there, in time, large enough, and no larger than allowed?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hubplan.errors import Fault
from hubplan.results.checking.purchases import find_purchase_faults, paid_usd
from hubplan.results.checking.reading import ABSOLUTE_T, ABSOLUTE_USD, Reading, at_most, breaks, differs, near, rows
from hubplan.results.checking.recipes import Recipes, UnknownProcessError
from hubplan.results.checking.works import Works


def find_capacity_faults(reading: Reading, works: Mapping[str, Works], recipes: Recipes) -> list[Fault]:
    """Families (1), (2) and (3) of docs/model.md, and the columns of hubs.csv."""
    faults = [*_unknown(reading, works, recipes)]
    if faults:
        return faults
    used_t = throughput(reading, works, recipes)
    built, paid = built_by(reading), paid_usd(reading, works)
    for hub in rows(reading.plan.hubs):
        work, period = works[str(hub.facility)], int(hub.period)
        faults += _identity(reading, hub, work)
        faults += _building(reading, hub, work, built.get(work.facility, {}))
        used = used_t.get((work.facility, period), 0.0)
        faults += _amounts(
            reading, hub, work, built.get(work.facility, {}), used, paid.get((work.facility, period), 0.0)
        )
    faults += _closures(reading, works)
    listed = set(zip(reading.plan.hubs["facility"], reading.plan.hubs["period"], strict=True))
    for process in rows(reading.plan.processes):
        collects = works[process.facility].stage == "collection"  # not a hub: no row in hubs.csv
        if not collects and (process.facility, process.period) not in listed:
            faults.append(breaks(reading.where("processes", process.Index), "runs where hubs.csv has no row"))
        if not at_most(0.0, float(process.input_t)):
            faults.append(breaks(reading.where("processes", process.Index), "runs backwards"))
    return faults + find_purchase_faults(reading, works)


def _unknown(reading: Reading, works: Mapping[str, Works], recipes: Recipes) -> list[Fault]:
    """Facilities, periods and processes that no table knows: nothing more can be said about those."""
    faults = []
    for name in ("hubs", "processes"):
        for row in rows(reading.plan.table(name)[["facility", "period"]]):
            if row.facility not in works:
                faults.append(breaks(reading.where(name, row.Index), f"{row.facility} is in no table"))
            if row.period not in reading.blocks:
                faults.append(breaks(reading.where(name, row.Index), f"{row.period} is no period of the scenario"))
    for process in rows(reading.plan.processes):
        try:
            if process.facility in works:
                recipes.run(works[str(process.facility)], str(process.process))
        except UnknownProcessError as error:
            faults.append(breaks(reading.where("processes", process.Index, "process"), str(error)))
    return faults


def throughput(reading: Reading, works: Mapping[str, Works], recipes: Recipes) -> dict[tuple[str, int], float]:
    """Capacity used by facility and period, t."""
    used: dict[tuple[str, int], float] = {}
    for row in rows(reading.plan.processes):
        key = str(row.facility), int(row.period)
        used[key] = used.get(key, 0.0) + float(row.input_t) * recipes.run(works[key[0]], str(row.process)).use
    return used


def built_by(reading: Reading) -> dict[str, dict[int, float]]:
    """What is built, t/yr, by facility and period."""
    built: dict[str, dict[int, float]] = {}
    for hub in rows(reading.plan.hubs):
        if hub.built_t_yr != 0:
            built.setdefault(str(hub.facility), {})[int(hub.period)] = float(hub.built_t_yr)
    return built


def stands_t_yr(built: Mapping[int, float], period: int) -> float:
    """What has been built by a period, t/yr."""
    return math.fsum(size for opened, size in built.items() if opened <= period)


def available_share(reading: Reading, work: Works, period: int) -> float:
    """Share of a period in which a facility is not lost."""
    lost = [
        reading.share_of_block(period, loss.from_year, loss.to_year)
        for loss in reading.plan.scenario.shock.lost
        if loss.id in (work.facility, work.site)
    ]
    return 1.0 - max(lost, default=0.0)


def locked_share(reading: Reading, work: Works, period: int) -> float:
    """Share of a mine's output that is sold ahead to excluded countries, and so not there."""
    if work.stage != "mine":
        return 0.0
    locks = reading.tables.locks
    return min(
        1.0,
        math.fsum(
            float(lock.share) * reading.share_of_block(period, lock.from_year, lock.to_year)
            for lock in rows(locks[locks["mine"] == work.facility])
            if lock.destination_country in reading.access.excluded
        ),
    )


def nominal_t_yr(reading: Reading, work: Works, period: int) -> float:
    """Capacity that exists or is committed in a period, before ramp, t/yr."""
    return max((work.standing_t_yr((year,)) > 0) * work.stands_t_yr for year in reading.blocks[period])


def kept_share(reading: Reading, work: Works, built: Mapping[int, float], period: int) -> float:
    """Share of what stands that is kept: what hubs.csv has beside what was built; closed where it has no row."""
    nominal = nominal_t_yr(reading, work, period)
    if work.keep_usd_yr <= 0 or nominal <= 0:
        return 1.0
    new = stands_t_yr(built, period)
    return min(1.0, max(0.0, (reading.capacity_t_yr.get((work.facility, period), new) - new) / nominal))


def keeping_usd(reading: Reading, works: Mapping[str, Works]) -> list[tuple[str, int, float]]:
    """Facility, period and what it costs to keep what stands there and may be closed, USD in the period."""
    built, found = built_by(reading), []
    for hub in rows(reading.plan.hubs):
        work, period = works[str(hub.facility)], int(hub.period)
        if work.keep_usd_yr > 0 and nominal_t_yr(reading, work, period) > 0:
            kept = kept_share(reading, work, built.get(work.facility, {}), period)
            found.append((work.facility, period, work.keep_usd_yr * kept * reading.years(period)))
    return found


def _closures(reading: Reading, works: Mapping[str, Works]) -> list[Fault]:
    """What is closed stays closed."""
    built, order = built_by(reading), list(reading.blocks)
    faults = []
    for hub in rows(reading.plan.hubs):
        work, period = works[str(hub.facility)], int(hub.period)
        own, nominal = built.get(work.facility, {}), nominal_t_yr(reading, work, period)
        if work.keep_usd_yr <= 0 or nominal <= 0:
            continue
        kept = kept_share(reading, work, own, period) * nominal
        before = order[order.index(period) - 1] if period != order[0] else period
        stood = nominal_t_yr(reading, work, before)
        most = kept_share(reading, work, own, before) * nominal if stood > 0 and before != period else nominal
        if not at_most(kept, most):
            where = reading.where("hubs", hub.Index, "capacity_t_yr")
            faults.append(breaks(where, f"{kept:,.9g} t/yr are kept of {most:,.9g}: what is closed stays closed"))
    return faults


def usable_t_yr(reading: Reading, work: Works, built: Mapping[int, float], period: int) -> float:
    """Capacity after ramp, locks and losses, t/yr, mean over the period."""
    block = reading.blocks[period]
    new = math.fsum(size * work.ramped(block, opened) for opened, size in built.items() if opened <= period)
    free = available_share(reading, work, period) * (1.0 - locked_share(reading, work, period))
    return (work.standing_t_yr(block) * kept_share(reading, work, built, period) + new) * free


def _identity(reading: Reading, hub: Any, work: Works) -> list[Fault]:
    site = reading.site[work.site]
    wanted = {"site": work.site, "name": site.name, "stage": work.stage, "country": work.country}
    faults = [
        breaks(reading.where("hubs", hub.Index, column), f"'{getattr(hub, column)}', the tables say '{value}'")
        for column, value in wanted.items()
        if getattr(hub, column) != value
    ]
    for column in ("lon", "lat"):
        said, known = getattr(hub, column), getattr(site, column)
        if not near(said, known, absolute=1e-9):
            faults.append(differs(reading.where("hubs", hub.Index, column), said, known, "as in sites.csv"))
    return faults


def _building(reading: Reading, hub: Any, work: Works, built: Mapping[int, float]) -> list[Fault]:
    if hub.built_t_yr == 0:
        return []
    where, total = reading.where("hubs", hub.Index, "built_t_yr"), stands_t_yr(built, hub.period)
    if not at_most(0.0, hub.built_t_yr):
        return [breaks(where, "what is built stays built; this takes capacity away")]
    if work.facility in reading.access.barred_facilities:
        return [breaks(where, reading.access.barred_facilities[work.facility])]
    if work.largest_t_yr <= 0:
        return [breaks(where, "nothing may be built here: it exists, is committed, is cancelled, or lacks figures")]
    faults = []
    if hub.period < work.earliest:
        faults.append(breaks(where, f"built for {hub.period}; lead time allows {work.earliest:g} at the earliest"))
    if not (at_most(total, work.largest_t_yr) and at_most(work.smallest_t_yr, total)):
        limits = f"between {work.smallest_t_yr:,.9g} and {work.largest_t_yr:,.9g}"
        faults.append(breaks(where, f"{total:,.9g} t/yr stand by {hub.period}, allowed is {limits}"))
    return faults


def _amounts(
    reading: Reading, hub: Any, work: Works, built: Mapping[int, float], used_t: float, paid_usd: float
) -> list[Fault]:
    period, block = int(hub.period), reading.blocks[int(hub.period)]
    total, first = stands_t_yr(built, period), min(built, default=None)
    kept = kept_share(reading, work, built, period)
    standing = nominal_t_yr(reading, work, period) * kept
    if work.yearly_t is not None:
        standing = work.standing_t_yr(block)
    usable = usable_t_yr(reading, work, built, period)
    capital_now = built.get(period, 0.0) * work.slope_usd_t_yr + (work.fixed_usd if period == first else 0.0)
    capital = total * work.slope_usd_t_yr + (work.fixed_usd if total > 0 else 0.0)
    keeping = work.keep_usd_yr * kept if standing > 0 else 0.0
    opex = paid_usd + used_t * work.opex_usd_t + (capital * work.fixed_opex_share + keeping) * len(block)
    expected = {
        "capacity_t_yr": (standing + total, "what exists by then and is kept, and what is built"),
        "usable_t_yr": (usable, "capacity after ramp, locks and losses"),
        "throughput_t": (used_t, "the inputs of its processes"),
        "capex_usd": (capital_now, "fixed part when it opens, and slope x size"),
        "opex_usd": (opex, "fixed operating share of capital, and throughput x opex, or what is paid for purchases"),
    }
    faults = [
        differs(reading.where("hubs", hub.Index, column), getattr(hub, column), value, why)
        for column, (value, why) in expected.items()
        if not near(getattr(hub, column), value, absolute=ABSOLUTE_USD if column.endswith("_usd") else ABSOLUTE_T)
    ]
    if not at_most(hub.throughput_t, usable * len(block)):
        found = f"{hub.throughput_t:,.9g}, at most {usable * len(block):,.9g}"
        faults.append(breaks(reading.where("hubs", hub.Index, "throughput_t"), found))
    if bool(hub.is_new) != (total > 0):
        found = f"is {hub.is_new}, and {total:,.9g} t/yr have been built"
        faults.append(breaks(reading.where("hubs", hub.Index, "is_new"), found))
    return faults
