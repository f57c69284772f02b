"""One small world and a plan for it, worked out step by step: a mine, a port and its plants, a magnet maker, a market.

Ore from Hill goes by road and rail to Bay (Australia), is cracked and separated there, and its NdPr, Dy and Tb go by
sea to Kobe,
which makes magnets for the market of Japan. Two periods: 2030 (two years) and 2032 (one). Light separation is new: 2,500 t/yr
built for 2030, 500 more for 2032, so its ramp (0.5, 0.8, 1) gives 1,625 t/yr in 2030 and 2,750 in 2032.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
from pyproj import Geod
from shapely import LineString

from hubplan.data.access import resolve_access
from hubplan.data.scenario import Scenario, scenario_from_dict
from hubplan.data.tables import TABLE_NAMES, Tables
from hubplan.results.exposure import build_exposure
from hubplan.results.plan import TABLES, Plan, as_table

YEARS = {2030: 2, 2032: 1}
DISCOUNT = {2030: (1 + 1 / 1.08) / 2, 2032: 1 / 1.08**2}
MINED_T = {2030: 3000.0, 2032: 2500.0}
BUILT = {2030: 2500.0, 2032: 500.0}
HIGH_ALLOY_T = 50.0


def frame(header: str, *rows: tuple) -> pd.DataFrame:
    return pd.DataFrame([tuple(row) for row in rows], columns=header.split())


CO2_T_T = {
    "crack_leach": 3.0, "separation_light": 5.0, "separation_heavy": 15.0, "metal": 7.0, "alloy": 1.0, "magnet": 4.5,
    "recycling": 4.0,
}  # fmt: skip
CO2_G_TKM = {"rail": 15.0, "road": 36.0, "sea": 17.0}
OWNERS = {"bay": "bay-ltd", "kobe": "kobe-kk", "baotou": ""}
"""Nobody is known to own Kobe's magnet plant."""


def add_facts(found: dict[str, pd.DataFrame]) -> None:
    """Owners, thorium, CO2 and residue: a fifth of a plant's CO2, in this world."""
    plants, stages = found["facilities"], found["stages"]
    owner = plants["site"].map(OWNERS).where(plants["stage"] != "magnet", "")
    co2_t_t = stages["stage"].map(CO2_T_T)
    found["facilities"] = plants.assign(owner=owner)
    found["stages"] = stages.assign(co2_t_t=co2_t_t, residue_t_t=co2_t_t / 5)
    found["mines"] = found["mines"].assign(owner="hill-ltd", thorium_t_t=0.002)
    factors = frame("parameter value", *((f"co2_{mode}_g_tkm", value) for mode, value in CO2_G_TKM.items()))
    found["transport"] = pd.concat([found["transport"], factors], ignore_index=True)


@pytest.fixture(scope="session")
def tables() -> Tables:
    none = float("nan")
    oxides = [
        "la2o3", "ceo2", "pr6o11", "nd2o3", "sm2o3", "eu2o3", "gd2o3", "tb4o7", "dy2o3", "y2o3",
        "ho2o3", "er2o3", "tm2o3", "yb2o3", "lu2o3",
    ]  # fmt: skip
    shares = [0.25, 0.45, 0.05, 0.15, 0.03, 0.005, 0.02, 0.005, 0.02, 0.01, *[0.002] * 5]
    elements = ["lace"] * 2 + ["ndpr"] * 2 + ["sm", "other", "gd"] + ["tb", "dy", "y"] + ["other"] * 5
    years = range(2030, 2033)
    kinds = ["magnet-standard ev 700", "magnet-standard industry 300", "magnet-high defence 60"]
    found = {
        "countries": frame("country name capex_index part_of", ("AUS", "Australia", 1.2, ""), ("JPN", "Japan", 1.1, ""),
        ("CHN", "China", 0.5, "")),
        "blocs": frame("bloc country", ("quad", "AUS"), ("quad", "JPN")),
        "sites": frame(
            "site name kind country lon lat",
            ("hill", "Hill", "mine", "AUS", 121.5, -30.7), ("bay", "Bay", "plant", "AUS", 115.8, -32.0),
            ("kobe", "Kobe", "plant", "JPN", 135.2, 34.7), ("market-jpn", "Japan", "market", "JPN", 136.9, 35.2),
            ("baotou", "Baotou", "plant", "CHN", 109.8, 40.6),
        ),
        "mines": frame(
            "mine operator chinese_share status feed product product_grade_share capacity_reo_t_yr first_year committed"
            " opex_usd_reo_t capex_usd thorium",
            ("hill", "Hill Ltd", 0.0, "operating", "bastnaesite", "concentrate", 0.4, 3000.0, 2015.0, True, 4000.0,
            none, "no"),
        ),
        "baskets": pd.DataFrame({"mine": "hill", "oxide": oxides, "share": shares, "completed": False}),
        "elements": pd.DataFrame({"element": elements, "oxide": oxides}),
        "outputs": frame("kind id year commodity output_t"),
        "locks": frame("mine destination_country share from_year to_year"),
        "facilities": frame(
            "facility site stage operator chinese_share status start_year committed capacity_t_yr max_t_yr capex_usd feeds"
            " lead_years grades end_year",
            ("bay-crack-leach", "bay", "crack_leach", "Bay", 0.0, "operating", 2015.0, True, 3000.0, none, none,
            "bastnaesite", none, "", none),
            ("bay-separation-light", "bay", "separation_light", "Bay", 0.0, "planned", none, False, none, 4000.0,
            none, "", 0.0, "", none),
            ("bay-separation-heavy", "bay", "separation_heavy", "Bay", 0.0, "operating", none, True, 400.0, none,
            none, "", none, "", none),
            ("kobe-metal", "kobe", "metal", "Kobe", 0.0, "operating", none, True, 1000.0, none, none, "", none, "", none),
            ("kobe-alloy", "kobe", "alloy", "Kobe", 0.0, "operating", none, True, 2000.0, none, none, "", none, "", none),
            ("kobe-magnet", "kobe", "magnet", "Kobe", 0.0, "operating", none, True, 2000.0, none, none, "", none, "", none),
            ("baotou-metal", "baotou", "metal", "North", 1.0, "operating", none, True, 9000.0, none, none, "", none, "", none),
        ),
        "stages": frame(
            "stage capex_fixed_usd capex_usd_t_yr size_min_t_yr size_max_t_yr opex_usd_t fixed_opex_share lead_years"
            " growth_t_yr ramp life_years",
            *[
                (stage, 6e7, 2e4, 100.0, 9000.0, opex, 0.04, 3.0, 2500.0, "0.5;0.8;1", 25.0)
                for stage, opex in {
                    "crack_leach": 2200.0, "separation_light": 2500.0, "separation_heavy": 15000.0, "metal": 9000.0,
                    "alloy": 3500.0, "magnet": 16000.0, "recycling": 5000.0,
                }.items()
            ],
        ),
        "recipes": frame(
            "stage feed input output yield_t_t",
            ("crack_leach", "bastnaesite", "concentrate", "carbonate", 0.9),
            ("separation_light", "", "carbonate", "ndpr-oxide", 0.95),
            ("separation_light", "", "carbonate", "lace-oxide", 0.9),
            ("separation_light", "", "carbonate", "heavy-concentrate", 0.95),
            *[("separation_heavy", "", "heavy-concentrate", f"{e}-oxide", 0.92) for e in ("dy", "tb", "sm", "gd", "y",
            "other")],
            *[("metal", "", f"{e}-oxide", f"{e}-metal", 0.83) for e in ("ndpr", "dy", "tb", "sm")],
            *[("alloy", "", f"{e}-metal", f"alloy-{g}", 0.99) for e in ("ndpr", "dy", "tb") for g in ("standard",
            "high", "defence")],
            ("alloy", "", "sm-metal", "alloy-smco", 0.97),
            *[("magnet", "", f"alloy-{g}", f"magnet-{g}", 0.74) for g in ("standard", "high", "defence", "smco")],
            *[("magnet", "", f"alloy-{g}", f"swarf-{g}", 0.24) for g in ("standard", "high", "defence", "smco")],
        ),
        "grades": frame(
            "grade element metal_t_t", ("standard", "ndpr", 0.295), ("standard", "dy", 0.0), ("high", "ndpr", 0.27),
            ("high", "dy", 0.025), ("high", "tb", 0.003), ("defence", "ndpr", 0.26), ("defence", "dy", 0.035),
            ("defence", "tb", 0.008), ("smco", "sm", 0.25),
        ),
        "commodities": frame(
            "commodity ware gross_t_t value_usd_t", ("concentrate", "bulk", 2.0, 11200.0),
            ("carbonate", "bulk", 1.9, 19600.0),
            ("heavy-concentrate", "value", 1.9, 50000.0), ("ndpr-oxide", "value", 1.05, 110000.0),
            ("dy-oxide", "value", 1.05, 500000.0),
            ("tb-oxide", "value", 1.05, 2.2e6), ("sm-oxide", "value", 1.05, 40000.0),
            ("gd-oxide", "value", 1.05, 40000.0),
            ("y-oxide", "value", 1.05, 200000.0),
            ("lace-oxide", "value", 1.05, 1800.0), ("other-oxide", "value", 1.05, 70000.0),
            ("ndpr-metal", "value", 1.08, 141000.0),
            ("dy-metal", "value", 1.08, 629000.0), ("tb-metal", "value", 1.08, 2.75e6),
            ("alloy-standard", "value", 1.1, 46500.0),
            ("alloy-high", "value", 1.1, 67100.0), ("magnet-standard", "value", 1.15, 84800.0),
            ("magnet-high", "value", 1.15, 113000.0),
            ("swarf-standard", "value", 1.2, 21000.0), ("swarf-high", "value", 1.2, 31500.0),
        ),
        "demand": frame(
            "set market product sector year demand_t",
            *[("base", "market-jpn", *kind.split()[:2], year,
            float(kind.split()[2])) for kind in kinds for year in years],
        ),
        "byproducts": frame(
            "commodity year limit_t_yr", *[("lace-oxide", year, 600.0) for year in years], *[("y-oxide", year,
            50.0) for year in years]
        ),
        "prices": frame(
            "set commodity year price_usd_t", *[("outside", "lace-oxide", year, 1500.0) for year in years],
            *[("outside", "y-oxide", year, 90000.0) for year in years],
        ),
        "scrap": frame("market year scrap_t grade"),
        "transport": frame(
            "parameter value", ("rail_usd_tkm", 0.0356), ("road_usd_tkm", 0.1849), ("sea_usd_tkm", 0.008),
            ("rail_kmh", 40.0),
            ("road_kmh", 60.0), ("sea_kmh", 30.0), ("rail_road_transfer_usd_t", 15.33), ("port_handling_usd_t", 15.33),
            ("gauge_break_usd_t", 15.33), ("suez_toll_usd_t", 6.0), ("panama_toll_usd_t", 8.0),
            ("class7_surcharge_usd_t", 150.0),
            ("capital_cost_share", 0.08),
        ),
        "ports": frame("port un_locode country lon lat", ("bay-port", "AUBAY", "AUS", 115.7, -32.1),
        ("kobe-port", "JPUKB", "JPN", 135.2, 34.6)),
        "terminals": frame(
            "terminal port operator chinese_share whole_port", ("kobe-one", "kobe-port", "Kobe One (COSCO 10%)",
            0.1, False)
        ),
        "zones": frame(
            "zone kind geometry_wkt closed_by_default", ("gate", "strait", "LINESTRING (115 0, 130 0)", False),
            ("shut", "zone", "POLYGON ((150 0, 160 0, 160 10, 150 10, 150 0))", False),
            ("ice", "passage", "LINESTRING (60 75, 60 80)", True),
        ),
    }  # fmt: skip
    add_facts(found)
    rest = {name: pd.DataFrame() for name in TABLE_NAMES if name not in found}
    hashes = {f"{name}.csv": f"{number:064x}" for number, name in enumerate(TABLE_NAMES)}
    return Tables(folder=Path("geodata"), hashes=hashes, **found, **rest)


@pytest.fixture(scope="session")
def scenario() -> Scenario:
    return scenario_from_dict(
        {
            "name": "tiny",
            "horizon": {"years": [2030, 2032], "discount_share": 0.08},
            "coalition": {"members": ["quad"], "excluded": ["CHN"], "max_excluded_ownership_share": 0.25},
            "routes": {"closed": ["shut"], "surcharge_usd_t": {"gate": 5.0}},
            "demand": {"set": "base", "unmet_usd_t": {"defence": 5e6, "default": 1e6}},
            "policy": {
                "max_country_share": {"metal": 0.6},
                "stockpile_days": {"dy": 300},
                "offtake": [{"site": "bay", "commodity": "ndpr-oxide", "t_yr": 300, "from": 2030, "to": 2031}],
            },
        }
    )


def ways() -> tuple[pd.DataFrame, gpd.GeoDataFrame]:
    """Legs and lines: each leg a line between two places, as long as that line."""
    spots = {
        "hill": (121.5, -30.7), "siding": (121.3, -30.8), "bay": (115.8, -32.0), "bay-port": (115.7, -32.1),
        "kobe-port": (135.2, 34.6), "kobe": (135.2, 34.7), "market-jpn": (136.9, 35.2),
    }  # fmt: skip
    plan = {
        "hill--bay--bulk": ("hill road siding", "siding rail bay"),
        "bay--kobe--value": ("bay road bay-port", "bay-port sea kobe-port", "kobe-port road kobe"),
        "kobe--market-jpn--value": ("kobe rail market-jpn",),
    }
    rate, speed = {"rail": 0.0356, "road": 0.1849, "sea": 0.008}, {"rail": 40.0, "road": 60.0, "sea": 30.0}
    country = {"hill": "AUS", "siding": "AUS", "bay": "AUS", "bay-port": "AUS"}
    geod, legs, lines = Geod(ellps="WGS84"), [], []
    for route, parts in plan.items():
        for number, part in enumerate(parts, start=1):
            start, mode, end = part.split()
            inner = geod.npts(*spots[start], *spots[end], 20)
            points = [spots[start], *inner, spots[end]]
            length_km = geod.line_length(*zip(*points, strict=True)) / 1000
            legs.append(
                {
                    "route": route, "leg": number, "mode": mode, "from": start, "to": end, "length_km": length_km,
                    "hours": length_km / speed[mode] + 10, "cost_usd_t": length_km * rate[mode] + 15.33,
                    "countries": ";".join(dict.fromkeys(country.get(spot, "JPN") for spot in (start, end))),
                    "chokepoints": "gate" if mode == "sea" else "", "ports": f"{start};{end}" if mode == "sea" else "",
                }
            )  # fmt: skip
            lines.append({"route": route, "leg": number, "mode": mode, "geometry": LineString(points)})
    return pd.DataFrame(legs), gpd.GeoDataFrame(lines, geometry="geometry", crs="EPSG:4326")


def runs(period: int) -> dict[tuple[str, str], float]:
    """Input of every process, forward from what is mined."""
    mined = MINED_T[period]
    carbonate = 0.9 * mined
    heavy = 0.1 * 0.95 * carbonate
    ndpr_oxide = 0.2 * 0.95 * carbonate
    high_dy, high_tb = (HIGH_ALLOY_T * share / 0.99 / 0.83 for share in (0.025, 0.003))
    standard = (ndpr_oxide * 0.83 - HIGH_ALLOY_T * 0.27 / 0.99) / (0.295 / 0.99)
    return {
        ("hill", "mine"): mined, ("bay-crack-leach", "concentrate@hill"): mined, ("bay-separation-light",
        "carbonate@hill"): carbonate,
        ("bay-separation-heavy", "heavy-concentrate@hill"): heavy, ("kobe-metal", "ndpr-oxide"): ndpr_oxide,
        ("kobe-metal", "dy-oxide"): high_dy, ("kobe-metal", "tb-oxide"): high_tb, ("kobe-alloy",
        "alloy-standard"): standard,
        ("kobe-alloy", "alloy-high"): HIGH_ALLOY_T, ("kobe-magnet", "alloy-standard"): standard, ("kobe-magnet",
        "alloy-high"): HIGH_ALLOY_T,
    }  # fmt: skip


def moved(period: int) -> list[tuple[str, str, str, str, float]]:
    """Flows: commodity, mine, from facility, to facility, t."""
    run = runs(period)
    carbonate, heavy = (
        run["bay-separation-light", "carbonate@hill"],
        run["bay-separation-heavy", "heavy-concentrate@hill"],
    )
    oxides = {e: run["kobe-metal", f"{e}-oxide"] for e in ("ndpr", "dy", "tb")}
    standard = run["kobe-alloy", "alloy-standard"]
    return [
        ("concentrate", "hill", "hill", "bay-crack-leach", MINED_T[period]),
        ("carbonate", "hill", "bay-crack-leach", "bay-separation-light", carbonate),
        ("heavy-concentrate", "hill", "bay-separation-light", "bay-separation-heavy", heavy),
        ("ndpr-oxide", "", "bay-separation-light", "kobe-metal", oxides["ndpr"]),
        ("dy-oxide", "", "bay-separation-heavy", "kobe-metal", oxides["dy"]),
        ("tb-oxide", "", "bay-separation-heavy", "kobe-metal", oxides["tb"]),
        *[(f"{e}-metal", "", "kobe-metal", "kobe-alloy", amount * 0.83) for e, amount in oxides.items()],
        ("alloy-standard", "", "kobe-alloy", "kobe-magnet", standard),
        ("alloy-high", "", "kobe-alloy", "kobe-magnet", HIGH_ALLOY_T),
        ("magnet-standard", "", "kobe-magnet", "market-jpn", standard * 0.74),
        ("magnet-high", "", "kobe-magnet", "market-jpn", HIGH_ALLOY_T * 0.74),
    ]


def make_flows(tables: Tables, legs: pd.DataFrame) -> pd.DataFrame:
    goods = tables.commodities.set_index("commodity")
    sums = legs.groupby("route")[["cost_usd_t", "hours"]].sum()
    rows = []
    for period in YEARS:
        for commodity, mine, start, end, flow_t in moved(period):
            sites = start.split("-")[0], end if end.startswith("market") else end.split("-")[0]
            route = "on-site" if sites[0] == sites[1] else f"{sites[0]}--{sites[1]}--{goods.at[commodity, 'ware']}"
            gross = flow_t * (2.5 if commodity == "concentrate" else goods.at[commodity, "gross_t_t"])
            usd_t, hours = (0.0, 0.0) if route == "on-site" else sums.loc[route]
            cost = {
                "freight_usd": gross * usd_t,
                "transit_usd": flow_t * hours / 8766 * 0.08 * goods.at[commodity, "value_usd_t"],
                "surcharge_usd": gross * 5.0 if route == "bay--kobe--value" else 0.0,
            }
            rows.append(
                {
                    "period": period, "commodity": commodity, "mine": mine, "origin": sites[0], "destination": sites[1],
                    "origin_facility": start, "destination_facility": end, "route": route, "flow_t": flow_t, **cost,
                    "cost_usd": sum(cost.values()),
                }
            )  # fmt: skip
    return as_table("flows", pd.DataFrame(rows))


def keeping_usd(facility: str, stands_t_yr: float) -> float:
    """A year of a plant that stands: 0.04 of the capital it would cost, 1.2 times that in Australia and 1.1 in Japan; no mine."""
    index = 1.2 if facility.startswith("bay") else 1.1
    return 0.0 if facility == "hill" else 0.04 * index * (6e7 + 2e4 * stands_t_yr)


def make_hubs(tables: Tables) -> pd.DataFrame:
    """Capital of light separation in Australia: 1.2 x (60 M USD + 20,000 USD per t/yr)."""
    sites, works = tables.sites.set_index("site"), tables.facilities.set_index("facility")
    opex = {**dict(zip(tables.stages["stage"], tables.stages["opex_usd_t"], strict=True)), "mine": 4000.0}
    usable = {2030: 2500 * 0.65, 2032: 2500 * 1.0 + 500 * 0.5}
    rows = []
    for period, years in YEARS.items():
        used: dict[str, float] = {}
        for (facility, _), input_t in runs(period).items():
            use = 0.83 if facility == "kobe-metal" else 0.74 if facility == "kobe-magnet" else 1.0
            used[facility] = used.get(facility, 0.0) + use * input_t
        for facility, amount in used.items():
            site = facility.split("-")[0]
            stage = "mine" if facility == "hill" else works.at[facility, "stage"]
            new = facility == "bay-separation-light"
            stands = 3000.0 if facility == "hill" else works.at[facility, "capacity_t_yr"]
            total = sum(size for first, size in BUILT.items() if first <= period)
            capital = 1.2 * (6e7 + 2e4 * total)
            fixed = capital * 0.04 * years if new else keeping_usd(facility, stands) * years
            rows.append(
                {
                    "facility": facility, "site": site, "name": sites.at[site, "name"], "stage": stage,
                    "country": sites.at[site, "country"], "lon": sites.at[site, "lon"], "lat": sites.at[site, "lat"],
                    "period": period, "built_t_yr": BUILT[period] if new else 0.0,
                    "capacity_t_yr": total if new else stands,
                    "usable_t_yr": usable[period] if new else stands, "throughput_t": amount,
                    "capex_usd": (1.2 * (2e4 * BUILT[period] + (6e7 if period == 2030 else 0))) if new else 0.0,
                    "opex_usd": amount * opex[stage] + fixed, "is_new": new,
                }
            )  # fmt: skip
    return as_table("hubs", pd.DataFrame(rows))


def make_leftovers() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Surplus, and stocks of Dy and Tb oxide at Bay: what heavy separation makes and Kobe does not take."""
    surplus, stocks, kept = [], [], {"dy": 0.0, "tb": 0.0}
    for period, years in YEARS.items():
        run = runs(period)
        carbonate, heavy = (
            run["bay-separation-light", "carbonate@hill"],
            run["bay-separation-heavy", "heavy-concentrate@hill"],
        )
        lace = 0.7 * 0.9 * carbonate
        sold = min(lace, 600.0 * years)
        y_oxide = min(0.1 * 0.92 * heavy, 50.0 * years)
        left = [
            ("bay-separation-light", "lace-oxide", lace - sold, sold, 1500.0),
            ("bay-separation-heavy", "sm-oxide", 0.3 * 0.92 * heavy, 0.0, 0.0),
            ("bay-separation-heavy", "gd-oxide", 0.2 * 0.92 * heavy, 0.0, 0.0),
            ("bay-separation-heavy", "y-oxide", 0.1 * 0.92 * heavy - y_oxide, y_oxide, 90000.0),
            ("bay-separation-heavy", "other-oxide", 0.15 * 0.92 * heavy, 0.0, 0.0),
            ("kobe-magnet", "swarf-standard", run["kobe-magnet", "alloy-standard"] * 0.24, 0.0, 0.0),
            ("kobe-magnet", "swarf-high", HIGH_ALLOY_T * 0.24, 0.0, 0.0),
        ]
        surplus += [
            {
                "period": period, "facility": facility, "site": facility.split("-")[0], "commodity": commodity,
                "mine": "",
                "held_t": held, "sold_t": sold_t, "revenue_usd": sold_t * price,
            }
            for facility, commodity, held, sold_t, price in left
        ]  # fmt: skip
        for element, share in (("dy", 0.2), ("tb", 0.05)):
            gained = share * 0.92 * heavy - run["kobe-metal", f"{element}-oxide"]
            metal = {"dy": 0.025, "tb": 0.003}[element]
            need = 60.0 / 0.74 * metal / 0.99 / 0.83
            stocks.append(
                {
                    "site": "bay", "commodity": f"{element}-oxide", "period": period, "opening_t": kept[element],
                    "added_t": gained,
                    "drawn_t": 0.0, "closing_t": kept[element] + gained,
                    "days_of_cover": (kept[element] + gained) / need * 365,
                }
            )  # fmt: skip
            kept[element] += gained
    return as_table("surplus", pd.DataFrame(surplus)), as_table("stocks", pd.DataFrame(stocks))


def make_demand() -> pd.DataFrame:
    rows = []
    for period, years in YEARS.items():
        flows = {commodity: amount for commodity, _, _, _, amount in moved(period)}
        asked = {
            ("magnet-standard", "ev"): 700.0,
            ("magnet-standard", "industry"): 300.0,
            ("magnet-high", "defence"): 60.0,
        }
        for (product, sector), yearly in asked.items():
            served = {
                "ev": flows["magnet-standard"] - min(300.0 * years, flows["magnet-standard"]),
                "industry": min(300.0 * years, flows["magnet-standard"]),
                "defence": flows["magnet-high"],
            }[sector]
            unmet = yearly * years - served
            rows.append(
                {
                    "market": "market-jpn", "product": product, "sector": sector, "period": period,
                    "demand_t": yearly * years,
                    "served_t": served, "unmet_t": unmet, "penalty_usd": unmet * (5e6 if sector == "defence" else 1e6),
                }
            )  # fmt: skip
    return as_table("demand", pd.DataFrame(rows))


def make_violations() -> pd.DataFrame:
    """Japan makes all metal, 0.6 allowed; 600 t of NdPr oxide are contracted for 2030 and 2031."""
    rows = []
    for period in YEARS:
        run = runs(period)
        metal = 0.83 * sum(run["kobe-metal", f"{e}-oxide"] for e in ("ndpr", "dy", "tb"))
        rows.append(("max_country_share", "metal/JPN", period, 0.4 * metal))
    rows.append(("offtake", "bay/ndpr-oxide", 2030, 600 - runs(2030)["kobe-metal", "ndpr-oxide"]))
    table = pd.DataFrame(rows, columns=["rule", "id", "period", "amount"])
    return as_table("violations", table.assign(unit="t", penalty_usd=table["amount"] * 1e6))


def make_coverage(demand: pd.DataFrame) -> pd.DataFrame:
    """Oxide for a t of magnet: metal over the yields of alloy 0.99, magnet 0.74 and metal 0.83; nothing is bought outside."""
    metal = {"ndpr": {"standard": 0.295, "high": 0.27}, "dy": {"high": 0.025}, "tb": {"high": 0.003}}
    rows = []
    for element, content in metal.items():
        for period in YEARS:
            here = demand[demand["period"] == period]
            weight = (
                here["product"].map({f"magnet-{g}": t / 0.99 / 0.74 / 0.83 for g, t in content.items()}).fillna(0.0)
            )
            need, served = float((here["demand_t"] * weight).sum()), float((here["served_t"] * weight).sum())
            rows.append((element, period, need, served, served, served / need, ""))
    return as_table("coverage", pd.DataFrame(rows, columns=list(TABLES["coverage"])))


def make_shares(hubs: pd.DataFrame) -> pd.DataFrame:
    """Each stage has one plant, so one country, site and owner has all of it: 10,000; of an unknown owner nothing is known."""
    rows = []
    for hub in hubs.itertuples():
        owner = "hill-ltd" if hub.stage == "mine" else "" if hub.stage == "magnet" else OWNERS[hub.site]
        for kind, name in (("country", hub.country), ("owner", owner), ("site", hub.site)):
            rows.append((hub.stage, kind, name, hub.period, hub.throughput_t, 1.0, 1e4 if name else 0.0))
    return as_table("shares", pd.DataFrame(rows, columns=list(TABLES["shares"])))


def make_emissions(flows: pd.DataFrame, legs: pd.DataFrame, hubs: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Legs by length and gross mass (concentrate 1 / 0.4), plants by throughput; thorium is left where the ore is cracked."""
    gross = {**tables.commodities.set_index("commodity")["gross_t_t"], "concentrate": 2.5}
    sums: dict[tuple[str, str, int], list[float]] = {}

    def add(kind: str, name: str, period: int, *amounts: float) -> None:
        old = sums.get((kind, name, period), [0.0, 0.0, 0.0])
        sums[kind, name, period] = [a + b for a, b in zip(old, amounts, strict=True)]

    for flow in flows.itertuples():
        for leg in legs[legs["route"] == flow.route].itertuples():
            co2_t = flow.flow_t * gross[flow.commodity] * leg.length_km * CO2_G_TKM[leg.mode] / 1e6
            add("mode", leg.mode, flow.period, co2_t, 0.0, 0.0)
    for hub in hubs[hubs["stage"] != "mine"].itertuples():
        thorium = 0.002 * hub.throughput_t if hub.stage == "crack_leach" else 0.0
        co2_t = CO2_T_T[hub.stage] * hub.throughput_t
        for kind, name in (("facility", hub.facility), ("stage", hub.stage), ("country", hub.country)):
            add(kind, name, hub.period, co2_t, co2_t / 5, thorium)
    return as_table("emissions", pd.DataFrame([(*k, *v) for k, v in sums.items()], columns=list(TABLES["emissions"])))


def make_costs(plan: dict[str, pd.DataFrame]) -> pd.DataFrame:
    annuity = 0.08 / (1 - 1.08**-25)
    value = {"dy-oxide": 500000.0, "tb-oxide": 2.2e6}
    rows = []
    for period, years in YEARS.items():
        part = {name: table[table["period"] == period] for name, table in plan.items()}
        total = sum(size for first, size in BUILT.items() if first <= period)
        capital = 1.2 * (6e7 + 2e4 * total)
        old = part["hubs"][~part["hubs"]["is_new"]]
        kept = sum(keeping_usd(*plant) for plant in zip(old["facility"], old["capacity_t_yr"], strict=True))
        fixed = (capital * 0.04 + kept) * years
        mining = MINED_T[period] * 4000.0
        stocks = part["stocks"]
        lines = {
            "capital": capital * annuity * years,
            "fixed_operating": fixed,
            "mining": mining,
            "processing": part["hubs"]["opex_usd"].sum() - fixed - mining,
            "freight": part["flows"]["freight_usd"].sum(),
            "transit_inventory": part["flows"]["transit_usd"].sum(),
            "risk_surcharge": part["flows"]["surcharge_usd"].sum(),
            "storage": (stocks["closing_t"] * stocks["commodity"].map(value)).sum() * 0.01 * years,
            "unmet": part["demand"]["penalty_usd"].sum(),
            "byproduct_sales": -part["surplus"]["revenue_usd"].sum(),
            "rule_violations": part["violations"]["penalty_usd"].sum(),
        }
        rows += [(line, period, cost, cost * DISCOUNT[period]) for line, cost in lines.items()]
    return as_table("costs", pd.DataFrame(rows, columns=["line", "period", "cost_usd", "discounted_usd"]))


@pytest.fixture(scope="session")
def plan(tables: Tables, scenario: Scenario) -> Plan:
    legs, routes = ways()
    surplus, stocks = make_leftovers()
    made = {
        "flows": make_flows(tables, legs), "hubs": make_hubs(tables), "demand": make_demand(), "surplus": surplus,
        "stocks": stocks,
        "violations": make_violations(),
    }  # fmt: skip
    costs = make_costs(made)
    made["shares"] = make_shares(made["hubs"])
    made["emissions"] = make_emissions(made["flows"], legs, made["hubs"], tables)
    made["coverage"] = make_coverage(made["demand"])
    objective = float(costs["discounted_usd"].sum())
    processes = [(period, *key, amount) for period in YEARS for key, amount in runs(period).items()]
    sites = tables.sites[tables.sites["site"] != "baotou"]
    value = dict(zip(tables.commodities["commodity"], tables.commodities["value_usd_t"], strict=True))
    return Plan(
        scenario=scenario, access=resolve_access(scenario, tables), status="within_gap", objective_usd=objective,
        bound_usd=objective * 0.996, gap_share=(objective - objective * 0.996) / objective, seconds={"solve": 1.5},
        inputs=dict(tables.hashes),
        solver="by hand", counts={"lanes": 13},
        periods=pd.DataFrame({"period": list(YEARS), "years": list(YEARS.values()),
        "discount": list(DISCOUNT.values())}),
        sites=as_table("sites", sites[["site", "name", "kind", "country", "lon", "lat"]]),
        processes=as_table("processes", pd.DataFrame(processes, columns=["period", "facility", "process", "input_t"])),
        costs=costs, legs=as_table("legs", legs), routes=routes,
        exposure=build_exposure(made["flows"], legs, value, tables=tables), **made,
    )  # fmt: skip


@pytest.fixture
def altered(plan: Plan):
    """A function: the plan with one table changed by another function."""

    def alter(name: str, change) -> Plan:
        return replace(plan, **{name: change(plan.table(name).copy())})

    return alter
