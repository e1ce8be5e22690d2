"""What the plugin adds to lm-evaluation-harness 0.4.13, one function for one of its modules.

`hm_models.plugin.autoload` calls them as the modules are loaded. A later harness that reads entry points has
some of it by itself; nothing is registered twice.
"""

import functools
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path

MODEL_NAME = "hm-merged"
MODEL_ENTRY_POINT = ("hm-merged", "hm_models.merged:HindsightMerged", "lm_eval.models")
# The metrics (each with an aggregation of its name) for any task of the harness.
SIMILARITIES = ("local_similarity", "global_similarity", "global_similarity_all_pairs")


def add_model(module):
    """The model `hm-merged`, imported when it is asked for."""
    from lm_eval.api import registry

    # Harness releases with `load_plugins` read the entry points themselves. An EntryPoint as the
    # placeholder keeps the model import lazy, and equals what such a release would register.
    if not hasattr(registry, "load_plugins") and MODEL_NAME not in registry.model_registry:
        registry.model_registry.register(MODEL_NAME, target=EntryPoint(*MODEL_ENTRY_POINT))


def add_metrics(module):
    """The similarities as registered metrics, and standard errors that aggregations bring along."""
    from lm_eval.api import registry

    if not hasattr(registry, "load_plugins"):
        for name in SIMILARITIES:
            metric = EntryPoint(name, "hm_metrics.similarity:samples_of", "lm_eval.metrics")
            aggregation = EntryPoint(name, f"hm_metrics.similarity:{name}", "lm_eval.aggregations")
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


def add_task_folder(module):
    """The tasks of this plugin, behind those of the harness and before the user's own."""
    # Located, not imported: the task index reads only YAML.
    folder = find_spec("hm_tasks").submodule_search_locations[0]
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


def name_result_folders(module):
    """Result folders named by base, instruct and alpha, one for each merge."""
    from hm_models.plugin.run_name import name_in, run_name

    tracker = module.GeneralConfigTracker
    plain_name = tracker._get_model_name

    def _get_model_name(model_args):
        # Without a `pretrained` the harness would invent a random folder name for each run.
        return run_name(model_args) or plain_name(model_args)

    tracker._get_model_name = staticmethod(_get_model_name)
    plain_save = module.EvaluationTracker.save_results_aggregated

    @functools.wraps(plain_save)
    def save_results_aggregated(self, results, samples=None):
        name = None
        if self.output_path and Path(self.output_path).suffix != ".json":  # which names a file
            arguments = results.get("config", {}).get("model_args")
            name = name_in(Path(self.output_path), arguments)
        if name is not None:
            named = self.general_config_tracker  # the samples' folder goes by it, too
            named.model_name = named.model_name_sanitized = name
        return plain_save(self, results=results, samples=samples)

    module.EvaluationTracker.save_results_aggregated = save_results_aggregated


def keep_answers_apart(module):
    """`--use_cache` for models that keep their answers themselves."""
    plain = module.CachingLM

    class CachingLM(plain):
        """The harness's cache, but for models that keep their answers themselves."""

        def __new__(cls, lm, cache_db):
            if not hasattr(type(lm), "keep_samples_in"):
                return super().__new__(cls)
            lm.keep_samples_in(Path(cache_db))
            return lm

    module.CachingLM = CachingLM


def shape_requests(module):
    """`--cache_requests` by all that shapes a request; and what of a prompt belongs to which turn."""
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
        from hm_models.prompts.conversation import note_origin

        note_origin(
            self, rest.get("system_instruction"), rendered=bool(rest.get("apply_chat_template"))
        )

    task.build_all_requests = build_all_requests


def introduce_models(module):
    """Tasks of this plugin know the model that they are about to ask."""
    plain = module.evaluate

    @functools.wraps(plain)
    def evaluate(lm, task_dict, *args, **kwargs):
        from lm_eval.api.model import CachingLM

        model = lm.lm if isinstance(lm, CachingLM) else lm
        for task in _values(task_dict):
            if hasattr(type(task), "meet"):
                task.meet(model)
        return plain(lm, task_dict, *args, **kwargs)

    module.evaluate = evaluate


def _values(found):
    # Tasks by name, in groups of groups or in the harness's `{"tasks": ..., "groups": ...}`.
    for value in found.values():
        yield from _values(value) if isinstance(value, dict) else (value,)


def give_seeds(module):
    """Samples of one request from an endpoint have seeds of their own."""
    from hm_models.plugin.own_seeds import give_own_seeds, seed_of_endpoint

    give_own_seeds(module.TemplateAPI, seed_of_endpoint)


def give_replicas_seeds(module):
    """Samples of one request from replicas of vLLM likewise."""
    from hm_models.plugin.own_seeds import give_own_seeds, seed_of_replicas

    give_own_seeds(module.VLLM, seed_of_replicas)


def hide_secrets_in_results(module):
    """No key and no credentials in the harness's results, whoever writes them later."""

    def hiding(plain):
        @functools.wraps(plain)
        def evaluate(*arguments, **named):
            from hm_models.shown.secrets import hide_in_results

            return hide_in_results(plain(*arguments, **named))

        return evaluate

    for name in ("evaluate", "simple_evaluate"):
        setattr(module, name, hiding(getattr(module, name)))


def keep_records(module):
    """Filtered answers as they are, where the harness replaces the images of multimodal models.

    It makes every dict anew, also for chat models at endpoints, which it takes to be multimodal; ours
    would then be written as Python writes a dict, and no reader of JSON could read the log.
    """
    plain = module.hash_dict_images

    @functools.wraps(plain)
    def hash_dict_images(samples):
        found = plain(samples)
        for task, rows in samples.items():
            for before, after in zip(rows, found[task], strict=True):
                if any(isinstance(r, dict) for one in before["filtered_resps"] for r in _each(one)):
                    after["filtered_resps"] = before["filtered_resps"]
        return found

    module.hash_dict_images = hash_dict_images


def _each(response):
    return response if isinstance(response, list) else [response]


def hide_secrets_in_arguments(module):
    """No key and no credentials where the harness shows the arguments of its command line."""
    config = module.EvaluatorConfig
    plain = config.from_cli.__func__

    @functools.wraps(plain)
    def from_cli(cls, namespace):
        from hm_models.shown.secrets import PublicWhenShown

        found = plain(cls, namespace)
        for name in ("model_args", "metadata"):
            if type(getattr(found, name)) is dict:
                setattr(found, name, PublicWhenShown(getattr(found, name)))
        return found

    config.from_cli = classmethod(from_cli)
