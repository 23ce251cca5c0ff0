"""Mapped copies of entries, as they are in the space of a version that searches them."""

import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Container
from typing import TYPE_CHECKING

import numpy as np

from holdfast.base import InvalidVectorError
from holdfast.index import ReadWriteLock
from holdfast.index.local.flat import FlatVectors
from holdfast.index.local.partition import Partition

if TYPE_CHECKING:
    from holdfast.adapters import Adapter

logger = logging.getLogger(__name__)

_SOON = 60.0  # seconds
_CHUNK = 65_536  # entries that are copied under the lock, and mapped, at a time


class View:
    """The vectors of a partition as an adapter maps them, in the same slots.

    Args:
        digest: the adapter's.
    """

    def __init__(self, partition: Partition, adapter: "Adapter", digest: str) -> None:
        self.partition = partition
        self.digest = digest
        self.vectors = FlatVectors(adapter.target_dimension)
        self._adapter = adapter
        self._revision = -1

    @property
    def is_current(self) -> bool:
        """Whether every entry of the partition is in it, as it is now, and the index holds the partition."""
        return not self.partition.retired and self._revision == self.partition.revision

    def bytes(self) -> int:
        return self.vectors.bytes()

    def fill(self, lock: ReadWriteLock) -> None:
        """Map the whole partition while others read and write it; what they change meanwhile is missing."""
        with lock.reading():
            self._revision = self.partition.revision
        while True:
            with lock.unchanged():
                at = len(self.vectors)
                end = min(at + _CHUNK, len(self.partition))
                chunk = self.partition.vectors.rows(np.arange(at, end))
            if not len(chunk):
                return
            self.vectors.extend(self._adapter.apply(chunk))

    def follow(self) -> None:
        """Map what changed in the partition, and only that. The caller has partition and view to itself."""
        changed = self.partition.changed_since(self._revision)
        self.vectors.truncate(len(self.partition))
        fresh = np.searchsorted(changed, len(self.vectors))
        if len(changed):
            mapped = self._adapter.apply(self.partition.vectors.rows(changed))
            self.vectors.replace(changed[:fresh], mapped[:fresh])
            self.vectors.extend(mapped[fresh:])
        self._revision = self.partition.revision


class Views:
    """The views of those query versions that searched last; at most `query_versions` of them.

    A view is read under the reading lock of the index and changed under its writing lock; this class keeps
    only the books, by a lock of its own.
    """

    def __init__(self, query_versions: int) -> None:
        self._most = query_versions
        self._by_query: OrderedDict[str, dict[tuple[str, str], View]] = OrderedDict()
        self._dropped: dict[str, float] = {}  # when each query version lost its place
        self._warned = -math.inf
        self._lock = threading.Lock()

    def find(self, query: str, gallery: str, digest: str) -> View | None:
        """The view of a partition for a query version, which is thereby the last one used."""
        with self._lock:
            if query not in self._by_query:
                return None
            self._by_query.move_to_end(query)
            return self._by_query[query].get((gallery, digest))

    def add(self, query: str, view: View) -> None:
        """Keep a view, in place of the longest unused query version's if there are too many."""
        with self._lock:
            own = self._by_query.setdefault(query, {})
            own[view.partition.version, view.digest] = view
            self._by_query.move_to_end(query)
            while len(self._by_query) > self._most:
                loser, _ = self._by_query.popitem(last=False)
                self._dropped[loser] = time.monotonic()
            self._warn_if_short(query)

    def _warn_if_short(self, query: str) -> None:
        """A version that is back so soon will lose its place again, and its next search map all anew."""
        now = time.monotonic()
        if now - self._dropped.pop(query, -math.inf) < _SOON and now - self._warned > _SOON:
            self._warned = now
            logger.warning(
                "More than %d versions search through adapters at once, and mapped entries are kept for so "
                "many: each search of another maps all of them anew. Set index.query_versions higher.",
                self._most,
            )

    def keep(self, digests: Container[str]) -> None:
        """Drop the views made with other adapters than these."""
        with self._lock:
            for query, own in list(self._by_query.items()):
                self._by_query[query] = {key: view for key, view in own.items() if key[1] in digests}

    def forget(self, partition: Partition) -> None:
        """Drop the views of a partition."""
        with self._lock:
            for query, own in list(self._by_query.items()):
                kept = {key: view for key, view in own.items() if view.partition is not partition}
                self._by_query[query] = kept

    def bytes(self) -> int:
        with self._lock:
            return sum(view.bytes() for own in self._by_query.values() for view in own.values())

    def follow(self) -> None:
        """Take over what changed in the partitions. The caller has the index to itself."""
        with self._lock:
            for own in self._by_query.values():
                for key, view in list(own.items()):
                    try:
                        if not view.is_current:
                            view.follow()
                    except InvalidVectorError:
                        # An entry that this map cannot take must not stop the index: the searches of this
                        # query version make the view anew, and say why they cannot.
                        del own[key]
