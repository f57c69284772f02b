"""Plans that build elsewhere and cost nearly as little."""

from __future__ import annotations

import pytest

from hubplan.errors import DataError
from hubplan.model import alternatives
from hubplan.model.alternatives import built, find_alternatives
from model.conftest import tiny_world
from model.worlds import InlineEngine, solve


@pytest.fixture(autouse=True)
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alternatives, "Engine", InlineEngine)


def test_the_other_hub_is_found_within_its_cost_and_not_below_it(tiny):
    """South costs 1030, North 1360, 32.0 % more: 33 % allows it, 31 % does not (half and half pays both fixed parts)."""
    best = solve(tiny)
    (other,) = find_alternatives(tiny, best, count=1, within_share=0.33)
    assert built(other) == {tiny.facilities["facility"].tolist().index("north")}
    assert other.cost_usd == pytest.approx(1360)
    assert other.bound_usd == pytest.approx(1030)
    assert find_alternatives(tiny, best, count=1, within_share=0.31) == []


def test_every_plan_found_is_new(tiny):
    """With twice the cost allowed there are North alone, and both; asked for five, no plan comes twice."""
    best = solve(tiny)
    found = find_alternatives(tiny, best, count=5, within_share=1.0)
    sets = [built(plan) for plan in (best, *found)]
    assert len(set(sets)) == len(sets) >= 2
    assert all(plan.cost_usd <= 2 * best.cost_usd for plan in found)


def test_rules_hold_in_alternatives():
    """Nothing but South may be built twice over: with one hub at most, both together are never offered."""
    inst = tiny_world().budget(max_hubs=1).build()
    found = find_alternatives(inst, solve(inst), count=3, within_share=1.0)
    assert [len(built(plan)) for plan in found] == [1]


def test_no_cost_above_the_best_is_refused(tiny):
    with pytest.raises(DataError, match="within_share"):
        find_alternatives(tiny, solve(tiny), count=1, within_share=0.0)
