"""Which arcs a scenario leaves open, and open arcs as a searchable graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from hubplan.data.access import Access
from hubplan.data.scenario import MODES
from hubplan.errors import DataError, Fault
from hubplan.network.assemble import Network
from hubplan.routing.columns import columns
from hubplan.routing.cost import SEA_MODES

NOWHERE = -9999
"""What scipy writes as the predecessor of a source or of a place that cannot be reached."""


@dataclass(frozen=True)
class Cut:
    """One rule of a scenario, and the arcs it takes away.

    Parameters
    ----------
    kind
        ``zone``, ``country``, ``port``, ``mode`` or ``year``.
    id
        Zone, ISO 3166-1 alpha-3, port, mode or year.
    reason
        For a reader.
    arcs
        bool by arc.
    """

    kind: str
    id: str
    reason: str
    arcs: np.ndarray


def find_cuts(network: Network, access: Access, *, year: int) -> list[Cut]:
    """List what a scenario takes away, one entry per rule that touches the network.

    An excluded country loses every land arc and port call with an end in it; passing its coast, straits or canals at sea is a
    matter of zones. Access links stay open whatever the modes: they stand for a site's first and last mile.

    Raises
    ------
    DataError
        A closed zone that the network does not carry: it could not be avoided.
    """
    unknown = sorted(access.closed - set(network.zones))
    if unknown:
        fix = "rebuild the network with these zones, or remove them from routes.closed"
        raise DataError([Fault("routes.closed", f"the network has no zone {', '.join(unknown)}", fix)])
    at = columns(network)
    column_of = {zone: network.crosses[:, number] for number, zone in enumerate(network.zones)}
    cuts = [Cut("zone", zone, f"{zone} is closed", column_of[zone]) for zone in sorted(access.closed)]
    ashore = ~at.any_mode("sea")
    for code in sorted(access.excluded):
        within = at.country == code
        cuts.append(Cut("country", code, f"{code} is excluded", (within[at.tail] | within[at.head]) & ashore))
    calls = np.flatnonzero(at.any_mode("port"))
    for port, reason in sorted(access.closed_ports.items()):
        node = at.ports.get(port)
        if node is None or (at.country[node] in access.excluded and reason == f"{at.country[node]} is excluded"):
            continue  # not in the network, or closed with its country
        gone = np.zeros(len(at.tail), dtype=bool)
        gone[calls[(at.tail[calls] == node) | (at.head[calls] == node)]] = True
        cuts.append(Cut("port", port, reason, gone))
    for name in MODES:
        if name not in access.modes:
            gone = at.any_mode(*SEA_MODES) if name == "sea" else at.any_mode(name)
            cuts.append(Cut("mode", name, f"{name} is not among the modes", gone))
    for opening in np.unique(at.opens_year[at.opens_year > year]).tolist():
        cuts.append(Cut("year", str(opening), f"opens in {opening}, after {year}", at.opens_year == opening))
    return [cut for cut in cuts if cut.arcs.any()]


def open_arcs(network: Network, access: Access, *, year: int) -> np.ndarray:
    """Mark the arcs that every rule of a scenario leaves open, bool by arc."""
    closed = np.zeros(len(network.arcs), dtype=bool)
    for cut in find_cuts(network, access, year=year):
        closed |= cut.arcs
    return ~closed


@dataclass(frozen=True)
class Graph:
    """Directed steps as compressed sparse rows, at most one (the cheapest) from one node to another.

    Parameters
    ----------
    matrix
        Cost of each step, USD/t; a zero is a step that costs nothing, inf one that is closed.
    key
        ``tail x n + head`` of each step, rising.
    arc
        Network arc of each step.
    every, start
        Arcs of all steps, parallel ones included, by key; and where those of each step of the matrix begin.
    """

    matrix: csr_array
    key: np.ndarray
    arc: np.ndarray
    every: np.ndarray
    start: np.ndarray

    def search(self, sources: Sequence[int] | np.ndarray, *, limit: float = np.inf) -> tuple[np.ndarray, np.ndarray]:
        """Cost from each source to every node (inf where unreachable), and the node before it on the way.

        Notes
        -----
        Dijkstra (1959), doi:10.1007/BF01386390, as in `scipy.sparse.csgraph.dijkstra`.
        """
        indices = np.asarray(sources)
        cost, before = dijkstra(self.matrix, directed=True, indices=indices, return_predecessors=True, limit=limit)
        return cost, before

    def steps_to(self, before: np.ndarray, target: int) -> tuple[np.ndarray, np.ndarray]:
        """Nodes and arcs from the source of one search to a target, in order of travel (n + 1 nodes, n arcs)."""
        nodes = [target]
        while (node := int(before[nodes[-1]])) != NOWHERE:
            nodes.append(node)
        path = np.array(nodes[::-1], dtype=np.int64)
        return path, self.arcs_between(path[:-1], path[1:])

    def arcs_between(self, tail: np.ndarray, head: np.ndarray) -> np.ndarray:
        """Arc of each step; the steps must exist."""
        found: np.ndarray = self.arc[np.searchsorted(self.key, tail * np.int64(self.matrix.shape[0]) + head)]
        return found

    def reprice(self, cost_usd_t: np.ndarray) -> Graph:
        """The same steps at other costs by arc."""
        arc = _cheapest(self.every, self.start, cost_usd_t)
        matrix = csr_array((cost_usd_t[arc], self.matrix.indices, self.matrix.indptr), shape=self.matrix.shape)
        return Graph(matrix, self.key, arc, self.every, self.start)


def build_graph(n_nodes: int, cost_usd_t: np.ndarray, *, tail: np.ndarray, head: np.ndarray, arc: np.ndarray) -> Graph:
    """Build a graph from directed steps; of parallel steps the cheapest stays (the lowest arc on a tie).

    Parameters
    ----------
    cost_usd_t
        By arc.
    tail, head, arc
        Of each step.
    """
    key = tail.astype(np.int64) * n_nodes + head
    order = np.lexsort((arc, key))
    key, every = key[order], arc[order]
    first = np.ones(len(key), dtype=bool)
    first[1:] = key[1:] != key[:-1]
    start, key = np.flatnonzero(first), key[first]
    row_start = np.zeros(n_nodes + 1, dtype=np.int32)
    np.cumsum(np.bincount(key // n_nodes, minlength=n_nodes), out=row_start[1:])
    kept = _cheapest(every, start, cost_usd_t)
    matrix = csr_array((cost_usd_t[kept], (key % n_nodes).astype(np.int32), row_start), shape=(n_nodes, n_nodes))
    return Graph(matrix, key, kept, every, start)


def _cheapest(every: np.ndarray, start: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """Cheapest arc of each group of parallel ones."""
    size = np.diff(np.append(start, len(every)))
    kept: np.ndarray = every[start].copy()
    for extra in range(1, int(size.max(initial=0))):
        group = np.flatnonzero(size > extra)
        rival = every[start[group] + extra]
        better = cost[rival] < cost[kept[group]]
        kept[group[better]] = rival[better]
    return kept


@dataclass(frozen=True)
class Steps:
    """Directed steps over arcs; nodes from ``n_network`` on stand for a port's offing as it is reached from sea.

    Parameters
    ----------
    tail, head
        Nodes.
    arc
        Network arc of each step.
    twin
        Offing node that each extra node stands for.
    n_network
        Number of nodes of the network.
    """

    tail: np.ndarray
    head: np.ndarray
    arc: np.ndarray
    twin: np.ndarray
    n_network: int

    @property
    def n_nodes(self) -> int:
        """Number of nodes, extra ones included."""
        return self.n_network + len(self.twin)

    def network_nodes(self, nodes: np.ndarray) -> np.ndarray:
        """Replace extra nodes by the offing they stand for."""
        plain = nodes.copy()
        extra = nodes >= self.n_network
        plain[extra] = self.twin[nodes[extra] - self.n_network]
        return plain


def both_ways(tail: np.ndarray, head: np.ndarray, arc: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Turn links into steps there and back: tail, head and arc of each step."""
    return np.concatenate([tail, head]), np.concatenate([head, tail]), np.concatenate([arc, arc])


def find_steps(network: Network, arcs: np.ndarray) -> Steps:
    """Turn arcs into steps both ways, such that ships only begin and end a voyage at a port's offing.

    The approaches of a port may cut across land that a harbour entrance passes, so a ship that came in by one and left by another
    would cross an isthmus. An offing (the sea end of a port arc) is therefore two nodes: one to arrive at, one to depart from.
    """
    at = columns(network)
    extra = np.full(len(at.kind), -1, dtype=np.int64)
    extra[at.offings] = len(at.kind) + np.arange(len(at.offings))
    tail, head, arc = both_ways(at.tail[arcs], at.head[arcs], arcs)
    arriving = at.any_mode("sea")[arc] & (extra[head] >= 0)
    landing = at.any_mode("port")[arc] & (extra[tail] >= 0)
    return Steps(
        np.where(landing, extra[tail], tail), np.where(arriving, extra[head], head), arc, at.offings, len(at.kind)
    )
