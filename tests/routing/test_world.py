"""Routes on the shipped network: known ways, exactness, and avoidance that fails closed."""

import numpy as np
import pytest
from worlds import open_to

from hubplan.data.scenario import Scenario
from hubplan.errors import NoRouteError
from hubplan.routing.columns import columns
from hubplan.routing.cost import WARES, arc_cost_usd_t
from hubplan.routing.graph import open_arcs
from hubplan.routing.groundwork import lay_groundwork
from hubplan.routing.paths import build_field, find_journey
from hubplan.routing.routes import Routes, find_routes

ICE = ("nsr", "nw-passage")
NM_KM = 1.852


@pytest.fixture(scope="module")
def routes(network, tables) -> Routes:
    return find_routes(network, tables, Scenario(name="open"))


def sail(network, tables, origin, destination, *closed):
    access = open_to(closed=[*ICE, *closed], modes=["sea"])
    return find_journey(network, tables, origin, destination, access, ware="value", year=2026)


def test_mount_weld_to_kuantan(routes):
    """Road and rail to Esperance or Fremantle, then by Sunda."""
    legs = routes.legs(["mount-weld--kuantan--bulk"])
    sea = legs[legs["mode"] == "sea"]
    assert len(sea) == 1
    assert sea["ports"].iloc[0] in ("esperance;kuantan-port", "fremantle;kuantan-port")
    assert "sunda" in sea["chokepoints"].iloc[0].split(";")
    assert set(legs["mode"].iloc[:2]) <= {"road", "rail"}


def test_mount_weld_to_kuantan_by_fremantle(network, tables):
    """Kalgoorlie to Fremantle by rail (653 km to Perth and 20 on), then about 4,650 km by sea as a sparser network has it.

    A great-circle network with a waypoint every 1.5 degrees gave 4,517 km; ours must lie within 3 % of that.
    """
    access = open_to(closed=ICE, closed_ports={"esperance": "closed by the test"})
    legs = find_journey(network, tables, "kalgoorlie", "kuantan", access, ware="bulk", year=2026).legs
    assert legs["mode"].tolist()[:2] == ["rail", "sea"]
    assert legs["length_km"].iloc[0] == pytest.approx(670, rel=0.03)
    assert legs["length_km"].iloc[1] == pytest.approx(4517, rel=0.03)


def test_mountain_pass_to_fort_worth_by_land(routes):
    legs = routes.legs(["mountain-pass--mp-independence--value"])
    assert "sea" not in legs["mode"].tolist()
    assert set(";".join(legs["countries"]).split(";")) == {"USA"}
    assert 1900 < legs["length_km"].sum() < 2400


@pytest.mark.parametrize(
    ("closed", "expected_nm"), [((), 2806), (("south-china-sea", "taiwan-strait", "luzon-strait"), 3802)]
)
def test_kuantan_to_yokohama(network, tables, closed, expected_nm):
    found = sail(network, tables, "kuantan-port", "JPYOK", *closed)
    assert found.length_km / NM_KM == pytest.approx(expected_nm, rel=0.02)
    assert not set(";".join(found.legs["chokepoints"]).split(";")) & set(closed)


def test_kuantan_to_rotterdam_without_malacca_sunda_suez(network, tables):
    """A library goes by the Bering Strait and the Northwest Passage; the way is round the Cape."""
    found = sail(network, tables, "kuantan-port", "NLRTM", "malacca", "sunda", "suez")
    assert "cape-good-hope" in found.legs["chokepoints"].iloc[0].split(";")
    assert found.length_km / NM_KM > 11_000


def test_a_cut_off_sea_is_no_route(network, tables):
    """Singapore to Piraeus without Suez, Bab-el-Mandeb and Gibraltar; a library returns 0."""
    with pytest.raises(NoRouteError, match="gibraltar is closed"):
        sail(network, tables, "SGSIN", "piraeus", "suez", "gibraltar", "bab-el-mandeb")


def _random_access(rng, tables):
    zones = [zone for zone in tables.zones["zone"] if zone not in ICE]
    closed = rng.choice(zones, size=rng.integers(0, 8), replace=False)
    excluded = rng.choice(
        ["CHN", "RUS", "MMR", "KAZ", "USA", "DEU", "MYS", "EGY"], size=rng.integers(0, 4), replace=False
    )
    ports = rng.choice(tables.ports["port"].to_numpy(), size=rng.integers(0, 30), replace=False)
    return open_to(closed=[*ICE, *closed], excluded=excluded, closed_ports=dict.fromkeys(ports, "closed by the test"))


@pytest.mark.parametrize("seed", range(4))
def test_the_matrix_is_that_of_a_plain_search(network, tables, seed):
    """Twelve random pairs under random closures, a surcharge on Malacca, two wares."""
    rng = np.random.default_rng(seed)
    access = _random_access(rng, tables)
    surcharge = {"malacca": 15.0, "south-china-sea": 5.0, "rotterdam": 3.0}
    scenario = Scenario(name="random", routes={"surcharge_usd_t": surcharge})
    table = find_routes(network, tables, scenario, access=access, year=2030).table.set_index("route")[
        "generalised_usd_t"
    ]
    at, usable = columns(network), open_arcs(network, access, year=2030)
    sites = [site for site, node in at.sites.items() if at.country[node] not in access.excluded]
    for ware in WARES:
        cost = arc_cost_usd_t(network, tables, ware=ware, surcharge_usd_t=surcharge)
        destination = rng.choice(sites)
        field = build_field(network, cost, usable=usable, destination=at.sites[destination])
        for origin in rng.choice([site for site in sites if site != destination], size=6, replace=False):
            path = field.search(at.sites[origin])
            route = f"{origin}--{destination}--{ware}"
            assert (path is None) == (route not in table.index)
            if path is not None:
                assert table[route] == pytest.approx(float(cost[path.arcs].sum()), rel=1e-9)


def test_strict_rules_hold_on_every_route_asked_for(network, tables):
    scenario = Scenario(
        name="strict",
        coalition={"excluded": ["CHN", "RUS", "MMR", "LAO"], "max_excluded_ownership_share": 0.25},
        routes={"closed": ["taiwan-strait", "south-china-sea", "luzon-strait"]},
    )
    found = find_routes(network, tables, scenario)
    ids = found.table["route"].sample(150, random_state=1).tolist()
    legs, table = found.legs(ids), found.table.set_index("route").loc[ids]
    total = legs.groupby("route")[["cost_usd_t", "hours", "length_km"]].sum().reindex(ids)
    for of_legs, of_route in (("cost_usd_t", "usd_t"), ("hours", "hours"), ("length_km", "length_km")):
        assert total[of_legs].to_numpy() == pytest.approx(table[of_route].to_numpy(), rel=1e-6)
    usable = open_arcs(network, found.access, year=2026)
    assert all(usable[path.arcs].all() for path in found.paths(ids).values())
    assert not legs["chokepoints"].str.split(";").explode().isin(found.access.closed).any()
    assert not legs["countries"].str.split(";").explode().isin(found.access.excluded).any()
    assert not legs["ports"].str.split(";").explode().isin(found.access.closed_ports).any()
    assert not {"kuantan-port", "darwin"} & set(";".join(legs["ports"]).split(";"))


def test_opening_again_restores_every_route_exactly(network, tables, routes):
    find_routes(network, tables, Scenario(name="closed", routes={"closed": ["suez", "malacca"]}))
    again = find_routes(network, tables, Scenario(name="open"))
    assert again.table.equals(routes.table)


@pytest.mark.parametrize(
    "zone", ["suez", "panama-canal", "malacca", "sunda", "hormuz", "luzon-strait", "south-china-sea"]
)
def test_a_closure_never_cheapens_and_touches_some_route(network, tables, routes, zone):
    closed = find_routes(network, tables, Scenario(name="closed", routes={"closed": [zone]})).table
    before = routes.table.set_index("route")["generalised_usd_t"]
    after = closed.set_index("route")["generalised_usd_t"].reindex(before.index).fillna(np.inf)
    assert (after >= before - 1e-9).all()
    assert (after > before + 1e-6).any()


def test_shipped_parts_agree_with_the_network(network, tables, caplog):
    """The stored cells and sea ways were made for the shipped network: geodata/make/paths.py was run last."""
    with caplog.at_level("INFO", logger="hubplan.routing"):
        from hubplan.routing.store import read_store

        lay_groundwork(network, tables, modes=("rail", "road", "sea"), store=read_store())
    assert "searched now" not in caplog.text.replace("of which 0 were searched now", "")
