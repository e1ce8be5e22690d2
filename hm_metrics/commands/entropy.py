"""How uncertain a model is at the tokens of logged samples: mean entropy and surprisal, in nats.

    hm-entropy OUT/*/samples_mbppplus_passk_*.jsonl --model_args base=B,instruct=I,alpha=0.7

SAMPLES are logs of the harness; each sample is read once more by the model that --model_args names, as
for `--model hm-merged`. On the hf backend the entropies are exact; on vLLM they come from the TOP largest
log-probabilities at each token, and `bound` is how far the value may be off. Errors are bootstrapped over
questions. Writes each sample's sums and the results to FILE.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hm_models.commands.command_line import CommandLine
from hm_models.shown.screen import say

if TYPE_CHECKING:
    from hm_metrics.entropy import TokenSums
    from hm_metrics.logs.samples import Logged
    from hm_models.merged import HindsightMerged


def token_sums(lm: HindsightMerged, log: list[Logged], top: int) -> list[list[TokenSums]]:
    """Sums over the tokens of each question's samples; the same text is read once."""
    from tqdm import tqdm

    from hm_metrics.entropy import TokenSums

    pairs = list(dict.fromkeys((item.prompt, text) for item in log for text in item.texts))
    sums = lm.engine.read(pairs, TokenSums, top)
    known = dict(zip(pairs, tqdm(sums, total=len(pairs), desc="Reading samples"), strict=True))
    return [[known[item.prompt, text] for text in item.texts] for item in log]


def results_of(sums: list[list[TokenSums]]) -> dict[str, float | str]:
    """Each measure over all questions, with its standard error."""
    from hm_metrics.aggregations import MAX_ITERATIONS
    from hm_metrics.entropy import TokenSums
    from hm_metrics.measures import FROM_TOKENS

    results: dict[str, float | str] = {}
    for name, measure in FROM_TOKENS.items():
        items = [measure.of(TokenSums.total(samples)) for samples in sums]
        results[name] = measure.aggregation(items)
        results[f"{name}_stderr"] = measure.aggregation.stderr(items, MAX_ITERATIONS)
    return results


def run(asked: argparse.Namespace) -> int:
    from lm_eval.utils import simple_parse_args_string

    from hm_metrics.logs.samples import one_a_question, read_log
    from hm_models.files.text_files import write_text
    from hm_models.merged import HindsightMerged

    logs = {str(file): one_a_question(read_log(file)) for file in asked.samples}
    lm = HindsightMerged(**simple_parse_args_string(asked.model_args))
    lm.refuse_scores()
    found: dict[str, dict[str, Any]] = {}
    for file, log in logs.items():
        sums = token_sums(lm, log, asked.top)
        samples = {
            item.question: [part.facts() for part in parts]
            for item, parts in zip(log, sums, strict=True)
        }
        results = results_of(sums)
        found[file] = {"results": results, "samples": samples}
        if not asked.quiet:
            say(file)
            for name, value in results.items():
                if (error := results.get(f"{name}_stderr")) is not None:
                    say(f"  {name:<20} {_shown(value):>8} ± {_shown(error)}")
    write_text(asked.output, json.dumps({"model": lm.get_model_info(), "logs": found}, indent=1))
    if not asked.quiet:
        say(f"Written: {asked.output}")
    return 0


def _shown(value: float | str) -> str:
    """A number, or why there is none."""
    return f"{value:.4f}" if isinstance(value, float) else value


def main() -> int:
    command = CommandLine("hm-entropy", __doc__)
    command.add_argument("samples", type=Path, nargs="+", help="samples_*.jsonl of --log_samples")
    command.add_argument("--model_args", required=True, help="as for lm_eval --model hm-merged")
    command.add_argument("--top", type=int, default=20, help="log-probabilities from vLLM (20)")
    command.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        default=Path("token_entropy.json"),
        help="(token_entropy.json)",
    )
    return command.main(run)


if __name__ == "__main__":
    sys.exit(main())
