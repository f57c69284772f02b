"""The sea network as shipped: drawn arcs, land, zones, ports, and known distances."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from pyproj import Geod
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from shapely.geometry import LineString, MultiPolygon, Polygon

from hubplan.data.tables import Tables
from hubplan.errors import DataError
from hubplan.network.chokepoints import Zone, find_inside, read_zones, tag_arcs, tag_lines, touches
from hubplan.network.sea import SeaNetwork, densify, densify_arcs, read_sea
from hubplan.network.voyages import Voyage, Voyages

HERE = Path(__file__).resolve().parent
GEODATA = HERE.parents[1] / "geodata"
NM_KM = 1.852
ICE = ("nsr", "nw-passage")
WGS84 = Geod(ellps="WGS84")
PAIRS = pd.read_csv(HERE / "zone_pairs.csv", keep_default_na=False)


@pytest.fixture(scope="module")
def sea() -> SeaNetwork:
    return read_sea()


@pytest.fixture(scope="module")
def zones(tables: Tables) -> dict[str, Zone]:
    return {zone.zone: zone for zone in read_zones(tables.zones) if zone.kind != "rail-gate"}


@pytest.fixture(scope="module")
def berths(sea: SeaNetwork, tables: Tables) -> tuple[np.ndarray, np.ndarray]:
    ports = tables.ports.set_index("port").loc[list(sea.port)]
    return ports["lon"].to_numpy(float), ports["lat"].to_numpy(float)


@pytest.fixture(scope="module")
def voyages(sea: SeaNetwork, berths: tuple[np.ndarray, np.ndarray]):  # type: ignore[no-untyped-def]
    """``voyages(closed...)``: the open voyages, built once per set of closures; the polar passages stay closed."""
    built: dict[tuple[str, ...], Voyages] = {}

    def get(*closed: str, ice: tuple[str, ...] = ICE) -> Voyages:
        key = tuple(sorted({*closed, *ice}))
        if key not in built:
            built[key] = Voyages(sea, *berths, closed=key)
        return built[key]

    return get


def _nm(voyages: Voyages, origin: str, destination: str) -> float:
    return voyages.find(origin, destination).length_km / NM_KM


def _line(voyage: Voyage) -> LineString:
    return LineString(voyage.draw())


def _ends(sea: SeaNetwork) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return sea.node_lon[sea.tail], sea.node_lat[sea.tail], sea.node_lon[sea.head], sea.node_lat[sea.head]


# How arcs are drawn


def test_a_drawn_arc_keeps_its_ends_and_its_length() -> None:
    line = densify(103.85, 1.28, 139.65, 35.44)
    assert line[0].tolist() == [103.85, 1.28] and line[-1].tolist() == [139.65, 35.44]
    steps = WGS84.inv(line[:-1, 0], line[:-1, 1], line[1:, 0], line[1:, 1])[2] / 1000
    assert steps.max() < 25.2
    assert steps.sum() == pytest.approx(WGS84.inv(*line[0], *line[-1])[2] / 1000, rel=1e-5)


def test_an_arc_over_the_date_line_runs_on_without_a_jump() -> None:
    there, back = densify(170.0, 50.0, -160.0, 40.0), densify(-160.0, 40.0, 170.0, 50.0)
    assert np.abs(np.diff(there[:, 0])).max() < 1.0 and there[-1].tolist() == [200.0, 40.0]
    assert np.allclose((there[::-1] - back)[:, 0], 360.0) and np.allclose(there[::-1, 1], back[:, 1])


def test_an_arc_without_length_is_drawn() -> None:
    assert densify(10.0, 5.0, 10.0, 5.0).tolist() == [[10.0, 5.0], [10.0, 5.0]]


# The extract itself


def test_lengths_are_those_of_the_drawn_arcs(sea: SeaNetwork, berths: tuple[np.ndarray, np.ndarray]) -> None:
    lanes = WGS84.inv(*_ends(sea))[2] / 1000
    assert np.allclose(sea.length_km, lanes, rtol=1e-5, atol=1e-3)
    lon, lat = berths
    links = (
        WGS84.inv(lon[sea.link_port], lat[sea.link_port], sea.node_lon[sea.link_node], sea.node_lat[sea.link_node])[2]
        / 1000
    )
    assert np.allclose(sea.link_km, np.maximum(links, 0.01), rtol=1e-5, atol=1e-3)


def test_waypoints_are_distinct_joined_and_in_range(sea: SeaNetwork) -> None:
    nodes = len(sea.node_lon)
    assert sea.node_lon.min() >= -180.0 and sea.node_lon.max() < 180.0
    assert len(np.unique(np.column_stack([sea.node_lon, sea.node_lat]), axis=0)) == nodes
    assert len({tuple(pair) for pair in np.sort(np.column_stack([sea.tail, sea.head]), axis=1).tolist()}) == len(
        sea.tail
    )
    graph = coo_matrix((np.ones(len(sea.tail)), (sea.tail, sea.head)), shape=(nodes, nodes))
    pieces, _ = connected_components(graph, directed=False)
    assert pieces == 1


def test_every_port_is_joined(sea: SeaNetwork, tables: Tables) -> None:
    assert list(sea.port) == sorted(tables.ports["port"])
    assert set(sea.link_port) == set(range(len(sea.port)))


def test_the_extract_is_small(root: Path) -> None:
    assert (root / "geodata" / "network" / "sea.npz").stat().st_size < 1.5e6


def test_a_broken_extract_is_refused(sea: SeaNetwork, tmp_path: Path) -> None:
    from hubplan.network.sea import check_sea

    assert check_sea(sea, "x") == []
    found = check_sea(replace(sea, head=np.append(sea.head[1:], len(sea.node_lon)), length_km=-sea.length_km[1:]), "x")
    assert {fault.where for fault in found} == {"x, length_km", "x, head"}
    with pytest.raises(DataError, match="is missing"):
        read_sea(tmp_path / "none.npz")


def test_no_lane_crosses_land(sea: SeaNetwork, inland: MultiPolygon) -> None:
    """Against 1:50m outlines, which lack fjords of up to 20 km; the build itself allows 2 km of the 1:10m land."""
    assert _find_on_land(_ends(sea), inland) == []


def test_lanes_over_land_are_found(inland: MultiPolygon) -> None:
    """Lanes of searoute over Alaska, the Guianas and Guadalcanal, and one at sea."""
    lanes = [
        (-155.59, 62.96, -161.72, 60.76),
        (-51.9, 5.4, -55.4, 6.1),
        (162.71, -9.46, 160.0, -10.0),
        (0.0, 0.0, 5.0, -5.0),
    ]
    assert _find_on_land(tuple(np.array(lanes).T), inland) == lanes[:3]


@pytest.fixture(scope="module")
def inland() -> MultiPolygon:
    return _read_inland(0.01)


def _find_on_land(ends: tuple[np.ndarray, ...], land: MultiPolygon) -> list[tuple[float, ...]]:
    """Lanes with more than 20 km on land, outside the waterways that are listed with a reason."""
    lanes = np.column_stack(ends)
    met = tag_lines(*densify_arcs(*ends), [Zone("land", "zone", land)])[:, 0]
    for box in pd.read_csv(GEODATA / "repairs" / "sea_waterways.csv").itertuples():
        within = (lanes[:, ::2] >= box.west) & (lanes[:, ::2] <= box.east)
        met &= ~(within & (lanes[:, 1::2] >= box.south) & (lanes[:, 1::2] <= box.north)).all(axis=1)
    found = [tuple(lane) for lane in lanes[met].tolist()]
    return [lane for lane in found if WGS84.geometry_length(LineString(densify(*lane)).intersection(land)) > 20_000.0]


def _read_inland(degrees: float) -> MultiPolygon:
    """The outlines to draw, without a strip along the coast."""
    with np.load(GEODATA / "network" / "land50.npz") as box:
        lon, lat, start, outer = box["lon"].astype(float), box["lat"].astype(float), box["ring_start"], box["outer"]
    rings = [np.column_stack([lon[a:b], lat[a:b]]) for a, b in pairwise(start.tolist())]
    whole = shapely.union_all([Polygon(ring).buffer(0) for ring, out in zip(rings, outer, strict=True) if out])
    return whole.buffer(-degrees)


# Zones


def test_tags_are_those_of_the_zones_table(
    sea: SeaNetwork, zones: dict[str, Zone], berths: tuple[np.ndarray, np.ndarray]
) -> None:
    """sea.npz was made with this very zones.csv."""
    assert set(sea.zone) == set(zones)
    order = [zones[zone] for zone in sea.zone]
    assert np.array_equal(sea.crosses, tag_arcs(*_ends(sea), order))
    lon, lat = berths
    link = tag_arcs(
        lon[sea.link_port], lat[sea.link_port], sea.node_lon[sea.link_node], sea.node_lat[sea.link_node], order
    )
    assert np.array_equal(sea.link_crosses, link)
    assert np.array_equal(sea.port_in_zone, find_inside(lon, lat, order))


def test_every_zone_is_met_by_a_lane(sea: SeaNetwork) -> None:
    assert [zone for zone, hit in zip(sea.zone, sea.crosses.any(axis=0), strict=True) if not hit] == []


def test_gates_have_both_ends_on_land_or_ice(zones: dict[str, Zone]) -> None:
    """A line of sight that keeps off land cannot then pass a gate's end. The polar and southern gates end in ice."""
    land = _read_inland(-0.02)
    loose = []
    for zone in zones.values():
        if zone.shape.geom_type == "LineString":
            ends = [shapely.Point(zone.shape.coords[0]), shapely.Point(zone.shape.coords[-1])]
            if any(not land.intersects(end) and -67.0 < end.y < 85.0 for end in ends):
                loose.append(zone.zone)
    assert loose == []


def test_every_zone_has_a_pair(sea: SeaNetwork) -> None:
    assert sorted(PAIRS["zone"]) == sorted(sea.zone)


@pytest.mark.parametrize("row", list(PAIRS.itertuples(index=False)), ids=PAIRS["zone"].tolist())
def test_closing_a_zone_lengthens_or_cuts_its_pair(row, voyages, zones) -> None:  # type: ignore[no-untyped-def]
    """``also`` names zones closed in both cases (``!nsr`` opens one), where the next strait would do as well."""
    also = [zone for zone in row.also.split(";") if zone and not zone.startswith("!")]
    ice = tuple(zone for zone in ICE if zone != row.zone and f"!{zone}" not in row.also)
    open_, shut = voyages(*also, ice=ice), voyages(*also, row.zone, ice=ice)
    before, after = open_.find(row.origin, row.destination), shut.find(row.origin, row.destination)
    assert before.length_km / NM_KM == pytest.approx(row.open_nm, rel=0.01)
    assert row.zone in before.zones and touches([_line(before)], zones[row.zone]).all()
    if row.closed_nm == "":
        assert not np.isfinite(after.length_km)
    else:
        assert after.length_km / NM_KM == pytest.approx(float(row.closed_nm), rel=0.01)
        assert after.length_km > before.length_km + 5.0
        assert row.zone not in after.zones and not touches([_line(after)], zones[row.zone]).any()


def test_reopening_restores_the_length_exactly(sea: SeaNetwork, berths, voyages) -> None:  # type: ignore[no-untyped-def]
    before = voyages().measure_km(["kuantan-port"])
    voyages("malacca", "south-china-sea")
    assert np.array_equal(before, Voyages(sea, *berths, closed=ICE).measure_km(["kuantan-port"]))


def test_what_tags_call_free_is_free_on_the_map(sea: SeaNetwork, voyages, zones) -> None:  # type: ignore[no-untyped-def]
    """Voyages drawn end to end meet exactly the zones that they name."""
    pairs = (("fremantle", "kuantan-port"), ("yokohama", "rotterdam"), ("santos", "kuantan-port"))
    routes = [voyages().find(origin, destination) for origin, destination in pairs]
    for route in routes:
        met = {zone.zone for zone in zones.values() if touches([_line(route)], zone)[0]}
        assert met == set(route.zones)


@pytest.mark.parametrize("canal", ["panama-canal", "suez", "kiel-canal"])
def test_a_canal_is_one_lane(canal: str, sea: SeaNetwork) -> None:
    """A second one would be a line of sight over the isthmus."""
    assert sea.crosses[:, sea.zone.index(canal)].sum() == 1
    assert not sea.link_crosses[:, sea.zone.index(canal)].any()


def test_canals_cut_only_themselves(voyages) -> None:  # type: ignore[no-untyped-def]
    """Ports at either end of a closed canal keep their own sea."""
    for canal, pairs in {
        "panama-canal": (("balboa", "callao"), ("cristobal", "veracruz")),
        "suez": (("suez-port", "jeddah"), ("ain-sukhna", "jeddah"), ("port-said", "piraeus")),
        "kiel-canal": (("hamburg", "rotterdam"), ("rostock", "gdansk")),
    }.items():
        for a, b in pairs:
            assert _nm(voyages(canal), a, b) == _nm(voyages(), a, b)


def test_the_baltic_is_open_until_all_four_ways_are_shut(voyages) -> None:  # type: ignore[no-untyped-def]
    straits = ("oresund", "great-belt", "little-belt")
    assert np.isfinite(_nm(voyages(*straits), "rotterdam", "gdansk"))
    assert np.isinf(_nm(voyages(*straits, "kiel-canal"), "rotterdam", "gdansk"))


# The South China Sea


def test_kuantan_and_the_claimed_sea(voyages) -> None:  # type: ignore[no-untyped-def]
    """Westward free; northward round by Makassar or the Sulu Sea. Lengths of an independent network: 2,439; 2,806; 3,802."""
    closed = ("south-china-sea", "taiwan-strait", "luzon-strait")
    assert _nm(voyages(), "fremantle", "kuantan-port") == pytest.approx(2439, rel=0.025)
    assert _nm(voyages("south-china-sea"), "fremantle", "kuantan-port") == _nm(voyages(), "fremantle", "kuantan-port")
    assert np.isfinite(_nm(voyages("south-china-sea", "singapore", "malacca"), "fremantle", "kuantan-port"))
    assert _nm(voyages(), "kuantan-port", "yokohama") == pytest.approx(2806, rel=0.02)
    assert _nm(voyages(*closed), "kuantan-port", "yokohama") == pytest.approx(3802, rel=0.025)
    assert _nm(voyages(), "darwin", "yokohama") == _nm(voyages("south-china-sea"), "darwin", "yokohama")


def test_ports_round_the_claimed_sea(sea: SeaNetwork, voyages) -> None:  # type: ignore[no-untyped-def]
    """Haiphong hugs Vietnam; Manila has its own Pacific; Hong Kong lies inside and is cut off."""
    inside = {sea.port[i] for i in np.flatnonzero(sea.port_in_zone[:, sea.zone.index("south-china-sea")])}
    assert "hong-kong" in inside and inside.isdisjoint(
        {"haiphong", "manila", "kuantan-port", "kaohsiung", "da-nang", "bintulu"}
    )
    shut = voyages("south-china-sea")
    assert _nm(shut, "haiphong", "long-beach") == pytest.approx(9458, rel=0.05)
    assert np.isfinite(_nm(voyages("south-china-sea", "luzon-strait", "taiwan-strait"), "manila", "yokohama"))
    assert np.isinf(_nm(shut, "hong-kong", "yokohama"))


# Fail closed


def test_no_way_is_never_a_length(voyages) -> None:  # type: ignore[no-untyped-def]
    """Singapore to Piraeus, barred at Suez, Gibraltar and Bab-el-Mandeb: a known library answers 0."""
    shut = voyages("suez", "gibraltar", "bab-el-mandeb")
    assert np.isinf(_nm(shut, "singapore-keppel", "piraeus"))
    assert shut.find("singapore-keppel", "piraeus").zones == ()


def test_no_way_round_by_the_arctic_unasked(voyages) -> None:  # type: ignore[no-untyped-def]
    """Kuantan to Rotterdam without Malacca, Sunda and Suez: round the Cape, not 10,318 nm by the Arctic."""
    route = voyages("malacca", "sunda", "suez").find("kuantan-port", "rotterdam")
    assert "cape-good-hope" in route.zones and not {"nsr", "nw-passage"} & set(route.zones)
    assert 11_500 < route.length_km / NM_KM < 13_500
    every = ("malacca", "sunda", "suez", "cape-good-hope", "panama-canal", "cape-horn", "magellan")
    assert np.isinf(_nm(voyages(*every), "kuantan-port", "rotterdam"))


def test_an_unknown_zone_or_port_is_an_error(sea: SeaNetwork, berths, voyages) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError, match="'mallaca' is not a zone"):
        Voyages(sea, *berths, closed=("mallaca",))
    with pytest.raises(DataError, match="'atlantis' is not a port"):
        voyages().find("atlantis", "rotterdam")


def test_every_way_to_europe_barred(voyages) -> None:  # type: ignore[no-untyped-def]
    """Singapore to Rotterdam with every cape, canal and polar sea shut: a known library answers 12,286."""
    every = ("suez", "cape-good-hope", "panama-canal", "cape-horn", "magellan", "bering")
    assert np.isinf(_nm(voyages(*every), "singapore-keppel", "rotterdam"))


def test_closing_never_shortens(sea: SeaNetwork, voyages) -> None:  # type: ignore[no-untyped-def]
    origins = ["kuantan-port", "fremantle", "rotterdam"]
    before = voyages().measure_km(origins)
    for closed in (("malacca",), ("suez", "panama-canal"), ("south-china-sea", "luzon-strait")):
        assert (voyages(*closed).measure_km(origins) >= before).all()


# Distances


@pytest.mark.parametrize(
    ("origin", "destination", "closed", "published_nm"),
    [
        ("fremantle", "singapore-keppel", ("suez", "panama-canal"), 2223),
        ("fremantle", "durban", (), 4243),
        ("fremantle", "rotterdam", ("panama-canal",), 9616),
        ("fremantle", "rotterdam", ("suez", "panama-canal"), 10921),
        ("los-angeles", "yokohama", (), 4839),
        ("yokohama", "balboa", (), 7682),
        ("sydney", "wellington", (), 1234),
        ("melbourne", "honolulu", (), 4942),
        ("singapore-keppel", "busan", (), 2502),
        ("halifax", "lisbon", (), 2500),
        ("chennai", "suez-port", ("suez",), 3925),
        ("darwin", "apra-harbor", (), 1925),
    ],
)
def test_known_distances(origin: str, destination: str, closed: tuple[str, ...], published_nm: int, voyages) -> None:  # type: ignore[no-untyped-def]
    """NGA Pub. 151, as cited in benchmarks/; within 4 %."""
    assert _nm(voyages(*closed), origin, destination) == pytest.approx(published_nm, rel=0.04)
