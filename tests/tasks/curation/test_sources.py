"""Samples as they lie about: what is read, where it is from, and what is left out by which kind."""

import hashlib
import json
import os
from collections import Counter

import pytest

from hm_models.samples.generation import LENGTHS
from hm_models.samples.sampler import PARAMETERS
from hm_tasks.curation.errors import CurationError
from hm_tasks.curation.problem_sets import ProblemSets
from hm_tasks.curation.provenance import origin_of
from hm_tasks.curation.sources import (
    LINK,
    NO_JSON,
    NO_PROBLEMS,
    NO_PROGRAM,
    NO_SAMPLE,
    NO_SUCH_PROBLEM,
    NO_TESTS,
    NO_TEXT,
    OLDER,
    TWICE,
    find_files,
    read_files,
)
from hm_tasks.traces.markers import join
from tests.tasks.curation.made_samples import STAMP, demo, line, run_folder, variants


def read(*paths, problems: str | None = None):
    counts: Counter[str] = Counter()
    sources = find_files(paths, counts)
    return list(read_files(sources, ProblemSets(problems), counts, Counter())), dict(counts)


def test_a_log_gives_each_sample_with_all_that_is_known_of_where_it_is_from(tmp_path):
    log = run_folder(tmp_path / "run")
    records, counts = read(tmp_path / "run")
    assert counts == {}
    assert len(records) == 20
    problem, record = demo()[1], records[6]
    assert (record.problem, record.entry_point) == (problem.task_id, problem.entry_point)
    assert record.statement == problem.prompt.strip()
    assert record.text == record.program == variants(problem)[1]
    assert record.status == record.reasoning == ""  # the log's verdicts are not taken over
    assert record.provenance == {
        "source": log.name,
        "line": 2,
        "index": 1,
        "task": "demo_passk",
        "model": "base--instruct--alpha0.7",
        "base": "org/base",
        "instruct": "org/instruct",
        "alpha": 0.7,
        "fingerprint": "f00",
        "merge": {"merge_method": "linear", "merge_dtype": "float32"},
        "seed": 3,
        "sampling": {"do_sample": True, "temperature": 0.7},
        "prompt_sha256": hashlib.sha256(f"<user>{problem.prompt}".encode()).hexdigest(),
        "problems": "demo",
        "dataset": problem.dataset,
    }
    assert len({record.id for record in records}) == 20


@pytest.mark.parametrize("name", [*PARAMETERS, "do_sample", *LENGTHS])
def test_no_parameter_of_sampling_is_lost_in_records_and_origins(tmp_path, name):
    log = run_folder(tmp_path / "run", count=1)
    content = json.loads(log.read_text())
    content["arguments"]["gen_args_0"]["arg_1"][name] = 2
    log.write_text(json.dumps(content) + "\n")
    records, _ = read(log)
    assert {record.provenance["sampling"][name] for record in records} == {2}
    results = log.with_name(f"results_{STAMP}.json")
    content = json.loads(results.read_text())
    content["configs"]["demo_passk"]["generation_kwargs"] = {name: 2}
    results.write_text(json.dumps(content))
    assert origin_of(log).fields["sampling"] == {name: 2}


def test_samples_of_a_merge_of_many_models_name_them_all(tmp_path):
    log = run_folder(tmp_path / "run")
    results = next((tmp_path / "run").glob("results_*.json"))
    content = json.loads(results.read_text())
    models = [{"model": name, "params": {"weight": 1}} for name in ("org/a", "org/b", "org/c")]
    content["config"]["merge"] = {"models": models, "base_model": "org/a", "fingerprint": "f00"}
    results.write_text(json.dumps(content))
    known = origin_of(log).fields
    assert known["models"] == ["org/a", "org/b", "org/c"]
    assert known["merge"] == {"models": models, "base_model": "org/a"}
    assert "base" not in known
    for odd in (7, "org/a", [7], [{"model": 7}], {}):
        content["config"]["merge"]["models"] = odd
        results.write_text(json.dumps(content))
        assert "models" not in origin_of(log).fields


def test_a_plain_models_log_has_no_alpha_and_one_without_results_its_task_alone(tmp_path):
    run_folder(tmp_path / "plain", alpha=None, count=1)
    records, _ = read(tmp_path / "plain")
    assert records[0].provenance["model"] == "org__plain"
    assert not {"alpha", "base", "fingerprint", "merge"} & records[0].provenance.keys()
    run_folder(tmp_path / "bare", count=2)
    (tmp_path / "bare" / f"results_{STAMP}.json").write_text("{")
    records, _ = read(tmp_path / "bare")
    assert records[0].provenance["task"] == "demo_passk"
    assert "model" not in records[0].provenance


def test_lines_of_evalplus_are_programs_and_completions(tmp_path):
    problem, file = demo(1)[0], tmp_path / "samples.jsonl"
    file.write_text(
        json.dumps({"task_id": problem.task_id, "solution": "def f(): pass"})
        + "\n\n"
        + json.dumps({"task_id": problem.task_id, "completion": "    pass"})
    )
    (first, second), counts = read(file)
    assert counts == {}
    assert first.program == "def f(): pass"
    assert second.program == problem.prompt + "    pass"
    assert [record.provenance["line"] for record in (first, second)] == [1, 3]


def test_bad_input_is_counted_by_kind_and_stops_nothing(tmp_path):
    untested = tmp_path / "problems.jsonl"
    fields = {"prompt": "p", "entry_point": "f", "canonical_solution": "", "atol": 0}
    tests = {"base_input": [[1]], "plus_input": []}
    untested.write_text(
        json.dumps(fields | {"task_id": "Mine/1", "base_input": [], "plus_input": []})
        + "\n"
        + json.dumps(fields | {"task_id": "Mine/2"} | tests)
    )
    solution = {"task_id": "Mine/2", "solution": "def f(x): return x"}
    lines = [
        "{no json",
        "[" * 100_000,
        b'"\xff"',
        json.dumps([1]),
        json.dumps({"task_id": "Mine/2"}),
        json.dumps({"doc_id": 1, "resps": [[["-1.0", "False"]]], "doc": {}}),
        json.dumps(solution | {"solution": 3}),
        json.dumps(solution | {"solution": "  \n"}),
        json.dumps(solution | {"task_id": "Mine/9"}),
        json.dumps(solution | {"task_id": "Mine/1"}),
        json.dumps(solution),
    ]
    file = tmp_path / "samples.jsonl"
    file.write_bytes(b"\n".join(x if isinstance(x, bytes) else x.encode() for x in lines))
    records, counts = read(file, problems=str(untested))
    assert [record.program for record in records] == [solution["solution"]]
    assert counts == {
        NO_JSON: 3,
        NO_SAMPLE: 2,
        NO_TEXT: 1,
        NO_PROGRAM: 1,
        NO_TESTS: 1,
        NO_SUCH_PROBLEM: 2,
    }


def test_a_log_of_a_task_without_known_problems_is_counted_by_its_task(tmp_path):
    log = run_folder(tmp_path / "run", count=2)
    (tmp_path / "run" / f"samples_sorry_bench_{STAMP}.jsonl").write_text(
        json.dumps({"doc_id": 3, "doc": {}, "resps": [["a", "b"]], "arguments": {}}) + "\n"
    )
    records, counts = read(tmp_path / "run")
    assert len(records) == 10
    assert counts == {f"{NO_PROBLEMS} sorry_bench": 2}
    assert len(read(log, problems="demo")[0]) == 10


def test_the_last_run_of_a_task_in_a_folder_counts_and_no_file_counts_twice(tmp_path):
    log = run_folder(tmp_path / "run", count=2)
    older = log.with_name(log.name.replace("2026", "2025"))
    older.write_text(line(demo(1)[0], ["def f(): pass"]) + "\n")
    records, counts = read(tmp_path / "run")
    assert len(records) == 10
    assert counts == {OLDER: 1}
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(log.read_bytes())
    records, counts = read(log, copy, log)
    assert len(records) == 10
    assert counts == {TWICE: 1}


def test_several_models_are_told_apart(tmp_path):
    run_folder(tmp_path / "a", alpha=0.7, count=1)
    log = run_folder(tmp_path / "b", alpha=1, count=1)
    log.write_text(log.read_text() + line(demo(2)[1], ["def g(): pass"], 1) + "\n")
    records, _ = read(tmp_path)
    assert Counter(record.provenance["alpha"] for record in records) == {0.7: 5, 1: 6}


def test_a_log_with_several_filters_gives_each_sample_once(tmp_path):
    log = run_folder(tmp_path / "run", count=1)
    again = json.loads(log.read_text()) | {"filter": "other"}
    log.write_text(log.read_text() + json.dumps(again) + "\n")
    assert len(read(log)[0]) == 5


def test_a_trace_gives_its_thought_and_a_prose_answer_gives_none(tmp_path):
    problem = demo(1)[0]
    trace = join("Compare them.", variants(problem)[0])
    prose = f"Sure!\n```python\n{variants(problem)[0]}\n```\nDone."
    plain = json.loads(line(problem, [trace, prose])) | {"filtered_resps": [[trace, prose]]}
    file = tmp_path / f"samples_demo_other_{STAMP}.jsonl"
    file.write_text(json.dumps(plain) + "\n")
    (first, second), _ = read(file)
    assert (first.reasoning, first.program) == ("Compare them.", variants(problem)[0])
    assert (second.reasoning, second.program) == ("", variants(problem)[0])


def test_the_same_file_gives_the_same_ids_wherever_it_lies(tmp_path):
    run_folder(tmp_path / "a")
    run_folder(tmp_path / "b" / "c")
    first, second = read(tmp_path / "a")[0], read(tmp_path / "b")[0]
    assert first == second


@pytest.mark.parametrize("kind", ["missing", "empty folder"])
def test_a_path_that_leads_nowhere_is_an_error_with_a_sentence(tmp_path, kind):
    path = tmp_path / "x"
    if kind == "empty folder":
        path.mkdir()
    with pytest.raises(CurationError, match="Name "):
        read(path)


def test_a_log_packed_by_gzip_gives_the_same_programs(tmp_path):
    import gzip

    line = {"task_id": "Demo/1", "solution": "def f(): pass"}
    plain, packed = tmp_path / "a.jsonl", tmp_path / "samples_demo_passk_x.jsonl.gz"
    plain.write_text(json.dumps(line) + "\n")
    packed.write_bytes(gzip.compress(plain.read_bytes() + b" \n"))
    counts = Counter()
    found = list(
        read_files(find_files([plain, tmp_path], counts), ProblemSets(None), counts, Counter())
    )
    assert len({record.program for record in found}) == 1
    assert len(found) == 2


ODD = {
    "deep": "[" * 100_000 + "]" * 100_000,
    "digits": '{"task_id": "Demo/1", "n": %s}' % ("9" * 5000),
    "half a pair": '{"task_id": "Demo/1", "solution": "\\ud800"}',
    "list": "[1]",
    "number": "5",
    "task_id": '{"task_id": {"a": 1}, "solution": "x"}',
    "solution": '{"task_id": "Demo/1", "solution": 5}',
    "arguments": '{"task_id": "Demo/1", "solution": "def f(): pass", "arguments": [1]}',
    "resps": '{"doc_id": 0, "doc": 5, "resps": 7}',
}


@pytest.mark.parametrize("kind", ODD)
def test_a_line_that_cannot_be_used_costs_no_other(tmp_path, kind):
    good = json.dumps(
        {"task_id": "Demo/1", "solution": "def g(): pass # \u2028"}, ensure_ascii=False
    )
    file = tmp_path / "a.jsonl"
    file.write_bytes(f"{good}\n{ODD[kind]}\n{good}\n".encode() + b"\xff\n")
    counts = Counter()
    found = list(read_files(find_files([file], counts), ProblemSets(None), counts, Counter()))
    assert [r.line() for r in found]
    assert sum("# \u2028" in record.program for record in found) == 2
    assert counts[NO_JSON] >= 1


def test_no_link_out_of_a_folder_is_followed_and_no_pipe_is_read(tmp_path):
    secret = tmp_path / "secret.jsonl"
    secret.write_text(json.dumps({"task_id": "Demo/1", "solution": "def f(): pass"}))
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "samples_a.jsonl").symlink_to(secret)
    os.mkfifo(runs / "samples_b.jsonl")
    (runs / "samples_c.jsonl").write_text(secret.read_text())
    counts = Counter()
    (source,) = find_files([runs], counts)
    assert source.path.name == "samples_c.jsonl"
    assert counts[LINK] == 2


def test_what_results_say_of_their_model_is_kept_in_a_line_or_not_at_all(tmp_path):
    stamp = "2026-01-01T00-00-00.000000"
    log = tmp_path / f"samples_demo_passk_{stamp}.jsonl"
    log.write_text("{}")
    results = tmp_path / f"results_{stamp}.json"
    deep = "[" * 900 + "]" * 900
    for base, alpha, known in (
        ('"a\\n---\\nb"', "0.7", {"base": "a --- b", "alpha": 0.7}),
        ('["a"]', "0.7", {"alpha": 0.7}),
        ('"a"', deep, {"task": "demo_passk"}),
    ):
        results.write_text(
            f'{{"config": {{"merge": {{"base": {base}, "alpha": {alpha}}}}}, "configs": {{}}}}'
        )
        fields = origin_of(log).fields
        assert known.items() <= fields.items()
        assert "\n" not in json.dumps(fields)
