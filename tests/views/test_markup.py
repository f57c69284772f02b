from hypothesis import given
from hypothesis import strategies as st

from hubplan.views.markup import Markup, html_table, join, tag


@given(st.text(), st.text())
def test_text_never_becomes_markup(child, value):
    built = tag("p", child, title=value)
    assert isinstance(built, Markup)
    assert built.count("<") == 2 and built.count(">") == 2 and built.count('"') == 2


def test_markup_goes_in_as_it_is():
    assert tag("p", tag("b", "<"), "&", class_="x", data_y=1) == '<p class="x" data-y="1"><b>&lt;</b>&amp;</p>'
    assert join(["<", Markup("<br>")]) == "&lt;<br>"


def test_numbers_are_set_to_the_right():
    built = html_table(["a", "b"], [["x", "1"]], numeric=frozenset({1}))
    assert '<tr><th>a</th><th class="n">b</th></tr>' in built
    assert '<tr><td>x</td><td class="n">1</td></tr>' in built
