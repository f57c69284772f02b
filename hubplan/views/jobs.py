"""Runs started from the app: each is a child process of the command line, so a run here and one there are the same."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hubplan.data.scenario import Scenario
from hubplan.views.tomltext import scenario_toml

MOST_AT_ONCE = 2
_GRACE_S = 4.0  # between asking a run to stop and ending it


class BusyError(Exception):
    """As many runs as may go on at once are going on."""


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Parameters
    ----------
    state
        ``running``, ``done``, ``stopped`` (by the user, with or without a plan) or ``failed``.
    step
        The last step reported.
    gap_share
        Distance from the best possible, once both values are known.
    message
        What the run said in the end, when it has no plan.
    folder
        The run folder, once there is one.
    """

    state: str
    step: str
    seconds: float
    incumbent_usd: float | None
    bound_usd: float | None
    gap_share: float | None
    message: str
    folder: Path | None


@dataclass
class _Job:
    process: subprocess.Popen[bytes]
    folder: Path
    scratch: Path
    started: float
    asked_to_stop: float | None = None


class Jobs:
    """All runs that this server has started.

    Parameters
    ----------
    root
        Folder for the run folders.
    command
        The command line to run; only tests need another.
    """

    def __init__(self, root: Path, *, command: Sequence[str] = (sys.executable, "-m", "hubplan")) -> None:
        """Begin with none."""
        self._root, self._command = root, tuple(command)
        self._jobs: dict[str, _Job] = {}
        self._lock = threading.Lock()

    def start(self, scenario: Scenario) -> str:
        """Start a run and give its id.

        Raises
        ------
        BusyError
            `MOST_AT_ONCE` runs are going on.
        """
        with self._lock:
            if sum(job.process.poll() is None for job in self._jobs.values()) >= MOST_AT_ONCE:
                raise BusyError
            name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
            scratch = self._root / f".{name}"
            scratch.mkdir(parents=True)
            (scratch / "scenario.toml").write_text(scenario_toml(scenario), encoding="utf-8")
            folder = self._root / name
            arguments = [*self._command, "plan", str(scratch / "scenario.toml"), "--out", str(folder), "--json"]
            with (scratch / "out.json").open("wb") as out, (scratch / "progress.jsonl").open("wb") as err:
                process = subprocess.Popen(
                    arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
                )
            self._jobs[name] = _Job(process, folder, scratch, time.monotonic())
            return name

    def stop(self, name: str) -> None:
        """Ask a run to stop; it keeps its best plan if it has one."""
        job = self._jobs.get(name)
        if job and job.process.poll() is None and job.asked_to_stop is None:
            job.asked_to_stop = time.monotonic()
            job.process.send_signal(signal.SIGINT)

    def progress(self, name: str) -> Progress | None:
        """Say how far a run is; None for one that this server does not know."""
        job = self._jobs.get(name)
        if job is None:
            return None
        code = job.process.poll()
        if code is None and job.asked_to_stop and time.monotonic() - job.asked_to_stop > _GRACE_S:
            job.process.kill()
            code = job.process.wait()
        text = (job.scratch / "progress.jsonl").read_text(encoding="utf-8", errors="replace")
        events, rest = _split(text)
        last: dict[str, Any] = {}
        for event in events:
            last.update({key: value for key, value in event.items() if value is not None})
        incumbent, bound = last.get("incumbent_usd"), last.get("bound_usd")
        gap = (incumbent - bound) / abs(incumbent) if incumbent and bound is not None else None
        return Progress(
            state=_state(job, code),
            step=str(last.get("event", "starting")),
            seconds=time.monotonic() - job.started if code is None else float(last.get("seconds", 0.0)),
            incumbent_usd=incumbent,
            bound_usd=bound,
            gap_share=gap,
            message="\n".join(rest[-40:]),
            folder=job.folder if (job.folder / "manifest.json").exists() else None,
        )


def _state(job: _Job, code: int | None) -> str:
    if code is None:
        return "running"
    if job.asked_to_stop is not None:
        return "stopped"
    return "done" if code == 0 else "failed"


def _split(text: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Tell events, a JSON object a line, from other lines."""
    events, rest = [], []
    for line in text.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if isinstance(event, dict):
            events.append(event)
        elif line.strip():
            rest.append(line)
    return events, rest


def runs_root() -> Path:
    """Give the folder for runs: ``HUBPLAN_RUNS``, else ``runs`` where the server was started."""
    return Path(os.environ.get("HUBPLAN_RUNS", "runs")).absolute()


def latest_runs(root: Path) -> list[Path]:
    """List the run folders, the newest first."""
    if not root.is_dir():
        return []
    folders = [path for path in root.iterdir() if (path / "manifest.json").is_file() and not path.name.startswith(".")]
    return sorted(folders, key=lambda path: (path / "manifest.json").stat().st_mtime, reverse=True)
