"""The chain from ore to magnet: what each stage makes of what it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hubplan.data.frames import rows_of
from hubplan.data.tables import Tables
from hubplan.errors import DataError, Fault

ELEMENTS = ("ndpr", "dy", "tb", "sm", "gd", "lace", "y", "other")
HEAVY = ("dy", "tb", "sm", "gd", "y", "other")
"""Elements that leave light separation together, as heavy concentrate."""
MAGNET_ELEMENTS = ("ndpr", "dy", "tb", "sm")
NDFEB_GRADES = ("standard", "high", "defence")
GRADES = (*NDFEB_GRADES, "smco")
STOCKED = ("ndpr-oxide", "dy-oxide", "tb-oxide", "sm-oxide", "gd-oxide", "y-oxide")
"""Separated oxides that keep, and that governments stock."""


@dataclass(frozen=True)
class Process:
    """One way a facility can run.

    Parameters
    ----------
    name
        Id of the process at its facility: ``"mine"``, or the input with its tag (``carbonate@mount-weld``), or the grade made.
    takes, makes
        ``(commodity, tag)`` to t per t of activity. The tag is the mine until separation, the grade for scrap, else ``""``.
    capacity_use
        t of the stage's capacity per t of activity.
    """

    name: str
    takes: Mapping[tuple[str, str], float]
    makes: Mapping[tuple[str, str], float]
    capacity_use: float = 1.0


@dataclass(frozen=True)
class Chain:
    """Recipes and baskets, ready to use; all yields in t of output per t of input.

    Parameters
    ----------
    baskets
        Mine to element to share of contained REO.
    yields
        ``(stage, feed, input, output)`` to yield, as in ``recipes.csv``.
    grades
        Grade to element to t of metal per t of alloy.
    """

    baskets: Mapping[str, Mapping[str, float]]
    yields: Mapping[tuple[str, str, str, str], float]
    grades: Mapping[str, Mapping[str, float]]

    def yield_t_t(self, stage: str, feed: str, taken: str, made: str) -> float:
        """Look up a yield: for the feed itself, else for any feed.

        Raises
        ------
        DataError
            ``recipes.csv`` has neither.
        """
        for key in ((stage, feed, taken, made), (stage, "", taken, made)):
            if key in self.yields:
                return self.yields[key]
        found = f"no recipe of stage {stage} from {taken} to {made} for feed '{feed}'"
        raise DataError([Fault("recipes.csv", found, "add a row, or correct the feed in mines.csv")])

    def heavy_share(self, mine: str) -> float:
        """Share of a mine's REO that leaves light separation as heavy concentrate, before losses."""
        return sum(self.baskets[mine][element] for element in HEAVY)


def build_chain(tables: Tables) -> Chain:
    """Read recipes, grades and baskets into a `Chain`."""
    element_of = dict(zip(tables.elements["oxide"], tables.elements["element"], strict=True))
    shares = tables.baskets.assign(element=tables.baskets["oxide"].map(element_of))
    baskets: dict[str, dict[str, float]] = {}
    for row in rows_of(shares.groupby(["mine", "element"])["share"].sum().reset_index()):
        baskets.setdefault(row.mine, dict.fromkeys(ELEMENTS, 0.0))[row.element] = float(row.share)
    yields = {(r.stage, r.feed, r.input, r.output): float(r.yield_t_t) for r in rows_of(tables.recipes)}
    grades: dict[str, dict[str, float]] = {}
    for row in rows_of(tables.grades):
        grades.setdefault(row.grade, {})[row.element] = float(row.metal_t_t)
    return Chain(baskets, yields, grades)


def grades_made(listed: str) -> tuple[str, ...]:
    """Magnet grades an alloy or magnet plant can make: those its row lists (;-separated), and if none any NdFeB grade.

    Samarium-cobalt is made only where a row says so.
    """
    return tuple(grade for grade in GRADES if grade in listed.split(";")) if listed else NDFEB_GRADES


def mine_process(mine: str, product: str) -> Process:
    """A mine ships concentrate or carbonate tagged with its own name; activity is t REO shipped."""
    return Process("mine", {}, {(product, mine): 1.0})


def crack_process(chain: Chain, mine: str, feed: str) -> Process:
    """Crack and leach one mine's concentrate to mixed carbonate."""
    made = chain.yield_t_t("crack_leach", feed, "concentrate", "carbonate")
    return Process(f"concentrate@{mine}", {("concentrate", mine): 1.0}, {("carbonate", mine): made})


def light_process(chain: Chain, mine: str) -> Process:
    """Separate one mine's carbonate to NdPr and LaCe oxide and a heavy concentrate that keeps the mine's tag."""
    basket = chain.baskets[mine]
    makes = {
        (f"{element}-oxide", ""): basket[element]
        * chain.yield_t_t("separation_light", "", "carbonate", f"{element}-oxide")
        for element in ("ndpr", "lace")
        if basket[element] > 0
    }
    heavy = chain.heavy_share(mine) * chain.yield_t_t("separation_light", "", "carbonate", "heavy-concentrate")
    if heavy > 0:
        makes["heavy-concentrate", mine] = heavy
    return Process(f"carbonate@{mine}", {("carbonate", mine): 1.0}, makes)


def heavy_process(chain: Chain, mine: str) -> Process:
    """Separate one mine's heavy concentrate to single oxides, in the proportions of its basket."""
    total = chain.heavy_share(mine)
    makes = {
        (f"{element}-oxide", ""): chain.baskets[mine][element]
        / total
        * chain.yield_t_t("separation_heavy", "", "heavy-concentrate", f"{element}-oxide")
        for element in HEAVY
        if chain.baskets[mine][element] > 0
    }
    return Process(f"heavy-concentrate@{mine}", {("heavy-concentrate", mine): 1.0}, makes)


def metal_process(chain: Chain, element: str) -> Process:
    """Reduce an oxide to metal; capacity counts metal."""
    made = chain.yield_t_t("metal", "", f"{element}-oxide", f"{element}-metal")
    return Process(f"{element}-oxide", {(f"{element}-oxide", ""): 1.0}, {(f"{element}-metal", ""): made}, made)


def alloy_process(chain: Chain, grade: str) -> Process:
    """Cast an alloy from metals in the fixed proportions of its grade; activity and capacity are t of alloy."""
    takes = {
        (f"{element}-metal", ""): share / chain.yield_t_t("alloy", "", f"{element}-metal", f"alloy-{grade}")
        for element, share in sorted(chain.grades[grade].items())
        if share > 0
    }
    return Process(f"alloy-{grade}", takes, {(f"alloy-{grade}", ""): 1.0})


def magnet_process(chain: Chain, grade: str) -> Process:
    """Sinter and machine magnets; the swarf keeps the grade's composition. Capacity counts finished magnets."""
    made = chain.yield_t_t("magnet", "", f"alloy-{grade}", f"magnet-{grade}")
    swarf = chain.yield_t_t("magnet", "", f"alloy-{grade}", f"swarf-{grade}")
    makes = {(f"magnet-{grade}", ""): made, (f"swarf-{grade}", ""): swarf}
    return Process(f"alloy-{grade}", {(f"alloy-{grade}", ""): 1.0}, makes, made)


def recycling_process(chain: Chain, grade: str, *, swarf: bool) -> Process:
    """Recover oxides from swarf or end-of-life magnets of one grade; activity and capacity are t of feed."""
    taken = (f"swarf-{grade}", "") if swarf else ("scrap", grade)
    makes = {
        (f"{element}-oxide", ""): chain.yield_t_t("recycling", grade, taken[0], f"{element}-oxide")
        for element, share in sorted(chain.grades[grade].items())
        if share > 0
    }
    return Process(taken[0] if swarf else f"scrap@{grade}", {taken: 1.0}, makes)
