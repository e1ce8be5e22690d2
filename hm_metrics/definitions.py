"""Every number that this project computes, once: its name, what it means, which way is better, and why so.

    >>> of("pass@10").meaning
    'Chance that one of 10 samples is correct: a program that passes the base and the extra tests, or an...'
    >>> of("global_similarity").higher_is_better
    False
    >>> of("plus_only_pass@5").source
    'the paper, figure 5'
    >>> of("acc") is None  # of somebody else's task
    True

Tasks, reports, figures and `--select` read this, and docs/metrics.md is what
`python -m hm_metrics.definitions` prints; nobody else says what a number means. A new number of the
leaderboard gets its line here, and its computation in `hm_metrics.measures`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable

from hm_metrics.answer_names import AVERAGE, BEST, DISTINCT, AnswerName
from hm_metrics.definition import Definition
from hm_metrics.judged_definitions import JUDGING, NOVELTY, REFUSALS, XSTEST
from hm_metrics.verdict import PASS, Verdict

SCORED = "scored"  # the filter of the harness under which our tasks' numbers stand


def _passes_both(verdict: Verdict) -> bool:
    return verdict.base_status == verdict.plus_status == PASS


def _passes_base(verdict: Verdict) -> bool:
    return verdict.base_status == PASS


def _passes_extra(verdict: Verdict) -> bool:
    return verdict.plus_status == PASS


_UNBIASED = "unbiased estimator of Chen et al. 2021, section 2.1"
# By the prefix of the metric, in the order of tables.
AT_K = {
    "pass": Definition(
        "Chance that one of {k} samples is correct: a program that passes the base and the extra tests, "
        "or an answer that the wrapped task scores as right.",
        True,
        f"evalplus; {_UNBIASED}",
        correct="base and extra tests",
        is_correct=_passes_both,
    ),
    "base_pass": Definition(
        "Chance that one of {k} samples passes the base tests.",
        True,
        _UNBIASED,
        correct="base tests",
        is_correct=_passes_base,
    ),
    "plus_only_pass": Definition(
        "Chance that one of {k} samples passes the extra tests, whatever the base tests did.",
        True,
        "the paper, figure 5",
        correct="extra tests alone",
        is_correct=_passes_extra,
    ),
}
# Of tasks that wrap another one, by the number's prefix or its name; pass@k is theirs, too.
OF_ANSWERS = {
    "maj": Definition(
        "Chance that the answer which most of {k} samples give is right. Answers that tie count as the "
        "mean of theirs; who gives no answer casts no vote.",
        True,
        "Wang et al. 2022; over all subsets of k",
    ),
    "g_pass": Definition(
        "Chance that at least the share {T} of {k} samples is right, and one at least.",
        True,
        "Liu et al. 2024, as lighteval counts it",
    ),
    AVERAGE: Definition("Mean score of a question's samples.", True),
    BEST: Definition("Highest score among a question's samples.", True),
    DISTINCT: Definition("Different answers a question, of the samples that give one.", None),
}
_LISTED = {"maj": "maj@k", "g_pass": "g_pass@k_T"}  # where a table has one line for all k
LOCAL, GLOBAL = "local_similarity", "global_similarity"
UNFINISHED = "unfinished_thoughts"
TOKENS = "tokens_a_sample"
VERBALIZED_UNREAD, VERBALIZED_SURPLUS = "verbalized_unread", "verbalized_surplus"
VERBALIZED_CALLS, STATED_PROBABILITY = "verbalized_calls", "stated_probability"

_DIVERSITY = {
    LOCAL: Definition(
        "Mean cosine similarity of two samples of one question.",
        False,
        "the paper, figure 4",
        title="local similarity",
    ),
    GLOBAL: Definition(
        "Mean cosine similarity of samples of two questions.",
        False,
        "the paper, figure 3",
        title="global similarity",
    ),
    "global_similarity_all_pairs": Definition(
        "Mean cosine similarity of any two samples, of one question or of two.", False
    ),
    "vendi_score": Definition(
        "Effective number of different samples a question, by their vectors.",
        True,
        "Friedman and Dieng 2023",
    ),
    "distinct_programs": Definition("Different programs a question, names and layout apart.", True),
    "distinct_correct_programs": Definition(
        "Different programs a question among those that pass.", True
    ),
    "distinct_behaviours": Definition(
        "Different behaviours a question, by the outputs on the benchmark's inputs.", True
    ),
    "distinct_correct_behaviours": Definition(
        "Different behaviours a question among programs that pass.", True
    ),
} | {
    f"distinct_{n}": Definition(
        f"Share of the {n}-grams of a question's programs that are not repeated.",
        True,
        "Li et al. 2016",
    )
    for n in (1, 2, 3, 4)
}
_TOKENS = {
    "token_entropy": Definition(
        "Mean entropy of the model's distribution over the next token, in nats.", True
    ),
    "token_entropy_bound": Definition(
        "How far the token entropy may be off, where an engine gives a part of the distribution.",
        False,
    ),
    "token_surprisal": Definition("Mean -log p of the drawn token, in nats.", True),
    TOKENS: Definition(
        "Tokens that were generated for a sample, thoughts included; those of a call that makes several are "
        "shared by all of them.",
        None,
    ),
}

# How a run went, and not what the model is like.
_COUNTS = {
    "unscored": Definition(
        "Samples without a verdict. They are left out, never counted as wrong.", False
    ),
    "timeouts": Definition("Samples that ran out of time.", False),
    "unread_answers": Definition(
        "Samples in which the wrapped task's filter finds no answer, scored as that task does.",
        False,
    ),
    "beyond_limits": Definition(
        "Samples whose grading took more time or memory than it may; they count as wrong.", False
    ),
    "empty_programs": Definition("Samples with no program in them.", False),
    "empty_answers": Definition("Answers without a word.", False),
    UNFINISHED: Definition("Samples that were cut off within a thought.", False),
    "truncated_prompts": Definition(
        "Samples whose prompt was longer than the context and was cut.", False
    ),
    "equal_samples": Definition(
        "Samples that repeat the text of another sample of their question.", False
    ),
    VERBALIZED_UNREAD: Definition(
        "Samples that a call with `verbalized` did not give; they count as wrong.", False
    ),
    VERBALIZED_SURPLUS: Definition(
        "Answers of calls with `verbalized` that were dropped, being more than were asked for or than "
        "n_samples.",
        False,
    ),
    STATED_PROBABILITY: Definition(
        "Mean of the probabilities that the model states for its answers, where it states one.",
        None,
    ),
    VERBALIZED_CALLS: Definition("Calls that made the samples, with `verbalized`.", None),
    "left_out_questions": Definition("Questions without a vector for a similarity.", False),
    "n_samples": Definition("Samples of each question.", None),
    "generated": Definition("Samples made in this run.", None),
    "reused": Definition("Samples of earlier runs.", None),
}
DEFINITIONS = _DIVERSITY | _TOKENS | REFUSALS | XSTEST | NOVELTY | _COUNTS | JUDGING

# Up to a million: results may name any k, and nobody draws more samples.
_AT_K = re.compile(rf"({'|'.join(AT_K)})@([1-9][0-9]{{0,5}})", re.ASCII)


def at_k(metric: str) -> tuple[str, int] | None:
    """The counting rule and k of a pass@k; None for other numbers.

    >>> at_k("plus_only_pass@5")
    ('plus_only_pass', 5)
    """
    found = _AT_K.fullmatch(metric)
    return (found[1], int(found[2])) if found else None


def of(metric: str) -> Definition | None:
    """What a metric is; None for those of other people's tasks.

    >>> of("math_verify/avg@n,strict").meaning
    "Mean score of a question's samples. By the wrapped task's math_verify, filter strict."
    """
    if found := at_k(metric):
        known = AT_K[found[0]]
        return dataclasses.replace(known, meaning=known.meaning.format(k=found[1]))
    if (name := AnswerName.of(metric)) is None:
        return DEFINITIONS.get(metric.partition(",")[0])
    known = (AT_K | OF_ANSWERS)[name.prefix or name.number]
    by = [name.metric or "headline metric", *([f"filter {name.filter}"] if name.filter else [])]
    whose = "" if name.is_headline else f" By the wrapped task's {', '.join(by)}."
    return dataclasses.replace(
        known, meaning=known.meaning.format(k=name.k, T=name.threshold) + whose
    )


def is_count(metric: str) -> bool:
    """Whether a metric says how a run went, and not what the model is like."""
    return metric.partition(",")[0] in _COUNTS


def higher_is_better(metrics: Iterable[str]) -> dict[str, bool]:
    """Which way is better, of those metrics where one is: what the harness asks of a task.

    >>> higher_is_better(["pass@1", "generated", "local_similarity"])
    {'pass@1': True, 'local_similarity': False}
    """
    found = {metric: of(metric) for metric in metrics}
    return {
        metric: definition.higher_is_better
        for metric, definition in found.items()
        if definition and definition.higher_is_better is not None
    }


def page() -> str:
    """docs/metrics.md: every number, in Markdown."""
    parts = [
        "# Metrics",
        "What each number of this project means. Printed by `python -m hm_metrics.definitions`: change it "
        "there. Formulas and what numbers do not say: [diversity](diversity.md), [scoring](scoring.md), "
        "[tasks that wrap another](any_passk.md), [SORRY-Bench](sorry_bench.md), [XSTest](xstest.md), "
        "[NoveltyBench](novelty_bench.md).",
    ]
    for title, table in (
        ("pass@k", {f"{prefix}@k": AT_K[prefix] for prefix in AT_K}),
        (
            "Tasks that wrap another",
            {_LISTED.get(name, name): OF_ANSWERS[name] for name in OF_ANSWERS},
        ),
        ("Diversity", _DIVERSITY),
        ("Tokens", _TOKENS),
        ("Refusals", REFUSALS),
        ("XSTest", XSTEST),
        ("NoveltyBench", NOVELTY),
        ("How a run went", _COUNTS),
        ("What judging cost", JUDGING),
    ):
        parts.append(f"## {title}")
        lines = ["| metric | meaning | better | source |", "|---|---|---|---|"]
        better = {True: "higher", False: "lower", None: ""}
        lines += [
            f"| `{name}` | {found.meaning.format(k='k', T='T')} | {better[found.higher_is_better]} "
            f"| {found.source} |"
            for name, found in table.items()
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


if __name__ == "__main__":
    print(page())
