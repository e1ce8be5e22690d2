"""Whatever is wrong with a checkpoint is said in one sentence, before any weight is read."""

import json
import os
import struct

import huggingface_hub
import pytest
import torch

from hm_models.checkpoints.checkpoint import INDEX_FILE, Checkpoint, CheckpointError
from hm_models.checkpoints.mapped import MappedCheckpoint
from tests.models.tiny import (
    TERABYTE,
    copy_of,
    edit_config,
    read_tensors,
    same_bits,
    write_shard,
)


def write_config(folder, **fields):
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"} | fields))
    return folder


def refusal_of(folder):
    with pytest.raises(CheckpointError) as refusal:
        Checkpoint.open(str(folder))
    return str(refusal.value)


def test_a_checkpoint_knows_config_shapes_and_dtypes(instruct):
    checkpoint = Checkpoint.open(str(instruct))
    assert checkpoint.config["model_type"] == "llama"
    assert {name: (header.shape, header.dtype) for name, header in checkpoint.tensors.items()} == {
        name: (tuple(tensor.shape), "BF16") for name, tensor in read_tensors(instruct).items()
    }


def test_the_mapped_files_give_the_tensors_of_all_shards(instruct):
    read = MappedCheckpoint(Checkpoint.open(str(instruct)))
    assert all(same_bits(read(name), tensor) for name, tensor in read_tensors(instruct).items())


def test_a_terabyte_opens_without_reading_it(tmp_path):
    folder = write_config(tmp_path / "huge")
    entry = {"dtype": "F32", "shape": [TERABYTE // 4], "data_offsets": [0, TERABYTE]}
    write_shard(folder / "model.safetensors", {"w": entry}, TERABYTE)
    # Reading it would take minutes, and the whole suite's patience.
    assert Checkpoint.open(str(folder)).tensors["w"].shape == (TERABYTE // 4,)


def test_a_terabyte_of_fp8_is_refused_without_reading_it(tmp_path):
    folder = write_config(tmp_path / "huge")
    entry = {"dtype": "F8_E4M3", "shape": [TERABYTE], "data_offsets": [0, TERABYTE]}
    write_shard(folder / "model.safetensors", {"w": entry}, TERABYTE)
    said = refusal_of(folder)
    assert "w in " in said
    assert "F8_E4M3" in said
    assert "unquantised" in said


def test_a_missing_folder_is_named_with_what_is_expected(tmp_path):
    said = refusal_of(tmp_path / "nowhere")
    assert f"{tmp_path / 'nowhere'} is no checkpoint: there is no such folder" in said
    assert "hub name" in said


@pytest.mark.parametrize("name", ["./nowhere/at-all", "~/nowhere-at-all/x", "nowhere", "a/b/c"])
def test_a_name_that_can_be_no_hub_name_is_not_looked_up(name):
    assert "hub name such as" in refusal_of(name)


def test_an_unknown_hub_name_offline_says_what_to_check():
    said = refusal_of("nobody/no-such-model")
    assert "nobody/no-such-model is no checkpoint: there is no such folder" in said
    assert "HF_HUB_OFFLINE" in said
    assert "token for gated models" in said


def test_an_unknown_revision_is_named():
    with pytest.raises(CheckpointError, match="at revision v9"):
        Checkpoint.open("nobody/no-such-model", "v9")


def test_a_hub_model_in_the_cache_is_known_by_its_commit(base, tmp_path, monkeypatch):
    # The hub client's own cache layout; only the place of the cache is ours.
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "models--someone--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    copy_of(base, repository / "blobs")
    (repository / "snapshots" / commit).mkdir(parents=True)
    for blob in (repository / "blobs").iterdir():
        (repository / "snapshots" / commit / blob.name).symlink_to(blob)

    checkpoint = Checkpoint.open("someone/tiny")
    assert checkpoint.revision == commit
    assert checkpoint.identity() == Checkpoint.open(str(base)).identity()
    assert Checkpoint.open("someone/tiny", commit).folder == checkpoint.folder


def test_a_folder_without_config_is_no_checkpoint(tmp_path):
    assert "has no config.json" in refusal_of(tmp_path)


def test_an_invalid_config_is_named(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": ')
    assert f"{tmp_path / 'config.json'} is no valid JSON" in refusal_of(tmp_path)


@pytest.mark.parametrize("file", ["config.json", INDEX_FILE])
def test_json_that_is_no_object_is_refused(instruct, tmp_path, file):
    folder = copy_of(instruct, tmp_path / "c")
    (folder / file).write_text('["weights"]')
    assert f"{folder / file} " in refusal_of(folder)


@pytest.mark.parametrize("others", [[], ["training_args.bin"], ["model.gguf"]])
def test_a_folder_without_weights_says_how_to_convert(tmp_path, others):
    folder = write_config(tmp_path / "c")
    for other in others:
        (folder / other).write_bytes(b"weights")
    said = refusal_of(folder)
    assert "has no .safetensors files and no pytorch_model.bin" in said
    assert all(other in said for other in others)
    assert "save_pretrained" in said


def test_a_quantised_config_is_refused_with_its_method(base, tmp_path):
    folder = copy_of(base, tmp_path / "c")
    edit_config(folder, quantization_config={"quant_method": "awq", "bits": 4})
    said = refusal_of(folder)
    assert "is quantised (awq" in said
    assert "use the unquantised checkpoint" in said


def test_missing_shards_are_counted_and_the_first_is_named(instruct, tmp_path):
    folder = copy_of(instruct, tmp_path / "c")
    for number in (2, 4):
        (folder / f"model-0000{number}-of-00005.safetensors").unlink()
    said = refusal_of(folder)
    assert "lacks 2 of 5 shards" in said
    assert "model-00002-of-00005.safetensors" in said


@pytest.mark.parametrize("change", [-1, 1])
def test_a_shard_of_another_length_than_promised_is_refused(instruct, tmp_path, change):
    folder = copy_of(instruct, tmp_path / "c")
    shard = folder / "model-00003-of-00005.safetensors"
    os.truncate(shard, shard.stat().st_size + change)
    said = refusal_of(folder)
    assert f"{shard} has" in said
    assert "truncated or was changed" in said


@pytest.mark.parametrize("length", [0, 5, 20])
def test_a_shard_cut_within_its_header_is_refused(instruct, tmp_path, length):
    folder = copy_of(instruct, tmp_path / "c")
    shard = folder / "model-00003-of-00005.safetensors"
    os.truncate(shard, length)
    assert f"{shard} is truncated or no safetensors file" in refusal_of(folder)


@pytest.mark.parametrize(
    "header",
    [
        b"\xff\xfe not json",
        b"[1, 2]",
        b'{"w": 3}',
        b'{"w": {"dtype": "F32", "shape": [1]}}',
        b'{"w": {"dtype": "F32", "shape": 1, "data_offsets": [0, 4]}}',
        b'{"w": {"dtype": "F32", "shape": [1], "data_offsets": []}}',
        b'{"w": {"dtype": "F32", "shape": [1], "data_offsets": ["0", "4"]}}',
        # Too short for the shape, before the data, with a gap, overlapping, of negative size.
        b'{"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}',
        b'{"w": {"dtype": "F32", "shape": [2], "data_offsets": [-4, 4]}}',
        b'{"w": {"dtype": "F16", "shape": [1], "data_offsets": [2, 4]}}',
        b'{"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},'
        b' "v": {"dtype": "F16", "shape": [1], "data_offsets": [2, 4]}}',
        b'{"w": {"dtype": "F32", "shape": [-1, -1], "data_offsets": [0, 4]}}',
    ],
)
def test_a_corrupt_header_is_refused_with_its_file(tmp_path, header):
    folder = write_config(tmp_path / "c")
    write_shard(folder / "model.safetensors", header, 4)
    said = refusal_of(folder)
    assert f"The header of {folder / 'model.safetensors'} is corrupt" in said


def test_an_index_that_points_to_the_wrong_shard_is_refused(instruct, tmp_path):
    folder = copy_of(instruct, tmp_path / "c")
    index = json.loads((folder / INDEX_FILE).read_text())
    index["weight_map"]["lm_head.weight"] = index["weight_map"]["model.norm.weight"]
    index["weight_map"]["model.embed_tokens.weight"] = index["weight_map"]["model.norm.weight"]
    (folder / INDEX_FILE).write_text(json.dumps(index))
    said = refusal_of(folder)
    assert "which does not hold it" in said
    assert "of different saves" in said


@pytest.mark.parametrize("shard", ["../elsewhere.safetensors", "/etc/x.safetensors", "", 3, None])
def test_an_index_that_points_out_of_the_folder_is_refused(instruct, tmp_path, shard):
    folder = copy_of(instruct, tmp_path / "c")
    # It would be found, if it were looked for.
    (tmp_path / "elsewhere.safetensors").write_bytes(
        next(folder.glob("*.safetensors")).read_bytes()
    )
    index = json.loads((folder / INDEX_FILE).read_text())
    index["weight_map"]["lm_head.weight"] = shard
    (folder / INDEX_FILE).write_text(json.dumps(index))
    said = refusal_of(folder)
    assert f"{folder / INDEX_FILE} names {shard!r} as a shard" in said
    assert "no file of this folder" in said


def test_a_tensor_that_the_index_does_not_list_is_refused(instruct, tmp_path):
    folder = copy_of(instruct, tmp_path / "c")
    index = json.loads((folder / INDEX_FILE).read_text())
    del index["weight_map"]["model.layers.0.mlp.up_proj.weight"]
    (folder / INDEX_FILE).write_text(json.dumps(index))
    said = refusal_of(folder)
    assert f"{folder / INDEX_FILE} does not list model.layers.0.mlp.up_proj.weight" in said
    assert "(1 such tensors)" in said
    assert "of different saves" in said


@pytest.mark.parametrize("index", [{}, {"weight_map": {}}, {"weight_map": ["a"]}])
def test_an_index_without_weight_map_is_refused(instruct, tmp_path, index):
    folder = copy_of(instruct, tmp_path / "c")
    (folder / INDEX_FILE).write_text(json.dumps(index))
    assert f"{folder / INDEX_FILE} has no weight_map" in refusal_of(folder)


def test_an_identity_is_remembered_by_path_size_and_change_time(base, tmp_path):
    folder = copy_of(base, tmp_path / "c")
    before = Checkpoint.open(str(folder)).identity()
    shard = next(folder.glob("*.safetensors"))
    status = shard.stat()
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)

    os.utime(shard, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert Checkpoint.open(str(folder)).identity() == before  # not read again
    os.utime(shard, ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))
    assert Checkpoint.open(str(folder)).identity() != before


def test_files_that_shape_nothing_leave_the_identity_alone(base, tmp_path):
    folder = copy_of(base, tmp_path / "c")
    (folder / "README.md").write_text("a model card")
    (folder / "pytorch_model.bin").write_bytes(b"other weights")
    assert Checkpoint.open(str(folder)).identity() == Checkpoint.open(str(base)).identity()


@pytest.mark.parametrize(
    ("nested", "tied"), [({"tie_word_embeddings": True}, True), ({}, False), (None, False)]
)
def test_tied_embeddings_are_read_from_a_nested_config_too(base, tmp_path, nested, tied):
    folder = copy_of(base, tmp_path / "c")
    config = json.loads((folder / "config.json").read_text())
    del config["tie_word_embeddings"]
    (folder / "config.json").write_text(json.dumps(config | {"text_config": nested}))
    assert Checkpoint.open(str(folder)).ties_embeddings is tied


def test_integer_buffers_are_no_reason_to_refuse(tmp_path):
    folder = write_config(tmp_path / "c")
    entries = {
        "w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]},
        "steps": {"dtype": "I64", "shape": [], "data_offsets": [4, 12]},
    }
    write_shard(folder / "model.safetensors", entries, 12)
    checkpoint = Checkpoint.open(str(folder))
    assert [header.is_float for header in checkpoint.tensors.values()] == [True, False]
    assert MappedCheckpoint(checkpoint)("steps").dtype == torch.int64


def test_several_files_without_an_index_are_refused(instruct, tmp_path):
    folder = copy_of(instruct, tmp_path / "copy")
    (folder / INDEX_FILE).unlink()
    with pytest.raises(CheckpointError, match=r"5 \*\.safetensors files and no model.*index"):
        Checkpoint.open(str(folder))


def test_a_single_file_beside_an_index_of_other_shards_is_refused(instruct, tmp_path):
    folder = copy_of(instruct, tmp_path / "copy")
    shard = next(folder.glob("*.safetensors"))
    (folder / "model.safetensors").write_bytes(shard.read_bytes())
    with pytest.raises(CheckpointError, match=r"has both model\.safetensors and"):
        Checkpoint.open(str(folder))


# --- checkpoints that are not what they should be -------------------------------------------------


def safetensors(entries, data=b"1234", length=None):
    header = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def tensor(**fields):
    return {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} | fields}


DEEP = b"[" * 200_000 + b"]" * 200_000


@pytest.mark.parametrize(
    "content",
    [
        safetensors(tensor(), length=2**63),
        safetensors(tensor(), length=2**64 - 1),
        safetensors(DEEP),
        safetensors(b'{"a":' + DEEP + b"}"),
        safetensors(tensor(data_offsets=[0.0, 4.0])),
        safetensors(tensor(shape=[True])),
        safetensors(tensor(shape=[1.0])),
        safetensors(tensor(shape="a")),
        safetensors(tensor(shape=None)),
        safetensors(tensor(shape=[-1, -1])),
        safetensors(tensor(shape=[1] * 100_000)),
        safetensors(tensor(shape=[10**18, 10**18, 0], data_offsets=[0, 0]), b""),
        safetensors(tensor(dtype=["F32"])),
        safetensors(tensor(data_offsets=[4, 8]), b"12345678"),
        safetensors(tensor() | {"b": tensor()["a"]}),
        safetensors(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[NaN,4]}}'),
        safetensors(b'{"a\\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'),
        safetensors(b'{"a":{"dtype":"F32","shape":[' + b"9" * 5_000 + b'],"data_offsets":[0,4]}}'),
        b"",
        b"1234567",
    ],
)
def test_a_header_that_is_none_is_refused_by_a_sentence(tmp_path, content):
    folder = write_config(tmp_path / "odd")
    (folder / "model.safetensors").write_bytes(content)
    said = refusal_of(folder)
    assert "Fetch it again." in said
    said.encode()  # half of a surrogate pair could not be printed


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", DEEP),
        ("config.json", b'{"a":"\xff"}'),
        ("config.json", b'\xef\xbb\xbf{"model_type": "llama"}'),
        ("config.json", b'{"a":' + b"9" * 5_000 + b"}"),
        ("config.json", b'{"quantization_config": "x"}'),
        ("config.json", b'{"quantization_config": [1]}'),
        (INDEX_FILE, DEEP),
        (INDEX_FILE, b'{"weight_map": {"a": "x\\ud800y"}}'),
        (INDEX_FILE, b'{"weight_map": {"a": "x\\u0000y"}}'),
        (INDEX_FILE, b'{"weight_map": {"a": "..", "b": "../../etc/passwd"}}'),
        (INDEX_FILE, b'{"weight_map": {"a": {"b": 1}}}'),
    ],
)
def test_json_that_is_no_config_or_index_is_refused_by_a_sentence(tmp_path, file, content):
    folder = write_config(tmp_path / "odd")
    (folder / file).write_bytes(content)
    refusal_of(folder).encode()


def test_a_folder_in_the_place_of_a_config_is_refused_by_a_sentence(tmp_path):
    (tmp_path / "odd" / "config.json").mkdir(parents=True)
    assert "cannot be read (Is a directory)" in refusal_of(tmp_path / "odd")


@pytest.mark.parametrize("name", ["a\0b", "/dev/null/x", "x" * 5000, "~nobody-of-that-name/x"])
def test_a_name_that_no_folder_can_have_is_refused_by_a_sentence(name):
    refusal_of(name).encode()


def test_pipes_and_folders_are_no_companions(instruct, tmp_path):
    folder = copy_of(instruct, tmp_path / "odd")
    before = Checkpoint.open(str(folder)).identity()
    os.mkfifo(folder / "evil.json")  # reading it would never end
    (folder / "odd.json").mkdir()
    assert Checkpoint.open(str(folder)).identity() == before


@pytest.mark.parametrize("revision", ["v1", "main", "0" * 40, 7])
def test_a_revision_of_a_folder_is_an_error(instruct, revision):
    with pytest.raises(CheckpointError, match=f"is a folder, which has no revision {revision!r}"):
        Checkpoint.open(str(instruct), revision)


def adapter_in(folder, weights=True):
    """What a LoRA training leaves, for a base that is not there."""
    folder.mkdir(exist_ok=True)
    config = {"peft_type": "LORA", "base_model_name_or_path": "nobody/nothing"}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    if weights:
        content = safetensors(tensor(), b"1234")
        (folder / "adapter_model.safetensors").write_bytes(content)
    return folder


def test_an_adapter_beside_full_weights_is_no_part_of_the_checkpoint(instruct, tmp_path):
    plain = Checkpoint.open(str(copy_of(instruct, tmp_path / "plain")))
    both = Checkpoint.open(str(adapter_in(copy_of(instruct, tmp_path / "both"))))
    assert (plain.has_adapter, both.has_adapter) == (False, True)
    assert both.tensors.keys() == plain.tensors.keys()
    assert both.identity() == plain.identity()
