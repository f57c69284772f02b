"""Run the studies and print what they come to, side by side; docs/studies tells what a planner learns from each.

    python examples/studies.py runs/studies                       # all of them, about half a minute each on 2 cores
    python examples/studies.py runs/studies export-ban crma-2030  # some

Each run folder is kept; one that is there already is read, not solved again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from hubplan.data.scenario import read_scenario
from hubplan.results.coverage import first_covered
from hubplan.results.plan import Plan
from hubplan.results.save import read_run, write_run
from hubplan.run import run

HERE = Path(__file__).parent
PRODUCTS = ("magnet-standard", "magnet-high", "magnet-defence", "magnet-smco")


def scenario_files() -> dict[str, Path]:
    """Name to file: the studies, and the examples that they are compared with."""
    files = [*sorted((HERE / "studies").glob("*.toml")), HERE / "allied-2035.toml", HERE / "allied-2035-strict.toml"]
    return {path.stem: path for path in files}


def solved(name: str, path: Path, out: Path) -> Plan:
    """Solve one study, or read it where it was solved before."""
    folder = out / name
    if not folder.exists():
        write_run(run(read_scenario(path)), folder)
    return read_run(folder)


def figures(plan: Plan) -> dict[str, object]:
    """The figures of a study that its page quotes."""
    cost = plan.costs.groupby("line")["discounted_usd"].sum() / 1e9
    demand = plan.demand.groupby("product")[["served_t", "demand_t"]].sum()
    served = demand["served_t"] / demand["demand_t"]
    new = plan.hubs[plan.hubs["is_new"]]
    covered = first_covered(plan, 0.9).set_index("element")["period"].to_dict()
    return {
        "cost_bn_usd": round(plan.objective_usd / 1e9, 2),
        "gap_percent": round(100 * plan.gap_share, 2),
        "unserved_bn_usd": round(float(cost.get("unmet", 0.0)), 2),
        "purchases_bn_usd": round(float(cost.get("purchases", 0.0)), 2),
        "new_facilities": int(new["facility"].nunique()),
        "capex_bn_usd": round(float(new["capex_usd"].sum()) / 1e9, 2),
        **{f"{product}_percent": round(100 * float(served.get(product, 0.0)), 1) for product in PRODUCTS},
        **{f"{element}_90_from": covered.get(element) for element in ("ndpr", "dy", "tb")},
        "public_bn_usd": round(plan.support_facts.get("public_discounted_usd", 0.0) / 1e9, 2),
        "rules_broken": len(plan.violations),
    }


def main() -> None:
    """Run what is asked, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("names", nargs="*")
    asked = parser.parse_args()
    files = scenario_files()
    names = asked.names or list(files)
    table = pd.DataFrame({name: figures(solved(name, files[name], asked.out)) for name in names})
    print(table.to_string())


if __name__ == "__main__":
    main()
