"""Small runs of a task that wraps another, as `hm_tasks.any_passk` writes them, chosen by a test."""

from __future__ import annotations

from typing import Any

from hm_metrics.answer_numbers import Asked, distinct_answers, numbers_of
from hm_metrics.graded import BEYOND_LIMITS, GRADED, UNREAD, Graded
from hm_metrics.verdict import UNSCORED
from tests.metrics.report.made_runs import SHA

WRAPPED = "gsm8k_passk"
HEADLINE, STRICT = "flexible-extract", "strict-match"
COUNTS = ("unscored", "unread_answers", "beyond_limits")
METRIC, PARTIAL = "exact_match", "f1"


def answers(
    words: list[str],
    ks: tuple[int, ...] = (1, 2),
    thresholds: tuple[float, ...] = (0.5, 1.0),
    binary: bool = True,
    temperature: float = 0.7,
    lines: bool = True,
    **metadata: Any,
) -> dict[str, Any]:
    """For each question a word with a letter a sample, which is its answer.

    `A` is the right answer, other letters are wrong; `.` has no answer that a filter reads, `!` grades
    beyond the limits, `?` broke down. Beside exact_match each has an f1: 1 for `A`, 0.5 for `a`, else 0.
    The filter strict-match reads capital letters alone. Without `binary` f1 is the headline.
    """
    metrics = [METRIC, PARTIAL] if binary else [PARTIAL, METRIC]
    written, results = [], {"name": WRAPPED, "alias": WRAPPED, "sample_len": len(words)}
    for of_filter in (HEADLINE, STRICT):
        found: dict[str, list[float]] = {}
        for number, word in enumerate(words):
            grades = grades_of(word, of_filter == STRICT)
            noted: dict[str, Any] = {}
            for metric in metrics:
                made = numbers_of(grades, metric, Asked(ks, thresholds), metric == METRIC)
                inner = "" if metric == metrics[0] else f"{metric}/"
                noted |= {f"{inner}{name}": value for name, value in made.items()}
            noted["distinct_answers"] = distinct_answers(grades)
            noted["unread_answers"] = sum(graded.status == UNREAD for graded in grades)
            if of_filter == HEADLINE:
                noted |= {"n_samples": len(word), "unscored": word.count("?")}
                noted["beyond_limits"] = word.count("!")
            for name, value in noted.items():
                found.setdefault(name, []).append(value)
            written.append(_line(number, word, of_filter, grades, noted))
        counts = {"n_samples": min} | dict.fromkeys(COUNTS, sum)
        for name, values in found.items():
            results[f"{name},{of_filter}"] = counts.get(name, _mean)(values)
            results[f"{name}_stderr,{of_filter}"] = "N/A" if name in counts else 0.1
    better = {name: True for line in written for name in line["metrics"] if "@" in name}
    return {
        "results": results,
        "config": {
            "output_type": "generate_until",
            "generation_kwargs": {"do_sample": True, "temperature": temperature, "top_p": 0.95},
            "metadata": {
                "passk_of": "gsm8k_cot",
                "n_samples": len(words[0]),
                "dataset_sha256": SHA,
                "headline": {"filter": HEADLINE, "metric": metrics[0]},
                "binary": [METRIC],
                "inner": {"task": "gsm8k_cot", "version": 3.0, "was_greedy": True},
                "equal": {"by": "text"},
            }
            | metadata,
        },
        "better": better | {"unscored": False},
        "lines": written if lines else [],
    }


def grades_of(word: str, strict: bool) -> list[Graded]:
    """The grades of one question's samples by a filter."""
    first: dict[str, int] = {}
    grades = []
    for number, letter in enumerate(word):
        scores = {METRIC: float(letter == "A"), PARTIAL: {"A": 1.0, "a": 0.5}.get(letter, 0.0)}
        wrong = {METRIC: 0.0, PARTIAL: 0.0}
        if letter == "?":
            grades.append(Graded("", {}, status=UNSCORED, reason="the grader ended"))
        elif letter == "!":
            grades.append(Graded("9^9^9", wrong, None, BEYOND_LIMITS, "it took over 5 s"))
        elif letter == "." or (strict and letter.islower()):
            grades.append(Graded("", wrong, None, UNREAD, "the filter found no answer"))
        else:
            grades.append(Graded(letter, scores, first.setdefault(letter, number), GRADED))
    return grades


def _line(
    number: int, word: str, of_filter: str, grades: list[Graded], noted: dict[str, Any]
) -> dict[str, Any]:
    return {
        "doc_id": number,
        "doc": {"question": f"What is {number}?", "answer": "A"},
        "arguments": {"gen_args_0": {"arg_0": f"Q: {number}", "arg_1": {}}},
        "resps": [[f"Let me think about {number}. It is {letter}." for letter in word]],
        "filtered_resps": [[str(graded.record()) for graded in grades]],
        "filter": of_filter,
        "metrics": list(noted),
        "doc_hash": f"doc {number}",
    } | noted


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
