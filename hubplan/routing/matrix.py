"""All sites to all sites under one scenario: land ways and sea ways joined at the ports."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.sparse.csgraph import floyd_warshall

from hubplan.data.access import Access
from hubplan.network.assemble import Network
from hubplan.routing.columns import columns
from hubplan.routing.groundwork import Groundwork
from hubplan.routing.land import LandWays, Measures, find_land_ways
from hubplan.routing.lanes import SeaWays, change_sea_ways, find_sea_ways

_DIRECT = -1


@dataclass(frozen=True)
class Hops:
    """One journey as hops between terminals: sites by order, ports by order after the sites."""

    by_sea: tuple[bool, ...]
    terminals: tuple[int, ...]


@dataclass(frozen=True)
class Ways:
    """Cheapest ways between all sites for one ware.

    Parameters
    ----------
    cost_usd_t
        Sites x sites; inf where nothing open joins two.
    first_port, last_port
        Port (by order) where the journey leaves land for the first and regains it for the last time; -1 when it is all by land.
    before_port
        Ports x ports: the port before the last on the cheapest way between two ports.
    sea_hop
        Ports x ports: the direct hop between two ports is by sea, else by land.
    """

    cost_usd_t: np.ndarray
    first_port: np.ndarray
    last_port: np.ndarray
    before_port: np.ndarray
    sea_hop: np.ndarray
    land: LandWays
    sea: SeaWays

    def hops(self, origin: int, destination: int) -> Hops:
        """Split the journey between two sites (by order) into hops."""
        n_sites = len(self.cost_usd_t)
        first, last = int(self.first_port[origin, destination]), int(self.last_port[origin, destination])
        if first == _DIRECT:
            return Hops((False,), (origin, destination))
        ports = [last]
        while ports[-1] != first:
            ports.append(int(self.before_port[first, ports[-1]]))
        ports.reverse()
        by_sea = [bool(self.sea_hop[a, b]) for a, b in pairwise(ports)]
        return Hops((False, *by_sea, False), (origin, *(n_sites + port for port in ports), destination))

    def measure(self) -> Measures:
        """Freight, hours and km between all sites; nan where there is no way."""
        n_sites = len(self.cost_usd_t)
        totals = tuple(np.full(self.cost_usd_t.shape, np.nan) for _ in range(3))
        origin, destination = np.nonzero(np.isfinite(self.cost_usd_t))
        first, last = self.first_port[origin, destination], self.last_port[origin, destination]
        direct = first == _DIRECT
        pieces = [(np.flatnonzero(direct), origin[direct], destination[direct])]
        rest = np.flatnonzero(~direct)
        pieces += [(rest, origin[rest], first[rest] + n_sites), (rest, destination[rest], last[rest] + n_sites)]
        sums = [np.zeros(len(origin)) for _ in range(3)]
        at = last.copy()
        while len(rest := rest[at[rest] != first[rest]]):
            previous = self.before_port[first[rest], at[rest]]
            by_sea = self.sea_hop[previous, at[rest]]
            hop = rest[by_sea]
            for total, value in zip(sums, (self.sea.freight_usd_t, self.sea.hours, self.sea.length_km), strict=True):
                total[hop] += value[previous[by_sea], at[hop]]
            pieces.append((rest[~by_sea], previous[~by_sea] + n_sites, at[rest[~by_sea]] + n_sites))
            at[rest] = previous
        self._add_land(pieces, sums)
        for table, total in zip(totals, sums, strict=True):
            table[origin, destination] = total
        return totals[0], totals[1], totals[2]

    def _add_land(self, pieces: list[tuple[np.ndarray, np.ndarray, np.ndarray]], sums: list[np.ndarray]) -> None:
        """Add the land hops to the sums, each distinct hop measured once."""
        which = np.concatenate([piece[0] for piece in pieces])
        n = len(self.land.cost_usd_t)
        code = np.concatenate([piece[1] for piece in pieces]) * n + np.concatenate([piece[2] for piece in pieces])
        distinct, back = np.unique(code, return_inverse=True)
        for total, value in zip(sums, self.land.measure(distinct // n, distinct % n), strict=True):
            np.add.at(total, which, value[back])


def find_ways(
    network: Network, *, groundwork: Groundwork, access: Access, usable: np.ndarray, extra: np.ndarray, ware: str
) -> Ways:
    """Find the cheapest ways between all sites for one ware under a scenario.

    Parameters
    ----------
    usable, extra
        By arc: left open by ``access``; surcharges in USD/t.

    Notes
    -----
    Exact: a journey is land to a port, any chain of sea and land hops between ports (closed by Floyd-Warshall), land to the
    destination; or land alone.
    """
    fold = groundwork.fold[ware]
    land = find_land_ways(network, fold, usable=usable, excluded=access.excluded, surcharge_usd_t=extra)
    sea = _sea_ways(network, groundwork=groundwork, access=access, usable=usable, extra=extra, ware=ware)
    return join_ways(land, sea)


def _sea_ways(
    network: Network, *, groundwork: Groundwork, access: Access, usable: np.ndarray, extra: np.ndarray, ware: str
) -> SeaWays:
    cost = groundwork.cost_usd_t[ware] + extra
    if (
        not groundwork.base_closed <= access.closed
    ):  # something closed by default is open, so the base ways may be too dear
        return find_sea_ways(network, cost, measures=groundwork.measures, usable=usable)
    base = groundwork.sea[ware]
    called = np.zeros(len(base.cost_usd_t), dtype=bool)
    called[groundwork.call_port[usable[groundwork.call_arc]]] = True
    repriced = np.zeros(len(base.cost_usd_t), dtype=bool)
    repriced[groundwork.call_port[extra[groundwork.call_arc] > 0]] = True
    lost_some = groundwork.call_port[~usable[groundwork.call_arc]]
    repriced[lost_some] |= called[lost_some]  # one of a port's several ways to sea is closed
    at_sea = columns(network).any_mode("sea")
    priced = at_sea & (extra > 0)
    changed = np.zeros(len(network.zones) + 1, dtype=bool)
    newly = access.closed - groundwork.base_closed
    changed[:-1] = [zone in newly for zone in network.zones]
    changed[:-1] |= network.crosses[priced].any(axis=0)
    changed[-1] = bool((at_sea & (columns(network).opens_year > 0) & (priced | ~usable)).any())
    return change_sea_ways(
        base,
        network,
        cost,
        measures=groundwork.measures,
        usable=usable,
        changed=changed,
        ports=called,
        repriced=repriced,
    )


def join_ways(land: LandWays, sea: SeaWays) -> Ways:
    """Join land and sea ways at the ports."""
    n_sites = land.fold.n_sites
    site_site, site_port = land.cost_usd_t[:n_sites, :n_sites], land.cost_usd_t[:n_sites, n_sites:]
    port_port = land.cost_usd_t[n_sites:, n_sites:]
    sea_hop = sea.cost_usd_t < port_port
    hop, before = floyd_warshall(np.where(sea_hop, sea.cost_usd_t, port_port), directed=True, return_predecessors=True)
    np.fill_diagonal(hop, 0.0)
    to_last, first = _min_plus(site_port, hop)
    total, last = _min_plus(to_last, site_port.T)
    by_land = site_site <= total
    cost = np.where(by_land, site_site, total)
    rows = np.arange(n_sites)[:, None]
    first_port = np.where(by_land, _DIRECT, first[rows, last])
    return Ways(cost, first_port, np.where(by_land, _DIRECT, last), before, sea_hop, land, sea)


def _min_plus(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """min over k of a[i, k] + b[k, j], and the first k that gives it."""
    best = np.empty((a.shape[0], b.shape[1]))
    which = np.zeros(best.shape, dtype=np.int64)
    across = np.ascontiguousarray(b.T)
    for i, row in enumerate(a):
        sums = across + row
        which[i] = np.argmin(sums, axis=1)
        best[i] = sums[np.arange(len(across)), which[i]]
    return best, which
