"""Bundle routes that run along the same track: each stretch of the network is drawn once, with all that uses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hubplan.views.polyline import unwrap

_GRID = 10_000  # vertices closer than about 11 m are one


@dataclass(frozen=True, eq=False)
class Path:
    """One leg of a route as a line; longitudes in degrees, wrapped or not."""

    route: str
    mode: str
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Stretch:
    """A line along which the same routes run, the whole way.

    Parameters
    ----------
    lon
        Degrees, unwrapped, the first in [-180, 180).
    along, against
        Routes that pass it in the order of the vertices, and in reverse.
    """

    mode: str
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    along: tuple[str, ...]
    against: tuple[str, ...]


def bundle(paths: Sequence[Path]) -> list[Stretch]:
    """Cut paths where routes join or part, and merge the pieces that coincide.

    Notes
    -----
    Every segment between two vertices gets the sum of random marks of the routes on it, one mark per route and
    direction as seen by the one who walks it; a stretch is a run of segments of one sum. Two sets of routes share a
    sum with probability 2**-63.
    """
    cleaned = [(_corners(path), path) for path in paths if path.lon.size > 1]
    cleaned = [(corners, path) for corners, path in cleaned if corners[1].sum() > 1]
    if not cleaned:
        return []
    corners, paths = [item[0] for item in cleaned], [item[1] for item in cleaned]
    routes = sorted({path.route for path in paths})
    modes = sorted({path.mode for path in paths})
    number = {route: i for i, route in enumerate(routes)}
    paths = [Path(p.route, p.mode, p.lon[keep], p.lat[keep]) for p, (_, keep) in zip(paths, corners, strict=True)]
    keys = [key[keep] for key, keep in corners]
    tail, head = np.concatenate([k[:-1] for k in keys]), np.concatenate([k[1:] for k in keys])
    counts = [k.size - 1 for k in keys]
    route_of = np.repeat([number[p.route] for p in paths], counts)
    mode_of = np.repeat([modes.index(p.mode) for p in paths], counts)
    forward = tail < head
    ends = np.column_stack([mode_of, np.minimum(tail, head), np.maximum(tail, head)])
    _, segment = np.unique(ends, axis=0, return_inverse=True)
    segment = segment.ravel()
    marks = np.random.default_rng(0).integers(1, 2**63, size=(2, len(routes)), dtype=np.uint64)
    total = np.zeros((2, int(segment.max()) + 1), dtype=np.uint64)  # as seen by one who goes forward, and backward
    for view in (0, 1):
        np.add.at(total[view], segment, marks[(forward ^ (view == 1)).astype(int), route_of])
    walk = np.repeat(np.arange(len(paths)), counts)
    first_pass = np.zeros(segment.size, dtype=bool)  # not where a walk passes a segment again
    first_pass[np.unique(walk * (segment.max() + 1) + segment, return_index=True)[1]] = True
    users = _Users(segment, route_of, forward)

    drawn = np.zeros(total.shape[1], dtype=bool)
    stretches: list[Stretch] = []
    for path, first, count in zip(paths, np.cumsum([0, *counts[:-1]]), counts, strict=True):
        here = segment[first : first + count]
        seen = total[(~forward[first : first + count]).astype(int), here]
        fresh = ~drawn[here] & first_pass[first : first + count]
        cuts = np.flatnonzero((seen[1:] != seen[:-1]) | (fresh[1:] != fresh[:-1])) + 1
        for start, stop in zip([0, *cuts], [*cuts, count], strict=True):
            if start < stop and fresh[start]:
                along, against = users.of(here[start], as_walked=bool(forward[first + start]))
                lon = unwrap(path.lon[start : stop + 1])
                names = [tuple(routes[i] for i in group) for group in (along, against)]
                stretches.append(Stretch(path.mode, lon, path.lat[start : stop + 1], names[0], names[1]))
        drawn[here] = True
    return stretches


def _corners(path: Path) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Number the vertices by place, and say which differ from the one before."""
    lon = np.rint(path.lon * _GRID).astype(np.int64) % (360 * _GRID)
    lat = np.rint((path.lat + 90.0) * _GRID).astype(np.int64)
    key = lon * (200 * _GRID) + lat
    return key, np.r_[True, key[1:] != key[:-1]]


class _Users:
    """Which routes pass a segment, and which way."""

    def __init__(self, segment: NDArray[np.int64], route_of: NDArray[np.int64], forward: NDArray[np.bool_]) -> None:
        self._order = np.argsort(segment, kind="stable")
        self._start = np.searchsorted(segment[self._order], np.arange(segment.max(initial=-1) + 2))
        self._route_of, self._forward = route_of, forward

    def of(self, segment: int, *, as_walked: bool) -> tuple[list[int], list[int]]:
        rows = self._order[self._start[segment] : self._start[segment + 1]]
        same = self._forward[rows] == as_walked
        return sorted(set(self._route_of[rows[same]].tolist())), sorted(set(self._route_of[rows[~same]].tolist()))
