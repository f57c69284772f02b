"""The shipped tables are what datapackage.json says they are, and agree with what is known of the world."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from hubplan.data.chain import MAGNET_ELEMENTS, NDFEB_GRADES
from hubplan.data.shipped import shipped_path
from hubplan.data.tables import TABLE_NAMES, Tables, read_tables
from hubplan.data.units import unit_of

GEODATA = shipped_path("geodata")


@pytest.fixture(scope="module")
def tables() -> Tables:
    return read_tables()


@pytest.fixture(scope="module")
def package() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((GEODATA / "datapackage.json").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def describe() -> ModuleType:
    spec = importlib.util.spec_from_file_location("describe", GEODATA / "make" / "describe.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def in_year(frame: pd.DataFrame, year: int) -> pd.DataFrame:
    return frame[frame["year"] == year]


def country_of(tables: Tables, sites: pd.Series) -> pd.Series:
    return sites.map(tables.sites.set_index("site")["country"])


# the package


def test_every_file_is_described_and_unchanged(package: dict[str, Any]) -> None:
    described = {resource["path"]: resource for resource in package["resources"]}
    for path, resource in described.items():
        digest = hashlib.sha256((GEODATA / path).read_bytes()).hexdigest()
        assert resource["hash"] == f"sha256:{digest}", f"{path} changed: run geodata/make/describe.py"
        assert resource["licenses"], path
    files = {file.name for file in GEODATA.glob("*.csv")}
    assert files == {path for path in described if "/" not in path and path.endswith(".csv")}
    assert {f"{name}.csv" for name in TABLE_NAMES} == files
    extracts = {str(file.relative_to(GEODATA)) for file in (GEODATA / "network").rglob("*.npz")}
    assert extracts <= set(described), "extracts without an entry in network/resources.json"


def test_package_is_what_the_script_writes(package: dict[str, Any], describe: ModuleType) -> None:
    assert describe.describe(GEODATA) == package


def test_extracts_described_beside_themselves_are_merged(describe: ModuleType, tmp_path: Path) -> None:
    for name in TABLE_NAMES:
        (tmp_path / f"{name}.csv").write_text("", encoding="utf-8")
    (tmp_path / "network").mkdir()
    (tmp_path / "network" / "sea.npz").write_bytes(b"sea")
    (tmp_path / "network" / "resources.json").write_text(
        json.dumps([{"name": "sea", "path": "sea.npz"}]), encoding="utf-8"
    )
    last = describe.describe(tmp_path)["resources"][-1]
    assert last["path"] == "network/sea.npz"
    assert last["hash"] == "sha256:" + hashlib.sha256(b"sea").hexdigest()


def test_units_agree_with_the_names(package: dict[str, Any]) -> None:
    for resource in package["resources"]:
        for field in resource.get("schema", {}).get("fields", []):
            assert field["description"], (resource["name"], field["name"])
            if field["type"] in ("number", "integer"):
                assert field["unit"], (resource["name"], field["name"])
                promised = unit_of(field["name"])
                assert promised in (None, field["unit"]), (resource["name"], field["name"])


def test_no_cell_starts_a_formula_or_names_a_workplace(tables: Tables) -> None:
    for name in TABLE_NAMES:
        frame = getattr(tables, name)
        for column in frame.columns[[not pd.api.types.is_numeric_dtype(frame[c]) for c in frame.columns]]:
            cells = frame[column].astype(str)
            assert not cells.str.match(r"[=+\-@\t]").any(), (name, column)
            assert not cells.str.contains(r"/work/|/tmp/|[\u0000-\u001f]", regex=True).any(), (name, column)


# papers


def test_rows_show_their_papers(tables: Tables) -> None:
    used: set[str] = set()
    for name in TABLE_NAMES:
        if name == "sources":
            continue
        frame = getattr(tables, name)
        used |= set(frame["source"])
        own = frame["source"].isin(["hubplan-assumption"])
        assert (frame.loc[own, "basis"] == "assumed").all(), f"{name}: an assumption of ours cannot be reported"
        assert (frame.loc[frame["basis"] != "reported", "note"] != "").all(), (
            f"{name}: an estimate without its arithmetic"
        )
        assert (frame["as_of"] <= "2026-11-30").all(), name
    assert used == set(tables.sources["source"]), "sources without a row, or rows without a source"
    pages = tables.sources[
        ~tables.sources["source"].isin(
            ["hubplan-assumption", "hubplan-derivation", "blocs-lists", "literature-china-ree"]
        )
    ]
    assert (pages["url"] != "").all()
    assert not tables.sources["url"].str.contains(r"\s").any()


def test_assumed_columns_are_columns_with_a_value(tables: Tables) -> None:
    for name in TABLE_NAMES:
        frame = getattr(tables, name)
        if "assumed_columns" not in frame:
            continue
        for row in frame.itertuples():
            for column in filter(None, row.assumed_columns.split(";")):
                assert column in frame.columns, (name, column)


# enough of the world


def test_row_counts(tables: Tables) -> None:
    assert len(tables.mines) >= 72
    assert len(tables.facilities) >= 147
    assert len(tables.ports) >= 343
    assert len(tables.terminals) + len(tables.zones) >= 60
    assert len(tables.baskets) == 15 * len(tables.mines)
    assert set(tables.zones.loc[tables.zones["closed_by_default"], "zone"]) == {"nw-passage", "nsr"}


@pytest.mark.parametrize(
    ("table", "column", "ids"),
    [
        (
            "zones",
            "zone",
            {
                "taiwan-strait",
                "luzon-strait",
                "malacca",
                "suez",
                "panama-canal",
                "bab-el-mandeb",
                "hormuz",
                "south-china-sea",
                "ecrl",
            },
        ),
        ("terminals", "terminal", {"kuantan-port", "darwin", "piraeus", "hambantota", "balboa"}),
        (
            "sites",
            "site",
            {
                "kuantan",
                "mount-weld",
                "kalgoorlie",
                "mountain-pass",
                "eneabba",
                "white-mesa",
                "mp-independence",
                "market-usa",
                "market-jpn",
            },
        ),
        ("ports", "port", {"kuantan-port", "geraldton", "fremantle", "esperance", "darwin"}),
    ],
)
def test_permanent_ids(tables: Tables, table: str, column: str, ids: set[str]) -> None:
    assert ids <= set(getattr(tables, table)[column])


def test_kuantan_is_where_it_is(tables: Tables) -> None:
    port = tables.ports.set_index("port").loc["kuantan-port"]
    assert (port["un_locode"], port["country"]) == ("MYKUA", "MYS")
    assert port["lat"] == pytest.approx(3.97, abs=0.01)
    assert port["lon"] == pytest.approx(103.43, abs=0.01)
    terminal = tables.terminals.set_index("terminal").loc["kuantan-port"]
    assert terminal["whole_port"]
    assert terminal["chinese_share"] == 0.4


def test_mine_output_of_2025(tables: Tables) -> None:
    """USGS Mineral Commodity Summaries 2026, company reports."""
    output = in_year(tables.outputs, 2025).set_index(["kind", "id", "commodity"])["output_t"]
    known = {
        "USA": 51_000,
        "AUS": 29_000,
        "IND": 2_900,
        "MDG": 2_700,
        "RUS": 2_600,
        "BRA": 2_000,
        "NGA": 1_500,
        "CHN": 270_000,
        "MMR": 22_000,
    }
    for country, output_t in known.items():
        assert output["country", country, "reo"] == output_t
    assert output["mine", "mountain-pass", "reo"] == 50_692
    assert output["facility", "mountain-pass-separation-light", "ndpr-oxide"] == 2_599
    assert output["facility", "kuantan-separation-light", "ndpr-oxide"] == 6_558


def test_open_mines_can_make_what_their_countries_made(tables: Tables) -> None:
    """Capacity of the mines open in 2025 covers reported output within rounding, and is not several times it."""
    mines = tables.mines[(tables.mines["status"] == "operating") & (tables.mines["first_year"] <= 2025)]
    capacity = mines.groupby(country_of(tables, mines["mine"]))["capacity_reo_t_yr"].sum()
    output = in_year(tables.outputs[tables.outputs["kind"] == "country"], 2025).set_index("id")["output_t"]
    for country in ("USA", "AUS", "IND", "MDG", "RUS", "BRA", "CHN", "MMR"):
        assert 0.98 * output[country] <= capacity[country] <= 2.6 * output[country], country


def test_capacity_of_magnets_in_2025(tables: Tables) -> None:
    """Project Blue: 23,750 t/yr outside China; SMM: China made 260,000 t in 2024."""
    magnets = tables.facilities[
        (tables.facilities["stage"] == "magnet")
        & (tables.facilities["status"] == "operating")
        & (tables.facilities["start_year"] <= 2025)
    ]
    chinese = country_of(tables, magnets["site"]) == "CHN"
    assert magnets.loc[~chinese, "capacity_t_yr"].sum() == pytest.approx(23_750, rel=0.1)
    assert 260_000 <= magnets.loc[chinese, "capacity_t_yr"].sum() <= 320_000


@pytest.mark.parametrize("abroad", [True, False], ids=["outside China", "in China"])
def test_metal_and_alloy_stand_behind_the_magnets(tables: Tables, abroad: bool) -> None:
    """1 t of magnets takes 1 / 0.74 t of alloy and 0.3 of that in metal; plants do not run full."""
    plants = tables.facilities[(tables.facilities["status"] == "operating") & (tables.facilities["start_year"] <= 2025)]
    plants = plants[(country_of(tables, plants["site"]) != "CHN") == abroad]
    size = plants.groupby("stage")["capacity_t_yr"].sum()
    assert size["alloy"] >= 0.95 * size["magnet"] / 0.74
    assert size["metal"] >= 0.8 * size["magnet"] / 0.74 * 0.3


def test_demand_anchors(tables: Tables) -> None:
    magnets = tables.demand[tables.demand["product"].isin([f"magnet-{grade}" for grade in NDFEB_GRADES])]
    now = in_year(magnets, 2025).groupby(["set", "market"])["demand_t"].sum()
    europe = ["market-deu", "market-fra", "market-ita", "market-pol", "market-esp", "market-eu-other"]
    assert sum(now["allied-base", market] for market in europe) == pytest.approx(21_740, rel=0.001)
    assert now["allied-base", "market-usa"] == pytest.approx(8_480, rel=0.001)
    assert now["allied-base", "market-jpn"] == pytest.approx(15_000, rel=0.001)
    assert now["allied-base", "market-kor"] == pytest.approx(11_650, rel=0.001)
    india = in_year(magnets, 2030).groupby(["set", "market"])["demand_t"].sum()["allied-base", "market-ind"]
    assert india == pytest.approx(7_000, rel=0.001)
    assert 230_000 <= now["world-2025"].sum() <= 250_000
    defence = in_year(magnets[magnets["sector"] == "defence"], 2025)
    assert 0.01 <= defence[defence["set"] == "allied-base"]["demand_t"].sum() / now["allied-base"].sum() <= 0.02


def test_both_sets_agree_where_they_overlap(tables: Tables) -> None:
    keys = ["market", "product", "sector", "year"]
    sets = {name: rows.set_index(keys)["demand_t"] for name, rows in tables.demand.groupby("set")}
    shared = sets["allied-base"]
    pd.testing.assert_series_equal(sets["world-2025"].loc[shared.index], shared)


def test_years_run_to_2040(tables: Tables) -> None:
    for frame in (tables.demand, tables.prices, tables.byproducts, tables.scrap):
        assert (frame["year"].min(), frame["year"].max()) == (2025, 2040)


# chain


def usable(tables: Tables, year: int) -> pd.DataFrame:
    """Mines that an allied coalition could draw on in a year."""
    barred = ["CHN", "RUS", "MMR", "LAO"]
    mines = tables.mines[
        (tables.mines["first_year"] <= year)
        & tables.mines["capacity_reo_t_yr"].notna()
        & ~(tables.mines["chinese_share"] > 0.25)
    ]
    return mines[~country_of(tables, mines["mine"]).isin(barred)]


def test_a_coalition_needs_hubs_and_can_have_them(tables: Tables) -> None:
    """In 2035 the open world can mine enough for the allies, but committed plants make a third of the magnets."""
    baskets = tables.baskets.pivot_table(index="mine", columns="oxide", values="share")
    mines = usable(tables, 2035).set_index("mine")
    element = tables.elements.set_index("oxide")["element"]
    oxide = (
        baskets.loc[mines.index].mul(mines["capacity_reo_t_yr"], axis=0).sum().groupby(element).sum() * 0.8
    )  # all recoveries
    wanted = in_year(tables.demand[tables.demand["set"] == "allied-base"], 2035).groupby("product")["demand_t"].sum()
    metal = tables.grades.pivot_table(index="element", columns="grade", values="metal_t_t", fill_value=0.0)
    need = sum(metal[grade] * wanted[f"magnet-{grade}"] for grade in metal) * 1.27  # oxide per t metal, with swarf back
    assert (oxide[list(MAGNET_ELEMENTS)] > 0.9 * need.loc[list(MAGNET_ELEMENTS)]).all()
    magnets = sum(wanted[f"magnet-{grade}"] for grade in metal)
    made = tables.facilities[tables.facilities["committed"] & (tables.facilities["stage"] == "magnet")]
    made = made[country_of(tables, made["site"]) != "CHN"]
    assert made["capacity_t_yr"].sum() < 0.35 * magnets
    may = tables.facilities[tables.facilities["stage"] == "magnet"]
    assert may.loc[country_of(tables, may["site"]) != "CHN", "max_t_yr"].sum() > magnets


def test_every_concentrate_has_a_plant_that_takes_it(tables: Tables) -> None:
    plants = tables.facilities[(tables.facilities["stage"] == "crack_leach") & tables.facilities["max_t_yr"].notna()]
    takes = set(";".join(plants["feeds"]).split(";"))
    for mine in usable(tables, 2040).itertuples():
        assert mine.product == "carbonate" or mine.feed in takes, mine.mine


def test_kuantan_takes_lynas_feed_only(tables: Tables) -> None:
    """Malaysian licences leave no room for thorium; the ban on raw exports leaves Malaysian clay nowhere else to go."""
    feeds = tables.facilities.set_index("facility")["feeds"]
    assert feeds["kuantan-crack-leach"] == "monazite"
    assert set(feeds["kuantan-separation-light"].split(";")) == {"monazite", "ionic-clay"}
    mines = tables.mines.set_index("mine")
    assert mines.loc["mount-weld", "feed"] == "monazite"
    assert (mines.loc[mines["feed"] == "thorium-monazite", "thorium"] == "yes").all()


def test_oxide_per_magnet_is_as_published(tables: Tables) -> None:
    """0.333 to 0.371 t of oxide per t of magnets after swarf returns (recipes r030, r031 of the sources)."""
    yields = tables.recipes.set_index("recipe")["yield_t_t"]
    alloy_t = 1 / yields["magnet-alloy-standard-to-magnet-standard"]
    metal_t = alloy_t * 0.295 / yields["alloy-ndpr-metal-to-alloy-standard"]
    back_t = (
        alloy_t
        * yields["magnet-alloy-standard-to-swarf-standard"]
        * yields["recycling-standard-swarf-standard-to-ndpr-oxide"]
    )
    assert 0.333 <= metal_t / yields["metal-ndpr-oxide-to-ndpr-metal"] - back_t <= 0.38


@pytest.mark.parametrize(
    ("mine", "oxides", "share"),
    [
        ("mountain-pass", ["pr6o11", "nd2o3"], 0.157),
        ("mount-weld", ["pr6o11", "nd2o3"], 0.2329),
        ("nolans", ["pr6o11", "nd2o3"], 0.264),
        ("yangibana", ["pr6o11", "nd2o3"], 0.37),
        ("carina", ["tb4o7", "dy2o3"], 0.047),
        ("donald", ["tb4o7", "dy2o3"], 0.0209),
        ("strange-lake", ["tb4o7", "dy2o3"], 0.041),
        ("lofdal", ["dy2o3"], 0.0585),
    ],
)
def test_published_shares_are_honoured(tables: Tables, mine: str, oxides: list[str], share: float) -> None:
    basket = tables.baskets[tables.baskets["mine"] == mine].set_index("oxide")["share"]
    assert basket[oxides].sum() == pytest.approx(share, abs=0.001)


def test_the_cost_line_follows_the_power_law(tables: Tables) -> None:
    """Bigger plants are cheaper per t, between the exponents 0.6 and 0.9 over the whole range of sizes."""
    for stage in tables.stages.itertuples():
        small = stage.capex_fixed_usd + stage.capex_usd_t_yr * stage.size_min_t_yr
        large = stage.capex_fixed_usd + stage.capex_usd_t_yr * stage.size_max_t_yr
        ratio = stage.size_max_t_yr / stage.size_min_t_yr
        assert ratio**0.6 <= large / small <= ratio**0.9, stage.stage


def test_prices_rise_along_the_chain_and_outside_is_dearer(tables: Tables) -> None:
    price = in_year(tables.prices, 2026).pivot_table(index="commodity", columns="set", values="price_usd_t")
    assert (price["outside"] >= price["china"]).all()
    assert price.loc["ndpr-oxide", "outside"] == 110_000
    for path in ("china", "outside"):
        assert price.loc["ndpr-metal", path] > price.loc["ndpr-oxide", path]
        assert price.loc["magnet-high", path] > price.loc["magnet-standard", path] > price.loc["alloy-standard", path]


def test_a_dump_sells_below_the_chinese_price_and_ends(tables: Tables) -> None:
    """NdPr oxide: the lowest quote of 2024, 50 USD/kg, x 0.6 = 30; in 2032 a third of the way back to 110: 56.67."""
    paths = {
        name: rows.pivot_table(index="commodity", columns="year", values="price_usd_t")
        for name, rows in tables.prices.groupby("set")
    }
    dumped, outside = paths["dump-2027"], paths["outside"]
    assert dumped.loc["ndpr-oxide", [2026, 2027, 2031, 2032, 2034]].tolist() == [
        110_000,
        30_000,
        30_000,
        56_670,
        110_000,
    ]
    assert (dumped <= outside).all(axis=None)
    kept = [2025, 2026, *range(2034, 2041)]
    assert (dumped[kept] == outside[kept]).all(axis=None)
    assert (dumped[2029] < paths["china"][2029]).all()


def test_samarium_cobalt_is_made_where_it_is_known_to_be(tables: Tables) -> None:
    """Of the plants that stand: five magnet makers, and alloy for each; new candidates may make any grade."""
    plants = tables.facilities[tables.facilities["grades"].str.contains("smco")]
    stand = plants[plants["status"] == "operating"]
    assert set(stand.loc[stand["stage"] == "magnet", "site"]) == {
        "hanau", "landisville", "ningbo", "takefu", "vizag-repm"
    }  # fmt: skip
    assert set(stand.loc[stand["stage"] == "magnet", "site"]) <= set(stand.loc[stand["stage"] == "alloy", "site"])
    assert set(plants["status"]) == {"operating", "candidate"}


def test_demand_for_samarium_cobalt_is_the_old_samarium(tables: Tables) -> None:
    """United States 2025: 8,480 t x 0.0075 / 0.425 = 149.6 t for defence, 8,480 x 0.008 x 0.4 / 0.425 = 63.9 t else."""
    rows = in_year(tables.demand[tables.demand["market"] == "market-usa"], 2025)
    asked = rows[rows["set"] == "allied-base"].set_index(["product", "sector"])["demand_t"]
    assert asked["magnet-smco", "defence"] == pytest.approx(149.65, abs=0.01)
    assert asked["magnet-smco", "industry"] == pytest.approx(63.85, abs=0.01)
    assert asked["gd-oxide", "industry"] == pytest.approx(8480 * 0.008 * 0.6, abs=0.01)


def test_owners_are_read_off_operators(tables: Tables) -> None:
    """The same parent has one id across mines and plants; nobody's candidate has none."""
    owner = {**tables.mines.set_index("mine")["owner"], **tables.facilities.set_index("facility")["owner"]}
    for owned in ("mount-weld", "kalgoorlie-crack-leach", "kuantan-separation-heavy"):
        assert owner[owned] == "lynas"
    assert owner["ellesmere-alloy"] == owner["round-top"] == "usa-rare-earth"
    assert owner["hanau-magnet"] == owner["sumter-magnet"] == "vac"
    candidates = tables.facilities[tables.facilities["operator"] == ""]
    assert (candidates["owner"] == "").all()
    assert (candidates["status"] == "candidate").all()


def test_thorium_is_where_beach_sand_is(tables: Tables) -> None:
    """Monazite of 6 % ThO2 at 58 % REO: 0.1 t/t; Mount Weld 0.16 % at 40 %: 0.004; 25 times less, and no class 7."""
    content = tables.mines.set_index("mine")["thorium_t_t"]
    assert content["toliara-ranobe"] == pytest.approx(0.06 / 0.58, rel=0.05)
    assert content["mount-weld"] == pytest.approx(0.0016 / 0.4)
    feeds = tables.mines.set_index("mine")["feed"]
    assert content[feeds == "thorium-monazite"].min() > 10 * content[feeds == "bastnaesite"].max()


def test_every_stage_says_what_it_needs_and_leaves(tables: Tables) -> None:
    columns = ["co2_t_t", "residue_t_t", "power_mwh_t", "water_m3_t", "acid_t_t"]
    stages = tables.stages.set_index("stage")
    assert stages[columns].notna().all(axis=None)
    assert stages["residue_t_t"].idxmax() == "crack_leach"
    for cell in stages["assumed_columns"]:
        assert set(columns) <= set(cell.split(";")), "no figure of these was read"


def test_locks_that_history_must_show(tables: Tables) -> None:
    locks = tables.locks.set_index("mine")
    assert (locks.loc["serra-verde", "destination_country"], locks.loc["serra-verde", "to_year"]) == ("CHN", 2026)
    assert locks.loc["ngualla", "destination_country"] == "CHN"


def test_transport_parameters(tables: Tables) -> None:
    wanted = """rail_usd_tkm road_usd_tkm sea_usd_tkm rail_kmh road_kmh sea_kmh short_haul_rail_km sea_min_usd_t
        rail_road_transfer_usd_t rail_road_transfer_h port_handling_usd_t port_dwell_h gauge_break_usd_t gauge_break_h
        border_h suez_toll_usd_t panama_toll_usd_t canal_wait_h access_road_factor class7_surcharge_usd_t
        capital_cost_share co2_rail_g_tkm co2_road_g_tkm co2_sea_g_tkm"""
    assert set(tables.transport["parameter"]) == set(wanted.split())
    for row in tables.transport.itertuples():
        assert unit_of(row.parameter) == row.unit or row.parameter == "capital_cost_share"
