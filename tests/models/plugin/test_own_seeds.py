"""n samples of one request from the harness's endpoint models have n seeds; nothing else changes."""

import json
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from hm_models.plugin.own_seeds import apart, seed_of_replicas
from tests.instances import instance

pytest.importorskip("tenacity", reason="the harness's endpoint models need lm_eval[api]")

SAMPLED = {"until": ["\n"], "do_sample": True, "temperature": 0.7, "max_gen_toks": 8}


class Endpoint(BaseHTTPRequestHandler):
    """Answers by prompt and seed alone, as vLLM's server does."""

    bodies: list[dict]

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.bodies.append(body)
        asked = body.get("messages") or body.get("prompt") or body["text"]
        prompts = asked if isinstance(asked, list) and isinstance(asked[0], str) else [asked]
        choices = []
        for index, prompt in enumerate(prompts):
            text = f"{random.Random(json.dumps([prompt, body.get('seed')])).random()}"
            choices.append({"index": index, "text": text, "message": {"content": text}})
        content = json.dumps({"choices": choices}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def endpoint():
    handler = type("Handler", (Endpoint,), {"bodies": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}", bodies=handler.bodies)
    server.shutdown()
    server.server_close()


def model(endpoint, name="LocalCompletionsAPI", **arguments):
    from lm_eval.models import openai_completions

    arguments = {"tokenizer_backend": None, "tokenized_requests": False} | arguments
    return getattr(openai_completions, name)(model="m", base_url=endpoint.url, **arguments)


def ask(lm, n=5, gen_kwargs=SAMPLED, prompts=("p", "qq")):
    requests = [instance("generate_until", {}, (p, gen_kwargs), i) for i, p in enumerate(prompts)]
    texts = lm.generate_until([r for r in requests for _ in range(n)], disable_tqdm=True)
    return [texts[i * n : (i + 1) * n] for i in range(len(prompts))]


def seeds(endpoint):
    return sorted(body["seed"] for body in endpoint.bodies)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"num_concurrent": 4}, {"batch_size": 3}, {"batch_size": 2, "num_concurrent": 2}],
    ids=str,
)
def test_every_sample_of_a_request_is_drawn_with_a_seed_of_its_own(endpoint, arguments):
    for texts in ask(model(endpoint, **arguments)):
        assert len(set(texts)) == 5
    assert set(seeds(endpoint)) == {1234, 1235, 1236, 1237, 1238}


def test_chat_endpoints_and_foreign_tasks_repeats_likewise(endpoint):
    lm = model(endpoint, "LocalChatCompletion")
    prompts = [lm.apply_chat_template([{"role": "user", "content": text}]) for text in ("a", "b")]
    assert [len(set(texts)) for texts in ask(lm, prompts=prompts)] == [5, 5]


def test_the_same_run_again_asks_the_same_and_another_seed_asks_anew(endpoint):
    first = ask(model(endpoint))
    assert ask(model(endpoint)) == first
    assert not set(first[0]) & set(ask(model(endpoint, seed=99))[0])
    assert seeds(endpoint)[:2] == [99, 99]


def test_a_seed_among_the_sampling_parameters_is_where_they_begin(endpoint):
    ask(model(endpoint), gen_kwargs=SAMPLED | {"seed": 7})
    assert seeds(endpoint) == [7, 7, 8, 8, 9, 9, 10, 10, 11, 11]


@pytest.mark.parametrize(
    ("n", "gen_kwargs"), [(1, SAMPLED), (3, SAMPLED | {"temperature": 0}), (3, {"until": ["\n"]})]
)
def test_single_and_greedy_requests_are_asked_as_before(endpoint, n, gen_kwargs):
    ask(model(endpoint), n=n, gen_kwargs=gen_kwargs)
    assert set(seeds(endpoint)) == {1234}


def test_an_endpoint_that_knows_no_seeds_is_sent_none(endpoint, monkeypatch):
    from lm_eval.models.anthropic_llms import AnthropicChat
    from lm_eval.models.sglang_generate_API import SGLANGGENERATEAPI

    monkeypatch.setenv("ANTHROPIC_API_KEY", "none")
    for made in (
        AnthropicChat(model="m", base_url=endpoint.url),
        model_of(SGLANGGENERATEAPI, endpoint),
    ):
        made.parse_generations = lambda outputs, **_: ["text"]
        prompt = made.apply_chat_template([{"role": "user", "content": "a"}])
        ask(made, n=2, prompts=[prompt if "Anthropic" in type(made).__name__ else "p"])
    assert len(endpoint.bodies) == 4
    assert not any("seed" in json.dumps(body) for body in endpoint.bodies)


def model_of(model_class, endpoint):
    arguments = {"tokenizer_backend": None, "tokenized_requests": False}
    return model_class(model="m", base_url=endpoint.url, **arguments)


def test_only_replicas_of_vllm_begin_with_one_seed():
    assert seed_of_replicas(SimpleNamespace(data_parallel_size=1, model_args={"seed": 3})) is None
    assert seed_of_replicas(SimpleNamespace(data_parallel_size=2, model_args={"seed": 3})) == 3


def test_what_was_asked_is_left_as_it_was():
    request = instance("generate_until", {"q": 1}, ("p", SAMPLED), 0)
    one, two = apart([request, request], 5)
    assert (one, request.args[1]) == (request, SAMPLED)
    assert two.args == ("p", SAMPLED | {"seed": 6})
