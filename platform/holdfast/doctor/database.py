"""Checks of a store's database and of its files."""

import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select

from holdfast.base import StoreError
from holdfast.doctor.checks import Check, Said, fail, ok, warn
from holdfast.doctor.machine import NETWORK_FILES, file_system
from holdfast.doctor.memory import gibibytes
from holdfast.store import DatabaseClock, Store, metadata, reading, sqlite_file

READ_SECONDS = 3.0
APART_SECONDS = 2.0
LARGE_LOG = 2**30


def intact(store: Store) -> Said:
    """Whether an SQLite file is on a disk that can hold it, and not damaged."""
    file = sqlite_file(store.location)
    if file is None:
        with reading(store.engine) as connection:
            version = connection.exec_driver_sql("SHOW server_version").scalar_one()
        return ok(f"PostgreSQL {version} answers at {store.where}.")
    kind = file_system(str(file), _mounts())
    if kind in NETWORK_FILES:
        return fail(
            f"{file} is on {kind}, a network file system, whose locks SQLite cannot trust: move the store to "
            "a local disk, or use PostgreSQL."
        )
    log = Path(f"{file}-wal")
    if log.exists() and log.stat().st_size > LARGE_LOG:
        return warn(
            f"{log} has grown to {gibibytes(log.stat().st_size)}, as some process has been reading for very "
            "long: find it (lsof) and end it, and the file shrinks by itself."
        )
    problem, whole = _damage(store)
    if problem is not None:
        return fail(f"{file} is damaged ({problem}): stop the server, and restore the file from a backup.")
    read = (
        "all of it was read" if whole else f"read for {READ_SECONDS:g} s; holdfast gallery verify reads all"
    )
    return ok(f"{file}, {gibibytes(file.stat().st_size)}, is intact ({read}).")


def database_clock(store: Store) -> Said:
    """Whether the clocks agree by which keys and leases end."""
    written = [
        table.c[name] for table in metadata.sorted_tables for name in ("created_at",) if name in table.c
    ]
    with reading(store.engine) as connection:
        before = time.time()
        there = connection.scalar(select(DatabaseClock()))
        here = (before + time.time()) / 2
        newest = [moment for column in written if (moment := connection.scalar(select(func.max(column))))]
    apart = float(there or 0.0) - here
    if abs(apart) > APART_SECONDS:
        return fail(
            f"The clock of the database is {abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} this "
            "machine's: leases and keys end by it. Let both follow a time server (timedatectl set-ntp true)."
        )
    ahead = (max(newest) - datetime.now(UTC)).total_seconds() if newest else 0.0
    if ahead > APART_SECONDS:
        return warn(
            f"The newest record of the database is of {max(newest):%Y-%m-%d %H:%M} UTC, which is still to "
            "come: a clock was wrong then, or is now. Compare this machine's clock with another one."
        )
    return ok(f"The clocks of the database and of this machine are {abs(apart):.1f} s apart.")


def artifacts(store: Store) -> Said:
    """Whether the files of every version are where they were."""
    lacking: list[str] = []
    for version in store.versions.list():
        there = store.artifacts.sizes(version.artifacts)
        gone = [file for file in version.files if file not in there or not there[file]]
        if gone:
            lacking.append(f"{version.name} ({', '.join(gone[:3])})")
    if lacking:
        return fail(
            f"Files are missing or empty in {store.artifacts.where} of {'; '.join(lacking)}: these versions "
            "cannot be loaded. Restore artifacts/ from a backup, or name the place where they are "
            "(--artifacts)."
        )
    return ok(f"The files of all {len(store.versions.list())} versions are in {store.artifacts.where}.")


def _damage(store: Store) -> tuple[str | None, bool]:
    """What SQLite finds, and whether it looked at everything."""
    raw = store.engine.raw_connection()
    end = time.monotonic() + READ_SECONDS
    driver = raw.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.set_progress_handler(lambda: int(time.monotonic() > end), 10_000)
    try:
        said = driver.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            raise StoreError(f"The database cannot be read: {error}.") from error
        return None, False
    except sqlite3.DatabaseError as error:
        return str(error), True
    finally:
        driver.set_progress_handler(None, 0)
        raw.close()
    return (None if said == "ok" else " ".join(str(said).split())[:200]), True


def _mounts() -> str:
    try:
        return Path("/proc/mounts").read_text()
    except OSError:
        return ""


DATABASE = (
    Check("database file", intact),
    Check("database clock", database_clock),
    Check("artifacts", artifacts),
)
