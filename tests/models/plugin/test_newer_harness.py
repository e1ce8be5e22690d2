"""A harness that passes one argument more than the tested ones do is served: it is passed on."""

from types import SimpleNamespace

import pytest

from hm_models.plugin import (
    once_for_all,
    own_answers,
    printed_rows,
    run_name,
    samples_by_number,
    standard_errors,
    task_folder,
    whole_records,
)


class Newer:
    """A harness's module of which everything takes `newer` and notes it."""

    def __init__(self):
        self.told = []
        note = self.told.append

        class TaskManager:
            def __init__(
                self, verbosity=None, include_path=None, include_defaults=True, *, newer=None
            ):
                note((include_path, newer))

        class EvaluationTracker:
            output_path = None

            def save_results_aggregated(self, results, samples=None, *, newer=None):
                note((results, samples, newer))

        class CachingLM:
            def __init__(self, lm, cache_db, *, newer=None):
                note((lm, cache_db, newer))

        def function(*given, newer=None):
            note((*given, newer))
            return given[0]

        self.TaskManager, self.EvaluationTracker = TaskManager, EvaluationTracker
        self.CachingLM = CachingLM
        self.make_table = lambda *given, newer=None: str(function(*given, newer=newer))
        self.stderr_for_metric = self._build_logged_samples = self.hash_dict_images = function


@pytest.fixture
def newer():
    return Newer()


def test_a_manager_of_tasks(newer):
    task_folder.change(newer)
    newer.TaskManager(include_path="mine", newer=1)
    newer.TaskManager(None, "mine", False, newer=2)
    ((ours, mine), first), second = newer.told
    assert ours.endswith("hm_tasks")
    assert (mine, first, second) == ("mine", 1, ("mine", 2))


def test_a_table(newer):
    printed_rows.change(newer)
    newer.make_table({"results": {}}, "results", newer=1)
    assert newer.told == [({"results": {}}, "results", 1)]


def test_a_folder_of_results(newer):
    run_name.change(newer)
    newer.EvaluationTracker().save_results_aggregated(results={}, samples=2, newer=1)
    assert newer.told == [({}, 2, 1)]


def test_a_standard_error(newer):
    standard_errors.change(newer)
    newer.stderr_for_metric(metric=test_a_table, bootstrap_iters=5, newer=1)
    assert newer.told == [(test_a_table, 5, 1)]


def test_logged_samples(newer):
    samples_by_number.change(newer)
    newer._build_logged_samples("task", [1, 3], "name", newer=1)
    assert newer.told == [("task", None, "name", 1)]


def test_images_of_a_log(newer):
    whole_records.change(newer)
    newer.hash_dict_images({}, newer=1)
    assert newer.told == [({}, 1)]


def test_a_cache_of_another_model(newer):
    own_answers.change(newer)
    newer.CachingLM("model", "file", newer=1)
    assert newer.told == [("model", "file", 1)]


def test_an_index_of_tasks(newer, monkeypatch, tmp_path):
    from lm_eval.tasks import _index

    def build(paths, *, newer_one, note=newer.told.append):
        note((*paths, newer_one))
        return {}

    monkeypatch.setattr(_index, "TaskIndex", SimpleNamespace(build=build))
    with once_for_all.once_for_all():
        for _ in range(2):
            _index.TaskIndex.build([tmp_path], newer_one=1)
        _index.TaskIndex.build([tmp_path], newer_one=2)
    assert newer.told == [(tmp_path, 1), (tmp_path, 2)]
