"""A shadow over HTTP: it answers what the live version answers, and nobody sees it."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from holdfast.entries import Entries, Entry
from holdfast.models import Encoder
from holdfast.store import Store
from tests.fixtures.waiting import wait_until

DataUri = Callable[..., str]
Png = Callable[..., bytes]


@pytest.fixture
def filled(client: TestClient, store: Store, encoders: dict[str, Encoder], png: Png) -> TestClient:
    """30 entries of v1; v3 is the shadow."""
    images = [png(seed) for seed in range(30)]
    vectors = encoders["v1"].embed(images)
    Entries(store).upsert(
        [Entry(f"e{at}", "v1", vector, {"label": at % 3}) for at, vector in enumerate(vectors)]
    )
    wait_until(lambda: client.get("/v1/gallery").json()["total"] == 30)
    answer = client.put("/v1/traffic", json={"expect_epoch": 1, "shadow_version": "v3"})
    assert answer.status_code == 200, answer.text
    return client


def shadow(client: TestClient, queries: int = 0) -> dict[str, Any]:
    """The figures, once so many queries are counted."""

    def counted() -> bool:
        found = client.get("/v1/traffic/shadow").json()
        return sum(found[part] for part in ("queries", "failed", "dropped", "not_comparable")) >= queries

    wait_until(counted)
    found: dict[str, Any] = client.get("/v1/traffic/shadow").json()
    return found


def test_the_shadow_is_compared_and_answers_nobody(filled: TestClient, data_uri: DataUri) -> None:
    for seed in range(6):
        body = {"image": data_uri(seed), "relevant": [f"e{seed}"]}
        answer = filled.post("/v1/search", json=body).json()
        assert answer["query_version"] == "v1"
        assert answer["hits"][0]["id"] == f"e{seed}"
    found = shadow(filled, 6)
    assert (found["live"], found["shadow"], found["share"], found["epoch"]) == ("v1", "v3", 1.0, 2)
    assert (found["queries"], found["failed"], found["dropped"]) == (6, 0, 0)
    assert 0.5 < found["overlap"]["low"] <= found["overlap"]["value"] <= 1
    assert (found["judged"], found["negative_flips"]["value"]) == (6, 0)
    assert found["negative_flips"]["high"] > 0.1, "six queries tell little"
    assert found["latency_ratio"]["value"] > 0
    assert found["live_seconds"]["p50"] <= found["live_seconds"]["p99"]
    metrics = filled.get("/metrics").text
    assert 'holdfast_shadow_queries_total{outcome="compared"} 6.0' in metrics
    assert "holdfast_shadow_overlap_count 6.0" in metrics
