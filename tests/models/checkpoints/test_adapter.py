"""An adapter that is no sum of weights, or not with this base, is refused by name before a weight is read."""

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.checkpoints.lora_config import LoraConfig
from hm_models.errors import CheckpointError
from tests.models.tiny import edit_config, read_tensors, tiny_checkpoint, tiny_tokenizer

LAYER = "model.layers.0.self_attn.q_proj"
FACTORS = {
    f"base_model.model.{LAYER}.lora_A.weight": torch.full((4, 32), 0.5),
    f"base_model.model.{LAYER}.lora_B.weight": torch.full((32, 4), 0.25),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("base") / "base", 1)


def write_adapter(
    folder: Path, base: object, tensors: dict[str, torch.Tensor] | None = None, **config: object
) -> Path:
    """Write an adapter by hand: of one layer, unless other tensors are given."""
    folder.mkdir(parents=True, exist_ok=True)
    fields = {
        "peft_type": "LORA",
        "base_model_name_or_path": None if base is None else str(base),
        "r": 4,
        "lora_alpha": 8,
    }
    (folder / "adapter_config.json").write_text(json.dumps(fields | config))
    save_file(FACTORS if tensors is None else tensors, folder / "adapter_model.safetensors")
    return folder


def refusal(folder: Path, base: Path | None = None) -> str:
    with pytest.raises(CheckpointError) as caught:
        Checkpoint.open(str(folder), base=None if base is None else Checkpoint.open(str(base)))
    return str(caught.value)


# --- the config -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING", "IA3", "ADALORA", "LOHA", "OFT", None]
)
def test_other_kinds_of_adapters_are_refused_by_name(kind, base, tmp_path):
    said = refusal(write_adapter(tmp_path / "a", base, peft_type=kind))
    assert str(kind) in said
    assert "LORA" in said


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("layer_replication", [[0, 2], [1, 2]]),
        ("megatron_config", {"hidden_size": 32}),
        ("target_parameters", ["mlp.experts.gate_up_proj"]),
        ("use_qalora", True),
        ("alora_invocation_tokens", [1, 2]),
        ("arrow_config", {"top_k": 2}),
        ("kasa_config", {"r": 1}),
        ("use_bdlora", {"nblocks": 2}),
        ("monteclora_config", {"num_samples": 2}),
        ("velora_config", {"num_groups": 2}),
        ("use_something_of_next_year", True),
    ],
)
def test_what_makes_more_of_it_than_a_sum_is_refused_by_its_field(field, value, base, tmp_path):
    assert field in refusal(write_adapter(tmp_path / "a", base, **{field: value}))
    plain = write_adapter(tmp_path / "b", base, **{field: None})
    assert Checkpoint.open(str(plain)).adapted


@pytest.mark.parametrize("start", ["pissa", "pissa_niter_4", "olora", "corda", "loftq", "lora_ga"])
def test_an_adapter_that_started_with_a_part_of_its_base_is_refused(start, base, tmp_path):
    said = refusal(write_adapter(tmp_path / "a", base, init_lora_weights=start))
    assert start in said
    assert "path_initial_model_for_weight_conversion" in said


@pytest.mark.parametrize("start", [True, False, "gaussian", "eva", "orthogonal"])
def test_other_starts_leave_the_base_as_it_is(start, base, tmp_path):
    adapter = write_adapter(tmp_path / "a", base, init_lora_weights=start)
    assert Checkpoint.open(str(adapter)).adapted


@pytest.mark.parametrize("field", ["r", "lora_alpha"])
def test_a_damaged_config_is_refused(field, base, tmp_path):
    assert "adapter_config.json" in refusal(write_adapter(tmp_path / "a", base, **{field: "many"}))


def test_the_scale_follows_patterns_as_in_peft():
    config = LoraConfig.of(
        {
            "peft_type": "LORA",
            "r": 8,
            "lora_alpha": 16,
            "rank_pattern": {"q_proj": 4, r"layers\.[01]\.mlp\.up_proj": 2},
            "alpha_pattern": {"^model.layers.1.self_attn.q_proj": 1},
        },
        "a",
    )
    assert config.scale("model.layers.0.self_attn.q_proj", 4) == 4
    assert config.scale("model.layers.1.self_attn.q_proj", 4) == 0.25
    assert config.scale("model.layers.1.mlp.up_proj", 2) == 8
    assert config.scale("model.layers.2.mlp.up_proj", 8) == 2
    assert config.scale("model.layers.0.self_attn.my_q_proj", 8) == 2
    with pytest.raises(ValueError, match="rank 8"):
        config.scale("model.layers.0.self_attn.q_proj", 8)
    rooted = LoraConfig.of({"peft_type": "LORA", "r": 8, "lora_alpha": 16, "use_rslora": True}, "a")
    assert rooted.scale("x", 8) == 16 / math.sqrt(8)


# --- its tensors, and the base's -----------------------------------------------------------------------


def with_tensors(**more: torch.Tensor | None) -> dict[str, torch.Tensor]:
    named = {name.replace("__", "."): tensor for name, tensor in more.items()}
    return {name: t for name, t in (FACTORS | named).items() if t is not None}


A, B = FACTORS
CLASHES = {
    "no lora_B": ({A: FACTORS[A]}, {}, B.removeprefix("base_model.model.").split(".lora")[0]),
    "no lora_A": ({B: FACTORS[B]}, {}, LAYER),
    "too wide": ({A: torch.ones(4, 33), B: FACTORS[B]}, {}, LAYER),
    "too long": ({A: FACTORS[A], B: torch.ones(31, 4)}, {}, LAYER),
    "two ranks": ({A: torch.ones(3, 32), B: FACTORS[B]}, {}, LAYER),
    "another rank than the config's": (FACTORS, {"r": 2}, "rank 4"),
    "a convolution": ({A: torch.ones(4, 32, 1), B: torch.ones(32, 4, 1)}, {}, "no matrix"),
    "the other way round": (
        {A.replace("q_proj", "up_proj").replace("self_attn", "mlp"): torch.ones(4, 64)}
        | {B.replace("q_proj", "up_proj").replace("self_attn", "mlp"): torch.ones(32, 4)},
        {},
        "mlp.up_proj",
    ),
    "an unknown module": (
        with_tensors(**{A.replace("q_proj", "o").replace(".", "__"): torch.ones(4, 32)}),
        {},
        "self_attn.o.lora_A",
    ),
    "a part that is not known": (
        FACTORS | {f"base_model.model.{LAYER}.lora_diag": torch.ones(4)},
        {},
        "lora_diag",
    ),
    "another layer": (
        {A.replace("0", "7"): FACTORS[A], B.replace("0", "7"): FACTORS[B]},
        {},
        "layers.7",
    ),
    "DoRA without magnitudes": (FACTORS, {"use_dora": True}, "lora_magnitude_vector"),
    "magnitudes without DoRA": (
        FACTORS | {f"base_model.model.{LAYER}.lora_magnitude_vector": torch.ones(32)},
        {},
        "use_dora=False",
    ),
    "too few magnitudes": (
        FACTORS | {f"base_model.model.{LAYER}.lora_magnitude_vector": torch.ones(31)},
        {"use_dora": True},
        "32 values",
    ),
    "a bias where there is none": (
        FACTORS | {f"base_model.model.{LAYER}.lora_B.bias": torch.ones(32)},
        {},
        "bias",
    ),
    "a saved module of another shape": (
        FACTORS | {"base_model.model.model.norm.weight": torch.ones(33)},
        {},
        "model.norm.weight",
    ),
    "rows that no index names": (
        FACTORS
        | {
            "base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta": torch.ones(
                2, 32
            )
        },
        {"trainable_token_indices": [1]},
        "trainable_token_indices",
    ),
    "rows that there are not": (
        FACTORS
        | {
            "base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta": torch.ones(
                1, 32
            )
        },
        {"trainable_token_indices": [80]},
        "trainable_token_indices",
    ),
    "two adapters": (
        {A.replace("weight", f"{own}.weight"): torch.ones(4, 32) for own in "xy"},
        {},
        "two adapters",
    ),
    "nothing": ({}, {}, "no tensors"),
}


@pytest.mark.parametrize(("tensors", "config", "said"), CLASHES.values(), ids=CLASHES)
def test_what_does_not_fit_the_base_is_refused_by_its_name(tensors, config, said, base, tmp_path):
    assert said in refusal(write_adapter(tmp_path / "a", base, tensors, **config))


@pytest.mark.parametrize(
    "spelled",
    [
        lambda name: name.replace(".weight", ".default.weight"),
        lambda name: name.removeprefix("base_model.model."),
        lambda name: name.replace("base_model.model.model.", "base_model.model."),
        lambda name: name.replace("model.layers", "model.language_model.layers"),
    ],
    ids=["the adapter's own name", "no prefix", "no body", "another body"],
)
def test_other_spellings_of_the_names_mean_the_same(spelled, base, tmp_path):
    named = {spelled(name): tensor for name, tensor in FACTORS.items()}
    one, other = (
        Checkpoint.open(str(write_adapter(tmp_path / folder, base, tensors)))
        for folder, tensors in (("a", FACTORS), ("b", named))
    )
    assert one.adapted.changes.keys() == other.adapted.changes.keys() == {f"{LAYER}.weight"}


def test_a_truncated_adapter_is_refused(base, tmp_path):
    file = write_adapter(tmp_path / "a", base) / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-4])
    assert "truncated" in refusal(tmp_path / "a")


def test_an_adapter_without_its_tensors_is_incomplete(base, tmp_path):
    (write_adapter(tmp_path / "a", base) / "adapter_model.safetensors").unlink()
    assert "adapter_model.safetensors" in refusal(tmp_path / "a")


def test_a_bin_file_that_holds_code_is_refused_and_runs_nothing(base, tmp_path):
    adapter = write_adapter(tmp_path / "a", base)
    (adapter / "adapter_model.safetensors").unlink()
    ran = tmp_path / "ran"
    torch.save({"x": Touch(str(ran))}, adapter / "adapter_model.bin")
    assert "adapter_model.bin" in refusal(adapter)
    assert not ran.exists()


class Touch:
    def __init__(self, file: str) -> None:
        self.file = file

    def __reduce__(self) -> tuple:
        return Path.touch, (Path(self.file),)


# --- which base -------------------------------------------------------------------------------------------


def test_the_base_is_the_one_that_the_config_names(base, tmp_path):
    checkpoint = Checkpoint.open(str(write_adapter(tmp_path / "a", base)))
    assert checkpoint.adapted.base.name == str(base)
    assert checkpoint.remarks == []


def test_a_base_that_is_given_counts_and_another_name_is_remarked(base, tmp_path):
    adapter = write_adapter(tmp_path / "a", "meta-llama/Llama-3.1-8B")
    checkpoint = Checkpoint.open(str(adapter), base=Checkpoint.open(str(base)))
    assert checkpoint.adapted.base.folder == base
    assert checkpoint.remarks == [
        f"{adapter} names meta-llama/Llama-3.1-8B as its base, and is added to {base}"
    ]


def test_a_copy_of_the_base_under_its_name_is_no_remark(base, tmp_path):
    adapter = write_adapter(tmp_path / "a", f"someone/{base.name}")
    assert Checkpoint.open(str(adapter), base=Checkpoint.open(str(base))).remarks == []


@pytest.mark.parametrize("named", ["/no/such/folder", "./runs/sft", "SmolLM2", None, ""])
def test_a_base_that_is_not_there_is_asked_for(named, tmp_path):
    said = refusal(write_adapter(tmp_path / "a", named))
    assert "base=PATH" in said
    assert str(named) in said or "names none" in said


def test_a_quantised_base_is_refused(base, tmp_path):
    quantised = shutil.copytree(base, tmp_path / "q")
    edit_config(quantised, quantization_config={"quant_method": "bitsandbytes"})
    said = refusal(write_adapter(tmp_path / "a", quantised))
    assert "bitsandbytes" in said
    assert "base=PATH" in said


def test_an_adapter_of_an_adapter_adds_both(base, tmp_path):
    first = write_adapter(tmp_path / "first", base)
    second = Checkpoint.open(str(write_adapter(tmp_path / "second", first)))
    assert second.adapted.base.adapted.base.name == str(base)


def test_an_adapter_that_names_itself_is_refused(tmp_path):
    adapter = tmp_path / "a"
    assert "itself" in refusal(write_adapter(adapter, adapter))


# --- full weights beside, and companions -----------------------------------------------------------------


def test_an_adapter_beside_full_weights_is_left_aside(base, tmp_path):
    folder = shutil.copytree(base, tmp_path / "both")
    write_adapter(folder, base)
    checkpoint = Checkpoint.open(str(folder))
    assert checkpoint.adapted is None
    assert checkpoint.has_adapter


def test_config_and_tokenizer_are_the_bases_where_the_adapter_has_none(base, tmp_path):
    checkpoint = Checkpoint.open(str(write_adapter(tmp_path / "a", base)))
    ours = {file.name: file.read_bytes() for file in checkpoint.companions}
    theirs = {file.name: file.read_bytes() for file in Checkpoint.open(str(base)).companions}
    assert json.loads(ours.pop("config.json")) == json.loads(theirs.pop("config.json"))
    assert ours == theirs


def test_the_adapters_tokenizer_takes_the_place_of_all_files_of_the_bases(base, tmp_path):
    with_template = shutil.copytree(base, tmp_path / "base")
    (with_template / "chat_template.jinja").write_text("the base's")
    adapter = write_adapter(tmp_path / "a", with_template)
    tiny_tokenizer(["<s>", "</s>", "<unk>", "other"]).save_pretrained(adapter)
    (adapter / "chat_template.jinja").unlink()
    checkpoint = Checkpoint.open(str(adapter))
    names = {file.name: file for file in checkpoint.companions}
    assert names["tokenizer.json"].read_bytes() == (adapter / "tokenizer.json").read_bytes()
    assert "chat_template.jinja" not in names
    assert "adapter_config.json" not in names


def test_a_chat_template_alone_is_laid_over_the_bases_tokenizer(base, tmp_path):
    adapter = write_adapter(tmp_path / "a", base)
    (adapter / "chat_template.jinja").write_text("the adapter's")
    names = {file.name: file for file in Checkpoint.open(str(adapter)).companions}
    assert names["chat_template.jinja"].read_text() == "the adapter's"
    assert "tokenizer.json" in names


# --- identity ---------------------------------------------------------------------------------------------


def test_identity_follows_the_content_of_adapter_and_base_and_no_name(base, tmp_path):
    def identity(folder: Path, **config: object) -> str:
        return Checkpoint.open(str(write_adapter(folder, base, **config))).identity()

    first = identity(tmp_path / "a")
    assert identity(tmp_path / "b") == first
    assert identity(tmp_path / "c", lora_dropout=0.1, inference_mode=True) == first
    assert identity(tmp_path / "d", lora_alpha=4) != first
    other = {name: tensor * 2 for name, tensor in FACTORS.items()}
    assert Checkpoint.open(str(write_adapter(tmp_path / "e", base, other))).identity() != first
    moved = shutil.copytree(base, tmp_path / "base")
    adapter = write_adapter(tmp_path / "f", moved)
    assert Checkpoint.open(str(adapter)).identity() == first
    tensors = read_tensors(moved)
    tensors["model.norm.weight"] += 1
    save_file(tensors, moved / "model.safetensors", metadata={"format": "pt"})
    assert Checkpoint.open(str(adapter)).identity() != first


@pytest.mark.parametrize("which", ["adapter", "base"])
def test_a_change_of_either_file_is_seen(which, base, tmp_path):
    moved = shutil.copytree(base, tmp_path / "base")
    adapter = write_adapter(tmp_path / "a", moved)
    checkpoint = Checkpoint.open(str(adapter))
    checkpoint.check_unchanged()
    file = (
        adapter / "adapter_model.safetensors" if which == "adapter" else moved / "model.safetensors"
    )
    tensors = {name: tensor + 1 for name, tensor in load_file(file).items()}
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="was changed"):
        checkpoint.check_unchanged()
