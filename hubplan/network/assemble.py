"""Network: one table of nodes and one of arcs, for every mode."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hubplan.data.tables import Tables
from hubplan.errors import DataError, Fault
from hubplan.network.arcs import ArcBlock, LandAccess, access_arcs, line_arcs, meeting_arcs, read_costs, sea_arcs
from hubplan.network.land import Bools, Floats, Ints, Lines, read_lines
from hubplan.network.ports import (
    PORT_RAIL_KM,
    PORT_ROAD_KM,
    SITE_RAIL_KM,
    SITE_ROAD_KM,
    join_rail,
    join_road,
    nearest_port,
    split_gauges,
)
from hubplan.network.sea import SeaNetwork, read_sea

MODES = ("rail", "road", "sea", "transfer", "port", "access")
KINDS = ("rail", "road", "sea", "port", "site")


@dataclass(frozen=True)
class Network:
    """Places cargo can pass, and the links between them.

    Parameters
    ----------
    nodes
        RangeIndex; ``lon``, ``lat``, ``country`` (ISO alpha-3, "" at sea), ``kind`` (rail, road, sea, port, site),
        ``ref`` (id of the port or site, else "").
    arcs
        RangeIndex, one row per link, usable both ways: ``tail``, ``head``, ``mode`` (rail, road, sea, transfer, port,
        access), ``length_km``, ``hours``, ``extra_usd_t`` (handling, transfer, toll), ``gauge_mm`` (0 unknown),
        ``name``, ``opens_year`` (0 = open), ``assumed``, ``bridge`` (closes a gap of the source data).
    zones
        Ids of the columns of ``crosses``.
    crosses
        bool (arcs, zones): the arc passes this strait, canal, zone or gate.
    line_start, line_lon, line_lat
        Drawn line of arc ``i`` is ``line_start[i]:line_start[i + 1]``, tail to head, both ends included, longitudes
        running on past 180; an empty slice is a great circle.

    Notes
    -----
    A port has one node on the land side and one at sea; only its ``port`` arc joins them: to pass it is to call there.
    Where track gauges differ a node has one copy per gauge, joined by a ``transfer`` arc.
    """

    nodes: pd.DataFrame
    arcs: pd.DataFrame
    zones: tuple[str, ...]
    crosses: Bools
    line_start: Ints
    line_lon: Floats
    line_lat: Floats


def build_network(tables: Tables) -> Network:
    """Join land, sea, ports and sites.

    Parameters
    ----------
    tables
        Extracts are read from ``network`` in its folder. The network is built once per process for the same contents.

    Raises
    ------
    DataError
        An extract is missing or broken, or transport.csv lacks a parameter.
    """
    extracts = [tables.folder / "network" / name for name in ("osm/rail.npz", "osm/road.npz", "sea.npz")]
    prints = [(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in extracts if file.is_file()]
    return _build(_Key(tables.folder.as_posix(), (*sorted(tables.hashes.items()), *prints), tables))


@dataclass(frozen=True)
class _Key:
    """Tables by their contents: what the cache compares."""

    folder: str
    hashes: tuple[tuple[str, str], ...]
    tables: Tables = field(compare=False)


@lru_cache(maxsize=2)
def _build(key: _Key) -> Network:
    tables = key.tables
    folder = tables.folder / "network"
    cost = read_costs(tables)
    land = _join_land(read_lines(folder / "osm" / "rail.npz"), read_lines(folder / "osm" / "road.npz"), tables)
    sea = read_sea(folder / "sea.npz")
    _require_zones(tables, {*sea.zone, *land.rail.link_zone, *land.road.link_zone})
    zones = tuple(
        sorted({*tables.zones["zone"], *sea.zone, *(z for z in (*land.rail.link_zone, *land.road.link_zone) if z)})
    )
    nodes, first = _number_nodes(land, sea, tables)
    blocks = [
        line_arcs("rail", land.rail, first["rail"], tables, cost, zones),
        line_arcs("road", land.road, first["road"], tables, cost, zones),
        *meeting_arcs(land, first, cost, railheads=tables.railheads),
        *access_arcs(land, first, cost),
        *sea_arcs(sea, tables, first, cost, zones),
    ]
    return Network(nodes, _join_arcs(blocks), zones, _join_crosses(blocks, len(zones)), *_join_lines(blocks))


def _require_zones(tables: Tables, tagged: set[str]) -> None:
    """Refuse a zone that no extract knows: closing it would do nothing."""
    unknown = sorted(set(tables.zones["zone"]) - tagged)
    if unknown:
        found = f"{', '.join(unknown)} {'is' if len(unknown) == 1 else 'are'} not in the network's extracts"
        raise DataError([Fault("zones.csv", found, "make the extracts again: python geodata/make/build.py")])


def _join_land(rail: Lines, road: Lines, tables: Tables) -> LandAccess:
    """Split gauges, then join sites and ports to roads and railways."""
    rail, break_node, break_copy = split_gauges(rail)
    road, site_road = join_road(road, tables.sites, reach_km=SITE_ROAD_KM)
    road, port_road = join_road(road, tables.ports, reach_km=PORT_ROAD_KM)
    rail, site_rail = join_rail(rail, tables.sites, reach_km=np.full(len(tables.sites), SITE_RAIL_KM))
    served = (tables.ports["rail_link"] != "no").to_numpy()
    rail, port_rail = join_rail(rail, tables.ports, reach_km=np.where(served, PORT_RAIL_KM, -1.0))
    road_km = np.full(len(tables.sites), np.inf)
    road_km[site_road.point] = site_road.away_km
    return LandAccess(
        rail,
        road,
        break_node,
        break_copy,
        site_road,
        site_rail,
        port_road,
        port_rail,
        nearest_port(tables.sites, tables.ports, road_km),
    )


def _number_nodes(land: LandAccess, sea: SeaNetwork, tables: Tables) -> tuple[pd.DataFrame, dict[str, int]]:
    """Nodes of all parts in one table, and the number of the first of each (``quay`` is a port on its sea side)."""
    sites, ports = tables.sites, tables.ports

    def of_table(table: pd.DataFrame, ref: str) -> list[NDArray[Any]]:
        return [table[name].to_numpy() for name in ("lon", "lat", "country", ref)]

    def plain(lon: Floats, lat: Floats, country: NDArray[Any] | None = None) -> list[NDArray[Any]]:
        blank = np.full(len(lon), "")
        return [lon, lat, blank if country is None else country, blank]

    quays = of_table(ports, "port")
    quays[2] = np.full(len(ports), "")
    parts: list[tuple[str, str, list[NDArray[Any]]]] = [
        ("rail", "rail", plain(land.rail.lon, land.rail.lat, land.rail.country)),
        ("road", "road", plain(land.road.lon, land.road.lat, land.road.country)),
        ("site", "site", of_table(sites, "site")),
        ("port", "port", of_table(ports, "port")),
        ("quay", "sea", quays),
        ("sea", "sea", plain(sea.node_lon, sea.node_lat)),
    ]
    first, count = {}, 0
    for name, _, columns in parts:
        first[name] = count
        count += len(columns[0])
    kind = np.concatenate([np.full(len(columns[0]), KINDS.index(name), dtype=np.int8) for _, name, columns in parts])

    def column(position: int, dtype: type) -> NDArray[Any]:
        return np.concatenate([np.asarray(columns[position], dtype=dtype) for _, _, columns in parts])

    nodes = pd.DataFrame(
        {
            "lon": column(0, float),
            "lat": column(1, float),
            "country": pd.Categorical(column(2, str)),
            "kind": pd.Categorical.from_codes(kind, categories=pd.Index(KINDS)),
            "ref": column(3, str).astype(object),
        }
    )
    return nodes, first


def _join_arcs(blocks: list[ArcBlock]) -> pd.DataFrame:
    size = [len(block.tail) for block in blocks]

    def column(key: str, dtype: type) -> NDArray[np.generic]:
        return np.concatenate(
            [
                np.broadcast_to(np.asarray(getattr(block, key), dtype=dtype), n)
                for block, n in zip(blocks, size, strict=True)
            ]
        )

    mode = np.repeat(np.array([MODES.index(block.mode) for block in blocks], dtype=np.int8), size)
    return pd.DataFrame(
        {
            "tail": column("tail", np.int64),
            "head": column("head", np.int64),
            "mode": pd.Categorical.from_codes(mode, categories=pd.Index(MODES)),
            "length_km": column("length_km", np.float64),
            "hours": column("hours", np.float64),
            "extra_usd_t": column("extra_usd_t", np.float64),
            "gauge_mm": column("gauge_mm", np.int64),
            "name": pd.Categorical(column("name", object)),
            "opens_year": column("opens_year", np.int64),
            "assumed": column("assumed", np.bool_),
            "bridge": column("bridge", np.bool_),
        }
    )


def _join_crosses(blocks: list[ArcBlock], zones: int) -> Bools:
    return np.concatenate(
        [np.zeros((len(b.tail), zones), dtype=bool) if b.crosses is None else b.crosses for b in blocks]
    )


def _join_lines(blocks: list[ArcBlock]) -> tuple[Ints, Floats, Floats]:
    """Drawn lines of all arcs; a straight one (two points) is left out."""
    count, lon, lat = [], [], []
    for block in blocks:
        if block.start is None or block.line_lon is None or block.line_lat is None:
            count.append(np.zeros(len(block.tail), dtype=np.int64))
            continue
        points = np.diff(block.start)
        bent = points > 2
        shown = np.repeat(bent, points)
        count.append(np.where(bent, points, 0))
        lon.append(block.line_lon[shown])
        lat.append(block.line_lat[shown])
    start = np.concatenate([[0], np.cumsum(np.concatenate(count))]).astype(np.int64)
    return start, np.concatenate([*lon, np.zeros(0)]), np.concatenate([*lat, np.zeros(0)])
