"""What is bought outside the plan: offers of the scenario, what a ban leaves of them, and what they cost."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from hubplan.data.scenario import Purchase
from hubplan.errors import Fault
from hubplan.results.checking.reading import Reading, at_most, breaks, mean, rows

if TYPE_CHECKING:
    from hubplan.results.checking.works import Works

STAGE = "purchase"


def read_offers(reading: Reading) -> dict[str, Purchase]:
    """Offers by the name of the process that buys from them: ``offer-1`` is the first of the scenario."""
    return {f"offer-{number}": offer for number, offer in enumerate(reading.plan.scenario.policy.purchase, start=1)}


def offered_t(reading: Reading, offer: Purchase, year: int) -> float:
    """What an offer has in a year: nothing outside its years, and for the months of a ban; the longest ban counts."""
    if not offer.from_year <= year <= (math.inf if offer.to_year is None else offer.to_year):
        return 0.0
    months = [
        ban.months
        for ban in reading.plan.scenario.shock.export_ban
        if ban.country == offer.country and offer.commodity in ban.commodities
        if ban.from_year <= year <= (math.inf if ban.to_year is None else ban.to_year)
    ]
    return offer.most_t_yr * (1.0 - max(months, default=0.0) / 12.0)


def offer_price_usd_t(reading: Reading, offer: Purchase, period: int) -> float:
    """Mean price of the years of a period, with the markup."""
    table = reading.tables.prices
    wanted = (table["set"] == (offer.price_set or "outside")) & (table["commodity"] == offer.commodity)
    price = {int(row.year): float(row.price_usd_t) for row in rows(table[wanted])}
    return mean([price.get(year, 0.0) for year in reading.blocks[period]]) * (1.0 + offer.markup_share)


def find_purchase_faults(reading: Reading, works: Mapping[str, Works]) -> list[Fault]:
    """What is bought is of an offer made at that door, and all markets together buy no more than there is of it."""
    offers = read_offers(reading)
    bought: defaultdict[tuple[str, int], float] = defaultdict(float)
    faults = []
    for row in rows(reading.plan.processes):
        if works[str(row.facility)].stage != STAGE:
            continue
        offer = offers.get(str(row.process))
        site = works[str(row.facility)].site
        if offer is None or row.facility != f"{site}-purchase-{offer.commodity}-{offer.country}":
            faults.append(breaks(reading.where("processes", row.Index), "no such offer in policy.purchase"))
        elif offer.markets and site not in offer.markets:
            faults.append(breaks(reading.where("processes", row.Index), f"{row.process} is not made at {site}"))
        bought[str(row.process), int(row.period)] += float(row.input_t)
    for (name, period), amount in sorted(bought.items()):
        limit = (
            math.fsum(offered_t(reading, offers[name], year) for year in reading.blocks[period])
            if name in offers
            else 0
        )
        if not at_most(amount, limit):
            found = f"{amount:,.9g} t bought, of which {limit:,.9g} were to be had"
            faults.append(breaks(f"processes.csv: {name}, {period}", found))
    return faults


def paid_usd(reading: Reading, works: Mapping[str, Works]) -> dict[tuple[str, int], float]:
    """Price of what each door buys, by facility and period."""
    offers, paid = read_offers(reading), defaultdict[tuple[str, int], float](float)
    for row in rows(reading.plan.processes):
        if works[str(row.facility)].stage == STAGE and row.process in offers:
            price = offer_price_usd_t(reading, offers[str(row.process)], int(row.period))
            paid[str(row.facility), int(row.period)] += float(row.input_t) * price
    return dict(paid)
