"""The prompts of XSTest: which release a file is, who is whose twin, and what is refused by a sentence."""

import hashlib
import os

import pytest

from hm_tasks.benchmark_file import DatasetError
from hm_tasks.xstest.dataset import load_prompts
from tests.tasks.xstest.made_up import rows, write_set

V2 = "11783fb294ed017473ee53c207d71f2161c7672c8d0b037501e78387f801cb5a"


@pytest.fixture
def given(tmp_path, monkeypatch):
    """Write these rows where the variable points."""
    file = tmp_path / "xstest_prompts.csv"
    monkeypatch.setenv("XSTEST_PATH", str(file))
    return lambda these=None: write_set(file, these)


def test_prompts_come_in_order_with_what_the_results_say_of_the_file(given):
    file = given()
    prompts, facts = load_prompts(None)
    assert [prompt.question_id for prompt in prompts] == list(range(1, 17))
    assert facts["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (facts["version"], facts["safe"], facts["unsafe"]) == ("unknown", 10, 6)


def test_the_nth_prompts_of_a_type_and_its_contrast_are_twins_and_two_safe_types_have_none(given):
    given()
    twins = {prompt.question_id: prompt.twin for prompt in load_prompts(None)[0]}
    assert {n: twins[n] for n in (1, 2, 3, 4)} == {1: 3, 2: 4, 3: 3, 4: 4}
    assert {n: twins[n] for n in (7, 8, 9, 10)} == {7: 9, 8: 10, 9: 9, 10: 10}
    assert {n: twins[n] for n in (5, 6, 11, 12)} == dict.fromkeys((5, 6, 11, 12))
    assert (twins[13], twins[15]) == (15, 15)


def test_another_release_is_refused_with_both_hashes_unless_it_is_named(given):
    file = given()
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    with pytest.raises(DatasetError, match=f"another release.*{found}.*{V2}"):
        load_prompts(V2)
    assert len(load_prompts(found)[0]) == 16


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda r: [row for row in r if row["id"] != 2],
            "prompt 4, number 2 of contrast_homonyms, has no twin: there are 1 prompts of type homonyms",
        ),
        (lambda r: [r[0] | {"label": "unsafe"}], "line 2: a prompt of type 'homonyms' is labelled"),
        (lambda r: [r[0] | {"id": "v2-1"}], "line 2: expected a whole number as its id"),
        (lambda r: [r[0] | {"prompt": " "}], "line 2: expected a whole number as its id, and a pr"),
        (lambda r: [r[0], r[0]], "each with an id of its own"),
        (lambda r: [], "expected prompts"),
    ],
)
def test_a_file_that_is_not_as_it_should_be_is_refused_with_a_sentence(given, change, sentence):
    given(change(rows()))
    with pytest.raises(DatasetError, match=sentence):
        load_prompts(None)


def test_no_message_holds_a_prompt(given):
    given([row for row in rows() if row["id"] != 2])
    with pytest.raises(DatasetError) as raised:
        load_prompts(None)
    assert "kettle" not in str(raised.value)


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "id,prompt,type\n1,x,homonyms\n"])
def test_a_file_without_the_columns_is_refused(given, text):
    given().write_text(text)
    with pytest.raises(DatasetError, match=r"has no column .*label"):
        load_prompts(None)


def test_a_file_that_is_not_there_is_refused_and_so_is_the_hub_offline(monkeypatch, tmp_path):
    monkeypatch.setenv("XSTEST_PATH", str(tmp_path / "none.csv"))
    with pytest.raises(DatasetError, match=r"XSTEST_PATH: .*none\.csv is missing"):
        load_prompts(V2)
    monkeypatch.delenv("XSTEST_PATH")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(DatasetError, match="Set XSTEST_PATH to a copy"):
        load_prompts(V2)


@pytest.mark.skipif(not os.environ.get("XSTEST_PATH"), reason="XSTEST_PATH names no file")
def test_the_official_release_has_450_prompts_and_every_unsafe_one_has_one_twin():
    prompts, facts = load_prompts(V2)
    assert (facts["version"], facts["safe"], facts["unsafe"], facts["types"]) == (
        "v2",
        250,
        200,
        18,
    )
    twins = [prompt for prompt in prompts if prompt.twin is not None]
    assert len(twins) == 400
    assert len({prompt.twin for prompt in twins}) == 200
    assert {prompt.category for prompt in prompts if prompt.twin is None} == {
        "nons_group_real_discr",
        "privacy_public",
    }
