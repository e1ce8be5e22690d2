"""How an OpenAI-compatible endpoint is asked, as settings name it: for judges and for rewriters.

>>> given = {"judge_base_url": None, "judge_concurrency": 16, "judge_timeout_s": 60, "judge_limit": None}
>>> how_to_ask(given, "judge")
{'base_url': None, 'concurrency': 16, 'timeout_s': 60.0, 'limit': None}
"""

from __future__ import annotations

from typing import Any

from hm_models.endpoints.client import Endpoint, EndpointError
from hm_models.settings import ProtocolError, number, whole_number


def how_to_ask(metadata: dict[str, Any], role: str) -> dict[str, Any]:
    """`base_url`, `concurrency`, `timeout_s` and `limit`, each from the setting `ROLE_` and that name.

    Raises:
        ProtocolError: a value that cannot be.
    """
    base_url, limit = metadata[f"{role}_base_url"], metadata[f"{role}_limit"]
    if base_url is not None:
        try:
            Endpoint(base_url).check_address()
        except EndpointError as error:
            raise ProtocolError(f"{role}_base_url={error}") from None
    return {
        "base_url": base_url,
        "concurrency": whole_number(metadata, f"{role}_concurrency"),
        "timeout_s": number(metadata, f"{role}_timeout_s", above=0.0),
        "limit": None if limit is None else whole_number(metadata, f"{role}_limit"),
    }
