"""The shapes in which other APIs write requests, and the forms of answers: all give the same vectors."""

import base64
import io
from collections.abc import Callable
from typing import Any

import cohere
import httpx
import numpy as np
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.models import Encoder
from holdfast_serving.http.bodies.encodings import Encoding, as_rows, encode
from tests.serving.conftest import Served

Png = Callable[..., bytes]
EMBEDDINGS = "/v1/embeddings"
RAW = {"Content-Type": "image/png"}


def uri(image: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(image).decode()


def as_items(image: bytes) -> dict[str, Any]:
    """Every way to write one image among the items of /v1/embeddings."""
    plain = base64.b64encode(image).decode()
    return {
        "plain": plain,
        "data URI": uri(image),
        "image": {"image": plain},
        "image_url": {"image_url": uri(image)},
        "openai": {"type": "image_url", "image_url": {"url": uri(image), "detail": "low"}},
    }


def ways(client: httpx.Client, image: bytes) -> dict[str, list[float]]:
    """The vector of an image by every shape of a request."""
    post = client.post
    items = as_items(image)
    answers = {
        **{name: post(EMBEDDINGS, json={"input": item}) for name, item in items.items()},
        "jina": post(
            EMBEDDINGS, json={"input": [items["image"]], "embedding_type": "float", "normalized": True}
        ),
        "raw": post(EMBEDDINGS, content=image, headers=RAW),
        "octets": post(EMBEDDINGS, content=image, headers={"Content-Type": "application/octet-stream"}),
        "form": post(EMBEDDINGS, files={"file": ("a.png", image, "image/png")}),
        "form field": post(EMBEDDINGS, files={"input": (None, items["plain"])}),
        "messages": post(
            EMBEDDINGS, json={"messages": [{"role": "user", "content": [items["openai"]]}], "model": "live"}
        ),
    }
    vectors = {
        name: answer.raise_for_status().json()["data"][0]["embedding"] for name, answer in answers.items()
    }
    for body in ({"images": [uri(image)]}, {"inputs": [{"content": [items["openai"]]}]}):
        answer = post("/v2/embed", json={"input_type": "image", **body})
        vectors[f"cohere {[*body]}"] = answer.raise_for_status().json()["embeddings"]["float"][0]
    return vectors


@pytest.fixture(scope="module")
def http(served_here: Served) -> Any:
    with served_here.http() as client:
        yield client


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32 - 1), st.integers(1, 70))
def test_every_shape_gives_the_vector_of_plain_base64(
    http: httpx.Client, encoders: dict[str, Encoder], png: Png, seed: int, size: int
) -> None:
    image = png(seed, size)
    found = ways(http, image)
    for name, vector in found.items():
        assert vector == found["plain"], name
    np.testing.assert_allclose(found["plain"], encoders["v1"].embed([image])[0], atol=1e-5)


@pytest.mark.parametrize("encoding", ["float", "base64", "int8", "uint8", "binary", "ubinary"])
def test_rows_tables_and_arrays_hold_the_same(http: httpx.Client, png: Png, encoding: Encoding) -> None:
    body = {"input": [uri(png(seed)) for seed in range(3)], "encoding_format": encoding, "model": "v3"}
    rows = [row["embedding"] for row in http.post(EMBEDDINGS, json=body).json()["data"]]
    answer = http.post(EMBEDDINGS, json=body, headers={"Accept": "application/x-npy"})
    array = np.load(io.BytesIO(answer.content), allow_pickle=False)
    if encoding == "base64":
        rows = [np.frombuffer(base64.b64decode(row), "<f4") for row in rows]
    # JSON has as many digits of a float as tell it from its neighbours, which float32 reads exactly.
    assert np.array_equal(np.array(rows, array.dtype), array)
    assert (answer.headers["Content-Type"], answer.headers["X-Model-Version"]) == ("application/x-npy", "v3")
    arrow = "application/vnd.apache.arrow.stream"
    answer = http.post(EMBEDDINGS, json=body, headers={"Accept": f"text/html, {arrow};q=0.9, */*;q=0.1"})
    table = pa.ipc.open_stream(answer.content).read_all()
    assert answer.headers["Content-Type"] == arrow
    assert table.schema.metadata[b"version"] == b"v3"
    assert table["index"].to_pylist() == [0, 1, 2]
    assert np.array_equal(np.stack(table["embedding"].to_numpy()), array)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(2, 400))
def test_int8_keeps_the_cosine_and_bits_the_signs(seed: int, count: int, dimension: int) -> None:
    vectors = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    whole = encode(vectors, "int8")
    assert whole.dtype == np.int8
    assert (np.abs(whole.astype(int)).max(axis=1) == 127).all()
    # Of each number at most half a step of its vector's scale is lost.
    scales = 127 / np.abs(vectors).max(axis=1, keepdims=True)
    assert (np.abs(whole / scales - vectors) <= 0.5001 / scales).all()
    assert (encode(vectors, "uint8").astype(int) - 128 == whole).all()
    bits = encode(vectors, "ubinary")
    assert (np.unpackbits(bits, axis=1)[:, :dimension] == (vectors > 0)).all()
    assert (encode(vectors, "binary").astype(int) + 128 == bits).all()
    assert np.array_equal(as_rows(vectors, "ubinary"), bits)


def test_the_client_of_cohere_reads_the_answers(served_here: Served, http: httpx.Client, png: Png) -> None:
    theirs = cohere.ClientV2(served_here.key, base_url=served_here.url)
    images = [uri(png(seed)) for seed in (1, 2)]
    every: list[Encoding] = ["float", "int8", "uint8", "binary", "ubinary", "base64"]
    found = theirs.embed(model="v1", input_type="image", images=images, embedding_types=every)
    ours = http.post(EMBEDDINGS, json={"input": images, "model": "v1"}).json()["data"]
    vectors = np.array([row["embedding"] for row in ours], np.float32)
    assert np.array_equal(np.float32(found.embeddings.float_), vectors)
    for name in every[1:]:
        assert np.array_equal(getattr(found.embeddings, name), as_rows(vectors, name))
    assert found.id
    with pytest.raises(cohere.UnprocessableEntityError, match="no cut of it was measured"):
        theirs.embed(model="v1", input_type="image", images=images, output_dimension=8)
    with pytest.raises(cohere.UnauthorizedError):
        cohere.ClientV2("nobody", base_url=served_here.url).embed(
            model="v1", input_type="image", images=images
        )


def test_an_upload_takes_its_options_from_the_address_or_the_form(http: httpx.Client, png: Png) -> None:
    by_address = http.post(
        EMBEDDINGS, params={"model": "v3", "encoding_format": "int8"}, content=png(1), headers=RAW
    )
    files = [("file", ("a.png", png(1), "image/png")), ("image", ("b.png", png(2), "image/png"))]
    by_form = http.post(EMBEDDINGS, files=files, data={"model": "v3", "encoding_format": "int8"})
    assert by_address.headers["X-Model-Version"] == by_form.headers["X-Model-Version"] == "v3"
    assert len(by_form.json()["data"]) == 2
    assert by_form.json()["data"][0] == by_address.json()["data"][0]


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"json": {"input": {"image_url": {"url": "https://example.org/cat.png"}}}}, 422, "URLs are not fetched"),
    ({"json": {"images": ["https://example.org/cat.png"]}, "url": "/v2/embed"}, 422, "URLs are not fetched"),
    ({"json": {"texts": ["a"], "images": ["b"]}, "url": "/v2/embed"}, 422, "exactly one of texts, images"),
    ({"json": {"images": ["b"], "max_tokens": 3}, "url": "/v2/embed"}, 422, "'max_tokens' is no key here"),
    (
        {"json": {"inputs": [{"content": [{"text": "a"}] * 2}]}, "url": "/v2/embed"},
        422,
        "never several together",
    ),
    ({"json": {"messages": [{"content": [{"text": "a"}, {"image": "b"}]}]}}, 422, "there are 2 in messages"),
    ({"json": {"messages": [{"content": "a"}], "input": "b"}}, 422, "not both"),
    ({"json": {"input": {"type": "image", "image_url": "b"}}}, 422, "image_url"),
    ({"json": {"input": "b", "normalized": False}}, 422, "normalized"),
    ({"json": {}}, 422, "input is missing"),
    ({"content": b"a", "headers": {"Content-Type": "text/plain"}}, 415, "multipart/form-data"),
    ({"content": b"a", "headers": {}}, 415, "The body has no Content-Type"),
    ({"content": b"nothing", "headers": RAW}, 422, "input"),
    ({"content": b"a", "headers": {**RAW, "Content-Encoding": "gzip"}}, 415, "uncompressed"),
    ({"content": b"a", "headers": RAW, "params": {"modle": "v1"}}, 422, "did you mean model?"),
    ({"content": b"a", "headers": RAW, "params": {"input": "b"}}, 422, "given twice"),
    ({"content": b"a", "headers": RAW, "params": [("user", "a"), ("user", "b")]}, 422, "given 2 times"),
    ({"content": b"a", "headers": {"Content-Type": "multipart/form-data"}}, 422, "boundary"),
    ({"content": b"a", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, 422, "the form"),
    ({"files": {"cat": ("a.png", b"a")}}, 422, "call it file or image"),
    ({"files": {"user": (None, "\0")}}, 422, "NUL"),
]


@pytest.mark.parametrize(("request_", "status", "words"), REFUSED)
def test_what_is_refused_is_named(
    http: httpx.Client, request_: dict[str, Any], status: int, words: str
) -> None:
    answer = http.post(**({"url": EMBEDDINGS} | request_))
    assert answer.status_code == status, answer.text
    assert words in answer.json()["error"]["message"]


def test_the_limits_hold_for_every_shape(
    serve_here: Callable[..., TestClient], admin_key: str, png: Png
) -> None:
    client = serve_here(limits={"images": 2, "body_bytes": 4096})
    client.headers["X-API-Key"] = admin_key
    image = png(1)
    many = [
        client.post(EMBEDDINGS, json={"input": [{"image_url": uri(image)}] * 3}),
        client.post(EMBEDDINGS, files=[("file", ("a.png", image))] * 3),
        client.post("/v2/embed", json={"images": [uri(image)] * 3}),
        client.post(EMBEDDINGS, content=image * 100, headers=RAW),
    ]
    for answer in many:
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


def test_what_cannot_be_embedded_is_left_out_where_that_is_wanted(http: httpx.Client, png: Png) -> None:
    items = [uri(png(1)), "bm8=", {"text": "words"}, {"imag": 1}, {"image": uri(png(2))}, 3]
    alone = http.post(EMBEDDINGS, json={"input": [items[0], items[4]]}).json()["data"]
    found = http.post(EMBEDDINGS, json={"input": items, "on_error": "skip"}).json()
    assert [row["index"] for row in found["data"]] == [0, 4]
    for left, by_itself in zip(found["data"], alone, strict=True):
        np.testing.assert_allclose(left["embedding"], by_itself["embedding"], atol=1e-6)
    assert [(each["index"], each["code"]) for each in found["errors"]] == [
        (1, "invalid_image"),
        (2, "not_embeddable"),
        (3, "invalid"),
        (5, "invalid"),
    ]
    assert all(f"input[{each['index']}]" in each["message"] for each in found["errors"] if each["index"] != 2)
    assert http.post(EMBEDDINGS, json={"input": items}).status_code == 422
    assert "errors" not in http.post(EMBEDDINGS, json={"input": items[:1], "on_error": "skip"}).json()
    missing = http.post(EMBEDDINGS, json={"input": items, "on_error": "skip", "model": "v9"})
    assert missing.status_code == 404
    as_table = {"Accept": "application/x-npy"}
    assert (
        http.post(EMBEDDINGS, json={"input": items, "on_error": "skip"}, headers=as_table).status_code == 422
    )
