"""Rows of the entries table in the order in which they were written: what a follower reads."""

from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.store.history import Mark


@dataclass(frozen=True)
class Changes:
    """Rows in the order of their sequence numbers; row i is ids[i], seqs[i], versions[i], ...

    A vector is float32 little endian, and None where the entry was deleted; attributes are JSON text.
    `mark` is of the last of these writes, or of a later one; None where nothing is known of a database.
    """

    ids: Sequence[str] = ()
    seqs: Sequence[int] = ()
    versions: Sequence[str] = ()
    vectors: Sequence[bytes | None] = ()
    attributes: Sequence[str] = ()
    mark: Mark | None = None

    def __len__(self) -> int:
        return len(self.ids)
