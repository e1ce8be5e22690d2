"""pass@k is the unbiased estimator: it equals what brute force over all subsets gives."""

import itertools

import pytest

from hm_metrics.pass_at_k import pass_at_k


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_the_estimate_is_the_share_of_k_subsets_with_a_correct_sample(n):
    for c in range(n + 1):
        samples = [True] * c + [False] * (n - c)
        for k in range(1, n + 1):
            subsets = list(itertools.combinations(samples, k))
            share = sum(map(any, subsets)) / len(subsets)
            assert pass_at_k(n, c, k) == pytest.approx(share, abs=1e-12)


def test_values_of_evalplus_are_met_for_the_papers_n():
    numpy = pytest.importorskip("numpy")
    from evalplus.eval import estimate_pass_at_k

    for k in range(1, 11):
        theirs = estimate_pass_at_k(11, numpy.arange(12), k)
        assert [pass_at_k(11, c, k) for c in range(12)] == pytest.approx(list(theirs), abs=1e-12)


def test_large_n_stays_exact():
    assert pass_at_k(10_000, 1, 5_000) == 0.5


@pytest.mark.parametrize(("n", "c", "k"), [(5, 6, 1), (5, -1, 1), (5, 2, 6), (5, 2, 0)])
def test_counts_that_cannot_be_are_refused(n, c, k):
    with pytest.raises(ValueError, match=r"expected 0 <= c <= n|needs 1 <= k <= n"):
        pass_at_k(n, c, k)
