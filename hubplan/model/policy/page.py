"""Every policy family, in the order of docs/model.md."""

from __future__ import annotations

from hubplan.model.policy.carbon import add_emission_limits
from hubplan.model.policy.contracts import add_offtakes, add_procurement
from hubplan.model.policy.exposure import add_exposure
from hubplan.model.policy.funds import add_budget, add_funds
from hubplan.model.policy.purchases import add_purchase_caps
from hubplan.model.policy.shares import add_self_supply, add_shares
from hubplan.model.policy.stockpile import add_release, add_stock_places, add_stockpile
from hubplan.model.rulebook import Rulebook, Rules


def write_rules(book: Rulebook) -> Rules:
    """Write the rules of a scenario, family by family."""
    add_offtakes(book)  # (14)
    add_shares(book)  # (15)
    add_stockpile(book)  # (16)
    add_budget(book)  # (17)
    add_procurement(book)  # (18)
    add_self_supply(book)  # (19)
    add_stock_places(book)  # (20)
    add_release(book)  # (21)
    add_purchase_caps(book)  # (22)
    add_funds(book)  # (23)
    add_exposure(book)  # (24)
    add_emission_limits(book)  # (25)
    return book.finish()
