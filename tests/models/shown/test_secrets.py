"""Keys and credentials are hidden in whatever form they come back, and nothing else is."""

import base64
import html
import json
from urllib.parse import quote

import pytest

from hm_models.shown.secrets import PublicWhenShown, Secrets, hide_in_results, public, public_url
from hm_models.sweep.manifest import MANIFEST_FILE, Manifest, PointRecord

KEY = "sk-Test+SECRET/9f8e7d6c5b4a"
PASSWORD = "p@ss/w0rd!"
URL = f"http://me:{quote(PASSWORD, safe='')}@host:80/v1?key=Qq1ww2ee3rr&version=3#Fr4gm3nt77"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("SOME_SERVICE_TOKEN", "tok4Some5Service")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://host:8000/v1", "http://host:8000/v1"),
        (URL, "http://host:80/v1"),
        ("https://me@host/v1/", "https://host/v1/"),
        ("http://host/sk-abcd1234/v1", "http://host/***/v1"),
        ("http://host/key/hunter2/v1", "http://host/key/***/v1"),
        ("https://gw/v1/0123456789abcdef0123456789abcdef/openai", "https://gw/v1/***/openai"),
        ("https://gw/9a8b7c6d-1234-4abc-8def-0123456789ab/v1", "https://gw/***/v1"),
        ("http://me:p/w@host/v1", "http://***"),
        ("http://me:p#w@host/v1", "http://***"),
        ("http://[::1", "http://***"),
        ("me:pw@host:80/v1", "host:80/v1"),
        ("localhost:8000", "localhost:8000"),
        ("http://h/openai/deployments/text-embedding-3-small", None),
    ],
)
def test_an_address_is_shown_without_credentials(url, shown):
    assert public_url(url) == (shown or url)


SPELLINGS = {
    "as it is": KEY,
    "in quotes": repr(KEY),
    "percent-encoded": quote(KEY, safe=""),
    "base64": base64.b64encode(KEY.encode()).decode(),
    "base64 within something": base64.b64encode(f"a{KEY}".encode()).decode(),
    "hexadecimal": KEY.encode().hex(),
    "without its end": KEY[:-1],
    "without its begin": KEY[5:],
    "capitals": KEY.upper(),
    "other hyphens": KEY.replace("-", "\u2011"),
    "letter by letter": " ".join(KEY),
    "over two lines": f"{KEY[:12]}\n{KEY[12:]}",
    "two texts": f"'{KEY[:12]}' '{KEY[12:]}'",
    "JSON": json.dumps({"k": KEY}),
    "HTML": html.escape(KEY),
    "another of the environment": "tok4Some5Service",
    "a password": PASSWORD,
    "a password as in the URL": quote(PASSWORD, safe=""),
    "user and password as in a header": base64.b64encode(f"me:{PASSWORD}".encode()).decode(),
    "a query": "Qq1ww2ee3rr",
    "a fragment": "Fr4gm3nt77",
    "the address": URL,
    "somebody else's key": "sk-proj-Abcdefgh12345678",
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_an_endpoints_words_hold_no_secret_in_any_spelling(name):
    spelling = SPELLINGS[name]
    masked = Secrets.of(URL).mask_words(f"It says: {spelling} ; so it goes on.")
    assert masked.startswith("It says: ")
    assert masked.endswith(" ; so it goes on.")
    left = masked.removeprefix("It says: ").removesuffix(" ; so it goes on.")
    if name == "the address":
        assert left == "http://host:80/v1"
    else:
        assert "***" in left
        assert len(left.replace("***", "")) < 12, "what is left says something"


def test_a_header_of_somebody_elses_is_hidden():
    words = "Authorization: Bearer abcdefgh12345678, api_key=abc and Authorization: Basic bWU6cHc="
    masked = "Authorization: Bearer ***, api_key=*** and Authorization: Basic ***"
    assert Secrets.of().mask_words(words) == masked


@pytest.mark.parametrize(
    "words",
    [
        "The model is overloaded; try again in 20 s.",
        "No measure of fragments: see https://platform.openai.com/docs/guides?lang=en for a basic key.",
        "Incorrect token count: 12 < 13; the passwords differ.",
    ],
)
def test_other_words_of_an_endpoint_stay(words):
    assert Secrets.of(URL).mask_words(words) == words


def test_what_a_model_wrote_loses_the_very_key_and_nothing_else(monkeypatch):
    monkeypatch.setenv("OTHER_API_KEY", "not-needed")
    monkeypatch.setenv("DJANGO_SECRET", "development")
    secrets = Secrets.of("http://admin:password@host/v1", keys=["EMPTY", "test"])
    text = "A test of development by admin is not-needed; EMPTY password."
    assert secrets.mask(text) == text
    assert secrets.mask(f"use {KEY} or {KEY.upper()}") == f"use *** or {KEY.upper()}"


def test_settings_are_public_and_what_they_say_beside_stays():
    settings = {
        "judge_base_url": URL,
        "embedder_base_url": "https://u:p@h/v1",
        "model_args": f"model=m,base_url=http://u:hunter2@h/v1,api_key={KEY}",
        "api_key": "anything",
        "header": {"Authorization": "Bearer abcdefgh"},
        "token": "x",
        "think_end_token": "</think>",
        "max_tokens": 12,
        "pretrained": "hf-internal-testing/tiny-random",
        "docs": "https://example.org/a?page=2",
        "list": [1, None, (KEY, 2.5)],
    }
    assert public(settings) == {
        "judge_base_url": "http://host:80/v1",
        "embedder_base_url": "https://h/v1",
        "model_args": "model=m,base_url=http://h/v1,api_key=***",
        "api_key": "***",
        "header": {"Authorization": "***"},
        "token": "***",
        "think_end_token": "</think>",
        "max_tokens": 12,
        "pretrained": "hf-internal-testing/tiny-random",
        "docs": "https://example.org/a?page=2",
        "list": [1, None, ["***", 2.5]],
    }
    assert settings["api_key"] == "anything", "they still have to work"
    shown = PublicWhenShown(settings)
    assert KEY not in f"{shown} {shown!r}" % ()
    assert shown["api_key"] == "anything"


def test_results_are_hidden_in_new_values_and_numbers_stay():
    arguments = {"base_url": URL, "api_key": KEY}
    results = {
        "results": {"task": {"pass@1,scored": 0.5}},
        "config": {"model_args": arguments, "batch_size": 1},
        "configs": {"task": {"metadata": arguments | {"n_samples": 5}}},
        "samples": {
            "task": [{"doc": {"a": 1}, "resps": [[f"It is {KEY}."]], "filtered_resps": [5]}]
        },
    }
    found = hide_in_results(results)
    assert KEY not in json.dumps(found)
    assert "Qq1ww2ee3rr" not in json.dumps(found)
    assert found["results"] == {"task": {"pass@1,scored": 0.5}}
    assert found["configs"]["task"]["metadata"]["n_samples"] == 5
    assert found["samples"]["task"][0]["resps"] == [["It is ***."]]
    assert arguments["api_key"] == KEY
    assert hide_in_results(None) is None


def test_a_sweeps_manifest_holds_no_credentials(tmp_path):
    with Manifest.open(tmp_path) as manifest:
        settings = {"metadata": {"judge_base_url": URL}, "model_args": {"api_key": KEY}}
        manifest.put("point", PointRecord("failed", "f" * 64, settings=settings))
    written = (tmp_path / MANIFEST_FILE).read_text()
    assert "http://host:80/v1" in written
    assert not [secret for secret in (KEY, "w0rd", "Qq1ww2ee3rr") if secret in written]
