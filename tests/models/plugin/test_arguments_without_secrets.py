"""Where the harness shows the arguments of its command line, keys are hidden, and the run has them."""

import logging
from argparse import Namespace

import pytest
import yaml
from lm_eval.config.evaluate_config import EvaluatorConfig

SECRETS = ("hf_of_yaml_key", "judge-of-yaml-key", "pass-of-yaml", "hub-of-yaml", "key-of-line")


@pytest.fixture
def asked(tmp_path):
    """`lm_eval run --config FILE --metadata ...`, as its command line has read it."""
    file = tmp_path / "run.yaml"
    settings = {
        "model": "hm-merged",
        "model_args": {"base": "b", "instruct": "i", "hf_token": SECRETS[0]},
        "tasks": ["demo_passk"],
        "metadata": {"judge_api_key": SECRETS[1], "judge_base_url": f"http://me:{SECRETS[2]}@host/v1"},
        "hf_hub_log_args": {"token": SECRETS[3]},
    }  # fmt: skip
    file.write_text(yaml.safe_dump(settings))
    given = {"api_key": SECRETS[4]}
    return Namespace(command="run", func=None, config=str(file), gen_kwargs=given)


def test_a_yaml_of_config_is_shown_without_its_keys(asked, capsys, caplog):
    with caplog.at_level(logging.INFO):
        config = EvaluatorConfig.from_cli(asked)
    shown = capsys.readouterr().out + caplog.text + repr(config)
    assert "'base': 'b'" in shown
    assert "will override yaml" in shown
    assert not [secret for secret in SECRETS if secret in shown]


def test_the_run_itself_has_the_keys(asked):
    config = EvaluatorConfig.from_cli(asked)
    assert config.model_args["hf_token"] == SECRETS[0]
    assert config.metadata["judge_api_key"] == SECRETS[1]
    assert config.metadata["hf_token"] == SECRETS[0]
    assert config.hf_hub_log_args == {"token": SECRETS[3]}
    assert asked.gen_kwargs == {"api_key": SECRETS[4]} == config.gen_kwargs


def test_a_yaml_that_is_read_without_a_command_line_is_shown_without_its_keys(asked):
    shown = repr(EvaluatorConfig.from_config(asked.config))
    assert "'base': 'b'" in shown
    assert not [secret for secret in SECRETS if secret in shown]
