"""Points that go out over a Ray cluster are the points of this machine.

Ray is an extra of its own (`pip install .[ray]`); without it this is skipped.
"""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from hm_models.sweep.runners import LocalRunner, ray_runners
from tests.models.sweep.world import open_sweep, samples, settings

ROOT = Path(__file__).parents[3]
pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed"),
]


@pytest.fixture
def cluster(monkeypatch):
    """Two nodes on this machine, each of which says that it has a GPU."""
    import ray
    from ray.cluster_utils import Cluster

    # Workers are to find this checkout, whatever is installed.
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    node = {"num_cpus": 1, "num_gpus": 1, "object_store_memory": 10**8, "include_dashboard": False}
    started = Cluster(initialize_head=True, head_node_args=node)
    started.add_node(**node)
    monkeypatch.setenv("RAY_ADDRESS", started.address)
    yield
    ray.shutdown()
    started.shutdown()


def test_two_nodes_share_the_points(base, instruct, task, tmp_path, cluster):
    given = settings(base, instruct, task, alphas=[0.3, 0.7])
    sweep = open_sweep(given, tmp_path / "out")
    runners = ray_runners(1, len(sweep.points))
    assert len(runners) == 2
    assert sweep.run(runners) == 0, sweep.summary()
    alone = open_sweep(given, tmp_path / "alone")
    assert alone.run([LocalRunner(quiet=True)]) == 0
    for point in sweep.points:
        assert samples(tmp_path / "out" / point.label) == samples(tmp_path / "alone" / point.label)
