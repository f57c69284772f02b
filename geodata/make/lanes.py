"""Lanes at sea: searoute's, mended; hand lanes; ways out of hidden ports; lines of sight; all thinned by a spanner."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import shapely
from harbour_ways import find_ways
from harbours import find_hidden
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from searoute.data.marnet_dict import edge_list
from shapely.geometry import Polygon
from sight import Obstacle, find_blocked, find_pairs, great_circle_km, grow_land, measure_land_km, span, to_unit

from hubplan.network.sea import EARTH_KM

REPAIRS = Path(__file__).resolve().parent.parent / "repairs"

OFF_DEG, NEAR_DEG = 0.07, 0.02  # clearance of long and of short lines of sight: 7.8 and 2.2 km
LONG_KM, SHORT_KM = 2500.0, 350.0  # their greatest length
STRETCH, SLACK_KM = 1.003, 0.7  # a line is dropped where those kept are at most this much longer
PORT_KM = 80.0  # within this distance of a port waypoints are close together
SOUTH, NORTH = -57.5, 73.0  # lines of sight stay between these latitudes: ice
JOIN_RIVER_KM = 10.0  # in a waterway, where a longer line would cut the bends, or an isthmus
JOIN_KM = 60.0  # a hand lane is joined to waypoints within this distance of its ends
LAND_KM = 2.0  # a lane may run this far over the land of the map, outside a waterway


LATTICE_DEG = 1.5  # one waypoint of searoute per cell in the open sea
NO_GATE = np.empty(0, dtype=int)
LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Graph:
    """Waypoints and lanes; ``gate`` gives for each port the waypoint where its way out begins, -1 where it needs none."""

    lon: np.ndarray
    lat: np.ndarray
    tail: np.ndarray
    head: np.ndarray
    gate: np.ndarray


@dataclass(frozen=True)
class Land:
    """All land: as it is, and grown by the two clearances."""

    polygons: list
    bare: Obstacle
    near: Obstacle
    off: Obstacle


def build_lanes(land: Land, ports: pd.DataFrame) -> Graph:
    """Join searoute's lanes, hand lanes, ways out of ports and lines of sight, and keep a spanner of them."""
    marnet, hand = drop_listed(drop_stray(read_marnet(land.bare))), read_hand_lanes()
    wide, fine = find_waypoints(land, ports)
    plon, plat = ports["lon"].to_numpy(float), ports["lat"].to_numpy(float)
    at_sea = np.vstack([np.column_stack([g.lon, g.lat]) for g in (marnet, hand)] + [wide])
    hidden = find_hidden(at_sea, plon, plat, land.bare)
    ways = find_ways(
        at_sea[:, 0],
        at_sea[:, 1],
        np.flatnonzero(hidden),
        plon,
        plat,
        river=in_waterway(np.hstack([at_sea, at_sea])),
        bare=land.bare,
        near=land.near,
    )
    way_lanes = np.flatnonzero(ways.chain[:-1] == ways.chain[1:])

    at = np.cumsum([0, len(marnet.lon), len(hand.lon), len(ways.lon), len(wide), len(fine)])
    lon = np.concatenate([marnet.lon, hand.lon, ways.lon, wide[:, 0], fine[:, 0]])
    lat = np.concatenate([marnet.lat, hand.lat, ways.lat, wide[:, 1], fine[:, 1]])
    part = np.repeat(np.arange(5), np.diff(at))
    is_outer = part == 1
    is_outer[at[2] + np.flatnonzero(np.diff(ways.chain, append=-1) != 0)] = True

    band = (lat > SOUTH) & (lat < NORTH)
    clear_near, clear_off = ~_on(land.near, lon, lat) & band, ~_on(land.off, lon, lat) & band
    far_hub = clear_off & ((part == 3) | _thin(lon, lat, (part == 0) & clear_off, LATTICE_DEG))
    near_hub = clear_near & ((part >= 3) | is_outer | _thin(lon, lat, (part == 0) & clear_near, 0.25))
    ends = np.concatenate([at[1] + find_ends(hand), np.flatnonzero(is_outer & (part == 2))])
    pairs = np.vstack(
        [
            _see(land.off, lon, lat, far_hub, LONG_KM),
            _see(land.near, lon, lat, near_hub, SHORT_KM),
            join_ends(land.bare, lon, lat, ends, (part == 0) | far_hub | near_hub),
        ]
    )
    forced = [hand.tail + at[1], at[2] + way_lanes], [hand.head + at[1], at[2] + way_lanes + 1]
    tail = np.concatenate([*forced[0], marnet.tail, pairs[:, 0]])
    head = np.concatenate([*forced[1], marnet.head, pairs[:, 1]])
    must = np.arange(len(tail)) < len(hand.tail) + len(way_lanes)
    kept = span(lon, lat, tail, head, stretch=STRETCH, slack_km=SLACK_KM, must=must)
    LOG.info(
        "%d far and %d near hubs, %d hidden ports, %d candidates, %d kept",
        far_hub.sum(),
        near_hub.sum(),
        hidden.sum(),
        len(tail),
        kept.sum(),
    )
    gate = np.full(len(ports), -1)
    gate[ways.port] = at[2] + np.flatnonzero(np.diff(ways.chain, prepend=-1) != 0)
    return drop_stray(merge_same(Graph(lon, lat, tail[kept], head[kept], gate)))


def read_shoals() -> list[Polygon]:
    """Read the waters of repairs/sea_shoals.csv that are too shallow for ships; they count as land."""
    table = pd.read_csv(REPAIRS / "sea_shoals.csv")
    return [Polygon([[float(v) for v in p.split()] for p in outline.split(";")]) for outline in table["outline"]]


def find_waypoints(land: Land, ports: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Find corners of the coast: for long lines of sight, and closer in, densely around ports, for short ones."""
    wide = find_corners(land.polygons, OFF_DEG + 0.03, tolerance_deg=0.025, cell_deg=1.2)
    fine = find_corners(land.polygons, NEAR_DEG + 0.012, tolerance_deg=0.01, cell_deg=0.35)
    wide, fine = wide[~_on(land.off, *wide.T)], fine[~_on(land.near, *fine.T)]
    by_port = _distance_km(fine, ports) < PORT_KM
    return wide, fine[by_port | _thin(fine[:, 0], fine[:, 1], ~by_port, 1.2)]


def _distance_km(points: np.ndarray, ports: pd.DataFrame) -> np.ndarray:
    tree = cKDTree(to_unit(ports["lon"].to_numpy(float), ports["lat"].to_numpy(float)))
    return 2.0 * EARTH_KM * np.arcsin(np.clip(tree.query(to_unit(points[:, 0], points[:, 1]))[0] / 2.0, 0.0, 1.0))


def read_marnet(bare: Obstacle) -> Graph:
    """Read searoute's lanes; drop the walls along +-180, inland seas and what lies on land outside a waterway."""
    rows = [
        (a[0], a[1], b[0], b[1])
        for a, near in edge_list.items()
        for b, data in near.items()
        if a < b and not str(data.get("passage")).startswith("segment") and data["weight"] > 0
    ]
    ends = np.array(rows, dtype=float)
    ends[:, [0, 2]] = (ends[:, [0, 2]] + 180.0) % 360.0 - 180.0
    ends = np.round(ends, 4)
    km = measure_land_km(bare, *ends.T)
    keep = (km <= LAND_KM) | in_waterway(ends)
    keep &= ~_in_caspian(ends)
    ends = ends[keep]
    points, index = np.unique(ends.reshape(-1, 2), axis=0, return_inverse=True)
    index = index.reshape(-1, 2)
    return Graph(points[:, 0], points[:, 1], index[:, 0], index[:, 1], NO_GATE)


def in_waterway(ends: np.ndarray) -> np.ndarray:
    table = pd.read_csv(REPAIRS / "sea_waterways.csv")
    inside = np.zeros(len(ends), dtype=bool)
    for row in table.itertuples():
        fit = np.ones(len(ends), dtype=bool)
        for x, y in ((0, 1), (2, 3)):
            fit &= (
                (ends[:, x] >= row.west)
                & (ends[:, x] <= row.east)
                & (ends[:, y] >= row.south)
                & (ends[:, y] <= row.north)
            )
        inside |= fit
    return inside


def drop_listed(graph: Graph) -> Graph:
    """Drop the lanes of repairs/sea_dropped.csv. Until here those that a hand lane replaces held their seas together."""
    ends = np.column_stack([graph.lon[graph.tail], graph.lat[graph.tail], graph.lon[graph.head], graph.lat[graph.head]])
    dropped = np.zeros(len(ends), dtype=bool)
    for lane in pd.read_csv(REPAIRS / "sea_dropped.csv")[["lon0", "lat0", "lon1", "lat1"]].to_numpy(float):
        for way in (lane, lane[[2, 3, 0, 1]]):
            dropped |= (np.abs(ends - way) < 0.02).all(axis=1)
    return Graph(graph.lon, graph.lat, graph.tail[~dropped], graph.head[~dropped], graph.gate)


def _in_caspian(ends: np.ndarray) -> np.ndarray:
    lon, lat = (ends[:, 0] + ends[:, 2]) / 2, (ends[:, 1] + ends[:, 3]) / 2
    return (lon > 41.0) & (lon < 56.0) & (lat > 36.3) & (lat < 50.0) & ~((lon < 42.0) & (lat < 44.0))


def read_hand_lanes() -> Graph:
    """Read the lanes of repairs/sea_lanes.csv: chains of waypoints."""
    lon, lat, tail, head = [], [], [], []
    for row in pd.read_csv(REPAIRS / "sea_lanes.csv").itertuples():
        points = [tuple(float(v) for v in p.split()) for p in row.points.split(";")]
        base = len(lon)
        lon += [p[0] for p in points]
        lat += [p[1] for p in points]
        tail += list(range(base, base + len(points) - 1))
        head += list(range(base + 1, base + len(points)))
    return Graph(np.array(lon), np.array(lat), np.array(tail), np.array(head), NO_GATE)


def find_ends(chains: Graph) -> np.ndarray:
    return np.flatnonzero(np.bincount(np.concatenate([chains.tail, chains.head])) == 1)


def join_ends(bare: Obstacle, lon: np.ndarray, lat: np.ndarray, ends: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Join ends of hand lanes and ways to waypoints near by that no land hides, or that are close in the same waterway."""
    rows = []
    for end in ends:
        km = great_circle_km(np.full(len(lon), lon[end]), np.full(len(lon), lat[end]), lon, lat)
        rows += [(end, other) for other in np.flatnonzero(among & (km < JOIN_KM)) if other != end]
    pairs = np.array(rows)
    line = np.column_stack([lon[pairs[:, 0]], lat[pairs[:, 0]], lon[pairs[:, 1]], lat[pairs[:, 1]]])
    close = great_circle_km(*line.T) < JOIN_RIVER_KM
    return pairs[(measure_land_km(bare, *line.T) <= LAND_KM) | (close & in_waterway(line))]


def find_corners(land: list, clearance_deg: float, *, tolerance_deg: float, cell_deg: float) -> np.ndarray:
    """Find where a shortest way at sea may turn: the sharpest corner per cell of the land grown by a clearance."""
    found = []
    for polygon in grow_land(land, clearance_deg):
        ring = shapely.get_coordinates(polygon.exterior.simplify(tolerance_deg))[:-1]
        if len(ring) < 3:
            continue
        back, ahead = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
        squeeze = np.cos(np.radians(ring[:, 1]))
        turn = np.arctan2(
            squeeze * (back[:, 0] * ahead[:, 1] - back[:, 1] * ahead[:, 0]),
            squeeze**2 * back[:, 0] * ahead[:, 0] + back[:, 1] * ahead[:, 1],
        )
        sign = 1.0 if polygon.exterior.is_ccw else -1.0
        salient = sign * turn > np.radians(6.0)
        found.append(np.column_stack([ring[salient], np.abs(turn[salient])]))
    points = np.vstack(found)
    polar = (points[:, 1] > 66.3) & ((points[:, 0] < -30.0) | (points[:, 0] > 60.0))
    points = points[(points[:, 1] > SOUTH) & (points[:, 1] < NORTH) & ~polar]
    points[:, 0] = (points[:, 0] + 180.0) % 360.0 - 180.0
    squeeze = np.cos(np.radians(np.round(points[:, 1])))
    cell = np.floor(np.column_stack([points[:, 0] * squeeze, points[:, 1]]) / cell_deg)
    order = np.lexsort((points[:, 1], points[:, 0], -points[:, 2]))
    _, first = np.unique(cell[order], axis=0, return_index=True)
    return np.round(points[order[np.sort(first)], :2], 4)


def _thin(lon: np.ndarray, lat: np.ndarray, among: np.ndarray, cell_deg: float) -> np.ndarray:
    """Keep one point per cell, the one nearest its middle."""
    index = np.flatnonzero(among)
    col, row = np.floor(lon[index] / cell_deg), np.floor(lat[index] / cell_deg)
    miss = np.hypot(lon[index] / cell_deg - col - 0.5, lat[index] / cell_deg - row - 0.5)
    order = np.lexsort((index, miss))
    _, first = np.unique(np.column_stack([col, row])[order], axis=0, return_index=True)
    kept = np.zeros(len(lon), dtype=bool)
    kept[index[order[first]]] = True
    return kept


def _on(obstacle: Obstacle, lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    hit = np.zeros(len(lon), dtype=bool)
    hit[obstacle.tree.query(shapely.points(lon, lat), predicate="intersects")[0]] = True
    return hit


def _see(obstacle: Obstacle, lon: np.ndarray, lat: np.ndarray, among: np.ndarray, reach_km: float) -> np.ndarray:
    """Pairs of the chosen points in sight of each other; no line leaves the band of latitudes."""
    index = np.flatnonzero(among)
    pairs = np.sort(index[find_pairs(lon[index], lat[index], reach_km)], axis=1)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    a, b = pairs.T
    crest = _crest_lat(lon[a], lat[a], lon[b], lat[b])
    pairs = pairs[(crest[0] > SOUTH) & (crest[1] < NORTH)]
    a, b = pairs.T
    return pairs[~find_blocked(obstacle, lon[a], lat[a], lon[b], lat[b])]


def _crest_lat(lon0, lat0, lon1, lat1):
    """Lowest and highest latitude of a quarter, half and three quarters of the way."""
    a, b = to_unit(lon0, lat0), to_unit(lon1, lat1)
    lats = [lat0, lat1]
    for s in (0.25, 0.5, 0.75):
        m = (1 - s) * a + s * b
        lats.append(np.degrees(np.arctan2(m[:, 2], np.hypot(m[:, 0], m[:, 1]))))
    return np.min(lats, axis=0), np.max(lats, axis=0)


def merge_same(graph: Graph) -> Graph:
    """Make one waypoint of those at the same place."""
    points, new = np.unique(np.column_stack([graph.lon, graph.lat]), axis=0, return_inverse=True)
    tail, head = new[graph.tail], new[graph.head]
    lanes = np.unique(np.sort(np.column_stack([tail, head])[tail != head], axis=1), axis=0)
    return Graph(points[:, 0], points[:, 1], lanes[:, 0], lanes[:, 1], np.where(graph.gate >= 0, new[graph.gate], -1))


def drop_stray(graph: Graph) -> Graph:
    """Keep the largest connected piece."""
    n = len(graph.lon)
    matrix = coo_matrix((np.ones(len(graph.tail)), (graph.tail, graph.head)), shape=(n, n))
    _, label = connected_components(matrix, directed=False)
    main = np.bincount(label).argmax()
    used = label == main
    new = np.cumsum(used) - 1
    keep = used[graph.tail]
    lost = (graph.gate >= 0) & ~used[graph.gate]
    if lost.any():
        raise ValueError(f"the ways out of ports {np.flatnonzero(lost).tolist()} end nowhere")
    gate = np.where(graph.gate >= 0, new[graph.gate], -1)
    return Graph(graph.lon[used], graph.lat[used], new[graph.tail[keep]], new[graph.head[keep]], gate)
