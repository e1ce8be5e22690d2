"""One tiny pair for all tests that only read it."""

import pytest

from hm_models.checkpoints.mapped import MappedCheckpoint
from tests.models.tiny import tiny_checkpoint


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    """A bfloat16 Llama in three shards; do not change it."""
    return tiny_checkpoint(tmp_path_factory.mktemp("pair") / "base", 1, shard_size="20KB")


@pytest.fixture(scope="session")
def instruct(tmp_path_factory):
    """Its fine-tune in five shards, so that no file holds the same tensors; do not change it."""
    return tiny_checkpoint(tmp_path_factory.mktemp("pair") / "instruct", 2, shard_size="13KB")


@pytest.fixture
def no_weights(monkeypatch):
    """Fail where a weight file is opened."""

    def opened(*_):
        raise AssertionError("a weight file was opened")

    monkeypatch.setattr(MappedCheckpoint, "__init__", opened)
