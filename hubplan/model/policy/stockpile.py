"""Stocks that governments ask for."""

from __future__ import annotations

import numpy as np

from hubplan.data.chain import STOCKED
from hubplan.data.frames import rows_of
from hubplan.errors import DataError, Fault
from hubplan.model.rulebook import HARD, Rulebook
from hubplan.model.rules import find_yearly_needs

DAYS_YEAR = 365.0


def add_stockpile(book: Rulebook) -> None:
    """(16) Stocks at the end of a period cover the days asked for of the yearly need of the demand in view."""
    days = _days_by_commodity(book)
    commodity = book.inst.balances["commodity"].to_numpy(dtype=object)
    for need in rows_of(book.inst.yearly_needs):
        if need.commodity in days:
            amount, t = need.yearly_t * days[need.commodity] / DAYS_YEAR, int(need.period)
            rule = book.add("stockpile_days", str(need.commodity), sense="at_least", limit=amount, period=t)
            book.weigh(rule, "stock", np.flatnonzero(commodity == need.commodity), t)


def add_stock_places(book: Rulebook) -> None:
    """(20) Each ally holds the days of its own need that were agreed, and no country more than its share of a stock.

    What a country holds is what lies at its plants and in its stockpiles, whoever owns it.
    """
    inst = book.inst
    stocks, sites = _stocks_by_country(book), book.draft.tables.sites.set_index("site")
    for country, days in sorted(book.policy.stockpile.ally_days.items()):
        home = sites.index[sites["country"] == country]
        needs = find_yearly_needs(book.draft, inst.demand[inst.demand["market"].isin(home)])
        for element, count in sorted(days.items()):
            commodity = _stocked(element, "policy.stockpile.ally_days")
            rows = stocks.get((commodity, country), [])
            if count > 0 and not rows:
                found = f"{country} has nowhere to hold {commodity}"
                fix = "add it to policy.stockpile.places; stocks are kept at markets that take part"
                raise DataError([Fault("policy.stockpile.ally_days", found, fix)])
            for need in rows_of(needs[needs["commodity"] == commodity]):
                amount, t = need.yearly_t * count / DAYS_YEAR, int(need.period)
                rule = book.add("ally_days", f"{country}/{commodity}", sense="at_least", limit=amount, period=t)
                book.weigh(rule, "stock", rows, t)
    share = book.policy.stockpile.max_country_share
    if share is not None:
        for commodity, country in sorted(stocks):
            everywhere = [row for (name, _), rows in stocks.items() if name == commodity for row in rows]
            weight = np.isin(everywhere, stocks[commodity, country]) - share
            for t in book.periods:
                rule = book.add("stock_share", f"{commodity}/{country}", sense="at_most", limit=0.0, period=t)
                book.weigh(rule, "stock", everywhere, t, weight)


def add_release(book: Rulebook) -> None:
    """(21) Where stocks are for shocks, none falls in a period without a loss or an export ban: this holds, whatever it costs.

    Stocks of an element count together: they may move between places, not shrink.
    """
    if book.policy.stockpile.release != "shock":
        return
    shock = book.draft.scenario.shock
    spans = [*((s.from_year, s.to_year) for s in shock.lost), *((s.from_year, s.to_year) for s in shock.export_ban)]
    shaken = sum((book.share_of(first, last) for first, last in spans), start=np.zeros(len(book.periods)))
    commodity = book.inst.balances["commodity"].to_numpy(dtype=object)
    for name in STOCKED:
        rows = np.flatnonzero((commodity == name) & book.inst.may_stock)
        for t in book.periods[1:]:
            if len(rows) and shaken[t] == 0:
                rule = book.add("stock_release", name, sense="at_least", limit=0.0, period=t, penalty_usd=HARD)
                book.weigh(rule, "stock", rows, t, 1.0)
                book.weigh(rule, "stock", rows, t - 1, -1.0)


def _stocks_by_country(book: Rulebook) -> dict[tuple[str, str], list[int]]:
    """Balances that keep stock, by commodity and country of the facility that they are at."""
    facilities, balances = book.inst.facilities, book.inst.balances
    country = dict(zip(facilities["facility"], facilities["country"], strict=True))
    found: dict[tuple[str, str], list[int]] = {}
    for row in np.flatnonzero(book.inst.may_stock).tolist():
        place = str(balances["place"].iat[row])
        found.setdefault((str(balances["commodity"].iat[row]), str(country[place])), []).append(row)
    return found


def _stocked(name: str, where: str) -> str:
    """The oxide that an element is stocked as; the oxide itself may be named."""
    commodity = name.removesuffix("-oxide") + "-oxide"
    if commodity not in STOCKED:
        raise DataError([Fault(where, f"{name} cannot be stocked", f"stock {', '.join(STOCKED)} or their elements")])
    return commodity


def _days_by_commodity(book: Rulebook) -> dict[str, float]:
    days: dict[str, float] = {}
    faults = []
    for name, value in book.policy.stockpile_days.items():
        commodity = name.removesuffix("-oxide") + "-oxide"
        if commodity not in STOCKED:
            fix = f"stock {', '.join(STOCKED)} or their elements"
            faults.append(Fault("policy.stockpile_days", f"{name} cannot be stocked", fix))
        if commodity in days:
            faults.append(
                Fault("policy.stockpile_days", f"{name} is given twice", "give the element or its oxide, once")
            )
        days[commodity] = value
    if faults:
        raise DataError(faults)
    return days
