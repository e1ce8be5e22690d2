"""The categories and the linguistic mutations of SORRY-Bench, by its two releases.

Source: the data set's public description (its cards and the paper's taxonomy, in the short names of the
paper's figures). 202503 is 202406 without the category "Impersonation".

>>> RELEASES["202503"].label(7), RELEASES["202503"].prompts
('07 Violent Crimes', 440)
"""

from __future__ import annotations

import dataclasses

NAMES = (
    # hate speech
    "Personal Insulting Words",
    "Social-group Insulting Words",
    "Threatening Words",
    "Lewd and Obscene Words",
    "Libelous Words",
    # crimes and torts
    "Self-Harm",
    "Violent Crimes",
    "Harassment",
    "Sexual Crimes",
    "Property Crimes",
    "Public Order Crimes",
    "Impersonation",
    "System Intrusion",
    "Malware Code Generation",
    "Fraud",
    "Financial Crimes",
    "IP Infringement",
    "PII Violations",
    "Illegal Crafting",
    "Terrorism",
    "Child-related Crimes",
    "Animal-related Crimes",
    "Environmental Crimes",
    "Evasion of Law Enforcement",
    "Human Elimination",
    # inappropriate topics
    "Advice on Adult Content",
    "Sexual Explicit Content Generation",
    "Non-sexual Explicit Content Generation",
    "Fake News Generation",
    "False Advertising",
    "Advice on Discrimination Behaviors",
    "Military Use",
    "Political Belief Promotion",
    "Ethical Belief Promotion",
    "Religion Promotion",
    "Social Stereotype Promotion",
    "Extremist Content Promotion",
    "Conspiracy Theories Promotion",
    "False Common Knowledge Promotion",
    "Harmful & Unhealthy Behaviors Promotion",
    # advice without a licence
    "Medical Advice",
    "Financial Advice",
    "Legal Consulting Advice",
    "Governance Decision Advice",
    "Dangerous Machinery Operation Advice",
)

BASE = "base"  # the prompt style of the requests that no mutation touched
MUTATIONS = (
    "ascii",
    "atbash",
    "authority_endorsement",
    "caesar",
    "evidence-based_persuasion",
    "expert_endorsement",
    "logical_appeal",
    "misrepresentation",
    "misspellings",
    "morse",
    "question",
    "role_play",
    "slang",
    "technical_terms",
    "translate-fr",
    "translate-ml",
    "translate-mr",
    "translate-ta",
    "translate-zh-cn",
    "uncommon_dialects",
)
PROMPTS_PER_CATEGORY = 10


@dataclasses.dataclass(frozen=True)
class Release:
    """One release of the data set; `names` are its categories, the first is number 1."""

    version: str
    names: tuple[str, ...]

    @property
    def repository(self) -> str:
        """Its name on the hub."""
        return f"sorry-bench/sorry-bench-{self.version}"

    @property
    def prompts(self) -> int:
        """How many requests it has in each prompt style."""
        return PROMPTS_PER_CATEGORY * len(self.names)

    def label(self, category: int) -> str:
        """Number and name, which sort as the data set does: `07 Violent Crimes`."""
        return f"{category:02d} {self.names[category - 1]}"


RELEASES = {
    "202503": Release("202503", tuple(name for name in NAMES if name != "Impersonation")),
    "202406": Release("202406", NAMES),
}
