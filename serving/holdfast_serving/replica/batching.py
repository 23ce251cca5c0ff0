"""Requests that wait for one model share its next pass.

Why not `serve.batch`: it closes a batch before the model is free, so that under load the waiting requests
queue up as batches of one behind its semaphore unless every request first waits out a timeout; and its queue
can never be closed, so that a version which traffic has left would stay in memory. With 64 clients that pause
4 ms (mean) between requests, conv4 on one thread: this queue 3,210 images/s at a median of 13.5 ms;
`serve.batch` waiting 0, 2 and 10 ms: 628, 1,337 and 2,336 images/s at 98, 40 and 22 ms.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from holdfast_serving.stages import current
from holdfast_serving.threads import run_in


@dataclass(slots=True)
class Waiting:
    """Rows (n, ...) that wait for a pass since `since`, and the future of theirs (n, ...). `begun`: when the
    pass did."""

    rows: np.ndarray
    result: "asyncio.Future[np.ndarray]"
    since: float
    begun: float = 0.0


class Batcher:
    """Runs `function(rows) -> rows` in a thread of its own, over the joined rows of all who wait.

    While a pass runs, arrivals queue up; when it ends they become the next batch, in order of arrival, up to
    `max_rows`. An idle model starts after `wait_seconds`. A failing pass fails everyone in its batch and
    nobody else, whatever went wrong. Nothing has to be closed: with the last reference go the thread and the
    model.
    """

    def __init__(
        self,
        function: Callable[[np.ndarray], np.ndarray],
        name: str,
        max_rows: int,
        wait_seconds: float = 0.0,
        observe: Callable[[int, float], None] | None = None,
    ) -> None:
        self._function = function
        self._max_rows = max_rows
        self._wait_seconds = wait_seconds
        self._observe = observe
        self._waiting: deque[Waiting] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"embed-{name}")
        self._runner: asyncio.Task[None] | None = None

    async def run(self, rows: np.ndarray) -> np.ndarray:
        """`rows` (n, ...) -> the function's rows (n, ...). More than `max_rows` are split over passes."""
        loop = asyncio.get_running_loop()
        parts = [rows[start : start + self._max_rows] for start in range(0, len(rows), self._max_rows)]
        mine = [Waiting(part, loop.create_future(), loop.time()) for part in parts]
        self._waiting.extend(mine)
        self._start()
        results = (
            [await mine[0].result]
            if len(mine) == 1
            else await asyncio.gather(*(each.result for each in mine))
        )
        if (stages := current.get()) is not None and mine:
            took = loop.time() - mine[0].begun
            stages.add("queue", mine[0].begun - mine[0].since, ago=took)
            stages.add("embed", took)
        return results[0] if len(results) == 1 else np.concatenate(results)

    def _start(self) -> None:
        if self._runner is None and self._waiting:
            self._runner = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        try:
            if self._wait_seconds:
                await asyncio.sleep(self._wait_seconds)
            while self._waiting:
                await self._pass(self._take())
        finally:
            # Whatever ended this, those who still wait get a pass.
            self._runner = None
            self._start()

    def _take(self) -> list[Waiting]:
        """The next batch, in order of arrival."""
        batch: list[Waiting] = []
        count = 0
        while self._waiting and count + len(self._waiting[0].rows) <= self._max_rows:
            waiting = self._waiting.popleft()
            if not waiting.result.cancelled():
                batch.append(waiting)
                count += len(waiting.rows)
        return batch

    async def _pass(self, batch: Sequence[Waiting]) -> None:
        """Gives everyone in the batch their rows, or what was raised: nobody is left waiting."""
        if not batch:
            return
        try:
            parts = [waiting.rows for waiting in batch]
            count = sum(map(len, parts))
            now = asyncio.get_running_loop().time()
            for waiting in batch:
                waiting.begun = now
            if self._observe is not None:
                self._observe(count, now - batch[0].since)
            joined = parts[0] if len(parts) == 1 else np.concatenate(parts)
            result = await run_in(self._thread, self._function, joined)
            if len(result) != count:
                raise RuntimeError(f"the model gave {len(result)} rows for {count}")
        except BaseException as error:
            for waiting in batch:
                if not waiting.result.done():
                    waiting.result.set_exception(_raisable(error))
            if not isinstance(error, Exception):
                raise
            return
        start = 0
        for waiting in batch:
            if not waiting.result.done():
                waiting.result.set_result(result[start : start + len(waiting.rows)])
            start += len(waiting.rows)


def _raisable(error: BaseException) -> Exception:
    """What a future can hold and a request can answer: a cancelled pass is no cancelled request."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    return RuntimeError(f"the pass was ended by {error!r}")
