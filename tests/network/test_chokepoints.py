"""Which arcs meet which zones, and that every gate runs from land to land."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely
from shapely.geometry import LineString, Point

from hubplan.data.tables import Tables
from hubplan.errors import DataError
from hubplan.network.chokepoints import Zone, find_inside, read_zones, tag_arcs, touches
from hubplan.network.sea import densify

GATE = Zone("gate", "strait", shapely.from_wkt("LINESTRING (0 -1, 0 1)"))
SQUARE = Zone("square", "zone", shapely.from_wkt("POLYGON ((10 0, 12 0, 12 2, 10 2, 10 0))"))
PACIFIC = Zone("pacific", "zone", shapely.from_wkt("POLYGON ((-180 -5, -175 -5, -175 5, -180 5, -180 -5))"))


def _tag(*arc: float, zone: Zone) -> bool:
    return bool(tag_arcs(*(np.array([v]) for v in arc), [zone])[0, 0])


@pytest.mark.parametrize(
    ("arc", "zone", "met"),
    [
        ((-1, 0, 1, 0), GATE, True),
        ((-1, 1.5, 1, 1.5), GATE, False),
        ((-1, 1.0, 0, 1.0), GATE, True),
        ((9, 1, 13, 1), SQUARE, True),
        ((10.5, 0.5, 11, 1), SQUARE, True),
        ((9, 2.1, 13, 2.1), SQUARE, False),
        ((179, 0, -179, 0), PACIFIC, True),
        ((-179, 0, 179, 0), PACIFIC, True),
        ((179, 0, 178, 0), PACIFIC, False),
        ((179, 8, -170, 8), PACIFIC, False),
    ],
)
def test_an_arc_meets_what_its_great_circle_meets(arc: tuple[float, ...], zone: Zone, met: bool) -> None:
    assert _tag(*arc, zone=zone) is met
    assert _tag(arc[2], arc[3], arc[0], arc[1], zone=zone) is met


def test_the_great_circle_counts_not_the_straight_line_on_the_map() -> None:
    """From 40 N to 40 N over 80 degrees of longitude the great circle climbs to 47.6 N."""
    high = Zone("high", "zone", shapely.from_wkt("POLYGON ((-3 47, 3 47, 3 48, -3 48, -3 47))"))
    flat = Zone("flat", "zone", shapely.from_wkt("POLYGON ((-3 39.5, 3 39.5, 3 40.5, -3 40.5, -3 39.5))"))
    assert _tag(-40, 40, 40, 40, zone=high)
    assert not _tag(-40, 40, 40, 40, zone=flat)


def test_the_checker_reads_cut_and_unwrapped_lines_alike() -> None:
    """179 to 181 in one piece, or 179 to 180 and -180 to -179 in two."""
    whole = LineString(densify(179, 0, -179, 0))
    cut = shapely.MultiLineString([[(179, 0), (180, 0)], [(-180, 0), (-179, 0)]])
    assert touches([whole, cut, LineString([(170, 0), (179, 0)])], PACIFIC).tolist() == [True, True, False]


def test_only_polygons_have_an_inside() -> None:
    inside = find_inside(np.array([11.0, 0.0]), np.array([1.0, 0.0]), [GATE, SQUARE])
    assert inside.tolist() == [[False, True], [False, False]]


@pytest.mark.parametrize(
    "wkt", ["nonsense", "POLYGON EMPTY", "LINESTRING (0 0, 0 100)", "POLYGON ((0 0, 1 1, 1 0, 0 1, 0 0))"]
)
def test_a_geometry_that_cannot_be_used_is_a_fault(wkt: str) -> None:
    with pytest.raises(DataError, match="line 2, column geometry_wkt"):
        read_zones(pd.DataFrame({"zone": ["z"], "kind": ["strait"], "geometry_wkt": [wkt]}))


def test_all_faults_are_told_at_once() -> None:
    table = pd.DataFrame(
        {"zone": ["a", "b"], "kind": ["strait"] * 2, "geometry_wkt": ["nonsense", "LINESTRING (0 0, 0 100)"]}
    )
    with pytest.raises(DataError) as found:
        read_zones(table)
    assert len(found.value.faults) == 2


def test_the_claimed_sea_leaves_vietnam_and_kuantan_free(tables: Tables) -> None:
    """The nine dashes: Hong Kong's berths are inside the line as we close it; Manila, Haiphong, Kuantan and Kaohsiung are not."""
    zone = next(z for z in read_zones(tables.zones) if z.zone == "south-china-sea")
    outside = {
        "Manila": (120.95, 14.6),
        "Haiphong": (106.9, 20.7),
        "Da Nang": (108.3, 16.15),
        "Kuantan": (103.43, 3.97),
        "Kaohsiung": (120.25, 22.6),
        "off Cape Varella": (109.6, 12.9),
        "Bintulu": (113.0, 3.3),
    }
    assert [name for name, xy in outside.items() if zone.shape.intersects(Point(xy))] == []
    inside = {
        "Hong Kong": (114.17, 22.3),
        "Spratly": (114.0, 10.0),
        "Paracel": (112.0, 16.5),
        "Scarborough": (117.8, 15.15),
    }
    assert [name for name, xy in inside.items() if not zone.shape.intersects(Point(xy))] == []
