"""The few numbers that sum up a plan, each with its unit and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from hubplan.data.frames import rows_of
from hubplan.data.tables import Tables
from hubplan.results.coverage import ENOUGH, element_word, first_covered
from hubplan.results.plan import Plan
from hubplan.views.tables import last_period, years_of
from hubplan.views.words import money, percent

HEAVY = ("dy", "tb")
_NOT_LANDED = ("unmet", "rule_violations")


@dataclass(frozen=True)
class KeyFigure:
    """A number on a card.

    Parameters
    ----------
    value
        With its unit.
    note
        What stands beside it in small print.
    meaning
        How it is worked out.
    """

    label: str
    value: str
    note: str
    meaning: str


def key_figures(
    plan: Plan, tables: Tables, *, period: int | None = None
) -> tuple[KeyFigure, KeyFigure, KeyFigure, KeyFigure]:
    """Work out demand served, landed cost, heavy elements served, and exposure.

    Parameters
    ----------
    period
        By default the last one.
    """
    period = last_period(plan) if period is None else period
    return (_served(plan, period), _landed(plan, period), _heavy(plan, tables, period), _exposed(plan, tables, period))


def _served(plan: Plan, period: int) -> KeyFigure:
    rows = plan.demand[plan.demand["period"] == period]
    asked, served = float(rows["demand_t"].sum()), float(rows["served_t"].sum())
    length = years_of(plan)[period]
    worst = _worst_sector(rows)
    return KeyFigure(
        f"Demand served, {period}",
        percent(served / asked) if asked > 0 else "none asked",
        f"{served / length:,.0f} of {asked / length:,.0f} t/yr"
        + (f"; least: {worst}" if worst else "")
        + _since(plan, "ndpr"),
        "Tonnes of magnets and oxides delivered, over tonnes asked for.",
    )


def _since(plan: Plan, *elements: str) -> str:
    """When the last of some elements is covered without the excluded countries; nothing where that is not known."""
    found = first_covered(plan)
    found = found[found["element"].isin(elements)]
    if found.empty:
        return ""
    names = " and ".join(element_word(element) for element in elements if element in set(found["element"]))
    if found["period"].isna().any():
        return f"; {names} never {percent(ENOUGH)} covered"
    return f"; {names} {percent(ENOUGH)} covered from {found['period'].max():.0f}"


def _worst_sector(rows: pd.DataFrame) -> str:
    sums = rows.groupby("sector")[["served_t", "demand_t"]].sum()
    sums = sums[sums["demand_t"] > 0]
    if sums.empty:
        return ""
    share = sums["served_t"] / sums["demand_t"]
    return "" if share.min() > 0.995 else f"{share.idxmin()} {percent(float(share.min()))}"


def _landed(plan: Plan, period: int) -> KeyFigure:
    costs = plan.costs[(plan.costs["period"] == period) & ~plan.costs["line"].isin(_NOT_LANDED)]
    served = float(plan.demand.loc[plan.demand["period"] == period, "served_t"].sum())
    total = float(costs["cost_usd"].sum())
    return KeyFigure(
        f"Landed cost, {period}",
        f"${total / served / 1000:,.0f} per kg" if served > 0 else "nothing delivered",
        f"{money(total / years_of(plan)[period])} a year",
        "Building, running, moving and holding, less by-product sales, over the mass delivered. "
        "The penalty for unmet demand is left out.",
    )


def heavy_content(tables: Tables) -> Mapping[str, float]:
    """Give tonnes of dysprosium and terbium metal in a tonne of each product that holds some."""
    content: dict[str, float] = {}
    for row in rows_of(tables.grades):
        if row.element in HEAVY:
            product = f"magnet-{row.grade}"
            content[product] = content.get(product, 0.0) + float(row.metal_t_t)
    for row in rows_of(tables.commodities):
        if row.form in ("oxide", "metal") and row.element in HEAVY:
            content[str(row.commodity)] = 1.0
    return content


def _heavy(plan: Plan, tables: Tables, period: int) -> KeyFigure:
    content = heavy_content(tables)
    rows = plan.demand[(plan.demand["period"] == period) & plan.demand["product"].isin(list(content))]
    weight = rows["product"].map(content)
    asked, served = float((rows["demand_t"] * weight).sum()), float((rows["served_t"] * weight).sum())
    length = years_of(plan)[period]
    return KeyFigure(
        f"Dy and Tb served, {period}",
        percent(served / asked) if asked > 0 else "none asked",
        f"{served / length:,.0f} of {asked / length:,.0f} t/yr{_since(plan, *HEAVY)}",
        "Dysprosium and terbium in the products delivered, over those in the products asked for.",
    )


def _exposed(plan: Plan, tables: Tables, period: int) -> KeyFigure:
    name = {str(row.zone): str(row.name) for row in rows_of(tables.zones)}
    rows = plan.exposure[(plan.exposure["period"] == period) & (plan.exposure["kind"] == "chokepoint")]
    rows = rows.sort_values(["flow_share", "id"], ascending=[False, True])
    if rows.empty or float(rows["flow_share"].iloc[0]) <= 0:
        value, note = "none", "no cargo passes a strait, canal or zone"
    else:
        first = next(rows_of(rows))
        value, note = percent(float(first.flow_share)), f"of tonnes pass {name.get(first.id, first.id)}"
    return KeyFigure(
        f"Largest exposure, {period}",
        value,
        note,
        "Share of all tonnes moved that pass the most used strait, canal or zone.",
    )
