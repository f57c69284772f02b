"""How large a stock should be: against disruptions of chance length, and against a ban of known length.

Closed forms, without simulation. Where a formula has chances, they are the caller's: hubplan has no opinion on how often a
state bans exports. Any unit of mass and of time will do as long as all arguments share it; t and years, or t and days, are meant.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

from hubplan.errors import DataError, Fault

Floats = npt.NDArray[np.float64]

MONTHS_YEAR = 12
DAYS_YEAR = 365
TOLERANCE_SHARE = 1e-6
"""Supply below need by less than this share of it is what the solver's tolerance leaves, not a shortage."""


@dataclass(frozen=True, kw_only=True)
class OrderSize:
    """What to order each time the stock is empty.

    Parameters
    ----------
    order_t
        Order quantity, t.
    cost_usd_yr
        Expected cost of orders, storage and shortage, USD/yr.
    """

    order_t: float
    cost_usd_yr: float


@dataclass(frozen=True, kw_only=True)
class StockSize:
    """What to fill the stock up to in every period with supply.

    Parameters
    ----------
    stock_t
        Level after filling up, t; the need of the period itself is part of it.
    cover_periods
        Periods without supply that the level outlasts: stock over need of a period, less the period itself.
    cost_usd
        Expected cost of storage and shortage, USD per period.
    """

    stock_t: float
    cover_periods: int
    cost_usd: float


@dataclass(frozen=True, kw_only=True)
class Cover:
    """What a ban of a given length takes.

    Parameters
    ----------
    need_t, supply_t
        What is asked for, and what comes from elsewhere, in the months of the ban; t.
    stock_needed_t
        Least stock at the ban's first day with which no month is short; t.
    lasts_months
        Months from the ban's first day until the stock that is held is gone, counted within the month in which it goes;
        infinite if it outlasts the ban.
    short_t
        What is missing in the months of the ban with the stock that is held; t.
    ended_month
        First month of the ban (0 is its first) from which supply meets need in every further month of it; None if there
        is none.
    """

    need_t: float
    supply_t: float
    stock_needed_t: float
    lasts_months: float
    short_t: float
    ended_month: int | None


def _require(where: str, values: dict[str, float], *, may_be_zero: Sequence[str] = ()) -> None:
    """Refuse what is not a positive number."""
    faults = [
        Fault(
            f"{where}, {name}",
            f"{value!r} is not a number {'of at least' if name in may_be_zero else 'above'} 0",
            "correct it",
        )
        for name, value in values.items()
        if not (math.isfinite(value) and (value > 0 or (value == 0 and name in may_be_zero)))
    ]
    if faults:
        raise DataError(faults)


def size_order(
    *,
    order_usd: float,
    holding_usd_t_yr: float,
    shortage_usd_t: float,
    need_t_yr: float,
    bans_per_yr: float,
    ends_per_yr: float,
    approximate: bool = False,
) -> OrderSize:
    """Size the order of a stock whose supplier drops out now and then (economic order quantity with disruptions).

    Parameters
    ----------
    order_usd
        Cost of placing one order, USD.
    holding_usd_t_yr
        Cost of keeping a tonne for a year.
    shortage_usd_t
        Loss for each tonne of need that is not met; it is lost, not served late.
    need_t_yr
        Steady need.
    bans_per_yr, ends_per_yr
        Rates: supply lasts ``1 / bans_per_yr`` years on average, a disruption ``1 / ends_per_yr``; both exponential.
    approximate
        Leave out ``exp(-(bans + ends) order / need)``, which gives a closed form. Its cost is ``holding x order``. Good to
        0.05 % in the published example; poor where an order lasts a much shorter time than a disruption.

    Returns
    -------
    OrderSize
        Exact to 1e-9, relative.

    Raises
    ------
    DataError
        An argument is not above 0; or a shortage costs so little that no order is worth placing.

    Notes
    -----
    Snyder and Shen, Fundamentals of Supply Chain Theory, 2nd ed. (2019), equation 9.5; Parlar and Berkin (1991)
    as corrected by Berk and Arreola-Risa (1994), Naval Research Logistics 41(1):129. The approximation is Snyder (2014),
    International Journal of Production Economics 155:91.
    """
    given = {
        "order_usd": order_usd,
        "holding_usd_t_yr": holding_usd_t_yr,
        "shortage_usd_t": shortage_usd_t,
        "need_t_yr": need_t_yr,
        "bans_per_yr": bans_per_yr,
        "ends_per_yr": ends_per_yr,
    }
    _require("size_order", given)
    rate = bans_per_yr + ends_per_yr
    long_run = bans_per_yr / rate  # chance that an order finds no supply, where orders are far apart
    late = long_run * need_t_yr * holding_usd_t_yr
    inner = order_usd * need_t_yr * ends_per_yr + need_t_yr**2 * shortage_usd_t * long_run
    closed = (math.sqrt(late**2 + 2 * holding_usd_t_yr * ends_per_yr * inner) - late) / (holding_usd_t_yr * ends_per_yr)
    if approximate:
        return OrderSize(order_t=closed, cost_usd_yr=holding_usd_t_yr * closed)

    def parts(order_t: float) -> tuple[float, float, float, float]:
        """Cost of a cycle and its length, and how both change with the order."""
        fading = math.exp(-rate * order_t / need_t_yr)
        down, change = long_run * (1 - fading), bans_per_yr / need_t_yr * fading
        cost = (
            order_usd
            + holding_usd_t_yr * order_t**2 / (2 * need_t_yr)
            + need_t_yr * shortage_usd_t * down / ends_per_yr
        )
        length = order_t / need_t_yr + down / ends_per_yr
        cost_change = holding_usd_t_yr * order_t / need_t_yr + need_t_yr * shortage_usd_t * change / ends_per_yr
        return cost, length, cost_change, 1 / need_t_yr + change / ends_per_yr

    def slope(order_t: float) -> float:
        """Sign of the change of cost per year."""
        cost, length, cost_change, length_change = parts(order_t)
        return cost_change * length - cost * length_change

    high = closed
    while slope(high) < 0:
        high *= 2
    best = float(brentq(slope, 0.0, high, xtol=1e-12 * high, rtol=1e-12))
    cost, length, _, _ = parts(best)
    if cost / length >= need_t_yr * shortage_usd_t:
        found = f"{cost / length:,.6g} USD/yr with a stock, {need_t_yr * shortage_usd_t:,.6g} with none"
        raise DataError(
            [Fault("size_order, shortage_usd_t", found, "keep no stock, or put a higher price on shortage")]
        )
    return OrderSize(order_t=best, cost_usd_yr=cost / length)


def _down_share(ban_share: float, end_share: float) -> float:
    """Share of periods without supply."""
    return ban_share / (ban_share + end_share)


def stock_cost_usd(
    stock_t: float,
    *,
    holding_usd_t: float,
    shortage_usd_t: float,
    need_t: float,
    ban_share: float,
    end_share: float,
) -> float:
    """Expected cost per period of filling up to a level whenever there is supply (newsvendor with disruptions).

    Parameters
    ----------
    stock_t
        Level, t.
    holding_usd_t, shortage_usd_t
        For a tonne left over, and for a tonne of need that waits, at the end of each period.
    need_t
        Need of one period, known.
    ban_share, end_share
        Chance that supply stops in a period, and that it comes back; a ban lasts ``1 / end_share`` periods on average.

    Returns
    -------
    float
        USD per period: ``sum over n of P(n) [h (S - (n+1) d)+ + p ((n+1) d - S)+]``, n periods without supply so far.

    Raises
    ------
    DataError
        A price or need is not above 0, a chance not within 0 to 1, or the level below 0.

    Notes
    -----
    Snyder and Shen (2019), equation 9.14. The sum without end is closed by
    ``E(n) = ban_share / ((ban_share + end_share) end_share)``, so nothing is cut off.
    """
    _require_chances(holding_usd_t, shortage_usd_t, need_t, ban_share, end_share)
    _require("stock_cost_usd", {"stock_t": stock_t}, may_be_zero=["stock_t"])
    n = np.arange(max(1, math.ceil(stock_t / need_t)))
    chance = np.where(n == 0, 1.0, ban_share * (1 - end_share) ** np.maximum(n - 1, 0)) * (
        end_share / (ban_share + end_share)
    )
    left_t = float(np.sum(chance * np.maximum(stock_t - (n + 1) * need_t, 0.0)))
    mean_need_t = need_t * (1 + _down_share(ban_share, end_share) / end_share)
    return holding_usd_t * left_t + shortage_usd_t * (mean_need_t - stock_t + left_t)


def _require_chances(
    holding_usd_t: float, shortage_usd_t: float, need_t: float, ban_share: float, end_share: float
) -> None:
    given = {"holding_usd_t": holding_usd_t, "shortage_usd_t": shortage_usd_t, "need_t": need_t}
    _require("stock size", {**given, "ban_share": ban_share, "end_share": end_share})
    above = [name for name, value in (("ban_share", ban_share), ("end_share", end_share)) if value > 1]
    if above:
        raise DataError([Fault(f"stock size, {name}", "is above 1", "give a chance per period") for name in above])


def size_stock(
    *, holding_usd_t: float, shortage_usd_t: float, need_t: float, ban_share: float, end_share: float
) -> StockSize:
    """Size the stock whose supply stops by chance and comes back by chance (newsvendor with disruptions).

    Parameters
    ----------
    holding_usd_t, shortage_usd_t, need_t, ban_share, end_share
        As in `stock_cost_usd`.

    Returns
    -------
    StockSize
        Exact: ``S = d + d n``, n the least with ``F(n) >= p / (p + h)``, where
        ``F(n) = 1 - ban_share / (ban_share + end_share) (1 - end_share)^n`` is the chance that supply has been away for
        at most n periods.

    Raises
    ------
    DataError
        As in `stock_cost_usd`.

    Notes
    -----
    Snyder and Shen (2019), equation 9.18 and lemma 9.2.
    """
    _require_chances(holding_usd_t, shortage_usd_t, need_t, ban_share, end_share)
    too_long = holding_usd_t / (shortage_usd_t + holding_usd_t)  # share of periods in which it may run short
    down = _down_share(ban_share, end_share)
    periods = 0
    if down > too_long and end_share == 1:
        periods = 1
    elif down > too_long:
        exact = math.log(too_long / down) / math.log1p(-end_share)
        periods = math.ceil(exact - 1e-9)  # a whole number stays one though its logarithm is rounded
    stock_t = need_t * (1 + periods)
    cost = stock_cost_usd(
        stock_t,
        holding_usd_t=holding_usd_t,
        shortage_usd_t=shortage_usd_t,
        need_t=need_t,
        ban_share=ban_share,
        end_share=end_share,
    )
    return StockSize(stock_t=stock_t, cover_periods=periods, cost_usd=cost)


def spread_over_months(years: Sequence[int], yearly_t: npt.ArrayLike, *, level: bool = False) -> Floats:
    """Yearly amounts of a plan as monthly ones, from January of its first year.

    Parameters
    ----------
    years
        Length of each period in years.
    yearly_t
        Amount in a year of each period, t/yr.
    level
        Every month of a period alike. Otherwise the rate runs in a line from the middle of one period to the middle of
        the next, and stays as it is before the first middle and after the last.

    Returns
    -------
    NDArray
        t in each month; length 12 x the years of all periods.

    Notes
    -----
    Level months add up to the plan exactly. Along lines, where periods are alike in length, a year b between a and c adds up
    to ``b + (a - 2b + c) / 8``: too much where growth quickens, too little where it slackens; the first is over and the last
    under by an eighth of the rise next to it.
    """
    rate = np.asarray(yearly_t, dtype=float)
    lengths = np.asarray(years, dtype=int)
    if rate.shape != lengths.shape or not len(rate) or not np.isfinite(rate).all() or (lengths < 1).any():
        found = f"{len(lengths)} periods with {rate.size} amounts, or an amount that is no number"
        raise DataError([Fault("spread_over_months", found, "give one amount for each period of a year or more")])
    if level:
        return np.asarray(np.repeat(rate, lengths * MONTHS_YEAR) / MONTHS_YEAR, dtype=float)
    ends = np.cumsum(lengths) * MONTHS_YEAR
    middles = ends - lengths * MONTHS_YEAR / 2
    months = np.arange(ends[-1]) + 0.5
    return np.asarray(np.interp(months, middles, rate) / MONTHS_YEAR, dtype=float)


def cover_for_ban(
    need_t_yr: npt.ArrayLike,
    supply_t_by_month: npt.ArrayLike,
    ban_months: int,
    *,
    first_month: int = 0,
    held_t: float = 0.0,
) -> Cover:
    """Size the stock for a ban of a known length, while supply from elsewhere comes on.

    Parameters
    ----------
    need_t_yr
        What is asked for, t/yr: one number, or one for each month.
    supply_t_by_month
        What comes from elsewhere than the state that bans, t in each month.
    ban_months
        Length of the ban.
    first_month
        Month of the arrays in which the ban begins.
    held_t
        Stock at the ban's first day.

    Returns
    -------
    Cover
        The stock needed is the largest shortfall added up from the ban's first month to any month of it. What is over in one
        month is kept for later ones. Steps are whole months: within a month supply and need run evenly.

    Raises
    ------
    DataError
        The ban leaves the months that are known, or an amount is no number or below 0.
    """
    supply = np.asarray(supply_t_by_month, dtype=float)
    faults = []
    if supply.ndim != 1:
        faults.append(Fault("supply_t_by_month", f"has shape {supply.shape}", "give one row of months"))
    elif ban_months < 1 or first_month < 0 or first_month + ban_months > len(supply):
        found = f"months {first_month} to {first_month + ban_months - 1} of {len(supply)} that are known"
        faults.append(Fault("ban_months", found, "shorten the ban, or plan over more years"))
    yearly = np.asarray(need_t_yr, dtype=float)
    if yearly.shape not in ((), supply.shape):
        faults.append(
            Fault("need_t_yr", f"has shape {yearly.shape}", "give one number, or one for each month of supply")
        )
    for name, amounts in (("need_t_yr", yearly), ("supply_t_by_month", supply), ("held_t", np.asarray(held_t))):
        if not (np.isfinite(amounts).all() and (amounts >= 0).all()):
            faults.append(Fault(name, "holds what is no number of at least 0", "correct it"))
    if faults:
        raise DataError(faults)
    span = slice(first_month, first_month + ban_months)
    need = (np.broadcast_to(yearly, supply.shape) / MONTHS_YEAR)[span]
    came = supply[span]
    gap = need - came
    missing = np.cumsum(gap)
    short = np.flatnonzero(gap > _rounding(need, came))
    return Cover(
        need_t=float(need.sum()),
        supply_t=float(came.sum()),
        stock_needed_t=max(0.0, float(missing.max())),
        lasts_months=_time_to_survive(gap, held_t, _rounding(need, came)),
        short_t=_left_short(gap, held_t),
        ended_month=_next_month(short, ban_months),
    )


def _rounding(need: Floats, came: Floats) -> Floats:
    """A month is not short by what a solver's tolerance leaves."""
    return np.asarray(TOLERANCE_SHARE * np.maximum(need, came), dtype=float)


def _next_month(short: npt.NDArray[np.intp], ban_months: int) -> int | None:
    """The month after the last short one."""
    ended = int(short[-1]) + 1 if len(short) else 0
    return ended if ended < ban_months else None


def _time_to_survive(gap: Floats, held_t: float, rounding: Floats) -> float:
    """Months until the stock is gone and the need is not met."""
    left = held_t
    for month, short in enumerate(map(float, gap)):
        if short > left + max(float(rounding[month]), TOLERANCE_SHARE * held_t):
            return month + max(0.0, left) / short
        left -= short
    return math.inf


def _left_short(gap: Floats, held_t: float) -> float:
    """Need not met month by month: what is short beyond the stock is lost, what is over fills it again."""
    left, lost = held_t, 0.0
    for short in gap:
        left -= float(short)
        lost += max(0.0, -left)
        left = max(0.0, left)
    return lost
