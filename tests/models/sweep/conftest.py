"""The tiny task, one task index for all tests, and a store of samples for each."""

import pytest

from tests.models.sweep.world import write_task


@pytest.fixture(autouse=True)
def own_store(our_tasks_alone, tmp_path, monkeypatch):
    monkeypatch.setenv("HM_CACHE", str(tmp_path / "hm"))


@pytest.fixture(scope="session")
def task(tmp_path_factory):
    return write_task(tmp_path_factory.mktemp("sweep-task"))
