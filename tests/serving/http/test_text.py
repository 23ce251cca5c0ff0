"""Text beside images: embedded, searched with, and refused in a sentence where a version takes none."""

import json
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from fastapi.testclient import TestClient

from holdfast.entries import Entries, Entry
from holdfast.store import Compatibility, Store
from tests.fixtures.endpoints import Vendor, adopt_endpoint, adopt_vectors, running_vendor

DataUri = Callable[..., str]


@pytest.fixture
def vendor(store: Store) -> Iterator[Vendor]:
    """A model of images and text, adopted as v4 under the name `clip`."""
    with running_vendor() as running:
        assert adopt_endpoint(store, running, "clip") == "v4"
        yield running


def unit(vendor: Vendor, modality: str, item: str) -> np.ndarray:
    vector = np.array(vendor.embed(modality, item), np.float32)
    return vector / np.linalg.norm(vector)


def test_text_and_images_are_told_apart_by_what_the_client_says(
    vendor: Vendor, client: TestClient, data_uri: DataUri
) -> None:
    mixed = [{"text": "a dog"}, data_uri(1), {"image": data_uri(2)}, {"text": "né"}]
    answer = client.post("/v1/embeddings", json={"model": "clip", "input": mixed})
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == "v4"
    vectors = [row["embedding"] for row in answer.json()["data"]]
    expected = [
        unit(vendor, "text", "a dog"),
        unit(vendor, "image", data_uri(1)),
        unit(vendor, "image", data_uri(2)),
        unit(vendor, "text", "né"),
    ]
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    # As OpenAI's own client sends it.
    plain = {"model": "v4", "input": "a dog", "modality": "text"}
    answer = client.post("/v1/embeddings", json=plain)
    np.testing.assert_allclose(answer.json()["data"][0]["embedding"], expected[0], atol=1e-5)
    single = client.post("/v1/embeddings", json={"model": "v4", "input": {"text": "a dog"}})
    assert single.json()["data"] == answer.json()["data"]


def test_a_version_has_one_copy_under_whichever_name(vendor: Vendor, client: TestClient) -> None:
    for name in ("clip", "v4", "clip"):
        assert client.post("/v1/search", json={"model": name, "text": "a"}).status_code == 200
    loaded = [line for line in client.get("/metrics").text.splitlines() if "version_sound{" in line]
    assert [line.partition("{")[2] for line in loaded] == ['version="v1"} 1.0', 'version="v4"} 1.0']


def test_searches_by_text_through_the_ways_of_images(
    vendor: Vendor, client: TestClient, data_uri: DataUri
) -> None:
    epoch = client.get("/v1/traffic").json()["epoch"]
    wish = {"expect_epoch": epoch, "query_version": "clip", "write_version": "clip", "force": True}
    assert client.put("/v1/traffic", json=wish).status_code == 200
    for seed in range(4):
        entry = {"id": f"e{seed}", "image": data_uri(seed)}
        seq = client.put("/v1/gallery/entries", json={"entries": [entry]}).json()["seq"]
    found = client.post("/v1/search", json={"text": "red apples", "k": 4, "min_seq": seq})
    assert found.status_code == 200, found.text
    assert found.json()["query_version"] == "v4"
    asked = unit(vendor, "text", "red apples")
    scores = {f"e{seed}": float(unit(vendor, "image", data_uri(seed)) @ asked) for seed in range(4)}
    hits = {hit["id"]: hit["score"] for hit in found.json()["hits"]}
    assert list(hits) == sorted(scores, key=lambda name: -scores[name])
    assert hits == pytest.approx(scores, abs=1e-5)


@pytest.mark.parametrize("body", [{"text": "a dog"}, {"text": "a dog", "model": "v3"}])
def test_a_version_without_a_text_tower_says_so(client: TestClient, body: dict[str, str]) -> None:
    answer = client.post("/v1/search", json=body)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "not_embeddable"
    assert "text" in error["message"]
    answer = client.post("/v1/embeddings", json={"input": {"text": "a dog"}})
    assert answer.json()["error"]["code"] == "not_embeddable"


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"text": ""}, 422, "at least 1 character"),
        ({"text": "a\0b"}, 422, "NUL"),
        ('{"text": "\\ud800"}', 422, "surrogate"),
        ({"text": "a" * 9000}, 413, "8,192"),
        ({"text": "a", "image": "b"}, 422, "exactly one of image, text, vector and id"),
        ({"text": 3}, 422, "text"),
    ],
)
def test_texts_that_are_none(
    client: TestClient, body: dict[str, object] | str, status: int, said: str
) -> None:
    content = body if isinstance(body, str) else json.dumps(body)
    answer = client.post("/v1/search", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert said in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([{"text": "a", "image": "b"}], "input[0]"),
        ([{"txt": "a"}], "input[0]"),
        ([{}], "input[0]"),
        ([{"text": "a\0"}], "input[0]"),
        ([3], "input[0]"),
    ],
)
def test_items_that_are_none(client: TestClient, given: list[object], said: str) -> None:
    answer = client.post("/v1/embeddings", json={"input": given})
    assert answer.status_code == 422
    assert said in answer.json()["error"]["message"]


def test_too_many_texts(client: TestClient) -> None:
    answer = client.post("/v1/embeddings", json={"input": ["a"] * 300, "modality": "text"})
    assert answer.status_code == 413
    assert "256 are taken" in answer.json()["error"]["message"]


def test_vectors_alone_are_searched_by_vector(client: TestClient, store: Store, data_uri: DataUri) -> None:
    name = adopt_vectors(store, "theirs", dimension=8)
    vector = np.eye(8, dtype=np.float32)[0]
    Entries(store).upsert([Entry("a", name, vector, {})])
    answer = client.put(
        "/v1/gallery/entries", json={"entries": [{"id": "b", "version": "theirs", "vector": vector.tolist()}]}
    )
    asked = {"vector": vector.tolist(), "model": "theirs", "min_seq": answer.json()["seq"]}
    found = client.post("/v1/search", json=asked)
    assert [hit["embedded_by"] for hit in found.json()["hits"]] == [name, name]
    for body in ({"text": "a"}, {"image": data_uri(1)}):
        answer = client.post("/v1/search", json={**body, "model": "theirs"})
        assert answer.status_code == 422
        assert answer.json()["error"]["code"] == "not_embeddable"
        assert "give vectors" in answer.json()["error"]["message"]
    # It can be live: then whoever searches has vectors.
    store.compatibility.record([Compatibility(name, "v1", 60.0, 50.0, 8.0, 12.0, True, "test")])
    epoch = client.get("/v1/traffic").json()["epoch"]
    wish = {"expect_epoch": epoch, "query_version": "theirs", "write_version": "theirs", "force": True}
    put = client.put("/v1/traffic", json=wish)
    assert put.json()["query_version"] == name, put.text
    assert client.get("/readyz").json()["ready"]
    answer = client.put("/v1/gallery/entries", json={"entries": [{"id": "c", "image": data_uri(1)}]})
    assert answer.status_code == 422
    models = {each["id"]: each for each in client.get("/v1/models").json()["data"]}
    assert (models[name]["takes"], models["v1"]["takes"]) == ([], ["image"])


def test_what_texts_are_for_reaches_the_endpoint_in_every_shape(
    store: Store, client: TestClient, data_uri: DataUri
) -> None:
    with running_vendor() as vendor:
        adopt_endpoint(store, vendor, "asymmetric", "cohere")
        texts = {"model": "asymmetric", "input": [{"text": "a dog"}]}
        for path, body in (
            ("/v1/embeddings", texts),
            ("/v1/embeddings", {**texts, "input_type": "document"}),
            ("/v1/embeddings", {**texts, "task": "retrieval.passage"}),
            ("/v1/embeddings", {**texts, "task": "text-matching"}),
            ("/v1/embeddings", {**texts, "input": [data_uri(1)], "input_type": "document"}),
            ("/v2/embed", {"model": "asymmetric", "texts": ["a"], "input_type": "search_document"}),
            ("/v2/embed", {"model": "asymmetric", "texts": ["a"], "input_type": "clustering"}),
        ):
            vendor.requests.clear()
            answer = client.post(path, json=body)
            assert answer.status_code == 200, answer.text
            told = vendor.requests[-1]["input_type"]
            said = body.get("input_type") or body.get("task")
            if body.get("input") == [data_uri(1)]:
                assert told == "image"
            else:
                is_document = said in ("document", "retrieval.passage", "search_document")
                assert told == ("search_document" if is_document else "search_query")
