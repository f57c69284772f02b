"""Limits on what may pass a zone, from flows, legs and values."""

from __future__ import annotations

from collections import defaultdict

from hubplan.results.checking.reading import ON_SITE, Reading, rows
from hubplan.results.checking.stockpiles import Short

RULE = "max_exposure_share"
REFERENCE_USD_T = 1e5
"""Price of a broken rule: that of a tonne for so many USD."""


def exposure_over(reading: Reading) -> Short:
    """By how many USD more passes a zone than its share of all that is shipped between sites."""
    limits = reading.plan.scenario.policy.max_exposure_share
    passed: defaultdict[str, set[str]] = defaultdict(set)
    for leg in rows(reading.plan.legs):
        passed[str(leg.route)].update(str(leg.chokepoints).split(";"))
    over: Short = {(RULE, zone, period): 0.0 for zone in limits for period in reading.blocks}
    for flow in rows(reading.plan.flows):
        if flow.route == ON_SITE:
            continue
        value_usd = float(flow.flow_t) * reading.value_usd_t[str(flow.commodity)]
        for zone, share in limits.items():
            over[RULE, zone, int(flow.period)] += value_usd * ((zone in passed[str(flow.route)]) - share)
    return over
