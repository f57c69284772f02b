"""Is this plan possible? A second reading of every rule and cost, from the run and geodata, without the model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hubplan.data.tables import Tables, read_tables
from hubplan.errors import DataError, Fault
from hubplan.results.checking.access import find_access_faults
from hubplan.results.checking.balance import find_balance_faults
from hubplan.results.checking.capacity import find_capacity_faults
from hubplan.results.checking.contingency import find_contingency_faults
from hubplan.results.checking.coverage import find_coverage_faults
from hubplan.results.checking.legal import find_legal_faults
from hubplan.results.checking.money import find_cost_faults
from hubplan.results.checking.reading import Reading, rows
from hubplan.results.checking.recipes import Recipes
from hubplan.results.checking.rules import find_exposure_faults, find_rule_faults, find_site_faults
from hubplan.results.checking.support import find_support_faults
from hubplan.results.checking.ways import find_route_faults
from hubplan.results.checking.works import read_works
from hubplan.results.plan import Plan
from hubplan.results.save import find_altered, read_manifest, read_run


def check_run(folder: Path | str, geodata: Path | str | None = None) -> list[Fault]:
    """Check a run folder against its manifest, its data and the rules.

    Parameters
    ----------
    folder
        A folder that `hubplan.results.save.write_run` wrote.
    geodata
        Tables; by default the shipped ones.

    Returns
    -------
    list of Fault
        Empty if the plan keeps every rule and every number follows from the others; each says file, row, what was
        found and what was expected.

    Raises
    ------
    DataError
        The manifest or geodata cannot be read. A run whose other files cannot be read has faults instead.
    """
    manifest = read_manifest(folder)
    faults = find_altered(folder, manifest)
    try:
        plan = read_run(folder, verify=False)
    except DataError as error:
        return faults + [fault for fault in error.faults if fault not in faults]
    tables = read_tables(geodata)
    return [*faults, *_find_manifest_faults(manifest, plan, tables), *check_plan(plan, tables)]


_UNKNOWN = ("is in no table", "is no period", "has no process", "has no way from")
"""What capacity faults say of things that no recipe can be worked out for."""


def check_plan(plan: Plan, tables: Tables) -> list[Fault]:
    """Check a plan in memory; see `check_run`."""
    reading = Reading(plan, tables)
    works, recipes = read_works(reading), Recipes(tables)
    faults = find_capacity_faults(reading, works, recipes)
    if any(words in fault.found for fault in faults for words in _UNKNOWN):
        return faults  # nothing can be worked out for what the tables do not know
    return [
        *faults,
        *find_access_faults(reading),
        *find_site_faults(reading),
        *find_route_faults(reading),
        *find_balance_faults(reading, works, recipes),
        *find_cost_faults(reading, works, recipes),
        *find_rule_faults(reading, works, recipes),
        *find_exposure_faults(reading),
        *find_coverage_faults(reading, works, recipes),
        *find_contingency_faults(reading, works, recipes),
        *find_legal_faults(reading, works, recipes),
        *find_support_faults(reading, works, recipes, plan.support),
    ]


def _find_manifest_faults(manifest: Mapping[str, Any], plan: Plan, tables: Tables) -> list[Fault]:
    faults = []
    for name in sorted({*plan.inputs, *tables.hashes}):
        if plan.inputs.get(name) != tables.hashes.get(name):
            found = "is not the table this run was made from"
            faults.append(Fault(f"geodata, {name}", found, "check against the geodata of the run, or plan again"))
    if manifest["seed"] != plan.scenario.solver.seed:
        faults.append(Fault("manifest.json, seed", f"{manifest['seed']}", "is scenario.solver.seed; plan again"))
    said = [(row.period, row.years, row.discount) for row in rows(plan.periods)]
    listed = [(item.get("period"), item.get("years"), item.get("discount")) for item in manifest["periods"]]
    if said != listed:
        faults.append(Fault("manifest.json, periods", "are not those of periods.csv", "plan again"))
    return faults
