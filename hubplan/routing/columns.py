"""A network's tables as plain arrays, made once per network."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import TypeVar

import numpy as np

from hubplan.network.assemble import Network

Made = TypeVar("Made")


def once_per_network(make: Callable[[Network], Made]) -> Callable[[Network], Made]:
    """Remember what a function makes of a network for as long as the network lives. Networks never change."""
    made: dict[int, Made] = {}

    @wraps(make)
    def remembered(network: Network) -> Made:
        if id(network) not in made:
            made[id(network)] = make(network)
            weakref.finalize(network, made.pop, id(network), None)
        return made[id(network)]

    return remembered


@dataclass(frozen=True)
class Columns:
    """Arrays of a network.

    Parameters
    ----------
    tail, head, length_km, opens_year
        By arc.
    mode
        Name by arc (object); ``is_mode`` gives the same as bool by arc for each mode.
    lon, lat, country, kind, ref
        By node.
    sites, ports
        Id to node, in the order of the nodes; a port's node is the one on land.
    offings
        Nodes at the sea end of port arcs, rising.
    """

    tail: np.ndarray
    head: np.ndarray
    mode: np.ndarray
    is_mode: Mapping[str, np.ndarray]
    length_km: np.ndarray
    opens_year: np.ndarray
    assumed: np.ndarray
    gauge_mm: np.ndarray
    lon: np.ndarray
    lat: np.ndarray
    country: np.ndarray
    kind: np.ndarray
    ref: np.ndarray
    sites: Mapping[str, int]
    ports: Mapping[str, int]
    offings: np.ndarray

    def any_mode(self, *modes: str) -> np.ndarray:
        """Mark the arcs of some modes."""
        found = np.zeros(len(self.mode), dtype=bool)
        for name in modes:
            found |= self.is_mode.get(name, False)
        return found


@once_per_network
def columns(network: Network) -> Columns:
    """Arrays of a network, made at the first call."""
    nodes, arcs = network.nodes, network.arcs
    mode, kind, ref = (values.astype(object).to_numpy() for values in (arcs["mode"], nodes["kind"], nodes["ref"]))
    is_mode = {str(name): (arcs["mode"] == name).to_numpy(dtype=bool) for name in arcs["mode"].unique()}
    tail, head = arcs["tail"].to_numpy(dtype=np.int64), arcs["head"].to_numpy(dtype=np.int64)

    def named(wanted: str) -> dict[str, int]:
        rows = np.flatnonzero(kind == wanted)
        return dict(zip(ref[rows].tolist(), rows.tolist(), strict=True))

    calls = np.flatnonzero(is_mode.get("port", np.zeros(len(arcs), dtype=bool)))
    offings = np.unique(np.where(kind[tail[calls]] == "port", head[calls], tail[calls]))
    return Columns(
        tail=tail,
        head=head,
        mode=mode,
        is_mode=is_mode,
        length_km=arcs["length_km"].to_numpy(dtype=float),
        opens_year=arcs["opens_year"].to_numpy(dtype=np.int64),
        assumed=arcs["assumed"].to_numpy(dtype=bool),
        gauge_mm=arcs["gauge_mm"].to_numpy(dtype=np.int64),
        lon=nodes["lon"].to_numpy(dtype=float),
        lat=nodes["lat"].to_numpy(dtype=float),
        country=nodes["country"].astype(object).to_numpy(),
        kind=kind,
        ref=ref,
        sites=named("site"),
        ports=named("port"),
        offings=offings,
    )
