"""The name of a run's result folder: base, instruct and alpha instead of a random word."""

import re
from collections.abc import Mapping
from pathlib import PurePath


def run_name(model_args: object) -> str | None:
    """`smol--smol-instruct--alpha0.7` for the arguments of hm-merged, else None.

    Only the last part of a path or hub name is used: the harness turns the rest into underscores. A
    mergekit YAML gives its own name.
    """
    if isinstance(model_args, str):
        pairs = (part.split("=", 1) for part in model_args.split(",") if "=" in part)
        model_args = {key.strip(): value for key, value in pairs}
    if not isinstance(model_args, Mapping):
        return None
    if "recipe" in model_args and "pretrained" not in model_args:
        return PurePath(str(model_args["recipe"])).stem
    if not {"base", "instruct"} <= set(model_args):
        return None
    parts = [PurePath(str(model_args[key])).name for key in ("base", "instruct")]
    if "alpha" in model_args:
        parts.append(f"alpha{_plain(model_args['alpha'])}")
    if (method := model_args.get("merge_method", "linear")) != "linear":
        parts.append(method)
    if parameters := model_args.get("merge_params"):
        parts.append(_plain(parameters))
    return "--".join(parts)


def _plain(value: object) -> str:
    """Numbers, gradients and patterns without what a folder's name should not have."""
    return re.sub(r"[^\w.*]+", "-", str(value)).replace("*", "rest").strip("-")
