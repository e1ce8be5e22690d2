"""The streamed merge is, bit for bit, what mergekit writes to disk, and leaves nothing there.

The reference is mergekit's own entry point `run_merge`, with which `mergekit-yaml` writes a merge,
on a pair whose shards are split in different places.
"""

import tempfile

import pytest
import torch

from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.files.places import cache_folder
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.stream import merged_tensors
from tests.models.merge.by_mergekit import assert_all_bits_agree, merged_by_mergekit
from tests.models.tiny import read_tensors, tiny_checkpoint

ALPHAS = (0.1, 0.3, 0.7, 0.9)


def recipe_of(base, instruct, alpha, **fields):
    return MergeRecipe(base=str(base), instruct=str(instruct), alpha=alpha, **fields)


def test_the_shards_of_the_pair_are_split_in_different_places(base, instruct):
    ours, theirs = (Checkpoint.open(str(folder)).tensors for folder in (base, instruct))
    assert len({header.file for header in ours.values()}) == 3
    assert len({header.file for header in theirs.values()}) == 5


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("method", ["linear", "slerp"])
def test_every_bit_is_that_of_mergekit_on_disk(base, instruct, tmp_path, alpha, method):
    recipe = recipe_of(base, instruct, alpha, merge_method=method)
    expected = merged_by_mergekit(base, instruct, alpha, tmp_path / "merged", method)
    assert_all_bits_agree(dict(merged_tensors(recipe)), expected)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_every_bit_is_that_of_mergekit_in_each_precision_of_the_arithmetic(
    base, instruct, tmp_path, dtype
):
    recipe = recipe_of(base, instruct, 0.7, merge_dtype=dtype)
    expected = merged_by_mergekit(base, instruct, 0.7, tmp_path / "merged", dtype=dtype)
    assert_all_bits_agree(dict(merged_tensors(recipe)), expected)


@pytest.mark.parametrize(
    ("ours", "theirs"), [("float32", "bfloat16"), ("bfloat16", "float32"), ("float16", "float16")]
)
def test_every_bit_is_that_of_mergekit_for_each_pair_of_dtypes(tmp_path, ours, theirs):
    base = tiny_checkpoint(tmp_path / "base", 1, dtype=getattr(torch, ours))
    instruct = tiny_checkpoint(tmp_path / "instruct", 2, dtype=getattr(torch, theirs))
    expected = merged_by_mergekit(base, instruct, 0.3, tmp_path / "merged", out_dtype=theirs)
    assert_all_bits_agree(dict(merged_tensors(recipe_of(base, instruct, 0.3))), expected)


def test_every_bit_is_that_of_mergekit_for_a_tied_pair(tmp_path):
    base, instruct = (
        tiny_checkpoint(tmp_path / name, seed, tied=True, architecture="qwen2")
        for seed, name in enumerate("bi")
    )
    expected = merged_by_mergekit(base, instruct, 0.7, tmp_path / "merged")
    assert_all_bits_agree(dict(merged_tensors(recipe_of(base, instruct, 0.7))), expected)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_merge_is_the_formula_of_the_paper(base, instruct, alpha):
    ours, theirs = read_tensors(base), read_tensors(instruct)
    for name, tensor in merged_tensors(recipe_of(base, instruct, alpha)):
        exact = alpha * theirs[name].double() + (1 - alpha) * ours[name].double()
        # bfloat16 has 8 significant bits: one rounding moves a value by at most 2^-8 of itself.
        torch.testing.assert_close(tensor.double(), exact, rtol=2**-8, atol=1e-7)


@pytest.mark.parametrize("alpha", [0, 1])
@pytest.mark.parametrize("method", ["linear", "slerp"])
def test_the_ends_are_the_checkpoints_own_bits(base, instruct, alpha, method):
    merged = dict(merged_tensors(recipe_of(base, instruct, alpha, merge_method=method)))
    assert_all_bits_agree(merged, read_tensors(instruct if alpha else base))


def test_an_end_needs_no_fitting_other_side(base, tmp_path):
    other = tiny_checkpoint(tmp_path / "wide", 2, hidden_size=64)
    assert_all_bits_agree(dict(merged_tensors(recipe_of(base, other, 0))), read_tensors(base))


def test_the_order_is_that_of_the_instruct_files(base, instruct):
    tensors = Checkpoint.open(str(instruct)).tensors
    in_files = sorted(tensors, key=lambda name: (tensors[name].file.name, tensors[name].offset))
    assert [name for name, _ in merged_tensors(recipe_of(base, instruct, 0.5))] == in_files
    assert in_files != sorted(tensors)  # or the order would be no news


def test_nothing_is_written_by_streaming(base, instruct, tmp_path, monkeypatch):
    places = [tmp_path / "here", tmp_path / "temporary"]
    for place in places:
        place.mkdir()
    monkeypatch.chdir(places[0])
    monkeypatch.setattr(tempfile, "tempdir", str(places[1]))
    monkeypatch.setenv("TMPDIR", str(places[1]))
    watched = [*places, base.parent, instruct.parent, cache_folder()]
    before = [sorted(place.rglob("*")) for place in watched]
    assert len(list(merged_tensors(recipe_of(base, instruct, 0.5)))) == len(read_tensors(instruct))
    assert [sorted(place.rglob("*")) for place in watched] == before


def test_two_streams_side_by_side_do_not_disturb_each_other(base, instruct):
    alone = [dict(merged_tensors(recipe_of(base, instruct, alpha))) for alpha in (0.3, 0.7)]
    streams = [merged_tensors(recipe_of(base, instruct, alpha)) for alpha in (0.3, 0.7)]
    together = [dict(column) for column in zip(*zip(*streams, strict=True), strict=True)]
    for one, other in zip(alone, together, strict=True):
        assert_all_bits_agree(one, other)
