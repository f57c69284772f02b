"""What a traveller writes (site, alias, port, UN/LOCODE, ``lat,lon``) turned into a place on the network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hubplan.data.scenario import MODES
from hubplan.data.tables import Tables
from hubplan.errors import DataError, Fault
from hubplan.network.assemble import Network
from hubplan.network.sea import EARTH_KM
from hubplan.routing.columns import columns
from hubplan.routing.cost import transport_value
from hubplan.routing.land import land_arcs

_POINT = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*[,;]\s*([+-]?\d+(?:\.\d+)?)\s*")
_BIG_KM = 1000.0
"""A point snaps only to land networks at least this long: a town's isolated siding leads nowhere."""


@dataclass(frozen=True)
class Place:
    """An end of a journey.

    Parameters
    ----------
    id
        Site or port id, or ``lat,lon``.
    kind
        ``site``, ``port`` or ``point``.
    name
        For a reader.
    node
        Where it stands on the network.
    access_km
        For a point: assumed length of the way to the node, great circle x ``access_road_factor``; else 0.
    """

    id: str
    kind: str
    name: str
    lon: float
    lat: float
    node: int
    access_km: float = 0.0


def resolve_place(text: str, tables: Tables, network: Network, *, modes: tuple[str, ...] = MODES) -> Place:
    """Find the place that a text names.

    Sites come before ports of the same id; ``port:kuantan`` or a UN/LOCODE asks for the port. A point snaps to the nearest road
    node (rail, where roads are not allowed) of a network of 1,000 km or more, or to the nearest port if that is nearer.

    Raises
    ------
    DataError
        Nothing has this name; near spellings are offered. Or a point outside the world.
    """
    point = _POINT.fullmatch(text)
    if point:
        return _snap(float(point.group(1)), float(point.group(2)), tables, network, modes)
    kind, _, wanted = text.strip().rpartition(":")
    found = None
    if kind in ("", "site"):
        found = _find_site(wanted, tables, network)
    if found is None and kind in ("", "port"):
        found = _find_port(wanted, tables, network)
    if found is None:
        names = [*tables.sites["site"], *tables.ports["port"], *(code for code in tables.ports["un_locode"] if code)]
        near = get_close_matches(wanted.lower(), names, n=3)
        hint = f"did you mean {', '.join(near)}? " if near else ""
        fix = f"{hint}Give a site, a port, a UN/LOCODE or lat,lon; `hubplan data show sites` lists the sites"
        raise DataError([Fault("place", f"'{text}' is no known site or port", fix)])
    return found


def _find_site(wanted: str, tables: Tables, network: Network) -> Place | None:
    ids = [str(site) for site in tables.sites["site"]]
    aliases = [{alias.strip().lower() for alias in str(cell).split(";")} - {""} for cell in tables.sites["aliases"]]
    named = [row for row, site in enumerate(ids) if site == wanted.lower()]
    named += [row for row, names in enumerate(aliases) if wanted.lower() in names]
    return _place(tables.sites, "site", named, columns(network).sites)


def _find_port(wanted: str, tables: Tables, network: Network) -> Place | None:
    ids, codes = (tables.ports[column].astype(str).tolist() for column in ("port", "un_locode"))
    named = [
        row
        for row, (port, code) in enumerate(zip(ids, codes, strict=True))
        if wanted.lower() == port or wanted.upper() == code
    ]
    return _place(tables.ports, "port", named, columns(network).ports)


def _place(table: pd.DataFrame, kind: str, named: list[int], nodes: Mapping[str, int]) -> Place | None:
    """The first of some rows that the network has a node for."""
    for row in named:
        name, title = str(table[kind].iloc[row]), str(table["name"].iloc[row])
        if name in nodes:
            lon, lat = float(table["lon"].iloc[row]), float(table["lat"].iloc[row])
            return Place(name, kind, title if kind == "site" else f"Port of {title}", lon, lat, nodes[name])
    return None


def _snap(lat: float, lon: float, tables: Tables, network: Network, modes: tuple[str, ...]) -> Place:
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        raise DataError(
            [Fault("place", f"{lat:g},{lon:g} is not on Earth", "give latitude,longitude in degrees: -28.86,122.55")]
        )
    at = columns(network)
    wanted = "road" if "road" in modes else "rail"
    able = np.flatnonzero(((at.kind == wanted) & _on_big_network(network, modes)) | (at.kind == "port"))
    if not len(able):
        raise DataError(
            [Fault("place", "the network has neither a port nor a land network", "use a network with ports or roads")]
        )
    distance_km = great_circle_km(lon, lat, at.lon[able], at.lat[able])
    nearest = int(np.argmin(distance_km))
    access_km = float(distance_km[nearest]) * transport_value(tables, "access_road_factor")
    return Place(f"{lat:g},{lon:g}", "point", f"{lat:g},{lon:g}", lon, lat, int(able[nearest]), access_km)


def _on_big_network(network: Network, modes: tuple[str, ...]) -> np.ndarray:
    """Mark the nodes of connected land networks of 1,000 km or more."""
    at = columns(network)
    use = land_arcs(network, modes)
    n = len(at.kind)
    links = coo_array((np.ones(int(use.sum()), dtype=np.int8), (at.tail[use], at.head[use])), shape=(n, n)).tocsr()
    label = connected_components(links, directed=False)[1]
    total_km = np.bincount(label[at.tail[use]], weights=at.length_km[use], minlength=int(label.max()) + 1)
    big: np.ndarray = total_km[label] >= _BIG_KM
    return big


def great_circle_km(lon: float, lat: float, lons: np.ndarray, lats: np.ndarray) -> np.ndarray:
    """Distance from one point to many on a sphere of mean radius, km."""
    phi, phis = np.radians(lat), np.radians(lats)
    half = np.sin((phis - phi) / 2) ** 2 + np.cos(phi) * np.cos(phis) * np.sin(np.radians(lons - lon) / 2) ** 2
    return np.asarray(2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(half, 0, 1))))
