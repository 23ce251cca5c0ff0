"""Vectors that searches came by, on their way into the gallery: beside the answers, and only where nobody
loses sight of the entries."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from holdfast.backfill.rules import takes_entries, unreachable
from holdfast.base import StoreError
from holdfast.entries import NewVector, Replace
from holdfast.store import Store, aliases, lock_counter, reading

_VERDICT_SECONDS = 5.0


@dataclass(frozen=True)
class InSight:
    """A claim that holds while all versions that answer queries, or answered them last, may search entries of
    `target`: what a backfill looks at when it is made, each batch of a search's vectors does."""

    target: str

    def holds(self, connection: Connection) -> bool:
        """Nobody changes the traffic until the transaction ends."""
        lock_counter(connection, "traffic")
        return takes_entries(connection, self.target) and not unreachable(
            connection, self.target, aliases(connection)
        )

    def count(self, connection: Connection, moved: int, left: int) -> None:
        """Nobody counts them here."""


class Keeping:
    """What waits to be written, `limit` vectors at most: more are dropped, and come again with the next
    search that recalls their entries. Safe to use from many threads."""

    def __init__(self, store: Store, limit: int) -> None:
        self._engine, self._limit = store.engine, limit
        self._waiting: dict[tuple[str, int, str], NewVector] = {}
        self._lock = threading.Lock()
        self._verdicts: dict[str, tuple[float, bool]] = {}
        self.dropped = 0

    def offer(self, rows: Sequence[NewVector]) -> int:
        """Rows of one version; returns how many of them are on their way."""
        if not rows or not self._may(rows[0].version):
            return 0
        taken = 0
        with self._lock:
            for row in rows:
                key = (row.id, row.seq, row.version)
                if key in self._waiting or len(self._waiting) < self._limit:
                    self._waiting[key] = row
                    taken += 1
            self.dropped += len(rows) - taken
        return taken

    def take(self, most: int) -> Replace | None:
        """The oldest ones of one version, which are waited for no longer; None if there are none."""
        with self._lock:
            if not self._waiting:
                return None
            target = next(iter(self._waiting))[2]
            keys = [key for key in self._waiting if key[2] == target][:most]
            return Replace(tuple(self._waiting.pop(key) for key in keys), InSight(target))

    def _may(self, target: str) -> bool:
        """Whether a claim would hold, as of some seconds ago; it decides, and is spared needless rows."""
        now = time.monotonic()
        until, verdict = self._verdicts.get(target, (0.0, False))
        if now >= until:
            try:
                with reading(self._engine) as connection:
                    verdict = takes_entries(connection, target) and not unreachable(
                        connection, target, aliases(connection)
                    )
            except StoreError:
                verdict = False
            self._verdicts[target] = now + _VERDICT_SECONDS, verdict
        return verdict
