"""The one check of rendered prompts: what went into a chat template is found in what came out.

>>> def template(turns):
...     return "".join(f"[{turn['role']}] {turn['content']} " for turn in turns)
>>> rendered(template, asked("2+2?", "Be brief."), "M's template")
'[system] Be brief. [user] 2+2? '
>>> opened(template, asked("2+2?", None), "It is", "M's template")
'[user] 2+2? [assistant] It is'

Templates are programs of their own: they drop turns that they do not know, raise, escape, cut, or want
a turn's content as a list of parts. Blanks around a turn's text may go; its text may not change.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any

import markupsafe

Turn = dict[str, Any]
# Turns -> text, as the harness's models have it; or, of models that send turns to an endpoint, what
# these make of them.
ApplyChatTemplate = Callable[..., Any]

# Marks where the model takes over inside a rendered turn; any unlikely string will do.
TAKEOVER = "-[the model goes on here]-"
MEND = (
    "Give the model a tokenizer folder whose chat template can say it, or ask without a template "
    "(hm-merged: prompt_style=completion; other models: no --apply_chat_template)."
)
MEND_SYSTEM = "Leave --system_instruction (or the task's description) out. " + MEND
# What the lists of parts look like where a template prints them instead of their texts.
PRINTED_PARTS = ("'type': 'text'", '"type": "text"')


class ChatTemplateError(ValueError):
    """A chat template that cannot say a conversation: names it, what is lost, and how to mend it."""


def asked(text: str, system: str | None) -> list[Turn]:
    """A question as turns; without a system instruction the template's default holds."""
    before = [{"role": "system", "content": system}] if system else []
    return [*before, {"role": "user", "content": text}]


def rendered(
    apply: ApplyChatTemplate, turns: Sequence[Turn], whose: str, goes_on: bool = False
) -> Any:
    """The conversation as a prompt in which each turn's text stands.

    Args:
        apply: called with turns, and with `add_generation_prompt=False` where the last one goes on.
        turns: their `content` is text.
        whose: names the template in errors, such as `the chat template of Qwen/Qwen3-8B`.
        goes_on: the last turn, the assistant's, is left open, and no other one begins.

    Returns:
        A text; or, where the model takes turns in place of a text, what `apply` makes of them.

    Raises:
        ChatTemplateError: a turn is missing or changed, or the template refuses the conversation.
    """
    problem = ""
    for form in _forms(turns):
        try:
            prompt = apply(form, **({"add_generation_prompt": False} if goes_on else {}))
        except ChatTemplateError:  # the model checks for itself
            raise
        except Exception as error:  # a template may raise whatever it likes
            problem = problem or _refusal(error, turns, whose)
            continue
        if not isinstance(prompt, str):
            return prompt
        lost = _lost(prompt, turns)
        if lost is None:
            return prompt
        problem = problem or _loss(prompt, lost, whose)
    raise ChatTemplateError(problem) from None


def opened(
    apply: ApplyChatTemplate, turns: Sequence[Turn], prefix: str, whose: str, rest: str = ""
) -> Any:
    """The conversation up to where the model goes on behind `prefix`, the beginning of its turn.

    Rendered with the turn in full and cut; where a template has no such last turn, the prefix stands
    behind what begins an answer.

    Args:
        rest: what would follow, for templates that make something of a turn's end.
    """
    answer = {"role": "assistant", "content": f"{prefix}{TAKEOVER}{rest}"}
    try:
        prompt = rendered(apply, [*turns, answer], whose)
    except ChatTemplateError:
        return rendered(apply, turns, whose) + prefix
    return prompt.split(TAKEOVER)[0] if isinstance(prompt, str) else rendered(apply, turns, whose)


def continued(apply: ApplyChatTemplate, turns: Sequence[Turn], whose: str) -> Any:
    """The conversation whose last turn goes on, as the harness asks for it; else as `opened` has it."""
    try:
        return rendered(apply, turns, whose, goes_on=True)
    except ChatTemplateError:
        *before, last = turns
        if last["role"] != "assistant" or not before:
            raise
        return rendered(apply, before, whose) + last["content"]


def _forms(turns: Sequence[Turn]) -> list[list[Turn]]:
    """The turns with texts, then with lists of parts for some or all of the roles."""
    roles = dict.fromkeys(turn["role"] for turn in turns)
    none, *some = [c for n in range(len(roles)) for c in itertools.combinations(roles, n)]
    # Some roles alone come last: templates of mixed kinds are rare.
    chosen = [none, tuple(roles), *some]
    return [[_parts(turn) if turn["role"] in one else turn for turn in turns] for one in chosen]


def _parts(turn: Turn) -> Turn:
    return turn | {"content": [{"type": "text", "text": turn["content"]}]}


def _lost(prompt: str, turns: Sequence[Turn]) -> Turn | None:
    """The first turn whose text is not in the prompt; each place counts for one turn."""
    rest = prompt
    for turn in sorted(turns, key=lambda turn: -len(turn["content"])):
        text = turn["content"].strip()
        before, found, after = rest.partition(text)
        if text and not found:
            # Templates of reasoning models leave the thoughts out of turns that lie behind.
            text = text.rpartition("</think>")[2].strip()
            if turn["role"] != "assistant" or turn is turns[-1] or text not in rest:
                return turn
            before, _, after = rest.partition(text)
        if text:
            rest = f"{before}\0{after}"
    longest = max(turns, key=lambda turn: len(turn["content"]))
    return longest if any(mark in rest for mark in PRINTED_PARTS) else None


def _refusal(error: Exception, turns: Sequence[Turn], whose: str) -> str:
    roles = [turn["role"] for turn in turns]
    what = f"{whose} cannot say a conversation of {', '.join(roles)}"
    mend = MEND_SYSTEM if "system" in roles else MEND
    return f"{what}: {_words(error)}. {mend}"


def _loss(prompt: str, turn: Turn, whose: str) -> str:
    text, role = turn["content"].strip(), turn["role"]
    as_json = (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    if any(form in prompt for form in (*as_json, str(markupsafe.escape(text)), repr(text)[1:-1])):
        how = "escapes the text of"
    elif text[:12] in prompt or text[-12:] in prompt or " ".join(text.split()) in prompt:
        how = "changes the text of"
    else:
        how = "leaves out"
    mend = MEND_SYSTEM if role == "system" else MEND
    return f"{whose} {how} the {role}'s turn, which begins with {text[:60]!r}. {mend}"


def _words(error: Exception) -> str:
    message = " ".join(str(error).split()).rstrip(".")
    return f"{type(error).__name__}: {message[:300]}" if message else type(error).__name__
