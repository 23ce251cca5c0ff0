"""What is too much is refused, with the limit named; health is always answered."""

import asyncio
import base64
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from holdfast.store import Store
from holdfast_serving.config import Limits
from holdfast_serving.limits import Admission

DataUri = Callable[..., str]
Start = Callable[..., TestClient]


@pytest.fixture
def limited(serve_here: Start, admin_key: str) -> TestClient:
    client = serve_here(limits=Limits(body_bytes=20_000, images=3, vectors=4, pixels=10_000, k=5))
    client.headers["X-API-Key"] = admin_key
    return client


def test_a_body_over_the_limit(limited: TestClient) -> None:
    answer = limited.post("/v1/search", json={"image": "A" * 30_000})
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too_large"
    assert "20,000" in answer.json()["error"]["message"]


def test_a_body_without_an_announced_length(limited: TestClient) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"image": "'
        for _ in range(40):
            yield b"A" * 1000
        yield b'"}'

    answer = limited.post("/v1/search", content=chunks(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too_large"


def test_too_many_items(limited: TestClient, data_uri: DataUri) -> None:
    answer = limited.post("/v1/embeddings", json={"input": [data_uri()] * 4})
    assert answer.status_code == 413
    assert "at most 3" in answer.json()["error"]["message"]
    entries = [{"id": str(n), "vector": [1.0], "version": "v1"} for n in range(5)]
    answer = limited.put("/v1/gallery/entries", json={"entries": entries})
    assert answer.status_code == 413
    assert "at most 4" in answer.json()["error"]["message"]


def test_k_over_the_limit(limited: TestClient, data_uri: DataUri) -> None:
    answer = limited.post("/v1/search", json={"image": data_uri(), "k": 6})
    assert answer.status_code == 422
    assert "k" in answer.json()["error"]["message"]
    assert limited.post("/v1/search", json={"image": data_uri(), "k": 0}).status_code == 422


def bomb(side: int) -> bytes:
    """A PNG of a few bytes whose header announces side x side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [101, 8_000, 30_000])
def test_a_decompression_bomb_is_refused_by_its_header(limited: TestClient, side: int) -> None:
    answer = limited.post("/v1/embeddings", json={"input": base64.b64encode(bomb(side)).decode()})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "invalid_image"
    if side < 10_000:  # beyond, Pillow refuses first
        assert "10,000" in answer.json()["error"]["message"]


def test_admission_counts_and_drains() -> None:
    async def main() -> None:
        admission = Admission(2)
        admission.enter()
        assert admission.refusal() is None
        admission.enter()
        refusal = admission.refusal()
        assert refusal is not None
        assert refusal.http_status == 429
        admission.leave()
        draining = asyncio.create_task(admission.drain())
        await asyncio.sleep(0.01)
        assert not draining.done()
        refusal = admission.refusal()
        assert refusal is not None
        assert refusal.http_status == 503
        admission.leave()
        await asyncio.wait_for(draining, 1)
        admission.reopen()
        assert admission.refusal() is None

    asyncio.run(main())


def test_a_full_server_answers_429_with_retry_after_and_still_answers_health(
    serve_here: Start, store: Store, data_uri: DataUri
) -> None:
    client = serve_here(limits=Limits(concurrency=2))
    headers = {"X-API-Key": store.keys.create("read"), "Content-Type": "application/json"}
    body = json.dumps({"input": data_uri()}).encode()

    async def main() -> None:
        release = asyncio.Event()

        async def slow_body() -> Any:
            yield body[:10]
            await release.wait()
            yield body[10:]

        transport = httpx.ASGITransport(app=client.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as direct:
            held = [asyncio.create_task(direct.post("/v1/embeddings", content=slow_body())) for _ in range(2)]
            await asyncio.sleep(0.2)
            refused = await direct.post("/v1/embeddings", content=body)
            assert refused.status_code == 429
            assert refused.json()["error"]["code"] == "overloaded"
            assert refused.headers["Retry-After"] == "1"
            for path in ("/livez", "/readyz", "/metrics"):
                assert (await direct.get(path)).status_code == 200
            for task in held:
                task.cancel()
            await asyncio.gather(*held, return_exceptions=True)
            assert (await direct.get("/v1/models")).status_code == 200

    asyncio.run(main())
