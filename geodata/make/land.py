"""Make the rail and road extracts from the OSM-derived graphs of PyPI ``scgraph_data`` 2.0.0 (ODbL)."""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import shapely
from archive import write_arrays
from countries import Countries, fetch_world_atlas, label_points, read_countries, write_outlines
from graph import Graph, contract, drop_small_parts, great_circle_km, mark_borders, merge_cells, no_inner, select_edges
from repairs import (
    add_links,
    assign_gauge,
    close_borders,
    close_gaps,
    closed_pairs,
    drop_places,
    find_dead_end_bridges,
    find_facing_ends,
    find_part_bridges,
    read_rows,
    write_rows,
)

REPAIRS = Path(__file__).resolve().parent.parent / "repairs"
MIN_PART_KM = 50.0
GRID = 1000  # stored coordinates are thousandths of a degree, as in the source


@dataclass(frozen=True)
class Mode:
    """How one mode is reduced.

    Parameters
    ----------
    name, module
        Our name, and the module of ``scgraph_data``.
    length_factor
        The road source measures chords between thinned points: published roads are some 5 % longer (on 16 pairs).
    cell_km, offset_share
        Merging of junctions (see ``graph.merge_cells``). The shares leave paths over 200 km right within 0.05 % at the
        median, and within 2 % nearly always.
    tolerance_deg
        Simplification of the drawn line.
    dead_end_gap_km
        Widest gap closed at a dead end within one part. Closing all gaps of 1.5 km between railways made false
        shortcuts.
    facing_gap_km
        Widest gap closed between dead ends that face each other.
    """

    name: str
    module: str
    length_factor: float
    cell_km: float
    offset_share: float
    tolerance_deg: float
    dead_end_gap_km: float
    facing_gap_km: float


RAIL = Mode("rail", "world_railways", 1.0, 1.0, 0.9, 0.005, 0.5, 12.0)
ROAD = Mode("road", "world_highways", 1.05, 2.0, 0.8, 0.01, 1.5, 3.0)


def build(out: Path, *, atlas: Path | None = None) -> None:
    """Write ``network/osm/{rail,road}.npz`` and ``network/land50.npz`` under ``out``."""
    atlas = fetch_world_atlas(atlas)
    areas = REPAIRS / "country_areas.csv"
    countries = read_countries(atlas, areas)
    write_outlines(atlas, areas, out)
    for mode in (RAIL, ROAD):
        graph, along_km = build_mode(mode, countries)
        write_extract(out / "network" / "osm" / f"{mode.name}.npz", graph, along_km, countries=countries, mode=mode)


def find_bridges(*, atlas: Path | None = None) -> None:
    """Search the sources for broken joins and write ``repairs/bridges.csv`` anew."""
    countries = read_countries(fetch_world_atlas(atlas), REPAIRS / "country_areas.csv")
    rows: list[dict[str, object]] = []
    for mode in (RAIL, ROAD):
        graph = repaired_source(mode, countries)
        gauge = assign_gauge(graph.lon, graph.lat, graph.country, read_rows(REPAIRS / "gauges.csv"), countries.codes)
        if mode is ROAD:
            gauge[:] = 0
        shut = closed_pairs(read_rows(REPAIRS / "closed_borders.csv"), countries.codes, mode=mode.name)
        found = find_part_bridges(graph, shut, gauge, mode=mode.name)
        found += find_dead_end_bridges(
            _closed(graph, found, mode),
            shut,
            gauge,
            mode=mode.name,
            max_gap_km=mode.dead_end_gap_km,
            both_ends=mode is RAIL,
        )
        closed = _closed(graph, found, mode)
        found += find_facing_ends(closed, gauge, mode=mode.name, max_gap_km=mode.facing_gap_km)
        rows += found
    write_rows(REPAIRS / "bridges.csv", rows)


def _closed(graph: Graph, rows: list[dict[str, object]], mode: Mode) -> Graph:
    """The graph with gaps closed, contracted."""
    text = [{key: str(value) for key, value in row.items()} for row in rows]
    return contract(mark_borders(close_gaps(graph, text, mode=mode.name)))


def read_source(mode: Mode, countries: Countries) -> Graph:
    """Read one graph of ``scgraph_data`` as text: importing it would start the library's own graph engine."""
    spec = importlib.util.find_spec("scgraph_data")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("scgraph_data is not installed: pip install 'hubplan[geodata]'")
    lines = (Path(spec.origin).parent / f"{mode.module}.py").read_text(encoding="utf-8").split("\n")
    graph_text = next(line for line in lines if line.startswith("graph="))
    nodes = np.array(json.loads(next(line for line in lines if line.startswith("nodes="))[len("nodes=") :]))
    neighbours = graph_text[graph_text.index("[") + 1 : graph_text.rindex("]")].split("}")[:-1]
    count = np.array([text.count(":") for text in neighbours])
    numbers = np.array(re.sub(r"[^0-9.eE-]+", " ", graph_text[len("graph=[") : -1]).split(), dtype=float)
    tail, head, km = np.repeat(np.arange(len(nodes)), count), numbers[0::2].astype(np.int64), numbers[1::2]
    once = tail < head  # both directions are stored; loops weigh nothing
    lat, lon = nodes.T
    return Graph(
        lon=lon,
        lat=lat,
        country=label_points(countries, lon, lat),
        tail=tail[once],
        head=head[once],
        km=km[once] * mode.length_factor,
        bridge=np.zeros(once.sum(), dtype=bool),
        link=np.zeros(once.sum(), dtype=np.int64),
        inner=no_inner(int(once.sum())),
        anchor=np.zeros(len(nodes), dtype=bool),
    )


def repaired_source(mode: Mode, countries: Countries) -> Graph:
    """The source with closed borders and listed parts dropped, and hand-entered links added."""
    graph = read_source(mode, countries)
    graph = close_borders(graph, read_rows(REPAIRS / "closed_borders.csv"), countries.codes, mode=mode.name)
    graph = drop_places(graph, read_rows(REPAIRS / "drops.csv"), mode=mode.name)
    graph = close_gaps(graph, read_rows(REPAIRS / "joins.csv"), mode=mode.name)
    graph = add_links(graph, read_rows(REPAIRS / "links.csv"), mode=mode.name)
    return replace(
        graph,
        country=np.where(graph.country > 0, graph.country, label_points(countries, graph.lon, graph.lat)).astype(
            np.uint8
        ),
    )


def build_mode(mode: Mode, countries: Countries) -> tuple[Graph, np.ndarray]:
    """Repair, contract and merge one mode.

    Returns
    -------
    graph, along_km
        Nodes numbered along a curve; by edge, the length from its tail to the tail (0) and to each inner node.
    """
    source = close_gaps(repaired_source(mode, countries), read_rows(REPAIRS / "bridges.csv"), mode=mode.name)
    graph = drop_small_parts(contract(mark_borders(source)), min_km=MIN_PART_KM)
    graph = contract(merge_cells(graph, cell_km=mode.cell_km, offset_share=mode.offset_share))
    graph, source = _sorted_along_curve(graph, source)
    return graph, _measure_inner(graph, source)


def write_extract(path: Path, graph: Graph, along_km: np.ndarray, *, countries: Countries, mode: Mode) -> None:
    """Write nodes, edges and drawn lines, delta coded (``hubplan.network.land`` reads them back)."""
    links = read_rows(REPAIRS / "links.csv")
    count = int(max(graph.tail.max(), graph.head.max())) + 1  # used nodes come first
    x, y = (np.round(v[:count] * GRID).astype(np.int32) for v in (graph.lon, graph.lat))
    start, line_x, line_y, line_km = _drawn_lines(graph, tolerance_deg=mode.tolerance_deg, along_km=along_km)
    middle = [_middle(graph, e) for e in range(graph.n_edges)]
    gauge = np.zeros(graph.n_edges, dtype=np.uint16)
    if mode is RAIL:
        lon, lat = np.array(middle).T
        gauge = assign_gauge(lon, lat, graph.country[graph.tail], read_rows(REPAIRS / "gauges.csv"), countries.codes)
    link = graph.link
    own = np.array([int(row["gauge_mm"] or 0) for row in links] or [0])
    gauge[link > 0] = own[link[link > 0] - 1]
    used = sorted({int(v) for v in link[link > 0]})
    position = {number: k + 1 for k, number in enumerate(used)}
    write_arrays(
        path,
        {
            "node_x": np.diff(x, prepend=0).astype(np.int32),
            "node_y": np.diff(y, prepend=0).astype(np.int32),
            "node_country": graph.country[:count],
            "country": np.array(countries.codes, dtype="U3"),
            "tail": np.diff(graph.tail, prepend=0).astype(np.int32),
            "head": (graph.head - graph.tail).astype(np.int32),
            "length_10m": np.round(graph.km * 100).astype(np.int32),
            "gauge_mm": gauge,
            "bridge": graph.bridge.astype(bool),
            "link": np.array([position.get(int(v), 0) for v in link], dtype=np.uint16),
            "link_name": np.array([links[n - 1]["name"] for n in used], dtype=np.str_),
            "link_zone": np.array([links[n - 1]["zone"] for n in used], dtype=np.str_),
            "link_opens_year": np.array([int(links[n - 1]["opens_year"] or 0) for n in used], dtype=np.int16),
            "link_assumed": np.array([links[n - 1]["basis"] == "assumed" for n in used], dtype=bool),
            "line_count": np.diff(start).astype(np.uint16),
            "line_dx": line_x,
            "line_dy": line_y,
            "line_10m": line_km,
            "about": np.array(
                f"(c) OpenStreetMap contributors, ODbL 1.0; from PyPI scgraph_data 2.0.0 {mode.module}; "
                f"made by geodata/make/land.py; lengths are the source's x {mode.length_factor:g}"
            ),
        },
    )


def _drawn_lines(
    graph: Graph, *, tolerance_deg: float, along_km: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Simplified inner points of each edge, as steps from the tail: thousandths of a degree, 10 m along the track."""
    start, steps_x, steps_y, steps_km = [0], [np.zeros(0)], [np.zeros(0)], [np.zeros(0)]
    for edge in range(graph.n_edges):
        inner = graph.inner[edge]
        count = 0
        if inner:
            path = [graph.tail[edge], *inner, graph.head[edge]]
            xy = np.column_stack([np.unwrap(graph.lon[path], period=360), graph.lat[path]])
            measured = np.append(along_km[edge], graph.km[edge])
            line = shapely.LineString(np.column_stack([xy, np.arange(len(xy))]))
            kept = shapely.get_coordinates(
                shapely.simplify(line, tolerance_deg, preserve_topology=False), include_z=True
            )
            number = np.round(kept[1:-1, 2]).astype(int)
            step = np.diff(np.round(kept[:, :2] * GRID).astype(np.int32), axis=0)[:-1]
            count = len(step)
            steps_x.append(step[:, 0])
            steps_y.append(step[:, 1])
            steps_km.append(np.diff(np.round(measured[number] * 100), prepend=0))
        start.append(start[-1] + count)
    x, y, km = (np.concatenate(steps).astype(np.int32) for steps in (steps_x, steps_y, steps_km))
    return np.array(start), x, y, km


def _measure_inner(graph: Graph, source: Graph) -> np.ndarray:
    """By edge, the length from its tail to the tail itself (0) and to each inner node.

    Steps that are edges of the source have their length; others (through a merged node) the great circle. All are
    scaled so that the steps of an edge sum to its length.
    """
    low, high = np.minimum(source.tail, source.head), np.maximum(source.tail, source.head)
    order = np.lexsort((source.km, high, low))
    key, km = (low * source.n_nodes + high)[order], source.km[order]
    along = np.empty(graph.n_edges, dtype=object)
    for edge in range(graph.n_edges):
        inner = graph.inner[edge]
        if not inner:
            continue
        path = np.array([graph.tail[edge], *inner, graph.head[edge]])
        step = (
            great_circle_km(graph.lon[path[:-1]], graph.lat[path[:-1]], graph.lon[path[1:]], graph.lat[path[1:]]) + 1e-6
        )
        wanted = np.minimum(path[:-1], path[1:]) * source.n_nodes + np.maximum(path[:-1], path[1:])
        at = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
        step = np.where(key[at] == wanted, km[at], step)
        along[edge] = np.append(0.0, np.cumsum(step)[:-1]) * graph.km[edge] / step.sum()
    return along


def _middle(graph: Graph, edge: int) -> tuple[float, float]:
    """A point in the middle of an edge: its middle inner node, else the middle of its chord."""
    inner = graph.inner[edge]
    if inner:
        node = inner[len(inner) // 2]
        return float(graph.lon[node]), float(graph.lat[node])
    tail, head = graph.tail[edge], graph.head[edge]
    return float(graph.lon[tail] + ((graph.lon[head] - graph.lon[tail] + 180) % 360 - 180) / 2), float(
        (graph.lat[tail] + graph.lat[head]) / 2
    )


def _sorted_along_curve(graph: Graph, source: Graph) -> tuple[Graph, Graph]:
    """Number nodes along a space-filling curve, so that differences are small; unused ones come last."""
    used = np.zeros(graph.n_nodes, dtype=bool)
    used[graph.tail] = used[graph.head] = True
    x = np.round((graph.lon + 180) * GRID).astype(np.uint64)
    y = np.round((graph.lat + 90) * GRID).astype(np.uint64)
    code = np.zeros(graph.n_nodes, dtype=np.uint64)
    for bit in range(19):
        code |= ((x >> np.uint64(bit)) & np.uint64(1)) << np.uint64(2 * bit)
        code |= ((y >> np.uint64(bit)) & np.uint64(1)) << np.uint64(2 * bit + 1)
    order = np.lexsort((np.arange(graph.n_nodes), code, ~used))
    rank = np.empty(graph.n_nodes, dtype=np.int64)
    rank[order] = np.arange(graph.n_nodes)
    inner = no_inner(graph.n_edges)
    swap = rank[graph.tail] > rank[graph.head]
    tail = np.where(swap, rank[graph.head], rank[graph.tail])
    head = np.where(swap, rank[graph.tail], rank[graph.head])
    for edge, passed in enumerate(graph.inner):
        inner[edge] = tuple(rank[list(passed[::-1] if swap[edge] else passed)].tolist()) if passed else ()
    renamed = replace(
        graph,
        lon=graph.lon[order],
        lat=graph.lat[order],
        country=graph.country[order],
        anchor=graph.anchor[order],
        tail=tail,
        head=head,
        inner=inner,
    )
    return select_edges(renamed, np.lexsort((renamed.km, head, tail))), replace(
        source, tail=rank[source.tail], head=rank[source.head]
    )
