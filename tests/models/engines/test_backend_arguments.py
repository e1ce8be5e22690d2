"""An argument acts, or it is refused by a sentence before anything is loaded, at every alpha alike."""

import contextlib
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import yaml

from hm_metrics.entropy import TokenSums
from hm_models.engines.arguments import check_arguments
from hm_models.engines.choose import choose_engine
from hm_models.engines.hf import HfEngine
from hm_models.errors import RecipeError
from hm_models.merge.recipe import MergeRecipe
from hm_models.merged import HindsightMerged
from tests.models.checkpoints.test_checkpoint import adapter_in
from tests.models.tiny import copy_of, read_tensors, same_bits

HAS_VLLM = find_spec("vllm") is not None
BACKENDS = ["hf", pytest.param("vllm", marks=pytest.mark.skipif(not HAS_VLLM, reason="no vLLM"))]
ALPHAS = (0, 0.7, 1)
ROOT = Path(__file__).parents[3]
OURS = {"base", "instruct", "alpha"}


def logits(lm):
    with torch.no_grad():
        return lm.lm.model(torch.arange(80)[None]).logits


def made(base, instruct, alpha=0.7, backend="hf", **arguments):
    return HindsightMerged(
        base=str(base), instruct=str(instruct), alpha=alpha, backend=backend, **arguments
    )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("materialize", [False, True])
@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"merge_metod": "slerp"}, "Did you mean merge_method?"),
        ({"base_revison": "step1000"}, "Did you mean base_revision?"),
        ({"promt_style": "completion"}, "Did you mean prompt_style?"),
        ({"backned": "vllm"}, "Did you mean backend?"),
        ({"max_lenght": 2048}, "Did you mean max_length?"),
        ({"sampling_sed": 1}, "Did you mean sampling_seed?"),
        ({"trust_remote_cod": True}, "Did you mean trust_remote_code?"),
        ({"torch_dtype": "float16"}, "Here it is dtype."),
        ({"load_in_8bit": True}, "load_in_8bit is not supported"),
        ({"load_in_4bit": True}, "load_in_4bit is not supported"),
        ({"bnb_4bit_compute_dtype": "float16"}, "is not supported"),
        ({"autogptq": True}, "autogptq is not supported"),
        ({"gptqmodel": True}, "gptqmodel is not supported"),
        ({"gguf_file": "x.gguf"}, "gguf_file is not supported"),
        ({"peft": "A"}, "instruct=ADAPTER"),
        ({"delta": "A"}, "instruct=ADAPTER"),
        ({"lora_local_path": "A"}, "instruct=ADAPTER"),
        ({"enable_lora": True}, "instruct=ADAPTER"),
        ({"max_loras": 2}, "instruct=ADAPTER"),
        ({"adapter_kwargs": {}}, "instruct=ADAPTER"),
        ({"revision": "step1000"}, "base_revision and instruct_revision"),
        ({"subfolder": "x"}, "base_revision and instruct_revision"),
        ({"model": "gpt2"}, "base= and instruct="),
        ({"dtype": "floot16"}, "dtype='floot16' is no dtype of weights"),
        ({"dtype": "int8"}, "dtype='int8' is no dtype of weights"),
        ({"batch_size": "many"}, "expected a whole number, auto or auto:N"),
        ({"something": 1}, "something is no argument of hm-merged"),
    ],
)
def test_an_argument_without_effect_is_refused(
    base, instruct, alpha, materialize, backend, arguments, words
):
    with pytest.raises(RecipeError) as refusal:
        made(base, instruct, alpha, backend, materialize=materialize, **arguments)
    assert words in str(refusal.value)
    assert next(iter(arguments)) in str(refusal.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"attn_implementation": "nonsense"}, "is not known to transformers"),
        ({"attn_implementation": "sdp"}, "Did you mean sdpa?"),
        ({"attn_implementation": True}, "is not known to transformers"),
        ({"max_model_len": 64}, "Here it is max_length."),
        ({"tensor_parallel_size": 2}, "is no argument of hm-merged or of its backend hf"),
        ({"max_length": "many"}, "expected a whole number"),
        ({"trust_remote_code": "yes"}, "expected true or false"),
        ({"truncation": 3}, "expected true or false"),
        ({"softmax_dtype": "floot"}, "is no dtype of weights"),
        ({"seed": 3}, "Here it is sampling_seed."),
        ({"device": "cdua"}, "is none that torch knows"),
    ],
)
@pytest.mark.parametrize("alpha", ALPHAS)
def test_a_value_that_transformers_would_pass_over_is_refused(
    base, instruct, alpha, arguments, words
):
    with pytest.raises(RecipeError) as refusal:
        made(base, instruct, alpha, **arguments)
    assert words in str(refusal.value)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_what_needs_a_checkpoint_on_disk_says_so_at_every_alpha(base, instruct, alpha):
    with pytest.raises(RecipeError, match=r"^tp_plan needs a checkpoint on disk: add materialize"):
        made(base, instruct, alpha, tp_plan="auto")
    made(base, instruct, alpha, materialize=True, tp_plan="auto")


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize(
    "name", ["device_map", "max_memory_per_gpu", "max_cpu_memory", "offload_folder"]
)
def test_what_the_harness_passes_over_unless_it_spreads_a_model_says_so(
    base, instruct, alpha, name
):
    with pytest.raises(RecipeError, match=rf"^{name} is passed over .* without parallelize=true"):
        made(base, instruct, alpha, **{name: "auto"})
    made(base, instruct, alpha, parallelize=True, **{name: "auto"})


@pytest.mark.parametrize("materialize", [False, True])
@pytest.mark.parametrize("alpha", ALPHAS)
def test_a_model_is_spread_by_a_map_and_answers_as_a_whole_one(
    base, instruct, tmp_path, alpha, materialize
):
    names = ("model.embed_tokens", "model.layers.1", "model.norm", "model.rotary_emb", "lm_head")
    where = {"model.layers.0": "disk"} | dict.fromkeys(names, "cpu")
    spread = {"parallelize": True, "device_map": where, "offload_folder": str(tmp_path)}
    lm = made(base, instruct, alpha, materialize=materialize, **spread)
    assert lm.lm.model.hf_device_map == where
    expected = made(base, instruct, alpha)
    assert torch.equal(logits(lm), logits(expected))
    if not materialize:
        for other in (lm, expected):
            other.set_alpha(0.3)  # weights that lie on the disk cannot be written over
        assert torch.equal(logits(lm), logits(expected))


@pytest.mark.parametrize("materialize", [False, True])
@pytest.mark.parametrize("alpha", ALPHAS)
def test_how_to_quantise_reaches_transformers(base, instruct, alpha, materialize, monkeypatch):
    # A library that quantises on every machine there is none; transformers asks for it before a weight.
    asked = []

    def get_hf_quantizer(config, quantization_config, *_, **__):
        asked.append(quantization_config)
        raise KeyboardInterrupt

    monkeypatch.setattr("transformers.modeling_utils.get_hf_quantizer", get_hf_quantizer)
    how = {"load_in_8bit": True}
    lm = made(base, instruct, alpha, materialize=materialize, quantization_config=how)
    with pytest.raises(KeyboardInterrupt):
        _ = lm.lm
    assert asked == [how]


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("how", [{"quant_metod": "fp8"}, {"quant_method": "fp9"}, "8bit"])
def test_an_unknown_way_to_quantise_is_refused(base, instruct, alpha, how):
    with pytest.raises(
        RecipeError, match=r"^quantization_config=.* is none that transformers knows"
    ):
        made(base, instruct, alpha, quantization_config=how)


@pytest.mark.skipif(not find_spec("bitsandbytes"), reason="bitsandbytes is not installed")
@pytest.mark.parametrize("alpha", ALPHAS)
def test_a_merge_is_quantised_as_it_loads(base, instruct, alpha):
    lm = made(base, instruct, alpha, quantization_config={"load_in_8bit": True})
    layer = lm.lm.model.model.layers[0].mlp.up_proj
    assert layer.weight.dtype == torch.int8
    lm.set_alpha(0.3)
    fresh = made(base, instruct, 0.3, quantization_config={"load_in_8bit": True})
    assert torch.equal(logits(lm), logits(fresh))


@pytest.mark.skipif(not HAS_VLLM, reason="vLLM is not installed")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"device": "cuda:1"}, "vLLM chooses its device itself"),
        ({"max_model_lenght": 64}, "Did you mean max_model_len?"),
        ({"attn_implementation": "eager"}, "Here it is attention_backend."),
        ({"load_format": "auto"}, "cannot be set, as hm-merged uses it to stream"),
        ({"worker_extension_cls": "x.Y"}, "cannot be set, as hm-merged uses it to stream"),
        ({"tensor_paralel_size": 2}, "Did you mean tensor_parallel_size?"),
        (
            {"kv_transfer_config": {"kv_connector": "ExampleConnector", "kv_role": "kv_both"}},
            "keeps computed prompts outside the engine",
        ),
        (
            {"kv_offloading_size": 1, "kv_offloading_backend": "lmcache"},
            "kv_offloading_backend keeps computed prompts outside the engine",
        ),
    ],
)
@pytest.mark.parametrize("alpha", ALPHAS)
def test_an_argument_that_vllm_does_not_take_is_refused_without_importing_it(
    base, instruct, alpha, arguments, words
):
    with pytest.raises(RecipeError) as refusal:
        made(base, instruct, alpha, "vllm", **arguments)
    assert words in str(refusal.value)


@pytest.mark.skipif(not HAS_VLLM, reason="vLLM is not installed")
def test_what_vllm_takes_is_known():
    taken = {
        "max_model_len": 64,
        "enforce_eager": True,
        "kv_cache_memory_bytes": 1 << 28,
        "tensor_parallel_size": 2,
        "hf_overrides": {},
        "max_gen_toks": 3,
        "disable_log_stats": True,
        "gpu_memory_utilization": 0.5,
        "kv_offloading_size": 1,
        "kv_offloading_backend": "native",
        "data_parallel_size": 1,
    }
    check_arguments(choose_engine("vllm"), taken, on_disk=False)
    outside = {"kv_transfer_config": {"kv_connector": "ExampleConnector", "kv_role": "kv_both"}}
    check_arguments(choose_engine("vllm"), outside, on_disk=True)


# The line by which a replica of 0.5.0.dev1 becomes a rank, and what 0.4.13 has instead.
REPLICAS = {
    'os.environ["VLLM_DP_SIZE"] = str(dp_size)': pytest.raises(
        RecipeError, match="hm-sweep --devices"
    ),
    'os.environ.pop("VLLM_DP_SIZE", None)': contextlib.nullcontext(),
}


@pytest.mark.skipif(not HAS_VLLM, reason="vLLM is not installed")
@pytest.mark.parametrize("line", REPLICAS)
def test_replicas_are_refused_where_the_harness_makes_ranks_of_them(line, tmp_path, monkeypatch):
    file = tmp_path / "vllm_causallms.py"
    file.write_text(f"class VLLM:\n    def __init__(self, data_parallel_size=1):\n        {line}\n")
    monkeypatch.setattr("hm_models.engines.vllm_source._harness_file", lambda: file)
    with REPLICAS[line]:
        check_arguments(choose_engine("vllm"), {"data_parallel_size": 2}, on_disk=False)


@pytest.mark.skipif(not HAS_VLLM, reason="vLLM is not installed")
def test_replicas_of_the_harness_that_is_installed_run_or_are_refused():
    from lm_eval.models import vllm_causallms

    ranks = hasattr(vllm_causallms, "_vllm_mp_worker")
    with REPLICAS[[*REPLICAS][not ranks]]:
        check_arguments(choose_engine("vllm"), {"data_parallel_size": 2}, on_disk=False)


@pytest.mark.skipif(not HAS_VLLM, reason="vLLM is not installed")
def test_replicas_give_no_log_probabilities_of_tokens(base, instruct, no_weights, monkeypatch):
    monkeypatch.setattr("hm_models.engines.vllm_arguments.replicas_are_ranks", lambda: False)
    lm = made(base, instruct, 0.7, "vllm", data_parallel_size=2)
    with pytest.raises(RecipeError, match="data_parallel_size above 1 gives texts and no log-prob"):
        lm.engine.read([("w1", " w2")], TokenSums, 20)


def test_defaults_that_nobody_asked_for_are_no_wish():
    check_arguments(HfEngine, {"peft": None, "load_in_8bit": False, "zzz": None}, False, ())
    check_arguments(HfEngine, {"device": "cuda:0", "batch_size": "1"}, False, ())


@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_attention_that_is_asked_for_is_used_at_every_alpha(base, instruct, alpha):
    for name in ("eager", "sdpa"):
        lm = made(base, instruct, alpha, attn_implementation=name).lm
        assert lm.model.config._attn_implementation == name


@pytest.mark.parametrize("method", ["mix", "switch"])
def test_two_models_side_by_side_use_the_attention_that_is_asked_for(base, instruct, method):
    how = {"alpha": 0.5} if method == "mix" else {"merge_params": {"every": 2}}
    lm = HindsightMerged(
        base=str(base),
        instruct=str(instruct),
        merge_method=method,
        attn_implementation="eager",
        **how,
    )
    inner = [m for m in lm.lm.model.children() if hasattr(m, "config")]
    assert {model.config._attn_implementation for model in inner} == {"eager"}


@pytest.mark.parametrize("materialize", [False, True])
@pytest.mark.parametrize("alpha", ALPHAS)
def test_an_adapter_beside_full_weights_is_ignored_at_every_alpha(
    base, instruct, tmp_path, alpha, materialize
):
    pairs = {}
    for side, folder in (("base", base), ("instruct", instruct)):
        plain = copy_of(folder, tmp_path / side)
        pairs[side] = plain, adapter_in(copy_of(folder, tmp_path / f"{side}-both"))
    plain, both = (
        made(pairs["base"][k], pairs["instruct"][k], alpha, materialize=materialize, device="cpu")
        for k in (0, 1)
    )
    assert any("is ignored at every alpha" in remark for remark in both.engine.plan.remarks)
    ours, theirs = both.lm.model.state_dict(), plain.lm.model.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_merged_checkpoint_carries_no_adapter(base, instruct, tmp_path):
    from hm_models.merge.plan import plan_merge
    from hm_models.merge.writer import write_checkpoint

    both = adapter_in(copy_of(instruct, tmp_path / "both"))
    recipe = MergeRecipe(base=str(base), instruct=str(both), alpha=0.7)
    folder = write_checkpoint(recipe, plan_merge(recipe), tmp_path / "out")
    assert not list(folder.glob("adapter*"))
    recipe = MergeRecipe(base=str(base), instruct=str(instruct), alpha=0.7)
    plain = write_checkpoint(recipe, plan_merge(recipe), tmp_path / "plain")
    ours, theirs = read_tensors(folder), read_tensors(plain)
    assert all(same_bits(ours[name], theirs[name]) for name in theirs)


def test_a_parameter_without_weights_is_no_model(base, instruct, tmp_path):
    from tests.models.tiny import edit_config

    deeper = [copy_of(side, tmp_path / name) for name, side in (("b", base), ("i", instruct))]
    for folder in deeper:
        edit_config(folder, num_hidden_layers=3)
    lm = made(*deeper)
    with pytest.raises(RecipeError, match=r"transformers found no weights for.*random numbers"):
        _ = lm.lm


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["demo", "samplers", "single/demo"])
def test_the_demo_runs_with_vllm_and_without(name, backend):
    settings = yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text("utf8"))
    arguments = {k: v for k, v in settings["model_args"].items() if k not in OURS}
    check_arguments(choose_engine(backend), arguments, on_disk=False)
    (given,) = arguments.items()
    quickstart = (ROOT / "scripts" / "quickstart.sh").read_text("utf8")
    assert "\narguments=({}={})".format(*given) in quickstart, "the same"
