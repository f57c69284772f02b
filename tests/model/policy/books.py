"""Rules of one family over a little world: the tables and routes that the family reads, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pandas as pd

from hubplan.data.scenario import Scenario, scenario_from_dict
from hubplan.model.calendar import build_calendar
from hubplan.model.instance import Instance
from hubplan.model.rulebook import Rulebook
from hubplan.model.solution import Solution
from model.worlds import World


def frame(header: str, *rows: tuple[Any, ...]) -> pd.DataFrame:
    return pd.DataFrame([tuple(row) for row in rows], columns=header.split())


def ask(world: World, **parts: Any) -> Scenario:
    """A scenario over a world's years; a broken rule costs the world's price."""
    policy = {"rule_usd_t": world.rule_usd_t, **parts.pop("policy", {})}
    horizon = {"years": list(world.years), "discount_share": world.discount_share}
    return scenario_from_dict({"name": "little", "horizon": horizon, "policy": policy, **parts})


def with_rules(
    world: World,
    *families: Callable[[Rulebook], None],
    tables: Mapping[str, pd.DataFrame] | None = None,
    routes: Any = None,
    chain: Any = None,
    inst: Instance | None = None,
    **parts: Any,
) -> Instance:
    """The world's instance with rules of some families, from parts of a scenario."""
    inst, scenario = inst or world.build(), ask(world, **parts)
    draft = SimpleNamespace(
        scenario=scenario,
        calendar=build_calendar(scenario),
        tables=SimpleNamespace(**(tables or {})),
        routes=routes,
        chain=chain,
    )
    book = Rulebook(inst, draft)  # type: ignore[arg-type]
    for write in families:
        write(book)
    return replace(inst, rules=book.finish())


def broken(inst: Instance, solution: Solution) -> dict[tuple[str, str, int], float]:
    """Rules that are broken, by family, id and period, and by how much."""
    table = inst.rules.table
    keys = zip(table["family"], table["id"], table["period"].astype(int), strict=True)
    return {key: round(float(z), 4) for key, z in zip(keys, solution.broken, strict=True) if z > 1e-4}
