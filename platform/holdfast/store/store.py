"""The store: one database, one place for artifacts, and what the rest of Holdfast asks of them."""

from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Engine, select

from holdfast.base import StoreError, hide_in_url
from holdfast.store.adapters import Adapters
from holdfast.store.artifacts import Artifacts
from holdfast.store.calibrations import Calibrations
from holdfast.store.compatibility import Measurements
from holdfast.store.database import (
    all_counters,
    all_nonces,
    make_engine,
    migrate,
    reading,
    require_current,
    schema_history,
)
from holdfast.store.history import History
from holdfast.store.identity import identify, recorded
from holdfast.store.keys import Keys
from holdfast.store.places import Places, chosen_artifacts, pin_down, places, settle_artifacts, sqlite_file
from holdfast.store.runs import Runs
from holdfast.store.tensors import Tensors
from holdfast.store.traffic import Schedules, Shadows, TrafficLog
from holdfast.store.versions import Versions


def open_store(
    where: str | Path = "./holdfast-store", artifacts: str | None = None, *, create: bool = True
) -> "Store":
    """Open a store, and make or upgrade its tables if need be.

    >>> with open_store("my-store") as store:
    ...     [version.name for version in store.versions.list()]
    []

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


def look_into(where: str | Path, artifacts: str | None = None) -> "Store":
    """Open a store just as it is: nothing is made, migrated or recorded.

    Raises what `open_store` raises, and OlderSchemaError for a database that `open_store` would migrate.
    """
    location = pin_down(where)
    file = sqlite_file(location)
    if file is not None and not file.is_file():
        raise StoreError(f"{where} holds no store: run an experiment first, or name another folder.")
    engine = make_engine(location if "://" in location else f"sqlite:///{file}")
    try:
        require_current(engine)
        itself = recorded(engine)
        default = str(file.parent / "artifacts") if file is not None else None
        lies = chosen_artifacts(engine, file, artifacts) or (itself.artifacts if itself else None) or default
        blobs = Artifacts(lies or "")
        return Store(str(where), location, engine, blobs, places(file, itself.store if itself else "", blobs))
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
        self.versions = Versions(engine, artifacts)
        self.tensors = Tensors(artifacts, self.versions)
        self.adapters = Adapters(engine, artifacts)
        self.compatibility = Measurements(engine)
        self.calibrations = Calibrations(engine)
        self.traffic = TrafficLog(engine)
        self.shadows = Shadows(engine)
        self.schedules = Schedules(engine)
        self.runs = Runs(engine)
        self.keys = Keys(engine)
        self.history = History(engine)

    @property
    def place(self) -> tuple[str, str]:
        """What another process gives to `open_store` to open the same store with the same files, wherever it
        stands; password and all."""
        return self.location, self.artifacts.uri

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
