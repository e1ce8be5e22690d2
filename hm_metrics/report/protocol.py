"""How a number was made, as facts, and a mark for each way: rows with other marks do not compare.

>>> notes, marks = mark({"mbpp": {"ours": {"limit": "none"}, "theirs": {"limit": "20"}}})
>>> marks
{'ours': {'mbpp': 'A'}, 'theirs': {'mbpp': 'B'}}
>>> notes[1].facts, notes[1].differs
({'limit': '20'}, ['limit'])
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from hm_metrics.logs.results import TaskRun
from hm_metrics.logs.task_log import Log
from hm_metrics.report.page import ProtocolNote
from hm_models.samples.sampler import PARAMETERS, VERBALIZED
from hm_models.shown.escaping import one_line

# Of generation_kwargs: said by other facts, or a consequence of the prompt style.
NOT_NAMED = {"until", "do_sample", "temperature"}
# Of a judge's record: where it answered, and what is said elsewhere.
NOT_OF_JUDGE = {"endpoint", "warning"}
NOVELTY = ("classes", "ratings")  # parts of metadata that say who made them
# Facts that differ between a base and an instruct model by nature, or because that is the question.
MAY_DIFFER = {"prompt style", "prompts", *PARAMETERS}
DATE = "date in the prompts"
WRAPPED, HEADLINE, EQUALITY = "wrapped task", "headline", "equal answers"
MOST_EMPTY = 0.05  # of the answers; above it a reader is told
DIGITS = 12  # of a hash: enough to tell two files apart

Facts = dict[str, str]
R = TypeVar("R")


def facts_of(run: TaskRun, log: Log | None, embedding: str | None) -> Facts:
    """What shaped the numbers of a run, in words; what is not known is left out.

    Args:
        embedding: how its samples became vectors; None where they did not.
    """
    metadata = run.metadata
    generation = run.config.get("generation_kwargs") or {}
    prompts = run.noted("prompts")
    style = run.run.get("prompt_style") or ("chat" if run.facts["chat template"] else "completion")
    facts: dict[str, Any] = {
        "data": _data(run, log),
        "questions": part_of(run, log) or (len(log.questions) if log else run.facts["questions"]),
        "limit": run.run.get("limit"),
        "samples a question": metadata.get("n_samples") or (log.n_samples if log else None),
        "temperature": run.temperature,
        VERBALIZED: run.sampler.get(VERBALIZED) if run.sampler else None,
        "prompt style": prompts.get("style") or style,
        "prompts": _cut(prompts.get("sha256")),
        DATE: run.run.get("chat_date"),
        "truncated prompts": _count(run, "truncated_prompts") or None,
        "system prompt": prompts.get("system") or _cut(run.facts["system prompt"]),
        "few-shot": run.facts["few-shot"],
        "isolation": metadata.get("isolation"),
        "embedder": embedding,
        "task version": run.facts["task version"],
        **_of_wrapped(run),
    }
    if run.temperature is not None:
        facts |= {key: value for key, value in generation.items() if key not in NOT_NAMED}
    judging = _of_judge(run.noted("judging"))
    facts |= {key if key == "judge" else f"judge's {key}": judging[key] for key in judging}
    for part in NOVELTY:  # numbers by different ones do not compare
        if who := _of_judge(run.noted(part)):
            facts[f"{part} by"] = " ".join(str(who[key]) for key in who if key != "unscored")
    return {key: _words(value) for key, value in facts.items() if value is not None}


def _of_judge(record: dict[str, Any]) -> dict[str, Any]:
    return {key: _cut(value) for key, value in record.items() if key not in NOT_OF_JUDGE}


def _of_wrapped(run: TaskRun) -> dict[str, Any]:
    """Of a task that wraps another: which one, whose number has the bare names, and what is equal."""
    if run.headline is None:
        return {}
    inner, equal = run.noted("inner"), run.noted("equal") or {"by": run.metadata.get("equal")}
    return {
        WRAPPED: f"{inner.get('task')}, version {inner.get('version')}",
        HEADLINE: f"{run.headline.metric}, filter {run.headline.filter}",
        EQUALITY: ", ".join(str(value) for value in equal.values()),
    }


def asked_amiss(run: TaskRun) -> list[str]:
    """Warnings of a run whose prompts were cut, or whose samples are copies or say nothing."""
    warnings = []
    if cut := _count(run, "truncated_prompts"):
        warnings.append(f"the prompts of {cut:.0f} samples were longer than the context, and cut.")
    n_samples, questions = (
        number if isinstance(number, int) else 0
        for number in (run.metadata.get("n_samples"), run.facts["questions"])
    )
    if 0 < (n_samples - 1) * questions <= _count(run, "equal_samples"):
        warnings.append("all samples of a question are copies of one: pass@k is pass@1.")
    # Of a judged task, where each counts as a refusal: a model that says nothing is no careful one.
    if (empty := _count(run, "empty_answers")) > MOST_EMPTY * (samples := n_samples * questions):
        warnings.append(f"{empty:,.0f} of {samples:,} answers are empty.")
    return warnings


def _count(run: TaskRun, name: str) -> float:
    """A count that the task made; 0 where it made none."""
    found = [value for key, (value, _) in run.values.items() if key.partition(",")[0] == name]
    return next((value for value in found if value), 0.0)


def part_of(run: TaskRun, log: Log | None) -> str:
    """`3 of 164` where a run has a part of its benchmark's questions; empty where it has all."""
    ours = len(log.questions) if log else run.facts["questions"]
    known = [run.facts[which] for which in ("questions", "of questions") if run.facts[which]]
    whole = max(known, default=0)
    return f"{ours} of {whole}" if ours is not None and ours < whole else ""


def mark(
    facts: Mapping[str, Mapping[str, Facts]],
) -> tuple[list[ProtocolNote], dict[str, dict[str, str]]]:
    """Marks for the different facts of each task: A for those that most rows have.

    Args:
        facts: task to row to facts.

    Returns:
        A note for each mark, and row to task to mark. Marks that may be ranked together are named.
    """
    notes: list[ProtocolNote] = []
    marks: dict[str, dict[str, str]] = {}
    for task, rows in facts.items():
        ways = Counter(tuple(found.items()) for found in rows.values())
        ranked = [way for way, _ in ways.most_common()]  # equal numbers in order of appearance
        names = {key for way in ranked for key, _ in way}
        differs = sorted(key for key in names if len({dict(way).get(key) for way in ranked}) > 1)
        letters = {way: letter(number) for number, way in enumerate(ranked)}
        beside = _beside(ranked)
        for way in ranked:
            with_whom = letters[beside[way]] if beside[way] != way else ""
            notes.append(ProtocolNote(letters[way], task, dict(way), differs, with_whom))
        for row, found in rows.items():
            marks.setdefault(row, {})[task] = letters[tuple(found.items())]
    return notes, marks


def comparable(
    rows: Sequence[R], facts: Callable[[R], Sequence[Facts]]
) -> tuple[list[R], list[tuple[R, list[str]]]]:
    """The rows measured as most are, but for what MAY_DIFFER; and what differs in each of the others.

    Args:
        facts: those of a row, one dict for each task that counts.
    """
    if not rows:
        return [], []
    ways: dict[tuple, list[Sequence[Facts]]] = defaultdict(list)
    for row in rows:
        ways[tuple(map(_way, facts(row)))].append(facts(row))
    usual = max(ways.values(), key=lambda alike: (len(alike), any(DATE in f for f in alike[0])))[0]
    found = [
        (
            row,
            sorted({name for a, b in zip(facts(row), usual, strict=True) for name in _apart(a, b)}),
        )
        for row in rows
    ]
    return [row for row, why in found if not why], [(row, why) for row, why in found if why]


def _beside(ways: Sequence[tuple[tuple[str, str], ...]]) -> dict[tuple, tuple]:
    """Each way to the first with which it may be ranked; those that tell a date come first."""
    first: list[tuple] = []
    found = {}
    for way in sorted(ways, key=lambda way: DATE not in dict(way)):
        found[way] = next((other for other in first if not _apart(dict(way), dict(other))), way)
        first += [way] if found[way] is way else []
    return found


def _way(facts: Facts) -> frozenset[tuple[str, str]]:
    return frozenset((fact, value) for fact, value in facts.items() if fact not in MAY_DIFFER)


def _apart(ours: Facts, theirs: Facts) -> set[str]:
    """The facts for which two runs of a task are not ranked together."""
    apart = {fact for fact, _ in _way(ours) ^ _way(theirs)}
    # Only a chat template tells a date: where one side has none, it is a part of the prompt style.
    return apart - {DATE} if DATE not in ours or DATE not in theirs else apart


def letter(number: int) -> str:
    """A, B, ..., Z, AA, AB, ..."""
    name = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def same_questions(ours: Facts, theirs: Facts) -> str:
    """Why two runs of a task are no pair: empty where they are one."""
    named = (
        "data",
        "judge",
        "judge's prompt_sha256",
        "classes by",
        "task version",
        WRAPPED,
        HEADLINE,
    )
    for fact in named:
        if ours.get(fact) != theirs.get(fact):
            return f"{fact}: {ours.get(fact, 'unknown')} against {theirs.get(fact, 'unknown')}"
    return ""


def _data(run: TaskRun, log: Log | None) -> str | None:
    """SHA-256 of the data set's file, else of the questions as the harness hashes them."""
    named = run.metadata.get("dataset_sha256") or run.noted("dataset").get("sha256")
    return _cut(named) or (_cut(log.digest) if log else None)


def _cut(value: Any) -> Any:
    """A hash shortened, anything else as it is."""
    text = str(value)
    hexadecimal = len(text) == 64 and all(digit in "0123456789abcdef" for digit in text)
    return text[:DIGITS] if hexadecimal else value


def _words(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else one_line(str(value))
