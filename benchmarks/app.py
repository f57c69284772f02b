"""Times of the app in headless Chromium: first paint, a closure to its new routes, and requests to other hosts.

    python benchmarks/app.py [RUN_FOLDER] [--rounds N] [--pause S]

With a run folder of the scenario shown first, the plan's own cargoes are sent anew; without one, each mine's. The times
are what a user waits: from the start of loading, or from the click, until the map has drawn its new layer. "Foreseen" is
a click on a page left alone for a while, "hurried" one right after another, "again" back to what was seen before.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from hubplan.views.server import app_command

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
STRAITS = ("Strait of Malacca", "Suez Canal", "Luzon Strait", "Panama Canal", "South China Sea", "Bab-el-Mandeb")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])


def wait_for_server(port: int) -> float:
    start = time.monotonic()
    while time.monotonic() - start < 60:
        try:
            socket.create_connection(("localhost", port), timeout=0.2).close()
            return time.monotonic() - start
        except OSError:
            time.sleep(0.05)
    raise TimeoutError("the app did not start within 60 s")


def map_frame(page: Any) -> Any:
    page.locator("iframe").first.wait_for(timeout=60_000)
    return next(frame for frame in page.frames if "st_folium" in frame.url)


def wait_for_layers(page: Any, count: int) -> None:
    map_frame(page).wait_for_function("count => (window.hubplanReady || 0) >= count", arg=count, timeout=60_000)


def first_paint(browser: Any, url: str, outside: list[str]) -> tuple[Any, float]:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.on(
        "request",
        lambda request: outside.append(request.url) if not request.url.startswith((url, "data:", "blob:")) else None,
    )
    page.on("pageerror", lambda error: print(f"page error: {error}"))
    start = time.monotonic()
    page.goto(url)
    wait_for_layers(page, 1)
    return page, time.monotonic() - start


def toggle(page: Any, name: str) -> float:
    before = int(map_frame(page).evaluate("window.hubplanReady"))
    start = time.monotonic()
    page.get_by_text(name, exact=True).first.click()
    wait_for_layers(page, before + 1)
    return time.monotonic() - start


def measure(url: str, rounds: int, pause_s: int, ready_in: float) -> None:
    from playwright.sync_api import sync_playwright

    outside: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        print(f"server answers        {ready_in:6.2f} s")
        paints = []
        for n in range(rounds):
            page, seconds = first_paint(browser, url, outside)
            paints.append(seconds)
            print(f"first paint {n + 1}         {seconds:6.2f} s")
            if n < rounds - 1:
                page.close()
        page.get_by_text("the ways appear in a moment").wait_for(state="detached", timeout=90_000)
        map_frame(page).evaluate("window.hubplanMark = 1")
        hurried = [toggle(page, name) for name in STRAITS]
        again = [toggle(page, name) for name in reversed(STRAITS)]
        page.wait_for_timeout(pause_s * 1000)
        foreseen = []
        for name in STRAITS[:3]:
            foreseen.append(toggle(page, name))
            page.wait_for_timeout(pause_s * 1000)
        for what, seconds in (("foreseen", foreseen), ("hurried", hurried), ("again", again)):
            times = " ".join(f"{value:.2f}" for value in seconds)
            print(f"closure, {what:12} median {median(seconds):5.2f} s, longest {max(seconds):5.2f} s   ({times})")
        kept = map_frame(page).evaluate("window.hubplanMark") == 1
        print(f"map kept its place: {kept}; requests to other hosts: {len(outside)} {outside[:3]}")
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pause", type=int, default=30, help="seconds in which nobody clicks")
    given = parser.parse_args()
    port = free_port()
    with tempfile.TemporaryDirectory() as scratch:
        runs = Path(scratch) / "runs"
        runs.mkdir()
        if given.run is not None:
            shutil.copytree(given.run, runs / "run")
        environment = {**os.environ, "HUBPLAN_RUNS": str(runs)}
        server = subprocess.Popen(
            app_command(port), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            measure(f"http://localhost:{port}/", given.rounds, given.pause, wait_for_server(port))
        finally:
            server.terminate()
            server.wait(10)


if __name__ == "__main__":
    main()
