"""The writer's process is killed during upserts: every acknowledged entry is there afterwards."""

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

from holdfast.entries import Entries
from holdfast.store import open_store

SECONDS = float(os.environ.get("HOLDFAST_KILLED_WRITER_SECONDS", "8"))
CLIENTS = 4


def vector(name: str) -> list[float]:
    numbers = np.random.default_rng(abs(hash(name)) % 2**32).normal(size=16)
    return (numbers / np.linalg.norm(numbers)).tolist()


def test_every_acknowledged_entry_survives_the_death_of_the_writer(
    start_server: Callable[..., Any], server: Any
) -> None:
    acknowledged: dict[str, int] = {}
    statuses: dict[int, int] = {}
    after_the_kill: list[str] = []
    killed = threading.Event()
    deadline = time.monotonic() + SECONDS

    def upsert_steadily(client: int) -> None:
        with server.http() as http:
            number = 0
            while time.monotonic() < deadline:
                name = f"killed-{client}-{number}"
                number += 1
                entry = {
                    "id": name,
                    "vector": vector(name),
                    "version": "v1",
                    "attributes": {"client": client},
                }
                was_killed = killed.is_set()
                answer = http.put("/v1/gallery/entries", json={"entries": [entry]})
                statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
                if answer.status_code == 200:
                    acknowledged[name] = answer.json()["seq"]
                    if was_killed:
                        after_the_kill.append(name)
                else:
                    assert answer.status_code == 503, answer.text
                    assert answer.json()["error"]["code"] == "not_ready"
                    assert answer.headers["Retry-After"] == "1"
                    time.sleep(0.1)

    threads = [threading.Thread(target=upsert_steadily, args=(client,)) for client in range(CLIENTS)]
    for thread in threads:
        thread.start()
    time.sleep(SECONDS / 4)
    (victim,) = server.processes("ServeReplica:holdfast:writer")
    os.kill(victim, signal.SIGKILL)
    killed.set()
    for thread in threads:
        thread.join()

    assert acknowledged, statuses
    assert set(statuses) <= {200, 503}
    deadline_back = time.monotonic() + 60
    with server.http() as http:
        while (answer := put_last(http)).status_code != 200:
            assert time.monotonic() < deadline_back, answer.text
            time.sleep(0.2)
        for name in list(acknowledged)[:: max(1, len(acknowledged) // 50)]:
            assert http.get(f"/v1/gallery/entries/{name}").status_code == 200
        state = http.get("/v1/gallery").json()
    with open_store(server.store) as store:
        stored = {entry.id: entry for batch in Entries(store).scan() for entry in batch}
    missing = [name for name in acknowledged if name not in stored]
    assert not missing, f"{len(missing)} of {len(acknowledged)} acknowledged entries are gone"
    for name, seq in acknowledged.items():
        assert stored[name].seq == seq
        np.testing.assert_allclose(stored[name].vector, vector(name), atol=1e-6)
    assert state["last_seq"] >= max(acknowledged.values())
    print(f"\n{len(acknowledged)} acknowledged, {len(after_the_kill)} after the kill, answers {statuses}")


def put_last(http: httpx.Client) -> httpx.Response:
    entry = {"id": "killed-last", "vector": vector("last"), "version": "v1"}
    return http.put("/v1/gallery/entries", json={"entries": [entry]})


@pytest.fixture(autouse=True)
def _clean_up(server: Any) -> Any:
    """Other tests count entries."""
    yield
    with open_store(server.store) as store:
        Entries(store).delete([entry.id for batch in Entries(store).scan() for entry in batch])
