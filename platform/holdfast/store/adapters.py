"""Registered adapters: how queries of one version meet the entries of another version in one space."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sqlalchemy import Connection, Engine, delete, insert, select

from holdfast.base import InvalidVectorError, NotFoundError, StoreError, version_number
from holdfast.store.artifacts import Artifacts, sha256
from holdfast.store.database import adapters, advance_counter, lock_counter, reading, writing
from holdfast.store.tensors import pack, unpack
from holdfast.store.versions import find_named

if TYPE_CHECKING:
    from holdfast.adapters import Adapter


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


class Adapters:
    """The adapters in force of a store, one a pair of versions at most."""

    def __init__(self, engine: Engine, artifacts: Artifacts) -> None:
        self._engine, self._artifacts = engine, artifacts

    def list(self) -> list[RegisteredAdapter]:
        """The adapter in force of every pair that has one, oldest versions first."""
        with reading(self._engine) as connection:
            found = [RegisteredAdapter(**row._mapping) for row in connection.execute(select(adapters))]
        return sorted(found, key=lambda row: (version_number(row.query), version_number(row.gallery)))

    def load(self, query: str, gallery: str) -> "Adapter | None":
        """The adapter in force for a pair, None if there is none. Raises what `open` raises."""
        with reading(self._engine) as connection:
            row = find_adapter(connection, query, gallery)
        return None if row is None else self.open(row)

    def open(self, row: RegisteredAdapter) -> "Adapter":
        """The map itself, its bytes checked. Raises StoreError if they are missing or damaged."""
        from holdfast.adapters import load_adapter

        try:
            data = self._artifacts.read(row.artifact)
        except NotFoundError as error:
            raise _spoilt(row, "is missing") from error
        if _digest(row.maps, data) != row.digest:
            raise _spoilt(row, "is damaged")
        return load_adapter(row.kind, unpack(data))

    def register(
        self,
        query: str,
        gallery: str,
        adapter: "Adapter",
        config: Mapping[str, Any] | None = None,
        *,
        maps: Literal["entries", "queries"] = "entries",
    ) -> RegisteredAdapter:
        """From now on queries by `query` meet entries by `gallery` through `adapter`: `keep`, and
        `put_in_force` of it alone."""
        row = self.keep(query, gallery, adapter, config, maps=maps)
        return self.put_in_force([row])[0]

    def keep(
        self,
        query: str,
        gallery: str,
        adapter: "Adapter",
        config: Mapping[str, Any] | None = None,
        *,
        maps: Literal["entries", "queries"] = "entries",
    ) -> RegisteredAdapter:
        """Write an adapter's tensors. It comes into force once what is returned is put in force.

        Args:
            config: how it was fitted, to be told again; plain values.
            maps: what goes through it: the entries into the space of `query`, or the queries into that of
                `gallery`.

        Raises:
            NotFoundError: an unknown version.
            InvalidVectorError: the adapter does not lead from the one version's dimension to the other's, or
                is not finite.
        """
        with reading(self._engine) as connection:
            asking, holding = find_named(connection, query), find_named(connection, gallery)
        source, target = (holding, asking) if maps == "entries" else (asking, holding)
        if (adapter.source_dimension, adapter.target_dimension) != (source.dimension, target.dimension):
            raise InvalidVectorError(
                f"An adapter from {adapter.source_dimension} to {adapter.target_dimension} dimensions does "
                f"not lead from {source.name} ({source.dimension}) to {target.name} ({target.dimension})."
            )
        tensors = adapter.tensors()
        if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
            raise InvalidVectorError(
                f"The {adapter.kind} adapter between {asking.name} and {holding.name} holds NaN or infinity, "
                "so it is not kept: choose another 'adapter' in the experiment, or null for none."
            )
        data = pack(tensors)
        digest = _digest(maps, data)
        artifact = f"adapters/{source.name}/{target.name}-{digest[:32]}.safetensors"
        self._artifacts.put(artifact, data)
        return RegisteredAdapter(
            query=asking.name,
            gallery=holding.name,
            kind=adapter.kind,
            artifact=artifact,
            digest=digest,
            maps=maps,
            config=dict(config or {}),
        )

    def put_in_force(self, rows: Sequence[RegisteredAdapter]) -> Sequence[RegisteredAdapter]:
        """Put adapters that were kept in force, in one transaction that replaces what was registered for
        their pairs; what was measured without them, or with others, no longer counts. The same adapters again
        change nothing."""
        if not rows:
            return []
        with writing(self._engine) as connection:
            return [_put(connection, row) for row in rows]


def find_adapter(connection: Connection, query: str, gallery: str) -> RegisteredAdapter | None:
    row = connection.execute(
        select(adapters).where(adapters.c.query == query, adapters.c.gallery == gallery)
    ).first()
    return None if row is None else RegisteredAdapter(**row._mapping)


def _put(connection: Connection, row: RegisteredAdapter) -> RegisteredAdapter:
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


def _digest(maps: str, data: bytes) -> str:
    # The same matrix may lead either way between two versions; a measurement is about one way.
    return sha256(maps.encode() + data)


def _spoilt(row: RegisteredAdapter, how: str) -> StoreError:
    return StoreError(
        f"The adapter between {row.query} and {row.gallery} ({row.artifact}) {how}: fit it again with "
        "holdfast evaluate, or restore the artifacts from a backup."
    )
