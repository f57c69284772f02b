"""Which arcs a scenario leaves open, and open arcs as a searchable graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from hubplan.data.scenario import MODES, Access
from hubplan.errors import DataError, Fault
from hubplan.network.assemble import Network
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
    cuts = [Cut("zone", zone, f"{zone} is closed", network.crosses[:, network.zones.index(zone)]) for zone in sorted(access.closed)]
    tail, head = ends(network)
    mode = network.arcs["mode"].to_numpy()
    at_sea = mode == "sea"
    country = network.nodes["country"].to_numpy()
    for code in sorted(access.excluded):
        within = country == code
        cuts.append(Cut("country", code, f"{code} is excluded", (within[tail] | within[head]) & ~at_sea))
    node_of = port_nodes(network)
    for port, reason in sorted(access.closed_ports.items()):
        node = node_of.get(port)
        if node is None or (country[node] in access.excluded and reason == f"{country[node]} is excluded"):
            continue   # not in the network, or closed with its country
        cuts.append(Cut("port", port, reason, ((tail == node) | (head == node)) & (mode == "port")))
    for name in MODES:
        if name not in access.modes:
            gone = np.isin(mode, SEA_MODES) if name == "sea" else mode == name
            cuts.append(Cut("mode", name, f"{name} is not among the modes", gone))
    opens = network.arcs["opens_year"].to_numpy()
    for opening in sorted({int(value) for value in opens if value > year}):
        cuts.append(Cut("year", str(opening), f"opens in {opening}, after {year}", opens == opening))
    return [cut for cut in cuts if cut.arcs.any()]


def open_arcs(network: Network, access: Access, *, year: int) -> np.ndarray:
    """Mark the arcs that every rule of a scenario leaves open, bool by arc."""
    closed = np.zeros(len(network.arcs), dtype=bool)
    for cut in find_cuts(network, access, year=year):
        closed |= cut.arcs
    return ~closed


def ends(network: Network) -> tuple[np.ndarray, np.ndarray]:
    """Tail and head node of each arc."""
    return network.arcs["tail"].to_numpy(dtype=np.int64), network.arcs["head"].to_numpy(dtype=np.int64)


def port_nodes(network: Network) -> dict[str, int]:
    """Port id to its node on the land side."""
    return _refs(network, "port")


def site_nodes(network: Network) -> dict[str, int]:
    """Site id to its node."""
    return _refs(network, "site")


def _refs(network: Network, kind: str) -> dict[str, int]:
    rows = np.flatnonzero((network.nodes["kind"] == kind).to_numpy())
    return dict(zip(network.nodes["ref"].to_numpy()[rows].tolist(), rows.tolist(), strict=True))


@dataclass(frozen=True)
class Graph:
    """Directed steps as compressed sparse rows, at most one (the cheapest) from one node to another.

    Parameters
    ----------
    matrix
        Cost of each step, USD/t; a zero is a step that costs nothing.
    key
        ``tail x n + head`` of each step, rising.
    arc
        Network arc of each step.
    """

    matrix: csr_array
    key: np.ndarray
    arc: np.ndarray

    def search(self, sources: Sequence[int] | np.ndarray, *, limit: float = np.inf) -> tuple[np.ndarray, np.ndarray]:
        """Cost from each source to every node (inf where unreachable), and the node before it on the way.

        Notes
        -----
        Dijkstra (1959), doi:10.1007/BF01386390, as in `scipy.sparse.csgraph.dijkstra`.
        """
        cost, before = dijkstra(self.matrix, directed=True, indices=np.asarray(sources), return_predecessors=True, limit=limit)
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
        return self.arc[np.searchsorted(self.key, tail * np.int64(self.matrix.shape[0]) + head)]


def build_graph(n_nodes: int, *, tail: np.ndarray, head: np.ndarray, cost: np.ndarray, arc: np.ndarray) -> Graph:
    """Build a graph from directed steps; of parallel steps the cheapest stays (the first arc on a tie)."""
    key = tail.astype(np.int64) * n_nodes + head
    order = np.lexsort((arc, cost, key))
    key = key[order]
    first = np.ones(len(key), dtype=bool)
    first[1:] = key[1:] != key[:-1]
    keep = order[first]
    start = np.zeros(n_nodes + 1, dtype=np.int32)
    np.cumsum(np.bincount(tail[keep], minlength=n_nodes), out=start[1:])
    matrix = csr_array((cost[keep], head[keep].astype(np.int32), start), shape=(n_nodes, n_nodes))
    return Graph(matrix, key[first], arc[keep])


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
    tail, head = ends(network)
    mode = network.arcs["mode"].to_numpy()
    calls = np.flatnonzero(mode == "port")
    quay = (network.nodes["kind"] == "port").to_numpy()
    twin = np.unique(np.where(quay[tail[calls]], head[calls], tail[calls]))
    extra = np.full(len(network.nodes), -1, dtype=np.int64)
    extra[twin] = len(network.nodes) + np.arange(len(twin))
    step_tail, step_head, step_arc = both_ways(tail[arcs], head[arcs], arcs)
    arriving = (mode[step_arc] == "sea") & (extra[step_head] >= 0)
    landing = (mode[step_arc] == "port") & (extra[step_tail] >= 0)
    step_head = np.where(arriving, extra[step_head], step_head)
    step_tail = np.where(landing, extra[step_tail], step_tail)
    return Steps(step_tail, step_head, step_arc, twin, len(network.nodes))
