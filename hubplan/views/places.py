"""Places on a map: mines, plants, markets, ports of call, what the rules bar, and the passages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import shapely

from hubplan.data.access import Access
from hubplan.data.frames import rows_of
from hubplan.data.tables import Tables
from hubplan.results.plan import Plan
from hubplan.views.mapspec import Detail, Site, Way, Zone
from hubplan.views.polyline import encode, unwrap
from hubplan.views.tables import country_names, product_names
from hubplan.views.ways import short
from hubplan.views.words import STAGE_WORDS


def plan_sites(plan: Plan, tables: Tables, years: Mapping[int, float]) -> tuple[Site, ...]:
    """Mark the mines, plants and markets of a plan; `years` is the length of each period."""
    product, country = product_names(tables), country_names(tables)
    place = {str(row.site): row for row in rows_of(plan.sites)}
    plants: dict[str, dict[str, dict[int, Any]]] = {}
    for row in rows_of(plan.hubs):
        plants.setdefault(row.site, {}).setdefault(row.facility, {})[row.period] = row
    markets: dict[str, dict[str, dict[int, list[float]]]] = {}
    for row in rows_of(plan.demand):
        told = markets.setdefault(row.market, {}).setdefault(row.product, {}).setdefault(row.period, [0.0, 0.0])
        told[0] += row.served_t / years[row.period]
        told[1] += row.demand_t / years[row.period]
    marks = [(site, *_plant(facilities, years)) for site, facilities in sorted(plants.items())]
    marks += [(site, *_market(products, years, product)) for site, products in sorted(markets.items())]
    return tuple(
        Site(
            id=site,
            kind=kind,
            name=str(place[site].name),
            country=country.get(place[site].country, place[site].country),
            lon=float(place[site].lon),
            lat=float(place[site].lat),
            size_t_yr=size,
            new=new,
            details=details,
        )
        for site, kind, size, new, details in marks
    )


Look = tuple[str, tuple[float, ...], tuple[bool, ...], tuple[Detail, ...]]


def _plant(facilities: Mapping[str, Mapping[int, Any]], years: Mapping[int, float]) -> Look:
    """Tell of the facilities of one site: kind, tonnes a year through all of them, whether any is new, and each in turn."""
    rank = list(STAGE_WORDS)
    details, size, new, stages = [], dict.fromkeys(years, 0.0), dict.fromkeys(years, False), set()
    rows = [facilities[name] for name in sorted(facilities)]
    for by_period in sorted(rows, key=lambda found: rank.index(next(iter(found.values())).stage)):
        first = next(iter(by_period.values()))
        is_new = any(row.is_new for row in by_period.values())
        used = {p: by_period[p].throughput_t / n if p in by_period else 0.0 for p, n in years.items()}
        room = {p: by_period[p].capacity_t_yr if p in by_period else 0.0 for p in years}
        for period in years:
            size[period] += used[period]
            new[period] |= is_new and room[period] > 0
        stages.add(first.stage)
        what = STAGE_WORDS[first.stage] + (" (new)" if is_new else "")
        details.append(Detail(what, _rounded(used.values()), _rounded(room.values()), "not yet"))
    kind = "mine" if stages == {"mine"} else "plant"
    return kind, _rounded(size.values()), tuple(new.values()), tuple(details)


def _market(
    products: Mapping[str, Mapping[int, Sequence[float]]], years: Mapping[int, float], names: Mapping[str, str]
) -> Look:
    """Tell of one market: what is served of what is asked for, by product."""
    nothing = (0.0, 0.0)
    details = [
        Detail(
            f"{names[what]} served",
            _rounded(told.get(period, nothing)[0] for period in years),
            _rounded(told.get(period, nothing)[1] for period in years),
            "no demand",
        )
        for what, told in sorted(products.items())
    ]
    size = _rounded(sum(told.get(period, nothing)[0] for told in products.values()) for period in years)
    return "market", size, (False,) * len(years), tuple(details)


def _rounded(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(short(value) for value in values)


def called_ports(ways: Sequence[Way], tables: Tables, periods: int) -> tuple[Site, ...]:
    """Mark the ports of call."""
    called = {port for way in ways for port in way.ports}
    rows = tables.ports[tables.ports["port"].isin(called)]
    return tuple(
        _still(row.port, "port", row.name, row, Detail(f"UN/LOCODE {row.un_locode or 'unknown'}"), periods)
        for row in rows_of(rows)
    )


def barred_sites(access: Access, tables: Tables, periods: int) -> tuple[Site, ...]:
    """Ports, mines and plants that a rule bars although their country is not excluded."""
    closed = access.closed_ports
    sites = []
    for row in rows_of(tables.ports[tables.ports["port"].isin(list(closed))]):
        if row.country not in access.excluded:
            sites.append(_still(row.port, "barred", f"{row.name} (port)", row, Detail(closed[row.port]), periods))
    reasons = barred_places(access, tables)
    for row in rows_of(tables.sites[tables.sites["site"].isin(list(reasons))]):
        sites.append(_still(row.site, "barred", row.name, row, Detail(reasons[row.site]), periods))
    return tuple(sites)


def _still(site: str, kind: str, name: str, place: Any, detail: Detail, periods: int) -> Site:
    """Mark a place that is the same in every period."""
    idle, old = (0.0,) * periods, (False,) * periods
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
