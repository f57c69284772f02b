"""hubplan: where to process critical minerals, and how to move them when some passages are closed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    "Access": "hubplan.data.access",
    "DataError": "hubplan.errors",
    "Fault": "hubplan.errors",
    "HubplanError": "hubplan.errors",
    "Instance": "hubplan.model.instance",
    "Network": "hubplan.network.assemble",
    "NoPlanError": "hubplan.errors",
    "NoRouteError": "hubplan.errors",
    "Plan": "hubplan.results.plan",
    "Routes": "hubplan.routing.routes",
    "Scenario": "hubplan.data.scenario",
    "Solution": "hubplan.model.solution",
    "Tables": "hubplan.data.tables",
    "build_instance": "hubplan.model.build",
    "build_network": "hubplan.network.assemble",
    "build_plan": "hubplan.results.build",
    "check_run": "hubplan.results.check",
    "compare_runs": "hubplan.results.compare",
    "find_alternatives": "hubplan.routing.alternatives",
    "find_path": "hubplan.routing.paths",
    "find_routes": "hubplan.routing.routes",
    "read_run": "hubplan.results.save",
    "read_scenario": "hubplan.data.scenario",
    "read_tables": "hubplan.data.tables",
    "resolve_access": "hubplan.data.access",
    "run": "hubplan.run",
    "solve": "hubplan.model.solve",
    "write_run": "hubplan.results.save",
}

__all__ = sorted([*_WHERE, "__version__"])


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that `hubplan --help` stays quick."""
    if name not in _WHERE:
        raise AttributeError(f"hubplan has no public name '{name}'")
    return getattr(import_module(_WHERE[name]), name)
