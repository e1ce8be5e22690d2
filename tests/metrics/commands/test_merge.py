"""`hm-merge` from a pair, a recipe or results to a folder: what it writes, says and returns."""

import json

import pytest
from huggingface_hub import ModelCard
from transformers import AutoTokenizer

from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.stream import merged_tensors
from hm_models.prompts.chat_templates import GivenTemplate
from tests.entry_points import run, run_apart
from tests.metrics.report.made_runs import CODE, REFUSALS, code, merge, refusals, write_run
from tests.models.tiny import copy_of, read_tensors, same_bits

RULE = "pass@2 subject to fulfillment_rate<=0.5"


def hm_merge(*arguments, **environment):
    return run("hm-merge", *arguments, **environment)


def identities(base, instruct):
    return {
        f"{side}_identity": Checkpoint.open(str(folder)).identity()
        for side, folder in (("base", base), ("instruct", instruct))
    }


def sweep(folder, base, instruct, passes=55, **more):
    """Three alphas: 0.7 passes most often and refuses enough; the base refuses nothing."""
    known = identities(base, instruct) | more
    for alpha, marks, scores in (
        (0.0, ["+-"] * 20 + ["--"] * 40, [1] * 60),
        (0.7, ["++"] * passes + ["--"] * (60 - passes), [1] * 18 + [0] * 42),
        (1.0, ["++"] * 10 + ["--"] * 50, [0] * 58 + [1, None]),
    ):
        tasks = {CODE: code(marks), REFUSALS: refusals(scores)}
        config = merge(alpha, str(base), str(instruct), **known)
        write_run(folder / f"alpha{alpha}", config, tasks)
    return folder


@pytest.fixture(autouse=True)
def no_vectors(monkeypatch):
    """Reading vectors takes seconds, and says nothing about merging."""
    monkeypatch.setattr("hm_metrics.report.rows.wants_vectors", lambda run, log: False)


@pytest.fixture
def no_figures(monkeypatch):
    """Drawing takes seconds as well."""
    monkeypatch.setattr("hm_metrics.report.evaluation.draw", lambda *_: [])


def assert_is_the_merge(folder, recipe):
    tensors, stream = read_tensors(folder), dict(merged_tensors(recipe))
    assert tensors.keys() == stream.keys()
    assert all(same_bits(tensors[name], stream[name]) for name in stream)


def test_one_command_writes_the_merge(base, instruct, tmp_path):
    out = tmp_path / "deep" / "out"
    arguments = ("--base", base, "--instruct", instruct, "--alpha", 0.7)
    done = hm_merge(*arguments, "--output_path", out, "--max_shard_size", "20KB")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"Wrote {out}.\n"
    assert "21 tensors" in done.stderr
    assert "sets none" in done.stderr, "the licences"
    assert "Merging: 100%" in done.stderr
    assert_is_the_merge(out, MergeRecipe(str(base), str(instruct), 0.7))
    assert len(list(out.glob("model-*-of-*.safetensors"))) > 1
    assert ModelCard.load(out / "README.md").data.base_model == [str(base), str(instruct)]
    # The same command again finds all there, another merge is refused.
    assert hm_merge(*arguments, "--output_path", out, "--quiet").returncode == 0
    other = hm_merge(*arguments[:-1], 0.3, "--output_path", out)
    assert other.returncode == 2
    assert "is not the merge that was asked for" in other.stderr


def test_arguments_are_those_of_the_model(base, instruct, tmp_path):
    arguments = ["--base", base, "--instruct", instruct, "--alpha", "[0.2, 0.9]", "--quiet"]
    arguments += ["--merge_method", "ties", "--merge_params", '{"density": 0.5}']
    arguments += ["--merge_dtype", "none", "--dtype", "float16"]
    done = hm_merge(*arguments, "--output_path", tmp_path / "out")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    recipe = MergeRecipe(
        *(str(base), str(instruct), [0.2, 0.9]),
        merge_method="ties",
        merge_params={"density": 0.5},
        merge_dtype=None,
        out_dtype="float16",
    )
    assert_is_the_merge(tmp_path / "out", recipe)


def test_a_chat_template_can_be_given(base, instruct, tmp_path):
    arguments = ("--base", base, "--instruct", instruct, "--alpha", 0.7, "--quiet", "--output_path")
    done = hm_merge(*arguments, tmp_path / "out", "--chat_template", "vicuna")
    assert done.returncode == 0, done.stderr
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert "USER" in tokenizer.apply_chat_template(
        [{"role": "user", "content": "w1"}], tokenize=False
    )
    assert hm_merge(*arguments, tmp_path / "out").returncode == 2, (
        "another template, another folder"
    )
    done = hm_merge(*arguments, tmp_path / "other", "--chat_template", "nowhere")
    assert done.returncode == 2
    assert "chat_template='nowhere'" in done.stderr


def test_quiet_says_nothing(base, instruct, tmp_path):
    arguments = ("--base", base, "--instruct", instruct, "--alpha", 0.7, "--quiet")
    done = run_apart("hm-merge", *arguments, "--output_path", tmp_path / "out")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "out" / "config.json").is_file()


def test_a_recipes_file_is_written_with_its_own_dtype(base, instruct, tmp_path):
    file = tmp_path / "mine.yml"
    models = [
        {"model": str(folder), "parameters": {"weight": weight}}
        for folder, weight in ((base, 0.2), (instruct, 0.6))
    ]
    content = {"merge_method": "linear", "models": models, "dtype": "float16"}
    file.write_text(json.dumps(content))
    done = hm_merge("--recipe", file, "--output_path", tmp_path / "out", "--quiet")
    assert done.returncode == 0, done.stderr
    assert {str(t.dtype) for t in read_tensors(tmp_path / "out").values()} == {"torch.float16"}
    again = hm_merge(
        *("--recipe", tmp_path / "out" / "mergekit_config.yml", "--quiet"),
        *("--output_path", tmp_path / "again"),
    )
    assert again.returncode == 0, again.stderr
    one, other = (read_tensors(tmp_path / name) for name in ("out", "again"))
    assert all(same_bits(one[name], other[name]) for name in one)


def test_a_dry_run_says_sizes_and_writes_nothing(base, instruct, tmp_path):
    arguments = ("--base", base, "--instruct", instruct, "--alpha", 0.7, "--dry-run")
    done = hm_merge(*arguments, "--output_path", tmp_path / "out", "--dtype", "float32")
    assert done.returncode == 0, done.stderr
    size = sum(2 * tensor.nbytes for tensor in read_tensors(instruct).values())
    assert f"{size // 1000 / 1000:.2f}" in done.stdout
    assert " MB in 1 file" in done.stdout
    assert "are free" in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--alpha", "0.7"], "names no checkpoint"),
        (["--base", "BASE", "--instruct", "INSTRUCT"], "alpha"),
        (["--base", "BASE", "--instruct", "INSTRUCT", "--alpha", "1.5"], "[0, 1]"),
        (["--base", "/nowhere", "--instruct", "INSTRUCT", "--alpha", "0.7"], "no such folder"),
        (["--base", "BASE", "--instruct", "INSTRUCT", "--alpha", "0.7", "--dtype", "int4"], "int4"),
        (["--recipe", "x.yml", "--alpha", "0.7"], "leave --alpha out"),
        (["--recipe", "x.yml", "--dtype", "float16"], "leave --dtype out"),
        (["--recipe", "/nowhere.yml"], "cannot be read"),
        (["--from", "runs"], "needs a rule"),
        (["--from", "runs", "--select", "x", "--alpha", "0.7"], "leave --alpha out"),
        (["--from", "/nowhere", "--select", "x"], "/nowhere does not exist"),
        (["--select", "pass@1"], "--from FOLDER"),
        (["--anyway"], "--from FOLDER"),
        (["--public"], "--push_to_hub"),
        (["--max_shard_size", "five"], "5GB"),
        (["--base", "BASE", "--instruct", "INSTRUCT", "--merge_params", "{"], "merge_params="),
        (["--instruckt", "INSTRUCT"], "Did you mean --instruct?"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_done_is_a_sentence_and_code_2(base, instruct, tmp_path, words, said):
    names = {"BASE": base, "INSTRUCT": instruct}
    arguments = [names.get(word, word) for word in words]
    done = hm_merge(*arguments, "--output_path", tmp_path / "out")
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_results_give_the_merge_that_a_rule_chooses_with_its_numbers(base, instruct, tmp_path):
    folder = sweep(tmp_path / "runs", base, instruct)
    out = tmp_path / "out"
    done = hm_merge("--from", folder, "--select", RULE, "--output_path", out)
    assert done.returncode == 0, done.stderr
    assert "The best is alpha=0.7" in done.stderr
    recipe = MergeRecipe(str(base), str(instruct), 0.7)
    assert_is_the_merge(out, recipe)
    manifest = json.loads((out / "hindsight_merge.json").read_text())
    assert manifest["fingerprint"] == recipe.fingerprint()

    card = ModelCard.load(out / "README.md")
    results = {(r.dataset_name, r.metric_type): r for r in card.data.eval_results}
    passed, failed = results[CODE, "pass@2"], results[REFUSALS, "fulfillment_rate"]
    assert passed.metric_value == pytest.approx(55 / 60)
    assert passed.metric_args["stderr"] == pytest.approx(0.036, abs=0.001)
    assert passed.metric_args["confidence_95_low"] < 55 / 60
    assert failed.metric_value == pytest.approx(0.3)
    assert "unscored" not in {metric for _, metric in results}
    text = card.text
    assert "`pass@2 subject to fulfillment_rate<=0.5`" in text
    assert "| pass@2 | 0.917 [0.816, 0.967] | 0.167 [0.083, 0.284] |" in text
    assert "### Differences to the instruct model" in text
    assert "samples a question 2, temperature 0.7, prompt style chat" in text
    assert f"{REFUSALS}: of 60 answers 42 refuse, 18 fulfil the request, 0 are unscored" in text
    pictures = {file.relative_to(out).as_posix() for file in (out / "figures").iterdir()}
    assert f"figures/frontier_{CODE}_{REFUSALS}.png" in pictures
    assert all(f"]({name})" in text for name in pictures)
    assert all(name.endswith(".png") for name in pictures)
    assert not (tmp_path / "runs" / "report.html").exists()


def test_nothing_is_written_where_none_stands_out_unless_asked(
    base, instruct, tmp_path, no_figures
):
    folder = sweep(tmp_path / "runs", base, instruct, passes=12)
    arguments = ("--from", folder, "--select", RULE, "--output_path", tmp_path / "out", "--quiet")
    done = hm_merge(*arguments)
    assert done.returncode == 1
    assert "None stands out" in done.stderr
    assert "nothing was written. --anyway writes it." in done.stderr
    assert not (tmp_path / "out").exists()
    assert hm_merge(*arguments, "--anyway").returncode == 0
    assert "None stands out" in (tmp_path / "out" / "README.md").read_text()
    assert_is_the_merge(tmp_path / "out", MergeRecipe(str(base), str(instruct), 0.7))


def test_a_checkpoint_itself_is_no_merge_unless_asked(base, instruct, tmp_path, no_figures):
    folder = sweep(tmp_path / "runs", base, instruct)
    rule = "fulfillment_rate"  # the instruct model refuses most
    arguments = ("--from", folder, "--select", rule, "--output_path", tmp_path / "out")
    done = hm_merge(*arguments)
    assert done.returncode == 1
    assert "instruct (alpha=1) is one of the two checkpoints itself" in done.stderr
    assert hm_merge(*arguments, "--anyway").returncode == 0
    assert_is_the_merge(tmp_path / "out", MergeRecipe(str(base), str(instruct), 1))


def test_the_chat_template_of_the_run_comes_along(base, instruct, tmp_path, no_figures):
    template = tmp_path / "mine.jinja"
    template.write_text("{{ messages[0]['content'] }}!")
    folder = sweep(tmp_path / "runs", base, instruct)
    noted = GivenTemplate.of(str(template)).to_dict()
    for file in folder.rglob("results_*.json"):
        content = json.loads(file.read_text())
        content["config"]["chat_template"] = noted
        file.write_text(json.dumps(content))
    arguments = ("--from", folder, "--select", RULE, "--output_path")
    assert hm_merge(*arguments, tmp_path / "out").returncode == 0
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert tokenizer.chat_template == template.read_text()
    template.write_text("another")
    done = hm_merge(*arguments, tmp_path / "other")
    assert done.returncode == 2
    assert "has another content now" in done.stderr


def test_no_row_that_satisfies_the_rule_is_a_sentence(base, instruct, tmp_path):
    folder = sweep(tmp_path / "runs", base, instruct)
    rule = "pass@2 subject to fulfillment_rate<=0.001"
    done = hm_merge("--from", folder, "--select", rule, "--output_path", tmp_path / "out")
    assert done.returncode == 2
    assert "0.001" in done.stderr
    unknown = hm_merge("--from", folder, "--select", "pass@7", "--output_path", tmp_path / "out")
    assert unknown.returncode == 2
    assert "pass@2" in unknown.stderr, "what there is"


def test_files_that_are_not_those_that_were_measured_are_refused(base, instruct, tmp_path):
    mine = copy_of(instruct, tmp_path / "mine")
    folder = sweep(tmp_path / "runs", base, mine)
    file = sorted(mine.glob("*.safetensors"))[0]
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    arguments = ["--from", folder, "--select", RULE, "--output_path", tmp_path / "out"]
    done = hm_merge(*arguments, "--anyway")
    assert done.returncode == 2
    assert f"{mine} is not what was measured as the instruct of" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_pair_that_was_moved_is_named_where_it_lies(base, instruct, tmp_path, no_figures):
    folder = sweep(tmp_path / "runs", base, copy_of(instruct, tmp_path / "then"))
    now = (tmp_path / "then").rename(tmp_path / "now")
    arguments = ["--from", folder, "--select", RULE, "--output_path", tmp_path / "out"]
    assert hm_merge(*arguments).returncode == 2
    done = hm_merge(*arguments, "--instruct", now)
    assert done.returncode == 0, done.stderr
    assert_is_the_merge(tmp_path / "out", MergeRecipe(str(base), str(now), 0.7))


def test_results_of_several_pairs_or_of_no_merge_are_a_sentence(base, instruct, tmp_path):
    sweep(tmp_path / "runs" / "one", base, instruct)
    sweep(tmp_path / "runs" / "two", instruct, base)
    out = ("--output_path", tmp_path / "out")
    done = hm_merge("--from", tmp_path / "runs", "--select", RULE, *out)
    assert done.returncode == 2
    assert "Name the folder of one pair" in done.stderr
    write_run(tmp_path / "plain", {"model": "hf"}, {CODE: code(["++"] * 5)})
    done = hm_merge("--from", tmp_path / "plain", "--select", "pass@2", *out, "--anyway")
    assert done.returncode == 2
    assert "is no merge of a pair" in done.stderr


@pytest.mark.parametrize("noted", [{"merge_method": 7}, {"base_identity": None}, {"alpha": "x"}])
def test_a_record_that_is_no_recipe_is_a_sentence(base, instruct, tmp_path, noted):
    folder = sweep(tmp_path / "runs", base, instruct)
    for file in folder.rglob("results_*.json"):
        content = json.loads(file.read_text())
        content["config"]["merge"] |= noted
        file.write_text(json.dumps(content))
    arguments = ("--from", folder, "--select", RULE, "--anyway")
    done = hm_merge(*arguments, "--output_path", tmp_path / "out")
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
