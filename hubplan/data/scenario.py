"""Scenario: one question put to the planner, read from TOML, and the access rules that follow from it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from hubplan.data.frames import rows_of
from hubplan.data.tables import Tables
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


class DemandRules(_Part):
    """Whose demand counts, and what failing it costs."""

    set: str = "allied-base"
    unmet_usd_t: Mapping[str, Penalty] = Field(default_factory=lambda: {"defence": 5e6, "default": 1e6})

    @field_validator("unmet_usd_t")
    @classmethod
    def _has_default(cls, value: Mapping[str, float]) -> Mapping[str, float]:
        if "default" not in value:
            raise ValueError("give unmet_usd_t.default as well: the penalty of every sector not named")
        return value


class Offtake(_Span):
    """A contract: so much a year is bought from a site, at no less than a floor price."""

    site: str
    commodity: str
    t_yr: Positive
    to_year: Year = Field(alias="to")
    floor_usd_kg: NonNegative | None = None


class Policy(_Part):
    """What governments add; each rule is optional."""

    max_country_share: Mapping[str, Share] = Field(default_factory=dict)
    stockpile_days: Mapping[str, NonNegative] = Field(default_factory=dict)
    offtake: tuple[Offtake, ...] = ()
    capex_grant_share: Mapping[str, Share] = Field(default_factory=dict)
    budget_usd: Positive | None = None
    max_hubs: Annotated[int, Field(ge=0)] | None = Field(default=None, description="largest number of new facilities")
    must_open: tuple[str, ...] = Field(default=(), description="facilities that must be built")
    keep_closed: tuple[str, ...] = Field(default=(), description="facilities that must not be built or run")

    @field_validator("max_country_share", "capex_grant_share")
    @classmethod
    def _known_stage(cls, value: Mapping[str, float]) -> Mapping[str, float]:
        unknown = sorted(set(value) - set(STAGES))
        if unknown:
            raise ValueError(f"unknown stage {', '.join(unknown)}; stages are {', '.join(STAGES)}")
        return value


class Loss(_Span):
    """A site, facility, port or chokepoint that is gone for some years."""

    id: str
    to_year: Year = Field(alias="to")


class ExportBan(_Span):
    """Commodities that a country lets out no more."""

    country: str
    commodities: tuple[str, ...] = Field(min_length=1)


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


@dataclass(frozen=True, kw_only=True)
class Access:
    """What a scenario leaves open: the hard rules, resolved against the tables.

    Parameters
    ----------
    members, excluded
        ISO 3166-1 alpha-3 codes. ``members`` is empty when every country not excluded may take part.
    closed
        Zone ids no cargo may pass, those closed by default (ice, sanctions) included.
    closed_ports
        Port id to the reason why no cargo may call there.
    barred_sites, barred_facilities
        Id to the reason why it may not mine, make or buy.
    modes
        Modes that may be used.
    """

    members: frozenset[str]
    excluded: frozenset[str]
    closed: frozenset[str]
    closed_ports: Mapping[str, str]
    barred_sites: Mapping[str, str]
    barred_facilities: Mapping[str, str]
    modes: tuple[str, ...]


def _countries(names: tuple[str, ...], tables: Tables, where: str, faults: list[Fault]) -> frozenset[str]:
    known = set(tables.countries["country"])
    blocs = {str(bloc): set(group["country"]) for bloc, group in tables.blocs.groupby("bloc")}
    found: set[str] = set()
    for name in names:
        if name in blocs:
            found |= blocs[name]
        elif name in known:
            found.add(name)
        else:
            fix = f"use an ISO 3166-1 alpha-3 code or one of {', '.join(sorted(blocs))}"
            faults.append(Fault(where, f"'{name}' is no known bloc or country", fix))
    return frozenset(found)


def _with_territories(excluded: frozenset[str], tables: Tables) -> frozenset[str]:
    """Whoever excludes a state excludes its territories: China, and with it Hong Kong and Macao."""
    owned = zip(tables.countries["country"], tables.countries["part_of"], strict=True)
    return excluded | {country for country, state in owned if state in excluded}


def _closures(scenario: Scenario, tables: Tables, faults: list[Fault]) -> tuple[frozenset[str], dict[str, str]]:
    """Split the closed ids into zones, and ports with their reason."""
    zones = set(tables.zones["zone"])
    terminals = tables.terminals.set_index("terminal")
    ports = set(tables.ports["port"])
    codes = {code: port for code, port in zip(tables.ports["un_locode"], tables.ports["port"], strict=True) if code}
    closed = set(tables.zones.loc[tables.zones["closed_by_default"], "zone"])
    closed_ports: dict[str, str] = {}
    for name in scenario.routes.closed:
        if name in zones:
            closed.add(name)
        elif name in terminals.index:
            port = str(terminals.at[name, "port"])
            if port:
                closed_ports[port] = f"terminal {name} is closed by the scenario"
        elif name in ports or name in codes:
            closed_ports[codes.get(name, name)] = "closed by the scenario"
        else:
            faults.append(_unknown_passage("routes.closed", name, tables))
    for name in scenario.routes.surcharge_usd_t:
        if name not in zones and name not in ports and name not in terminals.index:
            faults.append(_unknown_passage("routes.surcharge_usd_t", name, tables))
    return frozenset(closed), closed_ports


def _unknown_passage(where: str, name: str, tables: Tables) -> Fault:
    from difflib import get_close_matches

    ids = [*tables.zones["zone"], *tables.terminals["terminal"], *tables.ports["port"]]
    near = get_close_matches(name, ids, n=3)
    hint = f"did you mean {', '.join(near)}? " if near else ""
    return Fault(
        where,
        f"'{name}' is no known chokepoint, zone, canal, terminal or port",
        f"{hint}`hubplan data show zones` lists them",
    )


def _over_limit(chinese_share: float, limit: float, excluded: frozenset[str]) -> str:
    """Say why an ownership share bars something, or nothing. Unknown ownership is barred: avoidance fails closed."""
    if limit >= 1 or "CHN" not in excluded:
        return ""
    if pd.isna(chinese_share):
        return "Chinese ownership share is unknown, so the ownership rule cannot be shown to hold"
    if chinese_share > limit:
        return f"Chinese owners hold {chinese_share:.0%}, above the limit of {limit:.0%}"
    return ""


def resolve_access(scenario: Scenario, tables: Tables) -> Access:
    """Work out what the hard rules of a scenario leave open.

    Members are those whose demand counts and where new hubs may be built. Countries neither member nor excluded are third
    countries: their mines and the plants they have or are building may supply, but no new hub is planned there.

    Ownership shares in the data are those of Chinese owners, so `max_excluded_ownership_share` acts when CHN is excluded.
    A terminal above the limit closes its port where the terminal is the whole port; elsewhere cargo uses the other terminals.

    Raises
    ------
    DataError
        An unknown id, bloc or country.
    """
    faults: list[Fault] = []
    members = _countries(scenario.coalition.members, tables, "coalition.members", faults)
    excluded = _with_territories(_countries(scenario.coalition.excluded, tables, "coalition.excluded", faults), tables)
    both = members & excluded
    if both:
        found = f"{', '.join(sorted(both))} are members and excluded"
        faults.append(Fault("coalition", found, "remove them from one of the two lists"))
    closed, closed_ports = _closures(scenario, tables, faults)
    limit = scenario.coalition.max_excluded_ownership_share
    for port, country in zip(tables.ports["port"], tables.ports["country"], strict=True):
        if country in excluded:
            closed_ports[port] = f"{country} is excluded"
    for row in rows_of(tables.terminals):
        reason = _over_limit(row.chinese_share, limit, excluded)
        if reason and row.whole_port and row.port:
            closed_ports.setdefault(row.port, f"terminal {row.terminal}: {reason}")
    barred_sites, barred_facilities = _barred(scenario, tables, members, excluded)
    _check_ids(scenario, tables, faults)
    if faults:
        raise DataError(faults, f"scenario {scenario.name} has {len(faults)} fault{'s' if len(faults) != 1 else ''}")
    return Access(
        members=members,
        excluded=excluded,
        closed=closed,
        closed_ports=closed_ports,
        barred_sites=barred_sites,
        barred_facilities=barred_facilities,
        modes=tuple(scenario.routes.modes),
    )


def _barred(
    scenario: Scenario, tables: Tables, members: frozenset[str], excluded: frozenset[str]
) -> tuple[dict[str, str], dict[str, str]]:
    limit = scenario.coalition.max_excluded_ownership_share
    sites: dict[str, str] = {}
    for row in rows_of(tables.sites):
        if row.country in excluded:
            sites[row.site] = f"{row.country} is excluded"
        elif members and row.country not in members and row.kind == "market":
            sites[row.site] = f"{row.country} is not a member"
    country = dict(zip(tables.sites["site"], tables.sites["country"], strict=True))
    facilities: dict[str, str] = {}
    for row in rows_of(tables.facilities):
        reason = sites.get(row.site, "") or _over_limit(row.chinese_share, limit, excluded)
        if members and country[row.site] not in members and not row.committed:
            reason = reason or f"{country[row.site]} is not a member, so no new hub is planned there"
        if row.facility in scenario.policy.keep_closed:
            reason = "kept closed by the scenario"
        if reason:
            facilities[row.facility] = reason
    for row in rows_of(tables.mines):
        reason = sites.get(row.mine, "") or _over_limit(row.chinese_share, limit, excluded)
        if row.mine in scenario.policy.keep_closed:
            reason = "kept closed by the scenario"
        if reason:
            facilities[row.mine] = reason
    return sites, facilities


def _check_ids(scenario: Scenario, tables: Tables, faults: list[Fault]) -> None:
    facilities = set(tables.facilities["facility"]) | set(tables.mines["mine"])
    sites = set(tables.sites["site"])
    commodities = set(tables.commodities["commodity"])
    elements = set(tables.elements["element"])
    places = (
        facilities | sites | set(tables.zones["zone"]) | set(tables.ports["port"]) | set(tables.terminals["terminal"])
    )

    def need(where: str, names: list[str], known: set[str], what: str, table: str) -> None:
        for name in names:
            if name not in known:
                faults.append(Fault(where, f"'{name}' is no known {what}", f"`hubplan data show {table}` lists them"))

    if scenario.data:
        faults.append(
            Fault("data", f"overlays {', '.join(scenario.data)} cannot be read by this version", "remove them")
        )
    policy, shock = scenario.policy, scenario.shock
    need("demand.set", [scenario.demand.set], set(tables.demand["set"]), "demand set", "demand")
    sectors = [sector for sector in scenario.demand.unmet_usd_t if sector != "default"]
    need("demand.unmet_usd_t", sectors, set(tables.demand["sector"]), "sector", "demand")
    need("policy.must_open", list(policy.must_open), facilities, "facility", "facilities")
    need("policy.keep_closed", list(policy.keep_closed), facilities, "facility or mine", "facilities")
    need("policy.offtake.site", [o.site for o in policy.offtake], sites, "site", "sites")
    need("policy.offtake.commodity", [o.commodity for o in policy.offtake], commodities, "commodity", "commodities")
    need(
        "policy.stockpile_days", list(policy.stockpile_days), elements | commodities, "element or commodity", "elements"
    )
    need("shock.lost", [loss.id for loss in shock.lost], places, "site, facility, port or chokepoint", "sites")
    need(
        "shock.export_ban.country",
        [b.country for b in shock.export_ban],
        set(tables.countries["country"]),
        "country",
        "countries",
    )
    for ban in shock.export_ban:
        need("shock.export_ban.commodities", list(ban.commodities), commodities, "commodity", "commodities")
    if shock.price_path is not None:
        need("shock.price_path", [shock.price_path], set(tables.prices["set"]), "price path", "prices")
