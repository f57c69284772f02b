"""Voyages between ports over the sea alone.

A voyage begins and ends on an approach and never passes through a third port: an approach is drawn to the berth, and two of them
in a row could cross an isthmus.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from hubplan.errors import DataError, Fault
from hubplan.network.sea import Bools, Floats, Ints, SeaNetwork, densify


@dataclass(frozen=True)
class Voyage:
    """The shortest way by sea between two ports.

    Parameters
    ----------
    length_km
        Geodesic; infinite where the open lanes do not join the ports.
    lon, lat
        Turning points from berth to berth; empty where there is no way.
    zones
        Ids of the zones met, in the order of the network's columns.
    """

    length_km: float
    lon: Floats
    lat: Floats
    zones: tuple[str, ...]

    def draw(self) -> Floats:
        """Draw the way: points (n, 2) of its great circles, longitudes running on past +-180."""
        legs = [densify(*a, *b) for a, b in pairwise(self._turns())]
        line = np.vstack([leg if k == 0 else leg[1:] for k, leg in enumerate(legs)])
        line[:, 0] = np.unwrap(line[:, 0], period=360.0)
        return line

    def _turns(self) -> list[tuple[float, float]]:
        return list(zip(self.lon.tolist(), self.lat.tolist(), strict=True))


class Voyages:
    """All voyages that a set of closed zones leaves open.

    Parameters
    ----------
    sea
        The sea network.
    port_lon, port_lat
        Berths, in the order of ``sea.port``.
    closed
        Ids of zones no ship meets. A port inside a closed zone is not reached at all.

    Raises
    ------
    DataError
        A closed zone is not one of the network's.
    """

    def __init__(self, sea: SeaNetwork, port_lon: Floats, port_lat: Floats, *, closed: Collection[str] = ()) -> None:
        unknown = sorted(set(closed) - set(sea.zone))
        if unknown:
            fix = f"choose from {', '.join(sea.zone)}"
            raise DataError([Fault("closed", f"{zone!r} is not a zone at sea", fix) for zone in unknown])
        self._sea, self._lon, self._lat = sea, port_lon, port_lat
        column = [sea.zone.index(zone) for zone in sorted(closed)]
        shut = np.asarray(sea.port_in_zone[:, column].any(axis=1))
        self._lane = ~sea.crosses[:, column].any(axis=1)
        self._link = ~sea.link_crosses[:, column].any(axis=1) & ~shut[sea.link_port]
        self._graph = self._build()

    def measure_km(self, origins: Sequence[str]) -> Floats:
        """Length from each origin to every port, km: (origins, ports); infinite where there is no way."""
        nodes, ports = len(self._sea.node_lon), len(self._sea.port)
        start = [nodes + self._find(port) for port in origins]
        reach = dijkstra(self._graph, indices=np.array(start))[:, nodes + ports :]
        reach[np.arange(len(start)), np.array(start) - nodes] = 0.0
        return np.asarray(reach)

    def find(self, origin: str, destination: str) -> Voyage:
        """Find the shortest way between two ports."""
        nodes, ports = len(self._sea.node_lon), len(self._sea.port)
        start, end = nodes + self._find(origin), nodes + ports + self._find(destination)
        reach, back = dijkstra(self._graph, indices=np.array([start]), return_predecessors=True)
        reach, back = reach[0], back[0]
        if not np.isfinite(reach[end]):
            return Voyage(np.inf, np.empty(0), np.empty(0), ())
        way = [end]
        while way[-1] != start:
            way.append(int(back[way[-1]]))
        turns = np.array(way[::-1])
        lon = np.concatenate([self._sea.node_lon, self._lon, self._lon])[turns]
        lat = np.concatenate([self._sea.node_lat, self._lat, self._lat])[turns]
        met = np.zeros(len(self._sea.zone), dtype=bool)
        for a, b in pairwise(turns.tolist()):
            met |= self._zones_between(a, b)
        return Voyage(float(reach[end]), lon, lat, tuple(z for z, hit in zip(self._sea.zone, met, strict=True) if hit))

    def _build(self) -> csr_matrix:
        """Waypoints, then each port twice: once to leave from, once to arrive at."""
        sea, nodes, ports = self._sea, len(self._sea.node_lon), len(self._sea.port)
        port, node, link_km = sea.link_port[self._link], sea.link_node[self._link], sea.link_km[self._link]
        tail, head, km = sea.tail[self._lane], sea.head[self._lane], sea.length_km[self._lane]
        rows: Ints = np.concatenate([tail, head, port + nodes, node])
        cols: Ints = np.concatenate([head, tail, node, port + nodes + ports])
        size = nodes + 2 * ports
        return csr_matrix((np.concatenate([km, km, link_km, link_km]), (rows, cols)), shape=(size, size))

    def _zones_between(self, a: int, b: int) -> Bools:
        """Zones of the arc taken between two neighbouring places of a way."""
        sea, nodes, ports = self._sea, len(self._sea.node_lon), len(self._sea.port)
        if a < nodes and b < nodes:
            row = np.flatnonzero(((sea.tail == a) & (sea.head == b)) | ((sea.tail == b) & (sea.head == a)))
            return np.asarray(sea.crosses[row[0]])
        port, node = (a - nodes, b) if a >= nodes else (b - nodes - ports, a)
        row = np.flatnonzero((sea.link_port == port) & (sea.link_node == node))
        return np.asarray(sea.link_crosses[row[0]])

    def _find(self, port: str) -> int:
        if port not in self._sea.port:
            raise DataError([Fault("port", f"{port!r} is not a port of the sea network", "use an id of ports.csv")])
        return self._sea.port.index(port)
