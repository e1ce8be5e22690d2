"""Hindsight Merging's figure 2: what one training step on a token does to the volume of the logits.

    hm-entropy-volume --model FOLDER --texts exercises.jsonl --out runs/volume

At each token of the texts, and for each of the ten most probable tokens as the target of one SGD step of
size LR on the logits, computes log|det(I - LR * H)| exactly over the whole vocabulary
(hm_metrics/entropy_volume.py). Writes entropy_volume.csv (a row for each position and rank) and
entropy_volume.png and .pdf (by the entropy of the distribution, a line for each rank) into the folder --out.

A text file is one text; in a .jsonl each line's field `text`, `prompt` or `question` is one.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hm_models.commands.command_line import CommandLine
from hm_models.errors import UsageError
from hm_models.files.text_files import json_lines, read_text, write_text
from hm_models.shown.screen import say

if TYPE_CHECKING:
    from lm_eval.models.huggingface import HFLM

    from hm_metrics.entropy_volume import EntropyVolume

FIELDS = ("text", "prompt", "question")
COLUMNS = ("text", "position", "rank", "token", "probability", "entropy", "log_volume")


def read_texts(files: list[Path]) -> list[str]:
    """All texts of all files, blank ones left out."""
    texts = []
    for file in files:
        try:
            if ".jsonl" in file.suffixes:
                texts += [
                    _text(line.value, f"{file}, line {line.number}") for line in json_lines(file)
                ]
            else:
                texts.append(read_text(file))
        except OSError as error:
            raise UsageError(f"{file} cannot be read: {error}.") from None
    texts = [text for text in texts if text.strip()]
    if not texts:
        raise UsageError(f"{', '.join(map(str, files))}: there is no text.")
    return texts


def _text(record: Any, where: str) -> str:
    try:
        return next(record[field] for field in FIELDS if isinstance(record.get(field), str))
    except (AttributeError, StopIteration):
        raise UsageError(f"{where}: expected JSON with one of {', '.join(FIELDS)}.") from None


def measure(lm: HFLM, texts: list[str], lr: float, limit: int) -> list[EntropyVolume]:
    """The volumes at each text's tokens, as far as `limit` positions in all."""
    from hm_metrics.entropy_volume import entropy_volume
    from hm_models.engines.teacher_forced import logits_of

    found, left = [], limit
    for logits, _ in logits_of(lm, [("", text) for text in texts]):
        found.append(entropy_volume(logits[:left].float().cpu().numpy(), lr))
        left -= len(found[-1].entropy)
        if left <= 0:
            break
    return found


def write_csv(found: list[EntropyVolume], file: Path) -> None:
    """A row for each position and rank."""
    import numpy as np

    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(COLUMNS)
    for text, part in enumerate(found):
        for position, rank in np.ndindex(part.log_volume.shape):
            at = (position, rank)
            values = (part.probability[at], part.entropy[position], part.log_volume[at])
            shown = (f"{value:.10g}" for value in values)
            rows.writerow((text, position, rank + 1, part.token[at], *shown))
    write_text(file, out.getvalue())


def run(asked: argparse.Namespace) -> int:
    if importlib.util.find_spec("matplotlib") is None:
        raise UsageError("the plot needs matplotlib: pip install 'hindsight-merging[plots]'")
    if asked.positions < 1 or not asked.lr > 0:
        raise UsageError("--positions and --lr must be above 0")
    texts = read_texts(asked.texts)

    import numpy as np
    import torch
    from lm_eval.models.huggingface import HFLM

    from hm_metrics.figures.entropy_volume import entropy_volume_figure
    from hm_metrics.figures.style import save

    device = "cuda" if torch.cuda.is_available() else "cpu"
    lm = HFLM(pretrained=asked.model, device=device, dtype=asked.dtype)
    found = measure(lm, texts, asked.lr, asked.positions)
    entropy = np.concatenate([part.entropy for part in found])
    volume = np.concatenate([part.log_volume for part in found])
    figure = entropy_volume_figure(entropy, volume, asked.lr, Path(asked.model).name)
    picture, _ = save(figure, asked.out, "entropy_volume")
    table = asked.out / "entropy_volume.csv"
    write_csv(found, table)
    if not asked.quiet:
        means = ", ".join(f"{value:.3g}" for value in volume.mean(axis=0))
        say(f"{len(volume)} positions; mean log-volume by rank 1 to {volume.shape[1]}: {means}")
        say(f"Written: {table}, {picture}")
    return 0


def main() -> int:
    command = CommandLine("hm-entropy-volume", __doc__)
    command.add_argument("--model", required=True, help="folder or hub name of a checkpoint")
    command.add_argument("--texts", type=Path, nargs="+", required=True, metavar="FILE")
    command.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    command.add_argument("--lr", type=float, default=0.1, help="step size on the logits (0.1)")
    command.add_argument("--positions", type=int, default=2000, help="tokens looked at (2000)")
    command.add_argument("--dtype", default="float32", help="the model's arithmetic (float32)")
    return command.main(run)


if __name__ == "__main__":
    sys.exit(main())
