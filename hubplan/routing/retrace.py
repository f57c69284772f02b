"""From hops back to arcs: plain searches, as few and as short as the routes asked for need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hubplan.network.assemble import Network
from hubplan.routing.columns import columns
from hubplan.routing.cost import LAND_MODES, SEA_MODES
from hubplan.routing.graph import Graph, Steps, build_graph, find_steps
from hubplan.routing.legs import Path, join_paths
from hubplan.routing.matrix import Hops, Ways

_SLACK = 1 + 1e-9
_Hop = tuple[bool, int, int]


@dataclass(frozen=True)
class _Level:
    """Open land, or open sea, ready for searches.

    Parameters
    ----------
    steps, graph
        Steps in nodes of the network, and the same as a graph in positions.
    node, place
        Node of each position, and position of each node (-1: none).
    arrivals
        Of each site, the nodes and arcs of the last steps into it; these are outside the graph, for nothing passes a site.
    """

    steps: Steps
    graph: Graph
    node: np.ndarray
    place: np.ndarray
    arrivals: Mapping[int, list[tuple[int, int]]]


class Retrace:
    """Arcs of hops for one ware under one scenario; remembers what it found.

    Parameters
    ----------
    ways
        Ways whose hops are asked for.
    cost_usd_t
        Generalised cost of each arc, surcharges included.
    usable
        bool by arc.
    """

    def __init__(self, network: Network, ways: Ways, *, cost_usd_t: np.ndarray, usable: np.ndarray) -> None:
        at = columns(network)
        self._terminals = np.array([*at.sites.values(), *at.ports.values()], dtype=np.int64)
        self._n_sites = len(at.sites)
        self._network, self._ways, self._cost, self._usable = network, ways, cost_usd_t, usable
        self._levels: dict[bool, _Level] = {}
        self._found: dict[_Hop, Path] = {}

    def paths(self, journeys: Sequence[tuple[int, int]]) -> list[Path]:
        """Paths of journeys between sites (by order), with one search per end that many of their hops share."""
        told = [_hops(self._ways.hops(origin, destination)) for origin, destination in journeys]
        wanted = sorted({_turned(hop) for hops in told for hop in hops} - set(self._found))
        by_source: dict[tuple[bool, int], list[int]] = {}
        for by_sea, a, b in wanted:
            by_source.setdefault((by_sea, a), []).append(b)
        for (by_sea, source), targets in by_source.items():
            self._trace(by_sea, source, targets)
        return [join_paths([self._path(hop) for hop in hops]) for hops in told]

    def _path(self, hop: _Hop) -> Path:
        path = self._found[_turned(hop)]
        return path if _turned(hop) == hop else Path(path.nodes[::-1], path.arcs[::-1])

    def _level(self, by_sea: bool) -> _Level:
        if by_sea not in self._levels:
            usable = columns(self._network).any_mode(*(SEA_MODES if by_sea else LAND_MODES)) & self._usable
            steps = find_steps(self._network, np.flatnonzero(usable))
            sites = np.zeros(steps.n_nodes, dtype=bool)
            sites[self._terminals[: self._n_sites]] = True
            through = ~sites[steps.head]
            node, place = _renumber(steps, through)
            graph = build_graph(
                len(node),
                self._cost,
                tail=place[steps.tail[through]],
                head=place[steps.head[through]],
                arc=steps.arc[through],
            )
            self._levels[by_sea] = _Level(steps, graph, node, place, _arrivals(steps, ~through))
        return self._levels[by_sea]

    def _trace(self, by_sea: bool, source: int, targets: list[int]) -> None:
        """Search from one terminal as far as the farthest of some others, and keep the paths to them."""
        level = self._level(by_sea)
        cost, shift = (self._ways.sea.cost_usd_t, self._n_sites) if by_sea else (self._ways.land.cost_usd_t, 0)
        limit = float(cost[source - shift, np.array(targets) - shift].max()) * _SLACK
        reached, before = level.graph.search([level.place[self._terminals[source]]], limit=limit)
        for target in targets:
            end = int(self._terminals[target])
            last = [
                (reached[0, level.place[node]] + self._cost[arc], node, arc)
                for node, arc in level.arrivals.get(end, [])
            ]
            total, node, arc = min(last, default=(reached[0, level.place[end]], end, -1))
            if not np.isfinite(total):
                raise RuntimeError(
                    f"the way to terminal {target} was found, but not found again"
                )  # a bug, never a matter of data
            nodes, arcs = level.graph.steps_to(before[0], int(level.place[node]))
            nodes = level.node[nodes]
            if arc >= 0:
                nodes, arcs = np.append(nodes, end), np.append(arcs, arc)
            self._found[(by_sea, source, target)] = Path(level.steps.network_nodes(nodes), arcs)


def _turned(hop: _Hop) -> _Hop:
    """The hop from its lower terminal, a site rather than a port: both directions are one search."""
    by_sea, a, b = hop
    return (by_sea, min(a, b), max(a, b))


def _hops(journey: Hops) -> list[_Hop]:
    return [
        (by_sea, a, b) for by_sea, (a, b) in zip(journey.by_sea, pairwise(journey.terminals), strict=True) if a != b
    ]


def _renumber(steps: Steps, on: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes that steps touch, and the position of each node among them (-1: none)."""
    touched = np.zeros(steps.n_nodes, dtype=bool)
    touched[steps.tail[on]] = touched[steps.head[on]] = True
    used = np.flatnonzero(touched)
    place = np.full(steps.n_nodes, -1, dtype=np.int64)
    place[used] = np.arange(len(used))
    return used, place


def _arrivals(steps: Steps, into: np.ndarray) -> dict[int, list[tuple[int, int]]]:
    """Node before, and arc, of each last step into a site."""
    found: dict[int, list[tuple[int, int]]] = {}
    for tail, head, arc in zip(
        steps.tail[into].tolist(), steps.head[into].tolist(), steps.arc[into].tolist(), strict=True
    ):
        found.setdefault(head, []).append((tail, arc))
    return found
