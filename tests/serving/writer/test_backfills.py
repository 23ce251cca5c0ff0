"""Backfills over HTTP, worked off beside the writer."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from holdfast.backfill import Backfills
from holdfast.entries import Entries, Entry
from holdfast.models import Encoder
from holdfast.store import Store
from holdfast_serving.writer.backfiller import Backfiller
from tests.fixtures.waiting import wait_until


@pytest.fixture
def filled(store: Store, encoders: dict[str, Encoder], png: Callable[..., bytes], tmp_path: Path) -> Store:
    """30 entries of v1, of which the images lie on the disk."""
    entries = []
    for number in range(30):
        file = tmp_path / f"{number}.png"
        file.write_bytes(png(number))
        vector = encoders["v1"].embed([png(number)])[0]
        entries.append(Entry(f"e{number}", "v1", vector, {}, str(file)))
    Entries(store).upsert(entries)
    return store


@pytest.fixture
def client(serve_here: Callable[..., TestClient], admin_key: str, tmp_path: Path) -> TestClient:
    """The app that may read the images, with an admin key in every request."""
    client = serve_here(sources=(str(tmp_path),))
    client.headers["Authorization"] = f"Bearer {admin_key}"
    return client


@pytest.fixture
def backfiller(filled: Store, tmp_path: Path) -> Iterator[Callable[[], Backfiller]]:
    started: list[Backfiller] = []

    def start() -> Backfiller:
        write = Entries(filled).write
        started.append(Backfiller(filled, lambda change: write([change])[0], [str(tmp_path)], 0.02))
        return started[-1]

    yield start
    for each in started:
        each.close()


def until(client: TestClient, name: str, status: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def has_come_to_it() -> bool:
        found.update(client.get(f"/v1/backfills/{name}").json())
        return bool(found["status"] == status)

    wait_until(has_come_to_it)
    return found


def test_a_backfill_from_start_to_end(
    filled: Store, client: TestClient, backfiller: Callable[[], Backfiller]
) -> None:
    body = {"target": "v3", "kind": "re-embed", "sources": ["v1"], "batch_size": 4}
    answer = client.post("/v1/backfills", json=body)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["id"], made["status"], made["total"], made["left"]) == ("b1", "running", 30, 30)
    backfiller()
    found = until(client, "b1", "done")
    assert (found["done"], found["left"], found["skipped"], found["error"]) == (30, 0, {}, None)
    assert client.get("/v1/backfills").json()["backfills"] == [found]
    entry = client.get("/v1/gallery/entries/e3").json()
    assert (entry["embedded_by"], entry["mapped_from"], entry["mapped_by"]) == ("v3", None, None)
    assert Entries(filled).count() == {"v3": 30}


def test_pause_resume_and_cancel(
    filled: Store, client: TestClient, backfiller: Callable[[], Backfiller]
) -> None:
    body = {"target": "v3", "kind": "re-embed", "batch_size": 1, "pace": 30, "order": "oldest"}
    client.post("/v1/backfills", json=body)
    backfiller()
    wait_until(lambda: client.get("/v1/backfills/b1").json()["done"] >= 2)
    paused = client.post("/v1/backfills/b1/pause").json()
    assert (paused["status"], paused["owner"]) == ("paused", None)
    time.sleep(0.3)
    assert client.get("/v1/backfills/b1").json()["done"] == paused["done"] < 30
    assert client.post("/v1/backfills/b1/resume").json()["status"] == "running"
    assert client.post("/v1/backfills/b1/cancel").json()["status"] == "cancelled"
    again = client.post("/v1/backfills/b1/resume")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")


def test_a_pause_frees_the_one_worker_at_any_pace(
    filled: Store, client: TestClient, backfiller: Callable[[], Backfiller]
) -> None:
    """At an entry in an hour, too: the next backfill is taken up within a second."""
    slow = {"target": "v3", "kind": "re-embed", "pace": 0.0003, "sources": ["v1"]}
    assert client.post("/v1/backfills", json=slow).status_code == 201
    backfiller()
    wait_until(lambda: client.get("/v1/backfills/b1").json()["owner"])
    assert client.post("/v1/backfills/b1/cancel").json()["done"] == 0
    client.post("/v1/backfills", json={"target": "v3", "kind": "re-embed"})
    wait_until(lambda: client.get("/v1/backfills/b2").json()["owner"])
    assert until(client, "b2", "done")["done"] == 30


def test_a_backfill_that_moved_nothing_has_failed(
    filled: Store, client: TestClient, backfiller: Callable[[], Backfiller], tmp_path: Path
) -> None:
    for file in tmp_path.glob("*.png"):
        file.unlink()
    client.post("/v1/backfills", json={"target": "v3", "kind": "re-embed"})
    backfiller()
    found = until(client, "b1", "failed")
    assert (found["done"], found["skipped"]) == (0, {"not found": 30})
    assert "None of 30 entries was moved (30 not found)" in found["error"]


def test_another_process_goes_on(
    filled: Store, client: TestClient, backfiller: Callable[[], Backfiller]
) -> None:
    client.post("/v1/backfills", json={"target": "v3", "kind": "re-embed", "batch_size": 1, "pace": 40})
    first = backfiller()
    wait_until(lambda: client.get("/v1/backfills/b1").json()["done"] >= 2)
    first.close()
    found = client.get("/v1/backfills/b1").json()
    assert (found["status"], found["owner"]) == ("running", None)
    backfiller()
    assert until(client, "b1", "done")["done"] == 30


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"target": "v3"}, 409, "No adapter"),
        ({"target": "v2", "kind": "re-embed"}, 409, "v1 was never measured against entries of v2"),
        ({"target": "v9", "kind": "re-embed"}, 404, "v9"),
        ({"kind": "re-embed"}, 422, "versions other than v1"),
        ({"target": "v3", "kind": "guess"}, 422, "kind"),
        ({"target": "v3", "to": "v3"}, 422, "to"),
        *(
            ({"target": "v3", "kind": "re-embed", name: value}, 422, name)
            for name, values in {
                "pace": [0, -1, 1e-9, 1e9],
                "workers": [-1, 10**9],
                "batch_size": [0, -1, 10**9],
            }.items()
            for value in values
        ),
    ],
)
def test_refusals(filled: Store, client: TestClient, body: dict[str, Any], status: int, words: str) -> None:
    answer = client.post("/v1/backfills", json=body)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["error"]["message"]
    assert client.get("/v1/backfills").json() == {"backfills": []}
    assert client.post("/v1/backfills/b7/pause").status_code == 404


def test_a_server_reads_no_image_unless_its_operator_says_so(
    filled: Store, serve_here: Callable[..., TestClient], admin_key: str
) -> None:
    client = serve_here()
    client.headers["Authorization"] = f"Bearer {admin_key}"
    answer = client.post("/v1/backfills", json={"target": "v3", "kind": "re-embed"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_config")
    assert "--sources (of holdfast serve" in answer.json()["error"]["message"]
    assert client.get("/v1/backfills").json() == {"backfills": []}


def test_a_server_without_sources_leaves_what_was_asked_for_elsewhere(filled: Store) -> None:
    Backfills(filled).create("v3", "re-embed")
    write = Entries(filled).write
    backfiller = Backfiller(filled, lambda change: write([change])[0], look_seconds=0.02)
    try:
        wait_until(lambda: Backfills(filled).get("b1").status != "running")
        found = Backfills(filled).get("b1")
    finally:
        backfiller.close()
    assert (found.status, found.done) == ("failed", 0)
    assert "--sources" in (found.error or "")
