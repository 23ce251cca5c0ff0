"""Versions in a store, for benchmarks that need versions but no training."""

from pathlib import Path

from holdfast.models import Encoder, ModelConfig
from holdfast.store import Draft, Store


def publish_untrained(store: Store, folder: Path, model: ModelConfig, task: int = 0) -> str:
    """Publish an encoder with random weights, one for each task; returns the version's name."""
    saved = encoder_folder(folder, task)
    Encoder(model).save(saved)
    draft = Draft("bench", 1, task, None, saved, "name: bench", "none", {})
    return store.versions.publish(draft).name


def encoder_folder(folder: Path, task: int = 0) -> Path:
    """Where `publish_untrained` saves the encoder of a task."""
    return folder / f"encoder{task}"
