"""The reference for merges: mergekit's own entry point, with which `mergekit-yaml` writes a merge."""

from mergekit.config import MergeConfiguration
from mergekit.merge import run_merge
from mergekit.options import MergeOptions

from tests.models.tiny import read_tensors, same_bits

DTYPES = {"dtype": "float32", "out_dtype": "bfloat16"}


def run_mergekit(content, folder, text=None):
    """Merge what a YAML's `content` says with mergekit alone; return the tensors that it wrote.

    `mergekit-yaml` hands the file's text over as well, which it copies beside the merge.
    """
    configuration = MergeConfiguration.model_validate(content)
    run_merge(configuration, str(folder), MergeOptions(quiet=True), config_source=text)
    return read_tensors(folder)


def configuration(base, instruct, method="linear", *, both=None, ours=None, theirs=None, **fields):
    """A YAML's content, with parameters for `both` models, for the base and for the instruct model.

    A `base_model` is named for all methods but those to which both models are inputs alike.
    """
    models = [
        {"model": str(base), "parameters": ours or {}},
        {"model": str(instruct), "parameters": theirs or {}},
    ]
    content = {"merge_method": method, "models": models, "parameters": both or {}}
    if method not in ("linear", "karcher", "multislerp", "nuslerp"):
        content["base_model"] = str(base)
    return content | DTYPES | fields


def merged_by_mergekit(base, instruct, alpha, folder, method="linear", **dtypes):
    """A linear merge or a slerp with one number as alpha."""
    if method == "linear":
        given = {"ours": {"weight": 1.0 - alpha}, "theirs": {"weight": alpha}}
    else:
        given = {"both": {"t": alpha}}
    return run_mergekit(configuration(base, instruct, method, **given, **dtypes), folder)


def assert_all_bits_agree(merged, expected):
    assert merged.keys() == expected.keys()
    assert [name for name in merged if not same_bits(merged[name], expected[name])] == []
