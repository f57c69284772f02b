"""CO2 of moving and making: what a tonne on a lane, and a tonne through a process, sets free."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hubplan.data.scenario import MODES
from hubplan.errors import DataError, Fault
from hubplan.model.draft import Draft
from hubplan.model.instance import Floats
from hubplan.model.lanes import ON_SITE
from hubplan.model.supply import gross_t_t

G_T = 1e6
"""g in a t."""


def with_co2(draft: Draft, lanes: pd.DataFrame, processes: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lanes and processes with a column ``co2_t_t`` where the scenario prices or limits CO2, else as they are.

    Raises
    ------
    DataError
        A stage whose CO2 stages.csv does not know.
    """
    policy = draft.scenario.policy
    if policy.co2_usd_t == 0 and policy.max_co2_t_yr is None:
        return lanes, processes
    made = stage_t_t(draft, "co2_t_t", asked="policy.co2_usd_t or policy.max_co2_t_yr")
    stage = [draft.facilities[n]["stage"] for n in processes["facility"]]
    use = processes["capacity_use"].to_numpy(dtype=float)
    process_t_t = use * np.array([made.get(str(name), 0.0) for name in stage])
    return lanes.assign(co2_t_t=_lane_co2_t_t(draft, lanes)), processes.assign(co2_t_t=process_t_t)


def stage_t_t(draft: Draft, column: str, *, asked: str) -> dict[str, float]:
    """Stage to a figure of stages.csv, t per t of what its capacity counts. Mines and purchases have none.

    Raises
    ------
    DataError
        A stage without the figure that the scenario asks for.
    """
    table = draft.tables.stages
    found = dict(zip(table["stage"], table[column].astype(float), strict=True))
    faults = [
        Fault(f"stages.csv, {stage}, column {column}", "is empty: unknown", f"give a figure, or remove {asked}")
        for stage, value in found.items()
        if np.isnan(value)
    ]
    if faults:
        raise DataError(faults)
    return found


def _lane_co2_t_t(draft: Draft, lanes: pd.DataFrame) -> Floats:
    """CO2 of the route's legs, each by its mode and length, on gross mass."""
    routes = lanes["route"].to_numpy(dtype=object)
    legs = draft.routes.legs(sorted(set(routes) - {ON_SITE}))
    factor = {mode: draft.parameters[f"co2_{mode}_g_tkm"] / G_T for mode in MODES}
    moved = legs["length_km"].to_numpy(dtype=float) * legs["mode"].map(factor).to_numpy(dtype=float)
    of_route = pd.Series(moved).groupby(legs["route"].to_numpy(dtype=object)).sum().to_dict()
    weight = {
        (commodity, tag): gross_t_t(draft, commodity, tag)
        for commodity, tag in sorted(set(zip(lanes["commodity"], lanes["tag"], strict=True)))
    }
    goods = zip(routes, lanes["commodity"], lanes["tag"], strict=True)
    return np.array([of_route.get(route, 0.0) * weight[good, tag] for route, good, tag in goods], dtype=float)
