"""Entries on their way to an index that all processes share: one process brings them there, beside the
writer, and the gateways only search."""

import logging
import threading
from contextlib import closing

from holdfast.index import IndexSettings, open_index
from holdfast.search import Gallery
from holdfast.store import Store
from holdfast_serving.config import ServingConfig

logger = logging.getLogger(__name__)

_PAUSE = 5.0  # seconds after a failure


def start_feeder(store: Store, config: ServingConfig) -> "Feeder | None":
    """None where every process has an index of its own."""
    feeding = config.index.feeding()
    return None if feeding is None else Feeder(store, feeding, config.follow_seconds)


class Feeder:
    """A thread that follows the database. While the index cannot be reached it tries again."""

    def __init__(self, store: Store, config: IndexSettings, follow_seconds: float) -> None:
        self._store, self._config, self._follow_seconds = store, config, follow_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)
        self._thread.start()

    def is_alive(self) -> bool:
        return self._stop.is_set() or self._thread.is_alive()

    def close(self) -> None:
        """Ends after the rows that are on their way."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._feed()
            except Exception as error:
                logger.warning("the index lags behind the entries: %s", error)
                self._stop.wait(_PAUSE)

    def _feed(self) -> None:
        # Opened anew after a failure: another process may have fed it since.
        with closing(open_index(self._store, self._config)) as index:
            gallery = Gallery(self._store, index)
            while not self._stop.wait(self._follow_seconds):
                gallery.refresh()
