"""Scheduled changes of the traffic beside the writer: a thread that makes them when their moment comes."""

import logging
import threading

from holdfast.base import HoldfastError
from holdfast.store import Store

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


class Scheduler:
    """Makes what is due, once, whichever server is first: the store sees to that.

    A version that is to answer queries is loaded and checked here before, as a gateway does for who asks it.
    """

    def __init__(self, store: Store, late_seconds: float, look_seconds: float = LOOK_SECONDS) -> None:
        self._store, self._late_seconds, self._look_seconds = store, late_seconds, look_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)
        self._thread.start()

    def is_alive(self) -> bool:
        return self._stop.is_set() or self._thread.is_alive()

    def close(self) -> None:
        """Ends after the change that is in progress."""
        self._stop.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._look_seconds):
            try:
                for made in self._store.schedules.make_due(self._check, self._late_seconds):
                    logger.warning("scheduled change %s is %s: %s", made.name, made.status, made.error or "")
            except HoldfastError as error:
                logger.warning("scheduled changes have to wait: %s", error)
            except Exception:
                logger.exception("a scheduled change was not made")

    def _check(self, version: str) -> None:
        self._store.versions.load(version).check()
