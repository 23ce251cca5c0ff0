"""Versions in a store, for benchmarks that need versions but no training."""

from pathlib import Path

from holdfast.models import Encoder, ModelConfig
from holdfast.store import Draft, Store


def publish_untrained(store: Store, folder: Path, model: ModelConfig, task: int = 0) -> str:
    """Publish an encoder with random weights, one for each task; returns the version's name."""
    saved = folder / f"encoder{task}"
    Encoder(model).save(saved)
    draft = Draft("bench", 1, task, None, saved, "name: bench", "none", {})
    return store.publish(draft).name
