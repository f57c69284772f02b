"""A made-up plan that stands for any: mines, hubs, a market, a road, a railway, and a lane over the antimeridian.

Its names carry what an attacker would write, because the views must show any name as it stands.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely import LineString

from hubplan.data.access import Access
from hubplan.data.scenario import Scenario
from hubplan.results.plan import TABLES, Plan, as_table, empty_table

HOSTILE = "{{7*7}}<img src=x onerror=alert(1)></script>`${1}`"
PERIODS = (2026, 2030, 2035)


def make_tables(*, name: str = HOSTILE) -> Any:
    """Only the tables that the views read, in the shape of `Tables`."""
    commodities = [
        ("concentrate", "rare-earth concentrate", "concentrate"),
        ("carbonate", "mixed carbonate", "carbonate"),
        ("heavy-concentrate", "heavy concentrate", "heavy-concentrate"),
        ("ndpr-oxide", "NdPr oxide", "oxide"),
        ("dy-oxide", "Dy oxide", "oxide"),
        ("magnet-high", "magnets, high grade", "magnet"),
    ]
    zones = [
        ("taiwan-strait", "Taiwan Strait", "strait", "LINESTRING (119.5 25.5, 121.1 25)"),
        ("sunda", "Sunda Strait", "strait", "LINESTRING (105.7 -5.9, 106 -5.7)"),
        (
            "south-china-sea",
            f"South China Sea {name}",
            "zone",
            "POLYGON ((108 6, 117 6, 119 17, 112 20, 108 15, 108 6))",
        ),
    ]
    facilities = [
        ("kuantan-separation-light", "kuantan", "separation_light", "reported"),
        ("cand-saskatoon-magnet", "cand-saskatoon", "magnet", "assumed"),
        ("ganzhou-magnet", "ganzhou", "magnet", "reported"),
    ]
    return SimpleNamespace(
        commodities=pd.DataFrame(commodities, columns=["commodity", "name", "form"]).assign(
            basis="reported", element=["", "", "", "ndpr", "dy", ""]
        ),
        grades=pd.DataFrame([("high", "dy", 0.03), ("high", "ndpr", 0.3)], columns=["grade", "element", "metal_t_t"]),
        mines=pd.DataFrame([("mount-weld", "usgs"), ("nechalacho", "usgs")], columns=["mine", "source"]),
        zones=pd.DataFrame(zones, columns=["zone", "name", "kind", "geometry_wkt"]).assign(
            closed_by_default=False, country="", basis="estimated"
        ),
        countries=pd.DataFrame(
            [
                ("AUS", "Australia"),
                ("MYS", "Malaysia"),
                ("CAN", "Canada"),
                ("JPN", "Japan"),
                ("CHN", "China"),
                ("USA", "United States"),
            ],
            columns=["country", "name"],
        ).assign(basis="reported"),
        ports=pd.DataFrame(
            [
                ("fremantle", "Fremantle", "AUFRE", "AUS", 115.74, -32.05),
                ("vancouver", f"Vancouver {name}", "CAVAN", "CAN", -123.1, 49.3),
                ("yokohama", "Yokohama", "JPYOK", "JPN", 139.65, 35.45),
                ("kuantan-port", "Kuantan", "MYKUA", "MYS", 103.43, 3.97),
                ("darwin", "Darwin", "", "AUS", 130.85, -12.47),
            ],
            columns=["port", "name", "un_locode", "country", "lon", "lat"],
        ).assign(basis="reported"),
        facilities=pd.DataFrame(facilities, columns=["facility", "site", "stage", "basis"]).assign(source="usgs"),
        sites=pd.DataFrame(
            [
                ("mount-weld", "Mount Weld", "mine", "AUS", 122.5, -28.8),
                ("nechalacho", name, "mine", "CAN", -112.6, 62.1),
                ("kuantan", "Kuantan", "plant", "MYS", 103.4, 4.0),
                ("cand-saskatoon", "Saskatoon", "candidate", "CAN", -106.6, 52.1),
                ("market-jpn", "Japan", "market", "JPN", 139.7, 35.7),
                ("ganzhou", "Ganzhou", "plant", "CHN", 114.9, 25.8),
            ],
            columns=["site", "name", "kind", "country", "lon", "lat"],
        ).assign(basis="reported"),
        sources=pd.DataFrame(
            [("usgs", f"USGS <b>{name}", "https://example.org", "public domain")],
            columns=["source", "title", "url", "licence"],
        ),
        demand=pd.DataFrame([("allied-base", "estimated", "usgs")], columns=["set", "basis", "source"]),
        hashes={"sites.csv": "0" * 64},
    )


def make_plan(*, name: str = HOSTILE) -> Plan:
    """Mount Weld ships by Sunda to Kuantan; Kuantan and Saskatoon ship to Japan, the latter over 180 degrees."""
    tables = make_tables(name=name)
    hubs, flows, demand = [], [], []
    for n, period in enumerate(PERIODS):
        ramp = 0.5 * (n + 1)
        for facility, site, stage, capacity, new in (
            ("mount-weld", "mount-weld", "mine", 12000.0, False),
            ("nechalacho", "nechalacho", "mine", 3000.0, False),
            ("kuantan-separation-light", "kuantan", "separation_light", 10500.0, False),
            ("cand-saskatoon-magnet", "cand-saskatoon", "magnet", 4000.0 * n, True),
        ):
            place = tables.sites.set_index("site").loc[site]
            years = 4 if period == 2026 else 5 if period == 2030 else 1
            hubs.append(
                {
                    "facility": facility,
                    "site": site,
                    "name": place["name"],
                    "stage": stage,
                    "country": place["country"],
                    "lon": place["lon"],
                    "lat": place["lat"],
                    "period": period,
                    "built_t_yr": capacity if new and n == 1 else 0.0,
                    "capacity_t_yr": capacity,
                    "usable_t_yr": capacity,
                    "throughput_t": 0.7 * capacity * years,
                    "capex_usd": 2e8 if new and n == 1 else 0.0,
                    "opex_usd": 1e7,
                    "is_new": new,
                }
            )
        for what, origin, destination, route, t in (
            ("concentrate", "mount-weld", "kuantan", "weld-kuantan", 20000.0 * ramp),
            ("ndpr-oxide", "kuantan", "market-jpn", "kuantan-jpn", 2500.0),
            ("carbonate", "nechalacho", "cand-saskatoon", "nech-sask", 900.0 * n),
            ("magnet-high", "cand-saskatoon", "market-jpn", "sask-jpn", 1500.0 * n),
            ("ndpr-oxide", "kuantan", "kuantan", "on-site", 10.0),
        ):
            flows.append(
                {
                    "period": period,
                    "commodity": what,
                    "mine": origin if what in ("concentrate", "carbonate") else "",
                    "origin": origin,
                    "destination": destination,
                    "origin_facility": origin,
                    "destination_facility": destination,
                    "route": route,
                    "flow_t": t,
                    "freight_usd": 80 * t,
                    "transit_usd": 5 * t,
                    "surcharge_usd": 0.0,
                    "cost_usd": 85 * t,
                }
            )
        for product, sector, asked, served in (
            ("magnet-high", "defence", 400.0, 400.0),
            ("magnet-high", "ev", 3000.0, 900.0 * (n + 1)),
            ("dy-oxide", "industry", 50.0, 0.0),
        ):
            demand.append(
                {
                    "market": "market-jpn",
                    "product": product,
                    "sector": sector,
                    "period": period,
                    "demand_t": asked,
                    "served_t": served,
                    "unmet_t": asked - served,
                    "penalty_usd": 1e6 * (asked - served),
                }
            )
    lines = {
        ("weld-kuantan", 1, "road"): [(122.5, -28.8), (121.5, -30.7)],
        ("weld-kuantan", 2, "rail"): [(121.5, -30.7), (118.0, -31.5), (115.74, -32.05)],
        ("weld-kuantan", 3, "sea"): [
            (115.74, -32.05),
            (108.0, -15.0),
            (105.8, -5.8),
            (106.5, 0.5),
            (103.4, 4.0),
        ],
        ("kuantan-jpn", 1, "sea"): [
            (103.4, 4.0),
            (106.5, 0.5),
            (119.0, 1.0),
            (128.0, 8.0),
            (139.65, 35.45),
            (139.7, 35.7),
        ],
        ("nech-sask", 1, "road"): [(-112.6, 62.1), (-113.5, 53.5), (-106.6, 52.1)],
        ("sask-jpn", 1, "rail"): [(-106.6, 52.1), (-114.0, 51.0), (-123.1, 49.3)],
        ("sask-jpn", 2, "sea"): [
            (-123.1, 49.3),
            (-150.0, 52.0),
            (-179.5, 50.0),
            (-200.0, 44.0),
            (-220.35, 35.45),
            (-220.3, 35.7),
        ],
    }
    legs = [
        {
            "route": route,
            "leg": leg,
            "mode": mode,
            "from": "a",
            "to": "b",
            "length_km": 1000.0,
            "hours": 60.0,
            "cost_usd_t": 25.0,
            "countries": "",
            "chokepoints": "sunda" if (route, mode) == ("weld-kuantan", "sea") else "",
            "ports": "fremantle;kuantan-port"
            if (route, mode) == ("weld-kuantan", "sea")
            else "vancouver;yokohama"
            if (route, mode) == ("sask-jpn", "sea")
            else "",
        }
        for route, leg, mode in lines
    ]
    routes = gpd.GeoDataFrame(
        [{"route": r, "leg": leg, "mode": m, "geometry": LineString(xy)} for (r, leg, m), xy in lines.items()],
        geometry="geometry",
        crs="EPSG:4326",
    )
    costs = [
        {"line": line, "period": p, "cost_usd": c, "discounted_usd": c}
        for p in PERIODS
        for line, c in (("capital", 2e8), ("freight", 4e6), ("unmet", 9e8))
    ]
    exposure = [
        {"kind": kind, "id": what, "period": p, "flow_t": 20000.0, "flow_share": 0.62, "value_usd": 3e8}
        for p in PERIODS
        for kind, what in (("chokepoint", "sunda"), ("country", "MYS"))
    ]
    scenario = Scenario.model_validate(
        {
            "name": "allied-2035",
            "horizon": {"years": PERIODS},
            "coalition": {
                "members": ["AUS", "MYS", "CAN", "JPN"],
                "excluded": ["CHN"],
                "max_excluded_ownership_share": 0.25,
            },
            "routes": {"closed": ["south-china-sea", "taiwan-strait"]},
        }
    )
    access = Access(
        members=frozenset({"AUS", "MYS", "CAN", "JPN"}),
        excluded=frozenset({"CHN"}),
        closed=frozenset({"south-china-sea", "taiwan-strait"}),
        closed_ports={"darwin": "terminal darwin: Chinese owners hold 100%, above the limit of 25%"},
        barred_sites={"ganzhou": "CHN is excluded"},
        barred_facilities={"ganzhou-magnet": "CHN is excluded", "nechalacho": f"Chinese owners hold 30% {name}"},
        modes=("rail", "road", "sea"),
    )
    frames = {
        "periods": pd.DataFrame({"period": PERIODS, "years": [4, 5, 1], "discount": [0.9, 0.7, 0.5]}),
        "sites": tables.sites,
        "hubs": pd.DataFrame(hubs),
        "flows": pd.DataFrame(flows),
        "demand": pd.DataFrame(demand),
        "costs": pd.DataFrame(costs),
        "legs": pd.DataFrame(legs),
        "exposure": pd.DataFrame(exposure),
    }
    tidy = {table: as_table(table, frames[table]) if table in frames else empty_table(table) for table in TABLES}
    return Plan(
        scenario=scenario,
        access=access,
        status="within_gap",
        objective_usd=3.2e9,
        bound_usd=3.19e9,
        gap_share=0.0031,
        seconds={"solve": 12.0},
        inputs={"sites.csv": "0" * 64},
        solver="HiGHS 1.9",
        counts={"columns": 10},
        routes=routes,
        **tidy,
    )


def long_plan_lines(count: int, vertices: int = 142) -> list[np.ndarray]:
    """Wandering lines for size and speed: `count` of them over the Pacific."""
    draw = np.random.default_rng(7)
    return [
        np.column_stack(
            [
                np.linspace(100, 250, vertices) + draw.normal(0, 0.4, vertices),
                np.cumsum(draw.normal(0, 0.5, vertices)) + draw.uniform(-40, 45),
            ]
        )
        for _ in range(count)
    ]


@pytest.fixture(scope="session")
def tables() -> Any:
    return make_tables()


@pytest.fixture(scope="session")
def plan() -> Plan:
    return make_plan()
