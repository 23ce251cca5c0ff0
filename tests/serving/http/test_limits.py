"""What is too much is refused, with the limit named; health is always answered."""

import asyncio
import base64
import struct
import threading
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from holdfast.base import InvalidImageError
from holdfast_serving.config import Limits
from holdfast_serving.replica import Admission

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
        admission.arrive()
        admission.active = 1
        assert admission.full() is None
        admission.active = 2
        full = admission.full()
        assert full is not None
        assert full.http_status == 429
        assert admission.closed() is None
        admission.close()
        draining = asyncio.create_task(admission.empty())
        await asyncio.sleep(0.01)
        assert not draining.done()
        closed = admission.closed()
        assert closed is not None
        assert closed.http_status == 503
        admission.leave()
        await asyncio.wait_for(draining, 1)
        admission.reopen()
        assert admission.closed() is None

    asyncio.run(main())


@asynccontextmanager
async def in_process(client: TestClient, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=client.app)
    headers = {"Content-Type": "application/json", **headers}
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as direct:
        yield direct


async def never_whole(begin: bytes = b"{") -> AsyncIterator[bytes]:
    yield begin
    await asyncio.Event().wait()


@asynccontextmanager
async def half_sent(client: httpx.AsyncClient, count: int) -> AsyncIterator[list[asyncio.Task[Any]]]:
    tasks = [asyncio.create_task(client.post("/v1/embeddings", content=never_whole())) for _ in range(count)]
    await asyncio.sleep(0.2)
    yield tasks
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_a_full_server_answers_429_with_retry_after_and_still_answers_health(
    serve_here: Start, admin_key: str, data_uri: DataUri, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, release = threading.Semaphore(0), threading.Event()

    def slow(*arguments: Any) -> Any:
        inside.release()
        assert release.wait(30)
        raise InvalidImageError("no image")

    monkeypatch.setattr("holdfast_serving.replica.embedder.decode_images", slow)
    client = serve_here(limits=Limits(concurrency=2))

    async def main() -> None:
        async with in_process(client, **{"X-API-Key": admin_key}) as direct:
            body = {"input": data_uri()}
            held = [asyncio.create_task(direct.post("/v1/embeddings", json=body)) for _ in range(2)]
            for _ in held:
                assert await asyncio.to_thread(inside.acquire, timeout=30)
            refused = await direct.post("/v1/embeddings", json=body)
            assert refused.status_code == 429
            assert refused.json()["error"]["code"] == "overloaded"
            assert refused.headers["Retry-After"] == "1"
            for path in ("/livez", "/readyz", "/metrics"):
                assert (await direct.get(path)).status_code == 200
            held[0].cancel()
            await asyncio.gather(held[0], return_exceptions=True)
            assert (await direct.get("/v1/models")).status_code == 200, "who hangs up gives the place back"
            release.set()
            assert (await held[1]).status_code == 422

    asyncio.run(main())


def test_half_sent_requests_take_no_place(serve_here: Start, admin_key: str, data_uri: DataUri) -> None:
    client = serve_here(limits=Limits(concurrency=2))

    async def main() -> None:
        async with in_process(client, **{"X-API-Key": admin_key}) as direct, half_sent(direct, 50):
            answers = [await direct.post("/v1/embeddings", json={"input": data_uri()}) for _ in range(3)]
            assert [answer.status_code for answer in answers] == [200] * 3
            assert (await direct.get("/v1/models")).status_code == 200

    asyncio.run(main())


@pytest.mark.parametrize("key", ["", "nobodys-key"])
def test_the_key_is_checked_before_the_body(serve_here: Start, key: str) -> None:
    client = serve_here()

    async def main() -> None:
        async with in_process(client, **{"X-API-Key": key}) as direct:
            for content in (never_whole(), never_whole(b"x" * 40_000_000)):
                answer = await asyncio.wait_for(direct.post("/v1/search", content=content), 10)
                assert answer.status_code == 401
                assert answer.json()["error"]["code"] == "unauthorized"
                assert answer.headers["Connection"] == "close"

    asyncio.run(main())


def test_a_request_that_is_not_whole_in_time_is_answered_408(serve_here: Start, admin_key: str) -> None:
    client = serve_here(limits=Limits(receive_seconds=0.3))

    async def main() -> None:
        async with in_process(client, **{"X-API-Key": admin_key}) as direct:
            answer = await asyncio.wait_for(direct.post("/v1/search", content=never_whole()), 10)
        assert answer.status_code == 408
        assert answer.json()["error"]["code"] == "request_timeout"
        assert "0.3 seconds" in answer.json()["error"]["message"]

    asyncio.run(main())


def test_the_memory_for_bodies_is_bounded(serve_here: Start, admin_key: str) -> None:
    client = serve_here(limits=Limits(bodies_bytes=100_000))

    async def main() -> None:
        async with in_process(client, **{"X-API-Key": admin_key}) as direct:
            holding = [
                asyncio.create_task(direct.post("/v1/search", content=never_whole(b"x" * 40_000)))
                for _ in range(2)
            ]
            await asyncio.sleep(0.2)
            refused = await direct.post("/v1/search", content=b"x" * 40_000)
            assert refused.status_code == 429
            assert refused.headers["Retry-After"] == "1"
            for task in holding:
                task.cancel()
            await asyncio.gather(*holding, return_exceptions=True)
            answer = await direct.post("/v1/search", content=b"x" * 40_000)
            assert answer.status_code == 422, "who hangs up gives the memory back"

    asyncio.run(main())


def test_who_came_before_the_shutdown_is_answered(
    serve_here: Start, admin_key: str, data_uri: DataUri
) -> None:
    client = serve_here()
    release = asyncio.Event()

    async def slow_body() -> AsyncIterator[bytes]:
        yield b'{"model": "v1", "input": "'
        await release.wait()
        yield data_uri(1).encode() + b'"}'

    async def main() -> None:
        admission = client.app.state.replica.admission  # type: ignore[attr-defined]
        async with in_process(client, **{"X-API-Key": admin_key}) as direct:
            early = asyncio.create_task(direct.post("/v1/embeddings", content=slow_body()))
            await asyncio.sleep(0.2)
            admission.close()
            draining = asyncio.create_task(admission.empty())
            await asyncio.sleep(0)
            late = await direct.get("/v1/models")
            assert late.status_code == 503
            assert late.headers["Retry-After"] == "1"
            assert (await direct.get("/livez")).status_code == 200
            assert not draining.done()
            release.set()
            assert (await early).status_code == 200
            await asyncio.wait_for(draining, 5)

    asyncio.run(main())
