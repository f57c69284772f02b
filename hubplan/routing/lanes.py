"""Sea ways between all ports; a changed closure is searched again only where it matters.

The cheapest ways of a base state (only what is closed by default is closed) are found once, with the set of zones that each of
them passes. Under another state, a pair whose base way passes no zone that changed keeps its way: closing or pricing something
elsewhere cannot make a cheaper one. The other pairs are searched anew, from as few ports as touch them all.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from hubplan.network.assemble import Network
from hubplan.routing.columns import columns, once_per_network
from hubplan.routing.cost import SEA_MODES
from hubplan.routing.graph import Graph, build_graph, find_steps
from hubplan.routing.land import Measures, rounded
from hubplan.routing.trees import pack_flags, sum_ways


@dataclass(frozen=True)
class SeaWays:
    """Cheapest sea ways between ports, handling at both included; all arrays are ports x ports and symmetric.

    Parameters
    ----------
    cost_usd_t
        Generalised cost; inf where no sea way is open.
    freight_usd_t, hours, length_km
        Of the same ways; meaningless where there is none.
    passes
        uint64 words (ports, ports, words) of bits: the way passes this zone; the bit after the zones tells of an arc that opens
        in a later year.
    """

    cost_usd_t: np.ndarray
    freight_usd_t: np.ndarray
    hours: np.ndarray
    length_km: np.ndarray
    passes: np.ndarray


@dataclass(frozen=True)
class SeaSearch:
    """Sea lanes as a graph, ready for searches from ports.

    Parameters
    ----------
    graph
        In positions of ``nodes``; cargo leaves a port by a step, and arriving is a last step outside the graph.
    nodes
        Network node by position.
    port
        Position of each port, in the order of `Columns`.
    last_port, last_node, last_arc
        Open port arcs: port (by order), position of the node at sea, and arc.
    """

    graph: Graph
    nodes: np.ndarray
    port: np.ndarray
    last_port: np.ndarray
    last_node: np.ndarray
    last_arc: np.ndarray


def build_sea_search(network: Network, cost_usd_t: np.ndarray, *, usable: np.ndarray) -> SeaSearch:
    """Build the graph of the open arcs at sea and of the port calls."""
    at = columns(network)
    steps = find_steps(network, np.flatnonzero(at.any_mode(*SEA_MODES) & usable))
    quays = np.array(list(at.ports.values()), dtype=np.int64)
    landing = np.isin(steps.head, quays)
    nodes = np.unique(np.concatenate([steps.tail, steps.head, quays]))
    on = ~landing
    graph = build_graph(
        len(nodes),
        cost_usd_t,
        tail=np.searchsorted(nodes, steps.tail[on]),
        head=np.searchsorted(nodes, steps.head[on]),
        arc=steps.arc[on],
    )
    order = np.full(steps.n_nodes, -1, dtype=np.int64)
    order[quays] = np.arange(len(quays))
    return SeaSearch(
        graph,
        steps.network_nodes(nodes),
        np.searchsorted(nodes, quays),
        order[steps.head[landing]],
        np.searchsorted(nodes, steps.tail[landing]),
        steps.arc[landing],
    )


def sea_digest(network: Network, cost_usd_t: np.ndarray, *, measures: Measures, usable: np.ndarray) -> str:
    """Digest of everything that sea ways depend on; numbers of nodes elsewhere do not matter."""
    at = columns(network)
    arcs = np.flatnonzero(at.any_mode(*SEA_MODES) & usable)
    quays = np.array(list(at.ports.values()), dtype=np.int64)
    nodes = np.unique(np.concatenate([at.tail[arcs], at.head[arcs], quays]))
    digest = hashlib.sha256("\n".join([*at.ports, "", *network.zones]).encode())
    ends = (np.searchsorted(nodes, part) for part in (at.tail[arcs], at.head[arcs], quays))
    late = at.opens_year[arcs] > 0
    for values in (*ends, *rounded(arcs, (cost_usd_t, *measures)), network.crosses[arcs], late):
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def find_sea_ways(network: Network, cost_usd_t: np.ndarray, *, measures: Measures, usable: np.ndarray) -> SeaWays:
    """Find the cheapest sea ways between all ports by search from each of them."""
    n_ports = len(columns(network).ports)
    square = (n_ports, n_ports)
    blank = SeaWays(
        np.full(square, np.inf),
        np.zeros(square),
        np.zeros(square),
        np.zeros(square),
        np.zeros((*square, pack_flags(np.zeros((1, len(network.zones) + 1), dtype=bool)).shape[1]), dtype=np.uint64),
    )
    search = build_sea_search(network, cost_usd_t, usable=usable)
    return _search_from(np.arange(n_ports), blank, search, network, cost_usd_t, measures)


def change_sea_ways(
    base: SeaWays,
    network: Network,
    cost_usd_t: np.ndarray,
    *,
    measures: Measures,
    usable: np.ndarray,
    changed: np.ndarray,
    ports: np.ndarray,
    repriced: np.ndarray,
) -> SeaWays:
    """Find the sea ways of a state that is nowhere cheaper than the base state.

    Parameters
    ----------
    base
        Ways of the base state.
    cost_usd_t, usable
        Of the new state; at no arc lower or more open than in the base state.
    changed
        bool by zone, and one for arcs that open later: what differs from the base state.
    ports
        bool by port: may be called at; the others get no way.
    repriced
        bool by port: a call costs more than in the base state.
    """
    cost = np.where(ports[:, None] & ports[None, :], base.cost_usd_t, np.inf)
    affected = (base.passes & pack_flags(changed[None, :])[0]).any(axis=2) | repriced[:, None] | repriced[None, :]
    affected &= np.isfinite(cost)
    ways = SeaWays(cost, base.freight_usd_t, base.hours, base.length_km, base.passes)
    sources = _cover(affected)
    if not len(sources):
        return ways
    search = build_sea_search(network, cost_usd_t, usable=usable)
    return _search_from(sources, ways, search, network, cost_usd_t, measures)


def _cover(affected: np.ndarray) -> np.ndarray:
    """Few ports that touch every affected pair, by taking the port with most pairs left until none is."""
    left = affected.copy()
    chosen = []
    count = left.sum(axis=1)
    while count.any():
        port = int(np.argmax(count))
        chosen.append(port)
        count = count - left[:, port]
        left[port, :] = left[:, port] = False
        count[port] = 0
    return np.array(sorted(chosen), dtype=np.int64)


def _search_from(
    sources: np.ndarray, ways: SeaWays, search: SeaSearch, network: Network, cost_usd_t: np.ndarray, measures: Measures
) -> SeaWays:
    """Replace the rows and columns of some ports by new ways."""
    tables = (ways.freight_usd_t.copy(), ways.hours.copy(), ways.length_km.copy())
    cost, passes = ways.cost_usd_t.copy(), ways.passes.copy()
    flags = _arc_flags(network)
    for at in range(0, len(sources), 64):
        rows = sources[at : at + 64]
        distance, before = search.graph.search(search.port[rows])
        arrive = distance[:, search.last_node] + cost_usd_t[search.last_arc]
        reached, last = _best_arrival(arrive, search.last_port, len(cost))
        reached[np.arange(len(rows)), rows] = np.inf
        i, port = np.nonzero(np.isfinite(reached))
        final = last[i, port]
        sums, passed = sum_ways(search.graph, before, i, search.last_node[final], values=measures, flags=flags)
        arc = search.last_arc[final]
        cost[rows, :] = reached
        for table, total, value in zip(tables, sums, measures, strict=True):
            table[rows[i], port] = total + value[arc]
        passes[rows[i], port] = passed | flags[arc]
    for array in (cost, *tables, passes):
        _mirror(array, sources)
    return SeaWays(cost, *tables, passes)


@once_per_network
def _arc_flags(network: Network) -> np.ndarray:
    """What each arc passes, packed: a bit by zone, and one for arcs that open in a later year."""
    return pack_flags(np.column_stack([network.crosses, columns(network).opens_year > 0]))


def _mirror(table: np.ndarray, rows: np.ndarray) -> None:
    """Make a fresh table symmetric after some of its rows were replaced; between two of them the first counts."""
    block = table[np.ix_(rows, rows)]
    i, j = np.triu_indices(len(rows), 1)
    block[j, i] = block[i, j]
    table[:, rows] = np.swapaxes(table[rows], 0, 1)
    table[np.ix_(rows, rows)] = block


def _best_arrival(arrive: np.ndarray, last_port: np.ndarray, n_ports: int) -> tuple[np.ndarray, np.ndarray]:
    """Cheapest port arc into each port: cost, and its position among the port arcs."""
    best = np.full((len(arrive), n_ports), np.inf)
    which = np.zeros(best.shape, dtype=np.int64)
    for position, port in enumerate(last_port):
        better = arrive[:, position] < best[:, port]
        best[better, port] = arrive[better, position]
        which[better, port] = position
    return best, which
