"""Words and colours for what the plan's ids mean: one place, so that map, report and app say the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hubplan.results.plan import Plan

STAGE_WORDS: Mapping[str, str] = {
    "mine": "mine",
    "crack_leach": "cracking and leaching",
    "separation_light": "separation, light",
    "separation_heavy": "separation, heavy",
    "metal": "metal making",
    "alloy": "alloy making",
    "magnet": "magnet making",
    "recycling": "recycling",
    "purchase": "bought outside the plan",
    "stockpile": "stockpile",
    "market": "market",
}

FORM_WORDS: Mapping[str, str] = {
    "concentrate": "concentrate",
    "carbonate": "carbonate, heavy concentrate",
    "oxide": "separated oxide",
    "metal": "metal and alloy",
    "magnet": "magnet",
    "recycled": "scrap and swarf",
}

FORM_COLOURS: Mapping[str, str] = {
    "concentrate": "#000033",
    "carbonate": "#4466ff",
    "oxide": "#887766",
    "metal": "#cc4411",
    "magnet": "#aa3399",
    "recycled": "#441100",
}
"""At least 3.3:1 on land and sea, and apart for colour-blind eyes (Machado 2009)."""

FORM_OF: Mapping[str, str] = {
    "concentrate": "concentrate",
    "carbonate": "carbonate",
    "heavy-concentrate": "carbonate",
    "oxide": "oxide",
    "metal": "metal",
    "alloy": "metal",
    "magnet": "magnet",
    "scrap": "recycled",
}
"""Form of a commodity (commodities.csv) to the class drawn in one colour."""

SECTOR_WORDS: Mapping[str, str] = {
    "defence": "defence",
    "ev": "electric vehicles",
    "wind": "wind power",
    "industry": "industry",
    "electronics": "electronics",
    "other": "other uses",
}


STEP_WORDS: Mapping[str, tuple[float, str]] = {
    "starting": (0.02, "Starting"),
    "tables": (0.08, "Tables read"),
    "network": (0.2, "Network laid out"),
    "routes": (0.35, "Ways found"),
    "instance": (0.45, "Numbers aligned"),
    "solution": (0.9, "Plan found"),
}
"""Step of a run to how far it is (0 to 1) and what to say; any other step is part of the search for plans."""


def gap_words(status: str, gap_share: float) -> str:
    """Say how near the plan is to the best possible, without solver's words."""
    if status == "optimal" and gap_share <= 0:
        return "proven the best possible"
    distance = f"at most {max(gap_share, 0.0001):.2%} from the best possible".replace("%", " %")
    stopped = {"time_limit": "; stopped by its time limit", "cancelled": "; stopped before its end"}
    return distance + stopped.get(status, "")


def money(usd: float) -> str:
    """Write an amount of USD shortly: ``$1.24 bn``."""
    for size, unit in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if abs(usd) >= size:
            digits = 0 if abs(usd) >= 100 * size else 1 if abs(usd) >= 10 * size else 2
            return f"${usd / size:,.{digits}f} {unit}"
    return f"${usd:,.0f}"


def percent(share: float) -> str:
    """Write a share as per cent; one digit where it is near an end."""
    share = 0.0 if abs(share) < 0.0005 else 1.0 if 0.9995 < share <= 1 else share
    return f"{share * 100:.1f} %" if 0 < share < 0.1 or 0.95 < share < 1 else f"{share * 100:.0f} %"


def tonnes(value: float) -> str:
    """Write tonnes with a thin precision: 12,300 t, 4.2 t."""
    return f"{value:,.0f} t" if abs(value) >= 10 else f"{value:,.1f} t"


def short_name(name: str) -> str:
    """Leave out of a place's name what stands in brackets."""
    return name.split(" (")[0]


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: ``1 plant``, ``2 plants``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def plan_sentence(plan: Plan) -> str:
    """Say in one line what a map shows and how good the plan is."""
    last = int(plan.periods["period"].max())
    rows = plan.demand[plan.demand["period"] == last]
    asked, served = float(rows["demand_t"].sum()), float(rows["served_t"].sum())
    built = plan.hubs[plan.hubs["is_new"] & (plan.hubs["built_t_yr"] > 0) & (plan.hubs["stage"] != "mine")][
        "facility"
    ].nunique()
    share = f"serves {percent(served / asked)} of demand in {last}" if asked > 0 else "has no demand to serve"
    return f"Builds {counted(built, 'new plant')} and {share}; cost is {gap_words(plan.status, plan.gap_share)}."


def listed(names: list[str], *, most: int = 12) -> str:
    """Write names as a list in a sentence; beyond `most`, the rest are counted."""
    shown = names if len(names) <= most else [*names[: most - 1], f"{len(names) - most + 1} more"]
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + f" and {shown[-1]}" if shown else "none"
