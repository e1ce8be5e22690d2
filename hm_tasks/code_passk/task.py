"""pass@k on a code benchmark, as a task of lm-evaluation-harness.

    lm_eval --model hm-merged --model_args base=B,instruct=I,alpha=0.7 --tasks mbppplus_passk \\
        --log_samples --output_path OUT

n samples a problem, evalplus's prompts and verdicts, pass@k by the unbiased estimator. The YAML
beside this file says which problems and which sampling; `--metadata '{"n_samples": 50}'` overrides.
With `verbalized` one call makes several samples (`hm_tasks.verbalized`).
"""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

from lm_eval.config.task import TaskConfig

from hm_metrics.definitions import AT_K, GLOBAL, LOCAL, SCORED, UNFINISHED
from hm_metrics.measures import Diversity
from hm_metrics.pass_at_k import pass_at_k
from hm_metrics.unscored import MOST_UNSCORED
from hm_metrics.verdict import TIMEOUT, Verdict, VerdictRecord
from hm_models.plugin.contracts import Verbalizes
from hm_models.samples.generation import stop_strings
from hm_models.settings import ProtocolError, number
from hm_tasks import asked_prompts, table
from hm_tasks.code_passk.dataset import Source, load_problems
from hm_tasks.code_passk.prompts import CodeRequest, completion_prompt
from hm_tasks.own_scoring import mean_unless_unscored, settings_of
from hm_tasks.sampled import OF_CALLS, Sampled, n_and_ks
from hm_tasks.sandbox.executors import choose_place
from hm_tasks.sandbox.isolation.levels import RLIMIT
from hm_tasks.sandbox.pool import Scorer
from hm_tasks.sandbox.problem import Problem
from hm_tasks.verbalized import NOT_GIVEN, Verbalized, refuse_plain
from hm_tasks.zero_shot import ZeroShotTask

logger = logging.getLogger(__name__)

COUNTS = (
    *("generated", "reused", "unscored", "timeouts", "empty_programs"),
    *("truncated_prompts", "equal_samples"),
)
HEADLINE = ("pass", "base_pass")  # of AT_K


class CodePassK(ZeroShotTask, Verbalizes):
    """A pass@k task; everything that differs between benchmarks is in its YAML."""

    # Which samples count, by the prefix of the metric (`hm_metrics.definitions.AT_K`).
    counting: tuple[str, ...] = tuple(AT_K)
    # Whether chat prompts begin the answer, as evalplus's do, so that a model cannot think first.
    begins_answers = True
    # Whether a call may be asked for several answers.
    verbalizes = True
    # Whether what `_solution` gives is a text, out of which evalplus's sanitizer takes the program.
    sanitize = True

    def __init__(self, config: dict[str, Any]) -> None:
        settings = settings_of(config)
        metadata = settings["metadata"]
        n_samples, self.ks = n_and_ks(metadata)
        table.check(metadata)
        metadata.setdefault("max_unscored", MOST_UNSCORED)
        self._max_unscored = number(metadata, "max_unscored", least=0.0, most=1.0)
        self._unscored = 0, 0  # of how many samples
        if self.begins_answers:
            _refuse_thinking(metadata, str(settings.get("task")))
        self._verbalized = Verbalized.of(metadata, n_samples)
        if self._verbalized and not self.verbalizes:
            raise ProtocolError(
                f"{settings.get('task')}: verbalized={self._verbalized.answers}: this task has a form of its "
                "own for one answer. Leave it out, or take a pass@k task, such as mbppplus_passk."
            )
        calls = self._verbalized.calls if self._verbalized else n_samples
        self._config = TaskConfig(**settings, repeats=calls)
        self.VERSION = metadata["version"]
        # Proven here and now, so that results say what held, and users are asked where little does.
        self._place = choose_place(metadata["executor"], metadata["isolation"])
        metadata["isolation"] = self._place.level
        self.UNSAFE_CODE = self._place.level == RLIMIT
        self._diversity = Diversity(metadata)
        self._until = {
            "chat": stop_strings({"until": metadata["chat_until"]}),
            "completion": self._completion_until(metadata),
        }
        problems, digest = self._load_problems(metadata)
        metadata["dataset_sha256"] = digest
        self._problems: dict[str, Problem] = {problem.task_id: problem for problem in problems}
        # What the harness logs for each problem: no tests and no solution, which are megabytes.
        self._docs = [
            {"task_id": p.task_id, "prompt": p.prompt, "entry_point": p.entry_point}
            for p in problems
        ]
        self._scorer: Scorer | None = None
        self._solutions: dict[tuple[str, str | None], str] = {}  # by problem and answer
        self._sampled: dict[str, Sampled] = {}

    def _completion_until(self, metadata: dict[str, Any]) -> list[str]:
        return stop_strings({"until": Source(**self.config.dataset_kwargs).completion_until})

    def _load_problems(self, metadata: dict[str, Any]) -> tuple[list[Problem], str]:
        """The problems, and the hash of their file."""
        source = Source(**self.config.dataset_kwargs)
        return load_problems(source, Path(metadata["config_source"]).parent)

    @property
    def answers_a_call(self) -> int:
        return self._verbalized.answers if self._verbalized else 1

    # --- documents ----------------------------------------------------------------------------

    def doc_to_text(self, doc: dict[str, str]) -> str:
        return completion_prompt(doc["prompt"])

    def doc_to_target(self, doc: dict[str, str]) -> str:
        return self._problems[doc["task_id"]].canonical_solution

    # --- requests -----------------------------------------------------------------------------

    def new_request(self, **fields: Any) -> CodeRequest:
        call = self._verbalized and self._verbalized.stopped_by(fields["generation_kwargs"])
        return CodeRequest(until=self._until, verbalized=call, **fields)

    # --- scoring ------------------------------------------------------------------------------

    def build_all_requests(self, **kwargs: Any) -> None:
        in_turns = kwargs.get("apply_chat_template") or asked_prompts.takes_turns_alone(self._model)
        refuse_plain(str(self.task_name), self._verbalized, bool(in_turns), self._model)
        super().build_all_requests(**kwargs)
        if self._verbalized and self._instances:
            asked = self._instances[0].generation_arguments("")
            self.config.metadata["call"] = self._verbalized.noted(asked)
        for request in self._instances or []:
            request.on_sample = self._score

    def _score(self, request: CodeRequest, text: str, answer: str | None) -> None:
        """Begin to score a sample while the model goes on."""
        try:
            if self._scorer is None:
                self._scorer = self._new_scorer(generating=True)
            problem = self._problems[request.doc["task_id"]]
            self._scorer.add(problem, self._solution_once(request, answer))
        except Exception as error:  # it must not end the generation, and is scored at the end
            logger.warning("A sample is not scored yet (%s: %s).", type(error).__name__, error)

    def _new_scorer(self, generating: bool) -> Scorer:
        return Scorer(self._place.open(), sanitize=self.sanitize, generating=generating)

    def apply_filters(self) -> list[CodeRequest]:
        """Wait for the verdicts of all samples, of those that came early and of those that did not."""
        requests = self._instances or []
        for request in requests:
            request.take_apart()
        asked = [
            (
                self._problems[r.doc["task_id"]],
                [self._solution_once(r, answer) for answer in r.answers()],
            )
            for r in requests
        ]
        with self._scorer or self._new_scorer(generating=False) as scorer:
            self._scorer = None
            verdicts = scorer.verdicts(asked)
        self._solutions.clear()
        for request, found in zip(requests, verdicts, strict=True):
            for index in request.unread:
                found[index] = dataclasses.replace(found[index], reason=NOT_GIVEN)
            request.filtered_resps[SCORED] = [verdict.record() for verdict in found]
        self.note_samples(requests)
        self._sampled = {r.doc["task_id"]: Sampled.of(r) for r in requests}
        self.note_verdicts(verdicts)
        texts = {r.doc["task_id"]: r.resps for r in requests}
        if self._diversity.embedded == "program":
            texts = {
                r.doc["task_id"]: [verdict.program for verdict in found]
                for r, found in zip(requests, verdicts, strict=True)
            }
        self._diversity.measure(texts)
        return requests

    def note_verdicts(self, verdicts: list[list[Verdict]]) -> None:
        """Note of how many samples there is no verdict, for `aggregation`."""
        every = [verdict for found in verdicts for verdict in found]
        self._unscored = sum(not verdict.is_scored for verdict in every), len(every)

    def _solution_once(self, request: CodeRequest, answer: str | None) -> str:
        """`_solution`, whether a model has told of the sample before or not."""
        key = request.doc["task_id"], answer
        if key not in self._solutions:
            self._solutions[key] = self._solution(request, answer)
        return self._solutions[key]

    @staticmethod
    def _solution(request: CodeRequest, answer: str | None) -> str:
        if answer is None:  # a thought that does not end: what it drafts is no program
            return ""
        # evalplus: tabs to four spaces; a completion is part of the program that its prompt began.
        answer = answer.replace("\t", "    ")
        if request.style == "chat":
            return answer
        return completion_prompt(request.doc["prompt"]) + answer

    def numbers(self) -> list[str]:
        return [f"{prefix}@{k}" for prefix in self.counting for k in self.ks] + [
            "n_samples",
            *COUNTS,
        ]

    def headline(self) -> list[str]:
        at_k = [f"{p}@{k}" for p in self.counting for k in table.few(self.ks) if p in HEADLINE]
        return [*at_k, LOCAL, GLOBAL, "distinct_programs"]

    def process_results(
        self, doc: dict[str, str], results: list[list[VerdictRecord]]
    ) -> dict[str, Any]:
        verdicts = [record.verdict for record in results[0]]
        scored = [verdict for verdict in verdicts if verdict.is_scored]
        metrics: dict[str, Any] = {}
        for prefix in self.counting:
            c = sum(map(AT_K[prefix].is_correct, scored))
            for k in self.ks:
                if k <= len(scored):  # else there is no estimate, which is not a zero
                    metrics[f"{prefix}@{k}"] = pass_at_k(len(scored), c, k)
        task_id = doc.get("task_id", "")
        sampled = self._sampled.get(task_id, Sampled())
        entry_point = doc.get("entry_point", "")
        metrics |= self._diversity.metrics(task_id, verdicts, sampled.tokens, entry_point)
        metrics["unscored"] = len(verdicts) - len(scored)
        metrics["timeouts"] = sum(TIMEOUT in (v.base_status, v.plus_status) for v in scored)
        metrics["empty_programs"] = sum(not v.program.strip() for v in scored)
        return metrics | sampled.counts(len(verdicts)) | sampled.of_calls(len(verdicts))

    def aggregation(self) -> dict[str, Any]:
        rate = mean_unless_unscored(*self._unscored, self._max_unscored)
        rates = {f"{prefix}@{k}": rate for prefix in self.counting for k in self.ks}
        counts = {"n_samples": min} | dict.fromkeys((*COUNTS, UNFINISHED), sum)
        return rates | self._diversity.aggregation() | counts | OF_CALLS


def _refuse_thinking(metadata: dict[str, Any], task: str) -> None:
    """Refuse a model that is told to think before an answer that the prompt has begun.

    Args:
        metadata: with the model's arguments, as the harness gives them to tasks.

    Raises:
        ProtocolError: it is told so.
    """
    arguments = metadata.get("chat_template_args")
    asked = {**arguments, **metadata} if isinstance(arguments, dict) else metadata
    if str(asked.get("enable_thinking")).lower() in ("true", "1"):
        raise ProtocolError(
            f"enable_thinking=True: the chat prompts of {task} begin the answer (it is prefilled "
            "with evalplus's ```python), so that nothing is thought before it. Leave enable_thinking "
            "out, or use a task with room for a thought: mbppplus_traces, or problem_traces."
        )
