"""What is fetched from the hub: safetensors, `.bin` only where there are none, nothing twice."""

import json
import os
import subprocess
import sys

import pytest

from hm_models.checkpoints.checkpoint import Checkpoint
from tests.models.checkpoints.model_hub import COMMIT, model_hub
from tests.models.tiny import copy_of, to_bin

PROGRAM = """
import json, sys
from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.errors import CheckpointError
for name in sys.argv[1:]:
    try:
        opened = Checkpoint.open(name)
    except CheckpointError as error:
        print(json.dumps({"error": str(error)}))
        continue
    files = sorted(str(f.relative_to(opened.folder)) for f in opened.folder.rglob("*") if f.is_file())
    print(json.dumps({"commit": opened.revision, "identity": opened.identity(), "files": files}))
"""
# What lies beside the weights of models on the hub, and is no part of what we need.
BESIDE = (
    *("consolidated.safetensors", "consolidated.00.pth", "original/consolidated.00.pth"),
    *("original/params.json", "original/tokenizer.model", "onnx/model.onnx", "model-q4.gguf"),
    *("metal/model.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin"),
    *("tf_model.h5", "flax_model.msgpack", "optimizer.bin", "global_step5/mp_rank_00.pt"),
    *("checkpoint-5/model.safetensors", "checkpoint-5/config.json", "README.md", "rust_model.ot"),
)


def files_of(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(scope="module")
def fetched(base, tmp_path_factory):
    """What each repository's download brought, by its name; and what was sent in all."""
    bin_folder = to_bin(copy_of(base, tmp_path_factory.mktemp("sides") / "bin"), 2)
    beside = dict.fromkeys(BESIDE, b"{}")
    template = {"additional_chat_templates/tools.jinja": b"{{ 1 }}"}
    repositories = {
        "o/safetensors": files_of(base) | beside,
        "o/both": files_of(base) | files_of(bin_folder) | beside | template,
        "o/bin": files_of(bin_folder) | beside | {"modeling_own.py": b"raise SystemExit"},
    }
    with model_hub(repositories) as (address, sent):
        environment = os.environ | {
            "HF_ENDPOINT": address,
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HOME": str(tmp_path_factory.mktemp("hf-home")),
        }
        command = [sys.executable, "-c", PROGRAM, *repositories, "o/unknown"]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    answers = map(json.loads, ran.stdout.splitlines())
    found = dict(zip([*repositories, "o/unknown"], answers, strict=True))
    return found | {"sent": sent, "bin identity": Checkpoint.open(str(bin_folder)).identity()}


@pytest.mark.slow
def test_safetensors_come_without_what_lies_beside(fetched, base):
    assert fetched["o/safetensors"]["files"] == sorted(files_of(base))
    assert fetched["o/safetensors"]["commit"] == COMMIT
    assert fetched["o/safetensors"]["identity"] == Checkpoint.open(str(base)).identity()


@pytest.mark.slow
def test_bin_files_stay_where_there_are_safetensors(fetched):
    files = fetched["o/both"]["files"]
    assert not [file for file in files if file.endswith(".bin")]
    assert "model-00001-of-00003.safetensors" in files
    assert "additional_chat_templates/tools.jinja" in files


@pytest.mark.slow
def test_bin_files_come_where_there_is_nothing_else(fetched):
    brought = [file for file in fetched["o/bin"]["files"] if ".bin" in file or file.endswith(".py")]
    shards = [f"pytorch_model-0000{n}-of-00002.bin" for n in (1, 2)]
    assert brought == ["modeling_own.py", *shards, "pytorch_model.bin.index.json"]
    assert fetched["o/bin"]["identity"] == fetched["bin identity"]


@pytest.mark.slow
def test_nothing_else_was_sent(fetched):
    assert not set(BESIDE) & set(fetched["sent"])


@pytest.mark.slow
def test_an_unknown_model_is_said(fetched):
    assert "o/unknown is no checkpoint: there is no such folder" in fetched["o/unknown"]["error"]
