"""One writer at a time: the newest takes over, the older ones are fenced out in their own transactions."""

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from holdfast.errors import NotReadyError
from holdfast.store import Store, counters
from holdfast.store.database import writing
from holdfast.store.schema import counters as table

COUNTER = "writer"


class LeaseLostError(NotReadyError):
    """Another writer took over this store; this one has stopped for good."""

    code = "writer_fenced"


class Lease:
    """The right to write, as a number that only grows.

    `fence` runs first inside every transaction of the holder. A writer that was paused while another took
    over can therefore not commit anything: neither the clock nor the network decides, only the database.
    """

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    @classmethod
    def take(cls, store: Store) -> "Lease":
        """Takes over from whoever held it."""
        try:
            return cls(_advance(store))
        except IntegrityError:
            # Two writers were the first ones at the same moment.
            return cls(_advance(store))

    def fence(self, connection: Connection) -> None:
        """Raises LeaseLostError unless this is the newest; holds off a taker until the transaction ends."""
        statement = select(table.c.value).where(table.c.name == COUNTER).with_for_update(read=True)
        newest = int(connection.execute(statement).scalar_one())
        if newest != self.epoch:
            raise LeaseLostError(
                f"Another server writes to this store now (writer {newest}; this one is {self.epoch}): "
                "send writes there, or restart this server."
            )


def _advance(store: Store) -> int:
    with writing(store.engine) as connection:
        if connection.execute(select(table.c.name).where(table.c.name == COUNTER)).first() is None:
            connection.execute(insert(table).values(name=COUNTER, value=0))
        return counters.advance(connection, COUNTER)
