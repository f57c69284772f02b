"""What a session remembers, and how its widgets become a scenario. The only place that names keys of the session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from hubplan.data.scenario import Scenario, scenario_from_dict

_RUN, _JOB = "hubplan-run", "hubplan-job"


@dataclass(frozen=True)
class Edits:
    """What the widgets say about a scenario; the rest stays as the file has it."""

    closed: tuple[str, ...]
    members: tuple[str, ...]
    excluded: tuple[str, ...]
    max_excluded_ownership_share: float


def edits_of(scenario: Scenario) -> Edits:
    """Read off a scenario what the widgets can change."""
    rules = scenario.coalition
    return Edits(scenario.routes.closed, rules.members, rules.excluded, rules.max_excluded_ownership_share)


def apply_edits(base: Scenario, edits: Edits) -> Scenario:
    """Build the scenario that the widgets describe.

    Raises
    ------
    DataError
        A value is out of range.
    """
    if edits == edits_of(base):
        return base
    raw = base.resolved()
    raw["routes"]["closed"] = list(edits.closed)
    raw["coalition"]["members"] = list(edits.members)
    raw["coalition"]["excluded"] = list(edits.excluded)
    raw["coalition"]["max_excluded_ownership_share"] = edits.max_excluded_ownership_share
    name = base.name if base.name.endswith(" edited") else f"{base.name[:72]} edited"
    return scenario_from_dict({**raw, "name": name}, where="the widgets")


def same_question(one: Scenario, other: Scenario) -> bool:
    """Say whether two scenarios ask the same, whatever their names."""
    return _nameless(one) == _nameless(other)


def _nameless(scenario: Scenario) -> Mapping[str, Any]:
    return {key: value for key, value in scenario.resolved().items() if key != "name"}


def shown_run() -> Path | None:
    """Give the folder of the run that the session shows."""
    run: Path | None = st.session_state.get(_RUN)
    return run


def show_run(folder: Path | None) -> None:
    """Choose the run that the session shows."""
    st.session_state[_RUN] = folder


def current_job() -> str | None:
    """Give the id of the run that the session has started and that may still go on."""
    job: str | None = st.session_state.get(_JOB)
    return job


def set_job(job: str | None) -> None:
    """Remember the run that the session has started."""
    st.session_state[_JOB] = job
