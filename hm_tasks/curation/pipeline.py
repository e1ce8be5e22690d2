"""The steps from samples to training sets, each from the file before it.

summary = Curation(settings, place).run(Path("OUT"))
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import platform
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hm_models.embedders import Unusable, why_unusable
from hm_models.files.text_files import write_pieces, write_text
from hm_tasks.code_passk.benchmarks import BENCHMARKS
from hm_tasks.curation.benchmark_texts import ANSWERED, benchmarks_to_check, prompts_of
from hm_tasks.curation.candidate import UNSCORED, Candidate, correct_of, read_records
from hm_tasks.curation.contamination import SHORTEST, N, decontaminate
from hm_tasks.curation.duplicates import SHINGLE, deduplicate
from hm_tasks.curation.errors import CurationError
from hm_tasks.curation.export import export
from hm_tasks.curation.inner_tasks import InnerTasks
from hm_tasks.curation.likeness import ProgramVectors, alike
from hm_tasks.curation.portfolio import drawn
from hm_tasks.curation.problem_sets import ProblemSets
from hm_tasks.curation.rewrite import REWRITTEN, estimate_of, rewrite, unfinished
from hm_tasks.curation.select import (
    RANDOM,
    Index,
    balanced,
    chosen_at_random,
    chosen_by_vectors,
)
from hm_tasks.curation.settings import CurationSettings
from hm_tasks.curation.sources import find_files, read_files
from hm_tasks.curation.steps import OUTPUTS, SUMMARY, UNFINISHED, Workplace, Write, digest
from hm_tasks.curation.summary import RECORDS, Origins, summary_of, versions_of
from hm_tasks.curation.verify import verify
from hm_tasks.sandbox.executors import Place

logger = logging.getLogger(__name__)

Facts = dict[str, Any]
# What a step is: digest of its input, everything else that shapes its output, and how it is written.
Plan = tuple[str, dict[str, Any], Write]


class Curation:
    """One run over a folder.

    Args:
        place: where programs run; only `verify` needs it.
        quiet: no progress of rewriting, and not what it costs.
    """

    def __init__(
        self, settings: CurationSettings, place: Place | None, quiet: bool = False
    ) -> None:
        self._settings, self._place, self._quiet = settings, place, quiet
        self._origins: dict[Path, Origins] = {}  # of the records in a step's file
        self._inner = InnerTasks(settings.include_path, settings.least_score)
        self._plans = {
            "read": self._read,
            "rewrite": self._rewrite,
            "verify": self._verify,
            "deduplicate": self._deduplicate,
            "select": self._select,
            "export": self._export,
        }

    def run(self, folder: Path, only: str | None = None) -> dict[str, Any]:
        """Do all steps that are not done, or a single one in any case; returns the summary.

        Raises:
            CurationError: input, settings or a folder that cannot be used, or no record is left.
        """
        with Workplace(folder) as at:
            try:
                if only is None and self._settings.rewrite is None and at.done("rewrite"):
                    at.drop_after("rewrite")  # what was made from it is none of this curation's
                    at.drop("rewrite")
                for step, plan in self._plans.items():
                    wanted = step == only if only else step != "rewrite" or self._settings.rewrite
                    if wanted:
                        at.run(step, *plan(at), again=only is not None)
            finally:
                summary = summary_of(at)
                write_text(at.folder / SUMMARY, json.dumps(summary, indent=1) + "\n")
            return summary

    def _read(self, at: Workplace) -> Plan:
        if not self._settings.samples:
            raise CurationError("Name files of samples, or folders of runs.")
        passed_over: Counter[str] = Counter()
        files = find_files(self._settings.samples, passed_over, self._settings.with_requests)
        sources, split = drawn(files, self._settings.portfolio, self._settings.seed)
        sets = ProblemSets(self._settings.problems, self._inner)
        named = sets.named

        def write(draft: Path, counts: Counter[str], facts: Facts) -> None:
            counts.update(passed_over)
            read: Counter[str] = Counter()
            records = read_files(sources, sets, counts, read)
            facts[RECORDS] = self._write(draft, at.output("read"), records)
            if not facts[RECORDS]:
                kinds = ", ".join(f"{kind}: {count}" for kind, count in sorted(counts.items()))
                raise CurationError(
                    f"No sample can be read ({kinds or 'the files are empty'}). Expected "
                    "samples_*.jsonl of the harness, or lines with task_id and solution; --problems "
                    "says what they answer."
                )
            if named and named.bad:
                facts["problems_left_out"] = {"lines": len(named.bad), "first": named.bad[0]}
            facts["sources"] = [
                {"file": s.path.name, "sha256": s.sha256, **s.origin.fields}
                | {"versions": s.origin.versions}
                | ({"draws": s.draw.samples, "records": read[s.sha256]} if s.draw else {})
                for s in sources
            ]

        given = [[source.path.name, source.sha256, source.results] for source in sources]
        settings: Facts = {"problems": named and named.name}
        settings |= {"problems_sha256": named and named.sha256}
        settings |= {"portfolio": split} if split else {}
        asked = [wrapped for source in sources if (wrapped := source.origin.wrapped)]
        if inner := [found for one in asked if (found := self._inner.known(one))]:
            settings["inner_tasks"] = {one.name: one.identity for one in inner}
        return _over([given, passed_over]), settings, write

    def _rewrite(self, at: Workplace) -> Plan:
        rewriter = self._settings.rewrite
        if rewriter is None:
            raise CurationError("--step rewrite needs --rewrite MODEL.")
        source, given = at.before("rewrite")
        if answered := self._origins_of(source).answered:
            raise CurationError(
                f"--rewrite {rewriter.model}: rewriting is for programs, and the answers to "
                f"{answered[0]} are none. Leave it out, or curate the samples of programs alone."
            )

        def write(draft: Path, counts: Counter[str], facts: Facts) -> None:
            records = list(read_records(source))  # the estimate comes before the first call
            logger.info(estimate_of(records, rewriter))
            rewritten = rewrite(records, rewriter, counts, total=len(records), quiet=self._quiet)
            facts[RECORDS] = self._write(draft, at.output("rewrite"), rewritten)
            counts.pop(REWRITTEN, None)
            if missing := unfinished(counts):
                facts[UNFINISHED] = missing

        return given, rewriter.identity() | {"limit": rewriter.limit}, write

    def _verify(self, at: Workplace) -> Plan:
        assert self._place is not None
        place = self._place
        source, given = at.before("verify")

        def write(draft: Path, counts: Counter[str], facts: Facts) -> None:
            statuses: Counter[str] = Counter()
            sets = ProblemSets(self._settings.problems, self._inner)
            facts[RECORDS] = self._write(
                draft, at.output("verify"), verify(read_records(source), sets, place, statuses)
            )
            facts["statuses"] = dict(sorted(statuses.items()))
            if statuses[UNSCORED]:
                facts[UNFINISHED] = statuses[UNSCORED]

        settings: Facts = {
            "isolation": place.level,
            "python": platform.python_version(),
            "evalplus": version("evalplus"),
        }
        if judges := self._origins_of(source).judges:
            settings |= {"judged": judges, "least_score": self._inner.least_score}
        if graders := self._origins_of(source).graders:
            settings["answers"] = [self._inner.graded_by(one) for one in graders]
            settings |= versions_of("lm_eval", "math-verify")
        return given, settings, write

    def _deduplicate(self, at: Workplace) -> Plan:
        source, given = at.before("deduplicate")
        origins = self._origins_of(source)
        names, not_checked = benchmarks_to_check(self._settings.decontaminate, set(origins.sets))
        not_checked |= dict.fromkeys(origins.answered, ANSWERED)
        near = self._settings.near

        def write(draft: Path, counts: Counter[str], facts: Facts) -> None:
            texts = {Path(name).name: prompts_of(name) for name in names}
            kept = deduplicate(correct_of(read_records(source), counts), near, counts)
            facts[RECORDS] = self._write(
                draft, at.output("deduplicate"), decontaminate(kept, texts, counts)
            )
            facts["checked_against"] = {name: len(prompts) for name, prompts in texts.items()}
            facts["not_checked_against"] = not_checked

        settings = {
            "duplicates": {"near_threshold": near, "shingle": SHINGLE, "across_problems": False},
            "contamination": {"n": N, "shortest": SHORTEST},
            "benchmarks": {
                Path(name).name: None if name in BENCHMARKS else digest(Path(name))
                for name in names
            },
            "not_checked": not_checked,
        }
        return given, settings, write

    def _select(self, at: Workplace) -> Plan:
        source, given = at.before("select")
        embedder = self._settings.make_embedder()
        most, way, seed = self._settings.most, self._settings.way, self._settings.seed
        try:
            identity = embedder.identity()
        except Unusable:
            identity = "unusable"

        def write(draft: Path, counts: Counter[str], facts: Facts) -> None:
            index = Index.of(source)
            available = {problem: len(places) for problem, places in index.problems.items()}
            if not available:
                raise CurationError(
                    "No correct sample is left to select from; summary.json says where they went."
                )
            shares = balanced(available, most, seed)
            vectors = None
            try:
                texts = (e.compared for entries in index.problems.values() for e in entries)
                vectors = ProgramVectors(embedder, texts)
            except Exception as error:  # whatever a library raises must not cost a random choice
                facts["unscored"] = why_unusable(error)
                if way != RANDOM:
                    raise CurationError(
                        f"--select {way} needs vectors. {facts['unscored']}"
                    ) from error
            at_random = chosen = chosen_at_random(index, shares, seed)
            if way != RANDOM:
                assert vectors is not None
                chosen = chosen_by_vectors(index, shares, seed, vectors, way)
                facts["random"] = alike(index, at_random, vectors)
            facts["chosen"] = alike(index, chosen, vectors)
            facts[RECORDS] = self._write(draft, at.output("select"), index.each(sorted(chosen)))
            counts["not chosen"] = sum(available.values()) - facts[RECORDS]

        settings = {"max_samples": most, "select": way, "seed": seed, "embedder": embedder.name}
        return given, settings | {"embedder_identity": identity}, write

    def _export(self, at: Workplace) -> Plan:
        source, given = at.before("export")
        before = {step: done for step in OUTPUTS if step != "export" and (done := at.done(step))}
        card = self._origins_of(source).card(before)

        def write(draft: Path, counts: Counter[str], facts: Facts) -> None:
            names = self._settings.exports
            left_out = export(read_records(source), {name: draft / name for name in names}, card)
            rows = left_out.pop("rows", 0)
            for name in names:
                facts[name] = {"rows": rows}
                counts.update({f"{name}, {kind}": count for kind, count in left_out.items()})
            facts[RECORDS] = rows

        settings = {"export": list(self._settings.exports), "card": _over(dataclasses.asdict(card))}
        return given, settings, write

    def _write(self, draft: Path, output: Path, records: Iterable[Candidate]) -> int:
        """Write a step's records line by line; returns how many."""
        origins = self._origins[output] = Origins()
        number = 0

        def lines() -> Iterator[str]:
            nonlocal number
            for record in origins.noted(records):
                number += 1
                yield record.line() + "\n"

        write_pieces(draft, lines())
        return number

    def _origins_of(self, source: Path) -> Origins:
        """Of the records of a step's file; it is read where this run did not write it."""
        if source not in self._origins:
            self._origins[source] = origins = Origins()
            for _ in origins.noted(read_records(source)):
                pass
        return self._origins[source]


def _over(value: Any) -> str:
    """A digest of plain JSON values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
