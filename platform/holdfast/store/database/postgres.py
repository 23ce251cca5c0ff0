"""Connections to PostgreSQL: straight to a server, through a pooler, or to whichever of several leads.

A pooler that gives each transaction another connection of the server (PgBouncer's transaction mode) takes
what is said within a transaction, and nothing that is to outlast it: behind one no statement is prepared for
later ones, and whatever is set is set for the transaction.
"""

import random
import time
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.engine import Dialect, ExceptionContext

from holdfast.base import StoreError, hide_in_url, import_extra

CONNECT_SECONDS = 10
PLACE_SECONDS = 10.0
"""So long a connection waits for a server that has none to give, or is only just starting."""
PREPARED_FROM = 5
"""How often a statement is executed before it is prepared; psycopg's own."""
POOL, OVERFLOW = 8, 24
"""Connections that a process keeps, and that it opens beyond these."""
_DEFAULTS = {
    # A server that does not answer is a sentence after seconds; left alone it would take minutes.
    "connect_timeout": CONNECT_SECONDS,
    # One whose machine is gone says nothing either, not even that it is gone.
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
_FULL = (
    "too many clients already",
    "remaining connection slots are reserved",
    "too many connections for",
    "no more connections allowed",
)
_STARTING = (
    "the database system is starting up",
    "the database system is shutting down",
    "the database system is not yet accepting connections",
)
_READ_ONLY = "25006"


def make_postgres_engine(url: URL, given: str) -> Engine:
    """An engine that waits a little for a place, and leaves a server that no longer leads.

    Args:
        given: the URL as it was written.

    Raises StoreError for one that cannot be meant so, or without psycopg.
    """
    if "@" in (url.host or ""):
        raise StoreError(
            f"{hide_in_url(given)!r} is no store: in a URL the password's own '@' is written %40, ':' %3A "
            "and '/' %2F."
        )
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    import_extra("psycopg", "postgres", "A PostgreSQL store needs the driver psycopg", StoreError)
    arguments: dict[str, Any] = {name: value for name, value in _DEFAULTS.items() if name not in url.query}
    if _names_several(url) and "target_session_attrs" not in url.query:
        arguments["target_session_attrs"] = "read-write"
    engine = create_engine(
        url,
        pool_pre_ping=True,
        pool_size=POOL,
        max_overflow=OVERFLOW,
        connect_args={**arguments, "prepare_threshold": None},
    )
    event.listen(engine, "do_connect", _wait_for_a_place)
    event.listen(engine, "handle_error", _leave_a_standby)
    return engine


def has_no_place(reason: str) -> bool:
    """Whether a server, or a pooler, says that it has no connection left."""
    return any(said in reason for said in _FULL)


def _names_several(url: URL) -> bool:
    hosts = url.query.get("host", ())
    return len(hosts) > 1 if isinstance(hosts, tuple) else "," in hosts


def _wait_for_a_place(dialect: Dialect, record: Any, arguments: Any, options: dict[str, Any]) -> Any:
    deadline = time.monotonic() + PLACE_SECONDS
    while True:
        try:
            return _prepare_where_it_lasts(dialect.connect(*arguments, **options))
        except Exception as error:
            said = str(error)
            if not any(each in said for each in (*_FULL, *_STARTING)) or time.monotonic() > deadline:
                raise
        # Not all at the same moment, who wait for the same.
        time.sleep(random.uniform(0.05, 0.3))


def _prepare_where_it_lasts(connection: Any) -> Any:
    """Statements that come again are prepared once where the server itself is at the other end, which takes a
    third off a small write. A pooler answers with a number of its own for the process of the server."""
    try:
        with connection.cursor() as cursor:
            (process,) = cursor.execute("SELECT pg_backend_pid()").fetchone()
        connection.rollback()
    except BaseException:
        connection.close()
        raise
    if process == connection.info.backend_pid:
        connection.prepare_threshold = PREPARED_FROM
    return connection


def _leave_a_standby(context: ExceptionContext) -> None:
    """A server that has become a standby keeps its connections: they are closed, so that the next ones reach
    the one that leads now."""
    if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
        context.is_disconnect = True
