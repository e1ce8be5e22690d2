"""The two tasks: what they ask, what they count, and what their log holds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import lm_eval
import pytest

from hm_metrics.logs.samples import read_log
from hm_metrics.verdict import FAIL, PASS
from hm_models.samples.request import Sample
from hm_models.settings import ProtocolError
from hm_tasks.benchmark_file import DatasetError
from hm_tasks.traces.markers import BEGIN_SOLUTION, BEGIN_THOUGHT, END_SOLUTION, join
from hm_tasks.traces.program import program_of
from tests.models.tiny import tiny_checkpoint
from tests.tasks.code_passk.benchmarks import load

LM_EVAL = Path(sys.executable).with_name("lm_eval")
ADD = {
    "task_id": "add",
    "prompt": "Add two numbers, as in {wanted}.",
    "entry_point": "add",
    "tests": ["assert add(1, 2) == 3"],
}
SUM = {
    "task_id": "sum",
    "prompt": "Print the sum of all numbers.",
    "input_output": {"inputs": ["1 2\n"], "outputs": ["3\n"]},
}
PROGRAMS = {
    "add": "def add(a, b):\n\treturn a + b",
    "sum": "import sys\ntotal = sum(map(int, sys.stdin.read().split()))\nprint(total)",
}


@pytest.fixture(scope="module")
def problems(tmp_path_factory):
    file = tmp_path_factory.mktemp("problems") / "problems.jsonl"
    file.write_text("\n".join(map(json.dumps, (ADD, SUM))))
    return file


def task_of(problems, **metadata):
    return load("problem_traces", problems=str(problems), **{"n_samples": 3, "k": [1]} | metadata)


def chat(messages):
    return "".join(f"<{m['role']}>{m['content']}" for m in messages) + "<assistant>"


def test_samples_are_scored_by_the_program_in_them_early_or_late(problems):
    task = task_of(problems)
    task.build_all_requests()
    for request in task.instances:
        program = PROGRAMS[request.doc["task_id"]]
        traces = [join("Add.", program), f"So:\n```python\n{program}\n```", "I do not know."]
        request.take_sample(0, Sample(traces[0], True, {}))
        request.resps = traces
    found = {r.doc["task_id"]: r.filtered_resps["scored"] for r in task.apply_filters()}
    for name, verdicts in found.items():
        assert [v["base_status"] for v in verdicts] == [PASS, PASS, FAIL]
        assert verdicts[0]["program"] == PROGRAMS[name]
        assert verdicts[2]["reason"] == "no program in the text"
        metrics = task.process_results({"task_id": name, "entry_point": ""}, [verdicts])
        assert metrics.pop("pass@1") == pytest.approx(2 / 3)
        assert metrics == {
            **{"n_samples": 3, "generated": 2, "reused": 1},
            **{"unscored": 0, "timeouts": 0, "empty_programs": 1},
            **{"truncated_prompts": 0, "equal_samples": 0},
        }
        assert metrics.keys() < task.aggregation().keys()


def test_a_base_model_is_shown_the_form_and_goes_on_where_its_thought_begins(problems):
    task = task_of(problems)
    task.build_all_requests()
    add, total = task.instances
    for request in (add, total):
        prompt, settings = request.args
        assert prompt.endswith(f"\n{BEGIN_THOUGHT}\n")
        assert prompt.count(BEGIN_THOUGHT) == 2
        assert prompt.count(f"Problem:\n{request.doc['prompt']}\n") == 1
        assert "\nProblem:" in settings["until"]
        example = prompt.split("\n\n", 1)[1].split("\n\nProblem:")[0]
        assert program_of(example, "")[0], "the example is in the form that is read"
    assert "must define the function `add`" in add.args[0]
    assert "standard input" in total.args[0]
    assert "standard input" not in add.args[0]


def test_the_solved_examples_are_right():
    from hm_tasks.sandbox.pool import check_all
    from hm_tasks.sandbox.problem import Problem
    from hm_tasks.traces.prompts import EXAMPLE_FUNCTION, EXAMPLE_STDIN

    function = Problem(
        *("f", "", "second_largest", "", [[[3, 3, 1]], [[2]]], [], 0),
        expected={"base_input": [1, None], "plus_input": []},
    )
    stdin = Problem(
        *("s", "", "", "", [["3\n3 3 1\n"], ["1\n2\n"]], [], 0),
        oracle="stdout",
        expected={"base_input": ["1", "none"], "plus_input": []},
    )
    jobs = [(function, [EXAMPLE_FUNCTION[-1]]), (stdin, [EXAMPLE_STDIN[-1]])]
    assert [v.base_status for (v,) in check_all(jobs, sanitize=False)] == [PASS, PASS]


def test_a_chat_model_is_told_the_form_and_what_kind_of_program(problems):
    task = task_of(problems)
    task.build_all_requests(
        apply_chat_template=True, chat_template=chat, system_instruction="Be brief."
    )
    add, total = task.instances
    assert add.args[0].startswith("<system>Be brief.<user>Solve")
    assert add.args[0].endswith(f"{END_SOLUTION}<assistant>")
    assert add.args[0].count("Add two numbers, as in {wanted}.") == 1, "a problem is no template"
    assert add.args[0].count("must define the function `add`") == 1
    assert "standard input" in total.args[0]
    assert "\nProblem:" not in add.args[1]["until"]
    before = add.args
    add.use_prompt_style("completion", None)
    add.use_prompt_style("chat", chat)
    assert add.args == before


def test_no_stop_string_cuts_a_program_that_prints(problems):
    task = task_of(problems)
    task.build_all_requests()
    program = 'def main():\n    print(1)\n\nprint(2)\nif __name__ == "__main__":\n    main()'
    answer = join("Think.", program).split(END_SOLUTION)[0]
    assert not [stop for stop in task.instances[0].args[1]["until"] if stop in answer]


def test_sampling_is_that_of_the_pass_at_k_tasks_with_room_for_a_thought(problems):
    task = load("problem_traces", problems=str(problems))
    task.build_all_requests()
    settings = task.instances[0].args[1]
    assert settings["max_gen_toks"] == 1536
    assert {key: settings[key] for key in ("do_sample", "temperature", "top_p")} == {
        **{"do_sample": True, "temperature": 0.7, "top_p": 0.95},
    }
    assert task.instances[0].repeats == 11


def test_without_a_file_or_with_a_bad_one_a_sentence_says_so(tmp_path):
    with pytest.raises(DatasetError, match=r"needs a file of problems: --metadata '\{\"problems\""):
        load("problem_traces")
    with pytest.raises(DatasetError, match="cannot be read as a file of problems"):
        load("problem_traces", problems=str(tmp_path / "none.jsonl"))
    with pytest.raises(ProtocolError, match="pass@10 cannot be estimated from n_samples=3"):
        load("problem_traces", n_samples=3)


def test_mbppplus_traces_has_the_benchmarks_own_problems():
    task = load("mbppplus_traces", n_samples=2, k=[1])
    task.build_all_requests(limit=1)
    (request,) = task.instances
    assert len(task.test_docs()) == 378
    assert request.doc["task_id"] == "Mbpp/2"
    assert BEGIN_SOLUTION in request.args[0]
    right = "def similar_elements(a, b):\n    return tuple(set(a) & set(b))"
    request.resps = [join("Intersect.", right), "```python\ndef similar_elements(a, b): pass\n```"]
    task.apply_filters()
    assert [v["plus_status"] for v in request.filtered_resps["scored"]] == [PASS, FAIL]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_checkpoint(tmp_path_factory.mktemp("tiny") / "model", 1)


@pytest.mark.usefixtures("our_tasks_alone")
def test_any_model_of_the_harness_takes_part_in_both_styles(problems, tiny):
    settings = {
        "model_args": {"pretrained": str(tiny)},
        "tasks": ["problem_traces"],
        "metadata": {"problems": str(problems), "n_samples": 2, "k": [1]},
        "device": "cpu",
        **{"gen_kwargs": "max_gen_toks=4", "bootstrap_iters": 0, "confirm_run_unsafe_code": True},
    }
    for as_chat in (False, True):
        found = lm_eval.simple_evaluate("hf", apply_chat_template=as_chat, **settings)
        assert found["results"]["problem_traces"]["n_samples,scored"] == 2
        assert found["results"]["problem_traces"]["empty_programs,scored"] == 4
        prompt = found["samples"]["problem_traces"][0]["arguments"][0][0]
        assert prompt.startswith("<user> Solve" if as_chat else "Problem:")


@pytest.mark.engine
def test_one_command_logs_the_raw_traces(problems, tiny, tmp_path):
    metadata = json.dumps({"problems": str(problems), "n_samples": 2, "k": [1]})
    command = [LM_EVAL, "run", "--model", "hm-merged", "--tasks", "problem_traces"]
    command += ["--model_args", f"base={tiny}", f"instruct={tiny}", "alpha=0", "backend=hf"]
    command += ["--metadata", metadata, "--gen_kwargs", "max_gen_toks=4", "--log_samples"]
    command += ["--output_path", tmp_path / "out", "--confirm_run_unsafe_code"]
    environment = os.environ | {"HM_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        list(map(str, command)), cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (file,) = tmp_path.rglob("samples_problem_traces_*.jsonl")
    add, total = read_log(file)
    assert (add.question, add.entry_point) == ("add", "add")
    assert (total.question, total.entry_point) == ("sum", "")
    assert total.prompt.endswith(f"{BEGIN_THOUGHT}\n")
    assert len(total.texts) == len(total.verdicts) == 2
    assert all(text.split()[0].startswith("w") for text in total.texts if text)
