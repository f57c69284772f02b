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
        ("facilities", "start_year", "end_year"),
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


def _plants_make_their_goods(frames: Frames, raw: Files) -> Iterator[Fault]:
    """Only alloy and magnet plants list grades; an owner is read off an operator."""
    for name, key in (("mines", "mine"), ("facilities", "facility")):
        frame = frames[name]
        for row in np.flatnonzero(((frame["owner"] != "") & (frame["operator"] == "")).to_numpy())[:SHOWN]:
            yield Fault(
                raw[name].where(int(row), "owner"), f"{frame[key].iloc[row]} has no operator", "name the operator"
            )
    plants = frames["facilities"]
    for row in np.flatnonzero(((plants["grades"] != "") & ~plants["stage"].isin(["alloy", "magnet"])).to_numpy()):
        where = raw["facilities"].where(int(row), "grades")
        yield Fault(where, f"a {plants['stage'].iloc[row]} plant makes no magnet grade", "leave the cell empty")


def _feeds_are_let_in(frames: Frames, raw: Files) -> Iterator[Fault]:
    """No plant takes a feed its country bars; where one is barred, a cracking plant says what it takes."""
    country = frames["sites"].set_index("site")["country"]
    barred = frames["countries"].set_index("country")["bars_feeds"]
    plants = frames["facilities"]
    for row, (site, stage, feeds) in enumerate(zip(plants["site"], plants["stage"], plants["feeds"], strict=True)):
        bars = set(filter(None, barred[country[site]].split(";")))
        where = raw["facilities"].where(row, "feeds")
        if taken := sorted(bars & set(feeds.split(";"))):
            yield Fault(where, f"{country[site]} bars {', '.join(taken)}", "take it out, or correct countries.csv")
        if bars and stage == "crack_leach" and not feeds:
            yield Fault(
                where, f"is empty, and {country[site]} bars {', '.join(sorted(bars))}", "list the feeds it takes"
            )
    known = set(frames["commodities"]["commodity"])
    for row, cell in enumerate(frames["countries"]["bars_export"]):
        if unknown := sorted(set(filter(None, cell.split(";"))) - known):
            where = raw["countries"].where(row, "bars_export")
            yield Fault(where, f"{', '.join(unknown)} is not in commodities.csv", "use its commodities")


def _thorium_agrees(frames: Frames, raw: Files) -> Iterator[Fault]:
    """Cargo of class 7 holds thorium, so its figure is not 0."""
    mines = frames["mines"]
    for row in np.flatnonzero(((mines["thorium"] == "yes") & (mines["thorium_t_t"] == 0)).to_numpy()):
        where = raw["mines"].where(int(row), "thorium_t_t")
        yield Fault(where, "is 0, and thorium is yes", "give the content, or leave it empty if unknown")


def _price_paths_are_whole(frames: Frames, raw: Files) -> Iterator[Fault]:
    """Every price path has every commodity: a scenario may ask for any."""
    goods = frames["prices"].groupby("set", sort=False)["commodity"].agg(set)
    for path, priced in goods.items():
        if missing := sorted(set(frames["prices"]["commodity"]) - priced):
            yield Fault("prices.csv, column set", f"{path} has no price of {', '.join(missing)}", "add its rows")


RULES: Final[tuple[Callable[[Frames, Files], Iterator[Fault]], ...]] = (
    _baskets_sum,
    _recipes_make_no_matter,
    _sizes_in_order,
    _sites_fit,
    _ids_not_shared,
    _outputs_point_somewhere,
    _years_are_whole,
    _plants_make_their_goods,
    _feeds_are_let_in,
    _thorium_agrees,
    _price_paths_are_whole,
)
