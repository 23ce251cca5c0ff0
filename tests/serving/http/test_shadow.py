"""A shadow over HTTP: it answers what the live version answers, and nobody sees it."""

from collections.abc import Callable
from pathlib import Path
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
def client(serve_here: Callable[..., TestClient], admin_key: str, tmp_path: Path) -> TestClient:
    """The app that may read the images and knows what is relevant, with an admin key in every request."""
    client = serve_here(sources=(str(tmp_path),), shadow={"relevance": "label"})
    client.headers["Authorization"] = f"Bearer {admin_key}"
    return client


@pytest.fixture
def filled(
    client: TestClient, store: Store, encoders: dict[str, Encoder], png: Png, tmp_path: Path
) -> TestClient:
    """30 entries of v1, of which the first ten have their images on the disk; v3 is the shadow."""
    images = [png(seed) for seed in range(30)]
    entries = []
    for at, vector in enumerate(encoders["v1"].embed(images)):
        file = tmp_path / f"{at}.png"
        if at < 10:
            file.write_bytes(images[at])
        entries.append(Entry(f"e{at}", "v1", vector, {"label": at % 3}, str(file)))
    Entries(store).upsert(entries)
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


def test_searches_by_an_entry_are_compared_by_its_image_and_judged_by_its_attribute(
    filled: TestClient,
) -> None:
    for at in range(12):
        assert filled.post("/v1/search", json={"id": f"e{at}"}).status_code == 200
    found = shadow(filled, 12)
    assert (found["queries"], found["judged"], found["not_comparable"]) == (10, 10, 2)


def test_many_queries_of_one_search_are_compared_each_but_for_latency(
    filled: TestClient, data_uri: DataUri
) -> None:
    queries = [{"image": data_uri(1)}, {"image": "no image"}, {"id": "e2"}, {"id": "e20"}]
    answer = filled.post("/v1/search", json={"queries": queries, "on_error": "skip"})
    assert answer.status_code == 200, answer.text
    found = shadow(filled, 3)
    assert (found["queries"], found["judged"], found["not_comparable"]) == (2, 1, 1)
    assert found["latency_ratio"] is None


def test_what_is_not_compared_is_counted(
    filled: TestClient, encoders: dict[str, Encoder], png: Png, data_uri: DataUri
) -> None:
    vector = encoders["v1"].embed([png(1)])[0].tolist()
    image = data_uri(1)
    for body in (
        {"vector": vector, "model": "v1"},
        {"image": image, "score_threshold": 0.1},
        {"image": image, "group_by": "label"},
        {"image": image, "model": "v3"},  # nothing that the live version answers
    ):
        assert filled.post("/v1/search", json=body).status_code == 200
    found = shadow(filled, 3)
    assert (found["queries"], found["not_comparable"]) == (0, 3)


def test_another_share_keeps_what_was_found_and_another_shadow_begins_anew(
    filled: TestClient, data_uri: DataUri
) -> None:
    filled.post("/v1/search", json={"image": data_uri(1)})
    shadow(filled, 1)
    change = {"expect_epoch": 2, "shadow_share": 0.0}
    assert filled.put("/v1/traffic", json=change).json()["shadow_share"] == 0
    filled.post("/v1/search", json={"image": data_uri(2)})
    assert shadow(filled)["queries"] == 1
    change = {"expect_epoch": 3, "shadow_version": "v2", "shadow_share": 1.0}
    assert filled.put("/v1/traffic", json=change).status_code == 200
    assert filled.post("/v1/search", json={"image": data_uri(3)}).json()["query_version"] == "v1"
    found = shadow(filled, 1)
    assert (found["shadow"], found["queries"], found["errors"]["value"]) == ("v2", 0, 1.0)
    assert found["failed_by_code"] == {"incompatible_versions": 1}
    assert "v2" in found["last_error"]


def test_a_shadow_that_does_not_load_keeps_nobody_from_answers(
    filled: TestClient, store: Store, data_uri: DataUri
) -> None:
    version = store.versions.get("v2")
    for weights in store.artifacts.folder(version.artifacts, version.files).glob("*.safetensors"):
        weights.write_bytes(weights.read_bytes()[:-10])
    refused = filled.put("/v1/traffic", json={"expect_epoch": 2, "shadow_version": "v2"})
    assert refused.status_code == 503, "who asks is told"
    store.traffic.change(shadow_version="v2")
    wait_until(lambda: filled.get("/v1/traffic").json()["applied_epoch"] == 3)
    assert filled.post("/v1/search", json={"image": data_uri(1)}).status_code == 200
    assert shadow(filled, 1)["failed"] == 1


def test_a_gate_that_was_not_passed_is_a_409_that_says_which_figure(
    filled: TestClient, data_uri: DataUri
) -> None:
    filled.post("/v1/search", json={"image": data_uri(1)})
    shadow(filled, 1)
    change = {"expect_epoch": 2, "query_version": "v3", "require": {"queries": 1000, "overlap": 0.1}}
    answer = filled.put("/v1/traffic", json=change)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "shadow_gate")
    assert "queries is 1 and has to be 1,000 at least" in answer.json()["error"]["message"]
    change["require"] = {"queries": 1, "overlap": 0.1}
    promoted = filled.put("/v1/traffic", json=change).json()
    assert (promoted["query_version"], promoted["shadow_version"]) == ("v3", None)
    assert "as the shadow 1 queries, overlap" in promoted["note"]


def test_queries_that_come_too_fast_are_dropped_and_counted(
    filled: TestClient, data_uri: DataUri, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching = filled.app.state.replica.shadow  # type: ignore[attr-defined]
    monkeypatch.setattr(watching, "_bytes", 2**40)
    assert filled.post("/v1/search", json={"image": data_uri(1)}).status_code == 200
    assert shadow(filled, 1)["dropped"] == 1
