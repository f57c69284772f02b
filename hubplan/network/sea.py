"""The sea: lanes as great-circle arcs between waypoints, and the approaches that join ports to them.

``geodata/network/sea.npz`` is made by ``geodata/make/sea.py``; nothing here changes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hubplan.data.shipped import shipped_path
from hubplan.errors import DataError, Fault

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

EARTH_KM = 6371.0088
STEP_KM = 25.0
"""Longest piece of a drawn sea arc; zones are tested on the very same pieces."""


@dataclass(frozen=True)
class SeaNetwork:
    """Waypoints, lanes between them, and the approaches of every port.

    Parameters
    ----------
    node_lon, node_lat
        Waypoints at sea, degrees, in [-180, 180).
    tail, head, length_km
        One row per lane, usable both ways; a lane is the great circle between its ends and its length is geodesic (WGS84).
    port
        Ids of ports.csv, sorted.
    link_port, link_node, link_km
        One row per approach: index into ``port``, index of the waypoint, geodesic length. Ships use an approach only
        to begin or end a voyage at the port, never to pass through it.
    zone
        Ids of zones.csv that ships can meet; the columns of the three tables below.
    crosses, link_crosses
        Whether the lane, or approach, meets the zone: (lanes, zones) and (approaches, zones).
    port_in_zone
        Whether the port lies inside the zone's polygon: (ports, zones). Such a port cannot be reached while the zone is closed.
    """

    node_lon: Floats
    node_lat: Floats
    tail: Ints
    head: Ints
    length_km: Floats
    port: tuple[str, ...]
    link_port: Ints
    link_node: Ints
    link_km: Floats
    zone: tuple[str, ...]
    crosses: Bools
    link_crosses: Bools
    port_in_zone: Bools


def read_sea(path: Path | None = None) -> SeaNetwork:
    """Read the sea network.

    Parameters
    ----------
    path
        An npz file made by ``geodata/make/sea.py``; by default the shipped one.

    Raises
    ------
    DataError
        The file is missing, or an array in it has the wrong length or points nowhere.
    """
    file = path or shipped_path("geodata") / "network" / "sea.npz"
    if not file.exists():
        raise DataError([Fault(str(file), "is missing", "run geodata/make/build.py, or install hubplan again")])
    with np.load(file, allow_pickle=False) as box:
        zone = tuple(str(z) for z in box["zone_id"])
        port = tuple(str(p) for p in box["port_id"])
        sea = SeaNetwork(
            node_lon=box["node_lon"].astype(float),
            node_lat=box["node_lat"].astype(float),
            tail=box["tail"].astype(np.int64),
            head=box["head"].astype(np.int64),
            length_km=box["length_km"].astype(float),
            port=port,
            link_port=box["link_port"].astype(np.int64),
            link_node=box["link_node"].astype(np.int64),
            link_km=box["link_km"].astype(float),
            zone=zone,
            crosses=_unpack(box["crosses"], len(zone)),
            link_crosses=_unpack(box["link_crosses"], len(zone)),
            port_in_zone=_unpack(box["port_in_zone"], len(zone)),
        )
    faults = check_sea(sea, str(file))
    if faults:
        raise DataError(faults)
    return sea


def check_sea(sea: SeaNetwork, where: str) -> list[Fault]:
    """Find arrays of unequal length, ends that are no waypoint and lengths that are not positive."""
    lanes, links, nodes, zones = len(sea.tail), len(sea.link_port), len(sea.node_lon), len(sea.zone)
    sizes = {
        "node_lat": (sea.node_lat.shape, (nodes,)),
        "head": (sea.head.shape, (lanes,)),
        "length_km": (sea.length_km.shape, (lanes,)),
        "link_node": (sea.link_node.shape, (links,)),
        "link_km": (sea.link_km.shape, (links,)),
        "crosses": (sea.crosses.shape, (lanes, zones)),
        "link_crosses": (sea.link_crosses.shape, (links, zones)),
        "port_in_zone": (sea.port_in_zone.shape, (len(sea.port), zones)),
    }
    mend = "run geodata/make/build.py"
    faults = [Fault(f"{where}, {k}", f"has shape {a}, not {b}", mend) for k, (a, b) in sizes.items() if a != b]
    ends = {"tail": (sea.tail, nodes), "head": (sea.head, nodes), "link_node": (sea.link_node, nodes)}
    ends["link_port"] = (sea.link_port, len(sea.port))
    for key, (index, size) in ends.items():
        if index.size and (index.min() < 0 or index.max() >= size):
            faults.append(Fault(f"{where}, {key}", f"points outside 0..{size - 1}", mend))
    for key, km in {"length_km": sea.length_km, "link_km": sea.link_km}.items():
        if not bool(np.all(np.isfinite(km) & (km > 0))):
            faults.append(Fault(f"{where}, {key}", "has a length that is not positive", mend))
    return faults


def densify(lon0: float, lat0: float, lon1: float, lat1: float, step_km: float = STEP_KM) -> Floats:
    """Draw one great circle.

    Parameters
    ----------
    lon0, lat0, lon1, lat1
        The ends, degrees.
    step_km
        Longest distance between neighbouring points.

    Returns
    -------
    array, (points, 2)
        lon, lat from one end to the other, both included. Longitudes run on past +-180, so that no step is longer than
        half a turn; cut the line there when saving it (RFC 7946).
    """
    ends = (np.array([value], dtype=float) for value in (lon0, lat0, lon1, lat1))
    lon, lat, _ = densify_arcs(*ends, step_km=step_km)
    return np.column_stack([lon, lat])


def densify_arcs(
    lon0: Floats, lat0: Floats, lon1: Floats, lat1: Floats, *, step_km: float = STEP_KM
) -> tuple[Floats, Floats, Ints]:
    """Draw many great circles at once.

    Returns
    -------
    lon, lat
        Points of all arcs, one arc after another; longitudes of one arc are continuous.
    start
        Offsets (arcs + 1) into them.
    """
    a, b = _to_unit(lon0, lat0), _to_unit(lon1, lat1)
    angle = 2.0 * np.arcsin(np.clip(np.linalg.norm(a - b, axis=1) / 2.0, 0.0, 1.0))
    pieces = np.maximum(1, np.ceil(angle * EARTH_KM / step_km - 1e-9)).astype(np.int64)
    start = np.concatenate([[0], np.cumsum(pieces + 1)])
    arc = np.repeat(np.arange(len(pieces)), pieces + 1)
    share = (np.arange(start[-1]) - start[arc]) / pieces[arc]
    sine = np.where(angle > 1e-12, np.sin(angle), 1.0)
    weight_a = np.where(angle[arc] > 1e-12, np.sin((1.0 - share) * angle[arc]) / sine[arc], 1.0 - share)
    weight_b = np.where(angle[arc] > 1e-12, np.sin(share * angle[arc]) / sine[arc], share)
    xyz = weight_a[:, None] * a[arc] + weight_b[:, None] * b[arc]
    lat = np.degrees(np.arctan2(xyz[:, 2], np.hypot(xyz[:, 0], xyz[:, 1])))
    lon = np.degrees(np.arctan2(xyz[:, 1], xyz[:, 0]))
    first, last = start[:-1], start[1:] - 1
    lon[first], lat[first], lon[last], lat[last] = lon0, lat0, lon1, lat1
    return _unwrap_each(lon, start), lat, start


def _to_unit(lon: Floats, lat: Floats) -> Floats:
    lam, phi = np.radians(lon), np.radians(lat)
    return np.column_stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])


def _unwrap_each(lon: Floats, start: Ints) -> Floats:
    """Add whole turns so that longitudes are continuous within each arc."""
    turn = np.zeros(len(lon))
    turn[1:] = -np.round(np.diff(lon) / 360.0)
    turn[start[:-1]] = 0.0
    total = np.cumsum(turn)
    arc = np.repeat(np.arange(len(start) - 1), np.diff(start))
    return np.asarray(lon + 360.0 * (total - total[start[:-1]][arc]))


def _unpack(packed: npt.NDArray[np.uint8], zones: int) -> Bools:
    return np.unpackbits(packed, axis=1, count=zones).astype(bool)
