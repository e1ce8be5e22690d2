"""A written merge on the Hugging Face hub, by the hub's own client.

repository = open_repository("org/name", public=False)      # before anything is written
push(Path("OUT"), repository)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hm_models.checkpoints.licence import CARD
from hm_models.errors import UsageError


class HubError(UsageError):
    """The hub does not take the merge; the message says what it answered, and how to mend it."""


def open_repository(name: str, public: bool) -> str:
    """Make a model's repository, private unless `public`, or take the one that is there; its full name.

    Raises:
        HubError: there is no token, no such place, no connection, or it is public and should not be.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError

    try:
        api = HfApi()
        made = api.create_repo(name, private=not public, exist_ok=True)
        is_private = api.model_info(made.repo_id).private
    except HFValidationError as error:
        raise HubError(f"--push_to_hub {name!r} is no name on the hub: {error}") from None
    except Exception as error:  # the client raises a dozen kinds; each carries its own reason
        raise HubError(_refused(name, error)) from error
    if not public and is_private is False:
        raise HubError(
            f"{made.repo_id} is there already, and everybody can read it. Give --public if that is "
            "meant, another name, or make it private on its settings page."
        )
    return made.repo_id


def push(folder: Path, repository: str) -> str:
    """Upload the folder in one commit, and return its address.

    Raises:
        HubError: the hub did not take it; the folder stays as it is.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    operations: list[Any] = [
        CommitOperationAdd(
            path_in_repo=file.relative_to(folder).as_posix(),
            path_or_fileobj=_card_for_hub(file) if file == folder / CARD else file,
        )
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    ]
    try:
        api = HfApi()
        message = f"Merge written by hm-merge ({folder.name})"
        api.create_commit(repository, operations, commit_message=message)
    except Exception as error:
        raise HubError(
            f"{_refused(repository, error)} The merge is whole in {folder}: the same command "
            "pushes it again, and writes nothing."
        ) from error
    return f"{api.endpoint}/{repository}"


def _card_for_hub(file: Path) -> bytes:
    """The card with those parents alone that the hub knows: it takes no card that names a folder."""
    from huggingface_hub import ModelCard

    card = ModelCard.load(file)
    parents = [name for name in card.data.base_model or [] if not Path(name).exists()]
    card.data.base_model = parents or None
    if not parents:
        card.data.base_model_relation = None
    return str(card).encode()


def _refused(name: str, error: Exception) -> str:
    reason = " ".join(str(error).split()) or type(error).__name__
    return (
        f"The hub does not take {name} ({type(error).__name__}: {reason}). Check the name, the connection, "
        "HF_HUB_OFFLINE and the token (`hf auth login`, with the right to write)."
    )
