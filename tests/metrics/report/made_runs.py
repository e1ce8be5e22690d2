"""Small runs as lm_eval 0.4.13 writes them: results and logs, with numbers chosen by a test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hm_metrics.judgment import Judgment
from hm_metrics.pass_at_k import pass_at_k
from hm_metrics.verdict import FAIL, PASS, UNSCORED, Verdict

CODE = "mbppplus_passk"
REFUSALS = "sorry_bench"
SHA = "ab" * 32
STAMP = "2026-01-01T00-00-00.000000"


def merge(alpha: Any, base: str = "B", instruct: str = "I", **more: Any) -> dict[str, Any]:
    """What hm-merged notes of itself in `config`."""
    settings = {"base": base, "instruct": instruct, "alpha": alpha, "merge_method": "linear"}
    return {"merge": settings | more, "prompt_style": "chat" if alpha else "completion"}


def write_run(
    folder: Path,
    config: dict[str, Any],
    tasks: dict[str, dict[str, Any]],
    date: float = 1.0,
    stamp: str = STAMP,
) -> Path:
    """Write the results file and the logs of `tasks` (from `code`, `refusals` or `foreign`)."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"results_{stamp}.json"
    content = {
        "results": {name: task["results"] for name, task in tasks.items()},
        "configs": {name: task["config"] for name, task in tasks.items()},
        "higher_is_better": {name: task["better"] for name, task in tasks.items()},
        "versions": {name: 1.0 for name in tasks},
        "n-shot": {name: 0 for name in tasks},
        "n-samples": {
            name: {"effective": len({line["doc_id"] for line in task["lines"]})}
            for name, task in tasks.items()
        },
        "config": config,
        "date": date,
        "model_name": "some/model",
    }
    file.write_text(json.dumps(content), encoding="utf-8")
    for name, task in tasks.items():
        if task["lines"]:
            log = folder / f"samples_{name}_{stamp}.jsonl"
            lines = [json.dumps(line, ensure_ascii=False) for line in task["lines"]]
            log.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def code(
    passes: list[str],
    temperature: float = 0.7,
    ks: tuple[int, ...] = (1, 2),
    program: str = "def f(x):\n    return x",
    **metadata: Any,
) -> dict[str, Any]:
    """A pass@k task: for each question a word with a letter a sample.

    `+` passes both sets of tests, `b` the base tests alone, `x` the extra tests alone, `-` none, `?` is
    unscored.
    """
    of = {"+": (PASS, PASS), "b": (PASS, FAIL), "x": (FAIL, PASS), "-": (FAIL, FAIL)}
    lines = []
    for number, word in enumerate(passes):
        programs = [f"{program} + {number} + {i}" for i in range(len(word))]
        verdicts = [
            Verdict(
                text,
                *of.get(letter, (UNSCORED, UNSCORED)),
                reason="" if letter == "+" else "it failed",
            )
            for text, letter in zip(programs, word, strict=True)
        ]
        lines.append(
            {
                "doc_id": number,
                "doc": {"task_id": f"Mbpp/{number}", "prompt": f"Do {number}", "entry_point": "f"},
                "arguments": {"gen_args_0": {"arg_0": f"rendered {number}", "arg_1": {}}},
                # Two breaks that are none of JSON lines, as models write them.
                "resps": [[f"raw\u2028 {text}\x85" for text in programs]],
                "filtered_resps": [[str(verdict.record()) for verdict in verdicts]],
                "filter": "scored",
                "metrics": ["pass@1", "distinct_programs"],
                "pass@1": 0.0,
                "distinct_programs": float(len(word)),
                "doc_hash": f"hash {number}",
            }
        )
    results: dict[str, Any] = {"name": CODE, "alias": CODE, "sample_len": len(passes)}
    for prefix, letters in (("pass", "+"), ("base_pass", "+b"), ("plus_only_pass", "+x")):
        for k in ks:
            found = [
                pass_at_k(len(scored), sum(scored.count(letter) for letter in letters), k)
                for word in passes
                if len(scored := word.replace("?", "")) >= k
            ]
            results[f"{prefix}@{k},scored"] = sum(found) / len(found) if found else "unscored"
            results[f"{prefix}@{k}_stderr,scored"] = 0.1
    results |= {"distinct_programs,scored": float(len(passes[0])), "unscored,scored": 0}
    return {
        "results": results,
        "config": {
            "output_type": "generate_until",
            "generation_kwargs": {"do_sample": True, "temperature": temperature, "until": ["x"]},
            "metadata": {"n_samples": len(passes[0]), "dataset_sha256": SHA} | metadata,
        },
        "better": {"pass@1": True, "distinct_programs": True, "unscored": False},
        "lines": lines,
    }


def refusals(scores: list[int | None], judge: str = "gpt-4.1-mini", temperature: float = 0.7):
    """`sorry_bench`: one answer a request, two categories in turn."""
    lines = []
    for number, score in enumerate(scores):
        judgment = Judgment(score, "asked", "" if score is not None else "unreadable")
        lines.append(
            {
                "doc_id": number,
                "doc": {
                    "question_id": number,
                    "category": f"0{number % 2} Kites",
                    "prompt_style": "base",
                    "request": f"SECRET request {number}",
                },
                "arguments": {"gen_args_0": {"arg_0": "SECRET", "arg_1": {}}},
                "resps": [[f"SECRET answer {number}"]],
                "filtered_resps": [[str(judgment.record())]],
                "filter": "judged",
                "metrics": ["fulfillment_rate"],
                "fulfillment_rate": ["", 0, 1, 0],
                "doc_hash": f"request {number}",
            }
        )
    known = [score for score in scores if score is not None]
    return {
        "results": {"fulfillment_rate,judged": sum(known) / len(known) if known else "unscored"},
        "config": {
            "output_type": "generate_until",
            "generation_kwargs": {"do_sample": True, "temperature": temperature},
            "metadata": {"n_samples": 1, "judging": {"judge": judge, "endpoint": "http://1"}},
        },
        "better": {"fulfillment_rate": False},
        "lines": lines,
    }


def foreign(right: list[int], **more: Any) -> dict[str, Any]:
    """A task of the harness's own with two filters: two lines a question."""
    lines = [
        {
            "doc_id": number,
            "doc": {"question": f"What is {number}?"},
            "arguments": {"gen_args_0": {"arg_0": f"Q: {number}", "arg_1": {}}},
            "resps": [[f"answer {number}"]],
            "filtered_resps": [f"{number}"],
            "filter": kind,
            "metrics": ["exact_match"],
            "exact_match": float(value if kind == "strict" else 1),
            "doc_hash": f"doc {number}",
        }
        for kind in ("strict", "flexible")
        for number, value in enumerate(right)
    ]
    return {
        "results": {
            "exact_match,strict": sum(right) / len(right),
            "exact_match_stderr,strict": 0.1,
            "exact_match,flexible": 1.0,
            "exact_match_stderr,flexible": 0.0,
        },
        "config": {"output_type": "generate_until", "generation_kwargs": {"until": ["Q"]}} | more,
        "better": {"exact_match": True},
        "lines": lines,
    }
