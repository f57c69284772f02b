"""The least public support that keeps a chain open: grants, price floors and contracts for difference, solved for.

A second stage over a solved plan (docs/support.md has the algebra): volumes are given, money is the decision. Who earns what
without support is worked out in `hubplan.results.cashflow`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np

from hubplan.errors import Fault, NoPlanError
from hubplan.model.assembly import Arrays, Assembly
from hubplan.model.engine import Answer, Engine, Job
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
    110 USD/kg NdPr and 30 % upside: MP Materials, Form 8-K of 10 July 2025.
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
    """
    everyone = np.ones(len(case.hubs), dtype=bool)
    if not case.short.any():
        none = _no_support(case)
        return SupportAnswer(**none, kept=everyone, least_usd=0.0, spent_usd=0.0, reason={})
    able, chosen_exactly = everyone, True
    found = _least(case, terms, able, seed=seed)
    if found is None:
        able, chosen_exactly = _choose(case, replace(terms, budget_usd=None), everyone, seed=seed)
        found = _least(case, terms, able, seed=seed)
        found = _require(found)
    reason = {case.hubs[h]: "forms" for h in np.flatnonzero(~able)}
    kept, amounts, exact = able, found[0], found[1] and chosen_exactly
    least_usd = float(_spent_by_hub(case, amounts).sum())
    if terms.budget_usd is not None and least_usd > terms.budget_usd + SMALLEST_USD:
        if terms.common_strike:
            kept, chosen_exactly = _choose(case, terms, able, seed=seed)
        else:
            kept, chosen_exactly = _fill(case, able, _spent_by_hub(case, amounts), terms.budget_usd, seed=seed)
        reason |= {case.hubs[h]: "budget" for h in np.flatnonzero(able & ~kept)}
        again = _least(case, terms, kept, seed=seed)
        amounts, exact = _require(again)[0], exact and chosen_exactly and _require(again)[1]
    return SupportAnswer(
        **amounts,
        kept=kept,
        least_usd=least_usd,
        spent_usd=float(_spent_by_hub(case, amounts).sum()),
        reason=dict(sorted(reason.items())),
        exact=exact,
    )


def _least(case: SupportCase, terms: SupportTerms, kept: Bools, *, seed: int) -> _Found | None:
    """(S8) Least money that keeps these hubs, and whether that is proven; None if nothing on offer does.

    A hub that gets no more than its earnings lack cannot be kept for less, so where grants and floors do that, no contract
    for difference needs to be tried.
    """
    differing, simple = kept & case.short, tuple(form for form in terms.forms if form != "cfd")
    if "cfd" in terms.forms and simple and not terms.common_strike:
        found = _solve_least(case, replace(terms, forms=simple), kept, differing & False, seed=seed)
        if found is not None:
            lacking = np.maximum(-case.npv_usd, 0.0)
            differing = differing & (_spent_by_hub(case, found[0]) > lacking * (1 + _GAP_SHARE) + SMALLEST_USD)
            if not differing.any():
                return found
    return _solve_least(case, terms, kept, differing, seed=seed)


def _solve_least(case: SupportCase, terms: SupportTerms, kept: Bools, differing: Bools, *, seed: int) -> _Found | None:
    program = build_program(case, terms, kept=kept, choose=False, differing=None if terms.common_strike else differing)
    answer = _run(program.arrays, "least support", seed=seed)
    return None if answer is None else (_amounts(case, terms, program, answer[0]), answer[1])


def _require(found: _Found | None) -> _Found:
    """What was chosen as possible is possible, but for the solver's tolerance."""
    if found is None:
        fault = Fault(
            "solver, least support", "finds no support for hubs that it chose", "report this with the scenario"
        )
        raise NoPlanError([fault], "the support could not be solved for")
    return found


def _choose(case: SupportCase, terms: SupportTerms, able: Bools, *, seed: int) -> tuple[Bools, bool]:
    """(S9) Hubs whose worth together is most among what can be kept within the budget; who needs nothing is kept."""
    program = build_program(case, terms, kept=able, choose=True)
    answer = _run(program.arrays, "hubs that the budget keeps", seed=seed)
    assert answer is not None, "keeping nobody is possible"
    chosen, asked = able.copy(), program.keep >= 0
    chosen[asked] = answer[0][program.keep[asked]] > 0.5
    return chosen, answer[1]


def _fill(case: SupportCase, able: Bools, cost_usd: Floats, budget_usd: float, *, seed: int) -> tuple[Bools, bool]:
    """(S9) where every hub has a contract of its own: a knapsack of the least that each one costs."""
    asked = np.flatnonzero(able & (cost_usd > 0))
    model = Assembly()
    keep = model.add_columns(len(asked), upper=1.0, cost=-case.worth[asked] / case.worth[asked].max(), integer=True)
    model.add_terms(model.add_rows("budget", 1, upper=budget_usd / M_USD), keep, cost_usd[asked] / M_USD)
    answer = _run(model.finish(), "hubs that the budget keeps", seed=seed)
    assert answer is not None, "keeping nobody is possible"
    chosen = able.copy()
    chosen[asked] = answer[0][keep] > 0.5
    return chosen, answer[1]


def _run(arrays: Arrays, label: str, *, seed: int) -> tuple[Floats, bool] | None:
    """Values and whether they are proven, or None if there are none.

    Whole choices are rounded and all else solved again around them, since a choice of 1e-6 is money at a high strike.
    """
    job = Job(label=label, time_limit_s=_TIME_LIMIT_S, gap_share=_GAP_SHARE, seed=seed)
    with Engine(arrays, workers=1) as engine:
        found = _answer(engine, job)
        proven = found.reason == "optimal"
        if found.values is None and found.reason.startswith("infeasible"):
            return None
        if found.values is not None and arrays.integer.any():
            whole = np.round(found.values[arrays.integer])
            again = _answer(engine, replace(job, label=f"{label}, choices made", fixed=whole))
            found = again if again.values is not None else found
    if found.values is None:
        fault = Fault(f"solver, {label}", f"ended with {found.reason}", "offer fewer forms, or report this")
        raise NoPlanError([fault], "the support could not be solved for", timed_out=True)
    return found.values, proven


def _answer(engine: Engine, job: Job) -> Answer:
    engine.submit(job)
    for _, _, answer in engine.answers(until=time.monotonic() + 2 * _TIME_LIMIT_S):
        return answer
    fault = Fault(f"solver, {job.label}", "ran out of time", "offer fewer forms, or report this")
    raise NoPlanError([fault], "the support could not be solved for", timed_out=True)


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
