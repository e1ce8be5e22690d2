"""What a model says of texts that are already there, token by token, in one pass over each.

    for logits, ids in logits_of(lm, [("prompt", "text"), ...]): ...     # the harness's `hf` model
    for own, top in top_of(lm, [("prompt", "text"), ...], 20): ...       # its `vllm` model

The tokens are the tokenizer's for prompt and text, which need not be those that were sampled: a text
that a stop string cut lacks its last ones, and a model may spell a text in another way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from hm_models.engines.vllm_calls import parameters, rows_of

BATCH = 32  # texts given to vLLM at once: their log-probabilities stay in memory


def logits_of(
    lm: Any, pairs: Sequence[tuple[str, str]]
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield, for each (prompt, text), the logits [T, V] before each token of the text and its ids [T].

    Args:
        lm: the harness's `hf` model.
        pairs: an empty prompt stands for the token that begins a text.
    """
    for prompt, text in pairs:
        before, after = _encode(lm, prompt, text)
        ids = torch.tensor([before + after], device=lm.device)
        with torch.inference_mode():
            logits = lm.model(ids, logits_to_keep=len(after) + 1).logits
        yield logits[0, : len(after)], ids[0, len(before) :]


def top_of(
    lm: Any, pairs: Sequence[tuple[str, str]], k: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield, for each (prompt, text), log p [T] of the text's tokens and [T, k] of the likeliest ones.

    Args:
        lm: the harness's `vllm` model; its engine's `max_logprobs` (20) is the largest k.
        pairs: as for `logits_of`.
    """
    from vllm import TokensPrompt

    asked = parameters(k, of_prompt=True, max_tokens=1, temperature=0, detokenize=False)
    for start in range(0, len(pairs), BATCH):
        encoded = [_encode(lm, prompt, text) for prompt, text in pairs[start : start + BATCH]]
        prompts = [TokensPrompt(prompt_token_ids=before + after) for before, after in encoded]
        outputs = lm.model.generate(prompts, asked, use_tqdm=False)
        for (_, after), output in zip(encoded, outputs, strict=True):
            rows = rows_of([output.prompt_logprobs], k)
            rows = rows[len(rows) - len(after) :]
            yield rows[:, 0], rows[:, 1:]


def _encode(lm: Any, prompt: str, text: str) -> tuple[list[int], list[int]]:
    """Tokens of the prompt and of the text, together no more than the model takes."""
    before = lm.tok_encode(prompt) if prompt else [lm.prefix_token_id]
    whole = lm.tok_encode(prompt + text) if prompt else []
    if whole[: len(before)] == before:
        after = whole[len(before) :]
    else:  # the last token of the prompt and the first of the text have become one
        after = lm.tok_encode(text, add_special_tokens=False)
    room = lm.max_length - 1  # vLLM wants one for an answer
    after = after[: room - 1]
    return before[-(room - len(after)) :], after
