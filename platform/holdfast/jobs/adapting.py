"""Fitting a published version's adapters: one between its space and that of every ancestor."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from holdfast.adapters import AdapterConfig, Calibration, Pairs, calibrate, fit_from_pairs
from holdfast.data import AugmentConfig, ImageSet
from holdfast.errors import StoreError
from holdfast.learning.randomness import derive_seed
from holdfast.models import Encoder
from holdfast.store import RegisteredAdapter, Store, Version

_CHUNK = 512  # images that are copied out of the training set, and embedded, at a time


def fit_adapters(
    store: Store,
    config: AdapterConfig,
    version: Version,
    ancestors: Sequence[str],
    training: ImageSet,
    indices: np.ndarray,
    augment: AugmentConfig,
    seed: int,
) -> int:
    """Fit and register what `version` lacks of one adapter for each ancestor; returns how many were fitted.

    An adapter that was fitted by the same config and is intact stays as it is, so a second call does nothing,
    and after a crash it does the rest. In memory is one ancestor at a time.

    Args:
        ancestors: oldest first, the parent last.
        indices: (m,) those of the training images that the version learned from.
        augment: the distortion of the copies that `config.views` asks for.
        seed: the experiment's. The same images and weights give the same adapters, whatever the versions are
            called.

    Raises:
        DataError, InvalidVectorError: the images are too few for this adapter.
    """
    described: dict[str, Any] = config.model_dump(mode="json")
    if config.views:
        described["augment"] = augment.model_dump(mode="json")
    registered = {row.gallery: row for row in store.adapters() if row.query == version.name}
    missing = [
        (number, name)
        for number, name in enumerate(ancestors)
        if not _is_intact(store, registered.get(name), described)
    ]
    if not missing:
        return 0

    def embed(name: str) -> np.ndarray:
        draws = derive_seed(seed, "adapter", version.task, "views")
        return _embed(store.load(name), training.images, indices, config.views, augment, draws)

    newer, labels = embed(version.name), training.labels[indices]
    for number, ancestor in missing:
        older = embed(ancestor)
        draws = derive_seed(seed, "adapter", version.task, len(ancestors) - number)
        pairs = Pairs(older, newer) if config.maps == "entries" else Pairs(newer, older)
        adapter = fit_from_pairs(config, pairs, draws)
        scores = Calibration()
        if config.maps == "queries":
            own, there = newer[: len(labels)], older[: len(labels)]
            scores = calibrate(adapter.apply(own), there, own, labels)
        store.register_adapter(
            version.name,
            ancestor,
            adapter,
            described,
            maps=config.maps,
            scale=scores.scale,
            shift=scores.shift,
        )
    return len(missing)


def _is_intact(store: Store, row: RegisteredAdapter | None, config: dict[str, Any]) -> bool:
    if row is None or row.config != config:
        return False
    try:
        store.load_adapter(row)
    except StoreError:
        return False
    return True


def _embed(
    encoder: Encoder, images: np.ndarray, indices: np.ndarray, views: int, augment: AugmentConfig, seed: int
) -> np.ndarray:
    """float32 ((views + 1) m, d) of the images at `indices`, as they are and then distorted `views` times.

    The same seed gives the same pixels, so that all versions see the same.
    """
    embedded = np.empty(((views + 1) * len(indices), encoder.dimension), np.float32)
    augmentation, generator = augment.build(), torch.Generator().manual_seed(seed)
    for view in range(views + 1):
        for at in range(0, len(indices), _CHUNK):
            chunk = images[indices[at : at + _CHUNK]]
            rows = slice(view * len(indices) + at, view * len(indices) + at + len(chunk))
            if view == 0:
                embedded[rows] = encoder.embed(chunk)
                continue
            drawn = augmentation.draw(len(chunk), generator)
            with torch.inference_mode():
                embedded[rows] = encoder(augmentation.apply(torch.from_numpy(chunk), drawn)).numpy()
    return embedded
