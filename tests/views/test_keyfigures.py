from dataclasses import replace

import pandas as pd

from hubplan.views.keyfigures import heavy_content, key_figures


def test_the_four_figures(plan, tables):
    """2035: 400 + 2,700 of 3,450 t; (200 + 4) M USD over 3,100 t; Dy: 3 % of 3,100 t of 3,400 t, and none of 50 t of oxide."""
    served, landed, heavy, exposure = key_figures(plan, tables)
    assert (served.value, served.note) == ("90 %", "3,100 of 3,450 t/yr; least: industry 0 %")
    assert (landed.value, landed.note) == ("$66 per kg", "$204 M a year")
    assert (heavy.value, heavy.note) == ("61 %", "93 of 152 t/yr")
    assert (exposure.value, exposure.note) == ("62 %", "of tonnes pass Sunda Strait")


def test_an_earlier_period(plan, tables):
    """2026 to 2029: 1,300 of 3,450 t in four years."""
    assert key_figures(plan, tables, period=2026)[0].note.startswith("325 of 862 t/yr")


def test_a_plan_that_moves_and_serves_nothing(plan, tables):
    idle = replace(plan, exposure=plan.exposure[:0], demand=plan.demand.assign(demand_t=0.0, served_t=0.0))
    values = [figure.value for figure in key_figures(idle, tables)]
    assert values == ["none asked", "nothing delivered", "none asked", "none"]


def test_the_period_from_which_elements_are_covered(plan, tables):
    """NdPr from 2030; of Dy and Tb the later counts, and one that never is counts as never."""
    rows = [("ndpr", 2026, 0.5), ("ndpr", 2030, 0.9), ("dy", 2026, 1.0), ("tb", 2026, 0.1), ("tb", 2035, 0.95)]

    def notes(rows):
        table = pd.DataFrame(rows, columns=["element", "period", "covered_share"])
        table = table.assign(need_t=1.0, served_t=1.0, independent_t=1.0, binding="growth of metal")
        figures = key_figures(replace(plan, coverage=table), tables)
        return [figures[n].note.rpartition("; ")[2] for n in (0, 2)]

    assert notes(rows) == ["NdPr 90 % covered from 2030", "Dy and Tb 90 % covered from 2035"]
    assert notes(rows[:-1]) == ["NdPr 90 % covered from 2030", "Dy and Tb never 90 % covered"]


def test_heavy_content_counts_grades_and_oxides(tables):
    assert heavy_content(tables) == {"magnet-high": 0.03, "dy-oxide": 1.0}
