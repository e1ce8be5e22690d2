"""Two judges over the same answers, as a table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hm_metrics.agreement import Agreement, agreement, disputed
from hm_metrics.logs.labelled import Labelled
from hm_models.errors import UsageError
from hm_models.shown.escaping import markdown_table


def compare(
    answers: Sequence[Labelled],
    other: Sequence[Labelled],
    first: str,
    second: str,
    names: Mapping[int, str],
) -> str:
    """How the verdicts on `answers` agree with those of the same answers in `other`.

    Raises:
        UsageError: no answer has a score in both.
    """
    labels = {item.key: item.score for item in other}
    pairs = [
        (answer.category, answer.score, label)
        for answer in answers
        if answer.score is not None and (label := labels.get(answer.key)) is not None
    ]
    if not pairs:
        raise UsageError(
            f"No answer of {first} has a score in {second}: they match by question, style and text."
        )
    categories, ours, theirs = map(list, zip(*pairs, strict=True))
    found = agreement(ours, theirs, list(names))
    table = _table(found, first, second, disputed(ours, theirs, categories), names)
    return f"{table}\n\nleft out, for want of one of the two scores: {len(answers) - len(pairs)}"


def _table(
    found: Agreement,
    first: str,
    second: str,
    worst: Sequence[tuple[str, int, int]],
    names: Mapping[int, str],
) -> str:
    """Accuracy, kappa, who confuses what, and the most disputed categories."""
    confusion = [[f"{first} \\ {second}", *(names[label] for label in found.labels)]]
    confusion.append(["---", *["---:"] * len(found.labels)])
    for label, row in zip(found.labels, found.confusion, strict=True):
        confusion.append([names[label], *map(str, row)])
    disputes = [["most disputed", "differ", "of"], ["---", "---:", "---:"]]
    disputes += [[label, str(differ), str(items)] for label, differ, items in worst]
    return "\n\n".join(
        [
            f"{found.n} answers, accuracy {found.accuracy:.3f}, Cohen's kappa {found.kappa:.3f} "
            f"(95 % interval {found.kappa_low:.3f} to {found.kappa_high:.3f})",
            markdown_table(confusion),
            *([markdown_table(disputes)] if worst else []),
        ]
    )
