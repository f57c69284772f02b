"""Contracts: what buyers have promised to take, and what sellers to deliver."""

from __future__ import annotations

import numpy as np

from hubplan.model.rulebook import Rulebook


def add_offtakes(book: Rulebook) -> None:
    """(13) Contracts are taken or paid for: what the sites of a contract send in a year of it is at least its amount."""
    lanes = book.inst.lanes
    origin, commodity = lanes["origin"].to_numpy(dtype=object), lanes["commodity"].to_numpy(dtype=object)
    sent: dict[tuple[str, int, int], float] = {}
    for deal in book.policy.offtake:
        name = f"{'+'.join(deal.sites)}/{deal.commodity}"
        amounts = book.share_of(deal.from_year, deal.to_year) * book.inst.block_years * deal.t_yr
        rows = np.flatnonzero(np.isin(origin, deal.sites) & (commodity == deal.commodity))
        for t, amount in enumerate(amounts):
            if amount > 0:
                number = sum(1 for key in sent if key[:2] == (name, t))
                label = name if not number else f"{name}/{number + 1}"
                sent[name, t, number] = amount
                rule = book.add("offtake", label, sense="at_least", limit=amount, period=t)
                book.weigh(rule, "flow", rows, t)
