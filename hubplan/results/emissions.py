"""What a plan sets free: CO2 by mode and plant, residue and thorium by plant."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from hubplan.data.scenario import MODES
from hubplan.data.tables import Tables
from hubplan.model.purchases import STAGE as PURCHASE
from hubplan.results.exposure import ON_SITE
from hubplan.results.plan import as_table, empty_table

G_T = 1e6
"""g in a t."""
_AMOUNTS = ["co2_t", "residue_t", "thorium_t"]


def build_emissions(
    flows: pd.DataFrame, legs: pd.DataFrame, hubs: pd.DataFrame, processes: pd.DataFrame, *, tables: Tables
) -> pd.DataFrame:
    """Add up CO2, solid residue and thorium (as ThO2).

    - ``mode``: CO2 of the legs of rail, road or sea, on gross mass (transport.csv);
    - ``facility``: CO2 and residue of what a plant has put through (stages.csv), and the thorium of the concentrate that it
      cracks; a mine that ships carbonate keeps its thorium;
    - ``stage`` and ``country``: the facilities of a stage or country together.

    Modes and facilities together are the whole; stages and countries share out the facilities once more. Unknown is empty in
    the row of a facility: CO2 and residue of mines always are; sums are of what is known. What was set free by making what is
    bought outside the plan is not in it.

    Parameters
    ----------
    flows, legs, hubs, processes
        Tables of a plan.
    """
    plants = _plants(hubs, processes, tables)
    parts = [_by_mode(flows, legs, tables)]
    for kind in ("facility", "stage", "country"):
        sums = plants.groupby([kind, "period"])[_AMOUNTS].sum(min_count=1).reset_index()
        parts.append(sums.rename(columns={kind: "id"}).assign(kind=kind))
    parts = [part for part in parts if len(part)]
    return as_table("emissions", pd.concat(parts, ignore_index=True)) if parts else empty_table("emissions")


def _plants(hubs: pd.DataFrame, processes: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Amounts by facility and period, with stage and country."""
    stages = tables.stages.set_index("stage")
    left = _thorium(processes, tables)
    runs = (hubs["throughput_t"] > 0) & (hubs["stage"] != PURCHASE)
    found = hubs.loc[runs, ["facility", "stage", "country", "period", "throughput_t"]]
    for column, name in (("co2_t_t", "co2_t"), ("residue_t_t", "residue_t")):
        found[name] = found["throughput_t"] * found["stage"].map(stages[column]).astype(float)
    keys = list(zip(found["facility"], found["period"], strict=True))
    found["thorium_t"] = [left.get(key, 0.0) for key in keys]
    return found[(found["stage"] != "mine") | np.array([key in left for key in keys], dtype=bool)]


def _thorium(processes: pd.DataFrame, tables: Tables) -> dict[tuple[str, int], float]:
    """ThO2 left at a facility in a period: of the concentrate it cracks, or of the ore of a mine that ships carbonate."""
    mines = tables.mines.set_index("mine")
    content = mines["thorium_t_t"].astype(float).to_dict()
    left: dict[tuple[str, int], float] = {}
    for facility, period, process, input_t in zip(
        *(processes[name] for name in ("facility", "period", "process", "input_t")), strict=True
    ):
        good, _, mine = str(process).partition("@")
        if good == "mine" and mines.at[facility, "product"] == "carbonate":
            mine = facility
        elif good != "concentrate":
            continue
        key = str(facility), int(period)
        left[key] = left.get(key, 0.0) + float(input_t) * content[mine]
    return left


def _by_mode(flows: pd.DataFrame, legs: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    moved = flows[(flows["route"] != ON_SITE) & (flows["flow_t"] > 0)]
    factor = dict(zip(tables.transport["parameter"], tables.transport["value"].astype(float), strict=True))
    gross = moved["flow_t"] * _gross_t_t(moved, tables)
    tonnage = moved.assign(gross_t=gross).groupby(["route", "period"], as_index=False)["gross_t"].sum()
    on_legs = tonnage.merge(legs[["route", "mode", "length_km"]], on="route")
    by_mode = {mode: factor[f"co2_{mode}_g_tkm"] for mode in MODES}
    g_t = on_legs["length_km"] * on_legs["mode"].map(by_mode).astype(float)
    co2_t = (on_legs["gross_t"] * g_t / G_T).rename("co2_t")
    sums = co2_t.groupby([on_legs["mode"], on_legs["period"]]).sum().reset_index()
    named: pd.DataFrame = sums.rename(columns={"mode": "id"})
    return named.assign(kind="mode", residue_t=0.0, thorium_t=0.0)


def _gross_t_t(flows: pd.DataFrame, tables: Tables) -> pd.Series:
    """Gross t per contained t: by the mine's own grade for what it ships, else as commodities.csv has it."""
    mines = tables.mines.set_index("mine")
    own: Mapping[tuple[str, str], float] = {
        (str(mine), str(row["product"])): 1.0 / float(row["product_grade_share"])
        for mine, row in mines.iterrows()
        if pd.notna(row["product_grade_share"])
    }
    usual = dict(zip(tables.commodities["commodity"], tables.commodities["gross_t_t"].astype(float), strict=True))
    goods = zip(flows["mine"], flows["commodity"], strict=True)
    return pd.Series([own.get((mine, good), usual[good]) for mine, good in goods], index=flows.index, dtype=float)
