"""What an arc costs: freight in USD/t, hours, and the generalised cost by which ways are chosen.

Freight and generalised cost are kept apart. Freight is the bill: haul, handling, transfers, tolls. The generalised cost adds the
capital tied up in cargo under way and the scenario's price of risk; it steers the path and is reported beside the bill.

Not modelled, because neither is a sum over arcs: the extra charge on short rail hauls (``short_haul_rail_km``; two transfers of a
truckload already discourage them) and a least sea freight per voyage (``sea_min_usd_t``; handling at both ports is always paid).
Gross mass per contained tonne and dangerous-goods surcharges belong to the commodity, so the planning model adds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import shapely

from hubplan.data.tables import Tables
from hubplan.errors import DataError, Fault
from hubplan.network.assemble import Network
from hubplan.routing.columns import columns

HOURS_A_YEAR = 8766.0
WARE_VALUE_USD_T: Mapping[str, float] = MappingProxyType({"bulk": 10_000.0, "value": 100_000.0})
"""Freight classes: `bulk` is concentrate and carbonate, `value` oxides, metals and magnets; USD per gross tonne, rounded."""
WARES = tuple(WARE_VALUE_USD_T)
LAND_MODES = ("rail", "road", "transfer", "access")
SEA_MODES = ("sea", "port")
_RATE = {"rail": "rail_usd_tkm", "road": "road_usd_tkm", "access": "road_usd_tkm", "sea": "sea_usd_tkm"}


def transport_value(tables: Tables, parameter: str) -> float:
    """Look up one transport parameter.

    Raises
    ------
    DataError
        The parameter is missing, empty, negative or given twice.
    """
    rows = tables.transport.loc[tables.transport["parameter"] == parameter, "value"]
    where = f"transport.csv, {parameter}"
    if len(rows) != 1:
        raise DataError([Fault(where, f"{len(rows)} rows", "give exactly one row")])
    value = float(rows.iloc[0])
    if not value >= 0:
        raise DataError([Fault(where, f"{value}", "give a number of zero or more")])
    return value


def hour_usd_t(tables: Tables, *, ware: str) -> float:
    """Cost of one hour under way: value x capital cost / hours a year, USD/t/h.

    Raises
    ------
    DataError
        Unknown ware.
    """
    if ware not in WARE_VALUE_USD_T:
        raise DataError([Fault("ware", f"'{ware}'", f"use one of {', '.join(WARES)}")])
    return WARE_VALUE_USD_T[ware] * transport_value(tables, "capital_cost_share") / HOURS_A_YEAR


def arc_freight_usd_t(network: Network, tables: Tables) -> np.ndarray:
    """Freight of each arc: length x rate of its mode + handling, transfer or toll; USD per gross tonne.

    Raises
    ------
    DataError
        A mode without a rate, or an arc whose cost is no number of zero or more.
    """
    at = columns(network)
    rate_usd_tkm = np.full(len(at.mode), np.nan)
    rate_usd_tkm[at.any_mode("transfer", "port")] = 0.0
    for name, parameter in _RATE.items():
        rate_usd_tkm[at.any_mode(name)] = transport_value(tables, parameter)
    freight: np.ndarray = at.length_km * rate_usd_tkm + network.arcs["extra_usd_t"].to_numpy(dtype=float)
    bad = np.flatnonzero(~(freight >= 0))
    if len(bad):
        found = f"{len(bad)} arcs have no usable cost; the first is arc {bad[0]}, mode '{at.mode[bad[0]]}'"
        raise DataError(
            [Fault("network arcs", found, "give every arc a known mode, a length and a cost of zero or more")]
        )
    return freight


def arc_hours(network: Network) -> np.ndarray:
    """Hours of each arc: running, waiting, handling.

    Raises
    ------
    DataError
        An arc without hours.
    """
    hours: np.ndarray = network.arcs["hours"].to_numpy(dtype=float)
    bad = np.flatnonzero(~(hours >= 0))
    if len(bad):
        raise DataError(
            [
                Fault(
                    "network arcs",
                    f"{len(bad)} arcs have no hours; the first is arc {bad[0]}",
                    "give hours of zero or more",
                )
            ]
        )
    return hours


def arc_cost_usd_t(
    network: Network, tables: Tables, *, ware: str, surcharge_usd_t: Mapping[str, float] = MappingProxyType({})
) -> np.ndarray:
    """Generalised cost of each arc: freight + hours x capital cost + the scenario's surcharges, USD per gross tonne.

    Parameters
    ----------
    ware
        ``bulk`` or ``value``.
    surcharge_usd_t
        By zone, port or terminal: price for the risk of one passage or call.
    """
    cost: np.ndarray = arc_freight_usd_t(network, tables) + arc_hours(network) * hour_usd_t(tables, ware=ware)
    cost += arc_surcharge_usd_t(network, tables, surcharge_usd_t)
    return cost


def arc_surcharge_usd_t(network: Network, tables: Tables, surcharge_usd_t: Mapping[str, float]) -> np.ndarray:
    """Share of each risk surcharge that falls on each arc, USD/t.

    A gate line is charged when crossed. A polygon is charged once a passage, however many arcs lie in it: half on the arc that
    enters, half on the arc that leaves or calls at a port inside. A port or terminal is charged on each call.

    Raises
    ------
    DataError
        An id that is no zone, port or terminal of this network.
    """
    total = np.zeros(len(network.arcs))
    port_of = {str(row.terminal): str(row.port) for row in tables.terminals.itertuples() if row.port}
    for name, price in surcharge_usd_t.items():
        if name in network.zones:
            total += price * _passages(network, tables, name)
        else:
            total += price * _calls(network, port_of.get(name, name), name)
    return total


def _calls(network: Network, port: str, name: str) -> np.ndarray:
    """Mark the arcs by which cargo calls at a port."""
    at = columns(network)
    if port not in at.ports:
        raise DataError(
            [Fault("routes.surcharge_usd_t", f"'{name}' is no zone, port or terminal of the network", "correct the id")]
        )
    calls = at.any_mode("port") & ((at.tail == at.ports[port]) | (at.head == at.ports[port]))
    return np.asarray(calls, dtype=float)


def _passages(network: Network, tables: Tables, zone: str) -> np.ndarray:
    """Passages of a zone that one use of each arc stands for: 0, a half or 1."""
    crossing = network.crosses[:, network.zones.index(zone)]
    share = crossing.astype(float)
    text = tables.zones.loc[tables.zones["zone"] == zone, "geometry_wkt"]
    area = shapely.from_wkt(str(text.iloc[0])) if len(text) else None
    if area is None or area.geom_type not in ("Polygon", "MultiPolygon"):
        return share
    at = columns(network)
    inside = shapely.contains_xy(area, at.lon, at.lat)
    ends_inside = inside[at.tail].astype(int) + inside[at.head]
    share[crossing] = np.choose(ends_inside[crossing], [1.0, 0.5, 0.0])
    share[at.any_mode("port") & (ends_inside > 0)] = 0.5
    return share
