"""What every test runs in: its own cache folder, and no way to the hub."""

import os

import pytest

# Before anything imports huggingface_hub, which reads it once.
os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """Keep what the plugin remembers out of the user's cache, for the whole session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HM_CACHE", str(tmp_path_factory.mktemp("hm-cache")))
        yield
