"""Tokenizers as checkpoints have them: tokenizer.model alone, tekken.json, and none at all."""

import base64
import json
import random

import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers.convert_slow_tokenizer import bytes_to_unicode

from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.checkpoints.tokenizer import load_tokenizer
from hm_models.checkpoints.vocabulary import read_vocabulary
from hm_models.errors import RecipeError
from hm_models.merge.plan import plan_merge
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.stream import merged_tensors
from hm_models.merge.writer import write_checkpoint
from hm_models.merged import HindsightMerged
from tests.models.tiny import TOKENS, copy_of, same_bits, tiny_checkpoint
from tests.models.vicuna import PIECES, vicuna_pair

TOKENIZER = "*token*", "chat_template.jinja"


@pytest.fixture(scope="module")
def vicuna(made_once):
    folder = made_once("vicuna_pair", vicuna_pair)
    return folder / "base", folder / "instruct"


def without_tokenizer(folder):
    for pattern in TOKENIZER:
        for file in folder.glob(pattern):
            file.unlink()
    return folder


def recipe_of(base, instruct, alpha=0.7):
    return MergeRecipe(base=str(base), instruct=str(instruct), alpha=alpha)


def test_tokenizer_model_alone_is_read_by_transformers_and_by_us(vicuna):
    base, instruct = vicuna
    assert not (instruct / "tokenizer.json").exists()
    vocabulary = read_vocabulary(Checkpoint.open(str(instruct)))
    assert len(vocabulary) == PIECES
    assert vocabulary == read_vocabulary(Checkpoint.open(str(base)))  # by its tokenizer.json
    ours, theirs = (load_tokenizer(str(side)) for side in vicuna)
    text = "def wrap(text):  return 'é'"
    assert ours(text).input_ids == theirs(text).input_ids
    assert theirs(text).input_ids[0] == 1  # Llama's beginning of text


def test_added_tokens_of_their_own_file_count(vicuna, tmp_path):
    folder = copy_of(vicuna[1], tmp_path / "c")
    (folder / "added_tokens.json").write_text(json.dumps({"[PAD]": PIECES}))
    assert read_vocabulary(Checkpoint.open(str(folder)))["[PAD]"] == PIECES


def test_an_added_pad_token_keeps_its_row(tmp_path):
    # What resize_token_embeddings after add_special_tokens leaves.
    base = tiny_checkpoint(tmp_path / "base", 1)
    instruct = tiny_checkpoint(tmp_path / "instruct", 2, tokens=(*TOKENS, "<pad>"))
    plan = plan_merge(recipe_of(base, instruct))
    assert "1 tokens only in instruct keep its rows" in plan.remarks[-1]
    merged = dict(merged_tensors(recipe_of(base, instruct)))
    own = dict(merged_tensors(recipe_of(base, instruct, 1)))
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        assert torch.equal(merged[name][-1], own[name][-1])
        assert not torch.equal(merged[name][:-1], own[name][:-1])


# --- no tokenizer ---------------------------------------------------------------------------------


@pytest.mark.parametrize("bare", ["base", "instruct"])
def test_of_equal_rows_the_other_sides_tokenizer_serves(tmp_path, base, instruct, bare):
    sides = {
        "base": copy_of(base, tmp_path / "base"),
        "instruct": copy_of(instruct, tmp_path / "i"),
    }
    whole = dict(merged_tensors(recipe_of(**sides)))
    without_tokenizer(sides[bare])
    plan = plan_merge(recipe_of(**sides))
    (remark,) = (one for one in plan.remarks if "no tokenizer" in one)
    assert str(sides[bare]) in remark
    assert "80 rows" in remark
    found = dict(merged_tensors(recipe_of(**sides)))
    assert all(same_bits(found[name], whole[name]) for name in whole)
    for alpha in (0, 0.7, 1):
        lm = HindsightMerged(
            base=str(sides["base"]), instruct=str(sides["instruct"]), alpha=alpha, backend="hf"
        )
        assert lm.tokenizer.get_vocab() == {token: row for row, token in enumerate(TOKENS)}
        assert lm.apply_chat_template([{"role": "user", "content": "w1"}]).startswith("<user> w1")
        assert lm.lm.tok_encode("w1 w2") == [6, 7]


def test_a_merge_on_disk_brings_the_tokenizer_that_serves(tmp_path, base, instruct):
    bare = without_tokenizer(copy_of(instruct, tmp_path / "i"))
    recipe = recipe_of(base, bare)
    written = write_checkpoint(recipe, plan_merge(recipe), tmp_path / "merged")
    for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        assert (written / file).read_bytes() == (base / file).read_bytes()


def test_whose_tokenizer_serves_is_part_of_the_fingerprint(tmp_path, base, instruct):
    bare = without_tokenizer(copy_of(instruct, tmp_path / "i"))
    other = copy_of(base, tmp_path / "other")
    (other / "chat_template.jinja").write_text("{{ 1 }}")
    prints = {recipe_of(one, bare, 1).fingerprint() for one in (base, other)}
    assert len(prints) == 2


def test_of_unequal_rows_no_tokenizer_is_a_sentence(tmp_path, base):
    bigger = tiny_checkpoint(tmp_path / "i", 2, tokens=(*TOKENS, "<pad>"))
    with pytest.raises(RecipeError, match=r"has no tokenizer.*80 and 81 rows"):
        plan_merge(recipe_of(base, without_tokenizer(bigger)))


def test_without_any_tokenizer_one_must_be_given(tmp_path, base, instruct):
    sides = {
        "base": str(without_tokenizer(copy_of(base, tmp_path / "b"))),
        "instruct": str(without_tokenizer(copy_of(instruct, tmp_path / "i"))),
    }
    with pytest.raises(RecipeError, match="tokenizer=NAME"):
        HindsightMerged(**sides, alpha=0.7, backend="hf")
    lm = HindsightMerged(**sides, alpha=0.7, backend="hf", tokenizer=str(base))
    assert lm.lm.tok_encode("w1 w2") == [6, 7]
    assert lm.apply_chat_template([{"role": "user", "content": "w1"}]).startswith("<user> w1")


# --- tekken.json ----------------------------------------------------------------------------------

SPECIALS = ("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "<pad>")


def write_tekken(folder):
    """Mistral's tokenizer alone: single bytes first, then words, some of which are half a letter."""
    words = [bytes([byte]) for byte in range(256)]
    draw = random.Random(0)
    words += [b"he", b"ll", b"hell", b"hello", b" hello", "é".encode(), "日".encode()[:2]]
    words += [b"w%d" % draw.randrange(10**6) for _ in range(20)]
    vocabulary = [
        {"rank": rank, "token_bytes": base64.b64encode(word).decode(), "token_str": None}
        for rank, word in enumerate(words)
    ]
    config = {
        "pattern": r"[^\r\n\p{L}\p{N}]?[\p{L}]+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s+",
        "num_vocab_tokens": len(words),
        "default_vocab_size": len(words) + len(SPECIALS) - 1,  # the last word is of no model
        "default_num_special_tokens": len(SPECIALS),
        "version": "v11",
    }
    specials = [
        {"rank": rank, "token_str": token, "is_control": True}
        for rank, token in enumerate(SPECIALS)
    ]
    content = {"config": config, "vocab": vocabulary, "special_tokens": specials}
    (folder / "tekken.json").write_text(json.dumps(content))
    return len(words) + len(SPECIALS) - 1


@pytest.fixture
def mistral_pair(tmp_path):
    """A base with tekken.json and tokenizer.json, an instruct model with tekken.json alone."""
    rows = write_tekken(tmp_path)
    sides = []
    for seed, name in enumerate(("base", "instruct")):
        side = without_tokenizer(tiny_checkpoint(tmp_path / name, seed, tokens=TOKENS, rows=rows))
        (side / "tekken.json").write_bytes((tmp_path / "tekken.json").read_bytes())
        sides.append(side)
    # Written by other code than what reads tekken.json in the end: bytes as byte-level BPE has them.
    letters = bytes_to_unicode()
    tekken = json.loads((tmp_path / "tekken.json").read_text())
    words = [base64.b64decode(entry["token_bytes"]) for entry in tekken["vocab"]][:-1]
    vocabulary = {"".join(letters[b] for b in w): len(SPECIALS) + r for r, w in enumerate(words)}
    fast = Tokenizer(models.BPE({t: i for i, t in enumerate(SPECIALS)} | vocabulary, []))
    fast.pre_tokenizer, fast.decoder = pre_tokenizers.ByteLevel(False), decoders.ByteLevel()
    fast.add_special_tokens([AddedToken(token, special=True) for token in SPECIALS])
    fast.save(str(sides[0] / "tokenizer.json"))
    return sides


def test_tekken_json_holds_the_tokens_of_tokenizer_json(mistral_pair):
    base, instruct = (read_vocabulary(Checkpoint.open(str(side))) for side in mistral_pair)
    assert base == instruct
    assert plan_merge(recipe_of(*mistral_pair)).remarks == ()


def test_a_prompt_for_a_tekken_tokenizer_keeps_its_special_tokens(mistral_pair):
    sides = dict(zip(("base", "instruct"), map(str, mistral_pair), strict=True))
    for alpha in (0, 0.7, 1):
        lm = HindsightMerged(**sides, alpha=alpha, backend="hf")
        ids = lm.lm.tok_encode("[INST]hello[/INST]")
        assert (ids[0], ids[-1]) == (3, 4)
        assert lm.lm.tok_decode(ids, skip_special_tokens=False) == "[INST]hello[/INST]"
        assert lm.tokenizer.eos_token == "</s>"
