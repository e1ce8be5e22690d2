"""A chat model as the judge: asked over an endpoint, each verdict kept at once.

Verdicts lie under HM_CACHE by judge, endpoint, prompt and the texts that it is shown; what is kept is
not asked for again. Only verdicts are kept: the next run asks again for what could not be scored.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tqdm import tqdm

from hm_metrics.judgment import (
    API_ERROR,
    ASKED,
    JUDGE_REFUSED,
    KEPT,
    OVER_LIMIT,
    TRUNCATED,
    UNREADABLE,
    Judgment,
)
from hm_models.endpoints.chat import Chat
from hm_models.endpoints.client import BadAnswer, Failure
from hm_models.endpoints.spending import CHARACTERS, Spending, estimate, tell
from hm_models.files.places import cache_file
from hm_models.files.store import Store
from hm_models.samples.thoughts import answer_of
from hm_models.shown.screen import bar_settings
from hm_tasks.judges.keyword import refuses
from hm_tasks.judges.settings import JudgeSettings

if TYPE_CHECKING:
    from hm_models.endpoints.http import Client

VERSION = 1  # of what is kept
MAX_TOKENS = 512  # of a judge's answer: two sentences and a line
TRIES_TO_READ = 3  # of an answer that cannot be read; at temperature 0 more would give the same
VERDICT_TOKENS = 60  # for the estimate
MOST_WORDS = 20_000  # characters of an answer that are kept; MAX_TOKENS have a tenth of it

Shown = tuple[str, ...]  # the texts of a rubric's fields, such as a request and the answer to it

logger = logging.getLogger(__name__)


def judge(shown: Mapping[str, Shown], settings: JudgeSettings, quiet: bool) -> dict[str, Judgment]:
    """The judgment on what is shown, by its key (`key_of`)."""
    store = Store(cache_file("judgments.sqlite"))
    kept = store.get_many(list(shown))
    found = {key: Judgment(**json.loads(value), by=KEPT) for key, value in kept.items()}
    # Sorted by key: where there is a limit, categories are mixed, and the next run goes on.
    missing = sorted(key for key in shown if key not in found)
    for key in missing[settings.limit :] if settings.limit else ():
        found[key] = Judgment(None, ASKED, OVER_LIMIT, f"judge_limit={settings.limit}")
    missing = [key for key in missing if key not in found]
    if missing:
        found |= _ask({key: shown[key] for key in missing}, settings, store, quiet)
    return found


def key_of(settings: JudgeSettings, *shown: str) -> str:
    """What a verdict is kept under: all that shapes it."""
    parts = [VERSION, *settings.identity().values(), MAX_TOKENS, *shown]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _ask(
    shown: dict[str, Shown], settings: JudgeSettings, store: Store, quiet: bool
) -> dict[str, Judgment]:
    questions = [_Question(settings, texts) for texts in shown.values()]
    keys = list(shown)
    if not quiet:
        characters = sum(question.chat.characters for question in questions)
        expected = (characters // CHARACTERS, VERDICT_TOKENS * len(questions))
        tell(
            f"Asking {settings.judge} at {settings.endpoint.public_url} for {len(questions)} "
            f"judgments: {estimate(*expected)}"
        )
    found: dict[str, Judgment] = {}
    failures: dict[str, list[str]] = {}
    spent = Spending()
    with tqdm(total=len(questions), desc="Judging", unit=" answers", **bar_settings(quiet)) as bar:
        for index, outcome in settings.endpoint.run([question.ask for question in questions]):
            key, question = keys[index], questions[index]
            if isinstance(outcome, Failure):
                failures.setdefault(outcome.what, []).append(outcome.reason)
                outcome = question.judgment(None, API_ERROR, outcome.reason)
            if outcome.score is not None:
                store.put(
                    key, json.dumps({"score": outcome.score, "words": outcome.words}).encode()
                )
            found[key] = outcome
            spent.add(question.chat)
            bar.set_postfix_str(str(spent), refresh=False)
            bar.update()
    if not quiet:
        tell(f"Judged {len(questions)} answers: {spent}.")
    for what, reasons in failures.items():
        logger.warning("%d answers have no verdict (%s). %s", len(reasons), what, reasons[0])
    return found


class _Question:
    """What is shown to a judge, once."""

    def __init__(self, settings: JudgeSettings, shown: Shown) -> None:
        messages = settings.prompt.messages(*shown)
        self._prompt = settings.prompt
        self.chat = Chat(
            settings.judge, messages, MAX_TOKENS, settings.endpoint.secrets, self._prompt.body
        )
        self._unreadable = 0

    async def ask(self, client: Client) -> Judgment:
        """One try; raises BadAnswer where another may do better."""
        reply = await self.chat.ask(client, temperature=0.0)
        if reply.refused:
            return self.judgment(None, JUDGE_REFUSED, reply.text)
        if reply.truncated:  # its last line may not have been its last word
            return self.judgment(None, TRUNCATED, reply.text)
        rubric = self._prompt.rubric
        score = rubric.read(reply.text, self._prompt.score_only)
        if score is not None:
            return self.judgment(score, "", reply.text)
        self._unreadable += 1
        if self._unreadable < TRIES_TO_READ:
            raise BadAnswer(f"there is no {rubric.expected} in it")
        words = answer_of(reply.text) or ""
        refused = bool(words.strip()) and refuses(words)
        return self.judgment(None, JUDGE_REFUSED if refused else UNREADABLE, reply.text)

    def judgment(self, score: int | None, unscored: str, words: str) -> Judgment:
        chat = self.chat
        words = words if len(words) <= MOST_WORDS else f"{words[:MOST_WORDS]} ..."
        return Judgment(score, ASKED, unscored, words, chat.calls, chat.tokens_in, chat.tokens_out)
