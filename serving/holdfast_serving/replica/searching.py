"""Searches of one replica. Those that wait for the index share one call of it."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from holdfast.base import HoldfastError
from holdfast.search import WHOLE, Cut, Gallery, Recalled, SearchResult, Terms
from holdfast_serving.replica.cascades import Cascades
from holdfast_serving.replica.metrics import Metrics
from holdfast_serving.replica.outcomes import answers
from holdfast_serving.stages import stage
from holdfast_serving.threads import run_in

SEARCHERS = 4
TOGETHER = 64
"""Queries in one call of the index at most."""


@dataclass(frozen=True)
class Kind:
    """What searches have in common that can share a call."""

    version: str
    k: int
    versions: tuple[str, ...] | None
    terms: Terms
    cut: Cut


@dataclass(eq=False)
class Waiting:
    """A query, float32 (d,), that waits for the next call."""

    vector: np.ndarray
    leave_out: str | None
    found: "asyncio.Future[Recalled]"


class Searching:
    """Searches run in threads of their own, so that none waits for a version that loads."""

    def __init__(self, gallery: Gallery, cascades: Cascades, metrics: Metrics) -> None:
        self._gallery, self._cascades, self._metrics = gallery, cascades, metrics
        self._threads = ThreadPoolExecutor(SEARCHERS, thread_name_prefix="search")
        self._queues: dict[Kind, deque[Waiting]] = {}
        self._calls: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def search(
        self,
        vector: np.ndarray,
        version: str,
        k: int,
        filter: Mapping[str, Any] | None,
        versions: Sequence[str] | None,
        leave_out: str | None = None,
        cascade: int | None = None,
        cut: Cut = WHOLE,
    ) -> SearchResult:
        """See `Gallery.search`.

        Args:
            version: by its name.
            cascade: of how many candidates, 0 for none; None for what the settings say.
        """

        async def recall(terms: Terms) -> Recalled:
            with self._metrics.search_seconds.time(), stage("recall"):
                if filter is None:
                    named = None if versions is None else tuple(versions)
                    return await self._queued(Kind(version, k, named, terms, cut), vector, leave_out)
                among = partial(self._gallery.recall, filter=filter, versions=versions, cut=cut)
                return await run_in(
                    self._threads, among, vector, version, k, leave_out=leave_out, terms=terms
                )

        with answers(version):
            return await self._cascades.search(recall, version, cascade)

    async def search_many(
        self,
        vectors: np.ndarray,
        version: str,
        k: int,
        filter: Mapping[str, Any] | None,
        versions: Sequence[str] | None,
        leave_out: Sequence[str | None] = (),
        cascade: int | None = None,
        cut: Cut = WHOLE,
    ) -> list[SearchResult]:
        """`search` for each of several queries of one version. See `Gallery.recall_many`."""
        among = partial(
            self._gallery.recall_many, filter=filter, versions=versions, leave_out=leave_out, cut=cut
        )

        async def recall(terms: Terms) -> list[Recalled]:
            with self._metrics.search_seconds.time(), stage("recall"):
                return await run_in(self._threads, among, vectors, version, k, terms=terms)

        with answers(version):
            return await self._cascades.search_many(recall, version, cascade)

    async def _queued(self, kind: Kind, vector: np.ndarray, leave_out: str | None) -> Recalled:
        loop = asyncio.get_running_loop()
        waiting = Waiting(vector, leave_out, loop.create_future())
        if (queue := self._queues.get(kind)) is not None:
            queue.append(waiting)
        else:
            self._queues[kind] = deque([waiting])
            call = loop.create_task(self._call(kind))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
        return await waiting.found

    async def _call(self, kind: Kind) -> None:
        """One call after the other, each for all that came during the last one, until nobody waits."""
        queue = self._queues[kind]
        try:
            while queue:
                batch = [queue.popleft() for _ in range(min(TOGETHER, len(queue)))]
                batch = [waiting for waiting in batch if not waiting.found.cancelled()]
                try:
                    results = await run_in(self._threads, self._recall, kind, batch)
                except BaseException as error:
                    results = [error if isinstance(error, Exception) else RuntimeError("ended")] * len(batch)
                    if not isinstance(error, Exception):
                        raise
                finally:
                    _give(batch, results)
        finally:
            del self._queues[kind]
            _give(queue, [RuntimeError("ended")] * len(queue))

    def _recall(self, kind: Kind, batch: Sequence[Waiting]) -> list[Recalled | Exception]:
        """For each what was found, or what was raised."""
        together = partial(self._gallery.recall_many, versions=kind.versions, terms=kind.terms, cut=kind.cut)
        if len(batch) > 1:
            try:
                vectors = np.stack([waiting.vector for waiting in batch])
                ids = [waiting.leave_out for waiting in batch]
                return [*together(vectors, kind.version, kind.k, leave_out=ids)]
            except (HoldfastError, ValueError):
                pass  # perhaps about one of them only
        return [self._recall_one(kind, waiting) for waiting in batch]

    def _recall_one(self, kind: Kind, waiting: Waiting) -> Recalled | Exception:
        try:
            return self._gallery.recall(
                waiting.vector,
                kind.version,
                kind.k,
                versions=kind.versions,
                leave_out=waiting.leave_out,
                terms=kind.terms,
                cut=kind.cut,
            )
        except Exception as error:
            return error


def _give(batch: Sequence[Waiting], results: Sequence[Recalled | Exception]) -> None:
    for waiting, result in zip(batch, results, strict=True):
        if waiting.found.done():
            continue
        if isinstance(result, Exception):
            waiting.found.set_exception(result)
        else:
            waiting.found.set_result(result)
