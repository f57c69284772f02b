"""The world behind the map: Natural Earth 1:50 million, packed into one script that needs no network.

`python -m hubplan.views.basemap` rebuilds ``assets/land.js`` from ``geodata/network/land50.npz``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hubplan.data.shipped import shipped_path
from hubplan.views.polyline import LAND_SCALE, decode, encode, simplify

ASSETS = Path(__file__).resolve().parent / "assets"
_OPENING = "window.hubplanLand="
_TOLERANCE = 0.02  # degrees: what leaving vertices out may move a coast
_LEFT_OUT = ("ATA",)  # no route of ours goes there, and it is a tenth of the vertices

Rings = Mapping[str, tuple[str, ...]]


def build_land_script(land: Path) -> str:
    """Pack the land's rings by country into a script.

    Parameters
    ----------
    land
        ``land50.npz``: ``lon``, ``lat`` of all vertices; ``ring_start``, offsets of the rings and their end; ``iso3``,
        the codes ("" = none); ``ring_code``, position in ``iso3`` of each ring. Rings are cut at the antimeridian.
    """
    with np.load(land, allow_pickle=False) as file:
        start, lon, lat, iso3, ring_code = (file[name] for name in ("ring_start", "lon", "lat", "iso3", "ring_code"))
    rings: dict[str, list[str]] = {}
    for code, first, last in zip(iso3[ring_code].tolist(), start[:-1], start[1:], strict=True):
        if code not in _LEFT_OUT:
            rings.setdefault(str(code), []).append(_pack(lon[first:last], lat[first:last]))
    kept = {code: [ring for ring in rings[code] if ring] for code in sorted(rings)}
    return f"{_OPENING}{json.dumps(kept, separators=(',', ':'))};\n"


def _pack(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> str:
    """Pack a ring; "" when it is smaller than the map can show."""
    points = np.rint(np.column_stack(simplify(lon, lat, tolerance=_TOLERANCE)) * LAND_SCALE)
    points = points[np.r_[True, (np.diff(points, axis=0) != 0).any(axis=1)]] / LAND_SCALE
    return encode(points[:, 0], points[:, 1], scale=LAND_SCALE) if len(points) > 3 else ""


@cache
def read_land() -> Rings:
    """Read the packed rings by country (ISO 3166-1 alpha-3, "" = none)."""
    text = (ASSETS / "land.js").read_text(encoding="ascii")
    rings: dict[str, list[str]] = json.loads(text.removeprefix(_OPENING).rstrip().removesuffix(";"))
    return {code: tuple(values) for code, values in rings.items()}


def land_rings(code: str) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Unpack the rings of one country as (lon, lat) in degrees."""
    return [decode(ring, scale=LAND_SCALE) for ring in read_land().get(code, ())]


if __name__ == "__main__":
    land = shipped_path("geodata") / "network" / "land50.npz"
    (ASSETS / "land.js").write_text(build_land_script(land), encoding="ascii")
