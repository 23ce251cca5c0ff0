"""Working on a backfill, batch by batch, while everybody else goes on.

Whoever holds its claim plans an order, reads the entries, has them moved, and hands every batch to the
writer, which applies it only to entries that nobody has written since.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager

import numpy as np
from sqlalchemy import select

from holdfast.backfill.attending import RateLimit, ahead, attended, batch_of, nothing_moved
from holdfast.backfill.images import READERS, ImageMover
from holdfast.backfill.mover import AdapterMover, Moved, Mover, Stored
from holdfast.backfill.plan import make_plan
from holdfast.backfill.record import Backfill, Backfills, Claim
from holdfast.backfill.remaining import still_old
from holdfast.backfill.sources import Sources, require_sources
from holdfast.base import HoldfastError, NotReadyError
from holdfast.entries import Replace
from holdfast.models import Model
from holdfast.store import Store, in_chunks, metadata, reading

entries = metadata.tables["entries"]

Write = Callable[[Replace], int]
"""Hands a batch to the one writer; returns how many of its rows were applied."""

Spread = Callable[[Model, str, int, Sources], AbstractContextManager[Mover]]
"""Makes a mover that embeds images by a model, of a version of that name, with so many workers."""


def work_on(
    store: Store,
    name: str,
    owner: str,
    write: Write,
    spread: Spread,
    stop: threading.Event | None = None,
    sources: Sequence[str] = (),
) -> Backfill:
    """Claim a backfill and run it until it is over, paused or taken over, or `stop` is set.

    Args:
        owner: who works on it, for people.
        write: how a batch reaches the writer.
        spread: for a backfill that asks for workers.
        sources: folders and URL prefixes below which images may be read; none by default.

    Raises ConflictError if it does not run, NotFoundError, and what `run_backfill` raises. What is in the
    way from the start ends it as failed.
    """
    record = Backfills(store)
    claim = record.claim(name, owner)
    halt = threading.Event()
    with ExitStack() as stack:
        try:
            mover = stack.enter_context(_mover(store, record.get(name), spread, sources, halt))
        except HoldfastError as error:
            record.finish(claim, str(error))
            return record.get(name)
        return run_backfill(store, claim, mover, write, stop, halt)


def run_backfill(
    store: Store,
    claim: Claim,
    mover: Mover,
    write: Write,
    stop: threading.Event | None = None,
    halt: threading.Event | None = None,
) -> Backfill:
    """Work until the backfill is over, is paused or taken over, or `stop` is set; returns it as it is then.

    It returns within a second of that, whatever the pace, and whatever the mover is busy with: what it still
    makes of a batch is dropped. `halt` is set then, for movers that can end early.

    A mistake that a user can mend ends it as failed, with its sentence; it can be resumed. So does a backfill
    that has moved nothing. Without a writer the work is left to whoever comes next, and NotReadyError is
    raised.
    """
    record = Backfills(store)
    stop, halt = stop or threading.Event(), halt or threading.Event()
    try:
        with attended(record, claim, stop, halt):
            found = record.get(claim.name)

            def work() -> Iterator[Moved]:
                return mover.move(_batches(store, found, make_plan(store, found), mover.reads_vectors))

            limit = RateLimit(found.pace)
            for moved in ahead(work, halt):
                if not limit.wait(len(moved.rows), halt):
                    break
                write(Replace(tuple(moved.rows), claim))
                record.skip(claim, moved.skipped)
                if stop.is_set() or halt.is_set() or not record.holds(claim):
                    break
            else:
                if not halt.is_set():
                    record.finish(claim, nothing_moved(record.get(claim.name)))
    except NotReadyError:
        record.release(claim)
        raise
    except HoldfastError as error:
        record.finish(claim, str(error))
    except Exception as error:
        record.finish(claim, f"A defect stopped it: {error!r}.")
        raise
    record.release(claim)
    return record.get(claim.name)


@contextmanager
def _mover(
    store: Store, found: Backfill, spread: Spread, roots: Sequence[str], halt: threading.Event
) -> Iterator[Mover]:
    if found.kind == "map":
        yield AdapterMover(store, found.target, found.sources)
        return
    require_sources(found.kind, roots)
    sources = Sources.of(roots)
    model = store.versions.load(found.target)
    # What an endpoint has become since it was adopted makes no vectors of this version.
    model.check()
    if found.workers:
        with spread(model, found.target, found.workers, sources) as mover:
            yield mover
        return
    readers = ThreadPoolExecutor(READERS, thread_name_prefix="backfill-read")
    try:
        yield ImageMover(model, found.target, readers, sources, halt)
    finally:
        # A file that a network does not deliver is waited for by nobody.
        readers.shutdown(wait=False, cancel_futures=True)


def _batches(store: Store, found: Backfill, plan: np.ndarray, vectors: bool) -> Iterator[list[Stored]]:
    size = batch_of(found.batch_size, found.pace)
    for start in range(0, len(plan), size):
        yield _read(store, found, plan[start : start + size], vectors)


def _read(store: Store, found: Backfill, seqs: np.ndarray, vectors: bool) -> list[Stored]:
    """The entries of these numbers that are still there, in this order."""
    columns = [entries.c.id, entries.c.seq, entries.c.version, entries.c.source, entries.c.mapped_from]
    if vectors:
        columns.append(entries.c.vector)
    rows: dict[int, Stored] = {}
    with reading(store.engine) as connection:
        for some in in_chunks(seqs.tolist()):
            for row in connection.execute(
                select(*columns).where(
                    still_old(found.kind, found.target, found.sources, found.until), entries.c.seq.in_(some)
                )
            ):
                rows[row.seq] = Stored(*row)
    return [rows[seq] for seq in seqs.tolist() if seq in rows]
