"""Scheduled changes over HTTP, made beside the writer."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from holdfast.store import Store
from holdfast_serving.writer.scheduler import Scheduler
from tests.fixtures.waiting import wait_until


@pytest.fixture
def scheduler(store: Store) -> Iterator[Scheduler]:
    running = Scheduler(store, 3600, 0.02)
    yield running
    running.close()


def plan(client: TestClient, seconds: float, **body: Any) -> list[dict[str, Any]]:
    at = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
    answer = client.post("/v1/traffic/schedule", json={"at": at, **body})
    assert answer.status_code == 201, answer.text
    made: list[dict[str, Any]] = answer.json()["scheduled"]
    return made


def listed(client: TestClient) -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in client.get("/v1/traffic/schedule").json()["scheduled"]}


def test_a_scheduled_change_is_made_and_the_trail_says_by_whom(
    client: TestClient, scheduler: Scheduler
) -> None:
    (made,) = plan(client, 0.2, query_version="v3", why="at night")
    assert (made["id"], made["status"], made["changes"]) == ("s1", "waiting", {"query_version": "v3"})
    plan(client, 0.0, query_version="v2")
    wait_until(lambda: {each["status"] for each in listed(client).values()} == {"done", "failed"})
    found = listed(client)
    assert (found["s1"]["epoch"], found["s1"]["status"]) == (2, "done")
    assert "v2 is not compatible with entries of v1" in found["s2"]["error"]
    newest = client.get("/v1/traffic/history").json()["records"][0]
    assert (newest["query_version"], newest["note"]) == ("v3", "s1: at night")
    assert newest["made_by"].startswith("key ")


def test_a_version_that_does_not_load_is_not_promoted_at_night(
    client: TestClient, store: Store, scheduler: Scheduler
) -> None:
    version = store.versions.get("v3")
    for weights in store.artifacts.folder(version.artifacts, version.files).glob("*.safetensors"):
        weights.write_bytes(weights.read_bytes()[:-10])
    plan(client, 0.0, query_version="v3")
    wait_until(lambda: listed(client)["s1"]["status"] == "failed")
    assert client.get("/v1/traffic").json()["query_version"] == "v1"


def test_a_ramp_is_scheduled_and_taken_back(client: TestClient) -> None:
    ramp = {"shares": [0.01, 0.1, 1], "every_seconds": 600}
    steps = plan(client, 600, canary_version="v3", ramp=ramp, require={"overlap": 0.8})
    assert [each["series"] for each in steps] == ["s1"] * 3
    assert [each["changes"]["canary_share"] for each in steps] == [0.01, 0.1, 1]
    assert steps[1]["changes"]["require"] == {"overlap": 0.8}
    gone = client.delete("/v1/traffic/schedule/s2")
    assert (gone.status_code, gone.json()["status"]) == (200, "cancelled")
    assert [each["status"] for each in listed(client).values()] == ["waiting", "cancelled", "cancelled"]
    assert client.delete("/v1/traffic/schedule/s2").status_code == 409
    assert client.delete("/v1/traffic/schedule/s9").status_code == 404


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"at": "2099-12-01T03:00", "query_version": "v3"}, "zone"),
        ({"at": "2019-12-01T03:00Z", "query_version": "v3"}, "is past"),
        ({"at": "2099-12-01T03:00Z"}, "nothing to change"),
        ({"at": "2099-12-01T03:00Z", "ramp": {"shares": [0.1], "every_seconds": 60}}, "canary_version"),
        ({"at": "2099-12-01T03:00Z", "query_version": "v3", "require": {}}, "nothing is required"),
        ({"at": "tomorrow", "query_version": "v3"}, "at"),
    ],
)
def test_what_can_never_be_made_is_a_422(client: TestClient, body: dict[str, Any], said: str) -> None:
    answer = client.post("/v1/traffic/schedule", json=body)
    assert answer.status_code == 422, answer.text
    assert said in answer.json()["error"]["message"]
