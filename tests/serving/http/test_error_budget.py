"""A version that took over and fails is taken away by itself, once, and for a version that is sound."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from holdfast.store import Store
from tests.fixtures.endpoints import Vendor, adopt_endpoint, running_vendor
from tests.fixtures.waiting import wait_until

DataUri = Callable[..., str]
Start = Callable[..., TestClient]
BUDGET = {"queries": 8, "share": 0.1}


@pytest.fixture
def vendor(store: Store) -> Iterator[Vendor]:
    """A model behind an endpoint, adopted as v4; v1 is live."""
    with running_vendor() as running:
        adopt_endpoint(store, running, "clip")
        yield running


@pytest.fixture
def start(serve_here: Start, admin_key: str, monkeypatch: pytest.MonkeyPatch) -> Start:
    monkeypatch.setattr("holdfast_serving.replica.budget.PAUSE_SECONDS", 0.05)

    def begin(**settings: Any) -> TestClient:
        client = serve_here(**{"error_budget": BUDGET, **settings})
        client.headers["Authorization"] = f"Bearer {admin_key}"
        return client

    return begin


def ask(client: TestClient, data_uri: DataUri, times: int, **headers: str) -> list[int]:
    body = {"input": [data_uri(1)]}
    return [client.post("/v1/embeddings", json=body, headers=headers).status_code for _ in range(times)]


def change(client: TestClient, **changes: Any) -> None:
    epoch = client.get("/v1/traffic").json()["epoch"]
    body = {"expect_epoch": epoch, "force": True, **changes}
    answer = client.put("/v1/traffic", json=body)
    assert answer.status_code == 200, answer.text


def record(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/v1/traffic").json()
    return found


def done(client: TestClient, what: str) -> bool:
    return f'holdfast_error_budget_total{{done="{what}"}}' in client.get("/metrics").text


def test_a_promoted_version_that_fails_is_rolled_back_once(
    vendor: Vendor, start: Start, data_uri: DataUri
) -> None:
    clients = [start(), start()]
    first = clients[0]
    change(first, query_version="v4")
    wait_until(lambda: all(record(client)["applied_epoch"] == 2 for client in clients))
    assert ask(first, data_uri, 10) == [200] * 10
    vendor.away = True
    for client in clients:
        assert set(ask(client, data_uri, 12)) <= {503, 200}
    wait_until(lambda: all(record(client)["applied_epoch"] == 3 for client in clients))
    found = record(first)
    assert (found["query_version"], found["made_by"]) == ("v1", "holdfast")
    assert found["note"].startswith("roll back to 1: v4 failed ")
    assert "queries within 60 s, v1 failed 0 of 0 queries; the error budget is 10.0%" in found["note"]
    for client in clients:
        assert ask(client, data_uri, 10) == [200] * 10
    assert record(first)["epoch"] == 3, "one rollback, however many replicas saw it"


def test_a_canary_that_fails_is_taken_away_and_the_live_version_stays(
    vendor: Vendor, start: Start, data_uri: DataUri
) -> None:
    client = start()
    change(client, canary_version="v4", canary_share=0.5)
    vendor.away = True
    for user in range(60):
        ask(client, data_uri, 1, **{"X-User": str(user)})
    wait_until(lambda: record(client)["canary_version"] is None)
    found = record(client)
    assert (found["query_version"], found["made_by"]) == ("v1", "holdfast")
    assert found["note"].startswith("take the canary v4 away: v4 failed ")
    assert ask(client, data_uri, 10) == [200] * 10


def test_mistakes_of_clients_spend_no_budget(vendor: Vendor, start: Start, data_uri: DataUri) -> None:
    client = start()
    change(client, query_version="v4")
    for _ in range(20):
        assert client.post("/v1/embeddings", json={"input": ["no image"]}).status_code == 422
    vendor.takes = frozenset({"image"})
    for _ in range(20):
        body = {"input": ["words"], "modality": "text"}
        assert client.post("/v1/embeddings", json=body).json()["error"]["code"] == "endpoint_refused"
    assert record(client)["query_version"] == "v4"
    assert not done(client, "rolled_back")


def test_nothing_is_rolled_back_onto_a_faulty_version_nor_from_a_rollback(
    vendor: Vendor, start: Start, store: Store, data_uri: DataUri
) -> None:
    adopt_endpoint(store, vendor, "other", body="jina")
    client = start()
    change(client, query_version="v4")
    change(client, query_version="v5")
    vendor.away = True
    ask(client, data_uri, 12)
    wait_until(lambda: done(client, "refused"))
    assert record(client)["query_version"] == "v5"
    change(client, query_version="v1")
    store.traffic.change(query_version="v5", force=True, made_by="holdfast", note="roll back to 3: by itself")
    wait_until(lambda: record(client)["applied_epoch"] == 5)
    assert set(ask(client, data_uri, 20)) == {503}
    assert record(client)["epoch"] == 5
    assert not done(client, "rolled_back")


def test_without_a_budget_nothing_is_rolled_back(vendor: Vendor, start: Start, data_uri: DataUri) -> None:
    client = start(error_budget=None)
    change(client, query_version="v4")
    vendor.away = True
    assert set(ask(client, data_uri, 20)) == {503}
    assert record(client)["query_version"] == "v4"
