"""What changed between two plans, and why: what strictness costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hubplan.results.plan import Plan


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Differences of plan B from plan A; every ``_change`` is B less A.

    Parameters
    ----------
    name_a, name_b
        Scenario names.
    objective_change_usd
        Discounted cost, B less A.
    certain
        Whether the sign of that is proven: the cheaper plan costs less than the dearer one's bound.
    reasons
        ``key``, ``a``, ``b``: keys of the scenarios that differ, dotted, as text; and inputs (``geodata.sites.csv``).
    hubs
        ``facility``, ``name``, ``stage``, ``country``, ``where`` (a | b | both), ``capacity_a_t_yr``,
        ``capacity_b_t_yr``, ``capacity_change_t_yr``, ``throughput_a_t``, ``throughput_b_t``, ``is_new``: facilities in
        use (throughput in any period) or newly built, with capacity at the end of the horizon.
    costs
        ``line``, ``a_usd``, ``b_usd``, ``change_usd``: discounted.
    demand
        ``product``, ``sector``, ``demand_a_t``, ``demand_b_t``, ``served_a_share``, ``served_b_share``,
        ``served_change_share``: over all periods.
    routes
        ``origin``, ``destination``, ``commodity``, ``route_a``, ``route_b``, ``flow_a_t``, ``flow_b_t``,
        ``length_a_km``, ``length_b_km``, ``chokepoints_a``, ``chokepoints_b``: flows that moved to another route, began
        or ended. ``route`` is the one with most tonnes.
    exposure
        ``kind``, ``id``, ``share_a``, ``share_b``, ``change_share``: of the tonnes of each plan, all periods.
    """

    name_a: str
    name_b: str
    objective_change_usd: float
    certain: bool
    reasons: pd.DataFrame
    hubs: pd.DataFrame
    costs: pd.DataFrame
    demand: pd.DataFrame
    routes: pd.DataFrame
    exposure: pd.DataFrame


def compare_runs(a: Plan, b: Plan) -> Comparison:
    """Compare two plans table by table; rows that do not differ are kept in hubs, costs and demand, not in routes."""
    low, high = (a, b) if a.objective_usd <= b.objective_usd else (b, a)
    return Comparison(
        name_a=a.scenario.name,
        name_b=b.scenario.name,
        objective_change_usd=b.objective_usd - a.objective_usd,
        certain=bool(low.objective_usd < high.bound_usd),
        reasons=_compare_reasons(a, b),
        hubs=_compare_hubs(a, b),
        costs=_compare_costs(a, b),
        demand=_compare_demand(a, b),
        routes=_compare_routes(a, b),
        exposure=_compare_exposure(a, b),
    )


def flatten_keys(raw: Any, prefix: str = "") -> dict[str, Any]:
    """Nested values to dotted keys; lists stay whole."""
    if not isinstance(raw, Mapping):
        return {prefix: raw}
    return {
        key: value
        for name, inner in raw.items()
        for key, value in flatten_keys(inner, f"{prefix}.{name}" if prefix else str(name)).items()
    }


def _compare_reasons(a: Plan, b: Plan) -> pd.DataFrame:
    sides = []
    for plan in (a, b):
        keys = {key: _as_text(value) for key, value in flatten_keys(plan.scenario.resolved()).items()}
        sides.append({**keys, **{f"geodata.{name}": digest for name, digest in plan.inputs.items()}})
    rows = [
        (key, sides[0].get(key, ""), sides[1].get(key, ""))
        for key in sorted({*sides[0], *sides[1]})
        if sides[0].get(key, "") != sides[1].get(key, "")
    ]
    return pd.DataFrame(rows, columns=["key", "a", "b"])


def _as_text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(sorted(_as_text(item) for item in value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_as_text(item)}" for key, item in sorted(value.items()))
    return "" if value is None else str(value)


def _hubs_at_end(plan: Plan) -> pd.DataFrame:
    grouped = plan.hubs.sort_values("period").groupby("facility")
    last = grouped[["name", "stage", "country", "capacity_t_yr"]].last()
    last = last.assign(
        throughput_t=grouped["throughput_t"].sum(), built=grouped["built_t_yr"].sum(), is_new=grouped["is_new"].any()
    )
    return last[(last["throughput_t"] > 0) | (last["built"] > 0)]


def _compare_hubs(a: Plan, b: Plan) -> pd.DataFrame:
    left, right = _hubs_at_end(a), _hubs_at_end(b)
    both = left.add_suffix("_a").join(right.add_suffix("_b"), how="outer").sort_index()
    in_a, in_b = both.index.isin(left.index), both.index.isin(right.index)
    found = pd.DataFrame({"facility": both.index.astype(str)}, index=both.index)
    for column in ("name", "stage", "country"):
        found[column] = both[f"{column}_a"].where(in_a, both[f"{column}_b"])
    found["where"] = ["both" if x and y else "a" if x else "b" for x, y in zip(in_a, in_b, strict=True)]
    for side in ("a", "b"):
        found[f"capacity_{side}_t_yr"] = both[f"capacity_t_yr_{side}"].astype(float).fillna(0.0)
        found[f"throughput_{side}_t"] = both[f"throughput_t_{side}"].astype(float).fillna(0.0)
    found["capacity_change_t_yr"] = found["capacity_b_t_yr"] - found["capacity_a_t_yr"]
    new = [set(side.index[side["is_new"].astype(bool)]) for side in (left, right)]
    found["is_new"] = [facility in new[0] | new[1] for facility in found["facility"]]
    return found.reset_index(drop=True)


def _compare_costs(a: Plan, b: Plan) -> pd.DataFrame:
    sums = [plan.costs.groupby("line")["discounted_usd"].sum() for plan in (a, b)]
    found = pd.concat(sums, axis=1, keys=["a_usd", "b_usd"]).fillna(0.0).sort_index().rename_axis("line").reset_index()
    return found.assign(change_usd=found["b_usd"] - found["a_usd"])


def _compare_demand(a: Plan, b: Plan) -> pd.DataFrame:
    sums = [plan.demand.groupby(["product", "sector"])[["demand_t", "served_t"]].sum() for plan in (a, b)]
    both = sums[0].add_suffix("_a").join(sums[1].add_suffix("_b"), how="outer").fillna(0.0).sort_index().reset_index()
    found = both[["product", "sector"]].copy()
    for side in ("a", "b"):
        demand_t = both[f"demand_t_{side}"]
        found[f"demand_{side}_t"] = demand_t
        found[f"served_{side}_share"] = both[f"served_t_{side}"] / demand_t.where(demand_t > 0)
    return found.assign(served_change_share=found["served_b_share"] - found["served_a_share"])


def _main_routes(plan: Plan) -> pd.DataFrame:
    key = ["origin", "destination", "commodity"]
    used = plan.flows[(plan.flows["flow_t"] > 0) & (plan.flows["origin"] != plan.flows["destination"])]
    by_route = used.groupby([*key, "route"])["flow_t"].sum().reset_index()
    most = by_route.sort_values(["flow_t", "route"], ascending=[False, True]).groupby(key)["route"].first()
    grouped = plan.legs.groupby("route")
    passed = grouped["chokepoints"].agg(lambda cells: ";".join(sorted(set(";".join(cells).split(";")) - {""})))
    return pd.DataFrame(
        {
            "route": most,
            "flow_t": by_route.groupby(key)["flow_t"].sum(),
            "length_km": most.map(grouped["length_km"].sum()).astype(float),
            "chokepoints": most.map(passed),
        }
    )


def _compare_routes(a: Plan, b: Plan) -> pd.DataFrame:
    both = _main_routes(a).add_suffix("_a").join(_main_routes(b).add_suffix("_b"), how="outer").sort_index()
    for side in ("a", "b"):
        both[f"route_{side}"] = both[f"route_{side}"].astype(object).where(both[f"route_{side}"].notna(), "")
        both[f"chokepoints_{side}"] = both[f"chokepoints_{side}"].astype(object).where(both[f"route_{side}"] != "", "")
    same = (both["route_a"] == both["route_b"]) & (both["chokepoints_a"] == both["chokepoints_b"])
    units = {"route": "", "flow": "_t", "length": "_km", "chokepoints": ""}
    names = {f"{name}{unit}_{side}": f"{name}_{side}{unit}" for name, unit in units.items() for side in ("a", "b")}
    changed = both.rename(columns=names).loc[~same, list(names.values())]
    return changed.fillna({"flow_a_t": 0.0, "flow_b_t": 0.0}).reset_index()


def _compare_exposure(a: Plan, b: Plan) -> pd.DataFrame:
    shares = []
    for plan in (a, b):
        moved_t = plan.flows.loc[plan.flows["origin"] != plan.flows["destination"], "flow_t"].sum()
        sums = plan.exposure.groupby(["kind", "id"])["flow_t"].sum()
        shares.append(sums / moved_t if moved_t > 0 else sums * 0.0)
    found = pd.concat(shares, axis=1, keys=["share_a", "share_b"]).fillna(0.0).sort_index()
    return found.rename_axis(["kind", "id"]).reset_index().assign(change_share=lambda t: t["share_b"] - t["share_a"])
