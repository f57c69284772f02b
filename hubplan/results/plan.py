"""Plan: the answer to a scenario, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import pandas as pd

from hubplan.data.access import Access
from hubplan.data.scenario import Scenario
from hubplan.errors import DataError, Fault

STATUSES = ("optimal", "within_gap", "time_limit", "cancelled")

COST_LINES = (
    "capital",
    "fixed_operating",
    "mining",
    "processing",
    "purchases",
    "freight",
    "transit_inventory",
    "risk_surcharge",
    "carbon",
    "storage",
    "unmet",
    "byproduct_sales",
    "rule_violations",
)

TABLES: Mapping[str, Mapping[str, type]] = {
    "periods": {"period": int, "years": int, "discount": float},
    "sites": {"site": str, "name": str, "kind": str, "country": str, "lon": float, "lat": float},
    "hubs": {
        "facility": str,
        "site": str,
        "name": str,
        "stage": str,
        "country": str,
        "lon": float,
        "lat": float,
        "period": int,
        "built_t_yr": float,
        "capacity_t_yr": float,
        "usable_t_yr": float,
        "throughput_t": float,
        "capex_usd": float,
        "opex_usd": float,
        "is_new": bool,
    },
    "processes": {"period": int, "facility": str, "process": str, "input_t": float},
    "flows": {
        "period": int,
        "commodity": str,
        "mine": str,
        "origin": str,
        "destination": str,
        "origin_facility": str,
        "destination_facility": str,
        "route": str,
        "flow_t": float,
        "freight_usd": float,
        "transit_usd": float,
        "surcharge_usd": float,
        "cost_usd": float,
    },
    "surplus": {
        "period": int,
        "facility": str,
        "site": str,
        "commodity": str,
        "mine": str,
        "held_t": float,
        "sold_t": float,
        "revenue_usd": float,
    },
    "stocks": {
        "site": str,
        "commodity": str,
        "period": int,
        "opening_t": float,
        "added_t": float,
        "drawn_t": float,
        "closing_t": float,
        "days_of_cover": float,
    },
    "demand": {
        "market": str,
        "product": str,
        "sector": str,
        "period": int,
        "demand_t": float,
        "served_t": float,
        "unmet_t": float,
        "penalty_usd": float,
    },
    "costs": {"line": str, "period": int, "cost_usd": float, "discounted_usd": float},
    "violations": {"rule": str, "id": str, "period": int, "amount": float, "unit": str, "penalty_usd": float},
    "legs": {
        "route": str,
        "leg": int,
        "mode": str,
        "from": str,
        "to": str,
        "length_km": float,
        "hours": float,
        "cost_usd_t": float,
        "countries": str,
        "chokepoints": str,
        "ports": str,
    },
    "exposure": {
        "kind": str,
        "id": str,
        "period": int,
        "flow_t": float,
        "flow_share": float,
        "value_usd": float,
    },
    "coverage": {
        "element": str,
        "period": int,
        "need_t": float,
        "served_t": float,
        "independent_t": float,
        "covered_share": float,
        "binding": str,
    },
    "shares": {
        "stage": str,
        "kind": str,
        "id": str,
        "period": int,
        "throughput_t": float,
        "share": float,
        "hhi": float,
    },
    "emissions": {"kind": str, "id": str, "period": int, "co2_t": float, "residue_t": float, "thorium_t": float},
    "shadow_prices": {"kind": str, "id": str, "period": int, "usd": float, "unit": str},
    "reasons": {
        "facility": str,
        "stage": str,
        "opened": bool,
        "why": str,
        "runner_up": str,
        "flip_number": float,
        "flip_unit": str,
    },
    "support": {
        "facility": str,
        "period": int,
        "form": str,
        "commodity": str,
        "volume_t": float,
        "price_usd_t": float,
        "strike_usd_t": float,
        "payment_usd": float,
        "npv_usd": float,
        "bankable": bool,
        "gap_usd": float,
        "given_usd": float,
        "gap_usd_kg": float,
        "npv_before_usd": float,
        "margin_usd": float,
        "kept": bool,
        "price_set": str,
    },
    "contingencies": {
        "loss": str,
        "kind": str,
        "id": str,
        "mine": str,
        "origin_facility": str,
        "destination_facility": str,
        "route": str,
        "amount_t": float,
    },
    "qualified": {
        "period": int,
        "kind": str,
        "id": str,
        "mine": str,
        "origin_facility": str,
        "destination_facility": str,
        "amount_t": float,
    },
}
"""Columns of each table of a plan, in order, with their type. A table may carry more columns after these."""

KEYS: Mapping[str, tuple[str, ...]] = {
    "periods": ("period",),
    "sites": ("site",),
    "hubs": ("facility", "period"),
    "processes": ("facility", "process", "period"),
    "flows": ("period", "commodity", "mine", "origin_facility", "destination_facility", "route"),
    "surplus": ("facility", "commodity", "mine", "period"),
    "stocks": ("site", "commodity", "period"),
    "demand": ("market", "product", "sector", "period"),
    "costs": ("line", "period"),
    "violations": ("rule", "id", "period"),
    "legs": ("route", "leg"),
    "exposure": ("kind", "id", "period"),
    "coverage": ("element", "period"),
    "shares": ("stage", "kind", "id", "period"),
    "emissions": ("kind", "id", "period"),
    "shadow_prices": ("kind", "id", "period"),
    "reasons": ("facility",),
    "support": ("facility", "period", "form", "commodity"),
    "contingencies": ("loss", "kind", "id", "mine", "origin_facility", "destination_facility", "route"),
    "qualified": ("period", "kind", "id", "mine", "origin_facility", "destination_facility"),
}
"""What tells the rows of each table apart; rows are written in this order."""

ROUTE_COLUMNS = ("route", "leg", "mode", "geometry")


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """Which hubs, where, when and how large; what moves which way; what it costs and rests on.

    Every frame has the columns of `TABLES`, one fact a row, with no two rows of one key of `KEYS`.
    Flows, inputs and throughput are tonnes (contained REO, metal, alloy or magnet mass) in the whole period; capacities
    are t/yr; money is USD of the scenario's price year, undiscounted unless the name says so.

    Parameters
    ----------
    scenario, access
        The question, and what its hard rules leave open.
    status
        ``optimal`` (gap 0 proven), ``within_gap`` (the gap asked for), ``time_limit`` (best found when time ran out) or
        ``cancelled`` (best found by then).
    objective_usd, bound_usd, gap_share
        Discounted cost of this plan, the least any plan can cost as far as proven, and
        ``(objective_usd - bound_usd) / |objective_usd|``.
    seconds
        Wall time by step.
    inputs
        File of geodata to its SHA-256.
    solver
        Name and version.
    counts
        Sizes: lanes kept and pruned, columns, rows, binaries.
    periods
        ``period`` (its first year), ``years`` (length), ``discount`` (mean factor of its years).
    hubs
        Facilities in use, built or kept, mines (stage ``mine``) included, by period. ``built_t_yr`` is new in this period,
        ``capacity_t_yr`` all that stands by then and is kept, before ramp, ``usable_t_yr`` after ramp and losses,
        ``throughput_t`` in the capacity's own unit, ``capex_usd`` overnight cost of what is built in this period,
        ``opex_usd`` fixed and variable.
    processes
        Tonnes of input of a process such as ``carbonate@mount-weld`` (for a mine: of output).
    flows
        ``mine`` is empty after separation; ``destination_facility`` is the market's site for a market; ``route`` is
        ``on-site`` when origin and destination are one site. ``cost_usd`` = freight + transit inventory + surcharge.
    surplus
        What is left over: held, or sold as by-product.
    stocks, demand, costs
        Stocks of separated oxides; demand served and unmet; lines of cost, whose ``discounted_usd`` sum to the
        objective.
    violations
        Policy rules not met, and the price put on that.
    legs, routes
        Every route in use, by the plan or with a loss, leg by leg; ``routes`` holds the same legs as lines (longitudes
        unwrapped: they may pass 180).
    exposure
        Tonnes and value that depend on a chokepoint, country or operator.
    coverage
        By element: what demand needs, what is served, what of that comes from no excluded country, and what binds.
    shares
        Throughput of each stage by country, owner and site, with the Herfindahl-Hirschman index (0 to 10,000) of its kind;
        a blank id is what has no known owner, and adds nothing to the index.
    emissions
        CO2, solid residue and thorium (as ThO2) by ``kind``: mode and facility make up the whole; stage and country share
        out the facilities.
    shadow_prices
        What one more unit of a capacity, rule or demand would save, discounted USD (one-sided: prices at this plan).
    reasons
        For each facility that is or could be open: why, the runner-up, and the number that would flip the decision.
    support
        Cash flow at the price path, and the least support that keeps each hub open.
    support_facts
        The same in sums, as plain JSON values: see `hubplan.results.support.summarise`.
    contingencies
        N-1: with each ``loss``, a year of the scenario's N-1 period run from the plan's capacity. ``kind`` is ``run`` (``id``
        is the process at ``origin_facility``), ``flow`` (``id`` is the commodity) or ``short`` (``id`` is the product).
    qualified
        Rules of content: what of the runs and flows is known to hold nothing of the countries named, all other rows of the plan
        being of either kind. ``kind`` is ``run`` or ``flow``, as in ``contingencies``.
    sites
        The places named in the other tables.
    """

    scenario: Scenario
    access: Access
    status: str
    objective_usd: float
    bound_usd: float
    gap_share: float
    seconds: Mapping[str, float]
    inputs: Mapping[str, str]
    solver: str
    counts: Mapping[str, int]
    periods: pd.DataFrame
    sites: pd.DataFrame
    hubs: pd.DataFrame
    processes: pd.DataFrame
    flows: pd.DataFrame
    surplus: pd.DataFrame
    stocks: pd.DataFrame
    demand: pd.DataFrame
    costs: pd.DataFrame
    violations: pd.DataFrame
    legs: pd.DataFrame
    routes: gpd.GeoDataFrame
    exposure: pd.DataFrame
    coverage: pd.DataFrame = field(default_factory=lambda: empty_table("coverage"))
    shares: pd.DataFrame = field(default_factory=lambda: empty_table("shares"))
    emissions: pd.DataFrame = field(default_factory=lambda: empty_table("emissions"))
    shadow_prices: pd.DataFrame = field(default_factory=lambda: empty_table("shadow_prices"))
    reasons: pd.DataFrame = field(default_factory=lambda: empty_table("reasons"))
    support: pd.DataFrame = field(default_factory=lambda: empty_table("support"))
    support_facts: Mapping[str, Any] = field(default_factory=dict)
    contingencies: pd.DataFrame = field(default_factory=lambda: empty_table("contingencies"))
    qualified: pd.DataFrame = field(default_factory=lambda: empty_table("qualified"))

    def __post_init__(self) -> None:
        """Hold every table to its shape."""
        faults = [fault for name in TABLES for fault in find_shape_faults(name, getattr(self, name))]
        if self.status not in STATUSES:
            faults.append(Fault("plan.status", repr(self.status), f"one of {', '.join(STATUSES)}"))
        missing = [column for column in ROUTE_COLUMNS if column not in self.routes.columns]
        if missing:
            faults.append(Fault("plan.routes", f"no column {', '.join(missing)}", "give the columns of ROUTE_COLUMNS"))
        if faults:
            raise DataError(faults, f"the plan has {len(faults)} fault{'s' if len(faults) != 1 else ''}")

    def table(self, name: str) -> pd.DataFrame:
        """Return one table of `TABLES` by name."""
        if name not in TABLES:
            raise DataError([Fault("plan", f"no table '{name}'", f"one of {', '.join(TABLES)}")])
        frame: pd.DataFrame = getattr(self, name)
        return frame


def find_shape_faults(name: str, frame: pd.DataFrame) -> list[Fault]:
    """Say what a table of a plan lacks: columns, or distinct keys."""
    missing = [column for column in TABLES[name] if column not in frame.columns]
    if missing:
        return [Fault(f"plan.{name}", f"no column {', '.join(missing)}", "give the columns of results.plan.TABLES")]
    key = list(KEYS[name])
    twice = frame[frame.duplicated(key, keep="first")]
    if len(twice):
        first = ", ".join(str(value) for value in twice.iloc[0][key])
        found = f"{len(twice)} rows repeat a key, the first ({first})"
        return [Fault(f"plan.{name}", found, "sum the rows of one key")]
    return []


def empty_table(name: str) -> pd.DataFrame:
    """Build a table of a plan with its columns and types, and no row."""
    return pd.DataFrame({column: pd.Series(dtype=_DTYPES[kind]) for column, kind in TABLES[name].items()})


def as_table(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Put a frame in a table's column order, types and row order; further columns follow as they are."""
    if frame.empty:
        return empty_table(name)
    columns = TABLES[name]
    rest = [column for column in frame.columns if column not in columns]
    typed = frame[[*columns, *rest]].astype({column: _DTYPES[kind] for column, kind in columns.items()})
    return typed.sort_values(list(KEYS[name]), kind="stable", ignore_index=True)


_DTYPES: Mapping[type, str] = {str: "object", int: "int64", float: "float64", bool: "bool"}
