"""Every method of mergekit for two models streams mergekit's bits, and refuses wrong parameters.

The reference is `run_merge`; for methods that draw at random, whose draws there depend on the order of
the tensors, it is `merge_tensors` under the same seed.
"""

import pytest
import torch
from mergekit.merge_methods import merge_tensors

from hm_models.merge.arithmetic import tensor_seed
from hm_models.merge.methods import two_model_methods
from hm_models.merge.plan import plan_merge
from hm_models.merge.recipe import MergeRecipe, RecipeError
from hm_models.merge.stream import merged_tensors
from tests.models.merge.by_mergekit import assert_all_bits_agree, configuration, run_mergekit
from tests.models.tiny import read_tensors, same_bits, tiny_checkpoint

ALPHA = 0.3
# What each method is given beside alpha, so that it does what sets it apart.
WEIGHTED = {"linear": {}, "multislerp": {}, "nuslerp": {"nuslerp_flatten": False}}
INTERPOLATING = {"slerp": {}}
TASK_VECTORS = {
    "breadcrumbs": {"density": 0.7, "gamma": 0.1},
    "breadcrumbs_ties": {"density": 0.7, "gamma": 0.1},
    "task_arithmetic": {},
    "ties": {"density": 0.5},
}
RANDOM = {
    "dare_linear": {"density": 0.5},
    "dare_ties": {"density": 0.5, "rescale": False},
    "della": {"density": 0.5, "epsilon": 0.2},
    "della_linear": {"density": 0.5, "epsilon": 0.2},
}
IDLE = {
    "arcee_fusion": {},
    "karcher": {"max_iter": 3},
    "nearswap": {"t": 0.2},
    "ram": {"epsilon": 0.2},
    "ramplus_tl": {"epsilon": 0.2, "r": 0.3, "alpha": 0.4},
    "sce": {"select_topk": 0.5},
}
FIXED = WEIGHTED | INTERPOLATING | TASK_VECTORS | IDLE


def recipe_of(base, instruct, method, alpha=ALPHA, **fields):
    names = {"base": str(base), "instruct": str(instruct), "alpha": alpha}
    return MergeRecipe(**names, merge_method=method, **fields)


def merge_of(base, instruct, method, alpha=ALPHA, **fields):
    return dict(merged_tensors(recipe_of(base, instruct, method, alpha, **fields)))


def as_mergekit_says_alpha(method, alpha, params):
    if method in WEIGHTED:
        weights = {"ours": {"weight": 1.0 - alpha}, "theirs": {"weight": alpha}}
        return weights | {"both": params}
    if method in INTERPOLATING:
        return {"both": {"t": alpha} | params}
    if method in IDLE:
        return {"both": params}
    return {"theirs": {"weight": 1.0}, "both": {"lambda": alpha} | params}


def differing(one, other):
    return [name for name in one if not same_bits(one[name], other[name])]


# --- the bits ----------------------------------------------------------------------------------


def test_every_method_is_covered_here():
    assert two_model_methods() == FIXED.keys() | RANDOM.keys()


@pytest.mark.parametrize("method", FIXED)
def test_every_bit_is_that_of_mergekit(base, instruct, tmp_path, method):
    given = as_mergekit_says_alpha(method, ALPHA, FIXED[method])
    expected = run_mergekit(configuration(base, instruct, method, **given), tmp_path / "merged")
    merged = merge_of(base, instruct, method, merge_params=FIXED[method])
    assert_all_bits_agree(merged, expected)
    # `sce` chooses among several fine-tunes by their variance, and one has none.
    assert bool(differing(merged, read_tensors(base))) == (method != "sce")
    assert differing(merged, read_tensors(instruct))


@pytest.mark.parametrize("method", ["dare_linear", "dare_ties"])
def test_every_bit_is_that_of_mergekit_where_no_weight_is_dropped(base, instruct, tmp_path, method):
    given = as_mergekit_says_alpha(method, ALPHA, {})
    expected = run_mergekit(configuration(base, instruct, method, **given), tmp_path / "merged")
    assert_all_bits_agree(merge_of(base, instruct, method), expected)


@pytest.mark.parametrize("method", RANDOM)
def test_random_methods_are_mergekits_under_a_seed_for_each_tensor(base, instruct, method):
    ours, theirs = read_tensors(base), read_tensors(instruct)
    expected = {}
    for name in theirs:
        torch.manual_seed(tensor_seed(5, name))
        expected[name] = merge_tensors(
            [ours[name], theirs[name]],
            method,
            parameters={"lambda": ALPHA, "weight": 1.0} | RANDOM[method],
            base_index=0,
            dtype=torch.float32,
            out_dtype=torch.bfloat16,
        )
    merged = merge_of(base, instruct, method, merge_seed=5, merge_params=RANDOM[method])
    assert_all_bits_agree(merged, expected)


# --- chance ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", RANDOM)
def test_one_seed_repeats_the_merge_and_another_changes_it(base, instruct, method):
    def merge(seed):
        torch.manual_seed(torch.seed())  # what was drawn before must not matter
        fields = {"merge_seed": seed, "merge_params": RANDOM[method]}
        recipe = recipe_of(base, instruct, method, **fields)
        return dict(merged_tensors(recipe)), recipe.fingerprint()

    (one, mark), (again, same_mark), (other, other_mark) = merge(1), merge(1), merge(2)
    assert_all_bits_agree(one, again)
    assert mark == same_mark
    assert differing(one, other) == list(one)
    assert mark != other_mark


def test_the_order_of_the_files_does_not_change_what_is_drawn(base, instruct, tmp_path):
    reordered = tiny_checkpoint(tmp_path / "instruct", 2)
    one, other = (
        merge_of(base, side, "dare_ties", merge_params={"density": 0.5})
        for side in (instruct, reordered)
    )
    assert list(one) != list(other)
    assert_all_bits_agree(one, other)


def test_two_tensors_of_one_shape_are_not_given_the_same_draws(base, instruct):
    merged = merge_of(base, instruct, "dare_linear", 0.5, merge_params={"density": 0.5})
    ours = read_tensors(base)
    names = [f"model.layers.{layer}.mlp.up_proj.weight" for layer in (0, 1)]
    dropped = [merged[name] == ours[name] for name in names]
    shares = [mask.double().mean() for mask in (*dropped, dropped[0] == dropped[1])]
    assert [0.4 < share < 0.6 for share in shares] == [True] * 3


def test_a_random_merge_leaves_the_programs_own_random_numbers_alone(base, instruct):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    merge_of(base, instruct, "dare_linear", merge_params={"density": 0.5})
    assert torch.equal(torch.rand(4), expected)


# --- methods without a way between the two --------------------------------------------------------


@pytest.mark.parametrize("method", IDLE)
def test_an_idle_alpha_is_remarked_and_changes_nothing(base, instruct, method):
    recipes = [
        recipe_of(base, instruct, method, alpha, merge_params=IDLE[method])
        for alpha in (0.2, 0.8, None)
    ]
    one, *others = [dict(merged_tensors(recipe)) for recipe in recipes]
    for other in others:
        assert_all_bits_agree(one, other)
    # Without an alpha there is none to remark on, and none in the fingerprint.
    assert len({recipe.fingerprint() for recipe in recipes}) == 1
    remarks = plan_merge(recipes[0]).remarks
    assert [f"{method} has no way between two models" in remark for remark in remarks] == [True]


@pytest.mark.parametrize("method", sorted(FIXED.keys() - IDLE.keys() | RANDOM.keys()))
def test_an_alpha_that_counts_changes_tensors_and_fingerprint_and_is_not_remarked(
    base, instruct, method
):
    recipes = [recipe_of(base, instruct, method, alpha) for alpha in (0.2, 0.8)]
    one, other = (dict(merged_tensors(recipe)) for recipe in recipes)
    assert differing(one, other) == list(one)
    assert recipes[0].fingerprint() != recipes[1].fingerprint()
    assert plan_merge(recipes[0]).remarks == ()


@pytest.mark.parametrize("method", ["karcher", "ties", "dare_linear"])
@pytest.mark.parametrize("alpha", [0, 1])
def test_the_ends_are_the_checkpoints_whatever_the_method(base, instruct, method, alpha):
    expected = read_tensors(instruct if alpha else base)
    assert_all_bits_agree(merge_of(base, instruct, method, alpha), expected)


# --- parameters ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "params", "sentence"),
    [
        ("ties", {"dens": 0.5}, "ties has no parameter 'dens'. It has: density, int8_mask, norm"),
        ("karcher", {"weight": 1}, "karcher has no parameter 'weight'. It has: max_iter, tol."),
        ("arcee_fusion", {"t": 1}, "arcee_fusion has no parameter 't'. It has: none."),
        ("slerp", {"t": 0.5}, "alpha sets t of slerp; leave it out. What can be set: nothing."),
        ("linear", {"weight": 0.5}, "alpha sets weight of linear; leave it out"),
        ("ties", {"lambda": 0.5, "weight": 1}, "alpha sets lambda, weight of ties; leave it out"),
        ("nearswap", {}, 'merge_method=nearswap needs t: give merge_params={"t": VALUE}.'),
        ("ties", "density=0.5", "merge_params='density=0.5': expected names and values"),
        ("ties", "[0.5]", "merge_params=[0.5]: expected names and values, for example"),
        ("tie", {}, "merge_method='tie' is not known for two models. Did you mean ties?"),
        ("task_aritmetic", {}, "Did you mean task_arithmetic? Known: arcee_fusion, breadcrumbs,"),
        ("passthrough", {}, "merge_method='passthrough' is not known for two models."),
        ("model_stock", {}, "merge_method='model_stock' is not known for two models."),
        ("mix", {"density": 0.5}, "mix takes one number as alpha and no merge_params"),
    ],
)
def test_a_wrong_parameter_is_refused_before_a_checkpoint_is_opened(method, params, sentence):
    with pytest.raises(RecipeError) as refusal:
        recipe_of("no", "such", method, merge_params=params)
    assert sentence in str(refusal.value)


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        (
            "ties",
            {"density": "much"},
            ["parameters of ties do not fit", "should be a valid number"],
        ),
        ("ties", {"density": [0.2, "much"]}, ["parameters of ties do not fit", "valid number"]),
        ("linear", {"normalize": "maybe"}, ["parameters of linear do not fit", "valid boolean"]),
        ("karcher", {"max_iter": 1.5}, ["parameters of karcher do not fit", "valid integer"]),
        ("ties", {"density": None}, ["merge_params: density=None is no setting", "a gradient"]),
        ("ties", {"density": {"mlp": 1}}, ["density={'mlp': 1} is no setting", '{"filter": PART']),
        (
            "nearswap",
            {"t": [{"filter": "mlp", "value": 1}]},
            ["parameters of nearswap do not fit", "Missing required parameter t for"],
        ),
    ],
)
@pytest.mark.usefixtures("no_weights")
def test_a_value_of_the_wrong_kind_is_refused_before_any_weight_is_read(
    base, instruct, method, params, words
):
    recipe = recipe_of(base, instruct, method, merge_params=params)
    with pytest.raises(RecipeError) as refusal:
        plan_merge(recipe)
    for word in words:
        assert word in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("seed", [True, 1.5, "1", None])
def test_a_seed_that_is_no_whole_number_is_refused(seed):
    with pytest.raises(RecipeError, match=f"^merge_seed={seed!r}: expected a whole number"):
        recipe_of("b", "i", "dare_linear", merge_seed=seed)


def test_parameters_may_be_given_as_json_text(base, instruct):
    recipes = [
        recipe_of(base, instruct, "ties", merge_params=params)
        for params in ({"density": [0.2, 0.8]}, '{"density": [0.2, 0.8]}')
    ]
    assert recipes[0] == recipes[1]
    assert recipes[0].fingerprint() == recipes[1].fingerprint()
    assert recipes[0].fingerprint() != recipe_of(base, instruct, "ties").fingerprint()


def test_parameters_with_gradients_and_filters_mean_what_they_mean_in_mergekit(
    base, instruct, tmp_path
):
    density = [{"filter": "mlp", "value": [0.2, 0.8]}, {"value": 0.5}]
    given = as_mergekit_says_alpha("ties", ALPHA, {"density": density})
    expected = run_mergekit(configuration(base, instruct, "ties", **given), tmp_path / "merged")
    merged = merge_of(base, instruct, "ties", merge_params={"density": density})
    assert_all_bits_agree(merged, expected)
    assert differing(merged, merge_of(base, instruct, "ties", merge_params={"density": 0.5}))
