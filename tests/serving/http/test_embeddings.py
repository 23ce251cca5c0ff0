"""POST /v1/embeddings over a real store and real encoders."""

import base64
import io
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import pytest
from fastapi.testclient import TestClient

from holdfast.models import Encoder
from holdfast.store import Cut, Store

DataUri = Callable[..., str]


def test_answers_in_openai_shape_with_the_resolved_version(
    client: TestClient, encoders: dict[str, Encoder], png: Callable[..., bytes], data_uri: DataUri
) -> None:
    answer = client.post("/v1/embeddings", json={"model": "live", "input": [data_uri(1), data_uri(2)]})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["object"] == "list"
    assert body["model"] == "v1"
    assert answer.headers["X-Model-Version"] == "v1"
    assert [row["index"] for row in body["data"]] == [0, 1]
    expected = encoders["v1"].embed([png(1), png(2)])
    np.testing.assert_allclose([row["embedding"] for row in body["data"]], expected, atol=1e-5)


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_base64_is_little_endian_float32(
    client: TestClient, encoders: dict[str, Encoder], png: Callable[..., bytes], version: str
) -> None:
    plain = base64.b64encode(png(3)).decode()
    answer = client.post(
        "/v1/embeddings", json={"model": version, "input": plain, "encoding_format": "base64"}
    )
    vector = np.frombuffer(base64.b64decode(answer.json()["data"][0]["embedding"]), "<f4")
    np.testing.assert_allclose(vector, encoders[version].embed([png(3)])[0], atol=1e-5)


def test_vectors_are_cut_where_that_was_measured_and_say_what_it_costs(
    client: TestClient,
    store: Store,
    encoders: dict[str, Encoder],
    png: Callable[..., bytes],
    data_uri: DataUri,
) -> None:
    asked = {"model": "v1", "input": [data_uri(1), data_uri(2)], "dimensions": 8}
    refused = client.post("/v1/embeddings", json=asked)
    assert refused.status_code == 422
    assert "no cut of it was measured" in refused.json()["error"]["message"]
    # This server knows v1 already, and learns of it.
    cut = Cut(8, 80.0, 90.0, -12.0, -8.0, "these data")
    store.versions.note_cuts("v1", [cut])
    answer = client.post("/v1/embeddings", json=asked)
    assert answer.status_code == 200, answer.text
    whole = encoders["v1"].embed([png(1), png(2)])[:, :8]
    expected = whole / np.linalg.norm(whole, axis=1, keepdims=True)
    np.testing.assert_allclose([row["embedding"] for row in answer.json()["data"]], expected, atol=1e-5)
    assert answer.json()["cut"] == asdict(cut)
    said = "dimensions=8, recall-at-1=80.00, whole=90.00, low=-12.00, high=-8.00"
    assert answer.headers["X-Cut"] == said

    array = client.post("/v1/embeddings", json=asked, headers={"Accept": "application/x-npy"})
    np.testing.assert_allclose(np.load(io.BytesIO(array.content)), expected, atol=1e-5)
    assert (array.headers["X-Cut"], array.headers["X-Model-Version"]) == (said, "v1")
    cohere = {"model": "v1", "images": [data_uri(1)], "output_dimension": 8}
    assert client.post("/v2/embed", json=cohere).headers["X-Cut"] == said
    other = client.post("/v1/embeddings", json={**asked, "dimensions": 4})
    assert other.status_code == 422
    assert "8 (Recall@1 80.0 %, -10.0 points)" in other.json()["error"]["message"]
    whole_again = client.post("/v1/embeddings", json={**asked, "dimensions": 16})
    assert "X-Cut" not in whole_again.headers
    assert "cut" not in whole_again.json()
    (model,) = [each for each in client.get("/v1/models").json()["data"] if each["id"] == "v1"]
    assert model["cuts"] == [asdict(cut)]
