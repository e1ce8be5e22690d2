"""The tiny task, one task index for all tests, and a store of samples for each."""

import pytest

from hm_models.engines.hf import HfEngine
from tests.models.sweep.world import write_task


@pytest.fixture(autouse=True)
def own_store(our_tasks_alone, tmp_path, monkeypatch):
    monkeypatch.setenv("HM_CACHE", str(tmp_path / "hm"))


@pytest.fixture(scope="session")
def task(tmp_path_factory):
    return write_task(tmp_path_factory.mktemp("sweep-task"))


@pytest.fixture
def engines(monkeypatch):
    """Counts engines: the alphas at which transformers was given a model."""
    started = []
    plain = HfEngine.load

    def load(self, *given):
        started.append(self.recipe.alpha)
        return plain(self, *given)

    monkeypatch.setattr(HfEngine, "load", load)
    return started
