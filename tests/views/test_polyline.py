import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubplan.views.polyline import ALPHABET, LINE_SCALE, decode, encode, simplify, unwrap

lons, lats = st.floats(-540, 540), st.floats(-90, 90)
lines = st.lists(st.tuples(lons, lats), min_size=1, max_size=40)


@given(lines)
def test_a_packed_line_comes_back_within_its_rounding(points):
    lon, lat = np.array(points).T
    back_lon, back_lat = decode(encode(lon, lat))
    assert np.abs(back_lon - lon).max() <= 0.5 / LINE_SCALE + 1e-9
    assert np.abs(back_lat - lat).max() <= 0.5 / LINE_SCALE + 1e-9


@given(lines)
def test_a_packed_line_needs_no_escape(points):
    text = encode(*np.array(points).T)
    assert set(text) <= set(ALPHABET)
    assert json.dumps(text) == f'"{text}"'


@pytest.mark.parametrize("text", ["", "A", "gg", "A{", "AAA"])
def test_other_text_is_refused(text):
    with pytest.raises(ValueError, match="not an encoded line"):
        decode(text)


@given(st.lists(st.floats(-179, 179), min_size=2, max_size=30), st.integers(-3, 3))
def test_unwrapping_keeps_places_and_makes_no_long_step(steps, turns):
    truth = -100.0 + np.cumsum(steps)
    wrapped = (truth + 180.0) % 360.0 - 180.0 + 360.0 * turns
    lon = unwrap(wrapped)
    assert -180.0 <= lon[0] < 180.0
    assert np.abs(np.diff(lon)).max() <= 180.0
    assert np.allclose((lon - truth) / 360.0, np.round((lon - truth) / 360.0), atol=1e-9)


def test_a_lane_over_the_antimeridian_runs_on():
    assert unwrap([170.0, -170.0]).tolist() == [170.0, 190.0]


def test_simplifying_keeps_ends_and_corners():
    lon, lat = simplify([0, 1, 2, 2], [0, 0.001, 0, 5], tolerance=0.01)
    assert lon.tolist() == [0, 2, 2]
    assert lat.tolist() == [0, 0, 5]
