"""Little worlds: an `Instance` from a few calls, and the solver without its processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

from hubplan.model import engine
from hubplan.model import solve as solving
from hubplan.model.instance import Instance
from hubplan.model.solution import Solution

Goods = Mapping[str, float]


def _split(good: str) -> tuple[str, str]:
    """``carbonate@hill`` is carbonate of the mine Hill."""
    commodity, _, tag = good.partition("@")
    return commodity, tag


@dataclass
class World:
    """Facilities, processes, lanes and demand, gathered one by one.

    ``years`` are first years of periods; the last stands for itself alone. A good is written ``commodity`` or ``commodity@tag``.
    """

    years: tuple[int, ...] = (2030,)
    discount_share: float = 0.0
    hold: Iterable[str] = ()
    sell: Iterable[str] = ()
    stock: Iterable[str] = ()
    storage_usd_t_yr: float = 0.0
    rules: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._facilities: list[dict[str, Any]] = []
        self._existing: list[np.ndarray] = []
        self._ramps: list[tuple[float, ...]] = []
        self._processes: list[dict[str, Any]] = []
        self._terms: list[tuple[int, int, float]] = []
        self._balances: dict[tuple[str, str, str], int] = {}
        self._markets: set[str] = set()
        self._lanes: list[dict[str, Any]] = []
        self._whole: list[bool] = []
        self._demand: list[dict[str, Any]] = []
        self._tables: dict[str, list[dict[str, Any]]] = {}
        ends = [*self.years[1:], self.years[-1] + 1]
        self.blocks = [range(first, end) for first, end in zip(self.years, ends, strict=True)]

    def balance(self, good: str, place: str) -> int:
        return self._balances.setdefault((*_split(good), place), len(self._balances))

    def row(self, facility: str) -> int:
        return [f["facility"] for f in self._facilities].index(facility)

    def facility(
        self,
        name: str,
        stage: str = "separation_light",
        *,
        country: str = "AUS",
        existing: float | Sequence[float] = 0.0,
        sizes: tuple[float, float] = (0.0, 0.0),
        fixed_usd: float = 0.0,
        slope_usd_t_yr: float = 0.0,
        annuity_share: float = 1.0,
        fixed_opex_share: float = 0.0,
        first: int = 0,
        ramp: tuple[float, ...] = (1.0,),
        makes: Goods | None = None,
        takes: Goods | None = None,
        opex_usd_t: float = 0.0,
        use: float = 1.0,
        process: str = "run",
    ) -> World:
        """Add a facility and, if it takes or makes anything, its process."""
        self._facilities.append(
            {
                "facility": name,
                "site": name,
                "name": name.title(),
                "stage": stage,
                "country": country,
                "smallest_t_yr": float(sizes[0]),
                "largest_t_yr": float(sizes[1]),
                "capital_fixed_usd": float(fixed_usd),
                "capital_slope_usd_t_yr": float(slope_usd_t_yr),
                "annuity_share": float(annuity_share),
                "fixed_opex_share": float(fixed_opex_share),
                "first_period": first if sizes[1] else len(self.years),
            }
        )
        self._existing.append(np.broadcast_to(np.asarray(existing, dtype=float), len(self.years)).copy())
        self._ramps.append(ramp)
        if makes is not None or takes is not None:
            self.process(name, process, takes or {}, makes or {}, opex_usd_t=opex_usd_t, use=use)
        return self

    def mine(
        self,
        name: str,
        good: str,
        capacity_t_yr: float | Sequence[float],
        *,
        opex_usd_t: float = 0.0,
        country: str = "AUS",
    ) -> World:
        return self.facility(
            name,
            "mine",
            existing=capacity_t_yr,
            makes={good: 1.0},
            opex_usd_t=opex_usd_t,
            country=country,
            process="mine",
        )

    def process(
        self, facility: str, name: str, takes: Goods, makes: Goods, *, opex_usd_t: float = 0.0, use: float = 1.0
    ) -> World:
        self._processes.append(
            {
                "facility": self.row(facility),
                "process": name,
                "opex_usd_t": float(opex_usd_t),
                "capacity_use": float(use),
            }
        )
        for sign, goods in ((1.0, makes), (-1.0, takes)):
            self._terms += [
                (len(self._processes) - 1, self.balance(good, facility), sign * float(amount))
                for good, amount in goods.items()
            ]
        return self

    def lane(
        self, good: str, tail: str, head: str, usd_t: float = 0.0, *, whole: bool = False, arrives_as: str | None = None
    ) -> World:
        commodity, tag = _split(good)
        self._lanes.append(
            {
                "tail": self.balance(good, tail),
                "head": self.balance(arrives_as or good, head),
                "commodity": commodity,
                "tag": tag,
                "origin": tail,
                "destination": head,
                "route": f"{tail}--{head}",
                "freight_usd_t": float(usd_t),
                "transit_usd_t": 0.0,
                "surcharge_usd_t": 0.0,
            }
        )
        self._whole.append(whole)
        return self

    def demand(
        self,
        market: str,
        good: str,
        amounts_t: float | Sequence[float],
        *,
        unmet_usd_t: float = 1e4,
        sector: str = "all",
    ) -> World:
        """Demand over each period (not per year); nothing for a period of 0."""
        self._markets.add(market)
        for t, amount in enumerate(np.broadcast_to(np.asarray(amounts_t, dtype=float), len(self.years))):
            if amount > 0:
                self._demand.append(
                    {
                        "balance": self.balance(good, market),
                        "market": market,
                        "product": _split(good)[0],
                        "sector": sector,
                        "period": t,
                        "demand_t": float(amount),
                        "unmet_usd_t": float(unmet_usd_t),
                    }
                )
        return self

    def rule(self, table: str, **row: Any) -> World:
        """Add a row to one of the instance's frames: byproducts, locks, offtakes..."""
        self._tables.setdefault(table, []).append(row)
        return self

    def build(self) -> Instance:
        t = len(self.years)
        balances = pd.DataFrame(list(self._balances), columns=["commodity", "tag", "place"])
        balances["market"] = balances["place"].isin(self._markets)
        inner = ~balances["market"].to_numpy(dtype=bool)
        terms = np.array(self._terms, dtype=float).reshape(-1, 3)
        ramp = np.zeros((len(self._facilities), t, t))
        for n, shares in enumerate(self._ramps):
            for opened, used in np.ndindex(t, t):
                since = [year - self.years[opened] for year in self.blocks[used]]
                ramp[n, opened, used] = np.mean([shares[min(s, len(shares) - 1)] if s >= 0 else 0.0 for s in since])
        wanted = ["balance", "market", "product", "sector", "period", "demand_t", "unmet_usd_t"]
        lanes = [
            "tail",
            "head",
            "commodity",
            "tag",
            "origin",
            "destination",
            "route",
            "freight_usd_t",
            "transit_usd_t",
            "surcharge_usd_t",
        ]
        fixed = {
            "existing_t_yr": np.array(self._existing).reshape(-1, t),
            "installed_t_yr": np.array(self._existing).reshape(-1, t),
            "available_share": np.ones((len(self._facilities), t)),
            "keep_usd_yr": np.zeros(len(self._facilities)),
            "lane_open": np.ones((len(self._lanes), t), dtype=bool),
            "held_periods": np.zeros((len(balances), t), dtype=bool),
        }
        return Instance(
            **{
                "periods": self.years,
                "block_years": np.array([len(b) for b in self.blocks], dtype=float),
                "discount": np.array(
                    [np.mean([(1 + self.discount_share) ** -(y - self.years[0]) for y in b]) for b in self.blocks]
                ),
                "facilities": pd.DataFrame(self._facilities),
                "ramp_share": ramp,
                "balances": balances,
                "processes": pd.DataFrame(self._processes),
                "term_process": terms[:, 0].astype(int),
                "term_balance": terms[:, 1].astype(int),
                "term_t_t": terms[:, 2],
                "lanes": pd.DataFrame(self._lanes, columns=lanes),
                "lane_whole": np.array(self._whole, dtype=bool),
                "demand": pd.DataFrame(self._demand, columns=wanted),
                **{
                    f"may_{verb}": balances["commodity"].isin(list(goods)).to_numpy() & inner
                    for verb, goods in (("hold", self.hold), ("sell", self.sell), ("stock", self.stock))
                },
                "storage_usd_t_yr": np.full(len(balances), self.storage_usd_t_yr),
                **fixed,
                **{name: pd.DataFrame(rows) for name, rows in self._tables.items()},
                **self.rules,
            }
        )


class InlineEngine:
    """The engine without processes: jobs run here, one after the other. MathOpt's HiGHS is the same."""

    def __init__(self, arrays: Any, *, workers: int = 2) -> None:
        self._arrays = arrays
        self._queue: list[engine.Job] = []
        self._count = 0

    def __enter__(self) -> InlineEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self._queue.clear()

    def submit(self, job: engine.Job) -> int:
        self._queue.append(job)
        self._count += 1
        return self._count

    def answers(self, *, until: float) -> Iterator[tuple[int, engine.Job, engine.Answer]]:
        first, jobs = self._count - len(self._queue) + 1, self._queue
        self._queue = []
        for number, job in enumerate(jobs, start=first):
            yield number, job, engine._solve(self._arrays, job)

    def stop(self) -> None:
        self._queue.clear()


def solve(inst: Instance, **options: Any) -> Solution:
    """Solve in this process, to a gap of nought."""
    with patch.object(solving, "Engine", InlineEngine):
        return solving.solve(inst, **options)
