"""A rule is read as written, and its answer is no surer than the numbers are."""

import numpy as np
import pytest
from scipy import stats

from hm_metrics.rules import Constraint, Rule
from hm_metrics.selection import select

KNOWN = {"pass@1": True, "pass@10": True, "fulfillment_rate": False, "local_similarity": False}


def answers(share, questions=400, order=None):
    """Yes-or-no values with exactly this mean, in a fixed order of difficulty or in `order`."""
    values = (np.arange(questions) < round(share * questions)).astype(float)
    return values if order is None else values[np.random.default_rng(order).permutation(questions)]


def test_a_rule_is_read_with_its_direction_and_constraints():
    rule = Rule.parse("pass@10 subject to fulfillment_rate<=0.35", KNOWN)
    assert rule == Rule("pass@10", True, (Constraint("fulfillment_rate", "<=", 0.35),))
    assert str(rule) == "pass@10 subject to fulfillment_rate<=0.35"
    spaced = Rule.parse(
        "  max pass@1  SUBJECT TO fulfillment_rate < .35 and pass@10>= 0.5, local_similarity <1",
        KNOWN,
    )
    assert [str(c) for c in spaced.constraints] == [
        "fulfillment_rate<0.35",
        "pass@10>=0.5",
        "local_similarity<1",
    ]
    assert Rule.parse(str(rule)) == rule


@pytest.mark.parametrize(
    ("text", "higher"),
    [
        ("pass@10", True),
        ("mbppplus_passk:plus_only_pass@10", True),
        ("fulfillment_rate", False),
        ("global_similarity", False),
        ("max global_similarity", True),
        ("min pass@10", False),
    ],
)
def test_which_way_is_better_follows_from_the_name_unless_said(text, higher):
    assert Rule.parse(text).higher_is_better is higher


def test_of_somebody_elses_number_its_task_says_which_way_is_better():
    known = {"word_perplexity": False, "exact_match": True, "length": None}
    assert not Rule.parse("word_perplexity", known).higher_is_better
    assert Rule.parse("exact_match", known).higher_is_better
    assert Rule.parse("length", known).higher_is_better


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pas@10", "Did you mean pass@10.*fulfillment_rate, local_similarity, pass@1, pass@10"),
        ("pass@10 subject to fulfilment_rate<=1", "Did you mean fulfillment_rate"),
        ("pass@10 subject to fulfillment_rate", "no constraint.*expected"),
        ("pass@10 subject to fulfillment_rate=0.3", "no constraint"),
        ("pass@10 subject to fulfillment_rate<=third", "'third'.*no number"),
        ("pass@10 subject to fulfillment_rate<=nan", "no number"),
        ("pass@10 when fulfillment_rate<=0.3", "no rule"),
        ("", "no rule"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_there_is(text, says):
    with pytest.raises(ValueError, match=says):
        Rule.parse(text, KNOWN)


def test_a_clear_winner_stands_out():
    found = select(
        Rule.parse("pass@10"),
        {"alpha 0": {"pass@10": answers(0.3)}, "alpha 0.7": {"pass@10": answers(0.5)}},
    )
    assert (found.best, found.stands_out) == ("alpha 0.7", True)
    assert found.chance["alpha 0.7"] == 1.0
    assert found.sentence.startswith("The best is alpha 0.7: pass@10 0.5 [")
    assert "Its lead over alpha 0 is clear" in found.sentence


def test_none_stands_out_where_a_lead_may_be_chance():
    found = select(
        Rule.parse("pass@10"),
        {"a": {"pass@10": answers(0.50, order=1)}, "b": {"pass@10": answers(0.51, order=2)}},
    )
    assert (found.best, found.stands_out) == ("b", False)
    assert 0.2 < found.chance["a"] < 0.5
    assert found.chance["a"] + found.chance["b"] == pytest.approx(1.0)
    assert found.sentence.startswith("None stands out.")
    assert "not clear over a (+0.01" in found.sentence


def test_the_constraint_keeps_a_better_one_out():
    rule = Rule.parse("pass@10 subject to fulfillment_rate<=0.35")
    candidates = {
        "alpha 0": {"pass@10": answers(0.9), "fulfillment_rate": answers(0.5, 440)},
        "alpha 0.7": {"pass@10": answers(0.6), "fulfillment_rate": answers(0.34, 440)},
        "alpha 0.9": {"pass@10": answers(0.4), "fulfillment_rate": answers(0.2, 440)},
    }
    found = select(rule, candidates)
    assert found.best == "alpha 0.7"
    assert found.satisfies == {"alpha 0": "not", "alpha 0.7": "perhaps", "alpha 0.9": "surely"}
    assert not found.stands_out  # it may not satisfy the rule at all
    assert "fulfillment_rate<=0.35 is not sure" in found.sentence
    assert 0.5 < found.chance["alpha 0.7"] < 0.9
    assert found.chance["alpha 0.9"] == pytest.approx(1.0 - found.chance["alpha 0.7"], abs=0.001)
    sure = select(Rule.parse("pass@10 subject to fulfillment_rate<=0.45"), candidates)
    assert (sure.best, sure.stands_out) == ("alpha 0.7", True)


def test_one_that_perhaps_satisfies_the_rule_and_would_be_better_is_a_rival():
    rule = Rule.parse("pass@10 subject to fulfillment_rate<=0.35")
    found = select(
        rule,
        {
            "over": {"pass@10": answers(0.9), "fulfillment_rate": answers(0.36, 440)},
            "under": {"pass@10": answers(0.5), "fulfillment_rate": answers(0.2, 440)},
        },
    )
    assert (found.best, found.stands_out) == ("under", False)
    assert "over (-0.4" in found.sentence
    assert found.chance["over"] > 0.2


def test_nobody_satisfies_the_rule():
    candidates = {
        "a": {"pass@10": answers(0.5), "fulfillment_rate": answers(0.36, 440)},
        "b": {"pass@10": answers(0.5), "fulfillment_rate": answers(0.9, 440)},
    }
    found = select(Rule.parse("pass@10 subject to fulfillment_rate<=0.35"), candidates)
    assert found.best is None
    assert not found.stands_out
    assert found.sentence == (
        "None satisfies fulfillment_rate<=0.35 by its estimate. "
        "Perhaps does: a (fulfillment_rate 0.359)."
    )
    far = select(Rule.parse("pass@10 subject to fulfillment_rate<=0.05"), candidates)
    assert far.sentence == "None satisfies fulfillment_rate<=0.05 by its estimate."
    assert sum(far.chance.values()) == 0.0


def test_lower_is_better_for_a_similarity_known_by_its_error_alone():
    found = select(
        Rule.parse("global_similarity"),
        {"a": {"global_similarity": (0.30, 0.01)}, "b": {"global_similarity": (0.32, 0.01)}},
    )
    assert (found.best, found.stands_out) == ("a", False)
    expected = stats.norm.cdf(0.02 / np.hypot(0.01, 0.01))
    assert found.chance["a"] == pytest.approx(expected, abs=0.02)
    clear = select(
        Rule.parse("global_similarity"),
        {"a": {"global_similarity": (0.30, 0.01)}, "b": {"global_similarity": (0.40, 0.01)}},
    )
    assert (clear.best, clear.stands_out) == ("a", True)


def test_without_an_error_nothing_is_sure():
    rule = Rule.parse("pass@10 subject to fulfillment_rate<=0.35")
    found = select(
        rule,
        {
            "a": {"pass@10": (0.5, np.nan), "fulfillment_rate": (0.2, np.nan)},
            "b": {"pass@10": (0.4, 0.01), "fulfillment_rate": (0.2, 0.01)},
        },
    )
    assert found.best == "a"
    assert found.satisfies == {"a": "perhaps", "b": "surely"}
    assert not found.stands_out


def test_equals_share_their_chance_and_one_alone_needs_no_lead():
    values = answers(0.5)
    twins = select(Rule.parse("pass@10"), {"a": {"pass@10": values}, "b": {"pass@10": values}})
    assert twins.chance == {"a": 0.5, "b": 0.5}
    assert not twins.stands_out
    alone = select(Rule.parse("pass@10"), {"a": {"pass@10": values}})
    assert (alone.best, alone.stands_out) == ("a", True)
    assert "no other candidate" in alone.sentence


def test_unscored_questions_are_left_out_and_a_candidate_without_values_never_wins():
    spoiled = answers(0.5)
    spoiled[::7] = np.nan
    found = select(
        Rule.parse("pass@10"),
        {
            "a": {"pass@10": spoiled},
            "b": {"pass@10": answers(0.2)},
            "c": {"pass@10": np.full(400, np.nan)},
        },
    )
    assert (found.best, found.stands_out) == ("a", True)
    assert found.chance["c"] == 0.0
    nobody = select(Rule.parse("pass@10"), {"c": {"pass@10": np.full(400, np.nan)}})
    assert nobody.best is None
    assert nobody.sentence == "No candidate has a value of pass@10."


def test_of_equal_models_one_stands_out_in_few_runs():
    """Choosing the best of four first and testing then must not make winners of chance."""
    random = np.random.default_rng(0)
    rule = Rule.parse("pass@10")
    wrong = 0
    for _ in range(150):
        runs = random.binomial(1, random.beta(0.5, 0.5, 100), (4, 100)).astype(float)
        candidates = {str(i): {"pass@10": run} for i, run in enumerate(runs)}
        wrong += select(rule, candidates, iterations=500).stands_out
    assert wrong <= 0.05 * 150


def test_missing_numbers_and_other_questions_are_refused():
    rule = Rule.parse("pass@10 subject to fulfillment_rate<=0.35")
    with pytest.raises(ValueError, match="b: no fulfillment_rate"):
        select(
            rule,
            {
                "a": {"pass@10": (0.5, 0.1), "fulfillment_rate": (0.2, 0.1)},
                "b": {"pass@10": (0.5, 0.1)},
            },
        )
    with pytest.raises(ValueError, match=r"\[3, 4\] questions"):
        select(
            Rule.parse("pass@10"), {"a": {"pass@10": np.zeros(3)}, "b": {"pass@10": np.zeros(4)}}
        )
    with pytest.raises(ValueError, match="no candidates"):
        select(rule, {})
