"""Lanes of an instance: what goes from where to where along the chain, and what a tonne costs on the way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd

from hubplan.data.chain import (
    GRADES,
    HEAVY,
    MAGNET_ELEMENTS,
    STOCKED,
    crack_process,
    grades_made,
    heavy_process,
    light_process,
)
from hubplan.data.frames import rows_of
from hubplan.model.draft import Draft, ends_of
from hubplan.model.facilities import STOCKPILE
from hubplan.model.lanes import ON_SITE, End, LaneFinder, Pair
from hubplan.routing.cost import hour_usd_t

HOURS_YEAR = 8766.0
KEEP_TO_STOCK, KEEP_FROM_STOCK = (2, 0), (5, 2)
KEEP_UPSTREAM, KEEP_HEAVY, KEEP_DOWNSTREAM, KEEP_LEAST = (8, 3), (5, 2), (12, 4), 3
"""Lanes kept from each sender (to plants that stand, to plants that may be built), and into each taker at least."""


def add_lane(draft: Draft, finder: LaneFinder, commodity: str, pair: Pair) -> None:
    """Add the lane of a pair, with what a tonne costs on its route."""
    sender, taker, row = pair
    tag, weight = sender.tag, gross_t_t(draft, commodity, sender.tag)
    tail, head = draft.balance(commodity, tag, sender.place), draft.balance(commodity, tag, taker.place)
    lane: dict[str, Any] = {
        "tail": tail,
        "head": head,
        "commodity": commodity,
        "tag": tag,
        "origin": sender.site,
        "destination": taker.site,
        "route": ON_SITE,
        "freight_usd_t": 0.0,
        "transit_usd_t": 0.0,
        "surcharge_usd_t": 0.0,
    }
    if row >= 0:
        route = finder.route(row)
        lane["route"] = route["route"]
        lane["freight_usd_t"] = float(route["usd_t"]) * weight + _class7_usd_t(draft, commodity, tag) * weight
        lane["transit_usd_t"] = (
            float(route["hours"])
            / HOURS_YEAR
            * draft.parameters["capital_cost_share"]
            * float(draft.commodities[commodity]["value_usd_t"])
        )
        lane["surcharge_usd_t"] = _surcharge_usd_t(draft, route) * weight
    draft.lanes.append(lane)


def _surcharge_usd_t(draft: Draft, route: dict[str, Any]) -> float:
    """Price of risk on a route, USD per gross t: what it was minimised for beyond freight and capital tied up."""
    if not draft.scenario.routes.surcharge_usd_t:
        return 0.0
    rest = route["generalised_usd_t"] - route["usd_t"] - route["hours"] * hour_usd_t(draft.tables, ware=route["ware"])
    return float(rest) if rest > 1e-6 else 0.0


def _class7_usd_t(draft: Draft, commodity: str, tag: str) -> float:
    """Surcharge on thorium-bearing concentrate, USD per gross t."""
    if commodity != "concentrate" or draft.mines[tag]["thorium"] != "yes":
        return 0.0
    return float(draft.parameters["class7_surcharge_usd_t"])


def gross_t_t(draft: Draft, commodity: str, tag: str) -> float:
    """Gross shipped t per contained t."""
    mine = draft.mines.get(tag, {})
    if mine.get("product") == commodity and pd.notna(mine["product_grade_share"]):
        return 1.0 / float(mine["product_grade_share"])
    return float(draft.commodities[commodity]["gross_t_t"])


def add_upstream(draft: Draft, finder: LaneFinder) -> None:
    """Mine to crack and leach to light and heavy separation, each lane and process tagged with its mine."""
    mines = draft.mines
    feeds = dict(zip(draft.tables.facilities["facility"], draft.tables.facilities["feeds"], strict=True))
    opex = dict(zip(draft.tables.stages["stage"], draft.tables.stages["opex_usd_t"].astype(float), strict=True))
    row_of = {str(row["facility"]): n for n, row in enumerate(draft.facilities)}
    country = {str(row["facility"]): str(row["country"]) for row in draft.facilities}
    locked: dict[str, set[str]] = {}
    for lock in rows_of(draft.tables.locks):
        locked.setdefault(lock.mine, set()).add(lock.destination_country)
    cracks, lights, heavies = (
        ends_of(draft, stage) for stage in ("crack_leach", "separation_light", "separation_heavy")
    )
    sources = [replace(end, tag=end.place) for end in ends_of(draft, "mine")]

    def takes_feed(sender: End, taker: End) -> bool:
        """Light separators list feeds too: which carbonates they are licensed for."""
        return not feeds[taker.place] or mines[sender.tag]["feed"] in feeds[taker.place].split(";")

    def add(commodity: str, pairs: list[Pair]) -> list[End]:
        for pair in pairs:
            add_lane(draft, finder, commodity, pair)
        return sorted(
            {replace(taker, tag=sender.tag) for sender, taker, _ in pairs}, key=lambda end: (end.tag, end.place)
        )

    def sold_ahead(sender: End, taker: End) -> bool:
        return takes_feed(sender, taker) and country[taker.place] in locked.get(sender.tag, set())

    def find(senders: list[End], takers: list[End]) -> list[Pair]:
        """The nearest plants, and the nearest in countries that the mine's output is sold ahead to."""
        near = finder.find(senders, takers, "bulk", keep=KEEP_UPSTREAM, fits=takes_feed)
        bound = finder.find(
            [end for end in senders if end.tag in locked], takers, "bulk", keep=KEEP_HEAVY, fits=sold_ahead
        )
        return list(dict.fromkeys([*near, *bound]))

    ore = [end for end in sources if mines[end.tag]["product"] == "concentrate"]
    clay = [end for end in sources if mines[end.tag]["product"] == "carbonate"]
    cracked = add("concentrate", find(ore, cracks))
    for end in cracked:
        draft.add_process(
            row_of[end.place], crack_process(draft.chain, end.tag, str(mines[end.tag]["feed"])), opex["crack_leach"]
        )
    separated = add("carbonate", find([*cracked, *clay], lights))
    for end in separated:
        draft.add_process(row_of[end.place], light_process(draft.chain, end.tag), opex["separation_light"])
    heavy = add("heavy-concentrate", finder.find(separated, heavies, "bulk", keep=KEEP_HEAVY))
    for end in heavy:
        draft.add_process(row_of[end.place], heavy_process(draft.chain, end.tag), opex["separation_heavy"])


def add_downstream(draft: Draft, finder: LaneFinder, demand: pd.DataFrame) -> None:
    """Separated oxides, metals, alloys, magnets, swarf and scrap."""
    lights, heavies, metals, alloys, magnets, recyclers = (
        ends_of(draft, stage)
        for stage in ("separation_light", "separation_heavy", "metal", "alloy", "magnet", "recycling")
    )
    steps: list[tuple[str, list[End], list[End]]] = [("ndpr-oxide", [*lights, *recyclers], metals)]
    made = {row.facility: grades_made(row.grades) for row in rows_of(draft.tables.facilities)}

    def making(ends: list[End], element: str) -> list[End]:
        """Alloy plants that make a grade with an element in it."""
        grades = {grade for grade, metals in draft.chain.grades.items() if metals.get(element, 0.0) > 0}
        return [end for end in ends if grades & set(made[end.place])]

    casting, sintering = (
        {g: [end for end in ends if g in made[end.place]] for g in GRADES} for ends in (alloys, magnets)
    )
    steps += [(f"{e}-oxide", [*heavies, *recyclers], metals) for e in MAGNET_ELEMENTS if e in HEAVY]
    steps += [(f"{element}-metal", metals, making(alloys, element)) for element in MAGNET_ELEMENTS]
    steps += [(f"alloy-{grade}", casting[grade], sintering[grade]) for grade in GRADES]
    steps += [(f"swarf-{grade}", sintering[grade], recyclers) for grade in GRADES]
    for grade in GRADES:
        collections = [
            replace(end, tag=grade) for end in ends_of(draft, "collection") if end.place.endswith(f"-{grade}")
        ]
        steps.append(("scrap", collections, recyclers))
    source = {**{f"magnet-{grade}": sintering[grade] for grade in GRADES}, "ndpr-oxide": lights, "lace-oxide": lights}
    for product, rows in demand.groupby("product", sort=True):
        takers = [End(market, market) for market in sorted(rows["market"].unique())]
        steps.append((str(product), source.get(str(product), heavies), takers))
    for commodity, senders, takers in steps:
        for pair in finder.find(senders, takers, str(draft.commodities[commodity]["ware"]), keep=KEEP_DOWNSTREAM):
            add_lane(draft, finder, commodity, pair)


def add_stock_lanes(draft: Draft, finder: LaneFinder, demand: pd.DataFrame) -> None:
    """Separated oxides from those who make them to stockpiles, and from there to metal plants and to markets that ask."""
    places, metals, recyclers = (ends_of(draft, stage) for stage in (STOCKPILE, "metal", "recycling"))
    makers = {"ndpr-oxide": ends_of(draft, "separation_light")}
    heavies = ends_of(draft, "separation_heavy")
    for commodity in STOCKED if places else ():
        ware = str(draft.commodities[commodity]["ware"])
        worked = commodity.removesuffix("-oxide") in MAGNET_ELEMENTS
        buyers = sorted(set(demand.loc[demand["product"] == commodity, "market"]))
        senders = [*makers.get(commodity, heavies), *(recyclers if worked else [])]
        for pair in (
            *finder.find(senders, places, ware, keep=KEEP_TO_STOCK),
            *finder.find(places, metals if worked else [], ware, keep=KEEP_FROM_STOCK),
            *finder.find(places, [End(market, market) for market in buyers], ware, keep=KEEP_FROM_STOCK),
        ):
            add_lane(draft, finder, commodity, pair)
