"""Every page of the app, without a browser: widgets make scenarios, scenarios make maps and tables, faults are shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from views.conftest import make_plan

from hubplan.data.access import resolve_access
from hubplan.data.scenario import read_scenario
from hubplan.data.shipped import shipped_path
from hubplan.data.tables import read_tables
from hubplan.results.plan import Plan
from hubplan.results.save import write_run
from hubplan.views import world as worlds
from hubplan.views.keyfigures import key_figures
from hubplan.views.previews import Answer, Previews

SCRIPT = "from hubplan.views.pages import plan\nplan.show()"


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The made-up plan of the views' tests, as an answer to the first example."""
    from dataclasses import replace

    scenario = read_scenario(shipped_path("examples") / "allied-2035.toml")
    return replace(make_plan(name="<b>"), scenario=scenario, access=resolve_access(scenario, read_tables()))


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No runs yet, no helper processes, a new world."""
    monkeypatch.setenv("HUBPLAN_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(Previews, "warm", lambda self, question: None)
    monkeypatch.setattr(Previews, "foresee", lambda self, questions: None)
    worlds.shared_world.cache_clear()
    yield tmp_path / "runs"
    worlds.shared_world.cache_clear()


def opened() -> AppTest:
    page = AppTest.from_string(SCRIPT, default_timeout=60).run()
    assert not page.exception
    return page


def drawn(page: AppTest) -> dict[str, Any]:
    """What the map component was given."""
    return json.loads(page.get("component_instance")[0].proto.json_args)


def test_a_new_session_shows_the_question_while_ways_are_worked_out(runs):
    page = opened()
    assert any("appear in a moment" in caption.value for caption in page.caption)
    assert not page.metric
    assert {toggle.label for toggle in page.sidebar.toggle if toggle.value} >= {"Taiwan Strait"}


def test_the_map_loads_nothing_from_elsewhere(runs):
    given = drawn(opened())
    assert given["js_links"] == [
        f"../hubplan.views.mapview.assets/{name}.js" for name in ("leaflet", "land", "hubplan")
    ]
    assert given["css_links"] == []
    assert given["returned_objects"] == []
    assert "http" not in given["script"]


def test_a_kept_run_is_shown_with_cards_and_tables(runs, plan):
    write_run(plan, runs / "one")
    page = opened()
    figures = key_figures(plan, read_tables())
    assert [metric.value for metric in page.metric] == [figure.value for figure in figures]
    assert figures[0].value == "90 %"
    assert any("Builds 1 new plant" in caption.value for caption in page.caption)
    assert any("Saskatoon" in frame.value.to_string() for frame in page.dataframe)
    assert not page.warning


def test_a_closure_previews_and_says_that_the_figures_are_old(runs, plan, monkeypatch):
    write_run(plan, runs / "one")
    seen = []

    def find(self: Previews, question: Any) -> Answer:
        import pandas as pd

        seen.append(question)
        change = pd.DataFrame({"From": ["a"], "To": ["b"], "km before": [1.0], "km now": [None]})
        return Answer('{"preview":1}', "Preview: one way cut off.", change)

    monkeypatch.setattr(Previews, "find", find)
    monkeypatch.setattr(Previews, "ready", True)
    page = opened()
    before = drawn(page)
    next(toggle for toggle in page.sidebar.toggle if "Malacca" in toggle.label).set_value(True).run()
    assert not page.exception
    assert "malacca" in seen[-1].scenario.routes.closed and seen[-1].run == runs / "one"
    assert any("Inputs changed" in warning.value for warning in page.warning)
    after = drawn(page)
    assert '{"preview":1}' in after["feature_group"]
    assert (after["script"], after["id"]) == (before["script"], before["id"])


def test_a_scenario_that_cannot_be_is_refused_with_its_faults(runs):
    page = opened()
    excluded = next(choice for choice in page.multiselect if choice.label == "Excluded")
    excluded.set_value([*excluded.value, "AUS"]).run()
    assert not page.exception
    assert any("fault" in error.value for error in page.error)
    assert any("members and excluded" in frame.value.to_string() for frame in page.dataframe)


def test_solve_starts_a_run_with_what_the_widgets_say(runs, monkeypatch):
    from hubplan.views.jobs import Jobs

    started = []
    monkeypatch.setattr(Jobs, "start", lambda self, scenario: started.append(scenario) or "job")
    page = opened()
    next(toggle for toggle in page.sidebar.toggle if "Suez" in toggle.label).set_value(True).run()
    next(button for button in page.sidebar.button if button.label == "Solve").click().run()
    assert not page.exception
    assert "suez" in started[0].routes.closed and started[0].name.endswith("edited")


def test_the_script_lists_the_page(runs):
    page = AppTest.from_file(str(shipped_path("streamlit_app.py")), default_timeout=60).run()
    assert not page.exception
