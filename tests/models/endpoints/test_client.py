"""Calls to an endpoint on loopback: each ends once, whatever the server does."""

import asyncio
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hm_models.endpoints.client import BadAnswer, EndpointError, Failure
from hm_models.endpoints.client import Endpoint as Client
from tests.models.endpoints.endpoint import Endpoint as Server
from tests.models.endpoints.endpoint import cut_off, half_json, hang, limit, send, status, trickle

QUICK = {"first_wait_s": 0.02, "longest_wait_s": 0.1, "timeout_s": 1.0}


def asking(text: str):
    async def ask(client):
        answer = await client.post("/embeddings", {"model": "m", "input": [text]})
        return answer["data"][0]["embedding"][0]

    return ask


def outcomes(server: Server, n: int = 8, **settings) -> dict[int, object]:
    client = Client(server.url, **(QUICK | settings))
    found = list(client.run([asking(f"text {number}") for number in range(n)]))
    assert len(found) == n
    assert len(dict(found)) == n, "a call ended twice"
    return dict(found)


@pytest.mark.parametrize("fault", [limit(0.05), status(500), status(503), cut_off, half_json])
def test_what_may_pass_is_tried_again_and_asked_for_no_more_than_its_failures_demand(fault):
    with Server(faults={1: fault, 4: fault}) as server:
        found = outcomes(server)
    assert not any(isinstance(outcome, Failure) for outcome in found.values())
    assert len(server.requests) == 10


def test_a_server_that_hangs_or_trickles_meets_the_deadline_of_a_try():
    with Server(faults={0: hang, 1: trickle}) as server:
        found = outcomes(server, timeout_s=0.5)
    assert not any(isinstance(outcome, Failure) for outcome in found.values())
    assert len(server.requests) >= 10, "both were asked again"


def test_retry_after_is_kept_to_while_other_calls_go_on():
    with Server(faults={0: limit(0.6)}) as server:
        client = Client(server.url, concurrency=1, **QUICK)
        results = client.run([asking(str(number)) for number in range(5)])
        order = [index for index, _ in results]
    assert order == [1, 2, 3, 4, 0], "waiting took the only place"


def test_rate_limits_in_a_row_hold_back_everybody():
    with Server(faults=lambda number: limit(0.5) if number < 8 else None) as server:
        found = outcomes(server, n=40, concurrency=4)
    assert not any(isinstance(outcome, Failure) for outcome in found.values())
    # Without the common wait, all other calls would have been asked within the first half second.
    assert len(server.requests) <= 40 + 8


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (status(401, message="Incorrect API key provided: secret-key"), "answered 401.*\\*\\*\\*"),
        (status(404, message="no such model"), "answered 404.*no such model"),
        (status(429, "insufficient_quota"), "answered 429"),
        (limit(3600), "asks to wait 3600 s"),
    ],
)
def test_what_no_call_can_pass_ends_the_run_at_once(fault, sentence, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    with Server(faults=lambda number: fault) as server:
        found = outcomes(server, n=50, concurrency=2)
    assert len(server.requests) <= 2
    (reason,) = {outcome.reason for outcome in found.values()}
    assert re.search(sentence, reason)
    assert "secret-key" not in reason


@pytest.mark.parametrize("fault", [status(401), status(404), status(307), limit(3600)])
def test_an_endpoint_that_serves_others_is_not_given_up_for_one_such_answer(fault):
    def some(number: int):
        return fault if number % 5 == 3 or number >= 40 else None

    with Server(faults=some) as server:
        found = outcomes(server, n=60, concurrency=1)
    failed = [index for index, outcome in found.items() if isinstance(outcome, Failure)]
    assert failed == [*range(3, 40, 5), *range(40, 60)]
    assert len(server.requests) == 43, "at three in a row it serves nobody any more"
    assert {found[index].hopeless for index in range(3, 35, 5)} == {False}
    assert {found[index].hopeless for index in range(42, 60)} == {True}


@pytest.mark.parametrize("date", ["Fri, 31 Dec 99999 23:59:59 GMT", "soon", "nan", "-1", "1e999"])
def test_an_odd_retry_after_says_nothing(date):
    def busy(handler, right):
        send(handler, 429, b"{}", Retry_After=date)

    with Server(faults={0: busy}) as server:
        found = outcomes(server, n=2, concurrency=1)
    assert not any(isinstance(outcome, Failure) for outcome in found.values())


def test_a_bad_request_fails_alone_and_is_not_asked_again():
    with Server(refuse="text 3") as server:
        found = outcomes(server)
    failed = {index: outcome for index, outcome in found.items() if isinstance(outcome, Failure)}
    assert list(failed) == [3]
    assert failed[3].refused
    assert failed[3].attempts == 1
    assert failed[3].what == "answered 400"
    assert "too long" in failed[3].reason
    assert len(server.requests) == 8


def test_a_call_that_always_fails_is_given_up_after_its_attempts_and_the_others_are_served():
    async def spoiled(client):
        await asking("spoiled")(client)
        raise BadAnswer("never good")

    with Server(latency_s=0.02) as server:
        calls = [spoiled, *(asking(str(number)) for number in range(60))]
        found = dict(Client(server.url, attempts=3, concurrency=2, **QUICK).run(calls))
    assert isinstance(found[0], Failure)
    assert found[0].attempts == 3
    assert "never good" in found[0].reason
    assert not any(isinstance(found[index], Failure) for index in range(1, 61))


def test_a_server_that_is_down_ends_the_run_with_a_sentence():
    with Server() as server:
        url = server.url
    client = Client(url, attempts=3, concurrency=4, **QUICK)
    found = dict(client.run([asking(str(number)) for number in range(200)]))
    assert len(found) == 200
    assert all("cannot be reached" in outcome.reason for outcome in found.values())


def test_results_come_while_others_are_still_asked_and_closing_ends_the_rest():
    with Server(latency_s=0.05) as server:
        results = Client(server.url, concurrency=2, **QUICK).run(
            [asking(str(number)) for number in range(100)]
        )
        for _ in range(3):
            next(results)
        results.close()
        asked = len(server.requests)
        time.sleep(0.3)
        # Those that were on their way may still arrive.
        assert len(server.requests) <= asked + 2 < 20


def test_no_more_calls_are_in_flight_than_allowed():
    with Server(latency_s=0.05) as server:
        outcomes(server, n=30, concurrency=5)
    assert server.most_at_once == 5


def test_a_call_that_raises_for_its_own_reasons_ends_the_run_with_that_error():
    async def broken(client):
        raise KeyError("a bug")

    with Server() as server, pytest.raises(KeyError, match="a bug"):
        list(Client(server.url, **QUICK).run([broken, asking("x")]))


def test_openais_own_endpoint_needs_a_key_and_others_do_not(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(EndpointError, match="OPENAI_API_KEY is not set"):
        list(Client().run([asking("x")]))
    with Server() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        assert len(list(Client(**QUICK).run([asking("x")]))) == 1


def test_the_caller_may_be_inside_an_event_loop():
    async def notebook(url: str):
        return list(Client(url, **QUICK).run([asking("x")]))

    with Server() as server:
        assert len(asyncio.run(notebook(server.url))) == 1


def test_logs_and_results_do_not_show_a_password_in_the_url():
    client = Client("https://me:password@host.example:8000/v1?token=t")
    assert client.public_url == "https://host.example:8000/v1"


def test_the_http_library_is_not_imported_before_it_is_needed():
    code = "import sys, hm_models.endpoints.client; sys.exit('httpx' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3]).returncode == 0
    )
