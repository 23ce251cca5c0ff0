"""What makes vectors of the target version out of entries: here by the registered adapters.

`images.ImageMover` embeds the images anew instead.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from holdfast.base import InvalidVectorError
from holdfast.entries import NewVector
from holdfast.store import Store, find_adapter, reading


@dataclass(frozen=True, eq=False)
class Stored:
    """An entry as it lies in the database: vector float32 little endian, None where nobody needs it."""

    id: str
    seq: int
    version: str
    source: str | None
    mapped_from: str | None
    vector: bytes | None = None


@dataclass(frozen=True, eq=False)
class Moved:
    """What became of a batch: rows to write, and those that cannot be moved as pairs (entry, reason)."""

    rows: Sequence[NewVector]
    skipped: Sequence[tuple[str, str]] = ()


class Mover(Protocol):
    """Makes vectors of the target version out of entries.

    Attributes:
        reads_vectors: whether it needs the stored vectors.
    """

    reads_vectors: bool

    def move(self, batches: Iterator[list[Stored]]) -> Iterator[Moved]:
        """One result a batch, in their order; may read ahead."""
        ...


class AdapterMover:
    """Moves stored vectors by the adapters in force between their versions and the target; no image needed.

    Raises what `store.adapters.open` raises, IncompatibleError if an adapter is gone.
    """

    reads_vectors = True

    def __init__(self, store: Store, target: str, sources: Sequence[str]) -> None:
        with reading(store.engine) as connection:
            rows = {name: find_adapter(connection, target, name) for name in sources}
        self._target = target
        self._adapters = {
            name: (row.digest, store.adapters.open(row))
            for name, row in rows.items()
            if row is not None and row.maps == "entries"
        }

    def move(self, batches: Iterator[list[Stored]]) -> Iterator[Moved]:
        for batch in batches:
            rows: list[NewVector] = []
            skipped: list[tuple[str, str]] = []
            for version in dict.fromkeys(entry.version for entry in batch):
                of_version = [entry for entry in batch if entry.version == version]
                if version not in self._adapters:
                    skipped += [(entry.id, "no adapter") for entry in of_version]
                    continue
                moved = self._apply(version, of_version)
                rows += moved
                done = {row.id for row in moved}
                skipped += [(entry.id, "unmappable") for entry in of_version if entry.id not in done]
            yield Moved(rows, skipped)

    def _apply(self, version: str, batch: list[Stored]) -> list[NewVector]:
        digest, adapter = self._adapters[version]
        vectors = _matrix(batch)
        try:
            mapped = adapter.apply(vectors)
        except InvalidVectorError:
            # One vector that this map cannot take must not keep the others.
            if len(batch) == 1:
                return []
            return [row for entry in batch for row in self._apply(version, [entry])]
        return [
            NewVector(
                entry.id,
                entry.seq,
                self._target,
                vector.astype("<f4").tobytes(),
                # Moved twice, it is still that first version which looked at the image.
                entry.mapped_from or entry.version,
                digest,
            )
            for entry, vector in zip(batch, mapped, strict=True)
        ]


def _matrix(rows: Sequence[Stored]) -> np.ndarray:
    """float32 (n, d) of entries of one version."""
    return np.frombuffer(b"".join(row.vector or b"" for row in rows), "<f4").reshape(len(rows), -1)
