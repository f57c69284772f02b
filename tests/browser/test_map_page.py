"""The exported pages in a real browser: they draw, they ask for nothing, they show any name as it stands."""

from __future__ import annotations

import pytest
from views.conftest import HOSTILE, make_plan, make_tables

from hubplan.views.maps import write_map_html
from hubplan.views.planmap import plan_map
from hubplan.views.report import write_report_html

pytestmark = pytest.mark.browser

ON_SCREEN = """([lat, lon]) => { const p = hubplanMap.latLngToContainerPoint([lat, lon]); const s = hubplanMap.getSize();
    return p.x > 0 && p.y > 0 && p.x < s.x && p.y < s.y }"""
INK = """([lat, lon]) => { const lane = hubplanMap.hubplanCanvas._container, p = hubplanMap.latLngToContainerPoint([lat, lon]);
    const box = lane.getBoundingClientRect(), own = hubplanMap.getContainer().getBoundingClientRect();
    const k = lane.width / box.width, x = (p.x + own.left - box.left) * k, y = (p.y + own.top - box.top) * k;
    const data = lane.getContext('2d').getImageData(x - 4, y - 4, 9, 9).data; let ink = 0;
    for (let i = 3; i < data.length; i += 4) ink += data[i]; return ink }"""


@pytest.fixture
def page(watched, tmp_path):
    write_map_html(plan_map(make_plan(), make_tables()), tmp_path / "map.html")
    watched.page.goto((tmp_path / "map.html").as_uri())
    watched.page.wait_for_function("window.hubplanReady > 0")
    yield watched.page
    assert watched.elsewhere == []
    assert watched.errors == []


def test_it_draws_and_asks_for_nothing(page, watched):
    assert [url for url in watched.requests if not url.startswith("data:")] == [page.url]
    page.wait_for_function(f"at => ({INK})(at) > 0", arg=[47.05, 170.3], timeout=5000)
    assert page.evaluate(INK, [0.0, 200.0]) == 0


def test_the_policy_refuses_a_request(page, watched):
    refused = page.evaluate("fetch('http://localhost:1/').then(() => 'sent', () => 'refused')")
    assert refused == "refused"
    assert any("Content Security Policy" in error for error in watched.errors)
    watched.errors.clear()


def test_hostile_names_are_shown_as_they_stand(page):
    page.get_by_role("button", name="2035").click()
    assert page.locator(".hp-label", has_text=HOSTILE).count() > 0
    assert page.locator("img").count() == 0
    assert page.get_by_role("button", name=HOSTILE, exact=True).count() > 0


def test_the_pacific_lane_is_whole_on_every_copy_of_the_world(page):
    """Between (50, -179.5) and (44, -200) the lane crosses the antimeridian; look at it from either side."""
    for centre in (170.0, -170.0):
        page.evaluate("lon => void hubplanMap.setView([45, lon], 4, {animate: false})", centre)
        for lat, lon in ((50.0, 180.5 - 360.0), (47.07, -189.5), (50.0, 180.5), (47.07, 170.5)):
            if page.evaluate(ON_SCREEN, [lat, lon]):
                page.wait_for_function(f"at => ({INK})(at) > 0", arg=[lat, lon], timeout=5000)


def test_a_key_opens_a_place_and_escape_closes_it(page):
    page.get_by_role("button", name="Saskatoon, plant").focus()
    page.keyboard.press("Enter")
    panel = page.get_by_role("region", name="Details")
    assert "magnet making (new)" in panel.inner_text()
    assert "5,600 of 8,000 t/yr" in panel.inner_text()
    page.keyboard.press("Escape")
    assert not panel.is_visible()


def test_a_click_on_a_line_tells_what_moves(page):
    page.evaluate("void hubplanMap.setView([50, -165], 3, {animate: false})")
    box = page.evaluate(
        "(() => { const p = hubplanMap.latLngToContainerPoint([52.0, -150.0]); "
        "const o = hubplanMap.getContainer().getBoundingClientRect(); return [p.x + o.left, p.y + o.top] })()"
    )
    page.mouse.click(*box)
    text = page.get_by_role("region", name="Details").inner_text()
    assert "3,000 t/yr by sea" in text and "Saskatoon" in text and "2,000 km" in text and "no strait or canal" in text


def test_years_change_lines_marks_and_tables(page):
    assert page.get_by_role("region", name="Places in 2035").inner_text().count("Saskatoon") == 1
    page.get_by_role("button", name="2026").click()
    assert page.get_by_role("region", name="Places in 2026").inner_text().count("Saskatoon") == 0
    page.wait_for_function(f"at => ({INK})(at) === 0", arg=[47.05, 170.3], timeout=5000)  # drawn in the next frame


def test_cargo_can_be_hidden_from_the_legend(page):
    page.get_by_role("button", name="magnet", exact=True).click()
    page.wait_for_function(f"at => ({INK})(at) === 0", arg=[47.05, 170.3], timeout=5000)  # drawn in the next frame
    page.get_by_role("button", name="magnet", exact=True).click()
    page.wait_for_function(f"at => ({INK})(at) > 0", arg=[47.05, 170.3], timeout=5000)


def test_labels_do_not_cover_each_other(page):
    boxes = page.evaluate("""Array.from(document.querySelectorAll('.hp-label')).filter(e => e.style.display !== 'none')
        .map(e => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom] })""")
    assert len(boxes) > 4
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            assert a[0] >= b[2] - 1 or b[0] >= a[2] - 1 or a[1] >= b[3] - 1 or b[1] >= a[3] - 1, (a, b)


def test_the_tables_can_be_reached_by_keyboard(page):
    page.get_by_role("region", name="Closed passages").focus()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Closed passages"
    page.get_by_role("button", name="Taiwan Strait", exact=True).last.click()
    assert "closed" in page.get_by_role("region", name="Details").inner_text()


def test_the_report_draws_and_asks_for_nothing(watched, tmp_path):
    write_report_html(make_plan(), make_tables(), tmp_path / "report.html")
    watched.page.goto((tmp_path / "report.html").as_uri())
    assert watched.page.get_by_role("img").count() == 2
    assert watched.page.get_by_text(HOSTILE).count() > 0
    assert watched.requests == [watched.page.url]
    assert watched.errors == []
