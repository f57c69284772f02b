"""Lead ports that do not see the open sea out of their rivers, fjords and bays.

The way is the cheapest over a fine grid around the port, where land costs more than water: it follows the water wherever
the map has it, and crosses the land only where the map's coastline is too coarse for the river.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from scipy.ndimage import label
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from shapely.geometry import LineString
from sight import Obstacle, find_blocked

CELL_KM = 0.9
HALF_KM = (60.0, 110.0)  # half the width of the grid; the wider one where the narrower finds no way out
OVER_LAND = 8.0  # a km over land counts as this many over water
HUG = 1.6  # a km within a cell of the shore counts as this many: ships keep to the channel
SEEN, SIGHT_DEG = 3, 1.8  # the way ends where so many waypoints so near are in sight
STRIDE_KM = 2.0  # places this far apart are tried
RIVER_KM = 15.0  # a waterway so near is taken, land counted eightfold
BEND_DEG = 0.006  # the way is straightened by at most this much


@dataclass(frozen=True)
class Ways:
    """Chains of waypoints from ports outward: ``chain`` numbers them, and ``port`` is the port's row of each chain."""

    lon: np.ndarray
    lat: np.ndarray
    chain: np.ndarray
    port: np.ndarray


def find_ways(
    lon: np.ndarray,
    lat: np.ndarray,
    ports: np.ndarray,
    plon: np.ndarray,
    plat: np.ndarray,
    *,
    river: np.ndarray,
    bare: Obstacle,
    near: Obstacle,
) -> Ways:
    """Find the way out of each port.

    Parameters
    ----------
    lon, lat
        Waypoints that ships reach.
    ports
        Rows of the ports to lead out.
    plon, plat
        All ports.
    river
        Which waypoints lie in a listed waterway: a port close to one takes it.
    """
    out_lon, out_lat, chain, owner = [], [], [], []
    for port in ports:
        for half_km in HALF_KM:
            way = _lead_out(lon, lat, plon[port], plat[port], half_km=half_km, river=river, bare=bare, near=near)
            if way is not None:
                break
        if way is None:
            raise ValueError(
                f"no way out of the port at {plon[port]:.3f} {plat[port]:.3f}; add a lane to repairs/sea_lanes.csv"
            )
        out_lon += way[1:, 0].tolist()
        out_lat += way[1:, 1].tolist()
        chain += [len(owner)] * (len(way) - 1)
        owner.append(port)
    return Ways(np.round(out_lon, 4), np.round(out_lat, 4), np.array(chain), np.array(owner))


def _lead_out(
    lon: np.ndarray,
    lat: np.ndarray,
    x: float,
    y: float,
    *,
    half_km: float,
    river: np.ndarray,
    bare: Obstacle,
    near: Obstacle,
) -> np.ndarray | None:
    """Give the points from the port to the first place clear of land or to the first waypoint, or None."""
    step_lat = CELL_KM / 111.2
    step_lon = step_lat / np.cos(np.radians(y))
    n = int(half_km / CELL_KM)
    gx, gy = np.meshgrid(x + step_lon * np.arange(-n, n + 1), y + step_lat * np.arange(-n, n + 1))
    size = 2 * n + 1
    points = shapely.points(gx.ravel(), gy.ravel())
    on_land, on_near = _hit(bare, points).reshape(size, size), _hit(near, points).reshape(size, size)
    cost = np.where(on_land, OVER_LAND, np.where(on_near, HUG, 1.0))
    length, back = dijkstra(_grid(cost), indices=n * size + n, return_predecessors=True)
    inside = np.flatnonzero((np.abs(lon - x) < n * step_lon) & (np.abs(lat - y) < n * step_lat))
    row, col = np.round((lat[inside] - y) / step_lat), np.round((lon[inside] - x) / step_lon)
    nodes = (row.astype(int) + n) * size + col.astype(int) + n
    goals = np.flatnonzero(_in_open(~on_near, nodes) & (length > 0.0))
    best_node = nodes[np.argmin(length[nodes])] if nodes.size else -1
    around = np.flatnonzero((np.abs(lon - x) * np.cos(np.radians(y)) < SIGHT_DEG) & (np.abs(lat - y) < SIGHT_DEG))
    best_goal = _first_in_sight(goals, length, gx.ravel(), gy.ravel(), lon[around], lat[around], near)
    on_river = nodes[river[inside]]
    if on_river.size and length[on_river].min() < RIVER_KM:
        best_node, best_goal = on_river[np.argmin(length[on_river])], -1
    end = best_goal if best_goal >= 0 else best_node
    if end < 0:
        return None
    path = [end]
    while back[path[-1]] >= 0:
        path.append(back[path[-1]])
    path = np.array(path[::-1])
    way = np.column_stack([gx.ravel()[path], gy.ravel()[path]])
    if end == best_node:
        at = inside[np.flatnonzero(nodes == best_node)[0]]
        way = np.vstack([way[:-1], [lon[at], lat[at]]]) if len(way) > 1 else np.vstack([way, [lon[at], lat[at]]])
    return shapely.get_coordinates(LineString(way).simplify(BEND_DEG)) if len(way) > 1 else None


def _hit(obstacle: Obstacle, points: np.ndarray) -> np.ndarray:
    hit = np.zeros(len(points), dtype=bool)
    hit[obstacle.tree.query(points, predicate="intersects")[0]] = True
    return hit


def _first_in_sight(
    goals: np.ndarray,
    length: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    lon: np.ndarray,
    lat: np.ndarray,
    near: Obstacle,
) -> int:
    """Nearest goal that sees at least ``SEEN`` waypoints; -1 if none does."""
    order = goals[np.lexsort((goals, length[goals]))]
    _, first = np.unique(np.floor(length[order] / STRIDE_KM), return_index=True)
    for goal in order[np.sort(first)]:
        close = np.argsort(np.hypot((lon - x[goal]) * np.cos(np.radians(y[goal])), lat - y[goal]))[:60]
        seen = ~find_blocked(near, np.full(len(close), x[goal]), np.full(len(close), y[goal]), lon[close], lat[close])
        if seen.sum() >= SEEN:
            return int(goal)
    return -1


def _in_open(clear: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Cells of the waters that have a waypoint in them: not lagoons."""
    pool, _ = label(clear)
    return np.isin(pool.ravel(), np.unique(pool.ravel()[nodes])) & clear.ravel()


def _grid(cost: np.ndarray) -> csr_matrix:
    """Eight neighbours and knight's moves; a step costs its length times the mean cost of its ends."""
    rows, cols = cost.shape
    index = np.arange(rows * cols).reshape(rows, cols)
    tails, heads, weights = [], [], []
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1), (1, 2), (2, 1), (1, -2), (2, -1)):
        a = index[: rows - dy, max(0, -dx) : cols - max(0, dx)]
        b = index[dy:, max(0, dx) : cols - max(0, -dx)]
        tails.append(a.ravel())
        heads.append(b.ravel())
        weights.append((np.hypot(dx, dy) * CELL_KM * (cost.ravel()[a] + cost.ravel()[b]) / 2.0).ravel())
    tail, head, weight = np.concatenate(tails), np.concatenate(heads), np.concatenate(weights)
    both = (np.concatenate([weight, weight]), (np.concatenate([tail, head]), np.concatenate([head, tail])))
    return csr_matrix(both, shape=(rows * cols, rows * cols))
