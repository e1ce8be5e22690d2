"""Two runs of the harness's command at the same time, with two alphas and one cache file."""

import json
import os
import subprocess
import sys

import lm_eval
import pytest
from lm_eval.tasks import TaskManager

from hm_models.merged import HindsightMerged
from tests.models.tiny import tiny_checkpoint

ALPHAS = (0.2, 0.8)
TASK = """
task: many_samples
dataset_path: json
dataset_kwargs: {{data_files: {{test: "{docs}"}}}}
test_split: test
output_type: generate_until
repeats: 5
generation_kwargs: {{until: ["\\n"], max_gen_toks: 12, do_sample: true, temperature: 1.0}}
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{answer}}}}"
filter_list:
  - name: every
    filter: [{{function: take_first_k, k: 5}}]
metric_list:
  - {{metric: exact_match, aggregation: mean, higher_is_better: true}}
"""


def texts(lines) -> list[list[str]]:
    return [line["resps"][0] for line in sorted(lines, key=lambda line: line["doc_id"])]


@pytest.mark.campaign
def test_two_alphas_at_once_in_one_cache_file_get_what_each_gets_alone(tmp_path, monkeypatch):
    pair = [tiny_checkpoint(tmp_path / n, s) for s, n in enumerate(("base", "instruct"))]
    docs = tmp_path / "docs.jsonl"
    docs.write_text("\n".join(json.dumps({"question": f"w{n}", "answer": "w"}) for n in range(40)))
    (tmp_path / "many_samples.yaml").write_text(TASK.format(docs=docs))
    monkeypatch.setenv("HM_CACHE", str(tmp_path / "hm"))

    def command(alpha):
        arguments = f"base={pair[0]},instruct={pair[1]},alpha={alpha},backend=hf,dtype=float32"
        options = ["--model", "hm-merged", "--model_args", arguments, "--batch_size", "8"]
        options += ["--tasks", "many_samples", "--include_path", str(tmp_path), "--log_samples"]
        options += ["--use_cache", str(tmp_path / "shared"), "--output_path", str(tmp_path / "out")]
        return [sys.executable, "-m", "lm_eval", "run", *options]

    runs = [
        subprocess.Popen(command(alpha), stderr=subprocess.PIPE, text=True, env=os.environ.copy())
        for alpha in ALPHAS
    ]
    said = [run.communicate(timeout=600)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    assert not any("locked" in words for words in said)
    for alpha in ALPHAS:
        (log,) = (tmp_path / "out" / f"base--instruct--alpha{alpha}").glob("samples_*.jsonl")
        together = texts(map(json.loads, log.read_text().splitlines()))
        lm = HindsightMerged(
            base=str(pair[0]), instruct=str(pair[1]), alpha=alpha, backend="hf", dtype="float32"
        )
        lm.keep_samples_in(tmp_path / f"alone{alpha}")
        manager = TaskManager(include_defaults=False, include_path=str(tmp_path))
        alone = lm_eval.simple_evaluate(lm, tasks=["many_samples"], task_manager=manager)
        assert texts(alone["samples"]["many_samples"]) == together
        assert len({text for found in together for text in found}) > 40
