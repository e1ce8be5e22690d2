"""Differences are paired over shared questions, corrected over rows, refused where none is fair."""

import math

import numpy as np
import pytest

from hm_metrics.diversity import global_similarity
from hm_metrics.logs.results import find_runs
from hm_metrics.report.comparisons import to_instruct, to_other_samplers
from hm_metrics.report.leaderboard import columns_of
from hm_metrics.report.points import join
from hm_metrics.report.rows import Row, make_rows
from tests.metrics.report.made_runs import CODE, REFUSALS, code, merge, refusals, write_run
from tests.models.endpoints.endpoint import Endpoint, vector_of

HALF = ["+-"] * 8 + ["--"] * 8
MORE = ["++"] * 8 + ["--"] * 8


def rows_of(folder, embedder="none", **more) -> list[Row]:
    return make_rows(join(find_runs([folder]).runs), embedder, quiet=True, **more).rows


def compared(rows, metric="pass@1", by=to_instruct):
    found = [c for c in by(rows, columns_of(rows)) if c.measure.metric == metric]
    return {comparison.row.point.label: comparison for comparison in found}


def test_every_row_is_compared_with_its_instruct_model(tmp_path):
    for alpha, passes in ((0.0, HALF), (0.7, MORE), (1.0, HALF)):
        write_run(tmp_path / f"{alpha}", merge(alpha), {CODE: code(passes)})
    found = compared(rows_of(tmp_path))
    assert set(found) == {"base (alpha=0)", "alpha=0.7"}
    gain = found["alpha=0.7"].difference
    assert gain.estimate == pytest.approx(0.25)
    assert gain.low > 0
    assert found["alpha=0.7"].settled
    assert found["base (alpha=0)"].difference.estimate == 0
    assert found["base (alpha=0)"].differs == ["prompt style"]


def test_questions_that_one_side_lacks_are_left_out_of_both(tmp_path):
    write_run(tmp_path / "a", merge(0.7), {CODE: code(["++", "--", "+-", "++"])})
    write_run(tmp_path / "b", merge(1.0), {CODE: code(["++", "--"])})
    (found,) = compared(rows_of(tmp_path)).values()
    assert found.difference.estimate == 0
    assert (found.difference.questions, found.difference.left_out) == (2, 2)
    assert "questions" in found.differs


@pytest.mark.parametrize(
    ("task", "other", "reason"),
    [
        (CODE, code(HALF, dataset_sha256="cd" * 32), "data"),
        (REFUSALS, refusals([1, 0, 1], judge="other"), "judge"),
    ],
)
def test_other_data_and_other_judges_are_no_pair_and_the_reason_is_said(
    tmp_path, task, other, reason
):
    usual = code(HALF) if task == CODE else refusals([1, 0, 1])
    write_run(tmp_path / "a", merge(0.7), {task: usual})
    write_run(tmp_path / "b", merge(1.0), {task: other})
    metric = "pass@1" if task == CODE else "fulfillment_rate"
    (found,) = compared(rows_of(tmp_path), metric).values()
    assert found.difference is None
    assert reason in found.why_not


def test_p_values_are_corrected_by_holm_over_the_alphas(tmp_path):
    better = {0.5: 14, 0.7: 11, 0.9: 8}
    for alpha, wins in better.items():
        passes = ["+"] * wins + ["-"] * (16 - wins)
        write_run(tmp_path / f"{alpha}", merge(alpha), {CODE: code(passes, ks=(1,))})
    write_run(tmp_path / "1", merge(1.0), {CODE: code(["+"] * 4 + ["-"] * 12, ks=(1,))})
    found = sorted(compared(rows_of(tmp_path)).values(), key=lambda c: c.difference.p_value)
    p = [comparison.difference.p_value for comparison in found]
    expected = np.minimum(np.maximum.accumulate([3 * p[0], 2 * p[1], p[2]]), 1)
    np.testing.assert_allclose([comparison.adjusted for comparison in found], expected)


def test_the_instruct_model_of_another_method_serves_but_not_of_another_temperature(tmp_path):
    write_run(tmp_path / "s", merge(0.7, merge_method="slerp"), {CODE: code(HALF)})
    write_run(tmp_path / "1", merge(1.0), {CODE: code(HALF, temperature=1.0)})
    rows = rows_of(tmp_path)
    assert compared(rows) == {}
    (warmer,) = compared(rows, by=to_other_samplers).values()
    assert warmer.against.point.label == "instruct (alpha=1), T=1"
    write_run(tmp_path / "2", merge(1.0), {CODE: code(HALF)})
    (same,) = compared(rows_of(tmp_path)).values()
    assert same.against.point.label == "instruct (alpha=1), T=0.7"


def test_an_open_difference_says_what_would_settle_it(tmp_path):
    write_run(tmp_path / "a", merge(0.7), {CODE: code(["+-"] * 5 + ["--"] * 4 + ["-+"])})
    write_run(tmp_path / "b", merge(1.0), {CODE: code(["+-"] * 4 + ["--"] * 6)})
    (found,) = compared(rows_of(tmp_path)).values()
    assert not found.settled
    assert "questions" in found.settles


def test_global_similarity_is_compared_with_resamples_of_both_sides(tmp_path):
    for alpha, name in ((0.7, "def g(y): return y"), (1.0, "def f(x): return x")):
        write_run(tmp_path / f"{alpha}", merge(alpha), {CODE: code(["+-"] * 6, program=name)})
    with Endpoint() as server:
        rows = rows_of(tmp_path, "openai:m@8", base_url=server.url)
    (found,) = compared(rows, "global_similarity").values()
    by_hand = []
    for name in ("def g(y): return y", "def f(x): return x"):
        texts = [f"{name} + {question} + {i}" for question in range(6) for i in range(2)]
        vectors = np.array([vector_of(text) for text in texts])
        by_hand.append(global_similarity(vectors, np.repeat(np.arange(6), 2)))
    assert found.difference.estimate == pytest.approx(by_hand[0] - by_hand[1], abs=1e-6)
    assert found.difference.low < found.difference.estimate < found.difference.high


def test_numbers_that_one_side_does_not_have_are_not_compared(tmp_path):
    write_run(tmp_path / "a", merge(0.7), {REFUSALS: refusals([None, None])})
    write_run(tmp_path / "b", merge(1.0), {REFUSALS: refusals([1, 0])})
    rows = rows_of(tmp_path)
    assert math.isnan(rows[0].values[REFUSALS]["fulfillment_rate"].value)
    assert compared(rows, "fulfillment_rate") == {}
