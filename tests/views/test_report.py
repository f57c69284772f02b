import re
from dataclasses import replace

import pandas as pd
import pytest

from hubplan.views.charts import served_bars
from hubplan.views.report import report_html, write_report_html

from .conftest import HOSTILE


@pytest.fixture(scope="module")
def html(plan, tables):
    return report_html(plan, tables)


def words(html):
    import html as escapes

    return re.sub(r"\s+", " ", escapes.unescape(re.sub(r"<[^>]+>", " ", html)))


def test_it_answers_what_where_how_large_and_when(html):
    text = words(html)
    assert "Build 1 plant at Saskatoon, for $200 M of capital. That serves 38 % in 2026 and 90 % in 2035" in text
    assert "Saskatoon Canada magnet making 2030 8,000 5,600 200" in text
    assert "at most 0.31 % from the best possible" in text


def test_it_says_what_is_unmet_and_what_is_closed(html):
    text = words(html)
    assert "Japan magnets, high grade electric vehicles 300 10 %" in text
    assert "terminal darwin: Chinese owners hold 100%, above the limit of 25%" in text
    assert "closed by the scenario" in text


def test_it_says_what_it_rests_on(html, tables):
    from hubplan.views.tables import basis_table

    basis = basis_table(tables)
    total = int(basis[["Reported", "Estimated", "Assumed"]].sum().sum())
    assert f"Of {total:,} rows of data" in words(html)
    assert "https://example.org" in words(html)


def test_names_stand_as_they_are_and_nothing_runs(html):
    assert HOSTILE in words(html)
    assert "<img" not in html and "<script" not in html and "{{7*7}}" in html
    assert re.search(r"Content-Security-Policy\" content=\"default-src 'none'", html)
    assert not re.search(r"<[^>]+ (?:src|href|on\w+)=", html)


def test_all_served(plan, tables):
    whole = replace(plan, demand=plan.demand.assign(served_t=plan.demand["demand_t"], unmet_t=0.0))
    assert "All demand of 2035 is served." in words(report_html(whole, tables))


def test_a_full_stage_is_named(plan, tables):
    hubs = plan.hubs.assign(throughput_t=plan.hubs["throughput_t"].where(plan.hubs["stage"] != "magnet", 8000.0))
    assert "and so holding the rest back: magnet making." in words(report_html(replace(plan, hubs=hubs), tables))


def test_written_as_one_file(plan, tables, tmp_path):
    write_report_html(plan, tables, tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size < 300_000


def test_bars_say_share_and_total():
    assert "25 % of 400" in served_bars(["2035"], [100.0], [300.0])
    assert "none asked of 0" in served_bars(["2035"], [0.0], [0.0])


def test_the_page_says_when_each_element_is_covered_and_what_held_it_back(plan, tables):
    rows = [("dy", 2026, 0.5, "growth of metal"), ("dy", 2035, 0.95, "none"), ("tb", 2035, 0.3, "capacity of mine")]
    table = pd.DataFrame(rows, columns=["element", "period", "covered_share", "binding"])
    page = report_html(replace(plan, coverage=table.assign(need_t=1.0, served_t=1.0, independent_t=1.0)), tables)
    assert "Dy 2035 95 % growth of metal making" in words(page)
    assert "Tb never 30 % capacity of mine" in words(page)
    assert "When each element is covered" not in report_html(plan, tables)
