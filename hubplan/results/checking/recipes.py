"""What a process takes and makes, worked out from recipes.csv, baskets.csv, elements.csv and grades.csv."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from hubplan.data.tables import Tables
from hubplan.results.checking.reading import rows
from hubplan.results.checking.works import Works

Goods = Mapping[tuple[str, str], float]
"""(commodity, tag) to t per t of activity."""

LIGHT = ("ndpr", "lace")
HEAVY = ("dy", "tb", "sm", "gd", "y", "other")
NDFEB = ("standard", "high", "defence")
"""What a plant makes whose row lists no grades."""


@dataclass(frozen=True)
class Run:
    """One process at a facility.

    Parameters
    ----------
    takes, makes
        t per t of activity.
    use
        t of the stage's capacity per t of activity: its output for metal and magnets, else its input.
    """

    takes: Goods
    makes: Goods
    use: float = 1.0


class UnknownProcessError(Exception):
    """A process that the recipes do not know at this stage."""


@dataclass(frozen=True)
class Recipes:
    """Recipes, baskets and grades of the tables."""

    tables: Tables

    @cached_property
    def _yields(self) -> Mapping[tuple[str, str, str, str], float]:
        table = rows(self.tables.recipes)
        return {(row.stage, row.feed, row.input, row.output): float(row.yield_t_t) for row in table}

    @cached_property
    def _mines(self) -> Mapping[str, tuple[str, str]]:
        return {row.mine: (row.feed, row.product) for row in rows(self.tables.mines)}

    @cached_property
    def basket(self) -> Mapping[str, Mapping[str, float]]:
        """Mine to element to share: the shares of the oxides that elements.csv counts to it."""
        element = dict(zip(self.tables.elements["oxide"], self.tables.elements["element"], strict=True))
        found: dict[str, dict[str, float]] = {}
        for row in rows(self.tables.baskets):
            shares = found.setdefault(row.mine, {})
            shares[element[row.oxide]] = shares.get(element[row.oxide], 0.0) + float(row.share)
        return found

    @cached_property
    def metals(self) -> Mapping[str, Mapping[str, float]]:
        """Grade to element to t of metal per t of alloy."""
        found: dict[str, dict[str, float]] = {}
        for row in rows(self.tables.grades):
            found.setdefault(row.grade, {})[row.element] = float(row.metal_t_t)
        return found

    @cached_property
    def _grades(self) -> Mapping[str, tuple[str, ...]]:
        """Alloy or magnet plant to the grades it makes."""
        return {
            row.facility: tuple(row.grades.split(";")) if row.grades else NDFEB for row in rows(self.tables.facilities)
        }

    def gain(self, stage: str, taken: str, made: str, feed: str = "") -> float:
        """Yield of a recipe, for the feed or for any."""
        for key in ((stage, feed, taken, made), (stage, "", taken, made)):
            if key in self._yields:
                return self._yields[key]
        raise UnknownProcessError(f"recipes.csv has no way from {taken} to {made} at stage {stage}")

    def run(self, works: Works, process: str) -> Run:
        """What a process of a facility takes and makes.

        Raises
        ------
        UnknownProcessError
            No such process at this stage.
        """
        name, _, tag = process.partition("@")
        try:
            found = self._run(works, name, tag)
        except KeyError as error:
            raise UnknownProcessError(f"{error} is in no table") from error
        if found is None:
            raise UnknownProcessError(f"a {works.stage} has no process {process}")
        return Run(found.takes, {key: amount for key, amount in found.makes.items() if amount > 0}, found.use)

    def _run(self, works: Works, name: str, tag: str) -> Run | None:
        match works.stage, name:
            case "mine", "mine":
                return Run({}, {(self._mines[works.facility][1], works.facility): 1.0})
            case "collection", "collection":
                return Run({}, {("scrap", works.facility.rpartition("-")[2]): 1.0})
            case "purchase", _ if name.startswith("offer-"):
                return Run({}, {(works.facility.partition("-purchase-")[2].rpartition("-")[0], ""): 1.0})
            case "crack_leach", "concentrate":
                made = self.gain("crack_leach", name, "carbonate", self._mines[tag][0])
                return Run({(name, tag): 1.0}, {("carbonate", tag): made})
            case "separation_light", "carbonate":
                return Run({(name, tag): 1.0}, self._light(tag))
            case "separation_heavy", "heavy-concentrate":
                return Run({(name, tag): 1.0}, self._heavy(tag))
            case "metal", _ if name.endswith("-oxide") and not tag:
                metal = f"{name.removesuffix('-oxide')}-metal"
                made = self.gain("metal", name, metal)
                return Run({(name, ""): 1.0}, {(metal, ""): made}, made)
        if tag and works.stage != "recycling":
            return None
        return self._by_grade(works, name, tag)

    def _light(self, mine: str) -> Goods:
        share = self.basket[mine]
        gain = {to: self.gain("separation_light", "carbonate", to) for to in (*_oxides(LIGHT), "heavy-concentrate")}
        oxides = {(f"{e}-oxide", ""): share.get(e, 0.0) * gain[f"{e}-oxide"] for e in LIGHT}
        heavy = math.fsum(share.get(e, 0.0) for e in HEAVY)
        return {**oxides, ("heavy-concentrate", mine): heavy * gain["heavy-concentrate"]}

    def _heavy(self, mine: str) -> Goods:
        share = self.basket[mine]
        total = math.fsum(share.get(e, 0.0) for e in HEAVY)
        gain = {made: self.gain("separation_heavy", "heavy-concentrate", made) for made in _oxides(HEAVY)}
        return {(f"{e}-oxide", ""): share.get(e, 0.0) / total * gain[f"{e}-oxide"] for e in HEAVY}

    def _by_grade(self, works: Works, name: str, tag: str) -> Run | None:
        stage = works.stage
        form, _, grade = name.partition("-")
        grade = grade or tag
        if grade not in self.metals or (
            works.stage in ("alloy", "magnet") and grade not in self._grades[works.facility]
        ):
            return None
        if stage == "alloy" and form == "alloy":
            metals = {e: t / self.gain("alloy", f"{e}-metal", name) for e, t in self.metals[grade].items() if t > 0}
            return Run({(f"{e}-metal", ""): t for e, t in metals.items()}, {(name, ""): 1.0})
        if stage == "magnet" and form == "alloy":
            made, swarf = (self.gain("magnet", name, f"{form}-{grade}") for form in ("magnet", "swarf"))
            return Run({(name, ""): 1.0}, {(f"magnet-{grade}", ""): made, (f"swarf-{grade}", ""): swarf}, made)
        if stage == "recycling" and form in ("swarf", "scrap"):
            oxides = [f"{element}-oxide" for element, share in self.metals[grade].items() if share > 0]
            return Run({(name, tag): 1.0}, {(to, ""): self.gain("recycling", name, to, grade) for to in oxides})
        return None


def _oxides(elements: tuple[str, ...]) -> list[str]:
    return [f"{element}-oxide" for element in elements]
