"""Planted bugs: which test notices first when a numbered family of docs/model.md is left out, or has a sign or factor wrong.

    python benchmarks/mutants.py [WORD ...]      # only families whose function has one of these words in its name

Each bug is planted in a copy of the sources, and the tests of the model that solve by hand are run on it until one fails. Prints
a table for docs/performance.md; status 1 if a bug gets through.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("hubplan/model/formulation.py", "hubplan/model/contingency.py", "hubplan/model/policy/*.py")
BY_HAND = ("tests/model/test_formulation_*.py",)
OF_POLICY = ("tests/model/test_policy_rows.py", "tests/model/policy/test_*.py")
OF_COPIES = ("tests/model/test_formulation_losses.py", "tests/model/test_contingency.py")
WORKERS = 2


@dataclass(frozen=True)
class Flip:
    """A bug by hand: in the family's function, or the one ``at`` that it calls, `new` stands where `old` should."""

    family: str
    words: str
    old: str
    new: str
    at: str = ""


FLIPS = (
    Flip(
        "add_variables",
        "years of a block not counted",
        "(inst.discount * inst.block_years)[None, :]",
        "inst.discount[None, :]",
    ),
    Flip("add_variables", "sales are a cost", "cost=-np.nan_to_num(price)", "cost=np.nan_to_num(price)"),
    Flip("add_capacity", "no ramp", "inst.ramp_share[:, opened, :] * years", "1.0 * years"),
    Flip(
        "add_capacity",
        "nothing is lost",
        "inst.block_years * inst.available_share",
        "inst.block_years + 0.0 * inst.available_share",
    ),
    Flip("add_size", "no smallest size", '("smallest size", smallest, -1.0)', '("smallest size", 0 * smallest, -1.0)'),
    Flip("add_building_order", "may halve", "columns[:, 1:], -1.0", "columns[:, 1:], -2.0"),
    Flip("add_balance", "stock is lost twice", "var.stock[inner][:, :-1], 1.0", "var.stock[inner][:, :-1], -1.0"),
    Flip("add_balance", "what arrives counts twice", "var.flow[into], 1.0", "var.flow[into], 2.0"),
    Flip("add_demand", "more arrives than is wanted", "upper=amount[markets]", "upper=np.inf"),
    Flip(
        "add_byproduct_markets", "limits of other periods", "rows_of(inst.byproducts)", "rows_of(inst.byproducts[::-1])"
    ),
    Flip(
        "add_reported_output", "all goods of a plant limited", "& (commodity[inst.term_balance] == limit.commodity)", ""
    ),
    Flip("add_offtake_locks", "half the share", "- lock.share", "- 0.5 * lock.share"),
    Flip("add_whole_lanes", "half the demand", "var.chosen[lanes], -amount", "var.chosen[lanes], -0.5 * amount"),
    Flip("add_growth", "twice as fast", "limit.most_t_yr / KT", "2.0 * limit.most_t_yr / KT"),
    Flip("add_closure", "may reopen", "before[both], -1.0", "before[both], -2.0"),
    Flip("add_rules", "breaking a most tightens it", "np.where(least, 1.0, -1.0)", "np.where(least, 1.0, 1.0)"),
    Flip("add_rules", "units not told apart", "native / scale[rules.rule[at]]", "native / KT"),
    Flip(
        "add_single_losses",
        "twice the capacity",
        "inst.existing_t_yr[live, t] * share",
        "inst.existing_t_yr[live, t] * 2.0",
        at="_add_capacity",
    ),
    Flip("add_offtakes", "no more than contracted", '"at_least"', '"at_most"'),
    Flip("add_shares", "twice the share", "- share)", "- 2.0 * share)", at="_add_share"),
    Flip("add_stockpile", "year of 360 days", "/ DAYS_YEAR", "/ 360.0"),
    Flip("add_budget", "mines are hubs", '["stage"] != "mine"', '["stage"] != "none"'),
    Flip("add_budget", "must open at once", '"opened", [n], last', '"opened", [n], 0'),
    Flip("add_procurement", "the rest is served", "(1.0 - goal.share * window[t])", "goal.share * window[t]"),
    Flip("add_self_supply", "twice the share", "- most[t]", "- 2.0 * most[t]", at="_add_third_country_caps"),
    Flip("add_stock_places", "year of 360 days", "/ DAYS_YEAR", "/ 360.0"),
    Flip("add_release", "half may go", "t - 1, -1.0", "t - 1, -0.5"),
    Flip("add_purchase_caps", "years of a block not counted", "* book.inst.block_years", "* 1.0"),
    Flip("add_exposure", "twice the share", "(hit - share)", "(hit - 2.0 * share)"),
    Flip("add_emission_limits", "years of a block not counted", "* float(years[t])", "* 1.0"),
    Flip("add_funds", "what stood before counts too", "first, -worth", "first, worth"),
)
"""A sign, a factor or a condition of each family, where one is easily had wrong."""


@dataclass(frozen=True)
class Mutant:
    """A source file with a bug in it."""

    number: int
    family: str
    words: str
    path: str
    text: str


def functions() -> dict[str, tuple[str, ast.FunctionDef]]:
    """Every function of the families' files by name, with its file."""
    paths = [path for pattern in SOURCES for path in sorted(ROOT.glob(pattern))]
    return {
        node.name: (str(path.relative_to(ROOT)), node)
        for path in paths
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }


def families() -> dict[str, int]:
    """Function to number, by number."""
    numbers = {
        name: re.match(r"\((\d+)\) ", ast.get_docstring(node) or "")
        for name, (_, node) in functions().items()
        if name.startswith("add_")
    }
    return dict(sorted(((n, int(m.group(1))) for n, m in numbers.items() if m), key=lambda pair: pair[1]))


def left_out(path: str, node: ast.FunctionDef) -> str:
    """The file with nothing of the function but its name."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines(keepends=True)
    body = node.body[1]  # after the docstring
    result = "None" if isinstance(node.returns, ast.Constant) else node.args.args[-1].arg
    assert node.end_lineno is not None
    return "".join([*lines[: body.lineno - 1], f"    return {result}\n", *lines[node.end_lineno :]])


def flipped(path: str, node: ast.FunctionDef, flip: Flip) -> str:
    """The file with a bug in the function; it has to be there once, or the list above is out of date."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines(keepends=True)
    assert node.end_lineno is not None
    source = "".join(lines[node.lineno - 1 : node.end_lineno])
    if source.count(flip.old) != 1:
        raise SystemExit(f"{node.name} has {flip.old!r} {source.count(flip.old)} times; mend FLIPS")
    return "".join([*lines[: node.lineno - 1], source.replace(flip.old, flip.new), *lines[node.end_lineno :]])


def mutants(words: list[str]) -> Iterator[Mutant]:
    """Each family left out, and with each of its flips. The columns (0) cannot be left out."""
    known = functions()
    for family, number in families().items():
        if words and not any(word in family for word in words):
            continue
        if number:
            path, node = known[family]
            yield Mutant(number, family, "left out", path, left_out(path, node))
        for flip in FLIPS:
            if flip.family == family:
                path, node = known[flip.at or family]
                yield Mutant(number, family, flip.words, path, flipped(path, node, flip))


def run_tests(patterns: tuple[str, ...], *options: str, mutant: Mutant | None = None) -> list[str]:
    """Names of the tests that fail on a copy of the sources, with a bug or as they are."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for part in ("hubplan", "tests"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        (copy / "geodata").symlink_to(ROOT / "geodata")
        if mutant:
            (copy / mutant.path).write_text(mutant.text, encoding="utf-8")
        tests = [str(path.relative_to(copy)) for pattern in patterns for path in sorted(copy.glob(pattern))]
        command = [sys.executable, "-m", "pytest", "--tb=no", "-p", "no:cacheprovider", "--rootdir", folder, *options]
        done = subprocess.run(
            [*command, *tests],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": folder},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    found = re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, flags=re.MULTILINE)
    if done.returncode and not found:
        raise SystemExit(f"pytest failed\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return found


def tests_of(family: str) -> tuple[str, ...]:
    """Patterns of the test files that solve a family by hand."""
    if functions()[family][0].startswith("hubplan/model/policy/"):
        return OF_POLICY
    return OF_COPIES if family == "add_single_losses" else BY_HAND


def main() -> None:
    """Plant each bug, and print what noticed it."""
    start = time.monotonic()
    planted = list(mutants(sys.argv[1:]))
    for family in (name for name, number in families().items() if number and not sys.argv[1:]):
        if family not in {flip.family for flip in FLIPS}:
            print(f"no flip for {family}", file=sys.stderr)
    failing = {test for patterns in (BY_HAND, OF_POLICY, OF_COPIES) for test in run_tests(patterns)}
    if failing:
        print("fail without any bug, and do not count:", *sorted(failing), file=sys.stderr)
    options = ["-x", *(f"--deselect={test}" for test in sorted(failing))]

    def first_failure(mutant: Mutant) -> str:
        failed = run_tests(tests_of(mutant.family), *options, mutant=mutant)
        return failed[0].split("/")[-1] if failed else ""

    with ThreadPoolExecutor(WORKERS) as pool:
        found = list(pool.map(first_failure, planted))
    print("| family | function | planted | noticed by |")
    print("|---|---|---|---|")
    for mutant, test in zip(planted, found, strict=True):
        print(f"| ({mutant.number}) | `{mutant.family}` | {mutant.words} | {f'`{test}`' if test else '**nothing**'} |")
    caught = sum(bool(test) for test in found)
    print(f"\n{caught} of {len(planted)} noticed, {time.monotonic() - start:.0f} s.")
    sys.exit(caught < len(planted))


if __name__ == "__main__":
    main()
