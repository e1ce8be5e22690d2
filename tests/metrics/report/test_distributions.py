"""What the figures draw is told apart by family where there are several."""

from hm_metrics.logs.results import find_runs
from hm_metrics.report import distributions
from hm_metrics.report.points import join
from hm_metrics.report.rows import make_rows
from tests.metrics.report.made_runs import REFUSALS, merge, refusals, write_run


def test_the_refusal_map_sets_families_apart_and_names_none_where_there_is_one(tmp_path):
    write_run(tmp_path / "1", merge(0.7), {REFUSALS: refusals([1, 0, 1])})
    one = make_rows(join(find_runs([tmp_path]).runs), "none", quiet=True).rows
    columns, means, families = distributions.categories(one, REFUSALS)
    assert (list(columns), families) == (["alpha=0.7"], None)
    write_run(tmp_path / "2", merge(0.7, instruct="J"), {REFUSALS: refusals([0, 0, 1])})
    two = make_rows(join(find_runs([tmp_path]).runs), "none", quiet=True).rows
    columns, means, families = distributions.categories(two, REFUSALS)
    assert len(columns) == len(set(families.values())) == 2
    assert set(columns) == set(means) == set(families)
    assert families == {row.point.id: row.point.family for row in two}
