"""What tests of tasks share: a level of isolation is tried once in a worker, not with each pool."""

import functools

import pytest

from hm_tasks.sandbox.isolation import prove


@pytest.fixture(autouse=True, scope="session")
def _proven_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prove, "prove", functools.cache(prove.prove))
        yield
