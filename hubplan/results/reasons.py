"""Why each facility is open or not, in one sentence with numbers, the runner-up, and the number that would flip it.

All of it rests on the prices of the plan (`hubplan.model.duals`), which bound from one side: a first t/yr saves at most what is
said, and shutting an open facility costs at least what is said. What exactly flips a decision takes another solve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hubplan.model.duals import Prices
from hubplan.model.instance import Instance
from hubplan.model.solution import Solution
from hubplan.results.plan import as_table, empty_table
from hubplan.results.shadow import is_growth_used_up

NAMED = 3
"""Places that a sentence names."""
OF_CAPITAL = "share of capital"
OF_RIVAL = "share of capital, against the runner-up"
OF_WORTH = "USD per t/yr and year"
OF_KEEPING = "share of what keeping it costs"


@dataclass(frozen=True, kw_only=True)
class Case:
    """What speaks for and against a facility: for each t/yr of size from the period in which it opens, USD a year.

    Parameters
    ----------
    first, size_t_yr
        Position of that period, and the size over which the fixed part of its capital is spread.
    earns
        What the capacity is worth at the plan's prices.
    toll
        How much of that is the scarcity of what the size takes from others: growth of the stage, budget, rules; below 0 if rules
        pay for it.
    costs
        Capital as an annuity, and the fixed share of capital that running it costs.
    """

    row: int
    facility: str
    stage: str
    opened: bool
    first: int
    size_t_yr: float
    earns: float
    toll: float
    costs: float

    @property
    def margin(self) -> float:
        """What is left of a t/yr, USD a year."""
        return self.earns - self.toll - self.costs

    @property
    def ratio(self) -> float:
        """Earned after the toll, by cost."""
        return (self.earns - self.toll) / self.costs if self.costs > 0 else np.inf


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The facility on the other side, and the number that would flip the decision."""

    rival: Case | None
    number: float = np.nan
    unit: str = ""


def build_reasons(inst: Instance, solution: Solution, flows: pd.DataFrame, *, names: Mapping[str, str]) -> pd.DataFrame:
    """Give reasons for every facility that is or could have been built, and for what stands and is closed.

    Parameters
    ----------
    flows
        Table of the plan.
    names
        Site to name.

    Returns
    -------
    DataFrame
        ``facility, stage, opened, why, runner_up, flip_number, flip_unit``; see docs/explaining.md for the units. Empty without
        prices.
    """
    prices = solution.prices
    if prices is None:
        return empty_table("reasons")
    rows = np.flatnonzero((inst.facilities["largest_t_yr"] > 0).to_numpy()).tolist()
    cases = [
        _open_case(inst, solution, prices, n) if solution.opened[n].any() else _shut_case(inst, prices, n) for n in rows
    ]
    table = [_closed_row(inst, solution, prices, n) for n in _closed(inst, solution)]
    for case in cases:
        verdict = _judge(inst, prices, case, cases)
        tell = (
            _tell_open(inst, solution, case, flows, names) if case.opened else _tell_shut(inst, solution, prices, case)
        )
        table.append(
            {
                "facility": case.facility,
                "stage": case.stage,
                "opened": case.opened,
                "why": tell,
                "runner_up": verdict.rival.facility if verdict.rival else "",
                "flip_number": verdict.number,
                "flip_unit": verdict.unit,
            }
        )
    return as_table("reasons", pd.DataFrame(table))


def _case(inst: Instance, prices: Prices, n: int, *, first: int, size_t_yr: float, opened: bool) -> Case:
    """A t/yr opened in a period: its capacity at the plan's prices, with the fixed part spread over a size."""
    plant = inst.facilities.iloc[n]
    worth = inst.discount * inst.block_years
    usable_t = inst.ramp_share[n, first] * inst.available_share[n] * inst.block_years
    price = prices.capacity_usd_t[n]
    price = np.nan_to_num(np.where(np.isnan(price), prices.opening_usd_t[n], price))
    years = worth[first:].sum()
    capital = plant["capital_slope_usd_t_yr"] + plant["capital_fixed_usd"] / max(size_t_yr, 1e-9)
    return Case(
        row=n,
        facility=str(plant["facility"]),
        stage=str(plant["stage"]),
        opened=opened,
        first=first,
        size_t_yr=size_t_yr,
        earns=float(price @ usable_t / years),
        toll=float(prices.toll_usd_t_yr[n, first:].sum() / years),
        costs=float(capital * (plant["annuity_share"] + plant["fixed_opex_share"])),
    )


def _open_case(inst: Instance, solution: Solution, prices: Prices, n: int) -> Case:
    """What all of its sizes earn and cost from when they are built, for each t/yr and year that they stand."""
    size, worth = solution.size_t_yr[n], inst.discount * inst.block_years
    first = int(np.argmax(solution.opened[n]))
    built = np.diff(size, prepend=0.0)
    usable_t = (built @ inst.ramp_share[n]) * inst.available_share[n] * inst.block_years
    plant = inst.facilities.iloc[n]
    capital = plant["capital_fixed_usd"] * solution.opened[n] + plant["capital_slope_usd_t_yr"] * size
    stands = max(float(worth @ size), 1e-9)
    return replace(
        _case(inst, prices, n, first=first, size_t_yr=float(size[-1]), opened=True),
        earns=float(np.nan_to_num(prices.capacity_usd_t[n]) @ usable_t) / stands,
        toll=float(prices.toll_usd_t_yr[n] @ size) / stands,
        costs=float(worth @ capital) * float(plant["annuity_share"] + plant["fixed_opex_share"]) / stands,
    )


def _shut_case(inst: Instance, prices: Prices, n: int) -> Case:
    """From the period in which it pays best, at its largest size: that flatters it, so what does not pay then never does."""
    plant = inst.facilities.iloc[n]
    largest = float(plant["largest_t_yr"])
    periods = range(int(plant["first_period"]), len(inst.periods))
    cases = [_case(inst, prices, n, first=t, size_t_yr=largest, opened=False) for t in periods]
    return max(cases, key=lambda case: (case.margin, -case.first))


def _closed(inst: Instance, solution: Solution) -> list[int]:
    """What stands, may not be built anew, and is closed whole in some period."""
    stands = (inst.installed_t_yr > 0) & (inst.facilities["largest_t_yr"] <= 0).to_numpy()[:, None]
    return np.flatnonzero((stands & (solution.kept_share < 1e-6)).any(axis=1)).tolist()


def _closed_row(inst: Instance, solution: Solution, prices: Prices, n: int) -> dict[str, object]:
    """Why a standing plant is closed: what a t/yr of it would save at most from then on, and what keeping it costs."""
    plant, worth = inst.facilities.iloc[n], inst.discount * inst.block_years
    gone = (inst.installed_t_yr[n] > 0) & (solution.kept_share[n] < 1e-6)
    usable_t = inst.existing_t_yr[n] * inst.available_share[n] * inst.block_years
    stands = float((worth * inst.installed_t_yr[n])[gone].sum())
    saves = float((np.nan_to_num(prices.opening_usd_t[n]) * usable_t)[gone].sum()) / stands
    costs = float(inst.keep_usd_yr[n]) * float(worth[gone].sum()) / stands
    money = f"a t/yr of it would save at most {saves:,.0f} USD a year and costs {costs:,.0f} to keep"
    if np.isnan(prices.opening_usd_t[n, gone]).all():
        money = f"nothing in use sends what it takes or takes what it makes, and a t/yr costs {costs:,.0f} USD a year to keep"
    below = 0 < saves < costs
    return {
        "facility": str(plant["facility"]),
        "stage": str(plant["stage"]),
        "opened": False,
        "why": f"Closed from {inst.periods[int(np.argmax(gone))]}: at this plan's prices {money}.",
        "runner_up": "",
        "flip_number": saves / costs - 1 if below else np.nan,
        "flip_unit": OF_KEEPING if below else "",
    }


def _judge(inst: Instance, prices: Prices, case: Case, cases: Sequence[Case]) -> Verdict:
    """The best of the same stage on the other side, and by how much capital or worth would have to change."""
    others = [other for other in cases if other.stage == case.stage and other.opened != case.opened]
    if not case.opened:
        rival = max(others, key=lambda other: (other.margin, other.facility), default=None)
        if case.ratio >= 1 or case.costs <= 0:
            return Verdict(rival=rival)
        if case.ratio > 0:
            return Verdict(rival=rival, number=case.ratio - 1.0, unit=OF_CAPITAL)
        return Verdict(rival=rival, number=-case.margin, unit=OF_WORTH)
    earliest = inst.facilities["first_period"].to_numpy(dtype=int)
    then = [
        _case(inst, prices, o.row, first=case.first, size_t_yr=min(case.size_t_yr, o.size_t_yr), opened=False)
        for o in others
        if earliest[o.row] <= case.first
    ]
    rival = max(then, key=lambda other: (other.margin, other.facility), default=None)
    if case.ratio > 1 and case.costs > 0:
        return Verdict(rival=rival, number=case.ratio - 1.0, unit=OF_CAPITAL)
    own = _case(inst, prices, case.row, first=case.first, size_t_yr=case.size_t_yr, opened=True)
    if rival is not None and own.margin > rival.margin and own.costs > 0:
        return Verdict(rival=rival, number=(own.margin - rival.margin) / own.costs, unit=OF_RIVAL)
    return Verdict(rival=rival)


def _tell_open(inst: Instance, solution: Solution, case: Case, flows: pd.DataFrame, names: Mapping[str, str]) -> str:
    size = float(solution.size_t_yr[case.row, -1])
    ramp = inst.ramp_share[case.row, case.first]
    full = np.flatnonzero(ramp >= 1 - 1e-9)
    parts = [f"Open from {inst.periods[case.first]}, {size:,.0f} t/yr by {inst.periods[-1]}"]
    if len(full):
        parts[0] += f", at full rate from {inst.periods[full[0]]}"
    if case.row in inst.must_open:
        parts.append("the scenario says that it must open")
    verb = "earns" if case.ratio >= 1 else "earns only"
    parts.append(
        f"at this plan's prices a t/yr of it {verb} {case.earns:,.0f} USD a year{_toll_words(case)} and costs {case.costs:,.0f}"
    )
    if case.ratio < 1:
        parts.append("its last tonnes do not carry the fixed cost, so it stands for what its first ones save")
    for own, other, word in (
        ("destination_facility", "origin", "takes from"),
        ("origin_facility", "destination", "serves"),
    ):
        moved = flows[flows[own] == case.facility].groupby(other)["flow_t"].sum()
        moved = moved[moved >= 1.0].sort_values(ascending=False, kind="stable")
        most = [names.get(str(site), str(site)) for site in moved.index[:NAMED]]
        if most:
            parts.append(f"{word} {', '.join(most)}" + (" and others" if len(moved) > NAMED else ""))
    return "; ".join(parts) + "."


def _tell_shut(inst: Instance, solution: Solution, prices: Prices, case: Case) -> str:
    if np.isnan(prices.opening_usd_t[case.row, case.first :]).all():
        return "Not opened: nothing in use sends what it takes, or takes what it makes."
    if case.earns < 0.5:
        return "Not opened: at this plan's prices what it would make is worth no more than what it takes."
    money = (
        f"at this plan's prices a first t/yr from {inst.periods[case.first]} would save at most {case.earns:,.0f} USD a year"
        f"{_toll_words(case)} and costs {case.costs:,.0f} at {case.size_t_yr:,.0f} t/yr"
    )
    if case.ratio >= 1 and is_growth_used_up(inst, solution.size_t_yr, case.stage, case.first):
        return f"Not opened: {money}; but by then others of its stage use up the growth it allows."
    if case.ratio >= 1:
        return (
            f"Not opened: {money}; that it stays shut is for its size, which lowers prices, or within the plan's gap."
        )
    return f"Not opened: {money}."


def _toll_words(case: Case) -> str:
    """The scarcity in what it earns, where that is more than a hundredth."""
    if abs(case.toll) <= 0.01 * max(case.earns, case.costs):
        return ""
    if case.toll < 0:
        return f", gets {-case.toll:,.0f} from rules that want it,"
    return f", {case.toll:,.0f} of it for what others of its stage would do with it (growth, budget, rules),"
