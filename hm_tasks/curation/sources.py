"""Samples in the forms in which they lie about, as Candidates; what cannot be read is counted by kind.

    files = find_files([Path("OUT"), Path("samples.jsonl")], counts)
    for record in read_files(files, ProblemSets(None), counts, Counter()): ...

    samples_TASK_*.jsonl    one problem a line, as the harness logs any generating task
    samples.jsonl           one program a line: task_id, and solution or completion (evalplus's form)

Of a task that wraps another one, or has a judge, the whole texts are taken. Verdicts in a log are not taken
over, only the programs that they name, and a judge's labels. Lines are read one at a time.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hm_metrics.logs.results_file import LOG, results_beside
from hm_metrics.logs.samples import Logged, of_evalplus
from hm_models.files.text_files import MALFORMED, TextFileError, is_own, json_lines
from hm_tasks.curation.assignment import NO_ANSWER, Assignment, LoggedSample, program_in, whole
from hm_tasks.curation.candidate import Candidate
from hm_tasks.curation.draw import Draw
from hm_tasks.curation.errors import CurationError
from hm_tasks.curation.inner_tasks import InnerTasks
from hm_tasks.curation.judged_answers import REFUSED, asked_prompt, why_not
from hm_tasks.curation.problem_sets import ProblemSets
from hm_tasks.curation.provenance import LogOrigin, Wrapped, of_request, origin_of
from hm_tasks.curation.steps import digest

ENDS = (".jsonl", ".jsonl.gz")
logger = logging.getLogger(__name__)
# Why a sample is left out, or a line with all its samples.
NO_JSON = "line is no JSON"
NO_FILE = "file that cannot be read"
NO_SAMPLE = "line is no sample"
NO_TEXT = "sample is no text"
NO_PROGRAM = "no program in the sample"
NO_SUCH_PROBLEM = "problem that the data set lacks"
NO_TESTS = "problem without tests"
NO_STATEMENT = "question that is no text"
NO_PROBLEMS = "no problems are known for"
LINK = "file that is a link out of its folder, or no plain file"
OLDER = "file of an older run of its task in its folder"
NOT_DRAWN = "sample that the portfolio does not draw"
TWICE = "file that is there already, under another name"


@dataclasses.dataclass(frozen=True)
class SampleFile:
    """A file of samples; `sha256` is over its bytes, `results` over those of the results beside it.

    `draw` says which of a question's samples are taken; None for all.
    """

    path: Path
    sha256: str
    results: str
    origin: LogOrigin
    draw: Draw | None = None


def find_files(
    paths: Sequence[Path], counts: Counter[str], with_requests: bool = False
) -> list[SampleFile]:
    """The files of samples in files and folders of runs, each content once.

    Of several runs of a task in one folder the last counts, which has the others' kept samples, too.

    Args:
        with_requests: whether SORRY-Bench's requests, which may not be passed on, may be among them.

    Raises:
        CurationError: a path that leads to no samples.
    """
    files: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(file for end in ENDS for file in path.rglob(f"samples_*{end}"))
            if links := [file for file in inside if not is_own(file, path)]:
                counts[LINK] += len(links)
                inside = [file for file in inside if file not in links]
            if not inside:
                raise CurationError(
                    f"{path} holds no samples_*.jsonl. Name a folder that lm_eval wrote to with "
                    "--output_path and --log_samples, or a file of samples."
                )
            last = {(file.parent, _task_of(file) or file.name): file for file in inside}
            if older := len(inside) - len(last):
                counts[OLDER] += older
            files |= dict.fromkeys(last.values())
        elif path.is_file():
            files[path] = None
        else:
            raise CurationError(
                f"{path} does not exist. Name files of samples, or folders of runs."
            )
    sources: dict[str, SampleFile] = {}
    for file in files:
        try:
            sha256 = digest(file)
        except OSError as error:
            raise CurationError(f"{file} cannot be read: {error}.") from None
        if sha256 in sources:
            counts[TWICE] += 1
            continue
        origin = origin_of(file)
        if origin.judged and (why := why_not(origin.judged, with_requests)):
            logger.warning("%s is left out. %s", file, REFUSED[why])
            counts[why] += 1
            continue
        beside = results_beside(file)
        results = digest(beside) if LOG.fullmatch(file.name) and beside.is_file() else ""
        sources[sha256] = SampleFile(file, sha256, results, origin)
    return list(sources.values())


def _task_of(file: Path) -> str:
    named = LOG.fullmatch(file.name)
    return named["task"] if named else ""


def read_files(
    sources: Iterable[SampleFile], sets: ProblemSets, counts: Counter[str], read: Counter[str]
) -> Iterator[Candidate]:
    """The records of files, in their order.

    What is wrong with a line that is no JSON is logged, with its file and number.

    Args:
        counts: gets how many samples are left out, by kind.
        read: gets how many records each file has, by its hash.
    """
    for source in sources:
        bad: list[str] = []
        try:
            for record in _of_file(source, sets, counts, bad):
                read[source.sha256] += 1
                yield record
        except (TextFileError, OSError) as error:
            counts[NO_FILE] += 1
            logger.warning("%s", error)
        if bad:
            counts[NO_JSON] += len(bad)
            more = f" ({len(bad) - 1} more such lines)" if len(bad) > 1 else ""
            logger.warning("%s%s", bad[0], more)


def _of_file(
    source: SampleFile, sets: ProblemSets, counts: Counter[str], bad: list[str]
) -> Iterator[Candidate]:
    first: set[str] = set()  # the filter whose lines count: others have the same texts
    for line in json_lines(source.path, bad):
        try:
            logged = Logged(line.value)
            problem, samples = _read_line(logged)
            of = logged.filter
            facts = source.origin.fields | of_request(logged)
            judged = source.origin.judged
            prompt = asked_prompt(judged, logged) if judged else None
        except MALFORMED:
            counts[NO_SAMPLE] += 1
            continue
        first = first or {of}
        if of in first:
            asked = prompt or _asked(source.origin, logged, problem, sets)
            yield from _records(source, line.number, asked, samples, facts, counts)


def _records(
    source: SampleFile,
    number: int,
    asked: Assignment | str,
    samples: list[LoggedSample],
    facts: dict[str, Any],
    counts: Counter[str],
) -> Iterator[Candidate]:
    """The records of one line; `asked` may be as what all of its samples are counted."""
    if isinstance(asked, str):
        counts[asked] += len(samples)
        return
    line = f"{source.sha256} {number}"
    taken = source.draw.places(line, len(samples)) if source.draw else None
    for index, sample in enumerate(samples):
        if taken is not None and index not in taken:
            counts[NOT_DRAWN] += 1
            continue
        if not isinstance(sample.text, str):
            counts[NO_TEXT] += 1
            continue
        found = asked.read(sample)
        if found is None:
            counts[asked.nothing] += 1
            continue
        program, reasoning = found
        place = f"{line} {index}"
        yield Candidate(
            id=hashlib.sha256(place.encode()).hexdigest()[:16],
            problem=asked.problem,
            statement=asked.statement,
            entry_point=asked.entry_point,
            text=sample.text,
            program=program,
            reasoning=reasoning,
            provenance={
                "source": source.path.name,
                "line": number,
                "index": index,
                **facts,
                **asked.provenance,
                **(asked.each[index] if asked.each else {}),
            },
        )


def _asked(origin: LogOrigin, line: Logged, problem_id: Any, sets: ProblemSets) -> Assignment | str:
    """What a line's samples answer; or as what they are counted where that is not known."""
    if origin.wrapped:
        return _asked_question(origin.task, origin.wrapped, line, sets.inner)
    task = origin.task
    problems = sets.of_samples(task, str(problem_id))
    if problems is None:
        return f"{NO_PROBLEMS} {task or 'its samples'}"
    problem = problems.find(problem_id)
    if problem is None:
        return NO_SUCH_PROBLEM
    if not problem.base_input and not problem.plus_input:
        return NO_TESTS

    def read(sample: LoggedSample) -> tuple[str, str] | None:
        program, thought = program_in(sample, problem, task)
        return (program, thought) if program.strip() else None

    told = {"problems": problems.name, "dataset": problems.sha256}
    statement = problem.prompt.strip()
    return Assignment(problem.task_id, statement, problem.entry_point, told, read, NO_PROGRAM)


def _asked_question(
    task: str, wrapped: Wrapped, line: Logged, tasks: InnerTasks
) -> Assignment | str:
    inner = tasks.known(wrapped)
    if inner is None:
        return f"{NO_PROBLEMS} {task}"
    number = inner.find(line.record.get("doc"))
    if number is None:
        return NO_SUCH_PROBLEM
    statement = inner.statement(number)
    if not isinstance(statement, str):
        return NO_STATEMENT
    told = {"problems": inner.name, "dataset": inner.sha256, "question": number}
    told |= {"inner": wrapped.told()}
    return Assignment(inner.problem(number), statement, "", told, whole, NO_ANSWER)


def _read_line(line: Logged) -> tuple[Any, list[LoggedSample]]:
    """The problem and the samples of a line.

    Raises:
        MALFORMED: it is neither form.
    """
    if "resps" not in line.record:
        problem, text, is_completion = of_evalplus(line.record)
        return problem, [LoggedSample(text, None, not is_completion, is_completion)]
    texts, made = line.samples, line.made
    each = made if isinstance(made, list) and len(made) == len(texts) else [made] * len(texts)
    samples = [LoggedSample(text, logged) for text, logged in zip(texts, each, strict=True)]
    return line.problem, samples
