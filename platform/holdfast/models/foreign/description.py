"""What is written beside the files of a foreign model, and what identifies its embeddings."""

import hashlib
import json
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from holdfast.base import PartConfig, StoreError
from holdfast.models.identity import Identity
from holdfast.models.model import Model

DESCRIPTION = "foreign.json"


class ForeignConfig(PartConfig):
    """Base of the configs of all foreign models: which kind it is, and all that its embeddings depend on
    besides its files."""

    @abstractmethod
    def open(self, folder: Path, contract: "ForeignContract") -> Model:
        """The model whose files lie in `folder`. Raises StoreError for files that are not intact."""


class ForeignContract(Identity):
    """Everything that a foreign model's embedding depends on.

    Attributes:
        model: its config, with its `kind`.
        files: SHA-256 of each file, by name.
        answers: of an endpoint, SHA-256 of what it made of the built-in probes at adoption.
    """

    model: dict[str, Any]
    files: dict[str, str] = Field(default_factory=dict)
    answers: str | None = None


def write_description(
    folder: Path, config: ForeignConfig, dimension: int, answers: str | None = None
) -> ForeignContract:
    """Describe the files that lie in `folder`; returns the contract that they make."""
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.name != DESCRIPTION
    }
    contract = ForeignContract(
        dimension=dimension, model=config.model_dump(mode="json"), files=files, answers=answers
    )
    described = {"contract": contract.model_dump(mode="json"), "contract_id": contract.id}
    (folder / DESCRIPTION).write_text(json.dumps(described, indent=2, sort_keys=True) + "\n")
    return contract


def read_description(folder: Path) -> ForeignContract:
    """What `write_description` wrote; the files are as they were then. Raises StoreError."""
    path = folder / DESCRIPTION
    try:
        described = json.loads(path.read_text())
        contract = ForeignContract.model_validate(described["contract"])
        promised = described["contract_id"]
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is damaged or was written by another version of Holdfast.") from error
    if contract.id != promised:
        raise StoreError(f"{path} was changed after it was written: it is not the contract {promised}.")
    _require_intact(folder, contract.files)
    return contract


def _require_intact(folder: Path, files: Mapping[str, str]) -> None:
    for name, digest in files.items():
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            raise StoreError(f"{folder / name} cannot be read: {error.strerror}.") from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise StoreError(f"{folder / name} is damaged: its SHA-256 is not the one that was promised.")
