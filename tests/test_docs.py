"""What the documents say is there: numbered families, commands, statuses, links, words."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer.main

import hubplan
from hubplan import __main__ as cli
from hubplan.data.scenario import STAGES, Scenario
from hubplan.data.tables import TABLE_NAMES, Tables
from hubplan.data.units import UNIT_OF_SUFFIX
from hubplan.model import formulation, policy
from hubplan.model.policy.page import write_rules
from hubplan.results.plan import TABLES

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(page for name in ("docs", "examples", "geodata") for page in (ROOT / name).rglob("*.md")),
]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def families_of_page() -> list[tuple[int, str]]:
    """Number and function of each numbered paragraph of the algebra, as it stands there."""
    found = re.findall(r"^\*\*\((\d+)\) (.*?)(?=\n\n|\Z)", read("docs/model.md"), flags=re.MULTILINE | re.DOTALL)
    return [(int(number), "+".join(re.findall(r"`(add_\w+)`", text))) for number, text in found]


def number_of(function: Callable[..., Any]) -> int | None:
    """The number with which a docstring begins."""
    found = re.match(r"\((\d+)\) ", inspect.getdoc(function) or "")
    return int(found.group(1)) if found else None


def families_of_module(module: ModuleType) -> list[tuple[int, str]]:
    """Numbered functions of a module, in the order in which the file has them."""
    own = [f for _, f in inspect.getmembers(module, inspect.isfunction) if f.__module__ == module.__name__]
    numbered = [(number_of(f), f.__name__) for f in sorted(own, key=lambda f: f.__code__.co_firstlineno)]
    return [(number, name) for number, name in numbered if number is not None]


def families_called(function: Callable[..., Any], argument: str) -> list[tuple[int, str]]:
    """Families as a function calls them, with the number in the comment beside each."""
    called = re.findall(rf"(add_\w+)\({argument}.*?# \((\d+)\)", inspect.getsource(function))
    return [(int(number), name) for name, number in called]


def policy_modules() -> list[ModuleType]:
    """Modules that write rules; the page that calls them is not one."""
    names = [module.name for module in pkgutil.iter_modules(policy.__path__) if module.name != "page"]
    return [importlib.import_module(f"{policy.__name__}.{name}") for name in names]


def test_the_model_is_built_family_by_family_in_order() -> None:
    assert families_called(formulation.build_model, "model, inst") == families_of_module(formulation)


def test_every_policy_family_is_called_by_its_number() -> None:
    """What a module of policy numbers is on the page, under that number, and nothing else is."""
    numbered = [family for module in policy_modules() for family in families_of_module(module)]
    assert sorted(numbered) == families_called(write_rules, "book")


def test_families_are_numbered_alike_in_page_and_code() -> None:
    """From (0) on without a gap, first those of the formulation and then those of policy, each with its function."""
    in_code = [*families_of_module(formulation), *families_called(write_rules, "book")]
    assert families_of_page() == in_code
    assert [number for number, _ in in_code] == list(range(len(in_code)))


def commands() -> dict[tuple[str, ...], set[str]]:
    """Every command of the program, with its options."""
    found: dict[tuple[str, ...], set[str]] = {}

    def walk(command: Any, path: tuple[str, ...]) -> None:
        found[path] = {
            option
            for part in command.params
            for option in (*part.opts, *part.secondary_opts)
            if option.startswith("--")
        }
        for name, child in getattr(command, "commands", {}).items():
            walk(child, (*path, name))

    walk(typer.main.get_command(cli.app), ())
    return found


def lines_of_shell(text: str) -> list[str]:
    """``hubplan`` command lines in code blocks and between backticks."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    in_blocks = [part.strip() for block in blocks for line in block.splitlines() for part in re.split(r"&&|;", line)]
    outside = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    in_lines = re.findall(r"`([^`\n]+)`", outside)
    return [line.removeprefix("time ") for line in (*in_blocks, *in_lines) if re.match(r"(time )?hubplan [a-z]", line)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_documents_exist(page: Path) -> None:
    known = commands()
    wrong = []
    for line in lines_of_shell(page.read_text(encoding="utf-8")):
        words = line.split()[1:]
        path = tuple(words[:2]) if tuple(words[:2]) in known else tuple(words[:1])
        options = {word.split("=")[0] for word in words if word.startswith("--")}
        if path not in known or options - known[path] - {"--help"}:
            wrong.append(line)
    assert wrong == []


def test_the_readme_names_every_command_and_status() -> None:
    table = README.split("## Commands")[1].split("\n## ")[0]
    for path in commands():
        if path:
            assert f"`{path[-1]}`" in table or f"`hubplan {' '.join(path)}" in table, path
    statuses = {int(status) for status in re.findall(r"^\| (\d+) \|", table, flags=re.MULTILINE)}
    assert statuses == {0, 1, cli.EXIT_USAGE, cli.EXIT_NONE, cli.EXIT_TIME, cli.EXIT_CANCELLED}


def test_the_readmes_first_screen_has_the_two_commands_and_a_picture() -> None:
    screen = "\n".join(README.splitlines()[:25])
    assert "\npip install . && hubplan plan examples/allied-2035.toml --out runs/allied-2035\n" in screen
    assert "\npip install '.[test]' && pytest\n" in screen
    assert re.search(r"^!\[[^\]]+\]\(docs/map\.png\)$", screen, flags=re.MULTILINE)
    assert (ROOT / "docs" / "map.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text)]
    missing = [link for link in links if link and "://" not in link and not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_named_in_documents_exist(page: Path) -> None:
    """A path between backticks is one of the project, of a run folder, or a pattern."""
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w./-]+\.(?:py|csv|md|toml|json|npz|js))`", text))
    places = (page.parent, ROOT, ROOT / "hubplan", ROOT / "geodata", ROOT / "docs")
    of_a_run = {"manifest.json", *(f"{table}.csv" for table in TABLES)}
    ours = {name for name in named if not name.startswith("runs/") and name not in of_a_run}
    assert {name for name in ours if not any((place / name).exists() for place in places)} == set()


def test_decisions_are_numbered_and_have_their_parts() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# {int(page.name[:4])}. ")
        for part in ("## Question", "## Choice", "## Why", "## What follows", "## Not chosen"):
            assert f"\n{part}\n" in text, f"{page.name} lacks {part}"
        assert len(text.split()) < 500, f"{page.name} is more than a page"


def words_after(text: str, word: str) -> set[str]:
    """What a row of the vocabulary lists between backticks."""
    (row,) = re.findall(rf"^\| {re.escape(word)} \|(.*)\|$", text, flags=re.MULTILINE)
    return set(re.findall(r"`([^`]+)`", row))


def test_the_vocabulary_lists_what_the_tables_hold(tables: Tables) -> None:
    text = read("docs/vocabulary.md")
    assert words_after(text, "stage") == set(STAGES)
    assert words_after(text, "element") == set(tables.elements["element"])
    assert words_after(text, "grade") == set(tables.grades["grade"])
    suffixes = text.split("Suffixes")[1].split("(`hubplan")[0]
    assert set(re.findall(r"`(_\w+)`", suffixes)) <= set(UNIT_OF_SUFFIX)


def test_geodata_lists_every_table() -> None:
    text = read("geodata/README.md")
    assert [name for name in TABLE_NAMES if f"`{name}`" not in text and f"`{name}.csv`" not in text] == []


def test_the_changelog_knows_this_version() -> None:
    assert re.search(rf"^## {re.escape(hubplan.__version__)}\b", read("CHANGELOG.md"), flags=re.MULTILINE)


def test_every_example_is_listed() -> None:
    text = read("examples/README.md")
    assert [path.name for path in (ROOT / "examples").glob("*.toml") if f"]({path.name})" not in text] == []


def test_settings_of_the_app_are_said_alike() -> None:
    """``streamlit run`` reads a file, ``hubplan app`` gives flags; both say the same."""
    from hubplan.views.server import SETTINGS

    file = tomllib.loads(read(".streamlit/config.toml"))
    said = {f"{part}.{key}": value for part in file for key, value in file[part].items()}
    flags = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in said.items()}
    assert flags == SETTINGS


def test_the_scenario_schema_describes_every_part() -> None:
    for name, part in Scenario.model_json_schema()["$defs"].items():
        assert part.get("description"), f"{name} has no description"


def test_no_document_names_a_machine() -> None:
    homes = ("/".join(("", "work", "")), "/".join(("", "root", "")), "/".join(("", "home", "")))
    files = [
        *PAGES,
        *ROOT.glob("*.toml"),
        *ROOT.glob("hubplan/**/*.py"),
        *(path for path in ROOT.glob("examples/**/*") if path.is_file()),
        ROOT / ".ci" / "run",
    ]
    assert [path for path in files if any(home in path.read_text(encoding="utf-8") for home in homes)] == []
