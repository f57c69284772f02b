"""Shadow prices as a table: what one more of each thing would save at this plan, one-sided (`hubplan.model.duals`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hubplan.data.frames import rows_of
from hubplan.model.duals import Prices
from hubplan.model.instance import Floats, Instance
from hubplan.results.plan import as_table, empty_table

SMALLEST_USD = 0.01
"""A price below a cent is the solver's rounding."""


def build_shadow_prices(inst: Instance, prices: Prices | None) -> pd.DataFrame:
    """List every price above rounding, discounted USD.

    Kinds: ``capacity`` (a usable t/yr throughout the period at a facility that has some), ``opening`` (the first usable t/yr at
    one that has none), ``largest size``, ``growth`` (id: stage), ``rule`` (id: family/id; a unit of relief), ``by-product`` (a t
    more that its market takes) and ``demand`` (id: market/product): what serving one t more would **cost**, which is what a t
    less would save.

    Returns
    -------
    DataFrame
        ``kind, id, period, usd, unit``; empty without prices.
    """
    if prices is None:
        return empty_table("shadow_prices")
    facility = list(inst.facilities["facility"])
    market = inst.balances["market"].to_numpy(dtype=bool)
    sold = [f"{b.place}/{b.commodity}" for b in rows_of(inst.balances)]
    years = inst.block_years[None, :]
    asked = np.zeros(prices.goods_usd_t.shape, dtype=bool)
    asked[inst.demand["balance"].to_numpy(dtype=int), inst.demand["period"].to_numpy(dtype=int)] = True
    rules = inst.rules.table
    grid: list[tuple[str, Sequence[str], Floats, str]] = [
        ("capacity", facility, prices.capacity_usd_t * years, "USD per t/yr"),
        ("opening", facility, prices.opening_usd_t * years, "USD per t/yr"),
        ("largest size", facility, prices.largest_usd_t_yr, "USD per t/yr"),
        ("demand", sold, np.where(asked & market[:, None], prices.goods_usd_t, 0.0), "USD per t"),
    ]
    found = [row for kind, ids, values, unit in grid for row in _from_grid(inst, kind, ids, values, unit)]
    found += _from_rows(inst, "growth", inst.growth["stage"], inst.growth["period"], prices.growth_usd_t_yr, "t/yr")
    goods = inst.byproducts
    found += _from_rows(inst, "by-product", goods["commodity"], goods["period"], prices.byproduct_usd_t, "t")
    found += _from_rows(
        inst, "rule", rules["family"] + "/" + rules["id"], rules["period"], prices.rule_usd, rules["unit"]
    )
    table = pd.DataFrame(found, columns=["kind", "id", "period", "usd", "unit"])
    return as_table("shadow_prices", table)


def is_growth_used_up(inst: Instance, size_t_yr: Floats, stage: str, period: int) -> bool:
    """Whether the new facilities of a stage are together as large as crews and equipment allow by a period (position)."""
    rows = (inst.facilities["stage"] == stage).to_numpy()
    limit = inst.growth.loc[(inst.growth["stage"] == stage) & (inst.growth["period"] == period), "most_t_yr"]
    return bool(len(limit) and size_t_yr[rows, period].sum() >= float(limit.iloc[0]) * (1 - 1e-6))


def _from_grid(
    inst: Instance, kind: str, ids: Sequence[str], values: Floats, unit: str
) -> list[tuple[str, str, int, float, str]]:
    rows, at = np.nonzero(np.nan_to_num(values) > SMALLEST_USD)
    return [
        (kind, ids[n], inst.periods[t], float(values[n, t]), unit)
        for n, t in zip(rows.tolist(), at.tolist(), strict=True)
    ]


def _from_rows(
    inst: Instance, kind: str, ids: Any, period: Any, values: Floats, unit: Any
) -> list[tuple[str, str, int, float, str]]:
    """Rows of one frame; a rule of the whole horizon is told under its first period."""
    units = [unit] * len(values) if isinstance(unit, str) else list(unit)
    return [
        (kind, str(name), inst.periods[max(int(t), 0)], float(value), f"USD per {one}")
        for name, t, value, one in zip(ids, period, values, units, strict=True)
        if value > SMALLEST_USD
    ]
