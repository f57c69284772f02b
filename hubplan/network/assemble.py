"""Network: one table of nodes and one of arcs, for every mode."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hubplan.data.tables import Tables
from hubplan.errors import DataError, Fault
from hubplan.network.chokepoints import read_zones, tag_lines
from hubplan.network.land import Bools, Floats, Ints, Lines, read_lines
from hubplan.network.ports import (
    FAR_FROM_ROAD_KM,
    ON_DOCK_KM,
    PORT_RAIL_KM,
    PORT_ROAD_KM,
    SITE_RAIL_KM,
    SITE_ROAD_KM,
    Access,
    find_railheads,
    join_rail,
    join_road,
    nearest_port,
    split_gauges,
)
from hubplan.network.sea import SeaNetwork, read_sea

MODES = ("rail", "road", "sea", "transfer", "port", "access")
KINDS = ("rail", "road", "sea", "port", "site")
_CANALS = {"suez": "suez_toll_usd_t", "panama-canal": "panama_toll_usd_t"}


@dataclass(frozen=True)
class Network:
    """Places cargo can pass, and the links between them.

    Parameters
    ----------
    nodes
        RangeIndex; ``lon``, ``lat``, ``country`` (ISO alpha-3, "" at sea), ``kind`` (rail, road, sea, port, site), ``ref`` (id of the
        port or site, else "").
    arcs
        RangeIndex, one row per link, usable both ways: ``tail``, ``head``, ``mode`` (rail, road, sea, transfer, port, access),
        ``length_km``, ``hours``, ``extra_usd_t`` (handling, transfer, toll), ``gauge_mm`` (0 unknown), ``name``, ``opens_year`` (0 = open),
        ``assumed``, ``bridge`` (closes a gap of the source data).
    zones
        Ids of the columns of ``crosses``.
    crosses
        bool (arcs, zones): the arc passes this strait, canal, zone or gate.
    line_start, line_lon, line_lat
        Drawn line of arc ``i`` is ``line_start[i]:line_start[i + 1]``, tail to head, both ends included, longitudes running on past
        180; an empty slice is a great circle.

    Notes
    -----
    A port has one node on the land side and one at sea; only its ``port`` arc joins them, so to pass that arc is to call there.
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
    return _build(_Key(tables.folder.as_posix(), tuple(sorted(tables.hashes.items())), tables))


@dataclass(frozen=True)
class _Key:
    """Tables by their contents: what the cache compares."""

    folder: str
    hashes: tuple[tuple[str, str], ...]
    tables: Tables = field(compare=False)


@dataclass(frozen=True)
class _Land:
    """Rail and road with every site and port joined, and the joins."""

    rail: Lines
    road: Lines
    break_node: Ints
    break_copy: Ints
    site_road: Access
    site_rail: Access
    port_road: Access
    port_rail: Access
    site_port: Access


@dataclass(frozen=True)
class _Arcs:
    """A block of arcs, and the drawn lines of those that have one."""

    mode: str
    tail: Ints
    head: Ints
    length_km: Floats
    hours: Floats
    extra_usd_t: Floats
    assumed: Bools
    gauge_mm: Ints | int = 0
    bridge: Bools | bool = False
    opens_year: Ints | int = 0
    name: NDArray[np.str_] | str = ""
    crosses: Bools | None = None
    start: Ints | None = None
    line_lon: Floats | None = None
    line_lat: Floats | None = None


@lru_cache(maxsize=2)
def _build(key: _Key) -> Network:
    tables = key.tables
    folder = tables.folder / "network"
    cost = _read_costs(tables)
    land = _join_land(read_lines(folder / "osm" / "rail.npz"), read_lines(folder / "osm" / "road.npz"), tables)
    sea = read_sea(folder / "sea.npz")
    zones = tuple(sorted({*tables.zones["zone"], *sea.zone, *(z for z in (*land.rail.link_zone, *land.road.link_zone) if z)}))
    nodes, first = _number_nodes(land, sea, tables)
    blocks = [
        _line_arcs("rail", land.rail, first["rail"], tables, cost, zones),
        _line_arcs("road", land.road, first["road"], tables, cost, zones),
        *_meeting_arcs(land, first, cost),
        *_access_arcs(land, first, cost),
        *_sea_arcs(sea, tables, first, cost, zones),
    ]
    return Network(nodes, _join_arcs(blocks), zones, _join_crosses(blocks, len(zones)), *_join_lines(blocks))


def _read_costs(tables: Tables) -> dict[str, float]:
    """Transport parameters that the network needs.

    Raises
    ------
    DataError
        Names each one that is missing.
    """
    wanted = ("rail_kmh", "road_kmh", "sea_kmh", "rail_road_transfer_usd_t", "rail_road_transfer_h", "port_handling_usd_t", "port_dwell_h",
              "gauge_break_usd_t", "gauge_break_h", "border_h", "suez_toll_usd_t", "panama_toll_usd_t", "canal_wait_h", "access_road_factor")
    given = dict(zip(tables.transport["parameter"], tables.transport["value"], strict=True))
    faults = [Fault(f"transport.csv, {name}", "has no value", "add a row with a number") for name in wanted if not given.get(name, -1.0) >= 0]
    faults += [Fault(f"transport.csv, {name}", "is zero", "give km/h above 0") for name in wanted[:3] if given.get(name) == 0]
    if faults:
        raise DataError(faults)
    return {name: float(given[name]) for name in wanted}


def _join_land(rail: Lines, road: Lines, tables: Tables) -> _Land:
    """Split gauges, then join sites and ports to roads and railways."""
    rail, break_node, break_copy = split_gauges(rail)
    road, site_road = join_road(road, tables.sites, reach_km=SITE_ROAD_KM)
    road, port_road = join_road(road, tables.ports, reach_km=PORT_ROAD_KM)
    rail, site_rail = join_rail(rail, tables.sites, reach_km=np.full(len(tables.sites), SITE_RAIL_KM))
    served = (tables.ports["rail_link"] != "no").to_numpy()
    rail, port_rail = join_rail(rail, tables.ports, reach_km=np.where(served, PORT_RAIL_KM, -1.0))
    direct = nearest_port(tables.sites, tables.ports)
    away = np.full(len(tables.sites), np.inf)
    away[site_road.point] = site_road.away_km
    far = away[direct.point] > FAR_FROM_ROAD_KM
    return _Land(rail, road, break_node, break_copy, site_road, site_rail, port_road, port_rail,
                 Access(direct.point[far], direct.node[far], direct.away_km[far]))


def _number_nodes(land: _Land, sea: SeaNetwork, tables: Tables) -> tuple[pd.DataFrame, dict[str, int]]:
    """Nodes of all parts in one table, and the number of the first of each: rail, road, site, port, quay (a port at sea), sea."""
    sites, ports = tables.sites, tables.ports
    none = np.full
    parts = [
        ("rail", "rail", land.rail.lon, land.rail.lat, land.rail.country, none(len(land.rail.lon), "")),
        ("road", "road", land.road.lon, land.road.lat, land.road.country, none(len(land.road.lon), "")),
        ("site", "site", sites["lon"], sites["lat"], sites["country"], sites["site"]),
        ("port", "port", ports["lon"], ports["lat"], ports["country"], ports["port"]),
        ("quay", "sea", ports["lon"], ports["lat"], none(len(ports), ""), ports["port"]),
        ("sea", "sea", sea.node_lon, sea.node_lat, none(len(sea.node_lon), ""), none(len(sea.node_lon), "")),
    ]
    first, count = {}, 0
    for name, _, lon, *_ in parts:
        first[name] = count
        count += len(lon)
    kind = np.concatenate([np.full(len(part[2]), KINDS.index(part[1]), dtype=np.int8) for part in parts])
    nodes = pd.DataFrame({
        "lon": np.concatenate([np.asarray(part[2], dtype=float) for part in parts]),
        "lat": np.concatenate([np.asarray(part[3], dtype=float) for part in parts]),
        "country": pd.Categorical(np.concatenate([np.asarray(part[4], dtype=str) for part in parts])),
        "kind": pd.Categorical.from_codes(kind, categories=list(KINDS)),
        "ref": np.concatenate([np.asarray(part[5], dtype=str) for part in parts]).astype(object),
    })
    return nodes, first


def _line_arcs(mode: str, lines: Lines, first: int, tables: Tables, cost: dict[str, float], zones: tuple[str, ...]) -> _Arcs:
    """Rail or road links as arcs: running time, waiting at borders, gates passed."""
    border = lines.country[lines.tail] != lines.country[lines.head]
    union = np.isin(lines.country, tables.blocs.loc[tables.blocs["bloc"] == "eu", "country"].to_numpy(str))
    waits = border & ~(union[lines.tail] & union[lines.head])
    crosses = np.zeros((len(lines.tail), len(zones)), dtype=bool)
    for number, zone in enumerate(lines.link_zone, start=1):
        if zone:
            crosses[lines.link == number, zones.index(str(zone))] = True
    gates = [gate for gate in read_zones(tables.zones) if gate.kind == "rail-gate" and gate.zone not in lines.link_zone]
    at = np.flatnonzero(border)
    if gates and len(at):
        point, offset = _gather(lines.start, at)
        met = tag_lines(lines.line_lon[point], lines.line_lat[point], offset, gates)
        for column, gate in enumerate(gates):
            crosses[at, zones.index(gate.zone)] |= met[:, column]
    own = lines.link - 1
    hand = lines.link > 0
    name, opens, assumed = np.full(len(own), "", dtype=object), np.zeros(len(own), dtype=np.int64), np.zeros(len(own), dtype=bool)
    name[hand], opens[hand], assumed[hand] = lines.link_name[own[hand]], lines.link_opens_year[own[hand]], lines.link_assumed[own[hand]]
    return _Arcs(mode, lines.tail + first, lines.head + first, lines.length_km, lines.length_km / cost[f"{mode}_kmh"] + waits * cost["border_h"],
                 np.zeros(len(own)), assumed, gauge_mm=lines.gauge_mm, bridge=lines.bridge, opens_year=opens, name=name, crosses=crosses,
                 start=lines.start, line_lon=lines.line_lon, line_lat=lines.line_lat)


def _meeting_arcs(land: _Land, first: dict[str, int], cost: dict[str, float]) -> list[_Arcs]:
    """Changes of gauge, and of rail to road."""
    breaks = len(land.break_node)
    wanted = np.concatenate([land.site_rail.node, land.port_rail.node])
    rail, road, away = find_railheads(land.rail, land.road, wanted)
    return [
        _Arcs("transfer", land.break_node + first["rail"], land.break_copy + first["rail"], np.zeros(breaks), np.full(breaks, cost["gauge_break_h"]),
              np.full(breaks, cost["gauge_break_usd_t"]), np.zeros(breaks, dtype=bool), name="break of gauge"),
        _Arcs("transfer", rail + first["rail"], road + first["road"], away, np.full(len(rail), cost["rail_road_transfer_h"]),
              np.full(len(rail), cost["rail_road_transfer_usd_t"]), np.ones(len(rail), dtype=bool), name="rail-road transfer"),
    ]


def _access_arcs(land: _Land, first: dict[str, int], cost: dict[str, float]) -> list[_Arcs]:
    """First and last miles. By road they are great circle x ``access_road_factor``; a railway beyond a siding costs a transfer."""
    def arcs(access: Access, point: str, node: str, *, mode: str = "access", transfer: bool = False, name: str) -> _Arcs:
        length = access.away_km * cost["access_road_factor"]
        trucked = (access.away_km > ON_DOCK_KM) & transfer
        return _Arcs(mode, access.point + first[point], access.node + first[node], length,
                     length / cost["rail_kmh" if mode == "rail" else "road_kmh"] + trucked * cost["rail_road_transfer_h"],
                     trucked * cost["rail_road_transfer_usd_t"], np.ones(len(length), dtype=bool), name=name)

    return [
        arcs(land.site_road, "site", "road", name="road to the network"),
        arcs(land.site_rail, "site", "rail", transfer=True, name="road to the railhead"),
        arcs(land.site_port, "site", "port", name="way to the port"),
        arcs(land.port_road, "port", "road", name="port road"),
        arcs(land.port_rail, "port", "rail", mode="rail", name="port railway"),
    ]


def _sea_arcs(sea: SeaNetwork, tables: Tables, first: dict[str, int], cost: dict[str, float], zones: tuple[str, ...]) -> list[_Arcs]:
    """Lanes, approaches and port calls.

    Raises
    ------
    DataError
        The sea extract knows a port that ports.csv does not.
    """
    row = {port: number for number, port in enumerate(tables.ports["port"])}
    unknown = sorted(set(sea.port) - set(row))
    if unknown:
        raise DataError([Fault("network/sea.npz", f"has approaches of {', '.join(unknown[:5])}, which ports.csv lacks", "run geodata/make/build.py")])
    columns = [zones.index(zone) for zone in sea.zone]
    port = np.array([row[p] for p in sea.port], dtype=np.int64)
    calls = np.arange(len(tables.ports))

    def spread(crosses: Bools) -> Bools:
        wide = np.zeros((len(crosses), len(zones)), dtype=bool)
        wide[:, columns] = crosses
        return wide

    def sail(tail: Ints, head: Ints, length_km: Floats, crosses: Bools, name: str) -> _Arcs:
        toll = sum((crosses[:, sea.zone.index(zone)] * cost[price] for zone, price in _CANALS.items() if zone in sea.zone), np.zeros(len(tail)))
        return _Arcs("sea", tail, head, length_km, length_km / cost["sea_kmh"] + (toll > 0) * cost["canal_wait_h"], toll,
                     np.zeros(len(tail), dtype=bool), name=name, crosses=spread(crosses))

    return [
        sail(sea.tail + first["sea"], sea.head + first["sea"], sea.length_km, sea.crosses, ""),
        sail(port[sea.link_port] + first["quay"], sea.link_node + first["sea"], sea.link_km, sea.link_crosses, "approach"),
        _Arcs("port", calls + first["port"], calls + first["quay"], np.zeros(len(calls)), np.full(len(calls), cost["port_dwell_h"]),
              np.full(len(calls), cost["port_handling_usd_t"]), np.zeros(len(calls), dtype=bool), name=tables.ports["name"].to_numpy(object)),
    ]


def _join_arcs(blocks: list[_Arcs]) -> pd.DataFrame:
    size = [len(block.tail) for block in blocks]

    def column(key: str, dtype: type) -> NDArray[np.generic]:
        return np.concatenate([np.broadcast_to(np.asarray(getattr(block, key), dtype=dtype), n) for block, n in zip(blocks, size, strict=True)])

    mode = np.repeat(np.array([MODES.index(block.mode) for block in blocks], dtype=np.int8), size)
    return pd.DataFrame({
        "tail": column("tail", np.int64), "head": column("head", np.int64), "mode": pd.Categorical.from_codes(mode, categories=list(MODES)),
        "length_km": column("length_km", np.float64), "hours": column("hours", np.float64), "extra_usd_t": column("extra_usd_t", np.float64),
        "gauge_mm": column("gauge_mm", np.int64), "name": pd.Categorical(column("name", object)), "opens_year": column("opens_year", np.int64),
        "assumed": column("assumed", np.bool_), "bridge": column("bridge", np.bool_),
    })


def _join_crosses(blocks: list[_Arcs], zones: int) -> Bools:
    return np.concatenate([np.zeros((len(b.tail), zones), dtype=bool) if b.crosses is None else b.crosses for b in blocks])


def _join_lines(blocks: list[_Arcs]) -> tuple[Ints, Floats, Floats]:
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


def _gather(start: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """Positions of the points of some lines, and their offsets among those."""
    count = start[rows + 1] - start[rows]
    offset = np.concatenate([[0], np.cumsum(count)])
    position = np.arange(offset[-1]) - np.repeat(offset[:-1], count) + np.repeat(start[rows], count)
    return position, offset


