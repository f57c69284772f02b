"""Seconds and memory of routing: network, matrix of all sites to all sites, a changed closure, legs and lines.

    python benchmarks/routing.py [--geodata FOLDER] [--live]      # --live ignores the stored parts, as after a change of costs

Every line is measured in this process, in this order; "cold" is the first call, "warm" a later one.
Columns: seconds by the clock, seconds of processor (what a machine doing nothing else would take), peak memory.
"""

from __future__ import annotations

import argparse
import platform
import resource
import time
from collections.abc import Callable
from typing import TypeVar

from hubplan.data.scenario import Scenario
from hubplan.data.tables import read_tables
from hubplan.network.assemble import build_network
from hubplan.routing.alternatives import find_alternatives
from hubplan.routing.groundwork import lay_groundwork
from hubplan.routing.paths import find_path
from hubplan.routing.routes import find_routes
from hubplan.routing.store import Store

Made = TypeVar("Made")
EXCLUDED = ("CHN", "RUS", "MMR", "LAO")


def timed(what: str, do: Callable[[], Made]) -> Made:
    """Do it, and print how long it took and the most memory this process has had."""
    started, busy = time.perf_counter(), time.process_time()
    made = do()
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux
    print(f"{what:58} {seconds:8.2f} s {busy:8.2f} s {peak_mb:8.0f} MB", flush=True)
    return made


def case(
    name: str, *closed: str, excluded: tuple[str, ...] = EXCLUDED, ownership: float = 1.0, **routes: object
) -> Scenario:
    """A scenario with these closures."""
    coalition = {"excluded": excluded, "max_excluded_ownership_share": ownership}
    return Scenario.model_validate({"name": name, "coalition": coalition, "routes": {"closed": closed, **routes}})


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    asked.add_argument("--geodata", default=None)
    asked.add_argument("--live", action="store_true", help="search everything anew")
    given = asked.parse_args()
    print(f"Python {platform.python_version()}, {platform.machine()}")
    tables = timed("tables", lambda: read_tables(given.geodata))
    network = timed("network, cold", lambda: build_network(tables))
    timed("network, warm", lambda: build_network(tables))
    print(
        f"    {len(network.nodes):,} nodes, {len(network.arcs):,} arcs, {len(tables.sites)} sites, {len(tables.ports)} ports"
    )
    if given.live:
        timed(
            "groundwork without stored parts",
            lambda: lay_groundwork(network, tables, modes=("rail", "road", "sea"), store=Store()),
        )
    usual = timed("routes, both wares, cold", lambda: find_routes(network, tables, case("usual")))
    timed("routes, warm", lambda: find_routes(network, tables, case("usual")))
    timed("routes, everything open", lambda: find_routes(network, tables, case("open", excluded=())))
    print(f"    {len(usual.table):,} routes")
    closures = {
        "one strait (taiwan-strait)": case("one", "taiwan-strait"),
        "strict (three straits and zones, owners)": case(
            "strict", "taiwan-strait", "south-china-sea", "luzon-strait", ownership=0.25
        ),
        "suez and bab-el-mandeb": case("suez", "suez", "bab-el-mandeb"),
        "malacca, sunda, lombok": case("malacca", "malacca", "sunda", "lombok"),
        "a surcharge on malacca": case("surcharge", surcharge_usd_t={"malacca": 15.0}),
        "another country excluded (KAZ)": case("country", excluded=(*EXCLUDED, "KAZ")),
    }
    for what, scenario in closures.items():
        strict = timed(f"changed: {what}", lambda scenario=scenario: find_routes(network, tables, scenario))
    ids = strict.table["route"].sample(200, random_state=1).tolist()
    timed("legs of 200 random routes", lambda: strict.legs(ids))
    timed("lines of the same", lambda: strict.lines(ids))
    access = usual.access
    timed("one path", lambda: find_path(network, tables, "mount-weld", "kuantan", access, ware="bulk", year=2026))
    timed(
        "four alternatives",
        lambda: find_alternatives(network, tables, "kuantan", "market-jpn", access, ware="value", year=2026, k=4),
    )


if __name__ == "__main__":
    main()
