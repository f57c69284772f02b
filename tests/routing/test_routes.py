"""The matrix of routes: against a plain search, and what must hold whatever the network."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds import World, open_to, strait_world

from hubplan.data.scenario import Scenario
from hubplan.errors import DataError
from hubplan.routing.columns import columns
from hubplan.routing.cost import WARES, arc_cost_usd_t
from hubplan.routing.graph import open_arcs
from hubplan.routing.groundwork import lay_groundwork
from hubplan.routing.paths import build_field
from hubplan.routing.routes import find_routes
from hubplan.routing.store import Store, pack_cells, pack_sea, unpack_cells, unpack_sea

OPEN = Scenario(name="open")
COUNTRIES = ("AUS", "CHN", "MYS")
ZONES = ("strait", "gate", "ice")


def routes_of(network, tables, access, *, surcharge=None, year=2026):
    scenario = Scenario(name="case", routes={"surcharge_usd_t": surcharge or {}})
    return find_routes(network, tables, scenario, access=access, year=year)


@st.composite
def worlds(draw):
    """A random world: road and rail pieces in three countries, ports, lanes, straits, a gate, a late link."""
    integers = lambda low, high: draw(st.integers(low, high))  # noqa: E731
    world = World(zones=ZONES, default_closed=("ice",))
    world.rates["capital_cost_share"] = 0.08
    land = [f"n{number}" for number in range(integers(4, 9))]
    for name in land:
        world.node(name, draw(st.sampled_from(("rail", "road"))), draw(st.sampled_from(COUNTRIES)))
    for number in range(integers(2, 4)):
        world.node(f"site{number}", "site", draw(st.sampled_from(COUNTRIES)))
        for _ in range(integers(1, 2)):
            world.arc(f"site{number}", draw(st.sampled_from(land)), "access", integers(1, 50))
    waypoints = [f"w{number}" for number in range(integers(2, 5))]
    for name in waypoints:
        world.node(name, "sea")
    for number in range(integers(2, 4)):
        world.port(
            f"port{number}", draw(st.sampled_from(COUNTRIES)), handling_usd_t=integers(1, 9), dwell_h=integers(0, 90)
        )
        world.arc(f"port{number}", draw(st.sampled_from(land)), "access", integers(1, 20))
        for _ in range(integers(1, 2)):
            world.arc(f"port{number}@sea", draw(st.sampled_from(waypoints)), "sea", integers(10, 300))
    for _ in range(integers(4, 16)):
        a, b = draw(st.sampled_from(land)), draw(st.sampled_from(land))
        kinds = {world.nodes[a]["kind"], world.nodes[b]["kind"]}
        mode = "transfer" if len(kinds) == 2 else kinds.pop()
        gate = draw(st.sampled_from(((), (), ("gate",))))
        km = 0 if mode == "transfer" else integers(1, 500)  # a transfer's length would cost nothing, so ways could tie
        world.arc(a, b, mode, km, usd_t=integers(0, 9), zones=gate, opens=draw(st.sampled_from((0, 0, 0, 2030))))
    for _ in range(integers(2, 10)):
        passed = draw(st.sampled_from(((), ("strait",), ("strait", "gate"), ("ice",))))
        world.arc(
            draw(st.sampled_from(waypoints)),
            draw(st.sampled_from(waypoints)),
            "sea",
            integers(50, 5000),
            zones=passed,
            usd_t=draw(st.sampled_from((0, 0, 6))),
        )
    world.arcs = [arc for arc in world.arcs if arc["tail"] != arc["head"]]
    return world


@st.composite
def accesses(draw):
    closed = {"ice", *draw(st.sets(st.sampled_from(("strait", "gate"))))}
    ports = draw(st.sets(st.sampled_from(("port0", "port1"))))
    return open_to(
        closed=sorted(closed),
        excluded=sorted(draw(st.sets(st.sampled_from(COUNTRIES), max_size=1))),
        closed_ports=dict.fromkeys(sorted(ports), "closed by the scenario"),
        modes=draw(st.sampled_from((("rail", "road", "sea"), ("rail", "sea"), ("rail", "road")))),
    )


def plain_costs(network, tables, access, *, ware, surcharge, year):
    """Cheapest cost of every joined pair by one plain search of the whole network each."""
    cost = arc_cost_usd_t(network, tables, ware=ware, surcharge_usd_t=surcharge)
    usable, at = open_arcs(network, access, year=year), columns(network)
    found = {}
    for destination, end in at.sites.items():
        field = build_field(network, cost, usable=usable, destination=end)
        for origin, start in at.sites.items():
            outside = {at.country[start], at.country[end]}.isdisjoint(access.excluded)
            path = field.search(start) if origin != destination and outside else None
            if path is not None:
                found[f"{origin}--{destination}--{ware}"] = float(cost[path.arcs].sum())
    return found


LAX = settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    derandomize=True,
)


@LAX
@given(world=worlds(), access=accesses(), price=st.sampled_from((0.0, 7.5)), year=st.sampled_from((2026, 2030)))
def test_the_matrix_is_that_of_a_plain_search(world, access, price, year):
    network, tables = world.network(), world.tables()
    surcharge = {"strait": price, "port1": price} if price else {}
    routes = routes_of(network, tables, access, surcharge=surcharge, year=year)
    expected = {}
    for ware in WARES:
        expected |= plain_costs(network, tables, access, ware=ware, surcharge=surcharge, year=year)
    found = dict(zip(routes.table["route"], routes.table["generalised_usd_t"], strict=True))
    assert found == pytest.approx(expected, rel=1e-9)


@LAX
@given(world=worlds(), access=accesses(), price=st.sampled_from((0.0, 7.5)))
def test_legs_add_up_and_touch_nothing_closed(world, access, price):
    network, tables = world.network(), world.tables()
    surcharge = {"strait": price} if price else {}
    routes = routes_of(network, tables, access, surcharge=surcharge)
    ids = routes.table["route"].tolist()
    legs = routes.legs(ids)
    table = routes.table.set_index("route")
    for of_legs, of_route in (("cost_usd_t", "usd_t"), ("hours", "hours"), ("length_km", "length_km")):
        total = legs.groupby("route")[of_legs].sum()
        assert total.reindex(ids).to_numpy() == pytest.approx(table[of_route].to_numpy(), rel=1e-6, abs=1e-9)
    usable = open_arcs(network, access, year=2026)
    for path in routes.paths(ids).values():
        assert usable[path.arcs].all()
        assert len(set(path.nodes.tolist())) == len(path.nodes)
    assert not legs["chokepoints"].str.split(";").explode().isin(access.closed).any()
    assert not legs["countries"].str.split(";").explode().isin(access.excluded).any()
    assert not legs["ports"].str.split(";").explode().isin(access.closed_ports).any()
    assert routes.lines(ids)["leg"].tolist() == legs["leg"].tolist()


@LAX
@given(world=worlds(), access=accesses())
def test_closing_never_cheapens_and_opening_again_restores(world, access):
    network, tables = world.network(), world.tables()
    before = routes_of(network, tables, open_to(closed=["ice"])).table.set_index("route")
    closed = routes_of(network, tables, access).table.set_index("route")
    again = routes_of(network, tables, open_to(closed=["ice"])).table.set_index("route")
    assert set(closed.index) <= set(before.index)
    dearer = closed["generalised_usd_t"] - before["generalised_usd_t"].reindex(closed.index)
    assert (dearer >= -1e-9).all()
    assert before.equals(again)


@LAX
@given(world=worlds(), access=accesses())
def test_there_and_back_cost_the_same(world, access):
    routes = routes_of(world.network(), world.tables(), access).table
    back = routes.set_index(["destination", "origin", "ware"])["generalised_usd_t"]
    there = routes.set_index(["origin", "destination", "ware"])["generalised_usd_t"]
    assert there.to_numpy() == pytest.approx(back.reindex(there.index).to_numpy())


@LAX
@given(world=worlds(), access=accesses())
def test_stored_parts_change_nothing(world, access):
    network, tables = world.network(), world.tables()
    laid = lay_groundwork(network, tables, modes=access.modes, store=Store())
    live = routes_of(network, tables, access).table
    hourly = [1e4 * 0.08 / 8766, 1e5 * 0.08 / 8766]
    stored = Store(
        unpack_cells(pack_cells([laid.fold[ware].cells for ware in WARES], hourly)),
        unpack_sea(pack_sea([laid.digest[ware] for ware in WARES], [laid.sea[ware] for ware in WARES], hourly)),
    )
    again = lay_groundwork(network, tables, modes=access.modes, store=stored)
    assert again.digest == laid.digest
    table = routes_of(network, tables, access).table
    assert table["route"].equals(live["route"])
    assert table["usd_t"].to_numpy() == pytest.approx(live["usd_t"].to_numpy(), rel=1e-9)


def test_a_stored_cell_is_extended_by_a_site_it_does_not_know():
    """A user's site lands on a road that was folded without it."""
    world = strait_world()
    laid = lay_groundwork(world.network(), world.tables(), modes=("rail", "road"), store=Store())
    world.node("r0", "road", "AUS").arc("r0", "r1", "road", 30)
    base = world.network()
    laid = lay_groundwork(base, world.tables(), modes=("rail", "road"), store=Store())
    world.node("newcomer", "site", "AUS").arc("newcomer", "r0", "access", 0)
    network = world.network()
    store = Store({key: cell for fold in laid.fold.values() for key, cell in fold.cells.items()})
    lay_groundwork(network, world.tables(), modes=("rail", "road", "sea"), store=store)
    table = find_routes(network, world.tables(), OPEN, access=open_to()).table.set_index("route")
    assert table.at["newcomer--plant--bulk", "usd_t"] == pytest.approx(48 + 6)
    assert table.at["newcomer--mine--bulk", "usd_t"] == pytest.approx(6)


def test_a_land_bridge_between_two_sea_legs():
    """Sea to a west coast, rail across, sea on: the only way when the way round is closed."""
    world = World(zones=("cape",))
    world.node("a", "site", "AUS").port("pa", "AUS").arc("a", "pa", "access", 0)
    world.node("b", "site", "JPN").port("pb", "JPN").arc("b", "pb", "access", 0)
    world.port("west", "MYS").port("east", "MYS").node("t1", "rail", "MYS").node("t2", "rail", "MYS")
    world.arc("west", "t1", "access", 0).arc("t1", "t2", "rail", 300).arc("t2", "east", "access", 0)
    world.node("w", "sea").node("e", "sea").arc("w", "e", "sea", 9000, zones=["cape"])
    world.arc("pa@sea", "w", "sea", 100).arc("west@sea", "w", "sea", 100).arc("east@sea", "e", "sea", 100).arc(
        "e", "pb@sea", "sea", 100
    )
    network, tables = world.network(), world.tables()
    routes = find_routes(network, tables, OPEN, access=open_to(closed=["cape"]))
    legs = routes.legs(["a--b--bulk"])
    assert legs["mode"].tolist() == ["sea", "rail", "sea"]
    assert legs["ports"].tolist() == ["pa;west", "", "east;pb"]
    assert routes.table.set_index("route").at["a--b--bulk", "usd_t"] == pytest.approx(4 * 5 + 4 + 12)
    assert legs["cost_usd_t"].tolist() == pytest.approx(
        [7, 17, 12]
    )  # unloading belongs to rail; loading and unloading to the last leg


def test_passages_are_the_sets_of_the_legs():
    routes = find_routes(strait_world().network(), strait_world().tables(), OPEN, access=open_to())
    row = routes.passages(["mine--plant--bulk"]).iloc[0]
    assert (row["zones"], row["countries"], row["ports"]) == ({"strait"}, {"AUS", "MYS"}, {"west", "east"})


def test_no_row_where_there_is_no_way():
    routes = find_routes(strait_world().network(), strait_world().tables(), OPEN, access=open_to(excluded=["MYS"]))
    assert routes.table.empty
    with pytest.raises(DataError, match="mine--plant--bulk"):
        routes.legs(["mine--plant--bulk"])


def test_what_opens_a_default_closure_is_searched_afresh():
    """`ice` is closed by default; an access that leaves it open finds the shorter way."""
    world = World(zones=("ice",), default_closed=("ice",)).node("a", "site", "NOR").node("b", "site", "JPN")
    world.port("pa", "NOR").port("pb", "JPN").arc("a", "pa", "access", 0).arc("b", "pb", "access", 0).node(
        "w", "sea"
    ).node("e", "sea")
    world.arc("pa@sea", "w", "sea", 10).arc("w", "e", "sea", 1000, zones=["ice"]).arc("w", "e", "sea", 3000).arc(
        "e", "pb@sea", "sea", 10
    )
    network, tables = world.network(), world.tables()
    km = [
        find_routes(network, tables, OPEN, access=open_to(closed=closed)).table["length_km"].iloc[0]
        for closed in (["ice"], [])
    ]
    assert km == pytest.approx([3020, 1020])


def test_lines_run_on_past_the_antimeridian():
    world = World().node("a", "site", "JPN", lon=140, lat=35).node("b", "site", "USA", lon=-120, lat=35)
    world.port("pa", "JPN", lon=140, lat=35).port("pb", "USA", lon=-120, lat=35).arc("a", "pa", "access", 0).arc(
        "b", "pb", "access", 0
    )
    world.node("w", "sea", lon=179, lat=45).arc("pa@sea", "w", "sea", 3500).arc("w", "pb@sea", "sea", 4800)
    routes = find_routes(world.network(), world.tables(), OPEN, access=open_to())
    for route in ("a--b--bulk", "b--a--bulk"):
        lon = np.array(routes.lines([route]).geometry.iloc[0].coords)[:, 0]
        assert np.abs(np.diff(lon)).max() < 5
        assert abs(lon[-1] - lon[0]) == pytest.approx(100)


def test_ware_of_unknown_tables_is_not_guessed():
    """Tables without a sea rate cannot give routes."""
    world = strait_world()
    del world.rates["sea_usd_tkm"]
    with pytest.raises(DataError, match="sea_usd_tkm"):
        find_routes(world.network(), SimpleNamespace(**vars(world.tables())), OPEN, access=open_to())
