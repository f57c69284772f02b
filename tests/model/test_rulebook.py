"""Rules as data: what cannot be right is refused, and what a family writes is what the program reads."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from hubplan.data.scenario import scenario_from_dict
from hubplan.errors import DataError
from hubplan.model.calendar import build_calendar
from hubplan.model.rulebook import COLUMNS, KINDS, WHOLE, Rulebook, Rules
from model.conftest import tiny_world

ROW = ("cap", "all", 0, "at_most", 5.0, "t", 1.0)


def rules(*rows: tuple[object, ...], weight: float = 1.0) -> Rules:
    """Rows, and one term for each."""
    n = np.arange(len(rows))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return Rules(table=table, rule=n, kind=n * 0, row=n * 0, period=n * 0, weight=np.full(len(rows), weight))


def book(years: tuple[int, ...] = (2030, 2032), **policy: object) -> Rulebook:
    horizon = {"years": list(years), "discount_share": 0.0}
    scenario = scenario_from_dict({"name": "little", "horizon": horizon, "policy": policy})
    draft = SimpleNamespace(scenario=scenario, calendar=build_calendar(scenario))
    need_t = (30.0,) * len(years)
    return Rulebook(tiny_world(years=years, need_t=need_t).build(), draft)  # type: ignore[arg-type]


def test_what_is_right_is_taken():
    some = rules(ROW, ("cap", "all", 1, *ROW[3:]), ("keep", "all", WHOLE, *ROW[3:]))
    assert len(some) == 3
    assert some.of("cap")["period"].tolist() == [0, 1]
    assert some.of("keep").index.tolist() == [2]
    assert len(Rules()) == 0


@pytest.mark.parametrize(
    ("rows", "weight", "named"),
    [
        ([(*ROW[:5], "kg", 1.0)], 1.0, "kg"),
        ([(*ROW[:4], np.nan, *ROW[5:])], 1.0, "NaN"),
        ([ROW], np.inf, "infinite"),
        ([ROW, ROW], 1.0, "twice"),
    ],
)
def test_what_cannot_be_right_is_refused(rows, weight, named):
    """A unit nobody knows, a limit or weight that is no number, and the same rule twice in a period."""
    with pytest.raises(DataError, match=named):
        rules(*rows, weight=weight)


def test_a_book_gives_back_what_was_written():
    """Rows and periods broadcast: two lanes in two periods are four terms; a weight of nought is none."""
    here = book()
    first = here.add("cap", "a", sense="at_most", limit=7, unit="USD", penalty_usd=2.0)
    second = here.add("keep", "b", sense="at_least", limit=1, period=1)
    here.weigh(second, "flow", np.array([[0], [3]]), np.array([[0, 1]]), 0.5)
    here.weigh(first, "run", [0, 1], 1, [0.0, 4.0])
    done = here.finish()
    assert done.table["penalty_usd"].tolist() == [2.0, here.penalty_usd_t]
    assert done.table[["period", "unit"]].to_numpy().tolist() == [[WHOLE, "USD"], [1, "t"]]
    terms = sorted(zip(done.rule, done.kind, done.row, done.period, done.weight, strict=True))
    flow, run = KINDS.index("flow"), KINDS.index("run")
    assert terms == [(0, run, 1, 1, 4.0), *((1, flow, a, t, 0.5) for a in (0, 3) for t in (0, 1))]


def test_an_empty_book_is_no_rules():
    assert len(book().finish()) == 0


def test_a_rule_without_terms_is_still_a_rule():
    here = book()
    here.add("take", "a", sense="at_least", limit=5)
    assert len(here.finish()) == 1


def test_a_breach_without_a_price_of_its_own_costs_the_scenarios():
    """`policy.rule_usd_t`, or what a tonne of the sectors not named costs to miss."""
    assert book(rule_usd_t=3e4).penalty_usd_t == 3e4
    assert book().penalty_usd_t == 1e6


def test_years_count_for_their_share_of_a_block():
    """2031 to 2032, of the blocks 2030-2031, 2032-2033 and 2034: half of each of the first two; from 2033 on, half and whole."""
    here = book((2030, 2032, 2034))
    assert here.share_of(2031, 2032) == pytest.approx([0.5, 0.5, 0])
    assert here.share_of(2033, None) == pytest.approx([0, 0.5, 1])
