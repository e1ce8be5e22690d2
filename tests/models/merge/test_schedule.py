"""Which of two models writes each token: each rule by itself, and what is refused."""

import random
from itertools import pairwise

import pytest
import torch

from hm_models.errors import RecipeError
from hm_models.merge.schedule import Schedule, ScheduleState

PIECES = (
    "The",
    " cat",
    ".",
    " It",
    " is",
    " 3.14",
    "!\n",
    "\n",
    "  ",
    "np",
    ".zeros",
    "? ",
    "e.g.",
)


def sides(params, tokens, seed=None, decode=None):
    """The side that writes each token, and the one that would go on."""
    state = ScheduleState(Schedule.of(params), decode, [seed])
    rows = torch.tensor([[0, *tokens]])
    return [state.sides(rows[:, : n + 1])[0] for n in range(len(tokens) + 1)]


def spoken(*pieces):
    """The side that writes each piece of a text, and the one that would go on."""
    numbers = [PIECES.index(piece) for piece in pieces]
    text = "".join
    return sides({"at": "sentence"}, numbers, decode=lambda ids: text(PIECES[i] for i in ids))


@pytest.mark.parametrize(
    ("every", "expected"),
    [(1, [0, 1, 0, 1, 0, 1, 0]), (2, [0, 0, 1, 1, 0, 0, 1]), (6, [0] * 6 + [1]), (7, [0] * 7)],
)
def test_every_m_tokens_the_other_one_goes_on(every, expected):
    assert sides({"every": every}, range(6)) == expected


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        # A mark ends a sentence with the token that brings the blank.
        (["The", ".", " It", " is"], [0, 0, 0, 1, 1]),
        (["The", "? ", "The"], [0, 0, 1, 1]),
        (["The", "!\n", "The"], [0, 0, 1, 1]),
        (["The", "\n", "The", "\n"], [0, 0, 1, 1, 0]),
        # Numbers and names go on behind their point.
        ([" 3.14", "np", ".zeros", ".", "The"], [0] * 6),
        # A line must have something in it, from the one that writes.
        (["\n", "\n", "  ", "\n", "The", "\n"], [0] * 6 + [1]),
        (["The", "\n", "\n", "  ", "\n", "The", "\n"], [0, 0, 1, 1, 1, 1, 1, 0]),
        # Nobody's point ends with another one's blank.
        (["e.g.", "\n", " It"], [0, 0, 1, 1]),
    ],
)
def test_at_sentence_ends_the_other_one_goes_on(pieces, expected):
    assert spoken(*pieces) == expected


def test_with_probability_0_the_first_writes_all_and_with_1_they_alternate():
    assert sides({"probability": 0}, range(9), seed=5) == [0] * 10
    assert sides({"probability": 1}, range(9), seed=5) == [0, 1] * 5


def test_stretches_by_probability_have_the_length_that_it_says():
    said = sides({"probability": 0.1}, [0] * 50_000, seed=1)
    changes = sum(one != other for one, other in pairwise(said))
    assert abs(changes - 5000) < 4 * (50_000 * 0.1 * 0.9) ** 0.5


def test_a_row_draws_from_its_own_seed_alone():
    rule, tokens = Schedule.of({"probability": 0.5}), torch.zeros(3, 60, dtype=torch.long)

    def each(seeds):
        state = ScheduleState(rule, None, seeds)
        steps = [state.sides(tokens[: len(seeds), : n + 1]) for n in range(60)]
        return dict(zip(seeds, zip(*steps, strict=True), strict=True))

    together = each([5, 6, 7])
    assert together == each([7, 5, 6]) == each([5]) | each([6]) | each([7])
    assert len(set(together.values())) == 3


def test_the_switches_are_drawn_with_other_numbers_than_the_tokens():
    said = sides({"probability": 0.5}, [0] * 60, seed=3)
    draws = random.Random(3)
    as_tokens = [draws.random() < 0.5 for _ in range(60)]
    assert [one != other for one, other in pairwise(said)] != as_tokens


def test_without_seeds_torchs_generator_draws_and_only_for_rules_that_draw():
    def drawn(params):
        torch.manual_seed(0)
        state = ScheduleState(Schedule.of(params), None)
        said = [state.sides(torch.zeros(2, n, dtype=torch.long)) for n in range(1, 30)]
        return said, torch.rand(1).item()

    torch.manual_seed(0)
    untouched = torch.rand(1).item()
    assert drawn({"probability": 0.5}) == drawn({"probability": 0.5})
    assert drawn({"probability": 0.5})[1] != untouched
    assert drawn({"every": 2})[1] == untouched


def test_a_number_of_seeds_that_is_not_that_of_the_rows_is_refused():
    state = ScheduleState(Schedule.of({"probability": 0.5}), None, [1, 2])
    with pytest.raises(ValueError, match="2 switch_seeds for 3 rows"):
        state.sides(torch.zeros(3, 1, dtype=torch.long))


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        (
            {},
            "takes one rule for when the other model goes on, and merge_params has none. Give one of",
        ),
        ({"alphas": [0, 1]}, "merge_params has none"),
        ({"every": 3, "at": "sentence"}, "merge_params has every and at. Give one of"),
        ({"evry": 3}, "switch has no parameter 'evry'. It has: alphas, every, at, probability."),
        ({"every": 3, "density": 1}, "switch has no parameter 'density'"),
        ({"every": 0}, "every=0: expected a whole number of tokens, 1 or more"),
        ({"every": -4}, "every=-4: expected a whole number"),
        ({"every": 1.5}, "every=1.5: expected a whole number"),
        ({"every": True}, "every=True: expected a whole number"),
        ({"every": "16"}, "every='16': expected a whole number"),
        ({"every": None}, "every=None: expected a whole number"),
        ({"at": "word"}, "at='word' is not known. Known: sentence"),
        ({"probability": 1.1}, "probability=1.1: expected a number from 0"),
        ({"probability": -0.1}, "probability=-0.1: expected a number from 0"),
        ({"probability": float("nan")}, "probability=nan: expected a number"),
        ({"probability": True}, "probability=True: expected a number"),
        ({"probability": "0.1"}, "probability='0.1': expected a number"),
        ({"every": 1, "alphas": 0.5}, "alphas=0.5: expected two numbers"),
        ({"every": 1, "alphas": [0.5]}, "alphas=[0.5]: expected two numbers"),
        ({"every": 1, "alphas": [0, 0.5, 1]}, "alphas=[0, 0.5, 1]: expected two numbers"),
        ({"every": 1, "alphas": [[0, 0.2], 1]}, "alphas=[[0, 0.2], 1]: expected two numbers"),
        ({"every": 1, "alphas": [0, 1.2]}, "alpha=1.2 lies outside [0, 1]"),
        ({"every": 1, "alphas": ["much", 1]}, "alpha='much' is not a number"),
        ({"every": 1, "alphas": [0.7, 0.7]}, "alphas=[0.7, 0.7] is one model twice"),
    ],
)
def test_a_wrong_rule_is_refused_with_what_was_expected(params, sentence):
    with pytest.raises(RecipeError) as refusal:
        Schedule.of(params)
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("params", [{"every": 3}, {"at": "sentence"}, {"probability": 0}])
def test_a_rule_in_full_reads_back_as_itself(params):
    rule = Schedule.of(params)
    assert rule.to_params() == {"alphas": [0.0, 1.0]} | params
    assert Schedule.of(rule.to_params()) == rule
