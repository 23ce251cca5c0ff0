"""POST /v1/embeddings over a real store and real encoders."""

import base64
from collections.abc import Callable

import numpy as np
import pytest
from fastapi.testclient import TestClient

from holdfast.models import Encoder

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
