import pytest

from hubplan.data.scenario import Scenario, read_scenario, scenario_from_dict, scenario_from_toml
from hubplan.data.shipped import shipped_path
from hubplan.views.tomltext import scenario_toml


@pytest.mark.parametrize("path", sorted(shipped_path("examples").glob("*.toml")), ids=lambda path: path.stem)
def test_every_example_comes_back_the_same(path):
    scenario = read_scenario(path)
    assert scenario_from_toml(scenario_toml(scenario)) == scenario


def test_nested_rules_come_back_the_same():
    scenario = scenario_from_dict(
        {
            "name": "all of it",
            "routes": {"surcharge_usd_t": {"malacca": 15.0}, "closed": ["suez"]},
            "policy": {
                "offtake": [
                    {
                        "site": "kuantan",
                        "commodity": "ndpr-oxide",
                        "t_yr": 5000,
                        "from": 2026,
                        "to": 2035,
                        "floor_usd_kg": 110,
                    }
                ],
                "budget_usd": 5e9,
                "max_hubs": 3,
            },
            "shock": {"lost": [{"id": 'odd "id" \\ {}', "from": 2028, "to": 2029}], "price_path": "dump\u007f2027"},
        }
    )
    assert scenario_from_toml(scenario_toml(scenario)) == scenario


def test_defaults_alone():
    scenario = Scenario(name="plain")
    assert scenario_from_toml(scenario_toml(scenario)) == scenario
