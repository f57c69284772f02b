"""Solution: raw values by key, with what is proven about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hubplan.model.contingency import Recourse
from hubplan.model.duals import Prices

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Solution:
    """A plan in the model's own terms; masses in t, sizes in t/yr, money in USD.

    Parameters
    ----------
    status
        ``optimal`` (gap closed to the solver's tolerance), ``within_gap`` (to the scenario's), ``time_limit`` or ``cancelled``.
    cost_usd, bound_usd
        Discounted cost of this plan, and the largest proven lower bound on any plan's.
    opened, size_t_yr
        Shape (N, T).
    run_t, flow_t, stock_t, held_t, sold_t
        Activity of processes (M, T), flows on lanes (A, T), and by balance (B, T).
    kept_share
        Share of the standing capacity that is kept, 1 where a facility cannot be closed; shape (N, T).
    unmet_t
        By row of the instance's demand.
    broken
        By row of the instance's rules, in the rule's unit.
    copies
        Year by single loss, in t.
    prices
        What one more of each thing would save at this plan; None where its linear program was not solved in time.
    seconds
        Time by step.
    solver
        Engine and version.
    """

    status: str
    cost_usd: float
    bound_usd: float
    opened: npt.NDArray[np.bool_]
    size_t_yr: Floats
    run_t: Floats
    flow_t: Floats
    stock_t: Floats
    held_t: Floats
    sold_t: Floats
    unmet_t: Floats
    kept_share: Floats
    broken: Floats
    copies: tuple[Recourse, ...] = ()
    seconds: Mapping[str, float]
    solver: str
    prices: Prices | None = None

    @property
    def gap_share(self) -> float:
        """How far the plan can be from the best, as a share of its cost: (cost - bound) / |cost|."""
        return max(0.0, self.cost_usd - self.bound_usd) / abs(self.cost_usd) if self.cost_usd else 0.0
