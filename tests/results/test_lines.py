"""Lines cut at the antimeridian."""

import json

import geopandas as gpd
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import LineString, MultiLineString

from hubplan.errors import DataError
from hubplan.results.lines import cut_line, geojson_to_routes, join_line, routes_to_geojson


def test_cuts_where_the_line_passes_180():
    """From 170 E to 170 W, one degree of latitude a degree of longitude: it passes 180 halfway, at 10 N."""
    cut = cut_line(LineString([(170, 0), (190, 20)]))
    assert [list(part.coords) for part in cut.geoms] == [[(170, 0), (180, 10)], [(-180, 10), (-170, 20)]]


def test_cuts_a_wrapped_line_too():
    assert cut_line(LineString([(170, 0), (-170, 20)])).equals(cut_line(LineString([(170, 0), (190, 20)])))


def test_leaves_a_line_that_stays_this_side():
    line = LineString([(170, 0), (180, 5), (175, 6)])
    assert cut_line(line).equals(line)


STEPS = st.lists(st.tuples(st.floats(-170, 170), st.floats(-60, 60)), min_size=1, max_size=8)


@given(st.floats(-180, 180), STEPS)
def test_cut_and_joined_is_the_same_way(start, steps):
    lon = start + np.cumsum([0.0, *(step[0] for step in steps)])
    lat = [0.0, *(step[1] for step in steps)]
    line = LineString(np.column_stack([lon, lat]))
    cut = cut_line(line)
    west, _, east, _ = cut.bounds
    assert -180 <= west <= east <= 180
    joined = join_line(cut)
    assert joined.length == pytest.approx(line.length, abs=1e-6)
    offset = joined.coords[0][0] - lon[0]
    assert offset % 360 == pytest.approx(0, abs=1e-6) or offset % 360 == pytest.approx(360, abs=1e-6)
    assert joined.coords[-1][0] - offset == pytest.approx(lon[-1], abs=1e-6)


def test_geojson_comes_back():
    routes = gpd.GeoDataFrame(
        {"route": ["b", "a"], "leg": [1, 2], "mode": ["sea", "rail"]},
        geometry=[LineString([(170.0, 0.0), (190.0, 20.0)]), LineString([(1.0, 2.0), (3.0, 4.0)])],
        crs="EPSG:4326",
    )
    text = routes_to_geojson(routes)
    types = [feature["geometry"]["type"] for feature in json.loads(text)["features"]]
    assert types == ["LineString", "MultiLineString"]
    back = geojson_to_routes(text)
    assert back["route"].tolist() == ["a", "b"]
    assert back.geometry[1].length == pytest.approx(routes.geometry[0].length)
    assert not isinstance(back.geometry[1], MultiLineString)


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", '{"features": [{}]}', '{"features": 3}',
        '{"features": [{"properties": {"route": "a", "leg": 1, "mode": "sea"}, "geometry": null}]}',
        '{"features": [{"properties": {"route": "a", "leg": 1, "mode": "sea"},'
        ' "geometry": {"type": "Point", "coordinates": [0, 0]}}]}',
    ],
)  # fmt: skip
def test_what_is_no_geojson_of_routes_is_refused(text):
    with pytest.raises(DataError):
        geojson_to_routes(text)
