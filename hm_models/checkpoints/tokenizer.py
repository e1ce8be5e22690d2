"""A checkpoint's tokenizer, by transformers; Mistral's as others are, which mistral-common's is not.

    load_tokenizer("mistralai/Mistral-Small-3.2-24B-Instruct-2506").encode("[INST]")

Beside a tekken.json transformers takes mistral-common's class where that is installed. It has no added
tokens to ask for, no chat template, and reads `[INST]` in a prompt as four signs; of the same file it can
make a tokenizer like all others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

TEKKEN = "tekken.json"
# Of a tekken.json alone: it has these tokens, and says nothing of what they are for.
SPECIAL_TOKENS = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "pad_token": "<pad>",
}


def has_tekken(source: str) -> bool:
    return (Path(source) / TEKKEN).is_file()


def load_tokenizer(source: str, trust_remote_code: bool = False) -> Any:
    """The tokenizer of a folder or a model on the hub.

    Raises:
        Exception: whatever a tokenizer's library makes of files that it cannot read.
    """
    from transformers import AutoTokenizer

    plain = {"mistral_format": False} if has_tekken(source) else {}
    tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=trust_remote_code, **plain)
    if plain:
        known = tokenizer.get_vocab()
        for name, token in SPECIAL_TOKENS.items():
            if getattr(tokenizer, name) is None and token in known:
                setattr(tokenizer, name, token)
    return tokenizer
