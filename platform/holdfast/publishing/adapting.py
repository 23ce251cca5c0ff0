"""How a published version meets its ancestors' entries, and they its own: adapters and calibrations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.adapters import Adapter, AdapterConfig, carried
from holdfast.base import StoreError
from holdfast.data import AugmentConfig, ImageSet
from holdfast.learning import Meeting, choose_images, embed_views, fit_adapter, fit_shift
from holdfast.store import MeasuredCalibration, RegisteredAdapter, Store, Version

_NEVER = "never"
"""In place of the digest of the adapter with which a pair was calibrated."""


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


def connect_version(
    store: Store,
    config: AdapterConfig | None,
    version: Version,
    ancestors: Sequence[str],
    material: Material,
) -> None:
    """Fit and register what `version` lacks of one adapter for each ancestor, then measure the calibrations
    that the two lack, in both directions, through the adapters in force.

    What was made by the same config, and is intact, stays as it is, so a second call does nothing, and after
    a crash it does the rest. Every ancestor's model is loaded once, and one is in memory at a time.

    A shift is recorded where it helps beyond its interval, and no change where it does not; two versions that
    do not meet for their width are left out.

    Args:
        ancestors: oldest first, the parent last.

    Raises:
        DataError, InvalidVectorError: the images are too few for this adapter.
    """
    embed = _Embedder(store, version, material, 0 if config is None else config.views)
    adapters = {(row.query, row.gallery): row for row in store.adapters()}
    calibrating = _Calibrating(store, version, material, adapters)
    # The parent's first: through it comes what the parent's own adapters were fitted on.
    for number, ancestor in reversed(list(enumerate(ancestors))):
        if config is not None:
            described: dict[str, Any] = config.model_dump(mode="json")
            if config.views:
                described["augment"] = material.augment.model_dump(mode="json")
            if not _is_intact(store, adapters.get((version.name, ancestor)), described):
                earlier = None
                if ancestor != ancestors[-1]:
                    earlier = carried(
                        _load(store, adapters.get((ancestors[-1], ancestor))),
                        _load(store, adapters.get((version.name, ancestors[-1]))),
                    )
                adapter = fit_adapter(
                    config,
                    embed.all(version.name),
                    embed.all(ancestor),
                    material.seed,
                    version.task,
                    len(ancestors) - number,
                    earlier,
                )
                adapters[version.name, ancestor] = store.register_adapter(
                    version.name, ancestor, adapter, described, maps=config.maps
                )
        calibrating(ancestor, embed)


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


class _Calibrating:
    """What is measured once for all ancestors of a version."""

    def __init__(
        self,
        store: Store,
        version: Version,
        material: Material,
        adapters: dict[tuple[str, str], RegisteredAdapter],
    ) -> None:
        self._store, self._version, self._material, self._adapters = store, version, material, adapters
        self._chosen = choose_images(material.labels, material.seed, version.task)
        self._config = {"fit": "shift", "images": len(self._chosen)}
        self._widths = {each.name: each.dimension for each in store.versions()}
        self._known = {
            (row.query, row.gallery): row.adapter
            for row in store.calibrations()
            if row.config == self._config
        }

    def __call__(self, ancestor: str, embed: "_Embedder") -> None:
        """Measure what the version and an ancestor lack, and record it."""
        pairs = [(self._version.name, ancestor), (ancestor, self._version.name)]
        lacking = [pair for pair in pairs if self._lacks(*pair)]
        if not lacking:
            return
        labels = self._material.labels[self._chosen]
        made = {name: embed.some(name, self._chosen) for name in pairs[0]}
        rows = []
        for query, gallery in lacking:
            adapter = self._adapters.get((query, gallery))
            own, other = made[query], _meet(self._store, adapter, made[query], made[gallery])
            found = fit_shift(Meeting(own, own), other, labels, self._material.seed)
            rows.append(
                MeasuredCalibration(
                    query=query,
                    gallery=gallery,
                    shift=found.shift if found.helps else 0.0,
                    adapter=None if adapter is None else adapter.digest,
                    gain=found.gain,
                    low=found.low,
                    high=found.high,
                    config=self._config,
                )
            )
        self._store.record_calibrations(rows)

    def _lacks(self, query: str, gallery: str) -> bool:
        adapter = self._adapters.get((query, gallery))
        if adapter is None and self._widths[query] != self._widths[gallery]:
            return False
        digest = None if adapter is None else adapter.digest
        return self._known.get((query, gallery), _NEVER) != digest


class _Embedder:
    """What versions make of the images that `version` learned from, and of distorted copies of them; of it
    and of one other version at a time."""

    def __init__(self, store: Store, version: Version, material: Material, views: int) -> None:
        self._store, self._version, self._material, self._views = store, version, material, views
        self._held: dict[str, np.ndarray] = {}

    def all(self, name: str) -> np.ndarray:
        """As `embed_views` gives them."""
        if name not in self._held:
            self._forget()
            self._held[name] = self._embed(name, self._material.indices, self._views)
        return self._held[name]

    def some(self, name: str, chosen: np.ndarray) -> np.ndarray:
        """Of the images at `chosen` of the indices, as they are."""
        if name in self._held:
            return self._held[name][: len(self._material.indices)][chosen]
        return self._embed(name, self._material.indices[chosen], 0)

    def _forget(self) -> None:
        self._held = {name: made for name, made in self._held.items() if name == self._version.name}

    def _embed(self, name: str, indices: np.ndarray, views: int) -> np.ndarray:
        material, encoder = self._material, self._store.load(name)
        return embed_views(
            encoder,
            material.training.images,
            indices,
            views,
            material.augment,
            material.seed,
            self._version.task,
        )


def _meet(
    store: Store, adapter: RegisteredAdapter | None, queries: np.ndarray, entries: np.ndarray
) -> Meeting:
    if adapter is None:
        return Meeting(queries, entries)
    apply = store.load_adapter(adapter).apply
    return Meeting(queries, apply(entries)) if adapter.maps == "entries" else Meeting(apply(queries), entries)


def _load(store: Store, row: RegisteredAdapter | None) -> Adapter | None:
    return None if row is None else store.load_adapter(row)


def _is_intact(store: Store, row: RegisteredAdapter | None, config: dict[str, Any]) -> bool:
    if row is None or row.config != config:
        return False
    try:
        store.load_adapter(row)
    except StoreError:
        return False
    return True
