"""A sweep's settings are checked key by key, and flags win over the file."""

from argparse import ArgumentParser
from pathlib import Path

import pytest
import yaml

from hm_models.sweep.config import KEYS, SweepError, read_config, read_settings
from hm_models.sweep.flags import add_flags, merged_settings
from hm_models.sweep.points import points_of
from hm_models.sweep.shipped import shipped

PAIR = {"base": "b/base", "instruct": "b/chat", "tasks": ["t"]}
CONFIGS = sorted((Path(__file__).parents[3] / "configs").glob("*.yaml"))


def parsed(words):
    parser = ArgumentParser()
    add_flags(parser)
    return parser.parse_args(words)


def labels(**more):
    return [point.label for point in points_of(read_config(PAIR | more))]


def test_alphas_are_0_07_09_and_1_unless_told_otherwise():
    assert labels() == ["b/alpha0", "b/alpha0.7", "b/alpha0.9", "b/alpha1"]


def test_alpha_0_runs_first_and_whole_numbers_are_written_as_such():
    assert labels(alphas=[1.0, 0.5, 0.0]) == ["b/alpha0", "b/alpha1", "b/alpha0.5"]


def test_every_point_has_a_folder_of_its_own():
    found = labels(
        alphas=[0.5, [0.2, 0.9], {"mlp": 0.1, "*": 0.5}],
        methods=["linear", {"name": "ties", "params": {"density": 0.5}}, "ties"],
        temperatures=[0, 0.7],
        pairs=None,
    )
    assert len(set(found)) == len(found) == 18
    assert "b/alpha0.5--ties--density-0.5--temperature0.7" in found


def test_a_sampler_names_its_folder_by_what_it_says_in_one_order():
    samplers = [{"temperature": 0.7, "top_p": 0.95}, {"min_p": 0.1, "temperature": 1.2}, {}]
    samplers += [{"temperature": 1.5, "top_n_sigma": 1}, {"top_k": 50, "repetition_penalty": 1.05}]
    assert labels(alphas=[0.5], samplers=samplers) == [
        "b/alpha0.5--temperature0.7--top_p0.95",
        "b/alpha0.5--temperature1.2--min_p0.1",
        "b/alpha0.5",
        "b/alpha0.5--temperature1.5--top_n_sigma1",
        "b/alpha0.5--top_k50--repetition_penalty1.05",
    ]


def test_samplers_that_differ_late_have_folders_of_their_own():
    found = labels(alphas=[1], samplers=[{"min_p": 0.1234567}, {"min_p": 0.12345671}])
    assert len(set(found)) == 2


def test_temperatures_are_short_for_samplers_and_their_folders_and_settings_are_what_they_were(
    tmp_path,
):
    short = read_config(PAIR | {"alphas": [0.5], "temperatures": [0, 0.7, "1e-1"]})
    long = [{"temperature": 0}, {"temperature": 0.7}, {"temperature": 0.1}]
    assert short == read_config(PAIR | {"alphas": [0.5], "samplers": long})
    names = [point.name for point in points_of(short)]
    assert names == [f"alpha0.5--temperature{t}" for t in ("0", "0.7", "0.1")]
    asked = [point.run_arguments(short, tmp_path)["gen_kwargs"] for point in points_of(short)]
    assert asked[:2] == [
        {"temperature": 0.0, "do_sample": False},
        {"temperature": 0.7, "do_sample": True},
    ]


def test_a_sampler_stands_beside_the_other_sampling_parameters(tmp_path):
    given = {"alphas": [0.5], "samplers": [{"min_p": 0.1}], "gen_kwargs": {"max_gen_toks": 9}}
    config = read_config(PAIR | given)
    (point,) = points_of(config)
    asked = point.run_arguments(config, tmp_path)["gen_kwargs"]
    assert asked == {"min_p": 0.1, "max_gen_toks": 9}


def test_samplers_on_the_command_line_replace_the_temperatures_of_the_file(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text(yaml.safe_dump(PAIR | {"temperatures": [0.2]}))
    flags = ["--samplers", '{"temperature": 1.2, "min_p": 0.1},{}', '{"top_k": 5}']
    config = read_config(merged_settings(parsed([str(file), *flags])))
    assert [str(sampler) for sampler in config.samplers] == [
        "temperature 1.2, min_p 0.1",
        "",
        "top_k 5",
    ]
    config = read_config(merged_settings(parsed([str(file), "--temperatures", "0.5,1"])))
    assert [sampler.name for sampler in config.samplers] == ["temperature0.5", "temperature1"]


def test_points_of_one_engine_stand_together():
    engines = [p.engine for p in points_of(read_config(PAIR | {"methods": ["linear", "ties"]}))]
    assert engines == sorted(engines, key=engines.index)
    assert len(set(engines)) == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"alpahs": [0.5]}, "'alpahs' is no key of the sweep. Did you mean alphas?"),
        ({"batchsize": 4}, "Did you mean batch_size?"),
        ({"alphas": [1.4]}, "alphas: alpha=1.4 lies outside"),
        ({"alphas": []}, "at least one"),
        ({"alphas": [1.4], "extrapolate": "yes"}, "extrapolate='yes': expected true or false"),
        ({"model_args": {"extrapolate": True}}, "extrapolate stands in model_args"),
        ({"alphas": [0.7, 0.7]}, "alphas: 0.7 stands there twice"),
        ({"temperatures": [-1]}, "temperatures: temperature=-1 among the sampling parameters: expected"),
        ({"temperatures": [0.7, 0.70]}, "samplers: temperature 0.7 stands there twice"),
        ({"temperatures": [0.7], "samplers": [{"min_p": 0.1}]}, "both are there. Leave one of them out"),
        ({"samplers": []}, "samplers: expected a list with at least one entry"),
        ({"samplers": {"min_p": 0.1}}, "samplers: expected a list"),
        ({"samplers": [0.7]}, "samplers: 0.7 is none. Write {temperature: 0.7, top_p: 0.9}"),
        ({"samplers": [{"minp": 0.1}]}, "samplers: minp is no parameter of sampling. Did you mean min_p?"),
        ({"samplers": [{"top_p": 1.5}]}, "top_p=1.5 among the sampling parameters: expected a number above 0"),
        ({"samplers": [{"top_k": 2.5}]}, "top_k=2.5 among the sampling parameters: expected a whole number"),
        ({"samplers": [{"top_n_sigma": 0}]}, "top_n_sigma=0 among the sampling parameters: expected"),
        ({"samplers": [{"min_p": True}]}, "min_p=True among the sampling parameters: expected"),
        ({"samplers": [{"temperature": 0, "min_p": 0.1}]}, "temperature=0 draws nothing, so that min_p"),
        ({"samplers": [{"min_p": 0.1}, {"min_p": 0.10}]}, "samplers: min_p 0.1 stands there twice"),
        ({"samplers": [{"min_p": 0.1}], "gen_kwargs": {"min_p": 0.2}}, "min_p stands in gen_kwargs and"),
        ({"temperatures": [0.7], "gen_kwargs": {"temperature": 0.2}}, "Leave one of them out"),
        ({"methods": [{"nmae": "ties"}]}, "Did you mean name?"),
        ({"model_args": {"alpha": 0.7}}, "alpha stands in model_args, but a sweep"),
        ({"tasks": []}, "tasks: none given"),
        ({"base": ""}, "base is missing"),
        ({"name": "../up"}, "names a folder"),
        ({"pairs": [{"base": "x/a", "instruct": "x/b"}]}, "not beside pairs"),
        ({"limit": 3, "samples": {"t": [0]}}, "exclude each other"),
        ({"metadata": 3}, "metadata: expected names and values"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_a_sentence(given, said):
    with pytest.raises(SweepError) as error:
        read_config(PAIR | given)
    assert said in str(error.value)


def test_alphas_beyond_the_ends_where_that_is_meant():
    assert labels(alphas=[1.3, -0.2], extrapolate=True) == ["b/alpha1.3", "b/alphaminus0.2"]
    found = labels(alphas=[[-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]], extrapolate=True)
    assert len(set(found)) == 3


def test_unknown_keys_of_a_pair_name_the_nearest():
    pairs = {"one": {"base": "x/a", "instuct": "x/b"}}
    with pytest.raises(SweepError, match="Did you mean instruct"):
        read_config({"pairs": pairs, "tasks": ["t"]})


def test_flags_win_over_the_file_and_mappings_are_merged(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text(yaml.safe_dump(PAIR | {"model_args": {"a": 1, "b": 2}, "limit": 3}))
    flags = "--alphas 0,0.5 [0.2,0.9] --model_args b=3 --limit 5 --name other"
    config = read_config(merged_settings(parsed([str(file), *flags.split()])))
    assert config.alphas == (0, 0.5, (0.2, 0.9))
    assert config.model_args == {"a": 1, "b": 3}
    assert config.harness["limit"] == 5
    assert config.pairs[0].name == "other"


def test_a_pair_on_the_command_line_replaces_those_of_the_file(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text(yaml.safe_dump({"pairs": [{"base": "x/a", "instruct": "x/b"}], "tasks": ["t"]}))
    flags = ["--base", "y/a", "--instruct", "y/b"]
    config = read_config(merged_settings(parsed([str(file), *flags])))
    assert [pair.base for pair in config.pairs] == ["y/a"]


def test_every_key_has_a_flag():
    arguments = vars(parsed([]))
    assert set(KEYS) <= arguments.keys()


def test_a_config_that_comes_along_is_taken_by_name_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert list(shipped().values()) == CONFIGS
    (tmp_path / "llama-3.1-8b").mkdir()  # an earlier --output_path
    by_name = merged_settings(parsed(["llama-3.1-8b"]))
    assert by_name["instruct"] == "meta-llama/Llama-3.1-8B-Instruct"
    assert merged_settings(parsed(["--config", "llama-3.1-8b", "--limit", "3"])) == by_name | {
        "limit": 3
    }


def test_a_file_goes_before_a_config_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").write_text("{name: mine}")
    assert merged_settings(parsed(["demo"])) == {"name": "mine"}


def test_an_unknown_config_is_told_the_names_and_two_are_too_many():
    with pytest.raises(SweepError, match=r"Did you mean qwen3-8b\? There are: demo, gemma-3-1b, "):
        merged_settings(parsed(["configs/qwen-8b.yaml"]))
    with pytest.raises(SweepError, match="a sweep has one file"):
        merged_settings(parsed(["demo", "--config", "smoke"]))


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.name)
def test_the_configs_that_come_along_can_be_read(file):
    assert points_of(read_config(read_settings(file)))


@pytest.mark.parametrize("file", sorted((CONFIGS[0].parent / "single").glob("*.yaml")), ids=str)
def test_the_single_configs_are_the_harness_s_own(file):
    from lm_eval.config.evaluate_config import EvaluatorConfig

    assert EvaluatorConfig.from_config(file).model == "hm-merged"
