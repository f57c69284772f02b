"""The command line: docs and exit statuses in README.md; each command reads, calls one function, writes."""

from __future__ import annotations

import json
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from hubplan import __version__, commands
from hubplan.console import Geodata, Json, print_json, say, show_progress
from hubplan.errors import DataError, Fault, HubplanError, NoPlanError, NoRouteError

if TYPE_CHECKING:
    import pandas as pd

    from hubplan.results.plan import Plan

EXIT_USAGE, EXIT_NONE, EXIT_TIME, EXIT_CANCELLED = 2, 3, 4, 130

app = typer.Typer(
    name="hubplan",
    help="Plan where critical minerals are processed, and how they travel when some passages are closed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data = typer.Typer(
    help="Tables: what there is, what a number rests on, whether your own are right.", no_args_is_help=True
)
app.add_typer(data, name="data")
app.command()(commands.alternatives)
app.command()(commands.value)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"hubplan {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Plan where critical minerals are processed, and how they travel when some passages are closed."""


@app.command()
def plan(
    scenario: Annotated[Path, typer.Argument(help="Scenario TOML; `hubplan schema` describes it, examples/ has some.")],
    out: Annotated[Path, typer.Option("--out", help="Run folder to write.")],
    time_limit: Annotated[
        float | None,
        typer.Option("--time-limit", min=0.1, help="Seconds for the solver; the scenario's own by default."),
    ] = None,
    gap: Annotated[
        float | None,
        typer.Option("--gap", min=0.0, max=0.99, help="Stop at this gap (0.01 is 1 %); the scenario's own by default."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a run that is there already.")] = False,
    geodata: Geodata = None,
    as_json: Json = False,
) -> None:
    """Solve one scenario and write a run folder: tables, map, report, GeoPackage and a manifest."""
    from hubplan.data.scenario import read_scenario
    from hubplan.data.tables import read_tables
    from hubplan.results.save import require_free, write_run
    from hubplan.run import run

    require_free(out, force=force)
    question = read_scenario(scenario)
    with show_progress(as_json) as tell:
        found = run(question, geodata, time_limit_s=time_limit, gap_share=gap, progress=tell)
    from hubplan.views.maps import map_html
    from hubplan.views.planmap import plan_map
    from hubplan.views.report import report_html

    tables = read_tables(geodata)
    pages = {"map.html": map_html(plan_map(found, tables)), "report.html": report_html(found, tables)}
    folder = write_run(found, out, force=force, extra=pages)
    if as_json:
        print_json(_summary(found, folder))
    else:
        _say_plan(found, folder)
    if found.status == "cancelled":
        say(f"cancelled; the best plan so far is kept in {folder}")
        raise SystemExit(EXIT_CANCELLED)


def _summary(found: Plan, folder: Path) -> dict[str, Any]:
    from hubplan.data.frames import rows_of
    from hubplan.results.coverage import first_covered

    demand = found.demand.groupby("product")[["demand_t", "served_t"]].sum()
    new = found.hubs[found.hubs["is_new"] & (found.hubs["stage"] != "mine")]
    return {
        "folder": str(folder),
        "map": str(folder / "map.html"),
        "report": str(folder / "report.html"),
        "status": found.status,
        "objective_usd": found.objective_usd,
        "bound_usd": found.bound_usd,
        "gap_share": found.gap_share,
        "new_hubs": int(new["facility"].nunique()),
        "seconds": dict(found.seconds),
        "covered_from": {
            row.element: None if row.period != row.period else int(row.period) for row in rows_of(first_covered(found))
        },
        "served_share": {product: float(row["served_t"] / row["demand_t"]) for product, row in demand.iterrows()},
    }


def _say_plan(found: Plan, folder: Path) -> None:
    from hubplan.results.coverage import tell_coverage

    facts = _summary(found, folder)
    served = ", ".join(f"{product} {share:.0%}" for product, share in facts["served_share"].items())
    typer.echo(f"{found.scenario.name}: {facts['new_hubs']} new hubs; demand served over the horizon: {served}")
    typer.echo(
        f"cost {found.objective_usd / 1e9:,.2f} bn USD, bound {found.bound_usd / 1e9:,.2f} bn USD: "
        f"at most {found.gap_share:.2%} from the best possible plan ({found.status})"
    )
    for line in tell_coverage(found):
        typer.echo(line)
    typer.echo(f"run folder {folder}")
    typer.echo(f"map {folder / 'map.html'}")


@app.command(context_settings={"ignore_unknown_options": True})  # so that a southern latitude is no option
def route(
    origin: Annotated[str, typer.Argument(metavar="FROM", help="Site, port, UN/LOCODE or 'lat,lon'.")],
    destination: Annotated[str, typer.Argument(metavar="TO", help="The same.")],
    scenario: Annotated[
        Path | None, typer.Option("--scenario", help="Rules to obey; everything open by default.")
    ] = None,
    close: Annotated[
        list[str] | None,
        typer.Option("--close", help="Chokepoint, zone, canal, port or terminal to close; repeatable."),
    ] = None,
    modes: Annotated[str | None, typer.Option("--modes", help="Comma-separated: rail, road, sea.")] = None,
    alternatives: Annotated[
        int, typer.Option("--alternatives", min=1, max=20, help="How many ways that differ meaningfully.")
    ] = 1,
    ware: Annotated[
        str, typer.Option("--ware", help="bulk (concentrate, carbonate) or value (oxides, metals, magnets).")
    ] = "value",
    map_file: Annotated[Path | None, typer.Option("--map", help="Write a map that opens offline.")] = None,
    geodata: Geodata = None,
    as_json: Json = False,
) -> None:
    """Show the ways between two places: distance, days, cost, and legs with countries, straits and ports."""
    from hubplan.data.access import resolve_access
    from hubplan.data.scenario import Scenario, read_scenario
    from hubplan.data.tables import read_tables
    from hubplan.network.assemble import build_network
    from hubplan.routing.alternatives import find_alternatives

    if ware not in ("bulk", "value"):
        raise DataError([Fault("--ware", f"'{ware}'", "give bulk or value")])
    if map_file is not None and map_file.exists():
        raise DataError([Fault(f"--map {map_file}", "is there already", "give another file")])
    question = read_scenario(scenario) if scenario is not None else Scenario(name="route")
    question = _with_route_options(question, close or [], modes)
    tables = read_tables(geodata)
    access = resolve_access(question, tables)
    network = build_network(tables)
    ways = find_alternatives(
        network,
        tables,
        origin,
        destination,
        access,
        ware=ware,
        year=question.horizon.years[0],
        k=alternatives,
        surcharge_usd_t=question.routes.surcharge_usd_t,
    )
    if map_file is not None:
        import geopandas as gpd
        import pandas as pd

        from hubplan.views.maps import write_map_html
        from hubplan.views.planmap import route_map

        legs = pd.concat([way.legs.assign(route=f"way {n}") for n, way in enumerate(ways, start=1)], ignore_index=True)
        lines = gpd.GeoDataFrame(
            pd.concat([way.lines.assign(route=f"way {n}") for n, way in enumerate(ways, start=1)], ignore_index=True)
        )
        write_map_html(route_map(legs, lines, tables, access=access), map_file)
    told = [_route_json(way) for way in ways]
    if as_json:
        print_json({**told[0], "alternatives": told[1:]})
        return
    for n, way in enumerate(told, start=1):
        typer.echo(
            f"way {n}: {way['length_km']:,.0f} km, {way['hours'] / 24:,.1f} days, {way['cost_usd_t']:,.2f} USD/t"
        )
        for leg in way["legs"]:
            passed = "; ".join(part for part in (leg["chokepoints"], leg["countries"]) if part)
            typer.echo(
                f"    {leg['mode']:5} {leg['from']} - {leg['to']}: "
                f"{leg['length_km']:,.0f} km, {leg['hours'] / 24:,.1f} days ({passed})"
            )


def _with_route_options(question: Any, close: list[str], modes: str | None) -> Any:
    from hubplan.data.scenario import scenario_from_dict

    raw = question.resolved()
    raw["routes"]["closed"] = [*raw["routes"]["closed"], *close]
    if modes is not None:
        raw["routes"]["modes"] = [mode.strip() for mode in modes.split(",")]
    return scenario_from_dict(raw, where="options")


def _route_json(way: Any) -> dict[str, Any]:
    legs = json.loads(way.legs.to_json(orient="records"))
    return {
        "length_km": way.length_km,
        "hours": way.hours,
        "cost_usd_t": way.cost_usd_t,
        "generalised_usd_t": way.generalised_usd_t,
        "legs": legs,
    }


@app.command()
def check(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    geodata: Geodata = None,
    as_json: Json = False,
) -> None:
    """Re-derive every rule and cost of a run from its folder and the tables, without the model."""
    from hubplan.results.check import check_run

    faults = check_run(run_folder, geodata)
    if as_json:
        print_json({"run": str(run_folder), "faults": [fault.__dict__ for fault in faults]})
    else:
        for fault in faults:
            typer.echo(str(fault))
        typer.echo(f"{run_folder}: {len(faults)} fault{'s' if len(faults) != 1 else ''}")
    if faults:
        raise typer.Exit(EXIT_USAGE)


@app.command()
def compare(
    run_a: Annotated[Path, typer.Argument(metavar="RUN_A")],
    run_b: Annotated[Path, typer.Argument(metavar="RUN_B")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the tables of differences.")] = None,
    as_json: Json = False,
) -> None:
    """Tell what changed between two plans, and why."""
    from hubplan.results.compare import compare_runs
    from hubplan.results.save import read_run
    from hubplan.results.tell import PARTS, tell_comparison, write_comparison

    found = compare_runs(read_run(run_a), read_run(run_b))
    if out is not None:
        write_comparison(found, out)
    if as_json:
        tables = {name: json.loads(getattr(found, name).to_json(orient="records")) for name in PARTS}
        facts = {
            "a": found.name_a,
            "b": found.name_b,
            "objective_change_usd": found.objective_change_usd,
            "certain": found.certain,
        }
        print_json({**facts, **tables})
        return
    typer.echo(tell_comparison(found))


@data.command("list")
def data_list(geodata: Geodata = None, as_json: Json = False) -> None:
    """List the tables."""
    from hubplan.data.tables import TABLE_NAMES, read_tables

    tables = read_tables(geodata)
    counts = {name: len(getattr(tables, name)) for name in TABLE_NAMES}
    if as_json:
        print_json(counts)
        return
    for name, rows in counts.items():
        typer.echo(f"{name:14} {rows:>6} rows")


@data.command("show")
def data_show(
    table: Annotated[str, typer.Argument(help="Name of a table; `hubplan data list` has them.")],
    geodata: Geodata = None,
) -> None:
    """Print a table as CSV."""
    frame = _table(table, geodata)
    typer.echo(frame.to_csv(index=False), nl=False)


@data.command("why")
def data_why(
    table: Annotated[str, typer.Argument()],
    row_id: Annotated[str, typer.Argument(metavar="ID", help="Value of the table's key; several parts joined by '/'.")],
    column: Annotated[str, typer.Argument()],
    geodata: Geodata = None,
    as_json: Json = False,
) -> None:
    """Say where a number comes from: value, unit, source, date, basis, note."""
    from hubplan.data.tables import read_tables
    from hubplan.data.why import explain_number

    answer = explain_number(read_tables(geodata), table, row_id, column)
    if as_json:
        print_json(answer)
        return
    for key, value in answer.items():
        typer.echo(f"{key:8} {value}")


@data.command("validate")
def data_validate(path: Annotated[Path, typer.Argument(help="Folder of tables with its datapackage.json.")]) -> None:
    """Check a folder of tables and list every fault at once."""
    from hubplan.data.tables import read_tables

    read_tables(path)
    typer.echo(f"{path}: no fault")


def _table(name: str, geodata: Path | None) -> pd.DataFrame:
    from hubplan.data.tables import TABLE_NAMES, read_tables

    if name not in TABLE_NAMES:
        raise DataError([Fault("TABLE", f"'{name}' is no table", f"give one of {', '.join(TABLE_NAMES)}")])
    frame: pd.DataFrame = getattr(read_tables(geodata), name)
    return frame


@app.command()
def schema() -> None:
    """Print the JSON Schema of a scenario."""
    from hubplan.data.scenario import Scenario

    typer.echo(json.dumps(Scenario.model_json_schema(by_alias=True), indent=2))


@app.command("app")
def start_app(port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 8501) -> None:
    """Start the planners' app on this machine."""
    import os

    from hubplan.views.server import app_command

    command = app_command(port)
    os.execvp(command[0], command)


def _cancel(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _fail(error: HubplanError, status: int) -> NoReturn:
    if "--json" in sys.argv:
        print_json({"error": error.summary, "faults": [fault.__dict__ for fault in error.faults]})
    say(str(error))
    raise SystemExit(status)


def main() -> None:
    """Run the command line; exit statuses are those of the contract: 0, 2, 3, 4, 130, else 1."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGTERM, _cancel)
    try:
        status = int(app(standalone_mode=False) or 0)
        if status == EXIT_CANCELLED:
            say("cancelled; nothing was written")
        raise SystemExit(status)
    except DataError as error:
        _fail(error, EXIT_USAGE)
    except NoRouteError as error:
        _fail(error, EXIT_NONE)
    except NoPlanError as error:
        _fail(error, EXIT_TIME if error.timed_out else EXIT_NONE)
    except (KeyboardInterrupt, typer.Abort):
        say("cancelled; nothing was written")
        raise SystemExit(EXIT_CANCELLED) from None
    except Exception as error:
        usage = getattr(error, "format_message", None)
        if usage is None:
            raise
        if "--json" in sys.argv:
            print_json(
                {
                    "error": "bad usage",
                    "faults": [{"where": "command line", "found": usage(), "fix": "see hubplan --help"}],
                }
            )
        say(f"{usage()}\nTry 'hubplan --help'.")
        raise SystemExit(getattr(error, "exit_code", EXIT_USAGE)) from None


if __name__ == "__main__":
    main()
