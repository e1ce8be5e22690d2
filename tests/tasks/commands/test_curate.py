"""`hm-curate` on demo samples: real programs in the real sandbox, its exit codes and its sentences."""

import json

import pytest

from tests.entry_points import run, run_apart
from tests.models.endpoints.endpoint import Endpoint
from tests.tasks.any_passk.sums import write
from tests.tasks.curation import made_answers
from tests.tasks.curation.made_samples import demo, run_folder, variants


def hm_curate(*arguments, **environment):
    return run("hm-curate", *arguments, **{"OPENAI_API_KEY": "none"} | environment)


@pytest.fixture(scope="module")
def server():
    with Endpoint() as server:
        yield server


def embedder(server) -> tuple[str, ...]:
    return ("--embedder", "openai:m@8", "--embedder_base_url", server.url)


def test_samples_become_training_sets(tmp_path, server):
    run_folder(tmp_path / "alpha0.7", alpha=0.7, count=3)
    plain = tmp_path / "more.jsonl"
    lines = [{"task_id": demo()[2].task_id, "solution": variants(demo()[2])[0] + "\n# again"}]
    plain.write_text("".join(json.dumps(one) + "\n" for one in lines) + "{cut off")
    out = tmp_path / "out"
    done = hm_curate(
        *(tmp_path / "alpha0.7", plain, "--output_path", out, "--max_samples", 6),
        *("--select", "diverse", "--decontaminate", "none", "--near", "1", *embedder(server)),
    )
    assert done.returncode == 0, done.stderr
    steps = json.loads((out / "summary.json").read_text())["steps"]
    assert steps["read"]["left_out"] == {"line is no JSON": 1}
    assert steps["verify"]["statuses"] == {"correct": 10, "wrong": 6}
    assert steps["deduplicate"]["left_out"] == {"normalised": 1, "not correct: wrong": 6}
    assert steps["select"]["chosen"]["problems"] == 3
    assert "line is no JSON" in done.stdout
    sharegpt = (out / "export/llamafactory/sharegpt.jsonl").read_text().splitlines()
    assert len(sharegpt) == len((out / "export/openai/train.jsonl").read_text().splitlines()) == 6
    card = (out / "export/hf/README.md").read_text()
    assert "org/base" in card
    assert "0.7" in card


def test_quiet_says_nothing_and_a_single_form_is_all_that_is_written(tmp_path, server):
    run_folder(tmp_path / "run", count=1)
    out = tmp_path / "out"
    done = run_apart(  # tqdm is told at its import
        *("hm-curate", tmp_path / "run", "--output_path", out, "--export", "llamafactory"),
        *("--quiet", "--decontaminate", "none", *embedder(server)),
        OPENAI_API_KEY="none",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [path.name for path in (out / "export").iterdir()] == ["llamafactory"]


def test_a_users_own_problems_that_read_standard_input(tmp_path, server):
    problems, samples = tmp_path / "mine.jsonl", tmp_path / "samples.jsonl"
    cases = {"inputs": ["1 2\n", "3 4\n"], "outputs": ["3\n", "7\n"]}
    problems.write_text(
        json.dumps({"task_id": "Sum/1", "question": "Add two numbers.", "input_output": cases})
        + "\n{}\n"
    )
    right = "a, b = map(int, input().split())\nprint(a + b)"
    samples.write_text(
        "".join(
            json.dumps({"task_id": "Sum/1", "solution": text}) + "\n"
            for text in (right, right.replace("+", "*"))
        )
    )
    out = tmp_path / "out"
    done = hm_curate(
        *(samples, "--problems", problems, "--output_path", out, "--decontaminate", "none"),
        *embedder(server),
    )
    assert done.returncode == 0, done.stderr
    steps = json.loads((out / "summary.json").read_text())["steps"]
    assert steps["verify"]["statuses"] == {"correct": 1, "wrong": 1}
    assert steps["read"]["problems_left_out"]["lines"] == 1


@pytest.mark.usefixtures("our_tasks_alone")
def test_answers_to_a_users_own_task_are_graded_by_it(tmp_path, server):
    (tmp_path / "tasks").mkdir()
    log = made_answers.run(write(tmp_path / "tasks"), tmp_path / "run")
    arguments = (log, "--decontaminate", "none", *embedder(server))
    out = tmp_path / "out"
    done = hm_curate(*arguments, "--output_path", out, "--include_path", tmp_path / "tasks")
    assert done.returncode == 0, done.stderr
    assert "correct" in done.stdout
    assert len((out / "export/openai/train.jsonl").read_text().splitlines()) == 5
    alone = hm_curate(*arguments, "--output_path", tmp_path / "alone")
    assert alone.returncode == 2
    assert "--include_path names a folder of your own" in alone.stderr
    assert "No sample can be read" in alone.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nowhere.jsonl",), "nowhere.jsonl does not exist"),
        ((), "Name files of samples"),
        (("{run}", "--max_samples", "0"), "--max_samples 0: expected a whole number above 0"),
        (("{run}", "--export", "csv"), "--export csv: expected a list out of llamafactory"),
        (("{run}", "--near", "1.5"), "near_threshold=1.5"),
        (("{run}", "--embedder", "what"), "embedder='what' is not known"),
        (("{run}", "--decontaminate", "gone"), "--decontaminate gone: neither mbpp"),
        (("{run}", "--rewrite", "m", "--rewrite_concurrency", "0"), "rewrite_concurrency=0"),
        (("{run}", "--step", "rewrite"), "--step rewrite needs --rewrite MODEL"),
        (("{run}", "--problems", "gone.jsonl"), "gone.jsonl"),
        (("{run}", "--isolation", "what"), "what"),
        (("{run}", "--include_path", "gone"), "--include_path gone: expected a folder of tasks"),
        (("{run}", "--least_score", "nan"), "--least_score nan: expected a number"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(tmp_path, arguments, sentence):
    run_folder(tmp_path / "run", count=1)
    named = [str(tmp_path / "run") if one == "{run}" else one for one in arguments]
    done = hm_curate(*named, "--output_path", tmp_path / "out")
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "1_samples.jsonl").exists()
