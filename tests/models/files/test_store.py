"""Bytes kept between runs survive other processes, threads and damage."""

import gzip
import subprocess
import sys
import threading
from pathlib import Path

from hm_models.files.places import cache_file
from hm_models.files.store import Store


def test_what_was_put_is_there_for_the_next_process(tmp_path):
    Store(tmp_path / "a" / "b.sqlite").put_many((str(n), bytes([n])) for n in range(250))
    code = (
        "import sys; from pathlib import Path; from hm_models.files.store import Store\n"
        "found = Store(Path(sys.argv[1])).get_many([str(n) for n in range(2000)])\n"
        "print(len(found), found['249'][0])"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a" / "b.sqlite")]
    root = Path(__file__).parents[3]
    assert subprocess.check_output(command, cwd=root, text=True).split() == ["250", "249"]


def test_entries_that_break_off_are_kept_whole_or_not_at_all(tmp_path):
    store = Store(tmp_path / "b.sqlite")

    def broken():
        yield "a", b"1"
        raise RuntimeError

    try:
        store.put_many(broken())
    except RuntimeError:
        store.put("b", b"2")
    assert store.get_many(["a", "b"]) == {"b": b"2"}


def test_threads_may_share_a_store(tmp_path):
    store = Store(tmp_path / "b.sqlite")

    def work(name):
        for n in range(50):
            store.put_many([(f"{name} {n}", b"x"), (f"{name} {n} too", b"x")])
            assert store.get(f"{name} {n}") == b"x"

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    keys = [f"{name} {n}{also}" for name in "abcd" for n in range(50) for also in ("", " too")]
    assert len(store.get_many(keys)) == 400


def test_a_damaged_file_is_set_aside_and_a_new_one_begun(tmp_path, caplog):
    file = tmp_path / "b.sqlite"
    file.write_bytes(b"no data base" * 1000)
    store = Store(file)
    store.put("a", b"1")
    assert store.get("a") == b"1"
    assert "is damaged" in caplog.text
    assert len(list(tmp_path.glob("b.sqlite.damaged-*"))) == 1


def test_what_an_earlier_version_wrote_is_read_and_gone_on_with(tmp_path):
    file = tmp_path / "entries.sqlite"
    before = Path(__file__).parent / "written_before" / "entries.sqlite.gz"
    file.write_bytes(gzip.decompress(before.read_bytes()))
    store = Store(file)
    store.put("b", b"3")
    assert store.get_many(["a", "b", "c"]) == {"a": b"\x00\xff", "b": b"3"}


def test_a_file_that_is_moved_away_is_begun_anew(tmp_path):
    store = Store(tmp_path / "b.sqlite")
    store.put("a", b"1")
    for part in ("", "-wal", "-shm"):
        (tmp_path / f"b.sqlite{part}").rename(tmp_path / f"aside{part}")
    store.put("b", b"2")
    assert Store(tmp_path / "b.sqlite").get_many(["a", "b"]) == {"b": b"2"}


def test_the_cache_lies_where_hm_cache_says(monkeypatch, tmp_path):
    monkeypatch.setenv("HM_CACHE", str(tmp_path))
    assert cache_file("embeddings", "vectors.sqlite") == tmp_path / "embeddings" / "vectors.sqlite"
