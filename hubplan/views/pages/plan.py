"""The plan page: choose a scenario, close passages, see the ways change, solve, read the plan."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import streamlit as st

from hubplan.data.access import resolve_access
from hubplan.data.frames import rows_of
from hubplan.data.scenario import Scenario, read_scenario
from hubplan.data.shipped import shipped_path
from hubplan.data.tables import Tables
from hubplan.errors import HubplanError
from hubplan.results.plan import Plan
from hubplan.results.save import read_run
from hubplan.views import jobs, state
from hubplan.views import tables as views
from hubplan.views.keyfigures import key_figures
from hubplan.views.maps import literal
from hubplan.views.mapview import show_map
from hubplan.views.planmap import plan_map, world_map
from hubplan.views.previews import Question
from hubplan.views.words import STEP_WORDS, gap_words, money
from hubplan.views.world import World, shared_world

TITLE, SLUG = "Plan", "plan"
_MAP_HEIGHT = 560
_FIRST = "allied-2035"
_AS_PERCENT = st.column_config.NumberColumn(format="percent")
_WHOLE = st.column_config.NumberColumn(format="localized")


@st.cache_resource(max_entries=8, show_spinner="Reading the plan")
def _plan(folder: Path, _stamp: float) -> Plan:
    return read_run(folder)


@st.cache_data(max_entries=8, show_spinner=False)
def _plan_layer(folder: Path, stamp: float) -> tuple[str, str]:
    spec = plan_map(_plan(folder, stamp), shared_world().tables)
    return literal(spec.as_plain()), spec.sentence


def show() -> None:
    """Draw the page."""
    try:
        world = shared_world()
        base = _choose_scenario()
    except HubplanError as error:
        _faults(error)
        return
    scenario = _edit(base, world.tables)
    if scenario is None:
        return
    run = _run_to_show(base)
    plan = _plan(run, _stamp(run)) if run else None
    stale = plan is not None and not state.same_question(plan.scenario, scenario)
    st.subheader("Where to process, and how to move")
    if stale:
        st.warning(
            "Inputs changed since this run. The map previews the ways now open; the figures are still the old plan's."
        )
    if plan is not None and any(world.tables.hashes.get(name) != digest for name, digest in plan.inputs.items()):
        st.caption("This run was made with other data than those installed now; solve again to compare like with like.")
    if plan is not None:
        _cards(plan, world.tables)
    _watch_job()
    changes = _map(world, scenario, run, plan, stale)
    if plan is not None:
        _tables(plan, world.tables, run, changes)
    if world.previews.ready and not _running():
        ahead = _one_switch_away(scenario, world.tables)
        world.previews.foresee([Question(each, run, _stamp(run)) for each in ahead])


# ---- the sidebar ----------------------------------------------------------------------------------------------------


def first_scenario() -> Scenario:
    """Give the scenario that a new session starts with."""
    files = _examples()
    return read_scenario(files.get(_FIRST) or next(iter(files.values())))


def _examples() -> dict[str, Path]:
    return {path.stem: path for path in sorted(shipped_path("examples").glob("*.toml"))}


def _choose_scenario() -> Scenario:
    files = _examples()
    names = list(files)
    first = names.index(_FIRST) if _FIRST in files else 0
    chosen = st.sidebar.selectbox(
        "Scenario", names, index=first, help="A scenario of examples/; what you change below stays in this session."
    )
    return read_scenario(files[chosen])


def _edit(base: Scenario, tables: Tables) -> Scenario | None:
    """Draw the widgets and build the scenario they describe; None, with the faults shown, if it is none."""
    closed = _closures(base, tables)
    members, excluded = _coalition(base, tables)
    share = st.sidebar.slider(
        "Largest share of owners from excluded countries",
        0,
        100,
        round(base.coalition.max_excluded_ownership_share * 100),
        5,
        format="%d %%",
        key=f"{base.name}-owners",
        help="Of any mine, plant or terminal. 100 % allows all; below, an owner not known is barred too.",
    )
    same = round(base.coalition.max_excluded_ownership_share * 100) == share
    limit = base.coalition.max_excluded_ownership_share if same else share / 100
    try:
        scenario = state.apply_edits(base, state.Edits(closed, members, excluded, limit))
        resolve_access(scenario, tables)
        _solve_button(scenario)
    except HubplanError as error:
        _faults(error)
        return None
    return scenario


def _closures(base: Scenario, tables: Tables) -> tuple[str, ...]:
    """Switches for the passages of note, lists for the rest; in the order of the scenario's own list."""
    st.sidebar.subheader(
        "Closed to cargo", help="On: no cargo passes. Ice and sanctions close two northern passages at all times."
    )
    own = set(base.routes.closed)
    zones = tables.zones[~tables.zones["closed_by_default"]]
    of_note = _of_note(base.routes.closed, tables)
    closed = []
    for row in rows_of(of_note):
        if st.sidebar.toggle(_plain(_short_name(row.name)), value=row.zone in own, key=f"{base.name}-zone-{row.zone}"):
            closed.append(str(row.zone))
    rest = zones[~zones["zone"].isin(of_note["zone"])]
    names = {
        **{str(r.zone): str(r.name) for r in rows_of(rest)},
        **{str(r.terminal): f"{r.name}, terminal" for r in rows_of(tables.terminals) if r.port},
        **{str(r.port): f"{r.name}, port" for r in rows_of(tables.ports)},
    }
    more = st.sidebar.multiselect(
        "Other passages, terminals and ports",
        list(names),
        [name for name in base.routes.closed if name in names],
        format_func=lambda name: names[name],
        key=f"{base.name}-more",
    )
    chosen = {*closed, *more}
    return tuple([name for name in base.routes.closed if name in chosen] + sorted(chosen - own))


def _of_note(own: Sequence[str], tables: Tables) -> pd.DataFrame:
    """Give the passages that have a switch of their own: those with leverage, and those the scenario closes."""
    zones = tables.zones[~tables.zones["closed_by_default"]]
    weighty = zones["leverage"].isin(["high", "medium"]) & zones["kind"].isin(["strait", "canal", "zone"])
    return zones[weighty | zones["zone"].isin(own)].sort_values(["kind", "name"], ascending=[False, True])


def _one_switch_away(scenario: Scenario, tables: Tables) -> list[Scenario]:
    """Give the scenarios that one more click on a switch would make."""
    closed, now = scenario.routes.closed, state.edits_of(scenario)
    zones = [str(zone) for zone in _of_note(closed, tables)["zone"]]
    turned = [tuple(z for z in closed if z != zone) if zone in closed else (*closed, zone) for zone in zones]
    return [state.apply_edits(scenario, replace(now, closed=each)) for each in turned]


def _short_name(name: str) -> str:
    return re.sub(r"\s*[(,:].*", "", name) if not name.startswith(("Turkish", "Danish")) else name


def _coalition(base: Scenario, tables: Tables) -> tuple[tuple[str, ...], tuple[str, ...]]:
    names = {
        **{str(bloc): f"{bloc} (bloc)" for bloc in sorted(set(tables.blocs["bloc"]))},
        **views.country_names(tables),
    }
    with st.sidebar.expander("Coalition"):
        members = st.multiselect(
            "Members",
            list(names),
            list(base.coalition.members),
            format_func=lambda name: names[name],
            key=f"{base.name}-members",
            help="Whose demand counts, and where new plants may stand. None chosen: every country not excluded.",
        )
        excluded = st.multiselect(
            "Excluded",
            list(names),
            list(base.coalition.excluded),
            format_func=lambda name: names[name],
            key=f"{base.name}-excluded",
            help="Nothing is mined, made, trans-shipped or carried overland there.",
        )
    return tuple(members), tuple(excluded)


def _solve_button(scenario: Scenario) -> None:
    if st.sidebar.button("Solve", type="primary", disabled=_running(), width="stretch"):
        try:
            state.set_job(shared_world().jobs.start(scenario))
        except jobs.BusyError:
            st.sidebar.warning(f"{jobs.MOST_AT_ONCE} runs are going on. Wait until one ends, then solve again.")


# ---- the run --------------------------------------------------------------------------------------------------------


def _run_to_show(base: Scenario) -> Path | None:
    """Give the session's run; for a new session, the latest one kept of this scenario."""
    run = state.shown_run()
    if run is not None and (run / "manifest.json").is_file():
        return run
    for folder in jobs.latest_runs(jobs.runs_root())[:12]:
        try:
            if state.same_question(_plan(folder, _stamp(folder)).scenario, base):
                return folder
        except HubplanError:
            continue  # a folder of another version is no reason to show nothing
    return None


def _stamp(folder: Path | None) -> float:
    return (folder / "manifest.json").stat().st_mtime if folder else 0.0


def _running() -> bool:
    """Say whether the session's own run is still going on."""
    job = state.current_job()
    progress = shared_world().jobs.progress(job) if job is not None else None
    return progress is not None and progress.state == "running"


def _watch_job() -> None:
    job = state.current_job()
    if job is not None:
        st.fragment(_job_box, run_every=1.0)(job)


def _job_box(job: str) -> None:
    progress = shared_world().jobs.progress(job)
    if progress is None:
        state.set_job(None)
        return
    with st.container(border=True):
        if progress.state == "running":
            left, right = st.columns([5, 1], vertical_alignment="center")
            left.progress(STEP_WORDS.get(progress.step, (0.5, ""))[0], text=_progress_words(progress))
            if right.button("Stop", help="Ends the search; the best plan found so far is kept.", width="stretch"):
                shared_world().jobs.stop(job)
            return
        if progress.folder is not None:
            state.show_run(progress.folder)
            state.set_job(None)
            st.rerun()
        st.error("Stopped before there was a plan." if progress.state == "stopped" else "No plan.")
        if progress.message:
            st.code(progress.message, language=None)
        if st.button("Dismiss"):
            state.set_job(None)
            st.rerun()


def _progress_words(progress: jobs.Progress) -> str:
    words = STEP_WORDS.get(progress.step, (0.5, "Looking for plans"))[1]
    text = f"{words}, {progress.seconds:.0f} s"
    if progress.incumbent_usd is not None:
        text += f"; best so far {money(progress.incumbent_usd)}".replace("$", "\\$")
    if progress.gap_share is not None:
        text += f", {gap_words('within_gap', progress.gap_share)}"
    return text


# ---- the answer -----------------------------------------------------------------------------------------------------


def _cards(plan: Plan, tables: Tables) -> None:
    for column, card in zip(st.columns(4), key_figures(plan, tables), strict=True):
        with column.container(border=True):
            st.metric(_plain(card.label), card.value, help=card.meaning)
            st.caption(_plain(card.note))


def _map(world: World, scenario: Scenario, run: Path | None, plan: Plan | None, stale: bool) -> pd.DataFrame:
    """Draw the plan, or the preview where the inputs have changed or nothing is planned; give what changed."""
    changes = pd.DataFrame()
    question = Question(scenario, run, _stamp(run))
    world.previews.warm(question)
    if run is not None and not stale:
        layer, sentence = _plan_layer(run, _stamp(run))
    elif not world.previews.ready:
        layer = literal(world_map(scenario, world.tables).as_plain())
        sentence = "Laying out railways, roads and sea lanes; the ways appear in a moment."
        st.fragment(_wait_for_ways, run_every=1.0)()
    else:
        try:
            with st.spinner("Finding the ways now open"):
                answer = world.previews.find(question)
        except HubplanError as error:
            _faults(error)
            return changes
        layer, sentence, changes = answer.layer, answer.sentence, answer.changes
    st.caption(_plain(sentence))
    show_map(layer, key="map", height=_MAP_HEIGHT)
    if len(changes):
        st.subheader("Ways that change")
        st.dataframe(
            changes, hide_index=True, placeholder="cut off", column_config=dict.fromkeys(changes.columns[2:], _WHOLE)
        )
    return changes


def _wait_for_ways() -> None:
    if shared_world().previews.ready:
        st.rerun()


def _tables(plan: Plan, tables: Tables, run: Path | None, changes: pd.DataFrame) -> None:
    st.caption("The tables say what the map shows, for the last period.")
    periods = [str(period) for period in views.years_of(plan)]
    new, old, demand, cargo, closed, basis = st.tabs(
        ["To build", "In use", "Demand", "Cargoes", "What the rules close", "What it rests on"]
    )
    _table(new, views.hub_table(plan, tables, new=True))
    _table(old, views.hub_table(plan, tables, new=False))
    _table(demand, views.demand_table(plan, tables), shares=periods)
    _table(cargo, views.cargo_table(plan, tables))
    _table(closed, views.closed_table(plan, tables))
    basis.text(f"In cost this plan is {gap_words(plan.status, plan.gap_share)}. Rows of data by what they rest on:")
    _table(basis, views.basis_table(tables))
    if run is None:
        return
    left, right, _ = st.columns([1, 1, 4])
    for column, name, label in ((left, "report.html", "Save the report"), (right, "map.html", "Save the map")):
        if (run / name).is_file():
            column.download_button(label, (run / name).read_bytes(), f"{run.name}-{name}", "text/html", width="stretch")


def _table(place: st.delta_generator.DeltaGenerator, frame: pd.DataFrame, *, shares: Sequence[str] = ()) -> None:
    config = {
        str(c): _AS_PERCENT if c in shares else _WHOLE for c in frame.columns if pd.api.types.is_numeric_dtype(frame[c])
    }
    place.dataframe(frame, hide_index=True, column_config=config, placeholder="")


def _faults(error: HubplanError) -> None:
    st.error(_plain(error.summary))
    st.dataframe(
        pd.DataFrame([{"Where": f.where, "Found": f.found, "Fix": f.fix} for f in error.faults]), hide_index=True
    )


def _plain(text: str) -> str:
    """Escape what Markdown and Streamlit's own marks would read as more than text."""
    return re.sub(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])", r"\\\1", text)
