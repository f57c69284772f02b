"""The support table of a plan: who is bankable at the price path, and the least public money that keeps everyone open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from hubplan.data.scenario import Scenario
from hubplan.data.tables import Tables
from hubplan.model.support import SupportAnswer, solve_support
from hubplan.model.support_case import SMALLEST_USD, SupportCase, SupportTerms
from hubplan.results.cashflow import KG, CashFlows, build_cash_flows, largest_stock_usd
from hubplan.results.prices import OUTSIDE, PAID_SHARE

COLUMNS: Mapping[str, type] = {
    "facility": str, "period": int, "form": str, "commodity": str, "volume_t": float, "price_usd_t": float,
    "strike_usd_t": float, "payment_usd": float, "npv_usd": float, "bankable": bool, "gap_usd": float,
    "given_usd": float, "gap_usd_kg": float, "npv_before_usd": float, "margin_usd": float, "kept": bool, "price_set": str,
}  # fmt: skip
"""Columns of the table; the last six go beyond the contract of a plan's tables."""
KEY = ("facility", "period", "form", "commodity")


def build_support(
    plan_tables: Mapping[str, pd.DataFrame], tables: Tables, scenario: Scenario
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Say what each hub of a plan earns, and, with `policy.support`, the least support that keeps it open.

    Parameters
    ----------
    plan_tables
        ``hubs``, ``processes``, ``flows`` and ``surplus`` of a plan.

    Returns
    -------
    DataFrame
        One row per hub, period and form of support (``none`` where a hub gets nothing in a period), `COLUMNS`. ``npv_usd``
        counts all support of the table, ``npv_before_usd`` none that is solved for; ``gap_usd`` is what ``npv_usd`` lacks,
        ``gap_usd_kg`` the same by kg of the hub's main product over the horizon, both discounted. A grant's
        ``payment_usd`` holds what `policy.capex_grant_share` gives in advance, which ``given_usd`` tells apart.
    dict
        Plain values: see `summarise`.

    Raises
    ------
    DataError, NoPlanError
        See `build_cash_flows` and `hubplan.model.support.solve_support`.
    """
    flows = build_cash_flows(plan_tables, tables, scenario)
    case = build_case(flows)
    asked = scenario.policy.support
    terms = answer = None
    if asked is not None:
        terms = SupportTerms(
            forms=tuple(asked.forms),
            budget_usd=asked.budget_usd,
            upside_share=asked.upside_share,
            max_grant_share=asked.max_grant_share,
        )
        answer = solve_support(case, terms, seed=scenario.solver.seed)
    table = _rows(flows, case, answer)
    return table, summarise(table, flows, case, answer, scenario)


def build_case(flows: CashFlows) -> SupportCase:
    """Line cash flows up for the solver; a hub's products by what they bring in over the horizon, the largest first."""
    periods = list(flows.discount)
    discount = np.array(list(flows.discount.values()))
    hubs = tuple(sorted(flows.npv_usd.index))
    row = {hub: h for h, hub in enumerate(hubs)}

    def wide(column: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        frame = flows.hubs.assign(number=flows.hubs[column].astype(float))
        frame = frame.pivot_table(index="facility", columns="period", values="number", aggfunc="sum")
        return frame.reindex(index=list(hubs), columns=periods).fillna(0.0).to_numpy(float)

    sales = flows.sales.assign(usd=flows.sales["volume_t"] * flows.sales["price_usd_t"])
    sales = sales.assign(usd=sales["usd"] * sales["period"].map(flows.discount).astype(float))
    total = sales.groupby(["facility", "commodity"])["usd"].sum().reset_index()
    total = total.sort_values(["facility", "usd", "commodity"], ascending=[True, False, True])
    keys = list(zip(total["facility"], total["commodity"], strict=True))
    index = pd.MultiIndex.from_tuples(keys, names=["facility", "commodity"])

    def by_product(column: str) -> pd.DataFrame:
        frame = sales.pivot_table(index=["facility", "commodity"], columns="period", values=column, aggfunc="sum")
        return frame.reindex(index=index, columns=periods)

    volume, price = by_product("volume_t").fillna(0.0), by_product("price_usd_t")
    worth = total.groupby("facility")["usd"].sum().reindex(list(hubs)).fillna(0.0).to_numpy(float)
    return SupportCase(
        hubs=hubs,
        discount=discount,
        npv_usd=flows.npv_usd.reindex(list(hubs)).to_numpy(float),
        margin_usd=wide("margin_usd"),
        runs=wide("runs") > 0,
        capex_usd=wide("capex_usd"),
        given_usd=wide("given_usd"),
        product_hub=np.array([row[facility] for facility, _ in keys], dtype=np.int64),
        product=tuple(str(commodity) for _, commodity in keys),
        volume_t=volume.to_numpy(float),
        price_usd_t=price.ffill(axis=1).bfill(axis=1).to_numpy(float),
        worth=np.maximum(worth, SMALLEST_USD),
    )


def _rows(flows: CashFlows, case: SupportCase, answer: SupportAnswer | None) -> pd.DataFrame:
    """One row for each grant and contract payment, and one for each hub and period that has neither."""
    periods = list(flows.discount)
    shape = case.volume_t.shape
    grant = case.given_usd + (answer.grant_usd if answer else 0.0)
    strike = answer.strike_usd_t if answer else np.full(shape, np.nan)
    payment = answer.payment_usd if answer else np.zeros(shape)
    is_cfd = answer.is_cfd if answer else np.zeros(shape[0], dtype=bool)
    after = case.npv_usd + ((grant - case.given_usd) * case.discount).sum(axis=1)
    np.add.at(after, case.product_hub, (payment * case.discount).sum(axis=1))
    sets = {(r.facility, r.commodity, r.period): r.price_set for r in flows.sales.itertuples(index=False)}
    there = {(r.facility, r.period) for r in flows.hubs.itertuples(index=False)}
    main = {int(h): int(np.flatnonzero(case.product_hub == h)[0]) for h in np.unique(case.product_hub)}
    rows: list[dict[str, object]] = []
    for h, hub in enumerate(case.hubs):
        p = main.get(h, -1)
        kg = float((case.volume_t[p] * case.discount).sum() * KG) if p >= 0 else 0.0
        gap = max(0.0, -float(after[h])) if after[h] < -SMALLEST_USD else 0.0
        same = {
            "facility": hub, "npv_usd": float(after[h]), "bankable": gap == 0.0, "gap_usd": gap,
            "gap_usd_kg": gap / kg if kg else np.nan, "npv_before_usd": float(case.npv_usd[h]),
            "kept": bool(answer.kept[h]) if answer else not bool(case.short[h]),
        }  # fmt: skip
        own = np.flatnonzero(case.product_hub == h)
        for t, period in enumerate(periods):
            if (hub, period) not in there:
                continue
            here = {**same, "period": period, "margin_usd": float(case.margin_usd[h, t]), "given_usd": 0.0}
            paid = [int(q) for q in own if np.isfinite(strike[q, t])]
            for q in paid or ([p] if grant[h, t] <= 0 else []):
                name = case.product[q] if q >= 0 else ""
                form = ("cfd" if is_cfd[q] else "floor") if paid else "none"
                amounts = {
                    "form": form, "commodity": name, "volume_t": float(case.volume_t[q, t]) if q >= 0 else 0.0,
                    "price_usd_t": float(case.price_usd_t[q, t]) if q >= 0 else np.nan,
                    "strike_usd_t": float(strike[q, t]) if paid else np.nan,
                    "payment_usd": float(payment[q, t]) if paid else 0.0,
                    "price_set": sets.get((hub, name, period), ""),
                }  # fmt: skip
                rows.append({**here, **amounts})
            if grant[h, t] > 0:
                given = {
                    "form": "grant",
                    "commodity": "",
                    "volume_t": 0.0,
                    "price_usd_t": np.nan,
                    "strike_usd_t": np.nan,
                }
                money = {"payment_usd": float(grant[h, t]), "given_usd": float(case.given_usd[h, t]), "price_set": ""}
                rows.append({**here, **given, **money})
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype({c: k for c, k in COLUMNS.items() if k is not str})
    return table.sort_values(list(KEY), kind="stable", ignore_index=True)


def summarise(
    table: pd.DataFrame, flows: CashFlows, case: SupportCase, answer: SupportAnswer | None, scenario: Scenario
) -> dict[str, Any]:
    """Say in plain values what the support comes to.

    Returns
    -------
    dict
        ``price_path``; ``public_usd`` (undiscounted, solved for) and ``public_discounted_usd``; ``least_usd`` (discounted, to
        keep all that can be kept) and ``missing_usd`` (beyond the budget); ``by_period_usd``, ``by_form_usd``;
        ``given_usd`` in advance; ``unbankable`` (hub to gap, before support), ``would_stop`` (hub to its periods of negative
        margin, before support), ``not_kept`` (hub to reason); ``stock_usd`` (largest value of unsold stock that hubs
        carry); ``priced_outside`` (commodities the price path lacks), ``priced_by_content`` (feeds).
    """
    solved = table.assign(usd=table["payment_usd"] - table["given_usd"])
    solved = solved[solved["usd"] != 0]
    discounted = solved["usd"] * solved["period"].map(flows.discount).astype(float)
    stops = case.runs & (case.margin_usd < -SMALLEST_USD)
    lacking = case.npv_usd < -SMALLEST_USD
    path = scenario.shock.price_path or OUTSIDE
    borrowed = flows.sales[(flows.sales["price_set"] != path) & (flows.sales["volume_t"] > 0)]
    periods = list(flows.discount)
    return {
        "price_path": path,
        "public_usd": float(solved["usd"].sum()),
        "public_discounted_usd": float(discounted.sum()),
        "least_usd": answer.least_usd if answer else None,
        "missing_usd": answer.missing_usd if answer else None,
        "by_period_usd": {int(str(k)): float(v) for k, v in solved.groupby("period")["usd"].sum().items()},
        "by_form_usd": {str(k): float(v) for k, v in solved.groupby("form")["usd"].sum().items()},
        "given_usd": float(table["given_usd"].sum()),
        "unbankable": {case.hubs[h]: float(-case.npv_usd[h]) for h in np.flatnonzero(lacking)},
        "would_stop": {
            case.hubs[h]: [periods[t] for t in np.flatnonzero(stops[h])] for h in np.flatnonzero(stops.any(axis=1))
        },
        "not_kept": dict(answer.reason) if answer else {},
        "stock_usd": largest_stock_usd(flows),
        "priced_outside": sorted(set(borrowed["commodity"])),
        "priced_by_content": sorted(set(flows.sales["commodity"]) & set(PAID_SHARE)),
    }
