"""Each different text is embedded once, ever; what failed is all that a second run asks for."""

from collections import Counter

import numpy as np
import pytest

from hm_models.embedders import Unusable
from hm_models.embedders.vectors import embed
from hm_models.files.store import Store
from tests.models.endpoints.endpoint import vector_of


class Recording:
    """An embedder that notes what it is asked; it breaks down at the text `broken_at`."""

    name = "recording"

    def __init__(
        self, identity: str = "one", broken_at: str | None = None, refuse: str = ""
    ) -> None:
        self.asked: Counter[str] = Counter()
        self._identity, self._broken_at, self._refuse = identity, broken_at, refuse

    def identity(self):
        return self._identity

    def read(self, text):
        return text[:10]

    def encode(self, texts):
        for position in reversed(range(len(texts))):
            if texts[position] == self._broken_at:
                raise Unusable("broken on purpose")
            self.asked[texts[position]] += 1
            if texts[position] != self._refuse:
                yield [position], vector_of(texts[position])[None]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "vectors.sqlite")


def test_identical_texts_are_embedded_once_and_every_text_finds_its_vector(store):
    embedder = Recording()
    texts = ["b", "a", "b", "c", "a"]
    found = embed(texts, embedder, store)
    assert embedder.asked == Counter("abc")
    for text, row in zip(texts, found.rows(texts), strict=True):
        assert np.array_equal(found.vectors[row], vector_of(text))


def test_a_second_run_asks_for_nothing_and_gives_the_same_bits(store, tmp_path):
    first = embed(["a", "b"], Recording(), store)
    again = Recording()
    second = embed(["b", "a", "new"], again, Store(tmp_path / "vectors.sqlite"))
    assert again.asked == Counter(["new"])
    assert np.array_equal(second.vectors[second.row_of["a"]], first.vectors[first.row_of["a"]])


def test_another_embedder_does_not_get_the_vectors_of_the_first(store):
    embed(["a"], Recording("one"), store)
    other = Recording("two")
    embed(["a"], other, store)
    assert other.asked == Counter("a")


def test_what_came_before_a_breakdown_is_kept_and_the_rest_is_filled_in_later(store):
    broken = Recording(broken_at="b")
    with pytest.raises(Unusable, match="on purpose"):
        embed(["a", "b", "c", "d"], broken, store)
    assert set(broken.asked) == {"c", "d"}
    mended = Recording()
    found = embed(["a", "b", "c", "d"], mended, store)
    assert set(mended.asked) == {"a", "b"}
    assert len(found.vectors) == 4


def test_texts_that_agree_in_what_the_embedder_reads_share_a_vector(store):
    embedder = Recording()
    found = embed(["0123456789 one", "0123456789 other"], embedder, store)
    assert embedder.asked == Counter(["0123456789"])
    assert np.array_equal(found.vectors[0], found.vectors[1])


def test_blank_and_refused_texts_have_no_vector(store, caplog):
    found = embed(["a", " \n", "no"], Recording(refuse="no"), store)
    assert found.rows(["a", " \n", "no"]).tolist() == [0, -1, -1]
    assert "1 of 2 texts have no vector" in caplog.text


def test_nothing_to_embed_loads_no_model(store):
    class Unloadable(Recording):
        def identity(self):
            raise Unusable("must not be asked")

    assert embed(["", " "], Unloadable(), store).vectors.shape == (0, 0)


def test_vectors_of_two_widths_are_no_vectors_and_none_of_them_is_kept(store):
    class Wider(Recording):
        def encode(self, texts):
            for (position,), vector in super().encode(texts):
                yield (
                    [position],
                    vector if texts[position] != "wide" else vector_of("wide", 9)[None],
                )

    embed(["one", "two"], Wider(), store)
    for _ in range(2):
        with pytest.raises(Unusable, match="of 8 and of 9 dimensions"):
            embed(["one", "wide"], Wider(), store)
    assert len(embed(["one", "two", "three"], Wider(), store).row_of) == 3
