"""The shadow of one replica: a candidate answers the live version's queries once more, after the answer."""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import random
from typing import Any

import numpy as np

from holdfast.backfill import Sources, UnreadableError, read_image
from holdfast.base import HoldfastError
from holdfast.index import Hit
from holdfast.search import WITHOUT, Gallery
from holdfast.store import Store, Tally, Traffic
from holdfast_serving.config import ShadowConfig
from holdfast_serving.replica.embedder import Embedder
from holdfast_serving.replica.images import image_bytes
from holdfast_serving.replica.metrics import Metrics
from holdfast_serving.replica.versions import LoadedVersions
from holdfast_serving.threads import run_in

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 2.0


@dataclass(frozen=True, eq=False)
class Asked:
    """A query that the live version answered: what was asked, what was found, and how long it took.

    Attributes:
        version: that answered.
        image, text, entry: one of them, as the request had it (`entry`: an id); none for a vector.
        relevant: ids of right answers, where the client knows them.
        seconds: from the image or text to the hits; None where it was one of many in a request.
        whole: whether the hits are the best ones, and not those above a threshold, or one of each group.
    """

    version: str
    image: str | bytes | None
    text: str | None
    entry: str | None
    k: int
    filter: Mapping[str, Any] | None
    versions: Sequence[str] | None
    relevant: frozenset[str] | None
    hits: Sequence[Hit]
    seconds: float | None
    whole: bool = True

    @property
    def size(self) -> int:
        return len(self.image or self.text or self.entry or "")


@dataclass(frozen=True, eq=False)
class Pair:
    """A live version and its shadow, since one record, and what was found since in this process."""

    since: Traffic
    share: float
    tally: Tally

    @property
    def live(self) -> str:
        return str(self.since.query_version)

    @property
    def shadow(self) -> str:
        return str(self.since.shadow_version)


class NotComparableError(Exception):
    """A query that the shadow cannot be asked: there is nothing that it could embed."""


class Shadow:
    """Asks the shadow in tasks and threads of its own, a few queries at a time, and drops what is too much.

    It ranks without cascades: these would write what they embed into the gallery.
    """

    def __init__(
        self,
        config: ShadowConfig,
        store: Store,
        gallery: Gallery,
        versions: LoadedVersions,
        metrics: Metrics,
        sources: Sources,
    ) -> None:
        self._config, self._store, self._gallery, self._versions = config, store, gallery, versions
        self._metrics, self._sources = metrics, sources
        self._source = uuid.uuid4().hex
        self._pair: Pair | None = None
        self._saved = Tally()
        self._waiting: asyncio.Queue[tuple[Pair, Asked]] = asyncio.Queue(config.waiting)
        self._bytes = 0
        self._threads = ThreadPoolExecutor(config.workers, thread_name_prefix="shadow")
        self._saving = ThreadPoolExecutor(1, thread_name_prefix="shadow-store")
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Asks until `close`."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._work()) for _ in range(self._config.workers)]
        self._tasks.append(loop.create_task(self._save_on()))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self.save(), CLOSE_SECONDS)
        for threads in (self._threads, self._saving):
            threads.shutdown(wait=False, cancel_futures=True)

    @property
    def version(self) -> str | None:
        """The shadow of now."""
        return None if self._pair is None else self._pair.shadow

    async def follow(self, traffic: Traffic) -> None:
        """Takes over a record. Another live version or another shadow begins with nothing found."""
        if traffic.shadow_version is None:
            await self._begin(None)
            return
        since = await run_in(self._saving, self._store.shadows.began)
        if since is None or (since.query_version, since.shadow_version) != (
            traffic.query_version,
            traffic.shadow_version,
        ):
            return  # the record has changed once more, and comes again
        same = self._pair is not None and self._pair.since == since
        tally = self._pair.tally if same and self._pair is not None else Tally()
        await self._begin(Pair(since, traffic.shadow_share, tally))

    def watches(self, version: str) -> bool:
        """Whether what a version answers is to be offered."""
        return self._pair is not None and version == self._pair.live

    async def offer(self, *answered: Asked) -> None:
        """Hand over what the live version has answered. Returns at once, whatever becomes of it."""
        if (pair := self._pair) is not None:
            for asked in answered:
                self._offer(pair, asked)

    def _offer(self, pair: Pair, asked: Asked) -> None:
        if asked.version != pair.live or random() >= pair.share:
            return
        if not asked.whole or (asked.image is None and asked.text is None and asked.entry is None):
            self._omit(pair, "not_comparable")
            return
        if self._bytes + asked.size > self._config.waiting_bytes or self._waiting.full():
            self._omit(pair, "dropped")
            return
        self._bytes += asked.size
        self._waiting.put_nowait((pair, asked))

    async def save(self) -> None:
        """Write what was found since the last time. Raises what the store does."""
        if (pair := self._pair) is None or pair.tally == self._saved:
            return
        found = pair.tally + Tally()
        await run_in(self._saving, self._store.shadows.put, pair.since, self._source, found)
        if self._pair is pair:
            self._saved = found

    async def _begin(self, pair: Pair | None) -> None:
        if self._pair is not None and (pair is None or pair.tally is not self._pair.tally):
            with contextlib.suppress(HoldfastError):
                await self.save()
            self._saved = Tally()
        self._pair = pair

    async def _work(self) -> None:
        while True:
            pair, asked = await self._waiting.get()
            self._bytes -= asked.size
            try:
                await self._ask(pair, asked)
            except NotComparableError:
                self._omit(pair, "not_comparable")
            except HoldfastError as error:
                self._fail(pair, error.code, str(error))
            except Exception as error:
                logger.warning("the shadow %s failed", pair.shadow, exc_info=error)
                self._fail(pair, "internal", f"{type(error).__name__}: {error}")

    async def _ask(self, pair: Pair, asked: Asked) -> None:
        embedder = await self._versions.keep(pair.shadow)
        if pair is not self._pair and (self._pair is None or pair.tally is not self._pair.tally):
            return  # it is no shadow any more
        vector, spared = await self._embed(embedder, asked)
        begun = time.perf_counter()
        recalled = await run_in(
            self._threads, self._gallery.recall, vector, pair.shadow, asked.k, filter=asked.filter,
            versions=asked.versions, leave_out=asked.entry, terms=WITHOUT,
        )  # fmt: skip
        hits = recalled.ranked().hits
        seconds = spared + time.perf_counter() - begun
        live, shadow = [hit.id for hit in asked.hits], [hit.id for hit in hits]
        overlap = pair.tally.compared(live, shadow, asked.seconds, seconds)
        self._metrics.shadow_queries.labels("compared").inc()
        self._metrics.shadow_overlap.observe(overlap)
        if asked.seconds is not None:
            self._metrics.shadow_seconds.labels("live").observe(asked.seconds)
            self._metrics.shadow_seconds.labels("shadow").observe(seconds)
        await self._judge(pair, asked, hits)

    async def _embed(self, embedder: Embedder, asked: Asked) -> tuple[np.ndarray, float]:
        """The query in the shadow's space, (d,), and the seconds that it took."""
        begun = time.perf_counter()
        if asked.text is not None:
            vector = (await embedder.embed_text([asked.text]))[0]
        elif asked.image is not None:
            vector = await self._embed_image(embedder, image_bytes(asked.image, "image"))
        else:
            made_by, vector = await self._entry(embedder.version, str(asked.entry))
            if made_by != embedder.version:
                content = await run_in(self._threads, self._read, str(asked.entry))
                begun = time.perf_counter()  # the live version read no image
                vector = await self._embed_image(embedder, content)
        return vector, time.perf_counter() - begun

    async def _embed_image(self, embedder: Embedder, content: bytes) -> np.ndarray:
        pixels = await run_in(self._threads, embedder.prepare, content)
        vector: np.ndarray = (await embedder.embed_prepared(pixels[None]))[0]
        return vector

    async def _entry(self, shadow: str, identifier: str) -> tuple[str, np.ndarray]:
        def find() -> tuple[str, np.ndarray]:
            return self._gallery.find(identifier, self._gallery.version(shadow))

        return await run_in(self._threads, find)

    def _read(self, identifier: str) -> bytes:
        try:
            return read_image(self._gallery.get(identifier).source, self._sources)
        except UnreadableError:
            raise NotComparableError from None

    async def _judge(self, pair: Pair, asked: Asked, hits: Sequence[Hit]) -> None:
        """Count whether each put a relevant entry first, if it is known which are."""
        name = self._config.relevance
        if asked.relevant is not None:
            right = [bool(found) and found[0].id in asked.relevant for found in (asked.hits, hits)]
        elif name is not None and asked.entry is not None:
            entry = await run_in(self._threads, self._gallery.get, asked.entry)
            if (value := entry.attributes.get(name)) is None:
                return
            right = [bool(found) and found[0].attributes.get(name) == value for found in (asked.hits, hits)]
        else:
            return
        self._metrics.shadow_flips.labels(pair.tally.judged(*right)).inc()

    def _fail(self, pair: Pair, code: str, message: str) -> None:
        pair.tally.failed(code, message)
        self._metrics.shadow_queries.labels("failed").inc()

    def _omit(self, pair: Pair, why: Any) -> None:
        pair.tally.omitted(why)
        self._metrics.shadow_queries.labels(why).inc()

    async def _save_on(self) -> None:
        while True:
            await asyncio.sleep(self._config.save_seconds)
            try:
                await self.save()
            except Exception as error:
                logger.warning("the figures of the shadow were not written; they will be: %s", error)
