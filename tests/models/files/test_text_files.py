"""Text files are UTF-8 in every locale, and their lines end at a line feed alone."""

import errno
import gzip
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hm_models.files.text_files import (
    TextFileError,
    is_own,
    json_at,
    json_lines,
    lines_of,
    parse_json,
    read_json,
    read_text,
    write_pieces,
    write_text,
)


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\u0085", "\x0c", "\x1c", "\x0b", "\r"])
def test_a_line_ends_at_a_line_feed_alone(tmp_path, odd):
    file = tmp_path / "odd.jsonl"
    rows = [{"text": f"a{odd}b"}, {"text": "c"}]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    file.write_bytes(text.encode())
    assert [line.value for line in json_lines(file)] == rows
    offsets = [line.offset for line in json_lines(file)]
    assert [json.loads(file.read_bytes()[at:].split(b"\n")[0]) for at in offsets] == rows


def test_gzip_is_known_by_its_content(tmp_path):
    file = tmp_path / "packed.jsonl"
    file.write_bytes(gzip.compress(b'{"a": 1}\n{"a": 2}\n'))
    assert [line.value["a"] for line in json_lines(file)] == [1, 2]
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(TextFileError, match=r"packed\.jsonl: its gzip is damaged or cut off"):
        list(json_lines(file))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'\xef\xbb\xbf{"a": 1}\n', "line 1: begins with a byte-order mark"),
        (b'{"a": 1}\n{"a": "\xff"}\n', "line 2: byte 8 is no UTF-8"),
        (b'{"a": 1}\n{"a": "cut', "line 2: is cut off"),
        (b'{"a": 1}\n{"a": ', "line 2: is cut off"),
        (b'{"a": 1}\n{a}\n{"a": 1}\n', "line 2: no JSON"),
        (b"[" * 200_000 + b"]" * 200_000 + b"\n", "line 1: no JSON: it is nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}\n", "line 1: no JSON: it holds a number with more digits"),
        (b'{"a": "\\ud800"}\n', "line 1: no JSON: it holds half of a surrogate pair"),
    ],
)
def test_what_cannot_be_read_is_named_with_file_and_line(tmp_path, content, says):
    file = tmp_path / "bad.jsonl"
    file.write_bytes(content)
    with pytest.raises(TextFileError) as caught:
        list(json_lines(file))
    assert f"{file}, {says}" in str(caught.value)


def test_a_whole_surrogate_pair_is_text():
    assert parse_json('"\\ud83d\\ude00"') == "\U0001f600"


def test_blank_lines_are_counted_but_not_given(tmp_path):
    file = tmp_path / "a.txt"
    file.write_bytes(b"a\n\n \t\nb")
    assert list(lines_of(file)) == [(1, 0, "a"), (4, 6, "b")]


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    file = tmp_path / "a.json"
    write_text(file, '{"a": "\u00e9\\r"}\r\n')
    assert read_text(file) == '{"a": "\u00e9\\r"}\r\n'
    assert read_json(file) == {"a": "\u00e9\r"}
    with pytest.raises(UnicodeEncodeError):
        write_text(file, "\ud800")
    assert read_json(file) == {"a": "\u00e9\r"}
    assert os.listdir(tmp_path) == ["a.json"]


def test_the_content_is_on_the_disk_before_the_name_and_then_the_name(tmp_path, monkeypatch):
    done, sync, replace = [], os.fsync, os.replace

    def noted(handle: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "content")
        sync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(os, "replace", lambda *paths: done.append("name") or replace(*paths))
    write_text(tmp_path / "a.txt", "a")
    assert done == ["content", "name", "folder"]


def test_a_folder_that_its_file_system_cannot_sync_is_written_to(tmp_path, monkeypatch):
    sync = os.fsync

    def refuses_folders(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        sync(handle)

    monkeypatch.setattr(os, "fsync", refuses_folders)
    write_text(tmp_path / "a.txt", "a")
    assert (tmp_path / "a.txt").read_text() == "a"


def test_the_locale_changes_nothing(tmp_path):
    file = tmp_path / "a.txt"
    code = (
        "import sys; from pathlib import Path; from hm_models.files.text_files import *; "
        "file = Path(sys.argv[1]); write_text(file, '\\u00e9\\u2028'); "
        "assert read_text(file) == '\\u00e9\\u2028'"
    )
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[3])
    subprocess.run([sys.executable, "-c", code, file], env=environment, check=True)
    assert file.read_bytes() == "\u00e9\u2028".encode()


def test_lines_that_are_no_json_can_be_left_out_by_name(tmp_path):
    file = tmp_path / "odd.jsonl"
    file.write_bytes(b'{"a": 1}\n\xff\n{\n' + b"[" * 100_000 + b'\n{"a": 2}\n{"a": "cu')
    bad = []
    assert [line.number for line in json_lines(file, bad)] == [1, 5]
    assert [sentence.split(":")[0].split(", ")[1] for sentence in bad] == [
        "line 2",
        "line 3",
        "line 4",
        "line 6",
    ]
    assert "is cut off" in bad[3]


@pytest.mark.parametrize("packed", [False, True])
def test_a_line_is_found_again_where_it_began(tmp_path, packed):
    file = tmp_path / "some.jsonl"
    content = "".join(f'{{"text": "{n}\u2028é"}}\n\n' for n in range(5)).encode()
    file.write_bytes(gzip.compress(content) if packed else content)
    lines = list(json_lines(file))
    found = json_at(file, [line.offset for line in reversed(lines)])
    assert found == [line.value for line in reversed(lines)]


def test_a_text_in_pieces_is_written_whole_or_not_at_all(tmp_path):
    file = tmp_path / "page.html"
    write_pieces(file, ["é", "\n", "\u2028"])
    assert file.read_bytes() == "é\n\u2028".encode()

    def broken():
        yield "half"
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        write_pieces(file, broken())
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert file.read_bytes() == "é\n\u2028".encode()


def test_an_endless_line_is_named_before_it_fills_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("hm_models.files.text_files.LONGEST", 1000)
    file = tmp_path / "long.jsonl"
    file.write_bytes(gzip.compress(b"[" + b"0," * 10_000_000))
    with pytest.raises(TextFileError, match="line 1: is longer than"):
        list(json_lines(file))
    with pytest.raises(TextFileError, match="is longer than"):
        read_text(file)


def test_links_out_of_a_folder_are_not_its_own(tmp_path):
    folder, outside = tmp_path / "folder", tmp_path / "outside.txt"
    folder.mkdir()
    outside.write_text("secret")
    (folder / "own.txt").write_text("mine")
    for name, target in (("in", folder / "own.txt"), ("out", outside), ("null", "/dev/null")):
        (folder / name).symlink_to(target)
    own = [path.name for path in sorted(folder.iterdir()) if is_own(path, folder)]
    assert own == ["in", "own.txt"]
