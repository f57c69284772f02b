"""The world as one server holds it: tables at once, network and routes once they are worked out in the background."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING

from hubplan.data.scenario import Access, Scenario, resolve_access
from hubplan.data.tables import Tables, read_tables

if TYPE_CHECKING:
    from hubplan.network.assemble import Network
    from hubplan.routing.routes import Routes

_KEPT = 24


class World:
    """Tables, network, and the routes of the scenarios asked for last."""

    def __init__(self) -> None:
        """Read the tables."""
        self.tables: Tables = read_tables()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hubplan-world")
        self._network: Future[Network] | None = None
        self._routes: OrderedDict[tuple[object, ...], Routes] = OrderedDict()
        self._lock = threading.Lock()

    def warm(self, scenario: Scenario) -> None:
        """Begin to build the network, and to find the routes of a scenario."""
        with self._lock:
            if self._network is None:
                self._network = self._pool.submit(self._build, scenario)

    @property
    def ready(self) -> bool:
        """Whether routes can be found at once."""
        return self._network is not None and self._network.done()

    def routes(self, scenario: Scenario) -> Routes:
        """Find the routes of a scenario, or give those found before.

        Raises
        ------
        DataError
            The scenario names something unknown, or the network could not be built.
        """
        access = resolve_access(scenario, self.tables)
        self.warm(scenario)
        pending = self._network
        assert pending is not None
        try:
            network = pending.result()
        except Exception:
            self._network = None  # the next one who asks may try again
            raise
        with self._lock:
            return self._find(network, scenario, access)

    def _build(self, scenario: Scenario) -> Network:
        from hubplan.network.assemble import build_network

        network = build_network(self.tables)
        self._find(network, scenario, resolve_access(scenario, self.tables))
        return network

    def _find(self, network: Network, scenario: Scenario, access: Access) -> Routes:
        from hubplan.routing.routes import find_routes

        key = (
            access.excluded,
            access.closed,
            frozenset(access.closed_ports),
            access.modes,
            tuple(sorted(scenario.routes.surcharge_usd_t.items())),
            scenario.horizon.years[0],
        )
        if key not in self._routes:
            self._routes[key] = find_routes(network, self.tables, scenario, access=access)
            while len(self._routes) > _KEPT:
                self._routes.popitem(last=False)
        self._routes.move_to_end(key)
        return self._routes[key]


@cache
def shared_world() -> World:
    """Give the one world of this process."""
    return World()
