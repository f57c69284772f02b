"""Ways between two places that differ meaningfully: by strait, by port, by mode, or over most of their length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np
from scipy.spatial import cKDTree

from hubplan.data.access import Access
from hubplan.data.tables import Tables
from hubplan.network.assemble import Network
from hubplan.network.sea import EARTH_KM
from hubplan.routing.columns import columns
from hubplan.routing.cost import SEA_MODES
from hubplan.routing.graph import open_arcs
from hubplan.routing.legs import Path, draw_path, resample
from hubplan.routing.paths import Field, Journey, build_field, no_route, price_arcs, tell_journey
from hubplan.routing.places import resolve_place

_MAX_COST_RATIO = 2.0
_MAX_SHARED = 0.65
_MAX_SHARED_ELSEWISE = 0.95
"""Largest share of its length that a way may have in common with a better one, and the same if it takes other straits
or ports."""
_NEAR_KM = 100.0
"""Ways this close are the same corridor."""
_PENALTY = 0.5
_ROUNDS = 3


def find_alternatives(
    network: Network,
    tables: Tables,
    origin: str,
    destination: str,
    access: Access,
    *,
    ware: str,
    year: int,
    k: int,
    surcharge_usd_t: Mapping[str, float] = MappingProxyType({}),
) -> tuple[Journey, ...]:
    """Find up to ``k`` ways that differ meaningfully, the cheapest first.

    Parameters
    ----------
    k
        At least 1; fewer are returned when the network has no more at up to twice the cheapest's generalised cost.

    Returns
    -------
    tuple of Journey
        Each loopless, by rising generalised cost. The first is the cheapest way, exactly; the others are the cheapest found by
        closing, one at a time, the straits, ports and modes of ways found before, and by making their arcs dearer (the penalty
        method). A way counts as different if at most 65 % of its length lies within 100 km of a better one, or 95 % if it
        passes other straits or calls at other ports.

    Raises
    ------
    NoRouteError
        As `find_path`.
    """
    start = resolve_place(origin, tables, network, modes=access.modes)
    end = resolve_place(destination, tables, network, modes=access.modes)
    prices = price_arcs(network, tables, ware=ware, surcharge_usd_t=surcharge_usd_t)
    field = build_field(network, prices.cost_usd_t, usable=open_arcs(network, access, year=year), destination=end.node)
    best = field.search(start.node)
    if best is None:
        raise no_route(network, prices, start, end, access, year=year)
    chosen = [best]
    if k > 1 and len(best.arcs):
        limit = _MAX_COST_RATIO * float(prices.cost_usd_t[best.arcs].sum())
        found = _candidates(network, field, prices.cost_usd_t, start.node, best, limit)
        for path in sorted(found, key=lambda path: float(prices.cost_usd_t[path.arcs].sum())):
            if len(chosen) < k and all(_differs(network, path, other) for other in chosen):
                chosen.append(path)
    return tuple(tell_journey(network, path, prices, origin=start, destination=end, ware=ware) for path in chosen)


def _candidates(network: Network, field: Field, cost: np.ndarray, origin: int, best: Path, limit: float) -> list[Path]:
    """Cheapest ways without each strait, port and mode of the best way; and the same from the ways found by penalty."""
    found: list[Path] = []
    tried: set[tuple[str, str]] = set()
    penalised = cost.copy()
    path: Path | None = best
    for _ in range(_ROUNDS):
        if path is None:
            break
        for name, closed in _features(network, path):
            if name not in tried:
                tried.add(name)
                detour = field.reprice(np.where(closed, np.inf, cost)).search(origin, limit_usd_t=limit)
                found += [detour] if detour is not None else []
        penalised[path.arcs] *= 1 + _PENALTY
        path = field.reprice(penalised).search(origin, limit_usd_t=limit * (1 + _PENALTY) ** _ROUNDS)
        found += [path] if path is not None and float(cost[path.arcs].sum()) <= limit else []
    return found


def _features(network: Network, path: Path) -> Iterator[tuple[tuple[str, str], np.ndarray]]:
    """What a way passes: each strait, port called at, and mode; with the arcs to close to do without."""
    at = columns(network)
    mode = at.mode
    for column in np.flatnonzero(network.crosses[path.arcs].any(axis=0)):
        yield ("zone", network.zones[column]), network.crosses[:, column]
    for arc in path.arcs[mode[path.arcs] == "port"]:
        closed = np.zeros(len(mode), dtype=bool)
        closed[arc] = True
        yield ("port", str(arc)), closed
    for name in ("rail", "road", "sea"):
        if (mode[path.arcs] == name).any():
            yield ("mode", name), at.any_mode(*SEA_MODES) if name == "sea" else at.any_mode(name)


def _differs(network: Network, path: Path, better: Path) -> bool:
    shared = _shared(network, path, better)
    return shared <= _MAX_SHARED or (
        shared <= _MAX_SHARED_ELSEWISE and _marks(network, path) != _marks(network, better)
    )


def _shared(network: Network, path: Path, better: Path) -> float:
    """Share of a way that runs near a better one, whether or not over the same arcs."""
    points, others = (_unit(resample(draw_path(network, way), step_km=_NEAR_KM / 2)) for way in (path, better))
    chord = 2 * np.sin(_NEAR_KM / EARTH_KM / 2)
    return float(np.isfinite(cKDTree(others).query(points, distance_upper_bound=chord)[0]).mean())


def _unit(lonlat: np.ndarray) -> np.ndarray:
    lon, lat = np.radians(lonlat).T
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def _marks(network: Network, path: Path) -> tuple[frozenset[int], frozenset[int]]:
    """Straits passed and port calls made."""
    mode = columns(network).mode[path.arcs]
    passed = frozenset(np.flatnonzero(network.crosses[path.arcs].any(axis=0)).tolist())
    return passed, frozenset(path.arcs[mode == "port"].tolist())
