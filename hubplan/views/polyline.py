"""Lines on a map: unwrapped at the antimeridian, and packed into short strings.

The packing is Google's encoded polyline (deltas, zigzag, five bits a character) with an alphabet that needs no escape
in JSON, HTML, JavaScript or a template.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-."
LAND_SCALE = 100  # hundredths of a degree, about 1.1 km: enough for Natural Earth 1:50 million
LINE_SCALE = 200  # a 200th of a degree, about 550 m: two pixels at the closest zoom

_CODES = np.frombuffer(ALPHABET.encode(), dtype=np.uint8)
_VALUES = np.full(256, 255, dtype=np.uint8)
_VALUES[_CODES] = np.arange(64, dtype=np.uint8)
_MAX_CHARS = 7  # 35 bits: any coordinate difference at any scale used here


def unwrap(lon: ArrayLike) -> NDArray[np.float64]:
    """Make longitudes continuous, the first in [-180, 180).

    Parameters
    ----------
    lon
        Degrees, in order of travel; no true step is longer than 180.
    """
    values = np.unwrap(np.asarray(lon, dtype=float), period=360.0)
    if values.size == 0:
        return values
    return np.asarray(values - 360.0 * np.floor((values[0] + 180.0) / 360.0))


def encode(lon: ArrayLike, lat: ArrayLike, *, scale: int = LINE_SCALE) -> str:
    """Pack a line into a string.

    Parameters
    ----------
    lon, lat
        Degrees; longitudes already unwrapped.
    scale
        Units per degree; positions are rounded to 1/scale.
    """
    points = np.rint(np.column_stack([lat, lon]).astype(float) * scale).astype(np.int64)
    deltas = np.diff(points, axis=0, prepend=np.zeros((1, 2), dtype=np.int64)).ravel()
    packed = np.where(deltas < 0, ~(deltas << 1), deltas << 1)
    chunks = packed[:, None] >> (5 * np.arange(_MAX_CHARS))
    used = np.maximum((chunks > 0).sum(axis=1), 1)
    position = np.arange(_MAX_CHARS)
    letters = (chunks & 31) | np.where(position < used[:, None] - 1, 32, 0)
    text: bytes = _CODES[letters[position < used[:, None]]].tobytes()
    return text.decode()


def decode(text: str, *, scale: int = LINE_SCALE) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unpack a line; gives (lon, lat) in degrees.

    Raises
    ------
    ValueError
        The text was not made by `encode`.
    """
    letters = _VALUES[np.frombuffer(text.encode(), dtype=np.uint8)].astype(np.int64)
    ends = np.flatnonzero((letters & 32) == 0)
    if letters.size == 0 or (letters == 255).any() or ends.size == 0 or ends.size % 2 or ends[-1] != letters.size - 1:
        raise ValueError("not an encoded line")
    starts = np.concatenate([[0], ends[:-1] + 1])
    place = np.arange(letters.size) - np.repeat(starts, ends - starts + 1)
    packed = np.add.reduceat((letters & 31) << (5 * place), starts)
    deltas = np.where(packed & 1, ~(packed >> 1), packed >> 1).reshape(-1, 2)
    lat, lon = np.cumsum(deltas, axis=0).T / scale
    return lon, lat


def simplify(lon: ArrayLike, lat: ArrayLike, *, tolerance: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Drop vertices closer than `tolerance` degrees to the line that stays (Douglas and Peucker, 1973)."""
    import shapely

    line = shapely.linestrings(np.column_stack([lon, lat]))
    kept = shapely.get_coordinates(shapely.simplify(line, tolerance, preserve_topology=False))
    return kept[:, 0], kept[:, 1]
