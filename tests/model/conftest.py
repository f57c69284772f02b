"""Small instances whose optima are worked out here."""

from __future__ import annotations

import pytest

from hubplan.model.instance import Instance
from model.worlds import World


def tiny_world(
    *, years: tuple[int, ...] = (2030,), discount_share: float = 0.0, need_t: float | tuple[float, ...] = 30.0
) -> World:
    """One mine, two hubs of half recovery, one user; hubs cost what they cost a year."""
    world = World(years, discount_share).mine("mine", "ore", 1000)
    for name, fixed_usd, inbound_usd_t, outbound_usd_t in (("north", 1000, 5, 2), ("south", 400, 9, 3)):
        world.facility(name, sizes=(0, 100), fixed_usd=fixed_usd, takes={"ore": 1}, makes={"oxide": 0.5})
        world.lane("ore", "mine", name, inbound_usd_t).lane("oxide", name, "user", outbound_usd_t)
    return world.demand("user", "oxide", need_t)


@pytest.fixture
def tiny() -> Instance:
    """30 t at half recovery needs 60 t in. North: 1000 + 60*5 + 30*2 = 1360. South: 400 + 60*9 + 30*3 = 1030."""
    return tiny_world().build()


@pytest.fixture
def tiny_blocks() -> Instance:
    """`tiny` over 2030-2031 and 2032, at a tenth a year: 60 t, then 30 t, wanted.

    Discount: (1 + 1/1.1)/2 = 0.954545 for the first block, 1/1.21 = 0.826446 for the second.
    South runs 120 t of ore in two years (60 a year) and 60 in one: (2*400 + 120*9 + 60*3)*0.954545 + 1030*0.826446 =
    2060*0.954545 + 1030*0.826446 = 1966.363636 + 851.239669 = 2817.603306. North, 2720*0.954545 + 1360*0.826446, is dearer.
    """
    return tiny_world(years=(2030, 2032), discount_share=0.1, need_t=(60.0, 30.0)).build()
