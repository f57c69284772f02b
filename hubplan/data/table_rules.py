"""Rules that span rows or tables: what a single cell cannot show to be wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np
import pandas as pd

from hubplan.data.columns import SHOWN, RawTable
from hubplan.errors import Fault

Frames = Mapping[str, pd.DataFrame]
Files = Mapping[str, RawTable]


def _baskets_sum(frames: Frames, raw: Files) -> Iterator[Fault]:
    """Each mine has the 15 oxides, and their shares sum to 1."""
    oxides = set(frames["elements"]["oxide"])
    grouped = frames["baskets"].groupby("mine", sort=False)
    for mine, rows in grouped:
        where = raw["baskets"].where(int(rows.index[0]), "share")
        total = float(rows["share"].sum())
        if abs(total - 1) > 1e-6:
            yield Fault(where, f"the shares of {mine} sum to {total:.7g}", "make the rows of a mine sum to 1")
        if missing := sorted(oxides - set(rows["oxide"])):
            yield Fault(where, f"{mine} has no row for {', '.join(missing)}", "give every oxide; 0 where there is none")
    have = set(frames["baskets"]["mine"])
    for row, mine in enumerate(frames["mines"]["mine"]):
        if mine not in have:
            yield Fault(raw["mines"].where(row, "mine"), f"{mine} has no basket", "add its 15 rows to baskets.csv")


def _recipes_make_no_matter(frames: Frames, raw: Files) -> Iterator[Fault]:
    """What one recipe's input gives is at most what went in; separation counts each element by itself."""
    recipes = frames["recipes"]
    counted = recipes[~recipes["stage"].isin(["separation_light", "separation_heavy"])]
    for (stage, feed, source), rows in counted.groupby(["stage", "feed", "input"], sort=False):
        total = float(rows["yield_t_t"].sum()) if stage in ("magnet", "recycling") else float(rows["yield_t_t"].max())
        if total > 1 + 1e-9:
            where = raw["recipes"].where(int(rows.index[0]), "yield_t_t")
            yield Fault(
                where,
                f"{stage} makes {total:.4g} t of 1 t {source} {feed}".rstrip(),
                "lower the yields to a sum of at most 1",
            )
    for grade, rows in frames["grades"].groupby("grade", sort=False):
        if not 0.2 <= (total := float(rows["metal_t_t"].sum())) <= 0.4:
            where = raw["grades"].where(int(rows.index[0]), "metal_t_t")
            yield Fault(where, f"{grade} magnets hold {total:.4g} t rare earth metal per t", "NdFeB holds 0.2 to 0.4")


def _sizes_in_order(frames: Frames, raw: Files) -> Iterator[Fault]:
    """Low ends lie below high ends, and a size below its maximum."""
    for name, low, high in (
        ("stages", "size_min_t_yr", "size_max_t_yr"),
        ("facilities", "capacity_t_yr", "max_t_yr"),
        ("locks", "from_year", "to_year"),
        ("transport", "low", "high"),
        ("transport", "low", "value"),
        ("transport", "value", "high"),
    ):
        frame = frames[name]
        for row in np.flatnonzero((frame[low] > frame[high]).to_numpy()):
            found = f"{frame[low].iloc[row]:g} is above {high} {frame[high].iloc[row]:g}"
            yield Fault(raw[name].where(int(row), low), found, f"make {low} at most {high}")


def _sites_fit(frames: Frames, raw: Files) -> Iterator[Fault]:
    """Mines stand on mine sites, demand on markets, and a facility is named after its site and stage."""
    kind = frames["sites"].set_index("site")["kind"]
    for name, column, wanted in (
        ("mines", "mine", "mine"),
        ("demand", "market", "market"),
        ("scrap", "market", "market"),
    ):
        sites = frames[name][column]
        for row in np.flatnonzero((sites.map(kind) != wanted).to_numpy())[:SHOWN]:
            yield Fault(
                raw[name].where(int(row), column),
                f"{sites.iloc[row]} is not a {wanted} in sites.csv",
                f"use a site of kind {wanted}",
            )
    facilities = frames["facilities"]
    for row, (facility, site, stage) in enumerate(
        zip(facilities["facility"], facilities["site"], facilities["stage"], strict=True)
    ):
        if not (facility.startswith(site) and facility.endswith("-" + stage.replace("_", "-"))):
            where = raw["facilities"].where(row, "facility")
            yield Fault(
                where, f"{facility} is not named after {site} and {stage}", f"name it {site}-{stage.replace('_', '-')}"
            )


def _ids_not_shared(frames: Frames, raw: Files) -> Iterator[Fault]:
    """A scenario names sites, ports and zones by id alone, so no two may share one; nor may an alias hide a site."""
    taken: dict[str, str] = {}
    for name, column in (("sites", "site"), ("ports", "port"), ("zones", "zone"), ("facilities", "facility")):
        for row, key in enumerate(frames[name][column]):
            if key in taken:
                yield Fault(raw[name].where(row, column), f"{key} is also in {taken[key]}.csv", "give it another id")
            taken[key] = name
    for row, aliases in enumerate(frames["sites"]["aliases"]):
        for alias in filter(None, aliases.split(";")):
            if alias in taken:
                yield Fault(
                    raw["sites"].where(row, "aliases"), f"{alias} is an id in {taken[alias]}.csv", "drop the alias"
                )
            taken[alias] = "sites"


def _outputs_point_somewhere(frames: Frames, raw: Files) -> Iterator[Fault]:
    """The id of an output is a mine, facility or country, as its kind says."""
    known = {k: set(frames[f"{k[:-1]}ies" if k.endswith("y") else f"{k}s"][k]) for k in ("mine", "facility", "country")}
    for row, (kind, key) in enumerate(zip(frames["outputs"]["kind"], frames["outputs"]["id"], strict=True)):
        if key not in known[kind]:
            yield Fault(raw["outputs"].where(row, "id"), f"there is no {kind} {key}", "correct kind or id")


def _years_are_whole(frames: Frames, raw: Files) -> Iterator[Fault]:
    """Every yearly series has each year between its first and last, so none is guessed between."""
    for name, keys in (
        ("demand", ["set", "market", "product", "sector"]),
        ("prices", ["set", "commodity"]),
        ("byproducts", ["commodity"]),
        ("scrap", ["market", "grade"]),
    ):
        years = frames[name].groupby(keys, sort=False)["year"].agg(["min", "max", "count"])
        for key in years.index[(years["max"] - years["min"] + 1 != years["count"]).to_numpy()]:
            label = key if isinstance(key, str) else " ".join(key)
            yield Fault(
                f"{name}.csv, column year", f"{label} lacks years between its first and last", "give every year"
            )


RULES: Final[tuple[Callable[[Frames, Files], Iterator[Fault]], ...]] = (
    _baskets_sum,
    _recipes_make_no_matter,
    _sizes_in_order,
    _sites_fit,
    _ids_not_shared,
    _outputs_point_somewhere,
    _years_are_whole,
)
