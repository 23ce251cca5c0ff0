"""Group commit: many small writes share one transaction, and so one wait for the disk."""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Self

from sqlalchemy import Connection

from holdfast.base import NotReadyError
from holdfast.entries.entries import Delete, Entries, Upsert
from holdfast.entries.entry import Entry, check_known_id
from holdfast.entries.replace import Replace

Request = tuple[Upsert | Delete | Replace, "Future[int]"]


class GroupCommit:
    """One thread that writes what many callers hand in.

    While a transaction is on its way to the disk the next requests gather, and then share the next one: a
    single caller waits for one commit, many callers wait for hardly more.

    Args:
        entries: where to write.
        max_entries: how many entries one transaction takes at most (a larger request goes alone).
        fence: runs first inside every transaction; what it raises fails the whole group (a writer checks
            there that it still holds its lease).
    """

    def __init__(
        self,
        entries: Entries,
        max_entries: int = 2048,
        fence: Callable[[Connection], None] | None = None,
    ) -> None:
        self._entries = entries
        self._max_entries = max_entries
        self._fence = fence
        self._queue: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._told_to_stop = False
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._thread.start()

    def upsert(self, batch: Sequence[Entry]) -> "Future[int]":
        """Hand in entries; the future gives the number of the last one after the commit.

        An invalid request raises here (what `Entries.upsert` raises), and touches nobody else's.
        """
        return self._submit(self._entries.check(batch))

    def delete(self, ids: Sequence[str]) -> "Future[int]":
        """Hand in ids to delete; the future gives a number as `upsert` does."""
        return self._submit(Delete(tuple(check_known_id(identifier) for identifier in ids)))

    def replace(self, change: Replace) -> "Future[int]":
        """Hand in new vectors of entries; the future gives how many of them were applied."""
        return self._submit(change)

    def is_alive(self) -> bool:
        """Whether what is handed in is worked off; also once `close` has been called."""
        return self._told_to_stop or self._thread.is_alive()

    def close(self) -> None:
        """Write what was handed in, then stop. Later requests raise NotReadyError."""
        with self._closing:
            self._told_to_stop = True
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _submit(self, change: Upsert | Delete | Replace) -> "Future[int]":
        future: Future[int] = Future()
        with self._closing:
            if self._closed:
                raise NotReadyError("The writer has stopped: try again soon.")
            self._queue.put((change, future))
        return future

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self._refuse_the_rest()

    def _refuse_the_rest(self) -> None:
        """Whatever ended the thread, nobody waits for it."""
        with self._closing:
            self._closed = True
        with suppress(queue.Empty):
            while True:
                if (request := self._queue.get_nowait()) is not None:
                    request[1].set_exception(NotReadyError("The writer has stopped: try again soon."))

    def _work(self) -> None:
        held: Request | None = None
        while True:
            request = held or self._queue.get()
            held = None
            if request is None:
                return
            group = [request]
            size = _size(request)
            last = False
            while size < self._max_entries:
                try:
                    following = self._queue.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    last = True
                    break
                if size + _size(following) > self._max_entries:
                    held = following
                    break
                group.append(following)
                size += _size(following)
            self._commit(group)
            if last:
                return

    def _commit(self, group: Sequence[Request]) -> None:
        group = [request for request in group if request[1].set_running_or_notify_cancel()]
        if not group:
            return
        try:
            numbers = self._entries.write([change for change, _ in group], self._fence)
            answers = list(zip(group, numbers, strict=True))
        except BaseException as error:
            for _, future in group:
                future.set_exception(error)
            return
        for (_, future), number in answers:
            future.set_result(number)


def _size(request: Request) -> int:
    change = request[0]
    return len(change.ids) if isinstance(change, Delete) else len(change.rows)
