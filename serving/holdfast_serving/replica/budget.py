"""The error budget: a version that took over and fails is taken away again, by itself."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor

from holdfast.base import HoldfastError, StaleEpochError
from holdfast.evaluation import wilson
from holdfast.store import Store
from holdfast_serving.config import ErrorBudget
from holdfast_serving.replica.metrics import Metrics
from holdfast_serving.replica.routing import Routing
from holdfast_serving.replica.versions import LoadedVersions
from holdfast_serving.threads import run_in

logger = logging.getLogger(__name__)

MADE_BY = "holdfast"
"""Who made the records of automatic rollbacks. No key and no user of a machine is called so."""
PAUSE_SECONDS = 5.0
"""After which it is tried again where a version could not be taken away."""


class Window:
    """How many requests of a version failed in the last seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._found: deque[tuple[float, bool]] = deque()
        self._failed = 0

    def add(self, failed: bool) -> None:
        self._found.append((time.monotonic(), failed))
        self._failed += failed
        self._forget()

    def counts(self) -> tuple[int, int]:
        """Those that failed, and all."""
        self._forget()
        return self._failed, len(self._found)

    def _forget(self) -> None:
        oldest = time.monotonic() - self._seconds
        while self._found and self._found[0][0] < oldest:
            self._failed -= self._found.popleft()[1]


class Guard:
    """Judges the canary, and the version that took the queries over, by the requests of this replica.

    A version is taken away when the share of its requests that failed is surely above the budget (the lower
    end of its interval), and the one that answers then is sound: one rollback a record, whichever replica
    comes first, and none of a rollback.
    """

    def __init__(
        self,
        config: ErrorBudget | None,
        store: Store,
        versions: LoadedVersions,
        metrics: Metrics,
        checkers: Executor,
        refresh: Callable[[], Awaitable[None]],
    ) -> None:
        self._config, self._store, self._versions, self._metrics = config, store, versions, metrics
        self._checkers, self._refresh = checkers, refresh
        self._routing: Routing | None = None
        self._windows: dict[str, Window] = {}
        self._before: dict[str, tuple[int, int]] = {}
        self._settled = -1  # the epoch about which there is nothing more to do
        self._not_before = 0.0
        self._relieving: asyncio.Task[None] | None = None

    def follow(self, routing: Routing) -> None:
        """Takes over a record. A version with a new part in it begins anew, and of the one that it took over
        from it is remembered how it did."""
        if self._config is None:
            return
        before, self._routing = self._routing, routing
        if before is None:
            return
        self._before |= {name: window.counts() for name, window in self._windows.items()}
        for alias in ("live", "canary"):
            name = routing.aliases.get(alias)
            if name is not None and name != before.aliases.get(alias):
                self._windows.pop(name, None)

    def observe(self, outcomes: Mapping[str, bool]) -> None:
        """One request, by the versions that it asked."""
        if self._config is None or self._routing is None or not outcomes:
            return
        for version, failed in outcomes.items():
            window = self._windows.get(version)
            if window is None:
                window = self._windows[version] = Window(self._config.window_seconds)
            window.add(failed)
            if failed and self._is_to_go(version):
                relieving = self._relieve(self._config, self._routing, version)
                self._relieving = asyncio.get_running_loop().create_task(relieving)

    def close(self) -> None:
        if self._relieving is not None:
            self._relieving.cancel()

    def _is_to_go(self, version: str) -> bool:
        routing = self._routing
        assert routing is not None
        if version not in (routing.traffic.query_version, routing.traffic.canary_version):
            return False
        if routing.traffic.epoch == self._settled or time.monotonic() < self._not_before:
            return False
        return (self._relieving is None or self._relieving.done()) and self._exceeds(self._counts(version))

    def _counts(self, version: str) -> tuple[int, int]:
        window = self._windows.get(version)
        return (0, 0) if window is None else window.counts()

    def _exceeds(self, counts: tuple[int, int]) -> bool:
        failed, total = counts
        budget = self._config
        return budget is not None and total >= budget.queries and wilson(failed, total).low > budget.share

    async def _relieve(self, budget: ErrorBudget, routing: Routing, version: str) -> None:
        traffic = routing.traffic
        try:
            found = await self._successor(routing, version)
            if found is None:
                self._settled = traffic.epoch
                return
            note = (
                f"{_words(version, self._counts(version))} within {budget.window_seconds:g} s, "
                f"{_words(*found)}; the error budget is {budget.share:.1%}"
            )
            made = await run_in(
                self._checkers, self._store.traffic.withdraw, version, traffic.epoch,
                note=note, made_by=MADE_BY,
            )  # fmt: skip
        except StaleEpochError:
            return  # another replica, or a person, was first
        except HoldfastError as error:
            self._not_before = time.monotonic() + PAUSE_SECONDS
            self._metrics.budget.labels("refused").inc()
            logger.error("%s, and stays: %s", _words(version, self._counts(version)), error)
            return
        self._metrics.budget.labels("rolled_back").inc()
        logger.error("epoch %d: %s", made.epoch, made.note)
        await self._refresh()

    async def _successor(self, routing: Routing, version: str) -> tuple[str, tuple[int, int]] | None:
        """Who answers once `version` is gone, and how it did; None where there is nobody, or `version` came
        by such a rollback itself.

        Raises HoldfastError where that one is faulty, too.
        """
        traffic = routing.traffic
        if version == traffic.canary_version:
            successor = traffic.query_version
            counts = self._counts(str(successor))
        else:
            began, before = await run_in(self._checkers, self._store.traffic.took_over)
            if before is None or began.made_by == MADE_BY:
                return None
            successor = before.query_version
            counts = max(self._before.get(str(successor), (0, 0)), self._counts(str(successor)))
        if successor is None or successor == version:
            return None
        if self._exceeds(counts):
            raise HoldfastError(f"{_words(successor, counts)}, and cannot answer instead.")
        embedder = await self._versions.get(successor)
        await embedder.check(self._checkers)
        embedder.health.require()
        return successor, counts


def _words(version: str, counts: tuple[int, int]) -> str:
    failed, total = counts
    return f"{version} failed {failed:,} of {total:,} queries"
