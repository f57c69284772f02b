"""Rule rows: policy as linear rows over the plan's decisions, each with a price for breaking it or none to be had.

A rule says: a weighted sum of decisions is at least, or at most, so much. `hubplan.model.policy` writes them, one function
for each family; `hubplan.model.formulation.add_rules` turns them into rows of the program. Rules are data, so that their breach,
their shadow price and their conflict can be told by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from hubplan.errors import DataError, Fault

if TYPE_CHECKING:
    from hubplan.model.draft import Draft
    from hubplan.model.instance import Instance

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

KINDS = ("opened", "size", "kept", "run", "flow", "stock", "held", "sold", "unmet")
"""Decisions that a rule may weigh: ``opened`` is 0 or 1, ``kept`` a share, ``size`` t/yr, the others t in the period."""
UNITS: Mapping[str, float] = {"t": 1e3, "t/yr": 1e3, "t CO2": 1e3, "USD": 1e6, "facilities": 1.0}
"""Units of a rule's limit, and by how much the program scales them."""
WHOLE = -1
"""Period of a rule that holds for the horizon as a whole."""
HARD = np.inf
"""Penalty of a rule that cannot be broken."""
COLUMNS = ("family", "id", "period", "sense", "limit", "unit", "penalty_usd")


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Rule rows, and their terms as parallel arrays.

    Parameters
    ----------
    table
        ``family, id, period`` (position, or `WHOLE`), ``sense`` (``at_least`` or ``at_most``), ``limit, unit`` (see `UNITS`),
        ``penalty_usd`` (per unit, undiscounted; `HARD` where the rule has to hold).
    rule, kind, row, period
        Row of `table`; position in `KINDS`; row of the decision (of facilities, processes, lanes, balances or demand) and its
        period. ``unmet`` has no period of its own: give that of its row.
    weight
        Units of the rule for each unit of the decision.
    """

    table: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame({name: pd.Series(dtype=object) for name in COLUMNS})
    )
    rule: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    kind: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    row: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    period: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    weight: Floats = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        faults = []
        unknown = sorted(set(self.table["unit"]) - set(UNITS))
        if unknown:
            faults.append(Fault("rules, unit", ", ".join(unknown), f"one of {', '.join(UNITS)}"))
        numbers = np.concatenate([self.weight, self.table["limit"].to_numpy(dtype=float)])
        if not np.isfinite(numbers).all():
            faults.append(Fault("rules", "a weight or limit is NaN or infinite", "mend the table it is made from"))
        if self.table.duplicated(["family", "id", "period"]).any():
            twice = self.table[self.table.duplicated(["family", "id", "period"])].iloc[0]
            faults.append(Fault("rules", f"{twice['family']} {twice['id']} twice in a period", "give each rule one id"))
        if faults:
            raise DataError(faults, "the rules cannot be right")

    def __len__(self) -> int:
        return len(self.table)

    def of(self, family: str) -> pd.DataFrame:
        """Rows of a family, with their position as index."""
        return self.table[self.table["family"] == family]


class Rulebook:
    """Rules under construction: what a family's function reads, and where it writes.

    Parameters
    ----------
    inst
        The instance without rules.
    draft
        Tables, scenario, access, chain and calendar that it was made from.
    """

    def __init__(self, inst: Instance, draft: Draft) -> None:
        self.inst, self.draft = inst, draft
        self.policy = draft.scenario.policy
        default = draft.scenario.demand.unmet_usd_t["default"]
        self.penalty_usd_t = default if self.policy.rule_usd_t is None else self.policy.rule_usd_t
        self._rules: list[tuple[object, ...]] = []
        self._terms: list[tuple[Ints, Ints, Ints, Ints, Floats]] = []

    @property
    def periods(self) -> range:
        """Positions of the periods."""
        return range(len(self.inst.periods))

    def share_of(self, first: int, last: int | None) -> Floats:
        """Share of each period's years that lie between two years, both included."""
        end = self.draft.calendar.years[-1][-1] if last is None else last
        return self.draft.calendar.mean(dict.fromkeys(range(first, end + 1), 1.0))

    def add(
        self,
        family: str,
        id: str,
        *,
        sense: str,
        limit: float,
        period: int = WHOLE,
        unit: str = "t",
        penalty_usd: float | None = None,
    ) -> int:
        """Add a rule; None prices a breach at the scenario's price of a tonne."""
        price = self.penalty_usd_t if penalty_usd is None else penalty_usd
        self._rules.append((family, id, period, sense, float(limit), unit, float(price)))
        return len(self._rules) - 1

    def weigh(
        self,
        rule: int,
        kind: str,
        rows: Sequence[int] | Ints,
        period: int | Sequence[int] | Ints,
        weight: npt.ArrayLike = 1.0,
    ) -> None:
        """Let decisions count in a rule; rows, period and weight are broadcast against each other."""
        row, at, value = np.broadcast_arrays(
            np.asarray(rows, dtype=np.int64), np.asarray(period, dtype=np.int64), np.asarray(weight, dtype=float)
        )
        size = row.size
        code = np.full(size, KINDS.index(kind), dtype=np.int64)
        self._terms.append((np.full(size, rule, dtype=np.int64), code, row.ravel(), at.ravel(), value.ravel()))

    def finish(self) -> Rules:
        """Close the book."""
        table = pd.DataFrame(self._rules, columns=list(COLUMNS))
        if not self._terms:
            return Rules(table=table) if len(table) else Rules()
        rule, kind, row, period, weight = (np.concatenate(parts) for parts in zip(*self._terms, strict=True))
        keep = weight != 0
        return Rules(
            table=table, rule=rule[keep], kind=kind[keep], row=row[keep], period=period[keep], weight=weight[keep]
        )
