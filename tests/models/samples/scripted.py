"""A tiny GPT-2 that says a given text, token by token, whatever its weights are thought to be for.

    scripted_model(folder, tokenizer(TEMPLATE), prompt, script)

Attention and layers are zero, so that the logits follow from the position alone; the head is solved for
the script behind the prompt's exact tokens. One token a byte, and one for each of `extra`.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

CHAT = (
    "{% for m in messages %}<s>{{ m['role'] }}: {{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant: {% endif %}"
)
THINKING_CHAT = CHAT.replace("assistant: ", "assistant: <think>\n")


def tokenizer(
    template: str = CHAT, special: Sequence[str] = (), added: Sequence[str] = ()
) -> PreTrainedTokenizerFast:
    """Bytes as tokens; `special` ones are left out of decoded texts, `added` ones are not."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: i for i, token in enumerate(["<unk>", "<s>", "</s>", *alphabet])}
    core = Tokenizer(models.BPE(vocab=vocab, merges=[], unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="</s>",
        additional_special_tokens=list(special),
    )
    made.add_tokens(list(added))
    made.chat_template = template
    return made


def scripted_model(
    folder: Path,
    tok: PreTrainedTokenizerFast,
    prompt: str,
    script: str | Sequence[int],
    places: int = 1024,
    width: int = 512,
) -> Path:
    """Write a checkpoint that greedily says `script` (a text or tokens) and ends; return its folder."""
    start = len(tok(prompt, add_special_tokens=False)["input_ids"])
    said = tok(script, add_special_tokens=False)["input_ids"] if isinstance(script, str) else script
    target_ids = [*said, tok.eos_token_id]
    assert len(target_ids) <= width, "the head can be solved for no more tokens than it is wide"
    assert start + len(target_ids) < places
    config = GPT2Config(
        vocab_size=len(tok),
        n_positions=places,
        n_embd=width,
        n_layer=1,
        n_head=8,
        tie_word_embeddings=False,
        bos_token_id=1,
        eos_token_id=2,
    )
    torch.manual_seed(0)
    model = GPT2LMHeadModel(config).float()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.fill_(1.0 if "ln_" in name and name.endswith("weight") else 0.0)
        places_in = torch.randn(places, width)
        model.transformer.wpe.weight.copy_(places_in)
        hidden = torch.nn.functional.layer_norm(
            places_in[start - 1 : start - 1 + len(target_ids)], (width,)
        )
        target = torch.zeros(len(target_ids), len(tok))
        target[torch.arange(len(target_ids)), torch.tensor(target_ids)] = 40.0
        head = torch.linalg.lstsq(hidden.double(), target.double(), driver="gelsd").solution
        model.lm_head.weight.copy_(head.T.float())
    model.save_pretrained(folder)
    tok.save_pretrained(folder)
    return folder
