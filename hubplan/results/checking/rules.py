"""Policy rules: kept, or broken openly in violations.csv at their price; hard ones kept."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping

from hubplan.data.access import countries_of
from hubplan.errors import Fault
from hubplan.results.checking.capacity import built_by, stands_t_yr, usable_t_yr
from hubplan.results.checking.carbon import emissions_over, find_emission_faults
from hubplan.results.checking.contingency import n_1_short
from hubplan.results.checking.contracts import contracts_short
from hubplan.results.checking.exposure_rules import REFERENCE_USD_T, exposure_over
from hubplan.results.checking.exposure_rules import RULE as EXPOSURE
from hubplan.results.checking.reading import Reading, at_most, breaks, differs, near, rows
from hubplan.results.checking.recipes import Recipes
from hubplan.results.checking.shares import find_share_faults, shares_over
from hubplan.results.checking.stockpiles import find_stock_faults, stockpiles_short
from hubplan.results.checking.works import Works

_NO_PLANT = frozenset({"mine", "collection", "purchase", "stockpile"})


def find_rule_faults(reading: Reading, works: Mapping[str, Works], recipes: Recipes) -> list[Fault]:
    """Families (7) to (12) and (14) of docs/model.md, feeds of plants, and the yearly supply of scrap."""
    return [
        *_reported(reading, works, recipes),
        *_locks(reading, works),
        *_soft(reading, works, recipes),
        *_budget(reading, works),
        *_funds(reading, works),
        *_growth(reading),
        *_feeds(reading, works),
        *_collections(reading, works),
        *find_stock_faults(reading, recipes),
        *find_share_faults(reading, works, recipes),
        *find_emission_faults(reading, works, recipes),
    ]


def _reported(reading: Reading, works: Mapping[str, Works], recipes: Recipes) -> list[Fault]:
    """In a year already reported a mine ran as it did, and a plant made no more than it did."""
    ran: defaultdict[tuple[str, int], float] = defaultdict(float)
    made: defaultdict[tuple[str, str, int], float] = defaultdict(float)
    for row in rows(reading.plan.processes):
        key = str(row.facility), int(row.period)
        ran[key] += float(row.input_t)
        for (commodity, _), share in recipes.run(works[key[0]], str(row.process)).makes.items():
            made[key[0], commodity, key[1]] += share * float(row.input_t)
    faults = []
    for row in rows(reading.tables.outputs):
        period = int(row.year)
        if reading.blocks.get(period) != (period,) or row.kind == "country" or row.id not in works:
            continue
        if row.kind == "mine" and row.commodity == "reo" and row.id not in reading.access.barred_facilities:
            work = works[row.id]
            want = min(float(row.output_t), usable_t_yr(reading, work, {}, period))
            if work.stands_t_yr > 0 and not near(ran[row.id, period], want, absolute=0.01):
                why = "what outputs.csv says it mined, up to its capacity"
                faults.append(differs(f"processes.csv: {row.id}, {period}", ran[row.id, period], want, why))
        elif row.kind == "facility" and not at_most(made[row.id, row.commodity, period], float(row.output_t)):
            amount = made[row.id, row.commodity, period]
            found = f"{amount:,.9g} t of {row.commodity}, outputs.csv says {float(row.output_t):,.9g}"
            faults.append(breaks(f"processes.csv: {row.id}, {period}", found))
    return faults


def _growth(reading: Reading) -> list[Fault]:
    """The new hubs of a stage together have grown no faster than crews and equipment allow since the horizon began."""
    most = dict(zip(reading.tables.stages["stage"], reading.tables.stages["growth_t_yr"].astype(float), strict=True))
    periods = sorted(reading.blocks)
    built = reading.plan.hubs.groupby(["stage", "period"])["built_t_yr"].sum()
    faults = []
    for stage in most:
        total = 0.0
        for period in periods:
            total += float(built.get((stage, period), 0.0))
            limit = most[stage] * (period - periods[0] + 1)
            if not at_most(total, limit):
                found = f"{total:,.9g} t/yr built by then, crews and equipment allow {limit:,.9g}"
                faults.append(breaks(f"hubs.csv: {stage}, {period}, column built_t_yr", found))
    return faults


def _locks(reading: Reading, works: Mapping[str, Works]) -> list[Fault]:
    """What a mine has sold ahead to a country that takes part is cracked and separated there (where a plant stands)."""
    plants = {work.country for work in works.values() if work.stage not in _NO_PLANT}
    sent: defaultdict[tuple[str, str, int], list[tuple[str, float]]] = defaultdict(list)
    for flow in rows(reading.plan.flows):
        there = reading.country.get(flow.destination, "")
        sent[flow.mine, flow.commodity, int(flow.period)].append((there, float(flow.flow_t)))
    faults = []
    for lock in rows(reading.tables.locks):
        buyer = lock.destination_country
        if buyer in reading.access.excluded or buyer not in plants:
            continue
        for commodity, period in ((name, first) for name in ("concentrate", "carbonate") for first in reading.blocks):
            flows = sent.get((lock.mine, commodity, period), [])
            total, there_t = math.fsum(t for _, t in flows), math.fsum(t for to, t in flows if to == buyer)
            share = float(lock.share) * reading.share_of_block(period, lock.from_year, lock.to_year)
            if not at_most(share * total, there_t, absolute=0.01):
                found = f"{there_t:,.9g} t of {total:,.9g} go to {buyer}, to which {share:.0%} is sold"
                faults.append(breaks(f"flows.csv: {commodity}@{lock.mine}, {period}", found))
    return faults


def _slack(rule: tuple[str, str, int]) -> float:
    """By how much the amount of a breach may differ: 0.01 t, and of a sum in USD or over the whole chain as much more."""
    return {EXPOSURE: 0.01 * REFERENCE_USD_T, "max_co2_t_yr": 1.0, "max_residue_t_yr": 0.1}.get(rule[0], 0.01)


def _soft(reading: Reading, works: Mapping[str, Works], recipes: Recipes) -> list[Fault]:
    """What is missing or too much stands in violations.csv, rule by rule."""
    needed = {
        **contracts_short(reading),
        **shares_over(reading, works, recipes),
        **stockpiles_short(reading, recipes),
        **n_1_short(reading),
        **exposure_over(reading),
        **emissions_over(reading, works, recipes),
    }
    faults = []
    said: dict[tuple[str, str, int], float] = {}
    for row in rows(reading.plan.violations):
        key = str(row.rule), str(row.id), int(row.period)
        said[key] = float(row.amount)
        if key not in needed:
            faults.append(breaks(reading.where("violations", row.Index), "is no rule of the scenario"))
        elif not near(float(row.amount), max(0.0, needed[key]), absolute=_slack(key)):
            where = reading.where("violations", row.Index, "amount")
            faults.append(differs(where, float(row.amount), max(0.0, needed[key]), "by how much the rule is broken"))
    for key, short in sorted(needed.items()):
        if key not in said and not at_most(short, 0.0, absolute=_slack(key)):
            found = f"{' '.join(map(str, key))} is broken by {short:,.9g}, and not listed"
            faults.append(breaks("violations.csv", found))
    return faults


def _budget(reading: Reading, works: Mapping[str, Works]) -> list[Fault]:
    policy, last = reading.plan.scenario.policy, list(reading.blocks)[-1]
    sizes = {facility: stands_t_yr(built, last) for facility, built in built_by(reading).items()}
    new = {facility: size for facility, size in sizes.items() if size > 0}
    capital = math.fsum(works[name].fixed_usd + works[name].slope_usd_t_yr * size for name, size in new.items())
    faults = []
    if policy.budget_usd is not None and not at_most(capital, policy.budget_usd, absolute=1000.0):
        found = f"capital of {capital:,.9g} USD is above policy.budget_usd"
        faults.append(breaks("hubs.csv, column capex_usd", found))
    hubs = [name for name in new if works[name].stage != "mine"]
    if policy.max_hubs is not None and len(hubs) > policy.max_hubs:
        faults.append(breaks("hubs.csv", f"{len(hubs)} new hubs, policy.max_hubs is {policy.max_hubs}"))
    missing = sorted(set(policy.must_open) - set(new))
    faults += [breaks("hubs.csv", f"{name} is not built, policy.must_open asks for it") for name in missing]
    return faults


def _funds(reading: Reading, works: Mapping[str, Works]) -> list[Fault]:
    """What is built in a fund's years, at its stages and in its countries, costs no more than the fund has."""
    faults = []
    for fund in reading.plan.scenario.policy.fund:
        there = countries_of(fund.members, reading.tables)
        spent = 0.0
        for facility, built in built_by(reading).items():
            work = works[facility]
            if (fund.stages and work.stage not in fund.stages) or (fund.members and work.country not in there):
                continue
            inside = [period for period in built if fund.from_year <= period <= fund.to_year]
            spent += work.slope_usd_t_yr * math.fsum(built[period] for period in inside)
            spent += work.fixed_usd if min(built) in inside else 0.0
        if not at_most(spent, fund.budget_usd, absolute=1000.0):
            found = f"capital of {spent:,.9g} USD is above the {fund.budget_usd:,.9g} of {fund.name}"
            faults.append(breaks("hubs.csv, column capex_usd", found))
    return faults


def _feeds(reading: Reading, works: Mapping[str, Works]) -> list[Fault]:
    """A cracking plant takes the feeds it was made for."""
    plants, mines = reading.tables.facilities, reading.tables.mines
    takes = dict(zip(plants["facility"], plants["feeds"], strict=True))
    feed = dict(zip(mines["mine"], mines["feed"], strict=True))
    faults = []
    for row in rows(reading.plan.processes):
        name, _, mine = str(row.process).partition("@")
        if works[str(row.facility)].stage != "crack_leach" or not takes.get(row.facility):
            continue
        if feed.get(mine) not in str(takes[row.facility]).split(";"):
            where = reading.where("processes", row.Index, "process")
            faults.append(breaks(where, f"{name} of {mine} is {feed.get(mine)}, the plant takes {takes[row.facility]}"))
    return faults


def _collections(reading: Reading, works: Mapping[str, Works]) -> list[Fault]:
    """Scrap collected at a market is at most what scrap.csv has."""
    faults = []
    for row in rows(reading.plan.processes):
        work = works[str(row.facility)]
        if work.stage == "collection":
            limit = work.standing_t_yr(reading.blocks[int(row.period)]) * reading.years(int(row.period))
            if not at_most(float(row.input_t), limit):
                found = f"{float(row.input_t):,.9g} t, scrap.csv has {limit:,.9g}"
                faults.append(breaks(reading.where("processes", row.Index, "input_t"), found))
            if work.site in reading.access.barred_sites:
                faults.append(breaks(reading.where("processes", row.Index), reading.access.barred_sites[work.site]))
    return faults


def find_exposure_faults(reading: Reading) -> list[Fault]:
    """Tonnes and value by chokepoint, country and operator, added up anew."""
    terminals = reading.tables.terminals
    operators: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows(terminals):
        if row.port and row.operator and not row.chinese_share <= 0:
            operators[row.port].add(row.operator)
    passed: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for leg in rows(reading.plan.legs):
        for kind, cell in (("chokepoint", leg.chokepoints), ("country", leg.countries)):
            passed[str(leg.route)] |= {(kind, name) for name in str(cell).split(";") if name}
        for port in str(leg.ports).split(";"):
            passed[str(leg.route)] |= {("operator", name) for name in operators.get(port, ())}
    bought = {
        door: door.rpartition("-")[2] for door in set(reading.plan.flows["origin_facility"]) if "-purchase-" in door
    }
    amount: defaultdict[tuple[str, str, int], list[float]] = defaultdict(lambda: [0.0, 0.0])
    total: defaultdict[int, float] = defaultdict(float)
    for flow in rows(reading.plan.flows):
        source = bought.get(str(flow.origin_facility))
        if flow.origin == flow.destination and source is None:
            continue
        period, flow_t = int(flow.period), float(flow.flow_t)
        total[period] += flow_t
        ends = {("country", reading.country.get(site, "")) for site in (flow.origin, flow.destination)}
        ends |= {("country", source)} if source else set()
        for kind, name in passed[str(flow.route)] | ends:
            amount[kind, name, period][0] += flow_t
            amount[kind, name, period][1] += flow_t * reading.value_usd_t[str(flow.commodity)]
    return _compare_exposure(reading, amount, total)


def _compare_exposure(
    reading: Reading, amount: dict[tuple[str, str, int], list[float]], total: Mapping[int, float]
) -> list[Fault]:
    faults = []
    for row in rows(reading.plan.exposure):
        flow_t, value_usd = amount.pop((str(row.kind), str(row.id), int(row.period)), [0.0, 0.0])
        share = flow_t / total[int(row.period)] if total.get(int(row.period)) else 0.0
        wanted = {"flow_t": (flow_t, 1e-3), "flow_share": (share, 1e-6), "value_usd": (value_usd, 1.0)}
        for column, (value, slack) in wanted.items():
            found = float(getattr(row, column))
            if not near(found, value, absolute=slack):
                where = reading.where("exposure", row.Index, column)
                faults.append(differs(where, found, value, "flows.csv over legs.csv, added up"))
    for key, (flow_t, _) in sorted(amount.items()):
        if flow_t > 1e-3:
            faults.append(breaks("exposure.csv", f"no row for {', '.join(map(str, key))}: {flow_t:,.9g} t"))
    return faults


def find_site_faults(reading: Reading) -> list[Fault]:
    """sites.csv of the run says what sites.csv of geodata says, and names every site of the plan."""
    faults = []
    for row in rows(reading.plan.sites):
        if row.site not in reading.site:
            faults.append(breaks(reading.where("sites", row.Index), "is in no row of geodata"))
            continue
        own = reading.site[row.site]
        for column in ("name", "kind", "country", "lon", "lat"):
            if getattr(row, column) != getattr(own, column):
                found = f"{getattr(row, column)}, geodata has {getattr(own, column)}"
                faults.append(breaks(reading.where("sites", row.Index, column), found))
    plan = reading.plan
    named = {*plan.hubs["site"], *plan.flows["origin"], *plan.flows["destination"], *plan.demand["market"]}
    missing = sorted(named - set(plan.sites["site"]))
    return faults + [breaks("sites.csv", f"lacks {site}, which other tables name") for site in missing]
