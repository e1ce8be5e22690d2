"""A pushed merge is on the hub as it is on the disk, for nobody else's eyes unless that is asked for.

The hub's client over HTTP, against a stand-in on this machine.
"""

import os
import subprocess

import pytest
from huggingface_hub import ModelCard

from hm_models.merge.card import Evaluation
from hm_models.merge.hub import HubError, open_repository, push
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.take_home import TakeHome
from tests.end_to_end.hub import Files, hub
from tests.entry_points import ROOT, command, run


@pytest.fixture
def at_hub(monkeypatch, tmp_path):
    """What the stand-in's repositories hold; this process's client is led there."""
    with hub() as (address, repositories):
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", address)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", "hf_of_nobody")
        yield repositories


@pytest.fixture
def merged(base, instruct, tmp_path):
    job = TakeHome.of(MergeRecipe(str(base), str(instruct), 0.7), tmp_path / "out", 20_000)
    job.write(Evaluation(), quiet=True)
    return job.folder


def assert_is_there(files, folder):
    paths = {f.relative_to(folder).as_posix(): f for f in folder.rglob("*") if f.is_file()}
    assert files.keys() == paths.keys()
    assert [n for n in paths if n != "README.md" and files[n] != paths[n].read_bytes()] == []


@pytest.mark.parametrize("public", [False, True])
def test_a_push_brings_every_file_and_is_private_unless_asked(at_hub, merged, public):
    repository = open_repository("me/merged", public)
    assert push(merged, repository).endswith("/me/merged")
    assert at_hub["me/merged"].private is not public
    assert_is_there(at_hub["me/merged"], merged)


def test_the_card_on_the_hub_names_no_folder_of_this_machine_as_a_parent(at_hub, merged):
    push(merged, open_repository("me/merged", False))
    pushed, here = (
        ModelCard(text.decode())
        for text in (at_hub["me/merged"]["README.md"], (merged / "README.md").read_bytes())
    )
    assert len(here.data.base_model) == 2
    assert pushed.data.base_model is None
    assert pushed.data.tags == here.data.tags
    assert pushed.text == here.text


def test_what_everybody_can_read_takes_no_private_merge(at_hub, merged):
    at_hub["me/merged"] = Files()
    with pytest.raises(HubError, match="everybody can read it"):
        open_repository("me/merged", False)
    assert not at_hub["me/merged"]
    open_repository("me/merged", True)


@pytest.mark.parametrize("name", ["a/b/c", "me/with blank", ""])
def test_a_name_that_is_none_is_a_sentence(at_hub, name):
    with pytest.raises(HubError, match="push_to_hub"):
        open_repository(name, False)
    assert not at_hub


def test_a_hub_that_cannot_be_reached_is_a_sentence_before_anything_is_written(
    base, instruct, tmp_path
):
    arguments = ["--base", base, "--instruct", instruct, "--alpha", 0.7, "--quiet"]
    arguments += ["--output_path", tmp_path / "out", "--push_to_hub", "me/merged"]
    done = run("hm-merge", *arguments)  # every test runs with HF_HUB_OFFLINE
    assert done.returncode == 2
    assert "The hub does not take me/merged" in done.stderr
    assert "HF_HUB_OFFLINE" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.engine
def test_the_command_pushes_and_pushes_again_without_writing(base, instruct, tmp_path):
    arguments = ["--base", base, "--instruct", instruct, "--alpha", 0.7]
    arguments += ["--output_path", tmp_path / "out", "--push_to_hub", "me/merged"]
    with hub() as (address, repositories):
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "HF_HOME": str(tmp_path / "hf"),
            "HF_ENDPOINT": address,
            "HF_TOKEN": "hf_of_nobody",
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
        }
        for _ in range(2):
            done = subprocess.run(
                command("hm-merge", *arguments), env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
            assert f"Pushed to {address}/me/merged." in done.stdout
            assert_is_there(repositories["me/merged"], tmp_path / "out")
            repositories["me/merged"].clear()
