"""Backfills beside the writer: a thread that works off what runs and nobody attends to."""

import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence

from holdfast.backfill import Backfills
from holdfast.base import HoldfastError, behind_others
from holdfast.entries import Replace
from holdfast.store import Store

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


class Backfiller:
    """Takes up backfills, one after the other: new ones, resumed ones, and those whose worker died.

    It runs in the writer's process at a lower priority, so a restarted writer goes on where the last one
    was killed: the record and the entries tell all there is to know.
    """

    def __init__(
        self,
        store: Store,
        write: Callable[[Replace], int],
        sources: Sequence[str] = (),
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._store = store
        self._write = write
        self._sources = sources
        self._look_seconds = look_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="backfiller", daemon=True)
        self._thread.start()

    def is_alive(self) -> bool:
        return self._stop.is_set() or self._thread.is_alive()

    def close(self) -> None:
        """Ends after the batch that is in progress; whoever comes next goes on from there."""
        self._stop.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        behind_others()
        while not self._stop.wait(self._look_seconds):
            try:
                for found in Backfills(self._store).unattended():
                    self._work(found.name)
            except HoldfastError as error:
                logger.warning("backfills have to wait: %s", error)
            except Exception:
                logger.exception("a backfill stopped")

    def _work(self, name: str) -> None:
        # PyTorch and what comes with it, only once there is work.
        from holdfast.jobs import work_on_backfill

        if self._stop.is_set():
            return
        owner = f"the server on {socket.gethostname()}, process {os.getpid()}"
        found = work_on_backfill(self._store, name, owner, self._write, self._stop, self._sources)
        logger.info("backfill %s is %s: %d of %d", found.name, found.status, found.done, found.total)
