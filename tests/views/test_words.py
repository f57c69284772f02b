import pytest

from hubplan.views.words import FORM_COLOURS, FORM_OF, FORM_WORDS, counted, gap_words, listed, money, percent


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (1.234e9, "$1.23 bn"),
        (2.5e11, "$250 bn"),
        (9.99e6, "$9.99 M"),
        (-3.2e9, "$-3.20 bn"),
        (12.0, "$12"),
        (0, "$0"),
    ],
)
def test_money(usd, text):
    assert money(usd) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0 %"), (0.004, "0.4 %"), (0.5, "50 %"), (0.994, "99.4 %"), (1.0, "100 %")]
)
def test_percent(share, text):
    assert percent(share) == text


def test_gap_in_words():
    assert gap_words("optimal", 0.0) == "proven the best possible"
    assert gap_words("within_gap", 0.004) == "at most 0.40 % from the best possible"
    assert gap_words("time_limit", 0.02).endswith("stopped by its time limit")


def test_lists_in_sentences():
    assert listed([]) == "none" and listed(["a"]) == "a" and listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a", "b", "c", "d"], most=3) == "a, b and 2 more"
    assert counted(1, "plant") == "1 plant" and counted(2, "plant") == "2 plants"


def test_every_form_has_a_word_and_a_colour_of_its_own():
    assert set(FORM_OF.values()) == set(FORM_WORDS) == set(FORM_COLOURS)
    assert len(set(FORM_COLOURS.values())) == len(FORM_COLOURS)


def test_colours_stand_out_from_land_and_sea():
    """WCAG 2.2, 1.4.11: at least 3:1."""

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    for colour in FORM_COLOURS.values():
        for ground in ("#f3f1ec", "#d6e4ec"):
            light, dark = sorted((luminance(colour), luminance(ground)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 3.0
