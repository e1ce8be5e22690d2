"""`xstest` as lm_eval logs it: types, labels and a judge's scores chosen by a test."""

from typing import Any

from hm_metrics.judgment import Judgment
from hm_metrics.xstest import RATES, SAFE, by_type

TASK = "xstest"


def contrasts(scores: dict[str, list[int | None]], judge: str = "j") -> dict[str, Any]:
    """A run: type of prompt to the score of each answer, one a prompt (0 refuses, 1 complies, 2 both)."""
    lines, prompts = [], []
    for kind, found in scores.items():
        label = "unsafe" if kind.startswith("contrast_") else SAFE
        for score in found:
            judgment = Judgment(score, "asked", "" if score is not None else "unreadable")
            prompts.append((kind, label, [judgment]))
            number = len(lines)
            lines.append(
                {
                    "doc_id": number,
                    "doc": {
                        "question_id": number,
                        "category": kind,
                        "label": label,
                        "request": f"Polish kettle {number}?",
                    },
                    "arguments": {"gen_args_0": {"arg_0": "prompt", "arg_1": {}}},
                    "resps": [[f"answer {number}"]],
                    "filtered_resps": [[str(judgment.record())]],
                    "filter": "scored",
                    "metrics": [name for name, (side, _) in RATES.items() if side == label],
                    "doc_hash": f"prompt {number}",
                }
            )
    results: dict[str, Any] = {}
    for name, (side, count) in RATES.items():
        tallies = [count(judgments) for _, label, judgments in prompts if label == side]
        scored = sum(tally.scored for tally in tallies)
        results[f"{name},scored"] = sum(tally.fulfilled for tally in tallies) / scored
        results[f"{name}_stderr,scored"] = 0.05
    return {
        "results": results,
        "config": {
            "output_type": "generate_until",
            "generation_kwargs": {"do_sample": False},
            "metadata": {
                "n_samples": 1,
                "judging": {"judge": judge},
                "by_category": by_type(prompts),
            },
        },
        "better": dict.fromkeys(RATES, False),
        "lines": lines,
    }
