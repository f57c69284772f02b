"""Join every port to the waypoints it can see, looking past as little of the land around its berths as will do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree
from sight import Obstacle, find_blocked, great_circle_km, keep_edges, to_unit

from hubplan.network.sea import EARTH_KM

RADII_KM = (0.5, 1.0, 2.0)
REACH_KM, FIRST_KM, BARE_KM = 1200.0, 120.0, 25.0
SEEN = 4  # a port that sees fewer waypoints near by is hidden
STRETCH, SLACK_KM = 1.002, 0.5


@dataclass(frozen=True)
class _Points:
    lon: np.ndarray
    lat: np.ndarray


def find_hidden(at_sea: np.ndarray, plon: np.ndarray, plat: np.ndarray, bare: Obstacle) -> np.ndarray:
    """Find ports that see too few waypoints near by, even past the first 2 km of land."""
    points = _Points(at_sea[:, 0], at_sea[:, 1])
    return np.asarray(np.isnan(find_radius(points, _pair(points, plon, plat, FIRST_KM), plon, plat, bare)))


def link_ports(graph: _Points, ports: pd.DataFrame, bare: Obstacle, near: Obstacle) -> pd.DataFrame:
    """Find the approaches of all ports.

    Returns
    -------
    DataFrame
        ``port``, ``node`` (row numbers) and ``over_km``: the radius around the port within which land was not looked at.
    """
    plon, plat = ports["lon"].to_numpy(float), ports["lat"].to_numpy(float)
    hidden = graph.gate >= 0
    pairs = _pair(graph, plon, plat, REACH_KM)
    pairs = pairs[~hidden[pairs["port"]]]
    radius = find_radius(graph, pairs[pairs["km"] < FIRST_KM], plon, plat, bare)
    if np.isnan(radius[~hidden]).any():
        raise ValueError(f"no waypoint in sight of {ports.loc[np.isnan(radius) & ~hidden, 'port'].tolist()}")
    pairs = pairs.assign(over_km=radius[pairs["port"]])
    clear = _clear(graph, pairs, plon, plat, bare, near)
    lone = ~np.isin(pairs["port"], pairs["port"][clear])  # no waypoint with clearance: without it, then
    close = lone & (pairs["km"] < FIRST_KM).to_numpy()
    clear[close] = _clear(graph, pairs[close], plon, plat, bare, bare)
    gates = pd.DataFrame({"port": np.flatnonzero(hidden), "node": graph.gate[hidden], "over_km": np.nan})
    seen = _thin_links(graph, pairs[clear], plon, plat)
    return pd.concat([seen, gates], ignore_index=True).sort_values(["port", "node"], ignore_index=True)


def _pair(graph: _Points, plon: np.ndarray, plat: np.ndarray, reach_km: float) -> pd.DataFrame:
    around = cKDTree(to_unit(graph.lon, graph.lat)).query_ball_point(
        to_unit(plon, plat), 2.0 * np.sin(reach_km / EARTH_KM / 2.0)
    )
    sizes = np.array([len(nodes) for nodes in around])
    port, node = np.repeat(np.arange(len(plon)), sizes), np.concatenate(around).astype(int)
    km = great_circle_km(plon[port], plat[port], graph.lon[node], graph.lat[node])
    return pd.DataFrame({"port": port, "node": node, "km": km})[km > 0.02]


def find_radius(graph: _Points, pairs: pd.DataFrame, plon: np.ndarray, plat: np.ndarray, bare: Obstacle) -> np.ndarray:
    """Smallest radius past which a port sees enough waypoints near by; NaN where there is none."""
    radius = np.full(len(plon), np.nan)
    for over in RADII_KM:
        todo = pairs[np.isnan(radius[pairs["port"]])].assign(over_km=over)
        if todo.empty:
            break
        seen = np.bincount(todo["port"][_clear(graph, todo, plon, plat, bare, bare)], minlength=len(plon))
        radius[np.isnan(radius) & (seen >= SEEN)] = over
    return radius


def _clear(
    graph, pairs: pd.DataFrame, plon: np.ndarray, plat: np.ndarray, bare: Obstacle, near: Obstacle
) -> np.ndarray:
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
    kept = keep_edges(
        lon,
        lat,
        tail,
        head,
        np.arange(len(tail)),
        stretch=STRETCH,
        slack_km=SLACK_KM,
        must=must,
        dead_end=np.arange(len(lon)) >= nodes,
    )
    return pairs[kept[lanes:]].sort_values(["port", "node"], ignore_index=True)
