"""Cascades of one replica: candidates go through the queue of the version that asks, and what was embedded
goes to the writer beside the answers."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from holdfast.backfill import Keeping, OnRead, Sources
from holdfast.base import HoldfastError
from holdfast.entries import Replace
from holdfast.search import Embedded, Recalled, SearchResult, Terms
from holdfast.store import Store
from holdfast_serving.config import ServingConfig
from holdfast_serving.replica.embedder import Embedder
from holdfast_serving.replica.metrics import Metrics
from holdfast_serving.replica.versions import LoadedVersions
from holdfast_serving.stages import stage
from holdfast_serving.threads import run_in

logger = logging.getLogger(__name__)

WAITING = 32
"""Searches that wait for images at a time; more of them wait for those, within their budget."""
WRITTEN = 256
"""Vectors in one write at most."""
GRACE = 0.1
"""Seconds after its budget that a search waits for what was embedded within it."""
MODEL_SECONDS = 60.0

Submit = Callable[[Replace], Awaitable[int]]
Recall = Callable[[Terms], Awaitable[Recalled]]
RecallMany = Callable[[Terms], Awaitable[list[Recalled]]]


@dataclass(frozen=True)
class Queued:
    """A loaded version for threads: its passes are those of its queue, on the event loop."""

    embedder: Embedder
    loop: asyncio.AbstractEventLoop

    def prepare(self, image: bytes) -> np.ndarray:
        return self.embedder.prepare(image)

    def embed(self, images: np.ndarray) -> np.ndarray:
        passed = asyncio.run_coroutine_threadsafe(self.embedder.embed_prepared(images), self.loop)
        return passed.result(MODEL_SECONDS)


class Cascades:
    """Embeds candidates within the budget, and writes what came of it from time to time."""

    def __init__(
        self, config: ServingConfig, store: Store, metrics: Metrics, versions: LoadedVersions, submit: Submit
    ) -> None:
        self._config, self._metrics, self._versions, self._submit = config.cascade, metrics, versions, submit
        self._pause = config.follow_seconds
        self._keeping = Keeping(store, config.cascade.waiting)
        keeping = self._keeping if config.cascade.keep else None
        self._on_read = OnRead(store, readable(config.sources), config.cascade, keeping)
        self._threads = ThreadPoolExecutor(WAITING, thread_name_prefix="cascade")
        self._writing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Writes until `close`."""
        self._writing = asyncio.get_running_loop().create_task(self._write_on())

    def close(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
        self._on_read.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def search(self, recall: Recall, version: str, candidates: int | None) -> SearchResult:
        """The answer of a search, later than what it recalls by no more than the budget.

        Args:
            candidates: how many the request asks for, 0 for no cascade; None for what the settings say.

        Raises HoldfastError for a request that asks for what cannot be, and what `Gallery.recall` raises.
        """
        return await self._ranked(await recall(self._terms(version, candidates)), recall, version, candidates)

    async def search_many(
        self, recall: RecallMany, version: str, candidates: int | None
    ) -> list[SearchResult]:
        """The answers of several searches, beside each other: later than what they recall by no more than the
        budget of one."""

        async def ranked(at: int, recalled: Recalled) -> SearchResult:
            async def again(terms: Terms) -> Recalled:
                return (await recall(terms))[at]

            return await self._ranked(recalled, again, version, candidates)

        recalled = await recall(self._terms(version, candidates))
        return await asyncio.gather(*(ranked(at, each) for at, each in enumerate(recalled)))

    async def _ranked(
        self, recalled: Recalled, recall: Recall, version: str, candidates: int | None
    ) -> SearchResult:
        embedded = Embedded()
        if missing := recalled.missing:
            deadline = time.monotonic() + self._config.seconds
            with contextlib.suppress(TimeoutError), self._metrics.cascade_seconds.time(), stage("cascade"):
                async with asyncio.timeout(self._config.seconds + GRACE):
                    embedder = await self._versions.get(version)
                    if "image" in embedder.takes:
                        eye = Queued(embedder, asyncio.get_running_loop())
                        embed = partial(self._on_read.embed, eye, version, missing, deadline)
                        embedded = await run_in(self._threads, embed)
                    else:
                        # Now that it is loaded, this is an obstacle.
                        recalled = await recall(self._terms(version, candidates))
        with stage("rank"):
            return self._counted(recalled.ranked(embedded))

    def _terms(self, version: str, candidates: int | None) -> Terms:
        if candidates == 0:
            return Terms(obstacle="the request asks for none (cascade: 0)")
        embedder = self._versions.loaded(version)
        terms = self._on_read.terms(version, None if embedder is None else embedder.takes)
        if candidates is None:
            return terms
        if terms.obstacle:
            raise HoldfastError(f"cascade: it embeds the images of entries, and {terms.obstacle}.")
        return Terms(candidates, always=True)

    def _counted(self, result: SearchResult) -> SearchResult:
        if (done := result.cascade) is not None:
            for outcome in ("own", "cached", "embedded", "unreachable", "over_budget"):
                self._metrics.cascade_candidates.labels(outcome).inc(getattr(done, outcome))
        return result

    async def _write_on(self) -> None:
        while True:
            await asyncio.sleep(self._pause)
            try:
                while (batch := self._keeping.take(WRITTEN)) is not None:
                    await self._write(batch)
            except Exception:
                logger.exception("vectors of searches were not written; they will come again")

    async def _write(self, batch: Replace) -> None:
        written = 0
        try:
            written = await self._submit(batch)
        except HoldfastError as error:
            logger.warning("vectors of searches were not written: %s", error)
        self._metrics.cascade_vectors.labels("kept").inc(written)
        self._metrics.cascade_vectors.labels("not_kept").inc(len(batch.rows) - written)


def readable(roots: Sequence[str]) -> Sources:
    """What an operator lets be read; nothing where that cannot be told."""
    try:
        return Sources.of(roots)
    except HoldfastError as error:
        logger.warning("no image of an entry can be read: %s", error)
        return Sources()
