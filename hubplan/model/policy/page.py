"""Every policy family, in the order of docs/model.md."""

from __future__ import annotations

from hubplan.model.policy.contracts import add_offtakes, add_procurement
from hubplan.model.policy.funds import add_budget
from hubplan.model.policy.shares import add_shares
from hubplan.model.policy.stockpile import add_stockpile
from hubplan.model.rulebook import Rulebook, Rules


def write_rules(book: Rulebook) -> Rules:
    """Write the rules of a scenario, family by family."""
    add_offtakes(book)  # (13)
    add_shares(book)  # (14)
    add_stockpile(book)  # (15)
    add_budget(book)  # (16)
    add_procurement(book)  # (17)
    return book.finish()
