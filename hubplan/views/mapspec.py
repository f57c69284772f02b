"""MapSpec: what a map shows, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

CREDITS = (
    "Land: Natural Earth (public domain)",
    "Roads and rail: © OpenStreetMap contributors (ODbL)",
    "Ports: NGA World Port Index",
    "Sea lanes: searoute and Eurostat",
)


@dataclass(frozen=True)
class Form:
    """A class of cargo with a colour of its own."""

    id: str
    name: str
    colour: str


@dataclass(frozen=True)
class Flow:
    """One cargo between two places by one route.

    Parameters
    ----------
    t_yr
        Tonnes a year in each period.
    zones
        Ids of the straits and zones it passes.
    """

    route: str
    form: str
    commodity: str
    origin: str
    destination: str
    t_yr: tuple[float, ...]
    length_km: float
    days: float
    usd_t: float
    zones: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """A stretch of the network, with the flows (by position) that pass it along, and against, its vertices."""

    mode: str
    line: str
    along: tuple[int, ...]
    against: tuple[int, ...] = ()


@dataclass(frozen=True)
class Detail:
    """One line of what is known of a site: a value for each period."""

    label: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Site:
    """A place with a mark.

    Parameters
    ----------
    kind
        ``mine``, ``plant``, ``market``, ``port`` or ``barred``.
    new
        Whether the plan builds here, by period.
    size_t_yr
        What the size of the mark stands for, by period; 0 hides the mark in that period unless `always`.
    """

    id: str
    kind: str
    name: str
    country: str
    lon: float
    lat: float
    size_t_yr: tuple[float, ...]
    new: tuple[bool, ...]
    details: tuple[Detail, ...] = ()
    always: bool = False


@dataclass(frozen=True)
class Zone:
    """A strait, canal, passage or sea area; `rings` are packed outlines, empty for a gate."""

    id: str
    name: str
    kind: str
    closed: bool
    lon: float
    lat: float
    rings: tuple[str, ...] = ()


@dataclass(frozen=True)
class MapSpec:
    """Everything a map shows, as plain data.

    Parameters
    ----------
    periods
        Labels of the periods; the values of flows and sites follow their order.
    tints
        ISO 3166-1 alpha-3 code to ``member`` or ``excluded``.
    view
        West, south, east, north in degrees; east may pass 180.
    """

    title: str
    sentence: str
    periods: tuple[str, ...]
    forms: tuple[Form, ...]
    flows: tuple[Flow, ...]
    lines: tuple[Line, ...]
    sites: tuple[Site, ...]
    zones: tuple[Zone, ...]
    tints: Mapping[str, str]
    view: tuple[float, float, float, float]
    credits: tuple[str, ...] = CREDITS

    def as_plain(self) -> dict[str, Any]:
        """Give the spec as JSON values."""
        return asdict(self)
