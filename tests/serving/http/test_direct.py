"""The short way to an endpoint answers as FastAPI's own way does."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from holdfast_serving.http.direct import Direct

BODIES: list[tuple[str, str, Any]] = [
    ("POST", "/v1/embeddings", {"input": 7}),
    ("POST", "/v1/embeddings", {"inputs": "x"}),
    ("POST", "/v1/embeddings", []),
    ("POST", "/v1/embeddings", None),
    ("POST", "/v1/embeddings", {"input": "no image", "model": "live"}),
    ("POST", "/v1/search", {"vector": [1.0], "model": "v1", "k": 0}),
    ("POST", "/v1/search", {"vector": [1.0], "model": "v9"}),
    ("PUT", "/v1/gallery/entries", {"entries": [{"id": "a"}]}),
    ("PUT", "/v1/traffic", {"expect_epoch": "x"}),
    ("GET", "/v1/models", None),
    ("GET", "/v1/gallery", None),
    ("GET", "/livez", None),
]


@pytest.mark.parametrize(("method", "path", "body"), BODIES)
def test_both_ways_answer_alike(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: Any
) -> None:
    def ask() -> Any:
        sent = {} if body is None and method == "GET" else {"json": body}
        answer = client.request(method, path, headers={"X-Request-ID": "same"}, **sent)
        return answer.status_code, answer.json(), answer.headers.get("X-Model-Version")

    direct = ask()
    monkeypatch.setattr(Direct, "_endpoint", lambda self, scope: None)
    assert ask() == direct


def test_an_endpoint_that_raises_pydantics_error_is_a_defect(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from pydantic import TypeAdapter

    def broken(*args: Any) -> Any:
        TypeAdapter(int).validate_python("x")

    monkeypatch.setattr(client.app.state.replica, "resolve", broken)  # type: ignore[attr-defined]
    body = {"vector": [1.0], "model": "v1"}
    assert client.post("/v1/search", json=body).status_code == 500
