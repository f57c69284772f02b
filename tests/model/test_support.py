"""The least support, by hand: hubs with a few round numbers, two periods with discount factors 1 and 0.5."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubplan.errors import DataError
from hubplan.model.support import contract_payment_usd, solve_support
from hubplan.model.support_case import SupportCase, SupportTerms


def case(*hubs: dict, discount=(1.0, 0.5)) -> SupportCase:
    """Each hub has ``npv``, ``margin`` by period and ``sells``: (commodity, volumes, prices); M USD, kt and thousand USD/t."""
    t = len(discount)
    rows = [(h, *product) for h, hub in enumerate(hubs) for product in hub["sells"]]

    def each(key: str, default: list[float]) -> np.ndarray:
        return np.array([hub.get(key, default) for hub in hubs], dtype=float).reshape(len(hubs), t)

    return SupportCase(
        hubs=tuple(hub.get("name", f"hub-{h}") for h, hub in enumerate(hubs)),
        discount=np.array(discount),
        npv_usd=np.array([hub["npv"] for hub in hubs]) * 1e6,
        margin_usd=each("margin", [9.0] * t) * 1e6,
        runs=each("runs", [1.0] * t) > 0,
        capex_usd=each("capex", [0.0] * t) * 1e6,
        given_usd=each("given", [0.0] * t) * 1e6,
        product_hub=np.array([row[0] for row in rows]),
        product=tuple(row[1] for row in rows),
        volume_t=np.array([row[2] for row in rows], dtype=float).reshape(len(rows), t) * 1e3,
        price_usd_t=np.array([row[3] for row in rows], dtype=float).reshape(len(rows), t) * 1e3,
        worth=np.array([hub.get("worth", 1.0) for hub in hubs]),
    )


NDPR = ("ndpr-oxide", [0.1, 0.1], [50.0, 80.0])
"""100 t in each period at 50, then 80 USD/kg."""


@pytest.mark.parametrize(
    ("sold_t", "price_usd_kg", "full", "expected_usd"),
    [
        (525, 59, True, 26_775_000),
        (721, 59, True, 36_771_000),
        (525, 130, True, -3_150_000),
        (525, 130, False, 0),
        (525, 110, True, 0),
    ],
)
def test_contract_arithmetic_is_that_of_the_published_case(sold_t, price_usd_kg, full, expected_usd):
    """525,000 kg x (110 - 59) = 26.775 M USD; 721,000 x 51 = 36.771; 525,000 x 20 x 30 % = 3.15 goes back."""
    paid = contract_payment_usd(sold_t, price_usd_kg, strike_usd_kg=110, upside_share=0.3, full_production=full)
    assert paid == expected_usd


@pytest.mark.parametrize("wrong", [{"volume_t": -1.0}, {"price_usd_kg": -1.0}, {"upside_share": 1.1}])
def test_contract_refuses_what_makes_no_sense(wrong):
    with pytest.raises(ValueError, match="at least 0"):
        contract_payment_usd(
            **{"volume_t": 1.0, "price_usd_kg": 1.0, "strike_usd_kg": 1.0, "upside_share": 0.3, **wrong}
        )


def test_a_hub_that_earns_its_capital_gets_nothing():
    answer = solve_support(case({"npv": 1.0, "sells": [NDPR]}), SupportTerms())
    assert (answer.spent_usd, answer.least_usd, answer.missing_usd) == (0.0, 0.0, 0.0)
    assert answer.kept.all()
    assert np.isnan(answer.strike_usd_t).all()


def test_a_grant_pays_what_capital_lacks_and_no_more():
    """NPV -1 M USD, capital 10 M USD in the first period: a grant of 1 M USD at factor 1."""
    answer = solve_support(case({"npv": -1.0, "capex": [10.0, 0.0], "sells": [NDPR]}), SupportTerms(forms=("grant",)))
    assert answer.grant_usd == pytest.approx(np.array([[1e6, 0.0]]))
    assert answer.spent_usd == pytest.approx(1e6)


def test_a_grant_stops_at_its_share_of_capital_with_what_was_given():
    """Half of 10 M USD may be granted, 4.5 are given: 0.5 is left where 1 is needed; half of 13 leaves 2."""
    hub = {"npv": -1.0, "capex": [10.0, 0.0], "given": [4.5, 0.0], "sells": [NDPR]}
    answer = solve_support(case(hub), SupportTerms(forms=("grant",)))
    assert (answer.kept.any(), answer.reason, answer.spent_usd) == (False, {"hub-0": "forms"}, 0.0)
    answer = solve_support(case({**hub, "capex": [13.0, 0.0]}), SupportTerms(forms=("grant",)))
    assert answer.grant_usd[0, 0] == pytest.approx(1e6)


def test_a_grant_does_not_pay_for_running():
    """Margin -2 M USD in the first year: capital money does not help, and a top-up of 2 M / 100 t = 20 USD/kg does."""
    hub = {"npv": 0.5, "margin": [-2.0, 5.0], "capex": [100.0, 0.0], "sells": [NDPR]}
    assert solve_support(case(hub), SupportTerms(forms=("grant",))).reason == {"hub-0": "forms"}
    answer = solve_support(case(hub), SupportTerms(forms=("grant", "floor")))
    assert answer.grant_usd.sum() == 0.0
    assert answer.strike_usd_t[0] == pytest.approx(np.array([70e3, np.nan]), nan_ok=True)
    assert answer.payment_usd[0] == pytest.approx(np.array([2e6, 0.0]))


def test_a_hub_that_stands_idle_has_nothing_to_stop():
    """The same, not running in the first year: its NPV is positive, so nothing is paid."""
    hub = {"npv": 0.5, "margin": [-2.0, 5.0], "runs": [0.0, 1.0], "sells": [NDPR]}
    assert solve_support(case(hub), SupportTerms(forms=("floor",))).spent_usd == 0.0


def test_a_floor_is_level_where_it_may_be():
    """NPV -1: 100 t x d x (1 + 0.5) = 1 M USD, d = 6.667 USD/kg in both years: strikes 56.67 and 86.67, cost 1 M USD."""
    answer = solve_support(case({"npv": -1.0, "sells": [NDPR]}), SupportTerms(forms=("floor",)))
    assert answer.strike_usd_t == pytest.approx(np.array([[56_666.67, 86_666.67]]), rel=1e-4)
    assert answer.spent_usd == pytest.approx(1e6, rel=1e-6)


def test_a_contract_for_difference_takes_upside_back():
    """Margin -2 in the first year: strike 70. In the second the price is 80: 100 t x 10 x 30 % = 0.3 M USD goes back.

    Cost: 2 - 0.5 x 0.3 = 1.85 M USD, less than the 2 of a floor, so a mix takes the contract too.
    """
    hub = {"npv": 0.5, "margin": [-2.0, 5.0], "sells": [NDPR]}
    for forms in (("cfd",), ("floor", "cfd"), ("grant", "floor", "cfd")):
        answer = solve_support(case(hub), SupportTerms(forms=forms, upside_share=0.3))
        assert answer.is_cfd.all(), forms
        assert answer.strike_usd_t == pytest.approx(np.array([[70e3, 70e3]]))
        assert answer.payment_usd == pytest.approx(np.array([[2e6, -0.3e6]]))
        assert answer.spent_usd == pytest.approx(1.85e6)


def test_upside_is_not_taken_from_what_running_costs():
    """NPV -1, margin 0.5 in the second year: 100 t x 30 % x (80 - s) <= 0.5 M USD gives s >= 63.33.

    Without that, 100 x (s - 50) - 0.5 x 30 x (80 - s) = 1,000 would give 62.61. Cost 1.3333 - 0.25 = 1.0833 M USD.
    """
    answer = solve_support(case({"npv": -1.0, "margin": [0.5, 0.5], "sells": [NDPR]}), SupportTerms(forms=("cfd",)))
    assert answer.strike_usd_t[0] == pytest.approx(np.array([63_333.33, 63_333.33]), rel=1e-6)
    assert answer.spent_usd == pytest.approx(1.083333e6, rel=1e-6)


def test_nobody_signs_what_leaves_it_poorer():
    """Margin -0.1 in the first year: strike 51 pays 0.1 M USD, and 1 kt sold at 80 later would owe 8.7 M USD, or 4.35 now.

    The least strike that gives as much as it takes: 0.1 (s - 50) = 0.5 x 0.3 x 1 x (80 - s): s = 68. It costs nothing, but
    pays 1.8 M USD in the first year and takes 3.6 in the second.
    """
    hub = {"npv": 5.0, "margin": [-0.1, 9.0], "sells": [("ndpr-oxide", [0.1, 1.0], [50.0, 80.0])]}
    answer = solve_support(case(hub), SupportTerms(forms=("cfd",)))
    assert answer.payment_usd[0] == pytest.approx(np.array([1.8e6, -3.6e6]), rel=1e-4)
    assert answer.spent_usd == pytest.approx(0.0, abs=200.0)


def test_a_budget_too_small_keeps_what_is_worth_most_and_says_what_is_missing():
    """Hubs lack 3, 2 and 2 M USD and are worth 4, 3 and 3. 4 M USD keep the second and third: 6, not 4. Missing: 7 - 4 = 3."""
    hubs = [{"npv": -lack, "worth": worth, "sells": [NDPR]} for lack, worth in ((3.0, 4.0), (2.0, 3.0), (2.0, 3.0))]
    answer = solve_support(case(*hubs), SupportTerms(forms=("floor",), budget_usd=4e6))
    assert answer.kept.tolist() == [False, True, True]
    assert answer.reason == {"hub-0": "budget"}
    assert answer.spent_usd == pytest.approx(4e6, rel=1e-6)
    assert (answer.least_usd, answer.missing_usd) == pytest.approx((7e6, 3e6), rel=1e-6)


def test_a_budget_that_just_does_is_enough():
    answer = solve_support(case({"npv": -1.0, "sells": [NDPR]}), SupportTerms(forms=("floor",), budget_usd=1.00001e6))
    assert answer.kept.all()
    assert answer.missing_usd == 0.0


def test_one_strike_for_two_hubs_pays_the_better_one_too():
    """Both sell 100 t a year at one price; they lack 1 M and 0.25 M USD. A common top-up must be 6.667 USD/kg for the first.

    It then pays the second as much: 2 M USD, where two strikes cost 1.25. A grant to the first alone lowers it again.
    """
    hubs = [{"npv": -1.0, "capex": [10.0, 0.0], "sells": [NDPR]}, {"npv": -0.25, "sells": [NDPR]}]
    apart = solve_support(case(*hubs), SupportTerms(forms=("floor",)))
    assert apart.spent_usd == pytest.approx(1.25e6, rel=1e-5)
    common = solve_support(case(*hubs), SupportTerms(forms=("floor",), common_strike=True))
    assert common.spent_usd == pytest.approx(2e6, rel=1e-5)
    assert common.strike_usd_t[0] == pytest.approx(common.strike_usd_t[1])
    mixed = solve_support(case(*hubs), SupportTerms(forms=("grant", "floor"), common_strike=True))
    assert mixed.grant_usd[0, 0] == pytest.approx(0.75e6, rel=1e-4)
    assert mixed.spent_usd == pytest.approx(1.25e6, rel=1e-5)


def test_a_common_strike_within_a_budget_pays_only_who_is_kept():
    """As above with 0.5 M USD: the second alone is kept, for 0.25 M USD."""
    hubs = [{"npv": -1.0, "sells": [NDPR]}, {"npv": -0.25, "sells": [NDPR]}]
    answer = solve_support(case(*hubs), SupportTerms(forms=("floor",), common_strike=True, budget_usd=0.5e6))
    assert answer.kept.tolist() == [False, True]
    assert answer.payment_usd[0].sum() == 0.0
    assert answer.spent_usd == pytest.approx(0.25e6, rel=1e-5)


def test_a_trickle_does_not_carry_a_plant():
    """2 t at 50 USD/kg against a gap of 10 M USD: a strike of 5,000 USD/kg is nobody's contract."""
    hub = {"npv": -10.0, "sells": [("y-oxide", [0.002, 0.0], [50.0, 50.0])]}
    assert solve_support(case(hub), SupportTerms(forms=("floor",))).reason == {"hub-0": "forms"}


@pytest.mark.parametrize(
    "wrong",
    [{"forms": ()}, {"forms": ("loan",)}, {"upside_share": 2.0}, {"budget_usd": -1.0}, {"max_grant_share": -0.1}],
)
def test_terms_that_make_no_sense_are_refused(wrong):
    with pytest.raises(DataError):
        SupportTerms(**wrong)


hub_numbers = st.fixed_dictionaries(
    {
        "npv": st.floats(-5, 2),
        "margin": st.lists(st.floats(-3, 4), min_size=2, max_size=2),
        "capex": st.lists(st.floats(0, 8), min_size=2, max_size=2),
        "volume": st.lists(st.floats(0.2, 2), min_size=2, max_size=2),
    }
)


@settings(max_examples=8, deadline=None)
@given(
    numbers=st.lists(hub_numbers, min_size=1, max_size=3),
    rise=st.lists(st.floats(0, 20), min_size=2, max_size=2),
    forms=st.sampled_from([("floor",), ("grant", "floor"), ("grant", "floor", "cfd")]),
)
def test_higher_prices_never_need_more_support(numbers, rise, forms):
    """A price that is higher by ``rise`` adds volume x rise to margins and, discounted, to NPV. What is paid meets every rule."""
    price, discount = np.array([60.0, 40.0]), np.array([1.0, 0.5])

    def at(extra):
        hubs = []
        for one in numbers:
            gain = np.array(one["volume"]) * extra
            moved = {"npv": one["npv"] + float(gain @ discount), "margin": (np.array(one["margin"]) + gain).tolist()}
            hubs.append({**one, **moved, "sells": [("ndpr-oxide", one["volume"], (price + extra).tolist())]})
        return case(*hubs)

    terms = SupportTerms(forms=forms)
    low, high = at(np.zeros(2)), at(np.array(rise))
    before, after = solve_support(low, terms), solve_support(high, terms)
    if before.kept.all() and after.kept.all():
        assert after.least_usd <= before.least_usd * (1 + 2e-4) + 100.0
    for given_case, answer in ((low, before), (high, after)):
        earned = given_case.npv_usd + answer.grant_usd @ discount
        np.add.at(earned, given_case.product_hub, answer.payment_usd @ discount)
        margin = given_case.margin_usd.copy()
        np.add.at(margin, given_case.product_hub, answer.payment_usd)
        assert (earned[answer.kept] >= -10.0).all()
        assert (margin[answer.kept] >= -10.0).all()
        assert (answer.grant_usd <= given_case.capex_usd * 0.5 + 10.0).all()
        assert answer.spent_usd >= -10.0
