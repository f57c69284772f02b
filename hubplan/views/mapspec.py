"""MapSpec: what a map shows, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
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
class Way:
    """A route from end to end; `zones` and `ports` are ids, `usd_t` is freight."""

    route: str
    origin: str
    destination: str
    length_km: float
    days: float
    usd_t: float
    zones: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Flow:
    """One cargo on one way (by position), in tonnes a year in each period."""

    way: int
    form: str
    commodity: str
    t_yr: tuple[float, ...]


@dataclass(frozen=True)
class Line:
    """A stretch of the network, with the ways (by position) that pass it along, and against, its vertices."""

    mode: str
    line: str
    along: tuple[int, ...]
    against: tuple[int, ...] = ()


@dataclass(frozen=True)
class Detail:
    """One line of what is known of a site.

    Parameters
    ----------
    used, size
        By period: so much of so much, in t/yr; both empty when `label` says all.
    none
        What stands for a size of 0.
    """

    label: str
    used: tuple[float, ...] = ()
    size: tuple[float, ...] = ()
    none: str = ""


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
    ways: tuple[Way, ...]
    flows: tuple[Flow, ...]
    lines: tuple[Line, ...]
    sites: tuple[Site, ...]
    zones: tuple[Zone, ...]
    tints: Mapping[str, str]
    view: tuple[float, float, float, float]
    credits: tuple[str, ...] = CREDITS

    def as_plain(self) -> dict[str, Any]:
        """Give the spec as JSON values; rows of one kind become columns, which are shorter."""
        plain = {field.name: _plain(getattr(self, field.name)) for field in fields(self)}
        words = dict.fromkeys(
            word for way in self.ways for word in (way.origin, way.destination, *way.zones, *way.ports)
        )
        number = {word: i for i, word in enumerate(words)}
        ways = plain["ways"] or {"route": []}
        del ways["route"]
        for name in ("origin", "destination", "zones", "ports"):
            ways[name] = [
                [number[word] for word in value] if isinstance(value, list) else number[value]
                for value in ways.get(name, [])
            ]
        return {**plain, "ways": ways, "words": list(words)}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        if value and is_dataclass(value[0]):
            names = [field.name for field in fields(value[0])]
            return {name: [_plain(getattr(row, name)) for row in value] for name in names}
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value
