"""The harness knows the plugin in every fresh process, and is left alone with HM_AUTOLOAD=0."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.entry_points import ROOT
from tests.instances import HAS_SCORERS

TASKS = (
    *("mbppplus_passk", "humanevalplus_passk", "demo_passk", "sorry_bench", "sorry_bench_morse"),
    *("mbppplus_traces", "problem_traces"),
)
LM_EVAL = Path(sys.executable).with_name("lm_eval")


def run(command: list, folder: Path, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def python(code: str, folder: Path, **environment: str) -> str:
    done = run([sys.executable, "-c", code], folder, **environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.engine
def test_hm_merged_vllm_and_hf_resolve_when_the_registry_is_asked_first(tmp_path):
    wanted = ["hm-merged", "hf"]
    if find_spec("vllm") is not None:
        wanted.append("vllm")
    code = (
        "from lm_eval.api.registry import get_model\n"
        f"print([get_model(name).__name__ for name in {wanted}])"
    )
    expected = ["HindsightMerged", "HFLM", "VLLM"][: len(wanted)]
    assert python(code, tmp_path).strip().endswith(str(expected))


@pytest.mark.parametrize(
    "command",
    [
        pytest.param([LM_EVAL], marks=pytest.mark.engine),
        pytest.param([sys.executable, "-m", "lm_eval"], marks=pytest.mark.campaign),
    ],
)
def test_ls_tasks_shows_ours_from_any_directory(command, tmp_path):
    listed = run([*command, "ls", "tasks"], tmp_path).stdout
    assert all(f"|{task} " in listed for task in TASKS)


@pytest.mark.engine
def test_validate_passes_for_every_task(tmp_path):
    done = run(
        [LM_EVAL.with_name("lm-eval"), "validate", "--tasks", ",".join((*TASKS, "hindsight"))],
        tmp_path,
    )
    assert done.returncode == 0
    assert "All tasks found and valid" in done.stdout


@pytest.mark.engine
def test_autoload_zero_hides_everything(tmp_path):
    code = (
        "import sys\n"
        "from lm_eval.tasks import TaskManager\n"
        "from lm_eval.api.registry import model_registry\n"
        "import lm_eval.models\n"
        f"assert not set({TASKS}) & set(TaskManager().all_tasks)\n"
        "assert 'hm-merged' not in model_registry and 'hf' in model_registry\n"
        "print('hidden')"
    )
    assert python(code, tmp_path, HM_AUTOLOAD="0").strip().endswith("hidden")


@pytest.mark.engine
def test_a_users_include_path_wins_over_ours_and_is_kept(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "demo.yaml").write_text("task: demo_passk\ndataset_path: somewhere\n")
    code = (
        "from lm_eval.tasks import TaskManager\n"
        f"manager = TaskManager(include_path={str(mine)!r}, include_defaults=True)\n"
        "print(manager.include_path, manager._index['demo_passk'].yaml_path)\n"
        "print('mbppplus_passk' in manager.all_tasks)\n"
        f"alone = TaskManager(include_path={str(mine)!r}, include_defaults=False)\n"
        "print(alone.all_tasks)"
    )
    lines = python(code, tmp_path).strip().splitlines()[-3:]
    assert lines == [f"{mine} {mine / 'demo.yaml'}", "True", "['demo_passk']"]


# How harness releases with plugin discovery (their pull requests 4013 and 4014) read the group:
# built-in names win, everything else is registered from its entry point.
DISCOVERY = """
import importlib.metadata as md
from lm_eval.api import registry

def load_plugins(group, components, declared=None):
    for point in md.entry_points(group=group) if declared is None else [
        md.EntryPoint(name, value, group) for name, value in declared.items()
    ]:
        if point.name not in components:
            components.register(point.name, target=point)
"""
CHECK = """
names = list(registry.model_registry)
assert names.count("hm-merged") == 1, names
print(registry.get_model("hm-merged").__name__)
"""


def test_a_harness_that_discovers_entry_points_itself_sees_the_model_once(tmp_path):
    itself = (
        DISCOVERY
        + "registry.load_plugins = load_plugins\n"
        + "import lm_eval.models\n"
        + "assert 'hm-merged' not in registry.model_registry, 'the hook did not step back'\n"
        + "load_plugins('lm_eval.models', registry.model_registry)\n"
    )
    assert python(itself + CHECK, tmp_path).strip().endswith("HindsightMerged")


def test_registering_the_entry_point_over_ours_is_no_conflict(tmp_path):
    both = (
        DISCOVERY
        + "import lm_eval.models\n"
        + "for point in md.entry_points(group='lm_eval.models'):\n"
        + "    registry.model_registry.register(point.name, target=point)\n"
    )
    assert python(both + CHECK, tmp_path).strip().endswith("HindsightMerged")


SIMILARITIES = "('local_similarity', 'global_similarity', 'global_similarity_all_pairs')"


def test_the_similarities_are_metrics_of_any_task_and_load_nothing_until_used(tmp_path):
    code = (
        "import sys\n"
        "from lm_eval.api import registry\n"
        "import lm_eval.api.metrics\n"
        "assert not {'hm_tasks', 'hm_metrics'} & set(sys.modules)\n"
        f"for name in {SIMILARITIES}:\n"
        "    metric, aggregation = registry.metric_registry.get(name), registry.get_aggregation(name)\n"
        "    if hasattr(registry, 'get_metric_aggregation'):  # harness 0.4\n"
        "        assert callable(metric)\n"
        "        assert registry.get_metric_aggregation(name) is aggregation\n"
        "        assert registry.is_higher_better(name) is False\n"
        "    else:\n"
        "        assert metric.aggregation is aggregation\n"
        "        assert metric.higher_is_better is False\n"
        "print('known')"
    )
    assert python(code, tmp_path).strip().endswith("known")


def test_metrics_are_found_when_the_registry_is_asked_first_and_hidden_by_autoload_zero(tmp_path):
    code = (
        "from lm_eval.api.registry import get_aggregation\n"
        "print(callable(get_aggregation('local_similarity')), get_aggregation('mean').__name__)"
    )
    assert python(code, tmp_path).strip().endswith("True mean")
    assert python(code, tmp_path, HM_AUTOLOAD="0").strip().endswith("False mean")


# As test_similarity's task, without a word on how the metric is put together or which way is up.
SCORED = """
from pathlib import Path
from tests.metrics.test_similarity import evaluate
from tests.models.endpoints.endpoint import Endpoint
with Endpoint() as server:
    results, _ = evaluate(Path.cwd(), server.url, aggregation="")
print(type(results["global_similarity,all"]).__name__)
"""


@pytest.mark.parametrize("first", ["the harness's own metrics", "what it discovers"])
def test_a_harness_that_discovers_metrics_itself_scores_by_ours(tmp_path, first):
    discovering = "".join(
        f"load_plugins({group!r}, registry.{kind}_registry, declared({group!r}))\n"
        for group, kind in (("lm_eval.metrics", "metric"), ("lm_eval.aggregations", "aggregation"))
    )
    order = ("import lm_eval.api.metrics\n", discovering)
    code = (
        DISCOVERY
        + "registry.load_plugins = load_plugins\n"
        + "from tests.entry_points import declared\n"
        + "".join(order if first == "the harness's own metrics" else order[::-1])
        + SCORED
    )
    assert python(code, tmp_path, PYTHONPATH=str(ROOT)).strip().endswith("float")


def test_similarities_are_not_listed_among_the_metrics_that_a_harness_keeps_a_list_of(tmp_path):
    code = (
        "from lm_eval.api import registry\n"
        "import lm_eval.api.metrics\n"
        "def listed(): return 'local_similarity' in list(registry.metric_registry)\n"
        "before, known = listed(), 'local_similarity' in registry.metric_registry\n"
        "print(before, known, callable(registry.metric_registry.get('local_similarity', None)),"
        " registry.metric_registry.get('no_such', 7))"
    )
    listed, *known = python(code, tmp_path).split()[-4:]
    assert known[0] == "True"
    assert known[2] == "7"
    assert listed == str(HAS_SCORERS)  # 0.4.13's own tests know each that is listed


@pytest.mark.campaign  # a claim about time, which a busy machine breaks
def test_start_up_costs_under_two_milliseconds(tmp_path):
    def cost() -> int:
        """Microseconds of the modules that only our .pth line imports."""
        trace = run([sys.executable, "-X", "importtime", "-c", "pass"], tmp_path).stderr
        rows = re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", trace)
        ours = {name: int(own) for own, name in rows if name.split(".")[0] == "hm_models"}
        assert "hm_models.plugin.autoload" in ours, trace
        return sum(ours.values())

    # The least of some tries: what else runs on the machine only ever adds.
    assert any(cost() < 2000 for _ in range(30))


def test_nothing_heavy_is_imported_at_interpreter_start(tmp_path):
    code = "import sys; print(sorted(m.split('.')[0] for m in sys.modules))"
    loaded = python(code, tmp_path)
    assert not [name for name in ("torch", "lm_eval", "numpy", "mergekit") if f"'{name}'" in loaded]
    assert "'hm_models'" in loaded


def test_a_failing_change_leaves_the_harness_working(tmp_path):
    code = (
        "import hm_models.plugin.model_name as model_name\n"
        "def broken(module): raise RuntimeError('on purpose')\n"
        "model_name.change = broken\n"
        "import lm_eval.models\n"
        "print('hf' in lm_eval.models.MODEL_MAPPING)"
    )
    done = run([sys.executable, "-c", code], tmp_path)
    assert done.stdout.strip() == "True"
    assert "on purpose" in done.stderr
