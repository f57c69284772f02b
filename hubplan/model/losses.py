"""What a scenario's single losses take away: facilities, lanes and markets, one loss at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from hubplan.errors import DataError, Fault
from hubplan.model.contingency import Contingencies, Loss
from hubplan.model.draft import Draft
from hubplan.model.instance import Instance
from hubplan.model.lanes import ON_SITE

Labels = npt.NDArray[np.object_]


def find_contingencies(draft: Draft, inst: Instance) -> Contingencies | None:
    """Losses of `policy.n_1`, one at a time.

    A site takes its facilities and every lane that starts or ends there; a facility its own; a port, zone or country every
    lane whose route calls, passes or runs there, and a country its facilities too. Routes are those of the plan: a ship that
    could go round has no other lane here, so a loss is never told too small.

    Raises
    ------
    DataError
        The year is outside the horizon.
    """
    rule = draft.scenario.policy.n_1
    if rule is None:
        return None
    period = [t for t, block in enumerate(draft.calendar.years) if rule.year in block]
    if not period:
        years = draft.calendar.years
        found = f"{rule.year} is in no period of the horizon"
        raise DataError([Fault("policy.n_1.year", found, f"give a year from {years[0][0]} to {years[-1][-1]}")])
    passes = _passages(draft, inst, rule.losses)
    losses = tuple(_find_loss(draft, inst, name, passes) for name in dict.fromkeys(rule.losses))
    return Contingencies(
        period=period[0], served_share=rule.served_share, shortfall_usd_t=rule.shortfall_usd_t, losses=losses
    )


def _passages(draft: Draft, inst: Instance, losses: tuple[str, ...]) -> dict[str, frozenset[str]]:
    """Route to the zones, countries and ports it passes; none where only sites and facilities are lost."""
    tables = draft.tables
    ways = set(tables.zones["zone"]) | set(tables.ports["port"]) | set(tables.countries["country"])
    if ways.isdisjoint(losses):
        return {}
    routes = sorted(set(inst.lanes["route"]) - {ON_SITE})
    passed = draft.routes.passages(routes)
    sets = zip(passed["zones"], passed["countries"], passed["ports"], strict=True)
    return dict(zip(passed["route"], (zones | countries | ports for zones, countries, ports in sets), strict=True))


def _find_loss(draft: Draft, inst: Instance, name: str, passes: dict[str, frozenset[str]]) -> Loss:
    sites = draft.tables.sites
    country = dict(zip(sites["site"], sites["country"], strict=True))

    def hit(column: pd.Series) -> npt.NDArray[np.bool_]:
        """Sites that are lost, or lie in the country that is."""
        return (column.eq(name) | column.map(country).eq(name)).to_numpy(dtype=bool)

    gone = hit(inst.facilities["site"]) | inst.facilities["facility"].eq(name).to_numpy(dtype=bool)
    lanes = inst.lanes
    passing = lanes["route"].map(lambda route: name in passes.get(route, frozenset())).to_numpy(dtype=bool)
    shut = hit(lanes["origin"]) | hit(lanes["destination"]) | passing
    return Loss(name=name, stands=~gone, lane_open=~shut, asks=~hit(inst.demand["market"]))
