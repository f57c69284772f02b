"""Write geodata/datapackage.json: the one place where every table's fields, units and rules are said.

Run ``python geodata/make/describe.py`` after any table changes; hashes are taken anew. Large extracts describe
themselves in ``geodata/network/resources.json``, which is merged where it exists.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

GEODATA = Path(__file__).resolve().parent.parent
LICENCE = [
    {
        "name": "CC-BY-4.0",
        "title": "Creative Commons Attribution 4.0",
        "path": "https://creativecommons.org/licenses/by/4.0/",
    }
]
SOURCES = [{"title": "Public pages and data releases, row by row in sources.csv", "path": "sources.csv"}]

FEEDS = [
    "bastnaesite",
    "monazite",
    "thorium-monazite",
    "xenotime",
    "ionic-clay",
    "eudialyte",
    "apatite",
    "loparite",
    "other",
]
STAGES = ["crack_leach", "separation_light", "separation_heavy", "metal", "alloy", "magnet", "recycling"]
OXIDES = ["la2o3", "ceo2", "pr6o11", "nd2o3", "sm2o3", "eu2o3", "gd2o3", "tb4o7", "dy2o3"]
OXIDES += ["ho2o3", "er2o3", "tm2o3", "yb2o3", "lu2o3", "y2o3"]
ELEMENTS = ["ndpr", "dy", "tb", "sm", "gd", "lace", "y", "other"]
GRADES = ["standard", "high", "defence", "smco"]
SECTORS = ["defence", "ev", "wind", "industry", "electronics", "other"]
TIERS = ["core", "ally", "swing", "partner", "neutral", "china-aligned", "adversary"]
PRICE_PATHS = ["outside", "china", "dump-2027"]
KEBAB = "[a-z0-9]+(-[a-z0-9]+)*"
SNAKE_LIST = "([a-z0-9_]+(;[a-z0-9_]+)*)?"

Field = dict[str, Any]


def text(
    name: str,
    description: str,
    *,
    required: bool = False,
    enum: list[str] | None = None,
    pattern: str = "",
    unique: bool = False,
) -> Field:
    """Describe a text column."""
    rules: Field = {}
    if required:
        rules["required"] = True
    if enum:
        rules["enum"] = enum
    if pattern:
        rules["pattern"] = pattern
    if unique:
        rules["unique"] = True
    return {"name": name, "type": "string", "description": description} | ({"constraints": rules} if rules else {})


def ident(name: str, description: str, *, required: bool = True) -> Field:
    """Describe a kebab-case id."""
    return text(name, description, required=required, pattern=KEBAB if required else f"({KEBAB})?")


def country(name: str = "country", description: str = "ISO 3166-1 alpha-3.", *, required: bool = True) -> Field:
    """Describe a country code."""
    return text(name, description, required=required, pattern="[A-Z]{3}" if required else "([A-Z]{3})?")


def number(
    name: str,
    unit: str,
    description: str,
    *,
    low: float | None = 0,
    high: float | None = None,
    required: bool = False,
    above: float | None = None,
) -> Field:
    """Describe a numeric column and its range."""
    rules: Field = {"required": True} if required else {}
    for key, value in (("minimum", low if above is None else None), ("exclusiveMinimum", above), ("maximum", high)):
        if value is not None:
            rules[key] = value
    return {"name": name, "type": "number", "unit": unit, "description": description} | (
        {"constraints": rules} if rules else {}
    )


def year(name: str, description: str, *, required: bool = False, low: int = 1900, high: int = 2100) -> Field:
    """Describe a calendar year."""
    rules: Field = {"minimum": low, "maximum": high} | ({"required": True} if required else {})
    return {"name": name, "type": "integer", "unit": "year", "description": description, "constraints": rules}


def flag(name: str, description: str) -> Field:
    """Describe a true or false column; never blank."""
    return {"name": name, "type": "boolean", "description": description, "constraints": {"required": True}}


SHARE = {"high": 1.0}
CHINESE = number(
    "chinese_share",
    "1",
    "Share of equity held by owners from China and Hong Kong; blank = not known, 0 = none seen.",
    **SHARE,
)
OWNER = ident(
    "owner",
    "Controlling parent; an agreed purchase counts as made; blank = unknown, several, or not yet anybody's.",
    required=False,
)
ASSUMED = text(
    "assumed_columns",
    "Columns of this row (;-separated) whose value is assumed whatever basis says of the row.",
    pattern=SNAKE_LIST,
)
PAPERS = [
    text("source", "Where the row's main figure comes from.", required=True),
    {
        "name": "as_of",
        "type": "date",
        "description": "The day up to which the row is meant to be true.",
        "constraints": {"required": True},
    },
    text(
        "basis",
        "reported: read in the source. estimated: arithmetic on read figures. assumed: chosen or recalled.",
        required=True,
        enum=["reported", "estimated", "assumed"],
    ),
    text("note", "Arithmetic, doubts, and why an assumption was made."),
]


def table(
    name: str,
    title: str,
    key: list[str],
    fields: list[Field],
    *,
    foreign: dict[str, str] | None = None,
    papers: bool = True,
) -> dict[str, Any]:
    """Describe one CSV file; ``foreign`` maps a column to ``table.column``."""
    keys = dict(foreign or {}) | ({"source": "sources.source"} if papers else {})
    return {
        "name": name,
        "path": f"{name}.csv",
        "title": title,
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "licenses": LICENCE,
        "sources": SOURCES,
        "schema": {
            "fields": fields + (PAPERS if papers else []),
            "missingValues": [""],
            "primaryKey": key,
            "foreignKeys": [
                {"fields": column, "reference": {"resource": target.split(".")[0], "fields": target.split(".")[1]}}
                for column, target in keys.items()
            ],
        },
    }


TABLES = [
    table(
        "sources",
        "Where each row comes from",
        ["source"],
        [
            ident("source", "Id cited by the rows of the other tables."),
            text("title", "What it is.", required=True),
            text("url", "The page or release that was read; further pages are in note.", pattern="(https?://.*)?"),
            text("licence", "What its owner allows.", required=True),
            text("note", "Further pages and warnings."),
        ],
        papers=False,
    ),
    table(
        "countries",
        "Countries and territories",
        ["country"],
        [
            country(),
            text("name", "Name.", required=True),
            text(
                "tier",
                "How near to an allied coalition the country stands; a proposal that scenarios override.",
                required=True,
                enum=TIERS,
            ),
            text("part_of", "State whose territory it is, where it is not a state of its own: it is excluded with it."),
            number(
                "capex_index",
                "1",
                "Building cost over that of the United States.",
                above=0,
                high=3,
                low=None,
                required=True,
            ),
            text(
                "bars_export",
                "Commodities (;-separated) that its law lets nobody export, as far as read; blank = none known.",
                pattern=f"({KEBAB}(;{KEBAB})*)?",
            ),
            text(
                "bars_feeds",
                "Ore feeds (;-separated) that no plant there may take, as far as read; blank = none known.",
                pattern=f"(({'|'.join(FEEDS)})(;({'|'.join(FEEDS)}))*)?",
            ),
        ],
    ),
    table(
        "blocs",
        "Blocs that a scenario may name as members",
        ["bloc", "country"],
        [ident("bloc", "Bloc."), country()],
        foreign={"country": "countries.country"},
    ),
    table(
        "sites",
        "Mines, plants, candidate places and markets",
        ["site"],
        [
            ident("site", "Permanent id."),
            text("name", "Name.", required=True),
            text(
                "kind",
                "mine wins where a plant stands beside its mine.",
                required=True,
                enum=["mine", "plant", "candidate", "market"],
            ),
            country(),
            number("lon", "deg", "Longitude, EPSG:4326.", low=-180, high=180, required=True),
            number("lat", "deg", "Latitude, EPSG:4326.", low=-90, high=90, required=True),
            number("precision_km", "km", "Honest radius about the point.", required=True),
            text("aliases", "Other ids (;-separated).", pattern=f"({KEBAB}(;{KEBAB})*)?"),
        ],
        foreign={"country": "countries.country"},
    ),
    table(
        "mines",
        "Mines, stockpiles and projects",
        ["mine"],
        [
            ident("mine", "Site id."),
            text("operator", "Operator and holders."),
            OWNER,
            CHINESE,
            text(
                "status",
                "State of the project.",
                required=True,
                enum=[
                    "operating",
                    "commissioning",
                    "construction",
                    "advanced",
                    "feasibility",
                    "early",
                    "exploration",
                    "stalled",
                    "care",
                ],
            ),
            text("feed", "What the ore is to a cracking plant.", required=True, enum=FEEDS),
            text(
                "product",
                "What leaves the site; carbonate needs no cracking.",
                required=True,
                enum=["concentrate", "carbonate"],
            ),
            number("product_grade_share", "1", "REO in the shipped product.", low=None, above=0, high=1, required=True),
            number(
                "capacity_reo_t_yr",
                "t/yr",
                "REO per year in the shipped product; blank = unknown, the mine is not usable.",
                low=None,
                above=0,
            ),
            year("first_year", "Earliest year in which product can ship; blank = not usable."),
            flag("committed", "Operating, commissioning or under construction: needs no decision."),
            number("opex_usd_reo_t", "USD/t", "Cost at the mine gate per t REO.", required=True),
            number("capex_usd", "USD", "Capital to open it."),
            text(
                "thorium",
                "Whether the product carries thorium or uranium enough for class 7 rules.",
                required=True,
                enum=["yes", "no", "unknown"],
            ),
            number(
                "thorium_t_t",
                "t/t",
                "t ThO2 per t REO in the shipped product; blank = unknown. Mostly typical of the mineral.",
                high=1,
            ),
            ASSUMED,
        ],
        foreign={"mine": "sites.site"},
    ),
    table(
        "baskets",
        "Rare earth oxide shares of each mine's product",
        ["mine", "oxide"],
        [
            ident("mine", "Mine."),
            text("oxide", "Oxide.", required=True, enum=OXIDES),
            number("share", "1", "Share of all REO; the 15 rows of a mine sum to 1.", high=1, required=True),
            flag("completed", "Filled from a proxy of the same mineral type, then scaled to published group shares."),
        ],
        foreign={"mine": "mines.mine"},
    ),
    table(
        "outputs",
        "Reported and estimated output, for checking a plan against the past",
        ["kind", "id", "year", "commodity"],
        [
            text("kind", "What id names.", required=True, enum=["mine", "facility", "country"]),
            text("id", "Mine, facility or country.", required=True),
            year("year", "Calendar year, or the fiscal year ending in it.", required=True),
            text(
                "commodity",
                "dytb-oxide is dysprosium and terbium together.",
                required=True,
                enum=["reo", "ndpr-oxide", "dytb-oxide"],
            ),
            number("output_t", "t", "Output of the year.", required=True),
        ],
    ),
    table(
        "locks",
        "Mine output bound to a country by contract, ownership or law",
        ["mine", "destination_country", "from_year"],
        [
            ident("mine", "Mine."),
            country("destination_country", "Where the share must go."),
            number("share", "1", "Share of the mine's output.", low=None, above=0, high=1, required=True),
            year("from_year", "First year.", required=True),
            year("to_year", "Last year.", required=True),
        ],
        foreign={"mine": "mines.mine", "destination_country": "countries.country"},
    ),
    table(
        "stages",
        "Cost and timing of each processing stage",
        ["stage"],
        [
            text("stage", "Stage.", required=True, enum=STAGES),
            text(
                "capacity_of",
                "What a plant's size counts.",
                required=True,
                enum=["reo_feed", "heavy_reo_feed", "metal", "alloy", "magnet", "scrap_feed"],
            ),
            number("capex_fixed_usd", "USD", "Capital at size zero; United States, 2025.", required=True),
            number("capex_usd_t_yr", "USD/(t/yr)", "Capital per t/yr of size.", required=True),
            number("size_min_t_yr", "t/yr", "Smallest sensible plant.", low=None, above=0, required=True),
            number("size_max_t_yr", "t/yr", "Largest sensible plant.", low=None, above=0, required=True),
            number("opex_usd_t", "USD/t", "Running cost per t of what the capacity counts.", required=True),
            number("fixed_opex_share", "1", "Yearly fixed cost over capital.", high=1, required=True),
            number("lead_years", "yr", "From decision to first product.", high=15, required=True),
            number(
                "growth_t_yr",
                "t/yr",
                "Capacity that crews and equipment can add in a year, all new hubs of the stage together; unused years add up.",
                required=True,
            ),
            text(
                "ramp",
                "Usable share of capacity in the first years (;-separated).",
                required=True,
                pattern=r"(0(\.\d+)?|1)(;(0(\.\d+)?|1))*",
            ),
            number("life_years", "yr", "Years of use.", low=1, required=True),
            number("co2_t_t", "t/t", "t CO2 of process and energy per t of what the capacity counts."),
            number("residue_t_t", "t/t", "t of solid residue, dry, per t of what the capacity counts."),
            number("power_mwh_t", "MWh/t", "Electricity per t of what the capacity counts."),
            number("water_m3_t", "m3/t", "Water taken in per t of what the capacity counts."),
            number("acid_t_t", "t/t", "t of acid, as 100 %, per t of what the capacity counts."),
            ASSUMED,
        ],
    ),
    table(
        "recipes",
        "Inputs, outputs and yields",
        ["recipe"],
        [
            ident("recipe", "Id."),
            text("stage", "Stage.", required=True, enum=STAGES),
            text("feed", "Ore feed for cracking, magnet grade for recycling, else blank.", enum=FEEDS + GRADES),
            ident("input", "Commodity in."),
            ident("output", "Commodity out."),
            number(
                "yield_t_t",
                "t/t",
                "t of output per t of input. Separation: t of the element out per t of that element in. "
                "Alloy: share of the metal that ends in the alloy. Cracking: t REO out per t REO in.",
                low=None,
                above=0,
                high=1,
                required=True,
            ),
        ],
        foreign={"stage": "stages.stage", "input": "commodities.commodity", "output": "commodities.commodity"},
    ),
    table(
        "commodities",
        "What flows",
        ["commodity"],
        [
            ident("commodity", "Id."),
            text("name", "Name.", required=True),
            text(
                "form",
                "Form.",
                required=True,
                enum=["concentrate", "carbonate", "heavy-concentrate", "oxide", "metal", "alloy", "magnet", "scrap"],
            ),
            text("element", "Element group, where there is one.", enum=ELEMENTS),
            text("ware", "Freight class.", required=True, enum=["bulk", "value"]),
            number("gross_t_t", "t/t", "Gross shipped t per t contained.", low=1, required=True),
            number("value_usd_t", "USD/t", "Worth of a t contained, for inventory and exposure.", required=True),
        ],
    ),
    table(
        "elements",
        "Which oxides make an element group",
        ["oxide"],
        [
            text("element", "Element group.", required=True, enum=ELEMENTS),
            text("oxide", "Oxide.", required=True, enum=OXIDES),
        ],
    ),
    table(
        "grades",
        "Rare earth metal in each magnet grade",
        ["grade", "element"],
        [
            text("grade", "Magnet grade.", required=True, enum=GRADES),
            text("element", "Element group.", required=True, enum=["ndpr", "dy", "tb", "sm"]),
            number("metal_t_t", "t/t", "t of element metal in a t of alloy or magnet.", high=0.4, required=True),
        ],
    ),
    table(
        "facilities",
        "Plants that stand, are being built, are planned, or could be built",
        ["facility"],
        [
            ident("facility", "Site and stage; permanent."),
            ident("site", "Site."),
            text("stage", "Stage.", required=True, enum=STAGES),
            text("operator", "Operator; blank for a candidate."),
            OWNER,
            CHINESE,
            text(
                "status",
                "State.",
                required=True,
                enum=["operating", "construction", "planned", "candidate", "cancelled"],
            ),
            year("start_year", "First year of product, actual or earliest; blank for a candidate."),
            year("end_year", "Last year of operation; blank = no end known."),
            flag("committed", "Operating or under construction: needs no decision."),
            number(
                "capacity_t_yr",
                "t/yr",
                "Size in what stages.capacity_of counts; blank = unknown (or candidate).",
                low=None,
                above=0,
            ),
            number(
                "max_t_yr", "t/yr", "Largest size it may grow or be built to; blank = not usable.", low=None, above=0
            ),
            number("capex_usd", "USD", "Published capital of this stage; blank = use stages."),
            text(
                "feeds",
                "Ore feeds it takes (;-separated); blank = any.",
                pattern=f"(({'|'.join(FEEDS)})(;({'|'.join(FEEDS)}))*)?",
            ),
            text(
                "grades",
                "Magnet grades an alloy or magnet plant makes (;-separated); blank = any of NdFeB, never smco.",
                pattern=f"(({'|'.join(GRADES)})(;({'|'.join(GRADES)}))*)?",
            ),
            number("lead_years", "yr", "From decision to first product; 0 where committed.", high=15, required=True),
            ASSUMED,
        ],
        foreign={"site": "sites.site", "stage": "stages.stage"},
    ),
    table(
        "demand",
        "What markets want",
        ["set", "market", "product", "sector", "year"],
        [
            ident("set", "allied-base, or world-2025 with China and the rest."),
            ident("market", "Market site."),
            text(
                "product",
                "Commodity.",
                required=True,
                enum=[*(f"magnet-{grade}" for grade in GRADES), "y-oxide", "sm-oxide", "gd-oxide"],
            ),
            text("sector", "Sector; sets the priority.", required=True, enum=SECTORS),
            year("year", "Year.", required=True, low=2020, high=2060),
            number("demand_t", "t", "Demand of the year.", required=True),
        ],
        foreign={"market": "sites.site", "product": "commodities.commodity"},
    ),
    table(
        "byproducts",
        "How much of the lesser oxides markets outside China take",
        ["commodity", "year"],
        [
            ident("commodity", "Commodity."),
            year("year", "Year.", required=True),
            number("limit_t_yr", "t/yr", "Most that can be sold.", required=True),
        ],
        foreign={"commodity": "commodities.commodity"},
    ),
    table(
        "prices",
        "Price paths: outside China, inside, and a dump from 2027 to 2031",
        ["set", "commodity", "year"],
        [
            text("set", "Price path.", required=True, enum=PRICE_PATHS),
            ident("commodity", "Commodity."),
            year("year", "Year.", required=True),
            number("price_usd_t", "USD/t", "Price per t contained.", required=True),
        ],
        foreign={"commodity": "commodities.commodity"},
    ),
    table(
        "scrap",
        "Magnets that can be collected",
        ["market", "year", "grade"],
        [
            ident("market", "Market site."),
            year("year", "Year.", required=True),
            number("scrap_t", "t", "End-of-life magnets collectable in the year.", required=True),
            text("grade", "Magnet grade.", required=True, enum=GRADES),
        ],
        foreign={"market": "sites.site"},
    ),
    table(
        "transport",
        "What moving costs, how long it takes, what it emits",
        ["parameter"],
        [
            text("parameter", "Name; its suffix is its unit.", required=True, pattern="[a-z][a-z0-9_]*"),
            text("mode", "Mode.", required=True, enum=["rail", "road", "sea", "any"]),
            number("value", "see unit", "Value used.", required=True),
            text("unit", "Unit of value, low and high.", required=True),
            number("low", "see unit", "Low end."),
            number("high", "see unit", "High end."),
            ASSUMED,
        ],
    ),
    table(
        "ports",
        "Sea ports",
        ["port"],
        [
            ident("port", "Permanent id; never that of a site or zone."),
            text("name", "Name.", required=True),
            text("un_locode", "UN/LOCODE.", pattern="([A-Z]{2}[A-Z2-9]{3})?"),
            country(),
            number("lon", "deg", "Longitude, EPSG:4326.", low=-180, high=180, required=True),
            number("lat", "deg", "Latitude, EPSG:4326.", low=-90, high=90, required=True),
            text(
                "harbor_size",
                "World Port Index class.",
                required=True,
                enum=["large", "medium", "small", "very small", "unknown"],
            ),
            number(
                "pier_depth_m", "m", "Lower bound of the World Port Index class of the cargo pier; old for many ports."
            ),
            text("rail_link", "Rail communications at the port.", required=True, enum=["yes", "no", "unknown"]),
            text("class7", "Whether class 7 cargo is accepted.", required=True, enum=["yes", "no", "unknown"]),
            ASSUMED,
        ],
        foreign={"country": "countries.country"},
    ),
    table(
        "terminals",
        "Port terminals with an owner to watch",
        ["terminal"],
        [
            ident("terminal", "Permanent id."),
            ident("port", "Port; blank where ports.csv has none.", required=False),
            text("name", "Name.", required=True),
            text("operator", "Operator and holders.", required=True),
            CHINESE,
            year("share_year", "Year of the share."),
            flag("whole_port", "No other terminal handles the port's general cargo: barring it closes the port."),
            text("status", "State.", required=True),
            ASSUMED,
        ],
        foreign={"port": "ports.port"},
    ),
    table(
        "railheads",
        "Places where rail and road do not exchange cargo although both pass",
        ["railhead"],
        [
            ident("railhead", "Permanent id."),
            text("name", "Name.", required=True),
            number("lon", "deg", "EPSG:4326.", low=-180, high=180, required=True),
            number("lat", "deg", "EPSG:4326.", low=-90, high=90, required=True),
            number("radius_km", "km", "Around the point.", above=0, low=None, high=200, required=True),
            flag("transfers", "Whether cargo may change between rail and road there."),
        ],
    ),
    table(
        "zones",
        "Straits, canals, passages, sea zones and land gates",
        ["zone"],
        [
            ident("zone", "Permanent id."),
            text("name", "Name.", required=True),
            text("kind", "Kind.", required=True, enum=["strait", "canal", "passage", "zone", "rail-gate"]),
            country("country", "Where one state holds it.", required=False),
            text(
                "geometry_wkt",
                "Gate line or area, lon lat, EPSG:4326.",
                required=True,
                pattern=r"(LINESTRING \([-0-9., ]+\)|POLYGON \(\([-0-9., ]+\)\))",
            ),
            flag("closed_by_default", "No cargo unless a scenario says otherwise."),
            text("leverage", "What holding it is worth; a judgement.", required=True, enum=["high", "medium", "low"]),
            ASSUMED,
        ],
        foreign={"country": "countries.country"},
    ),
    table(
        "policy",
        "Laws, controls, floors and stockpiles",
        ["policy"],
        [
            ident("policy", "Id."),
            text("date", "Day, month or year.", required=True, pattern=r"\d{4}(-\d{2}(-\d{2})?)?"),
            text("jurisdiction", "Who made it.", required=True),
            text("kind", "Kind.", required=True),
            text("title", "What it is.", required=True),
            number("quantity", "see unit", "Figure in it."),
            text("unit", "Unit of quantity."),
            text("status", "State.", required=True),
        ],
    ),
]


def sha256(path: Path) -> str:
    """Hash a file."""
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


def sealed(resource: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Add the hash and size of the file as it now is."""
    path = folder / resource["path"]
    return {**resource, "hash": sha256(path), "bytes": path.stat().st_size}


def describe(folder: Path = GEODATA) -> dict[str, Any]:
    """Build the data package of a folder."""
    extra = folder / "network" / "resources.json"
    network = json.loads(extra.read_text(encoding="utf-8")) if extra.exists() else []
    network = network.get("resources", []) if isinstance(network, dict) else network
    placed = [r if (folder / r["path"]).exists() else {**r, "path": f"network/{r['path']}"} for r in network]
    return {
        "profile": "data-package",
        "name": "hubplan-geodata",
        "title": "Rare earth mines, plants, markets, ports and passages for hubplan",
        "description": "Facts and assumptions, row by row with source, date and basis. See README.md and LICENSES.md.",
        "licenses": LICENCE,
        "sources": SOURCES,
        "resources": [sealed(t, folder) for t in TABLES] + [sealed(r, folder) for r in placed],
    }


if __name__ == "__main__":
    (GEODATA / "datapackage.json").write_text(
        json.dumps(describe(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    print(f"datapackage.json: {len(describe()['resources'])} resources")
