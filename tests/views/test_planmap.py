from itertools import pairwise

import pytest

from hubplan.data.access import Access
from hubplan.views.planmap import plan_map, route_map
from hubplan.views.polyline import decode

from .conftest import HOSTILE


@pytest.fixture(scope="module")
def spec(plan, tables):
    return plan_map(plan, tables)


def test_tonnes_are_a_year_not_a_period(spec):
    """Concentrate: 10,000 t over four years, 20,000 over five, 30,000 in one."""
    flow = next(flow for flow in spec.flows if spec.ways[flow.way].route == "weld-kuantan")
    assert flow.t_yr == (2500.0, 4000.0, 30000.0)
    way = spec.ways[flow.way]
    assert (way.length_km, way.days, way.usd_t) == (3000.0, 7.5, 75.0)
    assert way.zones == ("sunda",) and way.ports == ("fremantle", "kuantan-port")


def test_what_stays_on_a_site_is_not_drawn(spec):
    assert {way.route for way in spec.ways} == {"weld-kuantan", "kuantan-jpn", "nech-sask", "sask-jpn"}


def test_shared_sea_is_drawn_once(spec):
    """Mount Weld to Kuantan and Kuantan to Japan both use the segment between (106.5, 0.5) and Kuantan."""
    shared = [line for line in spec.lines if line.along and line.against]
    assert len(shared) == 1
    assert {spec.ways[i].route for i in shared[0].along + shared[0].against} == {"weld-kuantan", "kuantan-jpn"}


def test_the_pacific_lane_runs_on_past_the_antimeridian(spec):
    lanes = [decode(line.line)[0] for line in spec.lines if any(spec.ways[i].route == "sask-jpn" for i in line.along)]
    lon = max(lanes, key=len)
    assert max(abs(b - a) for a, b in pairwise(lon)) < 180.0
    assert lon[0] == pytest.approx(-123.1) and lon[-1] == pytest.approx(-220.35)


def test_the_view_spans_the_pacific_not_the_atlantic(spec):
    west, south, east, north = spec.view
    assert (west, east) == (103.0, 254.0)
    assert south < -32.0 and north > 62.0


def test_new_plants_are_new_only_once_they_stand(spec):
    site = next(site for site in spec.sites if site.id == "cand-saskatoon")
    assert site.new == (False, True, True)
    assert (site.details[0].size[0], site.details[0].none) == (0.0, "not yet")
    assert (site.details[0].used[2], site.details[0].size[2]) == (5600.0, 8000.0)


def test_rules_show_what_they_bar_outside_excluded_countries(spec):
    barred = {site.id: site.details[0].label for site in spec.sites if site.kind == "barred"}
    assert set(barred) == {"darwin", "nechalacho"}
    assert "Chinese owners hold 100%" in barred["darwin"]


def test_zones_and_tints_follow_the_access(spec):
    assert {zone.id for zone in spec.zones if zone.closed} == {"south-china-sea", "taiwan-strait"}
    assert spec.tints["CHN"] == "excluded" and spec.tints["AUS"] == "member"
    assert {site.name for site in spec.sites} >= {HOSTILE}


def test_single_routes_get_a_colour_each(plan, tables):
    access = Access(
        members=frozenset(),
        excluded=frozenset(),
        closed=frozenset({"sunda"}),
        closed_ports={},
        barred_sites={},
        barred_facilities={},
        modes=("sea",),
    )
    spec = route_map(plan.legs, plan.routes, tables, access=access)
    assert len({form.colour for form in spec.forms}) == 4
    assert [zone.id for zone in spec.zones if zone.closed] == ["sunda"]
    assert spec.title == "a to b"


def test_the_view_of_a_plan_all_around_cuts_the_fewest_tonnes():
    """Lines all the way round, the lightest over the Pacific: the edges lie there, and in no continent."""
    from hubplan.views.mapspec import Flow, Line
    from hubplan.views.polyline import encode
    from hubplan.views.ways import WHOLE_WORLD, frame_view

    lines = [Line("sea", encode([-130.0, 180.0], [0, 0]), (0,)), Line("sea", encode([180.0, 230.0], [10, 10]), (1,))]
    west, _, east, _ = frame_view(lines, [Flow(0, "oxide", "x", (5.0,)), Flow(1, "oxide", "x", (1.0,))], [])
    assert 190.0 <= west % 360.0 <= 216.0 and east - west == 360.0
    assert frame_view([], [], []) == WHOLE_WORLD
