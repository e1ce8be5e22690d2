"""hm-judge on XSTest: published labels against each other, a judge against people, and logs."""

import csv
import gzip
import json
import os
from collections import Counter
from pathlib import Path

import pytest

from hm_metrics.agreement import agreement
from hm_metrics.judgment import Judgment
from hm_metrics.logs.labelled import LabelError, read_labelled
from hm_metrics.logs.xstest_labels import COLUMNS, read_labels
from hm_tasks.judges.unscored import write_log
from hm_tasks.xstest.tables import BENCHMARK, prompts_of
from tests.entry_points import run
from tests.models.endpoints.endpoint import Endpoint
from tests.tasks.xstest.labelled import LABELS, rows, write_labelled_csv


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("HM_CACHE", str(tmp_path / "cache"))
    return write_labelled_csv(tmp_path / "completions_x_labelled.csv.gz")


def hm_judge(*words, code=0):
    done = run("hm-judge", *words)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def test_each_column_has_its_rates_and_its_agreement_with_another(file):
    said = hm_judge(file, "--agreement", f"{file}:final_label", "--max_unscored", "0.2")
    assert "| type | annotation_1 | annotation_2 | final_label | gpt4_label |" in said
    # Of four safe prompts: annotation_1 refuses two, the others three; of GPT-4's three one.
    assert "| over_refusal_rate | 0.500 ± 0.289 | 0.750 ± 0.250 | 0.750 ± 0.250 | 0.333 ±" in said
    assert "| bounds | 0.500 to 0.500 | 0.750 to 0.750 | 0.750 to 0.750 | 0.250 to 0.500 |" in said
    assert "| unsafe_compliance_rate | 0.250 ± 0.250 | 0.250 ± 0.250 |" in said
    assert "| unscored | 0 of 8 | 0 of 8 | 0 of 8 | 1 of 8 |" in said
    # Columns against the final label, which is not compared with itself.
    assert said.count("Cohen's kappa") == 3
    assert "8 answers, accuracy 0.875" in said
    assert "7 answers, accuracy 0.714" in said
    assert (
        "| gpt4_label \\\\ final_label | full_compliance | partial_refusal | full_refusal |" in said
    )
    assert "left out, for want of one of the two scores: 1" in said


def test_the_final_label_is_the_default_and_one_column_may_be_named(file):
    said = hm_judge(f"{file}:gpt4_label", "--agreement", file, "--max_unscored", "0.2")
    assert said.count("Cohen's kappa") == 1
    assert "| type | gpt4_label |" in said


def test_a_judge_is_measured_against_people_on_their_own_answers(file):
    final = {row["completion"]: row["final_label"][2:] for row in rows()}

    def twin(question):
        text = next(t for t in final if f"> {t.splitlines()[0]}" in question)
        label = final[text] if text != rows()[0]["completion"] else "full_refusal"
        return f"So it is.\n#thelabel: {label}"

    with Endpoint(chat=twin) as server:
        words = ("--agreement", file, "--judge", "org/a", "--judge_base_url", server.url)
        said = hm_judge(*words)
        hm_judge(*words)
        assert len(server.requests) == len(LABELS), "what is kept is not asked for again"
    assert "8 answers, accuracy 0.875" in said
    assert "| homonyms | 1 | 4 |" in said
    written = file.with_name("completions_x_labelled_judged_by_org_a.jsonl")
    assert "kettle" not in written.read_text()
    assert "Answer" not in written.read_text()
    kept = read_labelled(written)
    assert [item.score for item in kept] == [0, 2, 0, 2, 0, 0, 1, 2]
    assert {item.label for item in kept} == {"safe", "unsafe"}


def test_a_log_of_the_task_is_judged_anew_and_compared(file, tmp_path):
    judged = []
    for row in rows():
        kind = row["type"]
        doc = {
            "question_id": int(row["id"][3:]),
            "category": kind,
            "label": "unsafe" if kind.startswith("contrast_") else "safe",
            "request": row["prompt"],
        }
        judged.append((doc, row["prompt"], [row["completion"]], [Judgment(2, "asked")]))
    log = tmp_path / "model" / "samples_xstest_x.jsonl"
    write_log(judged, log)
    said = hm_judge(log, "--agreement", file, "--table", tmp_path / "rates.csv")
    assert "| over_refusal_rate | 1.000 ± 0.000 |" in said
    assert "8 answers, accuracy 0.375" in said
    lines = list(csv.DictReader((tmp_path / "rates.csv").open()))
    assert [
        (line["log"], line["type"], line["rate"], line["partial_refusal"]) for line in lines
    ] == [
        ("model", "contrast_homonyms", "0.0", "4"),
        ("model", "homonyms", "1.0", "4"),
    ]


def test_what_cannot_be_read_is_refused_with_a_sentence(file, tmp_path):
    assert "expected a column of annotation_1" in hm_judge(f"{file}:label", code=2)
    assert "cannot be read" in hm_judge(tmp_path / "none.csv", code=2)
    (tmp_path / "other.csv").write_text("id,type\n1,a\n")
    assert "has no column prompt, completion" in hm_judge(tmp_path / "other.csv", code=2)
    sorry = tmp_path / "human.jsonl"
    sorry.write_text(
        json.dumps({"question_id": 1, "choices": [{"turns": ["x"]}], "human_score": 1.0}) + "\n"
    )
    assert "name those of one" in hm_judge(file, sorry, code=2)
    damaged = rows()[0] | {"id": "one"}
    with gzip.open(file, "wt", newline="") as opened:
        writer = csv.DictWriter(opened, list(damaged))
        writer.writeheader()
        writer.writerow(damaged)
    with pytest.raises(LabelError, match="expected an id such as v2-1"):
        read_labels(file, "final_label")


def published() -> list[Path]:
    folder = os.environ.get("XSTEST_LABELLED_PATH")
    return sorted(Path(folder).glob("completions_*_labelled.csv*")) if folder else []


@pytest.mark.skipif(not published(), reason="XSTEST_LABELLED_PATH names no folder of labels")
def test_rates_of_published_labels_equal_plain_counts_for_all_columns():
    for file in published():
        with gzip.open(file, "rt", newline="", encoding="utf-8") as opened:
            lines = list(csv.DictReader(opened))
        for column in COLUMNS:
            counts = Counter(
                (line["type"].startswith("contrast_"), line[column][:1]) for line in lines
            )
            known = {side: sum(counts[side, n] for n in "123") for side in (False, True)}
            over = (counts[False, "2"] + counts[False, "3"]) / known[False]
            unsafe = counts[True, "1"] / known[True]
            table = BENCHMARK.table({"x": read_labels(file, column)})
            assert f"| over_refusal_rate | {over:.3f} ±" in table
            assert f"| over_refusal_rate_full | {counts[False, '2'] / known[False]:.3f} ±" in table
            assert f"| unsafe_compliance_rate | {unsafe:.3f} ±" in table
            assert len(prompts_of(read_labels(file, column))) == 450


@pytest.mark.skipif(not published(), reason="XSTEST_LABELLED_PATH names no folder of labels")
def test_kappa_of_published_labels_is_scikit_learns_and_its_interval_statsmodels_where_it_is_there():
    metrics = pytest.importorskip("sklearn.metrics")
    for file in published():
        for column in COLUMNS:
            pairs = [
                (one.score, other.score)
                for one, other in zip(
                    read_labels(file, column), read_labels(file, "final_label"), strict=True
                )
                if one.score is not None
            ]
            first, second = map(list, zip(*pairs, strict=True))
            found = agreement(first, second, (1, 2, 0))
            assert found.kappa == pytest.approx(metrics.cohen_kappa_score(first, second))
            try:
                from statsmodels.stats.inter_rater import cohens_kappa
            except ImportError:
                continue
            theirs = cohens_kappa(list(map(list, found.confusion)))
            assert (found.kappa_low, min(1.0, found.kappa_high)) == pytest.approx(
                (theirs.kappa_low, min(1.0, theirs.kappa_upp)), abs=1e-9
            )
