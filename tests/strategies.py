"""Small random instances for hypothesis: any number in them may be anything, and a plan always exists."""

from __future__ import annotations

from hypothesis import strategies as st
from model.worlds import World

from hubplan.model.instance import Instance

COUNTRIES = ("AUS", "JPN", "USA")


def amounts(least: float, most: float) -> st.SearchStrategy[float]:
    """Numbers with one decimal: neither tiny coefficients nor ties at the solver's tolerance."""
    return st.integers(round(least * 10), round(most * 10)).map(lambda tenths: tenths / 10)


def thousands(least: float, most: float) -> st.SearchStrategy[float]:
    """Thousands of t or of USD/t, so that costs are millions of USD: the solver tells no plans apart that differ by one USD."""
    return amounts(least, most).map(lambda thousand: thousand * 1e3)


@st.composite
def instances(draw: st.DrawFn) -> Instance:
    """One to three mines of two elements, one to three hubs that may be built or stand, one or two markets, one to three periods.

    Ore keeps its mine until a hub separates it. The second element is demanded too, or left over and sold. Every rule of policy
    may be there; only budget and number are hard, and they can always be met by building nothing.
    """
    years = draw(st.sampled_from([(2030,), (2030, 2031), (2030, 2032), (2030, 2031, 2034)]))
    world = World(years, draw(st.sampled_from([0.0, 0.08])), hold=["dy"], sell=["dy"], stock=["ndpr"])
    world.storage_usd_t_yr = draw(thousands(0, 5))
    mines = [f"mine-{i}" for i in range(draw(st.integers(1, 3)))]
    hubs = [f"hub-{i}" for i in range(draw(st.integers(1, 3 if len(years) < 3 else 2)))]
    markets = [f"market-{i}" for i in range(draw(st.integers(1, 2)))]
    for mine in mines:
        world.mine(mine, f"concentrate@{mine}", draw(thousands(0, 200)), opex_usd_t=draw(thousands(0, 5)))
    for hub in hubs:
        _add_hub(draw, world, hub, mines)
        for market in markets:
            for good in ("ndpr", "dy"):
                world.lane(good, hub, market, draw(thousands(0, 10)))
    for market in markets:
        for good in draw(st.sampled_from([("ndpr",), ("ndpr", "dy")])):
            for sector in draw(st.sampled_from([("all",), ("defence", "ev")])):
                need = [draw(thousands(0, 60)) for _ in years]
                world.demand(market, good, need, sector=sector, unmet_usd_t=draw(thousands(1, 300)))
    _add_rules(draw, world, mines, hubs)
    return world.build()


def _add_hub(draw: st.DrawFn, world: World, hub: str, mines: list[str]) -> None:
    smallest = draw(thousands(0, 60))
    new = draw(st.booleans())
    world.facility(
        hub,
        draw(st.sampled_from(["separation_light", "separation_heavy"])),
        country=draw(st.sampled_from(COUNTRIES)),
        existing=0.0 if new else draw(thousands(1, 120)),
        sizes=(smallest, smallest + draw(thousands(1, 150))) if new else (0.0, 0.0),
        fixed_usd=1e3 * draw(thousands(0, 3000)),
        slope_usd_t_yr=draw(thousands(0, 30)),
        annuity_share=draw(st.sampled_from([0.1, 1.0])),
        fixed_opex_share=draw(st.sampled_from([0.0, 0.04])),
        first=draw(st.integers(0, len(world.years))),
        ramp=draw(st.sampled_from([(1.0,), (0.5, 0.8, 1.0)])),
    )
    for mine in mines:
        if draw(st.integers(0, 3)):
            ndpr = draw(amounts(0.1, 0.7))
            world.lane(f"concentrate@{mine}", mine, hub, draw(thousands(0, 10)))
            made = {"ndpr": ndpr, "dy": round(0.9 - ndpr, 1)}
            world.process(
                hub,
                mine,
                {f"concentrate@{mine}": 1.0},
                made,
                opex_usd_t=draw(thousands(0, 8)),
                use=draw(amounts(0.5, 1.5)),
            )


def _add_rules(draw: st.DrawFn, world: World, mines: list[str], hubs: list[str]) -> None:
    """Each rule in about a third of the instances."""

    def chance() -> bool:
        return draw(st.integers(0, 2)) == 0

    world.rules["rule_usd_t"] = draw(thousands(1, 200))
    period = draw(st.integers(0, len(world.years) - 1))
    if chance():
        for t in range(len(world.years)):
            world.rule(
                "byproducts",
                commodity="dy",
                period=t,
                limit_t=draw(thousands(0, 40)),
                price_usd_t=draw(thousands(0, 20)),
            )
    if chance():
        world.rule(
            "locks",
            mine=draw(st.sampled_from(mines)),
            country=draw(st.sampled_from(COUNTRIES)),
            period=period,
            share=0.4,
        )
    if chance():
        world.rule(
            "offtakes",
            site=draw(st.sampled_from(hubs)),
            commodity="ndpr",
            period=period,
            amount_t=draw(thousands(1, 50)),
        )
    if chance():
        world.rule("country_shares", stage="separation_light", share=draw(st.sampled_from([0.3, 0.65])))
    if chance():
        world.rule("stock_needs", commodity="ndpr", period=period, amount_t=draw(thousands(1, 30)))
    if chance():
        facility = world.row(draw(st.sampled_from(hubs)))
        world.rule("output_limits", facility=facility, commodity="ndpr", period=period, output_t=draw(thousands(0, 30)))
    if chance():
        world.rule("growth", stage="separation_light", period=period, most_t_yr=draw(thousands(10, 200)))
    if chance():
        world.rules["budget_usd"] = 1e3 * draw(thousands(10, 5000))
    if chance():
        world.rules["max_hubs"] = draw(st.integers(0, 2))
