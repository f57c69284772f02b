"""Routes as GeoJSON: lines are cut at the antimeridian, as RFC 7946 (section 3.1.9) asks, and joined on reading."""

from __future__ import annotations

import json
from typing import Any

import geopandas as gpd
import numpy as np
from shapely import LineString, MultiLineString
from shapely.errors import ShapelyError
from shapely.geometry import shape

from hubplan.errors import DataError, Fault
from hubplan.results.plan import ROUTE_COLUMNS

_DIGITS = 6  # of a degree: about 0.1 m


def cut_line(line: LineString) -> LineString | MultiLineString:
    """Cut a line where it passes the antimeridian.

    Parameters
    ----------
    line
        Longitudes in degrees, unwrapped (neighbours differ by the way gone) or wrapped (a step of over 180 is a wrap).

    Returns
    -------
    LineString | MultiLineString
        Longitudes within -180 to 180. Both parts of a cut end at the same latitude, on the meridian.
    """
    points = np.asarray(line.coords)[:, :2]
    lon, lat = np.unwrap(points[:, 0], period=360.0), points[:, 1]
    lons, lats = [float(lon[0])], [float(lat[0])]
    for here in range(len(lon) - 1):
        start, end = float(lon[here]), float(lon[here + 1])
        low, high = sorted((start, end))
        turns = range(int(np.floor((low - 180) / 360)), int(np.ceil((high - 180) / 360)) + 1)
        edges = [180.0 + 360.0 * turn for turn in turns if low < 180.0 + 360.0 * turn < high]
        for edge in sorted(edges, reverse=end < start):
            share = (edge - start) / (end - start)
            lons.append(edge)
            lats.append(float(lat[here] + share * (lat[here + 1] - lat[here])))
        lons.append(end)
        lats.append(float(lat[here + 1]))
    parts: list[list[tuple[float, float]]] = []
    last_turn: int | None = None
    for here in range(len(lons) - 1):
        turn = int(np.floor(((lons[here] + lons[here + 1]) / 2 + 180) / 360))
        if turn != last_turn:
            parts.append([(_within(lons[here] - 360 * turn), lats[here])])
            last_turn = turn
        parts[-1].append((_within(lons[here + 1] - 360 * turn), lats[here + 1]))
    return LineString(parts[0]) if len(parts) == 1 else MultiLineString(parts)


def _within(lon: float) -> float:
    """A longitude that rounding put a hair beyond the antimeridian, put back on it."""
    return min(180.0, max(-180.0, lon))


def join_line(geometry: LineString | MultiLineString) -> LineString:
    """Join the parts of a line cut by `cut_line`; longitudes run on past 180."""
    parts = geometry.geoms if isinstance(geometry, MultiLineString) else [geometry]
    points = np.concatenate([np.asarray(part.coords)[:, :2] for part in parts])
    lon, lat = np.unwrap(points[:, 0], period=360.0), points[:, 1]
    keep = np.r_[True, (np.abs(np.diff(lon)) > 1e-9) | (np.abs(np.diff(lat)) > 1e-9)]
    if keep.sum() < 2:
        keep[-1] = True
    return LineString(np.column_stack([lon, lat])[keep])


def routes_to_geojson(routes: gpd.GeoDataFrame) -> str:
    """Write lines as a GeoJSON FeatureCollection, one feature a leg, in order of route and leg."""
    features = []
    for row in routes.sort_values(["route", "leg"], kind="stable").itertuples():
        cut = cut_line(row.geometry)
        parts = cut.geoms if isinstance(cut, MultiLineString) else [cut]
        coordinates = [np.round(np.asarray(part.coords), _DIGITS).tolist() for part in parts]
        single = len(coordinates) == 1
        geometry = {
            "type": "LineString" if single else "MultiLineString",
            "coordinates": coordinates[0] if single else coordinates,
        }
        properties = {"route": str(row.route), "leg": int(row.leg), "mode": str(row.mode)}
        features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    lines = ",\n".join(json.dumps(feature, ensure_ascii=False, separators=(",", ":")) for feature in features)
    return f'{{"type":"FeatureCollection","features":[\n{lines}\n]}}\n'


def geojson_to_routes(text: str, *, where: str = "routes.geojson") -> gpd.GeoDataFrame:
    """Read lines written by `routes_to_geojson`.

    Raises
    ------
    DataError
        Not GeoJSON, or a feature without route, leg, mode or line.
    """
    fix = "write the run again with hubplan plan --force"
    try:
        features = json.loads(text)["features"]
        rows = [_read_feature(feature) for feature in features]
    except (ValueError, KeyError, TypeError, AttributeError, ShapelyError) as error:
        raise DataError([Fault(where, f"is no GeoJSON of routes ({error})", fix)]) from error
    return gpd.GeoDataFrame(rows, columns=list(ROUTE_COLUMNS), geometry="geometry", crs="EPSG:4326")


def _read_feature(feature: dict[str, Any]) -> dict[str, Any]:
    properties = feature["properties"]
    geometry = shape(feature["geometry"])
    if not isinstance(geometry, LineString | MultiLineString) or geometry.is_empty:
        raise ValueError(f"a {geometry.geom_type} where a line should be")
    if not np.isfinite(np.asarray(geometry.bounds)).all():
        raise ValueError("a coordinate that is no number")
    return {
        "route": str(properties["route"]),
        "leg": int(properties["leg"]),
        "mode": str(properties["mode"]),
        "geometry": join_line(geometry),
    }
