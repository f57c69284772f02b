"""Suffixes promise units; containers convert both ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubplan.data.units import teu_of_tonnage, tonnage_of_teu, unit_of


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("capacity_t_yr", "t/yr"),
        ("capex_usd_t_yr", "USD/(t/yr)"),
        ("capacity_reo_t_yr", "t/yr"),
        ("opex_usd_reo_t", "USD/t"),
        ("haul_usd_t", "USD/t"),
        ("sea_usd_tkm", "USD/tkm"),
        ("flow_t", "t"),
        ("co2_t_t", "t/t"),
        ("power_mwh_t", "MWh/t"),
        ("water_m3_t", "m3/t"),
        ("length_km", "km"),
        ("pier_depth_m", "m"),
        ("share", "1"),
        ("chinese_share", "1"),
        ("year", "year"),
        ("name", None),
        ("part", None),
    ],
)
def test_suffix_says_the_unit(name: str, unit: str | None) -> None:
    assert unit_of(name) == unit


def test_sixty_tonnes_fill_three_containers() -> None:
    assert teu_of_tonnage(60) == 3


@given(st.floats(0, 1e9), st.floats(0.1, 100))
def test_there_and_back(gross_t: float, payload_t: float) -> None:
    teu = teu_of_tonnage(gross_t, payload_t_teu=payload_t)
    assert tonnage_of_teu(teu, payload_t_teu=payload_t) == pytest.approx(gross_t)


@pytest.mark.parametrize(("mass", "payload"), [(-1, 20), (1, 0), (1, -3)])
def test_refuses_what_cannot_be(mass: float, payload: float) -> None:
    with pytest.raises(ValueError, match="give"):
        teu_of_tonnage(mass, payload_t_teu=payload)
    with pytest.raises(ValueError, match="give"):
        tonnage_of_teu(mass, payload_t_teu=payload)
