"""Previews on a stand-in for the router: what stays as it was is kept, what changed is told, what is cut off is gone."""

from dataclasses import dataclass, replace

import geopandas as gpd
import pandas as pd
import pytest
from shapely import LineString

from hubplan.data.access import Access
from hubplan.views.preview import preview_plan


@dataclass
class Router:
    """Kuantan to Japan by 4,000 km instead of 1,000; Mount Weld to Kuantan as it was; Saskatoon to Japan cut off."""

    access: Access
    asked: list

    @property
    def table(self):
        rows = [
            ("mount-weld--kuantan--bulk", 3000.0, 180.0, 75.0),
            ("nechalacho--cand-saskatoon--bulk", 1000.0, 60.0, 25.0),
            ("kuantan--market-jpn--value", 4000.0, 200.0, 99.0),
        ]
        return pd.DataFrame(rows, columns=["route", "length_km", "hours", "usd_t"])

    def legs(self, routes):
        self.asked += routes
        row = {"leg": 1, "mode": "sea", "from": "a", "to": "b", "length_km": 4000.0, "hours": 200.0, "cost_usd_t": 99.0}
        return pd.DataFrame([{"route": r, **row, "countries": "", "chokepoints": "", "ports": ""} for r in routes])

    def lines(self, routes):
        rows = [{"route": r, "leg": 1, "mode": "sea", "geometry": LineString([(103, 4), (140, 35)])} for r in routes]
        return gpd.GeoDataFrame(rows, geometry="geometry", crs="EPSG:4326")


NAMES = {
    "weld-kuantan": "mount-weld--kuantan--bulk",
    "nech-sask": "nechalacho--cand-saskatoon--bulk",
    "kuantan-jpn": "kuantan--market-jpn--value",
    "sask-jpn": "cand-saskatoon--market-jpn--value",
}


@pytest.fixture
def named(plan):
    """The made-up plan with route ids as the router gives them."""
    frames = {name: getattr(plan, name).copy() for name in ("flows", "legs", "routes")}
    for frame in frames.values():
        frame["route"] = frame["route"].map(lambda route: NAMES.get(route, route))
    return replace(plan, **frames)


@pytest.fixture
def goods(tables):
    ware = ["bulk", "bulk", "value", "value", "value", "value"]
    tables.commodities = tables.commodities.assign(ware=ware)
    return tables


def test_only_what_changed_is_routed_anew(named, goods):
    router = Router(named.access, [])
    preview = preview_plan(named, goods, router, named.scenario)
    assert router.asked == ["kuantan--market-jpn--value"]
    assert list(preview.changes["To"]) == ["Japan", "Japan"]
    assert preview.changes["km now"].isna().tolist() == [True, False]
    assert preview.changes["km now"].iloc[1] == 4000.0
    assert {way.route for way in preview.spec.ways} == {*NAMES.values()} - {NAMES["sask-jpn"]}
    assert preview.spec.sentence.endswith("1 way changed, 1 way cut off.")


def test_a_way_through_a_closed_strait_is_never_kept(named, goods):
    """Even if the router's sums were the same as before."""
    shut = replace(named.access, closed=named.access.closed | {"sunda"})
    router = Router(shut, [])
    preview_plan(named, goods, router, named.scenario)
    assert "mount-weld--kuantan--bulk" in router.asked
