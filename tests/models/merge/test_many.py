"""A YAML of any number of models streams the bits that mergekit writes for that very file.

BASE, SFT, DPO and LAST are tiny checkpoints of one family whose shards are split in different places.
"""

import json

import pytest
import torch
import yaml
from mergekit.merge_methods import merge_tensors

from hm_models.checkpoints.checkpoint import Checkpoint, CheckpointError
from hm_models.errors import RecipeError
from hm_models.merge.arithmetic import tensor_seed
from hm_models.merge.card import Evaluation
from hm_models.merge.many import ManyRecipe, MergedModel
from hm_models.merge.mergekit_yaml import read_recipe
from hm_models.merge.methods import all_methods
from hm_models.merge.plan import plan_merge
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.stream import merged_tensors
from hm_models.merge.take_home import TakeHome
from tests.models.adapters import adapter_of, merged_by_peft
from tests.models.merge.by_mergekit import assert_all_bits_agree, run_mergekit
from tests.models.tiny import (
    TOKENS,
    copy_of,
    edit_config,
    edit_tensors,
    read_tensors,
    same_bits,
    tiny_checkpoint,
)

SOUP = """
merge_method: linear
models:
  - {model: BASE, parameters: {weight: 0.2}}
  - {model: SFT, parameters: {weight: 0.3}}
  - {model: DPO, parameters: {weight: 0.9}}
dtype: float32
out_dtype: bfloat16
"""
SOUP_OF_FOUR = SOUP.replace(
    "dtype: f", "  - {model: LAST, parameters: {weight: -0.1}}\ndtype: f", 1
)
TASKS = """
merge_method: task_arithmetic
base_model: BASE
models:
  - {model: SFT, parameters: {weight: [0.2, 0.9]}}
  - {model: DPO, parameters: {weight: [{filter: mlp, value: [0, 1]}, {filter: norm, value: 0.1}, {value: 0.4}]}}
parameters: {lambda: 0.8}
dtype: float32
out_dtype: bfloat16
"""
# Per model: a gradient, filters, and what `parameters` says of all.
DENSITIES = TASKS.replace("weight: [0.2, 0.9]", "weight: 0.7, density: [0.3, 0.8]").replace(
    "{lambda: 0.8}",
    "{lambda: [0.5, 1.1], density: [{filter: self_attn, value: 0.4}, {value: 0.6}]}",
)
FAMILY = """
base_model: BASE
models: [{model: SFT}, {model: DPO}, {model: LAST}]
dtype: float32
out_dtype: bfloat16
"""
LONE = "models: [{model: SFT}]\ndtype: float32\nout_dtype: float16\n"


def of(text, method, parameters=""):
    """The text with another method, and what it is told of all."""
    lines = [
        line for line in text.splitlines() if not line.startswith(("merge_method", "parameters"))
    ]
    return "\n".join([f"merge_method: {method}", *lines, f"parameters: {{{parameters}}}", ""])


FILES = {
    "linear": SOUP,
    "linear, of four, one of them away": SOUP_OF_FOUR,
    "linear, not normalised": SOUP + "parameters: {normalize: false}",
    "linear, a weight for all": of(FAMILY.replace("base_model: BASE\n", ""), "linear", "weight: 1"),
    "linear, gradients and filters": SOUP.replace("0.2", "[0.1, 0.9]").replace(
        "0.9}", "[{filter: mlp, value: [0, 1]}, {value: 0.2}]}"
    ),
    "linear, in half precision": SOUP.replace("float32", "float16"),
    "linear, bfloat16 throughout": SOUP.replace("float32", "bfloat16"),
    "linear, float32 written": SOUP.replace("out_dtype: bfloat16", ""),
    "linear, no dtype": SOUP.replace("dtype: float32", "").replace("out_dtype: bfloat16", ""),
    "linear, base_model is one more": of(FAMILY, "linear", "weight: 0.3"),
    "linear, base_model second of two": of(
        FAMILY.replace(", {model: DPO}, {model: LAST}", ", {model: BASE}"), "linear", "weight: 0.3"
    ),
    "linear, of one": of(LONE, "linear", "weight: 3"),
    "passthrough, of one": of(
        LONE, "passthrough", "scale: [{filter: mlp, value: 0.5}, {value: 1}]"
    ),
    "task arithmetic": TASKS,
    "task arithmetic, of the base alone": of(LONE, "task_arithmetic", "weight: 1")
    + "base_model: SFT",
    "task arithmetic, base first": TASKS.replace("models:", "models:\n  - {model: BASE}"),
    "task arithmetic, base between": TASKS.replace(
        "  - {model: DPO", "  - {model: BASE}\n  - {model: DPO"
    ),
    "task arithmetic, bfloat16": TASKS.replace("float32", "bfloat16"),
    "ties": of(DENSITIES, "ties", "density: [{filter: mlp, value: 0.4}, {value: 0.6}]"),
    "ties, float16, not normalised": of(DENSITIES, "ties", "normalize: false").replace(
        "float32", "float16"
    ),
    "breadcrumbs": of(DENSITIES, "breadcrumbs", "gamma: 0.05, density: 0.6"),
    "breadcrumbs_ties": of(DENSITIES, "breadcrumbs_ties", "gamma: [0.02, 0.1]"),
    "dare_ties with nothing dropped": of(TASKS, "dare_ties"),
    "dare_linear with nothing dropped": of(TASKS, "dare_linear", "lambda: 0.5"),
    "della with nothing dropped": of(TASKS, "della", "density: 1.0, epsilon: 0.0"),
    "model_stock": of(FAMILY, "model_stock"),
    "model_stock, by rows": of(FAMILY, "model_stock", "filter_wise: true"),
    "karcher": of(SOUP, "karcher", "max_iter: 4"),
    "multislerp": of(SOUP, "multislerp"),
    "multislerp from a base": of(FAMILY, "multislerp", "weight: [0.2, 0.8]"),
    "nuslerp from a base": of(TASKS, "nuslerp", "nuslerp_flatten: false"),
    "sce": of(FAMILY, "sce", "select_topk: [0.3, 0.7]"),
    "ram": of(FAMILY, "ram", "epsilon: 0.01"),
    "ramplus_tl": of(FAMILY, "ramplus_tl", "epsilon: 0.01, r: 0.3, alpha: 0.4"),
}
RANDOM = {
    "dare_linear": {"density": 0.5},
    "dare_ties": {"density": 0.5},
    "della": {"density": 0.5, "epsilon": 0.2},
    "della_linear": {"density": 0.5, "epsilon": 0.2},
}
# Their contracts take two models alone, or were given one.
FOR_TWO = {"slerp", "nearswap", "arcee_fusion"}


@pytest.fixture(scope="session")
def family(made_once, tiny_pair):
    """The folders by what the files above call them; do not change them."""

    def make(folder):
        tiny_checkpoint(folder / "sft", 3, shard_size="17KB")
        tiny_checkpoint(folder / "last", 4)

    folder = made_once("tiny_family", make)
    places = {"BASE": tiny_pair / "base", "DPO": tiny_pair / "instruct"}
    return places | {"SFT": folder / "sft", "LAST": folder / "last"}


def written(text, family, folder):
    """Write a YAML and return its path."""
    names = {name: f"<{name}>" for name in family}
    for known in (names, {mark: str(family[name]) for name, mark in names.items()}):
        for name, value in known.items():
            text = text.replace(name, value)
    folder.mkdir(exist_ok=True)
    file = folder / "recipe.yaml"
    file.write_text(text)
    return file


def merge_of(file):
    return dict(merged_tensors(read_recipe(file)))


# --- the bits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_every_bit_is_that_of_mergekit_for_the_same_file(family, tmp_path, text):
    file = written(text, family, tmp_path)
    recipe = read_recipe(file)
    assert isinstance(recipe, ManyRecipe)
    expected = run_mergekit(yaml.safe_load(file.read_text()), tmp_path / "merged")
    assert_all_bits_agree(dict(merged_tensors(recipe)), expected)


def test_every_method_that_takes_other_than_two_models_is_covered_here():
    covered = {yaml.safe_load(text)["merge_method"] for text in FILES.values()}
    assert covered | RANDOM.keys() | FOR_TWO == all_methods()


def test_each_of_these_files_is_another_merge(family, tmp_path):
    marks = [read_recipe(written(text, family, tmp_path)).fingerprint() for text in FILES.values()]
    assert len(set(marks)) == len(marks)


@pytest.mark.parametrize("method", RANDOM)
def test_random_methods_are_mergekits_under_a_seed_for_each_tensor(family, tmp_path, method):
    told = ", ".join(f"{name}: {value}" for name, value in RANDOM[method].items())
    file = written(of(FAMILY, method, f"weight: 0.4, {told}"), family, tmp_path)
    tensors = [read_tensors(family[name]) for name in ("SFT", "DPO", "LAST", "BASE")]
    merged = merge_of(file)
    for name, tensor in merged.items():
        torch.manual_seed(tensor_seed(0, name))
        expected = merge_tensors(
            [model[name] for model in tensors],
            method,
            parameters={"weight": 0.4} | RANDOM[method],
            base_index=3,
            dtype=torch.float32,
            out_dtype=torch.bfloat16,
        )
        assert same_bits(tensor, expected), name
    assert_all_bits_agree(merge_of(file), merged)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_models_of_three_dtypes_are_merged_in_the_one_that_is_given(family, tmp_path, dtype):
    wide = tiny_checkpoint(tmp_path / "wide", 5, dtype=torch.float32)
    half = tiny_checkpoint(tmp_path / "half", 6, dtype=torch.float16)
    mixed = family | {"BASE": wide, "DPO": half}
    for text in (SOUP, TASKS):
        file = written(text.replace("float32", dtype), mixed, tmp_path)
        expected = run_mergekit(yaml.safe_load(file.read_text()), tmp_path / str(len(text)))
        assert_all_bits_agree(merge_of(file), expected)
    (remark,) = plan_merge(read_recipe(written(SOUP, mixed, tmp_path))).remarks
    assert remark.startswith(
        f"dtypes are mixed ({wide} with {family['SFT']} with {half}: F32 with BF16"
    )
    assert remark.endswith(f"those of {half} are kept")


def test_the_sum_follows_the_order_of_the_list(family, tmp_path):
    head, *listed = SOUP.split("  - ")
    last, tail = listed.pop().split("\n", 1)
    turned = "  - ".join([head, f"{last}\n", *reversed(listed)]) + tail
    one, other = (read_recipe(written(text, family, tmp_path)) for text in (SOUP, turned))
    assert one.names == tuple(reversed(other.names))
    assert {model.name: model.params for model in one.models} == {
        model.name: model.params for model in other.models
    }
    assert one.fingerprint() != other.fingerprint()


def test_tied_heads_are_mergekits(tmp_path):
    tied = {
        name: tiny_checkpoint(tmp_path / name, seed, tied=True, architecture="qwen2")
        for seed, name in enumerate(("BASE", "SFT", "DPO", "LAST"))
    }
    for text in (SOUP, TASKS):
        file = written(text, tied, tmp_path)
        expected = run_mergekit(yaml.safe_load(file.read_text()), tmp_path / str(len(text)))
        assert_all_bits_agree(merge_of(file), expected)


def test_one_model_with_a_head_of_its_own_gives_the_merge_one(family, tmp_path):
    tied = tiny_checkpoint(tmp_path / "tied", 7, tied=True)
    assert "lm_head.weight" not in read_tensors(tied)
    recipe = read_recipe(written(SOUP, family | {"DPO": tied}, tmp_path))
    plan = plan_merge(recipe)
    assert plan.overrides(recipe) == {"tie_word_embeddings": False}
    head = dict(merged_tensors(recipe, plan))["lm_head.weight"]
    heads = [read_tensors(family[name])["lm_head.weight"] for name in ("BASE", "SFT")]
    heads.append(read_tensors(tied)["model.embed_tokens.weight"])
    expected = sum(w * t.double() for w, t in zip((0.2, 0.3, 0.9), heads, strict=True)) / 1.4
    torch.testing.assert_close(head.double(), expected, rtol=2**-8, atol=1e-6)


@pytest.mark.parametrize("text", [SOUP_OF_FOUR, TASKS, FILES["multislerp from a base"]])
def test_a_merge_that_is_taken_home_comes_with_the_file_that_makes_it_again(family, tmp_path, text):
    recipe = read_recipe(written(text, family, tmp_path))
    TakeHome.of(recipe, tmp_path / "home").write(Evaluation(), quiet=True)
    merged = dict(merged_tensors(recipe))
    assert_all_bits_agree(read_tensors(tmp_path / "home"), merged)
    file = tmp_path / "home" / "mergekit_config.yml"
    assert "not give the same bits" not in file.read_text()
    expected = run_mergekit(yaml.safe_load(file.read_text()), tmp_path / "again")
    assert_all_bits_agree(merged, expected)
    assert_all_bits_agree(merge_of(file), expected)
    card = (tmp_path / "home" / "README.md").read_text()
    assert all(f"- {checkpoint.name}\n" in card for checkpoint in recipe.checkpoints)
    assert "hm-merge --recipe mergekit_config.yml --output_path OUT" in card
    for model in recipe.models:
        own = ", ".join(f"{name}={value}" for name, value in model.params.items())
        base = "base" if model.name == recipe.base_model else ""
        assert f"| {base or own} | {model.name} |" in card.replace("\\", "")


# --- which of them the merge is like -------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "lead"),
    [
        (SOUP, "DPO"),
        (SOUP + "base_model: DPO", "SFT"),
        (TASKS, "DPO"),
        (of(FAMILY, "sce"), "LAST"),
        (FAMILY.replace("{model: SFT}", "{model: BASE}") + "merge_method: sce", "LAST"),
        (TASKS + "tokenizer_source: base", "BASE"),
        (TASKS + "tokenizer_source: SFT", "SFT"),
        (TASKS + "tokenizer: {source: SFT}", "SFT"),
        (of(LONE, "linear", "weight: 1"), "SFT"),
    ],
)
def test_the_merge_is_like_the_last_that_is_no_base_unless_another_is_named(
    family, tmp_path, text, lead
):
    recipe = read_recipe(written(text, family, tmp_path))
    assert recipe.tokenizer_source.folder == family[lead]
    tensors = Checkpoint.open(str(family[lead])).tensors
    in_files = sorted(tensors, key=lambda name: (tensors[name].file.name, tensors[name].offset))
    assert [name for name, _ in merged_tensors(recipe)] == in_files


def test_of_two_models_too_the_tokenizer_may_be_the_bases(base, instruct, tmp_path):
    text = TASKS.replace("- {model: SFT, parameters: {weight: [0.2, 0.9]}}", "")
    pair = {"BASE": base, "DPO": instruct}
    plain = read_recipe(written(text, pair, tmp_path))
    named = read_recipe(written(text + "tokenizer_source: DPO", pair, tmp_path))
    turned = read_recipe(written(text + "tokenizer_source: BASE", pair, tmp_path))
    assert isinstance(plain, MergeRecipe)
    assert named == plain
    assert turned.tokenizer_source.folder == base
    assert_all_bits_agree(dict(merged_tensors(turned)), dict(merged_tensors(plain)))


def test_tokens_are_matched_to_the_rows_of_the_tokenizer_source(family, tmp_path):
    added = ("<tool>", *TOKENS)  # every token one row further down
    sft = tiny_checkpoint(tmp_path / "sft", 8, tokens=added)
    dpo = tiny_checkpoint(tmp_path / "dpo", 9, tokens=added, rows=88)
    models = {"BASE": family["BASE"], "SFT": sft, "DPO": dpo}
    recipe = read_recipe(written(SOUP, models, tmp_path))
    plan = plan_merge(recipe)
    merged = dict(merged_tensors(recipe, plan))["lm_head.weight"]
    heads = {name: read_tensors(folder)["lm_head.weight"] for name, folder in models.items()}
    assert same_bits(merged[0], heads["DPO"][0])  # BASE has no <tool>
    assert same_bits(merged[81:], heads["DPO"][81:])  # the others have no such rows
    parts = heads["BASE"], heads["SFT"][1:], heads["DPO"][1:81]
    expected = sum(w * t.double() for w, t in zip((0.2, 0.3, 0.9), parts, strict=True)) / 1.4
    torch.testing.assert_close(merged[1:81].double(), expected, rtol=2**-8, atol=1e-6)
    ours, theirs = plan.remarks
    assert f"1 tokens only in {dpo} keep its rows" in ours
    assert f"rows: 81 in {sft}, 88 in {dpo}" in theirs


def test_one_of_them_may_be_an_adapter_which_is_added_to_its_own_base(family, tmp_path):
    adapter = adapter_of(family["SFT"], tmp_path / "adapter")
    merged = copy_of(family["LAST"], tmp_path / "merged")
    edit_tensors(merged, lambda tensors: tensors.update(merged_by_peft(family["SFT"], adapter)))
    for text in (SOUP, TASKS):
        found = [
            merge_of(written(text, family | {"DPO": folder}, tmp_path))
            for folder in (adapter, f"{family['SFT']}+{adapter}", merged)
        ]
        assert_all_bits_agree(found[0], found[2])
        assert_all_bits_agree(found[1], found[2])


def test_a_pair_of_a_base_and_its_adapter_is_the_pair_as_arguments_name_it(family, tmp_path):
    adapter = adapter_of(family["SFT"], tmp_path / "adapter")
    named = {"BASE": family["SFT"], "TUNED": f"{family['SFT']}+{adapter}"}
    text = TASKS.replace("- {model: SFT, parameters: {weight: [0.2, 0.9]}}", "")
    pair = read_recipe(written(text.replace("DPO", "TUNED"), named, tmp_path))
    assert isinstance(pair, MergeRecipe)
    assert (pair.base, pair.instruct) == (str(family["SFT"]), str(adapter))
    named["BASE"] = family["BASE"]  # another base than the adapter's
    many = read_recipe(written(text.replace("DPO", "TUNED"), named, tmp_path))
    assert isinstance(many, ManyRecipe)
    assert many.models[0].base == str(family["SFT"])
    TakeHome.of(many, tmp_path / "home").write(Evaluation(), quiet=True)
    again = merge_of(tmp_path / "home" / "mergekit_config.yml")
    assert_all_bits_agree(again, dict(merged_tensors(many)))


def test_what_is_added_to_a_base_must_be_an_adapter(family, tmp_path):
    named = family | {"SFT": f"{family['SFT']}+{family['LAST']}"}
    with pytest.raises(CheckpointError, match="is a checkpoint of its own, and no adapter of"):
        plan_merge(read_recipe(written(SOUP, named, tmp_path)))


@pytest.mark.parametrize("without", ["BASE", "SFT", "DPO"])
def test_what_one_model_lacks_and_no_merge_needs_is_left_out_of_all(family, tmp_path, without):
    models = {name: copy_of(family["LAST"], tmp_path / name) for name in ("BASE", "SFT", "DPO")}
    plain = merge_of(written(SOUP, models, tmp_path))
    for name in models.keys() - {without}:
        edit_tensors(
            models[name], lambda tensors: tensors.update({"mtp.fc.weight": torch.ones(4, 4)})
        )
    recipe = read_recipe(written(SOUP, models, tmp_path))
    plan = plan_merge(recipe)
    assert_all_bits_agree(dict(merged_tensors(recipe, plan)), plain)
    left = [remark for remark in plan.remarks if "left out (mtp)" in remark]
    assert len(left) == 2


# --- what a recipe is ----------------------------------------------------------------------------


def test_a_recipe_that_was_read_survives_json(family, tmp_path):
    recipe = read_recipe(written(TASKS, family, tmp_path))
    again = ManyRecipe(**json.loads(json.dumps(recipe.to_dict())))
    assert again == recipe
    assert again.fingerprint() == recipe.fingerprint()


def test_the_content_of_every_model_counts_and_not_its_name(family, tmp_path):
    mark = read_recipe(written(TASKS, family, tmp_path)).fingerprint()
    for name in ("BASE", "SFT", "DPO"):
        moved = copy_of(family[name], tmp_path / name)
        file = written(TASKS, family | {name: moved}, tmp_path)
        assert read_recipe(file).fingerprint() == mark
        edit_config(moved, rope_theta=5e5)
        assert read_recipe(file).fingerprint() != mark


def test_revisions_are_taken_from_the_models_names(tmp_path):
    names = {"BASE": "org/run@step1", "SFT": "org/run@step2", "DPO": "org/run"}
    recipe = read_recipe(written(TASKS, names, tmp_path))
    assert recipe.models == (
        MergedModel("org/run", "step2", {"weight": [0.2, 0.9]}),
        MergedModel("org/run", None, recipe.models[1].params),
        MergedModel("org/run", "step1"),
    )
    assert recipe.base_model == "org/run@step1"


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (SOUP.replace("SFT", "BASE"), "it lists a model twice (b, b, d). Name each once."),
        (
            of(FAMILY, "slerp", "t: 0.5"),
            "slerp requires exactly 2 inputs; got 4 (s, d, l; base_model: b).",
        ),
        (
            of(SOUP, "nuslerp"),
            "nuslerp requires exactly 2 non-base inputs; got 3 (b, s, d). List as",
        ),
        (
            of(LONE, "slerp", "t: 0.5") + "base_model: SFT",
            "slerp requires at least 2 inputs; got 1 (s;",
        ),
        (
            of(LONE, "model_stock") + "base_model: BASE",
            "at least 3 inputs; got 2 (s; base_model: b). List",
        ),
        (of(LONE, "ties", "weight: 1"), "ties needs a base_model"),
        (
            SOUP.replace("linear", "lineal"),
            "merge_method='lineal' is not known. Did you mean linear?",
        ),
        (
            SOUP.replace("weight: 0.3", "wieght: 0.3"),
            "no parameter 'wieght'. It has: normalize, weight.",
        ),
        (SOUP.replace("float32", "float64"), "dtype: float64 is not known. Known: float32,"),
        (SOUP.replace("0.3", ".nan"), "The parameter weight is nan"),
        (SOUP.replace("0.3", "'1e999'"), "The parameter weight is inf"),
        (
            TASKS + "tokenizer_source: union",
            "tokenizer_source: union is not supported, as the merge",
        ),
        (TASKS + "tokenizer_source: other", "Name the model: s, d, b."),
        (SOUP + "tokenizer_source: base", "tokenizer_source: base is not supported"),
        (
            TASKS + "tokenizer: {source: SFT, tokens: {<x>: {source: SFT}}}",
            "source alone is supported",
        ),
        (TASKS + "chat_template: auto", "chat_template is not supported."),
    ],
)
def test_what_mergekit_or_we_refuse_is_a_sentence_of_the_yamls_words(tmp_path, text, sentence):
    file = written(text, {"BASE": "b", "SFT": "s", "DPO": "d", "LAST": "l"}, tmp_path)
    with pytest.raises(RecipeError) as refusal:
        read_recipe(file)
    said = str(refusal.value)
    assert said.startswith(f"recipe={file}: ")
    assert sentence in said
    assert "merge_params" not in said
    assert "alpha" not in said


@pytest.mark.usefixtures("no_weights")
def test_models_that_do_not_fit_are_refused_by_name_before_any_weight_is_read(family, tmp_path):
    def refusal(name, folder, text=SOUP):
        with pytest.raises(RecipeError) as said:
            plan_merge(read_recipe(written(text, family | {name: folder}, tmp_path)))
        return str(said.value)

    wide = tiny_checkpoint(tmp_path / "wide", 2, hidden_size=64)
    assert f"{wide} and {family['DPO']} cannot be merged" in refusal("SFT", wide)
    other = tiny_checkpoint(tmp_path / "qwen", 2, architecture="qwen2")
    assert "model_type is 'qwen2' in the former's config.json" in refusal("BASE", other)
    less = copy_of(family["LAST"], tmp_path / "less")
    edit_tensors(less, lambda tensors: tensors.pop("model.norm.weight"))
    assert f"of {family['DPO']} have no counterpart in {less}" in refusal("SFT", less)
    with pytest.raises(CheckpointError, match="missing is no checkpoint: there is no such folder"):
        refusal("SFT", tmp_path / "missing")
    lacking = SOUP.replace("{model: SFT, parameters: {weight: 0.3}}", "{model: SFT}")
    said = refusal("SFT", family["SFT"], lacking)
    assert f"Missing required parameter weight for {family['SFT']}" in said


def test_whole_numbers_that_differ_in_one_model_are_refused(family, tmp_path):
    counted = {name: copy_of(family["LAST"], tmp_path / name) for name in ("BASE", "SFT", "DPO")}
    for count, folder in enumerate(counted.values()):
        edit_tensors(folder, lambda t, c=count: t.update(steps=torch.tensor([c // 2])))
    with pytest.raises(RecipeError, match=r"The buffer steps \(torch.int64\) differs between"):
        merge_of(written(SOUP, counted, tmp_path))


def test_there_is_no_alpha_to_go_to(family, tmp_path):
    recipe = read_recipe(written(SOUP, family, tmp_path))
    assert recipe.alpha is None
    with pytest.raises(
        RecipeError, match=r"alpha=0.5: recipe.yaml merges 3 models by weights of its own"
    ):
        recipe.with_alpha(0.5)
