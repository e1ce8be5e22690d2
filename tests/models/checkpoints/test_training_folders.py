"""What trainers leave: a Trainer's checkpoint is one, parts are refused with the command that joins them."""

import shlex
from pathlib import Path

import accelerate.commands.accelerate_cli
import pytest
import torch
import torch.distributed.checkpoint as dcp
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

from hm_models.checkpoints.checkpoint import Checkpoint, CheckpointError
from hm_models.merge.plan import plan_merge
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.stream import merged_tensors
from hm_models.merge.writer import write_checkpoint
from tests.models.tiny import copy_of, read_tensors, same_bits, to_bin

TRAINING = {
    *("optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json", "training_args.bin"),
}


def refusal_of(folder):
    with pytest.raises(CheckpointError) as refusal:
        Checkpoint.open(str(folder))
    return str(refusal.value)


def without_weights(folder):
    for file in [*folder.glob("*.safetensors"), *folder.glob("*.index.json")]:
        file.unlink()
    return folder


@pytest.fixture(scope="module")
def trained(base, tmp_path_factory):
    """`checkpoint-1` and `checkpoint-2` of transformers' own Trainer, which was given no tokenizer."""
    folder = tmp_path_factory.mktemp("run")
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=2,
        save_steps=1,
        learning_rate=0.01,
        report_to=[],
        use_cpu=True,
    )
    lines = [{"input_ids": [0, 6 + n, 7], "labels": [0, 6 + n, 7]} for n in range(4)]
    Trainer(model, arguments, train_dataset=lines).train()
    return folder


@pytest.mark.slow
def test_a_trainers_checkpoint_is_merged_with_its_base(trained, base):
    stage = trained / "checkpoint-2"
    assert {file.name for file in stage.iterdir()} >= TRAINING
    recipe = MergeRecipe(base=str(base), instruct=str(stage), alpha=0.7)
    remarks = " ".join(plan_merge(recipe).remarks)
    assert "has no tokenizer" in remarks
    assert "dtypes are mixed (base with instruct: BF16 with F32)" in remarks
    ours, theirs = read_tensors(base), read_tensors(stage)
    for name, tensor in merged_tensors(recipe):
        by_hand = ours[name].double() * 0.3 + theirs[name].double() * 0.7
        assert torch.allclose(tensor.double(), by_hand, rtol=1e-6, atol=1e-7), name


@pytest.mark.slow
def test_two_stages_of_a_run_are_a_pair(trained, base):
    stages = [str(trained / f"checkpoint-{n}") for n in (1, 2)]
    recipe = MergeRecipe(base=stages[0], instruct=stages[1], alpha=0.5)
    assert "has no tokenizer" in plan_merge(recipe).remarks[0]
    one, other = map(read_tensors, map(Path, stages))
    found = dict(merged_tensors(recipe))
    assert all(torch.allclose(found[n], (one[n] + other[n]) / 2, atol=1e-6) for n in one)


@pytest.mark.slow
def test_nothing_of_the_training_comes_into_a_merge(trained, base, tmp_path):
    stage = copy_of(trained / "checkpoint-2", tmp_path / "stage")
    for file in ("optimizer.bin", "random_states_0.pkl", "tf_model.h5", "flax_model.msgpack"):
        (stage / file).write_bytes(b"x")
    (stage / "all_results.json").write_text("{}")
    (stage / "zero_to_fp32.py").write_text("")
    (stage / "global_step2").mkdir()
    (stage / "global_step2" / "zero_pp_rank_0_mp_rank_00_model_states.pt").write_bytes(b"x")
    recipe = MergeRecipe(base=str(base), instruct=str(stage), alpha=0.7)
    written = write_checkpoint(recipe, plan_merge(recipe), tmp_path / "merged")
    assert {file.name for file in written.iterdir()} == {
        *("model.safetensors", "config.json", "generation_config.json", "hindsight_merge.json"),
        *("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
    }


def test_fsdps_parts_are_refused_with_the_command_that_joins_them(base, tmp_path, monkeypatch):
    folder = without_weights(copy_of(base, tmp_path / "checkpoint-5"))
    parts = folder / "pytorch_model_fsdp_0"
    # As accelerate saves with SHARDED_STATE_DICT.
    dcp.save({"model": read_tensors(base)}, checkpoint_id=parts, no_dist=True)
    said = refusal_of(folder)
    assert "was saved in parts by FSDP (pytorch_model_fsdp_0)" in said
    command = shlex.split(said.partition("Put them together: ")[2].rstrip("."))
    monkeypatch.setattr("sys.argv", command)
    accelerate.commands.accelerate_cli.main()
    joined = Checkpoint.open(str(folder))
    found = dict(merged_tensors(MergeRecipe(base=str(base), instruct=str(folder), alpha=1)))
    assert joined.tensors.keys() == found.keys() == read_tensors(base).keys()
    assert all(same_bits(found[name], tensor) for name, tensor in read_tensors(base).items())


def test_deepspeeds_parts_are_refused_with_the_command_that_joins_them(base, tmp_path):
    folder = without_weights(copy_of(base, tmp_path / "checkpoint-5"))
    (folder / "global_step5").mkdir()
    torch.save({}, folder / "global_step5" / "bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt")
    (folder / "latest").write_text("global_step5")
    said = refusal_of(folder)
    assert "was saved in parts by DeepSpeed (global_step5)" in said
    assert f"python {folder}/zero_to_fp32.py {folder} {folder}" in said


def test_what_zero_to_fp32_writes_is_read(base, tmp_path):
    folder = to_bin(copy_of(base, tmp_path / "checkpoint-5"), 2)
    (folder / "global_step5").mkdir()
    (folder / "global_step5" / "mp_rank_00_model_states.pt").write_bytes(b"x")
    assert Checkpoint.open(str(folder)).tensors.keys() == read_tensors(base).keys()


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("pytorch_model_fsdp.bin", "Call it pytorch_model.bin"),
        ("consolidated.00.pth", "in their maker's own layout alone (consolidated.00.pth)"),
        ("consolidated.safetensors", "in their maker's own layout alone"),
        ("model.gguf", "There are model.gguf."),
        ("tf_model.h5", "There are tf_model.h5."),
        ("__0_0.distcp", "accelerate merge-weights"),
    ],
)
def test_other_layouts_are_called_by_their_name(base, tmp_path, file, words):
    folder = without_weights(copy_of(base, tmp_path / "c"))
    (folder / file).write_bytes(b"x")
    assert words in refusal_of(folder)


@pytest.mark.parametrize("shards", ["one", "several"])
def test_mistrals_consolidated_file_beside_is_left_aside(base, instruct, tmp_path, shards):
    plain = instruct
    if shards == "one":
        recipe = MergeRecipe(base=str(base), instruct=str(instruct), alpha=1)
        plain = write_checkpoint(recipe, plan_merge(recipe), tmp_path / "one")
    folder = copy_of(plain, tmp_path / "c")
    (folder / "consolidated.safetensors").write_bytes(b"other names")
    (folder / "original").mkdir()
    (folder / "original" / "consolidated.00.pth").write_bytes(b"x")
    opened, wanted = (Checkpoint.open(str(one)) for one in (folder, plain))
    assert opened.tensors.keys() == wanted.tensors.keys()
    assert opened.identity() == wanted.identity()
