"""Entries: upsert, get, delete, and the gallery's state."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from holdfast.models import Encoder

DataUri = Callable[..., str]


def unit(seed: int) -> list[float]:
    vector = np.random.default_rng(seed).normal(size=16)
    return (vector / np.linalg.norm(vector)).tolist()


def test_images_are_embedded_by_the_write_version_and_searchable_after_the_answer(
    client: TestClient, encoders: dict[str, Encoder], png: Callable[..., bytes], data_uri: DataUri
) -> None:
    switch = {"expect_epoch": 1, "query_version": "v3", "write_version": "v3"}
    assert client.put("/v1/traffic", json=switch).status_code == 200
    items = [
        {
            "id": f"image/{n}",
            "image": data_uri(n),
            "attributes": {"n": n, "name": f"é{n}"},
            "source": f"file:{n}",
        }
        for n in range(3)
    ]
    put = client.put("/v1/gallery/entries", json={"entries": items})
    assert put.status_code == 200, put.text
    assert put.json()["upserted"] == 3

    found = client.post(
        "/v1/search", json={"image": data_uri(1), "k": 1, "min_seq": put.json()["seq"]}
    ).json()
    assert found["query_version"] == "v3"
    assert found["hits"][0]["id"] == "image/1"
    assert found["hits"][0]["embedded_by"] == "v3"
    assert found["hits"][0]["attributes"] == {"n": 1, "name": "é1"}
    assert found["hits"][0]["score"] == pytest.approx(1.0, abs=1e-4)

    entry = client.get("/v1/gallery/entries/image/1", params={"vector": True}).json()
    assert entry["embedded_by"] == "v3"
    assert entry["source"] == "file:1"
    np.testing.assert_allclose(entry["vector"], encoders["v3"].embed([png(1)])[0], atol=1e-5)


def test_one_request_may_mix_images_and_vectors(client: TestClient, data_uri: DataUri) -> None:
    entries = [
        {"id": "a", "vector": unit(0), "version": "v3"},
        {"id": "b", "image": data_uri(1)},
        {"id": "c", "vector": unit(2), "version": "v1"},
    ]
    put = client.put("/v1/gallery/entries", json={"entries": entries})
    assert put.status_code == 200, put.text
    state = client.get("/v1/gallery").json()
    client.post("/v1/search", json={"image": data_uri(1), "min_seq": put.json()["seq"]})
    state = client.get("/v1/gallery").json()
    assert state["entries"] == {"v1": 2, "v3": 1}
    assert state["total"] == 3
    assert state["seq"] == state["last_seq"] == put.json()["seq"]
    assert state["index"]["bytes"] > 0


def test_upsert_replaces_and_delete_removes(client: TestClient, data_uri: DataUri) -> None:
    for n in (1, 2):
        client.put("/v1/gallery/entries", json={"entries": [{"id": "x", "image": data_uri(n)}]})
    deleted = client.delete("/v1/gallery/entries/x")
    assert deleted.status_code == 200
    assert client.get("/v1/gallery/entries/x").status_code == 404
    assert client.delete("/v1/gallery/entries/x").status_code == 404
    found = client.post("/v1/search", json={"image": data_uri(2), "min_seq": deleted.json()["seq"]}).json()
    assert found["hits"] == []


@pytest.mark.parametrize(
    ("entry", "status", "code"),
    [
        ({"id": "x"}, 422, "invalid"),
        ({"id": "", "vector": unit(0), "version": "v1"}, 422, "invalid"),
        ({"id": "x", "vector": unit(0)}, 422, "invalid"),
        ({"id": "x", "vector": unit(0), "version": "v1", "image": "aGk="}, 422, "invalid"),
        ({"id": "x", "image": "aGk=", "version": "v1"}, 422, "invalid"),
        ({"id": "x", "vector": unit(0), "version": "v1", "attributes": {"a": [[1]]}}, 422, "invalid"),
        ({"id": "x", "image": "aGk="}, 422, "invalid_image"),
        ({"id": "x", "vector": unit(0)[:8], "version": "v1"}, 422, "invalid_vector"),
        ({"id": "x", "vector": [2.0] * 16, "version": "v1"}, 422, "invalid_vector"),
        ({"id": "x", "vector": [1e60, *unit(0)[1:]], "version": "v1"}, 422, "invalid_vector"),
        ({"id": "x", "vector": unit(0), "version": "v8"}, 404, "not_found"),
    ],
)
def test_a_bad_entry_is_refused_and_nothing_is_written(
    client: TestClient, entry: dict[str, Any], status: int, code: str
) -> None:
    good = {"id": "good", "vector": unit(1), "version": "v1"}
    answer = client.put("/v1/gallery/entries", json={"entries": [good, entry]})
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["code"] == code
    assert client.get("/v1/gallery/entries/good").status_code == 404


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_not_a_number_in_a_vector(client: TestClient, number: str) -> None:
    numbers = ", ".join([number] + ["0.1"] * 15)
    body = f'{{"entries": [{{"id": "x", "version": "v1", "vector": [{numbers}]}}]}}'
    answer = client.put("/v1/gallery/entries", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "invalid_vector"


def test_without_a_write_version_images_wait(client: TestClient, data_uri: DataUri) -> None:
    switch = {"expect_epoch": 1, "write_version": None}
    assert client.put("/v1/traffic", json=switch).status_code == 200
    answer = client.put("/v1/gallery/entries", json={"entries": [{"id": "x", "image": data_uri()}]})
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "not_ready"


def test_what_is_not_kept_as_it_came_is_counted(client: TestClient) -> None:
    entries = [
        {"id": name, "vector": unit(n), "version": "v1", "attributes": {"n": n, "price": None}}
        for n, name in enumerate(["twice", "once", "twice"])
    ]
    put = client.put("/v1/gallery/entries", json={"entries": entries})
    assert put.status_code == 200, put.text
    content = put.json()
    assert (content["upserted"], content["repeated"]) == (2, {"twice": 2})
    assert content["null_attributes"] == {"price": 3}
    assert client.get("/v1/gallery/entries/twice").json()["attributes"] == {"n": 2}
    plain = client.put("/v1/gallery/entries", json={"entries": [{**entries[1], "attributes": {}}]})
    assert set(plain.json()) == {"seq", "upserted"}


def test_the_index_that_is_served_is_compared(client: TestClient) -> None:
    entries = [{"id": name, "vector": unit(n), "version": "v1"} for n, name in enumerate("ab")]
    seq = client.put("/v1/gallery/entries", json={"entries": entries}).json()["seq"]
    client.post("/v1/search", json={"vector": unit(0), "model": "v1", "min_seq": seq})
    found = client.get("/v1/gallery/verify").json()
    assert (found["ok"], found["index"], found["problems"]) == (True, "exact", [])
    index = client.app.state.replica.gallery._index  # type: ignore[attr-defined]
    partition = index.partition("v1")
    partition.remove(partition.plan_removal(["b"]))
    found = client.get("/v1/gallery/verify").json()
    assert (found["ok"], found["problem_count"]) == (False, 1)
    assert found["problems"] == ["The index lacks 'b' of v1."]
