"""What a column's suffix promises, and the few conversions between cargo measures."""

from __future__ import annotations

from typing import Final

UNIT_OF_SUFFIX: Final[dict[str, str]] = {
    "_usd_t_yr": "USD/(t/yr)",
    "_usd_tkm": "USD/tkm",
    "_usd_reo_t": "USD/t",
    "_usd_t": "USD/t",
    "_usd_kg": "USD/kg",
    "_g_tkm": "g/tkm",
    "_usd": "USD",
    "_t_yr": "t/yr",
    "_t_t": "t/t",
    "_mwh_t": "MWh/t",
    "_m3_t": "m3/t",
    "_reo_t": "t",
    "_t": "t",
    "_teu": "TEU",
    "_kmh": "km/h",
    "_km": "km",
    "_mm": "mm",
    "_m": "m",
    "_h": "h",
    "_days": "d",
    "_years": "yr",
    "_year": "year",
    "_share": "1",
    "_factor": "1",
    "_index": "1",
}
"""Longest suffix first: the first that fits a name is its unit. Shares run from 0 to 1, never percent."""

PAYLOAD_T_TEU: Final = 20.0
"""Heavy cargo fills a 20-foot container by weight, not by room: about 20 t gross, for road limits; assumed."""


def unit_of(name: str) -> str | None:
    """Read the unit off a column, parameter or field name.

    Parameters
    ----------
    name
        Such as ``capacity_t_yr``; a name that is a suffix itself (``share``) counts too.

    Returns
    -------
    str or None
        The unit, or None where the name promises none.
    """
    return next((unit for suffix, unit in UNIT_OF_SUFFIX.items() if f"_{name}".endswith(suffix)), None)


def teu_of_tonnage(gross_t: float, *, payload_t_teu: float = PAYLOAD_T_TEU) -> float:
    """Convert gross tonnes to 20-foot container slots.

    Parameters
    ----------
    gross_t
        Gross mass with packing, in t; at least 0.
    payload_t_teu
        Load of one container, in t.

    Raises
    ------
    ValueError
        A negative mass, or a payload that is not above 0.
    """
    if gross_t < 0 or payload_t_teu <= 0:
        raise ValueError(f"{gross_t:g} t at {payload_t_teu:g} t a TEU: give a mass of at least 0 and a payload above 0")
    return gross_t / payload_t_teu


def tonnage_of_teu(teu: float, *, payload_t_teu: float = PAYLOAD_T_TEU) -> float:
    """Convert container slots to the gross tonnes they hold at most; the inverse of :func:`teu_of_tonnage`."""
    if teu < 0 or payload_t_teu <= 0:
        raise ValueError(f"{teu:g} TEU at {payload_t_teu:g} t each: give slots of at least 0 and a payload above 0")
    return teu * payload_t_teu
