"""A scenario is read whole or refused whole, and its hard rules are worked out without guessing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubplan.data.access import Access, resolve_access
from hubplan.data.scenario import Scenario, read_scenario, scenario_from_dict, scenario_from_toml
from hubplan.data.tables import Tables, read_tables
from hubplan.errors import DataError, Fault

CONTRACT = """\
name = "allied-2035"
[horizon]
years = [2026, 2027, 2028, 2029, 2030, 2032, 2035]   # a year stands for itself and those up to the next
discount_share = 0.08
price_year = 2025
[coalition]
members = ["five-eyes", "nato", "japan", "korea", "BRA", "IND"]   # blocs or ISO 3166-1 alpha-3
excluded = ["CHN", "RUS", "MMR", "LAO"]   # nothing is mined, made, trans-shipped or carried overland there
max_excluded_ownership_share = 0.25       # of a mine, plant or terminal, by owners from excluded countries
[routes]
closed = ["taiwan-strait", "south-china-sea"]     # ids of chokepoints, zones, ports, canals: no cargo passes
surcharge_usd_t = { malacca = 15.0 }              # a price for risk, where a ban is too much
modes = ["rail", "road", "sea"]
[demand]
set = "allied-base"                                # rows of geodata/demand
unmet_usd_t = { defence = 5e6, default = 1e6 }     # priority by sector
[policy]                                           # each optional
max_country_share = { separation_heavy = 0.65 }    # EU CRMA style, by stage
stockpile_days = { dy = 180, tb = 180 }
offtake = [{ site = "kuantan", commodity = "ndpr-oxide", t_yr = 5000, from = 2026, to = 2035, floor_usd_kg = 110 }]
capex_grant_share = { separation_heavy = 0.30 }
budget_usd = 5e9
[shock]                                            # each optional: what goes wrong, and when
lost = [{ id = "kuantan", from = 2028, to = 2029 }]
export_ban = [{ country = "CHN", commodities = ["dy-oxide", "tb-oxide"], from = 2026 }]
price_path = "{path}"
[solver]
time_limit_s = 60
gap_share = 0.0
seed = 1
""".replace(
    "{path}", "china"
)  # the contract's own path, dump-2027, is an example; the shipped paths are china and outside


@pytest.fixture(scope="module")
def tables() -> Tables:
    return read_tables()


def faults_of(text: str, tables: Tables | None = None) -> list[Fault]:
    """All faults of a scenario; with tables, those of its ids too."""
    with pytest.raises(DataError) as caught:
        scenario = scenario_from_toml(text, where="case.toml")
        if tables is not None:
            resolve_access(scenario, tables)
    return list(caught.value.faults)


def access_of(tables: Tables, **parts: Any) -> Access:
    return resolve_access(scenario_from_dict({"name": "case", **parts}), tables)


# Reading ---------------------------------------------------------------------------------------------------------------


def test_every_key_of_the_contract_is_read_as_given():
    scenario = scenario_from_toml(CONTRACT)
    assert scenario.name == "allied-2035"
    assert scenario.horizon.years == (2026, 2027, 2028, 2029, 2030, 2032, 2035)
    assert (scenario.horizon.discount_share, scenario.horizon.price_year) == (0.08, 2025)
    assert scenario.coalition.members == ("five-eyes", "nato", "japan", "korea", "BRA", "IND")
    assert scenario.coalition.excluded == ("CHN", "RUS", "MMR", "LAO")
    assert scenario.coalition.max_excluded_ownership_share == 0.25
    assert scenario.routes.closed == ("taiwan-strait", "south-china-sea")
    assert scenario.routes.surcharge_usd_t == {"malacca": 15.0}
    assert scenario.routes.modes == ("rail", "road", "sea")
    assert (scenario.demand.set, scenario.demand.unmet_usd_t) == ("allied-base", {"defence": 5e6, "default": 1e6})
    policy, shock = scenario.policy, scenario.shock
    assert policy.max_country_share == {"separation_heavy": 0.65}
    assert policy.stockpile_days == {"dy": 180, "tb": 180}
    (deal,) = policy.offtake
    assert (deal.site, deal.commodity, deal.t_yr, deal.from_year, deal.to_year) == (
        "kuantan",
        "ndpr-oxide",
        5000,
        2026,
        2035,
    )
    assert deal.floor_usd_kg == 110
    assert (policy.capex_grant_share, policy.budget_usd) == ({"separation_heavy": 0.30}, 5e9)
    (loss,), (ban,) = shock.lost, shock.export_ban
    assert (loss.id, loss.from_year, loss.to_year) == ("kuantan", 2028, 2029)
    assert (ban.country, ban.commodities, ban.from_year, ban.to_year) == ("CHN", ("dy-oxide", "tb-oxide"), 2026, None)
    assert shock.price_path == "china"
    assert (scenario.solver.time_limit_s, scenario.solver.gap_share, scenario.solver.seed) == (60, 0, 1)


def test_the_contract_names_only_what_the_tables_know(tables):
    assert resolve_access(scenario_from_toml(CONTRACT), tables).excluded >= {"CHN", "RUS", "MMR", "LAO"}


def test_what_is_resolved_can_be_read_again():
    scenario = scenario_from_toml(CONTRACT)
    assert scenario_from_dict(scenario.resolved()) == scenario


def test_only_a_name_is_needed():
    assert scenario_from_toml('name = "least"').horizon.years[0] == 2026
    assert [fault.where for fault in faults_of("")] == ["case.toml, name"]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (1, 'nam = "x"\nname = "a"'),
        (2, 'name = "a"\n[horizn]\nyears = [2030]'),
        (3, 'name = "a"\n[solver]\nsede = 1'),
        (4, 'name = "a"\n[policy]\nbudget_usd = 1e9\nmax_hub = 3'),
        (
            3,
            'name = "a"\n[policy]\nofftake = [{ site = "kuantan", commodity = "dy-oxide", tyr = 5, from = 2026, to = 2027 }]',
        ),
        (3, 'name = "a"\n[policy]\nmax_country_share = { separation = 0.65 }'),
        (3, 'name = "a"\n[policy.max_country_share]\nmagnet = 1.5'),
        (3, 'name = "a"\n[routes]\nmodes = ["rail", "air"]'),
        (3, 'name = "a"\n[horizon]\nyears = []'),
        (3, 'name = "a"\n[horizon]\nyears = [2030, 2030]'),
        (3, 'name = "a"\n[horizon]\nyears = [2031, 2030]'),
        (3, 'name = "a"\n[horizon]\nyears = [1999]'),
        (3, 'name = "a"\n[horizon]\nyears = [2030.5]'),
        (3, 'name = "a"\n[horizon]\ndiscount_share = 1.0'),
        (3, 'name = "a"\n[demand]\nunmet_usd_t = { defence = 5e6 }'),
        (3, 'name = "a"\n[demand]\nunmet_usd_t = { default = 0 }'),
        (3, 'name = "a"\n[coalition]\nmembers = "USA"'),
    ],
)
def test_a_fault_names_its_line_and_key(line, text):
    found = [fault.where for fault in faults_of(text)]
    assert any(where.startswith(f"case.toml, line {line}, ") for where in found), found


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e300", "-1.0"])
@pytest.mark.parametrize(
    "key",
    [
        "[horizon]\ndiscount_share = {}",
        "[coalition]\nmax_excluded_ownership_share = {}",
        "[routes]\nsurcharge_usd_t = {{ suez = {} }}",
        "[demand]\nunmet_usd_t = {{ default = {} }}",
        "[policy]\nmax_country_share = {{ magnet = {} }}",
        "[policy]\nbudget_usd = {}",
        "[policy]\nstockpile_days = {{ dy = {} }}",
        "[policy]\ncapex_grant_share = {{ magnet = {} }}",
        '[policy]\nofftake = [{{ site = "kuantan", commodity = "dy-oxide", t_yr = {}, from = 2026, to = 2027 }}]',
        "[solver]\ntime_limit_s = {}",
        "[solver]\ngap_share = {}",
    ],
)
def test_numbers_that_no_model_can_use_are_refused(key, value):
    assert faults_of(f'name = "a"\n{key.format(value)}\n')


@pytest.mark.parametrize(
    "text",
    [
        '[policy]\nofftake = [{ site = "kuantan", commodity = "dy-oxide", t_yr = 5, from = 2030, to = 2026 }]',
        '[shock]\nlost = [{ id = "kuantan", from = 2030, to = 2026 }]',
        '[shock]\nexport_ban = [{ country = "CHN", commodities = ["dy-oxide"], from = 2030, to = 2026 }]',
    ],
)
def test_years_that_run_backwards_are_refused(text):
    assert "from" in str(faults_of(f'name = "a"\n{text}')[0])


@pytest.mark.parametrize(
    "text", ["name = ", "\x00", 'name = "a"\nname = "b"', f"x = {'[' * 5000}{']' * 5000}", f"x = {'9' * 5000}"]
)
def test_what_is_not_toml_is_refused(text):
    assert faults_of(text)


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path):
    (tmp_path / "latin.toml").write_bytes(b'name = "caf\xe9"')
    for name in ("none.toml", "latin.toml"):
        with pytest.raises(DataError):
            read_scenario(tmp_path / name)
    (tmp_path / "good.toml").write_text('name = "good"', encoding="utf-8")
    assert read_scenario(tmp_path / "good.toml").name == "good"


def test_a_huge_file_is_refused():
    assert faults_of("#" * 1_000_001)


@pytest.mark.parametrize("name", ["../evil", "", "a/b", "-x", "x" * 81, "a\nb"])
def test_a_name_can_be_a_folder(name):
    with pytest.raises(DataError):
        scenario_from_dict({"name": name})


def test_all_faults_are_told_at_once():
    text = 'name = "a"\nnmae = 1\n[horizon]\nyears = [2031, 2030]\n[solver]\nseed = -1\nsede = 2\n'
    assert len(faults_of(text)) == 4


# Ids -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "unknown", "text"),
    [
        ("coalition.members", "five-eye", '[coalition]\nmembers = ["five-eye"]'),
        ("coalition.excluded", "CHI", '[coalition]\nexcluded = ["CHI"]'),
        ("routes.closed", "taiwan-strat", '[routes]\nclosed = ["taiwan-strat"]'),
        ("routes.surcharge_usd_t", "malaca", "[routes]\nsurcharge_usd_t = { malaca = 1.0 }"),
        ("demand.set", "allied", '[demand]\nset = "allied"'),
        ("demand.unmet_usd_t", "defense", "[demand]\nunmet_usd_t = { defense = 5e6, default = 1e6 }"),
        ("policy.stockpile_days", "dysprosium", "[policy]\nstockpile_days = { dysprosium = 5 }"),
        (
            "policy.offtake.site",
            "lynas",
            '[policy]\nofftake = [{ site = "lynas", commodity = "dy-oxide", t_yr = 5, from = 2026, to = 2027 }]',
        ),
        (
            "policy.offtake.commodity",
            "dy",
            '[policy]\nofftake = [{ site = "kuantan", commodity = "dy", t_yr = 5, from = 2026, to = 2027 }]',
        ),
        ("policy.must_open", "cand-x", '[policy]\nmust_open = ["cand-x"]'),
        ("policy.keep_closed", "cand-y", '[policy]\nkeep_closed = ["cand-y"]'),
        ("shock.lost", "kuantn", '[shock]\nlost = [{ id = "kuantn", from = 2028, to = 2029 }]'),
        (
            "shock.export_ban.country",
            "XXX",
            '[shock]\nexport_ban = [{ country = "XXX", commodities = ["dy-oxide"], from = 2026 }]',
        ),
        (
            "shock.export_ban.commodities",
            "dy",
            '[shock]\nexport_ban = [{ country = "CHN", commodities = ["dy"], from = 2026 }]',
        ),
        ("shock.price_path", "dump-2099", '[shock]\nprice_path = "dump-2099"'),
    ],
)
def test_an_unknown_id_is_an_error_never_ignored(tables, where, unknown, text):
    (fault,) = faults_of(f'name = "a"\n{text}', tables)
    assert fault.where == where
    assert f"'{unknown}'" in fault.found


def test_all_unknown_ids_are_told_at_once(tables):
    coalition = '[coalition]\nmembers = ["x"]\nexcluded = ["y"]\n'
    text = f'name = "a"\n{coalition}[routes]\nclosed = ["z"]\n[policy]\nmust_open = ["u", "v"]'
    assert len(faults_of(text, tables)) == 5


def test_a_near_miss_is_named(tables):
    assert "taiwan-strait" in faults_of('name = "a"\n[routes]\nclosed = ["taiwan-strat"]', tables)[0].fix


def test_nobody_is_member_and_excluded(tables):
    assert "USA" in faults_of('name = "a"\n[coalition]\nmembers = ["nato"]\nexcluded = ["USA"]', tables)[0].found


# Access ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("terminal", ["kuantan-port", "darwin"])
def test_ports_in_chinese_hands_close_at_a_quarter_not_at_one(tables, terminal):
    """Kuantan is held to 0.40, Darwin wholly; each is the whole port."""
    port = dict(zip(tables.terminals["terminal"], tables.terminals["port"], strict=True))[terminal]
    for limit, closed in ((0.25, True), (1.0, False)):
        access = access_of(tables, coalition={"excluded": ["CHN"], "max_excluded_ownership_share": limit})
        assert (port in access.closed_ports) is closed
    assert port not in access_of(tables, coalition={"max_excluded_ownership_share": 0.25}).closed_ports


def test_a_share_equal_to_the_limit_is_within_it(tables):
    for limit, closed in ((0.40, False), (0.39, True)):
        access = access_of(tables, coalition={"excluded": ["CHN"], "max_excluded_ownership_share": limit})
        assert ("kuantan-port" in access.closed_ports) is closed


def test_a_terminal_that_is_not_the_whole_port_closes_no_port(tables):
    """Piraeus is one operator's whole port; Felixstowe, wholly Hutchison's in the data, shares its port; so does Zeebrugge."""
    access = access_of(tables, coalition={"excluded": ["CHN"], "max_excluded_ownership_share": 0.1})
    part = tables.terminals[~tables.terminals["whole_port"] & (tables.terminals["port"] != "")]
    whole = set(tables.terminals.loc[tables.terminals["whole_port"], "port"])
    assert "piraeus" in access.closed_ports
    assert {"felixstowe", "zeebrugge"} <= set(part["port"])
    assert not (set(part["port"]) - whole) & set(access.closed_ports)


def test_unknown_ownership_is_barred_where_ownership_matters(tables):
    unknown = tables.mines[tables.mines["chinese_share"].isna()]["mine"]
    plants = tables.facilities.assign(chinese_share=np.nan)
    assert len(unknown)
    blank = Tables(**{**tables.__dict__, "facilities": plants})
    barred = access_of(blank, coalition={"excluded": ["CHN"], "max_excluded_ownership_share": 0.25}).barred_facilities
    assert set(unknown) | set(plants["facility"]) <= set(barred)
    assert (
        access_of(blank, coalition={"excluded": ["CHN"]})
        .barred_facilities.keys()
        .isdisjoint(tables.facilities.loc[~tables.facilities["site"].isin(sites_in(tables, "CHN")), "facility"])
    )


def sites_in(tables: Tables, *countries: str) -> set[str]:
    return set(tables.sites.loc[tables.sites["country"].isin(countries), "site"])


def test_chinese_owned_mines_abroad_are_barred_at_the_limit(tables):
    """Ngualla, Tanzania, is held to 0.84."""
    for limit, barred in ((0.25, True), (1.0, False)):
        access = access_of(tables, coalition={"excluded": ["CHN"], "max_excluded_ownership_share": limit})
        assert ("ngualla" in access.barred_facilities) is barred


def test_nothing_is_mined_or_made_or_calls_where_a_country_is_excluded(tables):
    access = access_of(tables, coalition={"excluded": ["CHN", "RUS"]})
    gone = sites_in(tables, "CHN", "RUS")
    assert gone <= set(access.barred_sites)
    assert set(tables.facilities.loc[tables.facilities["site"].isin(gone), "facility"]) <= set(access.barred_facilities)
    assert set(tables.mines["mine"]) & gone <= set(access.barred_facilities)
    assert set(tables.ports.loc[tables.ports["country"].isin(["CHN", "RUS"]), "port"]) <= set(access.closed_ports)


def test_ways_through_ice_are_closed_by_default(tables):
    assert access_of(tables).closed >= {"nw-passage", "nsr"}
    assert access_of(tables, routes={"closed": ["suez"]}).closed == access_of(tables).closed | {"suez"}


def test_a_closed_port_is_named_by_id_code_or_terminal(tables):
    port, code = next((p, c) for p, c in zip(tables.ports["port"], tables.ports["un_locode"], strict=True) if c)
    for name in (port, code):
        assert port in access_of(tables, routes={"closed": [name]}).closed_ports
    assert "piraeus" in access_of(tables, routes={"closed": ["piraeus"]}).closed_ports


def test_third_countries_supply_but_build_and_buy_nothing_new(tables):
    """With the USA and Australia alone as members, Malaysia's plants may supply, but get no new hub; Japan buys nothing."""
    access = access_of(tables, coalition={"members": ["USA", "AUS"], "excluded": ["CHN"]})
    there = tables.facilities["site"].isin(sites_in(tables, "MYS"))
    stands = tables.facilities["committed"]
    assert not set(tables.facilities.loc[there & stands, "facility"]) & set(access.barred_facilities)
    assert set(tables.facilities.loc[there & ~stands, "facility"]) <= set(access.barred_facilities)
    assert not sites_in(tables, "BRA") & set(tables.mines["mine"]) & set(access.barred_facilities)
    assert "market-jpn" in access.barred_sites
    assert "market-usa" not in access.barred_sites


def test_without_members_all_may_take_part(tables):
    access = access_of(tables)
    assert not access.members and not access.barred_sites and not access.barred_facilities


def test_what_is_kept_closed_is_barred(tables):
    access = access_of(tables, policy={"keep_closed": ["mountain-pass", "cand-lyon-magnet"]})
    assert set(access.barred_facilities) == {"mountain-pass", "cand-lyon-magnet"}


# Whatever comes --------------------------------------------------------------------------------------------------------


def quietly_read(text: str) -> Scenario | None:
    try:
        return scenario_from_toml(text)
    except DataError as error:
        assert error.faults and all(fault.where and fault.found and fault.fix for fault in error.faults)
        return None


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_change_to_a_scenario_raises_anything_but_its_faults(data):
    """Some characters are cut out of the contract's text, and others put in their place."""
    start = data.draw(st.integers(0, len(CONTRACT)))
    stop = data.draw(st.integers(start, min(len(CONTRACT), start + 40)))
    quietly_read(CONTRACT[:start] + data.draw(st.text(max_size=12)) + CONTRACT[stop:])


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(Scenario.model_fields)), st.data(), values)
def test_no_value_of_a_key_raises_anything_but_its_faults(part, data, value):
    raw = scenario_from_toml(CONTRACT).resolved()
    if isinstance(raw[part], dict) and data.draw(st.booleans()):
        raw[part][data.draw(st.sampled_from(sorted(raw[part])))] = value
    else:
        raw[part] = value
    try:
        scenario_from_dict(raw)
    except DataError as error:
        assert error.faults
