"""Other plans that cost nearly as little: what every good plan builds, and what is a choice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from hubplan.data.scenario import Scenario
from hubplan.model.alternatives import find_alternatives
from hubplan.model.solve import solve
from hubplan.results.plan import Plan
from hubplan.run import Clock, Progress, prepare

BEST = "best"


def plan_alternatives(
    scenario: Scenario,
    geodata: Path | str | None = None,
    *,
    count: int = 3,
    within_share: float = 0.02,
    time_limit_s: float = 120.0,
    progress: Progress = lambda event: None,
) -> dict[str, Plan]:
    """Plan a scenario, and find plans that build elsewhere.

    Parameters
    ----------
    count
        Other plans wanted; fewer come back when none is left within the cost or the time.
    within_share
        Cost allowed above the best plan's.
    time_limit_s
        For the search beyond the best plan, which has the scenario's own limit.

    Returns
    -------
    dict
        ``best`` and ``alternative-1``... to plans; each keeps every rule.
    """
    clock = Clock(progress)
    case = prepare(scenario, geodata, clock=clock)
    rules = scenario.solver
    best = solve(
        case.instance,
        time_limit_s=rules.time_limit_s,
        gap_share=rules.gap_share,
        seed=rules.seed,
        progress=progress,
    )
    clock.mark("best plan")
    others = find_alternatives(
        case.instance,
        best,
        count=count,
        within_share=within_share,
        time_limit_s=time_limit_s,
        seed=rules.seed,
        progress=progress,
    )
    clock.mark("alternatives")
    found = {BEST: best, **{f"alternative-{n}": other for n, other in enumerate(others, start=1)}}
    return {name: case.plan(solution, seconds=clock.seconds) for name, solution in found.items()}


def compare_alternatives(plans: Mapping[str, Plan]) -> pd.DataFrame:
    """Cost of each plan above the best, and which facilities it builds that the best does not, and the other way round."""
    built = {name: _built(plan) for name, plan in plans.items()}
    best, everywhere = plans[BEST], frozenset.intersection(*built.values())
    rows = [
        {
            "plan": name,
            "cost_usd": plan.objective_usd,
            "above_share": plan.objective_usd / best.objective_usd - 1,
            "built": len(built[name]),
            "only_here": ";".join(sorted(built[name] - built[BEST])),
            "not_here": ";".join(sorted(built[BEST] - built[name])),
            "in_every_plan": ";".join(sorted(everywhere)) if name == BEST else "",
        }
        for name, plan in plans.items()
    ]
    return pd.DataFrame(rows)


def _built(plan: Plan) -> frozenset[str]:
    return frozenset(plan.hubs.loc[plan.hubs["is_new"], "facility"])
