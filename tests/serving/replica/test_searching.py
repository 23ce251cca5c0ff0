"""Searches share calls of the index, and no other search's errors."""

import asyncio
import threading
from typing import Any

import numpy as np
import pytest

from holdfast.base import InvalidVectorError
from holdfast.search import WHOLE, Terms
from holdfast_serving.replica.metrics import Metrics
from holdfast_serving.replica.searching import TOGETHER, Kind, Searching


class Told:
    """A gallery that says what it was asked; its first call waits until it is let go."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.go = threading.Event()

    def recall(self, vector: np.ndarray, version: str, k: int, **_: Any) -> Any:
        self.calls.append(1)
        assert self.go.wait(10)
        if vector[0] < 0:
            raise InvalidVectorError("negative")
        return float(vector[0])

    def recall_many(self, vectors: np.ndarray, version: str, k: int, **_: Any) -> Any:
        self.calls.append(len(vectors))
        if (vectors[:, 0] < 0).any():
            raise InvalidVectorError("one is negative")
        return [float(vector[0]) for vector in vectors]


KIND = Kind("v1", 10, None, Terms(), WHOLE)


async def ask(numbers: list[float]) -> tuple[list[int], list[Any]]:
    gallery: Any = Told()
    searching = Searching(gallery, None, Metrics())  # type: ignore[arg-type]
    asked = [
        asyncio.create_task(searching._queued(KIND, np.array([each], np.float32), None)) for each in numbers
    ]
    await asyncio.sleep(0.05)
    gallery.go.set()
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert not searching._queues
    searching.close()
    return gallery.calls, list(found)


async def test_who_waits_shares_the_next_call() -> None:
    numbers = [float(each) for each in range(TOGETHER + 6)]
    calls, found = await ask(numbers)
    assert found == numbers
    assert calls == [TOGETHER, 6]


async def test_a_query_that_is_refused_refuses_no_other() -> None:
    calls, found = await ask([1.0, -1.0, 3.0])
    assert calls == [3, 1, 1, 1]
    assert found[0] == 1.0
    assert found[2] == 3.0
    with pytest.raises(InvalidVectorError, match="negative"):
        raise found[1]
