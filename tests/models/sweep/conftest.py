"""The tiny task, one task index for all tests, and a store of samples for each."""

import pytest

from hm_models.sweep.once import once_for_all
from tests.models.sweep.world import write_task


@pytest.fixture(autouse=True, scope="package")
def task_index():
    with once_for_all():
        yield


@pytest.fixture(autouse=True)
def own_store(tmp_path, monkeypatch):
    monkeypatch.setenv("HM_CACHE", str(tmp_path / "hm"))


@pytest.fixture(scope="session")
def task(tmp_path_factory):
    return write_task(tmp_path_factory.mktemp("sweep-task"))
