"""Where the time of a request went, and what the server has to do without."""

import json
import logging
import time
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from holdfast.base import StoreError
from holdfast.store import Store
from holdfast_serving import logs
from tests.fixtures.waiting import wait_until


def stages_of(header: str) -> dict[str, float]:
    return {
        name: float(rest.removeprefix("dur="))
        for name, _, rest in (i.partition(";") for i in header.split(", "))
    }


def test_an_answer_says_how_long_each_stage_took(
    client: TestClient, data_uri: Callable[..., str], store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store.traffic.promote("v1")
    access = logging.getLogger(logs.ACCESS)
    access.setLevel(logging.INFO)
    access.addHandler(caplog.handler)
    wait_until(lambda: client.get("/readyz").json()["ready"])
    try:
        entry = {"id": "cup", "image": data_uri(1)}
        written = client.put("/v1/gallery/entries", json={"entries": [entry]})
        found = client.post("/v1/search", json={"image": data_uri(1), "min_seq": written.json()["seq"]})
    finally:
        access.removeHandler(caplog.handler)
        access.setLevel(logging.CRITICAL)
    assert {"decode", "queue", "embed", "commit"} == set(stages_of(written.headers["Server-Timing"]))
    took = stages_of(found.headers["Server-Timing"])
    assert {"decode", "queue", "embed", "recall", "rank"} == set(took)
    assert all(0 <= each < 60_000 for each in took.values())
    logged = [json.loads(record.getMessage()) for record in caplog.records if record.name == logs.ACCESS]
    assert set(logged[-1]["stages"]) == set(took)
    assert sum(logged[-1]["stages"].values()) <= logged[-1]["ms"] + 1
    families = {each.name: each for each in text_string_to_metric_families(client.get("/metrics").text)}
    counted = {
        sample.labels["stage"]: sample.value
        for sample in families["holdfast_stage_seconds"].samples
        if sample.name.endswith("_count")
    }
    assert (counted["embed"], counted["recall"], counted["commit"]) == (2, 1, 1)
    assert "Server-Timing" not in client.get("/livez").headers


def test_a_server_says_that_its_database_is_away_and_searches_on(
    client: TestClient, store: Store, data_uri: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store.traffic.promote("v1")
    wait_until(lambda: client.get("/readyz").json()["ready"])
    assert client.get("/readyz").json()["away"] == []

    def gone() -> None:
        raise StoreError("The database is away.")

    with monkeypatch.context() as patch:
        patch.setattr(store.traffic, "current", gone)
        wait_until(lambda: client.get("/readyz").json()["away"] == ["database"])
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["ready"]) == (200, True)
        assert 'holdfast_away{part="database"} 1.0' in client.get("/metrics").text
        assert client.post("/v1/embeddings", json={"input": data_uri(1)}).status_code == 200
    wait_until(lambda: client.get("/readyz").json()["away"] == [])


def test_a_database_that_neither_answers_nor_fails_is_away(
    client: TestClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast_serving.replica.replica.SILENT_SECONDS", 0.2)
    current = store.traffic.current
    monkeypatch.setattr(store.traffic, "current", lambda: (time.sleep(1.5), current())[1])
    wait_until(lambda: client.get("/readyz").json()["away"] == ["database"])
    monkeypatch.setattr(store.traffic, "current", current)
    wait_until(lambda: client.get("/readyz").json()["away"] == [])
