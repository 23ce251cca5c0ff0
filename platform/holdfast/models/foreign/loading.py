"""From the files of a foreign model to the model."""

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from holdfast.base import StoreError, unknown_kinds
from holdfast.models.foreign.description import DESCRIPTION, ForeignConfig, read_description
from holdfast.models.foreign.kinds import AnyForeignConfig
from holdfast.models.model import Model


def load_foreign(folder: Path) -> Model:
    """Raises StoreError naming a file that is not intact, or a kind that is not known here."""
    described, contract = read_description(folder)
    try:
        config: ForeignConfig = TypeAdapter(AnyForeignConfig).validate_python(described)
    except ValidationError as error:
        missing = unknown_kinds(error)
        raise StoreError(f"{folder / DESCRIPTION}: {missing[0] if missing else error}") from error
    return config.open(folder, contract)
