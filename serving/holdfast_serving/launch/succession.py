"""Who served a store before this server, and who does after it: no request fails in between."""

from collections.abc import Callable
from typing import Protocol, Self

from sqlalchemy import update

from holdfast.base import ConfigError, ConflictError
from holdfast.entries import RENEW_LATE, Lease, LeaseHeldError, refuse_if_held
from holdfast.store import Store, metadata, writing
from holdfast_serving.launch.listening import Listening
from holdfast_serving.launch.taking_over import answer_the_last, take_port
from holdfast_serving.launch.whereabouts import Whereabouts, successor_of

leases = metadata.tables["leases"]

HasToStop = Callable[[float], bool]
"""Waits for some seconds, and tells whether the server has to stop."""


class Succession(Protocol):
    """What is to be done at each moment of a server's life for the ones before and after it."""

    finds_writer: bool
    """Whether another writer may hold the lease of the store, and lets go when it is asked."""

    def begin(self) -> None:
        """Before anything is started. Raises where another server is at work that is not taken over from."""

    def complete(self, has_to_stop: HasToStop) -> bool:
        """Once the application runs. False where this server had to stop before it took over."""

    def has_come(self) -> bool:
        """Whether another server has taken over from this one."""

    def leave(self, seconds: float) -> None:
        """For the one that was taken over from: returns when its last requests are answered."""

    def close(self) -> None: ...


class OnThisMachine:
    """Each server has a Ray and a proxy of its own; the port goes from one proxy to the other.

    Args:
        before: the server that is taken over from, if there is one.
        hidden: address of loopback at which this one is found until then.
        listening: at its own sockets; None where Serve listens, from which nobody can take over.
        here: where this server is, for the one that will take over from it.
    """

    def __init__(
        self,
        store: Store,
        before: Whereabouts | None,
        hidden: str,
        here: Whereabouts,
        listening: Listening | None,
    ) -> None:
        self._store, self._before, self._hidden, self._here = store, before, hidden, here
        self._listening = listening
        self.finds_writer = before is not None

    def begin(self) -> None:
        if self._before is None:
            refuse_if_held(self._store)
        elif self._listening is None:
            raise ConfigError("--take-over needs HAProxy, which ray[serve] brings on Linux.")

    def complete(self, has_to_stop: HasToStop) -> bool:
        if (
            self._before is not None
            and self._listening is not None
            and not take_port(self._listening, self._before, self._hidden, has_to_stop)
        ):
            return False
        self._here.tell()
        return True

    def has_come(self) -> bool:
        return successor_of(self._here.folder) is not None

    def leave(self, seconds: float) -> None:
        if self._listening is not None:
            answer_the_last(self._here.folder, self._listening, seconds)

    def close(self) -> None:
        if self._listening is not None:
            self._listening.close()


class OnCluster:
    """The application is Serve's, which replaces replicas one by one and keeps proxies. What goes from
    one server to the other is who looks after it."""

    finds_writer = True

    def __init__(self, store: Store, takes_over: bool) -> None:
        self._store, self._takes_over = store, takes_over
        self._tenure: Tenure | None = None

    def begin(self) -> None:
        if not self._takes_over:
            self._tenure = Tenure.begin(self._store)

    def complete(self, has_to_stop: HasToStop) -> bool:
        if self._takes_over:
            self._tenure = Tenure.seize(self._store)
        return True

    def has_come(self) -> bool:
        return self._tenure is not None and self._tenure.lost

    def leave(self, seconds: float) -> None:
        """The replicas and the proxies are the other server's by now."""

    def close(self) -> None:
        if self._tenure is not None:
            self._tenure.release()


class Tenure(Lease):
    """The lease of the one `holdfast serve` that looks after a store's application on a cluster. One that ran
    out while nobody else took it, for the database was away, goes on."""

    NAME = "server"
    _renewal = RENEW_LATE

    @classmethod
    def begin(cls, store: Store) -> Self:
        """Raises ConflictError where another server has it."""
        try:
            return cls.take(store, cls.NAME)
        except LeaseHeldError as error:
            raise ConflictError(
                f"{store.where} is served on this cluster already, by {error.holder}: --take-over takes over "
                "from it, without a request that fails. If its machine died, try again in 10 s."
            ) from error

    @classmethod
    def seize(cls, store: Store) -> Self:
        """Takes it from whoever has it, who sees that within seconds."""
        while True:
            with writing(store.engine) as connection:
                connection.execute(update(leases).where(leases.c.name == cls.NAME).values(expires_at=0.0))
            try:
                return cls.take(store, cls.NAME)
            except LeaseHeldError:
                # Renewed in between.
                continue
