"""Access: what the hard rules of a scenario leave open, resolved against the tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from hubplan.data.frames import rows_of
from hubplan.data.scenario import STAGES, Scenario
from hubplan.data.tables import Tables
from hubplan.errors import DataError, Fault


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
    need("policy.offtake.site", [site for o in policy.offtake for site in o.sites], sites, "site", "sites")
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
    bought = {(offer.country, offer.commodity) for offer in policy.purchase}
    for ban in shock.export_ban:
        if ban.months < 12 and not bought & {(ban.country, commodity) for commodity in ban.commodities}:
            found = f"a ban of {ban.months:g} months a year by {ban.country} ends nothing"
            fix = "a ban of part of a year acts on policy.purchase only: offer what it ends, or ban all 12 months"
            faults.append(Fault("shock.export_ban.months", found, fix))
        need("shock.export_ban.commodities", list(ban.commodities), commodities, "commodity", "commodities")
    _check_policy_ids(scenario, tables, need)
    if shock.price_path is not None:
        need("shock.price_path", [shock.price_path], set(tables.prices["set"]), "price path", "prices")


def _check_policy_ids(
    scenario: Scenario, tables: Tables, need: Callable[[str, list[str], set[str], str, str], None]
) -> None:
    policy, places = scenario.policy, set(tables.countries["country"]) | set(tables.blocs["bloc"])
    countries, stages = set(tables.countries["country"]), {"mine", *STAGES}
    markets = set(tables.sites.loc[tables.sites["kind"] == "market", "site"])
    commodities, elements = set(tables.commodities["commodity"]), set(tables.elements["element"])
    zones, price_sets = set(tables.zones["zone"]), set(tables.prices["set"])
    here = "country or bloc"
    for goal in scenario.demand.procurement:
        need("demand.procurement.buyer", [goal.buyer] if goal.buyer else [], places | markets, "buyer", "blocs")
        sectors = [goal.sector] if goal.sector else []
        need("demand.procurement.sector", sectors, set(tables.demand["sector"]), "sector", "demand")
        products = [goal.product] if goal.product else []
        need("demand.procurement.product", products, set(tables.demand["product"]), "product", "demand")
    for stage, shares in policy.min_country_share.items():
        need(f"policy.min_country_share.{stage}", list(shares), countries, "country", "countries")
    need("policy.max_exposure_share", list(policy.max_exposure_share), zones, "zone", "zones")
    need("policy.self_supply.bloc", [rule.bloc for rule in policy.self_supply], places, here, "blocs")
    need("policy.stockpile.places", list(policy.stockpile.places), places, here, "blocs")
    for country, days in policy.stockpile.ally_days.items():
        need("policy.stockpile.ally_days", [country], countries, "country", "countries")
        need("policy.stockpile.ally_days", list(days), elements, "element", "elements")
    for fund in policy.fund:
        need("policy.fund.stages", list(fund.stages), stages, "stage", "stages")
        need("policy.fund.members", list(fund.members), places, here, "blocs")
    for rule in policy.legal:
        need("policy.legal.products", list(rule.products), commodities, "product", "commodities")
        need("policy.legal.countries", list(rule.countries), places, here, "blocs")
    for offer in policy.purchase:
        need("policy.purchase.country", [offer.country], countries, "country", "countries")
        need("policy.purchase.commodity", [offer.commodity], commodities, "commodity", "commodities")
        need("policy.purchase.markets", list(offer.markets), markets, "market", "sites")
        need("policy.purchase.price_set", [offer.price_set] if offer.price_set else [], price_sets, "set", "prices")
    if policy.n_1 is not None:
        known = countries | zones | set(tables.ports["port"]) | set(tables.sites["site"])
        known |= set(tables.facilities["facility"])
        need("policy.n_1.losses", list(policy.n_1.losses), known, "site, facility, port, zone or country", "sites")
    for name in ("max_residue_t_yr", "max_thorium_t_yr"):
        need(f"policy.{name}", list(getattr(policy, name)), countries, "country", "countries")


def countries_of(names: Iterable[str], tables: Tables) -> frozenset[str]:
    """Countries of blocs and countries that `resolve_access` has found to exist."""
    blocs: dict[str, set[str]] = {}
    for bloc, country in zip(tables.blocs["bloc"], tables.blocs["country"], strict=True):
        blocs.setdefault(bloc, set()).add(country)
    return frozenset(country for name in names for country in blocs.get(name, {name}))
