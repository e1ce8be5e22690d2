"""maj@k is the mean over all subsets of k: it equals what brute force over the subsets gives."""

import collections
import itertools
import math
import random

import pytest

from hm_metrics.g_pass import g_pass_at_k
from hm_metrics.majority import maj_at_k


def brute_force(classes, rightness, k):
    rights = collections.defaultdict(list)
    for answer, right in zip(classes, rightness, strict=True):
        rights[answer].append(right)
    values = []
    for subset in itertools.combinations(classes, k):
        votes = collections.Counter(answer for answer in subset if answer is not None)
        most = max(votes.values(), default=0)
        tied = [sum(rights[a]) / len(rights[a]) for a in votes if votes[a] == most]
        values.append(sum(tied) / len(tied) if tied else 0.0)
    return sum(values) / len(values)


@pytest.mark.parametrize("n", range(1, 13))
def test_it_is_the_mean_over_all_subsets(n):
    draw = random.Random(n)
    for answers in (1, 2, 3, n):
        classes = [draw.choice([None, *range(answers)]) for _ in range(n)]
        for scores in ([0.0, 1.0], [0.0, 0.25, 1.0]):
            rightness = [draw.choice(scores) for _ in range(n)]
            for k in range(1, n + 1):
                expected = brute_force(classes, rightness, k)
                assert maj_at_k(classes, rightness, k) == pytest.approx(expected, abs=1e-11)


def test_answers_that_tie_share_the_vote():
    classes, rightness = [0, 0, 2, 2, 4, 5], [1.0, 1.0, 0.0, 0.0, 1.0, 0.0]
    assert maj_at_k(classes, rightness, 6) == pytest.approx(0.5)
    assert maj_at_k([0, 1, 2], [1.0, 0.0, 0.0], 3) == pytest.approx(1 / 3)


def test_samples_without_an_answer_cast_no_vote():
    assert maj_at_k([None, None, None, 3], [0.0, 0.0, 0.0, 1.0], 4) == pytest.approx(1.0)
    assert maj_at_k([None, None, None, 3], [0.0, 0.0, 0.0, 1.0], 1) == pytest.approx(0.25)
    assert maj_at_k([None, None], [1.0, 1.0], 1) == 0.0  # whatever a task gives to no answer


def test_samples_without_a_vote_may_be_right_without_making_an_answer_right():
    assert maj_at_k([None, 1], [1.0, 0.0], 2) == 0.0


@pytest.mark.parametrize(("n", "right", "k"), [(64, 30, 17), (400, 190, 201), (1500, 700, 901)])
def test_of_two_answers_and_odd_k_it_is_a_hypergeometric_tail_at_any_size(n, right, k):
    classes = [0] * right + [1] * (n - right)
    rightness = [1.0] * right + [0.0] * (n - right)
    expected = g_pass_at_k(n, right, k, 0.5)  # exact integers
    assert maj_at_k(classes, rightness, k) == pytest.approx(expected, abs=1e-11)


def test_hundreds_of_answers_and_right_ones_among_them_are_counted():
    n, k = 300, 120
    alone = [float(i < 30) for i in range(n)]
    assert maj_at_k(range(n), alone, k) == pytest.approx(0.1, abs=1e-11)  # all tie
    doubles = [i // 2 for i in range(n)]
    by_class = [float(answer < 15) for answer in doubles]
    # Whatever ties, each answer is as likely among those that do.
    assert maj_at_k(doubles, by_class, k) == pytest.approx(0.1, abs=1e-11)


def test_one_sample_is_the_mean_and_all_are_the_vote_itself():
    classes, rightness = [0, 0, 0, 3, 3, None], [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    assert maj_at_k(classes, rightness, 1) == pytest.approx(0.5)
    assert maj_at_k(classes, rightness, 6) == pytest.approx(1.0)
    assert maj_at_k(classes, rightness, 6) <= 1.0
    assert math.isfinite(maj_at_k([0], [1.0], 1))


@pytest.mark.parametrize("k", [0, 4])
def test_k_beyond_the_samples_is_refused(k):
    with pytest.raises(ValueError, match="needs 1 <= k <= n, and there are n=3"):
        maj_at_k([0, 1, 2], [0.0, 0.0, 0.0], k)
