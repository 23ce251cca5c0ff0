"""Group commit: many small writes share one transaction, and so one wait for the disk."""

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Self

from holdfast.base import NotReadyError
from holdfast.entries.change import Change, Checked, size_of
from holdfast.entries.entries import Entries, Fence

Request = tuple[Checked, "Future[int]"]


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
        fence: Fence | None = None,
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

    def submit(self, change: Change) -> "Future[int]":
        """Hand in a change; after the commit the future gives its number, as `Entries.write` does.

        An invalid one raises here (what `Entries.submit` raises), and touches nobody else's.
        """
        checked, future = self._entries.check(change), Future[int]()
        with self._closing:
            if self._closed:
                raise NotReadyError("The writer has stopped: try again soon.")
            self._queue.put((checked, future))
        return future

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
            size = size_of(request[0])
            last = False
            while size < self._max_entries:
                try:
                    following = self._queue.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    last = True
                    break
                if size + size_of(following[0]) > self._max_entries:
                    held = following
                    break
                group.append(following)
                size += size_of(following[0])
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
