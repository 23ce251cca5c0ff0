"""Clients that hang up half way: in the middle of what they send, or before they are answered."""

import asyncio
import base64
import io
import json
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from experiments.benchmarks.failures.bad_clients import Target, at_a_rate, hang_up, heard
from experiments.benchmarks.failures.disturbances import MODEL

IDS = 2000
"""Entries are written again and again, so that the gallery does not grow."""
IMPORTED = 1000
VARIANTS = 16
PHOTOGRAPH = 1200


@dataclass(frozen=True)
class Bodies:
    """What is sent: whole requests, as bytes."""

    uploads: Sequence[bytes]
    imports: Sequence[bytes]
    searches: Sequence[bytes]
    lists: Sequence[bytes]

    @classmethod
    def made(cls, target: Target, version: str, seed: int = 0) -> "Bodies":
        drawn = np.random.default_rng(seed)
        photographs = [_photograph(drawn) for _ in range(4)]
        uploads = []
        for number in range(VARIANTS):
            content = photographs[number % len(photographs)]
            path = f"/v1/gallery/entries/upload{number}"
            uploads.append(_request(target, "PUT", path, content, "image/jpeg"))
            uri = "data:image/jpeg;base64," + base64.b64encode(content).decode()
            entries = [{"id": f"upload{number}-{k}", "image": uri} for k in range(4)]
            uploads.append(_json(target, "PUT", "/v1/gallery/entries", {"entries": entries}))
        imports = []
        for number in range(VARIANTS):
            vectors = drawn.standard_normal((IMPORTED, MODEL.dimension)).astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            first = number * IMPORTED % IDS
            entries = [
                {"id": f"import{first + k}", "vector": vector.tolist(), "version": version}
                for k, vector in enumerate(vectors)
            ]
            imports.append(_json(target, "PUT", "/v1/gallery/entries", {"entries": entries}))
        uri = "data:image/jpeg;base64," + base64.b64encode(photographs[0]).decode()
        searches = [
            _json(target, "POST", "/v1/search", {"image": uri, "k": 100}),
            _json(target, "POST", "/v1/embeddings", {"input": [uri] * 8, "model": "live"}),
            target.whole(),
        ]
        lists = [_json(target, "POST", "/v1/gallery/entries/list", {"limit": 1000, "vector": True})]
        return cls(uploads, imports, searches, lists)


def _photograph(drawn: np.random.Generator) -> bytes:
    """A JPEG of some hundred kilobytes."""
    small = drawn.integers(0, 256, (PHOTOGRAPH // 6, PHOTOGRAPH // 6, 3), dtype=np.uint8)
    written = io.BytesIO()
    Image.fromarray(small).resize((PHOTOGRAPH, PHOTOGRAPH)).save(written, "JPEG", quality=92)
    return written.getvalue()


def _json(target: Target, method: str, path: str, body: object) -> bytes:
    return _request(target, method, path, json.dumps(body).encode(), "application/json")


def _request(target: Target, method: str, path: str, content: bytes, kind: str) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: {target.host}:{target.port}",
        f"Content-Type: {kind}",
        f"Authorization: Bearer {target.key}",
        f"Content-Length: {len(content)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + content


async def half(target: Target, request: bytes) -> str:
    """Sends a part, and hangs up."""
    _, writer = await target.connect()
    writer.write(request[: random.randrange(20, len(request))])
    await asyncio.wait_for(writer.drain(), 30)
    await asyncio.sleep(random.choice((0.0, 0.05, 0.5)))
    return _end(writer)


async def no_answer(target: Target, request: bytes) -> str:
    """Sends all, and hangs up while it is worked on."""
    _, writer = await target.connect()
    writer.write(request)
    await asyncio.wait_for(writer.drain(), 30)
    await asyncio.sleep(random.choice((0.0, 0.005, 0.05, 0.3)))
    return _end(writer)


async def half_an_answer(target: Target, request: bytes) -> str:
    """Reads the head of the answer, and hangs up before the rest."""
    reader, writer = await target.connect()
    writer.write(request)
    await asyncio.wait_for(writer.drain(), 30)
    await heard(reader)
    return _end(writer)


def _end(writer: asyncio.StreamWriter) -> str:
    """As a process that is killed does, or as one that closes in an orderly way."""
    if random.random() < 0.5:
        hang_up(writer)
    else:
        writer.close()
    return "hung up"


async def whole(target: Target, request: bytes) -> str:
    reader, writer = await target.connect()
    try:
        writer.write(request)
        return await heard(reader)
    finally:
        writer.transport.abort()


Client = Callable[[Target, bytes], Awaitable[str]]


async def clients(
    target: Target, bodies: Bodies, seconds: float, rate: float, tally: Callable[[str, str], None]
) -> None:
    """All kinds at once, `rate` times a second in their shares; `whole` ones are answered. Tells of each kind
    what it got."""
    kinds: tuple[tuple[str, Client, Sequence[bytes], float], ...] = (
        ("half an upload", half, bodies.uploads, 0.2),
        ("an upload without its answer", no_answer, bodies.uploads, 0.15),
        ("half an import", half, bodies.imports, 0.15),
        ("an import without its answer", no_answer, bodies.imports, 0.05),
        ("half a search", half, bodies.searches, 0.1),
        ("a search without its answer", no_answer, bodies.searches, 0.15),
        ("half a list", half_an_answer, bodies.lists, 0.05),
        ("a whole search", whole, bodies.searches[-1:], 0.1),
        ("a whole import", whole, bodies.imports, 0.05),
    )

    async def one(name: str, client: Client, requests: Sequence[bytes]) -> None:
        try:
            got = await client(target, random.choice(requests))
        except (OSError, TimeoutError) as error:
            got = type(error).__name__
        tally(name, got)

    await asyncio.gather(
        *(
            at_a_rate(lambda given=given: one(*given), share * rate, seconds)  # type: ignore[misc]
            for *given, share in kinds
        )
    )
