"""How whoever works on a backfill keeps its rate, and lets go of it within a second."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from holdfast.backfill.record import CLAIM_SECONDS, Backfill, Backfills, Claim
from holdfast.base import StoreError

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
"""How often whoever works looks whether it still may."""

Item = TypeVar("Item")

_ADVICE = {
    "no source": "their entries name no image: holdfast embed writes the source of images in folders, and "
    "whoever writes an entry may name one; images in Parquet files have none",
    "outside the allowed sources": "name the folder or URL prefix that they lie below with --sources (of "
    "holdfast serve where a server does the work)",
    "not found": "look whether their folder is where it was, and mounted on the machine that does the work",
    "unreadable": "look at the rights and the network of the machine that does the work",
    "no adapter": "no adapter leads from their version to the target: use --kind re-embed",
}


class RateLimit:
    """Entries a second at most, from the first one on: a resumed backfill begins by waiting, too."""

    def __init__(self, entries_a_second: float | None) -> None:
        self._limit, self._since = entries_a_second, time.monotonic()

    def wait(self, entries: int, halt: threading.Event) -> bool:
        """Wait until so many entries may be moved. False, within a moment, once `halt` is set."""
        if self._limit is not None:
            due = self._since + entries / self._limit
            while not halt.is_set() and (left := due - time.monotonic()) > 0:
                halt.wait(min(left, 3600.0))
            self._since = max(due, time.monotonic())
        return not halt.is_set()


def batch_of(size: int, pace: float | None) -> int:
    """Entries in a batch: at most what a second of the pace allows, else it would be long in coming."""
    return size if pace is None else max(1, min(size, int(pace)))


def ahead(make: Callable[[], Iterator[Item]], halt: threading.Event) -> Iterator[Item]:
    """The items of an iterator that runs in a thread of its own, one ahead; ends once `halt` is set.

    What the thread is busy with then is dropped when it is done; what it raised is raised here.
    """
    made: queue.Queue[tuple[list[Item], BaseException | None]] = queue.Queue(maxsize=1)

    def put(items: list[Item], error: BaseException | None = None) -> bool:
        while not halt.is_set():
            try:
                made.put((items, error), timeout=LOOK_SECONDS)
            except queue.Full:
                continue
            return True
        return False

    def run() -> None:
        try:
            if all(put([item]) for item in make()):
                put([])
        except BaseException as error:
            put([], error)

    threading.Thread(target=run, name="backfill-work", daemon=True).start()
    while not halt.is_set():
        try:
            items, error = made.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            continue
        if error is not None:
            raise error
        if not items:
            return
        yield from items


@contextmanager
def attended(record: Backfills, claim: Claim, stop: threading.Event, halt: threading.Event) -> Iterator[None]:
    """Tells the database that somebody is at work.

    Sets `halt` once the claim no longer holds or `stop` is set, and when the block ends.
    """

    def beat() -> None:
        heard = 0.0
        while not halt.wait(LOOK_SECONDS):
            try:
                tell = time.monotonic() - heard > CLAIM_SECONDS / 5
                if stop.is_set() or not (record.heartbeat if tell else record.holds)(claim):
                    break
                heard = time.monotonic() if tell else heard
            except StoreError as error:
                logger.warning("the backfill %s could not be heard of: %s", claim.name, error)
        halt.set()

    thread = threading.Thread(target=beat, name="backfill-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        halt.set()
        thread.join()


def nothing_moved(found: Backfill) -> str | None:
    """Why a backfill that is over has moved nothing, in a sentence; None if it has, or found nothing."""
    reasons = {reason: count for reason, count in found.skipped.items() if reason != "changed"}
    if found.done or not reasons:
        return None
    counted = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items())
    main = max(reasons, key=lambda reason: reasons[reason])
    advice = f"; {_ADVICE[main]}" if main in _ADVICE else ""
    return f"None of {found.total:,} entries was moved ({counted}){advice}. Then resume it."
