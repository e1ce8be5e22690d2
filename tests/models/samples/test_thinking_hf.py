"""A scripted model that thinks, on transformers: the faults of two stop strings, end to end."""

import pytest

from hm_models.errors import RecipeError
from hm_models.merged import HindsightMerged
from tests.instances import instance
from tests.models.noting_request import NotingRequest
from tests.models.samples.scripted import CHAT, THINKING_CHAT, scripted_model, tokenizer

END = "<end_of_solution>"
SCRIPT = f"It ends with {END}.\n</think>\nYes.{END} no"
SPECIAL = ("[THINK]", "[/THINK]")


class Chat(NotingRequest):
    """It asks its prompt as a chat."""

    def use_prompt_style(self, style, apply_chat_template):
        turns = [{"role": "user", "content": self.arguments[0]}]
        self.arguments = (apply_chat_template(turns), self.arguments[1])


def say(folder, tok, script, until=(END,), **arguments):
    """What `hm-merged` makes of a model that says the script; its text and facts."""
    prompt = tok.apply_chat_template(
        [{"role": "user", "content": "Well?"}], tokenize=False, add_generation_prompt=True
    )
    model = str(scripted_model(folder / "model", tok, prompt, script))
    lm = HindsightMerged(
        base=model, instruct=model, alpha=1.0, backend="hf", device="cpu", dtype="float32", **arguments
    )  # fmt: skip
    lm.keep_samples_in(folder / "samples")
    request = instance(
        "generate_until",
        {},
        ("Well?", {"until": list(until), "max_gen_toks": 300, "do_sample": False}),
        0,
        metadata=("task", 0, 1),
        made_as=Chat,
    )
    (text,) = lm.generate_until([request], disable_tqdm=True)
    ((_, told),) = request.taken
    return text, told.facts


def test_a_thought_that_names_the_stop_string_is_not_cut_and_the_answer_ends_at_it(tmp_path):
    text, facts = say(tmp_path, tokenizer(THINKING_CHAT), SCRIPT)
    assert text == f"It ends with {END}.\n</think>\nYes."
    assert text[slice(*facts["answer"])] == "\nYes."
    assert facts["tokens"] == len(SCRIPT) - len(" no"), "what follows is not generated"


@pytest.mark.parametrize("marker", ["</think>", 260])
def test_with_a_marker_that_is_given_only_the_answer_is_left(tmp_path, marker):
    tok = tokenizer(CHAT, added=("<think>", "</think>"))
    assert tok.convert_tokens_to_ids("</think>") == 260
    text, facts = say(tmp_path, tok, f"<think>{SCRIPT}", think_end_token=marker)
    assert (text, facts["answer"]) == ("Yes.", [0, 4])


def test_markers_that_decoding_leaves_out_stay_in_the_text(tmp_path):
    tok = tokenizer(CHAT, special=SPECIAL)
    text, facts = say(tmp_path, tok, f"[THINK]It ends with {END}.[/THINK]Yes.{END} no")
    assert text == f"[THINK]It ends with {END}.[/THINK]Yes."
    assert text[slice(*facts["answer"])] == "Yes."


def test_a_thought_without_an_end_is_told_as_none(tmp_path):
    text, facts = say(tmp_path, tokenizer(THINKING_CHAT), f"It ends with {END} and so")
    assert (text, facts["answer"]) == (f"It ends with {END} and so", None)


def test_a_model_that_could_think_and_does_not_stops_at_once(tmp_path):
    text, facts = say(tmp_path, tokenizer(CHAT, added=("<think>", "</think>")), f"Yes.{END} no")
    assert text == "Yes."
    assert "answer" not in facts
    assert facts["tokens"] == len(f"Yes.{END}")


def test_thinking_without_the_marker_of_its_end_is_refused_before_anything_is_read():
    with pytest.raises(RecipeError, match="Add think_end_token=</think>"):
        HindsightMerged(base="none", instruct="none", backend="hf", enable_thinking=True)
