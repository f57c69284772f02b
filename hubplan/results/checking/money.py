"""What it costs: every line worked out from hubs, processes, flows, stocks, demand and the prices of the tables."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from hubplan.errors import Fault
from hubplan.results.checking.capacity import built_by, keeping_usd, stands_t_yr
from hubplan.results.checking.carbon import carbon_usd
from hubplan.results.checking.penalties import price_usd
from hubplan.results.checking.purchases import paid_usd
from hubplan.results.checking.reading import ABSOLUTE_USD, ON_SITE, Reading, breaks, differs, near, rows
from hubplan.results.checking.recipes import Recipes
from hubplan.results.checking.ways import gross_t_t, route_sums
from hubplan.results.checking.works import Works
from hubplan.results.plan import COST_LINES

HOURS_A_YEAR = 8766.0
STORAGE_SHARE_YR = 0.01
"""Yearly cost of keeping a separated oxide, as a share of its value."""
_MOST_PASSAGES = 4
"""A way may pass a gate more than once, which legs.csv does not count."""
_LINE_USD = 1000.0
"""Lines of cost may differ by this: rows below 0.1 kg are left out of the tables."""


def find_cost_faults(reading: Reading, works: Mapping[str, Works], recipes: Recipes) -> list[Fault]:
    """The objective, (0) of docs/model.md, from the other tables; objective, bound and gap of the manifest."""
    return [
        *_periods(reading),
        *_flow_costs(reading),
        *_penalties(reading),
        *_lines(reading, works, recipes),
        *_objective(reading),
    ]


def _periods(reading: Reading) -> list[Fault]:
    faults = []
    if reading.plan.periods["period"].tolist() != list(reading.blocks):
        return [breaks("periods.csv", "are not the periods of the scenario")]
    for row in rows(reading.plan.periods):
        for column, value in (("years", reading.years(row.period)), ("discount", reading.discount[row.period])):
            if not near(getattr(row, column), value, absolute=1e-9):
                where = reading.where("periods", row.Index, column)
                faults.append(differs(where, getattr(row, column), value, "from horizon.years and discount_share"))
    return faults


def _class7_usd_t(reading: Reading, commodity: str, mine: str) -> float:
    mines = reading.tables.mines
    thorium = set(mines.loc[mines["mine"] == mine, "thorium"])
    return reading.parameter("class7_surcharge_usd_t") if commodity == "concentrate" and "yes" in thorium else 0.0


def _flow_costs(reading: Reading) -> list[Fault]:
    """Freight on gross mass and days in transit, from the legs; the price of risk; the three make up the cost."""
    ways: dict[str, Any] = {str(row.Index): row for row in rows(route_sums(reading.plan.legs))}
    priced = _priced_passages(reading)
    gross: dict[tuple[str, str], tuple[float, float]] = {}
    capital = reading.parameter("capital_cost_share")
    faults = []
    for flow in rows(reading.plan.flows):
        key = str(flow.commodity), str(flow.mine)
        if key not in gross:
            gross[key] = gross_t_t(reading, *key), _class7_usd_t(reading, *key)
        weight, class7 = gross[key]
        expected = {"freight_usd": 0.0, "transit_usd": 0.0}
        if flow.route != ON_SITE and flow.route in ways:
            way = ways[flow.route]
            expected["freight_usd"] = flow.flow_t * weight * (way.cost_usd_t + class7)
            expected["transit_usd"] = flow.flow_t * way.hours / HOURS_A_YEAR * capital * reading.value_usd_t[key[0]]
        expected["cost_usd"] = flow.freight_usd + flow.transit_usd + flow.surcharge_usd
        for column, value in expected.items():
            found = float(getattr(flow, column))
            if not near(found, value, absolute=ABSOLUTE_USD):
                where = reading.where("flows", flow.Index, column)
                faults.append(differs(where, found, value, "flow x gross mass x what its legs cost"))
        least = flow.flow_t * weight * priced.get(flow.route, 0.0)
        if not least * (1 - 1e-6) - 1e-3 <= flow.surcharge_usd <= _MOST_PASSAGES * least + 1e-3:
            why = "price of risk x gross tonnes, for each priced passage or call of its legs"
            faults.append(differs(reading.where("flows", flow.Index, "surcharge_usd"), flow.surcharge_usd, least, why))
    return faults


def _priced_passages(reading: Reading) -> dict[str, float]:
    """Route to the price of risk of a gross tonne that makes each priced passage and call of its legs once."""
    terminals = reading.tables.terminals
    port_of = dict(zip(terminals["terminal"], terminals["port"], strict=True))
    touched: defaultdict[str, set[str]] = defaultdict(set)
    for leg in rows(reading.plan.legs):
        touched[leg.route].update(leg.chokepoints.split(";"), leg.ports.split(";"))
    prices = reading.plan.scenario.routes.surcharge_usd_t
    return {
        route: math.fsum(price for name, price in prices.items() if {name, port_of.get(name) or name} & names)
        for route, names in touched.items()
    }


def _penalties(reading: Reading) -> list[Fault]:
    rates, faults = reading.plan.scenario.demand.unmet_usd_t, []
    for row in rows(reading.plan.demand):
        value = float(row.unmet_t) * rates.get(str(row.sector), rates["default"])
        if not near(float(row.penalty_usd), value, absolute=1.0):
            where = reading.where("demand", row.Index, "penalty_usd")
            faults.append(differs(where, float(row.penalty_usd), value, "unmet x demand.unmet_usd_t of the sector"))
    for row in rows(reading.plan.violations):
        value = float(row.amount) * price_usd(reading, str(row.rule), str(row.id))
        if not near(float(row.penalty_usd), value, absolute=1.0):
            where = reading.where("violations", row.Index, "penalty_usd")
            faults.append(differs(where, float(row.penalty_usd), value, "amount x the price of its rule"))
    return faults


def expected_lines(reading: Reading, works: Mapping[str, Works], recipes: Recipes) -> dict[tuple[str, int], float]:
    """Every line of cost by period, USD, undiscounted."""
    lines: defaultdict[tuple[str, int], float] = defaultdict(float)
    for facility, built in built_by(reading).items():
        work = works[facility]
        for period in reading.blocks:
            size = stands_t_yr(built, period)
            capital = (work.fixed_usd if size > 0 else 0.0) + work.slope_usd_t_yr * size
            lines["capital", period] += capital * work.annuity_share * reading.years(period)
            lines["fixed_operating", period] += capital * work.fixed_opex_share * reading.years(period)
    for _, period, amount in keeping_usd(reading, works):
        lines["fixed_operating", period] += amount
    for row in rows(reading.plan.processes):
        work = works[str(row.facility)]
        cost = float(row.input_t) * recipes.run(work, str(row.process)).use * work.opex_usd_t
        lines["mining" if work.stage == "mine" else "processing", int(row.period)] += cost
    for (_, period), paid in paid_usd(reading, works).items():
        lines["purchases", period] += paid
    for flow in rows(reading.plan.flows):
        lines["freight", int(flow.period)] += float(flow.freight_usd)
        lines["transit_inventory", int(flow.period)] += float(flow.transit_usd)
        lines["risk_surcharge", int(flow.period)] += float(flow.surcharge_usd)
    for period, paid in carbon_usd(reading, works, recipes).items():
        lines["carbon", period] += paid
    for stock in rows(reading.plan.stocks):
        value = reading.value_usd_t[str(stock.commodity)] * STORAGE_SHARE_YR * reading.years(int(stock.period))
        lines["storage", int(stock.period)] += float(stock.closing_t) * value
    for table, line, column, sign in (
        ("demand", "unmet", "penalty_usd", 1.0),
        ("surplus", "byproduct_sales", "revenue_usd", -1.0),
        ("violations", "rule_violations", "penalty_usd", 1.0),
    ):
        for row in rows(reading.plan.table(table)[["period", column]]):
            lines[line, int(row.period)] += sign * float(getattr(row, column))
    return dict(lines)


def _lines(reading: Reading, works: Mapping[str, Works], recipes: Recipes) -> list[Fault]:
    expected = expected_lines(reading, works, recipes)
    faults = []
    for row in rows(reading.plan.costs):
        key = str(row.line), int(row.period)
        if row.line not in COST_LINES or row.period not in reading.blocks:
            faults.append(breaks(reading.where("costs", row.Index), "is no line of cost of a period"))
            continue
        value = expected.pop(key, 0.0)
        if not near(float(row.cost_usd), value, absolute=_LINE_USD):
            where = reading.where("costs", row.Index, "cost_usd")
            faults.append(differs(where, float(row.cost_usd), value, "worked out from the other tables"))
        discounted = float(row.cost_usd) * reading.discount[key[1]]
        if not near(float(row.discounted_usd), discounted, absolute=1.0):
            where = reading.where("costs", row.Index, "discounted_usd")
            faults.append(differs(where, float(row.discounted_usd), discounted, "cost x discount factor"))
    for (line, period), value in sorted(expected.items()):
        if abs(value) > _LINE_USD:
            faults.append(breaks("costs.csv", f"no row for {line}, {period}: {value:,.9g} USD"))
    return faults


def _objective(reading: Reading) -> list[Fault]:
    plan = reading.plan
    total = math.fsum(plan.costs["discounted_usd"])
    faults = []
    if not near(plan.objective_usd, total, absolute=_LINE_USD):
        why = "discounted_usd of costs.csv, summed"
        faults.append(differs("manifest.json, objective_usd", plan.objective_usd, total, why))
    slack = 1e-6 * abs(plan.objective_usd) + 1.0
    if plan.bound_usd > plan.objective_usd + slack:
        faults.append(breaks("manifest.json, bound_usd", "is above objective_usd: no plan costs less than the bound"))
    gap = max(0.0, plan.objective_usd - plan.bound_usd) / abs(plan.objective_usd) if plan.objective_usd else 0.0
    if math.isfinite(gap) and not near(plan.gap_share, gap, absolute=1e-6):
        faults.append(differs("manifest.json, gap_share", plan.gap_share, gap, "(objective - bound) / objective"))
    if plan.status == "optimal" and gap > 1e-4:
        faults.append(breaks("manifest.json, status", f"is optimal, with a gap of {gap:.2%}"))
    return faults
