"""Every error has the one shape, says what was wrong in words, and carries the request's id."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from holdfast.base import HoldfastError

DataUri = Callable[..., str]


def check(answer: Any, status: int, code: str, *words: str) -> None:
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]
    error = answer.json()["error"]
    assert set(error) == {"type", "code", "message", "request_id"}
    assert error["code"] == code, error
    assert error["request_id"] == answer.headers["X-Request-ID"]
    for word in words:
        assert word in error["message"], error["message"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, ["input"]),
        ({"input": []}, ["input"]),
        ({"input": 7}, ["input"]),
        ({"input": ["x"], "modle": "v1"}, ["modle"]),
        ({"input": ["x"], "encoding_format": "hex"}, ["encoding_format", "base64"]),
        ({"input": ["x"], "model": ""}, ["model"]),
    ],
)
def test_a_body_of_the_wrong_shape(client: TestClient, body: dict[str, Any], words: list[str]) -> None:
    check(client.post("/v1/embeddings", json=body), 422, "invalid", *words)


def test_a_body_that_is_not_json(client: TestClient) -> None:
    answer = client.post("/v1/search", content=b"{nope", headers={"Content-Type": "application/json"})
    check(answer, 422, "invalid", "JSON")


def test_no_route_and_no_method(client: TestClient) -> None:
    check(client.get("/v2/nothing"), 404, "no_such_route", "/v2/nothing")
    check(client.post("/livez"), 405, "method_not_allowed", "POST")
    check(client.get("/page/../errors.py"), 404, "no_such_route")
    check(client.get("/page/secret.txt"), 404, "not_found")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("!!!", ["input[1]", "base64"]),
        ("aGVsbG8=", ["input[1]", "not an image", "PNG"]),
        ("data:image/png,abc", ["input[1]", "data URI"]),
        ("data:image/png;base64,", ["input[1]", "empty"]),
        ("https://example.org/cat.png", ["input[1]", "URLs"]),
    ],
)
def test_what_is_not_an_image_is_named(
    client: TestClient, data_uri: DataUri, text: str, words: list[str]
) -> None:
    answer = client.post("/v1/embeddings", json={"input": [data_uri(), text]})
    check(answer, 422, "invalid_image", *words)


def test_a_damaged_image(client: TestClient, data_uri: DataUri) -> None:
    whole = data_uri(0, 64)
    check(client.post("/v1/embeddings", json={"input": whole[: len(whole) // 8 * 4]}), 422, "invalid_image")


def test_another_dimension_and_another_version(client: TestClient, data_uri: DataUri) -> None:
    answer = client.post("/v1/embeddings", json={"input": data_uri(), "dimensions": 8})
    check(answer, 422, "invalid", "dimensions", "16")
    assert client.post("/v1/embeddings", json={"input": data_uri(), "dimensions": 16}).status_code == 200
    check(
        client.post("/v1/embeddings", json={"input": data_uri(), "model": "v9"}), 404, "not_found", "v9", "v3"
    )


def test_the_clients_request_id_is_echoed_unless_it_is_unfit(client: TestClient) -> None:
    assert client.get("/livez", headers={"X-Request-ID": "mine-1"}).headers["X-Request-ID"] == "mine-1"
    assert client.get("/livez", headers={"X-Request-ID": "x" * 500}).headers["X-Request-ID"] != "x" * 500


def test_a_defect_is_a_500_without_details(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(client.app.state.replica.store.traffic, "current", broken)  # type: ignore[attr-defined]
    answer = client.get("/v1/traffic")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    assert "secret detail" not in answer.text


def test_every_holdfast_error_has_a_status_and_a_code() -> None:
    def subclasses(kind: type[HoldfastError]) -> set[type[HoldfastError]]:
        return {kind}.union(*(subclasses(child) for child in kind.__subclasses__()))

    for kind in subclasses(HoldfastError):
        assert 400 <= kind.http_status < 600, kind
        assert kind.code, kind
