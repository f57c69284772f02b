"""What no scenario changes: costs by arc, the folded land network, base sea ways. Made once per network and set of costs."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hubplan.data.tables import Tables
from hubplan.network.assemble import Network
from hubplan.routing.columns import columns
from hubplan.routing.cost import WARES, arc_freight_usd_t, arc_hours, hour_usd_t
from hubplan.routing.land import Fold, Measures, fold_land
from hubplan.routing.lanes import SeaWays, find_sea_ways, sea_digest
from hubplan.routing.store import Store, read_store

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Groundwork:
    """Everything that find_routes needs and that depends on the network, the tables and the modes on land only.

    Parameters
    ----------
    measures
        Freight in USD/t, hours and km of each arc.
    cost_usd_t
        Generalised cost of each arc by ware, without surcharges.
    fold, sea
        Folded land network and base sea ways by ware.
    base_closed
        Zones closed in the base sea ways: those closed by default.
    call_port, call_arc
        Port (by order) and arc of each port arc.
    digest
        Of the sea lanes, by ware: what stored sea ways must agree with.
    """

    measures: Measures
    cost_usd_t: Mapping[str, np.ndarray]
    fold: Mapping[str, Fold]
    sea: Mapping[str, SeaWays]
    base_closed: frozenset[str]
    call_port: np.ndarray
    call_arc: np.ndarray
    digest: Mapping[str, str]


_made: dict[tuple[int, tuple[str, ...], bytes], Groundwork] = {}


def lay_groundwork(
    network: Network, tables: Tables, *, modes: tuple[str, ...], store: Store | None = None
) -> Groundwork:
    """Make the groundwork, or return the one made before for this network, these costs and these modes.

    Parameters
    ----------
    modes
        Of a scenario; only whether rail and road are among them matters.
    store
        Stored cells and sea ways, used where their digests agree; the shipped ones by default.
    """
    on_land = tuple(mode for mode in ("rail", "road") if mode in modes)
    measures = (arc_freight_usd_t(network, tables), arc_hours(network), columns(network).length_km)
    hourly = np.array([hour_usd_t(tables, ware=ware) for ware in WARES])
    default = frozenset(tables.zones.loc[tables.zones["closed_by_default"], "zone"]) & frozenset(network.zones)
    key = (id(network), (*on_land, *sorted(default)), hourly.tobytes() + measures[0].tobytes())
    if key not in _made or store is not None:
        made = _lay(
            network,
            measures,
            hourly,
            modes=on_land,
            base_closed=default,
            store=read_store() if store is None else store,
        )
        if not any(known[0] == id(network) for known in _made):
            weakref.finalize(network, _forget, id(network))
        _made[key] = made
    return _made[key]


def _forget(network_id: int) -> None:
    for key in [key for key in _made if key[0] == network_id]:
        del _made[key]


def _lay(
    network: Network,
    measures: Measures,
    hourly_usd_t: np.ndarray,
    *,
    modes: tuple[str, ...],
    base_closed: frozenset[str],
    store: Store,
) -> Groundwork:
    at = columns(network)
    shut = network.crosses[:, [network.zones.index(zone) for zone in sorted(base_closed)]]
    usable: np.ndarray = np.asarray(~shut.any(axis=1))
    cost, fold, sea, digest = {}, {}, {}, {}
    for ware, hourly in zip(WARES, hourly_usd_t.tolist(), strict=True):
        cost[ware] = measures[0] + measures[1] * hourly
        fold[ware] = fold_land(network, cost[ware], measures=measures, modes=modes, stored=store.cells)
        digest[ware] = sea_digest(network, cost[ware], measures=measures, usable=usable)
        if digest[ware] in store.sea:
            sea[ware] = store.sea[digest[ware]]
        else:
            _log.info("sea ways for %s are not in the store: searched now", ware)
            sea[ware] = find_sea_ways(network, cost[ware], measures=measures, usable=usable)
    calls = np.flatnonzero(at.any_mode("port"))
    order = {node: index for index, node in enumerate(at.ports.values())}
    port = [order[int(at.tail[arc])] if int(at.tail[arc]) in order else order[int(at.head[arc])] for arc in calls]
    return Groundwork(measures, cost, fold, sea, base_closed, np.array(port, dtype=np.int64), calls, digest)
