"""Who says that two answers are the same, and who how good one is: checked before a model is loaded."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any, Protocol

from hm_metrics.judgment import Judgment
from hm_models.embedders import make_embedder
from hm_models.settings import ProtocolError, number
from hm_tasks.judges.judging import judge_all, judge_each
from hm_tasks.judges.rubric import Rubric
from hm_tasks.judges.settings import KEYWORD, JudgeSettings
from hm_tasks.novelty_bench.classifier import CLASSIFIER, Classifier, ClassifierError
from hm_tasks.novelty_bench.embedded import EMBEDDER, Closeness
from hm_tasks.novelty_bench.partition import Compared
from hm_tasks.novelty_bench.reward import REWARD, RewardModel
from hm_tasks.novelty_bench.rubrics import QUALITY, SAME

AUTO, JUDGE = "auto", "judge"
WAYS = (AUTO, CLASSIFIER, JUDGE, EMBEDDER)

logger = logging.getLogger(__name__)


class PairComparer(Protocol):
    """Who says whether two answers are the same to a user."""

    def identity(self) -> dict[str, Any]:
        """What shapes the classes, for results; `by` is one of WAYS."""
        ...

    def compare(self, pairs: Sequence[Compared]) -> Sequence[Judgment]:
        """1 for the same, 0 for different, or unscored by reason, in order; it may raise anything."""
        ...


class Rater(Protocol):
    """Who says how good answers are."""

    def identity(self) -> dict[str, Any]:
        """What shapes the ratings, for results; `by` is `judge` or `reward`."""
        ...

    def rate(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Judgment]:
        """1 to 10 for each (prompt, answer), or unscored by reason, in order; it may raise anything."""
        ...


@dataclasses.dataclass(frozen=True)
class ByJudge:
    """A judge, asked by its rubric for each pair or for each answer; its verdicts are kept."""

    settings: JudgeSettings

    def identity(self) -> dict[str, Any]:
        return {"by": JUDGE, **self.settings.identity()}

    def compare(self, pairs: Sequence[Compared]) -> list[Judgment]:
        return judge_each(pairs, self.settings)

    def rate(self, pairs: Sequence[tuple[str, str]]) -> list[Judgment]:
        """An empty answer has the lowest rating by rule."""
        return judge_all(pairs, self.settings)


def rater_of(metadata: dict[str, Any]) -> Rater | None:
    """Who rates answers, as asked; None for nobody.

    Raises:
        ProtocolError: a setting that cannot be.
    """
    way = metadata["ratings_by"]
    if way not in (None, JUDGE, REWARD):
        raise ProtocolError(f"ratings_by={way!r}: expected {JUDGE}, {REWARD} or null.")
    if way == REWARD:
        return RewardModel(str(metadata["reward_model"]))
    return ByJudge(judge_for(metadata, QUALITY)) if way == JUDGE else None


def judge_for(metadata: dict[str, Any], rubric: Rubric) -> JudgeSettings:
    """The judge of the task's metadata, for one of its rubrics.

    Raises:
        ProtocolError: there is none that could decide it.
    """
    if metadata["judge"] is None:
        raise ProtocolError(
            f"judge=null, but it is to decide {rubric.name!r}: name a model at an OpenAI-compatible endpoint."
        )
    if metadata["judge"] == KEYWORD:
        raise ProtocolError(
            f"judge={KEYWORD} knows refusals alone, and cannot decide {rubric.name!r}: name a model, or "
            f'leave it to another: --metadata \'{{"classes_by": "{EMBEDDER}", "ratings_by": null}}\'.'
        )
    return JudgeSettings.of(metadata | {"judge_prompts": None, "judge_limit": None}, rubric)


def comparer_of(metadata: dict[str, Any]) -> PairComparer:
    """Who makes the classes: as asked, or the first that can be had of classifier, judge, embedder.

    Raises:
        ProtocolError, UnknownEmbedder: a setting that cannot be.
    """
    way = metadata["classes_by"]
    if way not in WAYS:
        raise ProtocolError(f"classes_by={way!r}: expected {', '.join(WAYS[:-1])} or {WAYS[-1]}.")
    threshold = number(metadata, "classifier_threshold", least=0.0, most=1.0)
    classifier = Classifier(str(metadata["classifier"]), threshold)
    close = number(metadata, "embedder_threshold", least=-1.0, most=1.0)
    embedder = make_embedder(metadata["embedder"], metadata["embedder_base_url"])
    if way == AUTO:
        try:
            classifier.folder()
            way = CLASSIFIER
        except ClassifierError as error:
            way = EMBEDDER if metadata["judge"] is None else JUDGE
            logger.warning("%s Classes are made by the %s.", error, way)
    if way == JUDGE:
        return ByJudge(judge_for(metadata, SAME))
    return classifier if way == CLASSIFIER else Closeness(embedder, close)
