"""Family (13) of docs/model.md on instances solved by hand: what stands serves when one thing is lost, what is closed not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hubplan.model.contingency import Contingencies, Loss
from hubplan.model.instance import Instance
from model.worlds import cost, hub, shop, solve


def old_and_new(
    *years: int, need_t: float | tuple[float, ...], share: float, short_usd_t: float, keep_usd_yr: float = 0.0
) -> Instance:
    """Old stands with 50 t/yr and runs at 5 a tonne; New may be built at 10 a t/yr and runs at 1. New may be lost."""
    world = shop(*years)
    hub(world, "old", need_t=0, existing=50, opex_usd_t=5, keep_usd_yr=keep_usd_yr)
    inst = hub(world, "new", need_t=need_t, sizes=(0, 500), slope_usd_t_yr=10, opex_usd_t=1).build()
    stands = (inst.facilities["facility"] != "new").to_numpy()
    loss = Loss(name="new", stands=stands, lane_open=np.ones(4, dtype=bool), asks=np.ones(len(inst.demand), dtype=bool))
    rule = Contingencies(period=0, served_share=share, shortfall_usd_t=short_usd_t, losses=(loss,))
    return replace(inst, contingencies=rule)


def test_what_stands_serves_up_to_its_capacity():
    """100 t: 50 of Old at 5, 50 of New at 11: 800. Without New 60 are asked for and Old has 50: 10 short at 3."""
    inst = old_and_new(2030, need_t=100, share=0.6, short_usd_t=3)
    assert solve(inst).copies[0].short == pytest.approx([10])
    assert cost(inst) == pytest.approx(830)


def test_a_copy_is_a_year_whatever_the_length_of_its_block():
    """200 t over 2030-2031: twice 800; New's 50 t/yr are paid for in 2032 too, 500; a year's loss: 10 t short of 60, at 3."""
    inst = old_and_new(2030, 2032, need_t=(200, 0), share=0.6, short_usd_t=3)
    assert cost(inst) == pytest.approx(2 * 800 + 500 + 30)


def test_what_is_closed_does_not_serve():
    """Keeping Old costs 1000: it saves 300, so it is closed, and New makes 100 t for 1100. If 30 t are to be served without New,
    at 1000 a tonne short, 0.6 of Old is kept for 600, and runs for 30 t that New need not make: 30 * 6 = 180 less. 1520."""
    shut = old_and_new(2030, need_t=100, share=0.3, short_usd_t=1000, keep_usd_yr=1000)
    assert cost(replace(shut, contingencies=None)) == pytest.approx(1100)
    assert cost(shut) == pytest.approx(1520)


def test_running_in_a_copy_costs_nothing():
    """Operating costs of the copy do not count: with Old at 9 a tonne instead of 5, 830 becomes 800 + 200 + 30."""
    inst = old_and_new(2030, need_t=100, share=0.6, short_usd_t=3)
    dearer = inst.processes.assign(opex_usd_t=inst.processes["opex_usd_t"].replace(5.0, 9.0))
    assert cost(replace(inst, processes=dearer)) == pytest.approx(1030)
