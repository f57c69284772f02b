"""One network from rail, road, sea, ports and sites."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, dijkstra

from hubplan.data.tables import Tables, read_tables
from hubplan.errors import DataError
from hubplan.network.assemble import Network, build_network


@pytest.fixture(scope="module")
def tables() -> Tables:
    return read_tables()


@pytest.fixture(scope="module")
def network(tables: Tables) -> Network:
    return build_network(tables)


def node_of(network: Network, ref: str, kind: str) -> int:
    hit = np.flatnonzero(((network.nodes["ref"] == ref) & (network.nodes["kind"] == kind)).to_numpy())
    assert len(hit) == 1
    return int(hit[0])


def matrix(network: Network, modes: set[str], weight: str = "length_km"):
    used = network.arcs[network.arcs["mode"].isin(modes)]
    tail, head, value = used["tail"].to_numpy(), used["head"].to_numpy(), used[weight].to_numpy() + 1e-6
    size = len(network.nodes)
    return coo_array(
        (np.append(value, value), (np.append(tail, head), np.append(head, tail))), shape=(size, size)
    ).tocsr()


def value(tables: Tables, parameter: str) -> float:
    return float(tables.transport.set_index("parameter").loc[parameter, "value"])


# what is in it


def test_columns_are_what_the_docstring_says(network: Network) -> None:
    assert list(network.nodes) == ["lon", "lat", "country", "kind", "ref"]
    assert list(network.arcs) == [
        "tail", "head", "mode", "length_km", "hours", "extra_usd_t", "gauge_mm", "name", "opens_year", "assumed", "bridge",
    ]  # fmt: skip
    assert network.crosses.shape == (len(network.arcs), len(network.zones))
    assert network.line_start.shape == (len(network.arcs) + 1,)
    assert len(network.line_lon) == len(network.line_lat) == network.line_start[-1]
    for ends in ("tail", "head"):
        assert network.arcs[ends].between(0, len(network.nodes) - 1).all()
    assert not network.arcs.isna().any().any() and not network.nodes.isna().any().any()
    assert (network.arcs[["length_km", "hours", "extra_usd_t"]] >= 0).all().all()


def test_every_site_and_port_is_there_once(network: Network, tables: Tables) -> None:
    for kind, ids in (("site", tables.sites["site"]), ("port", tables.ports["port"])):
        assert sorted(network.nodes.loc[network.nodes["kind"] == kind, "ref"]) == sorted(ids)


def test_every_site_is_joined_to_a_big_network_or_a_port(network: Network, tables: Tables) -> None:
    """Greenland, Bokan and southern Madagascar have no main road: they ship from a port."""
    access = network.arcs[network.arcs["mode"] == "access"]
    joined = set(network.nodes["ref"].to_numpy()[access["tail"]])
    assert set(tables.sites["site"]) <= joined
    assert access["assumed"].all()
    by_port = access[access["name"] == "way to the port"]
    assert {"kvanefjeld", "tanbreez"} <= set(network.nodes["ref"].to_numpy()[by_port["tail"]])


def test_only_a_port_arc_joins_land_and_sea(network: Network) -> None:
    open_land = matrix(network, {"rail", "road", "transfer", "access", "sea"})
    _, label = connected_components(open_land, directed=False)
    kind = network.nodes["kind"].to_numpy()
    sea = np.unique(label[kind == "sea"])
    assert not np.isin(label[(kind == "rail") | (kind == "road")], sea).any()


def test_a_port_call_costs_handling_and_dwell(network: Network, tables: Tables) -> None:
    calls = network.arcs[network.arcs["mode"] == "port"]
    assert len(calls) == len(tables.ports)
    assert (calls["extra_usd_t"] == value(tables, "port_handling_usd_t")).all()
    assert (calls["hours"] == value(tables, "port_dwell_h")).all()


def test_every_way_through_a_canal_pays_its_toll(network: Network, tables: Tables) -> None:
    sea = (network.arcs["mode"] == "sea").to_numpy()
    tolls = network.arcs["extra_usd_t"].to_numpy()
    for zone, price in (("suez", "suez_toll_usd_t"), ("panama-canal", "panama_toll_usd_t")):
        passes = network.crosses[:, network.zones.index(zone)] & sea
        assert passes.sum() >= 1 and set(tolls[passes]) == {value(tables, price)}


def test_trains_change_wagons_where_gauges_differ(network: Network, tables: Tables) -> None:
    rail = network.arcs[network.arcs["mode"] == "rail"]
    ends = pd.DataFrame({
        "node": np.append(rail["tail"], rail["head"]), "gauge": np.append(rail["gauge_mm"], rail["gauge_mm"])})  # fmt: skip
    ends = ends[ends["gauge"] > 0]
    assert not ends.drop_duplicates()["node"].duplicated().any()
    breaks = network.arcs[network.arcs["name"] == "break of gauge"]
    assert len(breaks) > 40 and (breaks["mode"] == "transfer").all()
    assert (breaks["extra_usd_t"] == value(tables, "gauge_break_usd_t")).all()
    pairs = network.nodes.iloc[breaks["tail"]]
    assert {"CHN", "KAZ", "POL", "BLR", "ESP", "FRA"} & set(pairs["country"])


def test_borders_take_time_outside_the_union(network: Network, tables: Tables) -> None:
    road = network.arcs[network.arcs["mode"] == "road"]
    country = network.nodes["country"].to_numpy().astype(str)
    waits = road["hours"].to_numpy() - road["length_km"].to_numpy() / value(tables, "road_kmh")
    pair = [frozenset(p) for p in zip(country[road["tail"]], country[road["head"]], strict=True)]
    at = {
        p: waits[[k for k, q in enumerate(pair) if q == p]]
        for p in (frozenset({"FRA", "DEU"}), frozenset({"USA", "MEX"}))
    }
    assert np.allclose(at[frozenset({"FRA", "DEU"})], 0)
    assert np.allclose(at[frozenset({"USA", "MEX"})], value(tables, "border_h"))


def test_gates_on_land_are_tagged(network: Network) -> None:
    link = network.arcs[network.crosses[:, network.zones.index("ecrl")]]
    assert (
        set(link["name"]) == {"East Coast Rail Link"}
        and (link["mode"] == "rail").all()
        and (link["opens_year"] == 2028).all()
    )
    gate = network.arcs[network.crosses[:, network.zones.index("kachin-border")]]
    country = network.nodes["country"].to_numpy().astype(str)
    assert len(gate) and {*country[gate["tail"]], *country[gate["head"]]} == {"MMR", "CHN"}


def test_drawn_lines_join_their_nodes_without_a_jump(network: Network) -> None:
    count = np.diff(network.line_start)
    drawn = np.flatnonzero(count)
    assert (count[drawn] > 2).all()
    first, last = network.line_start[drawn], network.line_start[drawn + 1] - 1
    tail, head = (network.nodes.iloc[network.arcs[end].to_numpy()[drawn]] for end in ("tail", "head"))
    for point, node in ((first, tail), (last, head)):
        turn = (network.line_lon[point] - node["lon"].to_numpy() + 180) % 360 - 180
        assert np.abs(turn).max() < 1e-6 and np.abs(network.line_lat[point] - node["lat"].to_numpy()).max() < 1e-6
    inside = np.ones(len(network.line_lon) - 1, dtype=bool)
    inside[last[:-1]] = False
    assert np.abs(np.diff(network.line_lon))[inside].max() < 30


# what it can answer


def test_the_chain_from_mount_weld_to_kuantan(network: Network) -> None:
    """Mine to Kalgoorlie by road about 380 km; to Kuantan only across the sea."""
    land = {"rail", "road", "transfer", "access"}
    mine, plant = node_of(network, "mount-weld", "site"), node_of(network, "kalgoorlie", "site")
    by_road = dijkstra(matrix(network, {"road", "access"}), indices=mine)
    assert by_road[plant] == pytest.approx(385, rel=0.06)
    kuantan = node_of(network, "kuantan", "site")
    assert np.isinf(dijkstra(matrix(network, land), indices=mine)[kuantan])
    everything = dijkstra(matrix(network, land | {"sea", "port"}), indices=mine)
    assert 4500 < everything[kuantan] < 7000
    assert dijkstra(matrix(network, land), indices=kuantan)[node_of(network, "kuantan-port", "port")] < 25


def test_australian_and_indian_sites_reach_their_ports_by_land(network: Network) -> None:
    land = matrix(network, {"rail", "road", "transfer", "access"})
    for site, port in (
        ("eneabba", "geraldton"),
        ("eneabba", "fremantle"),
        ("nolans", "darwin"),
        ("serra-verde", "santos"),
    ):
        if (network.nodes["ref"] == port).any():
            way = dijkstra(land, indices=node_of(network, site, "site"))[node_of(network, port, "port")]
            assert np.isfinite(way), (site, port)


def test_the_network_is_built_once(network: Network, tables: Tables) -> None:
    assert build_network(tables) is network


def test_a_missing_parameter_is_named(tables: Tables) -> None:
    poor = tables.transport[tables.transport["parameter"] != "border_h"].reset_index(drop=True)
    with pytest.raises(DataError, match="border_h"):
        build_network(replace(tables, transport=poor, hashes={**tables.hashes, "transport.csv": "other"}))


def test_a_port_of_the_sea_that_the_table_lacks_is_named(tables: Tables) -> None:
    fewer = tables.ports.iloc[1:].reset_index(drop=True)
    with pytest.raises(DataError, match=str(tables.ports["port"].iloc[0])):
        build_network(replace(tables, ports=fewer, hashes={**tables.hashes, "ports.csv": "other"}))
