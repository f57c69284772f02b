"""Does the plan keep out what the scenario keeps out? Read from the tables' own columns, not from the plan's word."""

from __future__ import annotations

import math

from hubplan.data.access import countries_of
from hubplan.errors import Fault
from hubplan.results.checking.reading import Reading, as_float, breaks, rows


def find_access_faults(reading: Reading) -> list[Fault]:
    """Excluded countries, barred owners and sites, closed ports and zones, modes: none may appear in any table."""
    return [
        *_stale_access(reading),
        *_hubs(reading),
        *_flows(reading),
        *_legs(reading),
        *_markets(reading),
        *_export_bans(reading),
    ]


def _stale_access(reading: Reading) -> list[Fault]:
    """The manifest must say what the scenario leaves open."""
    said, found = reading.plan.access, reading.access
    parts = ("members", "excluded", "closed", "closed_ports", "barred_sites", "barred_facilities", "modes")
    return [
        breaks(f"manifest.json, access.{part}", "is not what the scenario and the tables make of it")
        for part in parts
        if getattr(said, part) != getattr(found, part)
    ]


def _too_chinese(reading: Reading, share: float) -> bool:
    """Whether the ownership rule bars a holder; an unknown share is barred."""
    limit = reading.plan.scenario.coalition.max_excluded_ownership_share
    acts = limit < 1 and "CHN" in reading.access.excluded
    return acts and (math.isnan(share) or share > limit)


def _hubs(reading: Reading) -> list[Fault]:
    owners = {r.facility: as_float(r.chinese_share) for r in rows(reading.tables.facilities)}
    owners |= {r.mine: as_float(r.chinese_share) for r in rows(reading.tables.mines)}
    members, closed = reading.access.members, set(reading.plan.scenario.policy.keep_closed)
    committed = {r.facility for r in rows(reading.tables.facilities) if r.committed}
    faults = []
    for hub in rows(reading.plan.hubs):
        where = reading.where("hubs", hub.Index)
        country = reading.country.get(str(hub.site), "")
        if country in reading.access.excluded:
            faults.append(breaks(where, f"{country} is excluded"))
        if hub.facility in owners and _too_chinese(reading, owners[hub.facility]):
            faults.append(breaks(where, "Chinese owners hold more than the scenario allows, or an unknown share"))
        if hub.facility in closed:
            faults.append(breaks(where, "the scenario keeps it closed"))
        third = bool(members) and country not in members
        if third and hub.stage not in ("mine", "collection") and hub.facility not in committed:
            faults.append(breaks(where, f"{country} is no member, so no new hub may stand there"))
    return faults


def _flows(reading: Reading) -> list[Fault]:
    known = {*reading.plan.hubs["facility"], *reading.plan.processes["facility"], *_stockpiles(reading)}
    faults = []
    for flow in rows(reading.plan.flows):
        for end in ("origin", "destination"):
            site, facility = str(getattr(flow, end)), str(getattr(flow, f"{end}_facility"))
            if reading.country.get(site, "") in reading.access.excluded:
                where = reading.where("flows", flow.Index, end)
                faults.append(breaks(where, f"{site} lies in {reading.country[site]}, which is excluded"))
            if site not in reading.country:
                faults.append(breaks(reading.where("flows", flow.Index, end), f"{site} is in no row of sites.csv"))
            if facility != site and facility not in known:
                where = reading.where("flows", flow.Index, f"{end}_facility")
                faults.append(breaks(where, f"{facility} is no facility of hubs.csv or processes.csv"))
    return faults


def _stockpiles(reading: Reading) -> set[str]:
    """Facilities that only keep stock, and so have no row in hubs.csv: one at each market of the places asked for."""
    asked = countries_of(reading.plan.scenario.policy.stockpile.places, reading.tables)
    return {f"{site}-stockpile" for site, country in reading.country.items() if country in asked}


def _legs(reading: Reading) -> list[Fault]:
    port_country = dict(zip(reading.tables.ports["port"], reading.tables.ports["country"], strict=True))
    known = {
        "countries": set(reading.tables.countries["country"]),
        "chokepoints": set(reading.tables.zones["zone"]),
        "ports": set(port_country),
    }
    barred = {
        "countries": dict.fromkeys(reading.access.excluded, "is excluded"),
        "chokepoints": dict.fromkeys(reading.access.closed, "is closed"),
        "ports": {port: f"may not be called at: {why}" for port, why in _shut_ports(reading).items()},
    }
    faults = []
    for leg in rows(reading.plan.legs):
        if leg.mode not in reading.plan.scenario.routes.modes:
            faults.append(breaks(reading.where("legs", leg.Index, "mode"), f"{leg.mode} is no mode of the scenario"))
        for column, shut in barred.items():
            for name in (part for part in str(getattr(leg, column)).split(";") if part):
                if name in shut:
                    faults.append(breaks(reading.where("legs", leg.Index, column), f"{name} {shut[name]}"))
                elif name not in known[column]:
                    faults.append(breaks(reading.where("legs", leg.Index, column), f"{name} is in no table"))
        countries = str(leg.countries).split(";")
        for port in (part for part in str(leg.ports).split(";") if part in port_country):
            if port_country[port] not in countries:
                where = reading.where("legs", leg.Index, "countries")
                faults.append(breaks(where, f"lacks {port_country[port]}, where {port} is"))
    return faults


def _shut_ports(reading: Reading) -> dict[str, str]:
    """Ports in excluded countries, ports closed by name, and ports that one barred terminal makes up."""
    ports, terminals = reading.tables.ports, reading.tables.terminals
    asked = set(reading.plan.scenario.routes.closed)
    shut = {
        row.port: f"{row.country} is excluded" if row.country in reading.access.excluded else "closed by the scenario"
        for row in rows(ports)
        if row.country in reading.access.excluded or row.port in asked or (row.un_locode and row.un_locode in asked)
    }
    for row in rows(terminals):
        barred = row.whole_port and _too_chinese(reading, as_float(row.chinese_share))
        if row.port and (row.terminal in asked or barred):
            shut[row.port] = f"terminal {row.terminal}"
    return shut


def _markets(reading: Reading) -> list[Fault]:
    members = reading.access.members
    faults = []
    for row in rows(reading.plan.demand):
        country = reading.country.get(str(row.market), "")
        if country in reading.access.excluded or (members and country not in members):
            faults.append(breaks(reading.where("demand", row.Index), f"{country or row.market} is no member"))
    return faults


def _export_bans(reading: Reading) -> list[Fault]:
    faults = []
    for ban in reading.plan.scenario.shock.export_ban:
        last = math.inf if ban.to_year is None else ban.to_year
        for flow in rows(reading.plan.flows):
            origin, destination = (reading.country.get(str(site), "") for site in (flow.origin, flow.destination))
            acts = ban.months >= 12 and any(
                ban.from_year <= year <= last for year in reading.blocks.get(int(flow.period), ())
            )
            if acts and origin == ban.country != destination and flow.commodity in ban.commodities and flow.flow_t > 0:
                faults.append(breaks(reading.where("flows", flow.Index), f"{ban.country} lets no {flow.commodity} out"))
    return faults
