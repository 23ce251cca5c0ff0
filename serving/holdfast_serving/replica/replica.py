"""What one gateway process knows. All of it can be rebuilt from the store, and follows the store."""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from holdfast.base import HoldfastError, NotReadyError
from holdfast.entries import Change
from holdfast.search import Gallery
from holdfast.store import NAME, Shadowed, ShadowGate, Store, Traffic, Version
from holdfast_serving.config import ServingConfig
from holdfast_serving.replica.admission import Admission
from holdfast_serving.replica.budget import Guard
from holdfast_serving.replica.cascades import Cascades, readable
from holdfast_serving.replica.embedder import Embedder
from holdfast_serving.replica.health import RECHECK_SECONDS, Health
from holdfast_serving.replica.metrics import Metrics
from holdfast_serving.replica.outcomes import answers
from holdfast_serving.replica.readiness import BEHIND, DRAINING, NOTHING_LIVE
from holdfast_serving.replica.routing import Routing
from holdfast_serving.replica.searching import Searching
from holdfast_serving.replica.shadow import Shadow
from holdfast_serving.replica.versions import LoadedVersions
from holdfast_serving.stages import stage
from holdfast_serving.threads import run_in
from holdfast_serving.writer import EntryWriter

if TYPE_CHECKING:
    from holdfast.models import Model

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

CHECKERS = 4
DECODERS = 2
LISTERS = 2
READERS = 4
PAUSE_SECONDS = 0.01
SILENT_SECONDS = 10.0
"""After which a database that neither answers nor fails counts as away."""


class Replica:
    """Loaded versions, a read-only index and the traffic record of one process, all following the store.

    Everything that blocks (database, index, model, decoding) runs in threads; the state itself is only
    touched on the event loop.
    """

    def __init__(self, config: ServingConfig, store: Store, gallery: Gallery, writer: EntryWriter) -> None:
        self.config = config
        self.store = store
        self.gallery = gallery
        self.writer = writer
        self.metrics = Metrics()
        self.admission = Admission(config.limits.concurrency)
        self.applied_seq = 0
        self._awaiting = 0
        self.routing: Routing | None = None
        self.versions = LoadedVersions(self._load, config.spare_versions)
        self.cascades = Cascades(config, store, self.metrics, self.versions, self.submit)
        self.searching = Searching(gallery, self.cascades, self.metrics)
        self.shadow = Shadow(
            config.shadow, store, gallery, self.versions, self.metrics, readable(config.sources)
        )
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="store")
        # Of their own: what matches few of many entries keeps the database busy for seconds.
        self._listers = ThreadPoolExecutor(LISTERS, thread_name_prefix="list")
        self._decoders = ThreadPoolExecutor(DECODERS, thread_name_prefix="decode")
        # Of their own: an endpoint that does not answer keeps one busy for seconds.
        self._checkers = ThreadPoolExecutor(CHECKERS, thread_name_prefix="check")
        self.guard = Guard(
            config.error_budget, store, self.versions, self.metrics, self._checkers, self.refresh
        )
        self._caught_up = False
        self._asked = math.inf  # since when the database has not answered
        self._database_fails = False
        self._refreshing = asyncio.Lock()
        self._wake = asyncio.Event()
        self._advanced = asyncio.Condition()
        self._follower: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Catches up with the store once, then follows it until `close`."""
        try:
            await self.refresh()
        except Exception:
            logger.exception("the store could not be followed at the start; trying again")
        self._follower = asyncio.get_running_loop().create_task(self._follow())
        self.cascades.start()
        self.shadow.start()
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    async def close(self) -> None:
        for task in (self._follower, self._watcher):
            if task is not None:
                task.cancel()
        self.cascades.close()
        self.searching.close()
        self.guard.close()
        await self.shadow.close()
        for threads in (self._threads, self._listers, self._decoders, self._checkers):
            threads.shutdown(wait=False, cancel_futures=True)

    async def check(self) -> None:
        """Raises when this process can no longer do its work, so that another should take its place."""
        if self._follower is not None and self._follower.done():
            raise RuntimeError("the follower has stopped")
        if self._watcher is not None and self._watcher.done():
            raise RuntimeError("the watcher of the models has stopped")

    async def in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs something that blocks beside the event loop."""
        return await run_in(self._threads, function, *args, **kwargs)

    async def in_list_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for what may read the whole gallery, so that searches need not wait for it."""
        return await run_in(self._listers, function, *args, **kwargs)

    # ---- following the store

    async def refresh(self) -> None:
        """Applies the newest traffic record and entries; versions are loaded before a record takes effect."""
        async with self._refreshing:
            try:
                await self._refresh_traffic()
            finally:
                # A version that cannot be loaded must not keep new entries from being found.
                await self._refresh_entries()

    async def _refresh_traffic(self) -> None:
        traffic = await self._current_record()
        # The whole record: a restored database hands out the same epochs again.
        if self.routing is not None and self.routing.traffic == traffic:
            return
        aliases = await self.in_thread(self.store.traffic.aliases)
        routing = Routing.of(traffic, aliases.get("previous"))
        before = self.versions.names
        shadow = {traffic.shadow_version} & set(before)
        await self.versions.pin({*routing.pinned, *filter(None, shadow)})
        await self.shadow.follow(traffic)
        self.routing = routing
        self.guard.follow(routing)
        self.metrics.epoch.set(traffic.epoch)
        for name in {*before, *self.versions.names}:
            self.metrics.loaded.labels(name).set(name in self.versions.names)

    async def _current_record(self) -> Traffic:
        self._asked, fails = time.monotonic(), True
        try:
            found = await self.in_thread(self.store.traffic.current)
            fails = False
            return found
        finally:
            self._asked, self._database_fails = math.inf, fails

    async def _refresh_entries(self) -> None:
        # Somebody waits for a write: then searches have to share.
        hurried = self._awaiting > 0
        seq = await self.in_thread(self.gallery.refresh if hurried else self.gallery.follow)
        self._caught_up = True
        # Retired: what answered for them until now does not any longer.
        self.versions.drop(lambda name: self.gallery.known_version(name) is None)
        if seq == self.applied_seq:
            return
        counts = (await self.in_thread(self.gallery.stats)).entries
        self.metrics.entries.clear()
        for version, count in counts.items():
            self.metrics.entries.labels(version).set(count)
        self.metrics.applied_seq.set(seq)
        async with self._advanced:
            self.applied_seq = seq
            self._advanced.notify_all()

    async def _follow(self) -> None:
        pause = self.config.follow_seconds
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), pause)
            self._wake.clear()
            try:
                await self.refresh()
                # Under steady writes, many of them share one look at the database.
                await asyncio.sleep(PAUSE_SECONDS)
                pause = self.config.follow_seconds
            except Exception:
                # The replica keeps answering with what it has: an old record beats none.
                self.metrics.follow_failures.inc()
                logger.exception("the store could not be followed; trying again")
                pause = min(2 * pause, 5.0)

    async def wait_for(self, seq: int) -> None:
        """Returns once the write `seq` is searchable here. Raises NotReadyError after `catch_up_seconds`, and
        HoldfastError at once for a write that the database never made."""
        if self.applied_seq >= seq:
            return
        last = await self.in_thread(self.gallery.entries.last_seq)
        if seq > last:
            raise HoldfastError(f"min_seq: there is no write {seq}; the last one is {last}.")
        self._awaiting += 1
        self._wake.set()
        try:
            async with asyncio.timeout(self.config.catch_up_seconds), self._advanced:
                await self._advanced.wait_for(lambda: self.applied_seq >= seq)
        except TimeoutError:
            raise NotReadyError(
                f"Write {seq} is not searchable here yet; this replica is at {self.applied_seq}."
            ) from None
        finally:
            self._awaiting -= 1

    def missing(self) -> str | None:
        """Why this replica is not ready, or None when it is."""
        if self.admission.draining:
            return DRAINING
        if not self._caught_up:
            return BEHIND
        if self.routing is None or "live" not in self.routing.aliases:
            return NOTHING_LIVE
        return None

    def away(self) -> list[str]:
        """What this replica has to do without: `database`, `writer`. Searches go on without either."""
        silent = time.monotonic() - self._asked > SILENT_SECONDS
        gone = {"database": self._database_fails or silent, "writer": self.writer.away}
        return [name for name, is_gone in gone.items() if is_gone]

    @property
    def applied_epoch(self) -> int:
        return 0 if self.routing is None else self.routing.traffic.epoch

    # ---- versions

    async def embedder(self, model: str, sticky: str | None = None, key: str | None = None) -> Embedder:
        """The loaded version for `live`, another alias or a version's name; see `Routing.choose`.

        Raises NotFoundError for a version that does not exist, NotReadyError while nothing is live.
        """
        if self.routing is None:
            raise NotReadyError("The server is starting; no traffic record has been read yet.")
        name = await self.name(self.routing.choose(model, sticky, key=key))
        with answers(name):
            return await self.versions.get(name)

    async def name(self, name: str) -> str:
        """What a version is called that may be named as it was adopted, or by an alias; a name that looks
        like a version's as it is. Raises NotFoundError."""
        return name if NAME.fullmatch(name) else (await self.version(name)).name

    def resolve(self, name: str) -> str:
        """The version that an alias stands for here, which needs no database; any other name as it is."""
        return name if self.routing is None else self.routing.aliases.get(name, name)

    async def version(self, name: str) -> Version:
        """A version by name or alias. Raises NotFoundError."""
        name = self.resolve(name)
        known = self.gallery.known_version(name)
        return await self.in_thread(self.gallery.version, name) if known is None else known

    async def write_embedder(self) -> Embedder:
        """The version that embeds new entries. Raises NotReadyError while there is none."""
        if self.routing is None or self.routing.traffic.write_version is None:
            raise NotReadyError("No version embeds new entries yet; `holdfast promote VERSION` makes one.")
        return await self.versions.get(self.routing.traffic.write_version)

    async def _load(self, name: str) -> Embedder:
        begun = time.perf_counter()
        version = await self.in_thread(self.store.versions.get, name)
        model = await self.in_thread(self.store.versions.load, version.name)
        if self.config.gpus and not await self.in_thread(_on_gpu, model):
            logger.info("%s does not run on GPUs: its vectors are made as before", version.name)
        embedder = Embedder(
            version.name,
            model,
            self.config.batching,
            self.config.limits.pixels,
            self._decoders,
            Health(version.name),
            lambda images, waited: self.metrics.observe_batch(version.name, images, waited),
        )
        # Here, so that the first request does not pay for it.
        await embedder.check(self._checkers)
        logger.info("loaded %s in %.2f s", version.name, time.perf_counter() - begun)
        return embedder

    # ---- whether the models are still what was published

    @property
    def faults(self) -> dict[str, str]:
        """By loaded version what is wrong with its model, where anything is."""
        return {each.version: fault for each in self.versions.embedders if (fault := each.health.fault)}

    async def _watch(self) -> None:
        every = self.config.check_seconds
        while True:
            await asyncio.sleep(min(every, RECHECK_SECONDS))
            due = [each for each in self.versions.embedders if each.health.is_due(every)]
            found = await asyncio.gather(
                *(each.check(self._checkers) for each in due), return_exceptions=True
            )
            for each, error in zip(due, found, strict=True):
                if isinstance(error, Exception):
                    logger.error("%s could not be checked", each.version, exc_info=error)

    # ---- the gallery

    async def submit(self, change: Change) -> int:
        """Commits a change; returns its number. Raises what the writer does."""
        with stage("commit"):
            seq = await self.writer.submit(change)
        self._wake.set()
        return seq

    # ---- traffic

    async def current_traffic(self) -> Traffic:
        return await self.in_thread(self.store.traffic.current)

    async def change_traffic(
        self,
        expect_epoch: int,
        changes: Mapping[str, Any],
        *,
        force: bool,
        note: str,
        made_by: str,
        require: ShadowGate | None = None,
    ) -> Traffic:
        """Loads what the new record names, so that what cannot be loaded is refused; then swaps it in."""
        wanted = dict(changes)
        for field in ("query_version", "write_version", "canary_version", "shadow_version"):
            if wanted.get(field) is not None:
                wanted[field] = await self.name(wanted[field])
        for field in ("query_version", "canary_version", "shadow_version"):
            if wanted.get(field) is not None:
                (await self.versions.get(wanted[field])).health.require()
        if require is not None:
            await self.shadow.save()
        change = partial(self.store.traffic.change, force=force, require=require, note=note, made_by=made_by)
        traffic = await self.in_thread(change, expect_epoch, **wanted)
        await self.refresh()
        return traffic

    async def shadowed(self) -> Shadowed | None:
        """The shadow of now and what all replicas found; what this one found last is in it."""
        await self.shadow.save()
        return await self.in_thread(self.store.shadows.current)

    async def roll_back_traffic(
        self, expect_epoch: int | None, *, force: bool, note: str, made_by: str
    ) -> Traffic:
        traffic = await self.in_thread(
            self.store.traffic.rollback, expect_epoch, force=force, note=note, made_by=made_by
        )
        await self.refresh()
        return traffic


def _on_gpu(model: "Model") -> bool:
    """Whether a model runs on this process's GPU from now on. Raises ResourcesError where there is none."""
    from holdfast.models import move_to
    from holdfast.runs import device_here

    return move_to(model, device_here(True, "gpus"))
