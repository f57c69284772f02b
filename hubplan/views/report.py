"""The report: one page for whoever decides, with what the plan is, what it costs, and what it rests on."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from hubplan.data.frames import rows_of
from hubplan.data.tables import Tables
from hubplan.results.coverage import ENOUGH, element_word, first_covered
from hubplan.results.plan import Plan
from hubplan.views.charts import map_svg, served_bars
from hubplan.views.keyfigures import key_figures
from hubplan.views.maps import asset
from hubplan.views.markup import Markup, html_table, tag
from hubplan.views.planmap import plan_map
from hubplan.views.tables import (
    basis_table,
    closed_table,
    country_names,
    demand_table,
    hub_table,
    last_period,
    list_hubs,
    place_table,
    stage_table,
    unmet_table,
    years_of,
)
from hubplan.views.words import STAGE_WORDS, counted, gap_words, listed, money, percent, short_name

_FULL = 0.99  # share of usable capacity from which a stage counts as full
_NEARLY_ALL = 0.95
_NAMED = 6  # places named in the answer
_LONGEST = 12  # rows of unmet demand that are written out
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def report_html(plan: Plan, tables: Tables) -> str:
    """Write the report of a plan as one HTML page, which needs no network and runs no script."""
    title = f"{plan.scenario.name}: where to process, and how to move"
    body = tag(
        "body",
        tag("h1", title),
        tag("p", _question(plan, tables), class_="dim"),
        tag("p", _answer(plan, tables), class_="lead"),
        _cards(plan, tables),
        _map(plan, tables),
        *_hubs(plan, tables),
        *_unmet(plan, tables),
        *_covered(plan),
        *_rests_on(plan, tables),
        *_closed(plan, tables),
        *_sources(plan, tables),
    )
    head = tag(
        "head",
        Markup('<meta charset="utf-8">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        tag("title", f"{plan.scenario.name} - hubplan report"),
        tag("style", Markup(asset("report.css"))),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def write_report_html(plan: Plan, tables: Tables, path: Path | str) -> None:
    """Write the report of a plan; see `report_html`."""
    Path(path).write_text(report_html(plan, tables), encoding="utf-8")


def _question(plan: Plan, tables: Tables) -> str:
    names, rules = country_names(tables), plan.scenario.coalition
    first, last = min(years_of(plan)), last_period(plan)
    who = listed(list(rules.members)) if rules.members else "all countries"
    parts = [f"The question: how can {who} get the magnets and oxides they need from {first} to {last}"]
    if plan.access.excluded:
        parts.append(
            f"with {listed([names.get(code, code) for code in sorted(plan.access.excluded)], most=6)} kept out"
        )
    if rules.max_excluded_ownership_share < 1:
        share = percent(rules.max_excluded_ownership_share)
        parts.append(f"no more than {share} of any mine, plant or terminal owned from there")
    zone = {str(row.zone): str(row.name) for row in rows_of(tables.zones)}
    shut = [zone.get(name, name) for name in plan.scenario.routes.closed]
    if shut:
        parts.append(f"and without passing {listed(shut, most=8)}")
    return ", ".join(parts) + "?"


def _answer(plan: Plan, tables: Tables) -> str:
    hubs = [hub for hub in list_hubs(plan) if hub.new]
    plants, mines = [hub for hub in hubs if hub.stage != "mine"], [hub for hub in hubs if hub.stage == "mine"]
    build = "Build nothing new"
    if plants:
        spent: dict[str, float] = {}
        for hub in plants:
            spent[hub.site] = spent.get(hub.site, 0.0) + hub.capex_usd
        name = {hub.site: short_name(hub.name) for hub in plants}
        largest = [name[site] for site in sorted(spent, key=lambda site: (-spent[site], site))]
        places = counted(len(spent), "place")
        build = f"Build {counted(len(plants), 'plant')} at {places}, the largest by cost {listed(largest[:_NAMED])}"
        if len(spent) == 1:
            build = f"Build {counted(len(plants), 'plant')} at {largest[0]}"
    more = f", and open {counted(len(mines), 'mine')}" if mines else ""
    capital = money(sum(hub.capex_usd for hub in hubs))
    served = listed([f"{percent(share)} in {period}" for period, share in _milestones(plan)])
    return (
        f"{build}{more}, for {capital} of capital. That serves {served} of the demand by weight. "
        f"In cost this plan is {gap_words(plan.status, plan.gap_share)}."
    )


def _milestones(plan: Plan) -> list[tuple[int, float]]:
    """Give the share served in the first period, the first after it that serves nearly all, and the last."""
    sums = plan.demand.groupby("period")[["demand_t", "served_t"]].sum()
    shares = [(int(p), float(s / d)) for p, d, s in sums.itertuples() if d > 0]
    if len(shares) < 2:
        return shares
    nearly = next((item for item in shares[1:-1] if item[1] >= _NEARLY_ALL), None)
    return [shares[0], *([nearly] if nearly else []), shares[-1]]


def _cards(plan: Plan, tables: Tables) -> Markup:
    cards = [
        tag(
            "div",
            tag("span", card.label, class_="dim"),
            tag("b", card.value),
            tag("span", card.note, class_="dim"),
            title=card.meaning,
        )
        for card in key_figures(plan, tables)
    ]
    return tag("div", *cards, class_="cards")


def _map(plan: Plan, tables: Tables) -> Markup:
    spec = plan_map(plan, tables)
    keys = [tag("span", tag("i", style=f"background:{form.colour}"), form.name) for form in spec.forms]
    words = (
        "Solid: sea; dotted: rail; dashed: road; wider: more tonnes. Triangle: mine; square: plant, yellow if new; "
        "diamond: market; red octagon: closed. Blue: coalition; grey: excluded."
    )
    credits = tag("p", "; ".join(spec.credits), class_="dim", style="font-size:11px")
    return tag("figure", map_svg(spec), tag("div", *keys, tag("span", words), class_="key"), credits, style="margin:0")


def _hubs(plan: Plan, tables: Tables) -> list[Markup]:
    places, last = place_table(plan, tables), last_period(plan)
    parts = [tag("h2", f"What to build, where, how large, when (capacity in {last})")]
    if len(places):
        new = hub_table(plan, tables, new=True)
        parts += [_table(places), tag("details", tag("summary", f"The same by stage, with use in {last}"), _table(new))]
    else:
        parts.append(tag("p", "Nothing: what stands and is under construction is used as it is."))
    old = hub_table(plan, tables, new=False)
    if len(old):
        summary = tag("summary", f"{len(old)} mines and plants used as they are, or as already planned")
        parts.append(tag("details", summary, _table(old)))
    return parts


def _unmet(plan: Plan, tables: Tables) -> list[Markup]:
    demand, unmet = demand_table(plan, tables), unmet_table(plan, tables)
    years = years_of(plan)
    sums = plan.demand.groupby("period")[["served_t", "unmet_t"]].sum()
    served = [float(sums["served_t"].get(p, 0.0)) / n for p, n in years.items()]
    short = [float(sums["unmet_t"].get(p, 0.0)) / n for p, n in years.items()]
    parts = [
        tag("h2", "What is served and what is not"),
        tag("p", "Share of demand served, and demand in t/yr, by period:"),
        served_bars([str(p) for p in years], served, short),
        _table(demand, shares=frozenset(str(p) for p in years)),
    ]
    if unmet.empty:
        parts.append(tag("p", f"All demand of {last_period(plan)} is served. {_held_back(plan, min(years))}".strip()))
        return parts
    largest = f"Largest unmet demand, {last_period(plan)}"
    parts.append(_table(unmet.head(_LONGEST), shares=frozenset({"Of demand"}), caption=largest))
    if len(unmet) > _LONGEST:
        parts.append(tag("p", f"and {len(unmet) - _LONGEST} smaller ones; demand.csv has them all.", class_="dim"))
    why = _held_back(plan, last_period(plan)) or (
        "No stage as a whole is full: what lacks is the right ore, the time to build, or a price worth paying."
    )
    stages = _table(stage_table(plan), shares=frozenset({"Use"}), caption=f"Use of each stage, {last_period(plan)}")
    return [*parts, tag("p", why), stages]


def _covered(plan: Plan) -> list[Markup]:
    """Say when each element is covered without the excluded countries, and what was on its critical path."""
    if plan.coverage.empty:
        return []
    ends = plan.coverage.sort_values("period").groupby("element")["covered_share"].last()
    rows = [
        {
            "Element": element_word(row.element),
            "Covered from": f"{row.period:.0f}" if row.period == row.period else "never",
            f"Covered in {last_period(plan)}": float(ends[row.element]),
            "Held back until then by": _path_words(row.binding),
        }
        for row in rows_of(first_covered(plan))
    ]
    words = (
        f"The first period in which {percent(ENOUGH)} of what demand needs of an element is served, less what was bought in "
        "excluded countries, and the stage whose capacity was worth most on its way in the period before."
    )
    table = _table(pd.DataFrame(rows), shares=frozenset({f"Covered in {last_period(plan)}"}))
    return [tag("h2", "When each element is covered"), tag("p", words), table]


def _path_words(binding: str) -> str:
    """``growth of metal`` with the stage in words."""
    kind, _, stage = binding.rpartition(" of ")
    return f"{kind} of {STAGE_WORDS.get(stage, stage)}" if kind else ""


def _held_back(plan: Plan, period: int) -> str:
    """Name the stages that are full in a period in which demand is unmet."""
    rows = plan.demand[plan.demand["period"] == period]
    if float(rows["unmet_t"].sum()) < 0.005 * float(rows["demand_t"].sum()):
        return ""
    stages = stage_table(plan, period=period)
    full = [str(stage) for stage, use in zip(stages["Stage"], stages["Use"], strict=True) if use >= _FULL]
    return f"Full in {period}, and so holding the rest back: {listed(full)}." if full else ""


def _rests_on(plan: Plan, tables: Tables) -> list[Markup]:
    basis = basis_table(tables)
    sums = {word: int(basis[word].sum()) for word in ("Reported", "Estimated", "Assumed")}
    total = max(sum(sums.values()), 1)
    return [
        tag("h2", "What it rests on"),
        tag(
            "p",
            f"Of {total:,} rows of data, {sums['Reported']:,} are reported by a source, {sums['Estimated']:,} "
            f"estimated and {sums['Assumed']:,} ({percent(sums['Assumed'] / total)}) assumed by this project. "
            f"The discounted cost is {money(plan.objective_usd)}; no plan under the same rules and data can cost "
            f"less than {money(plan.bound_usd)}, so this one is {gap_words(plan.status, plan.gap_share)}. Solved with "
            f"{plan.solver} in {sum(plan.seconds.values()):,.0f} s. manifest.json names every input by its SHA-256.",
        ),
        tag("details", tag("summary", "Rows by table and basis"), _table(basis)),
    ]


def _closed(plan: Plan, tables: Tables) -> list[Markup]:
    closed = closed_table(plan, tables)
    excluded = plan.access.excluded
    inside = int(tables.sites["country"].isin(excluded).sum())
    parts = [tag("h2", "What the rules close")]
    if excluded:
        names = country_names(tables)
        where = listed([names.get(code, code) for code in sorted(excluded)], most=10)
        parts.append(
            tag("p", f"In {where}: every mine, plant, port and overland way ({counted(inside, 'site')} of the data).")
        )
    parts.append(_table(closed) if len(closed) else tag("p", "Nothing else."))
    return parts


def _sources(plan: Plan, tables: Tables) -> list[Markup]:
    """List the sources of the mines, plants, zones and demand that the plan touches."""
    used = set(plan.hubs["facility"])
    named: set[str] = set(tables.demand["source"]) if "source" in tables.demand else set()
    for frame, key in ((tables.facilities, "facility"), (tables.mines, "mine")):
        named |= set(frame.loc[frame[key].isin(used), "source"])
    rows = [row for row in rows_of(tables.sources) if row.source in named]
    items = [tag("li", f"{row.title}. {row.url}" + (f" ({row.licence})" if row.licence else "")) for row in rows]
    summary = tag(
        "summary", f"{counted(len(rows), 'source')} of the mines, plants and demand in this plan; sources.csv has all"
    )
    return [tag("h2", "Sources"), tag("details", summary, tag("ul", *items, class_="sources"))]


def _table(frame: pd.DataFrame, *, shares: frozenset[str] = frozenset(), caption: str = "") -> Markup:
    """Write a frame as a table: shares as per cent, other numbers without decimals."""
    numeric = frozenset(i for i, column in enumerate(frame.columns) if pd.api.types.is_numeric_dtype(frame[column]))
    rows = [
        [_cell(value, share=str(column) in shares) for column, value in zip(frame.columns, row, strict=True)]
        for row in frame.itertuples(index=False)
    ]
    return html_table([str(column) for column in frame.columns], rows, numeric=numeric, caption=caption)


def _cell(value: object, *, share: bool) -> str:
    if isinstance(value, float) and value != value:
        return ""
    if share and isinstance(value, float):
        return percent(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 10 or value == 0 else f"{value:,.1f}"
    return str(value)
