"""The program as a whole; its numbered families, on instances solved by hand, are in test_formulation_*.py."""

from __future__ import annotations

from hubplan.model.formulation import build_model
from model.conftest import tiny_world

FAMILIES = {
    "capacity", "largest size", "smallest size", "closed sends nothing", "open stays open", "built stays built",
    "balance", "demand", "by-product market", "reported output", "reported output limit", "offtake lock", "whole lane", "growth",
    "closed stays closed", "rule",
}  # fmt: skip


def test_rows_can_be_traced_to_their_family():
    """One row of each kind in a world that has them all; columns and rows as many as the arrays say."""
    world = tiny_world(years=(2030, 2031), need_t=(30.0, 30.0))
    world.sell, world.stock, world.must_open = ("salt",), ("oxide",), ("north",)
    world.facility("old", existing=5, keep_usd_yr=1.0, takes={"ore": 1}, makes={"salt": 1})
    world.note("byproducts", commodity="salt", period=0, limit_t=1.0, price_usd_t=1.0)
    world.note("fixed_output", process=0, period=0, output_t=60.0)
    world.note("output_limits", facility=1, commodity="oxide", period=0, output_t=40.0)
    world.lane("concentrate@mine", "mine", "north").lane("oxide", "north", "other", whole=True).demand(
        "other", "oxide", 1
    )
    world.note("locks", mine="mine", country="AUS", period=0, share=0.5)
    world.note("growth", stage="separation_light", period=0, most_t_yr=900.0)
    arrays, var = build_model(world.budget(budget_usd=1e9, max_hubs=5).build())
    assert set(arrays.families) == FAMILIES
    assert [stop - start for start, stop in arrays.families.values()][-1] == 3
    assert (
        sum(stop - start for start, stop in arrays.families.values()) == len(arrays.row_lower) == arrays.matrix.shape[0]
    )
    assert arrays.matrix.shape[1] == len(arrays.cost) == len(arrays.integer)
    assert var.opened.shape == (4, 2) and var.flow.shape == (6, 2) and var.broken.tolist() == [-1, -1, -1]


def test_each_row_has_a_term():
    """A row without one either says nothing, or that there is no plan."""
    arrays, _ = build_model(tiny_world(years=(2030, 2031)).build())
    assert (abs(arrays.matrix) > 0).sum(axis=1).min() >= 1


def test_the_program_is_the_same_twice(tiny_blocks):
    first, second = (build_model(tiny_blocks)[0].to_proto().SerializeToString(deterministic=True) for _ in range(2))
    assert first == second
