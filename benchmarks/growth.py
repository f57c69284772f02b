"""How seconds, memory and gap grow with candidates and with periods; `benchmarks/model.py growth` calls this.

Rules are fixed: the scenario is `examples/allied-2035.toml`; of every four candidates, by id within their
stage, the first one, two, three or all may be built; periods are single years from 2026. Each run stops at a proven gap of 1.5 %.
Exponents are of the runs that rounded: with few binaries the search branches and bounds instead, which is another method.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from model import HERE, child, save_model, show, size_of

from hubplan.data.scenario import Scenario, read_scenario
from hubplan.model.instance import Instance
from hubplan.model.solve import EXACT_BINARIES
from hubplan.run import prepare

PLOT = HERE.parent / "docs" / "growth.svg"
GAP_SHARE = 0.015
PERIODS = (3, 5, 7, 10)
QUARTERS = (1, 2, 3, 4)
BASE_YEARS = 7
SECONDS = (3, 5, 10, 20, 40)


def case(years: int, keep_closed: tuple[str, ...] = ()) -> Instance:
    scenario = read_scenario(HERE.parent / "examples" / "allied-2035.toml")
    horizon = scenario.horizon.model_copy(update={"years": tuple(range(2026, 2026 + years))})
    policy = scenario.policy.model_copy(update={"keep_closed": keep_closed})
    asked: Scenario = scenario.model_copy(update={"horizon": horizon, "policy": policy})
    return prepare(asked).instance


def candidates(inst: Instance) -> list[list[str]]:
    """Facilities that may be built, by stage, in order of their ids."""
    fac = inst.facilities
    new = (fac["largest_t_yr"] > 0) & (inst.existing_t_yr.max(axis=1) == 0) & (fac["stage"] != "mine")
    return [sorted(rows["facility"]) for _, rows in fac[new].groupby("stage")]


def cases() -> Iterator[tuple[str, int, Instance]]:
    whole = case(BASE_YEARS)
    by_stage = candidates(whole)
    number = sum(len(names) for names in by_stage)
    for quarters in QUARTERS:
        closed = tuple(name for names in by_stage for n, name in enumerate(names) if n % 4 >= quarters)
        yield "candidates", number - len(closed), case(BASE_YEARS, closed) if closed else whole
    for years in PERIODS:
        yield "periods", years, whole if years == BASE_YEARS else case(years)


def measure_growth(folder: Path) -> dict[str, Any]:
    """Table, exponents of a fit on logarithms, and the plot."""
    rows = []
    for kind, number, inst in cases():
        arrays = save_model(inst, folder, "growth")
        row = child("_solve", folder / "growth.pickle", GAP_SHARE, 300, timeout_s=500)
        rows.append({"by": kind, "number": number, **size_of(arrays), **row})
        show(
            rows[-1:],
            ["by", "number", "columns", "binaries", "terms", "cpu_s", "wall_s", "peak_mb", "gap_share", "failed"],
        )
    exponents = {}
    for kind in ("candidates", "periods"):
        good = [row for row in rows if row["by"] == kind and "cpu_s" in row and row["binaries"] > EXACT_BINARIES]
        for key in ("columns", "cpu_s", "peak_mb"):
            x, y = (np.log([float(row[name]) for row in good]) for name in ("number", key))
            exponents[f"{key} by {kind}"] = round(float(np.polyfit(x, y, 1)[0]), 2)
    print(exponents)
    draw(rows, exponents)
    return {"gap_share": GAP_SHARE, "rows": rows, "exponents": exponents}


def draw(rows: list[dict[str, Any]], exponents: dict[str, float]) -> None:
    """Seconds and memory on logarithmic axes, one panel for each thing that grows."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "hubplan"
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    for panel, kind in zip(panels, ("candidates", "periods"), strict=True):
        good = [row for row in rows if row["by"] == kind and "cpu_s" in row]
        x = [row["number"] for row in good]
        panel.loglog(x, [row["cpu_s"] for row in good], "o-", color="#1f5a8a")
        panel.set_xticks(x, [str(n) for n in x])
        panel.set_xticks([], minor=True)
        panel.set_yticks(SECONDS, [str(n) for n in SECONDS])
        panel.set_yticks([], minor=True)
        panel.margins(x=0.15, y=0.2)
        panel.set_xlabel({"candidates": "candidate facilities, 7 years", "periods": "years, all candidates"}[kind])
        for row in good:
            note = f"{row['peak_mb']:.0f} MB\n{row['gap_share']:.2%}" + "\nexact" * (row["binaries"] <= EXACT_BINARIES)
            panel.annotate(note, (row["number"], row["cpu_s"]), (4, -22), textcoords="offset points", fontsize=7)
        panel.set_title(f"runs that rounded grow as n to the power {exponents[f'cpu_s by {kind}']:g}", fontsize=9)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("CPU s to a plan within 1.5 %")
    figure.savefig(PLOT, metadata={"Date": None})
