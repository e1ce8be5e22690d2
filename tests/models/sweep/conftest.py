"""The tiny task, one task index for all tests, and a store of samples for each."""

from pathlib import Path

import lm_eval.tasks
import pytest
from lm_eval.tasks._index import TaskIndex

from hm_models.plugin.once_for_all import once_for_all
from tests.models.sweep.world import write_task


@pytest.fixture(autouse=True, scope="package")
def task_index():
    """Our tasks alone: the harness's own are fourteen thousand files, and none is asked for."""
    plain, theirs = TaskIndex.build, Path(lm_eval.tasks.__file__).parent

    def build(paths, **options):
        return plain([path for path in paths if path != theirs], **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TaskIndex, "build", staticmethod(build))
        with once_for_all():
            yield


@pytest.fixture(autouse=True)
def own_store(tmp_path, monkeypatch):
    monkeypatch.setenv("HM_CACHE", str(tmp_path / "hm"))


@pytest.fixture(scope="session")
def task(tmp_path_factory):
    return write_task(tmp_path_factory.mktemp("sweep-task"))
