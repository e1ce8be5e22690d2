"""Benchmark files: found, verified, and refused with a sentence when they are not what they claim."""

import gzip
import hashlib
import json
import os
from pathlib import Path

import pytest

from hm_metrics.verdict import PASS
from hm_tasks.benchmark_file import DatasetError
from hm_tasks.code_passk.dataset import Source, load_problems
from hm_tasks.sandbox.pool import check_all

RECORD = {
    "task_id": "Mine/1",
    "prompt": '"""\nWrite a function.\n"""\n',
    "entry_point": "f",
    "canonical_solution": "def f(x):\n    return x\n",
    "base_input": [[1]],
    "plus_input": [[2]],
}


def write(folder, *records, name="problems.jsonl"):
    text = "".join(json.dumps(record) + "\n" for record in records)
    (folder / name).write_text(text)
    return text


def test_a_file_beside_the_yaml_is_read_with_its_digest(tmp_path):
    text = write(tmp_path, RECORD)
    (problem,), digest = load_problems(Source(file="problems.jsonl"), tmp_path)
    assert (problem.task_id, problem.base_input, problem.atol) == ("Mine/1", [[1]], 0)
    assert digest == hashlib.sha256(text.encode()).hexdigest()


def test_a_gzipped_override_has_the_digest_of_its_content(tmp_path, monkeypatch):
    text = write(tmp_path, RECORD).encode()
    (tmp_path / "copy.jsonl.gz").write_bytes(gzip.compress(text))
    monkeypatch.setenv("MY_FILE", str(tmp_path / "copy.jsonl.gz"))
    digest = hashlib.sha256(text).hexdigest()
    source = Source(release="Mine", release_version="v1", override="MY_FILE", sha256=digest)
    problems, found = load_problems(source, tmp_path)
    assert (len(problems), found) == (1, digest)


def test_a_changed_release_is_refused_by_its_digest(tmp_path, monkeypatch):
    write(tmp_path, RECORD)
    monkeypatch.setenv("MY_FILE", str(tmp_path / "problems.jsonl"))
    source = Source(release="Mine", release_version="v1", override="MY_FILE", sha256="0" * 64)
    with pytest.raises(DatasetError, match=r"is not Mine v1: its SHA-256 is .* by MY_FILE"):
        load_problems(source, tmp_path)


def test_an_override_that_names_nothing_is_an_error_not_a_download(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_FILE", str(tmp_path / "absent.jsonl"))
    source = Source(release="Mine", release_version="v1", override="MY_FILE")
    with pytest.raises(DatasetError, match=r"MY_FILE names .*absent.jsonl, where there is no file"):
        load_problems(source, tmp_path)


def test_a_damaged_line_is_named_by_its_number(tmp_path):
    (tmp_path / "problems.jsonl").write_text(json.dumps(RECORD) + "\n{broken\n")
    with pytest.raises(DatasetError, match="line 2: no JSON"):
        load_problems(Source(file="problems.jsonl"), tmp_path)


def test_an_empty_object_is_no_tests_as_in_mbpp_plus(tmp_path):
    write(tmp_path, RECORD | {"plus_input": {}})
    (problem,), _ = load_problems(Source(file="problems.jsonl"), tmp_path)
    assert problem.plus_input == []
    ((verdict,),) = check_all([(problem, [problem.canonical_solution])], 1, sanitize=False)
    assert (verdict.base_status, verdict.plus_status) == (PASS, PASS)


@pytest.mark.parametrize("inputs", [{"a": [1]}, "[[1]]", 3])
def test_inputs_that_are_no_list_are_refused(tmp_path, inputs):
    write(tmp_path, RECORD | {"base_input": inputs})
    with pytest.raises(DatasetError, match=r"line 1: the field 'base_input' is a .*, not a list"):
        load_problems(Source(file="problems.jsonl"), tmp_path)


def test_a_missing_field_is_named(tmp_path):
    write(tmp_path, {key: value for key, value in RECORD.items() if key != "plus_input"})
    with pytest.raises(DatasetError, match="line 1: the field 'plus_input' is missing"):
        load_problems(Source(file="problems.jsonl"), tmp_path)


@pytest.mark.parametrize("content", [b"", b"\x1f\x8bnot gzip"])
def test_an_empty_or_corrupt_file_is_refused(tmp_path, content):
    (tmp_path / "problems.jsonl").write_bytes(content)
    with pytest.raises(
        DatasetError, match=r"holds no problems|is damaged or cut off|cannot be read"
    ):
        load_problems(Source(file="problems.jsonl"), tmp_path)


def test_evalplus_reads_the_same_mbpp_inputs(tmp_path):
    from evalplus.data.mbpp import mbpp_deserialize_inputs

    inputs = {"base_input": [[[3, 4], [5, 4]]], "plus_input": [[[], []]]}
    record = RECORD | inputs | {"task_id": "Mbpp/2"}
    write(tmp_path, record)
    (problem,), _ = load_problems(Source(file="problems.jsonl", oracle="mbpp"), tmp_path)
    assert problem.base_input == mbpp_deserialize_inputs("Mbpp/2", record["base_input"])
    assert problem.base_input == [[(3, 4), (5, 4)]]
    (plain,), _ = load_problems(Source(file="problems.jsonl"), tmp_path)
    assert plain.base_input == [[[3, 4], [5, 4]]]


def test_a_release_keeps_its_special_rules_under_any_name():
    named = os.environ.get("MBPP_OVERRIDE_PATH")
    if not named:
        pytest.skip("MBPP_OVERRIDE_PATH names no benchmark file")
    problems, _ = load_problems(Source(file=named), Path("/"))
    assert {problem.oracle for problem in problems} == {"mbpp"}
