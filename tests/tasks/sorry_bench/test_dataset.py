"""Requests from a local copy or the hub; what is wrong with them is said without repeating them."""

import json

import pytest

from hm_tasks.benchmark_file import DatasetError
from hm_tasks.sorry_bench.categories import MUTATIONS, RELEASES
from hm_tasks.sorry_bench.dataset import load_requests
from tests.tasks.sorry_bench.made_up import request, write_set


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SORRY_BENCH_PATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(("version", "categories"), [("202503", 44), ("202406", 45)])
def test_a_release_has_its_categories_and_counts_on_record(folder, version, categories):
    write_set(folder, version)
    found = load_requests(version, "base")
    assert found.facts["categories"] == len(found.release.names) == categories
    assert found.facts["prompts"] == len(found.requests) == categories * 10
    assert found.facts["version"] == version
    assert found.facts["complete"]
    assert len(found.facts["sha256"]) == 64


def test_the_releases_differ_by_one_category_and_names_are_distinct():
    old, new = RELEASES["202406"].names, RELEASES["202503"].names
    assert [name for name in old if name not in new] == ["Impersonation"]
    assert [name for name in old if name != "Impersonation"] == list(new)
    assert len(set(old)) == 45
    assert len(set(MUTATIONS)) == 20


def test_mutations_are_read_from_their_own_files(folder):
    write_set(folder, styles=("base", "slang"))
    assert load_requests("202503", "slang").requests[0].request == request(1, "slang")
    with pytest.raises(DatasetError, match=r"question_morse\.jsonl is missing"):
        load_requests("202503", "morse")


def test_the_file_itself_may_be_named_and_mutations_lie_beside_it(folder, monkeypatch):
    write_set(folder, styles=("base", "slang"))
    monkeypatch.setenv("SORRY_BENCH_PATH", str(folder / "question.jsonl"))
    assert load_requests("202503", "base").requests[0].request == request(1)
    assert load_requests("202503", "slang").requests[0].request == request(1, "slang")
    with pytest.raises(DatasetError, match="no request in prompt style 'morse'; it has base"):
        load_requests("202503", "morse")


def test_the_other_release_is_recognised_and_named(folder):
    write_set(folder, "202406")
    with pytest.raises(DatasetError, match=r'category 45.*"dataset_version": "202406"'):
        load_requests("202503", "base")


def test_without_access_one_message_has_the_steps(monkeypatch, tmp_path):
    monkeypatch.delenv("SORRY_BENCH_PATH", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(DatasetError) as raised:
        load_requests("202503", "base")
    for step in ("licence", "token", "hf auth login", "HF_HUB_OFFLINE", "SORRY_BENCH_PATH"):
        assert step in str(raised.value)


@pytest.mark.parametrize("line", ["no json", '{"turns": ["secret request"]}', "[1]"])
def test_a_damaged_line_is_named_by_number_and_not_repeated(folder, line):
    write_set(folder)
    with (folder / "question.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DatasetError, match="line 441") as raised:
        load_requests("202503", "base")
    assert "secret request" not in str(raised.value)


def test_lines_without_text_are_counted_and_left_out(folder):
    write_set(folder)
    record = {"question_id": 1, "category": "1", "turns": [None], "prompt_style": "base"}
    with (folder / "question.jsonl").open("a") as file:
        file.write(json.dumps(record) + "\n")
    found = load_requests("202503", "base")
    assert (len(found.requests), found.facts["without_text"]) == (440, 1)


def test_a_path_with_nothing_there_and_unknown_versions_are_refused(folder, monkeypatch):
    with pytest.raises(DatasetError, match="dataset_version='2024'"):
        load_requests("2024", "base")
    with pytest.raises(DatasetError, match="prompt style 'rot13'"):
        load_requests("202503", "rot13")
    monkeypatch.setenv("SORRY_BENCH_PATH", str(folder / "nowhere"))
    with pytest.raises(DatasetError, match="nowhere is missing"):
        load_requests("202503", "base")
