"""Arcs by kind, with hours and extra cost: lines on land, changes of mode, first and last miles, lanes, port calls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hubplan.data.tables import Tables
from hubplan.errors import DataError, Fault
from hubplan.network.chokepoints import read_zones, tag_lines
from hubplan.network.land import Bools, Floats, Ints, Lines
from hubplan.network.ports import ON_DOCK_KM, Access, can_transfer, find_railheads
from hubplan.network.sea import SeaNetwork

CANALS = {"suez": "suez_toll_usd_t", "panama-canal": "panama_toll_usd_t"}


@dataclass(frozen=True)
class LandAccess:
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
class ArcBlock:
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


def read_costs(tables: Tables) -> dict[str, float]:
    """Transport parameters that the network needs.

    Raises
    ------
    DataError
        Names each one that is missing.
    """
    wanted = (
        "rail_kmh",
        "road_kmh",
        "sea_kmh",
        "rail_road_transfer_usd_t",
        "rail_road_transfer_h",
        "port_handling_usd_t",
        "port_dwell_h",
        "gauge_break_usd_t",
        "gauge_break_h",
        "border_h",
        "suez_toll_usd_t",
        "panama_toll_usd_t",
        "canal_wait_h",
        "access_road_factor",
    )
    given = dict(zip(tables.transport["parameter"], tables.transport["value"], strict=True))
    faults = [
        Fault(f"transport.csv, {name}", "has no value", "add a row with a number")
        for name in wanted
        if not given.get(name, -1.0) >= 0
    ]
    faults += [
        Fault(f"transport.csv, {name}", "is zero", "give km/h above 0") for name in wanted[:3] if given.get(name) == 0
    ]
    if faults:
        raise DataError(faults)
    return {name: float(given[name]) for name in wanted}


def line_arcs(
    mode: str, lines: Lines, first: int, tables: Tables, cost: dict[str, float], zones: tuple[str, ...]
) -> ArcBlock:
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
    name, opens, assumed = (
        np.full(len(own), "", dtype=object),
        np.zeros(len(own), dtype=np.int64),
        np.zeros(len(own), dtype=bool),
    )
    name[hand], opens[hand], assumed[hand] = (
        lines.link_name[own[hand]],
        lines.link_opens_year[own[hand]],
        lines.link_assumed[own[hand]],
    )
    return ArcBlock(
        mode,
        lines.tail + first,
        lines.head + first,
        lines.length_km,
        lines.length_km / cost[f"{mode}_kmh"] + waits * cost["border_h"],
        np.zeros(len(own)),
        assumed,
        gauge_mm=lines.gauge_mm,
        bridge=lines.bridge,
        opens_year=opens,
        name=name,
        crosses=crosses,
        start=lines.start,
        line_lon=lines.line_lon,
        line_lat=lines.line_lat,
    )


def meeting_arcs(
    land: LandAccess, first: dict[str, int], cost: dict[str, float], *, railheads: pd.DataFrame
) -> list[ArcBlock]:
    """Changes of gauge, and of rail to road; none where ``railheads`` says that cargo does not change there."""
    breaks = len(land.break_node)
    wanted = np.concatenate([land.site_rail.node, land.port_rail.node])
    rail, road, away = find_railheads(land.rail, land.road, wanted)
    works = can_transfer(land.rail.lon[rail], land.rail.lat[rail], railheads)
    rail, road, away = rail[works], road[works], away[works]
    return [
        ArcBlock(
            "transfer",
            land.break_node + first["rail"],
            land.break_copy + first["rail"],
            np.zeros(breaks),
            np.full(breaks, cost["gauge_break_h"]),
            np.full(breaks, cost["gauge_break_usd_t"]),
            np.zeros(breaks, dtype=bool),
            name="break of gauge",
        ),
        ArcBlock(
            "transfer",
            rail + first["rail"],
            road + first["road"],
            away,
            np.full(len(rail), cost["rail_road_transfer_h"]),
            np.full(len(rail), cost["rail_road_transfer_usd_t"]),
            np.ones(len(rail), dtype=bool),
            name="rail-road transfer",
        ),
    ]


def access_arcs(land: LandAccess, first: dict[str, int], cost: dict[str, float]) -> list[ArcBlock]:
    """First and last miles: great circle x ``access_road_factor``; to a railway beyond a siding also a transfer."""

    def arcs(
        access: Access, point: str, node: str, *, mode: str = "access", transfer: bool = False, name: str
    ) -> ArcBlock:
        length = access.away_km * cost["access_road_factor"]
        trucked = (access.away_km > ON_DOCK_KM) & transfer
        return ArcBlock(
            mode,
            access.point + first[point],
            access.node + first[node],
            length,
            length / cost["rail_kmh" if mode == "rail" else "road_kmh"] + trucked * cost["rail_road_transfer_h"],
            np.where(trucked, cost["rail_road_transfer_usd_t"], 0.0),
            np.ones(len(length), dtype=bool),
            name=name,
        )

    return [
        arcs(land.site_road, "site", "road", name="road to the network"),
        arcs(land.site_rail, "site", "rail", transfer=True, name="road to the railhead"),
        arcs(land.site_port, "site", "port", name="way to the port"),
        arcs(land.port_road, "port", "road", name="port road"),
        arcs(land.port_rail, "port", "rail", mode="rail", name="port railway"),
    ]


def sea_arcs(
    sea: SeaNetwork, tables: Tables, first: dict[str, int], cost: dict[str, float], zones: tuple[str, ...]
) -> list[ArcBlock]:
    """Lanes, approaches and port calls.

    Raises
    ------
    DataError
        The sea extract knows a port that ports.csv does not.
    """
    row = {port: number for number, port in enumerate(tables.ports["port"])}
    unknown = sorted(set(sea.port) - set(row))
    if unknown:
        raise DataError(
            [
                Fault(
                    "network/sea.npz",
                    f"has approaches of {', '.join(unknown[:5])}, which ports.csv lacks",
                    "run geodata/make/build.py",
                )
            ]
        )
    columns = [zones.index(zone) for zone in sea.zone]
    port = np.array([row[p] for p in sea.port], dtype=np.int64)
    calls = np.arange(len(tables.ports))

    def spread(crosses: Bools) -> Bools:
        wide = np.zeros((len(crosses), len(zones)), dtype=bool)
        wide[:, columns] = crosses
        return wide

    def sail(tail: Ints, head: Ints, length_km: Floats, crosses: Bools, name: str) -> ArcBlock:
        toll = np.zeros(len(tail))
        for zone, price in CANALS.items():
            if zone in sea.zone:
                toll = toll + np.where(crosses[:, sea.zone.index(zone)], cost[price], 0.0)
        return ArcBlock(
            "sea",
            tail,
            head,
            length_km,
            length_km / cost["sea_kmh"] + (toll > 0) * cost["canal_wait_h"],
            toll,
            np.zeros(len(tail), dtype=bool),
            name=name,
            crosses=spread(crosses),
        )

    return [
        sail(sea.tail + first["sea"], sea.head + first["sea"], sea.length_km, sea.crosses, ""),
        sail(
            port[sea.link_port] + first["quay"], sea.link_node + first["sea"], sea.link_km, sea.link_crosses, "approach"
        ),
        ArcBlock(
            "port",
            calls + first["port"],
            calls + first["quay"],
            np.zeros(len(calls)),
            np.full(len(calls), cost["port_dwell_h"]),
            np.full(len(calls), cost["port_handling_usd_t"]),
            np.zeros(len(calls), dtype=bool),
            name=tables.ports["name"].to_numpy(object),
        ),
    ]


def _gather(start: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """Positions of the points of some lines, and their offsets among those."""
    count = start[rows + 1] - start[rows]
    offset = np.concatenate([[0], np.cumsum(count)])
    position = np.arange(offset[-1]) - np.repeat(offset[:-1], count) + np.repeat(start[rows], count)
    return position, offset
