"""From tables, routes and a scenario to an `Instance`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from hubplan.data.chain import (
    GRADES,
    MAGNET_ELEMENTS,
    STOCKED,
    Chain,
    Process,
    alloy_process,
    build_chain,
    crack_process,
    heavy_process,
    light_process,
    magnet_process,
    metal_process,
    mine_process,
    recycling_process,
)
from hubplan.data.scenario import Access, Scenario, resolve_access
from hubplan.data.tables import Tables
from hubplan.errors import DataError, Fault
from hubplan.model.instance import Floats, Instance
from hubplan.model.lanes import ON_SITE, End, LaneFinder, Pair
from hubplan.routing.cost import hour_usd_t
from hubplan.routing.routes import Routes

HOURS_YEAR = 8766.0
MINE_LIFE_YEARS = 20.0
MINE_RAMP = (0.5, 0.8, 1.0)
NEW_MINE_YEARS = 6
"""Years from decision to first output of a mine that is neither committed nor permitted."""
KEEP_UPSTREAM, KEEP_HEAVY, KEEP_DOWNSTREAM, KEEP_LEAST = (8, 3), (5, 2), (12, 4), 3
"""Lanes kept from each sender (to plants that stand, to plants that may be built), and into each taker at least."""
STORAGE_SHARE_YR = 0.01
"""Yearly cost of keeping separated oxides, as a share of their value; assumed (warehouse, insurance, assay)."""
_USABLE = frozenset({"operating", "commissioning", "construction", "advanced", "feasibility", "early"})


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


@dataclass
class _Builder:
    """Rows gathered on the way to an instance."""

    tables: Tables
    scenario: Scenario
    access: Access
    routes: Routes
    chain: Chain
    calendar: Calendar
    facilities: list[dict[str, Any]] = field(default_factory=list)
    existing: list[Floats] = field(default_factory=list)
    installed: list[Floats] = field(default_factory=list)
    ramps: list[tuple[float, ...]] = field(default_factory=list)
    processes: list[dict[str, Any]] = field(default_factory=list)
    terms: list[tuple[int, int, float]] = field(default_factory=list)
    balances: dict[tuple[str, str, str], int] = field(default_factory=dict)
    lanes: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.mines = self.tables.mines.set_index("mine").to_dict("index")
        self.commodities = self.tables.commodities.set_index("commodity").to_dict("index")
        self.parameters = dict(zip(self.tables.transport["parameter"], self.tables.transport["value"].astype(float), strict=True))

    def balance(self, commodity: str, tag: str, place: str) -> int:
        return self.balances.setdefault((commodity, tag, place), len(self.balances))

    def add_process(self, facility: int, process: Process, opex_usd_t: float) -> None:
        place = str(self.facilities[facility]["facility"])
        self.processes.append(
            {"facility": facility, "process": process.name, "opex_usd_t": opex_usd_t, "capacity_use": process.capacity_use}
        )
        row = len(self.processes) - 1
        for sign, side in ((1.0, process.makes), (-1.0, process.takes)):
            for (commodity, tag), amount in side.items():
                self.terms.append((row, self.balance(commodity, tag, place), sign * amount))


def build_instance(tables: Tables, routes: Routes, scenario: Scenario, *, access: Access | None = None) -> Instance:
    """Line up the numbers of one scenario.

    Parameters
    ----------
    tables, routes
        The world, and the ways this scenario leaves open in it.

    Raises
    ------
    DataError
        Something cannot be modelled: a lost passage (close it in `routes.closed` instead), or numbers that make no sense.
    """
    access = access or resolve_access(scenario, tables)
    _refuse_unmodelled(scenario, tables)
    build = _Builder(tables, scenario, access, routes, build_chain(tables), build_calendar(scenario))
    _add_mines(build)
    _add_plants(build)
    _add_collections(build)
    finder = LaneFinder(routes, least=KEEP_LEAST)
    _add_upstream(build, finder)
    demand = _demand(build)
    _add_downstream(build, finder, demand)
    return _assemble(build, finder, demand)


def _refuse_unmodelled(scenario: Scenario, tables: Tables) -> None:
    passages = set(tables.zones["zone"]) | set(tables.ports["port"]) | set(tables.terminals["terminal"])
    faults = [
        Fault(f"shock.lost, {loss.id}", "a passage lost for some years only is not modelled", "close it in routes.closed, for all years")
        for loss in scenario.shock.lost
        if loss.id in passages
    ]
    if faults:
        raise DataError(faults)


# Facilities ------------------------------------------------------------------------------------------------------------


def _period_at(calendar: Calendar, year: float) -> int:
    """First period that starts in or after a year; the number of periods if none does."""
    return int(np.searchsorted(np.array(calendar.first), year))


def _ramped(calendar: Calendar, start: float, ramp: Sequence[float]) -> Floats:
    """Share of capacity usable in each period when opened in a year: the ramp by years since, averaged over the block."""
    return np.array([np.mean([0.0 if y < start else ramp[min(int(y - start), len(ramp) - 1)] for y in block]) for block in calendar.years])


def _recovery_factor(rate: float, years: float) -> float:
    return 1 / years if rate == 0 else rate / (1 - (1 + rate) ** -years)


def _add_facility(build: _Builder, existing: Floats, ramp: Sequence[float], *, capacity_t_yr: Floats | float, **row: Any) -> int:
    build.facilities.append(row)
    build.existing.append(existing)
    build.installed.append(np.where(existing > 0, capacity_t_yr, 0.0))
    build.ramps.append(tuple(ramp))
    return len(build.facilities) - 1


def _add_mines(build: _Builder) -> None:
    """Mines with a known capacity, by year; those not committed may be opened whole."""
    tables, calendar = build.tables, build.calendar
    sites = tables.sites.set_index("site")
    rate = build.scenario.horizon.discount_share
    for mine in tables.mines.sort_values("mine").itertuples():
        if mine.mine in build.access.barred_facilities or pd.isna(mine.capacity_reo_t_yr) or mine.status not in _USABLE:
            continue
        if mine.committed and not (pd.isna(mine.first_year) and mine.status != "operating"):
            start = -np.inf if pd.isna(mine.first_year) else mine.first_year
            ramp = (1.0,) if mine.status == "operating" else MINE_RAMP
            existing, first, largest, capex = mine.capacity_reo_t_yr * _ramped(calendar, start, ramp), len(calendar.first), 0.0, 0.0
        else:
            if pd.isna(mine.first_year) or pd.isna(mine.capex_usd):
                continue
            earliest = mine.first_year if mine.status == "advanced" else max(mine.first_year, calendar.first[0] + NEW_MINE_YEARS)
            first, largest, capex = _period_at(calendar, earliest), float(mine.capacity_reo_t_yr), float(mine.capex_usd)
            existing = np.zeros(len(calendar.first))
        n = _add_facility(
            build, existing, MINE_RAMP, capacity_t_yr=float(mine.capacity_reo_t_yr),
            facility=mine.mine, site=mine.mine, name=sites.at[mine.mine, "name"], stage="mine", country=sites.at[mine.mine, "country"],
            smallest_t_yr=largest, largest_t_yr=largest, capital_fixed_usd=0.0,
            capital_slope_usd_t_yr=capex / largest if largest else 0.0,
            annuity_share=_recovery_factor(rate, MINE_LIFE_YEARS), fixed_opex_share=0.0, first_period=first,
        )
        build.add_process(n, mine_process(mine.mine, mine.product), float(mine.opex_usd_reo_t))


def _excluded_lock(build: _Builder, mine: str) -> Floats:
    """Share of a mine's output sold ahead to excluded countries, by period: not available to the plan at all."""
    calendar, locks = build.calendar, build.tables.locks
    total = np.zeros(len(calendar.first))
    for lock in locks[locks["mine"] == mine].itertuples():
        if lock.destination_country in build.access.excluded:
            total += lock.share * calendar.mean({y: 1.0 for y in range(int(lock.from_year), int(lock.to_year) + 1)})
    return np.minimum(total, 1.0)


def _add_plants(build: _Builder) -> None:
    """Plants that run or are committed, and hubs that may be built."""
    tables, calendar = build.tables, build.calendar
    sites, stages = tables.sites.set_index("site"), tables.stages.set_index("stage")
    index = dict(zip(tables.countries["country"], tables.countries["capex_index"], strict=True))
    rate = build.scenario.horizon.discount_share
    allow_new = build.scenario.policy.max_hubs != 0
    for plant in tables.facilities.sort_values("facility").itertuples():
        if plant.facility in build.access.barred_facilities or plant.status == "cancelled":
            continue
        stage = stages.loc[plant.stage]
        ramp = tuple(float(share) for share in str(stage["ramp"]).split(";"))
        country = str(sites.at[plant.site, "country"])
        existing, first, largest = np.zeros(len(calendar.first)), len(calendar.first), 0.0
        if plant.committed:
            if pd.isna(plant.capacity_t_yr) or (pd.isna(plant.start_year) and plant.status != "operating"):
                continue
            start = -np.inf if pd.isna(plant.start_year) else plant.start_year
            existing = plant.capacity_t_yr * _ramped(calendar, start, ramp)
        elif allow_new:
            largest = float(stage["size_max_t_yr"])
            for limit in (plant.max_t_yr, plant.capacity_t_yr):
                largest = float(limit) if pd.notna(limit) else largest
                if pd.notna(limit):
                    break
            lead = stage["lead_years"] if pd.isna(plant.lead_years) else plant.lead_years
            announced = -np.inf if pd.isna(plant.start_year) else plant.start_year
            first = _period_at(calendar, max(announced, calendar.first[0] + lead))
        if not existing.any() and first >= len(calendar.first):
            continue
        scale = float(index.get(country, 1.0))
        n = _add_facility(
            build, existing, ramp, capacity_t_yr=float(plant.capacity_t_yr),
            facility=plant.facility, site=plant.site, name=sites.at[plant.site, "name"],
            stage=plant.stage, country=country,
            smallest_t_yr=min(float(stage["size_min_t_yr"]), largest), largest_t_yr=largest,
            capital_fixed_usd=float(stage["capex_fixed_usd"]) * scale, capital_slope_usd_t_yr=float(stage["capex_usd_t_yr"]) * scale,
            annuity_share=_recovery_factor(rate, float(stage["life_years"])), fixed_opex_share=float(stage["fixed_opex_share"]),
            first_period=first,
        )
        _add_stage_processes(build, n, plant.stage, float(stage["opex_usd_t"]))


def _add_stage_processes(build: _Builder, n: int, stage: str, opex_usd_t: float) -> None:
    """Processes of stages whose inputs carry no mine; upstream ones come with their lanes."""
    made: list[Process] = []
    if stage == "metal":
        made = [metal_process(build.chain, element) for element in MAGNET_ELEMENTS]
    elif stage == "alloy":
        made = [alloy_process(build.chain, grade) for grade in GRADES]
    elif stage == "magnet":
        made = [magnet_process(build.chain, grade) for grade in GRADES]
    elif stage == "recycling":
        made = [recycling_process(build.chain, grade, swarf=swarf) for grade in GRADES for swarf in (True, False)]
    for process in made:
        build.add_process(n, process, opex_usd_t * process.capacity_use)


def _add_collections(build: _Builder) -> None:
    """End-of-life magnets at each market: a facility without input whose capacity is what can be collected."""
    sites, calendar = build.tables.sites.set_index("site"), build.calendar
    scrap = build.tables.scrap
    for (market, grade), rows in scrap.groupby(["market", "grade"], sort=True):
        if market in build.access.barred_sites:
            continue
        yearly = calendar.mean(dict(zip(rows["year"].astype(int), rows["scrap_t"].astype(float), strict=True)))
        if not yearly.any():
            continue
        n = _add_facility(
            build, yearly, (1.0,), capacity_t_yr=yearly,
            facility=f"{market}-collection-{grade}", site=market, name=f"{sites.at[market, 'name']}: collection", stage="collection",
            country=sites.at[market, "country"], smallest_t_yr=0.0, largest_t_yr=0.0, capital_fixed_usd=0.0,
            capital_slope_usd_t_yr=0.0, annuity_share=0.0, fixed_opex_share=0.0, first_period=len(calendar.first),
        )
        build.add_process(n, Process("collection", {}, {("scrap", str(grade)): 1.0}), 0.0)


# Lanes -----------------------------------------------------------------------------------------------------------------


def _ends(build: _Builder, stage: str) -> list[End]:
    return [
        End(str(row["facility"]), str(row["site"]), stands=bool(existing.any()))
        for row, existing in zip(build.facilities, build.existing, strict=True)
        if row["stage"] == stage
    ]


def _add_lane(build: _Builder, finder: LaneFinder, commodity: str, pair: Pair) -> None:
    sender, taker, row = pair
    tag, gross_t_t = sender.tag, _gross(build, commodity, sender.tag)
    tail, head = build.balance(commodity, tag, sender.place), build.balance(commodity, tag, taker.place)
    lane: dict[str, Any] = {
        "tail": tail, "head": head, "commodity": commodity, "tag": tag, "origin": sender.site, "destination": taker.site,
        "route": ON_SITE, "freight_usd_t": 0.0, "transit_usd_t": 0.0, "surcharge_usd_t": 0.0,
    }
    if row >= 0:
        route = finder.route(row)
        lane["route"] = route["route"]
        lane["freight_usd_t"] = float(route["usd_t"]) * gross_t_t + _class7_usd_t(build, commodity, tag) * gross_t_t
        lane["transit_usd_t"] = float(route["hours"]) / HOURS_YEAR * build.parameters["capital_cost_share"] * float(build.commodities[commodity]["value_usd_t"])
        lane["surcharge_usd_t"] = _surcharge_usd_t(build, route) * gross_t_t
    build.lanes.append(lane)


def _surcharge_usd_t(build: _Builder, route: dict[str, Any]) -> float:
    """Price of risk on a route, USD per gross t: what it was minimised for beyond freight and capital tied up."""
    if not build.scenario.routes.surcharge_usd_t:
        return 0.0
    rest = route["generalised_usd_t"] - route["usd_t"] - route["hours"] * hour_usd_t(build.tables, ware=route["ware"])
    return float(rest) if rest > 1e-6 else 0.0


def _class7_usd_t(build: _Builder, commodity: str, tag: str) -> float:
    """Surcharge on thorium-bearing concentrate, USD per gross t."""
    if commodity != "concentrate" or build.mines[tag]["thorium"] != "yes":
        return 0.0
    return build.parameters["class7_surcharge_usd_t"]


def _gross(build: _Builder, commodity: str, tag: str) -> float:
    """Gross shipped t per contained t."""
    mine = build.mines.get(tag, {})
    if mine.get("product") == commodity and pd.notna(mine["product_grade_share"]):
        return 1.0 / float(mine["product_grade_share"])
    return float(build.commodities[commodity]["gross_t_t"])


def _add_upstream(build: _Builder, finder: LaneFinder) -> None:
    """Mine to crack and leach to light and heavy separation, each lane and process tagged with its mine."""
    mines = build.mines
    feeds = dict(zip(build.tables.facilities["facility"], build.tables.facilities["feeds"], strict=True))
    opex = dict(zip(build.tables.stages["stage"], build.tables.stages["opex_usd_t"].astype(float), strict=True))
    row_of = {str(row["facility"]): n for n, row in enumerate(build.facilities)}
    country = {str(row["facility"]): str(row["country"]) for row in build.facilities}
    locked: dict[str, set[str]] = {}
    for lock in build.tables.locks.itertuples():
        locked.setdefault(lock.mine, set()).add(lock.destination_country)
    cracks, lights, heavies = (_ends(build, stage) for stage in ("crack_leach", "separation_light", "separation_heavy"))
    sources = [replace(end, tag=end.place) for end in _ends(build, "mine")]

    def takes_feed(sender: End, taker: End) -> bool:
        """Light separators list feeds too: which carbonates they are licensed for."""
        return not feeds[taker.place] or mines[sender.tag]["feed"] in feeds[taker.place].split(";")

    def add(commodity: str, pairs: list[Pair]) -> list[End]:
        for pair in pairs:
            _add_lane(build, finder, commodity, pair)
        return sorted({replace(taker, tag=sender.tag) for sender, taker, _ in pairs}, key=lambda end: (end.tag, end.place))

    def sold_ahead(sender: End, taker: End) -> bool:
        return takes_feed(sender, taker) and country[taker.place] in locked.get(sender.tag, set())

    def find(senders: list[End], takers: list[End]) -> list[Pair]:
        """The nearest plants, and the nearest in countries that the mine's output is sold ahead to."""
        near = finder.find(senders, takers, "bulk", keep=KEEP_UPSTREAM, fits=takes_feed)
        bound = finder.find([end for end in senders if end.tag in locked], takers, "bulk", keep=KEEP_HEAVY, fits=sold_ahead)
        return list(dict.fromkeys([*near, *bound]))

    ore = [end for end in sources if mines[end.tag]["product"] == "concentrate"]
    clay = [end for end in sources if mines[end.tag]["product"] == "carbonate"]
    cracked = add("concentrate", find(ore, cracks))
    for end in cracked:
        build.add_process(row_of[end.place], crack_process(build.chain, end.tag, str(mines[end.tag]["feed"])), opex["crack_leach"])
    separated = add("carbonate", find([*cracked, *clay], lights))
    for end in separated:
        build.add_process(row_of[end.place], light_process(build.chain, end.tag), opex["separation_light"])
    heavy = add("heavy-concentrate", finder.find(separated, heavies, "bulk", keep=KEEP_HEAVY))
    for end in heavy:
        build.add_process(row_of[end.place], heavy_process(build.chain, end.tag), opex["separation_heavy"])


def _add_downstream(build: _Builder, finder: LaneFinder, demand: pd.DataFrame) -> None:
    """Separated oxides, metals, alloys, magnets, swarf and scrap."""
    lights, heavies, metals, alloys, magnets, recyclers = (
        _ends(build, stage) for stage in ("separation_light", "separation_heavy", "metal", "alloy", "magnet", "recycling")
    )
    steps: list[tuple[str, list[End], list[End]]] = [("ndpr-oxide", [*lights, *recyclers], metals)]
    steps += [(f"{element}-oxide", [*heavies, *recyclers], metals) for element in ("dy", "tb")]
    steps += [(f"{element}-metal", metals, alloys) for element in MAGNET_ELEMENTS]
    steps += [(f"alloy-{grade}", alloys, magnets) for grade in GRADES]
    steps += [(f"swarf-{grade}", magnets, recyclers) for grade in GRADES]
    for grade in GRADES:
        collections = [replace(end, tag=grade) for end in _ends(build, "collection") if end.place.endswith(f"-{grade}")]
        steps.append(("scrap", collections, recyclers))
    source = {**{f"magnet-{grade}": magnets for grade in GRADES}, "ndpr-oxide": lights, "lace-oxide": lights}
    for product, rows in demand.groupby("product", sort=True):
        takers = [End(market, market) for market in sorted(rows["market"].unique())]
        steps.append((str(product), source.get(str(product), heavies), takers))
    for commodity, senders, takers in steps:
        for pair in finder.find(senders, takers, str(build.commodities[commodity]["ware"]), keep=KEEP_DOWNSTREAM):
            _add_lane(build, finder, commodity, pair)


# Demand and rules ------------------------------------------------------------------------------------------------------


def _demand(build: _Builder) -> pd.DataFrame:
    """Demand by market, product, sector and period, in t over the period's years."""
    table, calendar, rules = build.tables.demand, build.calendar, build.scenario.demand
    rows = table[(table["set"] == rules.set) & ~table["market"].isin(list(build.access.barred_sites))]
    found = []
    for t, block in enumerate(calendar.years):
        there = rows[rows["year"].isin(block)]
        missing = sorted(set(block) - set(there["year"]))
        if missing:
            fault = Fault("horizon.years", f"demand set {rules.set} has no rows for {missing[0]}", "keep within the years of demand.csv")
            raise DataError([fault])
        summed = there.groupby(["market", "product", "sector"], as_index=False, sort=True)["demand_t"].sum()
        found.append(summed.assign(period=t))
    demand = pd.concat(found, ignore_index=True)
    penalty = demand["sector"].map(lambda sector: rules.unmet_usd_t.get(sector, rules.unmet_usd_t["default"]))
    return demand[demand["demand_t"] > 0].assign(unmet_usd_t=penalty).reset_index(drop=True)


def _byproducts(build: _Builder) -> pd.DataFrame:
    """What by-product markets take and pay, by period; price path of the shock where there is one."""
    calendar = build.calendar
    path = build.scenario.shock.price_path or "outside"
    prices = build.tables.prices[build.tables.prices["set"] == path]
    rows = []
    for commodity, limits in build.tables.byproducts.groupby("commodity", sort=True):
        price = prices[prices["commodity"] == commodity].set_index("year")["price_usd_t"].astype(float).to_dict()
        limit = limits.set_index("year")["limit_t_yr"].astype(float).to_dict()
        if not price:
            continue
        for t, (amount, paid) in enumerate(zip(calendar.mean(limit) * calendar.block_years, calendar.mean(price), strict=True)):
            rows.append({"commodity": commodity, "period": t, "limit_t": amount, "price_usd_t": paid})
    return pd.DataFrame(rows, columns=["commodity", "period", "limit_t", "price_usd_t"])


def _growth(build: _Builder) -> pd.DataFrame:
    """Capacity that a stage's new hubs can have by each period: its yearly growth times the years since the horizon began."""
    firsts = build.calendar.first
    rows = [
        {"stage": stage.stage, "period": t, "most_t_yr": float(stage.growth_t_yr) * (first - firsts[0] + 1)}
        for stage in build.tables.stages.itertuples()
        for t, first in enumerate(firsts)
    ]
    return pd.DataFrame(rows, columns=["stage", "period", "most_t_yr"])


def _available_share(build: _Builder) -> Floats:
    """Share of each period in which a facility is not lost, less what a mine has sold ahead to excluded countries."""
    available = np.ones((len(build.facilities), len(build.calendar.first)))
    for n, row in enumerate(build.facilities):
        if row["stage"] == "mine":
            available[n] -= _excluded_lock(build, str(row["facility"]))
    for loss in build.scenario.shock.lost:
        gone = build.calendar.mean({y: 1.0 for y in range(loss.from_year, loss.to_year + 1)})
        for n, row in enumerate(build.facilities):
            if loss.id in (row["facility"], row["site"]):
                available[n] = np.minimum(available[n], 1.0 - gone)
    return available


def _reported(build: _Builder) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Reported activity of mines and output of plants, for one-year periods that lie in the past of the data."""
    calendar, outputs = build.calendar, build.tables.outputs
    fixed, limits = [], []
    row_of = {str(row["facility"]): n for n, row in enumerate(build.facilities)}
    process_of = {p["facility"]: m for m, p in enumerate(build.processes) if p["process"] == "mine"}
    for row in outputs.itertuples():
        if row.kind == "country" or row.id not in row_of:
            continue
        for t, block in enumerate(calendar.years):
            if block != (row.year,):
                continue
            n = row_of[row.id]
            if row.kind == "mine" and row.commodity == "reo":
                amount = min(float(row.output_t), float(build.existing[n][t]))
                fixed.append({"process": process_of[n], "period": t, "output_t": amount})
            elif row.kind == "facility":
                limits.append({"facility": n, "commodity": row.commodity, "period": t, "output_t": float(row.output_t)})
    return (
        pd.DataFrame(fixed, columns=["process", "period", "output_t"]),
        pd.DataFrame(limits, columns=["facility", "commodity", "period", "output_t"]),
    )


def _locks(build: _Builder) -> pd.DataFrame:
    """Offtake locks on countries that take part, by period."""
    calendar = build.calendar
    here = {str(row["facility"]) for row in build.facilities}
    plants = {str(row["country"]) for row in build.facilities if row["stage"] not in ("mine", "collection")}
    rows = []
    for lock in build.tables.locks.itertuples():
        if lock.mine not in here or lock.destination_country not in plants:
            continue
        shares = lock.share * calendar.mean({y: 1.0 for y in range(int(lock.from_year), int(lock.to_year) + 1)})
        rows += [{"mine": lock.mine, "country": lock.destination_country, "period": t, "share": s} for t, s in enumerate(shares) if s > 0]
    return pd.DataFrame(rows, columns=["mine", "country", "period", "share"])


def element_need_t_t(chain: Chain, element: str, grade: str) -> float:
    """Oxide of an element needed for a tonne of finished magnet of a grade, swarf not returned."""
    metal = alloy_process(chain, grade).takes.get((f"{element}-metal", ""), 0.0)
    alloy = 1.0 / chain.yield_t_t("magnet", "", f"alloy-{grade}", f"magnet-{grade}")
    return metal * alloy / chain.yield_t_t("metal", "", f"{element}-oxide", f"{element}-metal")


def _yearly_needs(build: _Builder, demand: pd.DataFrame) -> pd.DataFrame:
    """Separated oxide that a year's demand asks for: magnets through their grades and yields, oxides as they are."""
    asked = demand.groupby(["product", "period"])["demand_t"].sum()
    rows = []
    for commodity in STOCKED:
        element = commodity.removesuffix("-oxide")
        for t, years in enumerate(build.calendar.block_years):
            need = float(asked.get((commodity, t), 0.0))
            if element in MAGNET_ELEMENTS:
                need += sum(float(asked.get((f"magnet-{g}", t), 0.0)) * element_need_t_t(build.chain, element, g) for g in GRADES)
            rows.append({"commodity": commodity, "period": t, "yearly_t": need / years})
    return pd.DataFrame(rows, columns=["commodity", "period", "yearly_t"])


def _stock_needs(build: _Builder, needs: pd.DataFrame) -> pd.DataFrame:
    """Stockpile rules as tonnes at the end of each period."""
    days = {name.removesuffix("-oxide") + "-oxide": value for name, value in build.scenario.policy.stockpile_days.items()}
    unknown = sorted(set(days) - set(STOCKED))
    if unknown:
        found = f"{', '.join(unknown)} cannot be stocked"
        raise DataError([Fault("policy.stockpile_days", found, f"stock {', '.join(STOCKED)} or their elements")])
    kept = needs[needs["commodity"].isin(list(days))]
    amount = kept["yearly_t"] * kept["commodity"].map(days).astype(float) / 365
    return kept[["commodity", "period"]].assign(amount_t=amount).reset_index(drop=True)


def _offtakes(build: _Builder) -> pd.DataFrame:
    rows = []
    for deal in build.scenario.policy.offtake:
        share = build.calendar.mean({y: 1.0 for y in range(deal.from_year, deal.to_year + 1)})
        amounts = share * build.calendar.block_years * deal.t_yr
        rows += [{"site": deal.site, "commodity": deal.commodity, "period": t, "amount_t": a} for t, a in enumerate(amounts) if a > 0]
    return pd.DataFrame(rows, columns=["site", "commodity", "period", "amount_t"])


def _lane_open(build: _Builder, lanes: pd.DataFrame) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Lanes that no export ban forbids; a ban that touches part of a block forbids the block."""
    country = dict(zip(build.tables.sites["site"], build.tables.sites["country"], strict=True))
    allowed = np.ones((len(lanes), len(build.calendar.first)), dtype=bool)
    abroad = lanes["origin"].map(country).ne(lanes["destination"].map(country)).to_numpy(dtype=bool)
    for ban in build.scenario.shock.export_ban:
        hit = abroad & (lanes["origin"].map(country).eq(ban.country) & lanes["commodity"].isin(ban.commodities)).to_numpy(dtype=bool)
        last = ban.to_year if ban.to_year is not None else np.inf
        for t, block in enumerate(build.calendar.years):
            if any(ban.from_year <= year <= last for year in block):
                allowed[hit, t] = False
    return allowed


def _assemble(build: _Builder, finder: LaneFinder, demand: pd.DataFrame) -> Instance:
    calendar, tables = build.calendar, build.tables
    for row in demand.itertuples():
        build.balance(row.product, "", row.market)
    balances = pd.DataFrame(list(build.balances), columns=["commodity", "tag", "place"])
    balances["market"] = balances["place"].isin(set(demand["market"]))
    commodity = balances["commodity"].to_numpy(dtype=str)
    demand = demand.assign(balance=[build.balances[r.product, "", r.market] for r in demand.itertuples()])
    byproducts = _byproducts(build)
    fixed, limits = _reported(build)
    needs = _yearly_needs(build, demand)
    value = dict(zip(tables.commodities["commodity"], tables.commodities["value_usd_t"].astype(float), strict=True))
    held = np.zeros((len(balances), len(calendar.first)), dtype=bool)
    for row in fixed.itertuples():
        mine = str(build.facilities[build.processes[row.process]["facility"]]["facility"])
        held[(balances["place"] == mine).to_numpy(), row.period] = True
    lanes = pd.DataFrame(build.lanes)
    loose = ("lace-oxide", "other-oxide", "smeugd-oxide", "y-oxide", "heavy-concentrate", "scrap")
    surplus = np.isin(commodity, loose) | np.char.startswith(commodity, "swarf-")
    market = balances["market"].to_numpy(dtype=bool)
    separated = np.isin(commodity, STOCKED) & ~market & _made_here(build, balances)
    terms = np.array(build.terms, dtype=float).reshape(-1, 3)
    t = len(calendar.first)
    ramp = np.zeros((len(build.facilities), t, t))
    for n, profile in enumerate(build.ramps):
        for opened, year in enumerate(calendar.first):
            ramp[n, opened] = _ramped(calendar, year, profile)
    policy = build.scenario.policy
    row_of = {str(row["facility"]): n for n, row in enumerate(build.facilities)}
    return Instance(
        periods=calendar.first, block_years=calendar.block_years, discount=calendar.discount,
        facilities=pd.DataFrame(build.facilities), existing_t_yr=np.array(build.existing), installed_t_yr=np.array(build.installed), ramp_share=ramp,
        available_share=_available_share(build), balances=balances, processes=pd.DataFrame(build.processes),
        term_process=terms[:, 0].astype(int), term_balance=terms[:, 1].astype(int), term_t_t=terms[:, 2],
        lanes=lanes, lane_open=_lane_open(build, lanes), lane_whole=np.zeros(len(lanes), dtype=bool), demand=demand, byproducts=byproducts,
        may_hold=surplus & ~market, may_sell=np.isin(commodity, byproducts["commodity"].to_numpy(dtype=str)) & ~market & _made_here(build, balances),
        may_stock=separated, held_periods=held,
        storage_usd_t_yr=np.array([STORAGE_SHARE_YR * value[c] for c in commodity]),
        fixed_output=fixed, output_limits=limits, locks=_locks(build), offtakes=_offtakes(build),
        country_shares=pd.DataFrame(sorted(policy.max_country_share.items()), columns=["stage", "share"]),
        stock_needs=_stock_needs(build, needs), yearly_needs=needs, growth=_growth(build), budget_usd=policy.budget_usd, max_hubs=policy.max_hubs,
        must_open=tuple(_must_open(build, row_of)), rule_usd_t=build.scenario.demand.unmet_usd_t["default"],
        counts={"lanes": len(lanes), "lanes_offered": finder.offered, "facilities": len(build.facilities), "processes": len(build.processes)},
    )


def _made_here(build: _Builder, balances: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Balances at facilities that make the commodity, not only use it."""
    made = np.zeros(len(balances), dtype=bool)
    for _, balance, amount in build.terms:
        made[balance] |= amount > 0
    return made


def _must_open(build: _Builder, row_of: dict[str, int]) -> list[int]:
    faults, rows = [], []
    for name in build.scenario.policy.must_open:
        if name not in row_of or build.facilities[row_of[name]]["first_period"] == len(build.calendar.first):
            why = build.access.barred_facilities.get(name, "its lead time ends after the horizon, or it has no capacity figure")
            faults.append(Fault("policy.must_open", f"'{name}' cannot be built: {why}", "remove it, or mend what bars it"))
        else:
            rows.append(row_of[name])
    if faults:
        raise DataError(faults)
    return rows
