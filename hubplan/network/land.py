"""Rail and road extracts, read from ``geodata/network/osm`` (OpenStreetMap, ODbL; made by ``geodata/make/land.py``)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hubplan.errors import DataError, Fault

EARTH_KM = 6371.0088
_GRID = 1000.0   # stored coordinates are thousandths of a degree
_SHORT_DEG = 0.25

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Lines:
    """Links of one land mode, with the line each is drawn as.

    Parameters
    ----------
    lon, lat, country
        Degrees and ISO alpha-3, by node.
    tail, head, length_km
        Node numbers and track or road length, by link.
    gauge_mm
        0 where unknown, and for roads.
    bridge
        True where the link closes a gap of the source data.
    link
        0, or 1 + the position in ``link_name`` and so on of a hand-entered link.
    start, line_lon, line_lat
        Points of link ``i`` are ``start[i]:start[i + 1]``, both ends included.
    """

    lon: Floats
    lat: Floats
    country: NDArray[np.str_]
    tail: Ints
    head: Ints
    length_km: Floats
    gauge_mm: Ints
    bridge: Bools
    link: Ints
    link_name: NDArray[np.str_]
    link_zone: NDArray[np.str_]
    link_opens_year: Ints
    link_assumed: Bools
    start: Ints
    line_lon: Floats
    line_lat: Floats


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


def read_lines(path: Path) -> Lines:
    """Read an extract.

    Raises
    ------
    DataError
        The file is missing or is not an extract.
    """
    if not path.is_file():
        raise DataError([Fault(str(path), "is missing", "run: python geodata/make/build.py")])
    try:
        with np.load(path) as file:
            raw = {key: file[key] for key in file.files}
        tail = np.cumsum(raw["tail"], dtype=np.int64)
        head = tail + raw["head"]
        lon, lat = np.cumsum(raw["node_x"], dtype=np.int64) / _GRID, np.cumsum(raw["node_y"], dtype=np.int64) / _GRID
        start, line_lon, line_lat = _decode_lines(raw, lon, lat, tail, head)
        return Lines(
            lon=lon, lat=lat, country=raw["country"][raw["node_country"]], tail=tail, head=head, length_km=raw["length_10m"] / 100.0,
            gauge_mm=raw["gauge_mm"].astype(np.int64), bridge=raw["bridge"], link=raw["link"].astype(np.int64), link_name=raw["link_name"],
            link_zone=raw["link_zone"], link_opens_year=raw["link_opens_year"].astype(np.int64), link_assumed=raw["link_assumed"],
            start=start, line_lon=line_lon, line_lat=line_lat)
    except (KeyError, ValueError, OSError) as error:
        raise DataError([Fault(str(path), f"is not a land extract ({error})", "run: python geodata/make/build.py")]) from error


def great_circle_km(lon1: Floats, lat1: Floats, lon2: Floats, lat2: Floats) -> Floats:
    """Great-circle distance in km on the mean sphere (haversine)."""
    x1, y1, x2, y2 = np.radians(lon1), np.radians(lat1), np.radians(lon2), np.radians(lat2)
    half = np.sin((y2 - y1) / 2) ** 2 + np.cos(y1) * np.cos(y2) * np.sin((x2 - x1) / 2) ** 2
    return np.asarray(2 * EARTH_KM * np.arcsin(np.sqrt(np.minimum(1.0, half))))


def part_length_km(lines: Lines) -> Floats:
    """Length of the connected part that each node is in."""
    size = len(lines.lon)
    matrix = coo_array((np.ones(len(lines.tail)), (lines.tail, lines.head)), shape=(size, size))
    count, label = connected_components(matrix, directed=False)
    return np.asarray(np.bincount(label[lines.tail], weights=lines.length_km, minlength=count)[label], dtype=np.float64)


def find_landings(lines: Lines, lon: Floats, lat: Floats, *, reach_km: Floats, country: NDArray[np.str_] | None = None,
                  usable: Bools | None = None) -> Landing:
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
        By point: only links of this country count (both ends). None = any.
    usable
        By link: False is never landed on.

    Notes
    -----
    Distances are on a plane about each point: within 0.5 % at 100 km, fit for choosing, and measured again along the great circle.
    """
    segment = _Segments.of(lines, usable)
    edge = np.full(len(lon), -1, dtype=np.int64)
    share, away = np.zeros(len(lon)), np.full(len(lon), np.inf)
    for point in range(len(lon)):
        for reach in sorted({min(15.0, float(reach_km[point])), min(80.0, float(reach_km[point])), float(reach_km[point])}):
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
    paths: list[NDArray[np.float64]] = []
    for link, points in cuts.items():
        span = slice(lines.start[link], lines.start[link + 1])
        path = np.column_stack([lines.line_lon[span], lines.line_lat[span]])
        along = _along(path)
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
            paths.append(np.vstack([first, path[inside], last]))
            begin, before = end, at
    return _replace_links(lines, np.array(owner), np.array(tail), np.array(head), np.array(length), paths, np.array(new_lon), np.array(new_lat))


def _replace_links(lines: Lines, owner: Ints, tail: Ints, head: Ints, length_km: Floats, paths: list[NDArray[np.float64]],
                   new_lon: Floats, new_lat: Floats) -> Lines:
    keep = np.ones(len(lines.tail), dtype=bool)
    keep[owner] = False
    count = np.diff(lines.start)
    of_point = np.repeat(keep, count)
    first_owner = np.full(len(lines.lon) + len(new_lon), -1, dtype=np.int64)
    first_owner[head] = owner
    born = first_owner[len(lines.lon):]
    return replace(
        lines, lon=np.append(lines.lon, (new_lon + 180) % 360 - 180), lat=np.append(lines.lat, new_lat),
        country=np.append(lines.country, lines.country[lines.tail[born]]),
        tail=np.append(lines.tail[keep], tail), head=np.append(lines.head[keep], head), length_km=np.append(lines.length_km[keep], length_km),
        gauge_mm=np.append(lines.gauge_mm[keep], lines.gauge_mm[owner]), bridge=np.append(lines.bridge[keep], lines.bridge[owner]),
        link=np.append(lines.link[keep], lines.link[owner]),
        start=np.concatenate([[0], np.cumsum(np.append(count[keep], [len(path) for path in paths]))]),
        line_lon=np.append(lines.line_lon[of_point], np.concatenate([path[:, 0] for path in paths])),
        line_lat=np.append(lines.line_lat[of_point], np.concatenate([path[:, 1] for path in paths])))


def _along(path: NDArray[np.float64]) -> Floats:
    """Share of a path's length at each of its points."""
    step = np.hypot(np.diff(path[:, 0]) * np.cos(np.radians(path[:-1, 1])), np.diff(path[:, 1])) + 1e-12
    return np.asarray(np.concatenate([[0.0], np.cumsum(step)]) / step.sum())


def _point_at(path: NDArray[np.float64], along: Floats, at: float) -> NDArray[np.float64]:
    return np.array([np.interp(at, along, path[:, 0]), np.interp(at, along, path[:, 1])])


def _decode_lines(raw: dict[str, NDArray[np.generic]], lon: Floats, lat: Floats, tail: Ints, head: Ints) -> tuple[Ints, Floats, Floats]:
    """Undo the delta coding: each stored line steps from the tail; both ends are added."""
    inner = raw["line_count"].astype(np.int64)
    start = np.concatenate([[0], np.cumsum(inner + 2)])
    total = int(start[-1])
    x, y = np.zeros(total, dtype=np.int64), np.zeros(total, dtype=np.int64)
    is_end = np.zeros(total, dtype=bool)
    is_end[start[:-1]] = is_end[start[1:] - 1] = True
    x[~is_end], y[~is_end] = raw["line_dx"], raw["line_dy"]
    x, y = np.cumsum(x), np.cumsum(y)
    before = np.repeat(start[:-1], inner + 2)
    line_lon = (x - x[before]) / _GRID + np.repeat(lon[tail], inner + 2)
    line_lat = (y - y[before]) / _GRID + np.repeat(lat[tail], inner + 2)
    last = start[1:] - 1
    line_lon[last] = line_lon[last] + (lon[head] - line_lon[last] + 180) % 360 - 180
    line_lat[last] = lat[head]
    return start, line_lon, line_lat


@dataclass(frozen=True)
class _Segments:
    """Straight pieces of links, sorted by latitude; the few long ones are kept apart."""

    x1: Floats
    y1: Floats
    x2: Floats
    y2: Floats
    edge: Ints
    share1: Floats
    share2: Floats
    middle: Floats
    n_short: int
    tail_country: NDArray[np.str_]
    head_country: NDArray[np.str_]

    @staticmethod
    def of(lines: Lines, usable: Bools | None) -> _Segments:
        count = np.diff(lines.start)
        first = np.ones(len(lines.line_lon), dtype=bool)
        first[lines.start[1:] - 1] = False
        begin = np.flatnonzero(first)
        edge = np.repeat(np.arange(len(count)), count - 1)
        x1, y1, x2, y2 = lines.line_lon[begin], lines.line_lat[begin], lines.line_lon[begin + 1], lines.line_lat[begin + 1]
        step = np.hypot((x2 - x1) * np.cos(np.radians(y1)), y2 - y1) + 1e-12
        total = np.bincount(edge, weights=step, minlength=len(count))
        passed = np.cumsum(step)
        before = passed - step
        origin = before[np.searchsorted(edge, np.arange(len(count)))]
        share1, share2 = (before - origin[edge]) / total[edge], (passed - origin[edge]) / total[edge]
        keep = np.ones(len(edge), dtype=bool) if usable is None else usable[edge]
        long = np.maximum(np.abs(x2 - x1), np.abs(y2 - y1)) > _SHORT_DEG
        middle = (y1 + y2) / 2
        order = np.flatnonzero(keep)
        order = order[np.lexsort((middle[order], long[order]))]
        return _Segments(x1[order], y1[order], x2[order], y2[order], edge[order], share1[order], share2[order], middle[order],
                         int((~long[order]).sum()), lines.country[lines.tail], lines.country[lines.head])

    def nearest(self, lon: float, lat: float, reach_km: float, country: str | None) -> tuple[int, float, float] | None:
        """Link, share along it and distance in km of the nearest place within reach."""
        reach = reach_km / 111.0
        low, high = np.searchsorted(self.middle[:self.n_short], [lat - reach - _SHORT_DEG, lat + reach + _SHORT_DEG])
        near = np.append(np.arange(low, high), np.arange(self.n_short, len(self.edge)))
        scale = max(np.cos(np.radians(lat)), 0.01)
        x1 = ((self.x1[near] - lon + 180) % 360 - 180)
        ok = (np.abs(x1) < reach / scale + _SHORT_DEG) | (near >= self.n_short)
        near, x1 = near[ok], x1[ok] * scale
        dx, y1 = (self.x2[near] - self.x1[near]) * scale, self.y1[near] - lat
        dy = self.y2[near] - self.y1[near]
        at = np.clip(-(x1 * dx + y1 * dy) / np.maximum(dx * dx + dy * dy, 1e-18), 0, 1)
        away = 111.195 * np.hypot(x1 + at * dx, y1 + at * dy)
        if country is not None:
            edge = self.edge[near]
            away = np.where((self.tail_country[edge] == country) & (self.head_country[edge] == country), away, np.inf)
        if not len(away) or away.min() > reach_km:
            return None
        k = int(np.argmin(away))
        s = near[k]
        return int(self.edge[s]), float(self.share1[s] + at[k] * (self.share2[s] - self.share1[s])), float(away[k])
