"""Routes: the ways a scenario leaves open between all sites, one row per origin, destination and ware."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import pandas as pd

from hubplan.data.access import Access, resolve_access
from hubplan.data.scenario import Scenario
from hubplan.data.tables import Tables
from hubplan.errors import DataError, Fault
from hubplan.network.assemble import Network
from hubplan.routing.columns import columns
from hubplan.routing.cost import WARES, arc_surcharge_usd_t
from hubplan.routing.graph import open_arcs
from hubplan.routing.groundwork import lay_groundwork
from hubplan.routing.land import Measures
from hubplan.routing.legs import Path, draw_legs, legs_table, lines_table, tell_legs
from hubplan.routing.matrix import Ways, find_ways
from hubplan.routing.retrace import Retrace


@dataclass(frozen=True)
class Routes:
    """Cheapest open routes between sites.

    Parameters
    ----------
    table
        One row per ordered pair that is joined, and ware; a pair that is cut off has no row. Columns: ``route``
        (``origin--destination--ware``), ``origin``, ``destination``, ``ware``, ``usd_t`` (freight: haul, transfers, handling,
        tolls), ``hours``, ``days``, ``length_km``, ``generalised_usd_t`` (what was minimised: freight, capital tied up,
        surcharges).
    access, year
        What was open.
    """

    table: pd.DataFrame
    access: Access
    year: int
    _network: Network = field(repr=False)
    _measures: Measures = field(repr=False)
    _retrace: Mapping[str, Retrace] = field(repr=False)
    _told: dict[str, list[dict[str, object]]] = field(
        default_factory=dict, repr=False, compare=False
    )  # legs, once worked out

    def legs(self, route_ids: Iterable[str]) -> pd.DataFrame:
        """Legs of some routes, in the order asked: columns of legs.csv, ``gauge`` and ``assumed_km``.

        Raises
        ------
        DataError
            An id that is no open route.
        """
        wanted = list(dict.fromkeys(route_ids))
        for route, (origin, destination, path) in self._paths(r for r in wanted if r not in self._told).items():
            self._told[route] = tell_legs(
                self._network, path, self._measures, route=route, origin=origin, destination=destination
            )
        return legs_table([leg for route in wanted for leg in self._told[route]])

    def lines(self, route_ids: Iterable[str]) -> gpd.GeoDataFrame:
        """Lines of the legs of some routes: ``route``, ``leg``, ``mode``, ``geometry`` (longitudes run on past +-180)."""
        rows = []
        for route, (origin, destination, path) in self._paths(route_ids).items():
            rows += draw_legs(self._network, path, route=route, origin=origin, destination=destination)
        return lines_table(rows)

    def passages(self, route_ids: Iterable[str]) -> pd.DataFrame:
        """What some routes pass: one row per route with frozensets ``zones``, ``countries``, ``ports``."""
        legs = self.legs(route_ids)
        rows = []
        for route, group in legs.groupby("route", sort=False):
            sets = [
                frozenset(name for cell in group[column] for name in cell.split(";") if name)
                for column in ("chokepoints", "countries", "ports")
            ]
            rows.append((route, *sets))
        return pd.DataFrame(rows, columns=["route", "zones", "countries", "ports"])

    def paths(self, route_ids: Iterable[str]) -> dict[str, Path]:
        """Nodes and arcs of some routes, by id."""
        return {route: path for route, (_, _, path) in self._paths(route_ids).items()}

    def _paths(self, route_ids: Iterable[str]) -> dict[str, tuple[str, str, Path]]:
        wanted = list(dict.fromkeys(route_ids))
        known = set(self.table["route"])
        missing = [route for route in wanted if route not in known]
        if missing:
            found = f"{len(missing)} ids are no open route; the first is '{missing[0]}'"
            raise DataError([Fault("routes", found, "ask for ids of the table's column route")])
        order = {site: index for index, site in enumerate(columns(self._network).sites)}
        told: dict[str, tuple[str, str, Path]] = {}
        for ware, retrace in self._retrace.items():
            ends = {route: route.split("--") for route in wanted}
            own = [route for route in wanted if ends[route][2] == ware]
            paths = retrace.paths([(order[ends[route][0]], order[ends[route][1]]) for route in own])
            told |= {route: (ends[route][0], ends[route][1], path) for route, path in zip(own, paths, strict=True)}
        return {route: told[route] for route in wanted}


def find_routes(
    network: Network, tables: Tables, scenario: Scenario, *, access: Access | None = None, year: int | None = None
) -> Routes:
    """Find the cheapest open routes between all sites for both wares.

    Parameters
    ----------
    access
        What the scenario leaves open; worked out from it when not given.
    year
        Links that open later are absent; the first year of the horizon when not given.

    Returns
    -------
    Routes
        Sites in excluded countries have none. Paths are worked out only when legs or lines are asked for.

    Raises
    ------
    DataError
        The scenario names something unknown, or the network lacks a zone that it closes.
    """
    access = resolve_access(scenario, tables) if access is None else access
    year = scenario.horizon.years[0] if year is None else year
    groundwork = lay_groundwork(network, tables, modes=access.modes)
    usable = open_arcs(network, access, year=year)
    extra = arc_surcharge_usd_t(network, tables, scenario.routes.surcharge_usd_t)
    ways = {
        ware: find_ways(network, groundwork=groundwork, access=access, usable=usable, extra=extra, ware=ware)
        for ware in WARES
    }
    table = pd.concat([_rows(network, found, access, ware) for ware, found in ways.items()], ignore_index=True)
    retrace = {
        ware: Retrace(network, found, cost_usd_t=groundwork.cost_usd_t[ware] + extra, usable=usable)
        for ware, found in ways.items()
    }
    return Routes(table, access, year, network, groundwork.measures, retrace)


def _rows(network: Network, ways: Ways, access: Access, ware: str) -> pd.DataFrame:
    """One row per joined pair of sites outside excluded countries."""
    at = columns(network)
    names = np.array(list(at.sites), dtype=object)
    allowed = np.array([country not in access.excluded for country in at.country[list(at.sites.values())]], dtype=bool)
    joined = np.isfinite(ways.cost_usd_t) & allowed[:, None] & allowed[None, :]
    np.fill_diagonal(joined, False)
    origin, destination = np.nonzero(joined)
    freight, hours, length_km = (total[origin, destination] for total in ways.measure())
    return pd.DataFrame(
        {
            "route": names[origin] + "--" + names[destination] + f"--{ware}",
            "origin": names[origin],
            "destination": names[destination],
            "ware": ware,
            "usd_t": freight,
            "hours": hours,
            "days": hours / 24.0,
            "length_km": length_km,
            "generalised_usd_t": ways.cost_usd_t[origin, destination],
        }
    )
