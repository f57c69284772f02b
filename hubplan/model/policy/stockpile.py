"""Stocks that governments ask for."""

from __future__ import annotations

import numpy as np

from hubplan.data.chain import STOCKED
from hubplan.data.frames import rows_of
from hubplan.errors import DataError, Fault
from hubplan.model.rulebook import Rulebook

DAYS_YEAR = 365.0


def add_stockpile(book: Rulebook) -> None:
    """(15) Stocks at the end of a period cover the days asked for of the yearly need of the demand in view."""
    days = _days_by_commodity(book)
    commodity = book.inst.balances["commodity"].to_numpy(dtype=object)
    for need in rows_of(book.inst.yearly_needs):
        if need.commodity in days:
            amount, t = need.yearly_t * days[need.commodity] / DAYS_YEAR, int(need.period)
            rule = book.add("stockpile_days", str(need.commodity), sense="at_least", limit=amount, period=t)
            book.weigh(rule, "stock", np.flatnonzero(commodity == need.commodity), t)


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
