"""What all tests share: no network, the shipped tables and network, and one run of the README's example."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nonet
import pytest

from hubplan.data.tables import Tables, read_tables
from hubplan.network.assemble import Network, build_network

ROOT = Path(__file__).resolve().parent.parent

nonet.block()
os.environ["PYTHONPATH"] = os.pathsep.join(
    part for part in (str(ROOT / "tests" / "offline"), os.environ.get("PYTHONPATH", "")) if part
)


@pytest.fixture(autouse=True)
def _stays_on_this_machine() -> Iterator[None]:
    """A test fails if it tried the network, even where the code under test shrugged the refusal off."""
    before = len(nonet.ATTEMPTS)
    yield
    assert nonet.ATTEMPTS[before:] == []


@pytest.fixture(scope="session")
def root() -> Path:
    """The source tree."""
    return ROOT


@pytest.fixture(scope="session")
def tables() -> Tables:
    """The shipped tables."""
    return read_tables()


@pytest.fixture(scope="session")
def network(tables: Tables) -> Network:
    """The shipped network."""
    return build_network(tables)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Debian's chromium. Skips where there is none, unless HUBPLAN_REQUIRE_BROWSER=1 makes that a failure."""
    found = shutil.which("chromium")
    if found is None:
        if os.environ.get("HUBPLAN_REQUIRE_BROWSER") == "1":
            pytest.fail("HUBPLAN_REQUIRE_BROWSER is set, and there is no chromium: apt-get install chromium")
        pytest.skip("needs Debian's chromium")
    return found


@dataclass(frozen=True, kw_only=True)
class Done:
    """A command that ended."""

    status: int
    out: str
    err: str
    seconds: float

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on standard output."""
        lines = self.out.splitlines()
        assert len(lines) == 1, f"--json prints one line and nothing else; found {len(lines)}"
        found = json.loads(lines[0])
        assert isinstance(found, dict)
        return found


def run_cli(*args: object, cwd: Path, env: dict[str, str] | None = None) -> Done:
    """Run ``hubplan`` as a program of its own, outside the source tree, with nothing to read on standard input."""
    start = time.monotonic()
    found = subprocess.run(
        [sys.executable, "-m", "hubplan", *map(str, args)],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    return Done(status=found.returncode, out=found.stdout, err=found.stderr, seconds=time.monotonic() - start)


@pytest.fixture
def cli(tmp_path: Path) -> Any:
    """``cli(*args) -> Done``: the command line, in an empty folder of its own."""

    def call(*args: object) -> Done:
        return run_cli(*args, cwd=tmp_path)

    return call


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run folder that the command line wrote, and what it said."""

    folder: Path
    done: Done


def _plan(name: str, folder: Path, *options: object) -> Run:
    done = run_cli("plan", ROOT / "examples" / f"{name}.toml", "--out", folder / name, "--json", *options, cwd=folder)
    assert done.status == 0, done.err
    return Run(folder=folder / name, done=done)


@pytest.fixture(scope="session")
def allied_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The README's first command, with time to spare on a busy machine. Read only: other tests use the same folder."""
    return _plan("allied-2035", tmp_path_factory.mktemp("allied"), "--time-limit", 150)


@pytest.fixture(scope="session")
def strict_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The strict example, at a wider gap to save time. Read only."""
    return _plan("allied-2035-strict", tmp_path_factory.mktemp("strict"), "--gap", 0.01, "--time-limit", 150)


@pytest.fixture(scope="session")
def today_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """2025 as it was. Read only."""
    return _plan("today", tmp_path_factory.mktemp("today"))
