"""Raw samples to training texts in the four-marker form, by a model at an OpenAI-compatible endpoint.

    counts = Counter()
    for record in rewrite(records, RewriteSettings("gpt-4.1-mini"), counts):
        ...                                     # record.text is in the form of `markers.join`

Only samples whose rewrite was accepted come out, in their order; the others are counted by kind. The
program stays the sample's own, byte for byte. What the model decided is kept at once under HM_CACHE by
model, endpoint, prompt, sampling and raw sample, refused rewrites as well, so that a run that was
interrupted goes on as if it had not been; what the endpoint failed is asked again by the next run.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from tqdm import tqdm

from hm_models.endpoints.chat import Chat
from hm_models.endpoints.client import BadAnswer, Failure
from hm_models.endpoints.spending import CHARACTERS, Spending, estimate, tell
from hm_models.files.places import cache_file
from hm_models.files.store import Store
from hm_models.shown.screen import bar_settings
from hm_tasks.curation.candidate import Candidate
from hm_tasks.curation.rewriting import FAULTS, REWRITTEN, Rewriting, read
from hm_tasks.curation.rewriting_settings import RewriteSettings
from hm_tasks.traces.markers import join, markers_in

if TYPE_CHECKING:
    from hm_models.endpoints.http import Client

VERSION = 1  # of what is kept
WINDOW = 512  # samples in memory at once
TRIES = 3  # of an answer that cannot be used
RETRY_TEMPERATURE = 0.7  # at least, after such an answer: at 0 it would come again
THOUGHT_TOKENS = 250  # beside the sample's own words, for the estimate

NO_PROGRAM, MARKED_PROGRAM = "no program", "markers in the program"  # these are not sent
TRUNCATED, REFUSED = "truncated", "refused"
OVER_LIMIT, ENDPOINT = "over limit", "endpoint: "  # what another run may bring


def rewrite(
    records: Iterable[Candidate],
    settings: RewriteSettings,
    counts: Counter[str],
    *,
    total: int | None = None,
    quiet: bool = False,
) -> Iterator[Candidate]:
    """Yield the records that could be rewritten, in order.

    Args:
        counts: gets the number of records of each kind. Nothing in it tells an interrupted and repeated
            run from an undisturbed one; calls and tokens are said on stderr alone.
        total: how many records there are, for the progress bar.
        quiet: no progress and no cost line.
    """
    run = _Run(settings)
    with tqdm(total=total, desc="Rewriting", unit=" samples", **bar_settings(quiet)) as bar:
        for window in _windows(records):
            found = run.outcomes(window, bar)
            for record in window:
                outcome = found[key_of(settings, record)]
                counts[outcome.kind] += 1
                if outcome.kind == REWRITTEN:
                    yield _rewritten(record, outcome.reasoning, settings)
    if not quiet:
        kinds = ", ".join(f"{kind} {number}" for kind, number in sorted(counts.items()))
        tell(f"Rewriting ({kinds}): {run.sent} samples sent, {run.kept} known, {run.spending}.")
        for kind, reason in sorted(run.reasons.items()):
            tell(f"{kind}: for example: {reason}")


def unfinished(counts: Mapping[str, int]) -> int:
    """How many of the counted records the same command may yet bring: a step with such is not done."""
    return sum(n for kind, n in counts.items() if kind == OVER_LIMIT or kind.startswith(ENDPOINT))


def estimate_of(records: Iterable[Candidate], settings: RewriteSettings) -> str:
    """A sentence: what `rewrite` of these records would send and cost. To be shown before it."""
    store = _decided()
    sent = tokens_in = tokens_out = 0
    for window in _windows(records):
        missing, _ = _look_up(window, settings, store)
        for record in islice(missing.values(), _places(settings, sent)):
            sent += 1
            tokens_in += _Conversation(settings, record).chat.characters // CHARACTERS
            tokens_out += (len(record.text) + len(record.program)) // CHARACTERS + THOUGHT_TOKENS
    return (
        f"Asking {settings.model} at {settings.endpoint.public_url} for {sent} rewrites: "
        f"{estimate(tokens_in, tokens_out)}"
    )


def key_of(settings: RewriteSettings, record: Candidate) -> str:
    """What an outcome is kept under: all that shapes it."""
    sample = (record.statement, record.text, record.program)
    parts = [VERSION, *settings.identity().values(), *sample]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _decided() -> Store:
    """What the model decided before."""
    return Store(cache_file("rewrites.sqlite"))


def _windows(records: Iterable[Candidate]) -> Iterator[list[Candidate]]:
    source = iter(records)
    while window := list(islice(source, WINDOW)):
        yield window


def _rewritten(record: Candidate, reasoning: str, settings: RewriteSettings) -> Candidate:
    return dataclasses.replace(
        record,
        text=join(reasoning, record.program),
        reasoning=reasoning,
        provenance=record.provenance | {"rewriter": settings.model},
    )


def _look_up(
    window: Iterable[Candidate], settings: RewriteSettings, store: Store
) -> tuple[dict[str, Candidate], dict[str, Rewriting]]:
    """What is to be sent, and what is known, each by its key."""
    by_key = {key_of(settings, record): record for record in window}
    known = {
        key: Rewriting(**json.loads(value)) for key, value in store.get_many(list(by_key)).items()
    }
    for key, record in by_key.items():
        if not record.program.strip():
            known[key] = Rewriting(NO_PROGRAM)
        elif markers_in(record.program):
            known[key] = Rewriting(MARKED_PROGRAM)
    return {key: record for key, record in by_key.items() if key not in known}, known


def _places(settings: RewriteSettings, sent: int) -> int | None:
    """How many more may be sent in this run."""
    return None if settings.limit is None else settings.limit - sent


class _Run:
    """One run over all windows: what it may still send, what it cost, whether it is any use."""

    def __init__(self, settings: RewriteSettings) -> None:
        self.spending = Spending()
        self.sent = self.kept = 0
        self.reasons: dict[str, str] = {}  # an example for each kind of failure
        self._settings, self._store = settings, _decided()
        self._hopeless: Rewriting | None = None

    def outcomes(self, window: list[Candidate], bar: tqdm) -> dict[str, Rewriting]:
        """The outcome of each record of a window, by its key."""
        missing, found = _look_up(window, self._settings, self._store)
        self.kept += len(found)
        keys = list(missing)
        sent = keys[: _places(self._settings, self.sent)] if self._hopeless is None else []
        found |= dict.fromkeys(keys, self._hopeless or Rewriting(OVER_LIMIT))
        bar.update(len(window) - len(sent))
        if sent:
            found |= self._ask({key: missing[key] for key in sent}, bar)
        return found

    def _ask(self, missing: dict[str, Candidate], bar: tqdm) -> dict[str, Rewriting]:
        keys = list(missing)
        questions = [_Conversation(self._settings, record) for record in missing.values()]
        self.sent += len(questions)
        found: dict[str, Rewriting] = {}
        hopeless: list[Failure] = []
        calls = [question.ask for question in questions]
        for index, outcome in self._settings.endpoint.run(calls):
            key, chat = keys[index], questions[index].chat
            self.spending.add(chat)
            if isinstance(outcome, Failure):
                hopeless += [outcome] if outcome.hopeless else []
                outcome = Rewriting(f"{ENDPOINT}{outcome.what}", words=outcome.reason)
                self.reasons.setdefault(outcome.kind, outcome.words)
            else:
                self._store.put(key, json.dumps(dataclasses.asdict(outcome)).encode())
                self._tell_of_the_first(outcome, missing[key])
            found[key] = outcome
            bar.set_postfix_str(str(self.spending), refresh=False)
            bar.update()
        # The client ends its own run; without this each window would find out anew.
        if hopeless:
            last = hopeless[-1]
            self._hopeless = Rewriting(f"{ENDPOINT}{last.what}", words=last.reason)
        return found

    def _tell_of_the_first(self, outcome: Rewriting, record: Candidate) -> None:
        if outcome.kind != REWRITTEN and outcome.kind not in self.reasons:
            self.reasons[outcome.kind] = (
                f"sample {record.id} of {record.problem}, answered {outcome.words[-200:]!r}"
            )


class _Conversation:
    """One sample before its rewriter."""

    def __init__(self, settings: RewriteSettings, record: Candidate) -> None:
        messages, secrets = settings.messages(record), settings.endpoint.secrets
        self.chat = Chat(settings.model, messages, settings.max_tokens, secrets)
        self._temperature, self._program = settings.temperature, record.program
        self._tries, self._calls = 0, settings.endpoint.attempts

    async def ask(self, client: Client) -> Rewriting:
        """One try; raises BadAnswer where another may do better."""
        temperature = (
            max(self._temperature, RETRY_TEMPERATURE) if self._tries else self._temperature
        )
        reply = await self.chat.ask(client, temperature)
        if reply.refused:
            return Rewriting(REFUSED, words=reply.text)
        if reply.truncated:
            return Rewriting(TRUNCATED, words=reply.text)
        outcome = read(reply.text, self._program)
        self._tries += 1
        if outcome.kind in FAULTS and self._tries < TRIES and self.chat.calls < self._calls:
            raise BadAnswer(outcome.kind)
        return outcome
