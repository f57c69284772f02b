"""What is set free: CO2 in all, solid residue and thorium by country."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hubplan.errors import DataError, Fault
from hubplan.model.emissions import stage_t_t
from hubplan.model.instance import Floats
from hubplan.model.rulebook import Rulebook


def add_emission_limits(book: Rulebook) -> None:
    """(25) CO2 of transport and process, and residue and thorium of each country, stay within their yearly limits.

    - CO2: legs of routes by mode and gross mass (transport.csv), and what goes through each stage (stages.csv); mining,
      what is bought outside the plan, and building have no figure and are not in it. The price ``co2_usd_t`` is on the same.
    - Residue: what goes through the stages of the country's plants (stages.csv), tailings of mines not in it.
    - Thorium, as ThO2 (mines.csv): it travels in the concentrate and stays where that is cracked; of a mine that ships
      carbonate, it stays at the mine.

    A tonne over a limit costs as much as breaking any rule by a tonne: by default more than the demand it could serve.

    Raises
    ------
    DataError
        A figure that a limit needs and the tables do not have.
    """
    inst, policy, years = book.inst, book.policy, book.inst.block_years
    if policy.max_co2_t_yr is not None:
        for t in book.periods:
            limit = policy.max_co2_t_yr * float(years[t])
            rule = book.add("max_co2_t_yr", "all", sense="at_most", limit=limit, period=t, unit="t CO2")
            for kind, frame in (("flow", inst.lanes), ("run", inst.processes)):
                book.weigh(rule, kind, np.arange(len(frame)), t, frame["co2_t_t"].to_numpy(dtype=float))
    country = inst.facilities["country"].to_numpy(dtype=object)[inst.processes["facility"].to_numpy(dtype=int)]
    if policy.max_residue_t_yr:
        residue = _residue_t_t(book)
        for one, most in sorted(policy.max_residue_t_yr.items()):
            _add_limit(book, "max_residue_t_yr", one, most, np.where(country == one, residue, 0.0))
    for one, most in sorted(policy.max_thorium_t_yr.items()):
        _add_limit(book, "max_thorium_t_yr", one, most, _thorium_t_t(book, country == one))


def _add_limit(book: Rulebook, family: str, name: str, most_t_yr: float, weight: Floats) -> None:
    runs = np.flatnonzero(weight)
    for t in book.periods if len(runs) else ():
        limit = most_t_yr * float(book.inst.block_years[t])
        rule = book.add(family, name, sense="at_most", limit=limit, period=t)
        book.weigh(rule, "run", runs, t, weight[runs])


def _residue_t_t(book: Rulebook) -> Floats:
    """Solid residue of a tonne of each process; shape (M,)."""
    inst = book.inst
    made = stage_t_t(book.draft, "residue_t_t", asked="policy.max_residue_t_yr")
    stage = inst.facilities["stage"].to_numpy(dtype=object)[inst.processes["facility"].to_numpy(dtype=int)]
    left = np.array([made.get(str(name), 0.0) for name in stage], dtype=float)
    return np.asarray(left * inst.processes["capacity_use"].to_numpy(dtype=float))


def _thorium_t_t(book: Rulebook, here: npt.NDArray[np.bool_]) -> Floats:
    """ThO2 that stays behind from a tonne of each process in a country; shape (M,)."""
    inst, mines = book.inst, book.draft.tables.mines
    content = dict(zip(mines["mine"], mines["thorium_t_t"].astype(float), strict=True))
    product = dict(zip(mines["mine"], mines["product"], strict=True))
    name = inst.facilities["facility"].to_numpy(dtype=object)[inst.processes["facility"].to_numpy(dtype=int)]
    process = inst.processes["process"].to_numpy(dtype=object)
    weight, unknown = np.zeros(len(inst.processes)), set()
    for row in np.flatnonzero(here):
        good, _, mine = str(process[row]).partition("@")
        if good == "mine" and product[name[row]] != "concentrate":
            mine = str(name[row])
        elif good != "concentrate":
            continue
        if np.isnan(content[mine]):
            unknown.add(mine)
        weight[row] = content[mine]
    if unknown:
        fix = "give a figure, keep the mine closed, or remove policy.max_thorium_t_yr"
        raise DataError(
            [Fault(f"mines.csv, {mine}, column thorium_t_t", "is empty: unknown", fix) for mine in sorted(unknown)]
        )
    return weight
