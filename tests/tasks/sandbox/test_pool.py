"""The parallel step: order kept, identical programs alike, breakdowns unscored with a reason."""

import dataclasses
import threading

import pytest

from hm_metrics.verdict import FAIL, PASS, TIMEOUT, UNSCORED, Verdict
from hm_tasks.sandbox.isolation.limits import Limits
from hm_tasks.sandbox.judging.isolated import RunnerProcess
from hm_tasks.sandbox.judging.judge import Judge
from hm_tasks.sandbox.judging.judge_process import JudgeProcess
from hm_tasks.sandbox.pool import check_all
from hm_tasks.sandbox.problem import Problem
from hm_tasks.sandbox.wire.frames import JUDGE

REFERENCE = "def f(x):\n    return x + 1\n"
STATED = {"base_input": [2], "plus_input": [6, 8]}


def problem(number: int = 1, reference: str = REFERENCE) -> Problem:
    prompt = '"""\nAdd one.\nassert f(1) == 2\n"""\n'
    return Problem(f"Mine/{number}", prompt, "f", reference, [[1]], [[5], [7]], 0)


def test_verdicts_come_back_in_the_order_of_their_texts():
    good, bad, extra = REFERENCE, "def f(x):\n    return 0\n", "def f(x):\n    return 2\n"
    jobs = [(problem(n), [bad] * n + [good, extra, good]) for n in range(4)]
    results = check_all(jobs, n_workers=2)
    for n, verdicts in enumerate(results):
        assert [v.base_status for v in verdicts] == [FAIL] * n + [PASS, PASS, PASS]
        assert [v.plus_status for v in verdicts] == [FAIL] * n + [PASS, FAIL, PASS]
    assert results[0][1].reason == "extra test 1 of 2 failed"


def test_programs_that_never_end_or_kill_themselves_fail_and_the_next_one_is_unharmed():
    endless = "def f(x):\n    while True:\n        pass\n"
    suicide = "import os, signal\ndef f(x):\n    os.abort()\n    return 2\n"
    loud = "def f(x):\n    print('noise' * 1000)\n    return x + 1\n"
    ((first, second, third, fourth),) = check_all(
        [(problem(), [endless, suicide, loud, REFERENCE])], n_workers=1
    )
    assert first.base_status in (FAIL, TIMEOUT)
    assert second.base_status in (FAIL, TIMEOUT)
    assert (third.base_status, fourth.base_status) == (PASS, PASS)


def test_a_broken_reference_leaves_its_samples_unscored_with_the_reason():
    broken = problem(2, "def f(x):\n    raise RuntimeError('no answer')\n")
    (unscored,), (scored,) = check_all([(broken, [REFERENCE]), (problem(), [REFERENCE])])
    assert unscored.base_status == unscored.plus_status == UNSCORED
    assert "no answer" in unscored.reason
    assert scored.base_status == PASS


def _dying_of(monkeypatch, word):
    """Judges end when they are to judge a program with this word in it; returns what was asked."""
    whole, asked = JudgeProcess.ask, []

    def dying(self, kind, question):
        if kind == JUDGE:
            texts = question[0]
            asked.append(list(texts))
            if any(word in text for text in texts):
                self._process.kill()
        return whole(self, kind, question)

    monkeypatch.setattr(JudgeProcess, "ask", dying)
    return asked


def test_a_judge_that_dies_of_a_program_fails_it_and_judges_its_neighbours(monkeypatch):
    asked = _dying_of(monkeypatch, "dies")
    neighbours = [f"# {number}\n{REFERENCE}" for number in range(8)]
    programs = [*neighbours[:3], "# dies", *neighbours[3:]]
    (verdicts,) = check_all([(problem(), programs)], 1, "rlimit", sanitize=False)
    assert [v.base_status for v in verdicts] == [PASS] * 3 + [FAIL] + [PASS] * 5
    assert "the judging process died" in verdicts[3].reason
    # After the judge has died of a text among others, each of those is asked alone. How many a worker had
    # taken at once is chance, and what it takes afterwards is asked together again.
    died = next(number for number, one in enumerate(asked) if "# dies" in one)
    after = asked[died + 1 :]
    assert all([text] in after for text in asked[died])
    assert not any("# dies" in one and len(one) > 1 for one in after)


def test_what_judges_die_of_without_any_program_is_unscored(monkeypatch):
    _dying_of(monkeypatch, "")
    ((verdict,),) = check_all([(problem(), [REFERENCE])], 1, "rlimit", sanitize=False)
    assert verdict.base_status == verdict.plus_status == UNSCORED
    assert "the judging process died" in verdict.reason


def test_a_judge_that_died_by_chance_costs_no_verdict(monkeypatch):
    whole, deaths = JudgeProcess.ask, []

    def dying(self, kind, question):
        if kind == JUDGE and not deaths:
            deaths.append(kind)
            self._process.kill()
        return whole(self, kind, question)

    monkeypatch.setattr(JudgeProcess, "ask", dying)
    ((verdict,),) = check_all([(problem(), [REFERENCE])], 1, "rlimit", sanitize=False)
    assert verdict.base_status == PASS


def test_a_text_that_kills_its_judge_holds_no_program_and_its_neighbours_do(monkeypatch):
    whole = JudgeProcess.ask

    def dying(self, kind, question):
        if kind == JUDGE and any("dies" in text for text in question[0]):
            self._process.kill()
        return whole(self, kind, question)

    monkeypatch.setattr(JudgeProcess, "ask", dying)
    texts = [REFERENCE, "this dies", f"# 2\n{REFERENCE}"]
    (verdicts,) = check_all([(problem(), texts)], 1, "rlimit")
    assert [v.base_status for v in verdicts] == [PASS, FAIL, PASS]
    assert verdicts[1].program == ""
    assert "the judging process died" in verdicts[1].reason


def test_a_runner_that_dies_is_replaced_and_the_program_run_again(tmp_path):
    judge = Judge("rlimit", Limits(), [], str(tmp_path))
    try:
        judge._runners._running[True]._process.kill()
        judge.take(problem())
        (verdict,) = judge.judge([REFERENCE])
        assert verdict.base_status == PASS
        sleeper = "import time\ndef f(x):\n    time.sleep(1)\n    return x + 1\n"
        killer = threading.Timer(0.5, judge._runners._running[True]._process.kill)
        killer.start()
        again, other = judge.judge([sleeper, REFERENCE])
        assert again.base_status == other.base_status == PASS
    finally:
        judge.close()


@pytest.mark.parametrize(
    ("culprits", "status", "reason"),
    [(["f"], FAIL, "the program ended what runs it"), (["f", ""], UNSCORED, "the runner died")],
)
def test_a_runner_that_dies_twice_is_the_programs_doing_unless_it_dies_without_it(
    tmp_path, monkeypatch, culprits, status, reason
):
    whole = RunnerProcess.run

    def dying(self, run, seconds):
        if run.program[4:5] in culprits:
            self._process.kill()
        return whole(self, run, seconds)

    monkeypatch.setattr(RunnerProcess, "run", dying)
    judge = Judge("rlimit", Limits(), [], str(tmp_path))
    try:
        judge.take(dataclasses.replace(problem(), expected=STATED))
        (verdict,) = judge.judge([REFERENCE])
        assert verdict.base_status == status
        assert reason in verdict.reason
        monkeypatch.setattr(RunnerProcess, "run", whole)
        assert judge.judge([f"# 2\n{REFERENCE}"])[0].base_status == PASS
    finally:
        judge.close()


# What it does changes with each run, so that one behaviour twice was run once.
RANDOM = "import random\ndef f(x):\n    return random.random()\n"


@pytest.mark.parametrize("isolation", ["auto", "rlimit"])
def test_what_was_judged_is_not_run_again(tmp_path, monkeypatch, isolation):
    monkeypatch.setenv("HM_CACHE", str(tmp_path))
    ours = dataclasses.replace(problem(), dataset="a hash")
    first = check_all([(ours, [RANDOM])], isolation=isolation)
    assert check_all([(ours, [RANDOM])], isolation=isolation) == first
    other = dataclasses.replace(ours, dataset="another hash")
    assert check_all([(other, [RANDOM])], isolation=isolation) != first


def test_identical_programs_are_run_once_even_if_their_texts_differ():
    texts = [f"Well, {n}:\n```python\n{RANDOM}```\n" for n in range(40)]
    (verdicts,) = check_all([(problem(), texts)], isolation="rlimit")
    assert len({verdict.program for verdict in verdicts}) == 1
    assert len({verdict.behaviour for verdict in verdicts}) == 1


def test_what_broke_down_is_no_verdict_and_is_judged_again(tmp_path, monkeypatch):
    monkeypatch.setenv("HM_CACHE", str(tmp_path))
    ours = dataclasses.replace(problem(), dataset="a hash")
    whole = JudgeProcess.ask

    def broken(self, kind, question):
        if kind == JUDGE:
            return [Verdict(program, UNSCORED, UNSCORED, "died") for program in question[0]]
        return whole(self, kind, question)

    monkeypatch.setattr(JudgeProcess, "ask", broken)
    ((verdict,),) = check_all([(ours, [REFERENCE])], isolation="rlimit")
    assert verdict.base_status == UNSCORED
    monkeypatch.setattr(JudgeProcess, "ask", whole)
    ((verdict,),) = check_all([(ours, [REFERENCE])], isolation="rlimit")
    assert verdict.base_status == PASS


def test_a_text_goes_to_the_judge_once_and_none_whose_verdict_is_known(tmp_path, monkeypatch):
    monkeypatch.setenv("HM_CACHE", str(tmp_path))
    ours = dataclasses.replace(problem(), dataset="a hash")
    whole, asked = JudgeProcess.ask, []

    def noting(self, kind, question):
        asked.append(question[0] if kind == JUDGE else None)
        return whole(self, kind, question)

    monkeypatch.setattr(JudgeProcess, "ask", noting)
    text = f"Well:\n```python\n{RANDOM}```\n"
    first = check_all([(ours, [text])], 1, "rlimit")
    assert asked == [None, [text]]
    # Its judge takes the program out of it, and finds the verdict that is kept.
    assert check_all([(ours, [text])], 1, "rlimit") == first
    asked.clear()
    program = first[0][0].program
    assert check_all([(ours, [program])], 1, "rlimit", sanitize=False) == first
    assert asked == []


def test_an_error_of_a_worker_reaches_the_caller(monkeypatch):
    def broken(self, kind, question):
        raise OSError("no space left")

    monkeypatch.setattr(JudgeProcess, "ask", broken)
    with pytest.raises(OSError, match="no space left"):
        check_all([(problem(), [REFERENCE])], isolation="rlimit")


def test_nothing_is_left_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    check_all([(problem(), [REFERENCE])], isolation="rlimit")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_store_is_set_aside_and_scoring_goes_on(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("HM_CACHE", str(tmp_path))
    file = tmp_path / "scoring" / "found.sqlite"
    file.parent.mkdir()
    file.write_bytes(b"no database at all" * 100)
    ours = dataclasses.replace(problem(), dataset="a hash")
    ((verdict,),) = check_all([(ours, [REFERENCE])], isolation="rlimit")
    assert verdict.base_status == PASS
    assert "was set aside" in caplog.text
    assert list(file.parent.glob("*damaged*"))


@pytest.mark.parametrize("isolation", ["auto", "rlimit"])
def test_cheats_that_evalplus_would_pass_do_not(isolation):
    cheats = {
        "equal to everything": "class E:\n    def __eq__(self, o): return True\n"
        "def f(x):\n    return E()\n",
        "an int that lies": "class E(int):\n    def __eq__(self, o): return True\n"
        "    __hash__ = int.__hash__\ndef f(x):\n    return E(0)\n",
        "the caller's variables": "import sys\ndef f(x):\n    frame = sys._getframe()\n"
        "    while frame:\n        for v in frame.f_locals.values():\n"
        "            if type(v) is list and v and v != [[1]]: return v[0]\n"
        "        frame = frame.f_back\n",
        "the whole heap": "import gc\ndef f(x):\n    for o in gc.get_objects():\n"
        "        if type(o) is dict and 'expected' in o: return o['expected'][0]\n",
        "no test at all": "import os\ndef f(x):\n    os._exit(0)\n",
        "a forged end": "import os\ndef f(x):\n    for fd in range(3, 64):\n        try:\n"
        "            os.write(fd, b'E' + bytes(8))\n        except OSError: pass\n"
        "    os._exit(0)\n",
        "a patched encoder": "import sys\ndef f(x):\n    m = sys.modules['hm_tasks.sandbox.wire.plain']\n"
        "    m.encode = lambda *a, **k: b''\n    return 0\n",
    }
    ((*verdicts, good),) = check_all(
        [(problem(), [*cheats.values(), REFERENCE])], isolation=isolation
    )
    assert good.base_status == good.plus_status == PASS
    passed = [
        name
        for name, v in zip(cheats, verdicts, strict=True)
        if PASS in (v.base_status, v.plus_status)
    ]
    assert passed == []
