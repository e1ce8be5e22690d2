"""The classifier of pairs, on a tiny DeBERTa with known weights; and what becomes of one that is not there."""

import pytest
import torch

from hm_tasks.novelty_bench.classifier import Classifier, ClassifierError, few_words_same


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A DeBERTa-v2 of 30 words with random weights, and its tokenizer."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import (
        DebertaV2Config,
        DebertaV2ForSequenceClassification,
        PreTrainedTokenizerFast,
    )

    folder = tmp_path_factory.mktemp("tiny-deberta")
    words = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", *(f"w{n}" for n in range(26))]
    plain = Tokenizer(WordLevel({word: n for n, word in enumerate(words)}, unk_token="[UNK]"))
    plain.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=plain,
        **{"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]"},
    ).save_pretrained(folder)
    torch.manual_seed(0)
    DebertaV2ForSequenceClassification(
        DebertaV2Config(
            vocab_size=len(words),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=300,
            type_vocab_size=2,
            num_labels=2,
            initializer_range=0.9,
        )
    ).save_pretrained(folder)
    return folder


def words(*numbers):
    return " ".join(f"w{n}" for n in numbers)


FIRST, SECOND = words(*range(8)), words(*range(8, 20))


def by_hand(folder, first, second):
    """The probability that both are the same, one pair at a time and without our code."""
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    one = [1, *(int(w[1:]) + 4 for w in first.split()), 2]
    other = [*(int(w[1:]) + 4 for w in second.split()), 2]
    with torch.inference_mode():
        logits = model(
            input_ids=torch.tensor([one + other]),
            token_type_ids=torch.tensor([[0] * len(one) + [1] * len(other)]),
        ).logits
    return float(logits.softmax(-1)[0, 1])


def test_a_pair_is_the_same_above_the_threshold_also_in_a_batch_with_padding(tiny):
    pairs = [("p", FIRST, SECOND), ("p", SECOND, words(*range(20, 26), 0))]
    chances = [by_hand(tiny, *pair[1:]) for pair in pairs]
    assert chances[0] != pytest.approx(chances[1], abs=1e-3)
    for threshold in (min(chances) - 1e-4, sum(chances) / 2, max(chances) + 1e-4):
        found = Classifier(str(tiny), threshold).compare(pairs)
        assert [one.score for one in found] == [int(chance > threshold) for chance in chances]


def test_the_first_128_tokens_of_each_answer_count(tiny):
    long = words(*[n % 26 for n in range(128)])
    for threshold in (by_hand(tiny, long, SECOND) - 1e-4, by_hand(tiny, long, SECOND) + 1e-4):
        cut, whole = Classifier(str(tiny), threshold).compare(
            [("p", f"{long} w3 w4", SECOND), ("p", long, SECOND)]
        )
        assert cut.score == whole.score


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("Paris.", "paris.", True),
        ("one two three four", "three four", True),
        ("one two three four five", "five six", False),
        ("", "Paris", False),
        ("one two three four five six", "six", None),
    ],
)
def test_short_answers_go_by_their_words(first, second, same):
    assert few_words_same(first, second) is same


def test_what_is_no_classifier_is_said(tmp_path):
    with pytest.raises(ClassifierError, match=r"cannot be (had|loaded)"):
        Classifier(str(tmp_path)).compare([("p", FIRST, SECOND)])
    with pytest.raises(ClassifierError, match="The weights of no/such-model cannot be had"):
        Classifier("no/such-model").folder()
