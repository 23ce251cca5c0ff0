"""Registered adapters: how queries of one version meet the entries of another version in one space."""

from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, delete, insert, select

from holdfast.store.counters import advance_counter, lock_counter
from holdfast.store.schema import adapters


@dataclass(frozen=True)
class RegisteredAdapter:
    """The adapter in force for queries by `query` over entries by `gallery`.

    Args:
        kind: the form of the map, as `load_adapter` takes it.
        artifact: name of the file that holds its tensors; `digest` is the SHA-256 of `maps` and its bytes,
            and what a measurement made with the adapter refers to.
        maps: `entries` leads from the gallery's space to the query's, `queries` the other way.
        config: how it was fitted.
    """

    query: str
    gallery: str
    kind: str
    artifact: str
    digest: str
    maps: Literal["entries", "queries"] = "entries"
    config: dict[str, Any] = field(default_factory=dict)
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))


def put_adapter(connection: Connection, row: RegisteredAdapter) -> RegisteredAdapter:
    """Register, in place of what was registered for the pair; the same bytes again change nothing."""
    # Locks out another registrar of the pair, and tells caches to ask again.
    lock_counter(connection, "compatibility")
    before = find_adapter(connection, row.query, row.gallery)
    if before is not None and replace(before, created_at=row.created_at) == row:
        return before
    advance_counter(connection, "compatibility")
    pair = (adapters.c.query == row.query) & (adapters.c.gallery == row.gallery)
    connection.execute(delete(adapters).where(pair))
    connection.execute(insert(adapters).values(asdict(row)))
    return row


def find_adapter(connection: Connection, query: str, gallery: str) -> RegisteredAdapter | None:
    row = connection.execute(
        select(adapters).where(adapters.c.query == query, adapters.c.gallery == gallery)
    ).first()
    return None if row is None else RegisteredAdapter(**row._mapping)


def all_adapters(connection: Connection) -> list[RegisteredAdapter]:
    """All of them, oldest versions first."""
    found = [RegisteredAdapter(**row._mapping) for row in connection.execute(select(adapters))]
    return sorted(found, key=lambda row: (int(row.query[1:]), int(row.gallery[1:])))
