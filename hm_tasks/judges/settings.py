"""How answers are judged: the settings of a run, checked before any model is loaded.

>>> from hm_tasks.sorry_bench.rubric import FULFILMENT
>>> there = Endpoint("http://localhost:8000/v1")
>>> JudgeSettings("a-judge", load_prompt(None, FULFILMENT), there).identity()["endpoint"]
'http://localhost:8000/v1'
"""

from __future__ import annotations

import dataclasses
from typing import Any

from hm_models.endpoints.client import Endpoint, EndpointError
from hm_models.endpoints.settings import how_to_ask
from hm_models.files.places import cache_folder
from hm_models.settings import ProtocolError
from hm_tasks.judges.preset import PREFIX, load_preset
from hm_tasks.judges.prompt import JudgePrompt, load_prompt
from hm_tasks.judges.rubric import Rubric

KEYWORD = "keyword"  # the judge that needs no model


@dataclasses.dataclass(frozen=True)
class JudgeSettings:
    """The judge of a run.

    Attributes:
        judge: the model's name at its endpoint, or `keyword`; of a preset its name.
        prompt: how it is asked.
        endpoint: where it is asked.
        limit: most answers that are sent to the judge in one run; None for all.
    """

    judge: str
    prompt: JudgePrompt
    endpoint: Endpoint = dataclasses.field(default_factory=Endpoint)
    limit: int | None = None

    @classmethod
    def of(cls, metadata: dict[str, Any], rubric: Rubric) -> JudgeSettings:
        """The settings in a task's metadata, for what the rubric decides.

        Raises:
            ProtocolError, PromptError: a value that cannot be.
            CacheError: verdicts cannot be kept.
        """
        judge, prompts = metadata["judge"], metadata["judge_prompts"]
        if not isinstance(judge, str) or not judge.strip():
            raise ProtocolError(f"judge={judge!r}: expected a model's name, or {KEYWORD}.")
        if judge.startswith(PREFIX):
            preset = load_preset(judge.removeprefix(PREFIX))
            judge, prompt = preset.name, preset.prompt(rubric, prompts)
        else:
            prompt = load_prompt(prompts, rubric)
        settings = cls(judge, prompt, *how_to_ask(metadata, "judge"))
        if not settings.is_keyword:
            cache_folder()
            try:
                settings.endpoint.key()
            except EndpointError as error:
                raise ProtocolError(
                    f"The judge {judge} cannot be asked. {error} (judge_base_url names another "
                    f"endpoint; judge={KEYWORD} needs none, but its rates are unfaithful.)"
                ) from None
        return settings

    @property
    def is_keyword(self) -> bool:
        return self.judge == KEYWORD

    def identity(self) -> dict[str, Any]:
        """What shaped the verdicts, for results."""
        if self.is_keyword:
            return {"judge": KEYWORD}
        return {
            "judge": self.judge,
            "endpoint": self.endpoint.public_url,
            "prompt": self.prompt.name,
            "prompt_sha256": self.prompt.digest(),
        }
