"""pass@k on a code benchmark, as a task of lm-evaluation-harness.

    lm_eval --model hm-merged --model_args base=B,instruct=I,alpha=0.7 --tasks mbppplus_passk \\
        --log_samples --output_path OUT

n samples a problem, evalplus's prompts and verdicts, pass@k by the unbiased estimator. The YAML
beside this file says which problems and which sampling; `--metadata '{"n_samples": 50}'` overrides.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lm_eval.api.metrics import mean
from lm_eval.api.task import Task
from lm_eval.config.task import TaskConfig

from hm_metrics.entropy import TokenSums
from hm_metrics.pass_at_k import pass_at_k
from hm_tasks.code_passk.dataset import Source, load_problems
from hm_tasks.code_passk.diversity import Diversity
from hm_tasks.code_passk.prompts import CodeRequest, completion_prompt
from hm_tasks.execution.isolation.levels import RLIMIT
from hm_tasks.execution.isolation.prove import choose
from hm_tasks.execution.pool import check_all
from hm_tasks.execution.problem import PASS, TIMEOUT, UNSCORED, Problem, Verdict

FILTER = "scored"
# Which samples count as correct, by the prefix of the metric: both sets of tests (evalplus's
# convention), the base tests, or the extra tests alone (what the paper's figure 5 counts).
CORRECT = {
    "pass": lambda verdict: verdict.base_status == verdict.plus_status == PASS,
    "base_pass": lambda verdict: verdict.base_status == PASS,
    "plus_only_pass": lambda verdict: verdict.plus_status == PASS,
}
COUNTS = ("generated", "unscored", "timeouts", "empty_programs")


class ProtocolError(ValueError):
    """A setting of the task that cannot be used; raised before any model is loaded."""


class CodePassK(Task):
    """A pass@k task; everything that differs between benchmarks is in its YAML."""

    OUTPUT_TYPE = "generate_until"

    def __init__(self, config: dict[str, Any]) -> None:
        settings = {key: value for key, value in config.items() if key != "class"}
        metadata = settings["metadata"]
        n_samples, self.ks = _protocol(metadata)
        self._config = TaskConfig(**settings, repeats=n_samples)
        self.VERSION = metadata["version"]
        # Proven here and now, so that results say what held, and users are asked where little does.
        self._isolation = metadata["isolation"] = choose(metadata["isolation"])
        self.UNSAFE_CODE = self._isolation == RLIMIT
        self._diversity = Diversity(metadata)
        source = Source(**self.config.dataset_kwargs)
        self._until = {
            "chat": list(metadata["chat_until"]),
            "completion": list(source.completion_until),
        }
        problems, digest = load_problems(source, Path(metadata["config_source"]).parent)
        metadata["dataset_sha256"] = digest
        self._problems: dict[str, Problem] = {problem.task_id: problem for problem in problems}
        # What the harness logs for each problem: no tests and no solution, which are megabytes.
        self._docs = [
            {"task_id": p.task_id, "prompt": p.prompt, "entry_point": p.entry_point}
            for p in problems
        ]
        self._instances: list[CodeRequest] | None = None
        self._system: str | None = None
        self._tokens: dict[str, list[TokenSums]] = {}

    # --- documents ----------------------------------------------------------------------------

    def has_training_docs(self) -> bool:
        return False

    def has_validation_docs(self) -> bool:
        return False

    def has_test_docs(self) -> bool:
        return True

    def test_docs(self) -> list[dict[str, str]]:
        return self._docs

    def doc_to_text(self, doc: dict[str, str]) -> str:
        return completion_prompt(doc["prompt"])

    def doc_to_target(self, doc: dict[str, str]) -> str:
        return self._problems[doc["task_id"]].canonical_solution

    # --- requests -----------------------------------------------------------------------------

    def fewshot_context(self, doc: dict[str, str], num_fewshot: int = 0, **kwargs: Any) -> str:
        if num_fewshot:
            raise ProtocolError(
                f"{self.task_name} is a zero-shot task: --num_fewshot {num_fewshot} cannot be used."
            )
        self._system = kwargs.get("system_instruction")
        return self.doc_to_text(doc)

    def construct_requests(self, doc: dict[str, str], ctx: str, **kwargs: Any) -> CodeRequest:
        request = CodeRequest(
            request_type="generate_until",
            doc=doc,
            arguments=(),
            idx=0,
            metadata=kwargs["metadata"],
            system=self._system,
            until=self._until,
            generation_kwargs=self.config.generation_kwargs,
        )
        style = "chat" if kwargs.get("apply_chat_template") else "completion"
        request.use_prompt_style(style, kwargs.get("chat_template"))
        return request

    # --- scoring ------------------------------------------------------------------------------

    def apply_filters(self) -> list[CodeRequest]:
        """Score every sample of the run in one parallel step."""
        requests = self._instances or []
        verdicts = check_all(
            [
                (self._problems[r.doc["task_id"]], [self._solution(r, text) for text in r.resps])
                for r in requests
            ],
            isolation=self._isolation,
        )
        for request, found in zip(requests, verdicts, strict=True):
            request.filtered_resps[FILTER] = [verdict.record() for verdict in found]
        self._measure_diversity(requests)
        return requests

    def _measure_diversity(self, requests: list[CodeRequest]) -> None:
        self._tokens = {r.doc["task_id"]: list(r.token_sums.values()) for r in requests}
        texts = {r.doc["task_id"]: r.resps for r in requests}
        if self._diversity.embedded == "program":
            found = {r.doc["task_id"]: r.filtered_resps[FILTER] for r in requests}
            texts = {task_id: [v["program"] for v in records] for task_id, records in found.items()}
        self._diversity.measure(texts)

    @staticmethod
    def _solution(request: CodeRequest, text: str) -> str:
        # evalplus: tabs to four spaces; a completion is part of the program that its prompt began.
        text = text.replace("\t", "    ")
        return text if request.style == "chat" else completion_prompt(request.doc["prompt"]) + text

    def process_results(self, doc: dict[str, str], results: list[list[dict]]) -> dict[str, Any]:
        verdicts = [Verdict(**verdict) for verdict in results[0]]
        scored = [v for v in verdicts if UNSCORED not in (v.base_status, v.plus_status)]
        metrics: dict[str, Any] = {}
        for prefix, is_correct in CORRECT.items():
            c = sum(map(is_correct, scored))
            for k in self.ks:
                if k <= len(scored):  # else there is no estimate, which is not a zero
                    metrics[f"{prefix}@{k}"] = pass_at_k(len(scored), c, k)
        task_id = doc.get("task_id", "")
        tokens, entry_point = self._tokens.get(task_id, ()), doc.get("entry_point", "")
        metrics |= self._diversity.metrics(task_id, verdicts, tokens, entry_point)
        return metrics | {
            "n_samples": len(verdicts),
            "generated": len(verdicts),
            "unscored": len(verdicts) - len(scored),
            "timeouts": sum(TIMEOUT in (v.base_status, v.plus_status) for v in scored),
            "empty_programs": sum(not v.program.strip() for v in scored),
        }

    def aggregation(self) -> dict[str, Any]:
        rates = {f"{prefix}@{k}": mean for prefix in CORRECT for k in self.ks}
        counts = {"n_samples": min} | dict.fromkeys(COUNTS, sum)
        return rates | self._diversity.aggregation() | counts

    def higher_is_better(self) -> dict[str, bool]:
        rates = {f"{prefix}@{k}": True for prefix in CORRECT for k in self.ks}
        counts = dict.fromkeys(("unscored", "timeouts", "empty_programs"), False)
        return rates | self._diversity.higher_is_better() | counts


def _protocol(metadata: dict[str, Any]) -> tuple[int, list[int]]:
    n_samples, ks = metadata["n_samples"], metadata["k"]
    ks = [ks] if isinstance(ks, int) else ks
    if isinstance(n_samples, bool) or not isinstance(n_samples, int) or n_samples < 1:
        raise ProtocolError(f"n_samples={n_samples!r}: expected a whole number above 0.")
    if (
        not isinstance(ks, (list, tuple))
        or not ks
        or not all(isinstance(k, int) and not isinstance(k, bool) and k >= 1 for k in ks)
    ):
        raise ProtocolError(f"k={ks!r}: expected a list of whole numbers above 0, as [1, 5, 10].")
    if max(ks) > n_samples:
        raise ProtocolError(
            f"pass@{max(ks)} cannot be estimated from n_samples={n_samples}. Ask for at least "
            f"{max(ks)} samples, or leave that k out: --metadata "
            f'\'{{"n_samples": {max(ks)}, "k": {list(ks)}}}\'.'
        )
    return n_samples, sorted(set(ks))
