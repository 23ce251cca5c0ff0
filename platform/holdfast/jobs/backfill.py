"""Working on a backfill: mapping vectors, or embedding images anew, here or with Ray Data."""

import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from holdfast.backfill import (
    READERS,
    AdapterMover,
    ImageMover,
    Mover,
    Sources,
    Write,
    require_sources,
    run_backfill,
)
from holdfast.base import HoldfastError
from holdfast.jobs.runtime import prepare_environment
from holdfast.store import Backfill, Store


def work_on_backfill(
    store: Store,
    name: str,
    owner: str,
    write: Write,
    stop: threading.Event | None = None,
    sources: Sequence[str] = (),
) -> Backfill:
    """Claim a backfill and run it until it is over, paused or taken over, or `stop` is set.

    Args:
        owner: who works on it, for people.
        write: how a batch reaches the writer.
        sources: folders and URL prefixes below which images may be read; none by default.

    Raises ConflictError if it does not run, NotFoundError, and what `run_backfill` raises. What is in the
    way from the start ends it as failed.
    """
    claim = store.backfills.claim(name, owner)
    found = store.backfills.get(name)
    halt = threading.Event()
    with ExitStack() as stack:
        try:
            mover = stack.enter_context(_mover(store, found, sources, halt))
        except HoldfastError as error:
            store.backfills.finish(claim, str(error))
            return store.backfills.get(name)
        return run_backfill(store, claim, mover, write, stop, halt)


@contextmanager
def _mover(store: Store, found: Backfill, roots: Sequence[str], halt: threading.Event) -> Iterator[Mover]:
    if found.kind == "map":
        yield AdapterMover(store, found.target, found.sources)
        return
    require_sources(found.kind, roots)
    sources = Sources.of(roots)
    encoder = store.load(found.target)
    if found.workers == 0:
        readers = ThreadPoolExecutor(READERS, thread_name_prefix="backfill-read")
        try:
            yield ImageMover(encoder, found.target, readers, sources, halt)
        finally:
            # A file that a network does not deliver is waited for by nobody.
            readers.shutdown(wait=False, cancel_futures=True)
        return
    if "ray" not in sys.modules:  # beside a server Ray runs already, as the server has set it up
        prepare_environment()
    from holdfast.jobs.backfill_on_ray import ray_mover

    with ray_mover(encoder, found.target, found.workers, sources) as mover:
        yield mover
