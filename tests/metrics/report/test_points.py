"""Runs of one model become one row, and rows have names that tell them apart."""

from pathlib import Path

from hm_metrics.logs.results import find_runs
from hm_metrics.report.points import ReportPoint, join
from hm_models.samples.machine import ABOUT_THE_MACHINE
from tests.metrics.report.made_runs import CODE, REFUSALS, code, merge, refusals, write_run


def points(folder: Path) -> list[ReportPoint]:
    return join(find_runs([folder]).runs)


def test_tasks_of_a_model_in_several_folders_are_one_row(tmp_path):
    write_run(tmp_path / "a", merge(0.7), {CODE: code(["+-"], 0.7)})
    write_run(tmp_path / "b", merge(0.7), {REFUSALS: refusals([1], temperature=1.0)})
    (point,) = points(tmp_path)
    assert set(point.runs) == {CODE, REFUSALS}


def test_a_task_at_two_temperatures_makes_two_rows_each_with_its_own_tasks(tmp_path):
    for temperature in (0.7, 1.0):
        tasks = {CODE: code(["+-"], temperature), REFUSALS: refusals([1], temperature=temperature)}
        write_run(tmp_path / f"{temperature}", merge(1.0), tasks)
    found = points(tmp_path)
    assert [point.label for point in found] == [
        "instruct (alpha=1), T=0.7",
        "instruct (alpha=1), T=1",
    ]
    assert all({run.temperature for run in p.runs.values()} == {p.temperature} for p in found)


def test_the_same_task_of_a_model_in_two_folders_is_two_rows_that_say_where(tmp_path):
    write_run(tmp_path / "first", merge(0.7), {CODE: code(["+-"])}, date=1)
    write_run(tmp_path / "again", merge(0.7), {CODE: code(["++"])}, date=2)
    later, earlier = points(tmp_path)
    assert later.label == "alpha=0.7"
    assert earlier.label == f"alpha=0.7 in {tmp_path.name}/first"


def test_a_whole_benchmark_is_not_put_aside_for_a_later_look_at_a_part(tmp_path):
    write_run(tmp_path / "whole", merge(0.7), {CODE: code(["+-", "--"])}, date=1)
    write_run(tmp_path / "part", merge(0.7), {CODE: code(["++"])}, date=2)
    first, second = points(tmp_path)
    assert first.runs[CODE].facts["questions"] == 2
    assert second.label.endswith("/part")


def test_rows_are_in_order_of_temperature_and_alpha_with_merges_between_the_ends(tmp_path):
    for alpha in (1.0, 0.9, 0.0, 0.7):
        write_run(tmp_path / f"{alpha}", merge(alpha), {CODE: code(["+-"])})
    write_run(tmp_path / "s", merge(0.8, merge_method="slerp"), {CODE: code(["+-"])})
    assert [point.label for point in points(tmp_path)] == [
        "base (alpha=0)",
        "alpha=0.7, linear",
        "alpha=0.9, linear",
        "alpha=0.8, slerp",
        "instruct (alpha=1)",
    ]


def test_pairs_of_one_name_and_other_content_are_two_families(tmp_path):
    for number in (1, 2):
        pair = merge(0.7, f"/{number}/base", f"/{number}/it", base_identity=f"id{number}")
        write_run(tmp_path / f"{number}", pair, {CODE: code(["+-"])})
    assert {point.family for point in points(tmp_path)} == {"1/base → 1/it", "2/base → 2/it"}


def test_a_pair_that_was_moved_is_the_same_family(tmp_path):
    for alpha, place in ((0.7, "/old"), (1.0, "/new")):
        known = {"base_identity": "b", "instruct_identity": "i"}
        pair = merge(alpha, f"{place}/base", f"{place}/it", **known)
        write_run(tmp_path / f"{alpha}", pair, {CODE: code(["+-"])})
    assert {point.family for point in points(tmp_path)} == {"base → it"}


def test_gradients_and_parameters_of_methods_are_told_apart(tmp_path):
    for number, settings in enumerate(
        (
            {"alpha": [0.2, 0.9]},
            {"alpha": {"mlp": 0.5, "*": 0.7}},
            {"alpha": 0.7, "merge_method": "ties", "merge_params": {"density": 0.5}},
            {"alpha": 0.7, "merge_method": "ties", "merge_params": {"density": 0.9}},
        )
    ):
        write_run(tmp_path / f"{number}", merge(**settings), {CODE: code(["+-"])})
    labels = {point.label for point in points(tmp_path)}
    assert len(labels) == 4
    assert "alpha=[0.2, 0.9], linear" in labels
    assert "alpha=0.7, ties (density=0.5)" in labels


def test_models_that_take_turns_are_named_by_their_rule_once(tmp_path):
    for every in (4, 16):
        rule = {"alphas": [0.0, 1.0], "every": every}
        model = merge(None, merge_method="switch", merge_params=rule)
        write_run(tmp_path / f"{every}", model, {CODE: code(["+-"])})
    write_run(tmp_path / "merged", merge(0.7), {CODE: code(["+-"])})
    assert {point.label for point in points(tmp_path)} == {
        "switch (alphas=[0.0, 1.0], every=4)",
        "switch (alphas=[0.0, 1.0], every=16)",
        "alpha=0.7, linear",
    }


def test_merges_of_many_models_go_by_their_file_and_its_content(tmp_path):
    def merged(names, identities, mark):
        models = [
            {"model": name, "revision": None, "params": {"weight": 1}, "identity": identity}
            for name, identity in zip(names, identities, strict=True)
        ]
        settings = {"merge_method": "linear", "tokenizer_model": names[-1], "file": "soup.yaml"}
        return {"merge": settings | {"models": models, "fingerprint": mark * 8}}

    runs = [
        (("/a/base", "/a/sft", "/a/dpo"), "bsd", "12345678"),
        (
            ("/a/dpo", "/moved/base", "/a/sft"),
            "dbs",
            "abcdefab",
        ),  # the same models in another order
        (("/a/base", "/a/sft"), "bs", "00000000"),
        (("/b/base", "/b/sft"), "bx", "11111111"),
    ]
    for number, (names, identities, mark) in enumerate(runs):
        write_run(tmp_path / f"{number}", merged(names, identities, mark), {CODE: code(["+-"])})
    rows = {(point.family.split(" (")[0], point.label) for point in points(tmp_path)}
    assert rows == {
        ("base + dpo + sft", "linear soup.yaml #12345678"),
        ("base + dpo + sft", "linear soup.yaml #abcdefab"),
        ("base + sft", "linear soup.yaml #00000000"),
        ("base + sft", "linear soup.yaml #11111111"),
    }
    assert len({point.family for point in points(tmp_path)}) == 3


def run_of(folder: Path, model_args, name: str | None = "meta/Llama", **more) -> None:
    """A run of another model of the harness."""
    import json

    file = write_run(folder, {"model": "hf", "model_args": model_args} | more, {CODE: code(["+-"])})
    content = json.loads(file.read_text())
    content["model_name"] = name
    file.write_text(json.dumps(content))


def test_two_adapters_of_one_base_are_two_rows_named_by_their_adapters(tmp_path):
    for adapter in "AB":
        run_of(tmp_path / adapter, {"pretrained": "meta/Llama", "peft": f"adapter{adapter}"})
    run_of(tmp_path / "none", "pretrained=meta/Llama,device=cuda")
    assert {point.id for point in points(tmp_path)} == {
        "meta/Llama: peft=adapterA",
        "meta/Llama: peft=adapterB",
        "meta/Llama: as it is",
    }


def test_runs_in_one_folder_do_not_replace_those_of_another_model(tmp_path):
    import json

    for number, args in enumerate(("peft=a", "peft=b", "revision=a", "dtype=float16", "")):
        stamp = f"2026-01-0{number + 1}T00"
        config = {"model": "hf", "model_args": f"pretrained=m,{args}"}
        file = write_run(tmp_path, config, {CODE: code(["+-"])}, number, stamp)
        content = json.loads(file.read_text())
        del content["model_name"]
        file.write_text(json.dumps(content))
    found = find_runs([tmp_path])
    assert not found.passed_over
    assert len({point.label for point in join(found.runs)}) == 5


def test_results_without_any_name_are_rows_of_their_own(tmp_path):
    for number in (1, 2):
        run_of(tmp_path / f"{number}", None, None)
    assert {point.family for point in points(tmp_path)} == {"1", "2"}


def test_a_model_is_the_same_on_another_device_and_in_another_form_of_its_arguments(tmp_path):
    run_of(tmp_path / "a", {"pretrained": "m", "peft": "p", "device": "cpu", "batch_size": 1}, "p")
    run_of(tmp_path / "b", "pretrained=m,peft=p,device=cuda:0,kv_cache_memory_bytes=99", "p")
    first, second = points(tmp_path)
    assert first.model == second.model


def test_a_merge_is_one_row_wherever_its_samples_are_the_same(tmp_path):
    """What the store of samples leaves out of its keys makes no other row either."""
    for number, more in enumerate(({}, dict.fromkeys(ABOUT_THE_MACHINE, 1))):
        config = merge(0.7) | {"model_args": {"base": "B", "alpha": 0.7} | more}
        write_run(tmp_path / f"{number}", config, {CODE: code(["+-"])})
    first, second = points(tmp_path)
    assert first.model == second.model


def test_merges_that_ran_under_other_arguments_are_told_apart(tmp_path):
    for number, backend in enumerate(("vllm", "hf")):
        config = merge(0.7) | {"model_args": {"base": "B", "alpha": 0.7, "backend": backend}}
        write_run(tmp_path / f"{number}", config, {CODE: code(["+-"])})
    assert {point.label for point in points(tmp_path)} == {
        "alpha=0.7, backend=vllm",
        "alpha=0.7, backend=hf",
    }


def test_no_secret_among_arguments_is_shown_and_what_is_cut_still_tells_apart(tmp_path):
    for number in (1, 2):
        address = f"http://user:word{number}@host/v1?key=K{number}"
        told = {"model": "m", "api_key": f"sk-{number}", "base_url": address}
        run_of(tmp_path / f"{number}", told | {"system": "x" * 500 + str(number)}, "m")
    labels = [point.label for point in points(tmp_path)]
    assert len(set(labels)) == 2
    for secret in ("user", "word", "K1", "K2", "sk-", "(not shown)"):
        assert secret not in " ".join(labels)


def test_pairs_with_one_base_and_two_instruct_models_of_one_name_are_two_families(tmp_path):
    for number in (1, 2):
        known = {"base_identity": "same", "instruct_identity": f"id{number}"}
        pair = merge(0.7, "x/base", "x/it", **known)
        write_run(tmp_path / f"{number}", pair, {CODE: code(["+-"])})
    found = points(tmp_path)
    assert len({point.family for point in found}) == 2
    assert all("(2)" not in point.label for point in found)
