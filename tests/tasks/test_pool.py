"""The parallel step: order kept, identical programs alike, breakdowns unscored with a reason."""

import os
import signal
import threading
import time

from hm_tasks.execution.pool import _Worker, check_all
from hm_tasks.execution.problem import FAIL, PASS, TIMEOUT, UNSCORED, Problem

REFERENCE = "def f(x):\n    return x + 1\n"


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


def test_a_worker_that_dies_leaves_its_samples_unscored_and_is_replaced():
    worker = _Worker()
    try:
        slow = problem(3, "import time\ndef f(x):\n    time.sleep(30)\n    return x + 1\n")
        killer = threading.Thread(
            target=lambda: (time.sleep(3), os.kill(worker._process.pid, signal.SIGKILL))
        )
        killer.start()
        (verdict,) = worker.check(slow, [REFERENCE])
        killer.join()
        assert verdict.base_status == UNSCORED
        assert "worker died" in verdict.reason
        (verdict,) = worker.check(problem(), [REFERENCE])
        assert verdict.base_status == PASS
    finally:
        worker.stop()
