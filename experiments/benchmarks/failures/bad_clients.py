"""Slow, aborted, malformed and oversized clients beside 20 searches a second: no search may fail.

    python -m experiments.benchmarks.failures.bad_clients --seconds 300
    python -m experiments.benchmarks.failures.bad_clients --seconds 10 --url http://127.0.0.1:8000 --key KEY

Without --url it starts a server of its own, over 1,000 entries. The searches come at their times, whether the
ones before are answered or not. `--held` requests are half sent all the while: a third with headers that
never end, a third with a body that never ends and no key, a third with one and a good key. Others hang up,
send what is no HTTP, too much, or unknown keys, or do not read their answers. The last line is JSON: what
each kind of client got, and the latencies of the searches; the exit code is 1 if a search failed or a client
got a 5xx.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import random
import resource
import socket
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from experiments.benchmarks.harness.published import publish_untrained
from experiments.benchmarks.harness.servers import KEY, running_holdfast
from experiments.benchmarks.serving.embeddings import picture
from holdfast.entries import Entries, Entry
from holdfast.models import ModelConfig
from holdfast.store import open_store

ENTRIES = 1000
PATIENCE = 40.0
"""Seconds that a client waits to be answered or cut off; the server gives nobody more than 30."""
PAUSE = 5.0
"""Seconds between two tries of a client that holds a half-sent request."""


@dataclass
class Tally:
    """What clients got, by kind; `latencies` are of the searches that were answered."""

    got: dict[str, Counter[str]] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, outcome: str) -> None:
        self.got.setdefault(kind, Counter())[outcome] += 1


@dataclass(frozen=True)
class Target:
    """A server, a good key of it, and the body of a search."""

    host: str
    port: int
    key: str
    search: bytes

    def head(
        self, method: str = "POST", path: str = "/v1/search", key: str | None = None, **more: str
    ) -> bytes:
        """The headers of a request; `key` "" sends none. Names of `more` have _ for -."""
        key = self.key if key is None else key
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: {f'[{self.host}]' if ':' in self.host else self.host}:{self.port}",
            "Content-Type: application/json",
        ]
        lines += [f"Authorization: Bearer {key}"] if key else []
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in more.items()]
        return "\r\n".join([*lines, "", ""]).encode()

    def whole(self, key: str | None = None) -> bytes:
        return self.head(key=key, Content_Length=str(len(self.search))) + self.search

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.host, self.port)


Client = Callable[[Target], Awaitable[str]]


async def heard(reader: asyncio.StreamReader) -> str:
    """The status of an answer, or how the connection ended without one."""
    try:
        async with asyncio.timeout(PATIENCE):
            head = await reader.readuntil(b"\r\n\r\n")
            while head.split()[1] == b"100":
                head = await reader.readuntil(b"\r\n\r\n")
            return head.split()[1].decode("latin-1")
    except TimeoutError:
        return "nothing"
    except (asyncio.IncompleteReadError, OSError, IndexError):
        return "closed"


async def say(target: Target, *parts: bytes, pause: float = 0.0) -> str:
    """Sends the parts with pauses between them until an answer comes, and says what it is."""
    reader, writer = await target.connect()
    answer = asyncio.ensure_future(heard(reader))
    try:
        for part in parts:
            if answer.done():
                break
            writer.write(part)
            with contextlib.suppress(OSError):
                await asyncio.wait_for(writer.drain(), PATIENCE)
            await asyncio.wait((answer,), timeout=pause)
        return await answer
    finally:
        answer.cancel()
        writer.transport.abort()


# ---- clients that hold a half-sent request


async def headers_without_end(target: Target) -> str:
    slow = (b"X-%d: y\r\n" % number for number in range(40))
    return await say(target, target.head(key="")[:-2], *slow, pause=1.0)


async def body_without_end_and_key(target: Target) -> str:
    return await say(target, target.head(key="", Content_Length="1000") + b"{")


async def body_without_end(target: Target) -> str:
    trickle = itertools.repeat(b" ", 40)
    return await say(target, target.head(Content_Length="1000") + b"{", *trickle, pause=1.0)


# ---- clients that do something else


async def hangs_up_while_sending(target: Target) -> str:
    _, writer = await target.connect()
    writer.write(target.whole()[: random.randrange(20, len(target.whole()))])
    await asyncio.sleep(0.05)
    hang_up(writer)
    return "hung up"


async def hangs_up_while_waiting(target: Target) -> str:
    _, writer = await target.connect()
    writer.write(target.whole())
    await asyncio.sleep(random.choice((0.0, 0.002, 0.01)))
    hang_up(writer)
    return "hung up"


async def closes_its_half(target: Target) -> str:
    reader, writer = await target.connect()
    writer.write(target.whole())
    writer.write_eof()
    outcome = await heard(reader)
    writer.transport.abort()
    return outcome


MALFORMED = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),  # TLS to a plain port
    b"GET / HTTP/9.9\r\n\r\n",
    b"nonsense\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
    b"GET /liv\x00ez HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    b"POST /v1/search HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /v1/search HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
    b"POST /v1/search HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n",
    b"POST /v1/search HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
)


async def malformed(target: Target) -> str:
    return await say(target, random.choice(MALFORMED))


async def malformed_json(target: Target) -> str:
    body = random.choice((b"", b"{", b"[" * 100_000, b'{"k": 1e999}', b"\xff\xfe", b'{"image": "aGVsbG8="}'))
    return await say(target, target.head(Content_Length=str(len(body))) + body)


async def announces_too_much(target: Target) -> str:
    return await say(target, target.head(Content_Length=str(10**10)) + b"{")


async def sends_too_much(target: Target) -> str:
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    return await say(target, target.head(Transfer_Encoding="chunked"), *itertools.repeat(chunk, 1000))


async def sends_much_without_key(target: Target) -> str:
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    return await say(target, target.head(key="", Transfer_Encoding="chunked"), *itertools.repeat(chunk, 200))


async def unknown_key(target: Target) -> str:
    return await say(target, target.head("GET", "/v1/models", key=f"hf_{random.getrandbits(200):x}"))


async def does_not_read(target: Target) -> str:
    """Asks again and again over one connection, and takes a byte a second of what it is answered."""
    with contextlib.suppress(OSError):
        reader, writer = await target.connect()
        writer.write(target.head("GET", "/openapi.json", key="") * 200)
        for _ in range(10):
            await asyncio.sleep(1)
            if not await reader.read(1):
                break
        hang_up(writer)
    return "hung up"


async def pipelines(target: Target) -> str:
    return await say(target, target.whole() * 10)


async def upgrades(target: Target) -> str:
    more = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec_WebSocket_Key": "x" * 24,
        "Sec_WebSocket_Version": "13",
    }
    return await say(target, target.head("GET", "/v1/models", **more))


async def expects_continue(target: Target) -> str:
    """As curl does with a large body; with a good key it goes on, without one it is told at once."""
    key = random.choice((target.key, ""))
    head = target.head(key=key, Content_Length=str(len(target.search)), Expect="100-continue")
    return await say(target, head, target.search if key else b"", pause=0.2)


async def says_nothing(target: Target) -> str:
    return await say(target)


HOLDING: tuple[Client, ...] = (headers_without_end, body_without_end_and_key, body_without_end)
# Clients, and how many a second.
OTHERS: tuple[tuple[Client, float], ...] = (
    (hangs_up_while_sending, 2.0),
    (hangs_up_while_waiting, 2.0),
    (closes_its_half, 1.0),
    (malformed, 3.0),
    (malformed_json, 1.0),
    (announces_too_much, 1.0),
    (sends_too_much, 0.2),
    (sends_much_without_key, 0.5),
    (unknown_key, 10.0),
    (does_not_read, 0.5),
    (pipelines, 0.2),
    (upgrades, 0.5),
    (expects_continue, 0.5),
    (says_nothing, 1.0),
)


def hang_up(writer: asyncio.StreamWriter) -> None:
    """Hangs up with a RST, as a process that is killed."""
    connection = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def tried(client: Client, target: Target, tally: Tally) -> None:
    try:
        outcome = await client(target)
    except OSError as error:
        outcome = type(error).__name__
    tally.add(client.__name__, outcome)


async def held(client: Client, target: Target, tally: Tally, delay: float, until: float) -> None:
    await asyncio.sleep(delay)
    # Not for ever: a cancellation that meets the end of a time limit is taken for that.
    while time.perf_counter() < until:
        await tried(client, target, tally)
        await asyncio.sleep(PAUSE + random.random() * PAUSE)


async def search(target: Target, tally: Tally) -> None:
    begun = time.perf_counter()
    try:
        reader, writer = await target.connect()
        writer.write(target.whole())
        outcome = await heard(reader)
        writer.close()
    except OSError as error:
        outcome = type(error).__name__
    if outcome == "200":
        tally.latencies.append(1000 * (time.perf_counter() - begun))
    else:
        tally.failed[outcome] += 1


async def at_a_rate(start: Callable[[], Awaitable[None]], per_second: float, seconds: float) -> None:
    """Starts one after the other at their times, whether those before have ended or not; waits for all."""
    begun = time.perf_counter()
    tasks = []
    for number in range(round(per_second * seconds)):
        await asyncio.sleep(max(0.0, begun + number / per_second - time.perf_counter()))
        tasks.append(asyncio.ensure_future(start()))
    await asyncio.gather(*tasks)


async def run(target: Target, seconds: float, per_second: float, holding: int) -> Tally:
    tally = Tally()
    until = time.perf_counter() + seconds
    holders = [
        asyncio.create_task(
            held(HOLDING[n % len(HOLDING)], target, tally, random.random() * min(5, seconds / 4), until)
        )
        for n in range(holding)
    ]
    others = [
        asyncio.create_task(at_a_rate(lambda client=client: tried(client, target, tally), rate, seconds))  # type: ignore[misc]
        for client, rate in OTHERS
    ]
    await at_a_rate(lambda: search(target, tally), per_second, seconds)
    for task in (*holders, *others):
        task.cancel()
    await asyncio.gather(*holders, *others, return_exceptions=True)
    return tally


@contextlib.contextmanager
def own_server() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as temporary:
        folder = Path(temporary)
        with open_store(folder / "store") as store:
            name = publish_untrained(store, folder, ModelConfig())
            store.traffic.promote(name)
            vectors = np.random.default_rng(0).standard_normal((ENTRIES, store.versions.get(name).dimension))
            vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
            Entries(store).upsert([Entry(f"e{n}", name, vector) for n, vector in enumerate(vectors)])
        with running_holdfast(store=str(folder / "store")) as url:
            yield url


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--searches", type=float, default=20.0, help="a second")
    parser.add_argument("--held", type=int, default=2000, help="half-sent requests at a time")
    parser.add_argument("--url", help="a server that runs already")
    parser.add_argument("--key", default=KEY)
    chosen = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with contextlib.nullcontext(chosen.url) if chosen.url else own_server() as url:
        parts = urlsplit(url)
        body = json.dumps({"image": picture(28, "PNG"), "k": 10}).encode()
        target = Target(parts.hostname or "127.0.0.1", parts.port or 80, chosen.key, body)
        asyncio.run(run(target, 1.0, chosen.searches, 0))
        tally = asyncio.run(run(target, chosen.seconds, chosen.searches, chosen.held))
    for kind, got in sorted(tally.got.items()):
        print(f"{kind:26} {', '.join(f'{outcome}: {count}' for outcome, count in got.most_common())}")
    latencies = tally.latencies or [float("nan")]
    print(
        json.dumps(
            {
                "command": " ".join(sys.argv),
                "seconds": chosen.seconds,
                "held": chosen.held,
                "searches": len(tally.latencies) + tally.failed.total(),
                "failed": dict(tally.failed),
                "p50_ms": round(float(np.percentile(latencies, 50)), 1),
                "p99_ms": round(float(np.percentile(latencies, 99)), 1),
                "max_ms": round(max(latencies), 1),
                "clients": {kind: dict(got) for kind, got in sorted(tally.got.items())},
            }
        )
    )
    defects = [kind for kind, got in tally.got.items() if any(outcome.startswith("5") for outcome in got)]
    sys.exit(1 if tally.failed or not tally.latencies or defects else 0)


if __name__ == "__main__":
    main()
