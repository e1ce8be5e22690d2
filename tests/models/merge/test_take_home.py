"""What hm-merge does before and around the writing: sizes, the disk, names, and the folder itself."""

import json
from collections import namedtuple

import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from transformers import AutoModelForCausalLM, AutoTokenizer

from hm_models.errors import RecipeError
from hm_models.merge.card import Evaluation
from hm_models.merge.mergekit_yaml import read_recipe
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.stream import merged_tensors
from hm_models.merge.take_home import NoRoom, TakeHome, by_stamps, size_of
from hm_models.merge.writer import FolderTaken
from tests.models.adapters import adapter_of
from tests.models.merge.by_mergekit import assert_all_bits_agree, run_mergekit
from tests.models.tiny import CHAT_TEMPLATE, copy_of, read_tensors, same_bits, tiny_checkpoint
from tests.models.vicuna import vicuna_pair


def job_of(base, instruct, folder, **fields):
    return TakeHome.of(MergeRecipe(str(base), str(instruct), **{"alpha": 0.7} | fields), folder)


def test_the_folder_is_a_model_with_its_tokenizer_card_and_recipe(base, instruct, tmp_path):
    job = job_of(base, instruct, tmp_path / "out", out_dtype="float16")
    job.write(Evaluation(pictures={"figures/a.png": b"png"}), quiet=True)
    assert {file.relative_to(job.folder).as_posix() for file in job.folder.rglob("*.*")} == {
        *("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"),
        *("chat_template.jinja", "README.md", "mergekit_config.yml", "hindsight_merge.json"),
        *("model.safetensors", "figures/a.png"),
    }
    loaded = AutoModelForCausalLM.from_pretrained(job.folder)
    assert loaded.dtype == torch.float16
    assert AutoTokenizer.from_pretrained(job.folder).chat_template == CHAT_TEMPLATE
    tensors = read_tensors(job.folder)
    assert all(same_bits(tensors[name], t) for name, t in merged_tensors(job.recipe))


def test_an_adapter_and_bin_files_are_written_as_they_are_streamed(base, tmp_path):
    adapter = adapter_of(base, tmp_path / "adapter")
    pairs = {"lora": (base, adapter), "bin": vicuna_pair(tmp_path / "vicuna")}
    for name, pair in pairs.items():
        job = TakeHome.of(MergeRecipe(*map(str, pair), alpha=0.7), tmp_path / name, 20_000)
        job.write(Evaluation(), quiet=True)
        tensors, stream = read_tensors(job.folder), dict(merged_tensors(job.recipe))
        assert tensors.keys() == stream.keys()
        assert all(same_bits(tensors[key], stream[key]) for key in stream)
        AutoModelForCausalLM.from_pretrained(job.folder)
    card = (tmp_path / "lora" / "README.md").read_text()
    assert f"{adapter} is a LoRA adapter, which mergekit rounds" in card.replace("\\", "")
    content = yaml.safe_load((tmp_path / "lora" / "mergekit_config.yml").read_text())
    assert content["models"][1]["model"] == {
        "model": {"path": str(base)},
        "lora": {"path": str(adapter)},
    }
    assert not list((tmp_path / "bin").glob("*.bin"))
    assert (tmp_path / "bin" / "tokenizer.model").is_file()


def test_many_models_of_a_file_are_written_with_all_their_names(base, instruct, tmp_path):
    third = tiny_checkpoint(tmp_path / "third", 9)
    models = [{"model": str(m), "parameters": {"weight": 1}} for m in (base, instruct, third)]
    content = {"merge_method": "linear", "models": models, "dtype": "float32"}
    (tmp_path / "soup.yml").write_text(yaml.safe_dump(content))
    job = TakeHome.of(read_recipe(tmp_path / "soup.yml"), tmp_path / "out")
    job.write(Evaluation(), quiet=True)
    tensors = read_tensors(job.folder)
    assert all(same_bits(tensors[name], t) for name, t in merged_tensors(job.recipe))
    card = ModelCard.load(job.folder / "README.md")
    assert set(card.data.base_model) == {str(base), str(instruct), str(third)}
    text = (job.folder / "mergekit_config.yml").read_text()
    made = run_mergekit(yaml.safe_load(text), tmp_path / "by_mergekit", text)
    assert_all_bits_agree(tensors, made)


def test_no_weight_is_read_before_it_is_written(base, instruct, tmp_path, no_weights):
    job = job_of(base, instruct, tmp_path / "out")
    job.check_room()
    said = job.words()
    assert said[0].startswith(f"{base} and {instruct}: 21 tensors, 0.0495 MB in 1 file, into ")
    assert not list(tmp_path.iterdir())


def test_a_disk_without_room_is_a_sentence_and_finished_shards_count(
    base, instruct, tmp_path, monkeypatch
):
    job = job_of(base, instruct, tmp_path / "deep" / "out")
    usage = namedtuple("usage", "free")
    monkeypatch.setattr("shutil.disk_usage", lambda place: usage(100_040_000))
    with pytest.raises(NoRoom, match=r"needs 0.1 GB|needs 100 MB"):
        job.check_room()
    assert not list(tmp_path.iterdir())
    (shard,) = job.shards
    draft = tmp_path / "deep" / ".out.merging"
    draft.mkdir(parents=True)
    (draft / shard.name).write_bytes(shard.header + bytes(shard.data_bytes))
    job.check_room()


def test_the_same_merge_is_taken_as_it_is_and_another_refused(base, instruct, tmp_path):
    job = job_of(base, instruct, tmp_path / "out")
    job.write(Evaluation(), quiet=True)
    before = (job.folder / "model.safetensors").stat().st_mtime_ns
    again = job_of(base, instruct, tmp_path / "out")
    again.check_room()
    again.write(Evaluation(), quiet=True)
    assert (job.folder / "model.safetensors").stat().st_mtime_ns == before
    with pytest.raises(FolderTaken, match="Name another folder"):
        job_of(base, instruct, tmp_path / "out", alpha=0.3)


def test_a_changed_file_or_recipe_is_another_merge(base, instruct, tmp_path):
    mine = copy_of(base, tmp_path / "mine")

    def stamp(**fields):
        return by_stamps(MergeRecipe(str(mine), str(instruct), **{"alpha": 0.7} | fields))

    found = [stamp(), stamp(alpha=0.8), stamp(merge_method="slerp"), stamp(out_dtype="float16")]
    config = json.loads((mine / "tokenizer_config.json").read_text())
    (mine / "tokenizer_config.json").write_text(json.dumps(config | {"new": 1}))
    found.append(stamp())
    next(mine.glob("*.safetensors")).touch()
    found.append(stamp())
    assert len(set(found)) == len(found)
    assert stamp() == found[-1]


@pytest.mark.parametrize("method", ["mix", "switch"])
def test_two_models_side_by_side_are_no_checkpoint(base, instruct, tmp_path, method):
    fields = {"alpha": None, "merge_params": {"every": 2}} if method == "switch" else {}
    with pytest.raises(RecipeError, match="no checkpoint to write"):
        job_of(base, instruct, tmp_path / "out", merge_method=method, **fields)


def test_a_side_itself_has_its_own_dtype(base, instruct, tmp_path):
    with pytest.raises(RecipeError, match="with its own bytes"):
        job_of(base, instruct, tmp_path / "out", alpha=1, out_dtype="float32")


@pytest.mark.parametrize("text", ["5", "GB", "0GB", "-1GB", "5 apples", ""])
def test_a_size_that_is_none_is_a_sentence(text):
    with pytest.raises(RecipeError, match="for example 5GB"):
        size_of(text)
