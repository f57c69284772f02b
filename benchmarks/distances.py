"""How far are the network's distances from published ones? ``python benchmarks/distances.py FILE [--pairs]``.

FILE is a CSV of published distances. On land: ``mode`` (rail or road), ``origin``, ``destination``, their positions
(``origin_lat``, ``dest_lat`` ...), ``km`` and ``note``; a note marks pairs whose published way may not be shortest.
At sea the same without ``mode``, with ``nautical_miles`` and ``via``: ``suez`` or ``panama`` opens that canal alone,
anything else closes both.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from hubplan.data.shipped import shipped_path
from hubplan.data.tables import read_tables
from hubplan.network.land import great_circle_km, part_length_km, read_lines
from hubplan.network.landing import cut_at, find_landings
from hubplan.network.sea import SeaNetwork, read_sea

REACH_KM = 30.0  # a place on land is on the nearest line within this
PART_KM = 100.0  # of a connected part at least this long
PORT_KM = 25.0  # a place at sea is the nearest port within this, else a point of the sea
KM_NM = 1.852
YEAR = 2026  # links that open later do not count
SHORT_NM = 500.0
ALWAYS_CLOSED = ("nsr", "nw-passage")
CANALS = {"suez": "suez", "panama": "panama-canal"}


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare network distances with published ones.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--pairs", action="store_true", help="print every pair, not only the summary")
    args = parser.parse_args()
    rows = pd.read_csv(args.file, keep_default_na=False)
    measured = measure_land(rows) if "mode" in rows else measure_sea(rows)
    if args.pairs:
        sys.stdout.write(measured.to_string(index=False, formatters={"error": "{:+.1%}".format}) + "\n\n")
    sys.stdout.write(summarise(measured).to_string() + "\n")


def measure_land(rows: pd.DataFrame) -> pd.DataFrame:
    """Measure rail and road rows: both ends are put on the nearest line, and nothing is added for the way to it."""
    found = []
    for mode, pairs in rows.groupby("mode"):
        lines = read_lines(shipped_path("geodata") / "network" / "osm" / f"{mode}.npz")
        lon, lat = (pairs[[f"origin_{axis}", f"dest_{axis}"]].to_numpy(float).T.ravel() for axis in ("lon", "lat"))
        big = (part_length_km(lines)[lines.tail] >= PART_KM) | (lines.link > 0)
        landing = find_landings(lines, lon, lat, reach_km=np.full(len(lon), REACH_KM), usable=big)
        lines, node = cut_at(lines, landing.edge, landing.share, min_km=0.05)
        opens = np.append(0, lines.link_opens_year)[lines.link]
        open_now = opens <= YEAR
        matrix = _matrix(lines.tail[open_now], lines.head[open_now], lines.length_km[open_now], len(lines.lon))
        origin, destination = np.split(node, 2)
        km = np.full(len(pairs), np.inf)
        ok = (origin >= 0) & (destination >= 0)
        km[ok] = [dijkstra(matrix, indices=int(a))[b] for a, b in zip(origin[ok], destination[ok], strict=True)]
        group = np.where(
            pairs["note"] == "", f"{mode}, single corridor", f"{mode}, published way may not be the shortest"
        )
        found.append(_compare(pairs, pairs["km"].to_numpy(float), km, group))
    return pd.concat(found, ignore_index=True)


def measure_sea(rows: pd.DataFrame) -> pd.DataFrame:
    """Measure sea rows by port approaches; a place that is no port of ours joins the nearest waypoints."""
    sea, ports = read_sea(), read_tables().ports
    places = pd.concat(
        [rows[[f"{end}_lon", f"{end}_lat"]].set_axis(["lon", "lat"], axis=1) for end in ("origin", "dest")]
    ).drop_duplicates(ignore_index=True)
    number = {(lon, lat): k for k, (lon, lat) in enumerate(zip(places["lon"], places["lat"], strict=True))}
    joins = [_join_place(sea, ports, lon, lat) for lon, lat in number]
    count, size = len(sea.node_lon), len(number)
    place = np.repeat(np.arange(size), [len(node) for node, _ in joins])
    node, way_km = (np.concatenate(part) for part in zip(*joins, strict=True))
    km = np.full(len(rows), np.inf)
    for via in rows["via"].unique():
        shut = {*ALWAYS_CLOSED, *CANALS.values()} - {CANALS.get(via, "")}
        lanes = ~sea.crosses[:, [sea.zone.index(zone) for zone in sorted(shut & set(sea.zone))]].any(axis=1)
        tail = np.concatenate(
            [sea.tail[lanes], sea.head[lanes], count + place, node]
        )  # ships leave a place and enter another, never pass it
        head = np.concatenate([sea.head[lanes], sea.tail[lanes], node, count + size + place])
        length = np.concatenate([sea.length_km[lanes], sea.length_km[lanes], way_km, way_km])
        matrix = coo_array((length, (tail, head)), shape=(count + 2 * size,) * 2).tocsr()
        for row in np.flatnonzero(rows["via"] == via):
            ends = [number[rows.loc[row, f"{end}_lon"], rows.loc[row, f"{end}_lat"]] for end in ("origin", "dest")]
            km[row] = dijkstra(matrix, indices=count + ends[0])[count + size + ends[1]]
    nm = rows["nautical_miles"].to_numpy(float)
    return _compare(
        rows, nm * KM_NM, km, np.where(nm > SHORT_NM, f"sea, over {SHORT_NM:g} nm", f"sea, to {SHORT_NM:g} nm")
    )


def summarise(measured: pd.DataFrame) -> pd.DataFrame:
    """Errors by group: reachable pairs, signed and absolute median, 90th percentile, worst, shares within 2 and 5 %."""

    def describe(group: pd.DataFrame) -> pd.Series:
        error = group["error"][np.isfinite(group["error"])]
        size = error.abs()
        return pd.Series(
            {
                "pairs": len(group),
                "reachable": len(error),
                "median": f"{error.median():+.2%}",
                "median abs": f"{size.median():.2%}",
                "p90": f"{size.quantile(0.9):.2%}",
                "worst": f"{size.max():.2%}",
                "within 2 %": f"{(size <= 0.02).mean():.0%}",
                "within 5 %": f"{(size <= 0.05).mean():.0%}",
            }
        )

    mode = measured["group"].str.split(",").str[0]
    total = measured.assign(group=mode + ", all")
    both = pd.concat([measured, total])
    return pd.DataFrame({name: describe(group) for name, group in both.groupby("group")}).T


def _compare(rows: pd.DataFrame, published_km: np.ndarray, network_km: np.ndarray, group: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "group": group,
            "origin": rows["origin"].to_numpy(),
            "destination": rows["destination"].to_numpy(),
            "published_km": published_km.round(1),
            "network_km": network_km.round(1),
            "error": network_km / published_km - 1,
        }
    )


def _matrix(tail: np.ndarray, head: np.ndarray, length_km: np.ndarray, size: int) -> coo_array:
    """Symmetric matrix of a graph; of parallel links the shortest counts."""
    order = np.argsort(-length_km, kind="stable")
    low, high, km = np.minimum(tail, head)[order], np.maximum(tail, head)[order], length_km[order] + 1e-9
    _, last = np.unique((low * size + high)[::-1], return_index=True)
    keep = len(low) - 1 - last
    return coo_array(
        (
            km[keep].repeat(2),
            (np.column_stack([low[keep], high[keep]]).ravel(), np.column_stack([high[keep], low[keep]]).ravel()),
        ),
        shape=(size, size),
    ).tocsr()


def _join_place(sea: SeaNetwork, ports: pd.DataFrame, lon: float, lat: float) -> tuple[np.ndarray, np.ndarray]:
    """Waypoints next to a place, and the way to each in km."""
    away = great_circle_km(ports["lon"].to_numpy(float), ports["lat"].to_numpy(float), np.float64(lon), np.float64(lat))
    nearest = int(away.argmin())
    port = str(ports["port"].iloc[nearest])
    if away[nearest] <= PORT_KM and port in sea.port:
        links = sea.link_port == sea.port.index(port)
        return sea.link_node[links], sea.link_km[links]
    off = great_circle_km(sea.node_lon, sea.node_lat, np.float64(lon), np.float64(lat))
    node = np.flatnonzero(off <= max(1.5 * off.min(), 20.0))
    return node, off[node]


if __name__ == "__main__":
    main()
