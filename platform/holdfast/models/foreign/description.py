"""What is written beside the files of a foreign model, and what identifies its embeddings."""

import hashlib
import json
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from holdfast.base import PartConfig, StoreError
from holdfast.models.foreign.wishes import Wishes
from holdfast.models.identity import Identity
from holdfast.models.model import Model

DESCRIPTION = "foreign.json"


class ForeignConfig(PartConfig):
    """Base of the configs of all foreign models: which kind it is, and all that its embeddings depend on
    besides its files."""

    def identity(self) -> dict[str, Any]:
        """What of it decides the embeddings: all of it, but for what says how a model is reached."""
        return self.model_dump(mode="json")

    @classmethod
    @abstractmethod
    def adopt(cls, reference: str, wishes: Wishes, folder: Path) -> None:
        """Put the files of the model that `reference` names into an empty folder, with their description
        (`write_description`), so that `load_foreign` makes it of them.

        Args:
            reference: what followed the kind and a colon.

        Raises ConfigError for what is no such model, or needs what is not installed.
        """

    @abstractmethod
    def open(self, folder: Path, contract: "ForeignContract") -> Model:
        """The model whose files lie in `folder`. Raises StoreError for files that are not intact."""


class ForeignContract(Identity):
    """Everything that a foreign model's embedding depends on.

    Attributes:
        model: what its config says of it, with its `kind`.
        files: SHA-256 of each file, by name; of an endpoint that of its answers to the built-in probes.
    """

    model: dict[str, Any]
    files: dict[str, str] = Field(default_factory=dict)


def write_description(folder: Path, config: ForeignConfig, dimension: int) -> ForeignContract:
    """Describe the files that lie in `folder`; returns the contract that they make."""
    files = {path.name: _digest(path) for path in sorted(folder.iterdir()) if path.name != DESCRIPTION}
    contract = ForeignContract(dimension=dimension, model=config.identity(), files=files)
    described = {
        "config": config.model_dump(mode="json"),
        "contract": contract.model_dump(mode="json"),
        "contract_id": contract.id,
    }
    (folder / DESCRIPTION).write_text(json.dumps(described, indent=2, sort_keys=True) + "\n")
    return contract


def read_description(folder: Path) -> tuple[dict[str, Any], ForeignContract]:
    """The config and the contract that `write_description` wrote; the files are as they were then.

    Raises StoreError.
    """
    path = folder / DESCRIPTION
    try:
        described = json.loads(path.read_text())
        config = dict(described["config"])
        contract = ForeignContract.model_validate(described["contract"])
        promised = described["contract_id"]
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is damaged or was written by another version of Holdfast.") from error
    if contract.id != promised:
        raise StoreError(f"{path} was changed after it was written: it is not the contract {promised}.")
    _require_intact(folder, contract.files)
    return config, contract


def _require_intact(folder: Path, files: Mapping[str, str]) -> None:
    for name, promised in files.items():
        try:
            found = _digest(folder / name)
        except OSError as error:
            raise StoreError(f"{folder / name} cannot be read: {error.strerror}.") from error
        if found != promised:
            raise StoreError(f"{folder / name} is damaged: its SHA-256 is not the one that was promised.")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
