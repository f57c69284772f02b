"""Imports point one way, every dependency is declared and used, and only the edges print."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

import hubplan

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MODULES = sorted((ROOT / "hubplan").rglob("*.py"))
SOURCES = [*MODULES, ROOT / "streamlit_app.py"]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything a module imports, inside functions too."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}, line {node.lineno}: give the full name of the module"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def layer(name: str, layers: list[str]) -> int | None:
    """Height of a module: 0 is the top layer, None stands outside (the command line). A line of layers may hold several."""
    for height, line in enumerate(layers):
        if any(name == top or name.startswith(f"{top}.") for top in line.split(" | ")):
            return height
    return None


def test_each_layer_uses_only_those_below_it() -> None:
    """What import-linter holds in full; here so that the README's tests need no developer's tool."""
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    wrong = []
    for path in MODULES:
        height = layer(module_name(path), layers)
        if height is None:
            continue
        for line, name in imports(path):
            other = layer(name, layers)
            if other is not None and other < height:
                wrong.append(f"{path.relative_to(ROOT)}, line {line}: imports {name}")
    assert wrong == []


def test_every_module_is_in_a_layer_or_at_the_edge() -> None:
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    outside = {module_name(path) for path in MODULES if layer(module_name(path), layers) is None}
    assert outside == {"hubplan", "hubplan.__main__", "hubplan.commands", "hubplan.console"}


def test_dependencies_are_those_imported() -> None:
    declared = {
        re.split(r"[<>=!~\[ ]", line)[0].lower().replace("_", "-") for line in PROJECT["project"]["dependencies"]
    }
    known = packages_distributions()
    used = set()
    for path in SOURCES:
        for _, name in imports(path):
            top = name.split(".")[0]
            if top != "hubplan" and top not in sys.stdlib_module_names:
                used |= {dist.lower().replace("_", "-") for dist in known.get(top, [top])}
    assert used - declared == set(), "imported and not declared"
    assert declared - used == set(), "declared and not imported"


def test_dependencies_are_bounded_on_both_sides() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    lines = [*PROJECT["project"]["dependencies"], *(line for name in extras for line in extras[name])]
    assert [
        line for line in lines if not line.startswith("hubplan[") and not re.search(r">=[\d.]+,<[\d.]+$", line)
    ] == []


def test_the_solver_library_that_cannot_live_with_or_tools_is_not_imported() -> None:
    assert [path for path in SOURCES for _, name in imports(path) if name.split(".")[0] == "highspy"] == []


def test_every_module_imports_without_the_app_running(tmp_path: Path) -> None:
    names = [module_name(path) for path in MODULES if path.name != "__main__.py" and "asgi" not in path.parts]
    code = f"from importlib import import_module\nfor name in {names!r}: import_module(name)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_run_needs_no_app(tmp_path: Path) -> None:
    code = "import sys, hubplan.run; print(sorted({'streamlit', 'folium', 'starlette', 'jinja2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", hubplan.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(hubplan, name) is not None


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no public name 'colour'"):
        _ = hubplan.colour


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_manner(path: Path) -> None:
    """Only the command line prints and sets up logging; no error is swallowed whole; files are named after an idea."""
    edge = path.name == "__main__.py"
    wrong = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and not edge:
            called = ast.unparse(node.func)
            if called in ("print", "logging.basicConfig", "exec", "eval", "pickle.load", "pickle.loads", "os.system"):
                wrong.append(f"line {node.lineno}: {called}")
        if isinstance(node, ast.ExceptHandler):
            only_pass = all(isinstance(part, ast.Pass) for part in node.body)
            if node.type is None or only_pass:
                wrong.append(f"line {node.lineno}: an error is caught and dropped")
    assert wrong == []
    assert path.stem not in {"utils", "util", "misc", "common", "core", "manager", "helpers"}
