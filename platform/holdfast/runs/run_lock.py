"""One process a run: two that learn, measure or draw the same one at once are told apart by the database."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, select

from holdfast.base import ConflictError, DatabaseAwayError
from holdfast.entries import RENEW_LATE, Lease, LeaseHeldError, LeaseLostError
from holdfast.store import Store, metadata, reading

leases = metadata.tables["leases"]
SECONDS = 30.0
"""So long after another machine died its run waits; on this one a dead process is seen at once."""


class RunHeldError(ConflictError):
    """Another process is at work on this run."""

    code = "run_held"


class RunLock(Lease):
    """A lease of a run for as long as a process works on it. One that ran out while nobody else took it, as
    after the sleep of a laptop, goes on."""

    _renewal = RENEW_LATE

    def _explain(self, connection: Connection) -> str:
        return "Another process has taken this run over while this one stood still: it goes on there."


@contextmanager
def holding_run(store: Store, name: str, verb: str = "run") -> Iterator[RunLock]:
    """Be the one process that works on a run, as long as the block lasts; a killed one frees it by dying.

    Args:
        verb: of the command line; sweeps are apart from runs, all others share the run's report.

    Raises RunHeldError, which says who is at work.
    """
    try:
        lock = RunLock.take(store, _lease(name, verb), SECONDS)
    except LeaseHeldError as error:
        raise RunHeldError(
            f"{'The sweep' if verb == 'tune' else 'Run'} {name!r} is already running as {error.holder}: wait "
            "for it, or stop it, and repeat the command. If that machine died, its lock ends within "
            f"{SECONDS:.0f} s."
        ) from error
    try:
        yield lock
    finally:
        # Of a database that is away the lock is free once it has run out.
        with suppress(DatabaseAwayError):
            lock.release()


def require_run(store: Store, name: str, epoch: int) -> None:
    """Raises LeaseLostError unless the lock of this epoch still holds a run; for helpers of its process."""
    with reading(store.engine) as connection:
        found = connection.scalar(select(leases.c.epoch).where(leases.c.name == _lease(name, "run")))
    if found != epoch:
        raise LeaseLostError(f"Another process has taken run {name!r} over: it goes on there.")


def _lease(name: str, verb: str) -> str:
    # A lease's name has 32 characters, a run's as many as a hundred.
    kind = "tune" if verb == "tune" else "run"
    return f"{kind} {hashlib.sha256(name.encode()).hexdigest()[:24]}"
