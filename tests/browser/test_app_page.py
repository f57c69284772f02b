"""The app in a real browser, started as `hubplan app` starts it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from dataclasses import replace
from typing import Any

import pytest
from views.conftest import HOSTILE, make_plan

from hubplan.data.access import resolve_access
from hubplan.data.scenario import read_scenario
from hubplan.data.shipped import shipped_path
from hubplan.data.tables import read_tables
from hubplan.results.save import write_run
from hubplan.views.server import app_command

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server that keeps one run: the made-up plan, with hostile names, as an answer to the first example."""
    folder = tmp_path_factory.mktemp("app")
    scenario = read_scenario(shipped_path("examples") / "allied-2035.toml")
    write_run(
        replace(make_plan(), scenario=scenario, access=resolve_access(scenario, read_tables())), folder / "runs" / "one"
    )
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "HUBPLAN_RUNS": str(folder / "runs")}
    log = (folder / "log").open("wb")
    server = subprocess.Popen(
        app_command(port), env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True
    )
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            socket.create_connection(("localhost", port), timeout=0.2).close()
            break
        except OSError:
            time.sleep(0.1)
    yield f"http://localhost:{port}/"
    os.killpg(server.pid, signal.SIGTERM)
    server.wait(20)


@pytest.fixture
def page(watched: Any, address: str) -> Any:
    watched.page.goto(address)
    map_of(watched.page).wait_for_function("window.hubplanReady > 0", timeout=60_000)
    yield watched.page
    assert watched.elsewhere == []
    assert [error for error in watched.errors if "Content Security Policy" in error] == []


def map_of(page: Any) -> Any:
    page.locator("iframe").first.wait_for(timeout=60_000)
    return next(frame for frame in page.frames if "st_folium" in frame.url)


def test_the_plan_is_shown_with_any_name_as_it_stands(page):
    inside = map_of(page)
    assert inside.locator(".hp-label", has_text=HOSTILE).count() > 0
    assert inside.locator("img").count() == 0
    assert page.get_by_text("Demand served, 2035").is_visible()
    assert page.get_by_role("tab", name="To build").is_visible()


def test_the_browser_refuses_other_hosts(page, watched):
    refused = page.evaluate("fetch('http://127.0.0.1:1/').then(() => 'sent', () => 'refused')")
    assert refused == "refused"
    assert any("Content Security Policy" in error for error in watched.errors)
    watched.errors.clear()
    watched.requests.clear()


def test_a_closure_changes_the_layer_and_leaves_the_map(page):
    """The made-up cargoes run between real sites, so the real network finds their ways anew."""
    inside = map_of(page)
    inside.evaluate("window.hubplanMark = 1")
    zoom = "document.querySelector('.leaflet-proxy, .leaflet-map-pane').style.transform"
    before, place = inside.evaluate("window.hubplanReady"), inside.evaluate(zoom)
    page.get_by_text("Strait of Malacca", exact=True).first.click()
    page.get_by_text("Inputs changed since this run").wait_for(timeout=60_000)
    inside.wait_for_function("count => window.hubplanReady > count", arg=before, timeout=60_000)
    page.get_by_text("Preview: the plan").wait_for(timeout=60_000)
    assert inside.evaluate("window.hubplanMark") == 1
    assert inside.evaluate(zoom) == place
    page.get_by_text("Strait of Malacca", exact=True).first.click()
    page.get_by_text("Inputs changed since this run").wait_for(state="detached", timeout=60_000)
