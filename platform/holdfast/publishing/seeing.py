"""What versions without a network that learns make of an experiment's images: their models, or their entries,
say it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from holdfast.base import DataError
from holdfast.data import Featurizer, ImageSet, some
from holdfast.entries import Entries
from holdfast.learning import Datasets
from holdfast.models import Model
from holdfast.store import Store

Read = Callable[[Featurizer], Datasets]
"""Reads the experiment's images as vectors."""
_CHUNK = 1024


@dataclass(frozen=True, eq=False)
class Seen:
    """The vectors of an experiment's images, float32 (n, d) of unit norm, in their order.

    Attributes:
        queries, gallery, sample: of the evaluation images; None where some of them are not known.
    """

    training: np.ndarray
    queries: np.ndarray | None
    gallery: np.ndarray | None
    sample: np.ndarray | None = None


def look(store: Store, version: str, data: Datasets, read: Read) -> Seen:
    """What a version makes of images: computed once and kept, where its model embeds images; else as its
    entries have them, whose ids are the images' sample_ids.

    Raises:
        DataError: training images of which there is no vector.
        ChangedModelError, EndpointError: its endpoint is another model now, or is away.
    """
    model = store.versions.load(version)
    if "image" in model.takes:
        return _by_model(version, model, data, read)
    return _by_entries(store, version, model.dimension, data)


def _by_model(version: str, model: Model, data: Datasets, read: Read) -> Seen:
    model.check()
    seen = read(Featurizer(model.contract().id, model))
    parts = []
    for ours, theirs in (
        (data.training, seen.training),
        (data.evaluation.queries, seen.evaluation.queries),
        (data.evaluation.gallery, seen.evaluation.gallery),
    ):
        if not np.array_equal(ours.sample_ids, theirs.sample_ids):
            alone = np.setxor1d(ours.sample_ids, theirs.sample_ids)
            raise DataError(
                f"{len(alone)} images can be read by only one of {version} and the model that is to learn "
                f"from it: {some(alone)}. Mend or remove them."
            )
        parts.append(theirs.images)
    sample = None if seen.sample is None else seen.sample.images
    return Seen(parts[0], parts[1], parts[2], sample)


def _by_entries(store: Store, version: str, dimension: int, data: Datasets) -> Seen:
    training = _of_entries(store, version, dimension, data.training)
    evaluation = data.evaluation
    parts = [evaluation.queries, evaluation.gallery, *([data.sample] if data.sample is not None else [])]
    held = [_of_entries(store, version, dimension, part) for part in parts]
    lacking = np.isnan(training[:, 0]) if len(training) else np.zeros(0, bool)
    if lacking.any():
        raise DataError(
            f"{version} embeds no images, and the gallery has its vectors of {int((~lacking).sum()):,} of "
            f"{len(lacking):,} training images; it lacks, for example, "
            f"{some(data.training.sample_ids[lacking])}. Import them (holdfast gallery import), with the "
            "images' sample_ids as ids, or start from another version."
        )
    known = [None if np.isnan(part).any() else part for part in held]
    return Seen(training, *known)


def _of_entries(store: Store, version: str, dimension: int, images: ImageSet) -> np.ndarray:
    """float32 (n, d), NaN where the version embedded no entry of that id."""
    vectors = np.full((len(images), dimension), np.nan, np.float32)
    entries = Entries(store)
    for start in range(0, len(images), _CHUNK):
        names = [str(name) for name in images.sample_ids[start : start + _CHUNK]]
        found = {
            entry.id: entry.vector
            for entry in entries.get_many(list(dict.fromkeys(names)))
            if entry.version == version and entry.mapped_from is None
        }
        for row, name in enumerate(names, start):
            if name in found:
                vectors[row] = found[name]
    return vectors
