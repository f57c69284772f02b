"""Concentration: how much of a stage one country, owner or site may run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from hubplan.model.rulebook import Rulebook

Labels = npt.NDArray[np.object_]


def add_shares(book: Rulebook) -> None:
    """(14) No country runs more than its share of a stage."""
    country = book.inst.facilities["country"].to_numpy(dtype=object)
    _add_largest_shares(book, "max_country_share", book.policy.max_country_share, country)


def _add_largest_shares(book: Rulebook, family: str, limits: Mapping[str, float], label: Labels) -> None:
    """Throughput of a stage under one label is at most a share of the stage's throughput; a blank label is no one's."""
    inst = book.inst
    owner = inst.processes["facility"].to_numpy(dtype=int)
    use = inst.processes["capacity_use"].to_numpy(dtype=float)
    stage = inst.facilities["stage"].to_numpy(dtype=object)[owner]
    of = label[owner]
    for name, share in sorted(limits.items()):
        runs = np.flatnonzero(stage == name)
        for one in sorted(set(of[runs]) - {""}):
            weight = use[runs] * ((of[runs] == one) - share)
            for t in book.periods:
                rule = book.add(family, f"{name}/{one}", sense="at_most", limit=0.0, period=t)
                book.weigh(rule, "run", runs, t, weight)
