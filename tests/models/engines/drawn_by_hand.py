"""The chances of the next token under a sampler, by numpy and the definitions alone.

chances_of(logits, {"temperature": 1.2, "min_p": 0.1}, seen=[3, 7])
"""

from collections import Counter

import numpy as np
from scipy.stats import chisquare

# Each parameter of sampling beside a temperature, alone: backends differ in the order of several.
SAMPLERS = {
    "temperature": {"temperature": 1.6},
    "top_p": {"temperature": 1.6, "top_p": 0.9},
    "top_k": {"temperature": 1.2, "top_k": 7},
    "min_p": {"temperature": 2.0, "min_p": 0.05},
    "typical_p": {"temperature": 0.8, "typical_p": 0.6},
    "repetition_penalty": {"temperature": 1.6, "repetition_penalty": 1.8},
    "top_n_sigma": {"temperature": 1.5, "top_n_sigma": 1.5},
}


def chances_of(logits, sampler, seen=()):
    """Float64 [vocabulary].

    Args:
        logits: the model's own, [vocabulary].
        seen: ids of the tokens of prompt and answer so far.
    """
    logits = np.array(logits, dtype=np.float64)
    if n := sampler.get("top_n_sigma"):
        logits[logits < logits.max() - n * logits.std(ddof=1)] = -np.inf
    penalty = sampler.get("repetition_penalty", 1.0)
    for token in set(seen):
        logits[token] *= penalty if logits[token] < 0 else 1 / penalty
    chances = _softmax(logits / sampler["temperature"])
    order = np.argsort(-chances, kind="stable")
    out = np.zeros(len(chances), dtype=bool)
    if k := sampler.get("top_k"):
        out[order[k:]] = True
    if p := sampler.get("top_p"):
        before = np.cumsum(chances[order]) - chances[order]
        out[order[before >= p]] = True
    if p := sampler.get("min_p"):
        out |= chances < p * chances.max()
    if p := sampler.get("typical_p"):  # Meister et al. 2022: nearest to the entropy first
        surprisal = -np.log(chances)
        near = np.argsort(np.abs(surprisal - (chances * surprisal).sum()), kind="stable")
        before = np.cumsum(chances[near]) - chances[near]
        out[near[before >= p]] = True
    chances[out] = 0.0
    return chances / chances.sum()


def _softmax(logits):
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def check_texts(texts, chances, decode):
    """Assert that one-token texts are drawn with these chances, and from no other tokens."""
    by_text: dict[str, float] = {}
    for token, chance in enumerate(chances):
        text = decode(token).strip()  # several special tokens are the empty text
        by_text[text] = by_text.get(text, 0.0) + chance
    counts = Counter(text.strip() for text in texts)
    assert all(by_text[text] > 0 for text in counts), (
        "a token that the sampler leaves out was drawn"
    )
    kept = {text: len(texts) * chance for text, chance in by_text.items() if chance}
    assert len(kept) > 3, "a sampler that keeps hardly anything shows nothing"
    rare = [
        text for text, expected in kept.items() if expected < 5
    ]  # which chi-square wants together
    groups = [[text] for text in kept if text not in rare] + ([rare] if rare else [])
    found = [sum(counts[text] for text in group) for group in groups]
    expected = [sum(kept[text] for text in group) for group in groups]
    assert chisquare(found, expected).pvalue > 0.001
