"""Sizes of stocks: published figures, sums worked out by hand, and what has to hold for any numbers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubplan.errors import DataError
from hubplan.model.stocksize import cover_for_ban, size_order, size_stock, spread_over_months, stock_cost_usd

EXAMPLE_9_1 = {
    "order_usd": 8, "holding_usd_t_yr": 0.225, "shortage_usd_t": 5, "need_t_yr": 1300, "bans_per_yr": 1.5, "ends_per_yr": 14,
}  # fmt: skip
EXAMPLE_9_3 = {"holding_usd_t": 0.25, "shortage_usd_t": 3, "need_t": 2000, "ban_share": 0.04, "end_share": 0.25}


def days(mean_ban_days: float) -> dict[str, float]:
    """A day's need held for 1 or missed for 50, one ban in five years of supply."""
    return {
        "holding_usd_t": 1,
        "shortage_usd_t": 50,
        "need_t": 1,
        "ban_share": 1 / (5 * 365),
        "end_share": 1 / mean_ban_days,
    }


def test_order_of_example_9_1():
    """Snyder and Shen, 2nd ed., examples 9.1 and 9.2, as stockpyl 1.0.2 has them."""
    found = size_order(**EXAMPLE_9_1)
    assert found.order_t == pytest.approx(772.8110740, rel=1e-6)
    assert found.cost_usd_yr == pytest.approx(173.9500026, rel=1e-6)
    near = size_order(**EXAMPLE_9_1, approximate=True)
    assert near.order_t == pytest.approx(773.1432417, rel=1e-6)
    assert near.cost_usd_yr == pytest.approx(173.9572294, rel=1e-6)


def order_cost(order_t: float, *, order_usd, holding_usd_t_yr, shortage_usd_t, need_t_yr, bans_per_yr, ends_per_yr):
    """Equation 9.5 written out."""
    rate = bans_per_yr + ends_per_yr
    psi = bans_per_yr / rate * (1 - math.exp(-rate * order_t / need_t_yr))
    cycle = order_usd + holding_usd_t_yr * order_t**2 / 2 / need_t_yr + shortage_usd_t * need_t_yr * psi / ends_per_yr
    return cycle / (order_t / need_t_yr + psi / ends_per_yr)


def test_order_cost_of_example_9_1_at_700():
    assert order_cost(700, **EXAMPLE_9_1) == pytest.approx(174.78711738886236, rel=1e-9)


@given(
    st.floats(0.1, 1e3),
    st.floats(0.01, 10),
    st.floats(1, 100),
    st.floats(1, 1e4),
    st.floats(0.1, 10),
    st.floats(0.2, 50),
)
def test_no_other_order_costs_less(order_usd, holding, shortage, need, bans, ends):
    case = {
        "order_usd": order_usd, "holding_usd_t_yr": holding, "shortage_usd_t": shortage, "need_t_yr": need,
        "bans_per_yr": bans, "ends_per_yr": ends,
    }  # fmt: skip
    try:
        found = size_order(**case)
    except DataError as error:
        assert "keep no stock" in str(error)
        costs = [order_cost(need * years, **case) for years in np.geomspace(1e-3, 1e3, 200)]
        assert min(costs) >= need * shortage * (1 - 1e-9)
        return
    assert found.cost_usd_yr == pytest.approx(order_cost(found.order_t, **case), rel=1e-9)
    for share in np.geomspace(0.01, 100, 41):
        assert order_cost(found.order_t * share, **case) >= found.cost_usd_yr * (1 - 1e-9)


def test_stock_of_example_9_3():
    """h/(p+h) = 0.076923 and a/(a+b) = 0.137931: 0.75^n <= 0.557692 from n = 3 (0.421875), not 2 (0.5625). S = 2000 x 4."""
    found = size_stock(**EXAMPLE_9_3)
    assert (found.stock_t, found.cover_periods) == (8000, 3)
    assert found.cost_usd == pytest.approx(2737.0689, rel=1e-6)
    assert stock_cost_usd(1200, **EXAMPLE_9_3) == pytest.approx(5710.3448, rel=1e-6)


def summed_cost(stock_t: float, periods: int, *, holding_usd_t, shortage_usd_t, need_t, ban_share, end_share) -> float:
    """Equation 9.14 summed term by term, up to a number of periods without supply."""
    n = np.arange(periods + 1)
    first, later = end_share / (ban_share + end_share), ban_share * end_share / (ban_share + end_share)
    chance = np.where(n == 0, first, later * (1 - end_share) ** np.maximum(n - 1, 0))
    over = stock_t - (n + 1) * need_t
    return float((chance * np.where(over > 0, holding_usd_t * over, -shortage_usd_t * over)).sum())


@pytest.mark.parametrize(
    ("mean_ban_days", "stock_days", "cost"), [(60, 30, 86.91528), (180, 275, 436.92774), (365, 782, 1084.22022)]
)
def test_stock_in_days_for_bans_of_two_six_and_twelve_months(mean_ban_days, stock_days, cost):
    """TEXTBOOK C3. Costs equal the sum over 100,000 days."""
    found = size_stock(**days(mean_ban_days))
    assert found.stock_t == stock_days
    assert found.cost_usd == pytest.approx(cost, rel=1e-6)
    assert found.cost_usd == pytest.approx(summed_cost(found.stock_t, 100_000, **days(mean_ban_days)), rel=1e-9)


@pytest.mark.parametrize(("mean_ban_days", "cost"), [(60, 86.92), (180, 436.93), (365, 1083.71)])
def test_costs_handed_down_are_sums_cut_off_at_4000_days(mean_ban_days, cost):
    """With a mean of a year a ban outlasts 4,000 days once in 58,000; that tail is worth 0.51 of 1,084.22."""
    stock = size_stock(**days(mean_ban_days)).stock_t
    assert summed_cost(stock, 4000, **days(mean_ban_days)) == pytest.approx(cost, abs=0.005)


def test_stock_grows_faster_than_the_ban():
    """Each further day of mean ban takes at least as many days of stock as the one before (to a day's rounding)."""
    stock = np.array([size_stock(**days(length)).stock_t for length in range(20, 741, 20)])
    steps = np.diff(stock)
    assert (steps > 0).all()
    per_day = stock / np.arange(20, 741, 20)
    assert (np.diff(per_day) > 0).all()


def test_a_ban_that_never_lasts_two_periods_takes_one_period_of_cover():
    """Half of all periods have no supply, and missing is as dear as holding nine: F(0) = 0.5 < 0.9, F(1) = 1. S = 2 d, for
    0.5 x h x d = 0.5.
    """
    found = size_stock(holding_usd_t=1, shortage_usd_t=9, need_t=1, ban_share=1.0, end_share=1.0)
    assert (found.stock_t, found.cover_periods, found.cost_usd) == (2, 1, pytest.approx(0.5))


CHANCE = st.floats(0.005, 1)


@given(st.floats(0.01, 100), st.floats(0.01, 1000), st.floats(0.1, 1e4), CHANCE, CHANCE)
def test_no_other_stock_costs_less(holding, shortage, need, ban, end):
    case = {"holding_usd_t": holding, "shortage_usd_t": shortage, "need_t": need, "ban_share": ban, "end_share": end}
    found = size_stock(**case)
    assert found.stock_t == pytest.approx(need * (1 + found.cover_periods))
    assert found.cost_usd == pytest.approx(summed_cost(found.stock_t, 20_000, **case), rel=1e-6)
    for other in (found.stock_t - need, found.stock_t - need / 3, found.stock_t + need / 3, found.stock_t + need):
        if other >= 0:
            assert stock_cost_usd(other, **case) >= found.cost_usd * (1 - 1e-9)


@pytest.mark.parametrize(
    "change",
    [
        {"ban_share": 1.5},
        {"end_share": 0.0},
        {"need_t": -1.0},
        {"holding_usd_t": math.nan},
        {"shortage_usd_t": math.inf},
    ],
)
def test_what_is_no_price_or_chance_is_refused(change):
    with pytest.raises(DataError, match=next(iter(change))):
        size_stock(**{**EXAMPLE_9_3, **change})
    with pytest.raises(DataError, match="stock_t"):
        stock_cost_usd(-1.0, **EXAMPLE_9_3)
    with pytest.raises(DataError, match="need_t_yr"):
        size_order(**{**EXAMPLE_9_1, "need_t_yr": 0.0})


def test_months_run_in_lines_between_the_middles_of_years():
    """120, 240 and 120 t/yr: middles after 6, 18 and 30 months. Months 0 to 5: 10 t;
    month 6: 120 + 120 x 0.5/12 = 125 t/yr, 10.4167 t.
    The middle year rises from 180 to 240 t/yr and falls back, 2 x (185 + 195 + ... + 235)/12 = 210 t = 240 + (120 - 480 + 120)/8.
    """
    months = spread_over_months([1, 1, 1], [120.0, 240.0, 120.0])
    assert len(months) == 36
    assert months[:6].tolist() == [10.0] * 6
    assert months[6] == pytest.approx(125 / 12)
    assert months[12:24].sum() == pytest.approx(210)
    assert months[:12].sum() == pytest.approx(120 + 120 / 8)
    assert months[30:].tolist() == [10.0] * 6
    level = spread_over_months([1, 2], [120.0, 240.0], level=True)
    assert level.tolist() == [10.0] * 12 + [20.0] * 24


def test_a_straight_line_of_years_keeps_its_sums():
    months = spread_over_months([1] * 5, [100.0, 200.0, 300.0, 400.0, 500.0])
    assert months.reshape(5, 12).sum(axis=1)[1:4] == pytest.approx([200, 300, 400])


@pytest.mark.parametrize(("years", "amounts"), [([1], [1.0, 2.0]), ([], []), ([0], [1.0]), ([1], [math.nan])])
def test_periods_without_an_amount_are_refused(years, amounts):
    with pytest.raises(DataError, match="spread_over_months"):
        spread_over_months(years, amounts)


RAMP_T = [4.0, 6.0, 8.0, 10.0, 12.0, 14.0]


def test_stock_for_a_ban_that_hubs_end():
    """120 t/yr are 10 t a month: short by 6, 4, 2, 0, then over. So 12 t; met from month 3 on. Of 8 t, 2 are left after the first
    month and last half of the second (4 t short): 1.5 months; 4 t are missing in all.
    """
    found = cover_for_ban(120.0, RAMP_T, 5, held_t=8.0)
    assert found.stock_needed_t == pytest.approx(12)
    assert (found.need_t, found.supply_t) == pytest.approx((50, 40))
    assert found.lasts_months == pytest.approx(1.5)
    assert found.short_t == pytest.approx(4)
    assert found.ended_month == 3
    assert cover_for_ban(120.0, RAMP_T, 3).ended_month is None
    assert cover_for_ban(120.0, RAMP_T, 2).stock_needed_t == pytest.approx(10)
    later = cover_for_ban(120.0, RAMP_T, 3, first_month=2, held_t=2.0)
    assert (later.stock_needed_t, later.ended_month, later.lasts_months) == (2, 1, math.inf)


def test_what_is_over_in_one_month_is_kept_for_later():
    """12 t come, then 4 of 10: 2 over, then 6 short: 4 t. The other way round 6 t are needed."""
    assert cover_for_ban(120.0, [12.0, 4.0], 2).stock_needed_t == pytest.approx(4)
    assert cover_for_ban(120.0, [4.0, 12.0], 2).stock_needed_t == pytest.approx(6)


def test_need_may_change_by_month():
    """10, then 20 t a month; 10 t come each month: 0, then 10 short."""
    assert cover_for_ban([120.0, 240.0], [10.0, 10.0], 2).stock_needed_t == pytest.approx(10)


def test_what_a_solver_rounds_is_no_shortage():
    found = cover_for_ban(120.0, [10.0 - 1e-7] * 3, 3)
    assert (found.lasts_months, found.ended_month) == (math.inf, 0)


AMOUNTS = st.lists(st.floats(0, 100), min_size=1, max_size=24)


@given(AMOUNTS, st.floats(0, 1200), st.data())
def test_a_longer_ban_or_less_supply_never_needs_less(supply, need, data):
    months = data.draw(st.integers(1, len(supply)))
    found = cover_for_ban(need, supply, months)
    assert cover_for_ban(need, supply, len(supply)).stock_needed_t >= found.stock_needed_t
    assert cover_for_ban(need, np.array(supply) / 2, months).stock_needed_t >= found.stock_needed_t
    assert found.stock_needed_t <= found.need_t + 1e-9
    enough = cover_for_ban(need, supply, months, held_t=found.stock_needed_t)
    assert enough.lasts_months == math.inf
    assert enough.short_t == pytest.approx(0, abs=1e-6)
    if found.stock_needed_t > 1e-3:
        less = cover_for_ban(need, supply, months, held_t=found.stock_needed_t * 0.99)
        assert less.lasts_months <= months
        assert less.short_t == pytest.approx(found.stock_needed_t * 0.01)


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"ban_months": 7}, "ban_months"), ({"ban_months": 0}, "ban_months"), ({"first_month": 3}, "ban_months"),
        ({"need_t_yr": -1.0}, "need_t_yr"), ({"need_t_yr": [1.0, 2.0]}, "need_t_yr"), ({"held_t": math.nan}, "held_t"),
        ({"supply_t_by_month": [[1.0]]}, "supply_t_by_month"),
    ],
)  # fmt: skip
def test_a_ban_beyond_what_is_known_is_refused(options, where):
    with pytest.raises(DataError, match=where):
        cover_for_ban(**{"need_t_yr": 120.0, "supply_t_by_month": RAMP_T, "ban_months": 4, **options})


def test_the_page_prints_the_table_it_shows(capsys):
    """docs/stockpile.md: its code gives its rows."""
    page = (Path(__file__).parents[2] / "docs" / "stockpile.md").read_text(encoding="utf-8")
    code = page.partition("```python\n")[2].partition("```")[0]
    exec(code, {})
    printed = capsys.readouterr().out
    assert printed.count("\n") == 6
    assert printed in page
