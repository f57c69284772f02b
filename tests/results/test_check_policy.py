"""The checker on contracts, shares, exposure and carbon: what is broken in the small world, by how much and at what price."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from results.conftest import CO2_T_T, YEARS, moved, runs

from hubplan.data.scenario import scenario_from_dict
from hubplan.results.check import check_plan
from hubplan.results.plan import Plan, as_table
from hubplan.results.shares import build_shares, find_hhi

METAL = {period: 0.83 * sum(runs(period)["kobe-metal", f"{e}-oxide"] for e in ("ndpr", "dy", "tb")) for period in YEARS}
OXIDE = {period: METAL[period] / 0.83 for period in YEARS}


def asked(plan: Plan, *, demand: dict | None = None, **policy: object) -> Plan:
    """The plan as the answer to a scenario with more rules."""
    raw = plan.scenario.resolved()
    raw["policy"] |= policy
    raw["demand"] |= demand or {}
    return replace(plan, scenario=scenario_from_dict(raw))


def unlisted(plan: Plan, tables) -> dict[tuple[str, str, int], float]:
    """Rules that the checker finds broken and violations.csv does not list, with their amount."""
    found = {}
    for fault in check_plan(plan, tables):
        if fault.found.endswith("and not listed"):
            key, _, rest = fault.found.partition(" is broken by ")
            rule, *name, period = key.split(" ")
            found[rule, " ".join(name), int(period)] = float(rest.split(", and")[0].replace(",", ""))
    return found


def listed(plan: Plan, rows: dict[tuple[str, str, int], float], price_usd: float, unit: str = "t") -> Plan:
    more = pd.DataFrame([(*key, amount) for key, amount in rows.items()], columns=["rule", "id", "period", "amount"])
    more = more.assign(unit=unit, penalty_usd=more["amount"] * price_usd)
    return replace(plan, violations=as_table("violations", pd.concat([plan.violations, more], ignore_index=True)))


def about_violations(plan: Plan, tables) -> list[str]:
    return [str(fault) for fault in check_plan(plan, tables) if fault.where.startswith("violations.csv")]


def holds(plan: Plan, tables, rows: dict[tuple[str, str, int], float], price_usd: float, unit: str = "t") -> None:
    """The checker asks for these rows, takes them at this price, and at no other."""
    assert unlisted(plan, tables) == {key: pytest.approx(amount, rel=1e-6) for key, amount in rows.items()}
    assert about_violations(listed(plan, rows, price_usd, unit), tables) == []
    assert "the price of its rule" in about_violations(listed(plan, rows, 1.5 * price_usd, unit), tables)[0]
    off = {key: 1.01 * amount for key, amount in rows.items()}
    assert "by how much the rule is broken" in about_violations(listed(plan, off, price_usd, unit), tables)[0]


def test_shares_of_owners_sites_and_promises(plan, tables):
    """Kobe makes all metal: over 0.7 by 0.3 of it as owner and as site; Australia, promised a fifth, makes none."""
    held = asked(
        plan, max_owner_share={"metal": 0.7}, max_site_share={"metal": 0.7}, min_country_share={"metal": {"AUS": 0.2}}
    )
    rows = {}
    for period in YEARS:
        rows["max_owner_share", "metal/kobe-kk", period] = 0.3 * METAL[period]
        rows["max_site_share", "metal/kobe", period] = 0.3 * METAL[period]
        rows["min_country_share", "metal/AUS", period] = 0.2 * METAL[period]
    holds(held, tables, rows, 1e6)


def test_what_has_no_owner_breaks_no_owners_share(plan, tables):
    assert unlisted(asked(plan, max_owner_share={"magnet": 0.1}), tables) == {}


def test_a_rule_has_the_scenarios_price(plan, tables):
    """rule_usd_t is that of all rules, those of the plan too: their old price is wrong then."""
    dear = asked(plan, rule_usd_t=2e6)
    assert len(about_violations(dear, tables)) == len(plan.violations)


def test_one_third_country_is_capped_class_by_class(plan, tables):
    """All oxide that reaches Japan is Australia's: 0.35 of it is over 65 %. Its metal, alloy and magnets are its own."""
    goal = {"bloc": "JPN", "from": 2030, "max_third_country_share": 0.65}
    rows = {("self_supply", "JPN/oxide/AUS", period): 0.35 * OXIDE[period] for period in YEARS}
    holds(asked(plan, self_supply=[goal]), tables, rows, 1e6)


def test_benchmarks_of_a_bloc(plan, tables):
    """Japan needs, a year, oxide for 1,000 t of standard magnets (0.295) and 60 of high (0.298), over yields of 0.74, 0.99 and
    0.83, and mines, separates and recycles none; 2030 and 2031 are one period, and in force from 2031: half of it counts."""
    need = (1000 * 0.295 + 60 * 0.298) / 0.74 / 0.99 / 0.83
    goal = {"bloc": "JPN", "from": 2031, "mine_share": 0.1, "processing_share": 0.4, "recycling_share": 0.25}
    rows = {
        ("self_supply", f"JPN/{part}", period): share * need
        for part, share in (("extraction", 0.1), ("processing", 0.4), ("recycling", 0.25))
        for period in YEARS  # one year of each
    }
    holds(asked(plan, self_supply=[goal]), tables, rows, 1e6)


def test_a_bloc_that_digs_and_separates_enough_breaks_nothing(plan, tables):
    """Australia asks for nothing; with Japan what Japan needs: 0.2 + 0.03 + 0.02 + 0.005 of Hill's ore are magnet elements."""
    need = (1000 * 0.295 + 60 * 0.298) / 0.74 / 0.99 / 0.83
    dug = {period: 0.255 * runs(period)["hill", "mine"] for period in YEARS}
    goal = {"bloc": "quad", "from": 2030, "mine_share": 1.0}
    rows = {("self_supply", "quad/extraction", p): need * years - dug[p] for p, years in YEARS.items()}
    rows = {key: amount for key, amount in rows.items() if amount > 0}
    assert unlisted(asked(plan, self_supply=[goal]), tables) == pytest.approx(rows, rel=1e-6)
    assert unlisted(asked(plan, self_supply=[{"bloc": "AUS", "from": 2030, "mine_share": 1.0}]), tables) == {}


def test_contracts_of_one_site_add_up_and_pools_share_no_tonne(plan, tables):
    """Bay owes 300 + 200 t a year for 2030 and 2031, and with Kobe 100 more: 1,000 and 1,200, less what Bay sends."""
    sold = {"commodity": "ndpr-oxide", "from": 2030, "to": 2031}
    deals = [{"site": "bay", "t_yr": 300, **sold}, {"site": "bay", "t_yr": 200, **sold}]
    deals.append({"site": ["kobe", "bay"], "t_yr": 100, **sold})
    sent = runs(2030)["kobe-metal", "ndpr-oxide"]
    held = asked(plan, offtake=deals)
    held = replace(held, violations=plan.violations[plan.violations["rule"] != "offtake"].reset_index(drop=True))
    rows = {("offtake", "bay/ndpr-oxide", 2030): 1000 - sent, ("offtake", "bay+kobe/ndpr-oxide", 2030): 1200 - sent}
    holds(held, tables, rows, 1e6)


def test_targets_at_their_own_price(plan, tables):
    """Defence, 90 % asked of 60 t a year, gets 37 of each period; cars in Japan, a tenth of 700 asked, get more than that."""
    goals = [
        {"from": 2030, "buyer": "quad", "sector": "defence", "share": 0.9, "shortfall_usd_t": 3e6},
        {"from": 2030, "buyer": "market-jpn", "product": "magnet-standard", "share": 0.1},
    ]
    served = {period: moved(period)[-1][4] for period in YEARS}
    rows = {("procurement", "quad/defence/all", p): 0.9 * 60 * years - served[p] for p, years in YEARS.items()}
    holds(asked(plan, demand={"procurement": goals}), tables, rows, 3e6)


def test_exposure_is_in_usd(plan, tables):
    """Oxides, and nothing else, pass the gate; concentrate and magnets move elsewhere. The price is 1e6 / 1e5 = 10 a dollar."""
    value = tables.commodities.set_index("commodity")["value_usd_t"]
    moved_usd = plan.flows[plan.flows["route"] != "on-site"]
    moved_usd = moved_usd.assign(usd=moved_usd["flow_t"] * moved_usd["commodity"].map(value))
    total = moved_usd.groupby("period")["usd"].sum()
    past = moved_usd[moved_usd["commodity"].str.endswith("-oxide")].groupby("period")["usd"].sum()
    rows = {("max_exposure_share", "gate", p): past[p] - 0.25 * total[p] for p in YEARS}
    assert min(rows.values()) > 0
    holds(asked(plan, max_exposure_share={"gate": 0.25, "ice": 0.0}), tables, rows, 10.0, "USD")


def test_limits_of_co2_residue_and_thorium(plan, tables):
    """Of all plants and legs CO2 may be 1,000 t a year; Australia has 0.002 t of ThO2 in each t it cracks, and may have 1."""
    table = plan.emissions.set_index(["kind", "id", "period"])
    co2 = {p: sum(plan.emissions.query("kind in ('mode', 'facility') and period == @p")["co2_t"]) for p in YEARS}
    residue = {p: table.at[("country", "JPN", p), "residue_t"] for p in YEARS}
    held = asked(plan, max_co2_t_yr=1000.0, max_residue_t_yr={"JPN": 50.0}, max_thorium_t_yr={"AUS": 1.0, "JPN": 0.0})
    rows = {}
    for p, years in YEARS.items():
        rows["max_co2_t_yr", "all", p] = co2[p] - 1000 * years
        rows["max_residue_t_yr", "JPN", p] = residue[p] - 50 * years
        rows["max_thorium_t_yr", "AUS", p] = 0.002 * runs(p)["hill", "mine"] - years
    assert co2[2032] > CO2_T_T["crack_leach"] * runs(2032)["hill", "mine"]
    holds(held, tables, rows, 1e6)


def test_a_price_of_co2_is_a_line_of_cost(plan, tables):
    """At 50 USD/t the line is missing; written down, it is right, and no longer when it is a tenth higher."""
    priced = asked(plan, co2_usd_t=50.0)
    assert any("no row for carbon, 2030" in str(fault) for fault in check_plan(priced, tables))
    co2 = {p: sum(plan.emissions.query("kind in ('mode', 'facility') and period == @p")["co2_t"]) for p in YEARS}
    for factor, right in ((1.0, True), (1.1, False)):
        discount = dict(zip(plan.periods["period"], plan.periods["discount"], strict=True))
        lines = [("carbon", p, 50 * co2[p] * factor, 50 * co2[p] * factor * discount[p]) for p in YEARS]
        more = pd.DataFrame(lines, columns=plan.costs.columns[:4])
        told = replace(priced, costs=as_table("costs", pd.concat([plan.costs, more], ignore_index=True)))
        assert (not any("costs.csv" in f.where for f in check_plan(told, tables))) is right


def test_the_index_of_three_known_shares():
    """Refining in 2030: 77, 12 and 3 of 100 (IEA 2024, as reported): 5,929 + 144 + 9 = 6,082 at least, and with the other
    8 in one hand 64 more: 6,146. Mining: 54, 18, 9: 2,916 + 324 + 81 = 3,321 at least."""
    assert find_hhi([0.77, 0.12, 0.03]) == pytest.approx(6082)
    assert find_hhi([0.77, 0.12, 0.03, 0.08]) == pytest.approx(6146)
    assert find_hhi([0.54, 0.18, 0.09]) == pytest.approx(3321)


def test_shares_are_of_the_stage_and_unknown_owners_add_nothing(tables):
    """Of 100 t Kobe's owner has 77, Bay's 12, and 11 are nobody's: 5,929 + 144. By country Japan has 88: 7,744 + 144."""
    rows = [
        ("kobe-metal", "kobe", "JPN", 77.0),
        ("kobe-magnet", "kobe", "JPN", 11.0),
        ("bay-crack-leach", "bay", "AUS", 12.0),
    ]
    hubs = pd.DataFrame(rows, columns=["facility", "site", "country", "throughput_t"]).assign(
        stage="metal", period=2030
    )
    found = build_shares(hubs, tables).set_index(["kind", "id"])
    assert found.loc["owner", "share"].to_dict() == pytest.approx({"": 0.11, "bay-ltd": 0.12, "kobe-kk": 0.77})
    assert found.loc["owner", "hhi"].to_list() == pytest.approx([6073] * 3)
    assert found.loc["country", "hhi"].to_list() == pytest.approx([7744 + 144] * 2)
