"""Family (12) of docs/model.md on instances solved by hand: rules over decisions, kept or broken at their price."""

from __future__ import annotations

import pytest

from hubplan.errors import NoPlanError
from hubplan.model.rulebook import HARD, WHOLE
from model.worlds import Term, World, cost, hub, shop, solve


def two_mines(*years: int, need_t: float | tuple[float, ...] = 30.0, **options: object) -> World:
    """Oxide from `cheap`, for nothing, or from `dear`, at 8 a tonne."""
    world = World(years or (2030,), **options)  # type: ignore[arg-type]
    for name, opex_usd_t in (("cheap", 0), ("dear", 8)):
        world.mine(name, "oxide", 100, opex_usd_t=opex_usd_t).lane("oxide", name, "user")
    return world.demand("user", "oxide", need_t)


# Sense and price -------------------------------------------------------------------------------------------------------


def test_what_is_short_of_a_least_is_paid_for():
    """At least 40 t from `dear`; 30 t wanted, so 30 come from there at 8, and 10 are paid for at 50."""
    world = two_mines(rule_usd_t=50.0)
    solution = solve(world.at_least("take", 40, *world.flows("dear", "oxide", 0), period=0).build())
    assert solution.broken == pytest.approx([10])
    assert solution.cost_usd == pytest.approx(30 * 8 + 10 * 50)


def test_a_rule_cheaper_to_break_is_broken():
    """At 5 the cheap mine serves all, and 40 t are paid for."""
    world = two_mines(rule_usd_t=5.0)
    solution = solve(world.at_least("take", 40, *world.flows("dear", "oxide", 0), period=0).build())
    assert solution.broken == pytest.approx([40])
    assert solution.cost_usd == pytest.approx(200)


@pytest.mark.parametrize(("penalty_usd", "broken_t", "usd"), [(50, 0, 10 * 8), (5, 10, 10 * 5)])
def test_what_is_over_a_most_is_avoided_or_paid_for(penalty_usd, broken_t, usd):
    """At most 20 t of 30 from `cheap`: 10 from `dear` at 8, or 10 over at 5."""
    world = two_mines()
    world.at_most("cap", 20, *world.flows("cheap", "oxide", 0), period=0, penalty_usd=penalty_usd)
    solution = solve(world.build())
    assert solution.broken == pytest.approx([broken_t], abs=1e-6)
    assert solution.cost_usd == pytest.approx(usd)


def test_a_rule_that_holds_by_itself_costs_nothing():
    world = two_mines()
    world.at_most("cap", 31, *world.flows("cheap", "oxide", 0)).at_least("take", -1, *world.flows("dear", "oxide", 0))
    solution = solve(world.build())
    assert solution.broken == pytest.approx([0, 0])
    assert solution.cost_usd == pytest.approx(0)


def test_a_hard_rule_holds_whatever_it_costs():
    """At least 25 t from `dear`, where breaking it has no price: 25 * 8."""
    world = two_mines()
    world.at_least("take", 25, *world.flows("dear", "oxide", 0), penalty_usd=HARD)
    solution = solve(world.build())
    assert solution.broken == pytest.approx([0])
    assert solution.cost_usd == pytest.approx(200)


def test_a_hard_rule_that_cannot_hold_leaves_no_plan():
    """At least 40 t taken of 30 wanted."""
    world = two_mines()
    world.at_least("take", 40, *world.flows("dear", "oxide", 0), penalty_usd=HARD)
    with pytest.raises(NoPlanError) as caught:
        solve(world.build())
    assert not caught.value.timed_out


# Periods ---------------------------------------------------------------------------------------------------------------


def test_a_breach_in_a_period_is_discounted_as_it_is():
    """10 t over in 2031, at 5, a tenth a year: 50 / 1.1."""
    world = two_mines(2030, 2031, discount_share=0.1)
    world.at_most("cap", 20, *world.flows("cheap", "oxide", 1), period=1, penalty_usd=5)
    assert cost(world.build()) == pytest.approx(50 / 1.1)


def test_a_rule_over_the_horizon_may_be_met_in_any_period():
    """30 t wanted in each of two years, at most 50 from `cheap` in all: the 10 that come from `dear` come late, at 8 / 1.1."""
    world = two_mines(2030, 2031, discount_share=0.1)
    both = [*world.flows("cheap", "oxide", 0), *world.flows("cheap", "oxide", 1)]
    solution = solve(world.at_most("cap", 50, *both, period=WHOLE).build())
    assert solution.cost_usd == pytest.approx(80 / 1.1)
    assert solution.run_t[1] == pytest.approx([0, 10])


def test_a_breach_over_the_horizon_is_not_discounted():
    """As above at 5 a tonne: 10 * 5 = 50, less than 80 / 1.1 = 72.7."""
    world = two_mines(2030, 2031, discount_share=0.1)
    both = [*world.flows("cheap", "oxide", 0), *world.flows("cheap", "oxide", 1)]
    assert cost(world.at_most("cap", 50, *both, penalty_usd=5).build()) == pytest.approx(50)


# Units -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", ["t", "t/yr", "t CO2", "USD"])
def test_limit_and_breach_are_in_the_units_of_the_rule(unit):
    """Each tonne from `cheap` counts 2.5: 30 t are 75 of 60 allowed. 15 over at 3 are 45; 6 t from `dear` would be 48."""
    world = two_mines()
    world.at_most("cap", 60, *world.flows("cheap", "oxide", 0, 2.5), period=0, unit=unit, penalty_usd=3)
    solution = solve(world.build())
    assert solution.broken == pytest.approx([15])
    assert solution.cost_usd == pytest.approx(45)


def test_money_over_a_budget_is_counted_in_dollars():
    """100 + 2 a t/yr at annuity 0.1, 220 to spend, a dollar over costs one. 100 t want 300: 80 over, and 300 * 0.1 a year: 110.
    Each of the last 40 t costs 2 * 1.1 = 2.2; missing it would cost 10."""
    world = hub(shop(), unmet_usd_t=10, sizes=(0, 500), fixed_usd=100, slope_usd_t_yr=2, annuity_share=0.1)
    world.at_most("spent", 220, ("opened", 1, 0, 100.0), ("size", 1, 0, 2.0), unit="USD", penalty_usd=1)
    solution = solve(world.build())
    assert solution.broken == pytest.approx([80])
    assert solution.cost_usd == pytest.approx(110)


def test_facilities_are_counted_whole_or_by_the_share_that_is_kept():
    """Two plants, of which 1.5 are to be kept, at 70 each: 60 t need 0.6 of `cheap` (40 a year, 24), so 0.9 of `dear` are kept
    for the rule (30 a year, 27). 51."""
    world = shop()
    hub(world, "cheap", need_t=0, existing=100, keep_usd_yr=40)
    hub(world, "dear", need_t=0, existing=100, keep_usd_yr=30, opex_usd_t=5)
    kept = [("kept", n, 0, 1.0) for n in (1, 2)]
    world.demand("user", "oxide", 60).at_least("keep", 1.5, *kept, unit="facilities", penalty_usd=70)
    solution = solve(world.build())
    assert solution.kept_share[1:, 0] == pytest.approx([0.6, 0.9])
    assert solution.cost_usd == pytest.approx(51)


# Decisions -------------------------------------------------------------------------------------------------------------


def left_over() -> World:
    """100 t of ore give 60 t of oxide, wanted, and 40 t of salt, of which 25 may be sold at 4 and what is held costs nothing."""
    world = World((2030, 2031), hold=["salt"], sell=["salt"], stock=["oxide"]).mine("mine", "ore", 1000)
    world.facility("hub", sizes=(0, 1000), takes={"ore": 1}, makes={"oxide": 0.6, "salt": 0.4}).lane(
        "ore", "mine", "hub"
    )
    world.lane("oxide", "hub", "user").demand("user", "oxide", (60, 0), unmet_usd_t=50)
    return world.note("byproducts", commodity="salt", period=0, limit_t=25.0, price_usd_t=4.0)


@pytest.mark.parametrize(
    ("kind", "sense", "limit", "usd"),
    [
        ("run", "at_most", 70, 30 - 100),
        ("size", "at_most", 70, 30 - 100),
        ("flow", "at_most", 36, 24 - 100),
        ("held", "at_most", 5, 10 - 100),
        ("sold", "at_most", 5, 20 - 100),
        ("stock", "at_least", 30, 0 - 100),
        ("opened", "at_most", 0, 1 - 100),
        ("unmet", "at_least", 20, 20 - 100),
    ],
)
def test_each_kind_of_decision_may_be_weighed(kind, sense, limit, usd):
    """Breaking a rule costs 1 a unit; oxide costs 50 a tonne to miss and salt sells at 4 (25 t: 100 earned), so rules give way:
    100 t run where 70 may, 60 are sent where 36 may, 15 held and 25 sold where 5 may, a hub opens where none may, and none of the
    20 t that were to go unserved does. A stock of 30 t is made for nothing."""
    world = left_over()
    salt, oxide = world.balance("salt", "hub"), world.balance("oxide", "hub")
    row = {"run": 1, "size": 1, "opened": 1, "flow": 1, "unmet": 0, "sold": salt, "held": salt, "stock": oxide}[kind]
    world.rule("one", (kind, row, 0, 1.0), sense=sense, limit=limit, period=0, penalty_usd=1)
    assert cost(world.build()) == pytest.approx(usd)


def test_what_does_not_exist_weighs_nothing():
    """A lane closed for the period, a plant that can never be built: the rule reads 0 >= 10, and 10 are paid for at 3."""
    world = two_mines()
    world.facility("never")
    terms: list[Term] = [("opened", 2, 0, 1.0), ("size", 2, 0, 1.0), ("kept", 2, 0, 1.0), ("stock", 0, 0, 1.0)]
    assert cost(world.at_least("much", 10, *terms, penalty_usd=3).build()) == pytest.approx(30)


def test_terms_of_one_decision_add_up():
    """Twice `cheap` less once `cheap` is once: 10 t over, at 5."""
    world = two_mines()
    terms = [*world.flows("cheap", "oxide", 0, 2.0), *world.flows("cheap", "oxide", 0, -1.0)]
    assert cost(world.at_most("cap", 20, *terms, penalty_usd=5).build()) == pytest.approx(50)
