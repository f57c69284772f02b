"""Purchases: what may be bought outside the plan, and how much of it."""

from __future__ import annotations

import numpy as np

from hubplan.model.purchases import name_offer, offered_t_yr
from hubplan.model.rulebook import HARD, Rulebook


def add_purchase_caps(book: Rulebook) -> None:
    """(22) All markets together buy at most what an offer has: this holds, whatever it costs."""
    process = book.inst.processes["process"].to_numpy(dtype=object)
    for number, offer in enumerate(book.policy.purchase, start=1):
        runs = np.flatnonzero(process == name_offer(number))
        most = offered_t_yr(book.draft, offer) * book.inst.block_years
        name = f"{number}/{offer.country}/{offer.commodity}"
        for t in book.periods if len(runs) else ():
            rule = book.add("purchase", name, sense="at_most", limit=most[t], period=t, penalty_usd=HARD)
            book.weigh(rule, "run", runs, t)
