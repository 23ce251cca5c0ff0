"""A store with one version in it, for benchmarks that need a version but no training."""

from pathlib import Path

from holdfast.models import Encoder, ModelConfig
from holdfast.store import Draft, Store


def publish_untrained(store: Store, folder: Path, model: ModelConfig) -> str:
    """Publish an encoder with random weights; returns the version's name."""
    encoder = Encoder(model)
    encoder.save(folder / "encoder")
    draft = Draft("bench", 1, 0, None, folder / "encoder", "name: bench", "none", {})
    return store.publish(draft).name
