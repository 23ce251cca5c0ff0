"""Many queries in one search, and requests that go on without what cannot be done."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.models import Encoder
from holdfast_serving.replica import Replica
from tests.serving.conftest import Served

Png = Callable[..., bytes]
ENTRIES = "/v1/gallery/entries"
RAW = {"Content-Type": "image/png"}
UNIT = np.eye(16, dtype=np.float32)


@pytest.fixture(scope="module")
def http(served_here: Served, encoders: dict[str, Encoder], png: Png) -> Iterator[httpx.Client]:
    """Images 0..9 by v1, 10..19 by v3, and one by v2, which nobody else may search."""
    entries = [
        {"id": str(number), "vector": vector.tolist(), "version": version, "attributes": {"n": number}}
        for version, numbers in (("v1", range(10)), ("v3", range(10, 20)), ("v2", [20]))
        for number, vector in zip(numbers, encoders[version].embed([png(n) for n in numbers]), strict=True)
    ]
    with served_here.http() as client:
        seq = client.put(ENTRIES, json={"entries": entries}).raise_for_status().json()["seq"]
        client.post("/v1/search", json={"id": "0", "min_seq": seq}).raise_for_status()
        yield client


def uri(image: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(image).decode()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), k=st.integers(1, 25), filtered=st.booleans())
def test_many_queries_are_answered_as_each_alone(
    http: httpx.Client,
    encoders: dict[str, Encoder],
    png: Png,
    data: st.DataObject,
    k: int,
    filtered: bool,
) -> None:
    def vector(number: int, version: str) -> dict[str, Any]:
        return {"vector": encoders[version].embed([png(number)])[0].tolist(), "model": version}

    numbers, versions = st.integers(0, 19), st.sampled_from(["v1", "v3"])
    query = st.one_of(
        st.builds(lambda n: {"image": uri(png(n))}, numbers),
        st.builds(lambda n, v: {"image_url": {"url": uri(png(n))}, "model": v}, numbers, versions),
        st.builds(vector, numbers, versions),
        st.builds(lambda n: {"id": str(n)}, numbers),
    )
    queries = data.draw(st.lists(query, min_size=1, max_size=6))
    shared: dict[str, Any] = {"k": k} | ({"filter": {"n": {"gte": 5}}} if filtered else {})
    answer = http.post("/v1/search", json={"queries": queries, **shared}).raise_for_status()
    results = answer.json()["results"]
    assert len(results) == len(queries)
    for query_, result in zip(queries, results, strict=True):
        alone = http.post("/v1/search", json={**query_, **shared}).raise_for_status().json()
        assert [hit["id"] for hit in result["hits"]] == [hit["id"] for hit in alone["hits"]]
        np.testing.assert_allclose(
            [hit["score"] for hit in result["hits"]], [hit["score"] for hit in alone["hits"]], atol=1e-5
        )
        assert {**result, "hits": []} == {**alone, "hits": []}
    asked = {result["query_version"] for result in results}
    assert answer.headers.get("X-Model-Version") == (asked.pop() if len(asked) == 1 else None)


def test_what_fails_is_left_out_and_named(http: httpx.Client, png: Png) -> None:
    queries = [
        {"id": "3"},
        {"image": "bm8="},
        {"vector": [0.5] * 8, "model": "v1"},
        {"vector": UNIT[0].tolist()},
        {"id": "nobody"},
        {"text": "words"},
        {"vector": (2 * UNIT[0]).tolist(), "model": "v1"},
        {"image": uri(png(4))},
        {"id": "20", "model": "v2"},
        {"image": uri(png(4)), "model": "v9"},
        {"image": "b", "id": "3"},
    ]
    body = {"queries": queries, "versions": ["v1"], "k": 3}
    assert http.post("/v1/search", json=body).status_code == 422
    found = http.post("/v1/search", json={**body, "on_error": "skip"}).raise_for_status().json()
    assert [at for at, result in enumerate(found["results"]) if result is not None] == [0, 7]
    assert found["results"][7]["hits"][0]["id"] == "4"
    assert [(each["index"], each["code"]) for each in found["errors"]] == [
        (1, "invalid_image"),
        (2, "invalid_vector"),
        (3, "invalid_vector"),
        (4, "not_found"),
        (5, "not_embeddable"),
        (6, "invalid_vector"),
        (8, "incompatible_versions"),
        (9, "not_found"),
        (10, "invalid"),
    ]


BAD: list[tuple[dict[str, Any], int, str]] = [
    ({"queries": []}, 422, "queries"),
    ({"queries": [{"id": "1"}], "id": "2"}, 422, "not both"),
    ({"queries": [{"id": "1", "k": 3}]}, 422, "'k' is no key here"),
    ({"queries": [{}]}, 422, "queries[0]: a search needs exactly one"),
    ({"id": "1", "on_error": "skip"}, 422, "goes with queries"),
    ({"queries": [{"id": "1"}] * 257}, 413, "257 queries in one request; at most 256"),
    ({"queries": [{"id": "1"}] * 200, "k": 1000}, 413, "200,000 hits"),
    ({"queries": [{"image": "b"}] * 65}, 413, "65 images"),
]


@pytest.mark.parametrize(("body", "status", "words"), BAD)
def test_many_queries_have_their_limits(
    http: httpx.Client, body: dict[str, Any], status: int, words: str
) -> None:
    answer = http.post("/v1/search", json=body)
    assert (answer.status_code, words in answer.json()["error"]["message"]) == (status, True), answer.text


def test_many_queries_are_one_call_of_the_index(
    client: TestClient, png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [{"id": str(number), "image": uri(png(number))} for number in range(8)]
    seq = client.put(ENTRIES, json={"entries": items}).json()["seq"]
    replica: Replica = client.app.state.replica  # type: ignore[attr-defined]
    calls: list[int] = []
    recall_many = replica.gallery.recall_many

    def counted(vectors: np.ndarray, *arguments: Any, **options: Any) -> Any:
        calls.append(len(vectors))
        return recall_many(vectors, *arguments, **options)

    monkeypatch.setattr(replica.gallery, "recall_many", counted)
    queries = [{"image": item["image"]} for item in items]
    found = client.post("/v1/search", json={"queries": queries, "min_seq": seq, "k": 1}).json()["results"]
    assert [result["hits"][0]["id"] for result in found] == [item["id"] for item in items]
    assert calls == [8]


def test_a_search_by_an_uploaded_image(http: httpx.Client, png: Png) -> None:
    by_json = http.post("/v1/search", json={"image": uri(png(7)), "k": 3, "versions": ["v1", "v3"]}).json()
    address = http.post("/v1/search?k=3&versions=v1&versions=v3", content=png(7), headers=RAW)
    fields = {"k": "3", "versions": '["v1", "v3"]', "filter": '{"n": {"gte": 0}}'}
    form = http.post("/v1/search", files={"image": ("a.png", png(7))}, data=fields)
    assert address.json() == form.json() == by_json
    assert by_json["hits"][0]["id"] == "7"
    two = http.post("/v1/search", files=[("file", ("a", png(7))), ("file", ("b", png(7)))])
    assert (two.status_code, "2 files" in two.text) == (422, True)


def test_one_entry_is_put_by_its_address(http: httpx.Client, png: Png) -> None:
    address = f"{ENTRIES}/a%2Fb"
    plain = http.put(address, json={"image_url": {"url": uri(png(90))}, "attributes": {"color": "red"}})
    raw = http.put(
        f"{ENTRIES}/raw", params={"attributes": '{"n": 1}', "source": "s"}, content=png(90), headers=RAW
    )
    form = http.put(f"{ENTRIES}/form", files={"file": ("a.png", png(90))}, data={"attributes": '{"n": 2}'})
    for answer in (plain, raw, form):
        assert answer.raise_for_status().json()["upserted"] == 1
    found = [http.get(f"{ENTRIES}/{name}?vector=true").json() for name in ("a%2Fb", "raw", "form")]
    assert [each["attributes"] for each in found] == [{"color": "red"}, {"n": 1}, {"n": 2}]
    assert found[1]["source"] == "s"
    assert found[0]["vector"] == found[1]["vector"] == found[2]["vector"]
    for bad in ({}, {"image": "b", "vector": [1.0]}, {"image": uri(png(1)), "version": "v1"}, {"id": "x"}):
        assert http.put(address, json=bad).status_code == 422
    assert http.put(f"{ENTRIES}/{'x' * 513}", json={"image": uri(png(1))}).status_code == 422
    for name in ("a%2Fb", "raw", "form"):
        http.delete(f"{ENTRIES}/{name}").raise_for_status()


def test_entries_that_cannot_be_written_are_left_out_and_named(http: httpx.Client, png: Png) -> None:
    vector = UNIT[0].tolist()
    entries = [
        {"id": "good", "image": uri(png(1)), "attributes": {"a": None}},
        {"id": "image", "image": "bm8="},
        {"id": "short", "vector": [1.0], "version": "v1"},
        {"id": "long", "vector": (3 * UNIT[0]).tolist(), "version": "v1"},
        {"id": "nowhere", "vector": vector, "version": "v9"},
        {"id": "..", "vector": vector, "version": "v1"},
        {"id": "attributes", "vector": vector, "version": "v1", "attributes": {"a": 2**60, "b": None}},
        {"id": "shape", "vectr": vector},
        {"id": "infinite", "vector": [1e60] * 16, "version": "v1"},
        {"id": "fine", "vector": vector, "version": "v3"},
    ]
    assert http.put(ENTRIES, json={"entries": entries}).status_code == 422
    answer = http.put(ENTRIES, json={"entries": entries, "on_error": "skip"})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["upserted"] == 2
    assert found["null_attributes"] == {"a": 1}
    assert [each["index"] for each in found["errors"]] == [1, 2, 3, 4, 5, 6, 7, 8]
    written = http.post(f"{ENTRIES}/lookup", json={"ids": [str(each["id"]) for each in entries]}).json()
    assert [each["id"] for each in written["entries"]] == ["good", "fine"]
    only_bad = http.put(ENTRIES, json={"entries": entries[1:3], "on_error": "skip"}).raise_for_status().json()
    assert (only_bad["upserted"], len(only_bad["errors"])) == (0, 2)
    assert http.post("/v1/search", json={"id": "good", "min_seq": only_bad["seq"]}).status_code == 200
    http.post(f"{ENTRIES}/delete", json={"ids": ["good", "fine"]}).raise_for_status()
