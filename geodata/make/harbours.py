"""Join every port to the waypoints it can see, looking past as little of the land around its berths as will do."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree
from sight import Obstacle, find_blocked, great_circle_km, keep_edges, to_unit

from hubplan.network.sea import EARTH_KM

RADII_KM = (0.5, 1.0, 2.0, 3.5, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 45.0)
REACH_KM, FIRST_KM, BARE_KM = 1200.0, 150.0, 25.0
STRETCH, SLACK_KM = 1.002, 0.5


def link_ports(graph, ports: pd.DataFrame, bare: Obstacle, near: Obstacle) -> pd.DataFrame:
    """Find the approaches of all ports.

    Returns
    -------
    DataFrame
        ``port``, ``node`` (row numbers) and ``over_km``: the radius around the port within which land was not looked at.
    """
    lon, lat = graph.lon, graph.lat
    tree = cKDTree(to_unit(lon, lat))
    plon, plat = ports["lon"].to_numpy(float), ports["lat"].to_numpy(float)
    around = tree.query_ball_point(to_unit(plon, plat), 2.0 * np.sin(REACH_KM / EARTH_KM / 2.0))
    sizes = np.array([len(nodes) for nodes in around])
    pairs = pd.DataFrame({"port": np.repeat(np.arange(len(ports)), sizes), "node": np.concatenate(around).astype(int)})
    pairs["km"] = great_circle_km(plon[pairs["port"]], plat[pairs["port"]], lon[pairs["node"]], lat[pairs["node"]])
    pairs = pairs[pairs["km"] > 0.02]
    radius = find_radius(graph, pairs[pairs["km"] < FIRST_KM], plon, plat, bare)
    if np.isnan(radius).any():
        raise ValueError(f"no waypoint in sight of {ports.loc[np.isnan(radius), 'port'].tolist()}")
    pairs["over_km"] = radius[pairs["port"]]
    clear = _clear(graph, pairs, plon, plat, bare, near)
    hidden = ~np.isin(pairs["port"], pairs["port"][clear])  # no waypoint with clearance: without it, then
    close = hidden & (pairs["km"] < FIRST_KM).to_numpy()
    clear[close] = _clear(graph, pairs[close], plon, plat, bare, bare)
    pairs = pairs[clear]
    return _thin_links(graph, pairs, plon, plat)


def find_radius(graph, pairs: pd.DataFrame, plon: np.ndarray, plat: np.ndarray, bare: Obstacle) -> np.ndarray:
    """Smallest radius past which a port sees at least two waypoints near by (one, if never two)."""
    radius = np.full(len(plon), np.nan)
    for enough in (2, 1):
        for over in RADII_KM:
            todo = pairs[np.isnan(radius[pairs["port"]])].assign(over_km=over)
            if todo.empty:
                break
            seen = np.bincount(todo["port"][_clear(graph, todo, plon, plat, bare, bare)], minlength=len(plon))
            radius[np.isnan(radius) & (seen >= enough)] = over
    return radius


def _clear(graph, pairs: pd.DataFrame, plon: np.ndarray, plat: np.ndarray, bare: Obstacle, near: Obstacle) -> np.ndarray:
    """Whether the way from the radius on is free: close to the port of bare land, farther out with clearance."""
    port, node = pairs["port"].to_numpy(), pairs["node"].to_numpy()
    km, over = pairs["km"].to_numpy(), pairs["over_km"].to_numpy()
    lon0, lat0 = _along(plon[port], plat[port], graph.lon[node], graph.lat[node], np.minimum(1.0, over / km))
    share = np.minimum(1.0, np.maximum(over, BARE_KM) / km)
    lon1, lat1 = _along(plon[port], plat[port], graph.lon[node], graph.lat[node], share)
    blocked = np.zeros(len(km), dtype=bool)
    beyond = np.flatnonzero(over < km)
    blocked[beyond] = find_blocked(bare, lon0[beyond], lat0[beyond], lon1[beyond], lat1[beyond])
    far = np.flatnonzero((share < 1.0) & ~blocked)
    blocked[far] = find_blocked(near, lon1[far], lat1[far], graph.lon[node][far], graph.lat[node][far])
    return ~blocked


def _along(lon0, lat0, lon1, lat1, share):
    a, b = to_unit(lon0, lat0), to_unit(lon1, lat1)
    angle = np.maximum(2.0 * np.arcsin(np.clip(np.linalg.norm(a - b, axis=1) / 2.0, 0.0, 1.0)), 1e-12)
    m = (np.sin((1.0 - share) * angle)[:, None] * a + np.sin(share * angle)[:, None] * b) / np.sin(angle)[:, None]
    return np.degrees(np.arctan2(m[:, 1], m[:, 0])), np.degrees(np.arctan2(m[:, 2], np.hypot(m[:, 0], m[:, 1])))


def _thin_links(graph, pairs: pd.DataFrame, plon: np.ndarray, plat: np.ndarray) -> pd.DataFrame:
    """Drop approaches that a shorter approach and the lanes replace."""
    nodes, lanes = len(graph.lon), len(graph.tail)
    lon, lat = np.concatenate([graph.lon, plon]), np.concatenate([graph.lat, plat])
    pairs = pairs.sort_values(["km", "port", "node"], ignore_index=True)
    tail = np.concatenate([graph.tail, pairs["port"].to_numpy() + nodes])
    head = np.concatenate([graph.head, pairs["node"].to_numpy()])
    must = np.arange(len(tail)) < lanes
    kept = keep_edges(lon, lat, tail, head, np.arange(len(tail)), stretch=STRETCH, slack_km=SLACK_KM, must=must,
                      dead_end=np.arange(len(lon)) >= nodes)
    return pairs[kept[lanes:]].sort_values(["port", "node"], ignore_index=True)
