"""A written merge is the stream as a checkpoint that others can load: complete, or not there."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from hm_models.checkpoints.checkpoint import INDEX_FILE, Checkpoint
from hm_models.files.places import CacheError
from hm_models.merge import shards, writer
from hm_models.merge.plan import plan_merge
from hm_models.merge.recipe import MergeRecipe, RecipeError
from hm_models.merge.stream import MergeStream, merged_tensors
from hm_models.merge.writer import MANIFEST, FolderTaken, materialise, write_checkpoint
from tests.entry_points import ROOT
from tests.models.tiny import (
    CHAT_TEMPLATE,
    copy_of,
    edit_tensors,
    read_tensors,
    same_bits,
    tiny_checkpoint,
)


def recipe_of(base, instruct, alpha=0.7):
    return MergeRecipe(base=str(base), instruct=str(instruct), alpha=alpha)


def write(recipe, folder):
    return write_checkpoint(recipe, plan_merge(recipe), folder)


def assert_holds_the_stream(folder, recipe):
    tensors, stream = read_tensors(folder), dict(merged_tensors(recipe))
    assert tensors.keys() == stream.keys()
    assert [name for name in tensors if not same_bits(tensors[name], stream[name])] == []


def test_transformers_loads_the_written_merge_as_it_was_streamed(base, instruct, tmp_path):
    recipe = recipe_of(base, instruct)
    folder = write(recipe, tmp_path / "merged")
    loaded, report = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    weights = loaded.state_dict()
    assert all(same_bits(weights[name], tensor) for name, tensor in merged_tensors(recipe))
    assert AutoTokenizer.from_pretrained(folder).chat_template == CHAT_TEMPLATE


def test_a_small_merge_is_one_file(base, instruct, tmp_path):
    folder = write(recipe_of(base, instruct), tmp_path / "merged")
    assert [file.name for file in folder.glob("*.safetensors*")] == ["model.safetensors"]


def test_a_large_merge_is_split_and_indexed(base, instruct, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "SHARD_BYTES", 20_000)
    recipe = recipe_of(base, instruct)
    folder = write(recipe, tmp_path / "merged")
    assert_holds_the_stream(folder, recipe)

    index = json.loads((folder / INDEX_FILE).read_text())
    files = sorted(file.name for file in folder.glob("*.safetensors"))
    assert files == [
        f"model-0000{n}-of-0000{len(files)}.safetensors" for n in range(1, len(files) + 1)
    ]
    assert len(files) > 1
    assert set(index["weight_map"].values()) == set(files)
    tensors = read_tensors(folder).values()
    assert index["metadata"]["total_size"] == sum(tensor.nbytes for tensor in tensors)
    assert Checkpoint.open(str(folder)).tensors.keys() == index["weight_map"].keys()
    assert max((folder / file).stat().st_size for file in files) < 20_000 + 2_000  # and a header
    AutoModelForCausalLM.from_pretrained(folder)


@pytest.mark.parametrize("tied_side", ["base", "instruct"])
def test_a_merge_with_a_tied_side_loads_with_a_head_of_its_own(instruct, tmp_path, tied_side):
    tied = tiny_checkpoint(tmp_path / "tied", 3, tied=True)
    recipe = recipe_of(*((tied, instruct) if tied_side == "base" else (instruct, tied)))
    folder = write(recipe, tmp_path / "merged")
    # transformers 5 looks at the weights, but others tie whatever the config says.
    assert json.loads((folder / "config.json").read_text())["tie_word_embeddings"] is False
    loaded = AutoModelForCausalLM.from_pretrained(folder)
    stream = dict(merged_tensors(recipe))
    assert same_bits(loaded.lm_head.weight, stream["lm_head.weight"])
    assert same_bits(loaded.model.embed_tokens.weight, stream["model.embed_tokens.weight"])
    assert not torch.equal(loaded.lm_head.weight, loaded.model.embed_tokens.weight)


@pytest.mark.parametrize("alpha", [0, 1])
def test_an_end_is_written_with_its_own_weights_and_config(instruct, tmp_path, alpha):
    tied = tiny_checkpoint(tmp_path / "tied", 3, tied=True)
    recipe = recipe_of(tied, instruct, alpha)
    folder = write(recipe, tmp_path / "end")
    assert_holds_the_stream(folder, recipe)
    side = instruct if alpha else tied
    assert json.loads((folder / "config.json").read_text()) == json.loads(
        (side / "config.json").read_text()
    )


def test_the_manifest_says_what_was_merged_and_what_was_noticed(instruct, tmp_path):
    tied = tiny_checkpoint(tmp_path / "tied", 3, tied=True)
    recipe = recipe_of(tied, instruct)
    manifest = json.loads((write(recipe, tmp_path / "merged") / MANIFEST).read_text())
    assert manifest["fingerprint"] == recipe.fingerprint()
    assert MergeRecipe(**manifest["recipe"]) == recipe
    assert manifest["remarks"] == list(plan_merge(recipe).remarks)
    assert "ties its output head" in manifest["remarks"][0]


def contents(folder):
    return {
        file.relative_to(folder): (file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_ino)
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_a_second_call_takes_what_is_there(base, instruct):
    recipe = recipe_of(base, instruct)
    first = materialise(recipe, plan_merge(recipe))
    before = contents(first)
    assert materialise(recipe, plan_merge(recipe)) == first
    assert contents(first) == before


def test_each_alpha_has_a_folder_of_its_own(base, instruct):
    recipes = [recipe_of(base, instruct, alpha) for alpha in (0.4, 0.6)]
    folders = [materialise(recipe, plan_merge(recipe)) for recipe in recipes]
    for recipe, folder in zip(recipes, folders, strict=True):
        assert_holds_the_stream(folder, recipe)


def test_a_foreign_folder_is_refused_and_left_alone(base, instruct, tmp_path):
    (tmp_path / "merged").mkdir()
    (tmp_path / "merged" / "mine.txt").write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(FolderTaken, match="is not the merge that was asked for"):
        write(recipe_of(base, instruct), tmp_path / "merged")
    assert contents(tmp_path) == before


def test_the_merge_of_another_alpha_is_refused_and_left_alone(base, instruct, tmp_path):
    write(recipe_of(base, instruct, 0.3), tmp_path / "merged")
    before = contents(tmp_path)
    with pytest.raises(FolderTaken, match="Name another folder"):
        write(recipe_of(base, instruct, 0.7), tmp_path / "merged")
    assert contents(tmp_path) == before


def test_a_merge_that_fails_on_its_last_tensor_leaves_nothing_behind(
    base, instruct, tmp_path, monkeypatch
):
    monkeypatch.setattr(writer, "SHARD_BYTES", 10_000)  # so that several shards are written before
    pair = []
    for seed, name in enumerate("bi"):
        pair.append(tiny_checkpoint(tmp_path / name, seed))
        # safetensors puts the smallest dtype last.
        marker = {"model.marker": torch.tensor([seed], dtype=torch.uint8)}
        edit_tensors(pair[-1], lambda tensors, new=marker: tensors.update(new))
    recipe = recipe_of(*pair)
    assert plan_merge(recipe).tensors[-1].name == "model.marker"
    with pytest.raises(RecipeError, match="whole numbers"):
        write(recipe, tmp_path / "out" / "merged")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_written_merge_can_be_merged_again(base, instruct, tmp_path):
    middle = write(recipe_of(base, instruct, 0.5), tmp_path / "middle")
    again = recipe_of(base, copy_of(middle, tmp_path / "copy"))
    assert_holds_the_stream(write(again, tmp_path / "again"), again)


def draft_of(folder):
    return folder.with_name(f".{folder.name}.merging")


SLOWLY = """
import sys, time
from pathlib import Path
from hm_models.merge.plan import plan_merge
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.writer import write_checkpoint

recipe = MergeRecipe(*sys.argv[1:3], alpha=0.7)
waits = lambda written: time.sleep(0.05)
write_checkpoint(recipe, plan_merge(recipe), Path(sys.argv[3]), shard_bytes=5_000, tell=waits)
"""


def test_a_run_that_was_killed_is_gone_on_with_where_it_was(base, instruct, tmp_path, monkeypatch):
    folder = tmp_path / "merged"
    command = [sys.executable, "-c", SLOWLY, base, instruct, folder]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(list(map(str, command)), env=environment) as running:
        while len(list(draft_of(folder).glob("*.safetensors"))) < 2:
            assert running.poll() is None
            time.sleep(0.01)
        running.send_signal(signal.SIGKILL)
    assert not folder.exists()
    finished = {
        file.name: (file.stat().st_ino, file.stat().st_mtime_ns)
        for file in draft_of(folder).glob("*.safetensors")
    }
    assert finished

    read = []
    plain = MergeStream.tensors

    def noted(self, *arguments):
        for name, lazy in plain(self, *arguments):
            read.append(name)
            yield name, lazy

    recipe = recipe_of(base, instruct)
    told = []
    with monkeypatch.context() as patch:
        patch.setattr(MergeStream, "tensors", noted)
        write_checkpoint(recipe, plan_merge(recipe), folder, shard_bytes=5_000, tell=told.append)
    weight_map = json.loads((folder / INDEX_FILE).read_text())["weight_map"]
    assert set(read) == {name for name, file in weight_map.items() if file not in finished}
    for name, (inode, written) in finished.items():
        assert ((folder / name).stat().st_ino, (folder / name).stat().st_mtime_ns) == (
            inode,
            written,
        )
    assert_holds_the_stream(folder, recipe)
    assert sum(told) == sum(tensor.nbytes for tensor in read_tensors(folder).values())
    assert not draft_of(folder).exists()
    assert not [file for file in folder.iterdir() if file.name.startswith(".")]


def stopped_after_one_shard(recipe, folder, shard_bytes):
    """Run until Ctrl-C comes, behind the first shard."""

    def stop(written):
        if list(draft_of(folder).glob("*.safetensors")):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_checkpoint(recipe, plan_merge(recipe), folder, shard_bytes=shard_bytes, tell=stop)
    assert list(draft_of(folder).glob("*.safetensors"))
    assert not folder.exists()


def test_what_ctrl_c_stopped_is_gone_on_with_by_the_alpha_of_each_layer(base, instruct, tmp_path):
    recipe = recipe_of(base, instruct, [0.2, 0.9])
    stopped_after_one_shard(recipe, tmp_path / "merged", 5_000)
    write_checkpoint(recipe, plan_merge(recipe), tmp_path / "merged", shard_bytes=5_000)
    assert_holds_the_stream(tmp_path / "merged", recipe)


@pytest.mark.parametrize("change", ["alpha", "shards", "base"])
def test_a_draft_of_another_merge_is_not_gone_on_with(base, instruct, tmp_path, change):
    folder, mine = tmp_path / "merged", copy_of(base, tmp_path / "mine")
    stopped = recipe_of(mine, instruct, 0.3 if change == "alpha" else 0.7)
    stopped_after_one_shard(stopped, folder, 10_000 if change == "shards" else 20_000)
    if change == "base":
        for file in mine.glob("*.safetensors"):
            content = bytearray(file.read_bytes())
            content[-1] ^= 1
            file.write_bytes(content)
    recipe = recipe_of(mine, instruct)
    write_checkpoint(recipe, plan_merge(recipe), folder, shard_bytes=20_000)
    assert_holds_the_stream(folder, recipe)


def test_two_who_write_the_same_merge_at_once_write_it_once(base, instruct, tmp_path):
    folder, written, started = tmp_path / "merged", [], threading.Event()
    recipe = recipe_of(base, instruct)

    def first_waits(number):
        written.append(number)
        started.set()
        time.sleep(0.02)

    def one():
        write_checkpoint(recipe, plan_merge(recipe), folder, tell=first_waits)

    threads = [threading.Thread(target=one) for _ in range(2)]
    threads[0].start()
    started.wait()
    threads[1].start()
    for thread in threads:
        thread.join()
    assert sum(written) == sum(tensor.nbytes for tensor in read_tensors(folder).values())
    assert_holds_the_stream(folder, recipe)
    assert [path.name for path in tmp_path.iterdir()] == ["merged"]


def test_an_empty_folder_is_a_place_for_a_merge(base, instruct, tmp_path):
    recipe = recipe_of(base, instruct)
    (tmp_path / "merged").mkdir()
    assert_holds_the_stream(write(recipe, tmp_path / "merged"), recipe)


@pytest.fixture
def small_files(monkeypatch):
    """No file may grow beyond 30,000 bytes: what a full disk is to a program."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # it would be cut off, and stay
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_without_room_leaves_nothing_behind(base, instruct, tmp_path, small_files):
    with pytest.raises(OSError, match="File too large"):
        write(recipe_of(base, instruct), tmp_path / "out" / "merged")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_disk_that_is_full_in_the_middle_leaves_nothing_behind(
    base, instruct, tmp_path, monkeypatch
):
    """As of a quota, or where a disk promises room that it has not."""
    plain, pieces = os.pwrite, []

    def full(descriptor, content, place):
        pieces.append(len(content))
        if len(pieces) > 12:
            raise OSError(errno.ENOSPC, "No space left on device")
        return plain(descriptor, content, place)

    monkeypatch.setattr(shards.os, "pwrite", full)
    monkeypatch.setattr(writer, "SHARD_BYTES", 10_000)
    with pytest.raises(OSError, match="No space left"):
        write(recipe_of(base, instruct), tmp_path / "out" / "merged")
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(CacheError, match="Nothing can be kept"):
        materialise(recipe_of(base, instruct, 0.123), plan_merge(recipe_of(base, instruct, 0.123)))
