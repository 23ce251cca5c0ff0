"""The batcher: everyone gets the rows that they asked for, and those who wait share a pass."""

import asyncio
import gc
import itertools
import threading
import weakref
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast_serving.replica.batching import Batcher


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=30), max_rows=st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_rows_come_back_to_their_owner_in_order(sizes: list[int], max_rows: int) -> None:
    passes: list[int] = []

    def double(rows: np.ndarray) -> np.ndarray:
        passes.append(len(rows))
        return rows * 2

    async def main() -> list[np.ndarray]:
        batcher = Batcher(double, "test", max_rows)
        starts = np.cumsum([0, *sizes[:-1]])
        return await asyncio.gather(
            *(batcher.run(np.arange(start, start + size)) for start, size in zip(starts, sizes, strict=True))
        )

    results = asyncio.run(main())
    start = 0
    for size, result in zip(sizes, results, strict=True):
        np.testing.assert_array_equal(result, 2 * np.arange(start, start + size))
        start += size
    assert max(passes) <= max_rows
    assert sum(passes) == sum(sizes)


def test_what_arrives_during_a_pass_shares_the_next_one() -> None:
    passes: list[int] = []
    first_runs, release = threading.Event(), threading.Event()

    def slow(rows: np.ndarray) -> np.ndarray:
        passes.append(len(rows))
        first_runs.set()
        assert release.wait(10)
        return rows

    async def main() -> None:
        batcher = Batcher(slow, "test", 100)
        first = asyncio.create_task(batcher.run(np.zeros(1)))
        await asyncio.to_thread(first_runs.wait, 10)
        others = [asyncio.create_task(batcher.run(np.zeros(1))) for _ in range(7)]
        await asyncio.sleep(0)
        release.set()
        await asyncio.gather(first, *others)

    asyncio.run(main())
    assert passes == [1, 7]


def test_a_failing_pass_fails_its_batch_and_not_the_next() -> None:
    def picky(rows: np.ndarray) -> np.ndarray:
        if rows.min() < 0:
            raise ValueError("negative")
        return rows

    async def main() -> np.ndarray:
        batcher = Batcher(picky, "test", 10)
        with pytest.raises(ValueError, match="negative"):
            await batcher.run(np.array([-1]))
        return await batcher.run(np.array([5]))

    np.testing.assert_array_equal(asyncio.run(main()), [5])


@pytest.mark.parametrize(
    ("where", "kind"),
    [
        *itertools.product(
            ("model", "concatenation", "figures"), (MemoryError, StopIteration, asyncio.CancelledError)
        ),
        ("model", SystemExit),
        ("rows", MemoryError),
    ],
)
def test_whatever_is_raised_fails_its_batch_and_hangs_nobody(
    where: str, kind: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []
    first_runs, release = threading.Event(), threading.Event()

    def fail_in(place: str) -> None:
        if place == where and len(passes) == 2:
            raise kind("no more")

    def model(rows: np.ndarray) -> np.ndarray:
        first_runs.set()
        assert release.wait(10)
        fail_in("model")
        return rows[1:] if where == "rows" and len(passes) == 2 else rows

    def figures(images: int, waited: float) -> None:
        passes.append(images)
        fail_in("figures")

    concatenate = np.concatenate

    def joined(parts: Any) -> np.ndarray:
        fail_in("concatenation")
        return concatenate(parts)

    async def main() -> None:
        monkeypatch.setattr("holdfast_serving.replica.batching.np.concatenate", joined)
        batcher = Batcher(model, "test", 10, observe=figures)
        first = asyncio.create_task(batcher.run(np.zeros((1, 2))))
        await asyncio.to_thread(first_runs.wait, 10)
        pair = [asyncio.create_task(batcher.run(np.zeros((2, 2)))) for _ in range(2)]
        await asyncio.sleep(0)
        release.set()
        await asyncio.wait_for(first, 5)
        outcomes = await asyncio.wait_for(asyncio.gather(*pair, return_exceptions=True), 5)
        assert all(isinstance(outcome, Exception) for outcome in outcomes), outcomes
        assert len(await asyncio.wait_for(batcher.run(np.zeros((3, 2))), 5)) == 3
        assert passes == [1, 4, 3]

    asyncio.run(main())


def test_rows_that_do_not_fit_together_fail_and_hang_nobody() -> None:
    first_runs, release = threading.Event(), threading.Event()

    def model(rows: np.ndarray) -> np.ndarray:
        first_runs.set()
        assert release.wait(10)
        return rows

    async def main() -> None:
        batcher = Batcher(model, "test", 10)
        first = asyncio.create_task(batcher.run(np.zeros((1, 2))))
        await asyncio.to_thread(first_runs.wait, 10)
        odd = [asyncio.create_task(batcher.run(np.zeros((1, width)))) for width in (2, 3)]
        await asyncio.sleep(0)
        release.set()
        await first
        outcomes = await asyncio.wait_for(asyncio.gather(*odd, return_exceptions=True), 5)
        assert all(isinstance(outcome, ValueError) for outcome in outcomes)
        assert len(await asyncio.wait_for(batcher.run(np.zeros((1, 2))), 5)) == 1

    asyncio.run(main())


def test_a_caller_who_left_does_not_hurt_the_others() -> None:
    first_runs, release = threading.Event(), threading.Event()

    def slow(rows: np.ndarray) -> np.ndarray:
        first_runs.set()
        assert release.wait(10)
        return rows

    async def main() -> np.ndarray:
        batcher = Batcher(slow, "test", 10)
        running = asyncio.create_task(batcher.run(np.array([1])))
        await asyncio.to_thread(first_runs.wait, 10)
        waiting = asyncio.create_task(batcher.run(np.array([2])))
        staying = asyncio.create_task(batcher.run(np.array([3])))
        await asyncio.sleep(0)
        running.cancel()
        waiting.cancel()
        release.set()
        return await staying

    np.testing.assert_array_equal(asyncio.run(main()), [3])


def test_the_last_reference_frees_the_model() -> None:
    class Model:
        def embed(self, rows: np.ndarray) -> np.ndarray:
            return rows

    async def main() -> weakref.ref[Model]:
        model = Model()
        batcher = Batcher(model.embed, "test", 10)
        await batcher.run(np.zeros(2))
        return weakref.ref(model)

    gc.disable()  # Serve freezes what exists at its start, so nothing may hang on the cycle collector.
    try:
        assert asyncio.run(main())() is None
    finally:
        gc.enable()
