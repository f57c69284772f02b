"""Sums along the ways of many searches at once."""

from __future__ import annotations

import numpy as np

from hubplan.routing.graph import NOWHERE, Graph


def sum_ways(
    graph: Graph,
    before: np.ndarray,
    rows: np.ndarray,
    targets: np.ndarray,
    *,
    values: tuple[np.ndarray, ...],
    flags: np.ndarray | None = None,
) -> tuple[list[np.ndarray], np.ndarray]:
    """Sum values of the arcs between the sources of searches and their targets, and gather the flags of those arcs.

    Parameters
    ----------
    before
        Node before each node, by search.
    rows, targets
        Search and node to look at; each must have been reached.
    values
        Each by the ids that ``graph.arc`` gives.
    flags
        uint64 words (ids, words), of which any way takes the union.

    Returns
    -------
    list of ndarray, ndarray
        Sum by pair for each of the values; union by pair, (pairs, words).

    Notes
    -----
    Each node on any of the ways is looked at once, and sums are passed down by doubling the stride towards the source.
    """
    n = before.shape[1]
    target = rows.astype(np.int64) * n + targets
    on_way, place_of = _nodes_on_ways(before, target)
    place = place_of[target]
    row, node = on_way // n, on_way % n
    previous = before[row, node].astype(np.int64)
    moved = previous != NOWHERE
    arc = graph.arcs_between(previous[moved], node[moved])
    parent = np.arange(len(on_way))
    parent[moved] = place_of[row[moved] * n + previous[moved]]
    sums = []
    for value in values:
        own = np.zeros(len(on_way))
        own[moved] = value[arc]
        sums.append(own)
    union = np.zeros((len(on_way), 0 if flags is None else flags.shape[1]), dtype=np.uint64)
    if flags is not None:
        union[moved] = flags[arc]
    while np.any(parent[parent] != parent):
        sums = [own + own[parent] for own in sums]
        union |= union[parent]
        parent = parent[parent]
    return [own[place] for own in sums], union[place]


def _nodes_on_ways(before: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All (search, node) pairs, as search x n + node, that lie on the way to a target; and the place of each pair among them."""
    n, flat = before.shape[1], before.ravel()
    place_of = np.full(before.size, -1, dtype=np.int32)
    found, count, front = [], 0, target
    while len(front := front[place_of[front] < 0]):
        place_of[front] = np.arange(len(front))  # of equal pairs the last one stays, and counts
        front = front[place_of[front] == np.arange(len(front))]
        place_of[front] = count + np.arange(len(front))
        found.append(front)
        count += len(front)
        previous = flat[front].astype(np.int64)
        front = ((front // n) * n + previous)[previous != NOWHERE]
    return np.concatenate([np.zeros(0, dtype=np.int64), *found]), place_of


def pack_flags(flags: np.ndarray) -> np.ndarray:
    """Pack bool (rows, columns) into uint64 words (rows, words)."""
    words = -(-flags.shape[1] // 64)
    wide = np.zeros((len(flags), words * 64), dtype=bool)
    wide[:, : flags.shape[1]] = flags
    packed: np.ndarray = np.packbits(wide, axis=1, bitorder="little").view(np.uint64)
    return packed
