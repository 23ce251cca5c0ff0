"""From a config to a network that can learn, and from the files of a version to what embeds for it."""

from pathlib import Path

from holdfast.models.encoder import DESCRIPTION, Encoder, ModelConfig
from holdfast.models.foreign import load_foreign
from holdfast.models.learnable import Learnable
from holdfast.models.model import Model
from holdfast.models.projections import PROJECTION, Projection


def build_learnable(config: ModelConfig) -> Learnable:
    """A network that begins as the config says; what is random is drawn from torch's global generator."""
    return Encoder(config) if config.base is None else Projection(config)


def load_model(folder: Path) -> Model:
    """What the files of a version make; of a projection the map alone, without its base.

    Raises StoreError naming a file that is not intact.
    """
    if (folder / PROJECTION).exists():
        return Projection.load(folder)
    return Encoder.load(folder) if (folder / DESCRIPTION).exists() else load_foreign(folder)
