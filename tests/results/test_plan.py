"""The shape of a plan's tables."""

from dataclasses import replace

import pandas as pd
import pytest

from hubplan.errors import DataError
from hubplan.results.plan import KEYS, TABLES, as_table, empty_table


def test_every_key_is_a_column():
    assert all(set(KEYS[name]) <= set(TABLES[name]) for name in TABLES)


@pytest.mark.parametrize("name", list(TABLES))
def test_an_empty_table_has_its_columns(name):
    assert list(as_table(name, pd.DataFrame()).columns) == list(empty_table(name).columns) == list(TABLES[name])


@pytest.mark.parametrize("name", list(TABLES))
def test_a_plan_may_have_empty_tables(plan, name):
    assert replace(plan, **{name: empty_table(name)}).table(name).empty


def test_a_plan_without_a_column_is_refused(plan):
    with pytest.raises(DataError, match=r"plan\.flows: no column flow_t"):
        replace(plan, flows=plan.flows.drop(columns="flow_t"))


def test_a_plan_with_a_key_twice_is_refused(plan):
    with pytest.raises(DataError, match="repeat a key"):
        replace(plan, costs=pd.concat([plan.costs, plan.costs.iloc[:1]]))


def test_a_plan_has_a_known_status(plan):
    with pytest.raises(DataError, match="best ever"):
        replace(plan, status="best ever")
