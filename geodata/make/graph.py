"""A land graph while it is being made: contraction of through nodes, merging of close ones, dropping of scraps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

EARTH_KM = 6371.0088
PARALLEL_KM = 10.0  # a second line between two junctions is kept (with a node in its middle) if it is longer than this


@dataclass(frozen=True)
class Graph:
    """Nodes and undirected edges of one mode.

    Parameters
    ----------
    lon, lat
        Degrees, by node. Nodes that no edge uses are harmless.
    country
        Position in the list of countries, by node.
    tail, head, km
        By edge; length along the track.
    bridge
        True where the edge closes a gap of the source data, in whole or in part.
    link
        0, or 1 + the row of a hand-entered link.
    inner
        By edge, the node numbers passed between tail and head.
    anchor
        Nodes that contraction keeps although only two edges meet there.
    """

    lon: np.ndarray
    lat: np.ndarray
    country: np.ndarray
    tail: np.ndarray
    head: np.ndarray
    km: np.ndarray
    bridge: np.ndarray
    link: np.ndarray
    inner: np.ndarray
    anchor: np.ndarray

    @property
    def n_nodes(self) -> int:
        return len(self.lon)

    @property
    def n_edges(self) -> int:
        return len(self.tail)


def great_circle_km(lon1: np.ndarray, lat1: np.ndarray, lon2: np.ndarray, lat2: np.ndarray) -> np.ndarray:
    """Great-circle distance in km on the mean sphere (haversine)."""
    lon1, lat1, lon2, lat2 = map(np.radians, (lon1, lat1, lon2, lat2))
    half = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_KM * np.arcsin(np.sqrt(np.minimum(1.0, half)))


def sphere_points(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Points in km on the sphere, for a KD-tree (chords: 0.01 % short at 300 km)."""
    x, y = np.radians(lon), np.radians(lat)
    return EARTH_KM * np.column_stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)])


def point_tree(graph: Graph) -> cKDTree:
    """KD-tree over all nodes, in km."""
    return cKDTree(sphere_points(graph.lon, graph.lat))


def no_inner(count: int) -> np.ndarray:
    """By edge, an empty tuple."""
    inner = np.empty(count, dtype=object)
    inner[:] = [()] * count
    return inner


def select_edges(graph: Graph, keep: np.ndarray) -> Graph:
    """Keep some edges, in the order of ``keep`` (a mask or positions)."""
    return replace(
        graph,
        tail=graph.tail[keep],
        head=graph.head[keep],
        km=graph.km[keep],
        bridge=graph.bridge[keep],
        link=graph.link[keep],
        inner=graph.inner[keep],
    )


def add_edges(
    graph: Graph,
    tail: np.ndarray,
    head: np.ndarray,
    km: np.ndarray,
    *,
    bridge: bool = False,
    link: np.ndarray | None = None,
    inner: np.ndarray | None = None,
) -> Graph:
    """Append edges between nodes that exist."""
    count = len(tail)
    return replace(
        graph,
        tail=np.append(graph.tail, tail).astype(np.int64),
        head=np.append(graph.head, head).astype(np.int64),
        km=np.append(graph.km, km),
        bridge=np.append(graph.bridge, np.full(count, bridge)),
        link=np.append(graph.link, np.zeros(count, dtype=np.int64) if link is None else link).astype(np.int64),
        inner=np.concatenate([graph.inner, no_inner(count) if inner is None else inner]),
    )


def components(graph: Graph) -> tuple[np.ndarray, np.ndarray]:
    """Label connected parts.

    Returns
    -------
    label, length_km
        Part of each node; length of each part.
    """
    matrix = coo_array((np.ones(graph.n_edges), (graph.tail, graph.head)), shape=(graph.n_nodes, graph.n_nodes))
    count, label = connected_components(matrix, directed=False)
    return label, np.bincount(label[graph.tail], weights=graph.km, minlength=count)


def drop_small_parts(graph: Graph, *, min_km: float) -> Graph:
    """Drop connected parts shorter than ``min_km``, unless a hand-entered link is in them."""
    label, length_km = components(graph)
    keep = length_km >= min_km
    keep[label[graph.tail[graph.link > 0]]] = True
    return select_edges(graph, keep[label[graph.tail]])


def mark_borders(graph: Graph) -> Graph:
    """Anchor the nodes at both ends of an edge that joins two countries: contraction must not hide a border."""
    crossing = graph.country[graph.tail] != graph.country[graph.head]
    anchor = graph.anchor.copy()
    anchor[graph.tail[crossing]] = True
    anchor[graph.head[crossing]] = True
    return replace(graph, anchor=anchor)


def contract(graph: Graph) -> Graph:
    """Join edges through nodes where only two meet, until nothing changes.

    Loops go; of parallel edges the shortest stays, and others longer than ``PARALLEL_KM`` get a node in their middle.
    """
    while True:
        simple = drop_parallels(graph)
        joined = _join_chains(simple)
        if joined.n_edges == graph.n_edges:
            return joined
        graph = joined


def drop_parallels(graph: Graph) -> Graph:
    """Make the graph simple: no loops, and one edge between two nodes."""
    order = np.lexsort((graph.km, np.maximum(graph.tail, graph.head), np.minimum(graph.tail, graph.head)))
    low, high = np.minimum(graph.tail, graph.head)[order], np.maximum(graph.tail, graph.head)[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    loop = low == high
    keep = order[first & ~loop]
    long = [
        e
        for e in order[~first | loop]
        if (graph.km[e] > PARALLEL_KM or graph.link[e]) and len(graph.inner[e]) > loop_need(graph, e)
    ]
    kept = select_edges(graph, np.sort(keep))
    if not long:
        return kept
    pieces = [piece for edge in long for piece in _split(graph, int(edge))]
    anchor = graph.anchor.copy()
    anchor[[piece[0] for piece in pieces]] = True
    anchor[[piece[1] for piece in pieces]] = True
    inner = np.empty(len(pieces), dtype=object)
    inner[:] = [piece[3] for piece in pieces]
    grown = add_edges(
        replace(kept, anchor=anchor),
        np.array([p[0] for p in pieces]),
        np.array([p[1] for p in pieces]),
        np.array([p[2] for p in pieces]),
        inner=inner,
        link=np.array([p[4] for p in pieces]),
    )
    return replace(grown, bridge=np.append(kept.bridge, [p[5] for p in pieces]))


def loop_need(graph: Graph, edge: int) -> int:
    """Inner nodes an edge must have more than, to be split: a loop needs two new nodes, a parallel one."""
    return 1 if graph.tail[edge] == graph.head[edge] else 0


def _split(graph: Graph, edge: int) -> Iterator[tuple[int, int, float, tuple[int, ...], int, bool]]:
    """Cut an edge at one inner node (at two, if it is a loop), sharing its length by great circle."""
    path = [int(graph.tail[edge]), *graph.inner[edge], int(graph.head[edge])]
    parts = 3 if path[0] == path[-1] else 2
    cuts = sorted({0, len(path) - 1, *(len(path) * k // parts for k in range(1, parts))})
    step = great_circle_km(graph.lon[path[:-1]], graph.lat[path[:-1]], graph.lon[path[1:]], graph.lat[path[1:]]) + 1e-6
    for start, stop in pairwise(cuts):
        share = step[start:stop].sum() / step.sum()
        yield (
            path[start],
            path[stop],
            float(graph.km[edge] * share),
            tuple(path[start + 1 : stop]),
            int(graph.link[edge]),
            bool(graph.bridge[edge]),
        )


def _join_chains(graph: Graph) -> Graph:
    """One pass of contraction: walk from every kept node along each edge to the next kept node."""
    degree = np.bincount(graph.tail, minlength=graph.n_nodes) + np.bincount(graph.head, minlength=graph.n_nodes)
    ends = np.append(graph.tail, graph.head)
    order = np.argsort(ends, kind="stable")
    start = np.searchsorted(ends[order], np.arange(graph.n_nodes + 1))
    at = (order % graph.n_edges).tolist()
    through = (degree == 2) & ~graph.anchor
    for node_edges in (graph.tail[graph.link > 0], graph.head[graph.link > 0]):
        through[node_edges] = False
    untouched = ~through[graph.tail] & ~through[graph.head]
    tail, head, km, inner = graph.tail.tolist(), graph.head.tolist(), graph.km.tolist(), graph.inner
    first, is_through, bridge = start.tolist(), through.tolist(), graph.bridge.tolist()
    done = untouched.tolist()
    found: list[tuple[int, int, float, tuple[int, ...], bool]] = []
    for begin in np.unique(np.append(graph.tail[~untouched], graph.head[~untouched])).tolist():
        if is_through[begin]:
            continue
        for edge in at[first[begin] : first[begin + 1]]:
            if done[edge]:
                continue
            node, length, passed, bridged = begin, 0.0, [], False
            while True:
                done[edge] = True
                forward = tail[edge] == node
                passed.extend(inner[edge] if forward else inner[edge][::-1])
                length += km[edge]
                bridged |= bridge[edge]
                node = head[edge] if forward else tail[edge]
                if not is_through[node]:
                    break
                passed.append(node)
                one, other = at[first[node]], at[first[node] + 1]
                edge = other if one == edge else one
            found.append((begin, node, length, tuple(passed), bridged))
    kept = select_edges(graph, untouched)
    paths = np.empty(len(found), dtype=object)
    paths[:] = [f[3] for f in found]
    grown = add_edges(
        kept,
        np.array([f[0] for f in found], dtype=np.int64),
        np.array([f[1] for f in found], dtype=np.int64),
        np.array([f[2] for f in found]),
        inner=paths,
    )
    return replace(grown, bridge=np.append(kept.bridge, np.array([f[4] for f in found], dtype=bool)))


def merge_cells(graph: Graph, *, cell_km: float, offset_share: float) -> Graph:
    """Merge nodes that a short edge joins within one cell of a grid and one country.

    An edge that ended at a merged node grows by ``offset_share`` of the distance to the node that stands for the cell:
    without it every junction would be passed at no length and paths would come out short.
    """
    degrees = cell_km / 111.195
    row = np.floor(graph.lat / degrees)
    column = np.floor(graph.lon * np.cos(np.radians((row + 0.5) * degrees)) / degrees)
    same = (row[graph.tail] == row[graph.head]) & (column[graph.tail] == column[graph.head])
    same &= (graph.country[graph.tail] == graph.country[graph.head]) & (graph.km <= 2 * cell_km) & (graph.link == 0)
    matrix = coo_array(
        (np.ones(same.sum()), (graph.tail[same], graph.head[same])), shape=(graph.n_nodes, graph.n_nodes)
    )
    count, label = connected_components(matrix, directed=False)
    used = np.zeros(graph.n_nodes, dtype=bool)
    used[graph.tail] = used[graph.head] = True
    size = np.maximum(np.bincount(label, weights=used, minlength=count), 1)
    mean_lon = np.bincount(label, weights=graph.lon * used, minlength=count) / size
    mean_lat = np.bincount(label, weights=graph.lat * used, minlength=count) / size
    away = great_circle_km(graph.lon, graph.lat, mean_lon[label], mean_lat[label]) + np.where(used, 0, 1e6)
    order = np.lexsort((np.arange(graph.n_nodes), away, label))
    stands = order[np.searchsorted(label[order], np.arange(count))][label]
    offset = offset_share * great_circle_km(graph.lon, graph.lat, graph.lon[stands], graph.lat[stands])
    anchor = graph.anchor.copy()
    np.logical_or.at(anchor, stands, graph.anchor & used)
    merged = replace(
        graph,
        tail=stands[graph.tail],
        head=stands[graph.head],
        anchor=anchor,
        km=graph.km + offset[graph.tail] + offset[graph.head],
    )
    return select_edges(merged, (merged.tail != merged.head) | (graph.km > 2 * cell_km))
