"""Apply the repairs kept in ``geodata/repairs``: links, joins, closed borders, dropped parts, gauges."""

from __future__ import annotations

import csv
from dataclasses import replace
from heapq import heappop, heappush
from itertools import pairwise
from pathlib import Path

import numpy as np
from graph import Graph, add_edges, components, great_circle_km, no_inner, point_tree, select_edges, sphere_points
from scipy.spatial import cKDTree

JOIN_KM = 15.0  # a hand-entered link joins the network within this distance of its end
OFF_LINE_KM = 1.0
JOIN_PART_KM = 60.0  # and only a part at least this long
BRIDGE_KM = 1.5  # a gap up to this is a broken join
BRIDGE_PART_KM = 20.0
BRIDGE_APART_KM = 10.0  # joins of the same two parts are at least this far apart
DETOUR_KM = 25.0  # a dead end this far from a neighbour by network, and
HEADING_KM = 0.5  # the direction of a dead end is taken over its last half kilometre
ONWARD_COSINE = -0.5  # two dead ends continue each other if their headings differ from opposite by less than 60 degrees
FACING_PART_KM, FACING_COSINE = 4.0, 0.8
FACING_DETOUR_KM, FACING_RATIO = 60.0, 8.0
FACING_LENGTH = 1.05  # track over the gap
DETOUR_RATIO = 10.0  # this many times the straight distance, is a broken join of one part with itself


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a CSV file as text."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, rows: list[dict[str, object]]) -> None:
    """Write rows that share their keys."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def close_borders(graph: Graph, rows: list[dict[str, str]], codes: tuple[str, ...], *, mode: str) -> Graph:
    """Drop edges across borders that no cargo passes."""
    shut = closed_pairs(rows, codes, mode=mode)
    key = _pair_key(graph.country[graph.tail], graph.country[graph.head])
    return select_edges(graph, ~np.isin(key, sorted(shut)))


def closed_pairs(rows: list[dict[str, str]], codes: tuple[str, ...], *, mode: str) -> set[int]:
    """Keys of the closed pairs of countries for one mode."""
    known = {code: number for number, code in enumerate(codes)}
    return {
        int(_pair_key(np.array(known[r["country_a"]]), np.array(known[r["country_b"]])))
        for r in rows
        if r["mode"] in (mode, "both")
    }


def _pair_key(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    low, high = np.minimum(one, other).astype(np.int64), np.maximum(one, other).astype(np.int64)
    return low * 1000 + high


def drop_places(graph: Graph, rows: list[dict[str, str]], *, mode: str) -> Graph:
    """Drop every edge with both ends within ``radius_km`` of a row's line of points."""
    keep = np.ones(graph.n_edges, dtype=bool)
    for row in rows:
        if row["mode"] != mode:
            continue
        points = np.array([[float(v) for v in pair.split()] for pair in row["points"].split(";")])
        near = _distance_to_line(graph.lon, graph.lat, points) <= float(row["radius_km"])
        keep &= ~(near[graph.tail] & near[graph.head])
    return select_edges(graph, keep)


def _distance_to_line(lon: np.ndarray, lat: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Distance in km of each point to a line, on a local plane."""
    best = np.full(len(lon), np.inf)
    for (x1, y1), (x2, y2) in pairwise(points):
        scale = np.cos(np.radians((y1 + y2) / 2))
        px, py, dx, dy = (lon - x1) * scale, lat - y1, (x2 - x1) * scale, y2 - y1
        along = np.clip((px * dx + py * dy) / max(dx * dx + dy * dy, 1e-12), 0, 1)
        best = np.minimum(best, 111.195 * np.hypot(px - along * dx, py - along * dy))
    return best


def add_links(graph: Graph, rows: list[dict[str, str]], *, mode: str) -> Graph:
    """Add hand-entered links. An end marked ``join`` meets the network where it is nearest; others by equal places.

    The published length covers the whole link, so nothing is added for the way to the network.

    Raises
    ------
    ValueError
        An end marked ``join`` has no network within ``JOIN_KM``.
    """
    own: dict[tuple[float, float], int] = {}
    for number, row in enumerate(rows):
        if row["mode"] != mode:
            continue
        ends = []
        for side in ("from", "to"):
            lon, lat = float(row[f"{side}_lon"]), float(row[f"{side}_lat"])
            node = own.get((lon, lat))
            if node is None:
                if row[f"{side}_join"] == "true":
                    graph, node = join_point(graph, lon, lat, where=f"links.csv, {row['link']}, {side}")
                else:
                    graph, node = _add_node(graph, lon, lat)
                own[lon, lat] = node
            ends.append(node)
        inner: tuple[int, ...] = ()
        for pair in filter(None, row["via"].split(";")):
            graph, node = _add_node(graph, *(float(v) for v in pair.split()))
            inner += (node,)
        path = no_inner(1)
        path[0] = inner
        graph = add_edges(
            graph,
            np.array([ends[0]]),
            np.array([ends[1]]),
            np.array([float(row["length_km"])]),
            link=np.array([number + 1]),
            inner=path,
        )
    return graph


def _add_node(graph: Graph, lon: float, lat: float, *, country: int = 0) -> tuple[Graph, int]:
    return replace(
        graph,
        lon=np.append(graph.lon, lon),
        lat=np.append(graph.lat, lat),
        anchor=np.append(graph.anchor, False),
        country=np.append(graph.country, np.uint8(country)),
    ), graph.n_nodes


def join_point(graph: Graph, lon: float, lat: float, *, where: str) -> tuple[Graph, int]:
    """Find the node nearest to a point on the network, cutting an edge in two if its middle is nearest."""
    label, part_km = components(graph)
    big = part_km[label[graph.tail]] >= JOIN_PART_KM
    scale = np.cos(np.radians(lat))

    def plane(node: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return ((graph.lon[node] - lon + 180) % 360 - 180) * scale, graph.lat[node] - lat

    (x1, y1), (x2, y2) = plane(graph.tail), plane(graph.head)
    dx, dy = x2 - x1, y2 - y1
    along = np.clip(-(x1 * dx + y1 * dy) / np.maximum(dx * dx + dy * dy, 1e-18), 0, 1)
    away = np.where(big & (np.abs(dx) < 60), 111.195 * np.hypot(x1 + along * dx, y1 + along * dy), np.inf)
    edge = int(np.argmin(away))
    if away[edge] > JOIN_KM:
        raise ValueError(f"{where}: the network is {away[edge]:.1f} km away; it must be within {JOIN_KM:g} km")
    to_tail, to_head = (111.195 * float(np.hypot(x[edge], y[edge])) for x, y in ((x1, y1), (x2, y2)))
    bend = (
        away[edge] > OFF_LINE_KM and graph.km[edge] >= to_tail + to_head
    )  # track enough to pass the point: the chord cuts off its bend
    share = to_tail / (to_tail + to_head) if bend else float(along[edge])
    if min(share, 1 - share) * graph.km[edge] < 0.5:
        return graph, int(graph.tail[edge] if share < 0.5 else graph.head[edge])
    grown, node = _add_node(
        graph,
        float(graph.lon[graph.tail[edge]] + share * dx[edge] / scale),
        float(graph.lat[graph.tail[edge]] + share * dy[edge]),
        country=int(graph.country[graph.tail[edge]]),
    )
    tail, head, km, link = graph.tail[edge], graph.head[edge], graph.km[edge], graph.link[edge]
    rest = select_edges(grown, np.arange(graph.n_edges) != edge)
    return add_edges(
        rest,
        np.array([tail, node]),
        np.array([node, head]),
        np.array([km * share, km * (1 - share)]),
        link=np.array([link, link]),
    ), node


def close_gaps(graph: Graph, rows: list[dict[str, str]], *, mode: str) -> Graph:
    """Close the gaps listed in ``joins.csv`` (chosen by hand) or ``bridges.csv`` (found by rule).

    Raises
    ------
    ValueError
        A listed end is not a node of the source data any more.
    """
    rows = [row for row in rows if row["mode"] == mode]
    if not rows:
        return graph
    tree = point_tree(graph)
    ends = []
    for side in ("a", "b"):
        lon, lat = (np.array([float(row[f"{axis}_{side}"]) for row in rows]) for axis in ("lon", "lat"))
        gap, node = tree.query(sphere_points(lon, lat))
        if gap.max() > 0.05:
            row = rows[int(gap.argmax())]
            raise ValueError(
                f"joins.csv or bridges.csv: no {mode} node at {row[f'lon_{side}']}, {row[f'lat_{side}']}; "
                "run build.py --find-bridges again"
            )
        ends.append(node)
    return add_edges(graph, ends[0], ends[1], np.array([float(row["gap_km"]) for row in rows]), bridge=True)


def find_part_bridges(graph: Graph, shut: set[int], gauge: np.ndarray, *, mode: str) -> list[dict[str, object]]:
    """Find gaps between different connected parts.

    Parts under ``BRIDGE_PART_KM`` stay apart, as do closed borders and known different gauges. The first join of two
    parts is their narrowest gap; further ones need a dead end on one side, for lines that only cross have none.
    """
    label, part_km = components(graph)
    degree = np.bincount(graph.tail, minlength=graph.n_nodes) + np.bincount(graph.head, minlength=graph.n_nodes)
    able = (degree > 0) & (part_km[label] >= BRIDGE_PART_KM)
    largest = int(np.argmax(part_km))
    tree = point_tree(graph)
    seek = np.flatnonzero(able & (label != largest))
    found = []
    for node, near in zip(seek, tree.query_ball_point(tree.data[seek], BRIDGE_KM), strict=True):
        for other in near:
            if able[other] and label[other] != label[node] and (label[other] == largest or node < other):
                found.append((node, other))
    pairs = np.array(found, dtype=np.int64).reshape(-1, 2)
    a, b = pairs[:, 0], pairs[:, 1]
    gap = great_circle_km(graph.lon[a], graph.lat[a], graph.lon[b], graph.lat[b])
    bars = np.isin(_pair_key(graph.country[a], graph.country[b]), sorted(shut)) | (
        (gauge[a] != gauge[b]) & (gauge[a] > 0) & (gauge[b] > 0)
    )
    taken: dict[tuple[int, int], list[np.ndarray]] = {}
    rows = []
    for k in np.lexsort((b, a, gap)):
        if bars[k]:
            continue
        key = (int(min(label[a[k]], label[b[k]])), int(max(label[a[k]], label[b[k]])))
        places = taken.setdefault(key, [])
        if places and (
            min(degree[a[k]], degree[b[k]]) > 1
            or min(np.linalg.norm(tree.data[a[k]] - p) for p in places) < BRIDGE_APART_KM
        ):
            continue
        places.append(tree.data[a[k]])
        rows.append(_bridge_row(graph, int(a[k]), int(b[k]), float(gap[k]), mode, "parts apart by a rounding gap"))
    return rows


def find_dead_end_bridges(
    graph: Graph, shut: set[int], gauge: np.ndarray, *, mode: str, max_gap_km: float, both_ends: bool
) -> list[dict[str, object]]:
    """Find dead ends that stop short of another node of their own part which is far away by network.

    Parameters
    ----------
    graph
        Contracted, with the bridges between parts already closed.
    max_gap_km
        Widest gap.
    both_ends
        True: the other node must be a dead end too, and the lines must go on into each other (headings within 60 degrees).
        A railway that passes another one, or ends in a yard beside it, is none of its own line.
    """
    neighbours = _adjacency(graph)
    degree = np.array([len(n) for n in neighbours])
    label, part_km = components(graph)
    leaf = np.flatnonzero((degree == 1) & (part_km[label] >= BRIDGE_PART_KM))
    others = leaf if both_ends else np.flatnonzero((degree > 0) & (part_km[label] >= BRIDGE_PART_KM))
    points = sphere_points(graph.lon, graph.lat)
    heading = _headings(graph, points)
    tree = cKDTree(points[others])
    found = []
    for node, near in zip(leaf.tolist(), tree.query_ball_point(points[leaf], max_gap_km), strict=True):
        for other in others[near].tolist():
            closed = int(_pair_key(graph.country[node], graph.country[other])) in shut
            onward = not both_ends or float(heading[node] @ heading[other]) < ONWARD_COSINE
            fits = gauge[node] == gauge[other] or 0 in (gauge[node], gauge[other])
            if other != node and onward and fits and not closed:
                found.append((float(np.linalg.norm(points[node] - points[other])), node, other))
    rows = []
    for gap, node, other in sorted(found):
        far = max(DETOUR_KM, DETOUR_RATIO * gap)
        if _within(neighbours, node, other, far):
            continue
        neighbours[node].append((other, gap))
        neighbours[other].append((node, gap))
        rows.append(
            _bridge_row(graph, node, other, gap, mode, f"dead end over {far:.0f} km from its neighbour by network")
        )
    return rows


def find_facing_ends(graph: Graph, gauge: np.ndarray, *, mode: str, max_gap_km: float) -> list[dict[str, object]]:
    """Find dead ends of one country that face each other across a gap: mostly a bridge over a river that the source lost.

    Each must head for the other (cosine 0.5 at least, 0.8 on average), and they must be over 60 km, and eight times the gap,
    apart by network.
    """
    neighbours = _adjacency(graph)
    degree = np.array([len(n) for n in neighbours])
    label, part_km = components(graph)
    leaf = np.flatnonzero((degree == 1) & (part_km[label] >= FACING_PART_KM))
    points = sphere_points(graph.lon, graph.lat)
    heading = _headings(graph, points)
    found = []
    for node, near in zip(leaf.tolist(), cKDTree(points[leaf]).query_ball_point(points[leaf], max_gap_km), strict=True):
        for other in leaf[near].tolist():
            step = points[other] - points[node]
            gap = float(np.linalg.norm(step))
            if other <= node or gap == 0 or graph.country[node] != graph.country[other]:
                continue
            towards = float(step @ heading[node]) / gap, -float(step @ heading[other]) / gap
            if (
                min(towards) >= 0.5
                and sum(towards) >= 2 * FACING_COSINE
                and (gauge[node] == gauge[other] or 0 in (gauge[node], gauge[other]))
            ):
                found.append((gap, node, other))
    rows = []
    for gap, node, other in sorted(found):
        if _within(neighbours, node, other, max(FACING_DETOUR_KM, FACING_RATIO * gap)):
            continue
        neighbours[node].append((other, gap))
        neighbours[other].append((node, gap))
        rows.append(_bridge_row(graph, node, other, gap * FACING_LENGTH, mode, "dead ends of one line face each other"))
    return rows


def _adjacency(graph: Graph) -> list[list[tuple[int, float]]]:
    neighbours: list[list[tuple[int, float]]] = [[] for _ in range(graph.n_nodes)]
    for tail, head, km in zip(graph.tail.tolist(), graph.head.tolist(), graph.km.tolist(), strict=True):
        neighbours[tail].append((head, km))
        neighbours[head].append((tail, km))
    return neighbours


def _headings(graph: Graph, points: np.ndarray) -> np.ndarray:
    """By dead end, the direction in which its line was going (unit vectors; meaningless for other nodes)."""
    heading = np.zeros_like(points)
    for tail, head, inner in zip(graph.tail.tolist(), graph.head.tolist(), graph.inner, strict=True):
        for end, before in ((tail, (*inner, head)), (head, (*inner[::-1], tail))):
            far = next(
                (node for node in before if np.linalg.norm(points[node] - points[end]) >= HEADING_KM), before[-1]
            )
            step = points[end] - points[far]
            heading[end] = step / max(float(np.linalg.norm(step)), 1e-9)
    return heading


def _within(neighbours: list[list[tuple[int, float]]], start: int, goal: int, limit_km: float) -> bool:
    """Whether a path no longer than the limit joins two nodes."""
    done: set[int] = set()
    heap = [(0.0, start)]
    while heap:
        far, node = heappop(heap)
        if node == goal:
            return True
        if node in done:
            continue
        done.add(node)
        for other, km in neighbours[node]:
            if other not in done and far + km <= limit_km:
                heappush(heap, (far + km, other))
    return False


def _bridge_row(graph: Graph, a: int, b: int, gap_km: float, mode: str, reason: str) -> dict[str, object]:
    return {
        "mode": mode,
        "lon_a": round(float(graph.lon[a]), 3),
        "lat_a": round(float(graph.lat[a]), 3),
        "lon_b": round(float(graph.lon[b]), 3),
        "lat_b": round(float(graph.lat[b]), 3),
        "gap_km": round(max(gap_km, 0.01), 2),
        "reason": reason,
    }


def assign_gauge(
    lon: np.ndarray, lat: np.ndarray, country: np.ndarray, rows: list[dict[str, str]], codes: tuple[str, ...]
) -> np.ndarray:
    """Track gauge in mm by place: the country's, then its boxes in the order listed; 0 where unknown."""
    known = {code: number for number, code in enumerate(codes)}
    gauge = np.zeros(len(lon), dtype=np.uint16)
    for row in rows:
        here = country == known[row["country"]]
        if row["west"]:
            here &= (
                (lon >= float(row["west"]))
                & (lon <= float(row["east"]))
                & (lat >= float(row["south"]))
                & (lat <= float(row["north"]))
            )
        gauge[here] = int(row["gauge_mm"])
    return gauge
