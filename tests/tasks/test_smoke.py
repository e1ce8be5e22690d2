"""The smoke test looks at what the harness wrote. (That a run passes it: tests/install, with an engine.)"""

import pytest

from hm_tasks.smoke import PROBLEMS, SAMPLES, SmokeError, logged
from tests.metrics.report.made_runs import CODE, code, merge, write_run


def test_a_run_with_all_its_answers_is_read(tmp_path):
    write_run(tmp_path, merge(0.7), {CODE: code(["+" * SAMPLES] * PROBLEMS)})
    assert logged(tmp_path).task == CODE


def test_answers_that_are_missing_are_said(tmp_path):
    write_run(tmp_path, merge(0.7), {CODE: code(["+" * SAMPLES] * (PROBLEMS - 1))})
    with pytest.raises(SmokeError, match=f"other than {PROBLEMS} x {SAMPLES} answers"):
        logged(tmp_path)


def test_a_folder_without_results_is_said(tmp_path):
    with pytest.raises(SmokeError, match=r"0 results.*holds no results_\*\.json"):
        logged(tmp_path)
