"""Rows of the entries table in the order in which they were written: what a follower reads."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Changes:
    """Rows in the order of their sequence numbers; row i is ids[i], seqs[i], versions[i], ...

    A vector is float32 little endian, and None where the entry was deleted; attributes are JSON text.
    """

    ids: Sequence[str] = ()
    seqs: Sequence[int] = ()
    versions: Sequence[str] = ()
    vectors: Sequence[bytes | None] = ()
    attributes: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.ids)
