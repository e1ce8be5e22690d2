"""The card of a merge: huggingface_hub reads it, and it says what is known and no more."""

import shlex

import pytest
from huggingface_hub import EvalResult, ModelCard

from hm_models.merge import card
from hm_models.merge.card import Evaluation, card_text, command_of, licence_words
from hm_models.merge.plan import plan_merge
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.shards import out_tensors
from tests.models.tiny import copy_of, tiny_checkpoint

MIT = "license: mit\n"
LLAMA = "license: other\nlicense_name: llama3.1\nlicense_link: https://example.org/llama\n"


@pytest.fixture
def pair(base, instruct, tmp_path):
    """Copies of the pair, whose cards a test may write."""
    return copy_of(base, tmp_path / "base"), copy_of(instruct, tmp_path / "instruct")


def recipe_of(pair, **fields):
    return MergeRecipe(*map(str, pair), **{"alpha": 0.7} | fields)


def text_of(recipe, evaluation=None):
    plan = plan_merge(recipe)
    tensors = out_tensors(recipe, plan)
    return card_text("mine", recipe, plan, tensors, evaluation or Evaluation())


def with_cards(pair, *headers):
    for folder, header in zip(pair, headers, strict=True):
        if header is not None:
            (folder / "README.md").write_text(f"---\n{header}---\n# A model\n")


def test_the_header_names_parents_relation_and_tags(pair):
    read = ModelCard(text_of(recipe_of(pair)))
    assert read.data.base_model == list(map(str, pair))
    assert read.data.base_model_relation == "merge"
    assert {"merge", "mergekit", "hindsight-merging"} <= set(read.data.tags)
    assert (read.data.library_name, read.data.pipeline_tag) == ("transformers", "text-generation")
    assert read.data.eval_results is None
    assert "Nothing was measured" in read.text


@pytest.mark.parametrize(
    ("headers", "expected", "said"),
    [
        ((MIT, MIT), {"license": "mit"}, "name one licence"),
        (
            (LLAMA, LLAMA),
            {
                "license": "other",
                "license_name": "llama3.1",
                "license_link": "https://example.org/llama",
            },
            "other (llama3.1)",
        ),
        ((MIT, LLAMA), {"license": None}, "do not name one licence"),
        ((MIT, None), {"license": None}, "none stated"),
        ((None, None), {"license": None}, "sets none"),
        (("license: &a [*a]\n", MIT), {"license": None}, "none stated"),
        ((MIT + "license_link: LICENSE\n",) * 2, {"license": "mit", "license_link": None}, "mit"),
    ],
)
def test_a_licence_stands_there_where_both_parents_state_it(pair, headers, expected, said):
    with_cards(pair, *headers)
    read = ModelCard(text_of(recipe_of(pair)))
    assert {name: getattr(read.data, name) for name in expected} == expected
    assert said in read.text
    if headers == (MIT, LLAMA):
        assert "mit" in read.text
        assert "llama3.1" in read.text


def test_the_card_of_a_parent_on_the_hub_is_fetched_with_its_commit(pair, monkeypatch):
    with_cards(pair, None, LLAMA)
    asked = []

    def download(name, file, revision):
        asked.append((name, file, revision))
        return str(pair[1] / "README.md")

    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(pair[0]))
    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    recipe = recipe_of(["org/base", pair[1]])
    assert ModelCard(text_of(recipe)).data.license == "other"
    assert asked == [("org/base", "README.md", "base")]


def test_a_card_that_cannot_be_fetched_states_no_licence(pair, monkeypatch):
    def offline(*_, **__):
        raise OSError("no way to the hub")

    with_cards(pair, None, MIT)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(pair[0]))
    monkeypatch.setattr("huggingface_hub.hf_hub_download", offline)
    assert ModelCard(text_of(recipe_of(["org/base", pair[1]]))).data.license is None


def test_what_was_measured_is_a_model_index_with_its_errors(pair):
    result = EvalResult(
        task_type="text-generation",
        dataset_type="mbppplus_passk",
        dataset_name="mbppplus_passk",
        metric_type="pass@10",
        metric_value=0.5,
        metric_args={"stderr": 0.01},
    )
    read = ModelCard(text_of(recipe_of(pair), Evaluation([result], ["## Evaluation\n\nGood."])))
    (found,) = read.data.eval_results
    assert (found.metric_type, found.metric_value) == ("pass@10", 0.5)
    assert found.metric_args == {"stderr": 0.01}
    assert read.text.rstrip().endswith("Good.")


def test_recipe_and_remarks_stand_in_the_card(pair, tmp_path):
    tied = tiny_checkpoint(tmp_path / "tied", 3, tied=True)
    recipe = recipe_of([tied, pair[1]], alpha=[0.2, 0.9], out_dtype="float16")
    text = text_of(recipe)
    assert "| alpha | [0.2, 0.9] |" in text
    assert "| out_dtype | float16 |" in text
    assert "ties its output head" in text
    assert "does not give the same bits: one side ties" in text


def test_hostile_names_are_text_and_no_markup(pair, tmp_path):
    odd = copy_of(pair[0], tmp_path / "a|b](http://x) <img>`")
    read = ModelCard(text_of(recipe_of([odd, pair[1]])))
    assert read.data.base_model[0] == str(odd)
    assert "<img>" not in read.text.replace(f"`` {odd} ``", "").replace(shlex.quote(str(odd)), "")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"alpha": {"mlp": 0.5, "*": 0.7}},
        {"merge_method": "ties", "merge_params": {"density": 0.5}, "merge_dtype": "bfloat16"},
        {"merge_method": "dare_ties", "merge_seed": 7, "out_dtype": "float16"},
        {"alpha": 1.2, "extrapolate": True},
    ],
    ids=str,
)
def test_the_command_in_the_card_makes_the_same_recipe(pair, fields, monkeypatch):
    from hm_metrics.commands import merge

    made = []

    class Stop(Exception):
        pass

    def of(recipe, *_, **__):
        made.append(recipe)
        raise Stop

    recipe = recipe_of(pair, **fields)
    monkeypatch.setattr("hm_models.merge.take_home.TakeHome.of", of)
    monkeypatch.setattr("sys.argv", shlex.split(command_of(recipe)))
    with pytest.raises(Stop):
        merge.main()
    assert made == [recipe]


def test_what_flags_cannot_say_is_made_again_by_the_mergekit_file(pair):
    recipe = recipe_of(pair, alpha=None, instruct_params={"weight": 1}, base_params={"weight": 2})
    assert command_of(recipe) == "hm-merge --recipe mergekit_config.yml --output_path OUT"


def test_licences_in_a_sentence():
    both = [("B", None), ("I", card.Licence("mit"))]
    assert licence_words(both).startswith(
        "The parents' cards do not name one licence (B: none stated and I: mit)"
    )
