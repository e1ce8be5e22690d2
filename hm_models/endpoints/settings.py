"""How an OpenAI-compatible endpoint is asked, as settings name it: for judges and for rewriters.

>>> given = {"judge_base_url": None, "judge_concurrency": 16, "judge_timeout_s": 60, "judge_limit": None}
>>> endpoint, limit = how_to_ask(given, "judge")
>>> endpoint.concurrency, endpoint.timeout_s, limit
(16, 60.0, None)
"""

from __future__ import annotations

from typing import Any

from hm_models.endpoints.client import Endpoint, EndpointError
from hm_models.settings import ProtocolError, number, whole_number


def how_to_ask(metadata: dict[str, Any], role: str) -> tuple[Endpoint, int | None]:
    """The endpoint, and the most that is sent to it: settings whose names begin with the role.

    Raises:
        ProtocolError: a value that cannot be.
    """
    limit = metadata[f"{role}_limit"]
    endpoint = Endpoint(
        metadata[f"{role}_base_url"],
        whole_number(metadata, f"{role}_concurrency"),
        number(metadata, f"{role}_timeout_s", above=0.0),
    )
    if endpoint.base_url is not None:
        try:
            endpoint.check_address()
        except EndpointError as error:
            raise ProtocolError(f"{role}_base_url={error}") from None
    return endpoint, None if limit is None else whole_number(metadata, f"{role}_limit")
