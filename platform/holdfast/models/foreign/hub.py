"""Folders of models: of this machine, or of the Hugging Face hub."""

from collections.abc import Sequence
from pathlib import Path

from holdfast.base import ConfigError, import_extra


def fetch(reference: str, revision: str | None, patterns: Sequence[str]) -> Path:
    """The folder that `reference` is, or to which those files of the hub's model of that id are fetched.

    Raises ConfigError where there is neither.
    """
    folder = Path(reference).expanduser()
    if folder.is_dir():
        if revision is not None:
            raise ConfigError(f"{reference} is a folder, which has no --revision: leave it out.")
        return folder
    hub = import_extra(
        "huggingface_hub",
        "transformers",
        "A model of the Hugging Face hub needs huggingface_hub",
        ConfigError,
    )
    try:
        return Path(hub.snapshot_download(reference, revision=revision, allow_patterns=list(patterns)))
    except Exception as error:
        # Not found, not allowed, not an id, no network: each with a class of its own.
        said = " ".join(str(error).split())[:200].rstrip(".")
        raise ConfigError(
            f"There is no folder {reference!r}, and no such model could be fetched from the Hugging Face "
            f"hub: {said}."
        ) from error
