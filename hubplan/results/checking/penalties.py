"""What breaking a rule costs, by its own price or the scenario's."""

from __future__ import annotations

from hubplan.results.checking import contingency, exposure_rules
from hubplan.results.checking.contracts import name_targets
from hubplan.results.checking.reading import Reading


def price_usd(reading: Reading, rule: str, id: str) -> float:
    """USD for each unit by which a rule is broken: of a tonne, unless the rule is in USD."""
    policy, demand = reading.plan.scenario.policy, reading.plan.scenario.demand
    usual = demand.unmet_usd_t["default"] if policy.rule_usd_t is None else policy.rule_usd_t
    if rule == contingency.RULE and policy.n_1 is not None:
        return policy.n_1.shortfall_usd_t
    if rule == exposure_rules.RULE:
        return usual / exposure_rules.REFERENCE_USD_T
    targets = name_targets(reading)
    return targets[id].shortfall_usd_t if rule == "procurement" and id in targets else usual
