"""g_pass@k_T is the share of subsets of k with enough correct samples, by brute force and by lighteval."""

import itertools
import math

import pytest
from scipy.stats import hypergeom

from hm_metrics.g_pass import g_pass_at_k
from hm_metrics.pass_at_k import pass_at_k

THRESHOLDS = (0.0, 0.25, 0.5, 0.75, 1.0)


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_it_is_the_share_of_subsets_with_enough_correct_samples(n):
    for c in range(n + 1):
        samples = [1] * c + [0] * (n - c)
        for k in range(1, n + 1):
            counts = [sum(subset) for subset in itertools.combinations(samples, k)]
            for threshold in THRESHOLDS:
                enough = [count >= max(threshold * k, 1) for count in counts]
                share = sum(enough) / len(enough)
                assert g_pass_at_k(n, c, k, threshold) == pytest.approx(share, abs=1e-12)


def test_values_of_the_formula_that_lighteval_computes_are_met():
    for n, k in ((11, 5), (16, 10), (64, 16), (128, 100)):
        for c in range(n + 1):
            for threshold in THRESHOLDS:
                least = max(math.ceil(k * threshold), 1)
                theirs = hypergeom.sf(least - 1, n, c, k) if least <= min(c, k) else 0.0
                assert g_pass_at_k(n, c, k, threshold) == pytest.approx(theirs, abs=1e-12)


def test_at_threshold_0_it_is_pass_at_k_and_at_1_all_must_be_correct():
    assert g_pass_at_k(11, 4, 5, 0.0) == pytest.approx(pass_at_k(11, 4, 5))
    assert g_pass_at_k(11, 6, 5, 1.0) == math.comb(6, 5) / math.comb(11, 5)


def test_large_n_stays_exact():
    assert g_pass_at_k(3_000, 1_500, 1_501, 1.0) == 0.0
    # Half of 3,000 are correct, and 751 of 1,501 are asked for: as likely as not.
    assert g_pass_at_k(3_000, 1_500, 1_501, 0.5) == 0.5


@pytest.mark.parametrize(
    ("n", "c", "k", "threshold"),
    [(5, 6, 1, 0.5), (5, -1, 1, 0.5), (5, 2, 6, 0.5), (5, 2, 0, 0.5), (5, 2, 1, 1.5)],
)
def test_counts_that_cannot_be_are_refused(n, c, k, threshold):
    with pytest.raises(ValueError, match=r"expected 0 <= c|needs 1 <= k|between 0 and 1"):
        g_pass_at_k(n, c, k, threshold)
