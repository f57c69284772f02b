"""The shipped network, read once for all tests of routing."""

import pytest

from hubplan.data.tables import Tables, read_tables
from hubplan.network.assemble import Network, build_network


@pytest.fixture(scope="session")
def tables() -> Tables:
    return read_tables()


@pytest.fixture(scope="session")
def network(tables: Tables) -> Network:
    return build_network(tables)
