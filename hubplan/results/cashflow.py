"""What the owner of each hub of a plan earns: sales, purchases, running and capital cost, at a price path (docs/support.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hubplan.data.chain import STOCKED, Chain, build_chain, heavy_process, light_process, recycling_process
from hubplan.data.frames import rows_of
from hubplan.data.scenario import Scenario
from hubplan.data.tables import Tables
from hubplan.model.build import STORAGE_SHARE_YR
from hubplan.model.calendar import Calendar, build_calendar, recovery_share
from hubplan.model.facilities import MINE_LIFE_YEARS
from hubplan.results.prices import PriceBook, read_prices

SMALLEST_T = 1e-2
"""Tonnes below which stock is the rounding of the other tables."""
KG = 1000.0
MONEY = (
    "revenue_usd", "contract_usd", "byproduct_usd", "purchases_usd", "freight_usd", "opex_usd", "storage_usd", "stock_usd",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class CashFlows:
    """Money of each hub by period, USD of the price year, undiscounted.

    Parameters
    ----------
    hubs
        ``facility``, ``period``, and: ``revenue_usd`` for what is delivered, ``contract_usd`` that offtake floors add to it,
        ``byproduct_usd``, ``purchases_usd`` of inputs and ``freight_usd`` (with transit and surcharge) on them, which the
        buyer pays, ``opex_usd`` fixed and variable, ``storage_usd``, ``stock_usd`` (change of the plant's stock at the
        period's price), ``margin_usd`` (all of these), ``capex_usd`` overnight, ``capital_usd`` (annuity on all new capital
        that stands), ``given_usd`` (grants of `policy.capex_grant_share`), ``cash_usd`` (margin less stock, less capital,
        with grants given), ``runs``.
    sales
        ``facility``, ``commodity``, ``period``, ``delivered_t``, ``volume_t`` made for sale (delivered, sold as by-product, or
        added to stock), ``price_usd_t`` (mean over the mines or grades in it), ``price_set``.
    npv_usd
        Facility to discounted ``cash_usd``: below 0, the hub does not earn its cost of capital.
    discount
        Factor of each period.
    """

    hubs: pd.DataFrame
    sales: pd.DataFrame
    npv_usd: pd.Series
    discount: Mapping[int, float]


def build_cash_flows(plan_tables: Mapping[str, pd.DataFrame], tables: Tables, scenario: Scenario) -> CashFlows:
    """Work out what every hub of a plan earns.

    Parameters
    ----------
    plan_tables
        ``hubs``, ``processes``, ``flows`` and ``surplus`` of a plan.

    Raises
    ------
    DataError
        A commodity or year has no price, neither on the path nor outside.

    Notes
    -----
    Plants that stand are sunk: they carry no capital. New capital is an annuity over the years of the horizon in which it
    stands, as in family (0) of docs/model.md, so that what is left at the end is neither free nor lost. What goes to
    stock is paid when it leaves; only what a stockpile rule asks to be stocked is bought, and kept, by the state.
    """
    calendar = build_calendar(scenario)
    prices = read_prices(tables, scenario, calendar)
    stock = _stock_changes(plan_tables, build_chain(tables))
    trade = _trade(plan_tables, prices, stock)
    hubs = plan_tables["hubs"].set_index(["facility", "period"]).sort_index()
    site = dict(zip(plan_tables["hubs"]["facility"], plan_tables["hubs"]["site"], strict=True))
    money = pd.DataFrame(0.0, index=hubs.index, columns=list(MONEY))

    def book(column: str, frame: pd.DataFrame, amount: pd.Series) -> None:
        keyed = amount.groupby([frame["facility"], frame["period"]]).sum()
        money[column] = money[column].add(keyed.reindex(money.index).fillna(0.0))

    book("revenue_usd", trade, trade["delivered_t"] * trade["price_usd_t"])
    book("byproduct_usd", trade, trade["byproduct_t"] * trade["price_usd_t"])
    contracts = _contracts(trade, site, scenario, calendar)
    book("contract_usd", contracts, contracts["payment_usd"])
    bought = plan_tables["flows"].rename(columns={"destination_facility": "facility"})
    paid = bought["flow_t"] * _price_of(bought, prices)
    book("purchases_usd", bought, paid)
    book("freight_usd", bought, bought["cost_usd"])
    money["opex_usd"] = hubs["opex_usd"]
    kept = {name.removesuffix("-oxide") + "-oxide" for name in scenario.policy.stockpile_days}
    own = trade[~trade["commodity"].isin(kept)]
    state = trade[trade["commodity"].isin(kept)]
    book("revenue_usd", state, state["stock_t"] * state["price_usd_t"])
    book("stock_usd", own, own["stock_t"] * own["price_usd_t"])
    book("storage_usd", *_storage(own, tables, calendar))
    return _close(money, hubs, trade, tables, scenario, calendar, prices)


def _close(
    money: pd.DataFrame,
    hubs: pd.DataFrame,
    trade: pd.DataFrame,
    tables: Tables,
    scenario: Scenario,
    calendar: Calendar,
    prices: PriceBook,
) -> CashFlows:
    """Add up margins, capital and net present value."""
    income = money[["revenue_usd", "contract_usd", "byproduct_usd", "stock_usd"]].sum(axis=1)
    outgo = money[["purchases_usd", "freight_usd", "opex_usd", "storage_usd"]].sum(axis=1)
    life = dict(zip(tables.stages["stage"], tables.stages["life_years"].astype(float), strict=True))
    rate = scenario.horizon.discount_share
    share = hubs["stage"].map(lambda stage: recovery_share(rate, life.get(stage, MINE_LIFE_YEARS)))
    years = dict(zip(calendar.first, calendar.block_years.tolist(), strict=True))
    discount = dict(zip(calendar.first, calendar.discount.tolist(), strict=True))
    standing = hubs.groupby(level="facility")["capex_usd"].cumsum()
    period = hubs.index.get_level_values("period")
    grants = scenario.policy.capex_grant_share
    closed = money.assign(
        margin_usd=income - outgo,
        capex_usd=hubs["capex_usd"],
        capital_usd=standing * share * period.map(years).to_numpy(float),
        given_usd=hubs["capex_usd"] * hubs["stage"].map(lambda stage: grants.get(stage, 0.0)).astype(float),
        runs=hubs["throughput_t"] > SMALLEST_T,
    )
    closed["cash_usd"] = closed["margin_usd"] - closed["stock_usd"] - closed["capital_usd"] + closed["given_usd"]
    npv = (closed["cash_usd"] * period.map(discount).to_numpy(float)).groupby(level="facility").sum()
    return CashFlows(
        hubs=closed.reset_index(), sales=_sales(trade, hubs, prices), npv_usd=npv.rename("npv_usd"), discount=discount
    )


def _price_of(frame: pd.DataFrame, prices: PriceBook) -> pd.Series:
    keys = zip(frame["commodity"], frame["mine"], frame["period"], strict=True)
    return pd.Series([prices.usd_t(*key) for key in keys], index=frame.index, dtype=float)


def _stock_changes(plan_tables: Mapping[str, pd.DataFrame], chain: Chain) -> pd.DataFrame:
    """Change of each plant's own stock: what it made of a stockable oxide, less what it shipped, held and sold."""
    stage = dict(zip(plan_tables["hubs"]["facility"], plan_tables["hubs"]["stage"], strict=True))
    made = []
    for run in rows_of(plan_tables["processes"]):
        name, _, tag = run.process.partition("@")
        at = stage.get(run.facility, "")
        if at == "separation_light":
            process = light_process(chain, tag)
        elif at == "separation_heavy":
            process = heavy_process(chain, tag)
        elif at == "recycling":
            swarf = name.startswith("swarf-")
            process = recycling_process(chain, name.removeprefix("swarf-") if swarf else tag, swarf=swarf)
        else:
            continue
        made += [(run.facility, c, run.period, run.input_t * t) for (c, _), t in process.makes.items() if c in STOCKED]
    columns = ["facility", "commodity", "period", "t"]
    flows = plan_tables["flows"].rename(columns={"origin_facility": "facility", "flow_t": "t"})[columns]
    surplus = plan_tables["surplus"].assign(t=plan_tables["surplus"]["held_t"] + plan_tables["surplus"]["sold_t"])[
        columns
    ]
    produced = pd.DataFrame(made, columns=columns)
    gone = pd.concat([flows, surplus])
    gone = gone[gone["commodity"].isin(STOCKED)].assign(t=lambda frame: -frame["t"])
    both = pd.concat([produced, gone[gone["facility"].isin(set(produced["facility"]))]])
    change = both.groupby(columns[:3], as_index=False, sort=True)["t"].sum()
    found: pd.DataFrame = change[change["t"].abs() > SMALLEST_T].rename(columns={"t": "stock_t"})
    return found


def _trade(plan_tables: Mapping[str, pd.DataFrame], prices: PriceBook, stock: pd.DataFrame) -> pd.DataFrame:
    """What each hub delivers, sells as by-product and puts into stock, by commodity, tag and period, with its price."""
    key = ["facility", "commodity", "mine", "period"]
    flows = plan_tables["flows"].rename(columns={"origin_facility": "facility", "flow_t": "delivered_t"})
    surplus = plan_tables["surplus"].rename(columns={"sold_t": "byproduct_t"})
    parts = [flows[[*key, "delivered_t"]], surplus[[*key, "byproduct_t"]], stock.assign(mine="")[[*key, "stock_t"]]]
    summed = pd.concat(parts, ignore_index=True).fillna({"delivered_t": 0.0, "byproduct_t": 0.0, "stock_t": 0.0})
    trade = summed.groupby(key, as_index=False, sort=True)[["delivered_t", "byproduct_t", "stock_t"]].sum()
    trade = trade[trade["facility"].isin(set(plan_tables["hubs"]["facility"]))].reset_index(drop=True)
    return trade.assign(price_usd_t=_price_of(trade, prices))


def _contracts(trade: pd.DataFrame, site: Mapping[str, str], scenario: Scenario, calendar: Calendar) -> pd.DataFrame:
    """What offtake floors add: the tonnes a contract covers, shared by the site's sellers, times floor less price.

    Where two contracts cover one commodity of a site, the higher floor is filled first.
    """
    columns = ["facility", "period", "payment_usd"]
    rows: list[tuple[str, int, float]] = []
    deals = [deal for deal in scenario.policy.offtake if deal.floor_usd_kg is not None]
    left = trade.assign(site=trade["facility"].map(site))
    left["open_t"] = left["delivered_t"]
    for deal in sorted(deals, key=lambda deal: -(deal.floor_usd_kg or 0.0)):
        share = calendar.mean(dict.fromkeys(range(deal.from_year, deal.to_year + 1), 1.0))
        asked = dict(zip(calendar.first, share * calendar.block_years * deal.t_yr, strict=True))
        here = left[(left["site"] == deal.site) & (left["commodity"] == deal.commodity) & (left["open_t"] > 0)]
        for period, group in here.groupby("period"):
            filled = min(1.0, asked[int(str(period))] / group["open_t"].sum())
            covered = group["open_t"] * filled
            left.loc[group.index, "open_t"] -= covered
            gap = ((deal.floor_usd_kg or 0.0) * KG - group["price_usd_t"]).clip(lower=0.0)
            rows += zip(group["facility"], group["period"], covered * gap, strict=True)
    return pd.DataFrame(rows, columns=columns).astype({"payment_usd": float})


def _storage(trade: pd.DataFrame, tables: Tables, calendar: Calendar) -> tuple[pd.DataFrame, pd.Series]:
    """Cost of keeping each plant's own stock, as the plan counts it: a share of value a year on what is there at the end."""
    value = dict(zip(tables.commodities["commodity"], tables.commodities["value_usd_t"].astype(float), strict=True))
    years = dict(zip(calendar.first, calendar.block_years.tolist(), strict=True))
    wide = trade.pivot_table(index=["facility", "commodity"], columns="period", values="stock_t", aggfunc="sum")
    closing = wide.reindex(columns=list(calendar.first)).fillna(0.0).cumsum(axis=1).clip(lower=0.0)
    long = closing.reset_index().melt(id_vars=["facility", "commodity"], var_name="period", value_name="stock_t")
    usd = long["stock_t"] * long["commodity"].map(value).astype(float) * STORAGE_SHARE_YR * long["period"].map(years)
    return long, usd.astype(float)


def _sales(trade: pd.DataFrame, hubs: pd.DataFrame, prices: PriceBook) -> pd.DataFrame:
    """Sales by commodity: contracts are about these."""
    frame = trade.assign(volume_t=(trade["delivered_t"] + trade["byproduct_t"] + trade["stock_t"]).clip(lower=0.0))
    weight = frame["volume_t"].where(frame["volume_t"] > 0, 1e-9)
    frame = frame.assign(weight=weight, value=weight * frame["price_usd_t"])
    key = ["facility", "commodity", "period"]
    summed = frame.groupby(key, as_index=False, sort=True)[["delivered_t", "volume_t", "weight", "value"]].sum()
    known = set(hubs.index)
    summed = summed[[key in known for key in zip(summed["facility"], summed["period"], strict=True)]]
    used = [prices.set_of(c, t) for c, t in zip(summed["commodity"], summed["period"], strict=True)]
    priced = summed.assign(price_usd_t=summed["value"] / summed["weight"], price_set=used)
    found: pd.DataFrame = priced[[*key, "delivered_t", "volume_t", "price_usd_t", "price_set"]].reset_index(drop=True)
    return found


def largest_stock_usd(flows: CashFlows) -> float:
    """Most that hubs together have in unsold stock at the end of any period, USD at the price it was made at."""
    wide = flows.hubs.pivot_table(index="facility", columns="period", values="stock_usd", aggfunc="sum").fillna(0.0)
    return float(np.max(wide.cumsum(axis=1).sum(axis=0).to_numpy(), initial=0.0))
