"""NoveltyBench's classifier of pairs: are two answers the same to a user?

Source: Zhang et al. 2025, and the facts of their release: a DeBERTa that reads the first 128 tokens of each
answer, without the prompt; the same above a probability of 0.102; and two answers of at most five words are
the same if they share half of the longer one's words, without asking it.

    >>> few_words_same("Paris, France", "paris, france"), few_words_same("Rome", "Paris")
    (True, False)
    >>> few_words_same("one two three four five six", "one") is None
    True
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hm_metrics.judgment import Judgment
from hm_models.embedders import Unusable
from hm_tasks.benchmark_file import in_a_line
from hm_tasks.novelty_bench.partition import Compared

if TYPE_CHECKING:
    import torch

NAME = "yimingzhang/deberta-v3-large-generation-similarity"
TOKENIZER = "microsoft/deberta-v3-large"
THRESHOLD = 0.102
TOKENS = 128  # of each answer
FEW_WORDS = 5
BATCH = 32
CLASSIFIER = "classifier"  # who decided


class ClassifierError(Unusable):
    """The classifier, or the reward model, cannot be used here and now; the message says why."""


def few_words_same(first: str, second: str) -> bool | None:
    """Whether two short answers are the same; None where one is not short."""
    words = [answer.strip().lower().split() for answer in (first, second)]
    longest = max(map(len, words))
    if longest > FEW_WORDS:
        return None
    return 2 * len(set(words[0]) & set(words[1])) >= longest


class Classifier:
    """The classifier of a folder or of the hub; nothing is loaded before the first comparison.

    Args:
        name: a folder with model and tokenizer, or a name on the hub.
    """

    def __init__(self, name: str = NAME, threshold: float = THRESHOLD) -> None:
        self.name, self.threshold = name, threshold

    def identity(self) -> dict[str, Any]:
        """What shapes the classes, for results."""
        return {"by": CLASSIFIER, "model": self.name, "threshold": self.threshold}

    def folder(self) -> Path:
        """Where its weights lie.

        Raises:
            ClassifierError: they cannot be had.
        """
        return folder_of(self.name, "weights")

    def compare(self, pairs: Sequence[Compared]) -> list[Judgment]:
        """Raises:
        ClassifierError: it cannot be loaded, or breaks down.
        """
        if pairs:  # short answers alone do not hide that it is not there
            _ = self._loaded
        known = [few_words_same(first, second) for _, first, second in pairs]
        asked = [pair[1:] for pair, same in zip(pairs, known, strict=True) if same is None]
        scores: list[float] = []
        for begin in range(0, len(asked), BATCH):
            scores += self._probabilities(asked[begin : begin + BATCH])
        found = iter(scores)
        same = [next(found) > self.threshold if each is None else each for each in known]
        return [Judgment(int(each), CLASSIFIER) for each in same]

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        folder = self.folder()
        has_tokenizer = any((folder / name).is_file() for name in ("tokenizer.json", "spm.model"))
        tokens = folder if has_tokenizer else folder_of(TOKENIZER, "tokenizer")
        return load(self.name, folder, tokens)

    def _probabilities(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """That each pair is the same."""
        import torch

        tokenizer, model = self._loaded
        rows = [self._row(tokenizer, first, second) for first, second in pairs]
        named = {"input_ids": [ids for ids, _ in rows], "token_type_ids": [of for _, of in rows]}
        batch = tokenizer.pad(named, return_tensors="pt").to(model.device)
        with torch.inference_mode():
            logits: torch.Tensor = model(**batch).logits
        return logits.float().softmax(-1)[:, 1].tolist()

    @staticmethod
    def _row(tokenizer: Any, first: str, second: str) -> tuple[list[int], list[int]]:
        """Tokens of [CLS] first [SEP] second [SEP], and which of both each belongs to."""
        parts = [
            tokenizer.encode(text, truncation=True, max_length=TOKENS, add_special_tokens=False)
            for text in (first, second)
        ]
        one = [tokenizer.cls_token_id, *parts[0], tokenizer.sep_token_id]
        other = [*parts[1], tokenizer.sep_token_id]
        return one + other, [0] * len(one) + [1] * len(other)


def load(name: str, folder: Path, tokenizer: Path, **given: Any) -> tuple[Any, Any]:
    """Tokenizer and model, on the GPU where there is one.

    Args:
        given: to the model's `from_pretrained`.

    Raises:
        ClassifierError: they cannot be loaded.
    """
    try:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        tokens = AutoTokenizer.from_pretrained(tokenizer)
        model = AutoModelForSequenceClassification.from_pretrained(folder, **given)
        return tokens, model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    except Exception as error:  # libraries raise what they like
        why = f"{type(error).__name__}: {in_a_line(error)}"
        raise ClassifierError(f"{name} cannot be loaded ({why}).") from None


def folder_of(name: str, what: str) -> Path:
    """A folder as it is, or that of a name on the hub, fetched where it is not there.

    Raises:
        ClassifierError: it cannot be had.
    """
    given = Path(name).expanduser()
    if given.is_dir():
        return given
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name))
    except Exception as error:  # the hub's errors have no common base
        raise ClassifierError(f"The {what} of {name} cannot be had ({in_a_line(error)}).") from None
