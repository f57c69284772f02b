"""Concentration: how much of a stage one country, owner or site may run, and how much of its need a bloc covers itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
import numpy.typing as npt

from hubplan.data.access import countries_of
from hubplan.data.chain import MAGNET_ELEMENTS
from hubplan.data.frames import rows_of
from hubplan.data.scenario import SelfSupply
from hubplan.model.facilities import STOCKPILE
from hubplan.model.instance import Floats
from hubplan.model.policy.contracts import tell_apart
from hubplan.model.rulebook import Rulebook
from hubplan.model.rules import element_need_t_t

Labels = npt.NDArray[np.object_]

OXIDES = tuple(f"{element}-oxide" for element in MAGNET_ELEMENTS)
MAKERS = {"processing": ("separation_light", "separation_heavy"), "recycling": ("recycling",)}
"""Stages whose oxides count for a benchmark."""
CLASSES: Mapping[str, Callable[[str], bool]] = {
    "concentrate": lambda commodity: commodity == "concentrate",
    "carbonate": lambda commodity: commodity == "carbonate",
    "oxide": lambda commodity: commodity in OXIDES,
    "metal": lambda commodity: commodity.endswith("-metal"),
    "alloy": lambda commodity: commodity.startswith("alloy-"),
    "magnet": lambda commodity: commodity.startswith("magnet-"),
}
"""What each stage of processing hands on. Heavy concentrate stays within separation, swarf and scrap are no product."""


def add_shares(book: Rulebook) -> None:
    """(15) No country, owner or site runs more than its share of a stage, and a country no less than promised.

    Shares are of the stage's throughput, in the unit of its capacity. Owners are those of mines.csv and facilities.csv;
    what has none there, such as a hub that is only a candidate, is nobody's and counts in the whole but under no owner.
    """
    policy, facilities = book.policy, book.inst.facilities
    country, site = (facilities[name].to_numpy(dtype=object) for name in ("country", "site"))
    _add_largest_shares(book, "max_country_share", policy.max_country_share, country)
    if policy.max_owner_share:
        _add_largest_shares(book, "max_owner_share", policy.max_owner_share, _owners(book))
    _add_largest_shares(book, "max_site_share", policy.max_site_share, site)
    for name, least in sorted(policy.min_country_share.items()):
        for one, share in sorted(least.items()):
            _add_share(book, "min_country_share", name, one, share, country, sense="at_least")


def _add_largest_shares(book: Rulebook, family: str, limits: Mapping[str, float], label: Labels) -> None:
    """Throughput of a stage under one label is at most a share of the stage's throughput; a blank label is no one's."""
    here = book.inst.facilities["stage"].to_numpy(dtype=object)
    for name, share in sorted(limits.items()):
        for one in sorted(set(label[here == name]) - {""}):
            _add_share(book, family, name, one, share, label, sense="at_most")


def _add_share(book: Rulebook, family: str, name: str, one: str, share: float, label: Labels, *, sense: str) -> None:
    owner = book.inst.processes["facility"].to_numpy(dtype=int)
    runs = np.flatnonzero(book.inst.facilities["stage"].to_numpy(dtype=object)[owner] == name)
    use = book.inst.processes["capacity_use"].to_numpy(dtype=float)[runs]
    weight = use * ((label[owner[runs]] == one) - share)
    for t in book.periods:
        rule = book.add(family, f"{name}/{one}", sense=sense, limit=0.0, period=t)
        book.weigh(rule, "run", runs, t, weight)


def _owners(book: Rulebook) -> Labels:
    """Owner of each facility; blank where the tables name none."""
    tables = book.draft.tables
    known = dict(zip(tables.mines["mine"], tables.mines["owner"], strict=True))
    known |= dict(zip(tables.facilities["facility"], tables.facilities["owner"], strict=True))
    return np.array([known.get(name, "") for name in book.inst.facilities["facility"]], dtype=object)


def add_self_supply(book: Rulebook) -> None:
    """(19) A bloc covers shares of its own need, and leans on no one third country (EU 2024/1252, article 5).

    The need of a bloc is the oxide of magnet elements (`MAGNET_ELEMENTS` together: one strategic raw material of the
    regulation's annex I) in what its markets ask: magnets through their grades and yields, oxides as they are. Of it

    - ``mine_share`` is, as contained oxide, in what mines in the bloc produce,
    - ``processing_share`` is separated in the bloc, from primary feed,
    - ``recycling_share`` is recovered by recyclers in the bloc.

    ``max_third_country_share`` holds for each of `CLASSES` apart: of all t of the class that reach the bloc's plants and
    markets, from inside it too, so much at most comes from mines, plants or purchases of one country outside. What the
    bloc's demand would need and does not get is not in the whole, so the cap is on supply as it is. What enters a stock of
    the bloc counts when it enters, and no more when it leaves. Where a rule holds in some years of a period only, a share
    that is asked counts for those, and a cap is 1 in the others.
    """
    goals = book.policy.self_supply
    for goal, name in zip(goals, tell_apart(goal.bloc for goal in goals), strict=True):
        bloc = countries_of([goal.bloc], book.draft.tables)
        window = book.share_of(goal.from_year, goal.to_year)
        _add_benchmarks(book, goal, name, bloc, window)
        if goal.max_third_country_share is not None:
            most = 1.0 - (1.0 - goal.max_third_country_share) * window
            _add_third_country_caps(book, name, bloc, most)


def _add_benchmarks(book: Rulebook, goal: SelfSupply, name: str, bloc: Collection[str], window: Floats) -> None:
    need_t = _need_t(book, bloc) * window
    asked = {"extraction": goal.mine_share, "processing": goal.processing_share, "recycling": goal.recycling_share}
    for part, share in asked.items():
        if share is None:
            continue
        weight = _extraction(book, bloc) if part == "extraction" else _made(book, bloc, MAKERS[part])
        runs = np.flatnonzero(weight)
        for t in np.flatnonzero(need_t > 0):
            limit = share * float(need_t[t])
            rule = book.add("self_supply", f"{name}/{part}", sense="at_least", limit=limit, period=int(t))
            book.weigh(rule, "run", runs, int(t), weight[runs])


def _need_t(book: Rulebook, bloc: Collection[str]) -> Floats:
    """Oxide of magnet elements that the bloc's markets ask for, t by period."""
    country = dict(zip(book.draft.tables.sites["site"], book.draft.tables.sites["country"], strict=True))
    found = np.zeros(len(book.periods))
    for row in rows_of(book.inst.demand):
        if country[row.market] in bloc:
            found[int(row.period)] += float(row.demand_t) * _oxide_t_t(book, str(row.product))
    return found


def _oxide_t_t(book: Rulebook, product: str) -> float:
    """Oxide of magnet elements needed for a tonne of a product."""
    if product.startswith("magnet-"):
        grade = product.removeprefix("magnet-")
        return sum(element_need_t_t(book.draft.chain, element, grade) for element in MAGNET_ELEMENTS)
    return 1.0 if product in OXIDES else 0.0


def _in_bloc(book: Rulebook, bloc: Collection[str], stages: Collection[str]) -> npt.NDArray[np.bool_]:
    """Processes at facilities of some stages in the bloc."""
    facilities = book.inst.facilities
    here = facilities["country"].isin(list(bloc)) & facilities["stage"].isin(list(stages))
    return np.asarray(here.to_numpy(dtype=bool)[book.inst.processes["facility"].to_numpy(dtype=int)])


def _extraction(book: Rulebook, bloc: Collection[str]) -> Floats:
    """Contained oxide of magnet elements in a tonne of each mine of the bloc; shape (M,)."""
    weight = np.zeros(len(book.inst.processes))
    owner = book.inst.processes["facility"].to_numpy(dtype=int)
    for row in np.flatnonzero(_in_bloc(book, bloc, ("mine",))):
        basket = book.draft.chain.baskets[str(book.inst.facilities["facility"].iat[owner[row]])]
        weight[row] = sum(basket.get(element, 0.0) for element in MAGNET_ELEMENTS)
    return weight


def _made(book: Rulebook, bloc: Collection[str], stages: Collection[str]) -> Floats:
    """Oxide of magnet elements that a tonne of each process of some stages in the bloc makes; shape (M,)."""
    inst = book.inst
    good = inst.balances["commodity"].isin(OXIDES).to_numpy(dtype=bool)
    counted = (inst.term_t_t > 0) & good[inst.term_balance] & _in_bloc(book, bloc, stages)[inst.term_process]
    weight = np.zeros(len(inst.processes))
    np.add.at(weight, inst.term_process[counted], inst.term_t_t[counted])
    return weight


def _add_third_country_caps(book: Rulebook, name: str, bloc: Collection[str], most: Floats) -> None:
    inst = book.inst
    facility = inst.facilities.set_index("facility")
    sender = inst.balances["place"].to_numpy(dtype=object)[inst.lanes["tail"].to_numpy(dtype=int)]
    origin, stage = (facility[column].reindex(sender).to_numpy(dtype=object) for column in ("country", "stage"))
    country = dict(zip(book.draft.tables.sites["site"], book.draft.tables.sites["country"], strict=True))
    inside = np.array([country[site] in bloc for site in inst.lanes["destination"]], dtype=bool)
    inside &= ~((stage == STOCKPILE) & np.isin(origin, list(bloc)))
    for part, is_of in CLASSES.items():
        rows = np.flatnonzero(inside & inst.lanes["commodity"].map(is_of).to_numpy(dtype=bool))
        for third in sorted(set(origin[rows]) - set(bloc)):
            for t in np.flatnonzero(most < 1.0):
                rule = book.add("self_supply", f"{name}/{part}/{third}", sense="at_most", limit=0.0, period=int(t))
                book.weigh(rule, "flow", rows, int(t), (origin[rows] == third) - most[t])
