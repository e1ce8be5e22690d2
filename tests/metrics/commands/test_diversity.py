"""`hm-diversity` measures logs alone, of our tasks and of others, and says what it could not."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from hm_metrics.diversity import local_similarity
from hm_metrics.logs.samples import LogError, read_log
from hm_metrics.verdict import FAIL, PASS, Verdict
from tests.entry_points import run
from tests.models.endpoints.endpoint import Endpoint, vector_of

hm_diversity = partial(run, "hm-diversity")


def line(number: int, texts: list[str], found: list) -> str:
    """A line as lm_eval 0.4.13 writes it."""
    return json.dumps(
        {
            "doc_id": number,
            "doc": {"task_id": f"Mine/{number}"},
            "arguments": {"gen_args_0": {"arg_0": f"prompt {number}", "arg_1": "{}"}},
            "resps": [texts],
            "filtered_resps": [found],
        }
    )


@pytest.fixture
def log(tmp_path) -> Path:
    folder = tmp_path / "pair--alpha0.7"
    folder.mkdir()
    programs = ["def f(x): return x", "def f(y): return y", "def f(x): return 3"]
    records = [Verdict(p, PASS, PASS if n else FAIL, "", p[-1]) for n, p in enumerate(programs)]
    lines = [
        line(n, ["raw " + p for p in programs], [str(r.record()) for r in records]) for n in (1, 2)
    ]
    file = folder / "samples_mine_passk.jsonl"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_programs_of_a_log_are_measured_without_a_model(log, tmp_path):
    output = tmp_path / "found.json"
    with Endpoint() as server:
        done = hm_diversity(
            *(log, "--embedder", "openai:m@8", "--embedder_base_url", server.url),
            *("--measures", "all", "--output", output),
            HM_CACHE=str(tmp_path / "cache"),
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("| measure | pair--alpha0.7 |\n")
    (results,) = json.loads(output.read_text())["results"].values()
    assert results["distinct_programs"][0] == 2
    assert results["distinct_correct_programs"][0] == 2
    assert results["distinct_behaviours"][0] == 3
    vectors = np.stack([vector_of(v.program) for v in read_log(log)[0].verdicts])
    expected = local_similarity(vectors, np.zeros(3, int))
    assert results["local_similarity"] == pytest.approx([expected, 0], abs=1e-6)


def test_the_raw_texts_are_measured_where_asked_or_where_there_are_no_programs(log, tmp_path):
    foreign = tmp_path / "samples_poems.jsonl"
    poems = (["a rose", "a nose"], ["a sea", "a flea"])
    foreign.write_text("\n".join(line(n, texts, texts) for n, texts in enumerate(poems)))
    with Endpoint() as server:
        options = ("--embedder", "openai:m@8", "--embedder_base_url", server.url, "--quiet")
        done = hm_diversity(log, *options, "--embed", "text", HM_CACHE=str(tmp_path / "cache"))
        assert done.returncode == 0, done.stderr
        assert all(text.startswith("raw def") for text in server.texts)
        server.texts.clear()
        done = hm_diversity(foreign, *options, HM_CACHE=str(tmp_path / "cache"))
        assert done.returncode == 0, done.stderr
        assert set(server.texts) == {"a rose", "a nose", "a sea", "a flea"}
    assert done.stdout == ""


def test_what_stays_unscored_is_said_and_ends_with_code_1(log, tmp_path):
    with Endpoint() as server:
        url = server.url
    environment = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "HM_CACHE": str(tmp_path / "cache")}
    done = hm_diversity(log, "--embedder", "openai:m", **environment)
    assert done.returncode == 1
    assert "the similarities are unscored. OPENAI_API_KEY is not set" in done.stderr
    assert "| local_similarity | unscored |" in done.stdout
    assert "| distinct_programs | 2.0000" in done.stdout
    assert url


def test_what_is_no_log_is_refused_with_its_line(tmp_path):
    file = tmp_path / "samples.jsonl"
    for content, sentence in (
        ("", "holds no samples"),
        ('{"task_id": "a"}', "line 1: not a line of the harness's samples"),
        ("no json", "line 1: no JSON"),
    ):
        file.write_text(content)
        with pytest.raises(LogError, match=sentence):
            read_log(file)
    done = hm_diversity(tmp_path / "none.jsonl")
    assert done.returncode == 2
    assert "none.jsonl cannot be read" in done.stderr
    done = hm_diversity(file, "--embedder", "gpt")
    assert done.returncode == 2


def test_a_wrapped_tasks_texts_count_once_and_its_answers_by_filter(tmp_path):
    from tests.metrics.report.made_answers import STRICT, WRAPPED, answers
    from tests.metrics.report.made_runs import merge, write_run

    write_run(tmp_path / "run", merge(0.7), {WRAPPED: answers(["Abb.", "AAca"])})
    (log,) = (tmp_path / "run").glob("samples_*.jsonl")
    output = tmp_path / "found.json"
    with Endpoint() as server:
        done = hm_diversity(
            *(log, "--embedder", "openai:m@8", "--embedder_base_url", server.url),
            *("--output", output, "--quiet"),
            HM_CACHE=str(tmp_path / "cache"),
        )
        assert done.returncode == 0, done.stderr
        assert "Let me think about 1. It is c." in server.texts
    (results,) = json.loads(output.read_text())["results"].values()
    assert "distinct_programs" not in results
    assert results["distinct_answers,flexible-extract"] == [2.5, pytest.approx(0.5)]
    assert results[f"distinct_answers,{STRICT}"] == [1.0, 0.0]
    assert results["left_out_questions"] == [0, None]
    assert isinstance(results["local_similarity"][0], float)


def test_a_task_with_two_filters_has_each_question_once(tmp_path):
    texts = (["a rose", "a nose"], ["a sea", "a flea"], ["a", "b"])
    lines = [json.loads(line(n, found, found)) for n, found in enumerate(texts)]
    both = [one | {"filter": name} for name in ("strict", "flexible") for one in lines]
    found = {}
    with Endpoint() as server:
        for name, written in (("one", lines), ("two", both)):
            log = tmp_path / name / "samples_poems.jsonl"
            log.parent.mkdir()
            log.write_text("\n".join(map(json.dumps, written)))
            output = tmp_path / f"{name}.json"
            options = ("--embedder", "openai:m@8", "--embedder_base_url", server.url, "--quiet")
            done = hm_diversity(log, *options, "--output", output, HM_CACHE=str(tmp_path / "cache"))
            assert done.returncode == 0, done.stderr
            (found[name],) = json.loads(output.read_text())["results"].values()
    assert found["one"] == found["two"]
