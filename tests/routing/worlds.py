"""Small worlds made by hand: a network, and as much of the tables as routing reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from hubplan.data.access import Access
from hubplan.data.scenario import MODES
from hubplan.network.assemble import Network

RATES = {
    "rail_usd_tkm": 0.04,
    "road_usd_tkm": 0.2,
    "sea_usd_tkm": 0.01,
    "rail_kmh": 40.0,
    "road_kmh": 60.0,
    "sea_kmh": 30.0,
    "capital_cost_share": 0.0,
    "access_road_factor": 1.3,
}


@dataclass
class World:
    """Collects nodes and arcs by name, then builds a network and its tables."""

    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    arcs: list[dict[str, Any]] = field(default_factory=list)
    zones: tuple[str, ...] = ()
    zone_shapes: dict[str, str] = field(default_factory=dict)
    default_closed: tuple[str, ...] = ()
    rates: dict[str, float] = field(default_factory=lambda: dict(RATES))

    def node(self, name: str, kind: str, country: str = "", *, lon: float = 0.0, lat: float = 0.0) -> World:
        ref = name if kind in ("site", "port") else ""
        self.nodes[name] = {"lon": lon, "lat": lat, "country": country, "kind": kind, "ref": ref}
        return self

    def port(
        self,
        name: str,
        country: str,
        *,
        lon: float = 0.0,
        lat: float = 0.0,
        handling_usd_t: float = 5.0,
        dwell_h: float = 0.0,
    ) -> World:
        """A port and its offing, ``name@sea``, joined by a port arc."""
        self.node(name, "port", country, lon=lon, lat=lat).node(f"{name}@sea", "sea", lon=lon, lat=lat)
        return self.arc(name, f"{name}@sea", "port", 0.0, usd_t=handling_usd_t, hours=dwell_h)

    def arc(
        self,
        tail: str,
        head: str,
        mode: str,
        km: float,
        *,
        usd_t: float = 0.0,
        hours: float | None = None,
        zones: Sequence[str] = (),
        opens: int = 0,
        gauge: int = 0,
        assumed: bool = False,
    ) -> World:
        speed = {"rail": 40.0, "road": 60.0, "access": 60.0, "sea": 30.0}.get(mode, np.inf)
        self.arcs.append(
            {
                "tail": tail,
                "head": head,
                "mode": mode,
                "length_km": km,
                "hours": km / speed if hours is None else hours,
                "extra_usd_t": usd_t,
                "gauge_mm": gauge,
                "name": "",
                "opens_year": opens,
                "assumed": assumed,
                "bridge": False,
                "zones": tuple(zones),
            }
        )
        return self

    def network(self) -> Network:
        order = {name: number for number, name in enumerate(self.nodes)}
        nodes = pd.DataFrame(list(self.nodes.values()))
        nodes["country"], nodes["kind"] = pd.Categorical(nodes["country"]), pd.Categorical(nodes["kind"])
        arcs = pd.DataFrame(self.arcs)
        crosses = np.array([[zone in passed for zone in self.zones] for passed in arcs.pop("zones")], dtype=bool)
        arcs["tail"], arcs["head"] = arcs["tail"].map(order), arcs["head"].map(order)
        arcs["mode"] = pd.Categorical(arcs["mode"])
        nothing = np.zeros(0)
        return Network(
            nodes,
            arcs,
            self.zones,
            crosses.reshape(len(arcs), len(self.zones)),
            np.zeros(len(arcs) + 1, dtype=np.int64),
            nothing,
            nothing,
        )

    def tables(self) -> Any:
        kinds = {
            kind: [(name, row) for name, row in self.nodes.items() if row["kind"] == kind] for kind in ("site", "port")
        }
        return SimpleNamespace(
            transport=pd.DataFrame({"parameter": list(self.rates), "value": list(self.rates.values())}),
            zones=pd.DataFrame(
                {
                    "zone": list(self.zones),
                    "closed_by_default": [zone in self.default_closed for zone in self.zones],
                    "geometry_wkt": [self.zone_shapes.get(zone, "LINESTRING (0 0, 1 1)") for zone in self.zones],
                }
            ),
            sites=pd.DataFrame(
                [
                    {
                        "site": name,
                        "name": name.title(),
                        "country": row["country"],
                        "lon": row["lon"],
                        "lat": row["lat"],
                        "aliases": f"old-{name}",
                    }
                    for name, row in kinds["site"]
                ],
                columns=["site", "name", "country", "lon", "lat", "aliases"],
            ),
            ports=pd.DataFrame(
                [
                    {
                        "port": name,
                        "name": name.title(),
                        "country": row["country"],
                        "lon": row["lon"],
                        "lat": row["lat"],
                        "un_locode": f"{row['country'][:2]}{name[:3].upper()}",
                    }
                    for name, row in kinds["port"]
                ],
                columns=["port", "name", "country", "lon", "lat", "un_locode"],
            ),
            terminals=pd.DataFrame({"terminal": pd.Series(dtype=object), "port": pd.Series(dtype=object)}),
        )


def open_to(
    *,
    closed: Sequence[str] = (),
    excluded: Sequence[str] = (),
    closed_ports: dict[str, str] | None = None,
    modes: Sequence[str] = MODES,
) -> Access:
    """An access with these closures."""
    return Access(
        members=frozenset(),
        excluded=frozenset(excluded),
        closed=frozenset(closed),
        closed_ports=closed_ports or {},
        barred_sites={},
        barred_facilities={},
        modes=tuple(modes),
    )


def strait_world() -> World:
    """Two countries over sea: a short strait and a long way round.

    mine --road 100-- west port --sea 1,000 by the strait, or 1,500 round by s3-- east port --rail 200-- plant. Freight by
    the strait at the rates above: 20 + 5 + 10 + 5 + 8 = 48 USD/t; round: 53.
    """
    world = World(zones=("strait", "gate"))
    world.node("mine", "site", "AUS").node("r1", "road", "AUS").node("r2", "road", "AUS").port("west", "AUS", lon=10)
    world.node("s1", "sea", lon=12).node("s2", "sea", lon=18).port("east", "MYS", lon=20)
    world.node("t1", "rail", "MYS").node("t2", "rail", "MYS").node("plant", "site", "MYS")
    world.arc("mine", "r1", "access", 0).arc("r1", "r2", "road", 100).arc("r2", "west", "access", 0)
    world.node("s3", "sea", lon=15, lat=-10).arc("west@sea", "s1", "sea", 100)
    world.arc("s1", "s2", "sea", 800, zones=["strait"]).arc("s1", "s3", "sea", 650).arc("s3", "s2", "sea", 650)
    world.arc("s2", "east@sea", "sea", 100)
    world.arc("east", "t1", "access", 0).arc("t1", "t2", "rail", 200, gauge=1000).arc("t2", "plant", "access", 0)
    return world
