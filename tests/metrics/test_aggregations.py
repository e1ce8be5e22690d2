"""Aggregations with their own errors, and how the harness comes by them."""

import numpy as np
import pytest

from hm_metrics.aggregations import NOT_AVAILABLE, UNSCORED, Mean, Pairs, Ratio
from hm_metrics.diversity import QuestionSums, global_over_questions, question_sums, standard_error


def test_a_mean_leaves_out_what_has_no_value_and_is_unscored_without_any():
    assert Mean()([1.0, None, 3.0]) == 2.0
    assert Mean().stderr([1.0, None, 3.0], 100) == pytest.approx(
        np.std([1, 3], ddof=1) / np.sqrt(2)
    )
    assert Mean()([None, None]) == UNSCORED
    assert Mean().stderr([1.0, None], 100) == NOT_AVAILABLE


def test_a_ratio_weighs_questions_by_their_size_and_its_error_is_the_delta_methods():
    random = np.random.default_rng(0)
    sizes = random.integers(5, 50, size=300).astype(float)
    sums = sizes * random.gamma(2, 0.3, size=300)
    items = [None, *zip(sums, sizes, strict=True)]
    ratio = Ratio()(items)
    assert ratio == pytest.approx(sums.sum() / sizes.sum())
    residuals = sums - ratio * sizes
    delta = np.sqrt((residuals**2).sum()) / sizes.sum()
    assert Ratio().stderr(items, 4000) == pytest.approx(delta, rel=0.1)
    assert Ratio()([None]) == UNSCORED
    assert Ratio().stderr([None], 100) == NOT_AVAILABLE


def test_pairs_are_aggregated_from_the_sums_of_their_questions():
    pairs = Pairs(
        global_over_questions, lambda items: QuestionSums.joined(items) if items else UNSCORED
    )
    parts = [question_sums(np.eye(3)[[n, n]], np.zeros(2, int)) for n in (0, 0, 1)]
    assert pairs(parts) == pytest.approx(1 / 3)
    joined = QuestionSums.joined(parts)
    assert pairs.stderr(parts, 50) == standard_error(global_over_questions, joined, 50)
    assert pairs([]) == UNSCORED
    assert pairs(parts[:1]) == UNSCORED
    assert pairs.stderr(parts[:1], 50) == NOT_AVAILABLE


def test_the_harness_asks_an_aggregation_for_its_own_error_and_keeps_its_own_ways():
    from lm_eval.api.metrics import mean, mean_stderr, stderr_for_metric

    assert stderr_for_metric(Mean(), 100)([1.0, 3.0]) == Mean().stderr([1.0, 3.0], 100)
    assert stderr_for_metric(Mean(), 0) is None
    assert stderr_for_metric(mean, 100) is mean_stderr
    assert stderr_for_metric(sum, 100) is None
