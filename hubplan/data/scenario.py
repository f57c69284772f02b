"""Scenario: one question put to the planner, read from TOML."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from hubplan.errors import DataError, Fault

MODES: tuple[Literal["rail"], Literal["road"], Literal["sea"]] = ("rail", "road", "sea")
STAGES = ("crack_leach", "separation_light", "separation_heavy", "metal", "alloy", "magnet", "recycling")
_MAX_BYTES = 1_000_000

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, le=1e15)]
NonNegative = Annotated[float, Field(ge=0, le=1e15)]
Penalty = Annotated[float, Field(gt=0, le=1e9)]
"""USD/t; a solver tells no other cost apart beside a larger one."""
Year = Annotated[int, Field(ge=2000, le=2100)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._ -]{0,79}$")]


class _Part(BaseModel):
    """A frozen part of a scenario that knows every one of its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Horizon(_Part):
    """When: a year stands for itself and those up to the next."""

    years: tuple[Year, ...] = Field(default=(2026, 2027, 2028, 2029, 2030, 2032, 2035), min_length=1)
    discount_share: Annotated[float, Field(ge=0, lt=1)] = 0.08
    price_year: Year = 2025

    @field_validator("years")
    @classmethod
    def _rising(cls, years: tuple[int, ...]) -> tuple[int, ...]:
        if any(later <= earlier for earlier, later in pairwise(years)):
            raise ValueError("years must rise; give each once, earliest first")
        return years


class _Span(_Part):
    """A part that holds from one year to another, both included."""

    from_year: Year = Field(alias="from")
    to_year: Year | None = Field(default=None, alias="to")

    model_config = ConfigDict(populate_by_name=True)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.to_year is not None and self.to_year < self.from_year:
            raise ValueError(f"from {self.from_year} is after to {self.to_year}")
        return self


class Coalition(_Part):
    """Who takes part, and who is kept out."""

    members: tuple[str, ...] = Field(
        default=(), description="blocs or ISO 3166-1 alpha-3 codes; empty = every country not excluded"
    )
    excluded: tuple[str, ...] = Field(
        default=(), description="nothing is mined, made, trans-shipped or carried overland there"
    )
    max_excluded_ownership_share: Share = Field(
        default=1.0,
        description="largest share of a mine, plant or terminal held by owners from excluded countries; 1 = any",
    )


class RouteRules(_Part):
    """Which ways are open, and at what price of risk."""

    closed: tuple[str, ...] = Field(default=(), description="ids of chokepoints, zones, canals, ports or terminals")
    surcharge_usd_t: Mapping[str, Annotated[float, Field(ge=0, le=1e9)]] = Field(default_factory=dict)
    modes: tuple[Literal["rail", "road", "sea"], ...] = Field(default=MODES, min_length=1)


class Procurement(_Span):
    """A target: so much of what a buyer needs is served, at a price for each tonne that is not."""

    buyer: str | None = Field(default=None, description="bloc, country or market; none = every buyer")
    sector: str | None = None
    product: str | None = None
    share: Share = 1.0
    shortfall_usd_t: Penalty = Field(default=5e6, description="added to the penalty of unmet demand")


class DemandRules(_Part):
    """Whose demand counts, and what failing it costs."""

    set: str = "allied-base"
    unmet_usd_t: Mapping[str, Penalty] = Field(default_factory=lambda: {"defence": 5e6, "default": 1e6})

    procurement: tuple[Procurement, ...] = ()

    @field_validator("unmet_usd_t")
    @classmethod
    def _has_default(cls, value: Mapping[str, float]) -> Mapping[str, float]:
        if "default" not in value:
            raise ValueError("give unmet_usd_t.default as well: the penalty of every sector not named")
        return value


class Offtake(_Span):
    """A contract: so much a year is bought from a site, or a pool of sites together, at no less than a floor price."""

    site: str | tuple[str, ...]
    commodity: str
    t_yr: Positive
    to_year: Year = Field(alias="to")
    floor_usd_kg: NonNegative | None = None
    upside_share: Share = Field(default=0.0, description="share of the price above the floor that the payer takes")

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites that together deliver."""
        return (self.site,) if isinstance(self.site, str) else self.site


class SelfSupply(_Span):
    """Shares of a bloc's own need met inside it, and a cap on any one country outside (EU 2024/1252, article 5)."""

    bloc: str
    mine_share: Share | None = None
    processing_share: Share | None = None
    recycling_share: Share | None = None
    max_third_country_share: Share | None = None


class Stockpile(_Part):
    """Where stocks are held, and when they may be drawn; `policy.stockpile_days` says how much in all."""

    places: tuple[str, ...] = Field(default=(), description="blocs or countries that hold stocks beside the plants")
    ally_days: Mapping[str, Mapping[str, NonNegative]] = Field(
        default_factory=dict, description="country to element to days of the country's own need held there"
    )
    max_country_share: Share | None = Field(default=None, description="of each element's stock")
    release: Literal["any", "shock"] = Field(
        default="any", description="shock = stocks fall only in periods with a loss or an export ban"
    )


class Fund(_Span):
    """A budget of capital for some years, and if given for some stages and countries."""

    name: Name
    budget_usd: Positive
    to_year: Year = Field(alias="to")
    stages: tuple[str, ...] = ()
    members: tuple[str, ...] = Field(default=(), description="blocs or countries; empty = all")


class Support(_Part):
    """Which public support is solved for, and within what budget."""

    forms: tuple[Literal["grant", "floor", "cfd"], ...] = Field(default=("grant", "floor", "cfd"), min_length=1)
    budget_usd: Positive | None = None
    upside_share: Share = Field(
        default=0.3, description="of the price above a strike, paid back (contract for difference)"
    )
    max_grant_share: Share = Field(default=0.5, description="of a hub's capital")


class SingleLosses(_Part):
    """N-1: with any one of these lost for a year, so much of that year's demand is still served."""

    year: Year
    served_share: Share
    losses: tuple[str, ...] = Field(
        min_length=1, max_length=40, description="sites, facilities, ports, chokepoints or countries, one at a time"
    )
    shortfall_usd_t: Penalty = 1e6


class LegalRule(_Span):
    """From a date on, these products may hold nothing mined or made in the countries named (DFARS 225.7018)."""

    name: Name
    products: tuple[str, ...] = Field(min_length=1)
    countries: tuple[str, ...] = Field(min_length=1, description="blocs or ISO 3166-1 alpha-3 codes")


class Purchase(_Span):
    """A supply outside the plan that may be bought at a market's door: spot, or an excluded source, at a price and a cap."""

    country: str = Field(description="where it comes from; an export ban of that country ends it")
    commodity: str
    most_t_yr: Positive
    price_set: str | None = Field(default=None, description="set of prices.csv; none = outside")
    markup_share: Annotated[float, Field(ge=-1, le=100)] = 0.0
    markets: tuple[str, ...] = Field(default=(), description="markets it is offered at; empty = all")


class Policy(_Part):
    """What governments add; each rule is optional."""

    max_country_share: Mapping[str, Share] = Field(default_factory=dict)
    max_owner_share: Mapping[str, Share] = Field(default_factory=dict)
    max_site_share: Mapping[str, Share] = Field(default_factory=dict)
    min_country_share: Mapping[str, Mapping[str, Share]] = Field(
        default_factory=dict, description="stage to country to the least share of the stage's throughput"
    )
    max_exposure_share: Mapping[str, Share] = Field(
        default_factory=dict, description="zone to the largest share of the value shipped between sites that passes it"
    )
    self_supply: tuple[SelfSupply, ...] = ()
    stockpile_days: Mapping[str, NonNegative] = Field(default_factory=dict)
    stockpile: Stockpile = Stockpile()
    offtake: tuple[Offtake, ...] = ()
    purchase: tuple[Purchase, ...] = ()
    legal: tuple[LegalRule, ...] = ()
    n_1: SingleLosses | None = None
    fund: tuple[Fund, ...] = ()
    support: Support | None = None
    max_co2_t_yr: Positive | None = None
    co2_usd_t: NonNegative = Field(default=0.0, description="price of a tonne of CO2, transport and process")
    max_residue_t_yr: Mapping[str, Positive] = Field(default_factory=dict, description="country to t of solid residue")
    max_thorium_t_yr: Mapping[str, NonNegative] = Field(default_factory=dict, description="country to t of ThO2")
    rule_usd_t: Penalty | None = Field(
        default=None, description="price of breaking a rule by a tonne; none = demand.unmet_usd_t.default"
    )
    capex_grant_share: Mapping[str, Share] = Field(default_factory=dict)
    budget_usd: Positive | None = None
    max_hubs: Annotated[int, Field(ge=0)] | None = Field(default=None, description="largest number of new facilities")
    must_open: tuple[str, ...] = Field(default=(), description="facilities that must be built")
    keep_closed: tuple[str, ...] = Field(default=(), description="facilities that must not be built or run")

    @field_validator("max_country_share", "max_owner_share", "max_site_share", "min_country_share", "capex_grant_share")
    @classmethod
    def _known_stage(cls, value: Mapping[str, object]) -> Mapping[str, object]:
        unknown = sorted(set(value) - {"mine", *STAGES})
        if unknown:
            raise ValueError(f"unknown stage {', '.join(unknown)}; stages are mine, {', '.join(STAGES)}")
        return value


class Loss(_Span):
    """A site, facility, port or chokepoint that is gone for some years."""

    id: str
    to_year: Year = Field(alias="to")


class ExportBan(_Span):
    """Commodities that a country lets out no more."""

    country: str
    commodities: tuple[str, ...] = Field(min_length=1)
    months: Annotated[float, Field(gt=0, le=12)] = Field(
        default=12.0, description="months of each of its years; fewer than 12 end only purchases in proportion"
    )


class Shock(_Part):
    """What goes wrong, and when."""

    lost: tuple[Loss, ...] = ()
    export_ban: tuple[ExportBan, ...] = ()
    price_path: str | None = None


class SolverRules(_Part):
    """How long and how exactly to look."""

    time_limit_s: Annotated[float, Field(gt=0, le=1e7)] = 60.0
    gap_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 1


class Scenario(_Part):
    """One question put to the planner (the contract's TOML, key by key)."""

    name: Name
    data: tuple[str, ...] = Field(default=(), description="overlays of the user's own tables and corridors")
    horizon: Horizon = Horizon()
    coalition: Coalition = Coalition()
    routes: RouteRules = RouteRules()
    demand: DemandRules = DemandRules()
    policy: Policy = Policy()
    shock: Shock = Shock()
    solver: SolverRules = SolverRules()

    def resolved(self) -> dict[str, Any]:
        """The whole scenario as plain JSON values, defaults included."""
        return self.model_dump(mode="json", by_alias=True)


def _line_of(text: str, location: tuple[int | str, ...]) -> int | None:
    """Find the line of a TOML key, by its last name inside its table."""
    table, line_no = "", None
    wanted = [str(part) for part in location if isinstance(part, str)]
    for number, line in enumerate(text.splitlines(), start=1):
        heading = re.match(r"\s*\[+([^\]]+)\]+", line)
        if heading:
            table = heading.group(1).strip()
            if wanted[-1:] == [table]:
                line_no = line_no or number
        key = re.match(r"\s*([A-Za-z0-9_\-\"']+)\s*=", line)
        if (
            key
            and key.group(1).strip("\"'") in wanted
            and (not table or table.split(".")[0] in wanted or table in wanted)
        ):
            line_no = number
    return line_no


def scenario_from_toml(text: str, *, where: str = "scenario") -> Scenario:
    """Build a scenario from TOML text.

    Parameters
    ----------
    text
        The contract's TOML.
    where
        Name used in faults.

    Raises
    ------
    DataError
        Not TOML, an unknown key, or a value out of range; every fault is listed with its line.
    """
    if len(text) > _MAX_BYTES:
        raise DataError([Fault(where, f"{len(text):,} characters", "a scenario is at most 1,000,000 characters")])
    try:
        raw = tomllib.loads(text)
    except (
        ValueError,
        RecursionError,
    ) as error:  # TOMLDecodeError; a number of thousands of digits; lists nested as deep
        raise DataError([Fault(where, str(error), "mend the TOML at that place")], f"{where} is not TOML") from error
    return scenario_from_dict(raw, where=where, text=text)


def scenario_from_dict(raw: Mapping[str, Any], *, where: str = "scenario", text: str = "") -> Scenario:
    """Build a scenario from plain values; see `scenario_from_toml`."""
    try:
        return Scenario.model_validate(dict(raw))
    except ValidationError as error:
        faults = []
        for item in error.errors():
            path = ".".join(str(part) for part in item["loc"])
            line = _line_of(text, item["loc"]) if text else None
            at = f"{where}, line {line}, {path}" if line else f"{where}, {path}"
            unknown = item["type"] == "extra_forbidden"
            found = "unknown key" if unknown else f"{item.get('input')!r}: {item['msg']}"
            fix = (
                "remove it or correct its spelling; `hubplan schema` lists the keys"
                if unknown
                else "see `hubplan schema`"
            )
            faults.append(Fault(at, found, fix))
        raise DataError(faults, f"{where} has {len(faults)} fault{'s' if len(faults) != 1 else ''}") from error


def read_scenario(path: Path | str) -> Scenario:
    """Read a scenario file.

    Raises
    ------
    DataError
        No such file, not UTF-8, or see `scenario_from_toml`.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        fault = Fault(str(path), error.strerror or str(error), "give the path of a scenario TOML; examples/ has some")
        raise DataError([fault]) from error
    except UnicodeDecodeError as error:
        raise DataError([Fault(str(path), "is not UTF-8 text", "save the file as UTF-8")]) from error
    return scenario_from_toml(text, where=path.name)
