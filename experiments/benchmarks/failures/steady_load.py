"""Searches, embeddings and writes at their times, whether those before are answered or not, and what each
got.

A request that fails is sent once more over a connection of its own, after the wait that
`holdfast_serving.client` takes: what a server asks for, or a moment. All of them may be sent twice.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np

from experiments.benchmarks.serving.embeddings import picture
from holdfast_serving.client import RetryConfig

K = 5
NAMES = 500
PATIENCE = 30.0


@dataclass(frozen=True)
class Request:
    """`kind` is what the figures are told by."""

    kind: str
    method: str
    path: str
    body: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What a request got: a status, or the name of an error where there was no answer.

    Attributes:
        sent: seconds of `time.monotonic`.
        seconds: to the first answer, or to its failure.
        asks_again: whether it came with Retry-After.
        second: of the second try; empty where the first was good.
    """

    kind: str
    sent: float
    seconds: float
    first: str
    asks_again: bool = False
    second: str = ""

    @property
    def failed(self) -> bool:
        return self.first != "200"

    @property
    def failed_twice(self) -> bool:
        return self.failed and self.second != "200"


class Mix:
    """Requests in a fixed mix: of ten, six searches (by an image, a vector and an entry), two embeddings, two
    writes (of ready vectors, an image, and a deletion now and then). Entries 0 to NAMES - 1 are there before.

    Args:
        version: whose vectors, of this dimension, are written and asked with.
    """

    def __init__(self, version: str, dimension: int, seed: int = 0) -> None:
        self._version, self._dimension = version, dimension
        self._random = random.Random(seed)
        self._pictures = [picture(28, "PNG", number) for number in range(20)]
        self._makers = itertools.cycle(
            (
                self._by_image,
                self._by_vector,
                self._embeds,
                self._by_entry,
                self._writes_vector,
                self._by_image,
                self._by_vector,
                self._embeds,
                self._by_entry,
                self._writes_image,
            )
        )

    def next(self) -> Request:
        return next(self._makers)()

    def vector(self) -> list[float]:
        drawn = np.array([self._random.gauss(0, 1) for _ in range(self._dimension)])
        return [float(each) for each in drawn / np.linalg.norm(drawn)]

    def _image(self) -> str:
        return self._random.choice(self._pictures)

    def _by_image(self) -> Request:
        return Request("search", "POST", "/v1/search", {"image": self._image(), "k": K})

    def _by_vector(self) -> Request:
        body = {"vector": self.vector(), "model": self._version, "k": K}
        return Request("search", "POST", "/v1/search", body)

    def _by_entry(self) -> Request:
        name = f"e{self._random.randrange(NAMES)}"
        return Request("search", "POST", "/v1/search", {"id": name, "k": K})

    def _embeds(self) -> Request:
        return Request("embedding", "POST", "/v1/embeddings", {"input": self._image(), "model": "live"})

    def _writes_vector(self) -> Request:
        entry = {"id": self._new(), "vector": self.vector(), "version": self._version}
        return Request("write", "PUT", "/v1/gallery/entries", {"entries": [entry]})

    def _writes_image(self) -> Request:
        if self._random.random() < 0.2:
            return Request("write", "POST", "/v1/gallery/entries/delete", {"ids": [self._new()]})
        entry = {"id": self._new(), "image": self._image()}
        return Request("write", "PUT", "/v1/gallery/entries", {"entries": [entry]})

    def _new(self) -> str:
        return f"new{self._random.randrange(NAMES)}"


class Load:
    """So many requests a second of a mix, and their outcomes in the order of their ends."""

    def __init__(self, url: str, key: str, mix: Mix, per_second: float) -> None:
        self.outcomes: list[Outcome] = []
        self._mix, self._per_second = mix, per_second
        headers = {"Authorization": f"Bearer {key}"}
        self._options: dict[str, Any] = {"base_url": url, "headers": headers, "timeout": PATIENCE}
        self._first_wait = RetryConfig().first_seconds

    async def run(self, ended: Callable[[], bool]) -> None:
        """Until `ended`, and until all are answered."""
        alone = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        kept = httpx.Limits(max_connections=None)
        async with (
            httpx.AsyncClient(**self._options, limits=kept) as clients,
            httpx.AsyncClient(**self._options, limits=alone) as fresh,
        ):
            begun, tasks = time.monotonic(), set[asyncio.Task[None]]()
            for number in itertools.count():
                await asyncio.sleep(max(0.0, begun + number / self._per_second - time.monotonic()))
                if ended():
                    break
                tasks.add(asyncio.create_task(self._ask(clients, fresh, self._mix.next())))
                tasks = {task for task in tasks if not task.done()}
            await asyncio.gather(*tasks)

    async def _ask(self, clients: httpx.AsyncClient, fresh: httpx.AsyncClient, request: Request) -> None:
        sent = time.monotonic()
        first, wait = await _got(clients, request)
        seconds, second = time.monotonic() - sent, ""
        if first != "200":
            await asyncio.sleep(self._first_wait if wait is None else wait)
            second, _ = await _got(fresh, request)
        self.outcomes.append(Outcome(request.kind, sent, seconds, first, wait is not None, second))


async def _got(client: httpx.AsyncClient, request: Request) -> tuple[str, float | None]:
    """The status or the error, and how many seconds the server asked to wait."""
    try:
        answer = await client.request(request.method, request.path, json=request.body)
    except httpx.TransportError as error:
        return type(error).__name__, None
    wait = answer.headers.get("Retry-After")
    return str(answer.status_code), None if wait is None else float(wait)
