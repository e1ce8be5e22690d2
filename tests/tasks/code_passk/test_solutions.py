"""`hm-score` and evalplus itself read each other's files and come to the same verdicts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import hm_tasks.code_passk
from hm_metrics.verdict import FAIL, PASS, Verdict
from hm_tasks.code_passk.solutions import SolutionsError, read_solutions, write_solutions
from hm_tasks.commands.score import table
from tests.entry_points import command, run

ROOT = Path(__file__).parents[3]
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
    return run("hm-score", *arguments, "--confirm_run_unsafe_code")


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


@pytest.mark.engine
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
        ("not json", r"line 1: no JSON: .* Expected task_id and solution or completion"),
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


def harness_log(task_id, texts, filtered, kind="none"):
    """A line as lm_eval 0.4.13 logs its own tasks."""
    return {
        "doc_id": 0,
        "doc": {"task_id": task_id, "prompt": "def f(x):\n"},
        "arguments": {"gen_args_0": {"arg_0": "p", "arg_1": {}}},
        "resps": [texts],
        "filtered_resps": [filtered],
        "filter": kind,
    }


@pytest.mark.parametrize(
    ("line", "programs"),
    [
        # humaneval_plus: its filter `create_test` puts the prompt before each text.
        (
            harness_log(
                "HumanEval/0", ["    return x"], ["def f(x):\n    return x"], "create_test"
            ),
            {"HumanEval/0": ["def f(x):\n    return x"]},
        ),
        # mbpp_plus: no filter, so the first of the texts; its problems are numbers.
        (harness_log(2, ["def f(x): return x", "b"], "def f(x): return x"), None),
        # mbpp_plus_instruct: its filter `extract_code` takes the block.
        (harness_log(2, ["def f(x): return x\n```"], ["def f(x): return x"], "extract_code"), None),
    ],
)
def test_the_harness_own_logs_hold_the_programs_that_it_ran(tmp_path, line, programs):
    file = tmp_path / "samples_x.jsonl"
    file.write_text(json.dumps(line) + "\n" + json.dumps(line | {"filter": "another"}))
    found = read_solutions(file, {"HumanEval/0": None, "Mbpp/2": None})
    texts = line["resps"][0] if isinstance(line["filtered_resps"][0], str) else None
    assert found == (programs or {"Mbpp/2": texts or line["filtered_resps"][0]})


ODD_LINES = {
    "[" * 100_000: "it is nested too deeply",
    '{"task_id": "Mbpp/1", "solution": "x", "n": %s}' % ("9" * 5_000): "more digits than Python",
    '{"task_id": "Mbpp/1", "solution": "\\ud800"}': "half of a surrogate pair",
    '{"task_id": ["Mbpp/1"], "solution": "x"}': "a task_id must be text, not list",
    '{"task_id": true, "solution": "x"}': "a task_id must be text, not bool",
    '{"task_id": "Mbpp/1", "solution": null}': "a program must be text, not NoneType",
    "[1]": "'list' object has no attribute",
    "null": "'NoneType' object has no attribute",
    '{"doc": {"task_id": "Mbpp/1"}, "filtered_resps": [["[[["]]}': "KeyError: 'resps'",
    '{"doc": {"task_id": "Mbpp/1"}, "filtered_resps": [["{\\"program\\": 5, \\"base_status\\": 1,'
    ' \\"plus_status\\": 1}"]]}': "a verdict's program is a int, not text",
    '{"doc": {"task_id": "Mbpp/1"}, "filtered_resps": [["{\\"program\\": \\"x\\", \\"base_status\\":'
    ' \\"pass\\", \\"plus_status\\": \\"fine\\"}"]]}': "a verdict's plus_status is 'fine', not one of",
    '{"task_id": "Elsewhere/1", "solution": "x"}': "1 problems that the data set lacks",
}


@pytest.mark.parametrize("line", ODD_LINES)
def test_a_line_that_cannot_be_used_is_named_and_costs_no_other(tmp_path, line):
    file = tmp_path / "samples.jsonl"
    good = json.dumps({"task_id": "Mbpp/1", "solution": "y"})
    file.write_text(f"{good}\n{line}\n{good}\n")
    bad = []
    assert read_solutions(file, {"Mbpp/1": None}, bad) == {"Mbpp/1": ["y", "y"]}
    assert ODD_LINES[line] in bad[0]
    assert str(file) in bad[0]
    with pytest.raises(SolutionsError):
        read_solutions(file, {"Mbpp/1": None})


def test_bytes_that_are_no_text_are_named_by_their_line(tmp_path):
    file = tmp_path / "samples.jsonl"
    good = json.dumps({"task_id": "Mbpp/1", "solution": "y"}).encode()
    file.write_bytes(b"\xff\n" + good + b"\n" + good[:20])
    bad = []
    assert read_solutions(file, {"Mbpp/1": None}, bad) == {"Mbpp/1": ["y"]}
    assert "line 1: byte 1 is no UTF-8" in bad[0]
    assert "line 3: is cut off" in bad[1]


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85", "\x0c", "\x1d"])
def test_a_program_may_hold_any_line_break(tmp_path, odd):
    file = tmp_path / "samples.jsonl"
    text = f"# a{odd}b\ndef f(x): return x"
    file.write_bytes(
        json.dumps({"task_id": "Mbpp/1", "solution": text}, ensure_ascii=False).encode()
    )
    assert read_solutions(file, {"Mbpp/1": None}) == {"Mbpp/1": [text]}


def test_samples_packed_by_gzip_are_read_under_any_name(tmp_path):
    import gzip

    for name in ("samples.jsonl.gz", "samples.jsonl"):
        file = tmp_path / name
        file.write_bytes(gzip.compress(b'{"task_id": "Mbpp/1", "solution": "y"}\n'))
        assert read_solutions(file, {"Mbpp/1": None}) == {"Mbpp/1": ["y"]}
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(SolutionsError, match="its gzip is damaged or cut off"):
        read_solutions(file, {"Mbpp/1": None})


def test_no_link_and_no_pipe_among_programs_is_read(tmp_path):
    secret = tmp_path / "secret.py"
    secret.write_text("SECRET")
    place = tmp_path / "programs" / "Mbpp_1"
    place.mkdir(parents=True)
    (place / "0.py").write_text("y")
    (place / "1.py").symlink_to(secret)
    (place / "2.py").symlink_to(tmp_path / "nowhere")
    (place / "3.py").mkdir()
    os.mkfifo(place / "4.py")  # to read it would never end
    (place.parent / "Mbpp_2").symlink_to(place)
    bad = []
    found = read_solutions(place.parent, {"Mbpp/1": None, "Mbpp/2": None}, bad)
    assert found == {"Mbpp/1": ["y"]}
    assert [Path(sentence.split()[0]).name for sentence in bad] == [
        f"{n}.py" for n in (1, 2, 3, 4, 0, 1, 2, 3, 4)
    ]


def test_the_command_reads_any_locale_and_names_what_it_left_out(dataset, tmp_path):
    file, records = dataset
    record = records[0]
    right = f"X = 'é→'\nassert len(X) == 2\n{record['prompt']}{record['canonical_solution']}"
    samples = tmp_path / "sämples.jsonl.gz"
    import gzip

    rows = [json.dumps({"task_id": record["task_id"], "solution": right}, ensure_ascii=False), "{"]
    samples.write_bytes(gzip.compress("\n".join(rows).encode()))
    words = command(
        *("hm-score", samples, "--dataset", file, "--k", 1, "--confirm_run_unsafe_code")
    )
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(words, capture_output=True, env=environment)
    assert done.returncode == 1, done.stderr
    assert b"line 2: is cut off" in done.stderr
    assert b"base + extra       1.000" in done.stdout
    assert b"1 of 4 problems, 1 programs" in done.stdout
    assert b"pass@1*" in done.stdout
    content = json.loads((tmp_path / "sämples_eval_results.json").read_bytes())
    assert content["problems"] == {"scored": 1, "of": N_PROBLEMS}
    assert len(content["left_out"]) == 1


def verdicts(passed, unscored):
    return [Verdict("x", PASS, PASS)] * passed + [Verdict("x", "unscored", "unscored")] * unscored


@pytest.mark.parametrize(("unscored", "cell"), [(1, "1.000"), (2, "unscored")])
def test_too_many_samples_without_a_verdict_leave_no_value(unscored, cell):
    found = table({"Mbpp/1": verdicts(20, unscored)}, [1], 1)
    assert f"base          {cell:>10}" in found
    assert ("no value, since too few have a verdict (unscored: 2 of 22)" in found) == (
        unscored == 2
    )


@pytest.mark.parametrize(("problems", "mark"), [(1, ""), (2, "*"), (164, "*")])
def test_numbers_of_a_part_of_a_data_set_are_marked(problems, mark):
    found = table({"Mbpp/1": verdicts(2, 0)}, [1], problems)
    assert f"pass@1{mark}\n" in found
    assert (f"1 of {problems} problems" in found) == bool(mark)
