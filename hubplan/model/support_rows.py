"""Columns and rows of the least support: (S4) to (S9) of docs/support.md, in M USD and thousand USD/t."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hubplan.model.assembly import Arrays, Assembly
from hubplan.model.support_case import Bools, Floats, Ints, SupportCase, SupportTerms

M_USD = 1e6
K_USD = 1e3
MOST_STRIKE = 5.0
"""Strike over price beyond which nobody would sign, assumed: a trickle of by-product is not to carry a whole plant."""
_PREFER_GRANT, _PREFER_MAIN, _PREFER_LEVEL = 1e-5, 1e-4, 1e-5
"""Where money is the same: grants before contracts, a hub's main product before its others, level top-ups before peaks."""


@dataclass(frozen=True, eq=False)
class Program:
    """A program for the solver, and where its decisions stand.

    Parameters
    ----------
    grant, top
        Columns of grants (H, T) and of the top-ups of floors, by product (P, T); -1 where there is none.
    strike, signed
        Columns of the strikes of contracts for difference, and whether they are signed, by product and segment; (P, K).
    keep
        Columns of the choice to keep a hub, (H,); -1 where it is no choice.
    """

    arrays: Arrays
    grant: Ints
    top: Ints
    strike: Ints
    signed: Ints
    keep: Ints

    def read_grants(self, values: Floats) -> Floats:
        """Grants, USD, shape (H, T)."""
        return _take(values, self.grant) * M_USD

    def read_floors(self, values: Floats) -> Floats:
        """Top-up of floors, USD/t, shape (P, T)."""
        return np.maximum(_take(values, self.top), 0.0) * K_USD

    def read_cfds(self, values: Floats) -> Floats:
        """Strike of contracts for difference, USD/t, shape (P,); NaN where none is signed."""
        chosen = _take(values, self.signed) > 0.5
        strike = (_take(values, self.strike) * chosen).sum(axis=1) * K_USD
        return np.where(chosen.any(axis=1), strike, np.nan)


def _take(values: Floats, columns: Ints) -> Floats:
    return np.where(columns >= 0, values[columns] if len(values) else 0.0, 0.0)


@dataclass(eq=False)
class _Draft:
    """A program under construction; contracts are numbered, and each product has one or none (-1)."""

    case: SupportCase
    terms: SupportTerms
    kept: Bools
    model: Assembly = field(default_factory=Assembly)

    def __post_init__(self) -> None:
        case, terms = self.case, self.terms
        self.needy = self.kept & case.short
        self.volume = case.contractable_t
        self.contract = np.full(len(case.product), -1)
        owner = case.product_hub
        sold = self.volume.any(axis=1)
        wanted = {self._key(int(p)) for p in np.flatnonzero(sold & self.needy[owner])}
        numbers: dict[tuple[object, ...], int] = {}
        for p in np.flatnonzero(sold & self.kept[owner]):
            if (key := self._key(int(p))) in wanted and set(terms.forms) & {"floor", "cfd"}:
                self.contract[p] = numbers.setdefault(key, len(numbers))
        self.size = len(numbers)
        self.signs = np.flatnonzero(self.contract >= 0)
        first = np.array([int(np.flatnonzero(self.contract == c)[0]) for c in range(self.size)], dtype=int)
        self.price = case.price_usd_t[first] if self.size else np.zeros((0, len(case.discount)))
        self.main = np.zeros(self.size, dtype=bool)
        self.main[self.contract[[p for p in self.signs if p == np.flatnonzero(owner == owner[p])[0]]]] = True
        self.largest = self._largest_strikes()
        self.traded = np.zeros(self.price.shape, dtype=bool)
        np.logical_or.at(self.traded, self.contract[self.signs], self.volume[self.signs] > 0)
        self.edges = [self._edges(c) for c in range(self.size)]

    def _key(self, p: int) -> tuple[object, ...]:
        """Products under one strike: those of one commodity at one price, or each product for itself."""
        if not self.terms.common_strike:
            return (p,)
        return (self.case.product[p], *np.round(self.case.price_usd_t[p], 3).tolist())

    def _edges(self, c: int) -> Floats:
        """Prices at which a contract's payments bend, thousand USD/t, lowest first, and its largest strike."""
        ends = np.append(np.unique(self.price[c][self.traded[c]]), self.largest[c]) / K_USD
        return np.asarray(ends[np.append(True, np.diff(ends) > 1e-9)])

    def _largest_strikes(self) -> Floats:
        """A strike at which a contract alone does all that its neediest hub needs: no higher one is ever least.

        Nor is any agreed above `MOST_STRIKE` times the highest price.
        """
        case, largest = self.case, np.zeros(self.size)
        for p in self.signs:
            hub, volume, price = case.product_hub[p], self.volume[p], case.price_usd_t[p]
            paid = volume > 0
            short = np.where(case.runs[hub], np.maximum(-case.margin_usd[hub], 0.0), 0.0)
            level = price[paid].max() + max(-case.npv_usd[hub], 0.0) / (case.discount * volume).sum()
            strike = max(level, (price[paid] + short[paid] / volume[paid]).max())
            strike = min(strike * 1.001, MOST_STRIKE * price[paid].max())
            largest[self.contract[p]] = max(largest[self.contract[p]], strike)
        return largest


def build_program(case: SupportCase, terms: SupportTerms, *, kept: Bools, choose: bool) -> Program:
    """Write the program for the hubs in `kept`.

    Parameters
    ----------
    choose
        Keep the most worth within the budget (S9), instead of everybody in `kept` for the least money (S8).
    """
    draft = _Draft(case, terms, kept)
    model = draft.model
    keep = np.full(len(case.hubs), -1)
    if choose:
        worth = case.worth[draft.needy]
        keep[draft.needy] = model.add_columns(
            int(draft.needy.sum()), upper=1.0, cost=-worth / worth.max(initial=1.0), integer=True
        )
    grant = _add_grants(draft, keep, choose=choose)
    top, strike, signed = _add_contracts(draft)
    pay = _add_payments(draft, keep, top, strike, signed, choose=choose)
    _add_conditions(draft, keep, grant, pay)
    if choose and terms.budget_usd is not None:
        _add_budget(draft, grant, pay, terms.budget_usd)
    by_product = np.where(draft.contract >= 0, draft.contract, 0)
    none = np.full((len(case.product), 1), -1)
    mine = (draft.contract >= 0)[:, None]
    return Program(
        arrays=model.finish(),
        grant=grant,
        top=np.where(mine, top[by_product], -1) if draft.size else np.full(case.volume_t.shape, -1),
        strike=np.where(mine, strike[by_product], -1) if draft.size else none,
        signed=np.where(mine, signed[by_product], -1) if draft.size else none,
        keep=keep,
    )


def _add_grants(draft: _Draft, keep: Ints, *, choose: bool) -> Ints:
    """(S4) A grant comes with capital, up to a share of it; hubs that are not kept get none."""
    case = draft.case
    room = np.maximum(case.capex_usd * draft.terms.max_grant_share - case.given_usd, 0.0) / M_USD
    here = (room > 0) & draft.needy[:, None] & ("grant" in draft.terms.forms)
    ids = np.full(room.shape, -1)
    cost = 0.0 if choose else np.broadcast_to(case.discount, room.shape)[here]
    ids[here] = draft.model.add_columns(int(here.sum()), upper=room[here], cost=cost)
    rows, periods = np.nonzero(here & (keep >= 0)[:, None])
    row = draft.model.add_rows("grants", len(rows), upper=0.0)
    draft.model.add_terms(row, ids[rows, periods], 1.0)
    draft.model.add_terms(row, keep[rows], -room[rows, periods])
    return ids


def _add_contracts(draft: _Draft) -> tuple[Ints, Ints, Ints]:
    """(S5) Columns of top-ups (C, T), of strikes and of the segment of price a strike lies in (C, K); one contract each."""
    model, price, count = draft.model, draft.price / K_USD, draft.size
    largest = draft.largest / K_USD
    traded = draft.traded
    top = np.full(price.shape, -1)
    if "floor" in draft.terms.forms and count:
        room = np.maximum(largest[:, None] - price, 0.0)
        top[traded] = model.add_columns(int(traded.sum()), upper=room[traded])
    segments = price.shape[1] if "cfd" in draft.terms.forms else 0
    strike, signed = np.full((count, max(segments, 1)), -1), np.full((count, max(segments, 1)), -1)
    for c in range(count if segments else 0):
        ends = draft.edges[c]
        k = len(ends) - 1
        strike[c, :k], signed[c, :k] = model.add_columns(k), model.add_columns(k, upper=1.0, integer=True)
        low, high = model.add_rows("segments", k, lower=0.0), model.add_rows("segments", k, upper=0.0)
        for row, edge in ((low, ends[:-1]), (high, ends[1:])):
            model.add_terms(row, strike[c, :k], 1.0)
            model.add_terms(row, signed[c, :k], -edge)
        model.add_terms(model.add_rows("one contract", 1, upper=1.0), signed[c, :k], 1.0)
        floors = np.flatnonzero(top[c] >= 0)
        row = model.add_rows("one contract", len(floors), upper=largest[c] - price[c][floors])
        model.add_terms(row, top[c][floors], 1.0)
        model.add_terms(row[:, None], signed[c, :k][None, :], (largest[c] - price[c][floors])[:, None])
    return top, strike, signed


def _add_payments(draft: _Draft, keep: Ints, top: Ints, strike: Ints, signed: Ints, *, choose: bool) -> Ints:
    """(S6) What a tonne is paid: the top-up, or strike less price, of which the payer takes a share when it is negative.

    Only hubs that are kept are paid, and no contract leaves its hub poorer.
    """
    case, model, upside = draft.case, draft.model, draft.terms.upside_share
    pay = np.full(case.volume_t.shape, -1)
    peak = model.add_columns(draft.size, cost=0.0 if choose else _level_cost(draft))
    rows = model.add_rows("level", top.shape, lower=0.0)
    model.add_terms(rows, np.where(top >= 0, peak[:, None], -1), 1.0)
    model.add_terms(rows, top, -1.0)
    for p in draft.signs:
        c, hub = draft.contract[p], case.product_hub[p]
        at = np.flatnonzero(draft.volume[p] > 0)
        price, volume = draft.price[c][at] / K_USD, draft.volume[p][at] / K_USD
        least, most = -upside * (price - draft.edges[c][0]), draft.largest[c] / K_USD - price
        dear = 1 + _PREFER_GRANT + (0.0 if draft.main[c] else _PREFER_MAIN)
        cost = 0.0 if choose else case.discount[at] * volume * dear
        pay[p, at] = model.add_columns(len(at), lower=np.minimum(least, 0.0), upper=most, cost=cost)
        for sense in (1.0, -1.0):  # paid <= promised and paid >= promised, each slack for hubs that are not kept
            slack = -least if sense > 0 else most
            free = keep[hub] >= 0
            row = model.add_rows("payments", len(at), upper=slack if free else 0.0)
            model.add_terms(row, pay[p, at], sense)
            model.add_terms(row, top[c, at], -sense)
            model.add_terms(row, keep[hub], slack)
            _add_promises(draft, row, c, at, strike, signed, sign=-sense)
            bound = model.add_rows("payments", len(at), upper=0.0)
            model.add_terms(bound, np.where(free, pay[p, at], -1), sense)
            model.add_terms(bound, keep[hub], -most if sense > 0 else least)
        gain = model.add_rows("nobody poorer", 1, lower=0.0)
        model.add_terms(gain, pay[p, at], case.discount[at] * volume)
    return pay


def _level_cost(draft: _Draft) -> Floats:
    size = np.zeros(draft.size)
    np.add.at(size, draft.contract[draft.signs], (draft.volume[draft.signs] * draft.case.discount).sum(axis=1) / K_USD)
    return np.asarray(size * _PREFER_LEVEL)


def _add_promises(draft: _Draft, row: Ints, c: int, at: Ints, strike: Ints, signed: Ints, *, sign: float) -> None:
    """Strike less price in each segment of price: whole below the strike, the payer's share above it."""
    price = draft.price[c] / K_USD
    for k in range(int((strike[c] >= 0).sum())):
        slope = np.where(price[at] <= draft.edges[c][k] + 1e-9, 1.0, draft.terms.upside_share)
        draft.model.add_terms(row, strike[c, k], sign * slope)
        draft.model.add_terms(row, signed[c, k], -sign * slope * price[at])


def _add_conditions(draft: _Draft, keep: Ints, grant: Ints, pay: Ints) -> None:
    """(S7) Every hub kept earns its cost of capital over the horizon, and would rather run than stop in each period."""
    case, model = draft.case, draft.model
    volume = draft.volume / K_USD
    playing = np.flatnonzero(draft.needy | np.isin(np.arange(len(case.hubs)), case.product_hub[draft.signs]))
    for hub in playing:
        own = np.flatnonzero(case.product_hub == hub)
        missing = -case.npv_usd[hub] / M_USD
        free = keep[hub] >= 0 and missing > 0
        row = model.add_rows("cost of capital", 1, lower=0.0 if free else missing)
        model.add_terms(row, grant[hub], case.discount)
        model.add_terms(row, pay[own], case.discount * volume[own])
        model.add_terms(row, keep[hub] if free else -1, -missing)
        at = np.flatnonzero(case.runs[hub])
        short = -case.margin_usd[hub][at] / M_USD
        free_at = (keep[hub] >= 0) & (short > 0)
        rows = model.add_rows("running", len(at), lower=np.where(free_at, 0.0, short))
        model.add_terms(rows, pay[own][:, at], volume[own][:, at])
        model.add_terms(rows, np.where(free_at, keep[hub], -1), -short)


def _add_budget(draft: _Draft, grant: Ints, pay: Ints, budget_usd: float) -> None:
    """(S9) Discounted public money stays within the budget."""
    row = draft.model.add_rows("budget", 1, upper=budget_usd / M_USD)
    draft.model.add_terms(row, grant, np.broadcast_to(draft.case.discount, grant.shape))
    draft.model.add_terms(row, pay, draft.case.discount * draft.volume / K_USD)
