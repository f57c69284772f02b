"""Places on a map: mines, plants, markets, ports of call, what the rules bar, and the passages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import shapely

from hubplan.data.scenario import Access
from hubplan.data.tables import Tables
from hubplan.results.plan import Plan
from hubplan.views.mapspec import Detail, Flow, Site, Zone
from hubplan.views.polyline import encode, unwrap
from hubplan.views.tables import rows_of
from hubplan.views.ways import short
from hubplan.views.words import STAGE_WORDS


def plan_sites(plan: Plan, tables: Tables, years: Mapping[int, float]) -> tuple[Site, ...]:
    """Mark the mines, plants and markets of a plan; `years` is the length of each period."""
    product = dict(zip(tables.commodities["commodity"], tables.commodities["name"], strict=True))
    country = dict(zip(tables.countries["country"], tables.countries["name"], strict=True))
    place = {row.site: row for row in rows_of(plan.sites)}
    old = (False,) * len(years)
    sites = []
    for site, group in plan.hubs.groupby("site"):
        details, size, new = _hub_details(group, years)
        kind = "mine" if set(group["stage"]) <= {"mine"} else "plant"
        sites.append((place[site], kind, size, new, details))
    for site, group in plan.demand.groupby("market"):
        details, size = _market_details(group, years, product)
        sites.append((place[site], "market", size, old, details))
    return tuple(
        Site(
            at.site,
            kind,
            at.name,
            country.get(at.country, at.country),
            float(at.lon),
            float(at.lat),
            size,
            new,
            details,
        )
        for at, kind, size, new, details in sites
    )


def _hub_details(
    group: pd.DataFrame, years: Mapping[int, float]
) -> tuple[tuple[Detail, ...], tuple[float, ...], tuple[bool, ...]]:
    details, size, new = [], np.zeros(len(years)), np.zeros(len(years), dtype=bool)
    facilities = [rows for _, rows in group.groupby("facility")]
    for rows in sorted(facilities, key=lambda rows: _stage_rank(str(rows["stage"].iloc[0]))):
        by_period = rows.set_index("period").reindex(list(years))
        used = (by_period["throughput_t"].fillna(0.0) / np.array(list(years.values()))).to_numpy()
        capacity = by_period["capacity_t_yr"].fillna(0.0).to_numpy()
        is_new = bool(rows["is_new"].any())
        size += used
        new |= is_new & (capacity > 0)
        what = STAGE_WORDS[str(rows["stage"].iloc[0])] + (" (new)" if is_new else "")
        values = tuple(
            f"{u:,.0f} of {c:,.0f} t/yr" if c > 0 else "not yet" for u, c in zip(used, capacity, strict=True)
        )
        details.append(Detail(what, values))
    return tuple(details), tuple(short(v) for v in size), tuple(bool(v) for v in new)


def _stage_rank(stage: str) -> int:
    return list(STAGE_WORDS).index(stage)


def _market_details(
    group: pd.DataFrame, years: Mapping[int, float], product: Mapping[str, str]
) -> tuple[tuple[Detail, ...], tuple[float, ...]]:
    length = np.array(list(years.values()))
    details = []
    for what, rows in group.groupby("product"):
        by_period = rows.groupby("period")[["served_t", "demand_t"]].sum().reindex(list(years), fill_value=0.0)
        served, asked = by_period["served_t"].to_numpy() / length, by_period["demand_t"].to_numpy() / length
        values = tuple(
            f"{s:,.0f} of {a:,.0f} t/yr served" if a > 0 else "no demand" for s, a in zip(served, asked, strict=True)
        )
        details.append(Detail(product.get(str(what), str(what)), values))
    served = group.groupby("period")["served_t"].sum().reindex(list(years), fill_value=0.0).to_numpy() / length
    return tuple(details), tuple(short(v) for v in served)


def called_ports(flows: Sequence[Flow], tables: Tables, periods: int) -> tuple[Site, ...]:
    """Mark the ports where the flows call."""
    called = {port for flow in flows for port in flow.ports}
    rows = tables.ports[tables.ports["port"].isin(called)]
    return tuple(
        _still(row.port, "port", row.name, row, Detail("UN/LOCODE", (row.un_locode or "unknown",) * periods))
        for row in rows_of(rows)
    )


def barred_sites(access: Access, tables: Tables, periods: int) -> tuple[Site, ...]:
    """Ports, mines and plants that a rule bars although their country is not excluded."""
    closed = access.closed_ports
    sites = []
    for row in rows_of(tables.ports[tables.ports["port"].isin(list(closed))]):
        if row.country not in access.excluded:
            detail = Detail(f"barred: {closed[row.port]}", ("",) * periods)
            sites.append(_still(row.port, "barred", f"{row.name} (port)", row, detail))
    reasons = barred_places(access, tables)
    for row in rows_of(tables.sites[tables.sites["site"].isin(list(reasons))]):
        sites.append(_still(row.site, "barred", row.name, row, Detail(f"barred: {reasons[row.site]}", ("",) * periods)))
    return tuple(sites)


def _still(site: str, kind: str, name: str, place: Any, detail: Detail) -> Site:
    """Mark a place that is the same in every period."""
    idle, old = (0.0,) * len(detail.values), (False,) * len(detail.values)
    return Site(site, kind, name, place.country, float(place.lon), float(place.lat), idle, old, (detail,), True)


def barred_places(access: Access, tables: Tables) -> dict[str, str]:
    """Find what the rule on owners, or the scenario by name, bars outside excluded countries, with the reason."""
    country = dict(zip(tables.sites["site"], tables.sites["country"], strict=True))
    plant = {str(row.facility): row for row in rows_of(tables.facilities)}
    found: dict[str, list[str]] = {}
    for facility, reason in access.barred_facilities.items():
        site = str(plant[facility].site) if facility in plant else facility
        what = STAGE_WORDS[plant[facility].stage if facility in plant else "mine"]
        if country.get(site, "") not in access.excluded and ("owner" in reason or "kept closed" in reason):
            found.setdefault(site, []).append(f"{what}: {reason}")
    return {site: "; ".join(reasons) for site, reasons in found.items()}


def map_zones(tables: Tables, closed: frozenset[str]) -> tuple[Zone, ...]:
    """Mark every strait, canal, passage and sea area, closed or open."""
    zones = []
    for row in rows_of(tables.zones):
        shape = shapely.from_wkt(row.geometry_wkt)
        rings: tuple[str, ...] = ()
        if shape.geom_type in ("Polygon", "MultiPolygon"):
            parts = shapely.get_parts(shape)
            rings = tuple(
                encode(unwrap(xy[:, 0]), xy[:, 1]) for xy in (shapely.get_coordinates(part.exterior) for part in parts)
            )
            point = shape.representative_point()
        else:
            point = shape.interpolate(0.5, normalized=True)
        zones.append(
            Zone(row.zone, row.name, row.kind, row.zone in closed, round(point.x, 3), round(point.y, 3), rings)
        )
    return tuple(zones)


def country_tints(members: frozenset[str], excluded: frozenset[str]) -> dict[str, str]:
    """Say which countries take part, and which are kept out."""
    return {code: "excluded" if code in excluded else "member" for code in sorted(members | excluded)}
