"""Generation settings: one text is one stop string, and what cannot be honoured has a ready answer."""

import pytest

from hm_models.errors import RecipeError
from hm_models.merged import HindsightMerged
from hm_models.samples.generation import checked
from tests.instances import instance


@pytest.mark.parametrize(
    ("until", "stops"),
    [
        ("abc", ["abc"]),
        (["a", "bc"], ["a", "bc"]),
        (("a",), ["a"]),
        ("", []),
        (["", "x"], ["x"]),
        (None, []),
        ("\n\n", ["\n\n"]),
    ],
)
def test_stop_strings_are_texts_not_letters(until, stops):
    assert checked({"until": until, "temperature": 0.7}) == {"until": stops, "temperature": 0.7}


@pytest.mark.parametrize("until", [7, 1.5, True, ["a", 3], {"a": 1}])
def test_a_stop_string_that_is_no_text_is_refused(until):
    with pytest.raises(RecipeError, match=r"is no text, which stops nothing\. Write it in quotes"):
        checked({"until": until})


REFUSED = {
    "num_beams": (4, "never searched with beams"),
    "num_return_sequences": (5, r"--metadata '\{\"n_samples\": 5\}'"),
    "n": (5, r"--metadata '\{\"n_samples\": 5\}'"),
    "best_of": (2, r"each sample is a request of its own"),
    "max_length": (64, "would count the prompt, too. Write max_gen_toks=64"),
    "stop": (["x"], "are called until here"),
    "stop_strings": ("x", "are called until here"),
    "early_stopping": (True, "never searched with beams"),
}


@pytest.mark.parametrize(("name", "given"), REFUSED.items(), ids=REFUSED)
def test_what_sampling_cannot_do_is_refused_with_what_to_write_instead(name, given):
    value, sentence = given
    with pytest.raises(RecipeError, match=f"^{name}=.*{sentence}"):
        checked({name: value})


@pytest.mark.parametrize("name", ["max_new_tokens", "max_tokens", "max_completion_tokens"])
def test_a_length_that_the_tasks_own_would_win_over_is_refused(name):
    with pytest.raises(RecipeError, match=f"^{name}=9 .* Write max_gen_toks=9"):
        checked({"max_gen_toks": 768, name: 9})
    assert checked({name: 9}) == {name: 9}, "alone it is the harness's own other word"


def test_what_changes_nothing_is_left_out():
    plain = {"num_beams": 1, "n": 1, "early_stopping": False, "stop": None, "best_of": None}
    assert checked(plain | {"do_sample": True}) == {"do_sample": True}


def test_hm_merged_refuses_before_an_engine_starts(base, instruct):
    lm = HindsightMerged(base=str(base), instruct=str(instruct), alpha=0.7, backend="hf")
    request = instance("generate_until", {}, ("w1", {"num_beams": 3}), 0, metadata=("t", 0, 1))
    with pytest.raises(RecipeError, match="num_beams=3"):
        lm.generate_until([request], disable_tqdm=True)
    assert not lm.engine.is_loaded
