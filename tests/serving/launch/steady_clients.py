"""Clients that search, embed and write all the time, and keep what came back: nothing is sent twice."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np

DIMENSION = 16


@dataclass
class Outcomes:
    """What each request of the clients became."""

    statuses: list[tuple[str, int]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)


@contextmanager
def steady_clients(
    url: str, key: str, image: str, pause: float = 0.3, clients: int = 1
) -> Iterator[Outcomes]:
    """Of each kind so many that keep their connection, and so many that open a new one for each request."""
    outcomes, finished, numbers = Outcomes(), threading.Event(), itertools.count()

    def search(http: httpx.Client) -> httpx.Response:
        return http.post("/v1/search", json={"vector": vector(next(numbers)), "model": "v1", "k": 3})

    def embed(http: httpx.Client) -> httpx.Response:
        return http.post("/v1/embeddings", json={"model": "v1", "input": image})

    def write(http: httpx.Client) -> httpx.Response:
        number = next(numbers)
        entry = {"id": f"entry-{number}", "vector": vector(number), "version": "v1"}
        answer = http.put("/v1/gallery/entries", json={"entries": [entry]})
        if answer.status_code == 200:
            outcomes.acknowledged.append(f"entry-{number}")
        return answer

    def client(ask: Callable[[httpx.Client], httpx.Response], keeps: bool) -> None:
        options: dict[str, Any] = {"base_url": url, "headers": {"Authorization": f"Bearer {key}"}}
        if not keeps:
            options["limits"] = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(timeout=30, **options) as http:
            while not finished.is_set():
                try:
                    answer = ask(http)
                except httpx.HTTPError as error:
                    outcomes.failures.append(f"{ask.__name__} {'kept' if keeps else 'new'}: {error!r}")
                else:
                    outcomes.statuses.append((ask.__name__, answer.status_code))
                    if answer.status_code != 200:
                        outcomes.failures.append(f"{ask.__name__}: {answer.status_code} {answer.text}")
                time.sleep(pause)

    threads = [
        threading.Thread(target=client, args=(ask, keeps))
        for ask in (search, embed, write)
        for keeps in (True, False) * clients
    ]
    for thread in threads:
        thread.start()
    try:
        yield outcomes
    finally:
        finished.set()
        for thread in threads:
            thread.join()


def vector(number: int) -> list[float]:
    numbers = np.random.default_rng(number).normal(size=DIMENSION)
    return (numbers / np.linalg.norm(numbers)).tolist()
