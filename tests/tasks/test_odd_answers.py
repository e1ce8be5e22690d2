"""Odd answers among good ones: judges, rewriters and embedders lose nothing and say why, each time."""

import re
from collections import Counter

import numpy as np
import pytest

from hm_models.embedders import Unusable, make_embedder
from hm_models.endpoints.client import Endpoint as Client
from hm_tasks.curation.rewrite import rewrite, unfinished
from hm_tasks.judges.judging import judge_all
from tests.models.endpoints.endpoint import Endpoint, reply, vector_of
from tests.models.endpoints.odd_answers import ODD, odd, unusual
from tests.tasks.curation.rewrite_some import good, number_of, samples
from tests.tasks.curation.rewrite_some import settings as rewriter
from tests.tasks.sorry_bench.judge_some import answers, verdict
from tests.tasks.sorry_bench.judge_some import settings as judge

N = 2 * len(ODD)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HM_CACHE", str(tmp_path))


def odd_for_some(server_of, number_in, broken):
    """Every second question has an odd answer, always the same; the others have text in odd forms."""

    def fault(request: int):
        number = number_in(server_of().requests[request]["messages"][-1]["content"])
        return odd(number // 2) if broken() and number % 2 else unusual(number)

    return fault


def test_a_judge_with_26_odd_answers_scores_the_others_and_names_the_reason_of_each():
    broken = True
    pairs = answers(N)

    def number_in(question: str) -> int:
        return next(i for i, (_, answer) in enumerate(pairs) if f"> {answer}\n" in question)

    fault = odd_for_some(lambda: server, number_in, lambda: broken)
    with Endpoint(chat=verdict, faults=fault) as server:
        found = judge_all(pairs, judge(server.url), quiet=True)
        assert [one.score for one in found[::2]] == [int(i % 3 != 0) for i in range(0, N, 2)]
        for one, (_, reason) in zip(found[1::2], ODD, strict=True):
            assert (one.score, one.unscored) == (None, "api_error")
            assert re.search(reason, one.words), one.words
        broken, before = False, len(server.requests)
        found = judge_all(pairs, judge(server.url), quiet=True)
        assert all(one.score is not None for one in found)
        assert len(server.requests) == before + N // 2, "what was scored was asked for again"


def test_a_rewriter_with_26_odd_answers_rewrites_the_others_and_goes_on_the_next_time():
    broken = True
    records = samples(N)
    fault = odd_for_some(lambda: server, number_of, lambda: broken)
    with Endpoint(chat=good, faults=fault) as server:
        counts: Counter[str] = Counter()
        found = list(rewrite(records, rewriter(server.url), counts, quiet=True))
        assert [one.provenance["line"] for one in found] == list(range(0, N, 2))
        # Two of them are errors under status 200.
        assert unfinished(counts) == N // 2
        assert counts["endpoint: unusable answer"] == N // 2 - 2
        broken = False
        found = list(rewrite(records, rewriter(server.url), Counter(), quiet=True))
        assert len(found) == N


def test_one_odd_sample_in_each_window_ends_no_run(monkeypatch):
    monkeypatch.setattr("hm_tasks.curation.rewrite.WINDOW", 4)
    fault = odd_for_some(lambda: server, lambda text: number_of(text) % 4 // 3, lambda: True)
    with Endpoint(chat=good, faults=fault) as server:
        for _ in range(2):  # the second time each window holds the odd one alone
            counts: Counter[str] = Counter()
            list(rewrite(samples(8), rewriter(server.url), counts, quiet=True))
            assert counts == {"rewritten": 6, "endpoint: unusable answer": 2}


BAD_VECTORS = [
    {"data": None},
    {"data": [{"index": 0, "embedding": [1.0] * 8}]},
    {"data": [{"index": 0, "embedding": [1.0] * 8}] * 3},
    {"data": [{"index": i, "embedding": [None] * 8} for i in range(3)]},
    {"data": [{"index": i, "embedding": [float("nan")] * 8} for i in range(3)]},
    {"data": [{"index": i, "embedding": [0.0] * 8} for i in range(3)]},
    {"data": [{"index": i, "embedding": [1.0] * 5} for i in range(3)]},
    {"data": [{"index": i, "embedding": ["a"] * 8} for i in range(3)]},
    *[body for body, _ in ODD if isinstance(body, bytes)],
]


def quick(url: str):
    embedder = make_embedder("openai:m@8", url)
    embedder.endpoint = Client(url, first_wait_s=0.01, longest_wait_s=0.02)
    return embedder


@pytest.mark.parametrize("number", range(len(BAD_VECTORS)))
def test_an_embedder_asks_again_after_an_odd_answer_and_says_what_it_was_where_it_stays_odd(number):
    texts = ["one", "two", "three"]
    fault = reply(BAD_VECTORS[number])
    with Endpoint(faults={0: fault, 1: fault}) as server:
        ((positions, vectors),) = quick(server.url).encode(texts)
    expected = np.stack([vector_of(texts[position]) for position in positions])
    assert np.abs(vectors - expected).max() < 1e-6
    sentence = r"3 of 3 texts have no vector yet\. The endpoint's answer cannot be used: "
    with (
        Endpoint(faults=lambda request: fault) as server,
        pytest.raises(Unusable, match=sentence),
    ):
        list(quick(server.url).encode(texts))
