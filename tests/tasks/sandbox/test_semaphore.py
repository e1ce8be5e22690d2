"""Semaphores among threads do what the kernel's do."""

import _multiprocessing
import random
import threading

import pytest

from hm_tasks.sandbox.inside.semaphore import RECURSIVE, SemLock


def answer(lock, name):
    calls = {
        "take": lambda: lock.acquire(False),
        "wait a little": lambda: lock.acquire(True, 0.001),
        "give": lock.release,
        "how many are mine": lock._count,
        "is it mine": lock._is_mine,
        "how many are free": lock._get_value,
        "is none free": lock._is_zero,
    }
    try:
        return calls[name]()
    except Exception as error:
        return type(error).__name__, str(error)


@pytest.mark.parametrize("seed", range(60))
def test_any_calls_have_the_answers_of_a_real_one(seed):
    rng = random.Random(seed)
    kind = rng.choice([RECURSIVE, 1])
    most = 1 if kind == RECURSIVE else rng.choice([1, 2, 3])
    free = 1 if kind == RECURSIVE else rng.randint(0, most)
    try:
        real = _multiprocessing.SemLock(kind, free, most, f"/hm-test-{seed}", True)
    except OSError as error:
        pytest.skip(f"no semaphores here ({error})")
    own = SemLock(kind, free, most, "", True)
    names = ["take", "wait a little", "give", "how many are mine", "is it mine"]
    names += ["how many are free", "is none free"]
    for _ in range(20):
        name = rng.choice(names)
        assert answer(own, name) == answer(real, name), name


def test_a_thread_that_waits_goes_on_when_another_gives():
    lock = SemLock(1, 0, 1, "", True)
    done = []
    thread = threading.Thread(target=lambda: done.append(lock.acquire(True, 60)), daemon=True)
    thread.start()
    lock.release()
    thread.join(60)
    assert done == [True]
    assert lock._get_value() == 0


def test_a_recursive_lock_belongs_to_its_thread():
    lock = SemLock(RECURSIVE, 1, 1, "", True)
    assert lock.acquire()
    assert lock.acquire(False)
    taken = []
    thread = threading.Thread(target=lambda: taken.append(lock.acquire(False)), daemon=True)
    thread.start()
    thread.join(60)
    assert taken == [False]
    lock.release()
    assert lock._is_mine()
    lock.release()
    assert not lock._is_mine()
