"""Small random instances for hypothesis: any number in them may be anything, and a plan always exists."""

from __future__ import annotations

from hypothesis import strategies as st
from model.worlds import World

from hubplan.model.instance import Instance
from hubplan.model.rulebook import HARD

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

    Ore keeps its mine until a hub separates it. The second element is demanded too, or left over and sold. Rules of either sense,
    over every kind of decision, may be there; only limits on what is built are hard, and building nothing meets them.
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
    _add_knowns(draw, world, mines, hubs)
    world.rule_usd_t = draw(thousands(1, 200))
    _add_soft_rules(draw, world, hubs)
    _add_hard_rules(draw, world, hubs)
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
        keep_usd_yr=0.0 if new else 1e3 * draw(thousands(0, 500)),
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


def _chance(draw: st.DrawFn) -> bool:
    return draw(st.integers(0, 2)) == 0


def _add_knowns(draw: st.DrawFn, world: World, mines: list[str], hubs: list[str]) -> None:
    """By-product markets, locks, reported output, purchases and growth, each in about a third of the instances."""
    period = draw(st.integers(0, len(world.years) - 1))
    if _chance(draw):
        for t in range(len(world.years)):
            limit_t, price_usd_t = draw(thousands(0, 40)), draw(thousands(0, 20))
            world.note("byproducts", commodity="dy", period=t, limit_t=limit_t, price_usd_t=price_usd_t)
    if _chance(draw):
        mine, country = draw(st.sampled_from(mines)), draw(st.sampled_from(COUNTRIES))
        world.note("locks", mine=mine, country=country, period=period, share=0.4)
    if _chance(draw):
        facility = world.row(draw(st.sampled_from(hubs)))
        world.note("output_limits", facility=facility, commodity="ndpr", period=period, output_t=draw(thousands(0, 30)))
    if _chance(draw):
        for t in range(len(world.years)):
            world.note("purchases", process=0, period=t, price_usd_t=draw(thousands(0, 10)))
    if _chance(draw):
        world.note("growth", stage="separation_light", period=period, most_t_yr=draw(thousands(10, 200)))


def _add_soft_rules(draw: st.DrawFn, world: World, hubs: list[str]) -> None:
    """Rules with a price, each in about a third of the instances: of one period, or of the whole horizon."""
    periods = range(len(world.years))
    t = draw(st.sampled_from(periods))
    if _chance(draw):
        hub = draw(st.sampled_from(hubs))
        world.at_least("offtake", draw(thousands(1, 50)), *world.flows(hub, "ndpr", t), period=t)
    if _chance(draw):
        share = draw(st.sampled_from([0.3, 0.65]))
        for country in COUNTRIES:
            terms = world.share_terms("separation_light", country, share, t)
            world.at_most("share", 0.0, *terms, id=country, period=t)
    if _chance(draw):
        world.at_least("stock", draw(thousands(1, 30)), *world.stocks("ndpr", t), period=t)
    if _chance(draw):
        wants = [("unmet", i, int(row["period"]), 1.0) for i, row in enumerate(world._demand)]
        world.at_most("unmet", draw(thousands(0, 50)), *wants)
    if _chance(draw):
        left = [(kind, b, at, 0.5) for kind in ("held", "sold") for b in world._balances.values() for at in periods]
        world.at_most("left over", draw(thousands(0, 20)), *left, unit="t CO2", penalty_usd=draw(thousands(1, 50)))
    if _chance(draw):
        kept = [("kept", world.row(hub), t, 1.0) for hub in hubs]
        penalty_usd = 1e3 * draw(thousands(0, 500))
        world.at_least("keep", 1.0, *kept, period=t, unit="facilities", penalty_usd=penalty_usd)


def _add_hard_rules(draw: st.DrawFn, world: World, hubs: list[str]) -> None:
    """Capital, number and size of what is built by the end: no price, no breach."""
    last = len(world.years) - 1
    rows = [world.row(hub) for hub in hubs]
    if _chance(draw):
        capital = [
            (kind, n, last, float(world._facilities[n][column]))
            for kind, column in (("opened", "capital_fixed_usd"), ("size", "capital_slope_usd_t_yr"))
            for n in rows
        ]
        world.at_most("budget", 1e3 * draw(thousands(10, 5000)), *capital, unit="USD", penalty_usd=HARD)
    if _chance(draw):
        hubs_open = [("opened", n, last, 1.0) for n in rows]
        world.at_most("number", draw(st.integers(0, 2)), *hubs_open, unit="facilities", penalty_usd=HARD)
    if _chance(draw):
        sizes = [("size", n, last, 1.0) for n in rows]
        world.at_most("size", draw(thousands(0, 200)), *sizes, unit="t/yr", penalty_usd=HARD)
