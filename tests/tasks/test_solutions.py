"""`hm-score` and evalplus itself read each other's files and come to the same verdicts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import hm_tasks.code_passk
from hm_tasks.execution.problem import FAIL, PASS, Verdict
from hm_tasks.execution.solutions import SolutionsError, read_solutions, write_solutions

ROOT = Path(__file__).parents[2]
DEMO = Path(hm_tasks.code_passk.__file__).parent / "demo_problems.jsonl"
N_PROBLEMS = 4


@pytest.fixture
def dataset(tmp_path):
    """Some of our own problems under numbers that evalplus has no special rules for."""
    records = [json.loads(line) for line in DEMO.read_text().splitlines()[:N_PROBLEMS]]
    for number, record in enumerate(records):
        record["task_id"] = f"Mbpp/{9001 + number}"
    file = tmp_path / "MbppPlus.jsonl"
    file.write_text("\n".join(map(json.dumps, records)) + "\n")
    return file, records


def programs_of(records):
    """A right and a wrong program for each problem."""
    return {
        record["task_id"]: [
            record["prompt"] + record["canonical_solution"],
            f"def {record['entry_point']}(*arguments):\n    return None\n",
        ]
        for record in records
    }


def hm_score(*arguments):
    command = [sys.executable, ROOT / "scripts" / "hm-score", *arguments]
    return subprocess.run(
        list(map(str, [*command, "--confirm_run_unsafe_code"])), capture_output=True, text=True
    )


def statuses(file):
    scored = json.loads(file.read_text())["eval"]
    return {task: [(s["base_status"], s["plus_status"]) for s in v] for task, v in scored.items()}


def log_of(programs, file):
    """Programs as the harness logs them."""
    lines = []
    for task_id, texts in programs.items():
        verdicts = [str(Verdict(text, PASS, PASS).record()) for text in texts]
        lines.append(json.dumps({"doc": {"task_id": task_id}, "filtered_resps": [verdicts]}))
    file.write_text("\n".join(lines))


def test_evalplus_scores_our_export_alike_and_takes_our_results_for_its_own(dataset, tmp_path):
    file, records = dataset
    log, export = tmp_path / "samples_mbpp.jsonl", tmp_path / "export.jsonl"
    log_of(programs_of(records), log)
    done = hm_score(log, "--dataset", file, "--k", "1,2,3")
    assert done.returncode == 0, done.stderr
    assert "pass@1    pass@2" in done.stdout
    assert "no pass@3: a problem has 2 scored programs" in done.stdout
    ours = tmp_path / "samples_mbpp_eval_results.json"
    found = statuses(ours)
    assert found == {r["task_id"]: [(PASS, PASS), (FAIL, FAIL)] for r in records}

    done = hm_score(log, "--dataset", file, "--export", export)
    assert done.returncode == 0, done.stderr
    evalplus = Path(sys.executable).with_name("evalplus.evaluate")
    environment = os.environ | {"MBPP_OVERRIDE_PATH": str(file), "HOME": str(tmp_path)}
    command = [evalplus, "--dataset", "mbpp", "--samples", export, "--parallel", "1"]
    done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert statuses(tmp_path / "export_eval_results.json") == found

    # The other way round: evalplus reads our results where it finds its own.
    ours.rename(tmp_path / "export_eval_results.json")
    done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Load from previous results" in done.stdout
    assert "0.500" in done.stdout


def test_what_evalplus_writes_is_read_and_it_reads_what_we_write(dataset, tmp_path):
    from evalplus.data import load_solutions, write_directory, write_jsonl

    _, records = dataset
    problems = {record["task_id"]: None for record in records}
    programs = programs_of(records)
    lines = [
        {"task_id": task_id, "solution": text} for task_id in programs for text in programs[task_id]
    ]
    samples, folder, export = (tmp_path / name for name in ("s.jsonl", "folder", "export.jsonl"))
    write_jsonl(str(samples), lines)
    write_directory(str(folder), lines)
    assert read_solutions(samples, problems) == programs
    assert read_solutions(folder, problems) == programs
    write_solutions(programs, export)
    known = ("task_id", "solution")
    assert [{k: one[k] for k in known} for one in load_solutions(str(export))] == lines


def test_all_formats_hold_the_same_programs(dataset, tmp_path):
    _, records = dataset
    problems = {record["task_id"]: None for record in records}
    programs = programs_of(records)
    lines, folder, log = tmp_path / "s.jsonl", tmp_path / "folder", tmp_path / "samples_x.jsonl"
    write_solutions(programs, lines)
    log_of(programs, log)
    for task_id, texts in programs.items():
        place = folder / task_id.replace("/", "_")
        place.mkdir(parents=True)
        for number, text in enumerate(texts):
            (place / f"{number}.py").write_text(text)
    for form in (lines, folder, log):
        assert read_solutions(form, problems) == programs


def test_a_folders_programs_are_in_the_order_of_their_numbers(tmp_path):
    place = tmp_path / "Mbpp_1"
    place.mkdir()
    for number in range(12):
        (place / f"{number}.py").write_text(str(number))
    assert read_solutions(tmp_path, {"Mbpp/1": None}) == {"Mbpp/1": [str(n) for n in range(12)]}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("not json", r"line 1: neither a sample of the harness's log nor one of evalplus's"),
        ('{"task_id": "Mbpp/1"}', "line 1: neither"),
        ('{"task_id": "Mbpp/1", "solution": ["x"]}', "a program must be text, not list"),
        (
            '{"task_id": "Other/1", "solution": "x"}',
            "1 problems that the data set lacks, first Other/1",
        ),
        ("", "holds no programs"),
    ],
)
def test_what_is_no_samples_file_is_refused(tmp_path, content, sentence):
    file = tmp_path / "samples.jsonl"
    file.write_text(content)
    with pytest.raises(SolutionsError, match=sentence):
        read_solutions(file, {"Mbpp/1": None})


def test_a_missing_file_ends_the_command_with_its_name(tmp_path):
    done = hm_score(tmp_path / "none.jsonl", "--dataset", DEMO)
    assert done.returncode == 2
    assert "none.jsonl is neither a file nor a folder" in done.stderr


def test_a_sample_that_was_unscored_is_not_read_as_a_wrong_program(tmp_path):
    file = tmp_path / "samples_x.jsonl"
    record = str(Verdict("", "unscored", "unscored", "the judge died").record())
    file.write_text(json.dumps({"doc": {"task_id": "Mbpp/1"}, "filtered_resps": [[record]]}))
    with pytest.raises(SolutionsError, match="was unscored, and its program is not known"):
        read_solutions(file, {"Mbpp/1": None})


@pytest.mark.parametrize("ks", ["0", "1,x", "", "-1"])
def test_a_k_that_is_no_number_above_0_is_refused(tmp_path, ks):
    done = hm_score(tmp_path / "any.jsonl", f"--k={ks}")
    assert done.returncode == 2
    assert "expected numbers above 0, as 1,10" in done.stderr


def test_an_export_is_what_evalplus_takes(dataset, tmp_path):
    file, records = dataset
    samples, target = tmp_path / "samples.jsonl", tmp_path / "export.jsonl"
    write_solutions(programs_of(records), samples)
    done = hm_score(samples, "--dataset", file, "--export", target)
    assert done.returncode == 0, done.stderr
    assert target.read_text() == samples.read_text()
    assert not (tmp_path / "samples_eval_results.json").exists()
