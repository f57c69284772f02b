"""Exposure limits, worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from hubplan.model.policy.exposure import REFERENCE_USD_T, add_exposure
from model.policy.books import broken, frame, with_rules
from model.worlds import World, solve

TABLES = {"commodities": frame("commodity value_usd_t", ("oxide", 100.0), ("metal", 900.0))}


def passages(ids: list[str]) -> pd.DataFrame:
    """Everything that leaves North passes the gate."""
    zones = [frozenset({"gate", "reef"}) if name.startswith("north") else frozenset({"reef"}) for name in ids]
    return pd.DataFrame({"route": ids, "zones": zones})


ROUTES = SimpleNamespace(passages=passages)


def world() -> World:
    """60 t of oxide, at 1 USD/t by the gate or 5 around it."""
    found = World(rule_usd_t=1e6)
    for name, opex in (("north", 1.0), ("south", 5.0)):
        found.mine(name, "oxide", 100.0, opex_usd_t=opex).lane("oxide", name, "user")
    return found.demand("user", "oxide", 60.0, unmet_usd_t=1e6)


def cost_at(share: float) -> float:
    policy = {"max_exposure_share": {"gate": share}}
    return solve(with_rules(world(), add_exposure, tables=TABLES, routes=ROUTES, policy=policy)).cost_usd


def test_a_share_of_the_value_may_pass() -> None:
    """0.3 of 60 t are 18 t by the gate at 1 and 42 around it at 5: 228."""
    assert cost_at(0.3) == pytest.approx(18 + 42 * 5)


def test_the_frontier_falls_and_bends_one_way() -> None:
    """Cost against exposure: 60 + 4 x 60 x (1 - share), straight here, as the ways around have room for all."""
    shares = [1.0, 0.75, 0.5, 0.25, 0.0]
    assert [cost_at(share) for share in shares] == pytest.approx([60 + 240 * (1 - share) for share in shares])


def test_value_counts_and_not_tonnes() -> None:
    """10 t of metal, worth 9,000, pass the gate and cannot else; at most half may, so as much value has to go around: the
    60 t of oxide, worth 6,000, go around, and 3,000 / 2 = 1,500 USD are too much: 9,000 - (9,000 + 6,000) / 2."""
    found = world().mine("north-smelter", "metal", 10.0).lane("metal", "north-smelter", "user")
    found.demand("user", "metal", 10.0, unmet_usd_t=1e6)
    policy = {"max_exposure_share": {"gate": 0.5}}
    inst = with_rules(found, add_exposure, tables=TABLES, routes=ROUTES, policy=policy)
    solution = solve(inst)
    assert broken(inst, solution) == {("max_exposure_share", "gate", 0): 1500.0}
    assert solution.cost_usd == pytest.approx(300 + 1500 * 1e6 / REFERENCE_USD_T)


def test_flows_within_a_site_are_not_shipped() -> None:
    """40 of 60 t stay at their site: of the 20 that are shipped half pass the gate at most, whatever stays at home."""
    found = world()
    found.mine("here", "oxide", 40.0).lane("oxide", "here", "user")
    found._lanes[-1] |= {"route": "on-site", "origin": "user"}
    policy = {"max_exposure_share": {"gate": 0.5}}
    inst = with_rules(found, add_exposure, tables=TABLES, routes=ROUTES, policy=policy)
    assert solve(inst).cost_usd == pytest.approx(10 * 1 + 10 * 5)


def test_a_zone_that_no_route_passes_has_no_rule_and_every_other_is_in_usd() -> None:
    policy = {"max_exposure_share": {"nowhere": 0.1, "reef": 0.9}}
    inst = with_rules(world(), add_exposure, tables=TABLES, routes=ROUTES, policy=policy)
    rules = inst.rules.table[["id", "unit", "penalty_usd"]].to_numpy().tolist()
    assert rules == [["reef", "USD", 10.0]]
