"""Lanes: which commodity may go from which facility to which, on the cheapest open route, pruned to the sensible few."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hubplan.routing.routes import Routes

ON_SITE = "on-site"
"""Route of a lane that stays at its site."""


@dataclass(frozen=True)
class End:
    """A facility or market that sends or takes a commodity.

    `tag` is the mine until separation, the grade of scrap, else empty. `stands` tells what exists or is committed from what may
    be built.
    """

    place: str
    site: str
    tag: str = ""
    stands: bool = True


Pair = tuple[End, End, int]
"""Sender, taker and the row of their route (-1 on site)."""
Keep = tuple[int, int]
"""Lanes from each sender to takers that stand, and to takers that may be built."""
Fits = Callable[[End, End], bool]


def _any_fits(sender: End, taker: End) -> bool:
    return True


class LaneFinder:
    """Looks up routes between sites and keeps the cheapest lanes.

    Parameters
    ----------
    routes
        One row per usable origin, destination and ware.
    least
        Lanes kept into each taker at least, so that no plant is unreachable.
    """

    def __init__(self, routes: Routes, *, least: int) -> None:
        self.least = least
        self.offered = self.kept = 0
        table = routes.table
        self._row = {
            key: i for i, key in enumerate(zip(table["origin"], table["destination"], table["ware"], strict=True))
        }
        self._generalised = table["generalised_usd_t"].to_numpy(float)
        self._columns = {name: table[name].to_list() for name in table.columns}

    def find(
        self, senders: Sequence[End], takers: Sequence[End], ware: str, *, keep: Keep, fits: Fits = _any_fits
    ) -> list[Pair]:
        """Pairs worth a lane, each with its route's row (-1 on site), in a fixed order.

        `keep` lanes are kept from each sender: to the nearest that stand, and to the nearest that may be built. Nearness
        alone would send all to one corner of the world, and in the first years only what stands has capacity.

        A pair without an open route, or that does not fit, has no lane. Ties go to the alphabet, so that the same data give
        the same lanes.
        """
        pairs: list[tuple[float, int, int, int]] = []
        for i, sender in enumerate(senders):
            for j, taker in enumerate(takers):
                if not fits(sender, taker):
                    continue
                if sender.site == taker.site:
                    pairs.append((0.0, i, j, -1))
                elif (row := self._row.get((sender.site, taker.site, ware))) is not None:
                    pairs.append((float(self._generalised[row]), i, j, row))
        pairs.sort(key=lambda pair: (pair[0], senders[pair[1]].place, senders[pair[1]].tag, takers[pair[2]].place))
        self.offered += len(pairs)
        from_sender, into_taker = np.zeros((len(senders), 2), int), np.zeros(len(takers), int)
        kind = [0 if taker.stands else 1 for taker in takers]
        chosen = []
        for pair in pairs:
            _, i, j, row = pair
            if from_sender[i, kind[j]] < keep[kind[j]] or into_taker[j] < self.least:
                from_sender[i, kind[j]] += 1
                into_taker[j] += 1
                chosen.append((senders[i], takers[j], row))
        self.kept += len(chosen)
        return chosen

    def route(self, row: int) -> dict[str, Any]:
        """The route of a row of the table."""
        return {name: values[row] for name, values in self._columns.items()}
