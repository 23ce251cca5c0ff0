"""The store: one database, one place for artifacts, and what the rest of Holdfast asks of them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from sqlalchemy import Engine, select

from holdfast.base import InvalidVectorError, NotFoundError, StoreError, UnsoundError, hide_in_url
from holdfast.store.adapters import RegisteredAdapter, all_adapters, find_adapter, put_adapter
from holdfast.store.artifacts import Artifacts, sha256
from holdfast.store.calibrations import MeasuredCalibration, all_calibrations, put_calibrations
from holdfast.store.compatibility import Compatibility, add_measurements, measurement, measurements
from holdfast.store.counters import all_counters, all_nonces
from holdfast.store.database import make_engine, reading, writing
from holdfast.store.history import History
from holdfast.store.identity import identify
from holdfast.store.keys import Keys
from holdfast.store.migrate import migrate
from holdfast.store.places import Places, chosen_artifacts, pin_down, places, settle_artifacts, sqlite_file
from holdfast.store.runs import Runs
from holdfast.store.schema import schema_history
from holdfast.store.tensors import pack, unpack
from holdfast.store.traffic import TrafficLog, aliases
from holdfast.store.versions import (
    NAME,
    Draft,
    Version,
    all_versions,
    find_version,
    insert_version,
    store_artifacts,
)

if TYPE_CHECKING:
    from holdfast.adapters import Adapter
    from holdfast.models import Encoder


def open_store(
    where: str | Path = "./holdfast-store", artifacts: str | None = None, *, create: bool = True
) -> "Store":
    """Open a store, and make or upgrade its tables if need be.

    Args:
        where: a folder (SQLite), or an SQLAlchemy URL (`sqlite:///FILE`, `postgresql+psycopg://...`).
        artifacts: a folder or any pyarrow file system URI. By default a folder beside the SQLite file; for
            another database what the variable HOLDFAST_ARTIFACTS says, else where its files lie already.
        create: False refuses a folder that holds no store yet.

    Raises:
        StoreError: unreachable, not a database, or of a newer schema (names the Holdfast to use); `artifacts`
            is not where the files of its versions are.
    """
    location = pin_down(where)
    file = sqlite_file(location)
    if file is not None:
        if not create and not file.is_file():
            raise StoreError(f"{where} holds no store: run an experiment first, or name another folder.")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{file.parent} cannot be a store: {error.strerror or error}.") from error
    engine = make_engine(location if "://" in location else f"sqlite:///{file}")
    try:
        given = chosen_artifacts(engine, file, artifacts)
        migrate(engine)
        itself = identify(engine)
        blobs = settle_artifacts(engine, itself, file, given)
        return Store(str(where), location, engine, blobs, places(file, itself.store, blobs))
    except BaseException:
        engine.dispose()
        raise


class Store:
    """An open store. Safe to use from many threads; many processes may open the same one."""

    def __init__(
        self, where: str, location: str, engine: Engine, artifacts: Artifacts, places: Places
    ) -> None:
        self.location = location
        """As `open_store` takes it, password and all; for another process of ours, never for a message."""
        self.where = hide_in_url(where)
        self.engine = engine
        self.artifacts = artifacts
        self.runs_folder = places.runs
        """On this machine. Where `remote_runs` is not None that is the truth, and this a working copy."""
        self.remote_runs = places.remote_runs
        self.index_folder = places.index
        """On this machine; whatever lies there can be made anew."""
        self.traffic = TrafficLog(engine)
        self.runs = Runs(engine)
        self.keys = Keys(engine)
        self.history = History(engine)

    @property
    def place(self) -> tuple[str, str]:
        """What another process gives to `open_store` to open the same store with the same files, wherever it
        stands; password and all."""
        return self.location, self.artifacts.uri

    def versions(self) -> list[Version]:
        """All versions, oldest first."""
        with reading(self.engine) as connection:
            return all_versions(connection)

    def version(self, name: str) -> Version:
        """A version by its name (`v3`) or by an alias (`live`, `canary`, `writing`, `previous`).

        Raises NotFoundError that lists what there is.
        """
        with reading(self.engine) as connection:
            if not NAME.fullmatch(name):
                return find_version(connection, aliases(connection).get(name, name))
            return find_version(connection, name)

    def aliases(self) -> dict[str, str]:
        """The aliases that stand for a version now."""
        return self.traffic.aliases()

    def load(self, name: str) -> "Encoder":
        """The encoder of a version, in eval mode.

        Raises NotFoundError, StoreError if it is damaged, and UnsoundError for weights that are not finite.
        """
        from holdfast.models import Encoder, find_weights_flaw

        version = self.version(name)
        encoder = Encoder.load(self.artifacts.folder(version.artifacts, version.files))
        found = encoder.contract().id
        if found != version.contract:
            raise StoreError(
                f"The files of {version.name} make {found}, but {version.contract} was published: "
                "restore the artifacts from a backup."
            )
        flaw = find_weights_flaw(encoder)
        if flaw is not None:
            raise UnsoundError(f"{version.name} is of no use, {flaw}: take another version.")
        return encoder

    def file(self, name: str, file: str) -> bytes:
        """One of the files that were published with a version. Raises NotFoundError."""
        version = self.version(name)
        if file not in version.files:
            raise NotFoundError(f"{version.name} has no file {file!r}: it has {', '.join(version.files)}.")
        return self.artifacts.read(f"{version.artifacts}/{file}")

    def publish(self, draft: Draft) -> Version:
        """Publish a version: its files first, then one transaction that makes it visible.

        A crash in between leaves no version, and the retry succeeds. Publishing the same run, attempt and
        task again with the same weights returns the version there is.

        Raises:
            ConflictError: that task published other weights before.
            NotFoundError: the parent does not exist.
            UnsoundError: weights that are not finite, or embeddings not finite or not of unit norm.
        """
        if draft.parent is not None:
            with reading(self.engine) as connection:
                find_version(connection, draft.parent)
        stored = store_artifacts(self.artifacts, draft)
        with writing(self.engine) as connection:
            return insert_version(connection, draft, stored)

    def save_tensors(self, version: str, name: str, tensors: Mapping[str, np.ndarray]) -> None:
        """Keep arrays under a version's contract (a cache: replaceable, with a checksum).

        Another database over the same artifacts has other versions of these names, and finds what is here
        only where it has the same contract.
        """
        self.artifacts.replace(self._tensors(version, name), pack(tensors))

    def load_tensors(self, version: str, name: str) -> dict[str, np.ndarray]:
        """The arrays that were kept. Raises NotFoundError when there are none, or they are damaged."""
        path = self._tensors(version, name)
        try:
            return unpack(self.artifacts.read(path))
        except ValueError as error:
            raise NotFoundError(f"{path} is damaged ({error}) and has to be computed again.") from error

    def record_compatibility(self, rows: Sequence[Compatibility]) -> None:
        """Append measurements. Raises NotFoundError for an unknown version."""
        with writing(self.engine) as connection:
            add_measurements(connection, rows)

    def register_adapter(
        self,
        query: str,
        gallery: str,
        adapter: "Adapter",
        config: Mapping[str, Any] | None = None,
        *,
        maps: Literal["entries", "queries"] = "entries",
    ) -> RegisteredAdapter:
        """From now on queries by `query` meet entries by `gallery` through `adapter`: `keep_adapter`, and
        `register_adapters` of it alone."""
        row = self.keep_adapter(query, gallery, adapter, config, maps=maps)
        return self.register_adapters([row])[0]

    def keep_adapter(
        self,
        query: str,
        gallery: str,
        adapter: "Adapter",
        config: Mapping[str, Any] | None = None,
        *,
        maps: Literal["entries", "queries"] = "entries",
    ) -> RegisteredAdapter:
        """Write an adapter's tensors. It comes into force once what is returned is registered.

        Args:
            config: how it was fitted, to be told again; plain values.
            maps: what goes through it: the entries into the space of `query`, or the queries into that of
                `gallery`.

        Raises:
            NotFoundError: an unknown version.
            InvalidVectorError: the adapter does not lead from the one version's dimension to the other's, or
                is not finite.
        """
        asking, holding = self.version(query), self.version(gallery)
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
        digest = _adapter_digest(maps, data)
        artifact = f"adapters/{source.name}/{target.name}-{digest[:32]}.safetensors"
        self.artifacts.put(artifact, data)
        return RegisteredAdapter(
            query=asking.name,
            gallery=holding.name,
            kind=adapter.kind,
            artifact=artifact,
            digest=digest,
            maps=maps,
            config=dict(config or {}),
        )

    def register_adapters(self, rows: Sequence[RegisteredAdapter]) -> list[RegisteredAdapter]:
        """Put adapters that were kept in force, in one transaction that replaces what was registered for
        their pairs; what was measured without them, or with others, no longer counts. The same adapters again
        change nothing."""
        if not rows:
            return []
        with writing(self.engine) as connection:
            return [put_adapter(connection, row) for row in rows]

    def adapters(self) -> list[RegisteredAdapter]:
        """The adapter in force of every pair that has one."""
        with reading(self.engine) as connection:
            return all_adapters(connection)

    def adapter(self, query: str, gallery: str) -> "Adapter | None":
        """The adapter in force for a pair, None if there is none. Raises what `load_adapter` raises."""
        with reading(self.engine) as connection:
            row = find_adapter(connection, query, gallery)
        return None if row is None else self.load_adapter(row)

    def load_adapter(self, row: RegisteredAdapter) -> "Adapter":
        """The map itself, its bytes checked. Raises StoreError if they are missing or damaged."""
        from holdfast.adapters import load_adapter

        try:
            data = self.artifacts.read(row.artifact)
        except NotFoundError as error:
            raise _spoilt(row, "is missing") from error
        if _adapter_digest(row.maps, data) != row.digest:
            raise _spoilt(row, "is damaged")
        return load_adapter(row.kind, unpack(data))

    def record_calibrations(self, rows: Sequence[MeasuredCalibration]) -> None:
        """Keep calibrations, each in place of the one before of its pair. Raises NotFoundError for an
        unknown version, ValueError for a scale that is not positive and for NaN."""
        if not rows:
            return
        with writing(self.engine) as connection:
            put_calibrations(connection, rows)

    def calibrations(self) -> list[MeasuredCalibration]:
        """Those that count: measured with their pair's adapter in force, or without where it has none."""
        with reading(self.engine) as connection:
            return all_calibrations(connection)

    def compatibility(self) -> list[Compatibility]:
        """The measurement that counts for every pair and metric: the latest with the adapter in force."""
        with reading(self.engine) as connection:
            return measurements(connection)

    def compatible(self, query: str, gallery: str) -> Compatibility | None:
        """The measurement of a pair that counts, None if there is none; `compatible` is the verdict."""
        with reading(self.engine) as connection:
            return measurement(connection, query, gallery)

    def origin(self) -> str:
        """What tells this database from any other: when it was made. A restored copy has the same."""
        with reading(self.engine) as connection:
            first = select(schema_history.c.applied_at).order_by(schema_history.c.id).limit(1)
            return str(connection.execute(first).scalar_one().isoformat())

    def counters(self) -> dict[str, int]:
        """Numbers that grow with every change, for caches to see in one small read whether they are stale.

        `entries`: the last write to the gallery; `compatibility` (adapters and calibrations included),
        `traffic`, `versions`, `runs`, `backfills` (new ones) likewise.
        """
        with reading(self.engine) as connection:
            return all_counters(connection)

    def nonces(self) -> dict[str, str]:
        """For each of these numbers, what changes whenever it does, and is never the same again: a restored
        database hands out numbers once more."""
        with reading(self.engine) as connection:
            return all_nonces(connection)

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _tensors(self, version: str, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
            raise ValueError(f"{name!r} cannot name tensors: use letters, digits, '.', '_' and '-'")
        return f"tensors/{self.version(version).contract}/{name}.safetensors"


def _adapter_digest(maps: str, data: bytes) -> str:
    # The same matrix may lead either way between two versions; a measurement is about one way.
    return sha256(maps.encode() + data)


def _spoilt(row: RegisteredAdapter, how: str) -> StoreError:
    return StoreError(
        f"The adapter between {row.query} and {row.gallery} ({row.artifact}) {how}: fit it again with "
        "holdfast evaluate, or restore the artifacts from a backup."
    )
