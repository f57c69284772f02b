"""A scenario as TOML, the form in which it is kept and handed to the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hubplan.data.scenario import Scenario


def scenario_toml(scenario: Scenario) -> str:
    """Write a scenario as TOML; `hubplan.data.scenario.scenario_from_toml` reads the same scenario from it."""
    values = _without_none(scenario.resolved())
    plain = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
    lines = [f"{_key(key)} = {_value(value)}" for key, value in plain.items()]
    for key, table in values.items():
        if isinstance(table, Mapping):
            lines += ["", f"[{_key(key)}]", *(f"{_key(name)} = {_value(value)}" for name, value in table.items())]
    return "\n".join(lines) + "\n"


def _without_none(value: Any) -> Any:
    """Drop the keys that say nothing: TOML has no null."""
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list) else value


def _key(name: str) -> str:
    return json.dumps(name)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(name)} = {_value(item)}" for name, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, str):
        return json.dumps(value).replace("\x7f", "\\u007f")
    return json.dumps(value, allow_nan=False)
