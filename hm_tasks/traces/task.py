"""Traces: a thought and a program, many samples a problem, as tasks of lm-evaluation-harness.

    lm_eval --model hm-merged --model_args base=B,instruct=I,alpha=0.7 --tasks mbppplus_traces \\
        --log_samples --output_path OUT
    lm_eval --model hf --model_args pretrained=M --apply_chat_template --tasks problem_traces \\
        --metadata '{"problems": "problems.jsonl"}' --log_samples --output_path OUT

The raw texts are in the log's `resps`. Programs are run as in the pass@k tasks, whose machinery this
is; how the program is found in the text differs (`hm_tasks.traces.program`).
"""

from __future__ import annotations

from typing import Any

from hm_models.samples.generation import stop_strings
from hm_tasks.benchmark_file import DatasetError
from hm_tasks.code_passk.prompts import CodeRequest
from hm_tasks.code_passk.task import CodePassK
from hm_tasks.sandbox.problem import Problem
from hm_tasks.traces.problem_file import load_problem_file
from hm_tasks.traces.program import program_of
from hm_tasks.traces.prompts import TraceRequest, completion_prompt


class Traces(CodePassK):
    """Traces over the problems of a benchmark."""

    # A user's file has no extra tests.
    counting = ("pass",)
    begins_answers = False
    verbalizes = False
    sanitize = False

    def _completion_until(self, metadata: dict[str, Any]) -> list[str]:
        return stop_strings({"until": metadata["completion_until"]})

    def doc_to_text(self, doc: dict[str, str]) -> str:
        return completion_prompt(doc["prompt"], doc["entry_point"])

    def new_request(self, **fields: Any) -> TraceRequest:
        return TraceRequest(until=self._until, **fields)

    @staticmethod
    def _solution(request: CodeRequest, answer: str | None) -> str:
        return "" if answer is None else program_of(answer, request.doc["entry_point"])[0]


class ProblemTraces(Traces):
    """Traces over the problems of a user's file, `--metadata '{"problems": "FILE"}'`."""

    def _load_problems(self, metadata: dict[str, Any]) -> tuple[list[Problem], str]:
        if not (file := metadata["problems"]):
            raise DatasetError(
                'problem_traces needs a file of problems: --metadata \'{"problems": "FILE.jsonl"}\' '
                "(its form: docs/traces.md)."
            )
        problems = load_problem_file(file)
        return problems, problems[0].dataset
