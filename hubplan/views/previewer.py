"""The process that works out previews, so that the server stays free: a question a line comes in, an answer a line goes out.

`python -m hubplan.views.previewer [NICENESS]`; `hubplan.views.previews` starts and asks it.
"""

from __future__ import annotations

import json
import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from hubplan.data.scenario import Scenario, scenario_from_dict
from hubplan.data.tables import Tables, read_tables
from hubplan.errors import HubplanError
from hubplan.network.assemble import Network, build_network
from hubplan.results.plan import Plan
from hubplan.results.save import read_run
from hubplan.routing.routes import Routes, find_routes
from hubplan.views.maps import literal
from hubplan.views.preview import preview_plan, preview_supply


class Previewer:
    """Tables and network, read once, and the answers they give."""

    def __init__(self) -> None:
        """Read the tables and lay out the network."""
        self._tables: Tables = read_tables()
        self._network: Network = build_network(self._tables)

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """Answer a question.

        Parameters
        ----------
        question
            ``scenario``, as plain values; ``run``, a folder or None; ``stamp``, when that was written.

        Returns
        -------
        dict
            ``layer`` (the map's literal), ``sentence``, ``changes`` (records); or ``faults`` and ``summary``.
        """
        try:
            scenario = scenario_from_dict(question["scenario"])
            routes = find_routes(self._network, self._tables, scenario)
            return self._draw(question, scenario, routes)
        except HubplanError as error:
            return {"summary": error.summary, "faults": [[f.where, f.found, f.fix] for f in error.faults]}

    def _draw(self, question: dict[str, Any], scenario: Scenario, routes: Routes) -> dict[str, Any]:
        if question["run"] is None:
            spec = preview_supply(self._tables, routes, scenario)
            return {"layer": literal(spec.as_plain()), "sentence": spec.sentence, "changes": []}
        preview = preview_plan(_read_plan(question["run"], question["stamp"]), self._tables, routes, scenario)
        changes = json.loads(preview.changes.to_json(orient="records"))
        return {"layer": literal(preview.spec.as_plain()), "sentence": preview.spec.sentence, "changes": changes}


@lru_cache(maxsize=2)
def _read_plan(folder: str, _stamp: float) -> Plan:
    return read_run(Path(folder))


def main() -> None:
    """Answer until nobody asks any more."""
    os.nice(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    previewer = Previewer()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(previewer.answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
