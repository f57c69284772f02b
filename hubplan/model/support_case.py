"""What the least support is worked out from: terms that the payer offers, and what hubs earn without support."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hubplan.errors import DataError, Fault

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

FORMS = ("grant", "floor", "cfd")
SMALLEST_USD = 1.0
"""Money below which an amount is the solver's rounding."""
LEAST_CONTRACT_T = 1.0
"""Tonnes a period below which nobody signs a contract."""


@dataclass(frozen=True, kw_only=True)
class SupportTerms:
    """What the payer offers.

    Parameters
    ----------
    forms
        Of `FORMS`: what may be used; with several, the cheapest mix.
    budget_usd
        Most discounted public money, paid back upside counted off; None is no limit.
    upside_share
        Share of the price above the strike of a contract for difference that goes back to the payer.
    max_grant_share
        Largest grant as a share of overnight capital, grants given in advance included.
    common_strike
        One strike for all hubs that sell a commodity, instead of one each.
    """

    forms: tuple[str, ...] = FORMS
    budget_usd: float | None = None
    upside_share: float = 0.3
    max_grant_share: float = 0.5
    common_strike: bool = False

    def __post_init__(self) -> None:
        faults = []
        if not self.forms or set(self.forms) - set(FORMS):
            faults.append(Fault("support.forms", repr(self.forms), f"at least one of {', '.join(FORMS)}"))
        for name in ("upside_share", "max_grant_share"):
            if not 0 <= getattr(self, name) <= 1:
                faults.append(Fault(f"support.{name}", f"{getattr(self, name)!r}", "a share from 0 to 1"))
        if self.budget_usd is not None and not self.budget_usd >= 0:
            faults.append(Fault("support.budget_usd", f"{self.budget_usd!r}", "USD, at least 0, or leave it out"))
        if faults:
            raise DataError(faults)


@dataclass(frozen=True, kw_only=True, eq=False)
class SupportCase:
    """What hubs earn without support, aligned.

    Parameters
    ----------
    hubs
        Ids, H of them.
    discount
        Factor of each period, shape (T,).
    npv_usd
        Discounted earnings less capital, as far as used within the horizon; shape (H,).
    margin_usd
        Operating margin in each period, shape (H, T).
    runs
        Whether a hub runs in a period, shape (H, T): one that stands idle has nothing to mothball.
    capex_usd
        Overnight capital spent in each period, shape (H, T).
    given_usd
        Grants given in advance, within `npv_usd` already; shape (H, T).
    product_hub, product
        Row of the hub, and commodity, of each product sold; P of them, the main product of a hub first.
    volume_t, price_usd_t
        Tonnes made for sale and price, shape (P, T).
    worth
        What keeping a hub is worth when not all can be kept, such as its discounted sales; shape (H,), above 0.
    """

    hubs: tuple[str, ...]
    discount: Floats
    npv_usd: Floats
    margin_usd: Floats
    runs: Bools
    capex_usd: Floats
    given_usd: Floats
    product_hub: Ints
    product: tuple[str, ...]
    volume_t: Floats
    price_usd_t: Floats
    worth: Floats

    def __post_init__(self) -> None:
        h, t, p = len(self.hubs), len(self.discount), len(self.product)
        shapes = {
            "npv_usd": (h,), "margin_usd": (h, t), "runs": (h, t), "capex_usd": (h, t), "given_usd": (h, t),
            "product_hub": (p,), "volume_t": (p, t), "price_usd_t": (p, t), "worth": (h,),
        }  # fmt: skip
        wrong = [
            Fault(f"support case, {name}", f"shape {getattr(self, name).shape}", f"give {shape}")
            for name, shape in shapes.items()
            if getattr(self, name).shape != shape
        ]
        numbers = (self.npv_usd, self.margin_usd, self.volume_t, self.price_usd_t, self.worth)
        if not wrong and not all(np.isfinite(array).all() for array in numbers):
            wrong.append(Fault("support case", "a number is missing", "give every amount and price"))
        if not wrong and (self.volume_t < 0).any():
            wrong.append(Fault("support case, volume_t", "is negative", "count what is made for sale"))
        if wrong:
            raise DataError(wrong)

    @property
    def contractable_t(self) -> Floats:
        """Tonnes that a contract can cover, shape (P, T)."""
        return np.where(self.volume_t >= LEAST_CONTRACT_T, self.volume_t, 0.0)

    @property
    def short(self) -> Bools:
        """Whether a hub needs support: it earns less than its capital costs, or would rather stop in some period."""
        stops = self.runs & (self.margin_usd < -SMALLEST_USD)
        return np.asarray((self.npv_usd < -SMALLEST_USD) | stops.any(axis=1))
