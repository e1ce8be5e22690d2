"""One request: where it goes, what it takes along, and that no answer is without end."""

import base64
import gzip
import json
import logging
import re
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from hm_models.endpoints import http as openai_http
from hm_models.endpoints.answers import read_chat
from hm_models.endpoints.client import Endpoint as Client
from hm_models.endpoints.client import EndpointError, Failure
from tests.models.endpoints.endpoint import Endpoint as Server
from tests.models.endpoints.endpoint import bomb, completion, endless, reply, send, status

QUICK = {"first_wait_s": 0.01, "longest_wait_s": 0.02, "timeout_s": 20.0}
BODY = {"model": "m", "messages": [{"role": "user", "content": "Why?"}]}
ROOT = Path(__file__).parents[3]


def asking(path: str = "/chat/completions", **body):
    async def ask(client):
        return await client.post(path, ({} if "input" in body else BODY) | body)

    return ask


def one(url: str, path: str = "/chat/completions", **body):
    ((_, found),) = Client(url, **QUICK).run([asking(path, **body)])
    return found


def reason(fault, **body) -> str:
    with Server(faults=lambda number: fault) as server:
        found = one(server.url, **body)
    assert isinstance(found, Failure), found
    return found.reason


# --- where it goes -------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["", "/", "/chat/completions", "/embeddings", "/chat/completions/"])
def test_an_address_that_goes_on_to_what_is_asked_means_what_stands_before(end):
    with Server() as server:
        assert not isinstance(one(f"{server.url}{end}"), Failure)
        assert server.paths == ["/v1/chat/completions"]


def test_a_query_goes_along_and_a_user_goes_in_place_of_the_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-the-key-2")
    with Server() as server:
        host = server.url.removeprefix("http://")
        one(f"http://me:p%40ss@{host}?key=k&x=1#f")
        one(server.url)
    assert server.paths == ["/v1/chat/completions?key=k&x=1", "/v1/chat/completions"]
    basic, bearer = [headers["Authorization"] for headers in server.headers]
    assert base64.b64decode(basic.removeprefix("Basic ")) == b"me:p@ss"
    assert bearer == "Bearer sk-the-key-2"


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000",
        "ftp://h/v1",
        "http://",
        "http://h:99999/v1",
        "http://[::1",
        "http://a b/v1",
    ],
)
def test_what_is_no_address_is_refused_before_anything_is_sent(url):
    with pytest.raises(EndpointError, match="expected an address, as http://localhost:8000/v1"):
        list(Client(url).run([asking()]))


@pytest.mark.parametrize("url", ["http://a..b/v1", f"http://{'a' * 70}.example/v1"])
def test_a_host_that_no_resolver_takes_is_a_sentence(url):
    assert "cannot be" in one(url).reason


def test_a_proxy_of_the_environment_that_cannot_be_used_is_a_sentence(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "gopher://me:hunter22@proxy:1")
    found = one("http://host.example/v1")
    assert "No request can be sent" in found.reason
    assert "hunter22" not in found.reason


def test_a_key_that_no_header_can_hold_is_refused_without_being_shown(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-one\nsk-two")
    with pytest.raises(EndpointError, match="no key has") as caught:
        list(Client("http://localhost:1/v1").run([asking()]))
    assert "sk-" not in str(caught.value)


def test_a_redirection_is_named_and_not_followed():
    with Server() as elsewhere, Server() as server:

        def moved(handler, right):
            send(handler, 307, b"", Location=f"{elsewhere.url}/chat/completions")

        server._fault = lambda number: moved
        found = one(server.url)
        assert not elsewhere.requests
    assert f"answered 307 to POST /chat/completions: it sends on to {elsewhere.url}" in found.reason
    assert found.hopeless


def test_request_lines_do_not_reach_the_log(caplog):
    caplog.set_level(logging.INFO)
    logging.getLogger("httpx").setLevel(logging.INFO)
    with Server() as server:
        one(server.url)
    assert "HTTP Request" not in caplog.text


# --- parameters that a model does not take -------------------------------------------------------


def picky(*rules):
    """A server that refuses parameters as OpenAI's reasoning models do."""

    class Picky(Server):
        def _answer(self, handler, body):
            for name, sentence, param in rules:
                if name in body:
                    self.requests.append(body)
                    content = {"error": {"message": sentence, "param": param, "code": "x"}}
                    return send(handler, 400, json.dumps(content).encode())
            return super()._answer(handler, body)

    return Picky()


OTHER_NAME = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
NO_TEMPERATURE = "Unsupported value: 'temperature' does not support 0.0 with this model."


def test_a_refused_max_tokens_goes_by_its_other_name_for_the_whole_run():
    with picky(("max_tokens", OTHER_NAME, None)) as server:
        calls = [asking(max_tokens=7)] * 5
        found = dict(Client(server.url, concurrency=1, **QUICK).run(calls))
    assert not any(isinstance(outcome, Failure) for outcome in found.values())
    assert len(server.requests) == 6
    assert [r.get("max_completion_tokens") for r in server.requests] == [None] + [7] * 5


def test_a_refused_temperature_is_left_out_and_said(caplog):
    rules = (("temperature", NO_TEMPERATURE, "temperature"), ("max_tokens", "?", "max_tokens"))
    with picky(*rules) as server:
        assert not isinstance(one(server.url, max_tokens=7, temperature=0.0), Failure)
    assert "m refuses temperature=0.0" in caplog.text
    assert "max_tokens" not in caplog.text, "it was honoured under its other name"


def test_refused_base64_is_asked_for_as_decimals():
    sentence = "encoding_format base64 is not supported"
    with picky(("encoding_format", sentence, None)) as server:
        found = one(server.url, "/embeddings", input=["x"], encoding_format="base64")
    assert isinstance(found["data"][0]["embedding"], list)


def test_any_other_refused_parameter_is_the_endpoints_sentence():
    sentence = "dimensions is not supported"
    with picky(("dimensions", sentence, "dimensions")) as server:
        found = one(server.url, "/embeddings", input=["x"], dimensions=3)
    assert sentence in found.reason
    assert len(server.requests) == 1
    talk = "Your text on temperature is too long, and unknown to us: max_tokens"
    with picky(("messages", talk, None)) as server:
        assert "too long" in one(server.url, max_tokens=7).reason
    assert len(server.requests) == 1


# --- an endpoint's own words ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (reply({"error": {"message": "no such model: m"}}), "with an error: no such model: m."),
        (reply({"error": "out of memory"}), "answered 200 to POST .* with an error: out of memory"),
        (reply({"error": {"message": "pay", "code": 402}}), "answered 402 .*: pay"),
        (
            reply({"object": "error", "message": "too long", "code": 400}),
            "answered 400 .*: too long",
        ),
        (reply(b"<html><h1>Log in</h1></html>"), "is no JSON .*it begins with '<html><h1>Log in"),
        (reply(b""), "it is empty"),
        (reply(b"[" * 200_000), "nested too deeply"),
        (reply(b"9" * 5000), "is no JSON"),
        (reply(b"\xff\xfe{"), "is no JSON"),
        (reply(b"{}", Content_Encoding="br"), "packed as 'br', which was not asked for"),
        (reply(b"no gzip", Content_Encoding="gzip"), "cannot be unpacked"),
        (status(404, message="try /v2"), "answered 404 to POST /chat/completions: try /v2"),
        (
            lambda handler, right: send(handler, 422, b'{"detail": [{"msg": "bad role"}]}'),
            "bad role",
        ),
        (lambda handler, right: send(handler, 400, b""), "without a word"),
        (status(400, message="\x1b[2J\x07red\u202e"), r"answered 400 .*: \[2J red\."),
    ],
)
def test_the_endpoints_own_words_reach_the_user_on_one_line(fault, words):
    found = reason(fault)
    assert re.search(words, found), found
    assert found.isprintable()


# --- answers without end --------------------------------------------------------------------------


@pytest.mark.parametrize("code", [200, 500])
def test_a_few_kilobytes_that_unpack_to_300_megabytes_are_cut_off_and_memory_stays_small(code):
    child = (
        "import re, sys; from pathlib import Path; from hm_models.endpoints.client import Endpoint\n"
        "async def ask(client): return await client.post('/chat/completions', {'messages': [{}]})\n"
        "client = Endpoint(sys.argv[1], attempts=2, first_wait_s=0.01, concurrency=2)\n"
        "found = [outcome.reason for _, outcome in client.run([ask] * 2)]\n"
        # Not by getrusage, which counts what this process held when it forked.
        "peak = re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())\n"
        "print(int(peak[1]) >> 10, *found)\n"
    )
    fault = bomb(300, code)
    with Server(faults=lambda number: fault, chat=str) as server:
        server._answer = lambda handler, body: fault(handler, b"")
        command = [sys.executable, "-c", child, server.url]
        said = subprocess.check_output(command, cwd=ROOT, text=True, timeout=120)
    megabytes, _, reasons = said.partition(" ")
    assert int(megabytes) < 250
    assert ("longer than 32 MiB" if code == 200 else "answered 500") in reasons


def test_a_body_that_never_ends_is_cut_off(monkeypatch):
    monkeypatch.setattr(openai_http, "MAX_BYTES", 1 << 20)
    assert "longer than 1 MiB" in reason(endless)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_a_packed_answer_of_sound_size_is_read(pack):
    encoding = "gzip" if pack is gzip.compress else "deflate"
    fault = reply(pack(completion("Yes.")), Content_Encoding=encoding)
    with Server(faults=lambda number: fault) as server:
        assert one(server.url)["choices"][0]["message"]["content"] == "Yes."


# --- one odd answer, and nothing but odd ones ----------------------------------------------------


def test_odd_answers_before_the_first_good_one_end_nothing():
    odd = reply({"choices": []})

    def faults(number):
        return None if number == 0 else odd

    async def ask(client):
        return read_chat(await client.post("/chat/completions", BODY)).text

    with Server(faults=faults, latency_s=0.05) as server:
        found = dict(Client(server.url, concurrency=8, **QUICK).run([ask] * 40))
    good = [outcome for outcome in found.values() if outcome == "Yes."]
    bad = [outcome for outcome in found.values() if isinstance(outcome, Failure)]
    assert (len(good), len(bad)) == (1, 39)
    assert {failure.attempts for failure in bad} == {3}
    assert not any(failure.hopeless for failure in bad)


def test_a_call_that_always_fails_at_once_ends_no_run_whose_other_answers_take_long():
    class Slow(Server):
        def _answer(self, handler, body):
            if "bad" in body["messages"][0]["content"]:
                return send(handler, 500, b"{}")
            time.sleep(1.0)
            return super()._answer(handler, body)

    bad = [asking(messages=[{"role": "user", "content": "bad"}])] * 2
    with Slow() as server:
        calls = [*bad, *[asking()] * 10]
        found = dict(Client(server.url, concurrency=6, attempts=3, **QUICK).run(calls))
    assert {i for i, outcome in found.items() if isinstance(outcome, Failure)} == {0, 1}


def test_an_endpoint_that_serves_nobody_is_given_up_after_some_calls_and_not_after_all():
    with Server(faults=lambda number: reply(b"<html>Welcome</html>")) as server:
        found = dict(Client(server.url, concurrency=8, **QUICK).run([asking()] * 500))
    assert len(found) == 500
    assert len(server.requests) < 300
    assert all("Welcome" in outcome.reason for outcome in found.values())
