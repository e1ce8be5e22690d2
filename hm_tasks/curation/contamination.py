"""Leave out what has word n-grams in common with a benchmark.

Source: Brown et al., "Language Models are Few-Shot Learners", 2020, appendix C, which also
EleutherAI's harness follows: text that shares 13 words in a row with a benchmark is contaminated,
letters' case and punctuation apart. A benchmark's text of fewer than 13 words, but at least 8 (the
paper's least n), counts as one n-gram of its own length; what is shorter is not compared, since
such phrases are shared by chance.

Here the whole record goes, not a window around the match: half a program teaches nothing.

Which texts a benchmark gives is the caller's to say. Prompts are the rule. Reference solutions may be
given as well, best under a name of their own: an idiom of many words can match an honest program.
(None of HumanEval+'s 164 and MBPP+'s 378 solutions shares 13 words with one of the other.) A set that
was sampled from a benchmark's own problems is contaminated by it as a whole: name the benchmarks that
the student will be measured on.

    kept = list(decontaminate(records, {"humanevalplus": prompts}, counts))

    >>> words = "one two three four five six seven eight nine ten eleven twelve thirteen"
    >>> BenchmarkNgrams({"mbpp": [words]}).find(f"Zero, {words}!").benchmark
    'mbpp'
"""

from __future__ import annotations

import dataclasses
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from hm_tasks.curation.candidate import Candidate

WORD = re.compile(r"\w+")
N = 13  # words in a row that make a match
SHORTEST = 8  # words that a text needs to be compared at all, as a whole, where it has fewer than N

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Match:
    """A run of words, lower-case and without punctuation, that a benchmark has, too."""

    benchmark: str
    words: str


class BenchmarkNgrams:
    """The n-grams of benchmarks, by the words that they begin with.

    Args:
        benchmarks: name -> texts. The first name in order gets a match that several have.
    """

    def __init__(self, benchmarks: Mapping[str, list[str]]) -> None:
        # First words -> length and whole of each n-gram that begins so -> the benchmark.
        self._by_start: dict[str, dict[tuple[int, str], str]] = {}
        for name, texts in benchmarks.items():
            for text in texts:
                words = _words(text)
                size = min(N, len(words))
                if size < SHORTEST:
                    continue
                for start in range(len(words) - size + 1):
                    begin = " ".join(words[start : start + SHORTEST])
                    whole = " ".join(words[start : start + size])
                    self._by_start.setdefault(begin, {}).setdefault((size, whole), name)

    def find(self, text: str) -> Match | None:
        """The first run of words in the text that a benchmark has, or None."""
        words = _words(text)
        for start in range(len(words) - SHORTEST + 1):
            grams = self._by_start.get(" ".join(words[start : start + SHORTEST]))
            for (size, whole), name in (grams or {}).items():
                if " ".join(words[start : start + size]) == whole:
                    return Match(name, whole)
        return None


def decontaminate(
    records: Iterable[Candidate],
    benchmarks: Mapping[str, list[str]],
    counts: Counter[str],
) -> Iterator[Candidate]:
    """The records whose statement and text share no n-gram with a benchmark, in their order.

    Each match is logged (level DEBUG) with the record's id, the benchmark and the words.

    Args:
        benchmarks: name -> texts (prompts, and whatever else must not be in the set).
        counts: gets `contaminated: NAME`, one for each record that is left out.
    """
    ngrams = BenchmarkNgrams(benchmarks)
    for record in records:
        if match := ngrams.find(record.statement) or ngrams.find(record.text):
            counts[f"contaminated: {match.benchmark}"] += 1
            log.debug("%s shares with %s: %r", record.id, match.benchmark, match.words)
        else:
            yield record


def _words(text: str) -> list[str]:
    return WORD.findall(text.casefold())
