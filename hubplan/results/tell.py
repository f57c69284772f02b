"""A comparison of two plans in words, and as files."""

from __future__ import annotations

from pathlib import Path

from hubplan.data.frames import rows_of
from hubplan.results.compare import Comparison
from hubplan.results.folders import new_folder, write_csv

PARTS = ("reasons", "hubs", "costs", "demand", "routes", "exposure")
"""Frames of a comparison, in the order in which they are told and written."""


def tell_comparison(found: Comparison) -> str:
    """Say in words what changed from plan A to plan B, and why."""
    change = found.objective_change_usd / 1e6
    sure = "" if found.certain else " (not proven: the two plans' gaps overlap)"
    lines = [
        f"{found.name_b} costs {change:+,.1f} M USD against {found.name_a}, discounted{sure}",
        "",
        "What was asked differently:",
    ]
    lines += [f"  {row.key}: {row.a or 'nothing'} -> {row.b or 'nothing'}" for row in rows_of(found.reasons)] or [
        "  nothing"
    ]
    lines += ["", "Costs that changed, M USD:"]
    changed = found.costs[found.costs["change_usd"].abs() >= 5e4]
    lines += [f"  {row.line:20} {row.change_usd / 1e6:+12,.1f}" for row in rows_of(changed)] or ["  none"]
    for where, title in (("a", f"Only in {found.name_a}"), ("b", f"Only in {found.name_b}")):
        only = found.hubs[(found.hubs["where"] == where) & found.hubs["is_new"].astype(bool)]
        lines += ["", f"{title}, of new hubs and mines:"]
        lines += [f"  {row.facility} ({row.stage}, {row.country})" for row in rows_of(only)] or ["  none"]
    served = found.demand[found.demand["served_change_share"].abs() >= 0.0005]
    lines += ["", "Demand served over the horizon:"]
    lines += [
        f"  {row.product}, {row.sector}: {row.served_a_share:.1%} -> {row.served_b_share:.1%}"
        for row in rows_of(served)
    ] or ["  unchanged"]
    lines += ["", f"{len(found.routes)} flows moved to another route, began or ended"]
    return "\n".join(lines)


def write_comparison(found: Comparison, folder: Path | str) -> Path:
    """Write the frames of a comparison as CSV files into a new folder, whole or not at all.

    Raises
    ------
    DataError
        The folder is there already.
    """
    with new_folder(folder) as made:
        for name in PARTS:
            write_csv(getattr(found, name), made / f"{name}.csv")
        (made / "comparison.txt").write_text(tell_comparison(found) + "\n", encoding="utf-8")
    return Path(folder).expanduser().absolute()
