"""How a published version meets its ancestors' entries, and they its own: adapters and calibrations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.adapters import AS_THEY_ARE, Adapter, AdapterConfig, LinearAdapter, Meeting, carried
from holdfast.base import StoreError
from holdfast.config import SampleConfig
from holdfast.data import AugmentConfig, ImageSet
from holdfast.models import ProjectedModel
from holdfast.publishing.adapting import embed_views, fit_adapter
from holdfast.publishing.bridging import SAMPLED
from holdfast.publishing.calibrating import Searched, Sides, choose_images, fit_shift, search_halves
from holdfast.publishing.sampling import Sampled
from holdfast.store import MeasuredCalibration, RegisteredAdapter, Store, Version

EXACT = "projection"
"""In place of how an adapter was fitted: of one that is the version itself."""
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
        seen: what versions without a network that learns make of all training images, float32 (n, d).
        sample: gives entries as the version and an ancestor see them, None where there are none.
        sampled: how these are drawn.
    """

    training: ImageSet
    indices: np.ndarray
    augment: AugmentConfig
    seed: int
    seen: Callable[[str], np.ndarray] | None = None
    sample: Callable[[str, str], Sampled | None] = lambda version, ancestor: None
    sampled: SampleConfig | None = None

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
    a crash it does the rest. Every ancestor's model is loaded once, and one is in memory at a time. All
    adapters come into force at once, and so do all calibrations.

    A shift is recorded where it helps beyond its interval, and no change where it does not; two versions that
    do not meet for their width are left out.

    Args:
        ancestors: oldest first, the parent last.

    Raises:
        DataError, InvalidVectorError: the images are too few for this adapter.
    """
    embed = _Embedder(store, version, material, 0 if config is None else config.views)
    maps = _Maps(store)
    calibrating = _Calibrating(store, version, material, maps)
    fitted: list[RegisteredAdapter] = []
    measured: list[MeasuredCalibration] = []
    step: Adapter | None = None
    # The parent's first: through it comes what the parent's own adapters were fitted on.
    for number, ancestor in reversed(list(enumerate(ancestors))):
        if config is not None:
            described: dict[str, Any] = config.model_dump(mode="json")
            if config.views:
                described["augment"] = material.augment.model_dump(mode="json")
            if material.sampled is not None:
                described[SAMPLED] = material.sampled.model_dump(mode="json")
            if not maps.is_intact(version.name, ancestor, described):
                # In this order: what is asked for last is still held when the pair is calibrated.
                newer, older = embed.all(version.name), embed.all(ancestor)
                adapter = fit_adapter(
                    config,
                    newer[: len(older)],
                    older,
                    material.seed,
                    version.task,
                    len(ancestors) - number,
                    None if step is None else carried(maps.find(ancestors[-1], ancestor), step),
                    material.sample(version.name, ancestor),
                )
                row = store.adapters.keep(version.name, ancestor, adapter, described, maps=config.maps)
                maps.take(row, adapter)
                fitted.append(row)
            if ancestor == ancestors[-1]:
                step = maps.find(version.name, ancestor)
        measured += calibrating(ancestor, embed)
    store.adapters.put_in_force(fitted)
    store.calibrations.record(measured)


def connect_exactly(store: Store, version: Version) -> None:
    """Register the projection itself as what maps entries of its base: queries meet them exactly, whenever
    they were written. A second call does nothing."""
    assert version.base is not None
    model = store.versions.load(version.name)
    assert isinstance(model, ProjectedModel)
    adapter = LinearAdapter.of(model.projection.matrix())
    store.adapters.register(version.name, version.base, adapter, {"kind": EXACT}, maps="entries")


def inherit_adapters(store: Store, version: Version) -> int:
    """Register for `version`, distilled from its parent, the adapters through which the parent's queries meet
    older entries: both write the same space. Returns how many were new."""
    registered = {(row.query, row.gallery): row for row in store.adapters.list()}
    count = 0
    for (query, gallery), row in registered.items():
        own = registered.get((version.name, gallery))
        if query == version.parent and (own is None or own.digest != row.digest):
            adapter = store.adapters.open(row)
            store.adapters.register(version.name, gallery, adapter, row.config, maps=row.maps)
            count += 1
    return count


class _Maps:
    """The adapters in force, and those that are about to be; of the maps themselves the last one is held."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows = {(row.query, row.gallery): row for row in store.adapters.list()}
        self._held: tuple[str, Adapter] | None = None

    def row(self, query: str, gallery: str) -> RegisteredAdapter | None:
        return self._rows.get((query, gallery))

    def find(self, query: str, gallery: str) -> Adapter | None:
        """The map of a pair, None where it has none. Raises StoreError if it is damaged."""
        row = self.row(query, gallery)
        if row is None:
            return None
        if self._held is not None and self._held[0] == row.digest:
            return self._held[1]
        return self._store.adapters.open(row)

    def meeting(self, query: str, gallery: str) -> Meeting:
        """How the pair meets."""
        row, adapter = self.row(query, gallery), self.find(query, gallery)
        return AS_THEY_ARE if row is None else Meeting(adapter, row.maps)

    def take(self, row: RegisteredAdapter, adapter: Adapter) -> None:
        """The pair's from now on."""
        self._rows[row.query, row.gallery] = row
        self._held = (row.digest, adapter)

    def is_intact(self, query: str, gallery: str, config: dict[str, Any]) -> bool:
        """Whether a pair has an adapter that was fitted like this, and its file is whole."""
        row = self.row(query, gallery)
        if row is None or row.config != config:
            return False
        try:
            self.take(row, self._store.adapters.open(row))
        except StoreError:
            return False
        return True


class _Calibrating:
    """What is measured once for all ancestors of a version."""

    def __init__(self, store: Store, version: Version, material: Material, maps: _Maps) -> None:
        self._version, self._material, self._maps = version, material, maps
        self._chosen = choose_images(material.labels, material.seed, version.task)
        self._config = {"fit": "shift", "images": len(self._chosen)}
        self._widths = {each.name: each.dimension for each in store.versions.list()}
        self._known = {
            (row.query, row.gallery): row.adapter
            for row in store.calibrations.list()
            if row.config == self._config
        }
        self._own: Searched | None = None

    def __call__(self, ancestor: str, embed: "_Embedder") -> list[MeasuredCalibration]:
        """Measure what the version and an ancestor lack."""
        name = self._version.name
        lacking = [pair for pair in ((name, ancestor), (ancestor, name)) if self._lacks(*pair)]
        if not lacking:
            return []
        made = {each: embed.some(each, self._chosen) for each in (name, ancestor)}
        rows = []
        for query, gallery in lacking:
            meeting = self._maps.meeting(query, gallery)
            other = self._search(Sides(*meeting.together(made[query], made[gallery])))
            found = fit_shift(self._among_its_own(query, made[query]), other)
            row = self._maps.row(query, gallery)
            rows.append(
                MeasuredCalibration(
                    query=query,
                    gallery=gallery,
                    shift=found.shift if found.helps else 0.0,
                    adapter=None if row is None else row.digest,
                    gain=found.gain,
                    low=found.low,
                    high=found.high,
                    config=self._config,
                )
            )
        return rows

    def _among_its_own(self, query: str, vectors: np.ndarray) -> Searched:
        if query != self._version.name:
            return self._search(Sides(vectors, vectors))
        if self._own is None:
            self._own = self._search(Sides(vectors, vectors))
        return self._own

    def _search(self, sides: Sides) -> Searched:
        return search_halves(sides, self._material.labels[self._chosen], self._material.seed)

    def _lacks(self, query: str, gallery: str) -> bool:
        adapter = self._maps.row(query, gallery)
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
        """As `embed_views` gives them; without the distorted copies, which are the last, of a version that
        is known by its vectors."""
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
        material = self._material
        if material.seen is not None and not self._store.versions.get(name).has_network:
            return np.asarray(material.seen(name)[indices])
        encoder = self._store.versions.load_encoder(name)
        return embed_views(
            encoder,
            material.training.images,
            indices,
            views,
            material.augment,
            material.seed,
            self._version.task,
        )
