"""Verdicts beside those of the command `evalplus.evaluate`, on programs that look for a difference.

    MBPP_OVERRIDE_PATH=... HUMANEVAL_OVERRIDE_PATH=... python scripts/bench_parity.py --out DIR --n 37

Sets, each made the same way every time:
    packages    every module of this environment that can be imported, at the top of a program, and
                inside its function
    odd         annotations, module-level code, processes, threads, temporary files, depth, streams
    mutated     n programs of each of MBPP+'s 378 problems: the reference solution with one to three
                changes
Both sides are asked afresh; evalplus by its own command, some problems at a time, as it takes
gigabytes. What differs is asked again on both sides, and evalplus once with much more time: a program
of which one side says two things depends on time or chance, and is counted apart. The others are
printed, and make the exit code 1. The last lines are the table of BENCHMARKS.md. Linux only.
"""

from __future__ import annotations

import argparse
import collections
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from importlib.metadata import packages_distributions
from pathlib import Path

ENVIRONMENT = dict(os.environ)  # before packages put something there
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hm_models.files.text_files import json_lines, write_text  # noqa: E402
from hm_tasks.code_passk.benchmarks import FOLDER, source_of  # noqa: E402
from hm_tasks.code_passk.dataset import load_problems  # noqa: E402
from hm_tasks.sandbox.pool import check_all  # noqa: E402
from tests.tasks.sandbox.mutations import mutated  # noqa: E402
from tests.tasks.sandbox.odd_programs import importing, programs  # noqa: E402

VARIABLES = {"mbpp": "MBPP_OVERRIDE_PATH", "humaneval": "HUMANEVAL_OVERRIDE_PATH"}
ADD = "HumanEval/53"
AT_ONCE = 1500  # programs for one call of evalplus's command
POLL_SECONDS = 0.5
# evalplus's least limit of a test, and one that a busy machine does not meet.
MIN_SECONDS, PATIENT_SECONDS = 1.0, 20.0
MORE = (
    "concurrent.futures",
    "concurrent.futures.process",
    "importlib.metadata",
    "matplotlib.pyplot",
    "multiprocessing.managers",
    "multiprocessing.pool",
    "multiprocessing.shared_memory",
    "numpy.linalg",
    "numpy.random",
    "scipy.optimize",
    "scipy.signal",
    "scipy.special",
    "scipy.stats",
    "sklearn.linear_model",
    "sympy.abc",
    "torch.nn",
    "unittest.mock",
    "urllib.request",
    "xml.etree.ElementTree",
)
Programs = dict[str, list[str]]
Statuses = dict[str, list[tuple[str, str]]]


def modules() -> list[str]:
    """What can be imported here by name; `this` and `antigravity` are there, too."""
    names = {*packages_distributions(), *sys.stdlib_module_names, *MORE}
    own = {"hm_models", "hm_metrics", "hm_tasks", "tests"}
    found = []
    for name in sorted(names - own):
        try:
            if all(part.isidentifier() for part in name.split(".")):
                found += [name] if importlib.util.find_spec(name) else []
        except (ImportError, ValueError):
            found.append(name)  # such as __main__: evalplus says what becomes of it
    return found


class Evalplus:
    """Statuses by the command `evalplus.evaluate`, on files of only the problems that are asked for."""

    def __init__(self, dataset: str, out: Path, cores: int) -> None:
        self._dataset, self._out, self._cores = dataset, out / "evalplus", cores
        self._out.mkdir(parents=True, exist_ok=True)
        source = Path(os.environ[VARIABLES[dataset]])
        self._records = {line.value["task_id"]: line.value for line in json_lines(source)}

    def statuses(self, asked: Programs, seconds: float = MIN_SECONDS) -> Statuses:
        """The base and plus status of each program; a test may take `seconds` at least."""
        found: Statuses = {}
        part: Programs = {}
        for task, texts in asked.items():
            part[task] = texts
            if sum(map(len, part.values())) >= AT_ONCE:
                found |= self._part(part, seconds)
                part = {}
        return found | (self._part(part, seconds) if part else {})

    def _part(self, asked: Programs, seconds: float) -> Statuses:
        problems = self._out / "problems.jsonl"
        write_text(problems, "".join(json.dumps(self._records[t]) + "\n" for t in asked))
        samples = self._out / "samples.jsonl"
        rows = [{"task_id": t, "solution": text} for t, texts in asked.items() for text in texts]
        write_text(samples, "".join(json.dumps(row) + "\n" for row in rows))
        results = self._out / "samples_eval_results.json"
        results.unlink(missing_ok=True)
        command = [sysconfig.get_path("scripts") + "/evalplus.evaluate", "--dataset", self._dataset]
        command += ["--samples", str(samples), "--parallel", str(self._cores)]
        command += ["--min_time_limit", str(seconds)]
        environment = ENVIRONMENT | {
            VARIABLES[self._dataset]: str(problems),
            "XDG_CACHE_HOME": str(self._out / "cache"),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        with (self._out / "log").open("w") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            try:
                # After its results it sleeps for up to 20 s.
                while process.poll() is None and not results.exists():
                    time.sleep(POLL_SECONDS)
                while process.poll() is None and not _is_whole(results):
                    time.sleep(POLL_SECONDS)
            finally:
                process.kill()
                process.wait()
        scored = json.loads(results.read_text(encoding="utf-8"))["eval"]
        return {
            task: [(one["base_status"], one["plus_status"]) for one in scored[task]]
            for task in asked
        }


def _is_whole(file: Path) -> bool:
    try:
        json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return True


class Ours:
    """Statuses by this project, without verdicts from before."""

    def __init__(self, dataset: str, out: Path, cores: int, isolation: str) -> None:
        self._cache, self._cores, self._isolation = out / "ours", cores, isolation
        self._problems = {p.task_id: p for p in load_problems(source_of(dataset), FOLDER)[0]}

    def prompt_and_solution(self, task: str) -> str:
        problem = self._problems[task]
        return problem.prompt + problem.canonical_solution

    def tasks(self) -> list[str]:
        return list(self._problems)

    def statuses(self, asked: Programs) -> Statuses:
        """The base and plus status of each program."""
        shutil.rmtree(self._cache, ignore_errors=True)
        os.environ["HM_CACHE"] = str(self._cache)
        jobs = [(self._problems[task], texts) for task, texts in asked.items()]
        verdicts = check_all(jobs, self._cores, self._isolation, sanitize=False)
        return {
            task: [(verdict.base_status, verdict.plus_status) for verdict in found]
            for task, found in zip(asked, verdicts, strict=True)
        }


def differing(asked: Programs, one: Statuses, other: Statuses) -> Programs:
    """The programs whose statuses are not the same."""
    found: Programs = collections.defaultdict(list)
    for task, texts in asked.items():
        for text, first, second in zip(texts, one[task], other[task], strict=True):
            if first != second:
                found[task].append(text)
    return dict(found)


def compare(name: str, asked: Programs, theirs: Evalplus, ours: Ours, again: int) -> tuple:
    """A row of the table, and how many programs differ for good."""
    times = []
    found: list[Statuses] = []
    for side in (theirs, ours):
        began = time.perf_counter()
        found.append(side.statuses(asked))
        times.append(time.perf_counter() - began)
    passed = sum(status == ("pass", "pass") for of in found[0].values() for status in of)
    different = differing(asked, *found)
    said = [collections.defaultdict(set) for _ in found]
    for seen, statuses in zip(said, found, strict=True):
        _note(seen, asked, statuses)
    for _ in range(again if different else 0):
        for seen, side in zip(said, (theirs, ours), strict=True):
            _note(seen, different, side.statuses(different))
    if different:
        _note(said[0], different, theirs.statuses(different, PATIENT_SECONDS))
    count = collections.Counter()
    for task, texts in different.items():
        for text in texts:
            by = [seen[task, text] for seen in said]
            for_good = all(len(one) == 1 for one in by)
            count["differs" if for_good else "unsteady"] += 1
            print(
                f"\n{task} {'differs' if for_good else 'is unsteady'}: evalplus {by[0]}, ours {by[1]}"
            )
            print(text)
    total = sum(map(len, asked.values()))
    row = (name, total, len(asked), passed, count["differs"], count["unsteady"], *times)
    return row, count["differs"]


def _note(seen: dict, asked: Programs, statuses: Statuses) -> None:
    for task, texts in asked.items():
        for text, status in zip(texts, statuses[task], strict=True):
            seen[task, text].add(status)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--n", type=int, default=10, help="mutated programs of a problem (10)")
    parser.add_argument("--sets", default="packages,odd,mutated")
    parser.add_argument("--tasks", type=int, default=0, help="the first problems of MBPP+ (all)")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--isolation", default="auto")
    parser.add_argument("--again", type=int, default=2, help="times to ask again what differs (2)")
    arguments = parser.parse_args()
    out: Path = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    rows, wrong = [], 0
    for name in arguments.sets.split(","):
        dataset = "mbpp" if name == "mutated" else "humaneval"
        theirs = Evalplus(dataset, out, arguments.cores)
        ours = Ours(dataset, out, arguments.cores, arguments.isolation)
        if name == "mutated":
            tasks = ours.tasks()[: arguments.tasks or None]
            asked = {t: mutated(ours.prompt_and_solution(t), arguments.n, seed=t) for t in tasks}
        else:
            asked = {ADD: importing(modules()) if name == "packages" else programs()}
        row, count = compare(name, asked, theirs, ours, arguments.again)
        rows.append(row)
        wrong += count
    print("\n| set | programs | problems | pass | differ | unsteady | evalplus, s | ours, s |")
    print("|---|---|---|---|---|---|---|---|")
    for name, *counts, their_seconds, our_seconds in rows:
        cells = " | ".join(map(str, counts))
        print(f"| {name} | {cells} | {their_seconds:.0f} | {our_seconds:.0f} |")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
