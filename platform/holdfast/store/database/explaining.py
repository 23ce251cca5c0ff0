"""What a database says when it fails, in plain words for who can mend it."""

import sqlite3

from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from holdfast.base import HIDDEN, DatabaseAwayError, StoreError, hide_in_url
from holdfast.store.database.postgres import OVERFLOW, POOL, has_no_place

BUSY_TIMEOUT_SECONDS = 30


def explain(engine: Engine, error: DatabaseError | sqlite3.DatabaseError | PoolTimeoutError) -> Exception:
    """A StoreError in plain words for what a user can mend, or the error itself.

    It is a DatabaseAwayError where the same may succeed a little later.
    """
    where = hide_in_url(engine.url.render_as_string())
    if isinstance(error, PoolTimeoutError):
        return DatabaseAwayError(
            f"All {POOL + OVERFLOW} connections of this process to {where} are at work, and none became free "
            "in time. Ask less at once, or start more processes."
        )
    # What fails while a connection is being made comes from the driver as it is.
    reason = " ".join(str(error.orig if isinstance(error, DatabaseError) else error).split())
    if engine.url.password:
        reason = reason.replace(str(engine.url.password), HIDDEN)
    if "not a database" in reason or "malformed" in reason:
        return StoreError(f"{where} is not a database, or is damaged ({reason}): restore it from a backup.")
    if "locked" in reason:
        return StoreError(
            f"{where} is busy: another process has been writing for {BUSY_TIMEOUT_SECONDS} s. Try again."
        )
    if "readonly database" in reason or "unable to open database file" in reason:
        return StoreError(
            f"{where} cannot be written ({reason}): Holdfast writes the file, and others beside it in its "
            "folder. Give this user the right to, and look whether the disk is mounted read-only."
        )
    if "is full" in reason or "No space left" in reason:
        return StoreError(
            f"{where} cannot be written: the disk is full ({reason}). Nothing of this was kept; free some "
            "space and repeat it."
        )
    if "disk I/O error" in reason:
        return StoreError(
            f"{where} cannot be read or written: the disk refused ({reason}). Look at the disk and at limits "
            "on the size of files, then repeat it."
        )
    if "idle-in-transaction timeout" in reason:
        return StoreError(
            f"{where} ended this transaction, because its process stood still in the middle of it: nothing "
            "was written. Try again."
        )
    if has_no_place(reason):
        return DatabaseAwayError(
            f"{where} has no connection left ({reason}). A process of Holdfast keeps {POOL} and opens "
            f"{POOL + OVERFLOW} at most: close other clients, raise max_connections (or the pooler's limit), "
            "or put PgBouncer before the server."
        )
    if "query_wait_timeout" in reason:
        return DatabaseAwayError(
            f"The pooler at {where} had no connection to the server for this ({reason}): raise its pool "
            "size, or look whether the server answers."
        )
    if "read-only transaction" in reason:
        return DatabaseAwayError(
            f"{where} takes no writes ({reason}): it is a standby, or was made read-only. Name the server "
            "that leads, or all of them with target_session_attrs=read-write, and try again."
        )
    if "statement pooling mode" in reason:
        return StoreError(
            f"The pooler at {where} is in statement mode ({reason}), in which nothing can be changed whole: "
            "set its pool_mode to transaction, or to session."
        )
    if isinstance(error, OperationalError | sqlite3.OperationalError):
        said = f"The database {where} cannot be used: {reason}."
        return DatabaseAwayError(said) if engine.dialect.name == "postgresql" else StoreError(said)
    return error
