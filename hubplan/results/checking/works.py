"""Facilities as the tables have them: what stands, what may be built, when and at what cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from hubplan.data.access import countries_of
from hubplan.results.checking.purchases import offered_t, read_offers
from hubplan.results.checking.reading import Reading, as_float, mean, rows

MINE_RAMP = (0.5, 0.8, 1.0)
MINE_LIFE_YEARS = 20.0
NEW_MINE_YEARS = 6
"""Assumptions of the plan about mines (docs/model.md), written down a second time on purpose."""
_USABLE_MINES = frozenset({"operating", "commissioning", "construction", "advanced", "feasibility", "early"})


@dataclass(frozen=True, kw_only=True)
class Works:
    """One facility: a mine, a plant, a hub to be, a collection of scrap, a door for purchases or a stockpile.

    Parameters
    ----------
    stands_t_yr, stands_from
        Capacity that exists or is committed, and the year it starts (-inf: long ago); 0 if none.
    stands_until
        Last year of that capacity; inf if no end is known.
    yearly_t
        Supply by year instead of a capacity, for collections of scrap and for purchases; a stockpile has none.
    ramp
        Share of capacity usable in the first, second, ... year.
    smallest_t_yr, largest_t_yr, earliest
        Sizes that may be built, and the first year of use; largest is 0 and earliest inf if nothing may be.
    fixed_usd, slope_usd_t_yr, annuity_share, fixed_opex_share
        Capital: fixed part and slope, its yearly cost, and the fixed operating share.
    opex_usd_t
        Per t of capacity use (mines: of output).
    """

    facility: str
    site: str
    stage: str
    country: str
    stands_t_yr: float
    stands_from: float
    ramp: tuple[float, ...]
    smallest_t_yr: float
    largest_t_yr: float
    earliest: float
    fixed_usd: float
    slope_usd_t_yr: float
    annuity_share: float
    fixed_opex_share: float
    opex_usd_t: float
    yearly_t: Mapping[int, float] | None = None
    stands_until: float = math.inf

    def ramped(self, block: tuple[int, ...], start: float) -> float:
        """Share of capacity from a start year that is usable, mean over the years of a block."""
        last = len(self.ramp) - 1

        def share(year: int) -> float:
            if year < start:
                return 0.0
            return self.ramp[last] if year - start >= last else self.ramp[int(year - start)]

        return mean([share(year) for year in block])

    @property
    def keep_usd_yr(self) -> float:
        """What it costs a year to keep what stands: the fixed operating share of its capital. Above 0 it may be closed."""
        if self.stands_t_yr <= 0:
            return 0.0
        return self.fixed_opex_share * (self.fixed_usd + self.slope_usd_t_yr * self.stands_t_yr)

    def standing_t_yr(self, block: tuple[int, ...]) -> float:
        """Capacity that exists or is committed, after ramp, mean over the years of a block."""
        if self.yearly_t is not None:
            return mean([self.yearly_t.get(year, 0.0) for year in block])
        if self.stands_t_yr <= 0:
            return 0.0
        lasting = tuple(year for year in block if year <= self.stands_until)
        return self.stands_t_yr * self.ramped(lasting, self.stands_from) * len(lasting) / len(block) if lasting else 0.0


def annuity(rate: float, years: float) -> float:
    """Capital recovery factor: the yearly payment that pays off 1 over a life."""
    return 1 / years if rate == 0 else rate / (1 - (1 + rate) ** -years)


def read_works(reading: Reading) -> dict[str, Works]:
    """Read mines, facilities, scrap collections, purchases and stockpiles, by id. What the scenario bars is among them."""
    works = [*_read_mines(reading), *_read_plants(reading), *_read_collections(reading)]
    works += [*_read_purchases(reading), *_read_stockpiles(reading)]
    return {work.facility: work for work in works}


def _read_mines(reading: Reading) -> list[Works]:
    start, rate = reading.plan.scenario.horizon.years[0], reading.plan.scenario.horizon.discount_share
    found = []
    for mine in rows(reading.tables.mines):
        capacity, first, capex = (as_float(v) for v in (mine.capacity_reo_t_yr, mine.first_year, mine.capex_usd))
        usable = mine.status in _USABLE_MINES and not math.isnan(capacity)
        stands = usable and mine.committed and (not math.isnan(first) or mine.status == "operating")
        may_build = usable and not stands and not math.isnan(first) and not math.isnan(capex)
        earliest = first if mine.status == "advanced" else max(first, start + NEW_MINE_YEARS)
        found.append(
            Works(
                facility=mine.mine,
                site=mine.mine,
                stage="mine",
                country=reading.country[mine.mine],
                stands_t_yr=capacity if stands else 0.0,
                stands_from=-math.inf if math.isnan(first) else first,
                ramp=(1.0,) if stands and mine.status == "operating" else MINE_RAMP,
                smallest_t_yr=capacity if may_build else 0.0,
                largest_t_yr=capacity if may_build else 0.0,
                earliest=earliest if may_build else math.inf,
                fixed_usd=0.0,
                slope_usd_t_yr=capex / capacity if may_build else 0.0,
                annuity_share=annuity(rate, MINE_LIFE_YEARS),
                fixed_opex_share=0.0,
                opex_usd_t=as_float(mine.opex_usd_reo_t),
            )
        )
    return found


def _read_plants(reading: Reading) -> list[Works]:
    start, rate = reading.plan.scenario.horizon.years[0], reading.plan.scenario.horizon.discount_share
    stages = reading.tables.stages.set_index("stage")
    index = dict(zip(reading.tables.countries["country"], reading.tables.countries["capex_index"], strict=True))
    found = []
    for plant in rows(reading.tables.facilities):
        stage, country = stages.loc[plant.stage], reading.country[plant.site]
        capacity, first, limit = (as_float(v) for v in (plant.capacity_t_yr, plant.start_year, plant.max_t_yr))
        usable = plant.status != "cancelled"
        known = not math.isnan(capacity) and (not math.isnan(first) or plant.status == "operating")
        stands = usable and plant.committed and known
        may_build = usable and not plant.committed
        sizes = [size for size in (limit, capacity, float(stage["size_max_t_yr"])) if not math.isnan(size)]
        lead = as_float(stage["lead_years"]) if pd.isna(plant.lead_years) else as_float(plant.lead_years)
        scale = as_float(index.get(country, 1.0))
        found.append(
            Works(
                facility=plant.facility,
                site=plant.site,
                stage=plant.stage,
                country=country,
                stands_t_yr=capacity if stands else 0.0,
                stands_from=-math.inf if math.isnan(first) else first,
                stands_until=math.inf if pd.isna(plant.end_year) else as_float(plant.end_year),
                ramp=tuple(float(share) for share in str(stage["ramp"]).split(";")),
                smallest_t_yr=min(float(stage["size_min_t_yr"]), sizes[0]) if may_build else 0.0,
                largest_t_yr=sizes[0] if may_build else 0.0,
                earliest=max(start + lead, -math.inf if math.isnan(first) else first) if may_build else math.inf,
                fixed_usd=float(stage["capex_fixed_usd"]) * scale,
                slope_usd_t_yr=float(stage["capex_usd_t_yr"]) * scale,
                annuity_share=annuity(rate, float(stage["life_years"])),
                fixed_opex_share=float(stage["fixed_opex_share"]),
                opex_usd_t=float(stage["opex_usd_t"]),
            )
        )
    return found


def _read_collections(reading: Reading) -> list[Works]:
    return [
        _supply(
            facility=f"{market}-collection-{grade}",
            site=str(market),
            stage="collection",
            country=reading.country[str(market)],
            yearly_t=dict(zip(years["year"].astype(int), years["scrap_t"].astype(float), strict=True)),
        )
        for (market, grade), years in reading.tables.scrap.groupby(["market", "grade"])
    ]


def _read_purchases(reading: Reading) -> list[Works]:
    """Doors at which offers may be bought: one for each market that takes part, commodity and country of origin."""
    every = [row.site for row in rows(reading.tables.sites) if row.kind == "market"]
    years = [year for block in reading.blocks.values() for year in block]
    supply: dict[tuple[str, str, str], dict[int, float]] = {}
    for offer in read_offers(reading).values():
        for market in offer.markets or every:
            if market not in reading.access.barred_sites:
                yearly = supply.setdefault((market, offer.commodity, offer.country), dict.fromkeys(years, 0.0))
                yearly.update({year: yearly[year] + offered_t(reading, offer, year) for year in years})
    return [
        _supply(
            facility=f"{market}-purchase-{commodity}-{country}",
            site=market,
            stage="purchase",
            country=country,
            yearly_t=yearly,
        )
        for (market, commodity, country), yearly in supply.items()
    ]


def _read_stockpiles(reading: Reading) -> list[Works]:
    """Places for stocks: the markets that take part in the countries asked for."""
    asked = countries_of(reading.plan.scenario.policy.stockpile.places, reading.tables)
    return [
        _supply(facility=f"{row.site}-stockpile", site=row.site, stage="stockpile", country=row.country, yearly_t={})
        for row in rows(reading.tables.sites)
        if row.kind == "market" and row.country in asked and row.site not in reading.access.barred_sites
    ]


def _supply(*, facility: str, site: str, stage: str, country: str, yearly_t: Mapping[int, float]) -> Works:
    """Something that is neither built nor costs anything to run: it has so much in a year."""
    return Works(
        facility=facility,
        site=site,
        stage=stage,
        country=country,
        stands_t_yr=0.0,
        stands_from=-math.inf,
        ramp=(1.0,),
        smallest_t_yr=0.0,
        largest_t_yr=0.0,
        earliest=math.inf,
        fixed_usd=0.0,
        slope_usd_t_yr=0.0,
        annuity_share=0.0,
        fixed_opex_share=0.0,
        opex_usd_t=0.0,
        yearly_t=yearly_t,
    )
