"""Versions whose model is an endpoint: away, back, and changed under way."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from holdfast.store import Store
from tests.fixtures.endpoints import Vendor, adopt_endpoint, running_vendor
from tests.fixtures.waiting import wait_until

DataUri = Callable[..., str]
Start = Callable[..., TestClient]


@pytest.fixture
def vendor(store: Store) -> Iterator[Vendor]:
    """A model of images and text, adopted as v4, live and writing; v1 may be asked as well."""
    with running_vendor() as running:
        adopt_endpoint(store, running, "clip")
        store.traffic.promote("v4", writes=True, force=True)
        yield running


@pytest.fixture
def start(serve_here: Start, admin_key: str, monkeypatch: pytest.MonkeyPatch) -> Start:
    monkeypatch.setattr("holdfast_serving.replica.replica.RECHECK_SECONDS", 0.05)
    monkeypatch.setattr("holdfast_serving.replica.health.RECHECK_SECONDS", 0.05)

    def begin(**settings: Any) -> TestClient:
        client = serve_here(**settings)
        client.headers["Authorization"] = f"Bearer {admin_key}"
        return client

    return begin


def requests_of(client: TestClient, data_uri: DataUri) -> list[httpx.Response]:
    """A query by image, one by text, one image to embed and one to write."""
    return [
        client.post("/v1/search", json={"image": data_uri(1)}),
        client.post("/v1/search", json={"text": "a dog"}),
        client.post("/v1/embeddings", json={"input": [data_uri(1)]}),
        client.put("/v1/gallery/entries", json={"entries": [{"id": "a", "image": data_uri(1)}]}),
    ]


def assert_refused(client: TestClient, data_uri: DataUri, code: str, said: str) -> None:
    for answer in requests_of(client, data_uri):
        assert answer.status_code == 503, answer.text
        assert answer.json()["error"]["code"] == code
        assert answer.json()["error"]["message"].startswith("v4: The endpoint http://127.0.0.1:")
        assert said in answer.json()["error"]["message"]
    # The others work.
    assert client.post("/v1/embeddings", json={"input": data_uri(1), "model": "v1"}).status_code == 200
    ready = client.get("/readyz")
    assert ready.json()["ready"]
    assert ready.json()["faults"] == {"v4": code}
    models = {each["id"]: each["fault"] for each in client.get("/v1/models").json()["data"]}
    assert models["v1"] is None
    assert said in models["v4"]
    assert 'holdfast_version_sound{version="v4"} 0.0' in client.get("/metrics").text


def assert_answered(client: TestClient, data_uri: DataUri) -> None:
    for answer in requests_of(client, data_uri):
        assert answer.status_code == 200, answer.text
    assert client.get("/readyz").json()["faults"] == {}
    assert 'holdfast_version_sound{version="v4"} 1.0' in client.get("/metrics").text


def test_a_model_that_changed_before_the_start_is_refused(
    vendor: Vendor, start: Start, data_uri: DataUri, caplog: pytest.LogCaptureFixture
) -> None:
    vendor.model = 1
    client = start()
    assert_refused(client, data_uri, "model_changed", "has become another model")
    assert "v4 is not used any more" in caplog.text


def test_a_model_that_changes_under_way_is_noticed_and_refused(
    vendor: Vendor, start: Start, data_uri: DataUri
) -> None:
    client = start(check_seconds=0.1)
    assert_answered(client, data_uri)
    vendor.model = 1
    wait_until(lambda: client.get("/readyz").json()["faults"])
    assert_refused(client, data_uri, "model_changed", "cosine")
    # Whoever adopted it goes back to the older version, or the provider to the older model.
    epoch = client.get("/v1/traffic").json()["epoch"]
    wish = {"expect_epoch": epoch, "query_version": "v1", "force": True}
    assert client.put("/v1/traffic", json=wish).status_code == 200
    back = {"expect_epoch": epoch + 1, "query_version": "clip", "force": True}
    assert client.put("/v1/traffic", json=back).json()["error"]["code"] == "model_changed"
    vendor.model = 0
    wait_until(lambda: not client.get("/readyz").json()["faults"])
    assert client.put("/v1/traffic", json=back).json()["query_version"] == "v4"
    assert_answered(client, data_uri)


def test_another_dimension_is_noticed_by_the_first_request(
    vendor: Vendor, start: Start, data_uri: DataUri
) -> None:
    client = start()
    vendor.dimension = 8
    first = client.post("/v1/search", json={"image": data_uri(1)})
    assert first.json()["error"]["code"] == "model_changed"
    assert_refused(client, data_uri, "model_changed", "8 dimensions")


def test_an_endpoint_that_is_away_at_the_start_is_waited_for(
    vendor: Vendor, start: Start, data_uri: DataUri
) -> None:
    vendor.away = True
    client = start()
    assert_refused(client, data_uri, "endpoint_unavailable", "away until tomorrow")
    vendor.away = False
    wait_until(lambda: not client.get("/readyz").json()["faults"])
    assert_answered(client, data_uri)


def test_an_endpoint_that_goes_away_keeps_nobody_waiting(
    vendor: Vendor, start: Start, data_uri: DataUri
) -> None:
    client = start()
    vendor.away = True
    first = client.post("/v1/search", json={"text": "a dog"})
    assert first.json()["error"]["code"] == "endpoint_unavailable"
    assert_refused(client, data_uri, "endpoint_unavailable", "away until tomorrow")
    vendor.away = False
    wait_until(lambda: not client.get("/readyz").json()["faults"])
    assert_answered(client, data_uri)


def test_what_the_endpoint_refuses_is_the_users_affair(
    vendor: Vendor, start: Start, data_uri: DataUri
) -> None:
    client = start()
    vendor.failures = [(413, {}, {"message": "images of at most 5 MB"})]
    answer = client.post("/v1/search", json={"image": data_uri(1)})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "endpoint_refused"
    assert "images of at most 5 MB" in answer.json()["error"]["message"]
    assert_answered(client, data_uri)
