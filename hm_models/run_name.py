"""The name of a run's result folder: base, instruct and alpha instead of a random word."""

from collections.abc import Mapping
from pathlib import PurePath


def run_name(model_args: object) -> str | None:
    """`smol--smol-instruct--alpha0.7` for the arguments of hm-merged, else None.

    Only the last part of a path or hub name is used: the harness turns the rest into underscores.
    """
    if isinstance(model_args, str):
        pairs = (part.split("=", 1) for part in model_args.split(",") if "=" in part)
        model_args = {key.strip(): value for key, value in pairs}
    if not isinstance(model_args, Mapping) or not {"base", "instruct", "alpha"} <= set(model_args):
        return None
    base, instruct = (PurePath(str(model_args[key])).name for key in ("base", "instruct"))
    method = model_args.get("merge_method", "linear")
    suffix = "" if method == "linear" else f"--{method}"
    return f"{base}--{instruct}--alpha{model_args['alpha']}{suffix}"
