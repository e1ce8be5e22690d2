"""The pipeline on demo problems and programs in the real sandbox: killed, changed, step by step."""

import json
import os
import re
import signal
from collections import Counter
from pathlib import Path

import pytest

from hm_models.endpoints.client import Endpoint as Client
from hm_models.files.store import Store
from hm_tasks.curation import export, likeness, pipeline, steps
from hm_tasks.curation.candidate import Candidate
from hm_tasks.curation.errors import CurationError
from hm_tasks.curation.pipeline import Curation
from hm_tasks.curation.rewriting_settings import RewriteSettings
from hm_tasks.curation.settings import CurationSettings
from hm_tasks.curation.steps import LOCK, NOTES, OUTPUTS, SUMMARY, Workplace
from hm_tasks.sandbox.executors import choose_place
from hm_tasks.sandbox.pool import _Finder
from hm_tasks.traces.markers import join, split
from tests.models.endpoints.endpoint import Endpoint, status
from tests.tasks.curation.made_samples import demo, run_folder

STEPS = list(OUTPUTS)


def reworded(question: str) -> str:
    """What a rewriter says: a thought, and the program of the question."""
    copied = re.search(
        r"^===== program \w+ =====\n(.*)\n===== end of program", question, re.M | re.S
    )
    assert copied
    return join("I think before I write.", copied[1])


@pytest.fixture(scope="module")
def place():
    return choose_place("local", "auto")


@pytest.fixture(scope="module")
def server():
    with Endpoint(chat=reworded) as server:
        yield server


@pytest.fixture
def curate(tmp_path, monkeypatch, place, server):
    """A function that curates two demo problems into a folder, with a cache of its own for each."""
    run_folder(tmp_path / "run", count=2)

    rewriter = RewriteSettings("m", endpoint=Client(server.url))

    def do(out: Path, only: str | None = None, rewrite=None, **changes):
        monkeypatch.setenv("HM_CACHE", str(out.with_name(f"{out.name}-cache")))
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        settings = {
            "samples": (tmp_path / "run",),
            "most": 5,
            "way": "diverse",
            "embedder": "openai:m@8",
            "embedder_base_url": server.url,
            "decontaminate": ("none",),
            "rewrite": rewriter if rewrite is True else rewrite,
        }
        return Curation(CurationSettings(**settings | changes), place, quiet=True).run(out, only)

    return do


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a folder with its bytes."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def records(folder: Path, step: str) -> list[Candidate]:
    return [Candidate.read(line) for line in (folder / OUTPUTS[step]).read_text().splitlines()]


# --- kill -9 ----------------------------------------------------------------------------------


def killed(where: str, do) -> None:
    """Run `do` in a process that is killed (by itself, at once and for good) at a point of a step."""
    child = os.fork()
    if child == 0:
        try:
            set_trap(*where.split(":"))
            do()
        finally:
            os._exit(3)
    _, outcome = os.waitpid(child, 0)
    assert os.WIFSIGNALED(outcome), f"{where}: the process ended by itself"
    assert os.WTERMSIG(outcome) == signal.SIGKILL


def set_trap(step: str, point: str) -> None:
    """Have this process killed in `step` at `point`."""
    here = [""]

    def on_call(owner: object, name: str, number: int, after: bool = False) -> None:
        real, calls = getattr(owner, name), [0]

        def trapped(*arguments, **named):
            calls[0] += here[0] == step
            hit = here[0] == step and calls[0] == number
            if hit and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            found = real(*arguments, **named)
            if hit:
                os.kill(os.getpid(), signal.SIGKILL)
            return found

        setattr(owner, name, trapped)

    run = Workplace.run

    def noted(self, name, *arguments, **named):
        here[0] = name
        return run(self, name, *arguments, **named)

    Workplace.run = noted
    if point == "writing":
        on_call(Candidate, "line", 3)
    elif point == "renamed":  # the note is not written yet
        on_call(steps, "_replace", 1, after=True)
    elif point == "noting":  # the note has not its name yet, after the records and the step's file
        on_call(os, "replace", 3)
    elif point == "noted":
        on_call(steps, "write_text", 1, after=True)
    elif point == "scoring":  # some verdicts are kept
        on_call(_Finder, "_keep", 2, after=True)
    elif point == "asking":  # some rewrites are kept
        on_call(Store, "put", 3, after=True)
    elif point == "embedding":  # one part is kept
        likeness.PART = 2
        on_call(likeness.ProgramVectors, "_encoded", 2)
    elif point == "exporting":  # one form is begun, and the next one is not
        end = {"openai": lambda *_: os.kill(os.getpid(), signal.SIGKILL)}
        export.EXPORTS = dict(export.EXPORTS) | end


POINTS = ("writing", "renamed", "noted")
KILLS = [
    # One way of writing serves all steps: the first and the last of them here, the others in the engine tier.
    *(f"{step}:{point}" for step in (STEPS[0], STEPS[-2]) for point in POINTS),
    *(
        pytest.param(f"{step}:{point}", marks=pytest.mark.engine)
        for step in STEPS[1:-2]
        for point in POINTS
    ),
    *("read:noting", "rewrite:asking", "verify:scoring", "select:embedding"),
    *("export:exporting", "export:renamed", "export:noted"),
]


@pytest.fixture(scope="module")
def undisturbed():
    return {}


@pytest.mark.parametrize("where", KILLS)
def test_a_kill_and_the_same_command_give_the_same_bytes(tmp_path, curate, undisturbed, where):
    out = tmp_path / "out"
    killed(where, lambda: curate(out, rewrite=True))
    assert not (out / SUMMARY).exists()
    curate(out, rewrite=True)
    if not undisturbed:
        curate(tmp_path / "whole", rewrite=True)
        undisturbed |= tree(tmp_path / "whole")
    found = tree(out)
    assert found.keys() == undisturbed.keys()
    assert [name for name in found if found[name] != undisturbed[name]] == []


@pytest.mark.parametrize(
    "where", ["read:writing", "verify:renamed", "select:renamed", "export:noted"]
)
def test_a_kill_under_other_settings_leaves_nothing_of_them(tmp_path, curate, where):
    out = tmp_path / "out"
    curate(out)
    before = tree(out)
    if where.startswith("read") or where.startswith("verify"):
        other = {"samples": (run_folder(tmp_path / "more", alpha=1, count=1),)}
    else:
        other = {"most": 3}
    killed(where, lambda: curate(out, **other))
    curate(out)
    assert tree(out) == before


# --- what is done again, and what is not --------------------------------------------------------


def test_every_step_says_what_it_kept_and_a_logs_own_verdicts_are_not_believed(tmp_path, curate):
    summary = curate(tmp_path / "out", near=1.0)
    found = summary["steps"]
    assert {step: found[step]["records"] for step in found} == {
        "read": 10,
        "verify": 10,
        "deduplicate": 6,
        "select": 5,
        "export": 5,
    }
    assert found["verify"]["statuses"] == {"correct": 6, "wrong": 4}
    assert found["deduplicate"]["left_out"] == {"not correct: wrong": 4}
    assert found["select"]["left_out"] == {"not chosen": 1}
    shares = Counter(record.problem for record in records(tmp_path / "out", "select"))
    assert sorted(shares.values()) == [2, 3]
    assert {record.status for record in records(tmp_path / "out", "select")} == {"correct"}
    assert found["select"]["chosen"]["records"] == found["select"]["random"]["records"] == 5
    assert json.loads((tmp_path / "out" / SUMMARY).read_text()) == summary


def test_the_same_command_writes_nothing_but_its_summary(tmp_path, curate):
    out = tmp_path / "out"
    curate(out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    bytes_before = tree(out)
    curate(out)
    after = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    assert tree(out) == bytes_before
    assert {path.name for path in after if before[path] != after[path]} == {SUMMARY}


@pytest.mark.parametrize(
    ("change", "first"),
    [
        ({"most": 4}, "select"),
        ({"seed": 1}, "select"),
        ({"way": "random"}, "select"),
        ({"near": 0.5}, "deduplicate"),
        ({"decontaminate": ("demo",)}, "deduplicate"),
        ({"exports": ("openai",)}, "export"),
        ({"rewrite": True}, "rewrite"),
    ],
)
def test_other_settings_do_again_what_they_touch_and_give_what_a_new_folder_gets(
    tmp_path, curate, change, first
):
    out = tmp_path / "out"
    curate(out)
    before = {path: path.stat().st_mtime_ns for path in out.glob("*.jsonl")}
    try:
        curate(out, **change)
    except CurationError:  # all demo samples share their prompts with the demo's
        assert change == {"decontaminate": ("demo",)}
        assert not (out / OUTPUTS["select"]).exists()
        return
    curate(tmp_path / "new", **change)
    assert tree(out) == tree(tmp_path / "new")
    for step in STEPS[: STEPS.index(first)]:
        if (file := out / OUTPUTS[step]) in before:
            assert file.stat().st_mtime_ns == before[file]


def test_files_to_check_against_that_have_one_name_are_refused(tmp_path, curate):
    files = [tmp_path / folder / "test.jsonl" for folder in ("a", "b")]
    for file, problem in zip(files, demo(2), strict=True):
        file.parent.mkdir()
        file.write_text(json.dumps({"prompt": problem.prompt}) + "\n")
    with pytest.raises(CurationError, match=r"a/test\.jsonl and .*b/test\.jsonl have one name"):
        curate(tmp_path / "both", decontaminate=tuple(map(str, files)))
    other = files[1].rename(tmp_path / "b" / "other.jsonl")
    with pytest.raises(CurationError, match="No correct sample is left"):
        curate(tmp_path / "out", decontaminate=(str(files[0]), str(other)))
    found = json.loads((tmp_path / "out" / SUMMARY).read_text())["steps"]["deduplicate"]
    assert found["checked_against"] == {"test.jsonl": 1, "other.jsonl": 1}
    assert {"contaminated: test.jsonl", "contaminated: other.jsonl"} <= found["left_out"].keys()


def test_a_file_that_somebody_changed_is_made_again(tmp_path, curate):
    out = tmp_path / "out"
    curate(out)
    before = tree(out)
    for step in ("verify", "select"):
        file = out / OUTPUTS[step]
        file.write_text(file.read_text().replace("correct", "incorrect"))
        (out / "export" / "openai" / "train.jsonl").unlink()
        curate(out)
        assert tree(out) == before


def test_step_by_step_is_as_all_at_once(tmp_path, curate):
    curate(tmp_path / "whole")
    for step in STEPS:
        if step != "rewrite":
            curate(
                tmp_path / "out", only=step, samples=() if step != "read" else (tmp_path / "run",)
            )
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_a_step_without_the_one_before_it_is_a_sentence(tmp_path, curate):
    with pytest.raises(CurationError, match="Run --step deduplicate first"):
        curate(tmp_path / "out", only="select")


def test_rewritten_samples_go_when_nobody_asks_for_them(tmp_path, curate):
    curate(tmp_path / "out", rewrite=True)
    assert all(split(r.text) for r in records(tmp_path / "out", "verify"))
    curate(tmp_path / "out")
    curate(tmp_path / "new")
    assert tree(tmp_path / "out") == tree(tmp_path / "new")


def test_an_endpoint_that_fails_half_of_the_time_costs_samples_and_the_next_run_gets_them(
    tmp_path, curate
):
    broken = [True]
    with Endpoint(
        chat=reworded, faults=lambda n: status(400) if broken[0] and n % 2 else None
    ) as half:
        rewriter = RewriteSettings("m", endpoint=Client(half.url, concurrency=1))
        steps_done = {}
        for broken[0] in (True, False):
            summary = curate(tmp_path / "out", rewrite=rewriter)
            steps_done[broken[0]] = summary["steps"]["rewrite"]
    assert steps_done[True]["records"] + steps_done[True]["unfinished"] == 10
    assert 0 < steps_done[True]["unfinished"] < 10
    assert any(kind.startswith("endpoint") for kind in steps_done[True]["left_out"])
    assert steps_done[False]["records"] == 10
    assert steps_done[False]["left_out"] == {}


def test_what_could_not_be_scored_is_tried_again_by_the_same_command(tmp_path, curate, monkeypatch):
    real = pipeline.verify

    def breaks_down(stream, sets, place, found):
        for record in real(stream, sets, place, Counter()):
            found["unscored"] += 1
            yield Candidate(**vars(record) | {"status": "unscored", "reason": "broke down"})

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "verify", breaks_down)
        with pytest.raises(CurationError, match="No correct sample"):
            curate(tmp_path / "out")
    summary = json.loads((tmp_path / "out" / SUMMARY).read_text())
    assert summary["steps"]["verify"]["unfinished"] == 10
    assert curate(tmp_path / "out")["steps"]["verify"]["statuses"] == {"correct": 6, "wrong": 4}


# --- the folder ---------------------------------------------------------------------------------


def test_two_in_one_folder_are_told_so(tmp_path, curate):
    with Workplace(tmp_path / "out"), pytest.raises(CurationError, match="Another hm-curate works"):
        curate(tmp_path / "out")
    curate(tmp_path / "out")


def test_a_folder_of_others_is_left_alone(tmp_path, curate):
    out = tmp_path / "out"
    (out / "export").mkdir(parents=True)
    (out / "export" / "mine.txt").write_text("mine")
    with pytest.raises(CurationError, match="files of others"):
        curate(out)
    assert tree(out) == {"export/mine.txt": b"mine"}


def test_input_of_which_nothing_can_be_read_leaves_the_folder_as_it_was(tmp_path, curate):
    out = tmp_path / "out"
    curate(out)
    before = tree(out)
    bad = tmp_path / "bad.jsonl"
    bad.write_text("{\n")
    with pytest.raises(CurationError, match=r"No sample can be read \(line is no JSON: 1\)"):
        curate(out, samples=(bad,))
    assert tree(out) == before
    assert {LOCK, NOTES} <= {path.name for path in out.iterdir()}
