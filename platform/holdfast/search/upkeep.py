"""Long work on an index, in a thread beside searches and changes, one piece at a time."""

import logging
import threading
import time
from collections.abc import Callable

from holdfast.base import behind_others
from holdfast.index import ReadWriteLock

logger = logging.getLogger(__name__)

_PAUSE = 60.0  # seconds after a failure

Work = Callable[[ReadWriteLock], object]


class Upkeep:
    """At most one thread. Work that fails is logged, and begun again no sooner than after a minute: the index
    answers without it."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._not_before = 0.0

    def start(self, work: Work | None, lock: ReadWriteLock) -> None:
        """Begin this work, unless there is none, or other work goes on. Not for two threads at once."""
        if work is None or time.monotonic() < self._not_before:
            return
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, args=(work, lock), name="upkeep", daemon=True)
            self._thread.start()

    def wait(self) -> bool:
        """Wait for the work that goes on; False if there was none."""
        thread = self._thread
        if thread is None:
            return False
        thread.join()
        if self._thread is thread:
            self._thread = None
        return True

    def _run(self, work: Work, lock: ReadWriteLock) -> None:
        started = time.monotonic()
        behind_others()  # searches go first
        try:
            work(lock)
        except Exception:
            self._not_before = time.monotonic() + _PAUSE
            logger.exception("the index goes on as it is; it will be tried again in %.0f s", _PAUSE)
        else:
            logger.info("the index was made anew beside searches in %.1f s", time.monotonic() - started)
