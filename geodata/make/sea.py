"""Build geodata/network/sea.npz: lanes of searoute mended and joined by lines of sight, and the approaches of every port.

searoute 1.6.0 (Apache-2.0; its lanes derive from Eurostat's searoute) is a sparse zig-zag lattice, 2 % long against published
distances and 6 to 11 % long across the Indian Ocean. Great circles between waypoints that see each other past the land, thinned by
a spanner, take that away.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import shapely
from harbours import link_ports
from pyproj import Geod
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from searoute.data.marnet_dict import edge_list
from sight import (
    Obstacle,
    build_obstacle,
    find_blocked,
    find_pairs,
    great_circle_km,
    grow_land,
    measure_land_km,
    span,
    to_unit,
)
from world import read_land

from hubplan.network.chokepoints import find_inside, read_zones, tag_arcs
from hubplan.network.sea import EARTH_KM

GEODATA = Path(__file__).resolve().parent.parent
REPAIRS = GEODATA / "repairs"

OFF_DEG, NEAR_DEG = 0.06, 0.02     # clearance of long and of short lines of sight: 6.7 and 2.2 km
LONG_KM, SHORT_KM = 2500.0, 160.0  # their greatest length
STRETCH, SLACK_KM = 1.003, 0.7      # a line is dropped where those kept are at most this much longer
PORT_KM = 80.0                     # within this distance of a port waypoints are close together
SOUTH, NORTH = -57.5, 73.0         # lines of sight stay between these latitudes: ice
JOIN_KM = 60.0                     # a hand lane is joined to waypoints within this distance of its ends
LAND_KM = 2.0                      # a lane may run this far over the land of the map, outside a waterway


@dataclass(frozen=True)
class Graph:
    lon: np.ndarray
    lat: np.ndarray
    tail: np.ndarray
    head: np.ndarray


def build(out: Path) -> None:
    """Write sea.npz into a folder."""
    land = read_land()
    bare = build_obstacle(land)
    near = build_obstacle(grow_land(land, NEAR_DEG))
    off = build_obstacle(grow_land(land, OFF_DEG))
    ports = read_ports()
    graph = build_lanes(land, bare, near, off, ports)
    zones = tuple(z for z in read_zones(read_zone_table()) if z.kind != "rail-gate")
    links = link_ports(graph, ports, bare, near)
    write(out / "sea.npz", graph, ports, links, zones)


def read_ports() -> pd.DataFrame:
    return pd.read_csv(GEODATA / "ports.csv").sort_values("port", ignore_index=True)


def read_zone_table() -> pd.DataFrame:
    return pd.read_csv(GEODATA / "zones.csv")


def build_lanes(land: list, bare: Obstacle, near: Obstacle, off: Obstacle, ports: pd.DataFrame) -> Graph:
    """Join searoute's lanes, hand lanes and lines of sight, and keep a spanner of them."""
    marnet = read_marnet(bare)
    hand = read_hand_lanes()
    corners_off = find_corners(land, OFF_DEG + 0.01, 0.04, 1.2)
    corners_near = find_corners(land, NEAR_DEG + 0.006, 0.015, 0.35)
    by_port = _distance_km(corners_near, ports) < PORT_KM
    sparse = _thin(corners_near[:, 0], corners_near[:, 1], ~by_port, 1.5)
    corners_near = corners_near[by_port | sparse]
    lon = np.concatenate([marnet.lon, hand.lon, corners_off[:, 0], corners_near[:, 0]])
    lat = np.concatenate([marnet.lat, hand.lat, corners_off[:, 1], corners_near[:, 1]])
    at = np.cumsum([0, len(marnet.lon), len(hand.lon), len(corners_off), len(corners_near)])
    is_marnet = np.arange(len(lon)) < at[1]
    is_off = (np.arange(len(lon)) >= at[2]) & (np.arange(len(lon)) < at[3])
    is_near = np.arange(len(lon)) >= at[3]
    band = (lat > SOUTH) & (lat < NORTH)
    clear_near, clear_off = ~_on(near, lon, lat) & band, ~_on(off, lon, lat) & band
    far_hub = clear_off & (is_off | _thin(lon, lat, is_marnet & clear_off, 1.5))
    near_hub = clear_near & (is_near | is_off | _thin(lon, lat, is_marnet & clear_near, 0.25) | ((np.arange(len(lon)) >= at[1]) & (np.arange(len(lon)) < at[2])))
    pairs = np.vstack([_see(off, lon, lat, far_hub, LONG_KM), _see(near, lon, lat, near_hub, SHORT_KM)])
    joins = join_ends(bare, lon, lat, at[1] + find_ends(hand), is_marnet | far_hub | near_hub)
    pairs = np.vstack([pairs, joins])
    tail = np.concatenate([marnet.tail, hand.tail + at[1], pairs[:, 0]])
    head = np.concatenate([marnet.head, hand.head + at[1], pairs[:, 1]])
    must = np.zeros(len(tail), dtype=bool)
    must[len(marnet.tail): len(marnet.tail) + len(hand.tail)] = True
    print("hubs", far_hub.sum(), near_hub.sum(), "candidates", len(tail))
    kept = span(lon, lat, tail, head, stretch=STRETCH, slack_km=SLACK_KM, must=must)
    print("kept", kept.sum())
    return drop_stray(Graph(lon, lat, tail[kept], head[kept]))


def _distance_km(points: np.ndarray, ports: pd.DataFrame) -> np.ndarray:
    tree = cKDTree(to_unit(ports["lon"].to_numpy(float), ports["lat"].to_numpy(float)))
    return 2.0 * EARTH_KM * np.arcsin(np.clip(tree.query(to_unit(points[:, 0], points[:, 1]))[0] / 2.0, 0.0, 1.0))


def read_marnet(bare: Obstacle) -> Graph:
    """Read searoute's lanes; drop the walls along +-180, inland seas and what lies on land outside a waterway."""
    rows = [(a[0], a[1], b[0], b[1]) for a, near in edge_list.items() for b, data in near.items()
            if a < b and not str(data.get("passage")).startswith("segment") and data["weight"] > 0]
    ends = np.array(rows, dtype=float)
    ends[:, [0, 2]] = (ends[:, [0, 2]] + 180.0) % 360.0 - 180.0
    ends = np.round(ends, 4)
    km = measure_land_km(bare, *ends.T)
    keep = (km <= LAND_KM) | _in_waterway(ends)
    keep &= ~_in_caspian(ends)
    ends = ends[keep]
    points, index = np.unique(ends.reshape(-1, 2), axis=0, return_inverse=True)
    index = index.reshape(-1, 2)
    return Graph(points[:, 0], points[:, 1], index[:, 0], index[:, 1])


def _in_waterway(ends: np.ndarray) -> np.ndarray:
    table = pd.read_csv(REPAIRS / "sea_waterways.csv")
    inside = np.zeros(len(ends), dtype=bool)
    for row in table.itertuples():
        fit = np.ones(len(ends), dtype=bool)
        for x, y in ((0, 1), (2, 3)):
            fit &= (ends[:, x] >= row.west) & (ends[:, x] <= row.east) & (ends[:, y] >= row.south) & (ends[:, y] <= row.north)
        inside |= fit
    return inside


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
    return Graph(np.array(lon), np.array(lat), np.array(tail), np.array(head))


def find_ends(chains: Graph) -> np.ndarray:
    return np.flatnonzero(np.bincount(np.concatenate([chains.tail, chains.head])) == 1)


def join_ends(bare: Obstacle, lon: np.ndarray, lat: np.ndarray, ends: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Join both ends of each hand lane to the waypoints within 60 km that no land hides."""
    rows = []
    for end in ends:
        km = great_circle_km(np.full(len(lon), lon[end]), np.full(len(lon), lat[end]), lon, lat)
        rows += [(end, other) for other in np.flatnonzero(among & (km < JOIN_KM) & (km > 0.0))]
    pairs = np.array(rows)
    line = np.column_stack([lon[pairs[:, 0]], lat[pairs[:, 0]], lon[pairs[:, 1]], lat[pairs[:, 1]]])
    return pairs[(measure_land_km(bare, *line.T) <= LAND_KM) | _in_waterway(line)]


def find_corners(land: list, clearance_deg: float, tolerance_deg: float, cell_deg: float) -> np.ndarray:
    """Find where a shortest way at sea may turn: the salient corners of the land grown by a clearance, sharpest first per cell."""
    found = []
    for polygon in grow_land(land, clearance_deg):
        ring = shapely.get_coordinates(polygon.exterior.simplify(tolerance_deg))[:-1]
        if len(ring) < 3:
            continue
        back, ahead = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
        squeeze = np.cos(np.radians(ring[:, 1]))
        turn = np.arctan2(squeeze * (back[:, 0] * ahead[:, 1] - back[:, 1] * ahead[:, 0]),
                          squeeze**2 * back[:, 0] * ahead[:, 0] + back[:, 1] * ahead[:, 1])
        sign = 1.0 if polygon.exterior.is_ccw else -1.0
        salient = sign * turn > np.radians(6.0)
        found.append(np.column_stack([ring[salient], np.abs(turn[salient])]))
    points = np.vstack(found)
    polar = (points[:, 1] > 66.3) & ((points[:, 0] < -30.0) | (points[:, 0] > 60.0))
    points = points[(points[:, 1] > SOUTH) & (points[:, 1] < NORTH) & ~polar]
    points[:, 0] = (points[:, 0] + 180.0) % 360.0 - 180.0
    cell = np.column_stack([np.floor(points[:, 0] * np.cos(np.radians(np.round(points[:, 1]))) / cell_deg), np.floor(points[:, 1] / cell_deg)])
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
    print("pairs", len(pairs))
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


def drop_stray(graph: Graph) -> Graph:
    """Keep the largest connected piece."""
    n = len(graph.lon)
    matrix = coo_matrix((np.ones(len(graph.tail)), (graph.tail, graph.head)), shape=(n, n))
    _, label = connected_components(matrix, directed=False)
    main = np.bincount(label).argmax()
    used = label == main
    print("nodes", used.sum(), "pieces", np.sort(np.bincount(label))[::-1][:8])
    new = np.cumsum(used) - 1
    keep = used[graph.tail]
    return Graph(graph.lon[used], graph.lat[used], new[graph.tail[keep]], new[graph.head[keep]])


def write(path: Path, graph: Graph, ports: pd.DataFrame, links: pd.DataFrame, zones: tuple) -> None:
    """Write the arrays with a fixed time stamp, so that the same input gives the same file."""
    geod = Geod(ellps="WGS84")
    lon, lat = graph.lon, graph.lat
    low, high = np.minimum(graph.tail, graph.head), np.maximum(graph.tail, graph.head)
    order = np.lexsort((high, low))
    tail, head = low[order], high[order]
    p, q = links["port"].to_numpy(), links["node"].to_numpy()
    plon, plat = ports["lon"].to_numpy(float), ports["lat"].to_numpy(float)
    km = geod.inv(lon[tail], lat[tail], lon[head], lat[head])[2] / 1000.0
    link_km = geod.inv(plon[p], plat[p], lon[q], lat[q])[2] / 1000.0
    pack = lambda table: np.packbits(table, axis=1)  # noqa: E731
    arrays = {
        "node_lon": lon, "node_lat": lat, "tail": tail.astype(np.int32), "head": head.astype(np.int32),
        "length_km": km.astype(np.float32), "port_id": ports["port"].to_numpy(str), "link_port": p.astype(np.int32),
        "link_node": q.astype(np.int32), "link_km": np.maximum(link_km, 0.01).astype(np.float32),
        "zone_id": np.array([z.zone for z in zones]),
        "crosses": pack(tag_arcs(lon[tail], lat[tail], lon[head], lat[head], zones)),
        "link_crosses": pack(tag_arcs(plon[p], plat[p], lon[q], lat[q], zones)),
        "port_in_zone": pack(find_inside(plon, plat, zones)),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as box:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            box.writestr(info, buffer.getvalue(), compresslevel=9)
    print("written", path.stat().st_size, len(lon), len(tail), len(p))
