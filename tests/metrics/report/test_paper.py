"""The paper's numbers stand beside those of its pairs alone, each by its own counting rule."""

import json

import pytest

from hm_metrics.logs.models import Model
from hm_metrics.logs.results import find_runs
from hm_metrics.report.distributions import curves
from hm_metrics.report.paper import FILE, HEAD, beside, published
from hm_metrics.report.points import join
from hm_metrics.report.rows import make_rows
from tests.metrics.report.made_runs import CODE, REFUSALS, code, merge, refusals, write_run

LLAMA = "meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-8B-Instruct"
VICUNA = "meta-llama/Llama-2-7b-hf", "lmsys/vicuna-7b-v1.5"


def model(base: str, instruct: str) -> Model:
    return Model("f", "i", base, instruct, "linear", "0.7")


@pytest.mark.parametrize(
    ("pair", "name"),
    [
        (LLAMA, "Llama-3.1-8B"),
        (("/models/Llama-3.1-70B", "/models/Llama-3.1-70B-Instruct/"), "Llama-3.1-70B"),
        (VICUNA, "Vicuna-7B v1.5"),
        (
            ("/c/models--meta-llama--Llama-2-13b-hf/snapshots/1", "lmsys/vicuna-13b-v1.5"),
            "Vicuna-13B v1.5",
        ),
    ],
)
def test_the_papers_pairs_are_known_by_their_checkpoints(pair, name):
    assert published(model(*pair)).name == name


@pytest.mark.parametrize(
    "pair",
    [
        (LLAMA[0], "lmsys/vicuna-7b-v1.5"),
        ("meta-llama/Llama-3.2-3B", LLAMA[1]),
        ("meta-llama/Llama-2-7b-hf", "lmsys/vicuna-7b-v1.5-16k"),
        ("", ""),
    ],
)
def test_other_pairs_are_not(pair):
    assert published(model(*pair)) is None


def test_the_file_says_where_each_kind_is_from_and_its_curves_rise():
    paper = json.loads(FILE.read_text())
    assert all(source["what"] for source in paper["sources"].values())
    for family in paper["families"]:
        for alpha, by_k in family["figure"].items():
            values = [by_k[str(k)] for k in range(1, 11)]
            assert values == sorted(values), (family["name"], alpha)


def rows(folder, pair=VICUNA, alpha=0.7, **more):
    passes = ["+x" + "-" * 9, "+" + "-" * 10]
    tasks = {CODE: code(passes, ks=tuple(range(1, 11)), **more), REFUSALS: refusals([1, 0])}
    write_run(folder, merge(alpha, *pair), tasks)
    return make_rows(join(find_runs([folder]).runs), "none", quiet=True).rows


def test_each_number_is_compared_with_ours_of_the_same_counting(tmp_path):
    lines = [dict(zip(HEAD, line, strict=True)) for line in beside(rows(tmp_path))]
    by_number = {line["number"]: line for line in lines}
    assert by_number["plus_only_pass@1"]["paper"] == "0.267"  # figure 5
    assert by_number["plus_only_pass@1"]["ours"].startswith("0.136")  # 3 of 22
    assert by_number["plus_only_pass@1"]["counted as"] == "extra tests alone (figure 5)"
    assert by_number["pass@1"]["paper"] == "0.255"  # section 4.2
    assert by_number["pass@1"]["ours"].startswith("0.091")  # 2 of 22
    assert by_number["pass@1"]["difference"].startswith("-0.164")
    assert by_number["fulfillment_rate"]["paper"] == "0.440"
    assert "questions 2, paper 378" in by_number["pass@1"]["what else differs"]


def test_other_methods_and_alphas_have_nothing_beside_them(tmp_path):
    assert beside(rows(tmp_path / "a", alpha=0.8)) == []
    write_run(tmp_path / "b", merge(0.7, *VICUNA, merge_method="slerp"), {CODE: code(["+-"])})
    assert beside(make_rows(join(find_runs([tmp_path / "b"]).runs), "none", quiet=True).rows) == []


def test_the_papers_curves_are_dotted_where_they_count_in_the_same_way(tmp_path):
    found = rows(tmp_path)
    (extra,) = curves(found, CODE, "plus_only_pass").values()
    assert [curve.dotted for curve in extra] == [False, True, True, True, True]
    assert extra[2].value[0] == 0.2667
    (both,) = curves(found, CODE, "pass").values()
    assert {(curve.label, tuple(curve.k)) for curve in both if curve.dotted} == {
        ("paper, instruct", (1, 10)),
        ("paper, alpha=0.7", (1, 10)),
    }
