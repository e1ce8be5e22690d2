"""Another alpha in an engine that runs: what allows it, and how each backend does it.

An engine keeps its parameters' shapes, its tokenizer and its stop tokens. Where another alpha comes
with others (at alpha 0 the base's own files count), a new engine is the only honest answer.
"""

from __future__ import annotations

from pathlib import Path

import torch
from lm_eval.api.model import TemplateLM

from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.files.text_files import read_json
from hm_models.merge.plan import COMPUTED_BUFFERS, MergePlan
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.stream import MergeStream

# Files that an engine reads once, when it starts: how text becomes tokens, and where an answer ends.
ENGINE_FILES = (
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab*",
    "merges.txt",
    "*.model",
    "*.tiktoken",
    "chat_template*",
    "generation_config.json",
)
# Notes of the library that wrote a file; they shape nothing.
COSMETIC_FIELDS = {"_name_or_path", "name_or_path", "transformers_version"}


def why_restart(plan: MergePlan, now: MergeRecipe, then: MergeRecipe) -> str | None:
    """Say why an engine made for `now` cannot take the weights of `then`; None if it can."""
    ours, theirs = now.tokenizer_source, then.tokenizer_source
    differing = f"differs between {ours.name} and {theirs.name}"
    if _config(now, plan) != _config(then, plan):
        return f"config.json {differing}"
    files = _engine_files(ours), _engine_files(theirs)
    for name in sorted(files[0].keys() | files[1].keys()):
        if files[0].get(name) != files[1].get(name):
            return f"{name} {differing}"
    if _layout(ours) != _layout(theirs):
        return f"the tensors' names, shapes or dtypes differ between {ours.name} and {theirs.name}"
    return None


def _config(recipe: MergeRecipe, plan: MergePlan) -> object:
    overrides = plan.config_overrides if recipe.unmerged is None else {}
    return _without_notes(recipe.tokenizer_source.config | overrides)


def _engine_files(checkpoint: Checkpoint) -> dict[str, object]:
    return {
        file.name: _content(file)
        for file in checkpoint.companions
        if any(file.match(pattern) for pattern in ENGINE_FILES)
    }


def _content(file: Path) -> object:
    if file.suffix != ".json" or file.name == "tokenizer.json":
        return file.read_bytes()
    return _without_notes(read_json(file))


def _without_notes(content: object) -> object:
    if not isinstance(content, dict):
        return content
    return {field: value for field, value in content.items() if field not in COSMETIC_FIELDS}


def _layout(checkpoint: Checkpoint) -> dict[str, tuple]:
    return {
        name: (header.shape, header.dtype)
        for name, header in checkpoint.tensors.items()
        if not name.endswith(COMPUTED_BUFFERS)
    }


def change_vllm(lm: TemplateLM, recipe: MergeRecipe) -> str | None:
    """Give a running vLLM engine the weights of `recipe`.

    Returns:
        Why it did not take all of them; it was shut down then. None if it did.

    Raises:
        Exception: the change failed half-way; the engine holds mixed weights and was shut down.
    """
    engine = lm.model
    try:
        reasons = engine.collective_rpc("change_recipe", args=(recipe.to_dict(),))
        reason = next(filter(None, reasons), None)
        if reason is None and not engine.reset_prefix_cache():
            raise RuntimeError("the prefix cache could not be reset while requests are running")
    except BaseException:
        shut_down_vllm(lm)
        raise
    if reason is not None:
        shut_down_vllm(lm)
    return reason


def tensors_left_vllm(lm: TemplateLM, recipe: MergeRecipe) -> list[str]:
    """What the merge brought to a new engine and no worker read, by name."""
    engine = getattr(lm, "model", None)  # none lives between calls with data_parallel_size
    if engine is None:
        return []
    left = set.intersection(*map(set, engine.collective_rpc("tensors_left")))
    ties = recipe.tokenizer_source.ties_embeddings
    return sorted(
        name
        for name in left
        if not name.endswith(COMPUTED_BUFFERS) and not (ties and name.endswith("lm_head.weight"))
    )


def shut_down_vllm(lm: TemplateLM) -> None:
    """End the engine's processes and free what they hold."""
    # With data_parallel_size the harness makes engines for each call, and none lives in between.
    if engine := getattr(lm, "model", None):
        engine.llm_engine.engine_core.shutdown()


def why_restart_vllm(recipe: MergeRecipe) -> str | None:
    """Say why a running vLLM engine would keep old weights of this model; None if it takes all."""
    names = recipe.tokenizer_source.tensors
    if recipe.tokenizer_source.ties_embeddings and any(
        name.endswith("lm_head.bias") for name in names
    ):
        return "vLLM does not load the bias of a tied head again"
    return None


def why_reload_hf(lm: TemplateLM, plan: MergePlan, recipe: MergeRecipe) -> str | None:
    """Say why a transformers model cannot take the stream's tensors in place; None if it can.

    As it loads, transformers renames what older versions named otherwise and fuses a layer's experts.
    """
    places = parameters_of(lm.model)
    headers = recipe.tokenizer_source.tensors
    sources = {t.name: t.instruct for t in plan.tensors}
    for name, source in ({name: name for name in headers} if recipe.unmerged else sources).items():
        if name.endswith(COMPUTED_BUFFERS):
            continue
        if name not in places or places[name].shape != headers[source].shape:
            return f"transformers does not hold {name} as the checkpoint does"
    return None


def change_hf(lm: TemplateLM, stream: MergeStream, recipe: MergeRecipe) -> None:
    """Write the weights of `recipe` into the parameters of a transformers model.

    Raises:
        Exception: the change failed half-way; the model holds mixed weights.
    """
    places = parameters_of(lm.model)
    with torch.no_grad():
        for name, tensor in stream.tensors(recipe):
            if not name.endswith(COMPUTED_BUFFERS):
                places[name].copy_(tensor)


def parameters_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Every parameter and buffer by each of its names."""
    return dict(model.named_parameters(remove_duplicate=False)) | dict(model.named_buffers())
