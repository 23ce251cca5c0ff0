"""One engine and its transactions. What SQLite and PostgreSQL do differently is here or in `matching`."""

import os
import random
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Float,
    Integer,
    LargeBinary,
    String,
    Table,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DisconnectionError,
    NoSuchModuleError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from holdfast.base import StoreError, check_text, hide_in_url
from holdfast.filters import instant
from holdfast.store.database.explaining import BUSY_TIMEOUT_SECONDS, explain
from holdfast.store.database.postgres import make_postgres_engine

# Any constant: everybody who migrates a PostgreSQL database takes the lock of this number first.
_MIGRATION_LOCK = 0x686F6C64
# So many rows are worth a temporary table on PostgreSQL.
_COPIED_FROM = 500
_COPIED_AS: dict[type[TypeEngine[Any]], str] = {
    JSON: "text",
    String: "text",
    BigInteger: "int8",
    Integer: "int4",
    Boolean: "bool",
    LargeBinary: "bytea",
    DateTime: "timestamptz",
    Float: "float8",
}


def make_engine(url: str) -> Engine:
    """An engine for `sqlite:///FILE` or `postgresql+psycopg://...`. Raises StoreError for any other URL."""
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, NoSuchModuleError, ValueError):
        backend = None
    if backend == "postgresql":
        engine = make_postgres_engine(parsed, url)
        event.listen(engine, "before_cursor_execute", _check_texts)
        return engine
    if backend != "sqlite":
        raise StoreError(
            f"{hide_in_url(url)!r} is no store: give a folder, sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE."
        )
    if parsed.database in (None, "", ":memory:"):
        raise StoreError("A store in memory would lose what it acknowledged: give a folder or a file.")
    engine = create_engine(parsed, pool_size=8, max_overflow=24)
    event.listen(engine, "connect", _prepare_sqlite_connection)
    event.listen(engine, "begin", _begin_sqlite)
    event.listen(engine, "before_cursor_execute", _check_texts)
    event.listen(engine, "connect", _note_file)
    event.listen(engine, "checkout", _refuse_lost_file)
    return engine


def _check_texts(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
) -> None:
    """Refuses text that only one of the two databases takes, whoever hands it in. Of many rows at once each
    was checked before it came here."""
    if many:
        return
    for value in parameters.values() if isinstance(parameters, Mapping) else parameters or ():
        if isinstance(value, str):
            check_text(value, "The text")


def _prepare_sqlite_connection(connection: Any, record: object) -> None:
    # pysqlite would begin transactions by itself, too late and only before some statements; `_begin_sqlite`
    # does it instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()
    connection.create_function("holdfast_instant", 1, _instant, deterministic=True)


def _instant(value: object) -> int | None:
    return instant(value) if isinstance(value, str) else None


def _note_file(connection: Any, record: Any) -> None:
    name = connection.execute("PRAGMA database_list").fetchone()[2]
    record.info["file"] = name, _file_number(name)


def _refuse_lost_file(connection: Any, record: Any, proxy: object) -> None:
    """A connection goes on with a file whose name another one has taken, or that has none any more: what it
    wrote there would be lost."""
    name, number = record.info["file"]
    if _file_number(name) != number:
        raise DisconnectionError


def _file_number(name: str) -> tuple[int, int]:
    try:
        found = os.stat(name)
    except FileNotFoundError as error:
        raise StoreError(f"{name} is gone: nothing can be read or written until it is back.") from error
    return found.st_dev, found.st_ino


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later cannot wait for another writer, so a writer says so.
    writes = connection.get_execution_options().get("holdfast_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def use_write_ahead_log(engine: Engine) -> None:
    """Put an SQLite file into WAL mode (it stays so); does nothing on PostgreSQL.

    Switching needs the file for oneself and ignores the busy timeout, hence the retries: any number of
    processes may open a fresh store at once.
    """
    if engine.dialect.name != "sqlite":
        return
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            mode = _journal_mode(engine)
        except sqlite3.DatabaseError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise explain(engine, error) from error
            time.sleep(random.uniform(0.005, 0.05))
            continue
        if mode == "wal":
            return
        raise StoreError(
            f"{engine.url.database} is on a file system that cannot hold a write-ahead log "
            f"(SQLite answered {mode!r}): put the store on a local disk, or use PostgreSQL."
        )


def _journal_mode(engine: Engine) -> str:
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        mode = cursor.execute("PRAGMA journal_mode").fetchone()[0]
        if mode != "wal":
            mode = cursor.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        return str(mode)
    finally:
        raw.close()


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads: all its statements see one moment. Raises StoreError."""
    with _as_store_error(engine), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes; committed to disk when the block ends. Raises StoreError.

    On SQLite it waits its turn before the first statement; on PostgreSQL writers wait for each other at the
    counter they advance (see `counters.advance`).
    """
    with _as_store_error(engine), engine.connect() as connection:
        connection = connection.execution_options(holdfast_writes=True)
        with connection.begin():
            yield connection


def lock_for_migration(connection: Connection) -> None:
    """Wait for everybody else who migrates this database; the lock ends with the transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})


class DatabaseClock(FunctionElement[float]):
    """Seconds since 1970 by the clock of the database, at the moment when it is asked."""

    type = Float(53)
    inherit_cache = True


@compiles(DatabaseClock, "sqlite")
def _clock_of_sqlite(element: DatabaseClock, compiler: Any, **options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(DatabaseClock, "postgresql")
def _clock_of_postgresql(element: DatabaseClock, compiler: Any, **options: Any) -> str:
    # now() is when the transaction began, which may have waited since.
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"


def abandon_after(connection: Connection, seconds: float) -> None:
    """Let PostgreSQL end this transaction if its process falls silent for so long in its middle.

    An SQLite file has nobody to do that: what a paused process has locked stays locked until it goes on.
    """
    if connection.dialect.name == "postgresql":
        milliseconds = max(1, round(1000 * seconds))
        connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = {milliseconds}")


def insert_missing(connection: Connection, table: Table, key: str, row: Mapping[str, Any]) -> None:
    """INSERT a row unless there is one of that key."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    connection.execute(insert(table).values(row).on_conflict_do_nothing(index_elements=[key]))


def replace_rows(connection: Connection, table: Table, key: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """INSERT ... ON CONFLICT (key) DO UPDATE for many rows; a row has a value for every column, in order.

    The values go to the driver as they are (JSON as text, other types through `as_parameter`), which is
    several times as fast as SQLAlchemy's conversion of every single one. Of rows with the same key the last
    one counts.
    """
    if connection.dialect.name == "postgresql" and len(rows) >= _COPIED_FROM:
        _replace_by_copy(connection, table, key, rows)
        return
    sql = _replace_statement(connection.dialect, table, key)
    if connection.dialect.positional:
        connection.exec_driver_sql(sql, list(rows))
    else:
        names = table.c.keys()
        connection.exec_driver_sql(sql, [dict(zip(names, row, strict=True)) for row in rows])


def _replace_by_copy(connection: Connection, table: Table, key: str, rows: Sequence[tuple[Any, ...]]) -> None:
    names = table.c.keys()
    at = names.index(key)
    changed = ", ".join(f"{name} = excluded.{name}" for name in names if name != key)
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS incoming (LIKE {table.name}) ON COMMIT DROP"
    )
    connection.exec_driver_sql("TRUNCATE incoming")
    # SQLAlchemy has no COPY, so this goes to psycopg itself.
    driver: Any = connection.connection.driver_connection
    try:
        with (
            driver.cursor() as cursor,
            cursor.copy(f"COPY incoming ({', '.join(names)}) FROM STDIN (FORMAT BINARY)") as copy,
        ):
            copy.set_types([_copied_as(column) for column in table.c])
            # One INSERT cannot meet the same key twice.
            for row in {row[at]: row for row in rows}.values():
                copy.write_row(row)
    except connection.dialect.loaded_dbapi.Error as error:
        raise OperationalError("COPY", None, error) from error
    connection.exec_driver_sql(
        f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {', '.join(names)} FROM incoming "
        f"ON CONFLICT ({key}) DO UPDATE SET {changed}"
    )


def _copied_as(column: Column[Any]) -> str:
    """The type that a value has on its way; what is a string to us is made JSON by the server."""
    kind = column.type.impl if isinstance(column.type, TypeDecorator) else column.type
    for known, name in _COPIED_AS.items():
        if isinstance(kind, known):
            return name
    raise TypeError(f"a column of type {kind} cannot be copied")


def as_parameter(connection: Connection, column: Column[Any], value: Any) -> Any:
    """The form in which the driver wants a value of this column."""
    processor = column.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
    return value if processor is None else processor(value)


@lru_cache(maxsize=16)
def _replace_statement(dialect: Dialect, table: Table, key: str) -> str:
    statement = (postgresql.insert if dialect.name == "postgresql" else sqlite.insert)(table)
    changed = {name: statement.excluded[name] for name in table.c.keys() if name != key}  # noqa: SIM118
    statement = statement.on_conflict_do_update(index_elements=[key], set_=changed)
    return str(statement.compile(dialect=dialect))


@contextmanager
def _as_store_error(engine: Engine) -> Iterator[None]:
    try:
        yield
    except (DatabaseError, sqlite3.DatabaseError, PoolTimeoutError) as error:
        explained = explain(engine, error)
        if explained is error:
            raise
        raise explained from error
