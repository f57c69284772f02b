"""Little worlds: an `Instance` from a few calls, and the solver without its processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

from hubplan.data.scenario import scenario_from_dict
from hubplan.model import engine
from hubplan.model import solve as solving
from hubplan.model.calendar import build_calendar
from hubplan.model.instance import Instance
from hubplan.model.policy.funds import add_budget
from hubplan.model.rulebook import COLUMNS, KINDS, WHOLE, Rulebook, Rules
from hubplan.model.solution import Solution

Goods = Mapping[str, float]
Term = tuple[str, int, int, float]
"""Kind of decision, its row and period, and the rule's units for each of the decision's."""


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
    rule_usd_t: float = 1e4
    must_open: Iterable[str] = ()

    def __post_init__(self) -> None:
        self._keep: list[float] = []
        self._rules: list[tuple[tuple[Any, ...], list[Term]]] = []
        self._policy: dict[str, Any] = {}
        self._families: list[Callable[[Rulebook], None]] = []
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
        keep_usd_yr: float = 0.0,
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
        self._keep.append(float(keep_usd_yr))
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

    def note(self, table: str, **row: Any) -> World:
        """Add a row to one of the instance's frames: byproducts, purchases, locks, growth..."""
        self._tables.setdefault(table, []).append(row)
        return self

    def flows(self, origin: str, commodity: str, period: int, weight: float = 1.0) -> list[Term]:
        """Terms for what has been said so far to leave a place."""
        lanes = [(lane["origin"], lane["commodity"]) for lane in self._lanes]
        return [("flow", a, period, weight) for a, lane in enumerate(lanes) if lane == (origin, commodity)]

    def stocks(self, commodity: str, period: int, weight: float = 1.0) -> list[Term]:
        """Terms for stocks of a commodity wherever it is."""
        return [("stock", b, period, weight) for (name, _, _), b in self._balances.items() if name == commodity]

    def share_terms(self, stage: str, country: str, share: float, period: int) -> list[Term]:
        """Terms for what a stage runs in a country less a share of what it runs anywhere."""
        at = [(m, self._facilities[run["facility"]], run["capacity_use"]) for m, run in enumerate(self._processes)]
        return [
            ("run", m, period, use * ((plant["country"] == country) - share))
            for m, plant, use in at
            if plant["stage"] == stage
        ]

    def rule(
        self,
        family: str,
        *terms: Term,
        sense: str,
        limit: float,
        id: str = "all",
        period: int = WHOLE,
        unit: str = "t",
        penalty_usd: float | None = None,
    ) -> World:
        """Add a rule row; without a price of its own it is broken at `rule_usd_t`."""
        price = self.rule_usd_t if penalty_usd is None else penalty_usd
        self._rules.append(((family, id, period, sense, float(limit), unit, float(price)), list(terms)))
        return self

    def at_least(self, family: str, limit: float, *terms: Term, **options: Any) -> World:
        return self.rule(family, *terms, sense="at_least", limit=limit, **options)

    def at_most(self, family: str, limit: float, *terms: Term, **options: Any) -> World:
        return self.rule(family, *terms, sense="at_most", limit=limit, **options)

    def policy(self, *families: Callable[[Rulebook], None], **keys: Any) -> World:
        """Have functions of `hubplan.model.policy` write rules, from keys of a scenario's ``[policy]``."""
        self._families += families
        self._policy |= keys
        return self

    def budget(self, **keys: Any) -> World:
        """Have ``budget_usd``, ``max_hubs`` and what must open written as hard rules."""
        return self.policy(add_budget, **keys)

    def build(self) -> Instance:
        inst = self._bare()
        columns = list(zip(*(term for _, terms in self._rules for term in terms), strict=True)) or [(), (), (), ()]
        counts = [len(terms) for _, terms in self._rules]
        rules = Rules(
            table=pd.DataFrame([row for row, _ in self._rules], columns=list(COLUMNS)),
            rule=np.repeat(np.arange(len(counts)), counts),
            kind=np.array([KINDS.index(kind) for kind in columns[0]], dtype=int),
            row=np.array(columns[1], dtype=int),
            period=np.array(columns[2], dtype=int),
            weight=np.array(columns[3], dtype=float),
        )
        if self._families:
            assert not self._rules, "either written by policy, or row by row"
            rules = self._written(inst)
        return replace(inst, rules=rules)

    def _written(self, inst: Instance) -> Rules:
        horizon = {"years": list(self.years), "discount_share": self.discount_share}
        policy = {"rule_usd_t": self.rule_usd_t, **self._policy}
        scenario = scenario_from_dict({"name": "little", "horizon": horizon, "policy": policy})
        draft = SimpleNamespace(scenario=scenario, calendar=build_calendar(scenario))
        book = Rulebook(inst, draft)  # type: ignore[arg-type]
        for write in self._families:
            write(book)
        return book.finish()

    def _bare(self) -> Instance:
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
            "keep_usd_yr": np.array(self._keep),
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
                "must_open": tuple(self.row(name) for name in self.must_open),
                **{name: pd.DataFrame(rows) for name, rows in self._tables.items()},
            }
        )


def shop(*years: int, **options: Any) -> World:
    """A mine and a market with nothing between them yet."""
    return World(years or (2030,), **options).mine("mine", "ore", 1e4)


def hub(
    world: World,
    name: str = "hub",
    need_t: float | tuple[float, ...] = 100.0,
    unmet_usd_t: float = 1e4,
    **options: Any,
) -> World:
    """Add a hub that turns ore into as much oxide, its lanes, and demand."""
    world.facility(name, takes={"ore": 1}, makes={"oxide": 1}, **options)
    world.lane("ore", "mine", name).lane("oxide", name, "user")
    return world.demand("user", "oxide", need_t, unmet_usd_t=unmet_usd_t)


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
            yield number, job, engine.solve_here(self._arrays, job)

    def stop(self) -> None:
        self._queue.clear()


def solve(inst: Instance, **options: Any) -> Solution:
    """Solve in this process, to a gap of nought."""
    with patch.object(solving, "Engine", InlineEngine):
        return solving.solve(inst, **options)


def cost(inst: Instance) -> float:
    """Cost of the best plan, which has to be proven."""
    solution = solve(inst)
    assert solution.status == "optimal"
    return solution.cost_usd
