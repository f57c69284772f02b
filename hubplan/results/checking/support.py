"""Is each hub's money what prices and the plan make of it, and is the support what the contracts and the terms say?"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from hubplan.errors import Fault
from hubplan.results.checking.capacity import built_by, kept_share, nominal_t_yr, stands_t_yr, throughput
from hubplan.results.checking.money import STORAGE_SHARE_YR
from hubplan.results.checking.reading import Reading, breaks, differs, mean, near, rows
from hubplan.results.checking.recipes import HEAVY, Recipes
from hubplan.results.checking.works import Works

PAID_SHARE = {"concentrate": 0.4, "carbonate": 0.7, "heavy-concentrate": 0.6, "scrap": 0.5}
"""Share of the oxides' value that is paid for a feed: assumed, (S1) of docs/support.md, written down a second time."""
STOCKED = frozenset({"ndpr-oxide", "dy-oxide", "tb-oxide", "sm-oxide", "gd-oxide", "y-oxide"})
STOCK_STAGES = frozenset({"separation_light", "separation_heavy", "recycling"})
_STOCK_T = 1e-2
_ROUNDING_USD = 2000.0
"""A hub's money may differ by this: rows below 0.1 kg are left out of the tables, and its stock may be such a row."""
_SHARE = 1e-5
_KG = 1000.0

Key = tuple[str, int]


@dataclass(frozen=True)
class Money:
    """A second reading of (S1) to (S3): what every hub earns."""

    reading: Reading
    works: Mapping[str, Works]
    recipes: Recipes

    @cached_property
    def _listed(self) -> Mapping[tuple[str, str, int], float]:
        table = self.reading.tables.prices
        return {(row.set, row.commodity, int(row.year)): float(row.price_usd_t) for row in rows(table)}

    def price(self, commodity: str, tag: str, period: int) -> float:
        """Transfer price; NaN where nobody knows one."""
        if tag and commodity in PAID_SHARE:
            content = self._content(commodity, tag)
            return PAID_SHARE[commodity] * math.fsum(t * self.price(oxide, "", period) for oxide, t in content.items())
        path = self.reading.plan.scenario.shock.price_path or "outside"
        years = self.reading.blocks[period]
        known = [self._listed.get((path, commodity, y), self._listed.get(("outside", commodity, y))) for y in years]
        return mean([math.nan if price is None else price for price in known])

    def _content(self, commodity: str, tag: str) -> Mapping[str, float]:
        if commodity == "scrap":
            grade = self.recipes.metals[tag]
            return {
                f"{e}-oxide": self.recipes.gain("recycling", "scrap", f"{e}-oxide", tag)
                for e, t in grade.items()
                if t > 0
            }
        basket = {e: share for e, share in self.recipes.basket[tag].items() if share > 0}
        if commodity == "heavy-concentrate":
            total = math.fsum(basket.get(e, 0.0) for e in HEAVY)
            basket = {e: basket[e] / total for e in HEAVY if e in basket}
        return {f"{e}-oxide": share for e, share in basket.items()}

    @cached_property
    def stock_t(self) -> Mapping[tuple[str, str, int], float]:
        """Change of each separator's and recycler's own stock, by facility, oxide and period."""
        change: defaultdict[tuple[str, str, int], float] = defaultdict(float)
        for row in rows(self.reading.plan.processes):
            work = self.works[str(row.facility)]
            if work.stage in STOCK_STAGES:
                for (commodity, _), share in self.recipes.run(work, str(row.process)).makes.items():
                    if commodity in STOCKED:
                        change[work.facility, commodity, int(row.period)] += share * float(row.input_t)
        makers = {facility for facility, _, _ in change}
        for name, column in (("flows", "origin_facility"), ("surplus", "facility")):
            for row in rows(self.reading.plan.table(name)):
                facility, commodity = str(getattr(row, column)), str(row.commodity)
                if commodity in STOCKED and facility in makers:
                    gone = row.flow_t if name == "flows" else row.held_t + row.sold_t
                    change[facility, commodity, int(row.period)] -= float(gone)
        return {key: amount for key, amount in change.items() if abs(amount) > _STOCK_T}

    @cached_property
    def kept_by_state(self) -> frozenset[str]:
        """Oxides that a stockpile rule asks for: bought as they are stocked."""
        return frozenset(n.removesuffix("-oxide") + "-oxide" for n in self.reading.plan.scenario.policy.stockpile_days)

    @cached_property
    def sold_t(self) -> Mapping[tuple[str, str, str, int], float]:
        """Delivered, by facility, commodity, tag and period."""
        found: defaultdict[tuple[str, str, str, int], float] = defaultdict(float)
        for row in rows(self.reading.plan.flows):
            found[str(row.origin_facility), str(row.commodity), str(row.mine), int(row.period)] += float(row.flow_t)
        return found

    @cached_property
    def sales(self) -> Mapping[tuple[str, str, int], list[tuple[float, float]]]:
        """Tonnes delivered or sold as by-product, each with its price, by facility, commodity and period."""
        found: defaultdict[tuple[str, str, int], list[tuple[float, float]]] = defaultdict(list)
        for (facility, commodity, tag, period), amount in self.sold_t.items():
            if facility in self.works:
                found[facility, commodity, period].append((amount, self.price(commodity, tag, period)))
        for row in rows(self.reading.plan.surplus):
            price = self.price(str(row.commodity), str(row.mine), int(row.period))
            found[str(row.facility), str(row.commodity), int(row.period)].append((float(row.sold_t), price))
        return found

    @cached_property
    def margin(self) -> Mapping[Key, float]:
        """Sales, with stock at its price, less purchases, freight, running cost and storage; USD."""
        found: defaultdict[Key, float] = defaultdict(float)
        for (facility, _, period), parts in self.sales.items():
            found[facility, period] += math.fsum(amount * price for amount, price in parts if amount > 0)
        for row in rows(self.reading.plan.flows):
            if row.destination_facility in self.works:
                cost = float(row.flow_t) * self.price(str(row.commodity), str(row.mine), int(row.period))
                found[str(row.destination_facility), int(row.period)] -= cost + float(row.cost_usd)
        for (facility, commodity, period), change in self.stock_t.items():
            found[facility, period] += change * self.price(commodity, "", period)
        for row in rows(self.reading.plan.processes):
            work = self.works[str(row.facility)]
            use = self.recipes.run(work, str(row.process)).use
            found[work.facility, int(row.period)] -= float(row.input_t) * use * work.opex_usd_t
        for (facility, period), capital in self.capital.items():
            found[facility, period] -= capital * self.works[facility].fixed_opex_share * self.reading.years(period)
        for hub in rows(self.reading.plan.hubs):
            work, period = self.works[str(hub.facility)], int(hub.period)
            if nominal_t_yr(self.reading, work, period) > 0:
                kept = kept_share(self.reading, work, built_by(self.reading).get(work.facility, {}), period)
                found[work.facility, period] -= work.keep_usd_yr * kept * self.reading.years(period)
        for part in (self._storage, self._floors):
            for key, amount in part.items():
                found[key] += amount
        return found

    @cached_property
    def capital(self) -> Mapping[Key, float]:
        """Overnight capital of all that was built by a period, USD."""
        found = {}
        for facility, built in built_by(self.reading).items():
            work = self.works[facility]
            for period in self.reading.blocks:
                size = stands_t_yr(built, period)
                found[facility, period] = (work.fixed_usd if size > 0 else 0.0) + work.slope_usd_t_yr * size
        return found

    def capex(self, facility: str, period: int) -> float:
        """Overnight capital of what is built in a period, USD."""
        order = list(self.reading.blocks)
        before = order[order.index(period) - 1] if order.index(period) else None
        now = self.capital.get((facility, period), 0.0)
        return now - (self.capital.get((facility, before), 0.0) if before is not None else 0.0)

    @cached_property
    def _storage(self) -> Mapping[Key, float]:
        """Cost of own stock, below 0."""
        found: defaultdict[Key, float] = defaultdict(float)
        for facility, commodity in {(f, c) for f, c, _ in self.stock_t if c not in self.kept_by_state}:
            stock = 0.0
            for period in self.reading.blocks:
                stock += self.stock_t.get((facility, commodity, period), 0.0)
                value = self.reading.value_usd_t[commodity] * STORAGE_SHARE_YR * self.reading.years(period)
                found[facility, period] -= max(0.0, stock) * value
        return found

    @cached_property
    def _floors(self) -> Mapping[Key, float]:
        """What offtake floors add, the highest floor first, in proportion to what each plant of the site delivers."""
        found: defaultdict[Key, float] = defaultdict(float)
        left = dict(self.sold_t)
        deals = [deal for deal in self.reading.plan.scenario.policy.offtake if deal.floor_usd_kg is not None]
        for deal in sorted(deals, key=lambda deal: -float(deal.floor_usd_kg or 0.0)):
            for period in self.reading.blocks:
                share = self.reading.share_of_block(period, deal.from_year, deal.to_year)
                asked = deal.t_yr * share * self.reading.years(period)
                here = [
                    key
                    for key, amount in left.items()
                    if key[1] == deal.commodity and key[3] == period and amount > 0
                    if self.works[key[0]].site == deal.site
                ]
                total = math.fsum(left[key] for key in here)
                for key in here:
                    covered = left[key] * min(1.0, asked / total)
                    left[key] -= covered
                    gap = float(deal.floor_usd_kg or 0.0) * _KG - self.price(*key[1:])
                    found[key[0], period] += covered * max(0.0, gap)
        return found

    def cash(self, facility: str, period: int) -> float:
        """Margin less own stock, capital charge and with grants given, USD."""
        stock = math.fsum(
            change * self.price(commodity, "", period)
            for (owner, commodity, at), change in self.stock_t.items()
            if (owner, at) == (facility, period) and commodity not in self.kept_by_state
        )
        work = self.works[facility]
        charge = self.capital.get((facility, period), 0.0) * work.annuity_share * self.reading.years(period)
        return self.margin.get((facility, period), 0.0) - stock - charge + self.given(facility, period)

    def given(self, facility: str, period: int) -> float:
        """Grant that the scenario gives in advance, USD."""
        share = self.reading.plan.scenario.policy.capex_grant_share.get(self.works[facility].stage, 0.0)
        return share * self.capex(facility, period)


def find_support_faults(
    reading: Reading, works: Mapping[str, Works], recipes: Recipes, support: pd.DataFrame
) -> list[Fault]:
    """(S1) to (S9) of docs/support.md, but for leastness: cash flows, payments, conditions and budget.

    Parameters
    ----------
    support
        The plan's support table; an empty one has no fault.
    """
    if support.empty:
        return []
    money = Money(reading, works, recipes)
    hubs = reading.plan.hubs[reading.plan.hubs["stage"] != "purchase"]
    listed = set(zip(hubs["facility"], hubs["period"], strict=True))
    told = set(zip(support["facility"], support["period"], strict=True))
    faults = [breaks(f"support.csv, {f}, {p}", "has no row") for f, p in sorted(listed - told)]
    faults += [breaks(f"support.csv, {f}, {p}", "is no hub of that period") for f, p in sorted(told - listed)]
    if faults:
        return faults
    for row in rows(support):
        faults += _payment(money, row)
    return [*faults, *_strikes(support), *_hubs(money, support), *_budget(reading, support)]


def _where(row: Any, column: str = "") -> str:
    key = f"support.csv ({row.facility}, {row.period}, {row.form}, {row.commodity})"
    return f"{key}, column {column}" if column else key


def _payment(money: Money, row: Any) -> list[Fault]:
    """(S4) to (S6) of one row."""
    terms = money.reading.plan.scenario.policy.support
    faults = []
    only_given = row.form == "grant" and near(float(row.payment_usd), float(row.given_usd), absolute=1.0)
    if row.form != "none" and not only_given and (terms is None or row.form not in terms.forms):
        faults.append(breaks(_where(row, "form"), "is not among policy.support.forms"))
    if row.form == "grant":
        given = money.given(str(row.facility), int(row.period))
        most = max(given, (terms.max_grant_share if terms else 0.0) * money.capex(str(row.facility), int(row.period)))
        if not near(float(row.given_usd), given, absolute=1.0):
            faults.append(differs(_where(row, "given_usd"), row.given_usd, given, "capex_grant_share x capital"))
        if row.payment_usd > most * (1 + _SHARE) + 1.0 or row.payment_usd < given * (1 - _SHARE) - 1.0:
            faults.append(differs(_where(row, "payment_usd"), row.payment_usd, most, "the most that may be granted"))
        return faults
    expected = 0.0
    if row.form in ("floor", "cfd"):
        gap = float(row.strike_usd_t) - float(row.price_usd_t)
        back = terms.upside_share if terms and row.form == "cfd" else 0.0
        expected = float(row.volume_t) * (gap if gap > 0 else back * gap)
    elif row.form != "none":
        faults.append(breaks(_where(row, "form"), "is no form of support"))
    if not near(float(row.payment_usd), expected, absolute=1.0):
        faults.append(differs(_where(row, "payment_usd"), row.payment_usd, expected, "volume x (strike - price)"))
    return [*faults, *_sale(money, row)]


def _sale(money: Money, row: Any) -> list[Fault]:
    """Volume and price of a row are those of what the hub made for sale."""
    if not row.commodity:
        return []
    facility, period = str(row.facility), int(row.period)
    parts = money.sales.get((facility, str(row.commodity), period), [])
    change = money.stock_t.get((facility, str(row.commodity), period), 0.0)
    volume = max(0.0, math.fsum(amount for amount, _ in parts) + change)
    faults = []
    if not near(float(row.volume_t), volume, absolute=_STOCK_T):
        faults.append(differs(_where(row, "volume_t"), row.volume_t, volume, "delivered, sold and stocked"))
    total = math.fsum(amount for amount, _ in parts)
    if total > 1.0 and change == 0.0:
        price = math.fsum(amount * price for amount, price in parts) / total
        if not math.isclose(float(row.price_usd_t), price, rel_tol=_SHARE):
            faults.append(differs(_where(row, "price_usd_t"), row.price_usd_t, price, "prices.csv of the path"))
    return faults


def _strikes(support: pd.DataFrame) -> list[Fault]:
    """A contract for difference has one strike for its term, and leaves nobody poorer (see `_hubs` for the money)."""
    signed = support[support["form"] == "cfd"]
    faults = []
    for (facility, commodity), group in signed.groupby(["facility", "commodity"]):
        strikes = group["strike_usd_t"].astype(float)
        if not math.isclose(strikes.min(), strikes.max(), rel_tol=1e-6):
            found = f"has strikes from {strikes.min():,.9g} to {strikes.max():,.9g} USD/t: a term has one"
            faults.append(breaks(f"support.csv, {facility}, {commodity}", found))
    return faults


def _hubs(money: Money, support: pd.DataFrame) -> list[Fault]:
    """(S2), (S3) and (S7): margins, present values, who is bankable and who is kept."""
    reading = money.reading
    used = throughput(reading, money.works, money.recipes)
    solved = support.assign(usd=support["payment_usd"] - support["given_usd"])
    solved = solved.assign(now=solved["usd"] * solved["period"].map(reading.discount).astype(float))
    faults = []
    for facility, group in solved.groupby("facility"):
        name, first = str(facility), next(iter(rows(group)))
        own = sorted(set(group["period"].astype(int)))
        before = math.fsum(money.cash(name, period) * reading.discount[period] for period in own)
        slack = _ROUNDING_USD + _SHARE * math.fsum(abs(money.cash(name, period)) for period in own)
        npv = before + float(group["now"].sum())
        for column, value in (("npv_before_usd", before), ("npv_usd", npv)):
            if (group[column].astype(float) - value).abs().max() > slack:
                why = "discounted sales less purchases, freight, running cost and capital"
                faults.append(differs(_where(first, column), float(getattr(first, column)), value, why))
        gap = max(0.0, -float(first.npv_usd))
        wrong = (group["gap_usd"] - gap).abs().max() > 2.0 or ((group["gap_usd"] == 0.0) != group["bankable"]).any()
        if wrong:
            faults.append(differs(_where(first, "gap_usd"), float(first.gap_usd), gap, "what npv_usd lacks to 0"))
        for (commodity,), paid in group[group["form"] == "cfd"].groupby(["commodity"]):
            if float(paid["now"].sum()) < -slack:
                faults.append(breaks(_where(first), f"its contract on {commodity} leaves it poorer"))
        stops = []
        for period in own:
            here = group[(group["period"] == period) & (group["form"] != "grant")]
            margin, paid_usd = money.margin.get((name, period), 0.0), float(here["usd"].sum())
            said = float(group.loc[group["period"] == period, "margin_usd"].iloc[0])
            if abs(said - margin) > slack:
                faults.append(differs(_where(first, "margin_usd"), said, margin, f"margin before support in {period}"))
            if used.get((name, period), 0.0) > _STOCK_T and margin + paid_usd < -slack:
                stops.append(period)
        if bool(first.kept) and (npv < -slack or stops):
            found = f"is kept, and lacks {max(0.0, -npv):,.9g} USD; would stop in {stops or 'no period'}"
            faults.append(breaks(_where(first, "kept"), found))
    return faults


def _budget(reading: Reading, support: pd.DataFrame) -> list[Fault]:
    """(S9) Discounted public money within the budget."""
    terms = reading.plan.scenario.policy.support
    factor = support["period"].map(reading.discount).astype(float)
    spent = float(((support["payment_usd"] - support["given_usd"]) * factor).sum())
    if terms is not None and terms.budget_usd is not None and spent > terms.budget_usd * (1 + _SHARE) + 1.0:
        return [differs("support.csv", spent, terms.budget_usd, "discounted public money is above the budget")]
    return []
