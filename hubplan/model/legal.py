"""Rules of content: from a date on, some products may hold nothing mined or made in the countries named (DFARS 252.225-7052).

What a product holds is decided along the whole chain, so a good is followed wherever both kinds of it could be: as a second
balance, *qualified*, that only plants outside those countries make, of qualified inputs. A good that can only be qualified, or
never, needs no second balance; where those countries take no part the rule costs no column.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from hubplan.data.access import countries_of
from hubplan.data.chain import Process
from hubplan.errors import DataError, Fault
from hubplan.model.draft import Draft
from hubplan.model.purchases import STAGE as PURCHASE

Good = tuple[str, str]
"""Commodity and tag."""

MARK = "#qualified"
"""What a balance's tag ends with if only qualified goods are in it."""
LOWERED = "as-unqualified"
"""Process that lets a qualified good be used as any other, at no cost."""


def plain(tag: str) -> str:
    """Tag without the mark."""
    return tag.removesuffix(MARK)


def add_qualified(draft: Draft) -> None:
    """Give goods, processes and lanes their qualified kind, where a rule asks for it and both kinds could be."""
    if not draft.scenario.policy.legal:
        return
    chain = _Chain(draft)
    makers = _split_processes(draft, chain)
    for commodity, tag, place in sorted(makers):
        lowered = Process(LOWERED, {(commodity, tag + MARK): 1.0}, {(commodity, tag): 1.0}, capacity_use=0.0)
        draft.add_process(chain.row[place], lowered, 0.0)
        draft.processes[-1]["qualified"] = False
    _split_lanes(draft, chain, makers)


def find_lawful_lanes(draft: Draft, lanes: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Lanes that no rule forbids: into a market outside the countries named, only what is qualified, from the rule's first year.

    A rule that touches part of a period holds for all of it. Markets in those countries are not bound by it.
    """
    lawful = np.ones((len(lanes), len(draft.calendar.first)), dtype=bool)
    rules = draft.scenario.policy.legal
    if not rules:
        return lawful
    countries, country = (
        _countries(draft),
        dict(zip(draft.tables.sites["site"], draft.tables.sites["country"], strict=True)),
    )
    kinds = dict(zip(draft.tables.sites["site"], draft.tables.sites["kind"], strict=True))
    markets = lanes["destination"].map(lambda site: kinds[site] == "market" and country[site] not in countries)
    other = (markets & ~lanes["qualified"].astype(bool)).to_numpy(dtype=bool)
    for rule in rules:
        last = np.inf if rule.to_year is None else rule.to_year
        acts = np.array([any(rule.from_year <= year <= last for year in block) for block in draft.calendar.years])
        hit = other & lanes["commodity"].isin(rule.products).to_numpy(dtype=bool)
        lawful[np.ix_(hit, acts)] = False
    return lawful


def _countries(draft: Draft) -> frozenset[str]:
    """Countries of all rules; they have to name the same."""
    named = {countries_of(rule.countries, draft.tables) for rule in draft.scenario.policy.legal}
    if len(named) > 1:
        found = "two rules name different countries"
        raise DataError(
            [Fault("policy.legal.countries", found, "name the same countries in each: one mark is followed")]
        )
    return next(iter(named))


class _Chain:
    """Which goods matter to the rules, and which of them are always, never or sometimes qualified."""

    def __init__(self, draft: Draft) -> None:
        countries = _countries(draft)
        self.row = {str(row["facility"]): n for n, row in enumerate(draft.facilities)}
        self.keys = list(draft.balances)
        self.clean = [row["country"] not in countries and row["stage"] != PURCHASE for row in draft.facilities]
        size = len(draft.processes)
        self.takes: list[dict[Good, float]] = [{} for _ in range(size)]
        self.makes: list[dict[Good, float]] = [{} for _ in range(size)]
        for process, balance, amount in draft.terms:
            side = self.makes if amount > 0 else self.takes
            side[process][self.keys[balance][:2]] = abs(amount)
        self.facility = [int(process["facility"]) for process in draft.processes]
        self.matters = self._upstream({(p, "") for rule in draft.scenario.policy.legal for p in rule.products})
        self.pure, self.dirty = self._kinds()

    def _upstream(self, products: set[Good]) -> set[Good]:
        """The products, and all that goes into them."""
        matters, before = set(products), set[Good]()
        while matters != before:
            before = set(matters)
            for takes, makes in zip(self.takes, self.makes, strict=True):
                if not matters.isdisjoint(makes):
                    matters.update(takes)
        return matters

    def _kinds(self) -> tuple[set[Good], set[Good]]:
        """Goods that are always qualified, and those that never are; worked out from all and none, until nothing changes."""
        pure, dirty = set(self.matters), set[Good]()
        before = -1, -1
        while (len(pure), len(dirty)) != before:
            before = len(pure), len(dirty)
            able: set[Good] = set()
            for m, makes in enumerate(self.makes):
                if not self.always(m, pure):
                    pure -= makes.keys()
                if self.able(m, dirty):
                    able |= makes.keys()
            dirty = {good for good in self.matters if good not in able}
        return pure, dirty

    def always(self, m: int, pure: set[Good]) -> bool:
        """Whether all that a process makes is qualified."""
        return self.clean[self.facility[m]] and pure.issuperset(self.takes[m])

    def able(self, m: int, dirty: set[Good]) -> bool:
        """Whether what a process makes can be qualified."""
        return self.clean[self.facility[m]] and dirty.isdisjoint(self.takes[m])

    def mixed(self, good: Good) -> bool:
        """Whether both kinds of a good could be."""
        return good in self.matters and good not in self.pure and good not in self.dirty

    def marked(self, goods: dict[Good, float]) -> dict[Good, float]:
        """Goods with those of both kinds in their qualified kind."""
        return {(c, tag + MARK if self.mixed((c, tag)) else tag): amount for (c, tag), amount in goods.items()}


def _split_processes(draft: Draft, chain: _Chain) -> set[tuple[str, str, str]]:
    """Mark processes, and add the qualified kind of those that could make both; where which good of both kinds is made."""
    makers: set[tuple[str, str, str]] = set()
    replaced: list[tuple[int, Process, float]] = []
    for m in range(len(chain.makes)):
        process, place = draft.processes[m], str(draft.facilities[chain.facility[m]]["facility"])
        process["qualified"] = False
        goods = [good for good in chain.makes[m] if good in chain.matters]
        if not goods or not chain.able(m, chain.dirty):
            continue
        makers |= {(*good, place) for good in goods if chain.mixed(good)}
        if not any(chain.mixed(good) for good in (*goods, *chain.takes[m])):
            process["qualified"] = True
            continue
        kind = Process(
            str(process["process"]), chain.marked(chain.takes[m]), chain.marked(chain.makes[m]), process["capacity_use"]
        )
        replaced.append((m, kind, float(process["opex_usd_t"])))
    for m, kind, opex_usd_t in replaced:
        draft.add_process(chain.facility[m], kind, opex_usd_t)
        draft.processes[-1]["qualified"] = True
    return makers


def _split_lanes(draft: Draft, chain: _Chain, makers: Iterable[tuple[str, str, str]]) -> None:
    """Mark lanes, and add the qualified kind of those from its makers to plants outside the countries and to markets."""
    made = set(makers)
    for lane in draft.lanes:
        good = str(lane["commodity"]), str(lane["tag"])
        lane["qualified"] = good in chain.pure
    added: list[dict[str, Any]] = []
    for lane in draft.lanes:
        commodity, tag, sender = chain.keys[lane["tail"]]
        taker = chain.keys[lane["head"]][2]
        market = taker not in chain.row
        if (commodity, tag, sender) not in made or not (market or chain.clean[chain.row[taker]]):
            continue
        tail = draft.balance(commodity, tag + MARK, sender)
        head = lane["head"] if market else draft.balance(commodity, tag + MARK, taker)
        added.append({**lane, "tail": tail, "head": head, "qualified": True})
    draft.lanes.extend(added)
