"""Exposure: how much of what is shipped may pass one strait, canal or zone."""

from __future__ import annotations

import numpy as np

from hubplan.model.instance import Floats
from hubplan.model.lanes import ON_SITE
from hubplan.model.rulebook import Rulebook

REFERENCE_USD_T = 1e5
"""Value of a tonne of goods, about that of NdPr oxide, by which the price of a broken rule is turned from t to USD."""


def add_exposure(book: Rulebook) -> None:
    """(24) Of the value shipped between sites in a period, no more than a share passes a zone.

    A flow passes a zone if a leg of its route does, and counts in full, as in exposure.csv; flows within a site count
    nowhere. The rule is in USD, since a tonne of concentrate and a tonne of terbium are no like. A breach is priced per USD:
    the scenario's price of a tonne over `REFERENCE_USD_T`, so that one key prices all rules and, by default, a dollar too
    much past a zone costs ten: more than any way round, and about what leaving its goods undelivered costs.
    Solved for a row of shares, it gives the frontier of cost against exposure (the epsilon-constraint method,
    Haimes et al. 1971).
    """
    limits = book.policy.max_exposure_share
    if not limits:
        return
    value = _value_usd_t(book)
    routes = book.inst.lanes["route"].to_numpy(dtype=object)
    moved = np.flatnonzero(routes != ON_SITE)
    passed = book.draft.routes.passages(sorted(set(routes[moved])))
    zones = dict(zip(passed["route"], passed["zones"], strict=True))
    for zone, share in sorted(limits.items()):
        hit = np.array([zone in zones[route] for route in routes[moved]], dtype=bool)
        if not hit.any():
            continue
        for t in book.periods:
            price = book.penalty_usd_t / REFERENCE_USD_T
            rule = book.add(
                "max_exposure_share", zone, sense="at_most", limit=0.0, period=t, unit="USD", penalty_usd=price
            )
            book.weigh(rule, "flow", moved, t, value[moved] * (hit - share))


def _value_usd_t(book: Rulebook) -> Floats:
    """Value of a tonne on each lane."""
    goods = book.draft.tables.commodities
    value = dict(zip(goods["commodity"], goods["value_usd_t"].astype(float), strict=True))
    return book.inst.lanes["commodity"].map(value).to_numpy(dtype=float)
