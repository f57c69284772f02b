"""The cheapest open way between two places, ways that differ from it, and what cuts two places off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely.geometry import LineString

from hubplan.data.access import Access
from hubplan.data.tables import Tables
from hubplan.errors import NoRouteError
from hubplan.network.assemble import Network
from hubplan.routing.columns import columns
from hubplan.routing.cost import arc_freight_usd_t, arc_hours, arc_surcharge_usd_t, hour_usd_t, transport_value
from hubplan.routing.cuts import explain_cut
from hubplan.routing.graph import NOWHERE, Graph, Steps, build_graph, find_steps, open_arcs
from hubplan.routing.land import Measures
from hubplan.routing.legs import Path, draw_legs, legs_table, lines_table, tell_legs
from hubplan.routing.places import Place, resolve_place


@dataclass(frozen=True)
class Journey:
    """One way between two places, and its bill.

    Parameters
    ----------
    legs
        Columns of legs.csv; a way to or from a point is a road leg of assumed length.
    arcs
        One row per arc in order of travel: ``arc`` (-1 for the way to a point), ``mode``, ``length_km``, ``hours``,
        ``cost_usd_t`` (freight), ``generalised_usd_t``, ``lon`` and ``lat`` of its end.
    lines
        The legs, drawn.
    cost_usd_t, generalised_usd_t, hours, length_km
        Totals; the generalised cost adds capital tied up and surcharges to the freight.
    """

    origin: Place
    destination: Place
    ware: str
    legs: pd.DataFrame
    arcs: pd.DataFrame
    lines: gpd.GeoDataFrame
    cost_usd_t: float
    generalised_usd_t: float
    hours: float
    length_km: float


@dataclass(frozen=True)
class Prices:
    """Cost of each arc for one ware under one scenario, and of the last mile to a point."""

    measures: Measures
    cost_usd_t: np.ndarray
    hour_usd_t: float
    road_usd_tkm: float
    road_kmh: float


def price_arcs(
    network: Network, tables: Tables, *, ware: str, surcharge_usd_t: Mapping[str, float] = MappingProxyType({})
) -> Prices:
    """Price the arcs of a network."""
    measures = (arc_freight_usd_t(network, tables), arc_hours(network), columns(network).length_km)
    hourly = hour_usd_t(tables, ware=ware)
    cost = measures[0] + measures[1] * hourly + arc_surcharge_usd_t(network, tables, surcharge_usd_t)
    return Prices(measures, cost, hourly, transport_value(tables, "road_usd_tkm"), transport_value(tables, "road_kmh"))


@dataclass(frozen=True)
class Field:
    """The open network as a graph for searches towards one destination."""

    graph: Graph
    steps: Steps
    destination: int

    def search(self, origin: int, *, limit_usd_t: float = np.inf) -> Path | None:
        """Cheapest path from a node, None where there is none at up to the limit."""
        if origin == self.destination:
            return Path(np.array([origin], dtype=np.int64), np.zeros(0, dtype=np.int64))
        _, before = self.graph.search([origin], limit=limit_usd_t)
        if before[0, self.destination] == NOWHERE:
            return None
        nodes, arcs = self.graph.steps_to(before[0], self.destination)
        return Path(self.steps.network_nodes(nodes), arcs)

    def reprice(self, cost_usd_t: np.ndarray) -> Field:
        """The same steps at other costs by arc; inf closes an arc."""
        return replace(self, graph=self.graph.reprice(cost_usd_t))


def build_field(network: Network, cost_usd_t: np.ndarray, *, usable: np.ndarray, destination: int) -> Field:
    """Build the graph of the open arcs. Cargo passes through no third site, and ships pass through no port's offing."""
    steps = find_steps(network, np.flatnonzero(usable))
    barred = np.zeros(steps.n_nodes, dtype=bool)
    barred[list(columns(network).sites.values())] = True
    barred[destination] = False
    on = ~barred[steps.head]
    graph = build_graph(steps.n_nodes, cost_usd_t, tail=steps.tail[on], head=steps.head[on], arc=steps.arc[on])
    return Field(graph, steps, destination)


def find_path(
    network: Network,
    tables: Tables,
    origin: str,
    destination: str,
    access: Access,
    *,
    ware: str,
    year: int,
    surcharge_usd_t: Mapping[str, float] = MappingProxyType({}),
) -> pd.DataFrame:
    """Find the cheapest open way from one place to another.

    Parameters
    ----------
    origin, destination
        Site, alias, port, UN/LOCODE or ``lat,lon``.
    access
        What is open.
    ware
        ``bulk`` or ``value``.
    year
        Links that open later are absent.

    Returns
    -------
    DataFrame
        One row per arc in order of travel; see `Journey`.

    Raises
    ------
    NoRouteError
        Nothing open connects the two; names what cuts them off and the cheapest relaxation.

    Notes
    -----
    Dijkstra (1959), doi:10.1007/BF01386390.
    """
    return find_journey(
        network, tables, origin, destination, access, ware=ware, year=year, surcharge_usd_t=surcharge_usd_t
    ).arcs


def find_journey(
    network: Network,
    tables: Tables,
    origin: str,
    destination: str,
    access: Access,
    *,
    ware: str,
    year: int,
    surcharge_usd_t: Mapping[str, float] = MappingProxyType({}),
) -> Journey:
    """Find the cheapest open way between two places, with its legs, lines and bill; arguments as `find_path`."""
    start = resolve_place(origin, tables, network, modes=access.modes)
    end = resolve_place(destination, tables, network, modes=access.modes)
    prices = price_arcs(network, tables, ware=ware, surcharge_usd_t=surcharge_usd_t)
    usable = open_arcs(network, access, year=year)
    path = build_field(network, prices.cost_usd_t, usable=usable, destination=end.node).search(start.node)
    if path is None:
        raise no_route(network, prices, start, end, access, year=year)
    return tell_journey(network, path, prices, origin=start, destination=end, ware=ware)


def no_route(
    network: Network, prices: Prices, origin: Place, destination: Place, access: Access, *, year: int
) -> NoRouteError:
    """Build the error that says what cuts two places off."""

    def cheapest(usable: np.ndarray) -> tuple[float, float] | None:
        path = build_field(network, prices.cost_usd_t, usable=usable, destination=destination.node).search(origin.node)
        return (
            None
            if path is None
            else (float(prices.cost_usd_t[path.arcs].sum()), float(prices.measures[0][path.arcs].sum()))
        )

    faults = explain_cut(network, origin.node, destination.node, access, year=year, cheapest=cheapest)
    return NoRouteError(faults, f"no open route from {origin.name} to {destination.name}")


def tell_journey(
    network: Network, path: Path, prices: Prices, *, origin: Place, destination: Place, ware: str
) -> Journey:
    """Turn a path into a journey."""
    route = f"{origin.id}--{destination.id}--{ware}"
    names = [_end_name(network, place) for place in (origin, destination)]
    told = tell_legs(network, path, prices.measures, route=route, origin=names[0], destination=names[1])
    drawn = draw_legs(network, path, route=route, origin=names[0], destination=names[1])
    arcs = _arc_rows(network, path, prices)
    for place, first in ((origin, True), (destination, False)):
        if place.access_km > 0:
            leg, line, row = _last_mile(network, place, prices, route=route, outward=first)
            told, drawn = ([leg, *told], [line, *drawn]) if first else ([*told, leg], [*drawn, line])
            arcs = pd.concat([row, arcs] if first else [arcs, row], ignore_index=True)
    legs = legs_table(told).assign(leg=range(1, len(told) + 1))
    lines = lines_table(drawn).assign(leg=range(1, len(drawn) + 1))
    total = {name: float(arcs[name].sum()) for name in ("cost_usd_t", "generalised_usd_t", "hours", "length_km")}
    return Journey(origin, destination, ware, legs, arcs, lines, **total)


def _end_name(network: Network, place: Place) -> str:
    return place.id if place.kind != "point" else str(network.nodes["ref"].iloc[place.node]) or "nearest road"


def _arc_rows(network: Network, path: Path, prices: Prices) -> pd.DataFrame:
    at = columns(network)
    return pd.DataFrame(
        {
            "arc": path.arcs,
            "mode": at.mode[path.arcs],
            "length_km": prices.measures[2][path.arcs],
            "hours": prices.measures[1][path.arcs],
            "cost_usd_t": prices.measures[0][path.arcs],
            "generalised_usd_t": prices.cost_usd_t[path.arcs],
            "lon": at.lon[path.nodes[1:]],
            "lat": at.lat[path.nodes[1:]],
        }
    )


def _last_mile(
    network: Network, place: Place, prices: Prices, *, route: str, outward: bool
) -> tuple[dict[str, object], dict[str, object], pd.DataFrame]:
    """Leg, line and arc row between a point and its node: a road of assumed length."""
    node = network.nodes.iloc[place.node]
    km = place.access_km
    hours, cost = km / prices.road_kmh, km * prices.road_usd_tkm
    here, there = place.id, _end_name(network, place)
    ends_lonlat = [(place.lon, place.lat), (float(node["lon"]), float(node["lat"]))]
    if not outward:
        here, there, ends_lonlat = there, here, ends_lonlat[::-1]
    leg: dict[str, object] = {
        "route": route,
        "leg": 0,
        "mode": "road",
        "from": here,
        "to": there,
        "length_km": km,
        "hours": hours,
        "cost_usd_t": cost,
        "countries": str(node["country"]),
        "chokepoints": "",
        "ports": "",
        "gauge": "",
        "assumed_km": km,
    }
    line: dict[str, object] = {"route": route, "leg": 0, "mode": "road", "geometry": LineString(ends_lonlat)}
    row = pd.DataFrame(
        [
            {
                "arc": -1,
                "mode": "access",
                "length_km": km,
                "hours": hours,
                "cost_usd_t": cost,
                "generalised_usd_t": cost + hours * prices.hour_usd_t,
                "lon": ends_lonlat[1][0],
                "lat": ends_lonlat[1][1],
            }
        ]
    )
    return leg, line, row
