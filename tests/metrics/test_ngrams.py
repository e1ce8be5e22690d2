"""distinct-n counts different n-grams within texts, over all of them."""

import math

import pytest

from hm_metrics.ngrams import distinct_n


def test_repeated_grams_count_once():
    assert distinct_n(["a b a b"], 1) == pytest.approx(2 / 4)
    assert distinct_n(["a b a b"], 2) == pytest.approx(2 / 3)
    assert distinct_n(["a b", "a b", "a c"], 2) == pytest.approx(2 / 3)


def test_grams_do_not_reach_from_one_text_into_the_next():
    assert distinct_n(["a", "b"], 2) != distinct_n(["a b"], 2)
    assert math.isnan(distinct_n(["a", "b", ""], 2))


def test_signs_are_tokens_and_layout_is_not():
    assert distinct_n(["f(x)+f(x)"], 1) == distinct_n(["f ( x )\n + f(x)"], 1) == 5 / 9
