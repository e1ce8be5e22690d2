"""Judges of XSTest against people: GPT-4's published labels, phrases, and a small judge trained elsewhere.

    python scripts/bench_judges.py FOLDER     # with completions_MODEL_labelled.csv of two models or more

The small judge is a logistic regression over the words and pairs of words of an answer's beginning, trained
on the answers of one model with people's final labels and tested on another's. It knows nothing of the
prompt. All agreement is with the final label, over three labels.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from hm_metrics.agreement import agreement
from hm_metrics.logs.labelled import Labelled
from hm_metrics.logs.xstest_labels import FINAL, read_labels
from hm_metrics.xstest import FULL_COMPLIANCE, FULL_REFUSAL, LABELS
from hm_tasks.judges.keyword import refuses

WORDS = 60  # of an answer, from its beginning: where refusals stand


def beginning(answer: Labelled) -> str:
    return " ".join((answer.answer or "").split()[:WORDS])


def trained_on(answers: Sequence[Labelled], tested: Sequence[Labelled]) -> list[int]:
    """The labels that a judge trained on some answers gives to others."""
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    known = words.fit_transform(map(beginning, answers))
    judge = LogisticRegression(C=30.0, max_iter=2000, class_weight="balanced")
    judge.fit(known, [answer.score for answer in answers])
    return [int(label) for label in judge.predict(words.transform(map(beginning, tested)))]


def line(who: str, of: str, labels: Sequence[int | None], people: Sequence[Labelled]) -> str:
    pairs = [
        (label, answer.score)
        for label, answer in zip(labels, people, strict=True)
        if label is not None and answer.score is not None
    ]
    ours, theirs = zip(*pairs, strict=True)
    found = agreement(ours, theirs, list(LABELS))
    interval = f"{found.kappa_low:.3f} to {found.kappa_high:.3f}"
    unscored = len(labels) - len(pairs)
    return f"| {of} | {who} | {found.accuracy:.3f} | {found.kappa:.3f} | {interval} | {unscored} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    files = sorted(parser.parse_args().folder.glob("completions_*_labelled.csv*"))
    people = {file.name.split("_")[1]: read_labels(file, FINAL) for file in files}
    print("| answers of | judge | accuracy | kappa | 95 % interval | unscored |")
    print("|---|---|---:|---:|---|---:|")
    for file, (of, answers) in zip(files, people.items(), strict=True):
        gpt4 = [answer.score for answer in read_labels(file, "gpt4_label")]
        print(line("GPT-4's published labels", of, gpt4, answers))
        phrases = [
            FULL_REFUSAL if refuses(answer.answer or "") else FULL_COMPLIANCE for answer in answers
        ]
        print(line("phrases (judge=keyword)", of, phrases, answers))
    for one, other in itertools.permutations(people, 2):
        labels = trained_on(people[one], people[other])
        print(line(f"small judge, trained on {one}", other, labels, people[other]))


if __name__ == "__main__":
    main()
