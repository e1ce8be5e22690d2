"""A cache that cannot be written is named in one sentence by every store, before anything is done."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hm_models.embedders import why_unusable
from hm_models.embedders.vectors import embed
from hm_models.files.places import CacheError, cache_file, cache_folder, samples_file
from hm_models.files.store import Store
from hm_models.merge import writer
from hm_models.samples.store import SampleStore
from hm_tasks.curation.rewriting_settings import OPTIONS, RewriteSettings
from hm_tasks.judges.settings import JudgeSettings
from hm_tasks.sandbox.executors import choose_place
from hm_tasks.sorry_bench.rubric import FULFILMENT
from tests.entry_points import run

ROOT = Path(__file__).parents[3]
JUDGE = {
    "judge": "m",
    "judge_base_url": "http://localhost:1/v1",
    "judge_prompts": None,
    "judge_concurrency": 1,
    "judge_timeout_s": 1.0,
    "judge_limit": None,
    "max_unscored": 0.0,
}
REWRITE = {name: default for name, (_, default, _) in OPTIONS.items()} | {
    "rewrite": "m",
    "rewrite_base_url": "http://localhost:1/v1",
}


class NoEmbedder:
    name = "none"

    def identity(self):
        return "none"

    def read(self, text):
        return text

    def encode(self, texts):
        raise AssertionError("what cannot be kept was made")


STORES = {
    "scoring": lambda: choose_place("local", "auto"),
    "samples": lambda: SampleStore(samples_file()),
    "judgments": lambda: JudgeSettings.of(JUDGE, FULFILMENT),
    "rewrites": lambda: RewriteSettings.of(REWRITE),
    "embeddings": lambda: embed(["a text"], NoEmbedder()),
    "checkpoints": lambda: cache_folder("merged"),
    "identities": lambda: cache_folder("identities"),
    "unfinished": lambda: Store(cache_file("unfinished", "x.sqlite")),
}


def a_file(tmp_path: Path) -> str:
    (tmp_path / "file").write_text("")
    return str(tmp_path / "file")


def below_a_file(tmp_path: Path) -> str:
    return f"{a_file(tmp_path)}/cache"


def read_only(tmp_path: Path) -> str:
    return "/proc/self/task"  # nothing can be made there, by nobody


def no_home(tmp_path: Path) -> str:
    return "~nobody-of-this-name/cache"


def dangling(tmp_path: Path) -> str:
    (tmp_path / "link").symlink_to("/proc/nowhere/at/all")
    return str(tmp_path / "link")


PLACES = (a_file, below_a_file, read_only, no_home, dangling)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("store", STORES)
def test_every_store_says_in_one_sentence_what_hm_cache_must_be(
    store, place, tmp_path, monkeypatch
):
    monkeypatch.setenv("HM_CACHE", place(tmp_path))

    def keep():
        STORES[store]()
        Store(
            cache_file("x")
        )  # some find out that there is a folder, and this one what it is worth

    with pytest.raises(CacheError) as caught:
        keep()
    said = str(caught.value)
    assert f"HM_CACHE={os.environ['HM_CACHE']}" in said
    assert "Set HM_CACHE to a" in said
    assert said == why_unusable(caught.value)


def test_without_a_home_folder_nothing_is_written_into_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.delenv("HM_CACHE", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "hm_models.files.places.user_cache_path", lambda name: Path("~/.cache") / name
    )
    with pytest.raises(CacheError, match=r"below a home folder.*Set HM_CACHE"):
        cache_folder()
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_named(tmp_path, monkeypatch):
    tmp_path.chmod(0o555)
    monkeypatch.setenv("HM_CACHE", str(tmp_path))
    with pytest.raises(CacheError, match="cannot be written"):
        cache_folder()


FULL = """
import resource, sys
from hm_models.files.places import CacheError, cache_file, samples_file
from hm_models.samples.key import ModelKey, SampleKey
from hm_models.samples.store import Answer, SampleStore
from hm_models.files.store import Store
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))       # as if the disk were full
try:
    if sys.argv[1] == "samples":
        with SampleStore(samples_file()) as store:
            for n in range(100):
                answer = Answer("x" * 10_000)
                store.put(ModelKey("f", {}), [(SampleKey(bytes([n] * 32), 0), "t", answer)])
    else:
        store = Store(cache_file(sys.argv[1] + ".sqlite"))
        for n in range(100):
            store.put(str(n), b"x" * 10_000)
except CacheError as error:
    print(error)
"""


@pytest.mark.parametrize("name", ["samples", "judgments", "vectors"])
def test_a_full_disk_is_a_sentence_and_what_was_kept_stays(name, tmp_path):
    environment = {"HM_CACHE": str(tmp_path)}
    # -B: bytecode written under that limit is cut off, and breaks every later import of the module.
    command = [sys.executable, "-B", "-c", FULL, name]
    said = subprocess.check_output(command, env=environment, cwd=ROOT, text=True)
    assert f"Nothing can be kept in {tmp_path / name}.sqlite" in said
    assert f"HM_CACHE={tmp_path} must be a folder that can be written, on a disk with room" in said


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_merged_checkpoint_that_has_no_room_says_the_same(number, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setenv("HM_CACHE", str(tmp_path))
    monkeypatch.setattr(writer, "write_checkpoint", full)
    recipe = type("Recipe", (), {"fingerprint": lambda self: "f" * 64})()
    with pytest.raises(CacheError, match=r"Nothing can be kept in .*merged.*HM_CACHE="):
        writer.materialise(recipe, None)


def test_the_commands_print_the_sentence_and_no_traceback(tmp_path):
    environment = {"HM_CACHE": a_file(tmp_path), "OPENAI_API_KEY": "x"}
    log = tmp_path / "samples.jsonl"
    log.write_text("")
    for command in (
        ["hm-judge", str(log), "--judge", "m"],
        ["hm-cache", "list"],
    ):
        done = run(*command, **environment)
        assert done.returncode == 2
        assert "Set HM_CACHE to another folder" in done.stderr
        assert "Traceback" not in done.stderr
