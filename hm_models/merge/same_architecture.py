"""Whether two configs are of one architecture, as transformers' classes read them.

>>> from pathlib import Path
>>> def llama(name, **config):
...     return Checkpoint(name, Path(name), None, {"model_type": "llama", **config}, {}, {})
>>> compare_configs(llama("B", num_attention_heads=32), llama("I"))  # what the class has by default
[]
>>> compare_configs(llama("B", rms_norm_eps=1e-5), llama("I", rms_norm_eps=1e-6))
["rms_norm_eps differs in the configs of B and I, the latter's is used: 1e-05 against 1e-06"]

Defaults that one config leaves out, and old and new names of one field, are no difference. A multimodal
model and a fine-tune of its text part alone are of one architecture, too.
"""

from __future__ import annotations

from typing import Any

from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.checkpoints.config_class import as_read
from hm_models.errors import RecipeError

KIND = ("model_type", "architectures")
# Fields that change what equal shapes mean; a merge across them is no model.
DECISIVE_FIELDS = ("num_attention_heads", "num_key_value_heads", "hidden_act")
# Fields that a fine-tune may well change; the merge takes the instruct model's.
NOTED_FIELDS = ("rope_theta", "rope_scaling", "rope_parameters", "rms_norm_eps", "sliding_window")
FIELDS = (*DECISIVE_FIELDS, *NOTED_FIELDS)


def compare_configs(base: Checkpoint, instruct: Checkpoint) -> list[str]:
    """Remarks on what differs and does no harm.

    Raises:
        RecipeError: the two are of different architectures.
        CheckpointError: a config is none of its kind.
    """
    if all(
        base.config.get(name) == instruct.config.get(name)
        for name in (*KIND, *FIELDS, "text_config")
    ):
        return []  # as they are written already; transformers takes seconds to import
    kinds = () if is_text_part_of(instruct, base) else KIND
    ours, theirs = _fields(base), _fields(instruct)
    for field in (*kinds, *DECISIVE_FIELDS):
        one, other = ours.get(field), theirs.get(field)
        if one != other and (field == "model_type" or None not in (one, other)):
            raise RecipeError(
                f"{base.name} and {instruct.name} cannot be merged: {field} is {one!r} in the "
                f"former's config.json and {other!r} in the latter's. Both must be the same "
                "architecture."
            )
    return [
        f"{field} differs in the configs of {base.name} and {instruct.name}, the latter's is used: "
        f"{ours.get(field)!r} against {theirs.get(field)!r}"
        for field in NOTED_FIELDS
        if ours.get(field) != theirs.get(field)
    ]


def is_text_part_of(text: Checkpoint, whole: Checkpoint) -> bool:
    """Whether `whole` is a multimodal model and `text` of the kind of its text part alone."""
    if text.model_type == whole.model_type:
        return False
    config = as_read(whole.config, whole.name)
    return config is not None and config.get_text_config().model_type == text.model_type


def _fields(checkpoint: Checkpoint) -> dict[str, Any]:
    """The fields that are compared: the text part's, and what the checkpoint as a whole is."""
    config = as_read(checkpoint.config, checkpoint.name)
    if config is None:
        return checkpoint.config
    text = config.get_text_config()
    fields = {name: getattr(text, name, None) for name in FIELDS}
    whole = {name: checkpoint.config.get(name) for name in KIND}
    if fields["rope_parameters"] is not None:
        fields["rope_theta"] = fields["rope_scaling"] = None  # their names of before
    return fields | whole
