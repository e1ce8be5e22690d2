"""`hm-merged` of a YAML of three models, on transformers: the streamed merge is the one on disk.

The reference is transformers itself on the checkpoint that mergekit writes.
"""

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM

from hm_models.errors import RecipeError
from hm_models.merged import HindsightMerged
from tests.entry_points import run
from tests.instances import instance
from tests.models.merge.by_mergekit import run_mergekit
from tests.models.tiny import copy_of, edit_config, tiny_checkpoint

RECIPE = {
    "merge_method": "ties",
    "models": [
        {"model": "SFT", "parameters": {"weight": 0.4, "density": 0.7}},
        {"model": "DPO", "parameters": {"weight": [0.3, 0.9]}},
    ],
    "base_model": "BASE",
    "dtype": "float32",
    "out_dtype": "bfloat16",
}
GREEDY = {"until": [], "do_sample": False, "max_gen_toks": 6}


@pytest.fixture(scope="module")
def models(tiny_pair, tmp_path_factory):
    """Folders of a base, its SFT and its DPO; do not change them."""
    sft = tiny_checkpoint(tmp_path_factory.mktemp("many") / "sft", 3, shard_size="17KB")
    return {"BASE": tiny_pair / "base", "SFT": sft, "DPO": tiny_pair / "instruct"}


@pytest.fixture(scope="module")
def file(models, tmp_path_factory):
    """The YAML of these three."""
    return written(models, tmp_path_factory.mktemp("file"))


def written(models, folder):
    text = yaml.safe_dump(RECIPE)
    for name, place in models.items():
        text = text.replace(f": {name}\n", f": {place}\n")
    (folder / "three.yaml").write_text(text)
    return folder / "three.yaml"


def load(file, **arguments):
    return HindsightMerged(recipe=str(file), backend="hf", device="cpu", **arguments)


def logits(model):
    with torch.no_grad():
        return model(torch.arange(80)[None]).logits


def answers(lm):
    requests = [
        instance("generate_until", {}, (prompt, GREEDY), n) for n, prompt in enumerate(("w1", "w2"))
    ]
    return lm.generate_until(requests, disable_tqdm=True)


def test_streamed_resident_and_written_are_the_merge_that_mergekit_writes(file, tmp_path):
    run_mergekit(yaml.safe_load(file.read_text()), tmp_path / "merged")
    expected = logits(AutoModelForCausalLM.from_pretrained(tmp_path / "merged"))
    found = {}
    for way in ({}, {"keep_resident": True}, {"materialize": True}):
        lm = load(file, **way)
        assert torch.equal(logits(lm.lm.model), expected)
        found[lm.engine.weights] = answers(lm)
    assert found["streamed"] == found["materialised"]


def test_the_results_carry_every_model_with_its_content(file, models):
    lm = load(file)
    merge = lm.get_model_info()["merge"]
    assert [model["model"] for model in merge["models"]] == [
        str(models[name]) for name in ("SFT", "DPO", "BASE")
    ]
    assert len({model["identity"] for model in merge["models"]}) == 3
    assert merge["base_model"] == str(models["BASE"])
    assert merge["fingerprint"] == lm.recipe.fingerprint()
    assert merge["file"] == "three.yaml"
    assert lm.prompt_style == "chat"


def test_answers_are_kept_for_the_content_of_all_models(file, models, tmp_path):
    kept = tmp_path / "samples.sqlite"

    def known(recipe):
        lm = load(recipe)
        lm.keep_samples_in(kept)
        request = instance("generate_until", {}, ("w1", GREEDY), 0)
        before = lm.known([request])
        lm.generate_until([request], disable_tqdm=True)
        return before

    copies = {name: copy_of(folder, tmp_path / name) for name, folder in models.items()}
    assert [known(file), known(file), known(written(copies, tmp_path))] == [0, 1, 1]
    listed = run("hm-cache", "--file", kept, "list").stdout
    assert "sft+instruct+base merge_method=ties" in listed
    edit_config(copies["SFT"], rope_theta=5e5)
    assert known(written(copies, tmp_path)) == 0


def test_alpha_is_refused_beside_the_file_and_later(file):
    with pytest.raises(RecipeError, match="says what is merged and how; leave alpha out"):
        load(file, alpha=0.5)
    lm = load(file)
    before = answers(lm)
    with pytest.raises(RecipeError, match="merges 3 models by weights of its own"):
        lm.set_alpha(0.5)
    assert answers(lm) == before
