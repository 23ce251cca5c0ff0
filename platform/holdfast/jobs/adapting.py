"""Fitting a published version's adapters: from its space to that of every ancestor."""

from collections.abc import Sequence

import numpy as np

from holdfast.adapters import AdapterConfig, Pairs, fit_from_pairs
from holdfast.errors import StoreError
from holdfast.learning.randomness import derive_seed
from holdfast.models import Encoder
from holdfast.store import RegisteredAdapter, Store, Version

_CHUNK = 4096  # images that are copied out of the training set at a time


def fit_adapters(
    store: Store,
    config: AdapterConfig,
    version: Version,
    ancestors: Sequence[str],
    images: np.ndarray,
    indices: np.ndarray,
    seed: int,
) -> int:
    """Fit and register what `version` lacks of one adapter to each ancestor; returns how many were fitted.

    An adapter that was fitted by the same config and is intact stays as it is, so a second call does nothing,
    and after a crash it does the rest. In memory is one ancestor at a time.

    Args:
        ancestors: oldest first, the parent last.
        images: uint8 (n, c, h, w), the training set; `indices` (m,) those that the version learned from.
        seed: the experiment's. The same images and weights give the same adapters, whatever the versions are
            called.

    Raises:
        DataError, InvalidVectorError: the images are too few for this adapter.
    """
    plain = config.model_dump(mode="json")
    registered = {row.gallery: row for row in store.adapters() if row.query == version.name}
    missing = [
        (number, name)
        for number, name in enumerate(ancestors)
        if not _is_intact(store, registered.get(name), plain)
    ]
    if not missing:
        return 0
    source = _embed(store.load(version.name), images, indices)
    for number, ancestor in missing:
        target = _embed(store.load(ancestor), images, indices)
        draws = derive_seed(seed, "adapter", version.task, len(ancestors) - number)
        adapter = fit_from_pairs(config, Pairs(source, target), draws)
        store.register_adapter(version.name, ancestor, adapter, plain)
    return len(missing)


def _is_intact(store: Store, row: RegisteredAdapter | None, config: dict[str, object]) -> bool:
    if row is None or row.config != config:
        return False
    try:
        store.load_adapter(row)
    except StoreError:
        return False
    return True


def _embed(encoder: Encoder, images: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """float32 (m, d) of the images at `indices`, without a copy of all of them."""
    chunks = [encoder.embed(images[indices[at : at + _CHUNK]]) for at in range(0, len(indices), _CHUNK)]
    return np.concatenate(chunks) if chunks else np.empty((0, encoder.dimension), np.float32)
