"""What a plan depends on: tonnes and value per chokepoint, country and terminal operator."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

import pandas as pd

from hubplan.data.tables import Tables
from hubplan.errors import DataError, Fault
from hubplan.results.plan import as_table, empty_table

ON_SITE = "on-site"
"""Route of a flow between two facilities of one site."""

KINDS = ("chokepoint", "country", "operator")


def build_exposure(
    flows: pd.DataFrame,
    legs: pd.DataFrame,
    value_usd_t: Mapping[str, float],
    *,
    tables: Tables,
    bought: Mapping[str, str] = MappingProxyType({}),
) -> pd.DataFrame:
    """Add up what passes each chokepoint, country and operator.

    A flow counts once for each of the following, in full, whatever else it passes; so shares do not sum to one.

    - chokepoint: a strait, canal, passage, zone or rail gate that a leg of its route crosses;
    - country: one that a leg passes overland or calls at, or one where the flow starts or ends, that is, where the
      commodity was mined or made, or is processed or bought next; for what is bought outside the plan, the country it is
      bought from;
    - operator: the operator of a terminal with Chinese owners (``chinese_share`` above 0, or unknown) at a port called
      at. The data do not say which berth a cargo uses, so every such terminal of the port counts: exposure is what
      may depend on an operator, at most.

    Parameters
    ----------
    flows, legs
        Tables of a plan. Flows within one site move nothing and are left out, unless they were bought outside.
    value_usd_t
        Commodity to value, USD per contained t.
    tables
        For the countries of sites and the terminals of ports.
    bought
        Facility that buys outside the plan to the country it buys from.

    Returns
    -------
    DataFrame
        ``kind``, ``id``, ``period``, ``flow_t``, ``flow_share`` (of all tonnes moved off-site in the period),
        ``value_usd``.

    Raises
    ------
    DataError
        A commodity without a value, or a flow on a route that has no legs.
    """
    outside = flows["origin_facility"].isin(list(bought))
    moved = flows[((flows["route"] != ON_SITE) | outside) & (flows["flow_t"] > 0)]
    if moved.empty:
        return empty_table("exposure")
    _require_known(moved, legs, value_usd_t)
    valued = moved.assign(value_usd=moved["flow_t"] * moved["commodity"].map(value_usd_t).astype(float))
    ends = _by_end(valued, tables, bought)
    touched = pd.concat([_by_route(valued, legs, tables), ends], ignore_index=True)
    pairs = touched.drop_duplicates(["row", "kind", "id"])
    joined = pairs.merge(valued[["period", "flow_t", "value_usd"]], left_on="row", right_index=True)
    sums = joined.groupby(["kind", "id", "period"], as_index=False)[["flow_t", "value_usd"]].sum()
    total_t = moved.groupby("period")["flow_t"].sum()
    return as_table("exposure", sums.assign(flow_share=sums["flow_t"] / sums["period"].map(total_t)))


def split_ids(cell: str) -> list[str]:
    """Split a ``;``-separated cell."""
    return [part for part in str(cell).split(";") if part]


def list_operators(tables: Tables) -> dict[str, list[str]]:
    """Port id to the operators there that Chinese owners hold a share of, or may."""
    terminals = tables.terminals
    held = terminals[~(terminals["chinese_share"] <= 0) & (terminals["port"] != "") & (terminals["operator"] != "")]
    return {str(port): sorted(set(group["operator"])) for port, group in held.groupby("port")}


def _require_known(moved: pd.DataFrame, legs: pd.DataFrame, value_usd_t: Mapping[str, float]) -> None:
    faults = []
    for commodity in sorted(set(moved["commodity"])):
        if not value_usd_t.get(commodity, float("nan")) >= 0:
            fix = "give value_usd_t in commodities.csv"
            faults.append(Fault("exposure", f"commodity {commodity} has no value", fix))
    for route in sorted(set(moved["route"]) - set(legs["route"]) - {ON_SITE}):
        faults.append(Fault("exposure", f"route {route} is in use and has no legs", "give its legs"))
    if faults:
        raise DataError(faults)


def _by_route(moved: pd.DataFrame, legs: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """What the legs of each flow touch: ``row`` (of flows), ``kind``, ``id``."""
    operators = list_operators(tables)
    touched: dict[str, set[tuple[str, str]]] = {}
    for leg in legs.itertuples():
        ids = touched.setdefault(str(leg.route), set())
        ids.update(("chokepoint", name) for name in split_ids(str(leg.chokepoints)))
        ids.update(("country", name) for name in split_ids(str(leg.countries)))
        ids.update(("operator", name) for port in split_ids(str(leg.ports)) for name in operators.get(port, []))
    rows = [
        (row, kind, name)
        for row, route in zip(moved.index, moved["route"], strict=True)
        for kind, name in sorted(touched.get(route, ()))
    ]
    return pd.DataFrame(rows, columns=["row", "kind", "id"])


def _by_end(moved: pd.DataFrame, tables: Tables, bought: Mapping[str, str]) -> pd.DataFrame:
    country = dict(zip(tables.sites["site"], tables.sites["country"], strict=True))
    ends: Collection[str] = ("origin", "destination")
    parts = [pd.DataFrame({"row": moved.index, "kind": "country", "id": moved[end].map(country)}) for end in ends]
    source = moved["origin_facility"].map(bought).dropna()
    parts.append(pd.DataFrame({"row": source.index, "kind": "country", "id": source}))
    return pd.concat(parts, ignore_index=True)
