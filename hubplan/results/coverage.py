"""Coverage: how much of what demand needs of each element is served without the excluded countries, and what holds it back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from hubplan.data.access import Access
from hubplan.data.chain import GRADES, HEAVY, MAGNET_ELEMENTS, STOCKED, Chain
from hubplan.data.frames import rows_of
from hubplan.model.duals import Prices
from hubplan.model.instance import Floats, Instance
from hubplan.model.legal import LOWERED
from hubplan.model.purchases import STAGE as PURCHASE
from hubplan.model.rules import element_need_t_t
from hubplan.model.solution import Solution
from hubplan.results.plan import Plan, as_table
from hubplan.results.shadow import is_growth_used_up

ELEMENTS = tuple(oxide.removesuffix("-oxide") for oxide in STOCKED)
_NAMES = {"ndpr": "NdPr"}
ENOUGH = 0.9
"""Share from which an element counts as covered, unless another is asked for."""
_WHOLE = 1 - 1e-4
_SMALLEST_T = 1e-4
_ROUNDS = 60
"""Rounds of following swarf back into oxide; each returns at most a third of it."""
_NO_STAGE = frozenset({"collection", "purchase", "stockpile"})


def build_coverage(
    inst: Instance, solution: Solution, chain: Chain, *, access: Access, value_usd_t: Mapping[str, float]
) -> pd.DataFrame:
    """Work out need, what is served of it, what of that no excluded country had a hand in, and what binds.

    Parameters
    ----------
    value_usd_t
        Commodity to value: what splits the worth of a mixed good between its elements.

    Returns
    -------
    DataFrame
        ``element, period, need_t, served_t, independent_t, covered_share, binding``, for elements and periods with a need.
        Tonnes are separated oxide: of magnets by grade and yields, swarf not returned, and of oxides as they are.
    """
    asked = _by_product(inst, inst.demand["demand_t"].to_numpy(float))
    served = _by_product(inst, inst.demand["demand_t"].to_numpy(float) - solution.unmet_t)
    foreign = _foreign_shares(inst, solution, access)
    binding = _find_binding(inst, solution, chain, value_usd_t)
    rows = []
    for element in ELEMENTS:
        weight = _need_by_product(chain, element)
        for t, period in enumerate(inst.periods):
            need, got = (sum(each * goods.get((p, t), 0.0) for p, each in weight.items()) for goods in (asked, served))
            if need <= _SMALLEST_T:
                continue
            own = sum(
                each * served.get((p, t), 0.0) * (1 - foreign.get((p, element), np.zeros(len(inst.periods)))[t])
                for p, each in weight.items()
            )
            held = "none" if got >= need * _WHOLE else binding[element][t]
            rows.append((element, period, need, got, own, own / need, held))
    columns = ["element", "period", "need_t", "served_t", "independent_t", "covered_share", "binding"]
    return as_table("coverage", pd.DataFrame(rows, columns=columns))


def first_covered(plan: Plan, share: float = ENOUGH) -> pd.DataFrame:
    """Say when each element is first covered to a share, and what is on its critical path until then.

    Returns
    -------
    DataFrame
        ``element``; ``period``, the first in which the share is reached (NaN: never); ``covered_share`` in that period, or in
        the last; ``binding`` in the period before it, or in the last (empty: covered from the start).
    """
    rows = []
    for element in (name for name in ELEMENTS if name in set(plan.coverage["element"])):
        table = plan.coverage[plan.coverage["element"] == element].sort_values("period")
        shares, periods = table["covered_share"].to_numpy(float), table["period"].to_numpy(int)
        binding = [str(held) for held in table["binding"]]
        reached = np.flatnonzero(shares >= share - 1e-9)
        at = int(reached[0]) if len(reached) else len(shares) - 1
        before = at - 1 if len(reached) else at
        held = binding[before] if before >= 0 else ""
        rows.append((element, float(periods[at]) if len(reached) else np.nan, float(shares[at]), held))
    return pd.DataFrame(rows, columns=["element", "period", "covered_share", "binding"])


def element_word(element: str) -> str:
    """How an element is written: ``NdPr``, ``Dy``."""
    return _NAMES.get(element, element.capitalize())


def tell_coverage(plan: Plan, share: float = ENOUGH) -> list[str]:
    """The same in words, a line for each element."""
    lines = []
    for row in rows_of(first_covered(plan, share)):
        name = element_word(row.element)
        until = f"; until then held back by {row.binding}" if row.binding not in ("", "none") else ""
        if row.period == row.period:
            lines.append(f"{name}: {share:.0%} covered from {row.period:.0f}{until}")
        else:
            held = f"; held back by {row.binding}" if row.binding not in ("", "none") else ""
            lines.append(f"{name}: never {share:.0%} covered, {row.covered_share:.0%} at the end{held}")
    return lines


def _by_product(inst: Instance, amount_t: Floats) -> dict[tuple[str, int], float]:
    found: defaultdict[tuple[str, int], float] = defaultdict(float)
    for row, amount in zip(rows_of(inst.demand), amount_t, strict=True):
        found[row.product, int(row.period)] += float(amount)
    return found


def _need_by_product(chain: Chain, element: str) -> dict[str, float]:
    """t of an element's oxide in a t of each product."""
    magnets = {
        f"magnet-{grade}": element_need_t_t(chain, element, grade)
        for grade in GRADES
        if element in MAGNET_ELEMENTS and chain.grades.get(grade, {}).get(element, 0.0) > 0
    }
    return {f"{element}-oxide": 1.0, **magnets}


# What came from excluded countries ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Supply:
    """t by commodity and period, all places together."""

    made: Mapping[str, Floats]  # by plants
    own: Mapping[str, Floats]  # bought in countries that are not excluded
    foreign: Mapping[str, Floats]  # bought in countries that are
    returned: Mapping[tuple[str, str], Floats]  # (oxide, swarf): oxide made of swarf
    closing: Mapping[str, Floats]  # stocks

    def at(self, part: str, commodity: str, periods: int) -> Floats:
        return np.asarray(getattr(self, part).get(commodity, np.zeros(periods)))


def _supply(inst: Instance, solution: Solution, access: Access) -> _Supply:
    owner = inst.processes["facility"].to_numpy(dtype=int)
    bought = (inst.facilities["stage"] == PURCHASE).to_numpy()[owner]
    outside = inst.facilities["country"].isin(access.excluded).to_numpy()[owner]
    commodity = inst.balances["commodity"].to_numpy(dtype=object)
    process = inst.processes["process"].to_numpy(dtype=object)
    made: dict[str, Floats] = {}
    own: dict[str, Floats] = {}
    foreign: dict[str, Floats] = {}
    returned: dict[tuple[str, str], Floats] = {}
    for m, b, share in zip(inst.term_process, inst.term_balance, inst.term_t_t, strict=True):
        if share <= 0 or process[m] == LOWERED or not solution.run_t[m].any():
            continue
        part = made if not bought[m] else foreign if outside[m] else own
        name, amount = str(commodity[b]), share * solution.run_t[m]
        part[name] = part.get(name, 0.0) + amount
        if str(process[m]).startswith("swarf-"):
            returned[name, str(process[m])] = returned.get((name, str(process[m])), 0.0) + amount
    closing = {name: solution.stock_t[commodity == name].sum(axis=0) for name in STOCKED}
    return _Supply(made, own, foreign, returned, closing)


def _foreign_shares(inst: Instance, solution: Solution, access: Access) -> dict[tuple[str, str], Floats]:
    """Of each (good, element) and period, the share that was bought in excluded countries, traced in proportion to supply.

    Goods of one kind are one pool, wherever they are: a pool's share passes to all that is made of it, and to its stock.
    """
    supply, periods = _supply(inst, solution, access), len(inst.periods)
    if not any(amount.any() for amount in supply.foreign.values()):
        return {}
    found: dict[tuple[str, str], Floats] = {}
    for element in ELEMENTS:
        swarf = {grade: np.zeros(periods) for grade in GRADES}
        for _ in range(_ROUNDS):
            oxide = _oxide_share(supply, element, swarf, periods)
            found[f"{element}-oxide", element] = oxide
            metal = _mixed(supply, f"{element}-metal", oxide, periods)
            for grade in GRADES:
                alloy = _mixed(supply, f"alloy-{grade}", metal, periods)
                found[f"magnet-{grade}", element] = _mixed(supply, f"magnet-{grade}", alloy, periods)
                swarf[grade] = _mixed(supply, f"swarf-{grade}", alloy, periods)
    return found


def _mixed(supply: _Supply, good: str, of_input: Floats, periods: int) -> Floats:
    """Share of a good: of what is made, its input's; of what is bought, all or nothing."""
    made, own, foreign = (supply.at(part, good, periods) for part in ("made", "own", "foreign"))
    total = made + own + foreign
    return np.where(total > _SMALLEST_T, (made * of_input + foreign) / np.maximum(total, _SMALLEST_T), 0.0)


def _oxide_share(supply: _Supply, element: str, swarf: Mapping[str, Floats], periods: int) -> Floats:
    """Share of an oxide by period; what is left in stock carries its share on."""
    oxide = f"{element}-oxide"
    made, own, foreign, closing = (supply.at(part, oxide, periods) for part in ("made", "own", "foreign", "closing"))
    inside = foreign + sum(
        (supply.returned.get((oxide, f"swarf-{grade}"), np.zeros(periods)) * swarf[grade] for grade in GRADES),
        start=np.zeros(periods),
    )
    shares, stock, stock_share = np.zeros(periods), 0.0, 0.0
    for t in range(periods):
        total = stock + made[t] + own[t] + foreign[t]
        shares[t] = (stock * stock_share + inside[t]) / total if total > _SMALLEST_T else 0.0
        stock, stock_share = float(closing[t]), float(shares[t])
    return shares


# What binds --------------------------------------------------------------------------------------------------------------


def _find_binding(
    inst: Instance, solution: Solution, chain: Chain, value_usd_t: Mapping[str, float]
) -> dict[str, list[str]]:
    """Stage whose capacity is worth most along an element's chain, by element and period; empty without prices."""
    periods = range(len(inst.periods))
    if solution.prices is None:
        return {element: ["" for _ in periods] for element in ELEMENTS}
    worth = _worth_of_runs(inst, solution, solution.prices)
    owner = inst.processes["facility"].to_numpy(dtype=int)
    stage = inst.facilities["stage"].to_numpy(dtype=object)[owner]
    shares = [_value_shares(chain, str(s), str(p), value_usd_t) for s, p in zip(stage, _tagged(inst), strict=True)]
    stages = sorted(set(stage) - _NO_STAGE)
    found: dict[str, list[str]] = {}
    for element in ELEMENTS:
        weighed = worth * np.array([share.get(element, 0.0) for share in shares])[:, None]
        sums = np.array([weighed[stage == name].sum(axis=0) for name in stages])
        found[element] = [
            _word(inst, solution, stages[int(np.argmax(sums[:, t]))], t) if sums[:, t].max() > 1.0 else ""
            for t in periods
        ]
    return found


def _worth_of_runs(inst: Instance, solution: Solution, prices: Prices) -> Floats:
    """What the capacity is worth that each process uses, discounted USD; shape (M, T)."""
    owner = inst.processes["facility"].to_numpy(dtype=int)
    use = inst.processes["capacity_use"].to_numpy(float)[:, None]
    return np.asarray(np.nan_to_num(prices.capacity_usd_t)[owner] * use * solution.run_t)


def _tagged(inst: Instance) -> npt.NDArray[np.object_]:
    """Process names, a mine's with the mine: what is in it depends on that."""
    owner = inst.processes["facility"].to_numpy(dtype=int)
    place = inst.facilities["facility"].to_numpy(dtype=object)[owner]
    names = inst.processes["process"].to_numpy(dtype=object)
    return np.array(
        [f"mine@{p}" if name == "mine" else name for name, p in zip(names, place, strict=True)], dtype=object
    )


def _value_shares(chain: Chain, stage: str, process: str, value_usd_t: Mapping[str, float]) -> Mapping[str, float]:
    """Share of each element in the value of what a process takes."""
    name, _, tag = process.partition("@")
    if stage in ("mine", "crack_leach", "separation_light", "separation_heavy"):
        basket = chain.baskets.get(tag, {})
        holds = {e: share for e, share in basket.items() if stage != "separation_heavy" or e in HEAVY}
    elif stage == "metal":
        return {name.removesuffix("-oxide"): 1.0}
    else:
        holds = dict(chain.grades.get(tag or name.partition("-")[2], {}))
    valued = {element: share * value_usd_t.get(f"{element}-oxide", 0.0) for element, share in holds.items()}
    total = sum(valued.values())
    return {element: amount / total for element, amount in valued.items()} if total > 0 else {}


def _word(inst: Instance, solution: Solution, stage: str, t: int) -> str:
    """Whether a stage waits for its first new facilities, for its growth, or simply has no more."""
    rows = (inst.facilities["stage"] == stage).to_numpy() & (inst.facilities["largest_t_yr"] > 0).to_numpy()
    if rows.any() and (inst.facilities["first_period"].to_numpy(dtype=int)[rows] > t).all():
        return f"lead time of {stage}"
    if is_growth_used_up(inst, solution.size_t_yr, stage, t):
        return f"growth of {stage}"
    return f"capacity of {stage}"
