"""The reward model as a rater, on a tiny one with known weights; and what becomes of one that is not there."""

import pytest
import torch

from hm_metrics.novelty import utility
from hm_tasks.novelty_bench.reward import THRESHOLDS, RewardModel, rating_of
from tests.tasks.novelty_bench.test_task import CLASSES, folder, results  # noqa: F401


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A Llama that gives one number for a conversation, and a template that joins its turns."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForSequenceClassification

    from tests.models.tiny import tiny_checkpoint

    place = tmp_path_factory.mktemp("tiny-reward")
    tiny_checkpoint(place / "source", 3)
    tokenizer = AutoTokenizer.from_pretrained(place / "source")
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }} {% endfor %}"
    tokenizer.save_pretrained(place / "reward")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_labels=1,
        pad_token_id=0,
        initializer_range=0.9,
    )
    model = LlamaForSequenceClassification(config).to(torch.bfloat16)
    model.score.weight.data.mul_(3.0)  # rewards far from each other
    model.save_pretrained(place / "reward")
    return place / "reward"


@pytest.mark.parametrize(
    ("reward", "rating"),
    [(-7.72, 1), (-7.71875, 1), (-7.7, 2), (-5.6, 5), (-2.046875, 9), (-2.0, 10)],
)
def test_a_reward_on_a_threshold_is_below_it(reward, rating):
    assert rating_of(reward) == rating


def test_ratings_follow_from_the_models_own_rewards(tiny):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny)
    model = AutoModelForSequenceClassification.from_pretrained(tiny, dtype=torch.bfloat16).eval()
    words = list(tokenizer.get_vocab())[5:17]
    pairs = [(words[n], f"{words[n + 6]} {words[n]}") for n in range(6)]
    expected = []
    for prompt, answer in pairs:
        ids = tokenizer(f"{prompt} {answer} ", return_tensors="pt", add_special_tokens=False)
        with torch.inference_mode():
            expected.append(float(model(input_ids=ids["input_ids"]).logits[0, 0]))
    assert len(set(expected)) > 1
    found = RewardModel(str(tiny)).rate(pairs)
    assert [one.score for one in found] == [1 + sum(t < r for t in THRESHOLDS) for r in expected]


def test_the_task_takes_its_ratings_for_utility(tiny, folder):  # noqa: F811
    asked = {"classes_by": "embedder", "embedder_threshold": -1.0, "ratings_by": "reward"}
    found, metadata, samples = results(**asked, reward_model=str(tiny))
    ratings = [line["filtered_resps"][0][0]["rating"] for line in samples]
    assert all(1 <= rating <= 10 for rating in ratings)
    expected = [
        utility(
            [record["class"] for record in line["filtered_resps"][0]],
            [r["rating"] for r in line["filtered_resps"][0] if r["first"]],
        )
        for line in samples
    ]
    assert found["utility_k"] == pytest.approx(sum(expected) / len(CLASSES))
    assert metadata["ratings"] == {"by": "reward", "model": str(tiny)}


def test_one_that_is_not_there_leaves_utility_unscored_with_the_reason_and_the_run_goes_on(folder):  # noqa: F811
    asked = {"classes_by": "embedder", "ratings_by": "reward"}
    found, metadata, _ = results(**asked, reward_model=str(folder / "none"))
    assert found["utility_k"] == "unscored"
    assert isinstance(found["distinct_k"], float)
    assert found["unrated"] == 3
    assert "cannot be had" in metadata["ratings"]["unscored"]
