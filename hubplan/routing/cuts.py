"""Why two places are not joined: the rules that cut them off, and what it takes to join them again."""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import combinations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hubplan.data.access import Access
from hubplan.errors import Fault
from hubplan.network.assemble import Network
from hubplan.routing.columns import columns
from hubplan.routing.graph import Cut, find_cuts, find_steps

_SHOWN = 5
_PAIRS_AMONG = 12
_WHERE = {
    "zone": "routes.closed",
    "country": "coalition.excluded",
    "port": "routes.closed or ownership",
    "mode": "routes.modes",
    "year": "year",
}
_FIX = {
    "zone": "open {id}",
    "country": "stop excluding {id}",
    "port": "open port {id}",
    "mode": "allow {id}",
    "year": "plan for {id} or later",
}
_GIVE_UP_FIRST = {"year": 0, "mode": 1, "country": 2, "port": 3, "zone": 4}
"""Order in which rules are put back when several must be lifted; what is put back last is most likely to stay lifted."""


def explain_cut(
    network: Network,
    origin: int,
    destination: int,
    access: Access,
    *,
    year: int,
    cheapest: Callable[[np.ndarray], tuple[float, float] | None],
) -> list[Fault]:
    """Say what cuts two nodes off from each other.

    Parameters
    ----------
    cheapest
        Generalised cost and freight of the cheapest way when these arcs are usable (bool by arc), USD/t; None if none.

    Returns
    -------
    list of Fault
        One per smallest set of rules found that would join the two if lifted, cheapest first; every single rule that suffices is
        among them. When no single rule suffices: pairs, among at most a dozen rules; else one set that cannot be made smaller.
    """
    cuts = find_cuts(network, access, year=year)
    closed_by = np.column_stack([cut.arcs for cut in cuts]) if cuts else np.zeros((len(network.arcs), 0), dtype=bool)
    joins = _Joins(network, closed_by, origin, destination)
    everything = range(len(cuts))
    if not joins.by_lifting(everything):
        found = "the network has no way between the two, whatever the scenario"
        return [Fault("network", found, "give the place an access link, or choose a place on the network")]
    ways: list[tuple[int, ...]] = [(single,) for single in everything if joins.by_lifting((single,))]
    if not ways:
        needed = _irreducible(joins, cuts)
        few = needed if len(cuts) > _PAIRS_AMONG else tuple(everything)
        ways = [*(pair for pair in combinations(few, 2) if joins.by_lifting(pair))] or [needed]
    priced = []
    for lifted in ways:
        held = closed_by[:, [i for i in everything if i not in lifted]]
        cost = cheapest(np.asarray(~held.any(axis=1)))
        if cost is not None:
            priced.append((*cost, lifted))
    if not priced:
        return [
            Fault(
                "scenario",
                "several rules together cut the two off",
                "lift some of: " + "; ".join(cut.reason for cut in cuts),
            )
        ]
    priced.sort()
    return [
        _fault([cuts[i] for i in lifted], cost, freight, rank)
        for rank, (cost, freight, lifted) in enumerate(priced[:_SHOWN])
    ]


def _fault(cuts: list[Cut], cost_usd_t: float, freight_usd_t: float, rank: int) -> Fault:
    where = ", ".join(dict.fromkeys(_WHERE[cut.kind] for cut in cuts))
    fix = " and ".join(_FIX[cut.kind].format(id=cut.id) for cut in cuts)
    first = "the cheapest relaxation" if rank == 0 else "or"
    price = f"{freight_usd_t:,.0f} USD/t freight, {cost_usd_t:,.0f} with capital tied up and surcharges"
    return Fault(where, "; ".join(cut.reason for cut in cuts), f"{first}: {fix}, which gives a way at {price}")


def _irreducible(joins: _Joins, cuts: list[Cut]) -> tuple[int, ...]:
    """Lift everything, then put back one rule after another where the two stay joined without."""
    lifted = set(range(len(cuts)))
    for index in sorted(lifted, key=lambda i: (_GIVE_UP_FIRST[cuts[i].kind], -int(cuts[i].arcs.sum()))):
        if joins.by_lifting(lifted - {index}):
            lifted.discard(index)
    return tuple(sorted(lifted))


class _Joins:
    """Whether two nodes are joined when some rules are lifted; pieces that stay whole are shrunk to points first."""

    def __init__(self, network: Network, closed_by: np.ndarray, origin: int, destination: int) -> None:
        steps = find_steps(network, np.arange(len(network.arcs)))
        other = np.zeros(steps.n_nodes, dtype=bool)
        other[[node for node in columns(network).sites.values() if node not in (origin, destination)]] = True
        on = ~(other[steps.tail] | other[steps.head])
        tail, head, arc = steps.tail[on], steps.head[on], steps.arc[on]
        whole = ~closed_by[arc].any(axis=1)
        label = _components(steps.n_nodes, tail[whole], head[whole])
        self.n_pieces = int(label.max()) + 1
        self.ends = int(label[origin]), int(label[destination])
        packed = np.packbits(closed_by[arc[~whole]], axis=1)
        rows = np.column_stack([label[tail[~whole]], label[head[~whole]], packed.astype(np.int64)])
        rows = np.unique(rows[rows[:, 0] != rows[:, 1]], axis=0)
        self.tail, self.head = rows[:, 0], rows[:, 1]
        self.closed_by = np.unpackbits(rows[:, 2:].astype(np.uint8), axis=1, count=closed_by.shape[1]).astype(bool)

    def by_lifting(self, lifted: Collection[int]) -> bool:
        """Joined when these rules are lifted and all others hold."""
        held = np.ones(self.closed_by.shape[1], dtype=bool)
        held[list(lifted)] = False
        is_open = ~self.closed_by[:, held].any(axis=1)
        label = _components(self.n_pieces, self.tail[is_open], self.head[is_open])
        return bool(label[self.ends[0]] == label[self.ends[1]])


def _components(n: int, tail: np.ndarray, head: np.ndarray) -> np.ndarray:
    links = coo_array((np.ones(len(tail), dtype=np.int8), (tail, head)), shape=(n, n)).tocsr()
    label: np.ndarray = connected_components(links, directed=False)[1]
    return label
