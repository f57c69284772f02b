"""Which points at sea see each other past the land, and which of those lines are worth keeping."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import shapely
from scipy.spatial import cKDTree
from shapely import affinity
from shapely.geometry import MultiPolygon, Polygon, box
from shapely.strtree import STRtree

from hubplan.network.sea import EARTH_KM, densify_arcs

CELL_DEG = 0.25


@dataclass(frozen=True)
class Obstacle:
    """Land grown by a clearance, cut small, with a coarse raster of where it may be near."""

    tree: STRtree
    near: np.ndarray  # (720, 1440): land within about 25 km of the cell


def grow_land(polygons: list[Polygon], clearance_deg: float) -> list[Polygon]:
    """Grow land by a clearance in degrees of latitude, the same distance east and west at every latitude."""
    if clearance_deg <= 0.0:
        return polygons
    grown = []
    for polygon in polygons:
        for strip in _strips(polygon):
            squeeze = np.cos(np.radians(np.clip((strip.bounds[1] + strip.bounds[3]) / 2.0, -84.0, 84.0)))
            flat = affinity.scale(strip, xfact=squeeze, origin=(0.0, 0.0))
            wide = flat.simplify(clearance_deg / 10.0).buffer(clearance_deg, quad_segs=3)
            grown.append(affinity.scale(wide, xfact=1.0 / squeeze, origin=(0.0, 0.0)))
    merged = shapely.union_all(grown)
    return [part for part in shapely.get_parts(merged) if part.geom_type == "Polygon"]


def _strips(polygon: Polygon) -> list[Polygon]:
    west, south, east, north = polygon.bounds
    if north - south < 2.0:
        return [polygon]
    strips = []
    for low in np.arange(np.floor(south / 2.0) * 2.0, north, 2.0):
        part = polygon.intersection(box(west - 1.0, low - 0.001, east + 1.0, low + 2.001))
        strips += [p for p in shapely.get_parts(part) if p.geom_type == "Polygon"]
    return strips


def build_obstacle(polygons: list[Polygon]) -> Obstacle:
    cells = [cell for polygon in polygons for cell in _cut(polygon)]
    west = [affinity.translate(c, xoff=360.0) for c in cells if c.bounds[0] < -178.0]
    east = [affinity.translate(c, xoff=-360.0) for c in cells if c.bounds[2] > 178.0]
    cells = cells + west + east
    tree = STRtree(cells)
    lon, lat = np.meshgrid(np.arange(-180.0, 180.0, CELL_DEG), np.arange(-90.0, 90.0, CELL_DEG))
    squares = shapely.box(lon.ravel(), lat.ravel(), lon.ravel() + CELL_DEG, lat.ravel() + CELL_DEG)
    hit = np.zeros(lon.size, dtype=bool)
    hit[tree.query(squares, predicate="intersects")[0]] = True
    hit = hit.reshape(lon.shape)
    rows = np.zeros_like(hit)
    for d in (-1, 0, 1):
        rows |= np.roll(hit, d, axis=0)
    near = np.zeros_like(hit)
    reach = np.ceil(1.0 / np.maximum(np.cos(np.radians(np.abs(lat[:, 0]) + CELL_DEG)), 0.02)).astype(int)
    for row, width in enumerate(reach):
        for d in range(-min(width, 40), min(width, 40) + 1):
            near[row] |= np.roll(rows[row], d)
    return Obstacle(tree, near)


def _cut(polygon: Polygon) -> list[Polygon]:
    """Cut a polygon in halves until each has at most 60 corners."""
    if polygon.geom_type in ("MultiPolygon", "GeometryCollection"):
        return [c for p in polygon.geoms for c in _cut(p)]
    if polygon.geom_type != "Polygon":
        return []
    if shapely.get_num_coordinates(polygon) <= 60:
        shapely.prepare(polygon)
        return [polygon]
    w, s, e, n = polygon.bounds
    if e - w > n - s:
        halves = (box(w, s, (w + e) / 2, n), box((w + e) / 2, s, e, n))
    else:
        halves = (box(w, s, e, (s + n) / 2), box(w, (s + n) / 2, e, n))
    return [cell for half in halves for cell in _cut(polygon.intersection(half))]


def find_blocked(obstacle: Obstacle, lon0, lat0, lon1, lat1) -> np.ndarray:
    """Find great circles that touch the obstacle, exactly as drawn."""
    blocked = np.zeros(len(lon0), dtype=bool)
    for low in range(0, len(lon0), 50_000):
        part = slice(low, low + 50_000)
        lon, lat, start = densify_arcs(lon0[part], lat0[part], lon1[part], lat1[part])
        arc = np.repeat(np.arange(len(start) - 1), np.diff(start))
        first = np.flatnonzero(arc[:-1] == arc[1:])
        mid_lon, mid_lat = (lon[first] + lon[first + 1]) / 2.0, (lat[first] + lat[first + 1]) / 2.0
        col = (np.floor((mid_lon + 180.0) / CELL_DEG).astype(int)) % 1440
        row = np.clip(np.floor((mid_lat + 90.0) / CELL_DEG).astype(int), 0, 719)
        first = first[obstacle.near[row, col]]
        bad = np.zeros(len(start) - 1, dtype=bool)
        phase = (first - start[arc[first]]) % 8
        for turn in (0, 4, 2, 6, 1, 3, 5, 7):  # far-apart pieces first: most blocked lines fall out early
            now = first[(phase == turn) & ~bad[arc[first]]]
            if now.size:
                bad[arc[now[_touch(obstacle, lon, lat, now)]]] = True
        blocked[part] = bad
    return blocked


def _touch(obstacle: Obstacle, lon, lat, first) -> np.ndarray:
    home = 360.0 * np.floor((lon[first] + 180.0) / 360.0)
    ends = np.stack(
        [np.column_stack([lon[first] - home, lat[first]]), np.column_stack([lon[first + 1] - home, lat[first + 1]])],
        axis=1,
    )
    return np.unique(obstacle.tree.query(shapely.linestrings(ends), predicate="intersects")[0])


def measure_land_km(obstacle: Obstacle, lon0, lat0, lon1, lat1) -> np.ndarray:
    """Length of each great circle that lies on the obstacle, km (planar within 25 km pieces)."""
    lon, lat, start = densify_arcs(lon0, lat0, lon1, lat1)
    arc = np.repeat(np.arange(len(start) - 1), np.diff(start))
    first = np.flatnonzero(arc[:-1] == arc[1:])
    home = 360.0 * np.floor((lon[first] + 180.0) / 360.0)
    ends = np.stack(
        [np.column_stack([lon[first] - home, lat[first]]), np.column_stack([lon[first + 1] - home, lat[first + 1]])],
        axis=1,
    )
    lines = shapely.linestrings(ends)
    piece, cell = obstacle.tree.query(lines, predicate="intersects")
    inside = shapely.intersection(lines[piece], obstacle.tree.geometries[cell])
    share = shapely.length(inside) / np.maximum(shapely.length(lines[piece]), 1e-12)
    km = great_circle_km(ends[:, 0, 0], ends[:, 0, 1], ends[:, 1, 0], ends[:, 1, 1])
    return np.bincount(arc[first[piece]], weights=share * km[piece], minlength=len(start) - 1)


def to_unit(lon, lat) -> np.ndarray:
    lam, phi = np.radians(lon), np.radians(lat)
    return np.column_stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])


def great_circle_km(lon0, lat0, lon1, lat1) -> np.ndarray:
    chord = np.linalg.norm(to_unit(lon0, lat0) - to_unit(lon1, lat1), axis=1)
    return 2.0 * EARTH_KM * np.arcsin(np.clip(chord / 2.0, 0.0, 1.0))


def find_pairs(lon, lat, reach_km: float) -> np.ndarray:
    """All pairs (n, 2) of points within a distance of each other."""
    chord = 2.0 * np.sin(reach_km / EARTH_KM / 2.0)
    return cKDTree(to_unit(lon, lat)).query_pairs(chord, output_type="ndarray")


@numba.njit(cache=True)
def _angle(xyz, i, j):
    d = (xyz[i, 0] - xyz[j, 0]) ** 2 + (xyz[i, 1] - xyz[j, 1]) ** 2 + (xyz[i, 2] - xyz[j, 2]) ** 2
    return 2.0 * np.arcsin(min(1.0, np.sqrt(d) / 2.0))


@numba.njit(cache=True)
def _keep(xyz, tail, head, order, stretch, slack, must, dead_end):
    """Greedy spanner: keep an edge unless those kept already join its ends within the stretch (A* within an ellipse)."""
    n = xyz.shape[0]
    edges = len(tail)
    first = np.full(n, -1, np.int64)
    nxt = np.full(2 * edges, -1, np.int64)
    to = np.empty(2 * edges, np.int64)
    cost = np.empty(2 * edges, np.float64)
    size = 0
    kept = np.zeros(edges, np.bool_)
    dist = np.full(n, np.inf)
    seen = np.full(n, -1, np.int64)
    for rank in range(edges):
        e = order[rank]
        s, t = tail[e], head[e]
        length = _angle(xyz, s, t)
        limit = length * stretch + slack
        found = False
        if not must[e]:
            heap = [(length, 0.0, s)]
            dist[s] = 0.0
            seen[s] = rank
            while len(heap) > 0:
                _, d, u = heapq_pop(heap)
                if d > dist[u] and seen[u] == rank:
                    continue
                if u == t:
                    found = True
                    break
                k = -1 if dead_end[u] and u != s else first[u]
                while k != -1:
                    v = to[k]
                    nd = d + cost[k]
                    if seen[v] != rank or nd < dist[v]:
                        f = nd + _angle(xyz, v, t)
                        if f <= limit:
                            dist[v] = nd
                            seen[v] = rank
                            heapq_push(heap, (f, nd, v))
                    k = nxt[k]
        if not found:
            kept[e] = True
            for a, b in ((s, t), (t, s)):
                to[size] = b
                cost[size] = length
                nxt[size] = first[a]
                first[a] = size
                size += 1
    return kept


@numba.njit(cache=True)
def heapq_push(heap, item):
    heap.append(item)
    i = len(heap) - 1
    while i > 0:
        p = (i - 1) // 2
        if heap[i] < heap[p]:
            heap[i], heap[p] = heap[p], heap[i]
            i = p
        else:
            break


@numba.njit(cache=True)
def heapq_pop(heap):
    last = heap.pop()
    if len(heap) == 0:
        return last
    top = heap[0]
    heap[0] = last
    i = 0
    n = len(heap)
    while True:
        c = 2 * i + 1
        if c >= n:
            break
        if c + 1 < n and heap[c + 1] < heap[c]:
            c += 1
        if heap[c] < heap[i]:
            heap[i], heap[c] = heap[c], heap[i]
            i = c
        else:
            break
    return top


def span(lon, lat, tail, head, *, stretch: float, slack_km: float = 0.0, must=None) -> np.ndarray:
    """Keep the edges of a greedy spanner, shortest first (Althoefer et al. 1993, doi:10.1007/BF02189308)."""
    length = great_circle_km(lon[tail], lat[tail], lon[head], lat[head])
    order = np.lexsort((head, tail, length))
    forced = np.zeros(len(tail), dtype=bool) if must is None else must
    nowhere = np.zeros(len(lon), dtype=bool)
    return keep_edges(lon, lat, tail, head, order, stretch=stretch, slack_km=slack_km, must=forced, dead_end=nowhere)


def keep_edges(lon, lat, tail, head, order, *, stretch: float, slack_km: float, must, dead_end) -> np.ndarray:
    """Take edges in the order given, and keep those that the ones kept so far do not replace; no way leads through a dead end."""
    xyz, slack = to_unit(lon, lat), slack_km / EARTH_KM
    return _keep(
        xyz, tail.astype(np.int64), head.astype(np.int64), order.astype(np.int64), stretch, slack, must, dead_end
    )


def flatten(shape: MultiPolygon) -> list[Polygon]:
    return [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
