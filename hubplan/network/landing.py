"""Where places meet a network of lines: the nearest point of any link, and the cut that puts a node there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hubplan.network.land import Bools, Floats, Ints, Lines

_SHORT_DEG = 0.25
_OFF_LINE_KM = 1.0
"""A point this far off a chord, with track enough to pass it, lies on the bend that the chord cuts off."""


@dataclass(frozen=True)
class Landing:
    """Where points meet a network: the nearest place on a drawn line.

    Parameters
    ----------
    edge
        Link number by point; -1 where none is in reach.
    share
        Place along the link, 0 at its tail to 1 at its head.
    away_km
        Straight distance from the point; infinite where none is in reach.
    """

    edge: Ints
    share: Floats
    away_km: Floats


def find_landings(
    lines: Lines,
    lon: Floats,
    lat: Floats,
    *,
    reach_km: Floats,
    country: NDArray[np.str_] | None = None,
    usable: Bools | None = None,
) -> Landing:
    """Find the nearest place on any link for each point.

    Parameters
    ----------
    lines
        The network.
    lon, lat
        Points, degrees.
    reach_km
        By point, how far to look.
    country
        By point: only links with an end in this country count. None = any.
    usable
        By link: False is never landed on.

    Notes
    -----
    Distances are on a plane about each point: within 0.5 % at 100 km.
    """
    segment = _Segments.of(lines, usable)
    edge = np.full(len(lon), -1, dtype=np.int64)
    share, away = np.zeros(len(lon)), np.full(len(lon), np.inf)
    for point in range(len(lon)):
        for reach in sorted(
            {min(15.0, float(reach_km[point])), min(80.0, float(reach_km[point])), float(reach_km[point])}
        ):
            wanted = None if country is None else str(country[point])
            hit = segment.nearest(float(lon[point]), float(lat[point]), reach, wanted)
            if hit is not None:
                edge[point], share[point], away[point] = hit
                break
    return Landing(edge, share, away)


def cut_at(lines: Lines, edge: Ints, share: Floats, *, min_km: float = 0.3) -> tuple[Lines, Ints]:
    """Put a node on links where points land.

    Parameters
    ----------
    lines
        The network.
    edge, share
        Link and place on it by point; an ``edge`` of -1 is skipped.
    min_km
        Nearer than this to an end, the end itself serves.

    Returns
    -------
    lines, node
        The network with links cut, and the node of each point (-1 if skipped).
    """
    node = np.full(len(edge), -1, dtype=np.int64)
    cuts: dict[int, list[int]] = {}
    for point in np.lexsort((share, edge)).tolist():
        link = int(edge[point])
        if link < 0:
            continue
        length = lines.length_km[link]
        if share[point] * length < min_km:
            node[point] = lines.tail[link]
        elif (1 - share[point]) * length < min_km:
            node[point] = lines.head[link]
        else:
            cuts.setdefault(link, []).append(point)
    if not cuts:
        return lines, node
    return _cut_links(lines, cuts, share, node), node


def _cut_links(lines: Lines, cuts: dict[int, list[int]], share: Floats, node: Ints) -> Lines:
    """Replace each cut link by its pieces; fills in ``node`` for the points that made them."""
    new_lon: list[float] = []
    new_lat: list[float] = []
    owner: list[int] = []
    tail: list[int] = []
    head: list[int] = []
    length: list[float] = []
    paths: list[NDArray[np.float64]] = []  # lon, lat, km
    for link, points in cuts.items():
        span = slice(lines.start[link], lines.start[link + 1])
        path = np.column_stack([lines.line_lon[span], lines.line_lat[span], lines.line_km[span]])
        along = path[:, 2] / max(float(path[-1, 2]), 1e-9)
        begin, before = int(lines.tail[link]), 0.0
        for point in [*points, -1]:
            at = 1.0 if point < 0 else float(share[point])
            if point >= 0 and owner and owner[-1] == link and (at - before) * lines.length_km[link] < 1e-3:
                node[point] = begin
                continue
            inside = (along > before) & (along < at)
            first, last = _point_at(path, along, before), _point_at(path, along, at)
            end = int(lines.head[link]) if point < 0 else len(lines.lon) + len(new_lon)
            if point >= 0:
                new_lon.append(last[0])
                new_lat.append(last[1])
                node[point] = end
            owner.append(link)
            tail.append(begin)
            head.append(end)
            length.append(float(lines.length_km[link] * (at - before)))
            paths.append(np.vstack([first, path[inside], last]) - [0.0, 0.0, first[2]])
            begin, before = end, at
    return _replace_links(
        lines,
        np.array(owner),
        np.array(tail),
        np.array(head),
        np.array(length),
        paths,
        np.array(new_lon),
        np.array(new_lat),
    )


def _replace_links(
    lines: Lines,
    owner: Ints,
    tail: Ints,
    head: Ints,
    length_km: Floats,
    paths: list[NDArray[np.float64]],
    new_lon: Floats,
    new_lat: Floats,
) -> Lines:
    keep = np.ones(len(lines.tail), dtype=bool)
    keep[owner] = False
    count = np.diff(lines.start)
    of_point = np.repeat(keep, count)
    first_owner = np.full(len(lines.lon) + len(new_lon), -1, dtype=np.int64)
    first_owner[head] = owner
    born = first_owner[len(lines.lon) :]
    return replace(
        lines,
        lon=np.append(lines.lon, (new_lon + 180) % 360 - 180),
        lat=np.append(lines.lat, new_lat),
        country=np.append(lines.country, lines.country[lines.tail[born]]),
        tail=np.append(lines.tail[keep], tail),
        head=np.append(lines.head[keep], head),
        length_km=np.append(lines.length_km[keep], length_km),
        gauge_mm=np.append(lines.gauge_mm[keep], lines.gauge_mm[owner]),
        bridge=np.append(lines.bridge[keep], lines.bridge[owner]),
        link=np.append(lines.link[keep], lines.link[owner]),
        start=np.concatenate([[0], np.cumsum(np.append(count[keep], [len(path) for path in paths]))]),
        line_lon=np.append(lines.line_lon[of_point], np.concatenate([path[:, 0] for path in paths])),
        line_lat=np.append(lines.line_lat[of_point], np.concatenate([path[:, 1] for path in paths])),
        line_km=np.append(lines.line_km[of_point], np.concatenate([path[:, 2] for path in paths])),
    )


def _point_at(path: NDArray[np.float64], along: Floats, at: float) -> NDArray[np.float64]:
    """Position and length at a share of a path."""
    return np.array([np.interp(at, along, path[:, column]) for column in range(3)])


@dataclass(frozen=True)
class _Segments:
    """Straight pieces of links, sorted by latitude; the few long ones are kept apart."""

    x1: Floats
    y1: Floats
    x2: Floats
    y2: Floats
    edge: Ints
    km1: Floats
    km2: Floats
    middle: Floats
    n_short: int
    length_km: Floats
    tail_country: NDArray[np.str_]
    head_country: NDArray[np.str_]

    @staticmethod
    def of(lines: Lines, usable: Bools | None) -> _Segments:
        count = np.diff(lines.start)
        first = np.ones(len(lines.line_lon), dtype=bool)
        first[lines.start[1:] - 1] = False
        begin = np.flatnonzero(first)
        edge = np.repeat(np.arange(len(count)), count - 1)
        x1, y1, x2, y2 = (
            lines.line_lon[begin],
            lines.line_lat[begin],
            lines.line_lon[begin + 1],
            lines.line_lat[begin + 1],
        )
        km1, km2 = lines.line_km[begin], lines.line_km[begin + 1]
        keep = np.ones(len(edge), dtype=bool) if usable is None else usable[edge]
        long = np.maximum(np.abs(x2 - x1), np.abs(y2 - y1)) > _SHORT_DEG
        middle = (y1 + y2) / 2
        order = np.flatnonzero(keep)
        order = order[np.lexsort((middle[order], long[order]))]
        return _Segments(
            x1[order],
            y1[order],
            x2[order],
            y2[order],
            edge[order],
            km1[order],
            km2[order],
            middle[order],
            int((~long[order]).sum()),
            lines.length_km,
            lines.country[lines.tail],
            lines.country[lines.head],
        )

    def nearest(self, lon: float, lat: float, reach_km: float, country: str | None) -> tuple[int, float, float] | None:
        """Link, share along it and distance in km of the nearest place within reach."""
        reach = reach_km / 111.0
        scale = max(np.cos(np.radians(lat)), 0.01)
        low, high = np.searchsorted(self.middle[: self.n_short], [lat - reach - _SHORT_DEG, lat + reach + _SHORT_DEG])
        band, long = slice(low, high), slice(self.n_short, None)
        short = low + np.flatnonzero(np.abs((self.x1[band] - lon + 180) % 360 - 180) < reach / scale + _SHORT_DEG)
        tall = np.abs(self.middle[long] - lat) < reach + np.abs(self.y2[long] - self.y1[long]) / 2
        wide = np.abs((self.x1[long] - lon + 180) % 360 - 180) < reach / scale + np.abs(self.x2[long] - self.x1[long])
        near = np.append(short, self.n_short + np.flatnonzero(tall & wide))
        x1 = ((self.x1[near] - lon + 180) % 360 - 180) * scale
        dx, y1 = (self.x2[near] - self.x1[near]) * scale, self.y1[near] - lat
        dy = self.y2[near] - self.y1[near]
        at = np.clip(-(x1 * dx + y1 * dy) / np.maximum(dx * dx + dy * dy, 1e-18), 0, 1)
        away = 111.195 * np.hypot(x1 + at * dx, y1 + at * dy)
        if country is not None:
            edge = self.edge[near]
            away = np.where((self.tail_country[edge] == country) | (self.head_country[edge] == country), away, np.inf)
        if not len(away) or away.min() > reach_km:
            return None
        k = int(np.argmin(away))
        s = near[k]
        edge = int(self.edge[s])
        run_km = float(self.km2[s] - self.km1[s])
        to1, to2 = 111.195 * float(np.hypot(x1[k], y1[k])), 111.195 * float(np.hypot(x1[k] + dx[k], y1[k] + dy[k]))
        share = to1 / (to1 + to2) if away[k] > _OFF_LINE_KM and run_km >= to1 + to2 else float(at[k])
        return edge, float((self.km1[s] + share * run_km) / max(self.length_km[edge], 1e-9)), float(away[k])
