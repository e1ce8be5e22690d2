"""Why an engine that runs cannot take another merge, whatever its backend.

An engine keeps its parameters' shapes, its tokenizer and its stop tokens. Where another alpha comes
with others (at alpha 0 the base's own files count), a new engine is the only honest answer.
"""

from __future__ import annotations

from pathlib import Path

from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.checkpoints.names import is_computed
from hm_models.files.text_files import read_json
from hm_models.merge.contract import Merge
from hm_models.merge.plan import MergePlan

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


def what_differs(now: Merge, plan: MergePlan, then: Merge, then_plan: MergePlan) -> str | None:
    """Say what an engine made for `now` keeps, and `then` has otherwise; None if there is nothing."""
    ours, theirs = now.tokenizer_source, then.tokenizer_source
    differing = f"differs between {ours.name} and {theirs.name}"
    if _config(now, plan) != _config(then, then_plan):
        return f"config.json {differing}"
    files = _engine_files(ours), _engine_files(theirs)
    for name in sorted(files[0].keys() | files[1].keys()):
        if files[0].get(name) != files[1].get(name):
            return f"{name} {differing}"
    if _layout(ours) != _layout(theirs):
        return f"the tensors' names, shapes or dtypes differ between {ours.name} and {theirs.name}"
    return None


def _config(recipe: Merge, plan: MergePlan) -> object:
    return _without_notes(recipe.tokenizer_source.config | plan.overrides(recipe))


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
        if not is_computed(name, header.shape)
    }
