"""A mergekit YAML streams the bits that mergekit writes for that very file."""

import json
from types import SimpleNamespace

import pytest
import torch
import yaml

from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.errors import RecipeError
from hm_models.merge.mergekit_yaml import read_recipe
from hm_models.merge.plan import plan_merge
from hm_models.merge.stream import merged_tensors
from hm_models.merge.writer import write_checkpoint
from hm_models.merged import HindsightMerged
from tests.models.merge.by_mergekit import assert_all_bits_agree, run_mergekit
from tests.models.tiny import copy_of, same_bits, tiny_checkpoint

LINEAR = """
models:
  - model: BASE
    parameters: {weight: 0.6}
  - model: INSTRUCT
    parameters: {weight: 0.3}
merge_method: linear
dtype: float32
"""
SLERP = """
models: [{model: BASE}, {model: INSTRUCT}]
merge_method: slerp
base_model: BASE
parameters: {t: 0.3}
"""
TIES = """
models:
  - model: INSTRUCT
    parameters: {weight: 0.7, density: 0.5}
merge_method: ties
base_model: BASE
parameters: {lambda: 0.9, normalize: false}
dtype: float32
"""
WHOLE_SLICE = """
slices:
  - sources:
      - {model: BASE, layer_range: [0, 2]}
      - {model: INSTRUCT, layer_range: [0, 2]}
merge_method: slerp
base_model: BASE
parameters:
  t:
    - {filter: self_attn, value: [0, 0.5, 0.3, 0.7, 1]}
    - {filter: mlp, value: [1, 0.5, 0.7, 0.3, 0]}
    - {value: 0.5}
dtype: bfloat16
"""
FILES = {
    "linear": LINEAR,
    "linear, not normalised": LINEAR + "parameters: {normalize: false}",
    "linear, rounded at the end": LINEAR + "out_dtype: bfloat16",
    "linear, in half precision": LINEAR.replace("float32", "float16"),
    "linear, bfloat16 throughout": LINEAR.replace("float32", "bfloat16"),
    "linear, no dtype": LINEAR.replace("dtype: float32", ""),
    "linear, a weight for both": LINEAR.replace("parameters: {weight: 0.6}", "")
    + "parameters: {weight: 0.5}",
    "linear, a gradient": LINEAR.replace("0.3", "[0.1, 0.9]"),
    "linear, filters": LINEAR.replace("0.3", "[{filter: mlp, value: [0, 1]}, {value: 0.2}]"),
    "linear, the base named": LINEAR + "base_model: BASE",
    "slerp": SLERP,
    "slerp, towards the other end": SLERP.replace("base_model: BASE", "base_model: INSTRUCT"),
    "slerp, a whole slice": WHOLE_SLICE,
    "ties": TIES,
    "ties, both listed": TIES.replace("models:", "models:\n  - model: BASE"),
    "ties, the base last": TIES.replace("merge_method", "  - model: BASE\nmerge_method"),
    "task arithmetic": TIES.replace("ties", "task_arithmetic").replace(", density: 0.5", ""),
    "breadcrumbs": TIES.replace("ties", "breadcrumbs").replace("0.5", "[0.4, 0.9], gamma: 0.05"),
    "dare with nothing dropped": TIES.replace("ties", "dare_ties").replace("0.5", "1.0"),
    "nuslerp": LINEAR.replace("linear", "nuslerp") + "parameters: {nuslerp_row_wise: true}",
    "karcher": SLERP.replace("slerp", "karcher").replace("t: 0.3", "tol: 1e-3"),
}

TWO_LAYERS = SimpleNamespace(config={"num_hidden_layers": 2})  # stands for a checkpoint


def written(text, base, instruct, folder):
    """Write a YAML and return its path; the order keeps a BASE inside a path from being replaced."""
    folder.mkdir(exist_ok=True)
    file = folder / "recipe.yaml"
    content = text.replace("BASE", "{base}").replace("INSTRUCT", "{instruct}")
    file.write_text(content.replace("{base}", str(base)).replace("{instruct}", str(instruct)))
    return file


def refusal_of(file):
    with pytest.raises(RecipeError) as refusal:
        read_recipe(file)
    assert str(refusal.value).startswith(f"recipe={file}")
    return str(refusal.value)


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_every_bit_is_that_of_mergekit_for_the_same_file(base, instruct, tmp_path, text):
    file = written(text, base, instruct, tmp_path)
    expected = run_mergekit(yaml.safe_load(file.read_text()), tmp_path / "merged")
    assert_all_bits_agree(dict(merged_tensors(read_recipe(file))), expected)


def test_each_of_these_files_is_another_merge(base, instruct, tmp_path):
    marks = {}
    for name, text in FILES.items():
        marks[name] = read_recipe(written(text, base, instruct, tmp_path)).fingerprint()
    alike = {"linear, the base named", "ties, both listed", "ties, the base last"}
    assert len(set(marks.values())) == len(FILES) - len(alike)
    assert marks["linear, the base named"] == marks["linear"]
    assert marks["ties, both listed"] == marks["ties, the base last"] == marks["ties"]


def test_a_pair_of_different_dtypes_is_merged_in_the_dtype_that_is_given(instruct, tmp_path):
    wide = tiny_checkpoint(tmp_path / "wide", 1, dtype=torch.float32)
    for dtype in ("float32", "bfloat16"):
        file = written(LINEAR.replace("float32", dtype), wide, instruct, tmp_path)
        expected = run_mergekit(yaml.safe_load(file.read_text()), tmp_path / dtype)
        assert_all_bits_agree(dict(merged_tensors(read_recipe(file))), expected)


def test_the_base_is_base_model_and_else_the_first_model(base, instruct, tmp_path):
    for text in (LINEAR, SLERP, SLERP.replace("{model: BASE}, ", ""), TIES, WHOLE_SLICE):
        recipe = read_recipe(written(text, base, instruct, tmp_path))
        assert (recipe.base, recipe.instruct) == (str(base), str(instruct))
    turned = SLERP.replace("base_model: BASE", "base_model: INSTRUCT")
    recipe = read_recipe(written(turned, base, instruct, tmp_path))
    assert (recipe.base, recipe.instruct) == (str(instruct), str(base))


def test_a_recipe_that_was_read_survives_json(base, instruct, tmp_path):
    recipe = read_recipe(written(WHOLE_SLICE, base, instruct, tmp_path))
    again = type(recipe)(**json.loads(json.dumps(recipe.to_dict())))
    assert again == recipe
    assert again.fingerprint() == recipe.fingerprint()


def test_revisions_are_taken_from_the_models_names(tmp_path):
    recipe = read_recipe(written(TIES, "org/model@early", "org/model@late", tmp_path))
    assert (recipe.base, recipe.instruct) == ("org/model", "org/model")
    assert (recipe.base_revision, recipe.instruct_revision) == ("early", "late")


def test_a_slice_is_measured_at_the_revision_that_is_named(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(Checkpoint, "open", lambda *given: asked.append(given) or TWO_LAYERS)
    recipe = read_recipe(written(WHOLE_SLICE, "org/model@early", "org/model@late", tmp_path))
    assert asked == [("org/model", "early"), ("org/model", "late")]
    assert (recipe.base_revision, recipe.instruct_revision) == ("early", "late")


# --- refusals ------------------------------------------------------------------------------------


def test_a_missing_file_is_refused(tmp_path):
    assert "cannot be read: No such file" in refusal_of(tmp_path / "no.yaml")
    assert "cannot be read: Is a directory" in refusal_of(tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("models: [", "while parsing"),
        ("a: b: c", "mapping values are not allowed here"),
        ("", "valid dictionary"),
        ("- BASE", "valid dictionary"),
        (LINEAR.replace("merge_method: linear", ""), "merge_method Field required"),
        ("merge_method: linear", "Exactly one of 'models', 'slices', or 'modules'"),
        (LINEAR.replace("model: BASE", "path: BASE"), "models.0.model Field required"),
    ],
)
def test_what_is_no_merge_configuration_is_refused_in_one_line(tmp_path, text, reason):
    said = refusal_of(written(text, "b", "i", tmp_path))
    assert "is no merge configuration of mergekit: " in said
    assert reason in said
    assert "\n" not in said


def test_a_file_that_is_no_text_is_refused(tmp_path):
    file = tmp_path / "weights.yaml"
    file.write_bytes(b"\xff\xfe\x00\x81")
    said = refusal_of(file)
    assert "is no merge configuration of mergekit: " in said
    assert "line 1: byte 1 is no UTF-8" in said


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (LINEAR + "out_dtpye: bfloat16", "mergekit knows no field out_dtpye. Leave it out, or see"),
        (
            LINEAR + "tokenizer_source: union",
            "tokenizer_source: union is not supported, as the merge",
        ),
        (LINEAR + "tokenizer: {source: base}", "tokenizer_source: base is not supported"),
        (LINEAR + "tokenizer: {source: BASE, pad_to_multiple_of: 8}", "source alone is supported"),
        (LINEAR + "tokenizer_source: other", "Name the model: b, i."),
        (LINEAR + "chat_template: auto", "chat_template is not supported. Tokens are matched"),
        (
            "merge_method: linear\nmodules: {default: {models: [{model: BASE}]}}",
            "modules is not supported.",
        ),
        (
            SLERP.replace("{model: BASE}", "{model: a}, {model: b}"),
            "slerp requires exactly 2 inputs; got 3",
        ),
        (
            SLERP.replace("base_model: BASE", "base_model: i").replace("BASE", "i"),
            "lists a model twice (i, i). Name each once.",
        ),
        (
            LINEAR.replace("linear", "nuslerp") + "base_model: BASE",
            "nuslerp requires at least 2 non-base inputs; got 1 (b, i; base_model: b). List as many",
        ),
    ],
)
def test_what_is_no_plain_merge_of_models_is_refused(tmp_path, text, sentence, monkeypatch):
    monkeypatch.setattr(Checkpoint, "open", lambda *_: TWO_LAYERS)
    file = written(text, "b", "i", tmp_path)
    assert sentence in refusal_of(file)


@pytest.mark.parametrize(
    "change",
    [
        ("[0, 2]", "[0, 1]"),
        ("{model: BASE, layer_range: [0, 2]}", "{model: BASE, layer_range: [1, 2]}"),
        ("merge_method", "  - sources: [{model: BASE, layer_range: [0, 2]}]\nmerge_method"),
        ("merge_method", "    parameters: {t: 0.5}\nmerge_method"),
        ("merge_method", "    base_model: BASE\nmerge_method"),
    ],
)
def test_slices_that_rearrange_layers_are_refused(base, instruct, tmp_path, change):
    said = refusal_of(written(WHOLE_SLICE.replace(*change), base, instruct, tmp_path))
    assert "slices that rearrange layers are not supported" in said
    assert "Give `models`, or one slice over all layers of all of them." in said


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            SLERP.replace("slerp", "passthrough"),
            "passthrough requires exactly 1 inputs; got 2 (b, i; base_model: b).",
        ),
        (SLERP.replace("slerp", "slurp"), "Did you mean slerp?"),
        (SLERP.replace("{t:", "{tee:"), "slerp has no parameter 'tee'"),
        (TIES.replace("density", "dens"), "recipe.yaml: ties has no parameter 'dens'."),
        (LINEAR.replace("float32", "float64"), "merge_dtype='float64' is not known."),
    ],
)
def test_a_wrong_method_parameter_or_dtype_is_refused_as_in_a_recipe(tmp_path, text, sentence):
    with pytest.raises(RecipeError) as refusal:
        read_recipe(written(text, "b", "i", tmp_path))
    assert sentence in str(refusal.value)


def test_a_weight_that_one_model_lacks_is_refused_before_any_weight_is_read(
    base, instruct, tmp_path
):
    text = LINEAR.replace("parameters: {weight: 0.6}", "")
    recipe = read_recipe(written(text, base, instruct, tmp_path))
    with pytest.raises(RecipeError, match="Missing required parameter weight for base"):
        plan_merge(recipe)


# --- as an argument of the model -----------------------------------------------------------------


def test_the_model_takes_a_file_in_place_of_base_instruct_and_alpha(base, instruct, tmp_path):
    file = written(TIES, base, instruct, tmp_path)
    lm = HindsightMerged(recipe=str(file), backend="hf", device="cpu")
    assert lm.recipe == read_recipe(file)
    assert lm.engine.weights == "streamed"
    merged = dict(merged_tensors(read_recipe(file)))
    loaded = lm.lm.model.state_dict()
    # The file says float32 and transformers loads in the config's bfloat16.
    assert merged.keys() == loaded.keys()
    assert [n for n in merged if not same_bits(merged[n].to(loaded[n].dtype), loaded[n])] == []


@pytest.mark.parametrize(
    "given",
    [{"alpha": 0.5}, {"base": "b"}, {"instruct": "i"}, {"merge_seed": 0}, {"merge_method": "ties"}],
)
def test_the_model_refuses_a_recipes_fields_beside_the_file(base, instruct, tmp_path, given):
    file = str(written(TIES, base, instruct, tmp_path))
    with pytest.raises(RecipeError) as refusal:
        HindsightMerged(recipe=file, backend="hf", **given)
    assert str(refusal.value) == (
        f"recipe={file} says what is merged and how; leave {next(iter(given))} out."
    )


def test_the_content_counts_not_the_files_name(base, instruct, tmp_path):
    moved = copy_of(instruct, tmp_path / "moved")
    one = read_recipe(written(TIES, base, instruct, tmp_path / "one"))
    other = read_recipe(written(TIES, base, moved, tmp_path / "other"))
    assert one.fingerprint() == other.fingerprint()


# --- what mergekit does with methods, parameters and dtypes of its own ----------------------------

FUSION = """
models: [{model: BASE}, {model: INSTRUCT}]
merge_method: arcee_fusion
base_model: BASE
"""
RAMPLUS = FUSION.replace("arcee_fusion", "ramplus_tl")
DELLA = """
models:
  - model: INSTRUCT
    parameters: {weight: 1, density: 0.5, epsilon: 0.2}
merge_method: della
base_model: BASE
"""


@pytest.mark.parametrize("text", [FUSION, RAMPLUS, FUSION.replace("arcee_fusion", "ram")])
@pytest.mark.parametrize(
    "dtypes",
    [
        "",
        "dtype: bfloat16",
        "dtype: float16",
        "dtype: bfloat16\nout_dtype: bfloat16",
        "dtype: bfloat16\nout_dtype: float16",
        "dtype: float32",
        "out_dtype: bfloat16",
    ],
)
def test_a_merge_has_the_dtype_that_mergekit_leaves_it_in(base, instruct, tmp_path, text, dtypes):
    file = written(text + dtypes, base, instruct, tmp_path)
    expected = run_mergekit(yaml.safe_load(file.read_text()), tmp_path / "theirs")
    recipe = read_recipe(file)
    assert_all_bits_agree(dict(merged_tensors(recipe)), expected)
    surprising = "arcee_fusion" in text or "ramplus_tl" in text
    noted = any("leaves float32 as in mergekit" in note for note in recipe.notes)
    assert noted == (surprising and "out_dtype" not in dtypes and "float32" not in dtypes)


def test_a_written_merge_says_the_dtype_that_it_has(base, instruct, tmp_path):
    recipe = read_recipe(written(FUSION, base, instruct, tmp_path))
    folder = write_checkpoint(recipe, plan_merge(recipe), tmp_path / "out")
    config = json.loads((folder / "config.json").read_text())
    assert config.get("dtype", config.get("torch_dtype")) == "float32"


@pytest.mark.parametrize("method", ["slerp", "nearswap", "arcee_fusion", "sce", "ties", "della"])
def test_a_file_without_a_base_model_is_refused_where_mergekit_refuses_it(
    base, instruct, tmp_path, method
):
    text = f"""
models:
  - model: BASE
    parameters: {{weight: 0.4}}
  - model: INSTRUCT
    parameters: {{weight: 0.6}}
merge_method: {method}
parameters: {{t: 0.5}}
dtype: float32
"""
    file = written(text, base, instruct, tmp_path)
    with pytest.raises(ValueError, match="base"):
        run_mergekit(yaml.safe_load(file.read_text()), tmp_path / "theirs")
    said = refusal_of(file)
    assert f"{method} needs a base_model" in said
    assert f"base_model: {base}" in said
    assert "merge_params" not in said


@pytest.mark.parametrize(
    "change",
    [
        {"epsilon": "0.5"},
        {"epsilon": "0.7"},
        {"density": "0.9"},
        {"density": "[0.5, 0.9]"},  # out of range in the last layers alone
    ],
)
@pytest.mark.parametrize("method", ["della", "della_linear"])
@pytest.mark.usefixtures("no_weights")
def test_a_range_that_mergekit_finds_while_it_merges_is_a_sentence_before_any_weight_is_read(
    base, instruct, tmp_path, method, change
):
    ((name, value),) = change.items()
    old = {"epsilon": "epsilon: 0.2", "density": "density: 0.5"}[name]
    text = DELLA.replace(": della\n", f": {method}\n").replace(old, f"{name}: {value}")
    recipe = read_recipe(written(text, base, instruct, tmp_path))
    with pytest.raises(RecipeError, match=r"density .* epsilon is in") as refusal:
        plan_merge(recipe)
    assert "merge_params" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (
            SLERP.replace("{model: BASE}", "{model: BASE, parameters: {weight: 0.3}}"),
            "weight (BASE)",
        ),
        (
            FUSION.replace("{model: INSTRUCT}", "{model: INSTRUCT, parameters: {weight: 1}}"),
            "weight",
        ),
        (
            SLERP.replace("slerp", "nearswap").replace(
                "{model: INSTRUCT}", "{model: INSTRUCT, parameters: {weight: 1}}"
            ),
            "weight (INSTRUCT)",
        ),
        (SLERP.replace("{t: 0.3}", "{t: 0.3, density: 0.5}"), "density (parameters)"),
        (TIES.replace("density: 0.5}", "density: 0.5, normalize: true}"), "normalize (INSTRUCT)"),
        (RAMPLUS.replace("{model: BASE}", "{model: BASE, parameters: {r: 0.3}}"), "r (BASE)"),
    ],
)
def test_a_parameter_that_mergekit_passes_over_has_no_effect_and_a_remark(
    base, instruct, tmp_path, text, note
):
    file = written(text, base, instruct, tmp_path)
    recipe = read_recipe(file)
    note = note.replace("BASE", str(base)).replace("INSTRUCT", str(instruct))
    assert any(
        note in remark and "has no effect" in remark for remark in plan_merge(recipe).remarks
    )
    expected = run_mergekit(yaml.safe_load(file.read_text()), tmp_path / "theirs")
    assert_all_bits_agree(dict(merged_tensors(recipe)), expected)


@pytest.mark.parametrize(
    "text",
    [
        LINEAR.replace("weight: 0.3", "wieght: 0.3"),
        LINEAR.replace("parameters: {weight: 0.3}", ""),
        LINEAR.replace("parameters: {weight: 0.3}", "").replace("parameters: {weight: 0.6}", ""),
        SLERP.replace("{t: 0.3}", "{}"),
        TIES.replace("weight: 0.7, ", ""),
        TIES.replace("density", "dens"),
        DELLA.replace("0.2", "0.9"),
        TIES.replace("0.5", "[0.5, much]"),
        TIES.replace("0.5", "{filter: mlp}"),
    ],
)
def test_no_message_on_a_file_speaks_of_arguments(base, instruct, tmp_path, text):
    with pytest.raises(RecipeError) as refusal:
        plan_merge(read_recipe(written(text, base, instruct, tmp_path)))
    assert "merge_params" not in str(refusal.value)
    assert "alpha" not in str(refusal.value)


@pytest.mark.parametrize("method", ["linear", "task_arithmetic", "dare_linear", "ties"])
@pytest.mark.parametrize(
    "weight", [".nan", "-.inf", "1e999", "1.0e+39", "1.0e+308", "'nan'", "[0.1, .nan, 9]"]
)
@pytest.mark.usefixtures("no_weights")
def test_a_weight_that_leaves_no_number_is_refused_before_any_weight_is_read(
    base, instruct, tmp_path, method, weight
):
    text = f"""
models: [{{model: BASE}}, {{model: INSTRUCT}}]
base_model: BASE
merge_method: {method}
parameters: {{weight: {weight}}}
dtype: float32
"""
    with pytest.raises(RecipeError, match=r"Give (a finite number|smaller ones)"):
        plan_merge(read_recipe(written(text, base, instruct, tmp_path)))
