"""Search what every scenario starts from, and store it: folded land cells and base sea ways.

Run after build.py: ``python geodata/make/paths.py``. The files only save time: hubplan.routing searches anew whatever part of
them does not agree with the network and the costs at hand.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from archive import write_arrays

from hubplan.data.tables import read_tables
from hubplan.network.assemble import build_network
from hubplan.routing.cost import WARES, hour_usd_t
from hubplan.routing.groundwork import lay_groundwork
from hubplan.routing.store import LAND_FILE, SEA_FILE, Store, pack_cells, pack_sea


def main() -> None:
    geodata = Path(__file__).resolve().parents[1]
    tables = read_tables(geodata)
    laid = lay_groundwork(build_network(tables), tables, modes=("rail", "road", "sea"), store=Store())
    hourly = [hour_usd_t(tables, ware=ware) for ware in WARES]
    write_arrays(geodata / LAND_FILE, pack_cells([laid.fold[ware].cells for ware in WARES], hourly))
    write_arrays(
        geodata / SEA_FILE, pack_sea([laid.digest[ware] for ware in WARES], [laid.sea[ware] for ware in WARES], hourly)
    )


if __name__ == "__main__":
    main()
