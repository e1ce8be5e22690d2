"""What tests of the lowest floor share beside the tiny pair."""

import pytest

from hm_models.checkpoints.mapped import MappedCheckpoint


@pytest.fixture
def no_weights(monkeypatch):
    """Fail where a weight file is opened."""

    def opened(*_):
        raise AssertionError("a weight file was opened")

    monkeypatch.setattr(MappedCheckpoint, "__init__", opened)
