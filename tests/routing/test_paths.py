"""Single journeys on hand-made networks: cheapest way, what cuts it, what differs from it."""

import pytest
from worlds import World, open_to, strait_world

from hubplan.errors import DataError, NoRouteError
from hubplan.routing.alternatives import find_alternatives
from hubplan.routing.paths import find_journey, find_path
from hubplan.routing.places import resolve_place


def journey(world, origin, destination, access=None, **given):
    return find_journey(
        world.network(),
        world.tables(),
        origin,
        destination,
        access or open_to(),
        ware="bulk",
        year=given.pop("year", 2026),
        **given,
    )


def test_takes_the_strait_and_says_so():
    """20 road + 5 + 10 sea + 5 + 8 rail = 48 USD/t; the unloading port's handling belongs to the rail leg."""
    found = journey(strait_world(), "mine", "plant")
    assert found.cost_usd_t == pytest.approx(48)
    assert found.legs["mode"].tolist() == ["road", "sea", "rail"]
    assert found.legs["cost_usd_t"].tolist() == pytest.approx([20, 15, 13])
    assert found.legs["from"].tolist() == ["mine", "west", "east"]
    assert found.legs["to"].tolist() == ["west", "east", "plant"]
    sea = found.legs.iloc[1]
    assert (sea["chokepoints"], sea["ports"], sea["countries"]) == ("strait", "west;east", "AUS;MYS")
    assert found.legs["gauge"].tolist() == ["", "", "1000"]


def test_goes_round_a_closed_strait():
    found = journey(strait_world(), "mine", "plant", open_to(closed=["strait"]))
    assert found.cost_usd_t == pytest.approx(53)
    assert found.length_km == pytest.approx(1800)


def test_a_surcharge_turns_the_way_but_is_not_freight():
    found = journey(strait_world(), "mine", "plant", surcharge_usd_t={"strait": 4.0})
    assert (found.cost_usd_t, found.generalised_usd_t) == pytest.approx((48, 52))
    found = journey(strait_world(), "mine", "plant", surcharge_usd_t={"strait": 6.0})
    assert (found.cost_usd_t, found.generalised_usd_t) == pytest.approx((53, 53))


def test_no_way_is_an_error_that_names_each_rule_that_would_mend_it():
    """Both east port and rail are needed: closing either is named, never a distance of 0."""
    for access, named in [
        (
            open_to(closed_ports={"east": "terminal x: Chinese owners hold 40%, above the limit of 25%"}),
            "Chinese owners hold 40%",
        ),
        (open_to(modes=["road", "sea"]), "rail is not among the modes"),
        (open_to(excluded=["MYS"]), "MYS is excluded"),
    ]:
        with pytest.raises(NoRouteError, match=named) as caught:
            journey(strait_world(), "mine", "plant", access)
        assert "the cheapest relaxation" in caught.value.faults[0].fix
        assert "48 USD/t" in caught.value.faults[0].fix


def test_when_no_single_rule_suffices_sets_are_named():
    world = strait_world()
    world.zones = ("strait", "gate")
    for arc in world.arcs:
        if arc["length_km"] == 650:
            arc["zones"] = ("gate",)
    with pytest.raises(NoRouteError) as caught:
        journey(world, "mine", "plant", open_to(closed=["strait", "gate"], modes=["road", "sea"]))
    assert [fault.found for fault in caught.value.faults] == [
        "strait is closed; rail is not among the modes",
        "gate is closed; rail is not among the modes",
    ]


def test_two_places_that_nothing_joins():
    world = strait_world().node("island", "site", "FJI")
    with pytest.raises(NoRouteError, match="whatever the scenario"):
        journey(world, "mine", "island")


def test_a_link_that_opens_later_is_absent_before():
    world = strait_world().arc("mine", "plant", "access", 1.0, opens=2030)
    assert journey(world, "mine", "plant", year=2029).cost_usd_t == pytest.approx(48)
    assert journey(world, "mine", "plant", year=2030).cost_usd_t == pytest.approx(0.2)


def test_cargo_passes_through_no_third_site():
    world = World().node("a", "site", "AUS").node("b", "site", "AUS").node("c", "site", "AUS")
    world.arc("a", "b", "access", 10).arc("b", "c", "access", 10)
    with pytest.raises(NoRouteError):
        journey(world, "a", "c")


def test_ships_pass_through_no_offing():
    """A port on an isthmus has approaches on both sides; sailing through it would cross the land."""
    world = World().port("a", "AUS").port("isthmus", "NZL").port("b", "AUS")
    world.node("w", "sea").node("e", "sea").arc("a@sea", "w", "sea", 10).arc("e", "b@sea", "sea", 10)
    world.arc("isthmus@sea", "w", "sea", 10).arc("isthmus@sea", "e", "sea", 10).arc("w", "e", "sea", 5000)
    assert journey(world, "port:a", "port:b").length_km == pytest.approx(
        40
    )  # by calling there: 4 calls of 5 USD/t beat 49.8
    assert journey(world, "port:a", "port:b").cost_usd_t == pytest.approx(20.4)
    closed = open_to(closed_ports={"isthmus": "closed by the scenario"})
    assert journey(world, "port:a", "port:b", closed).length_km == pytest.approx(5020)


def test_a_break_of_gauge_is_a_new_leg():
    world = World().node("a", "site", "ESP").node("b", "site", "FRA")
    world.node("r1", "rail", "ESP").node("r2", "rail", "ESP").node("r2x", "rail", "ESP").node("r3", "rail", "FRA")
    world.arc("a", "r1", "access", 0).arc("r1", "r2", "rail", 100, gauge=1668).arc(
        "r2", "r2x", "transfer", 0, usd_t=9, hours=36
    )
    world.arc("r2x", "r3", "rail", 100, gauge=1435).arc("r3", "b", "access", 0)
    legs = journey(world, "a", "b").legs
    assert legs["gauge"].tolist() == ["1668", "1435"]
    assert legs["to"].tolist() == ["break of gauge", "b"]
    assert legs["cost_usd_t"].tolist() == pytest.approx([4, 13])


def test_alternatives_differ_and_come_best_first():
    world = strait_world()
    found = find_alternatives(world.network(), world.tables(), "mine", "plant", open_to(), ware="bulk", year=2026, k=3)
    assert [way.cost_usd_t for way in found] == pytest.approx([48, 53])
    assert found[0].legs["chokepoints"].tolist()[1] == "strait"
    assert found[1].legs["chokepoints"].tolist()[1] == ""


def test_places_by_id_alias_code_and_point():
    world = strait_world()
    world.node("far", "road", "AUS", lon=50.0, lat=-30.0).node("farther", "road", "AUS", lon=60.0, lat=-30.0).arc(
        "far", "farther", "road", 1001
    )
    network, tables = world.network(), world.tables()
    assert resolve_place("mine", tables, network).kind == "site"
    assert resolve_place("old-mine", tables, network).id == "mine"
    assert resolve_place("AUWES", tables, network).id == "west"
    assert resolve_place("port:west", tables, network).kind == "port"
    point = resolve_place("-29.0, 50.0", tables, network)
    assert (point.kind, network.nodes["lat"].iloc[point.node]) == ("point", -30.0)
    assert point.access_km == pytest.approx(111.195 * 1.3, rel=1e-3)
    with pytest.raises(DataError, match="did you mean plant"):
        resolve_place("plont", tables, network)
    with pytest.raises(DataError, match="not on Earth"):
        resolve_place("95,0", tables, network)


def test_a_point_pays_for_its_way_to_the_road():
    world = strait_world()
    world.node("far", "road", "AUS", lon=50.0, lat=-30.0).node("end", "road", "AUS", lon=60.0).arc(
        "far", "end", "road", 1001
    )
    world.arc("end", "west", "access", 0)
    found = journey(world, "-29,50", "port:west")
    assert found.legs["mode"].tolist() == ["road", "road"]
    assert (
        found.legs["assumed_km"].iloc[0]
        == pytest.approx(found.legs["length_km"].iloc[0])
        == pytest.approx(144.55, rel=1e-3)
    )
    assert found.legs["cost_usd_t"].sum() == pytest.approx(found.cost_usd_t) == pytest.approx(0.2 * found.length_km)


def test_an_unknown_zone_is_an_error():
    with pytest.raises(DataError, match="atlantis"):
        find_path(
            strait_world().network(),
            strait_world().tables(),
            "mine",
            "plant",
            open_to(closed=["atlantis"]),
            ware="bulk",
            year=2026,
        )
