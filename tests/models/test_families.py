"""Every family of docs/families.md: the merge is the sum by hand, and answers through the harness."""

import json

import lm_eval
import pytest
import torch
from lm_eval.tasks import TaskManager

from hm_models.merge.plan import plan_merge
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.stream import merged_tensors
from hm_models.merged import HindsightMerged
from tests.models.families import FAMILIES
from tests.models.tiny import TOKENS, same_bits, tiny_tokenizer

pytestmark = pytest.mark.usefixtures("our_tasks_alone")
ALPHA = 0.7


@pytest.fixture(params=FAMILIES)
def family(request, made_once):
    """A family, and the folder of its pair."""
    family = FAMILIES[request.param]
    return family, made_once(f"family-{list(FAMILIES).index(request.param)}", family.write)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    """The words, where no model's type makes transformers read them as bytes (Qwen2.5)."""
    folder = tmp_path_factory.mktemp("tokenizer")
    tiny_tokenizer(TOKENS).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    file = tmp_path_factory.mktemp("docs") / "docs.jsonl"
    file.write_text(json.dumps({"question": "w1 w2 w3", "answer": "w4"}))
    return {
        "task": "continue",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(file)}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": ["\n"], "max_gen_toks": 3, "do_sample": False},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }


def test_every_tensor_of_a_familys_merge_is_the_sum_by_hand(family):
    family, folder = family
    recipe = MergeRecipe(base=str(folder / "base"), instruct=str(folder / "instruct"), alpha=ALPHA)
    merged = dict(merged_tensors(recipe, plan_merge(recipe)))
    expected = family.by_hand(folder, ALPHA)
    assert merged.keys() == expected.keys()
    assert [name for name in expected if not same_bits(merged[name], expected[name])] == []


def test_a_family_runs_through_the_harness_on_transformers(family, task, tokenizer):
    family, folder = family
    lm = HindsightMerged(
        base=str(folder / "base"),
        instruct=str(folder / "instruct"),
        alpha=ALPHA,
        backend="hf",
        prompt_style="completion",
        tokenizer=tokenizer,
    )
    manager = TaskManager(include_defaults=False)
    found = lm_eval.simple_evaluate(lm, tasks=[task], task_manager=manager, bootstrap_iters=0)
    (sample,) = found["samples"]["continue"]
    assert isinstance(sample["resps"][0][0], str)
    assert type(lm.lm.model).__name__ == (family.loads_as or family.model)
    merged = dict(lm.engine.stream.tensors(lm.recipe))
    embedding = lm.lm.model.get_input_embeddings().weight
    assert any(torch.equal(embedding, tensor.merged()) for tensor in merged.values())
