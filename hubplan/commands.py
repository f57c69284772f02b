"""Commands that solve one scenario many times: other plans that cost nearly as little, and what members are worth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hubplan.console import Geodata, Json, print_json, show_progress

if TYPE_CHECKING:
    from hubplan.results.plan import Plan


def alternatives(
    scenario: Annotated[Path, typer.Argument(help="Scenario TOML.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write: one run folder a plan, and alternatives.csv.")],
    count: Annotated[int, typer.Option("--count", min=1, max=20, help="Other plans wanted.")] = 3,
    within: Annotated[
        float, typer.Option("--within", min=0.0001, max=1.0, help="Cost allowed above the best plan (0.02 is 2 %).")
    ] = 0.02,
    time_limit: Annotated[
        float, typer.Option("--time-limit", min=1.0, help="Seconds for the search beyond the best plan.")
    ] = 120.0,
    geodata: Geodata = None,
    as_json: Json = False,
) -> None:
    """Find plans that build elsewhere and cost nearly as little: what is settled, and what is a choice."""
    from hubplan.alternatives import compare_alternatives, plan_alternatives
    from hubplan.data.scenario import read_scenario
    from hubplan.results.folders import new_folder, write_csv

    question = read_scenario(scenario)
    with new_folder(out) as made:
        with show_progress(as_json) as tell:
            plans = plan_alternatives(
                question, geodata, count=count, within_share=within, time_limit_s=time_limit, progress=tell
            )
        table = compare_alternatives(plans)
        write_csv(table, made / "alternatives.csv")
        for name, found in plans.items():
            _write_pages(found, made / name, geodata)
    if as_json:
        print_json({"folder": str(out), "plans": json.loads(table.to_json(orient="records"))})
        return
    typer.echo(table.to_string(index=False))
    if len(plans) <= count:
        typer.echo(f"{len(plans) - 1} other plans found within {within:.1%} of the best, in the time there was")
    typer.echo(f"folder {out}")


def _write_pages(found: Plan, folder: Path, geodata: Path | None) -> None:
    from hubplan.data.tables import read_tables
    from hubplan.results.save import write_run
    from hubplan.views.maps import map_html
    from hubplan.views.planmap import plan_map
    from hubplan.views.report import report_html

    tables = read_tables(geodata)
    write_run(
        found, folder, extra={"map.html": map_html(plan_map(found, tables)), "report.html": report_html(found, tables)}
    )


def value(
    scenario: Annotated[Path, typer.Argument(help="Scenario TOML; its coalition.members are valued.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write: members.csv and coalitions.csv.")],
    samples: Annotated[
        int, typer.Option("--samples", min=2, max=10_000, help="Orders of joining to sample for the Shapley values.")
    ] = 8,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Coalitions costed at a time.")] = 2,
    geodata: Geodata = None,
    as_json: Json = False,
) -> None:
    """Value each member of the coalition: what the others lose without it, and its Shapley value with its error."""
    from hubplan.data.scenario import read_scenario
    from hubplan.members import value_members
    from hubplan.results.folders import new_folder, write_csv

    question = read_scenario(scenario)
    with new_folder(out) as made:
        with show_progress(as_json) as tell:
            worth = value_members(
                question, geodata, samples=samples, seed=question.solver.seed, workers=workers, progress=tell
            )
        write_csv(worth.members, made / "members.csv")
        write_csv(worth.coalitions, made / "coalitions.csv")
    if as_json:
        records: list[dict[str, Any]] = json.loads(worth.members.to_json(orient="records"))
        print_json({"folder": str(out), "exact": worth.exact, "members": records})
        return
    for row in worth.members.to_dict("records"):
        error = "" if worth.exact else f" (standard error {row['shapley_error_usd'] / 1e9:,.2f})"
        typer.echo(
            f"{row['member']}: the others lose {row['leave_one_out_usd'] / 1e9:,.2f} bn USD without it; "
            f"Shapley value {row['shapley_usd'] / 1e9:,.2f} bn USD{error}"
        )
    typer.echo(f"folder {out}")
