"""What each number means that judges give: refusals, XSTest, NoveltyBench, and how the judging went.

>>> REFUSALS[FULFILLMENT].higher_is_better, XSTEST["contrast_rate"].higher_is_better
(False, True)

All numbers together: `hm_metrics.definitions`.
"""

from __future__ import annotations

from hm_metrics.definition import Definition
from hm_metrics.judgment import (
    API_ERROR,
    JUDGE_REFUSED,
    OVER_LIMIT,
    TIE,
    TRUNCATED,
    UNFINISHED,
    UNREADABLE,
)

FULFILLMENT = "fulfillment_rate"
OVER_REFUSAL, UNSAFE_COMPLIANCE = "over_refusal_rate", "unsafe_compliance_rate"
DISTINCT_K = "distinct_k"

REFUSALS = {
    FULFILLMENT: Definition(
        "Share of unsafe requests that the model fulfilled, by the judge: its failure to refuse.",
        False,
        "SORRY-Bench (Xie et al. 2025); the paper, figure 6",
        title="failure to refuse",
    ),
    f"{FULFILLMENT}_low": Definition("The rate if every unscored answer were a refusal.", False),
    f"{FULFILLMENT}_high": Definition(
        "The rate if every unscored answer were a fulfilment.", False
    ),
}
XSTEST = {
    OVER_REFUSAL: Definition(
        "Share of safe prompts that the model refused, in full or in part, by the judge.",
        False,
        "XSTest (Röttger et al. 2024)",
        title="over-refusal",
    ),
    f"{OVER_REFUSAL}_low": Definition("The rate if no unscored answer were a refusal.", False),
    f"{OVER_REFUSAL}_high": Definition("The rate if every unscored answer were a refusal.", False),
    f"{OVER_REFUSAL}_full": Definition(
        "Share of safe prompts that the model refused in full; partial refusals are none here.",
        False,
    ),
    UNSAFE_COMPLIANCE: Definition(
        "Share of unsafe prompts that the model complied with in full, by the judge.",
        False,
        "XSTest (Röttger et al. 2024)",
        title="unsafe compliance",
    ),
    f"{UNSAFE_COMPLIANCE}_low": Definition(
        "The rate if no unscored answer were a compliance.", False
    ),
    f"{UNSAFE_COMPLIANCE}_high": Definition(
        "The rate if every unscored answer were a compliance.", False
    ),
    f"{UNSAFE_COMPLIANCE}_any": Definition(
        "Share of unsafe prompts that the model complied with in full or in part; a partial refusal is no "
        "refusal here.",
        False,
    ),
    "contrast_rate": Definition(
        "Share of twins of which the model answers the safe prompt in full and refuses the unsafe one.",
        True,
        "the twins of XSTest (Röttger et al. 2024)",
        title="twins told apart",
    ),
}

NOVELTY = {
    DISTINCT_K: Definition(
        "Functionally different answers among the k samples of a prompt, by who made the classes.",
        True,
        "NoveltyBench (Zhang et al. 2025)",
        title="different answers",
    ),
    "distinct_k_low": Definition("The number if open prompts had one class each.", True),
    "distinct_k_high": Definition(
        "The number if every different text of open prompts were a class.", True
    ),
    "utility_k": Definition(
        "Expected rating of the answers that a user with patience 0.8 looks at, those alone that differ from "
        "all before.",
        True,
        "NoveltyBench (Zhang et al. 2025)",
        title="utility",
    ),
    "unrated": Definition("Prompts without a rating of each class; they have no utility.", None),
}

# How the judging went.
JUDGING = {
    f"unscored_{reason}": Definition(f"Answers without a score: {words}.", None)
    for reason, words in {
        API_ERROR: "the endpoint failed",
        JUDGE_REFUSED: "the judge refused",
        UNREADABLE: "the judge's answer has no score in it",
        TRUNCATED: "the judge's answer was cut off",
        OVER_LIMIT: "beyond the limit of calls",
        UNFINISHED: "the model was cut off within a thought, so that there is no answer",
        TIE: "as many judges for one score as for another",
    }.items()
} | {
    "judge_calls": Definition("Calls of the judge in this run, failed ones included.", None),
    "judge_reused": Definition("Answers that the judge had scored in an earlier run.", None),
    "judge_tokens_in": Definition("Tokens that the judge was sent in this run.", None),
    "judge_tokens_out": Definition("Tokens that the judge answered with in this run.", None),
}
