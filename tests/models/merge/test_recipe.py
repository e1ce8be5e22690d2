"""A recipe refuses what cannot be merged, and its fingerprint follows content, not names."""

import dataclasses
import json
import os

import pytest

from hm_models.errors import RecipeError
from hm_models.merge.alpha import parse_alpha
from hm_models.merge.recipe import MergeRecipe
from tests.models.tiny import copy_of


@pytest.mark.parametrize(
    ("alpha", "words"),
    [
        (1.4, ["alpha=1.4", "outside [0, 1]"]),
        ("1.4", ["alpha=1.4", "outside [0, 1]"]),
        (-0.1, ["alpha=-0.1", "outside [0, 1]"]),
        (float("nan"), ["alpha=nan", "outside [0, 1]"]),
        (float("inf"), ["alpha=inf", "outside [0, 1]"]),
        (True, ["alpha=True", "not a number"]),
        ("abc", ["alpha='abc'", "not a number"]),
        (None, ["alpha=None", "not a number"]),
    ],
)
def test_an_alpha_that_is_no_weight_is_refused_with_value_and_remedy(alpha, words):
    with pytest.raises(RecipeError) as refusal:
        MergeRecipe(base="b", instruct="i", alpha=alpha)
    for word in [*words, "alpha=0.7"]:
        assert word in str(refusal.value)


@pytest.mark.parametrize("side", ["base", "instruct"])
@pytest.mark.parametrize("value", [None, "", "  ", 7])
def test_a_missing_checkpoint_is_refused_with_its_side_and_an_example(side, value):
    with pytest.raises(RecipeError) as refusal:
        MergeRecipe(**{"base": "b", "instruct": "i", "alpha": 0.5, side: value})
    assert f"{side}={value!r} names no checkpoint" in str(refusal.value)
    assert "--model_args base=PATH,instruct=PATH" in str(refusal.value)


def test_an_unknown_dtype_is_refused_with_those_that_are_known():
    with pytest.raises(
        RecipeError, match=r"'float8' is not known\. Known: float32, bfloat16, float16\."
    ):
        MergeRecipe(base="b", instruct="i", alpha=0.5, merge_dtype="float8")


@pytest.mark.parametrize(("given", "parsed"), [("0.7", 0.7), (0, 0.0), ("1", 1.0), (" .25 ", 0.25)])
def test_alpha_may_be_given_as_text_or_whole_number(given, parsed):
    assert MergeRecipe(base="b", instruct="i", alpha=given).alpha == parsed
    assert type(parse_alpha(given)) is float


def test_a_recipe_cannot_be_changed():
    recipe = MergeRecipe(base="b", instruct="i", alpha=0.5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.alpha = 0.6


def test_a_recipe_survives_json():
    recipe = MergeRecipe("b", "i", "0.7", "main", "v2", "slerp", "bfloat16")
    assert MergeRecipe(**json.loads(json.dumps(recipe.to_dict()))) == recipe


def fingerprint(base, instruct, alpha=0.7, **fields):
    return MergeRecipe(base=str(base), instruct=str(instruct), alpha=alpha, **fields).fingerprint()


def flip_a_bit(file):
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    # Within one tick of the file system's clock the two writes would bear the same time.
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 10**9))


def test_a_copied_pair_has_the_same_fingerprint(base, instruct, tmp_path):
    moved = copy_of(base, tmp_path / "b"), copy_of(instruct, tmp_path / "i")
    assert fingerprint(*moved) == fingerprint(base, instruct)


@pytest.mark.parametrize("side", ["base", "instruct"])
def test_one_changed_bit_of_a_weight_changes_the_fingerprint(base, instruct, tmp_path, side):
    pair = {"base": copy_of(base, tmp_path / "b"), "instruct": copy_of(instruct, tmp_path / "i")}
    before = fingerprint(**pair)
    flip_a_bit(sorted(pair[side].glob("*.safetensors"))[1])
    assert fingerprint(**pair) != before


@pytest.mark.parametrize("file", ["tokenizer.json", "chat_template.jinja", "config.json"])
def test_an_edited_companion_file_changes_the_fingerprint(base, instruct, tmp_path, file):
    edited = copy_of(instruct, tmp_path / "i")
    (edited / file).write_text((edited / file).read_text() + "\n")
    assert fingerprint(base, edited) != fingerprint(base, instruct)


def test_alpha_method_and_precision_each_give_another_fingerprint(base, instruct):
    found = {
        fingerprint(base, instruct),
        fingerprint(base, instruct, alpha=0.7000001),
        fingerprint(base, instruct, merge_method="slerp"),
        fingerprint(base, instruct, merge_dtype="bfloat16"),
        fingerprint(instruct, base),
    }
    assert len(found) == 5


def test_at_the_ends_the_fingerprint_depends_on_that_checkpoint_alone(base, instruct, tmp_path):
    edited = copy_of(instruct, tmp_path / "edited")
    flip_a_bit(next(edited.glob("*.safetensors")))
    assert fingerprint(base, instruct, 0) == fingerprint(base, edited, 0, merge_method="slerp")
    assert fingerprint(base, instruct, 1) == fingerprint(edited, instruct, 1)
    assert fingerprint(base, instruct, 1) != fingerprint(base, edited, 1)
    assert fingerprint(base, instruct, 0) != fingerprint(base, instruct, 1)
