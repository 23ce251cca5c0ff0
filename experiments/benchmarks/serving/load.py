"""Many clients that ask one server the same thing, each over its own connection, as fast as it answers.

    python -m experiments.benchmarks.serving.load URL BODY_FILE --clients 32 --seconds 5 [--key KEY]

Prints requests a second and latencies as JSON. Plain asyncio streams: a client library would need more of the
two cores than the server that is measured.
"""

import argparse
import asyncio
import json
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np


class NotAnsweredError(Exception):
    """A status other than 200, or no answer that can be read."""


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
    """One request over an open connection."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if "content-length" not in headers:
        raise NotAnsweredError(f"no Content-Length after {status!r}")
    body = await reader.readexactly(int(headers["content-length"]))
    if status.split()[1] != "200":
        raise NotAnsweredError(f"{status}: {body[:300].decode(errors='replace')}")


async def keep_asking(host: str, port: int, request: bytes, until: float) -> list[float]:
    """Seconds of every request that one client got answered before `until`."""
    reader, writer = await asyncio.open_connection(host, port)
    latencies = []
    try:
        while (started := time.perf_counter()) < until:
            await ask(reader, writer, request)
            latencies.append(time.perf_counter() - started)
    finally:
        writer.close()
    return latencies


async def load(url: str, body: bytes, key: str, clients: int, seconds: float) -> dict[str, float]:
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    head = [
        f"POST {parts.path} HTTP/1.1",
        f"Host: {host}:{port}",
        f"Authorization: Bearer {key}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    request = "\r\n".join([*head, "", ""]).encode() + body
    started = time.perf_counter()
    answers = await asyncio.gather(
        *[keep_asking(host, port, request, started + seconds) for _ in range(clients)]
    )
    elapsed = time.perf_counter() - started
    latencies = 1000 * np.concatenate(answers)
    return {
        "requests_per_second": len(latencies) / elapsed,
        "p50_ms": float(np.percentile(latencies, 50)),
        "p99_ms": float(np.percentile(latencies, 99)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("body", type=Path)
    parser.add_argument("--key", default="none")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=5.0)
    chosen = parser.parse_args()
    body = chosen.body.read_bytes()
    print(json.dumps(asyncio.run(load(chosen.url, body, chosen.key, chosen.clients, chosen.seconds))))


if __name__ == "__main__":
    main()
