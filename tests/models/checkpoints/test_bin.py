"""`.bin` checkpoints are read as safetensors are, and what is wrong with one is said in a sentence."""

import io
import json
import pickle
import random
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path
from unittest import mock

import pytest
import torch

from hm_models.checkpoints.checkpoint import Checkpoint, CheckpointError
from hm_models.checkpoints.mapped import MappedCheckpoint, ResidentFiles
from hm_models.checkpoints.shards import BIN_INDEX_FILE, read_file
from hm_models.merge.plan import plan_merge
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.stream import MergeStream, merged_tensors
from hm_models.merge.writer import write_checkpoint
from tests.models.tiny import copy_of, edit_config, read_tensors, same_bits, to_bin


def folder_with(content: object, folder: Path, **options: object) -> Path:
    """A checkpoint whose one file is `content`, saved by torch."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    # Pickle asks every loaded module for a quantised tensor's scheme, and some of transformers answer by
    # importing what is not installed.
    with mock.patch.dict(sys.modules):
        for name in [name for name in sys.modules if name.partition(".")[0] == "transformers"]:
            del sys.modules[name]
        torch.save(content, folder / "pytorch_model.bin", **options)
    return folder


def refusal_of(folder: Path) -> str:
    with pytest.raises(CheckpointError) as refusal:
        Checkpoint.open(str(folder))
    said = str(refusal.value)
    assert "pytorch_model" in said
    return said


def rewritten(file, edit=lambda name, content: content, packing=zipfile.ZIP_STORED):
    """Write the archive again by another program, without alignment: storages lie elsewhere.

    `edit` gives each record's new content, None leaves it out.
    """
    with zipfile.ZipFile(file) as archive:
        records = {name: edit(name, archive.read(name)) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w", packing) as archive:
        for name, content in records.items():
            if content is not None:
                archive.writestr(name, content)


def older(*drop):
    """Leave out what newer torch notes of its own layout."""
    return lambda name, content: None if name.endswith(drop) else content


@pytest.mark.parametrize("shards", [1, 3])
def test_a_bin_checkpoint_is_the_safetensors_one(instruct, tmp_path, shards):
    plain = Checkpoint.open(str(instruct))
    found = Checkpoint.open(str(to_bin(copy_of(instruct, tmp_path / "c"), shards)))
    shapes = [
        {name: (header.shape, header.dtype, header.bytes) for name, header in one.tensors.items()}
        for one in (plain, found)
    ]
    assert shapes[0] == shapes[1]
    read = MappedCheckpoint(found)
    assert all(same_bits(read(name), tensor) for name, tensor in read_tensors(instruct).items())


@pytest.mark.parametrize("sides", [("base",), ("instruct",), ("base", "instruct")])
def test_a_merge_of_bin_files_has_the_bits_of_that_of_safetensors(base, instruct, tmp_path, sides):
    pair = {"base": base, "instruct": instruct}
    plain = dict(merged_tensors(MergeRecipe(**{k: str(v) for k, v in pair.items()}, alpha=0.7)))
    for shards, side in enumerate(sides, 1):
        pair[side] = to_bin(copy_of(pair[side], tmp_path / side), shards)
    for alpha, wanted in ((0.7, plain), (0, read_tensors(base)), (1, read_tensors(instruct))):
        recipe = MergeRecipe(**{k: str(v) for k, v in pair.items()}, alpha=alpha)
        found = dict(merged_tensors(recipe))
        assert found.keys() == wanted.keys()
        assert all(same_bits(found[name], wanted[name]) for name in wanted)


def test_bin_files_are_held_in_memory_as_others_are(base, instruct, tmp_path):
    pair = [to_bin(copy_of(side, tmp_path / side.name), 2) for side in (base, instruct)]
    recipe = MergeRecipe(base=str(pair[0]), instruct=str(pair[1]), alpha=0.7)
    held = ResidentFiles.of(recipe.checkpoints)
    found = {n: t.merged() for n, t in MergeStream(None, held.paths).tensors(recipe)}
    plain = dict(merged_tensors(MergeRecipe(base=str(base), instruct=str(instruct), alpha=0.7)))
    assert found.keys() == plain.keys()
    assert all(same_bits(found[name], plain[name]) for name in plain)


def test_views_of_one_storage_gaps_and_odd_kinds_are_read_as_torch_does(tmp_path):
    square = torch.arange(12.0).view(3, 4)
    content = OrderedDict(
        whole=square,
        transposed=square.t(),
        row=square[1],
        column=square[:, 2],
        broadcast=torch.ones(1).expand(5),
        scalar=torch.tensor(2.5, dtype=torch.float16),
        empty=torch.empty(0, 3),
        parameter=torch.nn.Parameter(torch.ones(2, dtype=torch.bfloat16)),
        steps=torch.tensor([1, 2]),
        mask=torch.tensor([True, False]),
    )
    read = MappedCheckpoint(Checkpoint.open(str(folder_with(content, tmp_path / "c"))))
    for name, tensor in content.items():
        assert same_bits(read(name), tensor.detach().contiguous()), name
        assert read(name).is_contiguous()
        read.prefetch(name)
        read.drop(name)


@pytest.mark.parametrize("drop", [(".format_version",), (".format_version", "byteorder")])
def test_files_of_older_torch_are_read_where_their_storages_lie(instruct, tmp_path, drop):
    folder = to_bin(copy_of(instruct, tmp_path / "c"))
    rewritten(folder / "pytorch_model.bin", older(*drop))
    read = MappedCheckpoint(Checkpoint.open(str(folder)))
    assert all(same_bits(read(name), tensor) for name, tensor in read_tensors(instruct).items())


def test_storages_that_are_not_where_torch_says_are_refused(instruct, tmp_path):
    folder = to_bin(copy_of(instruct, tmp_path / "c"))
    rewritten(folder / "pytorch_model.bin")  # still claims torch's own layout
    assert "lies where the file has no such data" in refusal_of(folder)


class Evil:
    ran = False

    def __reduce__(self):
        return exec, ("import tests.models.checkpoints.test_bin as t; t.Evil.ran = True",)


ODD = {
    "a program": ({"w": Evil()}, "holds more than tensors", "nothing in it was run"),
    "an optimizer": (
        {"w": torch.ones(1), "state": {0: 1}},
        "'state' holds 1 entries",
        "torch.save",
    ),
    "lightning": ({"state_dict": {"w": torch.ones(1)}, "epoch": 3}, "'state_dict' holds 1 entries"),
    "deepspeed": ({"module": {"w": torch.ones(1)}, "dtype": 1}, "'module' holds 1 entries"),
    "a number": ({"w": torch.ones(1), "epoch": 3}, "epoch in", "is a int, no tensor"),
    "a list": ([torch.ones(1)], "holds no tensors by their names"),
    "a tensor": (torch.ones(1), "holds no tensors by their names"),
    "numbers as names": ({0: torch.ones(1)}, "has an entry under 0"),
    "fp8": ({"w": torch.ones(2).to(torch.float8_e4m3fn)}, "dtype float8_e4m3fn", "unquantised"),
    "doubles": ({"w": torch.ones(2, dtype=torch.float64)}, "dtype float64"),
    "complex": ({"w": torch.ones(2, dtype=torch.complex64)}, "dtype complex64"),
    "quantised": ({"w": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)}, ""),
    "sparse": ({"w": torch.eye(2).to_sparse()}, ""),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ODD)
def test_what_is_no_tensors_by_their_names_is_refused(tmp_path, kind):
    content, *words = ODD[kind]
    said = refusal_of(folder_with(content, tmp_path / "c"))
    assert all(word in said for word in words)
    assert not Evil.ran


def test_the_format_of_before_torch_1_6_is_refused_with_a_command_that_mends_it(
    tmp_path, monkeypatch
):
    content = {"w": torch.arange(3.0)}
    folder = folder_with(content, tmp_path / "c", _use_new_zipfile_serialization=False)
    said = refusal_of(folder)
    assert "format of before 1.6" in said
    program = said.partition('python -c "')[2].partition('" ')[0]
    monkeypatch.setattr(sys, "argv", ["-c", str(folder / "pytorch_model.bin")])
    exec(program)
    assert MappedCheckpoint(Checkpoint.open(str(folder)))("w").tolist() == [0, 1, 2]


def test_a_packed_archive_is_refused(tmp_path):
    folder = folder_with({"w": torch.zeros(1000)}, tmp_path / "c")
    rewritten(folder / "pytorch_model.bin", packing=zipfile.ZIP_DEFLATED)
    assert "is packed" in refusal_of(folder)


def test_a_list_of_tensors_beyond_any_model_is_refused_unread(tmp_path, monkeypatch):
    folder = folder_with({"w": torch.zeros(10)}, tmp_path / "c")
    monkeypatch.setattr("hm_models.checkpoints.bin_file.MOST_PICKLE", 10)
    assert "its list of tensors has" in refusal_of(folder)


@pytest.mark.parametrize("numel", [11, 10**9, 2**62])
def test_a_storage_that_is_said_to_be_longer_than_it_is_is_refused(tmp_path, numel):
    folder = folder_with({"w": torch.zeros(10)}, tmp_path / "c")
    # The pickle says 10 twice: of the storage, and of the shape.
    size = pickle.dumps(numel, 2)[2:-1]

    def longer(name, content):
        if name.endswith("data.pkl"):
            assert b"K\n" in content
            return content.replace(b"K\n", size)
        return older(".format_version")(name, content)

    rewritten(folder / "pytorch_model.bin", longer)
    refusal_of(folder)


@pytest.mark.parametrize("device", [b"cuda:0", b"mps", b"npu:3"])
def test_what_was_saved_on_another_device_is_read_here(tmp_path, device):
    folder = folder_with({"w": torch.arange(3.0)}, tmp_path / "c")

    def moved(name, content):
        text = b"X" + len(device).to_bytes(4, "little") + device
        content = content.replace(b"X\x03\x00\x00\x00cpu", text)
        assert device in content or not name.endswith("data.pkl")
        return older(".format_version")(name, content)

    rewritten(folder / "pytorch_model.bin", moved)
    assert MappedCheckpoint(Checkpoint.open(str(folder)))("w").tolist() == [0, 1, 2]


def test_a_file_cut_off_anywhere_is_refused(tmp_path):
    folder = folder_with({"w": torch.ones(40), "v": torch.ones(3)}, tmp_path / "c")
    whole = (folder / "pytorch_model.bin").read_bytes()
    for length in (0, 1, 4, 30, *range(50, len(whole), 97), len(whole) - 1):
        (folder / "pytorch_model.bin").write_bytes(whole[:length])
        refusal_of(folder)


def test_no_damage_ends_in_anything_but_a_sentence(tmp_path):
    folder = folder_with({"w": torch.ones(40), "v": torch.ones(3)}, tmp_path / "c")
    whole = (folder / "pytorch_model.bin").read_bytes()
    draw, refused = random.Random(0), 0
    for _ in range(120):
        damaged = bytearray(whole)
        damaged[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        (folder / "pytorch_model.bin").write_bytes(damaged)
        try:
            read = MappedCheckpoint(Checkpoint.open(str(folder)))
            assert [read(name).dtype.itemsize for name in read.checkpoint.tensors]
        except CheckpointError:
            refused += 1
    assert 20 < refused < 120  # in padding and data a bit changes nothing, or the identity alone


def test_a_damaged_tensor_has_another_identity(tmp_path):
    folder = folder_with({"w": torch.ones(40)}, tmp_path / "c")
    file = folder / "pytorch_model.bin"
    opened = Checkpoint.open(str(folder))
    before, place = opened.identity(), opened.tensors["w"].offset
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    assert Checkpoint.open(str(folder)).identity() != before
    with pytest.raises(CheckpointError, match="changed or removed since it was opened"):
        opened.check_unchanged()


def test_missing_shards_and_other_saves_are_found_as_with_safetensors(instruct, tmp_path):
    folder = to_bin(copy_of(instruct, tmp_path / "c"), 3)
    index = json.loads((folder / BIN_INDEX_FILE).read_text())
    (folder / "pytorch_model-00002-of-00003.bin").rename(tmp_path / "away")
    said = refusal_of(folder)
    assert "lacks 1 of 3 shards, the first is pytorch_model-00002-of-00003.bin" in said
    (tmp_path / "away").rename(folder / "pytorch_model-00002-of-00003.bin")
    removed = index["weight_map"].pop("model.norm.weight")
    (folder / BIN_INDEX_FILE).write_text(json.dumps(index))
    assert "does not list model.norm.weight" in refusal_of(folder)
    index["weight_map"]["model.norm.weight"] = {
        "pytorch_model-00001-of-00003.bin": "pytorch_model-00002-of-00003.bin"
    }.get(removed, "pytorch_model-00001-of-00003.bin")
    (folder / BIN_INDEX_FILE).write_text(json.dumps(index))
    assert "which does not hold it" in refusal_of(folder)
    (folder / BIN_INDEX_FILE).unlink()
    assert f"3 pytorch_model*.bin files and no {BIN_INDEX_FILE}" in refusal_of(folder)


def test_safetensors_win_and_a_remark_says_so(base, instruct, tmp_path):
    folder = copy_of(instruct, tmp_path / "c")
    torch.save({"w": torch.ones(1)}, folder / "pytorch_model.bin")
    recipe = MergeRecipe(base=str(base), instruct=str(folder), alpha=0.7)
    plan = plan_merge(recipe)
    assert (
        f"pytorch_model*.bin of {folder} is left unread, as there is .safetensors" in plan.remarks
    )
    assert recipe.instruct_checkpoint.identity() == Checkpoint.open(str(instruct)).identity()


def test_both_sides_as_bin_seem_equal_where_they_are(base, tmp_path):
    one, other = (to_bin(copy_of(base, tmp_path / name), 2) for name in "ab")
    assert Checkpoint.open(str(one)).seems(Checkpoint.open(str(other)))
    content = io.BytesIO((other / "pytorch_model-00001-of-00002.bin").read_bytes())
    tensors = torch.load(content, weights_only=True)
    torch.save(
        {name: tensor + 1 for name, tensor in tensors.items()},
        other / "pytorch_model-00001-of-00002.bin",
    )
    assert not Checkpoint.open(str(one)).seems(Checkpoint.open(str(other)))


def test_an_adapters_bin_file_is_read_by_itself(tmp_path):
    torch.save({"a": torch.ones(2, 3)}, tmp_path / "adapter_model.bin")
    assert read_file(tmp_path / "adapter_model.bin")["a"].shape == (2, 3)


def test_a_merge_of_bin_files_is_written_without_them(base, instruct, tmp_path):
    sides = [
        to_bin(copy_of(s, tmp_path / n), 2) for s, n in ((base, "base"), (instruct, "instruct"))
    ]
    recipe = MergeRecipe(base=str(sides[0]), instruct=str(sides[1]), alpha=0.7)
    written = write_checkpoint(recipe, plan_merge(recipe), tmp_path / "merged")
    assert not [file.name for file in written.iterdir() if "bin" in file.name]
    assert Checkpoint.open(str(written)).tensors.keys() == recipe.instruct_checkpoint.tensors.keys()


def test_a_bin_checkpoint_whose_config_is_quantised_is_refused(base, tmp_path):
    folder = to_bin(copy_of(base, tmp_path / "pytorch_model"))
    edit_config(folder, quantization_config={"quant_method": "gptq"})
    assert "is quantised (gptq" in refusal_of(folder)
