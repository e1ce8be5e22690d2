"""Samples scored while a model generates get the verdicts that they get afterwards."""

import contextlib
import gc
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path

import pytest
from lm_eval.api.model import LM

from hm_metrics.verdict import FAIL, PASS
from hm_models.samples.request import Sample
from hm_tasks.sandbox.isolation.limits import Limits
from hm_tasks.sandbox.judging.judge import Judge
from hm_tasks.sandbox.judging.judge_process import JudgeProcess, LocalExecutor
from hm_tasks.sandbox.pool import Scorer, check_all
from hm_tasks.sandbox.problem import Problem
from tests.tasks.code_passk.benchmarks import load

N_SAMPLES = 5
REFERENCE = "def f(x):\n    return x + 1\n"
ENDLESS = "def f(x):\n    while True: pass\n"
# evalplus's limit is an exception, which a program may swallow.
SWALLOWS = """
def f(x):
    try:
        while True: pass
    except BaseException:
        return x + 1
"""


def problem(number: int = 1) -> Problem:
    return Problem(f"Mine/{number}", "", "f", REFERENCE, [[1]], [[5], [7]], 0)


class Telling(LM):
    """A model that answers from a list, and tells of each sample when it has it, or does not."""

    def __init__(self, tells: bool, seconds: float = 0.0):
        super().__init__()
        self.tells, self.seconds, self.slowest = tells, seconds, 0.0

    def loglikelihood(self, requests):
        raise NotImplementedError

    loglikelihood_rolling = loglikelihood

    def generate_until(self, requests):
        seen: Counter = Counter()
        answers = []
        for request in requests:
            index = seen[id(request)]
            seen[id(request)] += 1
            answers.append(self.answer(request, index))
            time.sleep(self.seconds)
            if self.tells:
                began = time.perf_counter()
                request.take_sample(index, Sample(answers[-1], False, {}))
                self.slowest = max(self.slowest, time.perf_counter() - began)
        return answers

    @staticmethod
    def answer(request, index):
        name = request.doc["entry_point"]
        return [
            "Nothing comes to mind.",
            f"def {name}(*x):\n    return None\n",
            f"def {name}(*x):\n    raise ValueError\n",
            f"```python\ndef {name}(*x):\n\treturn x[0]\n```",
            f"def {name}(*x):\n    return None\n",
        ][index]


def run(lm: LM, limit: int = 6):
    """What the harness does with a task and a model; the requests, and the scorer as it was."""
    task = load("demo_passk", n_samples=N_SAMPLES, k=[1], isolation="rlimit")
    task.build_all_requests(limit=limit)
    requests = [request for request in task.instances for _ in range(request.repeats)]
    for request, answer in zip(requests, lm.generate_until(requests), strict=True):
        request.resps.append(answer)
    scorer = task._scorer
    return [request.filtered_resps["scored"] for request in task.apply_filters()], scorer


def test_verdicts_are_those_of_a_model_that_tells_nothing(monkeypatch):
    told, scorer = run(Telling(tells=True, seconds=0.02))
    untold, none = run(Telling(tells=False))
    assert scorer is not None
    assert none is None
    assert told == untold
    assert {verdict["base_status"] for of_one in told for verdict in of_one} == {FAIL}


def test_a_model_loses_no_time_when_it_tells():
    lm = Telling(tells=True, seconds=0.001)
    run(lm, limit=2)
    assert lm.slowest < 0.02  # measured: 0.0002 s; the machine may be busy


def test_what_goes_wrong_while_a_model_tells_is_scored_at_the_end(monkeypatch, caplog):
    untold, _ = run(Telling(tells=False), limit=2)
    monkeypatch.setattr(Scorer, "add", None)
    task = load("demo_passk", n_samples=1, k=[1], isolation="rlimit")
    task.build_all_requests(limit=1)
    task.instances[0].take_sample(0, Sample("def f(): pass", False, {}))
    assert "A sample is not scored yet (TypeError" in caplog.text
    monkeypatch.undo()
    task.instances[0].resps = ["Nothing comes to mind."]
    (request,) = task.apply_filters()
    assert request.filtered_resps["scored"] == untold[0][:1]


@pytest.fixture
def asked(monkeypatch):
    """How often judges were asked for what, and the programs that they judged."""
    counts, whole = Counter(), JudgeProcess.ask

    def counting(self, kind, question):
        counts[kind.decode()] += 1
        counts["programs"] += len(question[0]) if kind == b"J" else 0
        counts["behind"] += self.behind
        return whole(self, kind, question)

    monkeypatch.setattr(JudgeProcess, "ask", counting)
    return counts


def test_samples_that_come_one_by_one_are_judged_together(asked):
    with Scorer(LocalExecutor("rlimit", 2), generating=True) as scorer:
        for index in range(30):
            for number in range(3):
                scorer.add(problem_of(number), f"```\ndef f(x):\n    return x + {index % 4}\n```")
            time.sleep(0.02)
        deadline = time.monotonic() + 60
        while len(done(scorer)) < 12 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert asked["behind"] == asked["P"] + asked["J"]
        assert asked["programs"] == 12, "programs that are the same are run once"
        assert asked["P"] == 3, "a problem is given once"


PROBLEMS = {number: problem(number) for number in range(10)}


def problem_of(number):
    return PROBLEMS[number]


def done(scorer):
    return [
        future
        for one in scorer._waiting._asked.values()
        for future in one.futures.values()
        if future.done()
    ]


def test_a_problem_is_given_again_only_after_another(asked):
    texts = [f"def f(x):\n    return x + {n}\n" for n in range(100)]
    check_all([(problem(), texts)], n_workers=2, isolation="rlimit", sanitize=False)
    assert asked["P"] == 1
    assert asked["programs"] == 100


def test_out_of_time_beside_a_model_is_no_verdict(tmp_path):
    judge = Judge("rlimit", Limits(), [], str(tmp_path), behind=True)
    try:
        judge.take(problem())
        put_off = [ENDLESS, SWALLOWS, "import os\ndef f(x): os._exit(0)", SLEEPS.format(99)]
        verdicts = judge.judge([*put_off, REFERENCE, "def f(x): 1 / 0"])
        assert verdicts[: len(put_off)] == [None] * len(put_off)
        assert [v.base_status for v in verdicts[len(put_off) :]] == [PASS, FAIL]
    finally:
        judge.close()


SLEEPS = "import time\ndef f(x):\n    time.sleep({})\n    return x + 1\n"


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):
            found += map(int, (task / "children").read_text().split())
    return found


@pytest.mark.campaign  # it stops a process at the right moment, which a busy machine misses
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_judge_that_gets_no_time_makes_no_pass_a_timeout():
    one = problem()
    with Scorer(LocalExecutor("rlimit", 1), sanitize=False, generating=True) as scorer:
        future = scorer.add(one, SLEEPS.format(1.5))
        program = None
        while program is None:  # a judge's runner's child
            time.sleep(0.05)
            for judge in judges():
                for runner in children(judge):
                    program = next(iter(children(runner)), program)
        os.kill(program, signal.SIGSTOP)
        time.sleep(4.5)  # its limit on the wall is 4 seconds
        os.kill(program, signal.SIGCONT)
        time.sleep(3)
        assert not future.done()
        assert scorer.verdicts([(one, [SLEEPS.format(1.5)])])[0][0].base_status == PASS
        assert future.done()


def judges() -> list[int]:
    return [
        pid
        for pid in children(os.getpid())
        if b"hm_tasks.sandbox.judging.judge" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


ENDS = """
    import sys
    from hm_tasks.sandbox.isolation.prove import choose
    from hm_tasks.sandbox.judging.judge_process import LocalExecutor
    from hm_tasks.sandbox.pool import Scorer
    from tests.tasks.code_passk.test_scoring_while_generating import ENDLESS, problem_of
    scorer = Scorer(LocalExecutor(choose(sys.argv[1]), 2), sanitize=False, generating=True)
    for number in range(10):
        scorer.add(problem_of(number), ENDLESS + "#" * number)
    print("started", flush=True)
    sys.stdin.read()
    raise SystemExit("the run failed")
"""


def processes_of(folder: Path) -> list[str]:
    """Command lines of the processes that have this folder in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(folder).encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(
    ("isolation", "end"),
    [
        ("auto", "SIGKILL"),
        *(
            pytest.param("rlimit", e, marks=pytest.mark.engine)
            for e in ("SIGINT", "SIGKILL", "fails")
        ),
    ],
)
def test_no_process_outlives_the_run(isolation, end, tmp_path):
    run = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(ENDS), isolation],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stdout.readline() == "started\n"
    while not any("sandbox.inside.runner" in line for line in processes_of(tmp_path)):
        time.sleep(0.05)
    time.sleep(0.5)
    if end != "fails":
        run.send_signal(getattr(signal, end))
    said = run.communicate(timeout=30)[1]
    for _ in range(20):
        if not (left := processes_of(tmp_path)):
            break
        time.sleep(0.1)
    assert not left
    if end != "SIGKILL":
        assert list(tmp_path.glob("hm-scoring-*")) == []
        assert said.strip().splitlines()[-1] in ("the run failed", "KeyboardInterrupt")


def test_a_scorer_that_nobody_holds_any_more_ends_its_judges():
    scorer = Scorer(LocalExecutor("rlimit", 1), sanitize=False, generating=False)
    scorer.add(problem(), ENDLESS)
    while not judges():
        time.sleep(0.05)
    del scorer
    gc.collect()
    assert judges() == []


def test_idle_judges_end_and_come_back(monkeypatch):
    monkeypatch.setattr("hm_tasks.sandbox.waiting.IDLE_SECONDS", 0.2)
    with Scorer(LocalExecutor("rlimit", 1), sanitize=False, generating=False) as scorer:
        one = problem()
        assert scorer.add(one, REFERENCE).result(30).base_status == PASS
        while judges():
            time.sleep(0.05)
        assert scorer.add(one, "def f(x): 1 / 0").result(30).base_status == FAIL
    with pytest.raises(RuntimeError, match="has ended"):
        scorer.add(one, "")
