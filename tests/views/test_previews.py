import json
import sys
import time

import pandas as pd
import pytest

from hubplan.data.scenario import Scenario, scenario_from_dict
from hubplan.errors import DataError
from hubplan.views.previews import Previews, Question

CHILD = """
import json, pathlib, sys, time
log = pathlib.Path(sys.argv[1])
for line in sys.stdin:
    question = json.loads(line)
    closed = question["scenario"]["routes"]["closed"]
    with log.open("a") as file:
        print(sys.argv[2], *closed, file=file)
    if "crash" in closed:
        sys.exit(1)
    if "slow" in closed:
        time.sleep(0.4)
    if "unknown" in closed:
        print(json.dumps({"summary": "1 fault", "faults": [["routes.closed", "unknown", "spell it right"]]}), flush=True)
        continue
    change = {"From": "a", "To": "b", "km before": 1.0, "km now": None, "USD/t before": 2.0, "USD/t now": None}
    print(json.dumps({"layer": json.dumps(closed), "sentence": "so", "changes": [change]}), flush=True)
"""


def question(*closed, name="x"):
    return Question(scenario_from_dict({"name": name, "routes": {"closed": list(closed)}}), None, 0.0)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


@pytest.fixture
def previews(tmp_path, log):
    (tmp_path / "child.py").write_text(CHILD, encoding="utf-8")
    return Previews((sys.executable, str(tmp_path / "child.py"), str(log)))


def asked(log):
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def wait_until(reached):
    end = time.monotonic() + 10
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_an_answer_is_read_and_kept(previews, log):
    answer = previews.find(question("suez"))
    assert (json.loads(answer.layer), answer.sentence) == (["suez"], "so")
    assert pd.isna(answer.changes["km now"].iloc[0])
    assert previews.find(question("suez")) is answer
    assert asked(log) == ["0 suez"]


def test_neither_name_nor_order_makes_another_question(previews, log):
    assert previews.find(question("a", "b", name="one")) is previews.find(question("b", "a", name="two"))


def test_what_is_foreseen_is_there_when_asked_for(previews, log):
    previews.foresee([question("a"), question("b")])
    wait_until(lambda: len(asked(log)) == 2)
    wait_until(lambda: not previews._in_work)
    previews.find(question("b"))
    assert asked(log) == ["15 a", "15 b"]


def test_new_guesses_take_the_place_of_old_ones(previews, log):
    previews.foresee([question("slow"), question("old")])
    previews.foresee([question("new")])
    wait_until(lambda: "15 new" in asked(log))
    wait_until(lambda: not previews._in_work)
    assert "15 old" not in asked(log)


def test_someone_who_waits_goes_first(previews):
    """The helper that looks ahead is held meanwhile, and let go on after."""
    previews.foresee([question("slow", str(n)) for n in range(3)])
    assert json.loads(previews.find(question("now")).layer) == ["now"]
    wait_until(lambda: not previews._in_work and not previews._foreseen)
    assert json.loads(previews.find(question("slow", "2")).layer) == ["2", "slow"]


def test_faults_are_told(previews):
    with pytest.raises(DataError, match="spell it right"):
        previews.find(question("unknown"))


def test_a_helper_that_ends_is_started_again(previews):
    with pytest.raises(DataError, match="has ended"):
        previews.find(question("crash"))
    assert previews.find(question("a")).sentence == "so"


def test_the_first_question_makes_ready(previews):
    assert not previews.ready
    previews.warm(Question(Scenario(name="first"), None, 0.0))
    wait_until(lambda: previews.ready)
