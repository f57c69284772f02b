"""Money and number: what may be spent and built."""

from __future__ import annotations

import numpy as np

from hubplan.model.rulebook import HARD, Rulebook


def add_budget(book: Rulebook) -> None:
    """(16) Capital within the budget, no more hubs than allowed, and what must open does: these hold, whatever it costs."""
    inst, policy, last = book.inst, book.policy, len(book.inst.periods) - 1
    facilities = np.arange(len(inst.facilities))
    if policy.budget_usd is not None:
        rule = book.add("budget_usd", "all", sense="at_most", limit=policy.budget_usd, unit="USD", penalty_usd=HARD)
        book.weigh(rule, "opened", facilities, last, inst.facilities["capital_fixed_usd"].to_numpy(float))
        book.weigh(rule, "size", facilities, last, inst.facilities["capital_slope_usd_t_yr"].to_numpy(float))
    if policy.max_hubs is not None:
        hubs = facilities[(inst.facilities["stage"] != "mine").to_numpy()]
        rule = book.add("max_hubs", "all", sense="at_most", limit=policy.max_hubs, unit="facilities", penalty_usd=HARD)
        book.weigh(rule, "opened", hubs, last)
    for n in inst.must_open:
        name = str(inst.facilities["facility"].iat[n])
        rule = book.add("must_open", name, sense="at_least", limit=1.0, unit="facilities", penalty_usd=HARD)
        book.weigh(rule, "opened", [n], last)
