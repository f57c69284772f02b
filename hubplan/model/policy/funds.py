"""Money and number: what may be spent and built."""

from __future__ import annotations

import numpy as np

from hubplan.data.access import countries_of
from hubplan.errors import DataError, Fault
from hubplan.model.rulebook import HARD, Rulebook


def add_budget(book: Rulebook) -> None:
    """(17) Capital within the budget, no more hubs than allowed, and what must open does: these hold, whatever it costs."""
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


def add_funds(book: Rulebook) -> None:
    """(23) The capital of what opens and grows in a fund's years, at its stages and in its countries, is within the fund.

    Capital counts in the first year of the period in which it is built.
    """
    inst, facilities = book.inst, book.inst.facilities
    for fund in book.policy.fund:
        mine = np.ones(len(facilities), dtype=bool)
        if fund.stages:
            mine &= facilities["stage"].isin(fund.stages).to_numpy(dtype=bool)
        if fund.members:
            there = countries_of(fund.members, book.draft.tables)
            mine &= facilities["country"].isin(list(there)).to_numpy(dtype=bool)
        spends = [t for t, year in enumerate(inst.periods) if fund.from_year <= year <= fund.to_year]
        if not spends:
            found = f"no period of the horizon begins in {fund.from_year} to {fund.to_year}"
            raise DataError([Fault(f"policy.fund, {fund.name}", found, "what is built is paid when its period begins")])
        rule = book.add("fund", fund.name, sense="at_most", limit=fund.budget_usd, unit="USD", penalty_usd=HARD)
        rows, first, last = np.flatnonzero(mine), spends[0] - 1, spends[-1]
        for kind, column in (("opened", "capital_fixed_usd"), ("size", "capital_slope_usd_t_yr")):
            worth = facilities[column].to_numpy(dtype=float)[rows]
            book.weigh(rule, kind, rows, last, worth)
            if first >= 0:
                book.weigh(rule, kind, rows, first, -worth)
