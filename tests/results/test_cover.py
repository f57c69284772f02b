"""What a plan has without one country, and the stock that makes up for the rest.

The plan is that of `conftest`: a mine at Hill and its plants at Bay in Australia, magnets at Kobe for Japan. It makes 513 t of
NdPr oxide in 2030 and 2031 (256.5 t a year) and 427.5 t in 2032. A tonne of standard magnet takes 0.295 / 0.99 / 0.74 / 0.83 =
0.485151 t of it, one of high grade 0.27 in place of 0.295: 0.444036. For 1,000 and 60 t a year: 511.793 t.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hubplan.data.chain import STOCKED
from hubplan.errors import DataError
from hubplan.results.checking.recipes import Run
from hubplan.results.checking.works import Works
from hubplan.results.cover import _Trace, build_cover, find_independent_supply, find_needs

PER_T = 1 / 0.99 / 0.74 / 0.83
NDPR_NEED_T_YR = (1000 * 0.295 + 60 * 0.27) * PER_T


def cover(plan, tables, element="ndpr", **options):
    found = build_cover(plan, tables, **{"without": "CHN", "ban_from": "2031-01", "ban_months": [24], **options})
    return found[found["element"] == element].iloc[0]


def supply(plan, tables, element="ndpr", period=2030, **options):
    found = find_independent_supply(plan, tables, **{"without": "CHN", **options})
    return found.loc[(found["element"] == element) & (found["period"] == period), "supply_t_yr"].sum()


def sold_to_australia(plan, tables):
    """The same, with the market in Australia."""
    sites = tables.sites.assign(country=tables.sites["country"].where(tables.sites["site"] != "market-jpn", "AUS"))
    return plan, replace(tables, sites=sites)


def test_need_is_that_of_magnets_outside(plan, tables):
    needs = find_needs(plan, tables, without="CHN").set_index(["element", "period"])["need_t_yr"]
    assert needs["ndpr", 2030] == pytest.approx(NDPR_NEED_T_YR)
    assert needs["ndpr", 2032] == pytest.approx(NDPR_NEED_T_YR)
    assert needs["dy", 2032] == pytest.approx(60 * 0.025 * PER_T)
    assert find_needs(plan, tables, without="JPN").empty


def test_stock_for_two_years_without_china(plan, tables):
    """2031: 511.793 - 256.5 = 255.293 short; 2032: 84.293 more. 339.586 t are 242.2 days; nothing is held for January."""
    found = cover(plan, tables, level=True)
    assert found["need_t"] == pytest.approx(2 * NDPR_NEED_T_YR)
    assert found["supply_t"] == pytest.approx(256.5 + 427.5)
    assert found["stock_needed_t"] == pytest.approx(339.586, abs=1e-3)
    assert found["days_of_cover"] == pytest.approx(339.586 / 511.793 * 365, abs=1e-3)
    assert (found["held_t"], found["runs_out_month"]) == (0.0, "2031-01")
    assert (found["ended_month"], found["ended_by"]) == ("", "")


def test_every_element_and_length_has_its_row(plan, tables):
    found = build_cover(plan, tables, without="CHN", ban_from="2030-01", ban_months=(6, 12, 24))
    assert len(found) == 3 * len(STOCKED)
    assert not found.duplicated(["element", "ban_months"]).any()
    ndpr = found[found["element"] == "ndpr"]["stock_needed_t"].to_numpy()
    assert ndpr[0] == pytest.approx((NDPR_NEED_T_YR - 256.5) / 2)  # flat up to the middle of the first period
    assert (np.diff(ndpr) > 0).all()


def test_heavy_elements_are_made_in_plenty(plan, tables):
    """Dy: 0.2 x 0.92 x 256.5 t of heavy concentrate, 47.2 t in two years, for 2.5 t a year; what is left over is held."""
    found = cover(plan, tables, "dy", level=True, ban_from="2032-01", ban_months=[12])
    assert found["stock_needed_t"] == 0
    assert found["held_t"] == pytest.approx(0.2 * 0.92 * 256.5 - 50 * 0.025 / 0.99 / 0.83)
    assert (found["runs_out_month"], found["ended_month"]) == ("", "")


def test_hubs_that_come_on_end_the_gap(altered, tables):
    """700 t of standard magnets ask for 339.606 t a year. From July 2031: 83.106 / 2 = 41.553 t short until 2032 gives 427.5."""
    plan = altered("demand", lambda table: table[table["sector"] == "ev"])
    found = cover(plan, tables, level=True, ban_from="2031-07", ban_months=[12])
    assert found["stock_needed_t"] == pytest.approx((700 * 0.295 * PER_T - 256.5) / 2)
    assert (found["ended_month"], found["ended_by"]) == ("2032-01", "bay-separation-light")
    sooner = cover(plan, tables, ban_from="2031-07", ban_months=[12])
    assert sooner["stock_needed_t"] < found["stock_needed_t"]  # along lines the hub's growth of 2032 begins before
    assert "2031-07" < sooner["ended_month"] <= "2032-01"


def test_a_stock_lasts_until_the_month_it_is_gone(altered, tables):
    """700 t of magnets ask for 339.606 t: 28.3 t a month; 21.375 come: of 10 t held nothing is left after 1.44 months."""
    plan = altered("demand", lambda table: table[table["sector"] == "ev"])
    stock = {
        "site": "bay", "commodity": "ndpr-oxide", "period": 2030, "opening_t": 0.0, "added_t": 10.0, "drawn_t": 0.0,
        "closing_t": 10.0, "days_of_cover": 0.0,
    }  # fmt: skip
    runs = plan.processes.assign(
        input_t=np.where(
            plan.processes["period"] == 2032, plan.processes["input_t"] * 256.5 / 427.5, plan.processes["input_t"]
        )
    )
    held = replace(plan, stocks=pd.concat([plan.stocks, pd.DataFrame([stock])], ignore_index=True), processes=runs)
    found = cover(held, tables, level=True, ban_from="2032-01", ban_months=[12])
    assert found["held_t"] == 10.0
    assert found["runs_out_month"] == "2032-02"


def test_nothing_is_left_without_the_country_that_mines(plan, tables):
    assert supply(plan, tables) == pytest.approx(256.5)
    assert supply(plan, tables, without="AUS") == 0
    assert supply(plan, tables, without="AUS", form="magnet") == 0


def test_oxide_outside_does_not_help_where_magnets_are_made_inside(plan, tables):
    """Sold to Australia, without Japan: all the oxide is Australian, no magnet is."""
    plan, tables = sold_to_australia(plan, tables)
    assert supply(plan, tables, without="JPN") == pytest.approx(256.5)
    assert supply(plan, tables, without="JPN", form="magnet") == 0
    whole = cover(plan, tables, without="JPN", form="magnet")
    assert whole["stock_needed_t"] == pytest.approx(2 * NDPR_NEED_T_YR)


def test_magnets_served_count_as_the_oxide_in_them(plan, tables):
    """All NdPr oxide goes into magnets, so they hold what was made."""
    assert supply(plan, tables, form="magnet") == pytest.approx(256.5)


def part_from_china(plan, commodity, share):
    """A share of what Kobe's metal plant takes comes from Baotou instead."""
    here = plan.flows["commodity"] == commodity
    theirs = plan.flows[here].assign(
        origin="baotou", origin_facility="baotou-metal", flow_t=plan.flows["flow_t"] * share
    )
    ours = plan.flows.assign(flow_t=plan.flows["flow_t"].where(~here, plan.flows["flow_t"] * (1 - share)))
    return replace(plan, flows=pd.concat([ours, theirs], ignore_index=True))


def test_mixed_goods_carry_their_share_on(plan, tables):
    """Half of the NdPr is Chinese: half of every magnet is. Half of the dysprosium: half of the high grade, no other."""
    half = part_from_china(plan, "ndpr-oxide", 0.5)
    assert supply(half, tables, form="magnet") == pytest.approx(256.5 / 2)
    assert supply(half, tables, without="AUS", form="magnet") == 0  # the other half
    dy = part_from_china(plan, "dy-oxide", 0.5)
    high_t_yr = 50 * 0.74 / 2 * 0.27 * PER_T
    assert supply(dy, tables, form="magnet") == pytest.approx(256.5 - high_t_yr / 2)
    assert supply(dy, tables, "dy", form="magnet") == pytest.approx(50 * 0.74 / 2 * 0.025 * PER_T / 2)


def test_a_way_through_the_country_counts_as_stopped(altered, tables):
    plan = altered("legs", lambda legs: legs.assign(countries=legs["countries"] + ";CHN"))
    assert supply(plan, tables) == 0  # the concentrate's way to Bay too
    only_sea = altered(
        "legs", lambda legs: legs.assign(countries=legs["countries"].where(legs["mode"] != "sea", "CHN"))
    )
    assert supply(only_sea, tables) == pytest.approx(256.5)
    assert supply(only_sea, tables, form="magnet") == 0


def test_what_is_bought_or_kept_inside_helps_nobody(plan, tables):
    """Without Japan, whose market alone is served; and of stocks at Bay and Kobe, what a ban by either country leaves."""
    assert supply(plan, tables, without="JPN", form="magnet") == 0
    cells = plan.stocks[(plan.stocks["commodity"] == "dy-oxide") & (plan.stocks["period"] == 2030)]
    both = replace(plan, stocks=pd.concat([plan.stocks, cells.assign(site="kobe", closing_t=5.0)], ignore_index=True))
    held = {
        country: cover(both, tables, "dy", without=country, ban_from="2032-01", ban_months=[12])["held_t"]
        for country in ("CHN", "AUS", "JPN")
    }
    at_bay = float(cells["closing_t"].iloc[0])
    assert held == pytest.approx({"CHN": at_bay + 5, "AUS": 5, "JPN": at_bay})


def test_markets_inside_are_not_served_for_us(plan, tables):
    """Japan's magnets made in Japan, sold at a market in China: no supply to us, though no step before it is Chinese."""
    sites = tables.sites.assign(country=tables.sites["country"].where(tables.sites["site"] != "market-jpn", "CHN"))
    assert supply(plan, replace(tables, sites=sites), form="magnet") == 0


def works(name, country):
    numbers = {
        "stands_t_yr": 0.0, "stands_from": 0.0, "smallest_t_yr": 0.0, "largest_t_yr": 0.0, "earliest": 0.0, "fixed_usd": 0.0,
        "slope_usd_t_yr": 0.0, "annuity_share": 0.0, "fixed_opex_share": 0.0, "opex_usd_t": 0.0,
    }  # fmt: skip
    return Works(facility=name, site=name, stage="metal", country=country, ramp=(1.0,), **numbers)


def test_swarf_that_goes_round_carries_the_share_of_its_round():
    """100 t of oxide: 60 Chinese, 30 our own, 10 back from swarf: s = (30 + 10 s) / 100, so s = 1/3."""
    oxide, swarf = ("oxide", ""), ("swarf", "")
    trace = _Trace(
        works={name: works(name, "CHN" if name == "far" else "AUS") for name in ("far", "mine", "plant", "again")},
        without="CHN",
        stopped=set(),
        activities=[
            ("far", Run({}, {oxide: 1.0}), 60.0), ("mine", Run({}, {oxide: 1.0}), 30.0),
            ("plant", Run({oxide: 1.0}, {swarf: 0.2}), 100.0), ("again", Run({swarf: 1.0}, {oxide: 0.5}), 20.0),
        ],
        arrivals={
            ("plant", *oxide): [((place, *oxide), t, True) for place, t in (("far", 60.0), ("mine", 30.0), ("again", 10.0))],
            ("again", *swarf): [(("plant", *swarf), 20.0, True)],
        },
    )  # fmt: skip
    done, goods = trace.shares()
    assert done == pytest.approx([0, 1, 1 / 3, 1 / 3], abs=1e-8)
    assert goods["plant", "oxide", ""] == pytest.approx(1 / 3, abs=1e-8)


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"ban_from": "2033-01"}, "ban_from"), ({"ban_from": "2031"}, "ban_from"), ({"ban_from": "2031-13"}, "ban_from"),
        ({"without": "XYZ"}, "without"), ({"form": "metal"}, "form"), ({"ban_months": [25]}, "ban_months"),
    ],
)  # fmt: skip
def test_what_the_plan_does_not_know_is_refused(plan, tables, options, where):
    with pytest.raises(DataError, match=where):
        cover(plan, tables, **options)
