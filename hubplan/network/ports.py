"""Where modes meet: gauges, railheads, and the links from sites and ports to the land network."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hubplan.network.land import EARTH_KM, Bools, Floats, Ints, Lines, great_circle_km, part_length_km
from hubplan.network.landing import Landing, cut_at, find_landings

BIG_PART_KM = 1000.0  # a road network worth joining; islands follow with
SMALL_PART_KM = 100.0
RAIL_PART_KM = 50.0
SITE_ROAD_KM, SITE_RAIL_KM, SITE_PORT_KM = 600.0, 15.0, 150.0
ROADLESS_PORT_KM = 300.0  # a site without any road: to a port by coaster, of any country if its own has none nearer
PORT_ROAD_KM, PORT_RAIL_KM = 60.0, 10.0
FAR_FROM_ROAD_KM = 60.0  # a site farther than this from any road may also go straight to a port
RAILHEAD_KM = 2.0  # rail and road this close can exchange cargo
RAILHEAD_CELL_KM = 10.0  # at one place in a cell of this size
ON_DOCK_KM = 2.0  # a railway this close to a site is taken to have a siding there


@dataclass(frozen=True)
class Access:
    """Links from points (sites or ports) to nodes of one network.

    Parameters
    ----------
    point, node
        Row of the point; node of the network.
    away_km
        Great circle between them.
    """

    point: Ints
    node: Ints
    away_km: Floats


def split_gauges(lines: Lines) -> tuple[Lines, Ints, Ints]:
    """Give a node where track gauges differ one copy per gauge, so that no train runs through.

    Returns
    -------
    lines, node, copy
        The network, and the pairs of nodes between which cargo changes wagons. Track of unknown gauge stays at the
        first copy.
    """
    ends = np.concatenate([lines.tail, lines.head])
    gauge = np.concatenate([lines.gauge_mm, lines.gauge_mm])
    known = gauge > 0
    pairs, count = np.unique(np.column_stack([ends[known], gauge[known]]), axis=0, return_counts=True)
    order = np.lexsort((pairs[:, 1], -count, pairs[:, 0]))
    pairs = pairs[order]
    first = np.ones(len(pairs), dtype=bool)
    first[1:] = pairs[1:, 0] != pairs[:-1, 0]
    extra = pairs[~first]
    size = len(lines.lon)
    copy = size + np.arange(len(extra))
    new = {(int(node), int(mm)): int(number) for (node, mm), number in zip(extra, copy, strict=True)}
    tail, head = lines.tail.copy(), lines.head.copy()
    for link in np.flatnonzero(np.isin(lines.tail, extra[:, 0]) | np.isin(lines.head, extra[:, 0])).tolist():
        mm = int(lines.gauge_mm[link])
        tail[link] = new.get((int(tail[link]), mm), tail[link])
        head[link] = new.get((int(head[link]), mm), head[link])
    at = extra[:, 0]
    return (
        replace(
            lines,
            lon=np.append(lines.lon, lines.lon[at]),
            lat=np.append(lines.lat, lines.lat[at]),
            country=np.append(lines.country, lines.country[at]),
            tail=tail,
            head=head,
        ),
        at,
        copy,
    )


def join_road(road: Lines, points: pd.DataFrame, *, reach_km: float) -> tuple[Lines, Access]:
    """Join each point to the road network nearest to it in its own country: a big part, else a small one within 60 km.

    Parameters
    ----------
    points
        Columns ``lon``, ``lat``, ``country``.
    """
    part_km = part_length_km(road)[road.tail]
    linked = road.link > 0
    big = _land(road, points, reach_km=reach_km, usable=(part_km >= BIG_PART_KM) | linked)
    small = _land(road, points, reach_km=FAR_FROM_ROAD_KM, usable=(part_km >= SMALL_PART_KM) | linked)
    choose = big.away_km <= np.maximum(small.away_km, FAR_FROM_ROAD_KM)
    return _join(
        road,
        points,
        Landing(
            np.where(choose, big.edge, small.edge),
            np.where(choose, big.share, small.share),
            np.where(choose, big.away_km, small.away_km),
        ),
    )


def join_rail(rail: Lines, points: pd.DataFrame, *, reach_km: Floats) -> tuple[Lines, Access]:
    """Join each point to the railway nearest to it in its own country, within its reach."""
    usable = (part_length_km(rail)[rail.tail] >= RAIL_PART_KM) | (rail.link > 0)
    landing = find_landings(
        rail,
        points["lon"].to_numpy(float),
        points["lat"].to_numpy(float),
        reach_km=reach_km,
        country=points["country"].to_numpy(str),
        usable=usable,
    )
    return _join(rail, points, landing)


def find_railheads(rail: Lines, road: Lines, wanted: Ints) -> tuple[Ints, Ints, Floats]:
    """Find where rail and road exchange cargo.

    Parameters
    ----------
    wanted
        Rail nodes at sites and ports: joined to the nearest road node within ``PORT_RAIL_KM``.

    Returns
    -------
    rail_node, road_node, away_km
        At most one rail node per cell of ``RAILHEAD_CELL_KM``, within ``RAILHEAD_KM`` of a road node of its country.
    """
    tree = cKDTree(_sphere(road.lon, road.lat))
    used = np.unique(np.append(rail.tail, rail.head))
    answer = tree.query(_sphere(rail.lon[used], rail.lat[used]), distance_upper_bound=PORT_RAIL_KM)
    away, near = np.atleast_1d(answer[0]), np.atleast_1d(answer[1])
    close = np.isfinite(away)
    used, away, near = used[close], away[close], near[close]
    home = rail.country[used] == road.country[near]
    used, away, near = used[home], away[home], near[home]
    degrees = RAILHEAD_CELL_KM / 111.195
    row = np.floor(rail.lat[used] / degrees)
    column = np.floor(rail.lon[used] * np.cos(np.radians((row + 0.5) * degrees)) / degrees)
    order = np.lexsort((used, away, column, row))
    first = np.ones(len(order), dtype=bool)
    first[1:] = (row[order][1:] != row[order][:-1]) | (column[order][1:] != column[order][:-1])
    chosen = np.zeros(len(used), dtype=bool)
    chosen[order[first]] = True
    chosen &= away <= RAILHEAD_KM
    chosen |= np.isin(used, wanted)
    return used[chosen], near[chosen].astype(np.int64), away[chosen]


def can_transfer(lon: Floats, lat: Floats, railheads: pd.DataFrame) -> NDArray[np.bool_]:
    """Tell which points lie outside every place of ``railheads`` without transfer."""
    shut = railheads[~railheads["transfers"].astype(bool)]
    here, there = _sphere(lon, lat), _sphere(shut["lon"].to_numpy(float), shut["lat"].to_numpy(float))
    apart = np.linalg.norm(here[:, None, :] - there[None, :, :], axis=2)
    return np.asarray((apart > shut["radius_km"].to_numpy(float)[None, :]).all(axis=1))


def nearest_port(sites: pd.DataFrame, ports: pd.DataFrame, road_km: Floats) -> Access:
    """Join sites that are far from any road straight to a port.

    Parameters
    ----------
    road_km
        By site, distance to the road network; infinite where there is none.

    Returns
    -------
    Access
        The nearest port of the site's country within ``SITE_PORT_KM``, else for a site without any road the nearest
        port of any country within ``ROADLESS_PORT_KM``. Its ``node`` is the port's row.
    """
    away = great_circle_km(
        sites["lon"].to_numpy(float)[:, None],
        sites["lat"].to_numpy(float)[:, None],
        ports["lon"].to_numpy(float)[None, :],
        ports["lat"].to_numpy(float)[None, :],
    )
    foreign = sites["country"].to_numpy(str)[:, None] != ports["country"].to_numpy(str)[None, :]
    found: list[tuple[int, int]] = []
    for site in np.flatnonzero(road_km > FAR_FROM_ROAD_KM).tolist():
        tries = [(np.where(foreign[site], np.inf, away[site]), SITE_PORT_KM)]
        if not np.isfinite(road_km[site]):
            tries.append((away[site], ROADLESS_PORT_KM))
        for reach, limit in tries:
            if len(reach) and reach.min() <= limit:
                found.append((site, int(reach.argmin())))
                break
    pairs = np.array(found, dtype=np.int64).reshape(-1, 2)
    return Access(pairs[:, 0], pairs[:, 1], away[pairs[:, 0], pairs[:, 1]])


def _land(lines: Lines, points: pd.DataFrame, *, reach_km: float, usable: Bools) -> Landing:
    return find_landings(
        lines,
        points["lon"].to_numpy(float),
        points["lat"].to_numpy(float),
        reach_km=np.full(len(points), reach_km),
        country=points["country"].to_numpy(str),
        usable=usable,
    )


def _join(lines: Lines, points: pd.DataFrame, landing: Landing) -> tuple[Lines, Access]:
    grown, node = cut_at(lines, landing.edge, landing.share)
    point = np.flatnonzero(node >= 0)
    away = great_circle_km(
        points["lon"].to_numpy(float)[point],
        points["lat"].to_numpy(float)[point],
        grown.lon[node[point]],
        grown.lat[node[point]],
    )
    return grown, Access(point, node[point], away)


def _sphere(lon: Floats, lat: Floats) -> NDArray[np.float64]:
    x, y = np.radians(lon), np.radians(lat)
    return EARTH_KM * np.column_stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)])
