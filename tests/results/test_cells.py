"""Cells of a run's CSV files."""

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubplan.errors import DataError
from hubplan.results.cells import csv_to_table, guard_text, table_to_csv, unguard_text

CELLS = st.text(alphabet=st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00"), max_size=12)


@given(CELLS | st.from_regex(r"^['\s]*[=+\-@\t\r]", fullmatch=False).filter(lambda text: "\x00" not in text))
def test_guarded_text_comes_back(text):
    assert unguard_text(guard_text(text)) == text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\rx", "  =1", "'=1", "＝1"])
def test_no_cell_starts_a_formula(text):
    assert guard_text(text).startswith("'")


ROWS = st.tuples(CELLS, st.integers(2000, 2100), st.floats(allow_infinity=False))


@given(st.lists(ROWS, max_size=8, unique_by=lambda row: row[:2]))
def test_a_table_comes_back_to_the_last_digit(rows):
    frame = pd.DataFrame(rows, columns=["line", "period", "cost_usd"]).assign(discounted_usd=1 / 3)
    back = csv_to_table("costs", table_to_csv("costs", frame))
    key = lambda r: (r[0], r[1])  # noqa: E731
    found = sorted(zip(back["line"], back["period"], back["cost_usd"], strict=True), key=key)
    for (line, period, cost), (line_2, period_2, cost_2) in zip(sorted(rows, key=key), found, strict=True):
        assert (line, period) == (line_2, period_2)
        assert cost == cost_2 or (math.isnan(cost) and math.isnan(cost_2))


def test_row_order_changes_nothing():
    frame = pd.DataFrame({"line": ["b", "a", "a"], "period": [1, 2, 1], "cost_usd": [1.0, 2, 3], "discounted_usd": 0.0})
    assert table_to_csv("costs", frame) == table_to_csv("costs", frame.iloc[::-1])


def test_faults_name_line_and_column():
    text = "line,period,cost_usd,discounted_usd\na,2030,1,1\nb,soon,inf,1\nc,2030\n"
    with pytest.raises(DataError) as caught:
        csv_to_table("costs", text)
    where = [fault.where for fault in caught.value.faults]
    assert where == ["costs.csv, line 3, column period", "costs.csv, line 3, column cost_usd", "costs.csv, line 4"]


@pytest.mark.parametrize("text", ["", "line,period\n", 'line,period,cost_usd,discounted_usd\n"a,2030,1,1\n'])
def test_what_is_no_table_is_refused(text):
    with pytest.raises(DataError):
        csv_to_table("costs", text)


def test_an_infinite_number_is_refused():
    frame = pd.DataFrame({"line": ["a"], "period": [1], "cost_usd": [math.inf], "discounted_usd": [0.0]})
    with pytest.raises(DataError, match="infinite"):
        table_to_csv("costs", frame)


def test_a_key_that_stands_twice_is_refused():
    with pytest.raises(DataError, match="same line, period as line 2"):
        csv_to_table("costs", "line,period,cost_usd,discounted_usd\na,2030,1,1\na,2030,2,2\n")


def test_further_columns_come_back_as_numbers_where_they_are():
    frame = pd.DataFrame({"line": ["a", "b"], "period": 1, "cost_usd": 0.0, "discounted_usd": 0.0})
    frame = frame.assign(share=[-0.5, math.nan], note=["-x", "7"])
    back = csv_to_table("costs", table_to_csv("costs", frame))
    assert back["share"].iloc[0] == -0.5 and back["note"].tolist() == ["-x", "7"]
