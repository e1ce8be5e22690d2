"""What would settle a comparison does settle it, as often as promised: simulated."""

import numpy as np
import pytest
from scipy import stats

from hm_metrics.comparison import paired_difference
from hm_metrics.power import questions_to_settle, samples_to_settle


def clear(ours, theirs):
    found = paired_difference(ours, theirs, iterations=2000)
    return found.low > 0 or found.high < 0


def test_so_many_questions_settle_it_in_80_percent_of_runs():
    random = np.random.default_rng(0)
    theirs = random.beta(0.4, 0.8, 3000)
    ours = np.clip(theirs + random.normal(0.05, 0.2, 3000), 0.0, 1.0)
    needed = questions_to_settle(ours, theirs)
    assert 40 < needed < 400
    runs = random.integers(0, 3000, (800, needed))
    power = np.mean([clear(ours[run], theirs[run]) for run in runs])
    assert 0.76 <= power <= 0.84
    few = np.mean(
        [clear(ours[run[: needed // 2]], theirs[run[: needed // 2]]) for run in runs[:300]]
    )
    assert few < 0.65


@pytest.mark.parametrize("k", [1, 5])
def test_so_many_samples_settle_it_in_80_percent_of_runs(k):
    """The pilot has 5,000 samples a question, so that its difference is the true one."""
    random = np.random.default_rng(1)
    questions = 80
    theirs = random.uniform(0.02, 0.5 if k == 1 else 0.2, questions)
    ours = np.clip(theirs + random.normal(0.045 if k == 1 else 0.025, 0.03, questions), 0.0, 1.0)
    counts = random.binomial(5000, ours), random.binomial(5000, theirs)
    needed = samples_to_settle(*counts, 5000, k=k)
    assert 5 < needed < 200
    settled = 0
    for _ in range(600):
        run = random.integers(0, questions, questions)
        values = [
            1.0 - stats.hypergeom.pmf(0, needed, random.binomial(needed, side[run]), k)
            for side in (ours, theirs)
        ]
        settled += clear(*values)
    assert 0.73 <= settled / 600 <= 0.87


def test_few_samples_tell_noise_within_questions_from_differences_between_them():
    """From 11 samples a question, the answer is about that of the true chances."""
    random = np.random.default_rng(2)
    theirs = random.uniform(0.1, 0.7, 2000)
    ours = theirs + random.normal(0.01, 0.02, 2000)
    allowed = (2000 - 1.96**2 / 2) * ((ours - theirs).mean() / (1.96 + 0.8416)) ** 2
    noise = np.mean(ours * (1 - ours) + theirs * (1 - theirs))
    truth = noise / (allowed - np.var(ours - theirs))
    # The observed difference is not the true one: take pilots in which it nearly is.
    answers = []
    while len(answers) < 5:
        counts = random.binomial(11, ours), random.binomial(11, theirs)
        if abs((counts[0] - counts[1]).mean() / 11 - (ours - theirs).mean()) < 3e-4:
            answers.append(samples_to_settle(*counts, 11))
    assert np.median(answers) == pytest.approx(truth, rel=0.2)


def test_more_power_or_confidence_needs_more_and_the_sign_does_not_matter():
    random = np.random.default_rng(3)
    theirs = random.binomial(11, 0.4, 200)
    ours = random.binomial(11, 0.45, 200)
    usual = questions_to_settle(ours / 11, theirs / 11)
    assert questions_to_settle(ours / 11, theirs / 11, power=0.95) > usual
    assert questions_to_settle(ours / 11, theirs / 11, confidence=0.99) > usual
    assert questions_to_settle(theirs / 11, ours / 11) == usual
    samples = samples_to_settle(ours, theirs, 11)
    assert samples_to_settle(ours, theirs, 11, power=0.95) > samples
    assert samples_to_settle(theirs, ours, 11) == samples
    with pytest.raises(ValueError, match="between 0 and 1"):
        questions_to_settle(ours / 11, theirs / 11, power=80)


def test_the_number_of_questions_is_the_textbooks():
    differences = np.array([0.5] * 50 + [-0.3] * 50)  # mean 0.1, deviation 0.402
    expected = ((1.95996 + 0.84162) * differences.std(ddof=1) / 0.1) ** 2 + 1.95996**2 / 2
    assert questions_to_settle(differences, np.zeros(100)) == int(np.ceil(expected))


def test_no_number_settles_a_difference_of_zero_or_one_that_questions_hide():
    assert questions_to_settle(np.array([0.0, 1.0]), np.array([1.0, 0.0])) is None
    assert questions_to_settle(np.array([0.3, np.nan]), np.array([0.1, 0.2])) is None
    # Ten questions, all or nothing: no sampling noise, and still no clear difference.
    ours, theirs = np.array([11] * 5 + [0] * 5), np.array([0] * 4 + [11] * 4 + [0] * 2)
    assert samples_to_settle(ours, theirs, 11) is None
    assert samples_to_settle(ours, ours, 11) is None


def test_one_sample_a_question_cannot_tell():
    random = np.random.default_rng(4)
    ours, theirs = random.integers(0, 2, 100), random.integers(0, 2, 100)
    assert samples_to_settle(ours, theirs, 1) is None


def test_samples_may_differ_by_question_and_side_and_short_ones_are_left_out():
    random = np.random.default_rng(5)
    drawn = random.integers(8, 14, (2, 300))
    ours, theirs = random.binomial(drawn[0], 0.5), random.binomial(drawn[1], 0.44)
    usual = samples_to_settle(ours, theirs, drawn, k=2)
    assert usual is not None
    padded = np.concatenate([drawn, [[1], [11]]], axis=1)
    assert samples_to_settle(np.append(ours, 1), np.append(theirs, 0), padded, k=2) == usual
    with pytest.raises(ValueError, match="from 0 to the number of samples"):
        samples_to_settle(ours, theirs, 3)
