"""Mistral's tekken.json: the same tokens as in its tokenizer.json, written in another way.

There a token is its bytes in base64, by rank behind the special tokens; in tokenizer.json the same bytes
are letters, as GPT-2's byte-level BPE has them.

    >>> "".join(LETTERS[byte] for byte in " é\\n".encode())
    'ĠÃ©Ċ'
"""

from __future__ import annotations

import base64
from pathlib import Path

from hm_models.checkpoints.headers import read_object


def _letters() -> list[str]:
    """A letter for each byte: itself where it can be seen, else the next from 256 on."""
    seen = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), 256)}
    unseen = [byte for byte in range(256) if byte not in seen]
    return [chr(byte if byte in seen else 256 + unseen.index(byte)) for byte in range(256)]


LETTERS = _letters()


def read_tekken(file: Path) -> dict[str, int]:
    """Token string as in tokenizer.json -> id.

    Raises:
        CheckpointError: no JSON object.
        LookupError, TypeError, ValueError: other JSON than a tekken.json.
    """
    content = read_object(file)
    config = content["config"]
    specials = config["default_num_special_tokens"]
    named = {entry["rank"]: entry["token_str"] for entry in content.get("special_tokens") or ()}
    vocabulary = {named.get(rank, f"<SPECIAL_{rank}>"): rank for rank in range(specials)}
    # The file lists more tokens than the models have.
    for entry in content["vocab"][: config["default_vocab_size"] - specials]:
        token = base64.b64decode(entry["token_bytes"])
        vocabulary["".join(LETTERS[byte] for byte in token)] = specials + entry["rank"]
    return vocabulary
