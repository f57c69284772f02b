"""Previews for the app: asked of helper processes, kept, and worked out ahead for the clicks that may come next."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from hubplan.data.scenario import Scenario
from hubplan.errors import DataError, Fault

CHANGE_COLUMNS = ("From", "To", "km before", "km now", "USD/t before", "USD/t now")
_KEPT = 96  # answers, of about 0.25 MB each
_MOST_AHEAD = 24
_NICENESS = 15  # of the process that looks ahead: it takes what others leave


@dataclass(frozen=True)
class Question:
    """Which ways are open under a scenario, for the cargoes of a run (or, without one, of the standing mines)?"""

    scenario: Scenario
    run: Path | None
    stamp: float

    @property
    def text(self) -> str:
        """The question as a line of JSON; the same for scenarios that differ in name, or in the order of what they close."""
        scenario = self.scenario.resolved()
        scenario["name"] = "preview"
        scenario["routes"]["closed"].sort()
        run = str(self.run) if self.run else None
        return json.dumps({"scenario": scenario, "run": run, "stamp": self.stamp})


@dataclass(frozen=True, eq=False)
class Answer:
    """The map's layer as a literal, what it shows in a sentence, and the ways that changed."""

    layer: str
    sentence: str
    changes: pd.DataFrame


class _Helper:
    """A helper process, which takes one question at a time."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)
        self._process: subprocess.Popen[str] | None = None
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hubplan-preview")

    def ask(self, question: str) -> Future[Answer]:
        return self._pool.submit(self._ask, question)

    def signal(self, name: str) -> None:
        """Hold the helper, or let it go on, where the system can."""
        if self._process is not None and self._process.poll() is None and hasattr(signal, name):
            self._process.send_signal(getattr(signal, name))

    def _ask(self, question: str) -> Answer:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(question + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            line = ""
        if not line:
            self._process.wait()
            fix = "look at the server's log; the next click starts it again"
            raise DataError([Fault("preview", "the process that finds the ways has ended", fix)], "No preview")
        return _read(json.loads(line))


def _read(told: dict[str, Any]) -> Answer:
    if "faults" in told:
        raise DataError([Fault(*fault) for fault in told["faults"]], told["summary"])
    changes = pd.DataFrame(told["changes"], columns=list(CHANGE_COLUMNS))
    return Answer(told["layer"], told["sentence"], changes.astype(dict.fromkeys(CHANGE_COLUMNS[2:], float)))


class Previews:
    """Answers asked for, answers kept, and answers worked out ahead.

    Parameters
    ----------
    command
        Starts a helper; only tests need another.
    """

    def __init__(self, command: Sequence[str] = (sys.executable, "-m", "hubplan.views.previewer")) -> None:
        """Begin with none; helpers start with the first question."""
        self._near, self._ahead = _Helper([*command, "0"]), _Helper([*command, str(_NICENESS)])
        self._kept: OrderedDict[str, Answer] = OrderedDict()
        self._in_work: dict[str, Future[Answer]] = {}
        self._foreseen: list[str] = []
        self._lock = threading.Lock()
        self._first: Future[Answer] | None = None

    def warm(self, question: Question) -> None:
        """Ask a first question without waiting for the answer: it takes several seconds to lay out the network."""
        with self._lock:
            if self._first is None:
                self._first = self._near.ask(question.text)
                self._first.add_done_callback(lambda done: self._keep(question.text, done))

    @property
    def ready(self) -> bool:
        """Whether the first question is answered, so that the next takes a second or two."""
        return self._first is not None and self._first.done()

    def find(self, question: Question) -> Answer:
        """Answer a question at once if it was asked or foreseen, else as fast as can be.

        Raises
        ------
        DataError
            The scenario has faults, or the helper has ended.
        """
        key = question.text
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            ahead = self._in_work.get(key)
        asked = self._near.ask(key)
        if ahead is None:
            self._ahead.signal("SIGSTOP")
        try:
            first = next(iter(wait([asked, ahead] if ahead else [asked], return_when=FIRST_COMPLETED).done))
        finally:
            self._ahead.signal("SIGCONT")
        self._keep(key, first)
        return first.result()

    def foresee(self, questions: Sequence[Question]) -> None:
        """Work out answers that may be asked for next; what was foreseen before and is not begun is dropped."""
        with self._lock:
            idle = not self._foreseen and not self._in_work
            self._foreseen = [q.text for q in questions if q.text not in self._kept][:_MOST_AHEAD]
        if idle:
            self._look_ahead()

    def _look_ahead(self) -> None:
        """Hand the helper that looks ahead its next question; each answer leads to the next."""
        with self._lock:
            if not self._foreseen:
                return
            key = self._foreseen.pop(0)
            asked = self._in_work[key] = self._ahead.ask(key)

        def done(answered: Future[Answer]) -> None:
            self._keep(key, answered)
            with self._lock:
                self._in_work.pop(key, None)
            self._look_ahead()

        asked.add_done_callback(done)

    def _keep(self, key: str, answered: Future[Answer]) -> None:
        if answered.exception() is not None:
            return  # whoever asks is told
        with self._lock:
            self._kept[key] = answered.result()
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
