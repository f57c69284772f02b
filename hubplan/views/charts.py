"""Figures as SVG, for pages without scripts and for print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import shapely
from numpy.typing import NDArray

from hubplan.views.basemap import land_rings, read_land
from hubplan.views.mapspec import Flow, MapSpec, Site
from hubplan.views.markup import Markup, join, tag
from hubplan.views.polyline import decode
from hubplan.views.words import short_name

Points = NDArray[np.float64]
Look = dict[str, str | float]

_LAND, _SEA, _BORDER, _SHUT, _NEW, _INK = "#f3f1ec", "#d6e4ec", "#c4c2bb", "#b3261e", "#ffb000", "#14191c"
_TINTS = {"member": "#b9d3ee", "excluded": "#8f8f8f", "": _LAND}
_SOUTH, _NORTH = -56.0, 76.0
_LAND_TOLERANCE = 0.2  # degrees, at a width where a degree is under 3 px
_SMALLEST = 0.4  # square degrees: islands below it are not drawn
_DASHES = {"sea": "none", "rail": "0.1 5"}
_ROAD_DASH = "5 4"


def map_svg(spec: MapSpec, *, period: int = -1, width: int = 1040) -> Markup:
    """Draw a map as a still picture of the whole world, turned so that the plan is in the middle.

    Parameters
    ----------
    period
        Position in ``spec.periods``.
    width
        Pixels.
    """
    frame = _Frame(spec, width)
    used = _used(spec, period)
    sites = [site for site in spec.sites if site.kind in ("mine", "plant", "market") and site.size_t_yr[period] > 0]
    return tag(
        "svg",
        tag("title", f"Map of {spec.title}, {spec.periods[period]}"),
        tag("rect", width=width, height=frame.height, fill=_SEA),
        *_land(spec, frame),
        *(part for zone in spec.zones if zone.closed for ring in zone.rings for part in _area(ring, frame)),
        *_lines(spec, used, period, frame),
        *_passages(spec, used, frame),
        *(part for site in sorted(sites, key=lambda s: -s.size_t_yr[period]) for part in _site(site, period, frame)),
        *_labels(sites, period, frame),
        viewBox=f"0 0 {width} {frame.height}",
        role="img",
        class_="map",
        font_family="system-ui, DejaVu Sans, sans-serif",
    )


class _Frame:
    """Where a place falls on the picture: Miller's projection of the world around the plan."""

    def __init__(self, spec: MapSpec, width: int) -> None:
        west, _, east, _ = spec.view
        self.west = (west + east) / 2 - 180.0
        self.scale = width / 360.0
        self.width = width
        self.height = round(float((_miller(_NORTH) - _miller(_SOUTH)) * self.scale))

    def copies(self, lon: Points, lat: Points) -> list[Points]:
        """Project a line, once for each copy of the world in which it is seen."""
        y = (_miller(_NORTH) - _miller(lat)) * self.scale
        x = (lon - self.west) * self.scale
        shifted = (x + turn * 360.0 * self.scale for turn in (-2, -1, 0, 1, 2))
        return [np.column_stack([xs, y]) for xs in shifted if xs.max() > 0 and xs.min() < self.width]

    def point(self, lon: float, lat: float) -> tuple[float, float]:
        """Project a point into the picture; one on its very edge lies on the left."""
        return (lon - self.west) % 360.0 * self.scale, float((_miller(_NORTH) - _miller(lat)) * self.scale)


def _miller(lat: float | Points) -> float | Points:
    """Project latitude in degrees, in degrees at the equator (Miller, 1942)."""
    return np.degrees(1.25 * np.log(np.tan(np.pi / 4 + 0.4 * np.radians(lat))))


@cache
def _outlines(code: str) -> tuple[tuple[Points, Points], ...]:
    kept = []
    for lon, lat in land_rings(code):
        shape = shapely.polygons(np.column_stack([lon, lat]))
        if shapely.area(shape) >= _SMALLEST:
            points = shapely.get_coordinates(shapely.simplify(shape, _LAND_TOLERANCE))
            if len(points) > 3:
                kept.append((points[:, 0], points[:, 1]))
    return tuple(kept)


def _path(points: Points, *, closed: bool) -> str:
    steps = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f"M{steps}{'Z' if closed else ''}"


def _land(spec: MapSpec, frame: _Frame) -> list[Markup]:
    shapes: dict[str, list[str]] = {group: [] for group in _TINTS}
    for code in read_land():
        for lon, lat in _outlines(code):
            shapes[spec.tints.get(code, "")] += [_path(points, closed=True) for points in frame.copies(lon, lat)]
    look: Look = {"stroke": _BORDER, "stroke_width": 0.4, "fill_rule": "evenodd"}
    return [tag("path", d="".join(paths), fill=_TINTS[group], **look) for group, paths in shapes.items() if paths]


def _area(ring: str, frame: _Frame) -> list[Markup]:
    look: Look = {"fill": _SHUT, "fill_opacity": 0.14, "stroke": _SHUT, "stroke_width": 1, "stroke_dasharray": "4 3"}
    return [tag("path", d=_path(points, closed=True), **look) for points in frame.copies(*decode(ring))]


def _used(spec: MapSpec, period: int) -> Mapping[int, list[Flow]]:
    """Give the flows of each way in use."""
    used: dict[int, list[Flow]] = {}
    for flow in spec.flows:
        if flow.t_yr[period] > 0:
            used.setdefault(flow.way, []).append(flow)
    return used


def _lines(spec: MapSpec, used: Mapping[int, list[Flow]], period: int, frame: _Frame) -> list[Markup]:
    """Draw all stretches, those of one look as one path: white below, then the wide, then the narrow on top of them."""
    most = max((sum(flow.t_yr[period] for flow in flows) for flows in used.values()), default=1.0)
    colour = {form.id: form.colour for form in spec.forms}
    casing: dict[float, list[str]] = {}
    strokes: dict[tuple[float, str, str], list[str]] = {}
    for line in spec.lines:
        load: dict[str, float] = {}
        for way in (*line.along, *line.against):
            for flow in used.get(way, ()):
                load[flow.form] = load.get(flow.form, 0.0) + flow.t_yr[period]
        paths = [_path(_simple(points), closed=False) for points in frame.copies(*decode(line.line))] if load else []
        above = sum(load.values())
        for n, (form, t) in enumerate(sorted(load.items(), key=lambda item: -item[1])):
            width = min(0.5 + round(8.0 * float(np.sqrt(above / most))) / 2, 6.0)
            if n == 0:
                casing.setdefault(width + 1.2, []).extend(paths)
            strokes.setdefault((-width, colour[form], _DASHES.get(line.mode, _ROAD_DASH)), []).extend(paths)
            above -= t
    shapes = [
        tag("path", d="".join(casing[width]), fill="none", stroke="#fff", stroke_opacity=0.8, stroke_width=width)
        for width in sorted(casing, reverse=True)
    ]
    for width, stroke, dash in sorted(strokes):
        cap = "butt" if dash == _ROAD_DASH else "round"
        look: Look = {
            "stroke_width": -width,
            "stroke_dasharray": dash,
            "stroke_linecap": cap,
            "stroke_linejoin": "round",
        }
        shapes.append(tag("path", d="".join(strokes[width, stroke, dash]), fill="none", stroke=stroke, **look))
    return shapes


def _simple(points: Points) -> Points:
    """Drop what is finer than half a pixel."""
    kept: Points = shapely.get_coordinates(shapely.simplify(shapely.linestrings(points), 0.4))
    return kept


def _passages(spec: MapSpec, used: Mapping[int, list[Flow]], frame: _Frame) -> list[Markup]:
    passed = {zone for way in used for zone in spec.ways[way].zones}
    marks = []
    for zone in spec.zones:
        if not (zone.closed or zone.id in passed) or not _SOUTH < zone.lat < _NORTH:
            continue
        x, y = frame.point(zone.lon, zone.lat)
        r = 6.0 if zone.closed else 3.2
        marks.append(
            _polygon(8, x, y, r, _SHUT if zone.closed else "#fff", "#fff" if zone.closed else _SHUT, turn=np.pi / 8)
        )
        if zone.closed:
            k = 2.4
            marks.append(
                tag(
                    "path",
                    d=f"M{x - k:.1f} {y - k:.1f}l{2 * k} {2 * k}m0 {-2 * k}l{-2 * k} {2 * k}",
                    stroke="#fff",
                    stroke_width=1.4,
                )
            )
            marks.append(_text(x + 8, y + 3, short_name(zone.name), fill="#8c1d18", size=8.5))
    return marks


def _polygon(corners: int, x: float, y: float, r: float, fill: str, stroke: str, *, turn: float) -> Markup:
    angles = turn + 2 * np.pi * np.arange(corners) / corners
    points = " ".join(f"{x + r * np.cos(a):.1f},{y + r * np.sin(a):.1f}" for a in angles)
    return tag("polygon", points=points, fill=fill, stroke=stroke, stroke_width=1)


def _site(site: Site, period: int, frame: _Frame) -> list[Markup]:
    x, y = frame.point(site.lon, site.lat)
    new = site.new[period]
    if site.kind == "mine":
        return [_polygon(3, x, y + 1, 6, _NEW if new else "#3b4a52", _INK, turn=-np.pi / 2)]
    if site.kind == "market":
        return [_polygon(4, x, y, 6, "#d9a7d3", _INK, turn=0.0)]
    mark = _polygon(4, x, y, 7, _NEW if new else "#fff", _INK, turn=np.pi / 4)
    cross = tag("path", d=f"M{x - 2.5:.1f} {y:.1f}h5M{x:.1f} {y - 2.5:.1f}v5", stroke=_INK, stroke_width=1.2)
    return [mark, cross] if new else [mark]


def _text(x: float, y: float, text: str, *, fill: str = _INK, size: float = 9.0) -> Markup:
    halo: Look = {"paint_order": "stroke", "stroke": "#fff", "stroke_width": 2.2, "stroke_linejoin": "round"}
    return tag("text", text, x=round(x, 1), y=round(y, 1), font_size=size, fill=fill, **halo)


def _labels(sites: Sequence[Site], period: int, frame: _Frame) -> list[Markup]:
    """Name as many sites as there is room for, new ones first."""
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in (frame.point(site.lon, site.lat) for site in sites)]
    labels = []
    for site in sorted(sites, key=lambda s: (not s.new[period], -s.size_t_yr[period])):
        x, y = frame.point(site.lon, site.lat)
        name = short_name(site.name)
        w = 5.2 * len(name)
        for left, base in ((x + 9, y + 3), (x - 9 - w, y + 3), (x - w / 2, y - 9), (x - w / 2, y + 15)):
            box = (left, base - 8, left + w, base + 2)
            clear = all(box[0] > b[2] or box[2] < b[0] or box[1] > b[3] or box[3] < b[1] for b in taken)
            if clear and box[0] > 2 and box[2] < frame.width - 2:
                taken.append(box)
                labels.append(_text(left, base, name))
                break
    return labels


def served_bars(
    periods: Sequence[str], served_t_yr: Sequence[float], unmet_t_yr: Sequence[float], *, width: int = 460
) -> Markup:
    """Draw bars of demand served and unmet, in t/yr, one for each period."""
    most = max((s + u for s, u in zip(served_t_yr, unmet_t_yr, strict=True)), default=0.0) or 1.0
    row, left, room = 24, 48, width - 48 - 150
    bars: list[Markup] = []
    for i, (period, served, unmet) in enumerate(zip(periods, served_t_yr, unmet_t_yr, strict=True)):
        y, a, b = 4 + i * row, room * served / most, room * unmet / most
        bars.append(tag("text", period, x=0, y=y + 13, font_size=12, fill=_INK))
        bars.append(tag("rect", x=left, y=y, width=round(a, 1), height=17, fill="#14506b"))
        bars.append(
            tag(
                "rect",
                x=round(left + a, 1),
                y=y,
                width=round(b, 1),
                height=17,
                fill="url(#unmet)",
                stroke="#8c1d18",
                stroke_width=0.7,
            )
        )
        share = f"{served / (served + unmet):.0%}".replace("%", " %") if served + unmet > 0 else "none asked"
        bars.append(
            tag(
                "text",
                f"{share} of {served + unmet:,.0f}",
                x=round(left + a + b + 6, 1),
                y=y + 13,
                font_size=12,
                fill=_INK,
            )
        )
    hatch = tag(
        "pattern",
        tag("path", d="M0 6L6 0", stroke="#8c1d18", stroke_width=1),
        id="unmet",
        width=6,
        height=6,
        patternUnits="userSpaceOnUse",
    )
    height = 8 + len(bars) // 4 * row
    return tag(
        "svg",
        tag("defs", hatch),
        join(list(bars)),
        viewBox=f"0 0 {width} {height}",
        role="img",
        class_="bars",
        font_family="system-ui, DejaVu Sans, sans-serif",
        aria_label="Demand served and unmet by period; the table says the same",
    )
