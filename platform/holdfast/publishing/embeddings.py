"""What versions make of one set of evaluation data, kept by the contract of each of them."""

import hashlib
from collections.abc import Callable

from holdfast.base import NotFoundError
from holdfast.data import Task
from holdfast.learning import Datasets, Embedded, embed_datasets, validation_indices
from holdfast.models import Preprocessing, find_vectors_flaw
from holdfast.store import Store


class StoredEmbeddings:
    """A cache in the store: what is missing is embedded anew. In memory are the newest's
    embeddings and the last other's.

    Args:
        decode: reads the same images for a version's preprocessing; without it all versions have that of
            `data`.

    Attributes:
        fingerprint: of the images and of which of them are held out.
    """

    def __init__(
        self,
        store: Store,
        data: Datasets,
        tasks: tuple[Task, ...],
        decode: Callable[[Preprocessing], Datasets] | None = None,
    ) -> None:
        self._store, self._data, self._tasks, self._decode = store, data, tasks, decode
        evaluation = data.evaluation
        places = (evaluation.queries.fingerprint, evaluation.gallery.fingerprint, data.training.fingerprint)
        digest = hashlib.sha256("/".join(places).encode() + validation_indices(tasks).tobytes())
        self.fingerprint = digest.hexdigest()[:16]
        self._newest: tuple[str, Embedded] | None = None
        self._other: tuple[str, Embedded] | None = None

    def keep(self, version: str, embedded: Embedded) -> None:
        """Store what a version makes of the data, and hold it in memory."""
        self._store.tensors.save(version, f"embedded-{self.fingerprint}", vars(embedded))
        self._newest = (version, embedded)

    def of(self, version: str) -> Embedded:
        """The stored embeddings; a version that never saw these data embeds them once, now."""
        for held in (self._newest, self._other):
            if held is not None and held[0] == version:
                return held[1]
        self._other = None  # before another comes into memory
        try:
            embedded = Embedded(**self._store.tensors.load(version, f"embedded-{self.fingerprint}"))
            self._other = (version, embedded)
            return embedded
        except NotFoundError:
            encoder = self._store.versions.load(version)
            data = self._data if self._decode is None else self._decode(encoder.preprocessing)
            embedded = embed_datasets(encoder, data, self._tasks)
            self.keep(version, embedded)
            return embedded

    def are_sound(self, version: str) -> bool:
        """Whether a version's are kept, and are finite and of unit norm: then no model need run."""
        try:
            kept = self._store.tensors.load(version, f"embedded-{self.fingerprint}")
        except NotFoundError:
            return False
        return all(find_vectors_flaw(vectors) is None for vectors in kept.values())

    def hold(self, version: str) -> None:
        """Have a version's embeddings in memory, in place of another's."""
        self._newest = (version, self.of(version))
