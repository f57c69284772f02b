"""Purchases: supplies outside the plan that may be bought at a market's door, at a price and up to a cap.

What is bought has no mine, no route and no plant behind it: it appears at the market site of the buyer, as a facility of stage
``purchase`` whose process takes nothing. Its country is where it comes from.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from hubplan.data.chain import GRADES, MAGNET_ELEMENTS, STOCKED, Process, grades_made
from hubplan.data.frames import rows_of
from hubplan.data.scenario import Purchase
from hubplan.errors import DataError, Fault
from hubplan.model.draft import Draft, ends_of
from hubplan.model.facilities import STOCKPILE, add_facility
from hubplan.model.instance import Floats
from hubplan.model.lanes import End, LaneFinder
from hubplan.model.supply import add_lane

STAGE = "purchase"
KEEP_PURCHASE = (3, 2)
"""Lanes kept from each door, to takers that stand and to takers that may be built."""
_TAGGED = frozenset({"concentrate", "carbonate", "heavy-concentrate", "scrap"})
_OUTSIDE = "outside"


def name_offer(number: int) -> str:
    """Process that buys from the scenario's offer of a number, the first being 1."""
    return f"offer-{number}"


def offered_t_yr(draft: Draft, offer: Purchase) -> Floats:
    """What an offer has in a year of each period, all markets together: its cap in its years, less the months of a ban."""
    last = draft.calendar.years[-1][-1] if offer.to_year is None else offer.to_year
    bans = [
        ban
        for ban in draft.scenario.shock.export_ban
        if ban.country == offer.country and offer.commodity in ban.commodities
    ]

    def banned_share(year: int) -> float:
        acting = [ban.months for ban in bans if ban.from_year <= year and (ban.to_year is None or year <= ban.to_year)]
        return max(acting, default=0.0) / 12.0

    return offer.most_t_yr * draft.calendar.mean(
        {year: 1.0 - banned_share(year) for year in range(offer.from_year, last + 1)}
    )


def add_purchases(draft: Draft) -> None:
    """A facility for each market, commodity and country of origin, with a process for each offer.

    Raises
    ------
    DataError
        A commodity that only a mine can make, a market that takes no part, or a year without a price.
    """
    _refuse(draft)
    sites = draft.tables.sites.set_index("site")
    doors: dict[tuple[str, str, str], list[int]] = {}
    for number, offer in enumerate(draft.scenario.policy.purchase, start=1):
        for market in _markets(draft, offer):
            doors.setdefault((market, offer.commodity, offer.country), []).append(number)
    for (market, commodity, country), numbers in sorted(doors.items()):
        yearly = sum(
            (offered_t_yr(draft, draft.scenario.policy.purchase[number - 1]) for number in numbers),
            start=np.zeros(len(draft.calendar.first)),
        )
        if not yearly.any():
            continue
        n = add_facility(
            draft,
            yearly,
            (1.0,),
            capacity_t_yr=yearly,
            facility=f"{market}-purchase-{commodity}-{country}",
            site=market,
            name=str(sites.at[market, "name"]),
            stage=STAGE,
            country=country,
            smallest_t_yr=0.0,
            largest_t_yr=0.0,
            capital_fixed_usd=0.0,
            capital_slope_usd_t_yr=0.0,
            annuity_share=0.0,
            fixed_opex_share=0.0,
            first_period=len(draft.calendar.first),
        )
        for number in numbers:
            draft.add_process(n, Process(name_offer(number), {}, {(commodity, ""): 1.0}), 0.0)


def _markets(draft: Draft, offer: Purchase) -> list[str]:
    sites = draft.tables.sites
    every = sites.loc[sites["kind"] == "market", "site"]
    return [site for site in offer.markets or every if site not in draft.access.barred_sites]


def _refuse(draft: Draft) -> None:
    faults = []
    for number, offer in enumerate(draft.scenario.policy.purchase, start=1):
        where = f"policy.purchase, row {number}"
        if offer.commodity in _TAGGED:
            found = f"{offer.commodity} cannot be bought: what is in it depends on its mine or grade"
            faults.append(Fault(where, found, "buy oxides, metals, alloys, swarf or magnets"))
        barred = [(market, why) for market, why in draft.access.barred_sites.items() if market in offer.markets]
        faults += [Fault(where, f"nothing is bought at {market}: {why}", "remove the market") for market, why in barred]
        years = sorted(set(_years_on_offer(draft, offer)) - set(_price_by_year(draft, offer)))
        if years:
            found = f"price set {offer.price_set or _OUTSIDE} has no {offer.commodity} in {years[0]}"
            faults.append(Fault(where, found, "keep within the years of prices.csv, or name another price_set"))
    if faults:
        raise DataError(faults)


def _years_on_offer(draft: Draft, offer: Purchase) -> list[int]:
    """Years of every period in which the offer has anything."""
    blocks = zip(draft.calendar.years, offered_t_yr(draft, offer), strict=True)
    return [year for block, amount in blocks if amount > 0 for year in block]


def _price_by_year(draft: Draft, offer: Purchase) -> dict[int, float]:
    prices = draft.tables.prices
    rows = prices[(prices["set"] == (offer.price_set or _OUTSIDE)) & (prices["commodity"] == offer.commodity)]
    return dict(zip(rows["year"].astype(int), rows["price_usd_t"].astype(float), strict=True))


def find_purchases(draft: Draft) -> pd.DataFrame:
    """What a tonne from each offer costs by period: mean price of its years, with the markup.

    Columns ``process`` (row), ``period`` (position), ``price_usd_t``.
    """
    offers = {name_offer(n): offer for n, offer in enumerate(draft.scenario.policy.purchase, start=1)}
    price = {
        name: draft.calendar.mean(_price_by_year(draft, offer)) * (1.0 + offer.markup_share)
        for name, offer in offers.items()
    }
    rows = [
        {"process": m, "period": t, "price_usd_t": usd_t}
        for m, process in enumerate(draft.processes)
        if draft.facilities[process["facility"]]["stage"] == STAGE
        for t, usd_t in enumerate(price[process["process"]])
    ]
    return pd.DataFrame(rows, columns=["process", "period", "price_usd_t"])


def add_purchase_lanes(draft: Draft, finder: LaneFinder, demand: pd.DataFrame) -> None:
    """From each door to the plants that work what is bought, to stockpiles, and to its own market.

    Raises
    ------
    DataError
        Nobody takes what is offered.
    """
    faults = []
    for commodity in sorted({offer.commodity for offer in draft.scenario.policy.purchase}):
        doors = [end for end in ends_of(draft, STAGE) if end.place.startswith(f"{end.site}-purchase-{commodity}-")]
        buyers = set(demand.loc[demand["product"] == commodity, "market"])
        at_home = [End(market, market) for market in sorted(buyers & {door.site for door in doors})]
        takers = _takers(draft, commodity)
        if doors and not takers and not at_home:
            found = f"no plant works {commodity}, no stockpile keeps it and no market of the plan asks for it"
            faults.append(
                Fault("policy.purchase", found, "remove the offer, or name places in policy.stockpile.places")
            )
        ware = str(draft.commodities[commodity]["ware"])
        pairs = [
            *finder.find(doors, takers, ware, keep=KEEP_PURCHASE),
            *finder.find(doors, at_home, ware, keep=(1, 0), fits=lambda door, market: door.site == market.site),
        ]
        for pair in pairs:
            add_lane(draft, finder, commodity, pair)
    if faults:
        raise DataError(faults)


def _takers(draft: Draft, commodity: str) -> list[End]:
    """Plants that take a commodity as their input, and stockpiles that keep it."""
    form, _, grade = commodity.partition("-")
    element = commodity.rpartition("-")[0]
    made = {row.facility: grades_made(row.grades) for row in rows_of(draft.tables.facilities)}
    if commodity.endswith("-oxide"):
        places = ends_of(draft, STOCKPILE) if commodity in STOCKED else []
        return [*(ends_of(draft, "metal") if element in MAGNET_ELEMENTS else []), *places]
    if commodity.endswith("-metal"):
        grades = {grade for grade, metals in draft.chain.grades.items() if metals.get(element, 0.0) > 0}
        return [end for end in ends_of(draft, "alloy") if grades & set(made[end.place])]
    if form == "alloy" and grade in GRADES:
        return [end for end in ends_of(draft, "magnet") if grade in made[end.place]]
    return ends_of(draft, "recycling") if form == "swarf" else []
