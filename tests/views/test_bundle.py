from collections import Counter
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hubplan.views.bundle import Path, bundle


def path(route, *points, mode="sea"):
    lon, lat = np.array(points, dtype=float).T
    return Path(route, mode, lon, lat)


def test_shared_track_is_one_line_with_both_routes():
    """a and b share the middle segment only: five pieces of track, three of them a's."""
    a = path("a", (0, 0), (1, 0), (2, 0), (3, 0))
    b = path("b", (1, 5), (1, 0), (2, 0), (2, 5))
    found = {(s.lon[0], s.lat[0], s.lon[-1], s.lat[-1]): s.along for s in bundle([a, b])}
    assert found == {
        (0, 0, 1, 0): ("a",),
        (1, 0, 2, 0): ("a", "b"),
        (2, 0, 3, 0): ("a",),
        (1, 5, 1, 0): ("b",),
        (2, 0, 2, 5): ("b",),
    }


def test_cargo_that_meets_oncoming_cargo_is_told_apart():
    (stretch,) = bundle([path("out", (0, 0), (1, 1), (2, 0)), path("home", (2, 0), (1, 1), (0, 0))])
    assert (stretch.along, stretch.against) == (("out",), ("home",))
    assert stretch.lon.tolist() == [0, 1, 2]


def test_a_line_that_turns_back_west_stays_whole():
    (stretch,) = bundle([path("a", (0, 0), (2, 1), (1, 2), (3, 3))])
    assert stretch.lon.tolist() == [0, 2, 1, 3]


def test_modes_on_one_track_stay_apart():
    pair = bundle([path("a", (0, 0), (1, 0), mode="rail"), path("a", (0, 0), (1, 0), mode="road")])
    assert sorted(s.mode for s in pair) == ["rail", "road"]


def test_copies_of_the_world_are_one_place():
    (stretch,) = bundle([path("a", (170, 0), (190, 0)), path("b", (-190, 0), (-170, 0))])
    assert stretch.along == ("a", "b")
    assert stretch.lon.tolist() == [170, 190]


def test_nothing_in_nothing_out():
    assert bundle([]) == []
    assert bundle([path("a", (0, 0))]) == []
    assert bundle([path("a", (0, 0), (0, 0))]) == []


places = st.tuples(st.integers(0, 3), st.integers(0, 3))


@given(st.lists(st.lists(places, min_size=2, max_size=8), min_size=1, max_size=5))
def test_every_piece_of_track_is_drawn_once_with_all_its_routes(walks):
    walks = [[w[0], *(q for p, q in pairwise(w) if p != q)] for w in walks]
    paths = [path(f"r{i}", *walk) for i, walk in enumerate(walks) if len(walk) > 1]
    want: dict = {}
    for one in paths:
        points = list(zip(one.lon, one.lat, strict=True))
        for p, q in pairwise(points):
            want.setdefault((p, q), set()).add(one.route)
    drawn, got = Counter(), {}
    for s in bundle(paths):
        points = list(zip(s.lon, s.lat, strict=True))
        for p, q in pairwise(points):
            drawn[frozenset((p, q))] += 1
            got.setdefault((p, q), set()).update(s.along)
            got.setdefault((q, p), set()).update(s.against)
    assert set(drawn.values()) <= {1}
    assert {key: value for key, value in got.items() if value} == want
