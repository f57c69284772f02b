"""Tables for eyes: what a plan says, a row a fact, with units in the headings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from hubplan.data.frames import rows_of
from hubplan.data.tables import Tables
from hubplan.results.plan import Plan
from hubplan.views.words import SECTOR_WORDS, STAGE_WORDS, short_name

_TRACE_T = 0.5  # tonnes a year below which demand counts as served


def country_names(tables: Tables) -> dict[str, str]:
    """Give the name of each country by its code."""
    return {str(row.country): str(row.name) for row in rows_of(tables.countries)}


def product_names(tables: Tables) -> dict[str, str]:
    """Give the name of each commodity by its id."""
    return {str(row.commodity): str(row.name) for row in rows_of(tables.commodities)}


def years_of(plan: Plan) -> dict[int, float]:
    """Give the length of each period in years, by its first year."""
    return {int(row.period): float(row.years) for row in rows_of(plan.periods)}


def last_period(plan: Plan) -> int:
    """Give the first year of the last period."""
    return max(years_of(plan))


@dataclass(frozen=True)
class Hub:
    """A facility over the whole plan; capacity and use in the last period, in t/yr."""

    facility: str
    site: str
    name: str
    country: str
    stage: str
    new: bool
    built: tuple[int, ...]
    capacity_t_yr: float
    used_t_yr: float
    capex_usd: float


def list_hubs(plan: Plan) -> list[Hub]:
    """List the facilities that stand and, unless they are new, are used in the last period; by stage, the largest first."""
    last, length = last_period(plan), years_of(plan)[last_period(plan)]
    rows: dict[str, list[Any]] = {}
    for row in rows_of(plan.hubs.sort_values("period", kind="stable")):
        rows.setdefault(row.facility, []).append(row)
    hubs = [
        Hub(
            facility=facility,
            site=found[0].site,
            name=found[0].name,
            country=found[0].country,
            stage=found[0].stage,
            new=any(row.is_new for row in found),
            built=tuple(int(row.period) for row in found if row.built_t_yr > 0),
            capacity_t_yr=sum(row.capacity_t_yr for row in found if row.period == last),
            used_t_yr=sum(row.throughput_t for row in found if row.period == last) / length,
            capex_usd=sum(row.capex_usd for row in found),
        )
        for facility, found in rows.items()
    ]
    rank = list(STAGE_WORDS)
    hubs.sort(key=lambda hub: (rank.index(hub.stage), -hub.capacity_t_yr, hub.facility))
    return [hub for hub in hubs if (hub.capacity_t_yr if hub.new else hub.used_t_yr) > 0]


def hub_table(plan: Plan, tables: Tables, *, new: bool) -> pd.DataFrame:
    """List the plants a plan builds, or those it uses as they are.

    Returns
    -------
    DataFrame
        ``Place``, ``Country``, ``Stage``, ``Built`` (years, when new), ``Capacity, t/yr`` and ``Used, t/yr`` in the
        last period, ``Capital, M USD`` (when new); the largest first within a stage.
    """
    names = country_names(tables)
    rows = [
        {
            "Place": short_name(hub.name),
            "Country": names.get(hub.country, hub.country),
            "Stage": STAGE_WORDS[hub.stage],
            "Built": ", ".join(str(year) for year in hub.built),
            "Capacity, t/yr": hub.capacity_t_yr,
            "Used, t/yr": hub.used_t_yr,
            "Capital, M USD": hub.capex_usd / 1e6,
        }
        for hub in list_hubs(plan)
        if hub.new == new
    ]
    columns = ["Place", "Country", "Stage", "Built", "Capacity, t/yr", "Used, t/yr", "Capital, M USD"]
    table = pd.DataFrame(rows, columns=columns)
    return table if new else table.drop(columns=["Built", "Capital, M USD"])


def place_table(plan: Plan, tables: Tables) -> pd.DataFrame:
    """List the places where a plan builds, each once, the dearest first; mines apart, at the end.

    Returns
    -------
    DataFrame
        ``Place``, ``Country``, ``What, and capacity in t/yr``, ``First built``, ``Capital, M USD``.
    """
    names = country_names(tables)
    groups: dict[tuple[bool, str], list[Hub]] = {}
    for hub in list_hubs(plan):
        if hub.new:
            groups.setdefault((hub.stage == "mine", hub.site), []).append(hub)
    rows = [
        {
            "Place": short_name(hubs[0].name),
            "Country": names.get(hubs[0].country, hubs[0].country),
            "What, and capacity in t/yr": "; ".join(f"{STAGE_WORDS[h.stage]} {h.capacity_t_yr:,.0f}" for h in hubs),
            "First built": str(min((year for hub in hubs for year in hub.built), default="")),
            "Capital, M USD": sum(hub.capex_usd for hub in hubs) / 1e6,
        }
        for (_, _), hubs in sorted(groups.items(), key=lambda item: (item[0][0], -sum(h.capex_usd for h in item[1])))
    ]
    columns = ["Place", "Country", "What, and capacity in t/yr", "First built", "Capital, M USD"]
    return pd.DataFrame(rows, columns=columns)


def demand_table(plan: Plan, tables: Tables) -> pd.DataFrame:
    """List demand by product and sector, and the share served in each period (empty where nothing is asked for).

    Returns
    -------
    DataFrame
        ``Product``, ``Sector``, ``Asked, t/yr`` in the last period, and a column of shares (0 to 1) for each period.
    """
    last, years, names = last_period(plan), years_of(plan), product_names(tables)
    rows = []
    for (product, sector), group in plan.demand.groupby(["product", "sector"]):
        sums = group.groupby("period")[["demand_t", "served_t"]].sum()
        asked = float(sums["demand_t"].get(last, 0.0)) / years[last]
        row = {"Product": names[str(product)], "Sector": SECTOR_WORDS[str(sector)], "Asked, t/yr": asked}
        for period in years:
            need = float(sums["demand_t"].get(period, 0.0))
            row[str(period)] = float(sums["served_t"].get(period, 0.0)) / need if need > 0 else float("nan")
        rows.append(row)
    return pd.DataFrame(rows, columns=["Product", "Sector", "Asked, t/yr", *(str(period) for period in years)])


def unmet_table(plan: Plan, tables: Tables) -> pd.DataFrame:
    """List the demand not served in the last period.

    Returns
    -------
    DataFrame
        ``Market``, ``Product``, ``Sector``, ``Unmet, t/yr``, ``Of demand`` (share); the largest first.
    """
    last, names = last_period(plan), product_names(tables)
    length = years_of(plan)[last]
    market = {str(row.site): str(row.name) for row in rows_of(plan.sites)}
    short = plan.demand[(plan.demand["period"] == last) & (plan.demand["unmet_t"] > _TRACE_T * length)]
    rows = [
        {
            "Market": market[row.market],
            "Product": names[row.product],
            "Sector": SECTOR_WORDS[row.sector],
            "Unmet, t/yr": row.unmet_t / length,
            "Of demand": row.unmet_t / row.demand_t,
        }
        for row in rows_of(short.sort_values(["unmet_t", "market", "product"], ascending=[False, True, True]))
    ]
    return pd.DataFrame(rows, columns=["Market", "Product", "Sector", "Unmet, t/yr", "Of demand"])


def stage_table(plan: Plan, *, period: int | None = None) -> pd.DataFrame:
    """Sum capacity and use by stage in a period, by default the last.

    Returns
    -------
    DataFrame
        ``Stage``, ``Plants``, ``Usable, t/yr``, ``Used, t/yr``, ``Use`` (share).
    """
    period = last_period(plan) if period is None else period
    length = years_of(plan)[period]
    now = plan.hubs[(plan.hubs["period"] == period) & (plan.hubs["usable_t_yr"] > 0)]
    rows = []
    for stage, word in STAGE_WORDS.items():
        group = now[now["stage"] == stage]
        usable, used = float(group["usable_t_yr"].sum()), float(group["throughput_t"].sum()) / length
        if usable > 0:
            row = {
                "Stage": word,
                "Plants": len(group),
                "Usable, t/yr": usable,
                "Used, t/yr": used,
                "Use": used / usable,
            }
            rows.append(row)
    return pd.DataFrame(rows, columns=["Stage", "Plants", "Usable, t/yr", "Used, t/yr", "Use"])


def cargo_table(plan: Plan, tables: Tables) -> pd.DataFrame:
    """List what moves between places in the last period; the table twin of the map.

    Returns
    -------
    DataFrame
        ``Cargo``, ``From``, ``To``, ``t/yr``, ``km``, ``Days``, ``USD/t``, ``Passes``.
    """
    from hubplan.views.ways import plan_flows

    zone = {str(row.zone): str(row.name) for row in rows_of(tables.zones)}
    ways, flows = plan_flows(plan, tables, years_of(plan))
    cargo = [(flow, ways[flow.way]) for flow in flows]
    rows = [
        {
            "Cargo": flow.commodity,
            "From": way.origin,
            "To": way.destination,
            "t/yr": flow.t_yr[-1],
            "km": way.length_km,
            "Days": way.days,
            "USD/t": way.usd_t,
            "Passes": ", ".join(zone.get(name, name) for name in way.zones),
        }
        for flow, way in sorted(cargo, key=lambda pair: -pair[0].t_yr[-1])
        if flow.t_yr[-1] > 0
    ]
    return pd.DataFrame(rows, columns=["Cargo", "From", "To", "t/yr", "km", "Days", "USD/t", "Passes"])


def basis_table(tables: Tables) -> pd.DataFrame:
    """Count the rows of each table of data by what they rest on.

    Returns
    -------
    DataFrame
        ``Table``, ``Reported``, ``Estimated``, ``Assumed``.
    """
    rows = []
    for name, frame in vars(tables).items():
        if isinstance(frame, pd.DataFrame) and "basis" in frame.columns:
            count = frame["basis"].value_counts()
            found = {word.capitalize(): int(count.get(word, 0)) for word in ("reported", "estimated", "assumed")}
            rows.append({"Table": name, **found})
    return pd.DataFrame(rows, columns=["Table", "Reported", "Estimated", "Assumed"])


def closed_table(plan: Plan, tables: Tables) -> pd.DataFrame:
    """List what the rules of a scenario close outside the excluded countries.

    Returns
    -------
    DataFrame
        ``What``, ``Kind``, ``Why``.
    """
    from hubplan.views.places import barred_places

    excluded = plan.access.excluded
    rows = []
    for zone in rows_of(tables.zones[tables.zones["zone"].isin(list(plan.access.closed))]):
        why = "closed by the scenario" if zone.zone in plan.scenario.routes.closed else "closed by default"
        rows.append({"What": zone.name, "Kind": zone.kind.replace("-", " "), "Why": why})
    for port in rows_of(tables.ports[tables.ports["port"].isin(list(plan.access.closed_ports))]):
        if port.country not in excluded:
            rows.append({"What": port.name, "Kind": "port", "Why": plan.access.closed_ports[port.port]})
    reasons = barred_places(plan.access, tables)
    for site in rows_of(tables.sites[tables.sites["site"].isin(list(reasons))]):
        rows.append({"What": site.name, "Kind": "mine or plant", "Why": reasons[site.site]})
    return pd.DataFrame(rows, columns=["What", "Kind", "Why"])
