"""The least public support that keeps a chain open: grants, price floors and contracts for difference, solved for.

A second stage over a solved plan (docs/support.md has the algebra): volumes are given, money is the decision. Who earns what
without support is worked out in `hubplan.results.cashflow`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np

from hubplan.errors import Fault, NoPlanError
from hubplan.model.assembly import Arrays, Assembly
from hubplan.model.engine import Job, solve_here
from hubplan.model.support_case import SMALLEST_USD, Bools, Floats, SupportCase, SupportTerms
from hubplan.model.support_rows import M_USD, Program, build_program

_TIME_LIMIT_S = 20.0
_GAP_SHARE = 1e-4
"""Of the money, or of the worth kept: what remains unproven in `SupportAnswer`."""
KG = 1000.0


@dataclass(frozen=True, kw_only=True, eq=False)
class SupportAnswer:
    """The least support.

    Parameters
    ----------
    grant_usd
        New grants, shape (H, T); undiscounted, like every payment here.
    strike_usd_t
        Strike of each product's contract, shape (P, T); NaN where there is none.
    is_cfd
        Whether the contract of a product is a contract for difference; else, with a strike, a floor; shape (P,).
    payment_usd
        What contracts pay, negative where upside goes back; shape (P, T).
    kept
        Hubs whose conditions hold; shape (H,).
    least_usd
        Discounted money needed to keep every hub that can be kept at any budget.
    spent_usd
        Discounted money of this answer.
    reason
        Hub that is not kept to ``"budget"`` or ``"forms"`` (nothing on offer helps it).
    exact
        Whether every step was proven to `_GAP_SHARE`; else time ran out with the answer at hand.
    """

    grant_usd: Floats
    strike_usd_t: Floats
    is_cfd: Bools
    payment_usd: Floats
    kept: Bools
    least_usd: float
    spent_usd: float
    reason: Mapping[str, str]
    exact: bool = True

    @property
    def missing_usd(self) -> float:
        """Discounted money beyond the budget that keeping all that can be kept would take; 0 if the budget does."""
        return max(0.0, self.least_usd - self.spent_usd) if "budget" in self.reason.values() else 0.0


def contract_payment_usd(
    volume_t: float,
    price_usd_kg: float,
    *,
    strike_usd_kg: float,
    upside_share: float = 0.0,
    full_production: bool = True,
) -> float:
    """What a contract for difference pays for a volume: MP Materials and the US defence department, 2025, as form.

    Below the strike the payer makes up the difference. Above it the payer takes ``upside_share`` of the excess, but only
    once the plant is in full production. A negative amount goes to the payer.

    Parameters
    ----------
    volume_t
        Tonnes sold (or stocked, where the contract says so), at least 0.
    price_usd_kg, strike_usd_kg
        USD/kg.

    Raises
    ------
    ValueError
        A negative volume, price or strike, or a share outside 0 to 1.

    Notes
    -----
    110 USD/kg NdPr and 30 % upside, agreed on 10 July 2025: row usa-pol009 of policy.csv.
    """
    if min(volume_t, price_usd_kg, strike_usd_kg) < 0 or not 0 <= upside_share <= 1:
        raise ValueError(
            f"{volume_t:g} t at {price_usd_kg:g} USD/kg, strike {strike_usd_kg:g}, upside {upside_share:g}: "
            "give amounts of at least 0 and a share from 0 to 1"
        )
    gap_usd_kg = strike_usd_kg - price_usd_kg
    if gap_usd_kg < 0:
        gap_usd_kg *= upside_share if full_production else 0.0
    return volume_t * KG * gap_usd_kg + 0.0


def solve_support(case: SupportCase, terms: SupportTerms, *, seed: int = 1) -> SupportAnswer:
    """Find the least discounted public money that keeps every hub open, or the most worth that a budget keeps.

    Raises
    ------
    NoPlanError
        The solver ran out of time without any answer.

    Notes
    -----
    With a strike of its own, each hub is a small program in itself, and the budget is a knapsack of their costs. A common
    strike ties hubs together: one program for all, which a budget makes hard.
    """
    solver = _Together(case, terms, seed) if terms.common_strike else _Apart(case, terms, seed)
    able, amounts, exact = solver.find_least()
    cost_usd = _spent_by_hub(case, amounts)
    least_usd, kept = float(cost_usd.sum()), able
    reason = {case.hubs[h]: "forms" for h in np.flatnonzero(~able)}
    if terms.budget_usd is not None and least_usd > terms.budget_usd + SMALLEST_USD:
        kept, amounts, proven = solver.find_most(able, amounts)
        exact = exact and proven
        reason |= {case.hubs[h]: "budget" for h in np.flatnonzero(able & ~kept)}
    return SupportAnswer(
        **amounts,
        kept=kept,
        least_usd=least_usd,
        spent_usd=float(_spent_by_hub(case, amounts).sum()),
        reason=dict(sorted(reason.items())),
        exact=exact,
    )


@dataclass(frozen=True, eq=False)
class _Apart:
    """Hubs with strikes of their own, one program each."""

    case: SupportCase
    terms: SupportTerms
    seed: int

    def find_least(self) -> tuple[Bools, _Amounts, bool]:
        """(S8) Hubs that can be kept at all, the least that each of them takes, and whether all of it is proven."""
        able, exact, total = np.ones(len(self.case.hubs), dtype=bool), True, _no_support(self.case)
        for hub in np.flatnonzero(self.case.short):
            found = self._find_least_of(int(hub))
            able[hub] = found is not None
            if found is not None:
                total, exact = _joined(total, found[0]), exact and found[1]
        return able, total, exact

    def _find_least_of(self, hub: int) -> _Found | None:
        """Least for one hub: with grants and floors, and if those cost more than its earnings lack, with all on offer."""
        only = np.arange(len(self.case.hubs)) == hub
        simple = tuple(form for form in self.terms.forms if form != "cfd")
        found = _solve_least(self.case, replace(self.terms, forms=simple), only, seed=self.seed) if simple else None
        if found is not None and "cfd" in self.terms.forms:
            lacking = max(-float(self.case.npv_usd[hub]), 0.0)
            if _spent_by_hub(self.case, found[0])[hub] <= lacking * (1 + _GAP_SHARE) + SMALLEST_USD:
                return found
        if "cfd" in self.terms.forms:
            found = _solve_least(self.case, self.terms, only, seed=self.seed) or found
        return found

    def find_most(self, able: Bools, amounts: _Amounts) -> tuple[Bools, _Amounts, bool]:
        """(S9) A knapsack of the least that each hub takes."""
        case, cost_usd = self.case, _spent_by_hub(self.case, amounts)
        asked = np.flatnonzero(able & (cost_usd > 0))
        model = Assembly()
        keep = model.add_columns(len(asked), upper=1.0, cost=-case.worth[asked] / case.worth[asked].max(), integer=True)
        room = (self.terms.budget_usd or 0.0) / M_USD
        model.add_terms(model.add_rows("budget", 1, upper=room), keep, cost_usd[asked] / M_USD)
        answer = _run(model.finish(), "hubs that the budget keeps", seed=self.seed)
        assert answer is not None, "keeping nobody is possible"
        kept = able.copy()
        kept[asked] = answer[0][keep] > 0.5
        return kept, _only(case, amounts, kept), answer[1]


@dataclass(frozen=True, eq=False)
class _Together:
    """Hubs under common strikes: one program for all."""

    case: SupportCase
    terms: SupportTerms
    seed: int

    def find_least(self) -> tuple[Bools, _Amounts, bool]:
        """(S8) Least money that keeps all hubs that can be kept."""
        able, exact = np.ones(len(self.case.hubs), dtype=bool), True
        found = _solve_least(self.case, self.terms, able, seed=self.seed)
        if found is None:
            able, exact = self._choose(replace(self.terms, budget_usd=None), able)
            found = _require(_solve_least(self.case, self.terms, able, seed=self.seed))
        return able, found[0], exact and found[1]

    def find_most(self, able: Bools, amounts: _Amounts) -> tuple[Bools, _Amounts, bool]:
        """(S9) Most worth that the budget keeps, then the least money for that."""
        kept, exact = self._choose(self.terms, able)
        found = _require(_solve_least(self.case, self.terms, kept, seed=self.seed))
        return kept, found[0], exact and found[1]

    def _choose(self, terms: SupportTerms, able: Bools) -> tuple[Bools, bool]:
        program = build_program(self.case, terms, kept=able, choose=True)
        answer = _run(program.arrays, "hubs that the budget keeps", seed=self.seed)
        assert answer is not None, "keeping nobody is possible"
        chosen, asked = able.copy(), program.keep >= 0
        chosen[asked] = answer[0][program.keep[asked]] > 0.5
        return chosen, answer[1]


def _solve_least(case: SupportCase, terms: SupportTerms, kept: Bools, *, seed: int) -> _Found | None:
    """Least money that keeps these hubs, and whether that is proven; None if nothing on offer does."""
    program = build_program(case, terms, kept=kept, choose=False)
    answer = _run(program.arrays, "least support", seed=seed)
    return None if answer is None else (_amounts(case, terms, program, answer[0]), answer[1])


def _require(found: _Found | None) -> _Found:
    """What was chosen as possible is possible, but for the solver's tolerance."""
    if found is None:
        found_nothing = "finds no support for hubs that it chose"
        fault = Fault("solver, least support", found_nothing, "report this with the scenario")
        raise NoPlanError([fault], "the support could not be solved for")
    return found


def _run(arrays: Arrays, label: str, *, seed: int) -> tuple[Floats, bool] | None:
    """Values and whether they are proven, or None if there are none. Solved in this process: each takes milliseconds.

    Whole choices are rounded and all else solved again around them, since a choice of 1e-6 is money at a high strike.
    """
    job = Job(label=label, time_limit_s=_TIME_LIMIT_S, gap_share=_GAP_SHARE, seed=seed)
    found = solve_here(arrays, job)
    if found.values is None and found.reason.startswith("infeasible"):
        return None
    if found.values is None:
        fault = Fault(f"solver, {label}", f"ended with {found.reason}", "offer fewer forms, or report this")
        raise NoPlanError([fault], "the support could not be solved for", timed_out=True)
    proven = found.reason == "optimal"
    if arrays.integer.any():
        again = solve_here(arrays, replace(job, fixed=np.round(found.values[arrays.integer])))
        found = again if again.values is not None else found
    assert found.values is not None
    return found.values, proven


class _Amounts(TypedDict):
    """The money of an answer, as in `SupportAnswer`."""

    grant_usd: Floats
    strike_usd_t: Floats
    is_cfd: Bools
    payment_usd: Floats


_Found = tuple[_Amounts, bool]
"""Amounts, and whether they are proven."""


def _no_support(case: SupportCase) -> _Amounts:
    shape = case.volume_t.shape
    return _Amounts(
        grant_usd=np.zeros(case.margin_usd.shape),
        strike_usd_t=np.full(shape, np.nan),
        is_cfd=np.zeros(shape[0], dtype=bool),
        payment_usd=np.zeros(shape),
    )


def _joined(one: _Amounts, other: _Amounts) -> _Amounts:
    """Support of different hubs together."""
    known = np.isfinite(one["strike_usd_t"])
    return _Amounts(
        grant_usd=one["grant_usd"] + other["grant_usd"],
        strike_usd_t=np.where(known, one["strike_usd_t"], other["strike_usd_t"]),
        is_cfd=one["is_cfd"] | other["is_cfd"],
        payment_usd=one["payment_usd"] + other["payment_usd"],
    )


def _only(case: SupportCase, amounts: _Amounts, kept: Bools) -> _Amounts:
    """Support of the hubs that are kept."""
    sold = kept[case.product_hub]
    return _Amounts(
        grant_usd=np.where(kept[:, None], amounts["grant_usd"], 0.0),
        strike_usd_t=np.where(sold[:, None], amounts["strike_usd_t"], np.nan),
        is_cfd=amounts["is_cfd"] & sold,
        payment_usd=np.where(sold[:, None], amounts["payment_usd"], 0.0),
    )


def _amounts(case: SupportCase, terms: SupportTerms, program: Program, values: Floats) -> _Amounts:
    """Grants and strikes from the columns of a program; payments follow from the strikes."""
    volume, price = case.contractable_t, case.price_usd_t
    grant = program.read_grants(values)
    top, agreed = program.read_floors(values), program.read_cfds(values)
    is_cfd = np.isfinite(agreed)
    signed = is_cfd[:, None] & (volume > 0)
    topped = (top * volume > SMALLEST_USD) & ~is_cfd[:, None]
    strike = np.where(signed, agreed[:, None], np.where(topped, price + top, np.nan))
    gap = np.where(np.isfinite(strike), strike - price, 0.0)
    payment = volume * np.where(gap < 0, terms.upside_share * gap, gap)
    return _Amounts(
        grant_usd=np.where(grant < SMALLEST_USD, 0.0, grant), strike_usd_t=strike, is_cfd=is_cfd, payment_usd=payment
    )


def _spent_by_hub(case: SupportCase, amounts: _Amounts) -> Floats:
    """Discounted public money, USD, shape (H,)."""
    spent = (amounts["grant_usd"] * case.discount).sum(axis=1)
    np.add.at(spent, case.product_hub, (amounts["payment_usd"] * case.discount).sum(axis=1))
    return np.asarray(spent)
