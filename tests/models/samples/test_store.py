"""What was put is there: after kill -9, beside other writers, and as earlier versions wrote it."""

import gzip
import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from hm_models.files.database import StoreError
from hm_models.files.places import CacheError
from hm_models.samples.key import ModelKey, SampleKey
from hm_models.samples.store import Answer, SampleStore

WRITTEN_BEFORE = Path(__file__).parents[1] / "files" / "written_before"
MODEL = ModelKey("f" * 64, {"base": "b", "instruct": "i", "alpha": 0.7})
OTHER = ModelKey("e" * 64, {"base": "b", "instruct": "i", "alpha": 0.9})


def question(number: int) -> bytes:
    return number.to_bytes(16, "big")


def rows(start: int, count: int, text: str = "text"):
    return [
        (SampleKey(question(n // 11), n % 11), "task", Answer(f"{text} {n}", {"tokens": n}))
        for n in range(start, start + count)
    ]


def known(file: Path, questions: int) -> dict:
    with SampleStore(file) as store:
        return store.find(map(question, range(questions)))


def test_answers_come_back_with_their_facts_and_only_those_that_were_asked_for(tmp_path):
    with SampleStore(tmp_path / "new folder" / "s.sqlite") as store:
        store.put(MODEL, rows(0, 33))
        found = store.find([question(1), question(1), question(7)])
    assert found == {key: answer for key, _, answer in rows(11, 11)}


def test_the_first_answer_to_a_key_counts(tmp_path):
    with SampleStore(tmp_path / "s") as store:
        store.put(MODEL, rows(0, 3, "first"))
        store.put(MODEL, rows(0, 4, "second"))
    texts = [answer.text for answer in known(tmp_path / "s", 1).values()]
    assert texts == ["first 0", "first 1", "first 2", "second 3"]


def test_a_failing_put_keeps_nothing_of_it(tmp_path):
    with SampleStore(tmp_path / "s") as store:
        with pytest.raises(TypeError):
            store.put(
                MODEL, [*rows(0, 3), (SampleKey(question(0), 3), "task", Answer("", {"a": {1}}))]
            )
        store.put(MODEL, rows(5, 1))
    assert list(known(tmp_path / "s", 1)) == [SampleKey(question(0), 5)]


WRITER = """
import sys
from tests.models.samples.test_store import MODEL, rows
from hm_models.samples.store import SampleStore
from pathlib import Path

store = SampleStore(Path(sys.argv[1]))
for number in range(10**6):
    store.put(MODEL, rows(number, 1))
    print(number, flush=True)
"""


def test_what_was_put_survives_kill_9(tmp_path):
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "s")], stdout=subprocess.PIPE, text=True
        )
        said = [process.stdout.readline() for _ in range(200)]
        os.kill(process.pid, signal.SIGKILL)
        said += process.stdout.read().split("\n")
        process.wait()
        last = max(int(line) for line in said if line.strip().isdigit())
        found = known(tmp_path / "s", last // 11 + 1)
        assert {key for key, _, _ in rows(0, last + 1)} <= found.keys()


def _write_many(file: Path, model: ModelKey, start: int, barrier) -> None:
    barrier.wait()
    with SampleStore(file) as store:
        for number in range(start, start + 300):
            store.put(model, rows(number, 1, model.fingerprint[:1]))


def test_processes_that_open_and_write_one_file_at_once_lose_and_mix_nothing(tmp_path):
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(4)
    writers = [
        context.Process(
            target=_write_many, args=(tmp_path / "s", (MODEL, OTHER)[n % 2], 330 * n, barrier)
        )
        for n in range(4)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    found = known(tmp_path / "s", 120)
    assert len(found) == 1200
    for n in range(4):
        letter = "fe"[n % 2]
        assert all(
            found[key].text == f"{letter} {330 * n + i}"
            for i, (key, _, _) in enumerate(rows(330 * n, 300))
        )
    with SampleStore(tmp_path / "s") as store:
        held = {holding.fingerprint: holding.answers for holding in store.holdings()}
    assert held == {MODEL.fingerprint: 600, OTHER.fingerprint: 600}


def damage(file: Path, start: float, length: int = 4096) -> None:
    """Overwrite a part of the file, after its log has gone into it."""
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = bytearray(file.read_bytes())
    at = int(len(content) * start) // 4096 * 4096
    content[at : at + length] = b"\xa5" * length
    file.write_bytes(content)


def test_a_file_that_is_no_database_is_set_aside_with_a_message(tmp_path, caplog):
    (tmp_path / "s").write_bytes(b"no database at all, but long enough to look like something" * 99)
    with SampleStore(tmp_path / "s") as store:
        store.put(MODEL, rows(0, 1))
    assert len(known(tmp_path / "s", 1)) == 1
    assert "s is damaged (file is not a database). It was set aside as" in caplog.text
    (aside,) = tmp_path.glob("s.damaged-*")
    assert aside.read_bytes().startswith(b"no database")


def test_a_damaged_page_is_set_aside_with_the_file_and_no_traceback(tmp_path, caplog):
    with SampleStore(tmp_path / "s") as store:
        store.put(MODEL, rows(0, 5500, "a text of some length " * 20))
    damage(tmp_path / "s", 0.6)
    with SampleStore(tmp_path / "s") as store:
        store.find(map(question, range(500)))
        store.put(MODEL, rows(0, 5500, "again"))  # all of it is generated again
        found = store.find(map(question, range(500)))
    assert {answer.text.split()[0] for answer in found.values()} == {"again"}
    assert len(found) == 5500
    (aside,) = tmp_path.glob("s.damaged-*")
    assert f"It was set aside as {aside}, and a new file begun" in caplog.text
    assert aside.stat().st_size > 1_000_000, "what can be read of it is still there"


def test_a_bug_is_no_damage(tmp_path):
    with SampleStore(tmp_path / "s") as store:
        store.put(MODEL, rows(0, 1))
        with pytest.raises(sqlite3.Error):
            store.put(MODEL, [(SampleKey(None, 0), "task", Answer(object()))])
        assert len(store.find([question(0)])) == 1
    assert not list(tmp_path.glob("s.damaged-*"))


def test_what_an_earlier_version_wrote_is_read_and_gone_on_with(tmp_path):
    file = tmp_path / "samples.sqlite"
    file.write_bytes(gzip.decompress((WRITTEN_BEFORE / "samples.sqlite.gz").read_bytes()))
    first = SampleKey(bytes.fromhex("68bcefb5b1187e0a74cfaa7e9e8dcb32"), 0)
    with SampleStore(file) as store:
        assert store.find([first.question])[first] == Answer("text 0 ä", {"tokens": 0})
        (held,) = store.holdings()
        assert (held.fingerprint, held.task, held.answers, held.last) == (
            "f" * 64,
            "task",
            4,
            1.7e9,
        )
        assert store.first_day("t", "2027-01-01") == "2026-01-02"
        store.put(MODEL, rows(0, 3))
        assert store.holdings()[0].answers == 7, "it is the same model"


def test_a_process_goes_on_in_the_new_file_when_another_one_set_the_old_one_aside(tmp_path):
    with SampleStore(tmp_path / "s") as ours:
        ours.put(MODEL, rows(0, 11))
        for end in ("", "-wal", "-shm"):
            Path(f"{tmp_path / 's'}{end}").rename(f"{tmp_path / 'aside'}{end}")
        with SampleStore(tmp_path / "s") as theirs:
            theirs.put(OTHER, rows(11, 11))
        ours.put(MODEL, rows(22, 11))
        assert len(ours.find(map(question, range(3)))) == 22


def test_a_file_of_a_later_version_is_left_alone(tmp_path):
    with SampleStore(tmp_path / "s"):
        pass
    connection = sqlite3.connect(tmp_path / "s")
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(StoreError, match=r"later version of this package \(layout 99, known: 1\)"):
        SampleStore(tmp_path / "s")
    assert not list(tmp_path.glob("*.damaged-*"))


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match=r"Nothing can be kept in .*file/s"):
        SampleStore(tmp_path / "file" / "s")
    (tmp_path / "folder").mkdir()
    with pytest.raises(CacheError, match="See that it can be written"):
        SampleStore(tmp_path / "folder")


def test_a_model_is_listed_exported_and_removed_without_touching_another(tmp_path):
    with SampleStore(tmp_path / "s") as store:
        store.put(MODEL, rows(0, 11))
        store.put(OTHER, rows(11, 22, "ä"))
        sizes = {
            h.fingerprint: (h.description["alpha"], h.task, h.answers) for h in store.holdings()
        }
        assert sizes == {MODEL.fingerprint: (0.7, "task", 11), OTHER.fingerprint: (0.9, "task", 22)}
        exported = list(store.rows_of(OTHER.fingerprint))
        assert [row["text"] for row in exported] == [f"ä {n}" for n in range(11, 33)]
        assert json.dumps(exported)
        assert store.remove(MODEL.fingerprint) == 11
        store.put(MODEL, rows(0, 1))
        assert len(store.find(map(question, range(3)))) == 23
