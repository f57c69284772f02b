"""Land ways between all sites and ports, exact and fast under changing closures.

A scenario can cut the land network only at some arcs: borders, gates, links that open later. Between them lie cells (one country,
one connected piece), inside which cheapest ways never change. So each cell is folded once to the cheapest ways between the nodes
at its rim, and a scenario is answered on the folded network, which is some forty times smaller. The answer is that of a plain
search on the whole network; the tests compare the two. The idea is that of customizable route planning (Delling et al. 2017,
doi:10.1287/trsc.2014.0579) with countries as the only level.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hubplan.network.assemble import Network
from hubplan.routing.columns import columns
from hubplan.routing.cost import LAND_MODES
from hubplan.routing.graph import Graph, both_ways, build_graph
from hubplan.routing.trees import sum_ways

_log = logging.getLogger(__name__)
_REMEMBERED = 3
_SAME = 1e-12
"""Relative difference below which two ways cost the same."""
Measures = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Freight in USD/t, hours and length in km."""


@dataclass(frozen=True)
class Links:
    """Ways between key nodes of a cell: tail and head, generalised cost, and its freight, hours and km."""

    tail: np.ndarray
    head: np.ndarray
    cost_usd_t: np.ndarray
    measures: Measures


@dataclass(frozen=True)
class FoldedCell:
    """A cell's links between the keys it was folded for; both in positions of the cell's nodes."""

    keys: np.ndarray
    links: Links


@dataclass(frozen=True)
class Fold:
    """The land network, folded to its key nodes.

    Parameters
    ----------
    nodes
        Network node of each key.
    links
        Between keys, both directions alike.
    arc
        Network arc of each link, or -1 for a folded way inside one cell.
    terminals
        Keys of the sites, then of the ports, in the order of `Columns`.
    n_sites
        How many of the terminals are sites.
    cells
        Digest of each folded cell to the cell, to be stored.
    """

    nodes: np.ndarray
    links: Links
    arc: np.ndarray
    terminals: np.ndarray
    n_sites: int
    cells: Mapping[str, FoldedCell]
    found: dict[bytes, LandWays] = field(
        default_factory=dict, repr=False, compare=False
    )  # the last few answers, by question


def land_arcs(network: Network, modes: tuple[str, ...]) -> np.ndarray:
    """Mark the arcs on land that the modes allow, bool by arc."""
    return columns(network).any_mode(*(name for name in LAND_MODES if name in modes or name not in ("rail", "road")))


def _can_cut(network: Network) -> np.ndarray:
    """Mark the arcs that some scenario may close while it leaves their cell open; a site's access links are among them."""
    at = columns(network)
    site = at.kind == "site"
    border = at.country[at.tail] != at.country[at.head]
    cut: np.ndarray = border | network.crosses.any(axis=1) | (at.opens_year > 0) | site[at.tail] | site[at.head]
    return cut


def fold_land(
    network: Network,
    cost_usd_t: np.ndarray,
    *,
    measures: Measures,
    modes: tuple[str, ...],
    stored: Mapping[str, FoldedCell] = MappingProxyType({}),
) -> Fold:
    """Fold the land network for one ware.

    Parameters
    ----------
    cost_usd_t, measures
        Generalised cost of each arc without surcharges, and its freight, hours and km.
    modes
        Modes allowed; only ``rail`` and ``road`` matter here.
    stored
        Cells folded earlier, by digest of their arcs; used where the digest agrees, else the cell is folded anew.
    """
    at = columns(network)
    tail, head = at.tail, at.head
    usable, can_cut = land_arcs(network, modes), _can_cut(network)
    cut, inner = np.flatnonzero(usable & can_cut), np.flatnonzero(usable & ~can_cut)
    sites, ports = list(at.sites.values()), list(at.ports.values())
    nodes = np.unique(np.concatenate([tail[cut], head[cut], np.array(sites + ports, dtype=np.int64)]))
    label = _cell_of(len(at.kind), tail[inner], head[inner])
    found: list[Links] = []
    cells: dict[str, FoldedCell] = {}
    live = 0
    for members, arcs, keys in _each_cell(label, tail[inner], inner, nodes):
        graph, digest = _cell_graph(members, arcs, tail, head, cost_usd_t, measures)
        old = stored.get(digest)
        cell = (
            _fold_cell(graph, keys, cost_usd_t, measures)
            if old is None
            else _extend_cell(old, graph, keys, cost_usd_t, measures)
        )
        live += cell is not old
        cells[digest] = cell
        found.append(
            Links(members[cell.links.tail], members[cell.links.head], cell.links.cost_usd_t, cell.links.measures)
        )
    _log.info(
        "land folded: %d cells, of which %d were searched now and the others came from the store", len(found), live
    )
    found.append(Links(tail[cut], head[cut], cost_usd_t[cut], (measures[0][cut], measures[1][cut], measures[2][cut])))
    links = _join(found)
    nodes = np.unique(np.concatenate([nodes, links.tail, links.head]))
    arc = np.full(len(links.tail), -1, dtype=np.int64)
    arc[len(arc) - len(cut) :] = cut
    placed = Links(
        np.searchsorted(nodes, links.tail), np.searchsorted(nodes, links.head), links.cost_usd_t, links.measures
    )
    return Fold(nodes, placed, arc, np.searchsorted(nodes, np.array(sites + ports, dtype=np.int64)), len(sites), cells)


def _cell_of(n_nodes: int, tail: np.ndarray, head: np.ndarray) -> np.ndarray:
    links = coo_array((np.ones(len(tail), dtype=np.int8), (tail, head)), shape=(n_nodes, n_nodes)).tocsr()
    label: np.ndarray = connected_components(links, directed=False)[1]
    return label


def _each_cell(
    label: np.ndarray, tail: np.ndarray, arcs: np.ndarray, keys: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Nodes, arcs and keys (as positions among the nodes) of each cell with two keys or more."""
    n_cells = int(label.max()) + 1
    by_node = np.argsort(label, kind="stable")
    node_start = np.searchsorted(label[by_node], np.arange(n_cells + 1))
    by_arc = np.argsort(label[tail], kind="stable")
    arc_start = np.searchsorted(label[tail][by_arc], np.arange(n_cells + 1))
    by_key = np.argsort(label[keys], kind="stable")
    key_start = np.searchsorted(label[keys][by_key], np.arange(n_cells + 1))
    cells = []
    for cell in np.flatnonzero(np.diff(key_start) >= 2):
        members = by_node[node_start[cell] : node_start[cell + 1]]
        own = keys[by_key[key_start[cell] : key_start[cell + 1]]]
        cells.append((members, arcs[by_arc[arc_start[cell] : arc_start[cell + 1]]], np.searchsorted(members, own)))
    return cells


def _cell_graph(
    members: np.ndarray, arcs: np.ndarray, tail: np.ndarray, head: np.ndarray, cost: np.ndarray, measures: Measures
) -> tuple[Graph, str]:
    """Graph of one cell in positions of its nodes, and a digest of its arcs that does not depend on numbers outside the cell."""
    a, b = np.searchsorted(members, tail[arcs]), np.searchsorted(members, head[arcs])
    digest = hashlib.sha256(np.int64(len(members)).tobytes())
    for values in (a.astype(np.int32), b.astype(np.int32), *rounded(arcs, (cost, *measures))):
        digest.update(np.ascontiguousarray(values).tobytes())
    step_tail, step_head, step_arc = both_ways(a, b, arcs)
    return build_graph(len(members), cost, tail=step_tail, head=step_head, arc=step_arc), digest.hexdigest()


def rounded(arcs: np.ndarray, values: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    """Values of some arcs to six decimals: what processors make of the last bits of a great circle may differ."""
    return [np.round(value[arcs], 6) + 0.0 for value in values]


def _fold_cell(graph: Graph, keys: np.ndarray, cost: np.ndarray, measures: Measures) -> FoldedCell:
    """Find the cheapest ways between all keys, and keep those that no other key lies on."""
    distance, before = _search(graph, keys)
    distance = distance[:, keys]
    i, j = _needed(distance)
    return FoldedCell(keys, _links(graph, before, i, keys[i], keys[j], cost, measures))


def _extend_cell(old: FoldedCell, graph: Graph, keys: np.ndarray, cost: np.ndarray, measures: Measures) -> FoldedCell:
    """Add ways from keys that a stored cell was not folded for (a user's own site, say)."""
    new = np.setdiff1d(keys, old.keys)
    if not len(new):
        return old
    every = np.concatenate([old.keys, new])
    distance, before = _search(graph, new)
    i, j = np.nonzero(np.isfinite(distance[:, every]) & (new[:, None] != every[None, :]))
    return FoldedCell(np.sort(every), _join([old.links, _links(graph, before, i, new[i], every[j], cost, measures)]))


def _search(graph: Graph, sources: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    parts = [graph.search(sources[at : at + 64]) for at in range(0, len(sources), 64)]
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _needed(distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs i < j that are joined, and not just as cheaply by way of a third key."""
    proper = distance.copy()
    proper[proper == 0] = np.inf  # neither itself nor a twin at no distance may stand for a third
    i, j = [], []
    for row in range(len(distance) - 1):
        via = np.min(proper[row][:, None] + proper[:, row + 1 :], axis=0)
        direct = distance[row, row + 1 :]
        kept = np.flatnonzero(np.isfinite(direct) & (via > direct * (1 + _SAME))) + row + 1
        i.append(np.full(len(kept), row))
        j.append(kept)
    return np.concatenate(i), np.concatenate(j)


def _links(
    graph: Graph,
    before: np.ndarray,
    rows: np.ndarray,
    sources: np.ndarray,
    targets: np.ndarray,
    cost: np.ndarray,
    measures: Measures,
) -> Links:
    """Walk back from each target to its source, which is that of a row of ``before``, and sum the arcs."""
    sums, _ = sum_ways(graph, before, rows, targets, values=(cost, *measures))
    return Links(sources, targets, sums[0], (sums[1], sums[2], sums[3]))


def _join(parts: list[Links]) -> Links:
    return Links(
        np.concatenate([part.tail for part in parts]),
        np.concatenate([part.head for part in parts]),
        np.concatenate([part.cost_usd_t for part in parts]),
        (
            np.concatenate([part.measures[0] for part in parts]),
            np.concatenate([part.measures[1] for part in parts]),
            np.concatenate([part.measures[2] for part in parts]),
        ),
    )


@dataclass(frozen=True)
class LandWays:
    """Cheapest open land ways between terminals (sites, then ports).

    Parameters
    ----------
    cost_usd_t
        Terminals x terminals; inf where no land way is open.
    """

    cost_usd_t: np.ndarray
    fold: Fold
    graph: Graph
    before: np.ndarray
    last_key: np.ndarray
    last_link: np.ndarray

    def measure(self, origin: np.ndarray, destination: np.ndarray) -> Measures:
        """Freight, hours and km between pairs of terminals that are joined."""
        values = self.fold.links.measures
        sums, _ = sum_ways(self.graph, self.before, origin, self.last_key[origin, destination], values=values)
        link = self.last_link[origin, destination]
        final = link >= 0
        for total, value in zip(sums, values, strict=True):
            total[final] += value[link[final]]
        return sums[0], sums[1], sums[2]


def find_land_ways(
    network: Network, fold: Fold, *, usable: np.ndarray, excluded: frozenset[str], surcharge_usd_t: np.ndarray
) -> LandWays:
    """Find the cheapest land ways under a scenario.

    Parameters
    ----------
    usable
        Arcs that the scenario leaves open.
    excluded
        Countries whose cells are closed.
    surcharge_usd_t
        Price of risk by arc; only arcs that may be cut carry any.
    """
    links, whole = fold.links, fold.arc >= 0
    outside = ~np.isin(columns(network).country[fold.nodes], sorted(excluded))
    is_open = outside[links.tail] & outside[links.head]
    is_open[whole] &= usable[fold.arc[whole]]
    cost = links.cost_usd_t.copy()
    cost[whole] += surcharge_usd_t[fold.arc[whole]]
    question = hashlib.sha256(np.packbits(is_open).tobytes() + cost.tobytes()).digest()
    if question not in fold.found:  # most closures are at sea and leave the land as it was
        for old in list(fold.found)[: 1 - _REMEMBERED]:
            del fold.found[old]
        fold.found[question] = _search_land(fold, is_open, cost)
    return fold.found[question]


def _search_land(fold: Fold, is_open: np.ndarray, cost: np.ndarray) -> LandWays:
    """Search from every terminal over the open links."""
    rows = np.flatnonzero(is_open)
    tail, head, link = both_ways(fold.links.tail[rows], fold.links.head[rows], rows)
    site_keys = fold.terminals[: fold.n_sites]
    into_site = np.isin(head, site_keys)  # cargo passes through no site, so arriving at one is a last step, taken below
    through = ~into_site
    graph = build_graph(len(fold.nodes), cost, tail=tail[through], head=head[through], arc=link[through])
    distance, before = graph.search(fold.terminals)
    table = distance[:, fold.terminals]
    table[:, : fold.n_sites] = np.inf
    last_key = np.broadcast_to(fold.terminals, table.shape).copy()
    last_link = np.full(table.shape, -1, dtype=np.int64)
    column_of = {int(key): column for column, key in enumerate(site_keys)}
    for key, at, link_in in zip(head[into_site], tail[into_site], link[into_site], strict=True):
        column = column_of[int(key)]
        offered = distance[:, at] + cost[link_in]
        better = offered < table[:, column]
        table[better, column] = offered[better]
        last_key[better, column], last_link[better, column] = at, link_in
    np.fill_diagonal(table, 0.0)
    return LandWays(table, fold, graph, before, last_key, last_link)
