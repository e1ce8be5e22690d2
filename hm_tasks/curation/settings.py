"""What a curation is asked for, checked before anything is read.

>>> CurationSettings(most=0)
Traceback (most recent call last):
    ...
hm_tasks.curation.errors.CurationError: --max_samples 0: expected a whole number above 0.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

from hm_models.embedders import Embedder, UnknownEmbedder, Unusable, make_embedder
from hm_tasks.code_passk.benchmarks import BENCHMARKS, is_at_hand
from hm_tasks.curation.benchmark_texts import NONE
from hm_tasks.curation.duplicates import THRESHOLD
from hm_tasks.curation.errors import CurationError
from hm_tasks.curation.export import EXPORTS
from hm_tasks.curation.rewriting_settings import RewriteSettings
from hm_tasks.curation.select import RANDOM, WAYS


@dataclasses.dataclass(frozen=True)
class CurationSettings:
    """The settings of all steps.

    Attributes:
        samples: files and folders of samples.
        problems: a benchmark or a file that programs answer; None leaves it to the samples.
        most: records to select; None for all.
        exports: the forms of training sets to write.
        way: of selecting.
        seed: of selecting, and of a portfolio's draws.
        embedder, embedder_base_url: what makes the vectors of programs and answers.
        rewrite: who rewrites samples; None leaves them as they are.
        near: least similarity of near-duplicates.
        decontaminate: benchmarks and files; None for every known benchmark but those that the
            samples answer, where they are at hand.
        include_path: a folder of people's own tasks, whose answers samples may be.
        least_score: that a correct answer has by its task's metric, or by its rating.
        portfolio: samples of each question to draw, split over the alphas and samplers of the logs; None
            takes all samples of all logs.
        with_requests: take SORRY-Bench's requests, which may not be passed on.
    """

    samples: tuple[Path, ...] = ()
    problems: str | None = None
    most: int | None = None
    exports: tuple[str, ...] = tuple(EXPORTS)
    way: str = RANDOM
    seed: int = 0
    embedder: str = "minilm"
    embedder_base_url: str | None = None
    rewrite: RewriteSettings | None = None
    near: float = THRESHOLD
    decontaminate: tuple[str, ...] | None = None
    include_path: str | None = None
    least_score: float = 1.0
    with_requests: bool = False
    portfolio: int | None = None

    def __post_init__(self) -> None:
        if self.most is not None and self.most < 1:
            raise CurationError(f"--max_samples {self.most}: expected a whole number above 0.")
        if self.portfolio is not None and self.portfolio < 1:
            raise CurationError(f"--portfolio {self.portfolio}: expected a whole number above 0.")
        if self.way not in WAYS:
            raise CurationError(f"--select {self.way}: expected one of {', '.join(WAYS)}.")
        if not self.exports or set(self.exports) - set(EXPORTS):
            raise CurationError(
                f"--export {','.join(self.exports)}: expected a list out of {', '.join(EXPORTS)}."
            )
        for name in self.decontaminate or ():
            if name not in (*BENCHMARKS, NONE) and not Path(name).is_file():
                raise CurationError(
                    f"--decontaminate {name}: neither {', '.join(BENCHMARKS)} nor a file."
                )
            if name in BENCHMARKS and not is_at_hand(name):
                raise CurationError(f"--decontaminate {name}: its file is not at hand.")
        named: dict[str, str] = {}
        for name in self.decontaminate or ():
            if (other := named.setdefault(Path(name).name, name)) != name:
                raise CurationError(
                    f"--decontaminate: {other} and {name} have one name, by which records say what they "
                    "were checked against. Rename one of them."
                )
        if self.include_path is not None and not Path(self.include_path).is_dir():
            raise CurationError(f"--include_path {self.include_path}: expected a folder of tasks.")
        if not math.isfinite(self.least_score):
            raise CurationError(f"--least_score {self.least_score}: expected a number.")
        if not 0 < self.near <= 1:
            raise CurationError(
                f"near_threshold={self.near!r} is no Jaccard similarity: expected a number above 0 and "
                "up to 1."
            )
        try:
            embedder = self.make_embedder()
            if self.way != RANDOM:
                embedder.identity()
        except UnknownEmbedder as error:
            raise CurationError(str(error)) from None
        except Unusable as error:
            raise CurationError(f"--select {self.way} needs vectors. {error}") from None

    def make_embedder(self) -> Embedder:
        return make_embedder(self.embedder, self.embedder_base_url)
