"""A whole sweep: preflight, plan, and each point that is not done, on one runner or several.

    with Manifest.open(Path("OUT")) as manifest:
        sweep = Sweep(config, manifest, check(config))
        print(sweep.plan())
        failed = sweep.run([LocalRunner()])

A point that fails is noted with its reason, and the others go on.
"""

from __future__ import annotations

import dataclasses
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from hm_models.shown.screen import say
from hm_models.sweep.config import SweepConfig, SweepError
from hm_models.sweep.estimate import duration, estimate
from hm_models.sweep.manifest import MANIFEST_FILE, Manifest, PointRecord
from hm_models.sweep.points import Point, gpus_of, points_of, shaping
from hm_models.sweep.preflight import Preflight
from hm_models.sweep.runners import PointRunner
from hm_models.sweep.sharing import PointQueue

HEAD = ("point", "state", "samples", "disk", "time")


class Sweep:
    """The points of a sweep and what is known of them.

    Args:
        manifest: of the sweep's folder; opened, if points are to be run.
        preflight: what `hm_models.sweep.preflight.check` found.
        say: takes lines about the progress.
    """

    def __init__(
        self,
        config: SweepConfig,
        manifest: Manifest,
        preflight: Preflight,
        say: Callable[[str], None] = print,
    ) -> None:
        self.config = config
        self.points = points_of(config)
        self._manifest = manifest
        self._preflight = preflight
        self._say = say
        self._lock = threading.Lock()
        self._ended = 0

    @property
    def left(self) -> list[Point]:
        """The points that are not done."""
        return [point for point in self.points if self.state(point) != "done"]

    def state(self, point: Point) -> str:
        """`done`, `failed`, `killed` (it had begun), `changed` (other settings than now), or `new`."""
        fingerprint = self._preflight.fingerprints[point.label]
        if fingerprint and self._manifest.is_done(point.label, fingerprint):
            return "done"
        record = self._manifest.records.get(point.label)
        if record is None:
            return "new"
        if fingerprint and record.fingerprint != fingerprint:
            return "changed"
        if record.state == "done":  # its files are gone, or its checkpoints are not here
            return "unknown" if not fingerprint else "new"
        return "killed" if record.state == "running" else "failed"

    def plan(self, tokens_a_second: float | None = None) -> str:
        """A table of all points: samples, disk and time of those that are left."""
        done = [r.outcome for r in self._manifest.records.values() if r.state == "done"]
        each = estimate(self._preflight.tasks, done, tokens_a_second)
        rows, left = [HEAD], self.left
        for point in self.points:
            cells = each.cells(1) if point in left else ("-", "-", "-")
            rows.append((point.label, self.state(point), *cells))
        rows.append((f"{len(left)} of {len(self.points)} points", "", *each.cells(len(left))))
        lines = [*_table(rows), ""]
        for task in self._preflight.tasks:
            questions = "unknown" if task.questions is None else task.questions
            each_has = f" x {task.samples} samples" if task.samples else ""
            lines.append(f"{task.name}: {questions} questions{each_has}")
        lines.append(
            f"{len({point.engine for point in left})} engine(s), alpha changed in place. No checkpoint "
            "is written. Samples that are kept already are not subtracted, scoring is not in the time."
        )
        if left and not each.seconds:
            lines.append(
                "The time is unknown: no finished point in this folder tells the speed. Give "
                "--tokens_per_second for an estimate."
            )
        return "\n".join([*lines, *self._preflight.notes])

    @property
    def gpus(self) -> int:
        """How many GPUs an engine takes, the same for all points.

        Raises:
            SweepError: it differs between pairs.
        """
        sizes = {gpus_of(point, self.config) for point in self.points}
        if len(sizes) > 1:
            raise SweepError(
                f"The pairs' engines take {sorted(sizes)} GPUs, which cannot be shared out evenly. Run "
                "one sweep for each size, into the same --output_path, one after the other."
            )
        return sizes.pop()

    def run(self, runners: Sequence[PointRunner]) -> int:
        """Run the points that are left and return how many failed."""
        left = self.left
        for point in self.points:
            if point not in left:
                self._say(f"{point.label}: done before")
        queue = PointQueue(left)
        started = time.monotonic()

        def work(runner: PointRunner) -> int:
            engine, failed = None, 0
            try:
                while point := queue.take(engine):
                    engine = point.engine
                    failed += not self._run(point, runner, len(left), started)
            finally:
                runner.close()
            return failed

        if not runners:
            return 0
        if len(runners) == 1:
            return work(runners[0])
        with ThreadPoolExecutor(len(runners)) as pool:
            working = [pool.submit(work, runner) for runner in runners]
            try:
                return sum(each.result() for each in working)
            except BaseException:
                queue.clear()
                # Which ends what they are at; all at once, so that none waits for another.
                with ThreadPoolExecutor(len(runners)) as ending:
                    for runner in runners:
                        ending.submit(runner.close)
                raise

    def _run(self, point: Point, runner: PointRunner, total: int, started: float) -> bool:
        label, where = point.label, f" on {runner.name}" if runner.name else ""
        arguments = point.run_arguments(self.config, self._manifest.folder)
        record = PointRecord(
            "running", self._preflight.fingerprints[label], settings=shaping(arguments)
        )
        with self._lock:
            self._say(f"{label}: begins{where}")
            self._manifest.put(label, record)
        outcome = runner.run(arguments)
        state: Literal["failed", "done"] = "failed" if outcome.error else "done"
        said = outcome.error or f"{outcome.samples} samples and {outcome.tokens} tokens generated"
        with self._lock:
            ended = dataclasses.replace(record, state=state, outcome=outcome, at=time.time())
            self._manifest.put(label, ended)
            self._ended += 1
            counted = f"{self._ended} of {total}"
            if rest := total - self._ended:
                each = (time.monotonic() - started) / self._ended
                counted += f", about {duration(each * rest)} to go"
            between = ". " if outcome.error else ", "
            self._say(f"{label}: {state} in {duration(outcome.seconds)}{between}{said} [{counted}]")
        return not outcome.error

    def summary(self) -> str:
        """What is there in the end, and what failed why."""
        lines = []
        for point in self.points:
            record = self._manifest.records.get(point.label)
            if record is None or record.state != "done":
                reason = record.outcome.error if record else "not run"
                lines.append(f"FAILED {point.label}: {reason}")
        done = len(self.points) - len(lines)
        where = self._manifest.folder / MANIFEST_FILE
        lines.append(f"{done} of {len(self.points)} points are done ({where}).")
        if done < len(self.points):
            lines.append(
                "The same command again runs what is missing, from the samples that are kept."
            )
        return "\n".join(lines)


def to_stderr(line: str) -> None:
    """Print a line of progress, apart from what the harness prints."""
    say(f"hm-sweep: {line}", sys.stderr)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), row[1].ljust(widths[1])]
        cells += [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return lines
