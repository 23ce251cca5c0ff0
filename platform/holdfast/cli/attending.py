"""Seeing a backfill through: doing its work here, or watching whoever does it."""

import math
import os
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from rich.console import Console

from holdfast.backfill import Backfills
from holdfast.cli.printing import bars
from holdfast.entries import Entries, Lease, LeaseHeldError, LeaseLostError, Replace, refuse_if_held
from holdfast.store import Store

LOOK_SECONDS = 0.5
RESTART_SECONDS = 60.0
"""So long after a server went away it may come back, and go on with what it did."""


def attend(store: Store, name: str, roots: Sequence[str], gpus: float = 0.0) -> None:
    """Returns when the backfill no longer runs, whoever worked on it.

    Args:
        roots, gpus: below which images may be read, and what each of its workers takes, if this process does
            the work.
    """
    stop = threading.Event()
    working: Future[Any] | None = None
    held = -math.inf
    with bars(Console(stderr=True)) as shown, ThreadPoolExecutor(1) as threads:
        bar = shown.add_task(name, total=None)
        try:
            while (found := Backfills(store).get(name)).status == "running":
                shown.update(bar, completed=found.total - found.left, total=found.total)
                if working is not None and working.done():
                    # Whoever writes now goes on with it.
                    with suppress(LeaseHeldError, LeaseLostError):
                        working.result()
                    working = None
                if working is None:
                    if has_writer(store):
                        held = time.monotonic()
                    elif time.monotonic() - held > RESTART_SECONDS and _is_unattended(store, name):
                        working = threads.submit(_work, store, name, roots, gpus, stop)
                time.sleep(LOOK_SECONDS / 5 if working is not None else LOOK_SECONDS)
        finally:
            stop.set()


def has_writer(store: Store) -> bool:
    """Whether somebody writes to this store now, such as a server."""
    try:
        refuse_if_held(store)
    except LeaseHeldError:
        return True
    return False


def _is_unattended(store: Store, name: str) -> bool:
    return name in {each.name for each in Backfills(store).unattended()}


def _work(store: Store, name: str, roots: Sequence[str], gpus: float, stop: threading.Event) -> None:
    from holdfast.jobs import work_on_backfill

    entries = Entries(store)
    owner = f"holdfast backfill on {socket.gethostname()}, process {os.getpid()}"
    with Lease.take(store) as lease:

        def write(change: Replace) -> int:
            return entries.submit(change, lease.fence)

        work_on_backfill(store, name, owner, write, stop, roots, gpus)
