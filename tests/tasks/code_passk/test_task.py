"""From responses to the keys of results: what is counted, refused, or left unscored."""

import copy
import dataclasses
import json

import pytest

from hm_metrics.verdict import FAIL, PASS, TIMEOUT, UNSCORED, Verdict
from hm_models.samples.sampling import Sample
from hm_models.settings import ProtocolError
from hm_tasks.sandbox.isolation.limits import IsolationError
from hm_tasks.sandbox.isolation.prove import strongest
from hm_tasks.sandbox.ray_executor import ExecutorError
from tests.tasks.code_passk.benchmarks import load


def result(*statuses: tuple[str, str], program="def f(): return 1"):
    return [[Verdict(program, base, plus).record() for base, plus in statuses]]


@pytest.fixture(scope="module")
def task():
    return load("demo_passk")


def test_pass_needs_both_sets_of_tests_and_the_figures_rule_only_the_extra_ones(task):
    samples = [(PASS, PASS), (PASS, FAIL), (FAIL, PASS)] + [(FAIL, FAIL)] * 8
    metrics = task.process_results({}, result(*samples))
    assert metrics["pass@1"] == pytest.approx(1 / 11)
    assert metrics["base_pass@1"] == pytest.approx(2 / 11)
    assert metrics["plus_only_pass@1"] == pytest.approx(2 / 11)
    assert metrics["pass@10"] == pytest.approx(10 / 11)


def test_unscored_samples_are_counted_and_leave_the_estimate(task):
    samples = [(UNSCORED, UNSCORED)] * 2 + [(PASS, PASS)] * 3 + [(FAIL, FAIL)] * 6
    metrics = task.process_results({}, result(*samples))
    assert metrics["unscored"] == 2
    assert metrics["n_samples"] == 11
    assert metrics["pass@1"] == pytest.approx(3 / 9)
    assert "pass@5" in metrics
    assert "pass@10" not in metrics, "10 of 9 scored samples cannot be drawn"


def answers(task, unscored: int, total: int):
    """The task's rates over four problems with so many samples without a verdict."""
    rest = [(PASS, PASS)] * 9 + [(FAIL, FAIL)] * (total - 9 - unscored)
    logged = [result(*one) for one in ([(UNSCORED, UNSCORED)] * unscored + rest, rest, rest, rest)]
    task.note_verdicts([[record.verdict for record in records] for (records,) in logged])
    metrics = [
        task.process_results({"task_id": f"p/{number}"}, one) for number, one in enumerate(logged)
    ]
    aggregation = task.aggregation()
    names = ("pass@1", "base_pass@1", "plus_only_pass@1", "pass@5", "unscored")
    return [aggregation[name]([one[name] for one in metrics]) for name in names]


def test_few_samples_without_a_verdict_leave_a_number(task):
    *rates, unscored = answers(task, 2, 36)
    assert unscored == 2
    assert all(isinstance(rate, float) for rate in rates)


def test_many_samples_without_a_verdict_stand_in_place_of_the_number(task):
    *rates, unscored = answers(task, 27, 36)
    assert unscored == 27
    assert set(rates) == {"unscored: 27 of 63"}


@pytest.mark.parametrize(
    ("most", "is_number"), [(0.0, False), (0.4, False), (0.5, True), (1.0, True)]
)
def test_the_share_that_may_be_unscored_is_a_setting(most, is_number):
    rate = answers(load("demo_passk", max_unscored=most), 27, 36)[0]
    assert isinstance(rate, float) == is_number


@pytest.mark.parametrize("most", [-0.1, 1.5, "some", True])
def test_a_share_that_cannot_be_is_refused(most):
    with pytest.raises(ProtocolError, match="max_unscored"):
        load("demo_passk", max_unscored=most)


def test_timeouts_and_empty_programs_are_counted(task):
    samples = [(TIMEOUT, TIMEOUT), (PASS, TIMEOUT)] + [(PASS, PASS)] * 9
    assert task.process_results({}, result(*samples))["timeouts"] == 2
    assert task.process_results({}, result((FAIL, FAIL), program="  "))["empty_programs"] == 1


def test_every_metric_has_an_aggregation_and_counts_are_summed(task):
    metrics = task.process_results({}, result(*[(PASS, PASS)] * 11))
    aggregation = task.aggregation()
    assert metrics.keys() <= aggregation.keys()
    assert aggregation["generated"]([11, 11]) == 22
    assert aggregation["n_samples"]([11, 11]) == 11


def test_loggers_of_runs_get_a_table_of_numbers_and_samples_that_are_json(task):
    """W&B's table is made of `metric_list`; Trackio writes what a question has as JSON."""
    doc = {"task_id": "demo/1", "entry_point": "f"}
    verdicts = [Verdict(f"def f(): return {n}", PASS, PASS) for n in range(11)]
    task._diversity.measure({"demo/1": [verdict.program for verdict in verdicts]})
    metrics = task.process_results(doc, [[verdict.record() for verdict in verdicts]])
    table = {
        metric["metric"]: metrics[metric["metric"]] for metric in task.dump_config()["metric_list"]
    }
    assert table["pass@10"] == 1.0
    assert all(isinstance(number, (int, float)) for number in table.values())
    assert json.loads(json.dumps(metrics))["global_similarity"] == "11 vectors"


def test_metadata_changes_n_and_k():
    task = load("demo_passk", n_samples=50, k=[1, 10, 50])
    assert task.config.repeats == 50
    metrics = task.process_results({}, result(*[(PASS, PASS)] * 50))
    assert [key for key in metrics if key.startswith("pass@")] == ["pass@1", "pass@10", "pass@50"]


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ({"n_samples": 5}, r"pass@10 cannot be estimated from n_samples=5.*at least 10 samples"),
        ({"n_samples": 0}, "n_samples=0: expected a whole number above 0"),
        ({"n_samples": "many"}, "n_samples='many': expected a whole number"),
        ({"k": []}, "expected a list of whole numbers"),
        ({"k": [0, 1]}, "expected a list of whole numbers"),
        ({"k": [1.5]}, "expected a list of whole numbers"),
    ],
)
def test_a_protocol_that_cannot_be_is_refused_when_the_task_is_loaded(metadata, sentence):
    with pytest.raises(ProtocolError, match=sentence):
        load("demo_passk", **metadata)


def test_few_shot_is_refused(task):
    with pytest.raises(ProtocolError, match="zero-shot"):
        task.fewshot_context(task.test_docs()[0], num_fewshot=3)


def test_logged_documents_hold_no_tests_and_no_solution(task):
    assert set(task.test_docs()[0]) == {"task_id", "prompt", "entry_point"}


def test_the_digest_of_the_data_is_part_of_the_logged_config(task):
    assert len(task.dump_config()["metadata"]["dataset_sha256"]) == 64


def test_only_the_weakest_isolation_needs_the_users_word_and_results_say_which_held(task):
    assert task.dump_config()["metadata"]["isolation"] == strongest()
    assert (strongest() == "rlimit") == task.UNSAFE_CODE
    weak = load("demo_passk", isolation="rlimit")
    assert weak.UNSAFE_CODE
    assert weak.dump_config()["metadata"]["isolation"] == "rlimit"
    with pytest.raises(IsolationError, match="none of auto, strong, landlock, rlimit"):
        load("demo_passk", isolation="docker")
    with pytest.raises(ExecutorError, match="executor=slurm is none of local, ray"):
        load("demo_passk", executor="slurm")


def test_a_verdict_is_logged_as_json_by_the_harness():
    from lm_eval.utils import sanitize_list

    verdict = Verdict("def f():\n    return 'ä'", PASS, FAIL, "extra test 2 of 9 failed")
    ((logged,),) = sanitize_list([[verdict.record()]])
    assert Verdict(**json.loads(logged)) == verdict


def test_a_logged_verdict_is_the_verdict_also_as_a_copy():
    verdict = Verdict("def f(): pass", PASS, FAIL, "extra test 2 of 9 failed")
    for copied in (verdict.record(), copy.deepcopy(verdict.record())):
        assert copied.verdict == verdict
        assert json.loads(str(copied)) == copied == dataclasses.asdict(verdict)


def test_an_answer_becomes_a_program_once(monkeypatch):
    task = load("demo_passk", n_samples=3, k=[1], isolation="rlimit", diversity=[])
    whole, answers = type(task)._solution, []
    monkeypatch.setattr(
        task, "_solution", lambda request, answer: answers.append(answer) or whole(request, answer)
    )
    task.build_all_requests(limit=1)
    (request,) = task.instances
    for index, text in enumerate(("no idea", "none", "no idea")):
        request.take_sample(index, Sample(text, False, {}))
        request.resps.append(text)
    task.apply_filters()
    assert answers == ["no idea", "none"]


def test_a_benchmark_of_ones_own_is_a_yaml_and_a_file(tmp_path):
    from pathlib import Path

    from lm_eval.tasks import TaskManager

    import hm_tasks.code_passk

    shared = Path(hm_tasks.code_passk.__file__).parent / "_code_passk_yaml"
    (tmp_path / "mine.yaml").write_text(
        f"include: {shared}\ntask: mine_passk\ndataset_kwargs:\n  file: mine.jsonl\n"
        '  completion_until: ["\\nassert"]\n'
    )
    record = {
        "task_id": "Mine/1",
        "prompt": '"""\nReturn twice x.\nassert twice(2) == 4\n"""\n',
        "entry_point": "twice",
        "canonical_solution": "def twice(x):\n    return 2 * x\n",
        "base_input": [[1], [2]],
        "plus_input": [[0], [-3]],
    }
    (tmp_path / "mine.jsonl").write_text(json.dumps(record))
    manager = TaskManager(include_path=tmp_path, include_defaults=False)
    task = manager.load(["mine_passk"])["tasks"]["mine_passk"]
    task.build_all_requests()
    (request,) = task.instances
    request.resps = ["def twice(x):\n    return x + x", "def twice(x):\n    return x", "no idea"]
    task.apply_filters()
    verdicts = request.filtered_resps["scored"]
    assert [v["plus_status"] for v in verdicts] == [PASS, FAIL, FAIL]
    assert [v["reason"] for v in verdicts[:2]] == ["", "base test 1 of 2 failed"]
