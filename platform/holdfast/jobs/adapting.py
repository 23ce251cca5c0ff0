"""How a published version meets its ancestors' entries, and they its own: adapters and calibrations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.adapters import AdapterConfig, carried
from holdfast.data import AugmentConfig, ImageSet
from holdfast.errors import StoreError
from holdfast.learning import Meeting, choose_images, embed_views, fit_adapter, fit_shift
from holdfast.store import MeasuredCalibration, RegisteredAdapter, Store, Version


@dataclass(frozen=True, eq=False)
class Material:
    """What a version learned from, and how its images were distorted.

    Attributes:
        indices: (m,) those of the training images that the version learned from.
        augment: the distortion of the copies that an adapter's `views` asks for.
        seed: the experiment's. The same images and weights give the same adapters and calibrations,
            whatever the versions are called.
    """

    training: ImageSet
    indices: np.ndarray
    augment: AugmentConfig
    seed: int

    @property
    def labels(self) -> np.ndarray:
        return self.training.labels[self.indices]


def fit_adapters(
    store: Store, config: AdapterConfig, version: Version, ancestors: Sequence[str], material: Material
) -> int:
    """Fit and register what `version` lacks of one adapter for each ancestor; returns how many were fitted.

    An adapter that was fitted by the same config and is intact stays as it is, so a second call does nothing,
    and after a crash it does the rest. In memory is one ancestor at a time.

    Args:
        ancestors: oldest first, the parent last.

    Raises:
        DataError, InvalidVectorError: the images are too few for this adapter.
    """
    described: dict[str, Any] = config.model_dump(mode="json")
    if config.views:
        described["augment"] = material.augment.model_dump(mode="json")
    registered = {row.gallery: row for row in store.adapters() if row.query == version.name}
    missing = [
        (number, name)
        for number, name in enumerate(ancestors)
        if not _is_intact(store, registered.get(name), described)
    ]
    if not missing:
        return 0

    def embed(name: str) -> np.ndarray:
        return _embed(store, name, version, material, material.indices, config.views)

    newer, parent = embed(version.name), ancestors[-1]
    # The parent's first: through it comes what the parent's own adapters were fitted on.
    for number, ancestor in reversed(missing):
        distance = len(ancestors) - number
        earlier = None
        if ancestor != parent:
            earlier = carried(store.adapter(parent, ancestor), store.adapter(version.name, parent))
        adapter = fit_adapter(config, newer, embed(ancestor), material.seed, version.task, distance, earlier)
        store.register_adapter(version.name, ancestor, adapter, described, maps=config.maps)
    return len(missing)


def inherit_adapters(store: Store, version: Version) -> int:
    """Register for `version`, distilled from its parent, the adapters through which the parent's queries meet
    older entries: both write the same space. Returns how many were new."""
    registered = {(row.query, row.gallery): row for row in store.adapters()}
    count = 0
    for (query, gallery), row in registered.items():
        own = registered.get((version.name, gallery))
        if query == version.parent and (own is None or own.digest != row.digest):
            adapter = store.load_adapter(row)
            store.register_adapter(version.name, gallery, adapter, row.config, maps=row.maps)
            count += 1
    return count


def calibrate_pairs(store: Store, version: Version, ancestors: Sequence[str], material: Material) -> int:
    """Measure the calibrations that `version` and its ancestors lack, in both directions, through the
    adapters in force; returns how many were measured.

    A shift is recorded where it helps beyond its interval, and no change where it does not. What was measured
    with the adapter in force stays as it is; two versions that do not meet for their width are left out.
    """
    chosen = choose_images(material.labels, material.seed, version.task)
    config = {"fit": "shift", "images": len(chosen)}
    adapters = {(row.query, row.gallery): row for row in store.adapters()}
    widths = {each.name: each.dimension for each in store.versions()}
    known = {(row.query, row.gallery) for row in store.calibrations() if row.config == config}

    def lacks(query: str, gallery: str) -> bool:
        pair = (query, gallery)
        return pair not in known and (pair in adapters or widths[query] == widths[gallery])

    missing = [name for name in ancestors if lacks(version.name, name) or lacks(name, version.name)]
    if not missing:
        return 0
    indices, labels = material.indices[chosen], material.labels[chosen]
    newer = _embed(store, version.name, version, material, indices)
    count = 0
    for ancestor in missing:
        older = _embed(store, ancestor, version, material, indices)
        rows = []
        for query, gallery, queries, entries in (
            (version.name, ancestor, newer, older),
            (ancestor, version.name, older, newer),
        ):
            if not lacks(query, gallery):
                continue
            adapter = adapters.get((query, gallery))
            other = _meet(store, adapter, queries, entries)
            found = fit_shift(Meeting(queries, queries), other, labels, material.seed)
            rows.append(
                MeasuredCalibration(
                    query=query,
                    gallery=gallery,
                    shift=found.shift if found.helps else 0.0,
                    adapter=None if adapter is None else adapter.digest,
                    gain=found.gain,
                    low=found.low,
                    high=found.high,
                    config=config,
                )
            )
        store.record_calibrations(rows)
        count += len(rows)
    return count


def _meet(
    store: Store, adapter: RegisteredAdapter | None, queries: np.ndarray, entries: np.ndarray
) -> Meeting:
    if adapter is None:
        return Meeting(queries, entries)
    apply = store.load_adapter(adapter).apply
    return Meeting(queries, apply(entries)) if adapter.maps == "entries" else Meeting(apply(queries), entries)


def _embed(
    store: Store, name: str, version: Version, material: Material, indices: np.ndarray, views: int = 0
) -> np.ndarray:
    """What a version makes of images that `version` learned from, and of distorted copies of them."""
    images, encoder = material.training.images, store.load(name)
    return embed_views(encoder, images, indices, views, material.augment, material.seed, version.task)


def _is_intact(store: Store, row: RegisteredAdapter | None, config: dict[str, Any]) -> bool:
    if row is None or row.config != config:
        return False
    try:
        store.load_adapter(row)
    except StoreError:
        return False
    return True
