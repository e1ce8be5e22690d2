"""What is typed in place of what a page shows: the one table.

    >>> typed(["hm-report", "RESULTS...", "--output_path", "report"], "http://here")
    ['hm-report', 'runs/other', '--output_path', 'report']
    >>> " ".join(typed(["lm_eval", "--tasks", "gsm8k_passk"], "http://here")).partition(" --limit")[0]
    'lm_eval --tasks gsm8k_passk --model hm-merged --model_args base=B,instruct=I,alpha=0.7 backend=hf'

Everything else is typed as it stands: names such as B or meta-llama/Llama-3.1-8B lie in the reader's folder.
"""

from __future__ import annotations

import json
import re

from tests.documents.readers_folder import HAS_MBPP

# Judges, rewriters and embedders are the endpoint on loopback.
ADDRESSES = ("http://localhost:8000/v1", "https://api.openai.com/v1")
WORDS = {
    "RESULTS...": "runs/other",
    "SAMPLES": "kept/B--I--alpha0.7/samples_mbppplus_passk_*.jsonl",
    "LOGS": "LOG.jsonl",
}
# MBPP+ is not the project's to pass on. Without it the demo's problems stand in its place.
WITHOUT_MBPP = {"mbppplus_passk": "demo_passk", "mbppplus_traces": "problem_traces"}
# What keeps a run short, and where the page says "...".
LEFT_OUT = {
    "--model": ["--model", "hm-merged", "--model_args", "base=B,instruct=I,alpha=0.7"],
    "--tasks": ["--tasks", "mbppplus_passk"],
}
SHORT = ["--limit", "2", "--gen_kwargs", "max_gen_toks=8", "--confirm_run_unsafe_code"]
ADDED = {
    "lm_eval": [*SHORT, "--include_path", "tasks"],
    "hm-sweep": [*SHORT, "--model_args", "backend=hf"],
    "hm-curate": ["--include_path", "tasks"],
    "exercises.py": ["--out", "exercises.jsonl"],
}
IN_PYTHON = {
    "HindsightMerged": 'backend="hf"',
    "simple_evaluate": 'limit=2, gen_kwargs="max_gen_toks=8", confirm_run_unsafe_code=True',
}
# Metadata of tasks whose data are not the released ones here.
METADATA = {
    "xstest": {"dataset_sha256": None},
    "novelty_bench": {"dataset_sha256": None},
    "problem_traces": {"problems": "problems.jsonl"},
}


def typed(words: list[str], url: str) -> list[str]:
    """The words of a command as they are typed; `url` is the endpoint's."""
    words = [_without_mbpp(WORDS.get(word, word)) for word in words]
    for address in ADDRESSES:
        words = [word.replace(address, url) for word in words]
    if words[0] == "lm_eval" and "ls" not in words:
        words = _whole(words)
    if words[0] in ("hm-cache", "hm-entropy") and "--model_args" in words:
        words[words.index("--model_args") + 1] += ",backend=hf"
    if words[:2] == ["hm-cache", "plan"]:
        words += SHORT[:4]
    program = words[1].rpartition("/")[2] if words[0] == "python" else words[0]
    added = [] if "ls" in words else ADDED.get(program, [])
    flags = [flag for flag in added if flag.startswith("--") and flag not in words]
    return words + [part for flag in flags for part in _with_value(flag, added)]


def in_python(code: str) -> str:
    """The same for lines of Python."""
    for name, added in IN_PYTHON.items():
        code = re.sub(rf"\b{name}\(([^()]+)\)", rf"{name}(\1, {added})", code)
    return _without_mbpp(code)


def _without_mbpp(text: str) -> str:
    if HAS_MBPP:
        return text
    for theirs, ours in WITHOUT_MBPP.items():
        text = text.replace(theirs, ours)
    return "demo" if text == "mbpp" else text


def _with_value(flag: str, words: list[str]) -> list[str]:
    """A flag of the table and what stands behind it."""
    behind = words[words.index(flag) + 1 :][:1]
    return [flag, *(word for word in behind if not word.startswith("--"))]


def _whole(words: list[str]) -> list[str]:
    """A run of the harness with model, task, backend and metadata."""
    for flag, left_out in LEFT_OUT.items():
        if flag not in words:
            words = words + left_out
    if "hm-merged" in words:
        at = words.index("--model_args") + 2
        words = [*words[:at], "backend=hf", *words[at:]]
    tasks = words[words.index("--tasks") + 1].split(",")
    needed = {key: value for task in tasks for key, value in METADATA.get(task, {}).items()}
    if not needed:
        return words
    if "--metadata" not in words:
        return [*words, "--metadata", json.dumps(needed)]
    at = words.index("--metadata") + 1
    return [*words[:at], json.dumps(needed | json.loads(words[at])), *words[at + 1 :]]
