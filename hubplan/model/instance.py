"""Instance: the numbers of one planning problem, aligned and checked, with no tables behind them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from hubplan.errors import DataError, Fault
from hubplan.model.contingency import Contingencies
from hubplan.model.rulebook import Rules

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def _frame(*columns: str) -> pd.DataFrame:
    return pd.DataFrame({column: pd.Series(dtype=object) for column in columns})


@dataclass(frozen=True, kw_only=True)
class Instance:
    """A process network over periods (docs/model.md). Masses in t, money in USD, sizes in t/yr.

    Frames have a RangeIndex, and other frames point to rows by that position. ``N`` facilities, ``T`` periods, ``B`` balances,
    ``M`` processes, ``A`` lanes.

    Parameters
    ----------
    periods, block_years, discount
        First year of each period, its length in years, and its mean discount factor; shape (T,).
    facilities
        ``facility, site, name, stage, country, smallest_t_yr, largest_t_yr, capital_fixed_usd, capital_slope_usd_t_yr,
        annuity_share, fixed_opex_share, first_period``. ``first_period`` is the first in which it may be open (T if it may
        not be built at all).
    existing_t_yr
        Capacity that exists or is committed, ramped; shape (N, T).
    installed_t_yr
        The same before ramp; shape (N, T).
    ramp_share
        Share of the capacity opened in period tau usable in period t, by facility; shape (N, T, T).
    available_share
        Share of the period in which the facility is not lost, less what a mine has sold ahead to excluded countries; shape
        (N, T).
    balances
        ``commodity, tag, place, market`` - place is a facility id, or a market's site id where ``market`` is true.
    processes
        ``facility`` (row), ``process, opex_usd_t, capacity_use``, and ``co2_t_t`` where CO2 is priced or limited.
    term_process, term_balance, term_t_t
        What processes make (positive) and take (negative), in t per t of activity.
    lanes
        ``tail, head`` (balance rows), ``commodity, tag, origin, destination`` (sites), ``route, freight_usd_t, transit_usd_t,
        surcharge_usd_t``, and ``co2_t_t`` where CO2 is priced or limited.
    lane_open
        Lanes that may be used in a period; shape (A, T).
    lane_whole
        Lanes into a market that carry its whole demand or nothing (one supplier for each customer); shape (A,).
    demand
        ``balance, market, product, sector, period`` (position), ``demand_t, unmet_usd_t``.
    byproducts
        ``commodity, period`` (position), ``limit_t, price_usd_t``.
    may_hold, may_sell, may_stock
        Balances where a surplus may be left, sold, or stocked between periods; shape (B,).
    held_periods
        Where a mine may hold what it has to mine; shape (B, T).
    storage_usd_t_yr
        Cost of keeping a tonne for a year, by balance; shape (B,).
    fixed_output
        ``process, period, output_t``: activity that is known already.
    output_limits
        ``facility, commodity, period, output_t``: what a facility makes at most.
    locks
        ``mine, country, period, share``: share of a mine's output that goes to a country.
    purchases
        ``process, period, price_usd_t``: what a tonne of an activity that buys costs, beside its opex.
    yearly_needs
        ``commodity, period, yearly_t``: oxide that the demand of a period asks for in a year.
    growth
        ``stage, period, most_t_yr``: capacity that all new facilities of a stage together can have by a period at most.
    keep_usd_yr
        What it costs a year to keep a standing facility; where it is above 0 the plan may close it. Shape (N,).
    co2_usd_t
        Price of a tonne of CO2.
    must_open
        Facility rows that have to be open at the end (a rule says so; here for the search).
    rules
        Policy, as rows over the decisions.
    contingencies
        Losses that the plan has to bear, one at a time; None asks nothing.
    counts
        What was kept and pruned on the way, for the manifest.
    """

    periods: tuple[int, ...]
    block_years: Floats
    discount: Floats
    facilities: pd.DataFrame
    existing_t_yr: Floats
    installed_t_yr: Floats
    ramp_share: Floats
    available_share: Floats
    balances: pd.DataFrame
    processes: pd.DataFrame
    term_process: Ints
    term_balance: Ints
    term_t_t: Floats
    lanes: pd.DataFrame
    lane_open: Bools
    lane_whole: Bools
    demand: pd.DataFrame
    byproducts: pd.DataFrame = field(default_factory=lambda: _frame("commodity", "period", "limit_t", "price_usd_t"))
    may_hold: Bools
    may_sell: Bools
    may_stock: Bools
    held_periods: Bools
    storage_usd_t_yr: Floats
    fixed_output: pd.DataFrame = field(default_factory=lambda: _frame("process", "period", "output_t"))
    output_limits: pd.DataFrame = field(default_factory=lambda: _frame("facility", "commodity", "period", "output_t"))
    locks: pd.DataFrame = field(default_factory=lambda: _frame("mine", "country", "period", "share"))
    purchases: pd.DataFrame = field(default_factory=lambda: _frame("process", "period", "price_usd_t"))
    yearly_needs: pd.DataFrame = field(default_factory=lambda: _frame("commodity", "period", "yearly_t"))
    growth: pd.DataFrame = field(default_factory=lambda: _frame("stage", "period", "most_t_yr"))
    keep_usd_yr: Floats
    co2_usd_t: float = 0.0
    must_open: tuple[int, ...] = ()
    rules: Rules = field(default_factory=Rules)
    contingencies: Contingencies | None = None
    counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        faults = [
            Fault(f"instance, {name}", "holds NaN or infinity", "mend the table it is made from")
            for name in self._bad_numbers()
        ]
        n, t, b = len(self.facilities), len(self.periods), len(self.balances)
        shapes = {
            "existing_t_yr": (self.existing_t_yr, (n, t)),
            "ramp_share": (self.ramp_share, (n, t, t)),
            "available_share": (self.available_share, (n, t)),
            "lane_open": (self.lane_open, (len(self.lanes), t)),
            "lane_whole": (self.lane_whole, (len(self.lanes),)),
            "held_periods": (self.held_periods, (b, t)),
            "may_hold": (self.may_hold, (b,)),
            "keep_usd_yr": (self.keep_usd_yr, (n,)),
        }
        for name, (array, shape) in shapes.items():
            if array.shape != shape:
                faults.append(Fault(f"instance, {name}", f"has shape {array.shape}", f"give {shape}"))
        if (self.facilities["smallest_t_yr"] > self.facilities["largest_t_yr"]).any():
            faults.append(
                Fault("instance, facilities", "smallest size above largest", "mend stages.csv or facilities.csv")
            )
        if faults:
            raise DataError(faults, "the instance cannot be right")

    @property
    def purchase_usd_t(self) -> Floats:
        """Price of what a process buys, by period, beside its opex; shape (M, T)."""
        price = np.zeros((len(self.processes), len(self.periods)))
        at = self.purchases["process"].to_numpy(dtype=int), self.purchases["period"].to_numpy(dtype=int)
        price[at] = self.purchases["price_usd_t"].to_numpy(dtype=float)
        return price

    def _bad_numbers(self) -> list[str]:
        arrays = {
            "existing_t_yr": self.existing_t_yr,
            "ramp_share": self.ramp_share,
            "term_t_t": self.term_t_t,
            "storage_usd_t_yr": self.storage_usd_t_yr,
            "keep_usd_yr": self.keep_usd_yr,
        }
        frames = {
            "facilities": self.facilities,
            "lanes": self.lanes,
            "demand": self.demand,
            "processes": self.processes,
            "purchases": self.purchases,
        }
        bad = [name for name, array in arrays.items() if not np.isfinite(array).all()]
        for name, frame in frames.items():
            numbers = frame.select_dtypes(include="number").to_numpy(dtype=float)
            if not np.isfinite(numbers).all():
                bad.append(name)
        return bad
