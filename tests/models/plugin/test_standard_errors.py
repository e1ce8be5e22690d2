"""Counts have no standard error in either harness; the harness's own aggregations keep theirs."""

import lm_eval.api.metrics as metrics
import pytest


@pytest.mark.parametrize("counted", [sum, min])
def test_a_count_has_no_error(counted):
    assert metrics.stderr_for_metric(counted, 100) is None


def test_the_harnesss_mean_keeps_its_own():
    assert metrics.stderr_for_metric(metrics.mean, 100) is metrics.mean_stderr
