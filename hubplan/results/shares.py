"""Who runs how much of each stage, and how concentrated that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from hubplan.data.tables import Tables
from hubplan.model.purchases import STAGE as PURCHASE
from hubplan.results.plan import as_table, empty_table

KINDS = ("country", "owner", "site")


def build_shares(hubs: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Share out the throughput of each stage by country, owner and site.

    Parameters
    ----------
    hubs
        Table of a plan, with throughput in the capacity's own unit. What is bought outside the plan is run by nobody in it.
    tables
        For owners; what has none there stands under a blank id.

    Returns
    -------
    DataFrame
        ``stage, kind, id, period, throughput_t, share, hhi``; the index is that of the stage, kind and period, see `find_hhi`.
    """
    run = hubs[(hubs["throughput_t"] > 0) & (hubs["stage"] != PURCHASE)]
    if run.empty:
        return empty_table("shares")
    labelled = run.assign(owner=run["facility"].map(list_owners(tables)).fillna(""))
    parts = []
    for kind in KINDS:
        sums = labelled.groupby(["stage", kind, "period"])["throughput_t"].sum().reset_index()
        parts.append(sums.rename(columns={kind: "id"}).assign(kind=kind))
    table = pd.concat(parts, ignore_index=True)
    keys = [table[name] for name in ("stage", "kind", "period")]
    table["share"] = table["throughput_t"] / table.groupby(keys)["throughput_t"].transform("sum")
    known = table["share"].where(table["id"] != "", 0.0)
    table["hhi"] = known.groupby(keys).transform(find_hhi)
    return as_table("shares", table)


def find_hhi(shares: Iterable[float]) -> float:
    """Herfindahl-Hirschman index of shares of a market, 0 to 10,000: the sum of their squares in percent.

    Shares that are left out, those of unknown owners among them, add nothing: the index is the least it can be. At most it is
    higher by the square of what is left out.
    """
    return sum((100.0 * share) ** 2 for share in shares)


def list_owners(tables: Tables) -> Mapping[str, str]:
    """Facility or mine to its owner; blank where unknown."""
    known = dict(zip(tables.mines["mine"], tables.mines["owner"], strict=True))
    return known | dict(zip(tables.facilities["facility"], tables.facilities["owner"], strict=True))
