"""Names from elsewhere are text in spreadsheets, Markdown and cards, and nothing else."""

import pytest

from hm_models.shown.escaping import code_span, csv_cell, markdown_text, one_line


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1+cmd", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "=-1", "-x", "+"],
)
def test_a_cell_that_could_be_a_formula_is_text(cell):
    assert csv_cell(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["-0.5", "+3", "-1e-05", "-inf", "nan", ".5", "", "a=b", "x", "α"])
def test_numbers_and_words_stay_as_they_are(cell):
    assert csv_cell(cell) == cell


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a|b", "a\\|b"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("[a](b)", "[a\\](b)"),
        ("[a][b]", "[a\\][b]"),
        ("[a]: b", "[a\\]: b"),
        ("`x` *y* $z$ ~s~", "\\`x\\` \\*y\\* \\$z\\$ \\~s\\~"),
        ("_x_ fulfillment_rate", "\\_x\\_ fulfillment_rate"),
        ("a\n---\nb\r\u2028c", "a --- b c"),
        ("# head", "\\# head"),
        ("https://a www.b mailto:c", "https&#58;//a www&#46;b mailto&#58;c"),
        ("0.5 [0.4, 0.6]", "0.5 [0.4, 0.6]"),
    ],
)
def test_markup_is_shown_as_it_is_written(text, escaped):
    assert markdown_text(text) == escaped


@pytest.mark.parametrize("text", ["a`b", "``", "`", "a```b", "plain"])
def test_no_backtick_ends_a_piece_of_code(text):
    span = code_span(text)
    fence = span[: len(span) - len(span.lstrip("`"))]
    assert span.endswith(fence)
    assert text.count(fence) == 0
    assert text in span


def test_a_name_is_one_line_without_orders_to_a_screen_and_not_endless():
    assert one_line("a\x1b[2J\nb\u202e\u2028c") == "a [2J b c"
    assert len(one_line("x" * 10**6)) == 200
