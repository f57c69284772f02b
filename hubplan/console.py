"""What commands share: options, words on standard error, JSON on standard output, and how progress is shown."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON object on standard output; progress as JSON lines on standard error."),
]
Geodata = Annotated[Path | None, typer.Option("--geodata", help="Folder of tables; the shipped one by default.")]


def say(text: str) -> None:
    """Write a line on standard error."""
    typer.echo(text, err=True)


def print_json(value: Mapping[str, Any]) -> None:
    """Write one JSON object on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))


def in_words(event: Mapping[str, object]) -> str:
    """One step of progress as a line."""
    line = f"{event['seconds']:>7} s  {event['event']}"
    cost, bound = event.get("incumbent_usd"), event.get("bound_usd")
    if isinstance(cost, float) and isinstance(bound, float):
        line += f"; best plan {cost / 1e9:,.2f} bn USD, at most {max(0.0, cost - bound) / abs(cost):.2%} from the best possible"
    return line


@contextmanager
def show_progress(as_json: bool) -> Iterator[Callable[[Mapping[str, object]], None]]:
    """How progress is shown on standard error: JSON lines, a line per step, or under these a moving bar on a terminal."""
    if as_json:
        yield lambda event: say(json.dumps(event))
        return
    if not sys.stderr.isatty():
        yield lambda event: say(in_words(event))
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("planning", total=None)

        def tell(event: Mapping[str, object]) -> None:
            bar.console.print(in_words(event), highlight=False, markup=False)
            bar.update(task, description=f"after: {event['event']}"[:60])

        yield tell
