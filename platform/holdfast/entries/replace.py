"""Compare-and-set: new vectors for entries, unless somebody has written these since."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from sqlalchemy import Connection, bindparam, select, update

from holdfast.store import advance_counter, in_chunks, lock_counter, metadata

entries = metadata.tables["entries"]

_UPDATE = (
    update(entries)
    .where(entries.c.id == bindparam("which"))
    .values(
        seq=bindparam("next_seq"),
        version=bindparam("to_version"),
        vector=bindparam("to_vector"),
        mapped_from=bindparam("origin"),
        mapped_by=bindparam("adapter"),
        updated_at=bindparam("now"),
    )
)


class NewVector(NamedTuple):
    """A vector (float32 little endian, unit norm) that is to take the place of an entry's own.

    It does so only if the entry's number is still `seq`. `mapped_from` and `mapped_by` are as in `Entry`.
    """

    id: str
    seq: int
    version: str
    vector: bytes
    mapped_from: str | None = None
    mapped_by: str | None = None


class Claim(Protocol):
    """The right to replace entries, which its holder may have lost meanwhile."""

    def holds(self, connection: Connection) -> bool:
        """Whether it is still there; keeps it so until the transaction ends."""
        ...

    def count(self, connection: Connection, moved: int, left: int) -> None:
        """Told, in the transaction of a batch, how many of its rows were applied and how many were not."""
        ...


@dataclass(frozen=True)
class Replace:
    """One batch of new vectors. Attributes and sources of the entries stay as they are.

    Args:
        rows: each id at most once.
        claim: the batch is applied only while it holds, and is counted in the same transaction; None for a
            batch that depends on nothing.
    """

    rows: tuple[NewVector, ...]
    claim: Claim | None = None


def replace_vectors(connection: Connection, change: Replace) -> int:
    """Apply a batch; returns how many of its rows were. An applied one takes a new sequence number."""
    # Locks out the other writers first, so that what is compared is what gets set.
    lock_counter(connection, "entries")
    if change.claim is not None and not change.claim.holds(connection):
        return 0
    current: dict[str, int] = {}
    ids = [row.id for row in change.rows]
    for chunk in in_chunks(ids):
        statement = select(entries.c.id, entries.c.seq).where(
            entries.c.id.in_(chunk), entries.c.deleted.is_(False)
        )
        current |= dict(connection.execute(statement).tuples().all())
    same = [row for row in change.rows if current.get(row.id) == row.seq]
    if same:
        last = advance_counter(connection, "entries", by=len(same))
        now = datetime.now(UTC)
        values = [
            {
                "which": row.id,
                "next_seq": seq,
                "to_version": row.version,
                "to_vector": row.vector,
                "origin": row.mapped_from,
                "adapter": row.mapped_by,
                "now": now,
            }
            for seq, row in enumerate(same, last - len(same) + 1)
        ]
        connection.execute(_UPDATE, values)
    if change.claim is not None:
        change.claim.count(connection, len(same), len(change.rows) - len(same))
    return len(same)
