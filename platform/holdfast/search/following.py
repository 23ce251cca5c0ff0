"""An index that follows the database: write after write, or anew where their histories differ."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from holdfast.base import NotReadyError
from holdfast.entries import CHUNK, Entries
from holdfast.index import Index, ReadWriteLock
from holdfast.search.known import Known
from holdfast.search.upkeep import Upkeep
from holdfast.store import NO_MARK, Changes, Store

logger = logging.getLogger(__name__)

_OTHER_HISTORY = "another database, or of another history of this one (restored from a backup)"
_SLICE = 500  # rows that are taken over at a time beside searches, at most
_FEWEST = 100
_HELD = 0.004  # seconds for which a slice may hold searches up, before the next one is smaller
_YIELD = 8  # times as long as a slice held searches up, they have for themselves
_MOMENT = 0.25  # seconds


class Follower:
    """Brings an index up to date, for one thread at a time; what it knows of the store comes first.

    Attributes:
        lock: under which the index is read and changed.
        applied: the number of the last write that searches see.
    """

    def __init__(self, store: Store, entries: Entries, index: Index, known: Known) -> None:
        self.lock = ReadWriteLock()
        self.applied = index.applied
        self._store, self._entries, self._index, self._known = store, entries, index, known
        self._mark = index.mark  # of that write or a later one
        self._upkeep = Upkeep()
        self._refreshing = threading.Lock()
        self._unready = ""  # why searches have to wait
        self._confirmed = False
        self._searches = 0
        self._held = 0.0  # seconds for which writes have held searches up
        self._slice = _SLICE  # rows; those that move from one version to another hold up longer than new ones

    def announce_search(self) -> None:
        """Somebody searches, so that `follow` leaves time for it. Raises NotReadyError while nobody can."""
        if self._unready:
            raise NotReadyError(self._unready)
        self._searches += 1

    def refresh(self) -> int:
        """Take over all writes; returns the number of the last one."""
        while self.advance(CHUNK):
            pass
        return self.applied

    def follow(self) -> int:
        """Take writes over for a moment, beside searches: when there are any, they keep most of the time.

        Under a flood of writes the index falls behind, and later calls bring it nearer. Returns the number of
        the last write that searches now see.
        """
        until = time.monotonic() + _MOMENT
        while True:
            searches, held, began = self._searches, self._held, time.perf_counter()
            if not self.advance(self._slice) or time.monotonic() > until:
                return self.applied
            held = self._held - held
            if self._searches == searches:
                self._slice = _SLICE
                continue
            # What was done beside them took half of the machine.
            time.sleep(_YIELD * held + time.perf_counter() - began - held)
            if held > _HELD:
                self._slice = max(_FEWEST, self._slice // 2)
            elif 2 * held < _HELD:
                self._slice = min(_SLICE, self._slice * 2)

    def advance(self, limit: int) -> bool:
        """Take over at most so many rows; False if that were all."""
        with self._refreshing:
            nonces = self._store.nonces()
            self._known.refresh(nonces)
            if not self._index.capabilities.feeds:
                self._follow_feeder()
                return False
            mark = self._mark
            if mark is None or mark.nonce != nonces["entries"] or mark.seq > self.applied:
                changes = self._entries.follow(self.applied, mark, limit)
                if changes is None:
                    self._begin_anew(f"holds write {self.applied} of {_OTHER_HISTORY}")
                    return True
                self._take_over(changes)
                if changes.mark is None or changes.mark.nonce != nonces["entries"]:
                    return True
                if changes.mark.seq > self.applied:
                    return True
            if self._has_lost_entries():
                self._begin_anew("has lost entries since it was written")
                return True
            self._unready = ""
            self._upkeep.start(self._index.overdue(), self.lock)
            return False

    def settle(self) -> None:
        """Wait until the index has done what makes searches better."""
        while self._upkeep.wait():
            self.refresh()

    def rebuild(self) -> int:
        """Throw the index away and build it again; returns the number of the last write."""
        with self._refreshing:
            self._clear()
        return self.refresh()

    @contextmanager
    def standing_still(self) -> Iterator[int]:
        """While this lasts no write is taken over; gives the number of the last one."""
        with self._refreshing:
            yield self.applied

    def _take_over(self, changes: Changes) -> None:
        assert changes.mark is not None
        mark, capabilities = changes.mark, self._index.capabilities
        if capabilities.durable and len(changes):
            # What outlives this process outlives the marks of writes, too.
            before = self._index.mark or NO_MARK
            kept = self._store.history.keep(mark, changes.seqs[-1], capabilities.place, before)
            changes = replace(changes, mark=kept)
        if len(changes):
            self._index.prepare(changes)
        with self.lock.writing():
            began = time.perf_counter()
            if len(changes):
                self._index.apply(changes)
            # Rows may have been removed by hand: then the last number belongs to none.
            self.applied = changes.seqs[-1] if len(changes) else mark.seq
            self._mark = mark
            self._held += time.perf_counter() - began

    def _follow_feeder(self) -> None:
        self.applied, mark = self._index.follow(), self._index.mark
        if self.applied and not (mark and self._store.history.known([mark])):
            self._unready = (
                f"The index is of {_OTHER_HISTORY}: its feeder builds it anew, or it belongs to another "
                "gallery, and then this one needs another name for it."
            )
        else:
            self._unready = ""

    def _has_lost_entries(self) -> bool:
        """Whether an index that outlives processes holds other numbers of entries than the database; looked
        at once, when it has caught up for the first time."""
        if self._confirmed or not self._index.capabilities.durable:
            return False
        last, counts = self._entries.counted()
        if last != self.applied:
            return False
        self._confirmed = True
        return counts != self._index.count()

    def _begin_anew(self, why: str) -> None:
        logger.warning("The index %s: it is built anew.", why)
        self._clear()

    def _clear(self) -> None:
        self._unready = "The index is being built anew: try again soon."
        with self.lock.writing():
            self._index.clear()
            self.applied, self._mark = 0, None
