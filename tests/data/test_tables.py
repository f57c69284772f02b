"""A broken table is refused with its file, line, column and a way to mend it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hubplan.data.shipped import shipped_path
from hubplan.data.tables import TABLE_NAMES, read_tables
from hubplan.errors import DataError, Fault


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Copy the shipped tables to a folder that a test may spoil."""
    folder = tmp_path / "world"
    folder.mkdir()
    for name in (*(f"{table}.csv" for table in TABLE_NAMES), "datapackage.json"):
        shutil.copy(shipped_path("geodata") / name, folder / name)
    return folder


def spoil(folder: Path, file: str, change: Callable[[str], str]) -> None:
    before = (folder / file).read_text(encoding="utf-8")
    after = change(before)
    assert after != before, "the change changes nothing"
    (folder / file).write_text(after, encoding="utf-8")


def edit_cell(folder: Path, file: str, row: str, column: str, value: str) -> int:
    """Set one cell of the first row that starts with ``row``; give its line."""
    import csv

    with (folder / file).open(newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    line = next(i for i, cells in enumerate(rows) if ",".join(cells).startswith(row))
    rows[line][rows[0].index(column)] = value
    with (folder / file).open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)
    return line + 1


def faults_of(folder: Path) -> tuple[Fault, ...]:
    with pytest.raises(DataError) as caught:
        read_tables(folder)
    assert all(fault.fix for fault in caught.value.faults)
    return caught.value.faults


def test_reads_a_copy_as_it_reads_the_shipped_folder(world: Path) -> None:
    copy, shipped = read_tables(world), read_tables()
    assert copy.hashes == shipped.hashes
    assert copy.folder == world
    for name in TABLE_NAMES:
        assert getattr(copy, name).equals(getattr(shipped, name))


def test_columns_have_the_promised_types() -> None:
    tables = read_tables()
    assert tables.mines["committed"].dtype == bool
    assert tables.demand["year"].dtype == int
    assert tables.mines["first_year"].isna().any(), "unknown years are NaN"
    assert (tables.terminals["port"] == "").any(), "blank text is an empty string"
    assert list(tables.mines.index) == list(range(len(tables.mines)))


def test_reads_in_half_a_second() -> None:
    read_tables()
    seconds = []
    for _ in range(3):
        start = time.process_time()
        read_tables()
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.5


@pytest.mark.parametrize(
    ("file", "row", "column", "value", "found"),
    [
        ("facilities.csv", "kuantan-separation-light", "capacity_t_yr", "n/a", "'n/a' is not a number"),
        ("facilities.csv", "kuantan-separation-light", "capacity_t_yr", "-1", "'-1' is not above 0"),
        ("facilities.csv", "kuantan-separation-light", "capacity_t_yr", "nan", "'nan' is not a number"),
        (
            "facilities.csv",
            "kuantan-separation-light",
            "capacity_t_yr",
            "1e999",
            "'1e999' is beyond what a number can hold",
        ),
        ("facilities.csv", "kuantan-separation-light", "capacity_t_yr", "10_500", "'10_500' is not a number"),
        ("facilities.csv", "kuantan-separation-light", "committed", "yes", "'yes' is neither true nor false"),
        (
            "facilities.csv",
            "kuantan-separation-light",
            "status",
            "running",
            "'running' is not one of the words allowed",
        ),
        ("facilities.csv", "kuantan-separation-light", "site", "kuantam", "'kuantam' is not in sites.csv"),
        ("facilities.csv", "kuantan-separation-light", "source", "", "'' is blank"),
        ("facilities.csv", "kuantan-separation-light", "source", "hearsay", "'hearsay' is not in sources.csv"),
        ("facilities.csv", "kuantan-separation-light", "as_of", "2026-02-30", "'2026-02-30' is not a day"),
        (
            "facilities.csv",
            "kuantan-separation-light",
            "feeds",
            "monazite, clay",
            "'monazite, clay' has the wrong form",
        ),
        ("facilities.csv", "kuantan-separation-light", "start_year", "2012.5", "'2012.5' is not a whole number"),
        (
            "facilities.csv",
            "kuantan-separation-light",
            "stage",
            "metal",
            "kuantan-separation-light is not named after kuantan and metal",
        ),
        ("mines.csv", "mount-weld,", "chinese_share", "40", "'40' is above 1"),
        ("mines.csv", "mount-weld,", "mine", "Mount Weld", "'Mount Weld' has the wrong form"),
        ("sites.csv", "kuantan,", "country", "Malaysia", "'Malaysia' has the wrong form"),
        ("sites.csv", "kuantan,", "lat", "103.4", "'103.4' is above 90"),
        ("sites.csv", "kuantan,", "aliases", "mount-weld", "mount-weld is an id in sites.csv"),
        ("baskets.csv", "mount-weld,nd2o3", "share", "0.5", "the shares of mount-weld sum to"),
        ("recipes.csv", "magnet-alloy-high-to-swarf-high", "yield_t_t", "0.4", "magnet makes 1.14 t of 1 t alloy-high"),
        ("grades.csv", "high,ndpr", "metal_t_t", "0.4", "high magnets hold 0.428 t rare earth metal per t"),
        ("stages.csv", "magnet,", "ramp", "0.4;1.2", "'0.4;1.2' has the wrong form"),
        ("stages.csv", "magnet,", "size_min_t_yr", "20000", "20000 is above size_max_t_yr 10000"),
        ("ports.csv", "thevenard,", "port", "malacca", "malacca is also in ports.csv"),
        ("zones.csv", "malacca,", "geometry_wkt", "POINT (1 2)", "'POINT (1 2)' has the wrong form"),
        ("demand.csv", "allied-base,market-usa", "market", "kuantan", "kuantan is not a market in sites.csv"),
        ("demand.csv", "allied-base,market-usa", "year", "2024", "lacks years between its first and last"),
        ("outputs.csv", "country,AUS", "id", "OZ", "there is no country OZ"),
        (
            "facilities.csv",
            "kuantan-separation-light",
            "grades",
            "smco",
            "a separation_light plant makes no magnet grade",
        ),
        ("facilities.csv", "hanau-magnet", "grades", "bonded", "'bonded' has the wrong form"),
        ("facilities.csv", "hanau-magnet", "operator", "", "hanau-magnet has no operator"),
        ("facilities.csv", "kuantan-crack-leach", "feeds", "monazite;xenotime", "MYS bars xenotime"),
        ("facilities.csv", "kuantan-crack-leach", "feeds", "", "is empty, and MYS bars thorium-monazite, xenotime"),
        ("countries.csv", "MYS", "bars_export", "ore", "ore is not in commodities.csv"),
        ("mines.csv", "toliara-ranobe", "thorium_t_t", "0", "is 0, and thorium is yes"),
        ("prices.csv", "dump-2027,lace-oxide,2025", "commodity", "magnet-smco", "stands twice"),
    ],
)
def test_names_the_cell(world: Path, file: str, row: str, column: str, value: str, found: str) -> None:
    line = edit_cell(world, file, row, column, value)
    hits = [fault for fault in faults_of(world) if found in fault.found]
    assert hits, f"no fault says {found!r}"
    assert any(
        fault.where.startswith(file.split(",")[0]) or "sites.csv" in fault.where or "zones.csv" in fault.where
        for fault in hits
    )
    if file == "facilities.csv":
        wanted = {"stage": "facility", "operator": "owner"}.get(column, column)
        assert hits[0].where == f"facilities.csv, line {line}, column {wanted}"


def test_a_plant_does_not_end_before_it_starts(world: Path) -> None:
    line = edit_cell(world, "facilities.csv", "kuantan-crack-leach", "end_year", "2011")
    (fault,) = faults_of(world)
    assert fault.where == f"facilities.csv, line {line}, column start_year"
    assert fault.found == "2012 is above end_year 2011"


def test_a_price_path_has_every_commodity(world: Path) -> None:
    spoil(
        world,
        "prices.csv",
        lambda text: "\n".join(line for line in text.splitlines() if not line.startswith("dump-2027,gd-oxide")),
    )
    (fault,) = faults_of(world)
    assert fault.found == "dump-2027 has no price of gd-oxide"


def test_lists_all_faults_at_once(world: Path) -> None:
    edit_cell(world, "mines.csv", "mount-weld,", "capacity_reo_t_yr", "lots")
    edit_cell(world, "prices.csv", "outside,ndpr-oxide", "price_usd_t", "-5")
    edit_cell(world, "ports.csv", "darwin,", "lon", "east")
    faults = faults_of(world)
    assert {fault.where.split(",")[0] for fault in faults} == {"mines.csv", "prices.csv", "ports.csv"}
    assert len(faults) == 3


def test_a_column_of_nonsense_does_not_flood(world: Path) -> None:
    spoil(world, "demand.csv", lambda text: text.replace(",allied-base,", ",allied-base,").replace(",ev,", ",cars,"))
    faults = [fault for fault in faults_of(world) if "cars" in fault.found or "more cells" in fault.found]
    assert len(faults) == 21


@pytest.mark.parametrize(
    ("change", "where", "found"),
    [
        (
            lambda text: text.replace("chinese_share", "prc_share", 1),
            "mines.csv, line 1, column chinese_share",
            "is missing",
        ),
        (
            lambda text: text.replace("chinese_share", "operator", 1),
            "mines.csv, line 1, column operator",
            "stands twice",
        ),
        (lambda text: text + "shortrow,1\n", "mines.csv, line 76", "has 2 cells for 20 columns"),
        (lambda text: text + text.splitlines()[-1] + "\n", "mines.csv, line 76, column mine", "stands twice (mine)"),
        (lambda text: text + '"open quote', "mines.csv, line 76", "is not CSV"),
    ],
)
def test_a_misshapen_file(world: Path, change: Callable[[str], str], where: str, found: str) -> None:
    spoil(world, "mines.csv", change)
    assert any(fault.where == where and found in fault.found for fault in faults_of(world))


def test_line_numbers_count_line_breaks_within_cells(world: Path) -> None:
    """A quoted note may run over two lines; the fault after it must still name the right line."""
    line = edit_cell(world, "mines.csv", "araxa-st-george", "note", "two\nlines")
    assert line == 2
    edit_cell(world, "mines.csv", "ashram", "opex_usd_reo_t", "cheap")
    assert faults_of(world)[0].where == "mines.csv, line 4, column opex_usd_reo_t"


def test_missing_file_and_wrong_encoding(world: Path) -> None:
    (world / "zones.csv").unlink()
    (world / "policy.csv").write_bytes("policy,é\n".encode("latin-1"))
    faults = {fault.where: fault.found for fault in faults_of(world)}
    assert faults["zones.csv"] == "is missing"
    assert "is not UTF-8" in faults["policy.csv"]


def test_accepts_spreadsheet_habits(world: Path) -> None:
    """A byte-order mark and Windows line ends are no fault of the planner."""
    path = world / "mines.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert len(read_tables(world).mines) == len(read_tables().mines)


def test_without_a_data_package(world: Path, tmp_path: Path) -> None:
    (world / "datapackage.json").write_text("{", encoding="utf-8")
    assert "is not JSON" in faults_of(world)[0].found
    assert "is missing" in faults_of(tmp_path / "nowhere")[0].found
    (world / "datapackage.json").write_text(json.dumps({"resources": []}), encoding="utf-8")
    assert len(faults_of(world)) == len(TABLE_NAMES)


def test_empty_table_breaks_no_rule_of_its_own(world: Path) -> None:
    spoil(world, "outputs.csv", lambda text: text.splitlines()[0] + "\n")
    assert read_tables(world).outputs.empty
