"""Rail and road extracts, the repairs behind them, and places put on lines."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from hubplan.errors import DataError
from hubplan.network.land import Lines, great_circle_km, part_length_km, read_lines
from hubplan.network.landing import cut_at, find_landings
from hubplan.network.ports import split_gauges

GEODATA = Path(__file__).resolve().parents[2] / "geodata"
OSM = GEODATA / "network" / "osm"
sys.path.insert(0, str(GEODATA / "make"))

import graph as make_graph  # noqa: E402
from archive import write_arrays  # noqa: E402


@pytest.fixture(scope="module")
def rail() -> Lines:
    return read_lines(OSM / "rail.npz")


@pytest.fixture(scope="module")
def road() -> Lines:
    return read_lines(OSM / "road.npz")


@pytest.fixture
def bend() -> Lines:
    """Two links: 0-1 along the equator by (1, 0), 240 km of track, 100 of it before the bend; 1-2 straight north."""
    return Lines(
        lon=np.array([0.0, 2.0, 2.0]), lat=np.array([0.0, 0.0, 1.0]), country=np.array(["AAA", "AAA", "BBB"]),
        tail=np.array([0, 1]), head=np.array([1, 2]), length_km=np.array([240.0, 111.0]), gauge_mm=np.array([1435, 1520]),
        bridge=np.array([False, True]), link=np.array([0, 0]),
        link_name=np.array([], dtype=str), link_zone=np.array([], dtype=str),
        link_opens_year=np.array([], dtype=np.int64), link_assumed=np.array([], dtype=bool), start=np.array([0, 3, 5]),
        line_lon=np.array([0.0, 1.0, 2.0, 2.0, 2.0]), line_lat=np.array([0.0, 0.0, 0.0, 0.0, 1.0]),
        line_km=np.array([0.0, 100.0, 240.0, 0.0, 111.0]))  # fmt: skip


def rail_km(lines: Lines, origin: tuple[float, float], destination: tuple[float, float]) -> float:
    """Shortest length between two places put on the nearest line."""
    lon, lat = (np.array([origin[k], destination[k]]) for k in (0, 1))
    big = part_length_km(lines)[lines.tail] >= 100.0
    landing = find_landings(lines, lon, lat, reach_km=np.full(2, 30.0), usable=big)
    lines, node = cut_at(lines, landing.edge, landing.share)
    now = np.append(0, lines.link_opens_year)[lines.link] <= 2026
    ends = (np.append(lines.tail[now], lines.head[now]), np.append(lines.head[now], lines.tail[now]))
    matrix = coo_array((np.tile(lines.length_km[now], 2) + 1e-9, ends), shape=(len(lines.lon),) * 2).tocsr()
    return float(dijkstra(matrix, indices=node[0])[node[1]])


def rows(name: str) -> list[dict[str, str]]:
    with (GEODATA / "repairs" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# the shipped extracts


@pytest.mark.parametrize("name", ["rail", "road"])
def test_extracts_are_whole(name: str, request: pytest.FixtureRequest) -> None:
    lines: Lines = request.getfixturevalue(name)
    assert (np.abs(lines.lon) <= 180).all() and (np.abs(lines.lat) <= 90).all()
    assert (lines.length_km > 0).all() and (lines.tail != lines.head).all()
    key = np.minimum(lines.tail, lines.head) * len(lines.lon) + np.maximum(lines.tail, lines.head)
    assert len(np.unique(key)) == len(key), "two links between the same nodes"
    first, last = lines.start[:-1], lines.start[1:] - 1
    assert np.allclose(lines.line_lon[first], lines.lon[lines.tail]) and np.allclose(
        lines.line_lat[last], lines.lat[lines.head]
    )
    assert np.allclose(lines.line_km[last], lines.length_km)
    step = np.diff(lines.line_lon)
    assert np.abs(np.delete(step, last[:-1])).max() < 30, "a drawn line jumps"


def test_no_link_is_shorter_than_its_great_circle(rail: Lines) -> None:
    """Coordinates are rounded to 111 m and cells of 1 km merged, so short links may be off by that; long ones may not."""
    straight = great_circle_km(rail.lon[rail.tail], rail.lat[rail.tail], rail.lon[rail.head], rail.lat[rail.head])
    assert (rail.length_km >= 0.97 * straight - 1.0).all()


def test_extracts_stay_small() -> None:
    assert sum(file.stat().st_size for file in (OSM / "rail.npz", OSM / "road.npz")) < 4e6


@pytest.mark.parametrize(("name", "parts"), [("rail", 40), ("road", 40)])
def test_parts_are_joined(name: str, parts: int, request: pytest.FixtureRequest) -> None:
    """The sources have 268 rail and 197 road parts of 100 km;
    what is left above 1,000 km is islands, gauges and closed borders."""
    lines: Lines = request.getfixturevalue(name)
    length = np.unique(np.round(part_length_km(lines), 3))
    assert (length >= 1000).sum() <= parts


@pytest.mark.parametrize(
    ("origin", "destination", "published_km", "within"),
    [
        pytest.param((138.576, -34.943), (130.905, -12.485), 2975, 0.01, id="Adelaide-Darwin"),
        pytest.param((115.877, -31.943), (121.463, -30.745), 653, 0.01, id="Perth-Kalgoorlie"),
        pytest.param((121.463, -30.745), (121.330, -28.885), 259, 0.001, id="Kalgoorlie-Leonora, entered by hand"),
        pytest.param((102.612, 2.581), (102.170, 6.200), 527, 0.01, id="Gemas-Tumpat, joined by hand"),
        pytest.param((88.342, 22.583), (83.290, 17.721), 881, 0.01, id="Howrah-Visakhapatnam"),
        pytest.param((24.737, 59.440), (28.196, 59.369), 211, 0.02, id="Tallinn-Narva"),
    ],
)
def test_railways_have_their_published_length(
    rail: Lines, origin: tuple[float, float], destination: tuple[float, float], published_km: float, within: float
) -> None:
    assert rail_km(rail, origin, destination) == pytest.approx(published_km, rel=within)


@pytest.mark.parametrize(
    ("origin", "destination"),
    [
        pytest.param((114.6, -28.78), (121.46, -30.75), id="Geraldton-Kalgoorlie"),
        pytest.param((14.50, -22.95), (17.08, -22.57), id="Walvis Bay-Windhoek"),
        pytest.param((13.55, -12.35), (25.47, -10.72), id="Lobito-Kolwezi"),
        pytest.param((40.67, -14.54), (35.0, -15.8), id="Nacala-Blantyre"),
        pytest.param((17.97, -33.00), (23.0, -27.9), id="Saldanha-Sishen"),
        pytest.param((-94.17, 58.77), (-97.1, 49.9), id="Churchill-Winnipeg"),
        pytest.param((10.75, 59.91), (18.06, 59.33), id="Oslo-Stockholm"),
        pytest.param((12.57, 55.67), (18.06, 59.33), id="Copenhagen-Stockholm"),
        pytest.param((72.835, 18.94), (77.22, 28.643), id="Mumbai-Delhi, over the Vaitarna"),
        pytest.param((20.20, 67.86), (17.44, 68.44), id="Kiruna-Narvik"),
    ],
)
def test_known_breaks_are_mended(rail: Lines, origin: tuple[float, float], destination: tuple[float, float]) -> None:
    straight = float(great_circle_km(*(np.array([v]) for v in (*origin, *destination)))[0])
    assert straight < rail_km(rail, origin, destination) < 2.2 * straight


def test_roads_reach_where_the_source_stops(road: Lines) -> None:
    """Adelaide-Perth was 23 % long until a broken join was closed; Esperance had no road."""
    assert rail_km(road, (138.6, -34.928), (115.857, -31.953)) == pytest.approx(2692, rel=0.03)
    assert rail_km(road, (121.89, -33.86), (121.478, -30.743)) == pytest.approx(390, rel=0.06)
    assert rail_km(road, (122.5392, -28.8695), (121.478, -30.743)) == pytest.approx(380, rel=0.06)


# the repairs


@pytest.mark.parametrize("mode", ["rail", "road"])
def test_closed_borders_are_not_crossed(mode: str, request: pytest.FixtureRequest) -> None:
    lines: Lines = request.getfixturevalue(mode)
    met = set(zip(lines.country[lines.tail], lines.country[lines.head], strict=True))
    shut = [(r["country_a"], r["country_b"]) for r in rows("closed_borders.csv") if r["mode"] in (mode, "both")]
    assert shut
    for one, other in shut:
        assert not {(one, other), (other, one)} & met


@pytest.mark.parametrize("name", ["bridges.csv", "joins.csv", "links.csv", "drops.csv", "closed_borders.csv"])
def test_every_repair_has_a_reason(name: str) -> None:
    assert rows(name)
    assert all(row["reason"].strip() for row in rows(name))


def test_bridges_are_short_unless_dead_ends_face_each_other() -> None:
    for row in rows("bridges.csv"):
        facing = {"rail": 12.0, "road": 3.0}[row["mode"]] * 1.05 if "face each other" in row["reason"] else 1.5
        assert float(row["gap_km"]) <= facing + 0.01


def test_links_are_in_the_extracts(rail: Lines, road: Lines) -> None:
    for row in rows("links.csv"):
        lines = {"rail": rail, "road": road}[row["mode"]]
        numbers = 1 + np.flatnonzero(lines.link_name == row["name"])
        total_km = sum(float(other["length_km"]) for other in rows("links.csv") if other["name"] == row["name"])
        assert lines.length_km[np.isin(lines.link, numbers)].sum() == pytest.approx(total_km, abs=2.0)
        assert row["source"] or row["basis"] in ("assumed", "estimated")


def test_countries_are_named_and_every_area_has_one() -> None:
    areas = rows("country_areas.csv")
    assert len({row["area"] for row in areas}) == 255
    assert {row["area"] for row in areas if not row["country"]} == {"Spratly Is.", "Scarborough Reef"}
    disputed = {"Kosovo", "N. Cyprus", "Somaliland", "Taiwan", "W. Sahara", "Russia", "Siachen Glacier", "Palestine"}
    assert all(row["note"] for row in areas if row["area"] in disputed or not row["country"])


# places on lines


def test_lands_on_the_nearest_link_and_measures_along_the_track(bend: Lines) -> None:
    """Half way from the bend to node 1 is 100 + 140 / 2 = 170 of 240 km, although it is drawn at three quarters."""
    landing = find_landings(bend, np.array([1.5]), np.array([0.005]), reach_km=np.array([5.0]))
    assert landing.edge.tolist() == [0]
    assert landing.share[0] * 240 == pytest.approx(170, abs=0.1)
    assert landing.away_km[0] == pytest.approx(0.556, abs=0.01)


def test_a_place_beside_a_chord_lies_on_the_bend_it_cuts_off(bend: Lines) -> None:
    """30 km off the chord of 111 km; 140 km of track can pass it (36.7 + 91.0 km), so it is 36.7 / 127.7 of the way."""
    landing = find_landings(bend, np.array([1.19]), np.array([-0.27]), reach_km=np.array([50.0]))
    assert landing.share[0] * 240 == pytest.approx(100 + 140 * 36.7 / 127.7, abs=2)


def test_out_of_reach_or_abroad_is_nowhere(bend: Lines) -> None:
    lon, lat, reach = np.array([0.5, 0.5]), np.array([0.2, 0.2]), np.array([10.0, 50.0])
    landing = find_landings(bend, lon, lat, reach_km=reach, country=np.array(["AAA", "BBB"]))
    assert landing.edge.tolist() == [-1, -1]
    assert np.isinf(landing.away_km).all()


def test_cutting_keeps_lengths_and_lines(bend: Lines) -> None:
    cut, node = cut_at(bend, np.array([0, 0, 1, -1]), np.array([0.75, 0.25, 0.0, 0.0]))
    assert node[2:].tolist() == [1, -1]
    assert sorted(cut.length_km.tolist()) == pytest.approx([60, 60, 111, 120])
    assert cut.lon[node[1]] == pytest.approx(0.6) and cut.lon[node[0]] == pytest.approx(1 + 80 / 140)
    middle = int(np.flatnonzero((cut.tail == node[1]) & (cut.head == node[0]))[0])
    assert cut.line_km[cut.start[middle] : cut.start[middle + 1]].tolist() == pytest.approx([0, 40, 120])
    assert cut.line_lon[cut.start[middle] + 1] == 1.0


def test_a_change_of_gauge_parts_the_node(bend: Lines) -> None:
    parted, node, copy = split_gauges(bend)
    assert (node.tolist(), copy.tolist()) == ([1], [3])
    assert {parted.head[0], parted.tail[1]} == {1, 3}
    assert (parted.lon[3], parted.lat[3]) == (2.0, 0.0)
    same, none, _ = split_gauges(replace(bend, gauge_mm=np.array([1435, 0])))
    assert len(none) == 0 and len(same.lon) == 3


def test_a_missing_or_broken_extract_says_how_to_mend_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"build\.py"):
        read_lines(tmp_path / "rail.npz")
    np.savez(tmp_path / "rail.npz", tail=np.zeros(1))
    with pytest.raises(DataError, match="is not a land extract"):
        read_lines(tmp_path / "rail.npz")


# how extracts are made


def small_graph() -> make_graph.Graph:
    """A square of 4 junction-free nodes with a tail: 0-1-2-3-0 (20 km a side), 2-4 (5 km), and a loop at 4."""
    tail, head = np.array([0, 1, 2, 3, 2, 4]), np.array([1, 2, 3, 0, 4, 4])
    return make_graph.Graph(
        lon=np.array([0.0, 0.18, 0.18, 0.0, 0.22]),
        lat=np.array([0.0, 0.0, 0.18, 0.18, 0.2]), country=np.zeros(5, dtype=np.uint8),
        tail=tail, head=head, km=np.array([20.0, 20, 20, 20, 5, 1]), bridge=np.array([False, True, False, False, False, False]),
        link=np.zeros(6, dtype=np.int64), inner=make_graph.no_inner(6), anchor=np.zeros(5, dtype=bool))  # fmt: skip


def test_contraction_keeps_a_long_loop_and_its_length() -> None:
    """The ring of 80 km meets the rest at node 2 alone: it stays, with two nodes of its own; the 1 km loop goes."""
    short = make_graph.contract(small_graph())
    assert short.km.sum() == pytest.approx(85)
    assert (short.tail != short.head).all()
    assert short.n_edges == 4
    assert short.bridge.any()


def test_contraction_does_not_hide_a_border() -> None:
    whole = replace(small_graph(), country=np.array([0, 1, 0, 0, 0], dtype=np.uint8))
    kept = make_graph.contract(make_graph.mark_borders(whole))
    assert 1 in {*kept.tail.tolist(), *kept.head.tolist()}


def test_merging_joins_close_nodes_and_lengthens_what_met_them() -> None:
    """Nodes 2 and 4 are 5 km apart: in one 20 km cell they become one, and the ring keeps at least its 80 km."""
    merged = make_graph.merge_cells(small_graph(), cell_km=20.0, offset_share=1.0)
    assert 80 <= merged.km.sum() < 100


def test_small_parts_go() -> None:
    assert make_graph.drop_small_parts(small_graph(), min_km=100).n_edges == 0
    assert make_graph.drop_small_parts(small_graph(), min_km=50).n_edges == 6


def test_the_same_arrays_give_the_same_bytes(tmp_path: Path) -> None:
    arrays = {"b": np.arange(5), "a": np.array(["x", "yz"])}
    for name in ("one.npz", "two.npz"):
        write_arrays(tmp_path / name, dict(reversed(arrays.items())) if name == "two.npz" else arrays)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    with np.load(tmp_path / "one.npz") as file:
        assert file["b"].tolist() == [0, 1, 2, 3, 4]
