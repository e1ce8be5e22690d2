"""Embedding rows are matched by the token's string, never by the row's number alone."""

import pytest

from hm_models.checkpoints.checkpoint import Checkpoint, CheckpointError
from hm_models.checkpoints.vocabulary import NO_ROW, match_rows, read_vocabulary
from tests.models.tiny import TOKENS, copy_of

NAMES = ("B", "I")


def vocabulary(*tokens):
    return {token: row for row, token in enumerate(tokens)}


WORDS = tuple(f"w{n}" for n in range(20))


def test_equal_vocabularies_merge_row_by_row():
    match = match_rows(vocabulary(*WORDS), vocabulary(*WORDS), 20, 20, NAMES)
    assert match.is_plain
    assert (match.instruct_only, match.base_only, match.moved) == (0, 0, 0)


def test_padding_on_both_sides_merges_row_by_row():
    match = match_rows(vocabulary(*WORDS), vocabulary(*WORDS), 24, 24, NAMES)
    assert match.is_plain


def test_padding_of_the_instruct_model_alone_has_no_counterpart():
    match = match_rows(vocabulary(*WORDS), vocabulary(*WORDS), 20, 24, NAMES)
    assert match.rows == (*range(20), *[NO_ROW] * 4)
    assert match.instruct_only == 0  # padding is no token


def test_padding_of_the_base_alone_is_left_out():
    match = match_rows(vocabulary(*WORDS), vocabulary(*WORDS), 24, 20, NAMES)
    assert match.rows == tuple(range(20))


def test_a_token_added_in_a_padded_row_has_no_counterpart():
    match = match_rows(vocabulary(*WORDS), vocabulary(*WORDS, "new"), 24, 24, NAMES)
    assert match.rows[20] == NO_ROW
    assert match.rows[21:] == (21, 22, 23)
    assert match.instruct_only == 1


def test_a_row_that_only_the_base_names_is_not_merged_with_padding():
    match = match_rows(vocabulary(*WORDS, "old"), vocabulary(*WORDS), 24, 24, NAMES)
    assert match.rows[20] == NO_ROW
    assert match.rows[21:] == (21, 22, 23)
    assert match.base_only == 1


def test_exchanged_tokens_follow_their_string():
    exchanged = (WORDS[1], WORDS[0], *WORDS[2:])
    match = match_rows(vocabulary(*WORDS), vocabulary(*exchanged), 20, 20, NAMES)
    assert match.rows == (1, 0, *range(2, 20))
    assert not match.is_plain
    assert match.moved == 2


def test_a_replaced_token_keeps_the_instruct_row():
    match = match_rows(vocabulary(*WORDS), vocabulary(*WORDS[:-1], "other"), 20, 20, NAMES)
    assert match.rows[19] == NO_ROW
    assert (match.instruct_only, match.base_only, match.moved) == (1, 1, 0)


def test_tokens_beyond_the_embedding_are_not_asked_for():
    base, instruct = vocabulary(*WORDS, "x"), vocabulary(*WORDS, "x", "y")
    match = match_rows(base, instruct, 20, 21, NAMES)
    assert match.rows == (*range(20), NO_ROW)


def test_the_remark_counts_all_three_kinds():
    base, instruct = vocabulary(*WORDS, "old"), vocabulary("new", *WORDS[1:], WORDS[0])
    remark = match_rows(base, instruct, 21, 21, NAMES).remark("base", "instruct")
    assert "1 tokens only in instruct" in remark
    assert "1 tokens only in base" in remark
    assert "1 tokens sit in another row" in remark


@pytest.mark.parametrize(("kept", "accepted"), [(18, True), (17, False)])
def test_a_tenth_of_the_smaller_vocabulary_may_differ(kept, accepted):
    instruct = vocabulary(*WORDS[:kept], *(f"x{n}" for n in range(20 - kept)))
    if accepted:
        assert match_rows(vocabulary(*WORDS), instruct, 20, 20, NAMES).instruct_only == 20 - kept
    else:
        with pytest.raises(CheckpointError, match="B and I have different vocabularies: 17"):
            match_rows(vocabulary(*WORDS), instruct, 20, 20, NAMES)


def test_a_fast_tokenizer_is_read_with_its_added_tokens(base, tmp_path):
    assert read_vocabulary(Checkpoint.open(str(base))) == vocabulary(*TOKENS)
    folder = copy_of(base, tmp_path / "c")
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["<new>"])
    tokenizer.save_pretrained(folder)
    assert read_vocabulary(Checkpoint.open(str(folder))) == vocabulary(*TOKENS, "<new>")


@pytest.mark.parametrize("content", [None, "{ not a tokenizer"])
def test_a_checkpoint_without_readable_tokenizer_is_refused(base, tmp_path, content):
    folder = copy_of(base, tmp_path / "c")
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    if content:
        (folder / "tokenizer.json").write_text(content)
    with pytest.raises(CheckpointError, match="no tokenizer that can be read") as refusal:
        read_vocabulary(Checkpoint.open(str(folder)))
    assert "add the tokenizer's files" in str(refusal.value)
