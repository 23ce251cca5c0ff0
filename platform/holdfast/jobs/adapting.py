"""Fitting a published version's adapters: one between its space and that of every ancestor."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from holdfast.adapters import AdapterConfig
from holdfast.data import AugmentConfig, ImageSet
from holdfast.errors import StoreError
from holdfast.learning import embed_views, fit_adapter
from holdfast.store import RegisteredAdapter, Store, Version


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
        encoder = store.load(name)
        return embed_views(encoder, training.images, indices, config.views, augment, seed, version.task)

    newer, labels = embed(version.name), training.labels[indices]
    for number, ancestor in missing:
        distance = len(ancestors) - number
        fitted = fit_adapter(config, newer, embed(ancestor), labels, seed, version.task, distance)
        store.register_adapter(
            version.name,
            ancestor,
            fitted.adapter,
            described,
            maps=config.maps,
            scale=fitted.scores.scale,
            shift=fitted.scores.shift,
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
