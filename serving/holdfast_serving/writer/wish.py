"""Two writers that know of each other: who waits for the lease says so, and the holder lets go between two
commits."""

import secrets

from sqlalchemy import bindparam, select, update

from holdfast.base import Process
from holdfast.store import DatabaseClock, Store, insert_missing, metadata, reading, writing

leases = metadata.tables["leases"]

WISH = "writer wanted"
WISH_SECONDS = 2.0
"""So long after it was said last a wish counts: who waits repeats it."""

# Built once, see `holdfast.store.database.counters`.
_FOUND = select(leases.c.epoch).where(leases.c.name == WISH, leases.c.expires_at > DatabaseClock())
_SAY = (
    update(leases)
    .where(leases.c.name == WISH)
    .values(
        expires_at=DatabaseClock() + WISH_SECONDS,
        **{name: bindparam(f"my_{name}") for name in ("epoch", "host", "machine", "pid", "started")},
    )
)
_WITHDRAW = (
    update(leases).where(leases.c.name == WISH, leases.c.epoch == bindparam("mine")).values(expires_at=0.0)
)


class Wish:
    """What one writer says of the lease of its store. It holds nothing, and binds only who listens to it.

    A lease is taken by force from nobody who lives, see `Lease.take`. A server that takes over from another
    one asks for it by this.
    """

    def __init__(self, store: Store) -> None:
        self._engine = store.engine
        self._mine = secrets.randbits(31)

    def say(self) -> None:
        """Asks whoever holds the lease to let go of it, for `WISH_SECONDS` from now."""
        mine = {"epoch": self._mine, **vars(Process.this())}
        with writing(self._engine) as connection:
            insert_missing(connection, leases, "name", {"name": WISH, "expires_at": 0.0, **mine})
            connection.execute(_SAY, {f"my_{name}": value for name, value in mine.items()})

    def withdraw(self) -> None:
        """It has come true, or is given up."""
        with writing(self._engine) as connection:
            connection.execute(_WITHDRAW, {"mine": self._mine})

    def is_of_another(self) -> bool:
        """Whether another writer waits for the lease now."""
        with reading(self._engine) as connection:
            found = connection.scalar(_FOUND)
        return found is not None and found != self._mine
