"""Build geodata/network/sea.npz: searoute's lanes, mended and joined by lines of sight, and the approaches of every port.

searoute 1.6.0 (Apache-2.0; its lanes derive from Eurostat's searoute) is a sparse zig-zag lattice, 2 % long against published
distances and 6 to 11 % long across the Indian Ocean. Great circles between waypoints that see each other past the land,
thinned by a spanner, take that away.
"""

from __future__ import annotations

import io
import logging
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from harbours import link_ports
from lanes import LAND_KM, NEAR_DEG, OFF_DEG, Graph, Land, build_lanes, in_waterway, read_shoals
from pyproj import Geod
from sight import Obstacle, build_obstacle, grow_land, measure_land_km
from world import read_land

from hubplan.network.chokepoints import Zone, find_inside, read_zones, tag_arcs

GEODATA = Path(__file__).resolve().parent.parent

APPROACH_LAND_KM = (
    6.0  # an approach may run this far over the land of the map: berths lie in docks and creeks it does not show
)
LOG = logging.getLogger(__name__)


def build(out: Path) -> None:
    """Write sea.npz into a folder."""
    polygons = read_land() + read_shoals()
    bare, near, off = (build_obstacle(grow_land(polygons, deg)) for deg in (0.0, NEAR_DEG, OFF_DEG))
    ports = read_ports()
    graph = build_lanes(Land(polygons, bare, near, off), ports)
    links = link_ports(graph, ports, bare, near)
    check_land(graph, ports, links, bare)
    zones = tuple(z for z in read_zones(read_zone_table()) if z.kind != "rail-gate")
    write(out / "sea.npz", graph, ports, links, zones)


def check_land(graph: Graph, ports: pd.DataFrame, links: pd.DataFrame, bare: Obstacle) -> None:
    """Stop if a lane or an approach runs too far over land outside the waterways listed."""
    port = ports.loc[links["port"]]
    lanes = np.column_stack(
        [graph.lon[graph.tail], graph.lat[graph.tail], graph.lon[graph.head], graph.lat[graph.head]]
    )
    node = links["node"].to_numpy()
    approaches = np.column_stack(
        [port["lon"].to_numpy(float), port["lat"].to_numpy(float), graph.lon[node], graph.lat[node]]
    )
    wrong = []
    for lines, limit_km in ((lanes, LAND_KM), (approaches, APPROACH_LAND_KM)):
        km = measure_land_km(bare, *lines.T)
        bad = np.flatnonzero((km > limit_km) & ~in_waterway(lines))
        wrong += [(*np.round(lines[i], 3).tolist(), round(float(km[i]), 1)) for i in bad]
    if wrong:
        raise ValueError(f"over land (lon lat lon lat km): {wrong}; list the waterway or mend repairs/sea_lanes.csv")


def read_ports() -> pd.DataFrame:
    return pd.read_csv(GEODATA / "ports.csv").sort_values("port", ignore_index=True)


def read_zone_table() -> pd.DataFrame:
    return pd.read_csv(GEODATA / "zones.csv")


def write(path: Path, graph: Graph, ports: pd.DataFrame, links: pd.DataFrame, zones: tuple[Zone, ...]) -> None:
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
        "node_lon": lon,
        "node_lat": lat,
        "tail": tail.astype(np.int32),
        "head": head.astype(np.int32),
        "length_km": km.astype(np.float32),
        "port_id": ports["port"].to_numpy(str),
        "link_port": p.astype(np.int32),
        "link_node": q.astype(np.int32),
        "link_km": np.maximum(link_km, 0.01).astype(np.float32),
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
    LOG.info("%d bytes, %d waypoints, %d lanes, %d approaches", path.stat().st_size, len(lon), len(tail), len(p))
