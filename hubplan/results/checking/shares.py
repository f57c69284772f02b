"""Shares of countries, owners and sites, what a bloc supplies itself, and the table of shares."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping

from hubplan.data.access import countries_of
from hubplan.data.scenario import SelfSupply
from hubplan.errors import Fault
from hubplan.results.checking.capacity import throughput
from hubplan.results.checking.reading import Reading, breaks, differs, near, rows
from hubplan.results.checking.recipes import Recipes
from hubplan.results.checking.stockpiles import MAGNET_ELEMENTS, Short, yearly_need_t
from hubplan.results.checking.works import Works

OXIDES = tuple(f"{element}-oxide" for element in MAGNET_ELEMENTS)
_NOT_RUN = frozenset({"collection", "purchase", "stockpile"})

Labels = Mapping[str, Mapping[str, str]]
"""Kind of label to facility to label."""


def shares_over(reading: Reading, works: Mapping[str, Works], recipes: Recipes) -> Short:
    """By how many t a share of a stage is exceeded or missed, and a bloc's own supply falls short."""
    policy, labels = reading.plan.scenario.policy, _labels(reading, works)
    used = throughput(reading, works, recipes)
    broken: Short = {}
    for kind, limits in (
        ("country", policy.max_country_share),
        ("owner", policy.max_owner_share),
        ("site", policy.max_site_share),
    ):
        for stage, share in limits.items():
            for period in reading.blocks:
                total, parts = _split(used, works, labels[kind], stage, period)
                for one in parts.keys() - {""}:
                    broken[f"max_{kind}_share", f"{stage}/{one}", period] = parts[one] - share * total
    for stage, least in policy.min_country_share.items():
        for one, share in least.items():
            for period in reading.blocks:
                total, parts = _split(used, works, labels["country"], stage, period)
                broken["min_country_share", f"{stage}/{one}", period] = share * total - parts.get(one, 0.0)
    return {**broken, **_self_supply(reading, works, recipes)}


def _labels(reading: Reading, works: Mapping[str, Works]) -> Labels:
    owners = {row.mine: str(row.owner) for row in rows(reading.tables.mines[["mine", "owner"]])}
    owners |= {row.facility: str(row.owner) for row in rows(reading.tables.facilities[["facility", "owner"]])}
    return {
        "country": {name: work.country for name, work in works.items()},
        "owner": {name: owners.get(name, "") for name in works},
        "site": {name: work.site for name, work in works.items()},
    }


def _split(
    used: Mapping[tuple[str, int], float], works: Mapping[str, Works], label: Mapping[str, str], stage: str, period: int
) -> tuple[float, dict[str, float]]:
    """Throughput of a stage in a period, in all and by label."""
    parts: defaultdict[str, float] = defaultdict(float)
    for (facility, at), amount in used.items():
        if at == period and works[facility].stage == stage:
            parts[label[facility]] += amount
    return math.fsum(parts.values()), dict(parts)


def find_share_faults(reading: Reading, works: Mapping[str, Works], recipes: Recipes) -> list[Fault]:
    """Rows of shares.csv: throughput under each label, its share, and the sum of squared shares (10,000 at most)."""
    used, labels = throughput(reading, works, recipes), _labels(reading, works)
    wanted: dict[tuple[str, str, str, int], tuple[float, float, float]] = {}
    for stage in sorted({works[facility].stage for facility, _ in used} - _NOT_RUN):
        for kind, label in labels.items():
            for period in reading.blocks:
                total, parts = _split(used, works, label, stage, period)
                squares = math.fsum((100.0 * t / total) ** 2 for one, t in parts.items() if one) if total > 0 else 0.0
                wanted |= {(stage, kind, one, period): (t, t / total, squares) for one, t in parts.items() if total > 0}
    faults = []
    for row in rows(reading.plan.shares):
        expected = wanted.pop((str(row.stage), str(row.kind), str(row.id), int(row.period)), (0.0, 0.0, 0.0))
        for column, value, slack in zip(("throughput_t", "share", "hhi"), expected, (1e-3, 1e-6, 1e-2), strict=True):
            found = float(getattr(row, column))
            if not near(found, value, absolute=slack):
                where = reading.where("shares", row.Index, column)
                faults.append(differs(where, found, value, "throughput of processes.csv, shared out"))
    for key, (amount, _, _) in sorted(wanted.items()):
        if amount > 1e-3:
            faults.append(breaks("shares.csv", f"no row for {', '.join(map(str, key))}: {amount:,.9g} t"))
    return faults


def _self_supply(reading: Reading, works: Mapping[str, Works], recipes: Recipes) -> Short:
    short: Short = {}
    names: list[str] = []
    for goal in reading.plan.scenario.policy.self_supply:
        bloc, last = countries_of([goal.bloc], reading.tables), math.inf if goal.to_year is None else goal.to_year
        number = names.count(goal.bloc)
        names.append(goal.bloc)
        name = goal.bloc if not number else f"{goal.bloc}/{number + 1}"
        for period in reading.blocks:
            window = reading.share_of_block(period, goal.from_year, last)
            if window > 0:
                short |= _benchmarks(reading, works, recipes, goal, bloc, name, period, window)
                short |= _third_countries(reading, works, goal, bloc, name, period, window)
    return short


def _benchmarks(
    reading: Reading,
    works: Mapping[str, Works],
    recipes: Recipes,
    goal: SelfSupply,
    bloc: Collection[str],
    name: str,
    period: int,
    window: float,
) -> Short:
    """What the bloc digs, separates and recycles of magnet elements, against what its markets ask, all as oxide."""
    here = reading.plan.demand["market"].map(reading.country).isin(list(bloc))
    demand = reading.plan.demand[here]
    need = math.fsum(yearly_need_t(reading, recipes, oxide, period, demand=demand) for oxide in OXIDES)
    need *= reading.years(period) * window
    made: defaultdict[str, float] = defaultdict(float)
    for row in rows(reading.plan.processes[reading.plan.processes["period"] == period]):
        work = works[str(row.facility)]
        if work.country not in bloc:
            continue
        if work.stage == "mine":
            basket = recipes.basket[work.facility]
            made["extraction"] += float(row.input_t) * math.fsum(basket.get(e, 0.0) for e in MAGNET_ELEMENTS)
        elif part := {"separation": "processing", "recycling": "recycling"}.get(work.stage.partition("_")[0]):
            makes = recipes.run(work, str(row.process)).makes
            made[part] += float(row.input_t) * math.fsum(t for (good, _), t in makes.items() if good in OXIDES)
    shares = {"extraction": goal.mine_share, "processing": goal.processing_share, "recycling": goal.recycling_share}
    return {
        ("self_supply", f"{name}/{part}", period): share * need - made[part]
        for part, share in shares.items()
        if share is not None and need > 0
    }


def _class_of(commodity: str) -> str:
    """Stage of processing that a commodity comes from, if one country's share of it is capped."""
    if commodity in ("concentrate", "carbonate"):
        return commodity
    if commodity in OXIDES:
        return "oxide"
    form, _, rest = commodity.partition("-")
    return form if form in ("alloy", "magnet") else "metal" if rest == "metal" else ""


def _third_countries(
    reading: Reading,
    works: Mapping[str, Works],
    goal: SelfSupply,
    bloc: Collection[str],
    name: str,
    period: int,
    window: float,
) -> Short:
    """What reaches the bloc's plants and markets of each class, by country outside; from the bloc's own stocks not again."""
    if goal.max_third_country_share is None:
        return {}
    came: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    flows = reading.plan.flows
    for flow in rows(flows[flows["period"] == period]):
        sender = works[str(flow.origin_facility)]
        own_stock = sender.stage == "stockpile" and sender.country in bloc
        if reading.country[str(flow.destination)] in bloc and not own_stock:
            came[_class_of(str(flow.commodity))][sender.country] += float(flow.flow_t)
    most = 1.0 - window * (1.0 - goal.max_third_country_share)
    return {
        ("self_supply", f"{name}/{part}/{country}", period): amount - most * math.fsum(by_country.values())
        for part, by_country in came.items()
        for country, amount in by_country.items()
        if part and country not in bloc
    }
