"""From the files of a version to what embeds for it."""

from pathlib import Path

from holdfast.models.encoder import DESCRIPTION, Encoder
from holdfast.models.foreign import load_foreign
from holdfast.models.model import Model


def load_model(folder: Path) -> Model:
    """What the files of a version make. Raises StoreError naming one that is not intact."""
    return Encoder.load(folder) if (folder / DESCRIPTION).exists() else load_foreign(folder)
