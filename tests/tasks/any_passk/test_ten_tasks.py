"""Each sample's score is the one that the harness gives that answer in a run of its own: ten of its tasks."""

import json
from pathlib import Path

import nltk
import pytest
from lm_eval.evaluator import evaluate
from lm_eval.tasks import TaskManager

import hm_tasks
from tests.tasks.any_passk.ten_tasks import CASES, IFEVAL_WITH_SENTENCES, Case, Saying

OURS = Path(hm_tasks.__file__).parent


pytestmark = pytest.mark.engine  # most of a minute


def has_sentences() -> bool:
    try:
        nltk.data.find("tokenizers/punkt_tab/english")
    except LookupError:
        return False
    return True


def run(manager: TaskManager, name: str, given: list[list[str]]):
    """A run of the harness: the task, and what it logs by question and filter."""
    ((name, task),) = manager.load([name])["tasks"].items()
    task.set_fewshot_seed(0)
    found = evaluate(Saying(given), {name: task}, bootstrap_iters=0)["samples"][name]
    return task, {(one["doc_id"], one["filter"]): one for one in found}


def in_runs_of_their_own(case: Case, folder: Path):
    """Of each question and filter, by the metric, the score of each answer, asked for alone.

    What the harness makes of one answer is its aggregation over that answer alone: IFEval has a list of them.
    """
    manager = TaskManager(include_path=folder, include_defaults=False)
    scores: dict = {}
    logged: dict = {}
    for at in range(len(case.given()[0])):
        task, logged = run(manager, case.task, [[texts[at]] for texts in case.given()])
        aggregation = task.aggregation()
        for key, one in logged.items():
            alone = {metric: float(aggregation[metric]([one[metric]])) for metric in one["metrics"]}
            scores.setdefault(key, []).append(alone)
    return scores, logged


def compare(case: Case, folder: Path) -> list[float]:
    """Compare all scores of a case; they are returned."""
    case.yaml_in(folder)
    scores, alone = in_runs_of_their_own(case, folder)
    n = len(case.given()[0])
    asked = {"passk_of": case.task, "n_samples": n, "k": [1, n], "diversity": []}
    manager = TaskManager(include_path=[OURS, folder], include_defaults=False, metadata=asked)
    _, together = run(manager, "any_passk", case.given())
    assert together.keys() == scores.keys(), "the filters of the inner task, and its questions"
    for key, one in together.items():
        assert one["doc"] == alone[key]["doc"]
        assert one["arguments"][0][0] == alone[key]["arguments"][0][0], "the prompt"
        (records,) = one["filtered_resps"]
        graded = [json.loads(str(record)) for record in records]
        assert [grade["scores"] for grade in graded] == scores[key], (case.task, key)
        assert {grade["status"] for grade in graded} <= {"graded", "unread"}
    found = [score for alone in scores.values() for one in alone for score in one.values()]
    assert {0.0, 1.0} <= set(found), "answers that are right, and such that are not"
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.task)
def test_a_sample_s_score_is_that_of_a_run_of_its_own(case, tmp_path, no_download):
    compare(case, tmp_path)


@pytest.mark.skipif(
    not has_sentences(), reason="NLTK's punkt_tab, by which IFEval counts, is not here"
)
def test_so_it_is_of_ifeval_s_instructions_that_count_sentences(tmp_path):
    compare(IFEVAL_WITH_SENTENCES, tmp_path)
