"""Draft: facilities, processes, balances and lanes gathered on the way to an `Instance`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hubplan.data.access import Access
from hubplan.data.chain import Chain, Process
from hubplan.data.scenario import Scenario
from hubplan.data.tables import Tables
from hubplan.model.calendar import Calendar
from hubplan.model.instance import Floats
from hubplan.model.lanes import End
from hubplan.routing.routes import Routes


@dataclass
class Draft:
    """Rows gathered on the way to an instance."""

    tables: Tables
    scenario: Scenario
    access: Access
    routes: Routes
    chain: Chain
    calendar: Calendar
    facilities: list[dict[str, Any]] = field(default_factory=list)
    existing: list[Floats] = field(default_factory=list)
    installed: list[Floats] = field(default_factory=list)
    ramps: list[tuple[float, ...]] = field(default_factory=list)
    processes: list[dict[str, Any]] = field(default_factory=list)
    terms: list[tuple[int, int, float]] = field(default_factory=list)
    balances: dict[tuple[str, str, str], int] = field(default_factory=dict)
    lanes: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.mines = {str(row["mine"]): row for row in self.tables.mines.to_dict("records")}
        self.commodities = {str(row["commodity"]): row for row in self.tables.commodities.to_dict("records")}
        self.parameters = dict(
            zip(self.tables.transport["parameter"], self.tables.transport["value"].astype(float), strict=True)
        )

    def balance(self, commodity: str, tag: str, place: str) -> int:
        """Row of a commodity's balance at a place; made when first asked for."""
        return self.balances.setdefault((commodity, tag, place), len(self.balances))

    def add_process(self, facility: int, process: Process, opex_usd_t: float) -> None:
        """Let a facility run a process, at so many USD per t of activity."""
        place = str(self.facilities[facility]["facility"])
        self.processes.append(
            {
                "facility": facility,
                "process": process.name,
                "opex_usd_t": opex_usd_t,
                "capacity_use": process.capacity_use,
            }
        )
        row = len(self.processes) - 1
        for sign, side in ((1.0, process.makes), (-1.0, process.takes)):
            for (commodity, tag), amount in side.items():
                self.terms.append((row, self.balance(commodity, tag, place), sign * amount))


def ends_of(draft: Draft, stage: str) -> list[End]:
    """Facilities of a stage as ends of lanes."""
    return [
        End(str(row["facility"]), str(row["site"]), stands=bool(existing.any()))
        for row, existing in zip(draft.facilities, draft.existing, strict=True)
        if row["stage"] == stage
    ]
