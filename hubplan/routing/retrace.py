"""From hops back to arcs: plain searches, as few and as short as the routes asked for need."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from hubplan.network.assemble import Network
from hubplan.routing.columns import columns
from hubplan.routing.cost import LAND_MODES, SEA_MODES
from hubplan.routing.graph import Graph, Steps, build_graph, find_steps
from hubplan.routing.legs import Path
from hubplan.routing.matrix import Hops, Ways

_SLACK = 1 + 1e-9
_Hop = tuple[bool, int, int]


class Retrace:
    """Arcs of hops for one ware under one scenario.

    Parameters
    ----------
    cost_usd_t
        Generalised cost of each arc, surcharges included.
    usable
        bool by arc.
    """

    def __init__(self, network: Network, cost_usd_t: np.ndarray, usable: np.ndarray) -> None:
        at = columns(network)
        self._nodes = np.array([*at.sites.values(), *at.ports.values()], dtype=np.int64)
        self._n_sites = len(at.sites)
        self._network, self._cost, self._usable = network, cost_usd_t, usable
        self._found: dict[_Hop, Path] = {}

    def prepare(self, journeys: Iterable[Hops], ways: Ways) -> None:
        """Search all hops of some journeys at once, one search per end that many share."""
        hops = {hop for journey in journeys for hop in _hops(journey)}
        by_source: dict[tuple[bool, int], list[int]] = {}
        for by_sea, a, b in sorted({(by_sea, *self._turned(a, b)) for by_sea, a, b in hops}):
            by_source.setdefault((by_sea, a), []).append(b)
        for by_sea in (False, True):
            sources = {source: targets for (sea, source), targets in by_source.items() if sea == by_sea}
            if sources:
                self._search(by_sea, sources, ways)

    def paths(self, journey: Hops) -> list[Path]:
        """Paths of the hops of one journey that was prepared, in order of travel."""
        found = []
        for by_sea, a, b in _hops(journey):
            path = self._found[(by_sea, *self._turned(a, b))]
            found.append(path if self._turned(a, b) == (a, b) else Path(path.nodes[::-1], path.arcs[::-1]))
        return found

    def _turned(self, a: int, b: int) -> tuple[int, int]:
        """Search from the lower terminal: a site rather than a port; both directions of a hop are one search."""
        return (a, b) if a <= b else (b, a)

    def _search(self, by_sea: bool, sources: dict[int, list[int]], ways: Ways) -> None:
        modes = SEA_MODES if by_sea else LAND_MODES
        use = columns(self._network).any_mode(*modes) & self._usable
        steps = find_steps(self._network, np.flatnonzero(use))
        sites = np.zeros(steps.n_nodes, dtype=bool)
        sites[self._nodes[:self._n_sites]] = True
        on = ~sites[steps.head]
        if by_sea:   # a call at a third port would be two hops
            on = np.ones(len(steps.head), dtype=bool)
        used, place = _renumber(steps, on)
        graph = build_graph(
            len(used), self._cost, tail=place[steps.tail[on]], head=place[steps.head[on]], arc=steps.arc[on]
        )
        arrivals = _arrivals(steps, ~on)
        for source, targets in sources.items():
            self._trace(graph, steps, used, place, arrivals, by_sea, source, targets, ways)

    def _trace(
        self, graph: Graph, steps: Steps, used: np.ndarray, place: np.ndarray, arrivals: dict[int, list[tuple[int, int]]],
        by_sea: bool, source: int, targets: list[int], ways: Ways,
    ) -> None:
        cost = ways.sea.cost_usd_t if by_sea else ways.land.cost_usd_t
        shift = self._n_sites if by_sea else 0
        farthest = max(cost[source - shift, target - shift] for target in targets)
        start = int(self._nodes[source])
        reached, before = graph.search([place[start]], limit=farthest * _SLACK)
        for target in targets:
            end = int(self._nodes[target])
            last = [(reached[0, place[at]] + self._cost[arc], at, arc) for at, arc in arrivals.get(end, []) if place[at] >= 0]
            if last:
                _, at, arc = min(last)
                nodes, arcs = graph.steps_to(before[0], int(place[at]))
                nodes, arcs = np.append(used[nodes], end), np.append(arcs, arc)
            else:
                nodes, arcs = graph.steps_to(before[0], int(place[end]))
                nodes = used[nodes]
            self._found[(by_sea, source, target)] = Path(steps.network_nodes(nodes), arcs)


def _hops(journey: Hops) -> list[_Hop]:
    pairs = zip(journey.by_sea, journey.terminals, journey.terminals[1:], strict=False)
    return [(by_sea, a, b) for by_sea, a, b in pairs if a != b]


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
    for tail, head, arc in zip(steps.tail[into].tolist(), steps.head[into].tolist(), steps.arc[into].tolist(), strict=True):
        found.setdefault(head, []).append((tail, arc))
    return found
