"""A lock that many readers may hold together and a writer alone."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ReadWriteLock:
    """Waiting writers go before new readers, so a stream of searches cannot starve a refresh.

    Who reads for long keeps the lock `unchanged` instead: a writer that waits for it holds up no reader.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._readers = 0
        self._keepers = 0
        self._pending = 0  # writers, whoever they wait for
        self._writing = False
        self._waiting = 0
        self._reading = _Reading(self)

    def reading(self) -> "_Reading":
        """`with lock.reading():`, from any number of threads."""
        return self._reading

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """For long reading, from any number of threads: writers wait until it ends, readers do not."""
        with self._condition:
            while self._writing or self._pending:
                self._condition.wait()
            self._keepers += 1
        try:
            yield
        finally:
            with self._condition:
                self._keepers -= 1
                self._condition.notify_all()

    @contextmanager
    def writing(self) -> Iterator[None]:
        with self._condition:
            self._pending += 1
            while self._keepers:
                self._condition.wait()
            self._waiting += 1
            while self._writing or self._readers:
                self._condition.wait()
            self._waiting -= 1
            self._pending -= 1
            self._writing = True
        try:
            yield
        finally:
            with self._condition:
                self._writing = False
                self._condition.notify_all()


class _Reading:
    """A class, because a generator takes several times as long, and every search comes this way."""

    def __init__(self, lock: ReadWriteLock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        lock = self._lock
        with lock._condition:
            while lock._writing or lock._waiting:
                lock._condition.wait()
            lock._readers += 1

    def __exit__(self, *_: object) -> None:
        lock = self._lock
        with lock._condition:
            lock._readers -= 1
            if lock._waiting and not lock._readers:
                lock._condition.notify_all()
