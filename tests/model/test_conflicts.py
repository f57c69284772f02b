"""Which hard rules cannot hold together, and the least change that lets them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hubplan.errors import NoPlanError
from hubplan.model import conflicts
from hubplan.model.conflicts import conflict_faults, find_conflict
from hubplan.model.instance import Instance
from model.conftest import tiny_world
from model.worlds import InlineEngine, solve


@pytest.fixture(autouse=True)
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conflicts, "Engine", InlineEngine)


def bound(*names: str, **policy: Any) -> Instance:
    world = tiny_world()
    world.must_open = names
    return world.budget(**policy).build()


def named(inst: Instance, rows: tuple[int, ...]) -> set[str]:
    table = inst.rules.table
    return {f"{table['family'].iat[row]} {table['id'].iat[row]}" for row in rows}


def test_two_must_open_and_one_may():
    """North and South must open, one hub may: all three are needed for the conflict; one more hub (or one less must) ends it."""
    inst = bound("north", "south", max_hubs=1)
    found = find_conflict(inst)
    assert named(inst, found.rules) == {"max_hubs all", "must_open north", "must_open south"}
    assert sum(found.relaxation.values()) == pytest.approx(1)
    assert found.exact


def test_a_rule_that_has_no_part_in_it_is_left_out():
    """North costs 1000 USD to build and 10 may be spent: five hubs would be allowed, so the number is not to blame.

    The budget has to rise by 990 USD, 99 times its limit; not opening North breaks its rule by 1 of 1, which is less.
    """
    inst = bound("north", max_hubs=5, budget_usd=10.0)
    found = find_conflict(inst)
    assert named(inst, found.rules) == {"budget_usd all", "must_open north"}
    assert found.relaxation == {_row(inst, "must_open"): pytest.approx(1)}


def test_the_cheapest_relaxation_raises_the_budget_where_that_is_less():
    """North costs 1000 USD and 900 may be spent: 100 of 900 is a ninth, less than giving up the whole of must_open."""
    inst = bound("north", budget_usd=900.0)
    found = find_conflict(inst)
    assert found.relaxation == {_row(inst, "budget_usd"): pytest.approx(100)}
    (fault,) = conflict_faults(inst, found)
    assert "policy.budget_usd and policy.must_open north cannot hold together" in fault.found
    assert "raise policy.budget_usd by 100 USD" in fault.fix


def test_rules_that_hold_are_no_conflict():
    found = find_conflict(bound("north", max_hubs=2))
    assert (found.rules, found.relaxation) == ((), {})


def test_the_refusal_names_the_conflict():
    with pytest.raises(NoPlanError) as caught:
        solve(bound("north", "south", max_hubs=1))
    assert "must_open south" in str(caught.value)


def _row(inst: Instance, family: str) -> int:
    return int(np.flatnonzero((inst.rules.table["family"] == family).to_numpy())[0])
