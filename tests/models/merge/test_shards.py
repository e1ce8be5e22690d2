"""Shards: safetensors reads what was written piece by piece, of every kind of merge and dtype."""

import os

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from hm_models.merge import shards
from hm_models.merge.plan import plan_merge
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.shards import OutTensor, Shard, lay_out, out_tensors, write_shards
from hm_models.merge.stream import MergeStream, merged_tensors
from tests.models.tiny import TOKENS, edit_tensors, same_bits, tiny_checkpoint


@pytest.fixture
def small_pieces(monkeypatch):
    """Pieces of a few rows, so that a tiny tensor is many."""
    monkeypatch.setattr(shards, "PIECE", 96)


def written(recipe, folder, shard_bytes=10**9):
    plan = plan_merge(recipe)
    found = lay_out(out_tensors(recipe, plan), shard_bytes)
    folder.mkdir()
    told = []
    write_shards(found, MergeStream(plan).tensors(recipe), folder, told.append)
    assert sum(told) == sum(shard.data_bytes for shard in found)
    return found


def assert_holds_the_stream(folder, found, recipe):
    tensors = {}
    for shard in found:
        assert shard.is_whole(folder)
        tensors |= load_file(folder / shard.name)
    stream = dict(merged_tensors(recipe))
    assert tensors.keys() == stream.keys()
    assert [name for name in tensors if not same_bits(tensors[name], stream[name])] == []
    assert sorted(os.listdir(folder)) == sorted(shard.name for shard in found)


def with_odd_buffers(folder, seed):
    """A checkpoint with tensors of one byte, of none, and without a dimension."""
    tiny_checkpoint(folder, seed)
    odd = {
        "model.marker": torch.tensor([1, 2, 3], dtype=torch.uint8),
        "model.scale": torch.tensor(2.5, dtype=torch.float32),
        "model.nothing": torch.empty(0, 4, dtype=torch.bfloat16),
    }
    edit_tensors(folder, lambda tensors: tensors.update(odd))
    return str(folder)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"out_dtype": "float32"},
        {"alpha": 0},
        {"alpha": 1},
        {"alpha": [0.1, 0.8]},
        {"merge_method": "ties", "merge_params": {"density": 0.5}},
        {"merge_method": "slerp", "merge_dtype": "bfloat16"},
    ],
    ids=str,
)
def test_pieces_come_to_the_stream(base, instruct, tmp_path, small_pieces, fields):
    recipe = MergeRecipe(str(base), str(instruct), **{"alpha": 0.7} | fields)
    found = written(recipe, tmp_path / "out", 20_000)
    assert len(found) > 1
    assert_holds_the_stream(tmp_path / "out", found, recipe)


def test_other_vocabularies_and_tied_heads(base, tmp_path, small_pieces):
    tokens = (*TOKENS[10:], *TOKENS[:9], "new")
    other = tiny_checkpoint(tmp_path / "other", 5, tokens=tokens, tied=True)
    recipe = MergeRecipe(str(base), str(other), 0.7)
    assert_holds_the_stream(tmp_path / "out", written(recipe, tmp_path / "out"), recipe)


def test_odd_tensors_stand_behind_the_wide_ones(tmp_path, small_pieces):
    pair = [with_odd_buffers(tmp_path / name, seed) for seed, name in enumerate("bi")]
    recipe = MergeRecipe(*pair, alpha=0.7)
    (shard,) = written(recipe, tmp_path / "out")
    assert_holds_the_stream(tmp_path / "out", [shard], recipe)
    assert all(shard.places[t.name] % t.dtype.itemsize == 0 for t in shard.tensors)
    assert len(shard.header) % 8 == 0


def test_the_file_says_that_it_is_torchs(base, instruct, tmp_path):
    recipe = MergeRecipe(str(base), str(instruct), 0.7)
    (shard,) = written(recipe, tmp_path / "out")
    with safe_open(tmp_path / "out" / shard.name, "pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_headers_alone_say_what_the_stream_yields(base, instruct, tmp_path):
    half = tiny_checkpoint(tmp_path / "half", 3, dtype=torch.float16, tied=True)
    for recipe in (
        MergeRecipe(str(base), str(half), 0.7),
        MergeRecipe(str(half), str(instruct), 0),
        MergeRecipe(str(half), str(instruct), 0.7, out_dtype="float32"),
    ):
        promised = out_tensors(recipe, plan_merge(recipe))
        stream = [(name, t.dtype, tuple(t.shape)) for name, t in merged_tensors(recipe)]
        assert [(t.name, t.dtype, t.shape) for t in promised] == stream


def test_a_tensor_larger_than_a_shard_has_one_of_its_own():
    sizes = {"a": 1, "b": 9, "c": 1, "d": 1}
    tensors = [OutTensor(name, torch.float32, (size,)) for name, size in sizes.items()]
    groups = [[t.name for t in shard.tensors] for shard in lay_out(tensors, 20)]
    assert groups == [["a"], ["b"], ["c", "d"]]


def test_a_file_that_is_cut_off_or_of_another_layout_is_not_whole(tmp_path):
    shard = Shard("model.safetensors", (OutTensor("a", torch.float32, (4,)),))
    other = Shard("model.safetensors", (OutTensor("b", torch.float32, (4,)),))
    file = tmp_path / shard.name
    assert not shard.is_whole(tmp_path)
    file.write_bytes(shard.header + bytes(16))
    assert shard.is_whole(tmp_path)
    assert not other.is_whole(tmp_path)
    file.write_bytes(shard.header + bytes(15))
    assert not shard.is_whole(tmp_path)


def test_memory_is_that_of_a_few_pieces_however_large_a_tensor_is(tmp_path, monkeypatch):
    """Each piece is merged into one of the same few buffers."""
    monkeypatch.setattr(shards, "PIECE", 64)
    pair = [str(tiny_checkpoint(tmp_path / n, seed)) for seed, n in enumerate("bi")]
    seen = set()
    plain = shards._PieceWriter.put

    def put(self, piece, descriptor, place):
        seen.add(piece.untyped_storage().data_ptr())
        plain(self, piece, descriptor, place)

    monkeypatch.setattr(shards._PieceWriter, "put", put)
    written(MergeRecipe(*pair, alpha=0.7), tmp_path / "out")
    assert len(seen) == shards.BUFFERS
