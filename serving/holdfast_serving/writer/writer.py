"""The one writer: every change of the gallery goes through one process, which commits many at once."""

import asyncio
import contextlib
import logging
import threading
import time
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from holdfast.base import HoldfastError, NotReadyError, StoreError
from holdfast.entries import Change, Entries, GroupCommit, Lease, LeaseHeldError
from holdfast.store import Store, open_store
from holdfast_serving.config import ServingConfig
from holdfast_serving.logs import write_logs
from holdfast_serving.tracing import open_tracing
from holdfast_serving.writer.backfiller import Backfiller
from holdfast_serving.writer.feeder import start_feeder
from holdfast_serving.writer.scheduler import Scheduler
from holdfast_serving.writer.wish import Wish

logger = logging.getLogger(__name__)

LISTEN_SECONDS = 0.1
PATIENCE_SECONDS = 8.0
"""How long a change waits for a lease that was asked for; less than a gateway waits for the writer."""


class EntryWriter(Protocol):
    """Commits a change; returns its number, see `Entries.write`, after it is on the disk. `away`: whether it
    did not answer when it was asked last."""

    away: bool

    async def submit(self, change: Change) -> int: ...


class StoreWriter:
    """Writes in this process: group commit under a lease.

    While somebody else holds the lease each change is refused, and the next one tries again. What waited
    under a lease that was lost is refused as well: only what comes later goes under a new one.

    While one server takes over from another both of them write, in turns: each lets go of the lease between
    two commits when the other one asks for it, so that no change of either is refused.

    Args:
        takes_over: it asks whoever holds the lease for it from its first change on, and takes it as soon as
            nobody holds it. Others ask only once they have been asked.
    """

    away = False

    def __init__(self, store: Store, takes_over: bool = False) -> None:
        self._store = store
        self._takes_over = self._in_turns = takes_over
        self._wish = Wish(store)
        self._taking = threading.Lock()
        self._lease: Lease | None = None
        self._commits: GroupCommit | None = None
        self._closed = threading.Event()
        self._listener = threading.Thread(target=self._listen, name="lease-listener", daemon=True)
        if not takes_over:
            try:
                self._writing()
            except LeaseHeldError as error:
                logger.warning("%s", error)
        self._listener.start()

    async def submit(self, change: Change) -> int:
        """Raises what `GroupCommit.submit` raises, LeaseHeldError and LeaseLostError."""
        in_thread = asyncio.get_running_loop().run_in_executor
        return await asyncio.wrap_future(await in_thread(None, lambda: self._hand_in(change)))

    def submit_here(self, change: Change) -> int:
        """The same from a thread that may wait."""
        return self._hand_in(change).result()

    def is_alive(self) -> bool:
        """Whether what is handed in is worked off, as far as is known; trivially so without a lease."""
        commits = self._commits
        return commits is None or commits.is_alive()

    def close(self) -> None:
        """Commits what was handed in, and gives the lease back. A later change would take it again."""
        self._closed.set()
        self._let_go()

    def _hand_in(self, change: Change) -> "Future[int]":
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self._writing().submit(change)
            except NotReadyError as error:
                # Somebody else's turn; or what was to take it has been closed for somebody else just now.
                if not self._in_turns or time.monotonic() > deadline:
                    raise
                if isinstance(error, LeaseHeldError) and not self._wish.is_of_another():
                    self._wish.say()
            time.sleep(LISTEN_SECONDS / 4)

    def _writing(self) -> GroupCommit:
        with self._taking:
            if self._commits is None or self._lease is None or self._lease.lost:
                if self._in_turns and self._wish.is_of_another():
                    raise LeaseHeldError("Another server over this store writes now. Repeat the request.")
                lease = Lease.take(self._store)
                self._wish.withdraw()
                if self._commits is not None:
                    self._commits.close()
                self._lease, self._commits = lease, GroupCommit(Entries(self._store), fence=lease.fence)
            return self._commits

    def _let_go(self) -> None:
        with self._taking:
            commits, lease = self._commits, self._lease
            self._commits = self._lease = None
            if commits is not None:
                commits.close()
            if lease is not None:
                lease.release()

    def _listen(self) -> None:
        while not self._closed.wait(LISTEN_SECONDS):
            # While the database is away nobody can ask, and nobody could write.
            with contextlib.suppress(StoreError, LeaseHeldError):
                if self._lease is None:
                    if self._takes_over:
                        self._writing()
                elif self._wish.is_of_another():
                    self._in_turns = True
                    self._let_go()


class Writer:
    """The writer deployment. User errors come back as values: Ray would wrap what is raised."""

    def __init__(self, config: ServingConfig, takes_over: bool = False) -> None:
        """`takes_over`: see StoreWriter."""
        write_logs(access=config.access_log, form=config.log_form)
        store = open_store(config.store, config.artifacts)
        self._writer = StoreWriter(store, takes_over)
        self._backfiller = Backfiller(store, self._writer.submit_here, config.sources)
        self._feeder = start_feeder(store, config)
        self._scheduler = Scheduler(store, config.late_seconds)
        self._empty_gateways: set[str] = set()
        self._tracing = open_tracing("holdfast-writer", config.tracing)

    async def check_health(self) -> None:
        """Unhealthy once a thread of its has ended that works for all others; Serve then replaces it."""
        parts = (self._writer, self._backfiller, self._feeder, self._scheduler)
        dead = [part for part in parts if part is not None and not part.is_alive()]
        if dead:
            raise RuntimeError(f"a thread has ended: {', '.join(type(part).__name__ for part in dead)}")

    async def submit(self, change: Change, traceparent: str = "") -> int | HoldfastError:
        """`traceparent`: the span that this is a part of, if it is traced."""
        try:
            with self._traced(traceparent):
                return await self._writer.submit(change)
        except HoldfastError as error:
            return _plain(error)

    async def gateway_is_empty(self, name: str) -> None:
        """A gateway that is being drained has answered all its requests. The writer is the one process that
        all gateways reach."""
        self._empty_gateways.add(name)

    async def empty_gateways(self) -> int:
        return len(self._empty_gateways)

    async def release(self) -> None:
        """Commits what was handed in, and lets another server write at once."""
        await asyncio.get_running_loop().run_in_executor(None, self._close)

    def _traced(self, traceparent: str) -> AbstractContextManager[None]:
        if self._tracing is None or not traceparent:
            return nullcontext()
        return self._tracing.within(traceparent, "commit to the database")

    def __del__(self) -> None:
        self._close()

    def _close(self) -> None:
        if self._feeder is not None:
            self._feeder.close()
        self._scheduler.close()
        self._backfiller.close()
        self._writer.close()


def _plain(error: HoldfastError) -> HoldfastError:
    """The error without its cause and traceback, which may not be picklable."""
    return type(error)(*error.args)
