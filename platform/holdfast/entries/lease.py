"""One writer at a time: a lease with an epoch, which the database checks inside every transaction."""

import logging
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, RowMapping, bindparam, select, update

from holdfast.base import NotReadyError, Process, StoreError
from holdfast.store import DatabaseClock, Store, abandon_after, insert_missing, metadata, reading, writing

leases = metadata.tables["leases"]
logger = logging.getLogger(__name__)

WRITER = "writer"
SECONDS = 10.0
_NOBODY = {"epoch": 0, "host": "", "machine": "", "pid": 0, "started": "", "expires_at": 0.0}

# Built once, see `holdfast.store.database.counters`.
_FOUND = select(leases, DatabaseClock().label("now")).where(leases.c.name == bindparam("wanted"))
_RENEW = (
    update(leases)
    .where(
        leases.c.name == bindparam("wanted"),
        leases.c.epoch == bindparam("mine"),
        leases.c.expires_at > DatabaseClock(),
    )
    .values(expires_at=DatabaseClock() + bindparam("seconds"))
)
# For those whom nobody may have followed unseen: whoever takes a lease has another epoch.
RENEW_LATE = (
    update(leases)
    .where(leases.c.name == bindparam("wanted"), leases.c.epoch == bindparam("mine"))
    .values(expires_at=DatabaseClock() + bindparam("seconds"))
)
_RELEASE = (
    update(leases)
    .where(leases.c.name == bindparam("wanted"), leases.c.epoch == bindparam("mine"))
    .values(expires_at=0.0)
)


class LeaseHeldError(NotReadyError):
    """Another writer holds the lease of this store."""

    code = "writer_held"

    def __init__(self, message: str, holder: Process | None = None) -> None:
        super().__init__(message)
        self.holder = holder


class LeaseLostError(NotReadyError):
    """This writer was away for longer than its lease; it can commit nothing any more."""

    code = "writer_fenced"


class Lease:
    """The right to write to a store for some seconds, renewed by every commit and by a thread in between.

    `fence` runs first inside every transaction of the holder. Whoever takes the lease waits for that
    transaction, and no transaction passes the fence after it: neither this process's clock nor its idea of
    who holds the lease decides, only the database. A lease that is lost is lost for good; take another.
    """

    _renewal = _RENEW

    def __init__(self, store: Store, epoch: int, name: str, seconds: float) -> None:
        self.epoch = epoch
        self.seconds = seconds
        self._engine = store.engine
        self._name = name
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="writer-lease", daemon=True)
        self._thread.start()

    @classmethod
    def take(cls, store: Store, name: str = WRITER, seconds: float = SECONDS) -> Self:
        """Takes the lease if nobody holds it: it was released, it has run out, or its process is dead.

        Raises LeaseHeldError, which says who holds it and until when.
        """
        with writing(store.engine) as connection:
            insert_missing(connection, leases, "name", {"name": name, **_NOBODY})
            found = connection.execute(_FOUND.with_for_update(), {"wanted": name}).mappings().one()
            _refuse_if_held(store, found)
            epoch = int(found["epoch"]) + 1
            taken = {**vars(Process.this()), "epoch": epoch, "expires_at": DatabaseClock() + seconds}
            connection.execute(update(leases).where(leases.c.name == name).values(taken))
        return cls(store, epoch, name, seconds)

    @property
    def lost(self) -> bool:
        """Whether this lease has ended, as far as is known here; `fence` asks the database."""
        return self._ended.is_set()

    def fence(self, connection: Connection) -> None:
        """Renews the lease within a transaction, and holds off whoever wants it until the transaction ends.

        Raises LeaseLostError if it has run out, or somebody else has taken it.
        """
        # On PostgreSQL the one who takes over would wait for a holder that is paused in its transaction.
        abandon_after(connection, self.seconds)
        parameters = {"wanted": self._name, "mine": self.epoch, "seconds": self.seconds}
        if self.lost or connection.execute(self._renewal, parameters).rowcount != 1:
            self._ended.set()
            raise LeaseLostError(self._explain(connection))

    def release(self) -> None:
        """Gives the lease back, so that the next writer need not wait. A second time it does nothing."""
        was_lost = self.lost
        self._ended.set()
        if self._thread is not threading.current_thread():
            self._thread.join()
        if not was_lost:
            with writing(self._engine) as connection:
                connection.execute(_RELEASE, {"wanted": self._name, "mine": self.epoch})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def _beat(self) -> None:
        while not self._ended.wait(self.seconds / 4):
            try:
                with writing(self._engine) as connection:
                    self.fence(connection)
            except LeaseLostError as error:
                logger.warning("%s", error)
            except StoreError as error:
                logger.warning("the lease could not be renewed: %s", error)

    def _explain(self, connection: Connection) -> str:
        found = connection.execute(_FOUND, {"wanted": self._name}).mappings().first()
        if found is not None and found["epoch"] != self.epoch:
            return (
                f"Another writer has taken this store over ({_process(found)}, writer {found['epoch']}; this "
                f"one is {self.epoch}): nothing was written. Send writes there, or repeat them here once it "
                "has stopped."
            )
        return (
            f"This writer ({self.epoch}) did not renew its lease of {self.seconds:g} s in time, so somebody "
            "else might have written since: nothing was written. Repeat the request."
        )


def refuse_if_held(store: Store, name: str = WRITER) -> None:
    """Raises LeaseHeldError if somebody holds the lease of a store now; takes nothing."""
    with reading(store.engine) as connection:
        found = connection.execute(_FOUND, {"wanted": name}).mappings().first()
    if found is not None:
        _refuse_if_held(store, found)


def _refuse_if_held(store: Store, found: RowMapping) -> None:
    # Should a process pass for dead that is not, the epoch stops it.
    if found["expires_at"] <= found["now"] or _process(found).is_dead():
        return
    until = datetime.fromtimestamp(found["expires_at"], UTC)
    raise LeaseHeldError(
        f"{store.where} has a writer: {_process(found)} holds its lease until {until:%H:%M:%S} UTC, and "
        f"renews it while it runs (writer {found['epoch']}). Send writes there, or stop that process and try "
        "again.",
        _process(found),
    )


def _process(found: RowMapping) -> Process:
    return Process(found["host"], found["machine"], found["pid"], found["started"])
