"""What versions make of one set of evaluation data, kept by the contract of each of them."""

import hashlib
from collections.abc import Callable

import numpy as np

from holdfast.base import NotFoundError
from holdfast.data import Task
from holdfast.learning import Datasets, Embedded, embed_datasets, validation_indices
from holdfast.models import Preprocessing, VersionTrunkConfig, find_vectors_flaw
from holdfast.publishing.ancestor import load_map
from holdfast.publishing.seeing import Seen
from holdfast.store import Store


class StoredEmbeddings:
    """A cache in the store: what is missing is embedded anew. In memory are those of
    the two versions that were asked for last.

    Args:
        decode: reads the same images for a version's preprocessing; without it all versions have that of
            `data`.
        base: the version whose vectors the data are, where they are no images.
        seen: what versions without a network that learns make of the images.

    Attributes:
        fingerprint: of the images and of which of them are held out.
    """

    def __init__(
        self,
        store: Store,
        data: Datasets,
        tasks: tuple[Task, ...],
        decode: Callable[[Preprocessing], Datasets] | None = None,
        base: VersionTrunkConfig | None = None,
        seen: Callable[[str], Seen] | None = None,
    ) -> None:
        self._store, self._data, self._tasks, self._decode, self._base = store, data, tasks, decode, base
        self._seen = seen
        evaluation = data.evaluation
        places = (evaluation.queries.fingerprint, evaluation.gallery.fingerprint, data.training.fingerprint)
        digest = hashlib.sha256("/".join(places).encode() + validation_indices(tasks).tobytes())
        self.fingerprint = digest.hexdigest()[:16]
        self._held: dict[str, Embedded] = {}

    def keep(self, version: str, embedded: Embedded) -> None:
        """Store what a version makes of the data, and hold it in memory."""
        self._store.tensors.save(version, f"embedded-{self.fingerprint}", vars(embedded))
        self._hold(version, embedded)

    def of(self, version: str) -> Embedded:
        """The stored embeddings; a version that never saw these data embeds them once, now."""
        if version in self._held:
            self._hold(version, self._held[version])
            return self._held[version]
        self._leave_one()  # before another comes into memory
        try:
            embedded = Embedded(**self._store.tensors.load(version, f"embedded-{self.fingerprint}"))
            self._hold(version, embedded)
            return embedded
        except NotFoundError:
            embedded = self._embed(version)
            self.keep(version, embedded)
            return embedded

    def _embed(self, version: str) -> Embedded:
        if self._base is not None:
            return embed_datasets(load_map(self._store, version, self._base), self._data, self._tasks)
        if self._seen is not None and not self._store.versions.get(version).has_network:
            seen = self._seen(version)
            assert seen.queries is not None
            assert seen.gallery is not None
            held_out = seen.training[validation_indices(self._tasks)]
            return Embedded(np.array(seen.queries), np.array(seen.gallery), np.array(held_out))
        encoder = self._store.versions.load_encoder(version)
        data = self._data if self._decode is None else self._decode(encoder.preprocessing)
        return embed_datasets(encoder, data, self._tasks)

    def are_sound(self, version: str) -> bool:
        """Whether a version's are kept, and are finite and of unit norm: then no model need run."""
        try:
            kept = self._store.tensors.load(version, f"embedded-{self.fingerprint}")
        except NotFoundError:
            return False
        return all(find_vectors_flaw(vectors) is None for vectors in kept.values())

    def _hold(self, version: str, embedded: Embedded) -> None:
        self._held.pop(version, None)
        self._leave_one()
        self._held[version] = embedded

    def _leave_one(self) -> None:
        while len(self._held) > 1:
            del self._held[next(iter(self._held))]
