"""Embedders of the libraries sentence-transformers and model2vec, by hub name or folder."""

from __future__ import annotations

import abc
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from hm_models.embedders.content import folder_digest
from hm_models.embedders.embedder import Unusable, unit_rows

BATCH = 64


class _LibraryEmbedder(abc.ABC):
    """What both have in common: where the model is, and what it is by its content."""

    library: str

    def __init__(self, name: str, model: str, dimensions: int | None) -> None:
        self.name, self._model, self._dimensions = name, model, dimensions

    def identity(self) -> str:
        content = self._revision() if self._folder is None else folder_digest(self._folder)
        return f"{self.library} {content} {self._dimensions}"

    def read(self, text: str) -> str:
        return text  # the model's own tokenizer cuts

    def encode(self, texts: Sequence[str]) -> Iterator[tuple[Sequence[int], np.ndarray]]:
        self._check_library()
        try:
            embed = self._load()
        except (OSError, ValueError) as error:  # neither a folder nor on the hub, or no such model
            raise Unusable(f"{self.name} cannot be loaded: {error}") from error
        # Like lengths together, so that little is computed over padding.
        order = sorted(range(len(texts)), key=lambda position: len(texts[position]))
        for start in range(0, len(order), BATCH):
            positions = order[start : start + BATCH]
            vectors = unit_rows(embed([texts[position] for position in positions]))
            if self._dimensions and vectors.shape[1] != self._dimensions:
                raise Unusable(
                    f"{self.name}: the model has {vectors.shape[1]} dimensions; ask for at most these."
                )
            yield positions, vectors

    @abc.abstractmethod
    def _load(self) -> Callable[[list[str]], np.ndarray]:
        """A function from texts to [n, d]."""

    @property
    def _folder(self) -> Path | None:
        folder = Path(self._model).expanduser()
        return folder if folder.is_dir() else None

    @property
    def _source(self) -> str:
        return str(self._folder or self._model)

    def _revision(self) -> str:
        from huggingface_hub import hf_hub_download

        try:
            # .../snapshots/COMMIT/config.json, from the hub's cache where that is all there is.
            return f"{self._model}@{Path(hf_hub_download(self._model, 'config.json')).parent.name}"
        except (OSError, ValueError) as error:
            raise Unusable(
                f"{self.name}: {self._model} is neither a folder nor to be had from the hub ({error})."
            ) from error

    def _check_library(self) -> None:
        if importlib.util.find_spec(self.library) is None:
            raise Unusable(
                f"The embedder {self.name} needs the library {self.library.replace('_', '-')}: "
                "pip install 'hindsight-merging[embeddings]'"
            )


class SentenceTransformersEmbedder(_LibraryEmbedder):
    """Any model of sentence-transformers; `@DIMENSIONS` keeps the first ones (Matryoshka models)."""

    library = "sentence_transformers"

    def _load(self) -> Callable[[list[str]], np.ndarray]:
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(self._source, truncate_dim=self._dimensions)
        return lambda texts: model.encode(texts, batch_size=BATCH, show_progress_bar=False)


class Model2VecEmbedder(_LibraryEmbedder):
    """Any model of model2vec; `@DIMENSIONS` keeps the first ones, which are principal components."""

    library = "model2vec"

    def _load(self) -> Callable[[list[str]], np.ndarray]:
        from model2vec import StaticModel

        model = StaticModel.from_pretrained(
            self._source, dimensionality=self._dimensions, force_download=False
        )
        return lambda texts: model.encode(texts, show_progress_bar=False)
