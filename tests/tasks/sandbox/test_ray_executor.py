"""Programs spread over a Ray cluster of two workers get the verdicts that they get on one machine.

Ray is an extra of its own (`pip install .[ray]`); without it this is skipped.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from hm_metrics.verdict import FAIL, PASS
from hm_tasks.sandbox import ray_executor
from hm_tasks.sandbox.executors import choose_place
from hm_tasks.sandbox.isolation.limits import IsolationError
from hm_tasks.sandbox.isolation.prove import strongest
from hm_tasks.sandbox.pool import Scorer, check_all
from hm_tasks.sandbox.problem import Problem
from hm_tasks.sandbox.ray_executor import ExecutorError, _Remote, weakest_level
from tests.entry_points import run_apart

ROOT = Path(__file__).parents[3]
REFERENCE = "def f(x):\n    return x + 1\n"
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
pytestmark = pytest.mark.engine


def problem(number: int) -> Problem:
    return Problem(f"Mine/{number}", "", "f", REFERENCE, [[1]], [[5], [7]], 0)


@pytest.fixture(scope="module")
def cluster():
    """Two nodes on this machine, with one CPU each."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 10**8, "include_dashboard": False}
    with pytest.MonkeyPatch.context() as patch:
        # Workers are to find this checkout, whatever is installed.
        patch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
        started = Cluster(initialize_head=True, head_node_args=node)
        started.add_node(**node, env_vars={"HM_TEST_NODE": "second"})
        patch.setenv("RAY_ADDRESS", started.address)
        ray = ray_executor.connect()
        yield ray
        ray.shutdown()
        started.shutdown()


PROGRAMS = {
    REFERENCE: (PASS, PASS),
    "def f(x):\n    return 2\n": (PASS, FAIL),
    "def f(x):\n    return {x}\n": (FAIL, FAIL),
    "def f(x):\n    while True: pass\n": (FAIL, FAIL),
    "import os\ndef f(x):\n    os.kill(os.getppid(), 9)\n": (FAIL, FAIL),
}


@needs_ray
def test_verdicts_are_those_of_this_machine_and_each_problem_goes_out_once(cluster, monkeypatch):
    jobs = [(problem(number), list(PROGRAMS)[: 5 - number]) for number in range(4)]
    place = choose_place("ray", "auto")
    assert place.level == strongest()
    puts, put = [], cluster.put
    monkeypatch.setattr(cluster, "put", lambda value: puts.append(value) or put(value))
    with Scorer(place.open(), sanitize=False, generating=True) as scorer:
        scorer.add(jobs[0][0], REFERENCE)
        found = scorer.verdicts(jobs)
    assert found == check_all(jobs, sanitize=False)
    assert [(v.base_status, v.plus_status) for v in found[0]] == list(PROGRAMS.values())
    assert len(puts) == len(jobs)


@needs_ray
def test_judges_start_on_each_node(cluster):
    executor = choose_place("ray", "rlimit").open()
    assert executor.n_judges == 2
    try:
        judges = [executor.start(behind=False) for _ in range(executor.n_judges)]
        nodes = cluster.get([judge._actor.__ray_call__.remote(node_id) for judge in judges])
        assert len(set(nodes)) == 2
    finally:
        executor.close()


def node_id(actor):
    import ray

    return ray.get_runtime_context().get_node_id()


@needs_ray
def test_the_weakest_node_is_what_is_reported_and_a_refusal_names_its_node(cluster, monkeypatch):
    def here(isolation):
        if os.environ.get("HM_TEST_NODE") != "second":
            return "strong", ""
        return ("landlock", "") if isolation == "auto" else ("", f"no {isolation} to be had")

    monkeypatch.setattr(ray_executor, "_level_here", here)
    assert weakest_level("auto") == "landlock"
    with pytest.raises(IsolationError, match=r"On node [\d.]+ of the Ray cluster: no strong to be"):
        weakest_level("strong")


def test_a_node_where_less_holds_than_was_proven_is_refused():
    judge = _Remote("rlimit", "landlock", False)
    assert (
        judge.refusal() == "isolation=rlimit is all that holds, where landlock was proven before."
    )


@needs_ray
def test_a_node_that_cannot_run_programs_is_named(cluster, monkeypatch):
    def here(isolation):
        raise ModuleNotFoundError("No module named 'hm_tasks'")

    monkeypatch.setattr(ray_executor, "_level_here", here)
    with pytest.raises(ExecutorError, match=r"Node [\d.]+ .*No module named.*Install this plugin"):
        weakest_level("auto")


@needs_ray
def test_an_actor_that_dies_costs_no_verdict_and_is_replaced(cluster):
    executor = choose_place("ray", "rlimit").open()
    slow = "import time\ndef f(x):\n    time.sleep(1)\n    return x + 1\n"
    one, other = problem(1), problem(2)
    with Scorer(executor, sanitize=False) as scorer:
        future = scorer.add(one, slow)
        while not executor._judges:
            pass
        first = executor._judges[0]._actor
        cluster.get(first.refusal.remote())
        cluster.kill(first)
        assert future.result(120).base_status == PASS
        assert executor._judges[0]._actor is not first
        assert scorer.add(other, REFERENCE).result(60).base_status == PASS


@needs_ray
def test_without_a_cluster_the_sentence_says_what_to_do(monkeypatch):
    import ray

    def none(**_):
        raise ConnectionError("Could not find any running Ray instance.")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", none)
    with pytest.raises(
        ExecutorError, match=r"found no Ray cluster\. Start one with `ray start --head`"
    ):
        choose_place("ray", "auto")


def test_the_command_ends_with_the_sentence(tmp_path):
    (tmp_path / "ray.py").write_text("raise ImportError")
    samples = tmp_path / "samples.jsonl"
    samples.write_text('{"task_id": "Demo/1", "solution": "x"}')
    words = (samples, "--dataset", "demo", "--executor", "ray")
    done = run_apart("hm-score", *words, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert done.returncode == 2
    assert "executor=ray needs Ray: pip install 'hindsight-merging[ray]'" in done.stderr


def test_without_ray_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ExecutorError, match=r"pip install 'hindsight-merging\[ray\]'"):
        choose_place("ray", "auto")
    with pytest.raises(ExecutorError, match="executor=slurm is none of local, ray"):
        choose_place("slurm", "auto")
