"""Embedding requests a second: Holdfast's server beside the one that a user would write."""

import base64
import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from cells import Cell, Cells
from child import BENCHMARKS, measure_in_child
from PIL import Image
from published import publish_untrained
from rows import Row, for_the_record

from holdfast.models import ModelConfig
from holdfast.store import open_store

CLIENTS = 32
ROUNDS = 5
KEY = "a-key-for-the-benchmark"
HOLDFAST = "import sys; from holdfast_serving import serve_forever; serve_forever(sys.argv[1], port=0)"


def measure(cells: Cells, quick: bool) -> list[Row]:
    """Both servers up, the one that is not asked idle; medians over rounds of A B A B."""
    rounds, seconds = (1, 1.0) if quick else (ROUNDS, 5.0)
    names = [f"round {number}/{rounds}" for number in range(1, rounds + 1)]
    if all(name in cells for name in names):
        found = [cells(name, dict) for name in names]
    else:
        with both_servers() as (ours, bare, body):

            def ask(url: str, seconds: float) -> Cell:
                arguments = [
                    url,
                    str(body),
                    "--key",
                    KEY,
                    "--clients",
                    str(CLIENTS),
                    "--seconds",
                    str(seconds),
                ]
                return measure_in_child("load.py", arguments)

            for url in (ours, bare):
                ask(url, min(seconds, 2.0))
            found = [
                cells(name, lambda: {"holdfast": ask(ours, seconds), "bare": ask(bare, seconds)})
                for name in names
            ]
    what = f"one 28 px PNG a request, {CLIENTS} clients on the same cores"
    return [
        for_the_record(
            f"serving, {side}", [cell[key]["requests_per_second"] for cell in found], "requests/s", what
        )
        for key, side in (("holdfast", "Holdfast"), ("bare", "bare FastAPI and uvicorn with batching"))
    ] + [
        for_the_record(
            "serving, Holdfast: latency p50", [cell["holdfast"]["p50_ms"] for cell in found], "ms", what
        ),
        for_the_record(
            "serving, Holdfast: latency p99", [cell["holdfast"]["p99_ms"] for cell in found], "ms", what
        ),
        for_the_record(
            "serving against the bare server",
            [cell["holdfast"]["requests_per_second"] / cell["bare"]["requests_per_second"] for cell in found],
            "times",
            "Holdfast also checks keys, limits and routes, and counts",
        ),
    ]


@contextlib.contextmanager
def both_servers() -> Iterator[tuple[str, str, Path]]:
    """URLs of /v1/embeddings at Holdfast and at the bare server, and a file with a request's body."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as temporary, contextlib.ExitStack() as stack:
        folder = Path(temporary)
        with open_store(folder / "store") as store:
            store.traffic.promote(publish_untrained(store, folder, ModelConfig()))
        body = folder / "body.json"
        body.write_text(json.dumps({"model": "live", "input": small_image()}))
        ours = stack.enter_context(running([sys.executable, "-c", HOLDFAST, str(folder / "store")]))
        bare = stack.enter_context(
            running([sys.executable, str(BENCHMARKS / "bare_server.py"), str(folder / "encoder")])
        )
        yield f"{ours}/v1/embeddings", f"{bare}/v1/embeddings", body


@contextlib.contextmanager
def running(command: list[str]) -> Iterator[str]:
    """A server in a process group of its own, from the line with its URL on; it is stopped in the end."""
    process = subprocess.Popen(
        command,
        env={**os.environ, "HOLDFAST_API_KEYS": f"read:{KEY}", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        urls = [word for word in said.split() if word.startswith("http://")]
        if not urls:
            raise RuntimeError(f"{' '.join(command)} did not start: {said!r}")
        yield urls[0]
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def small_image() -> str:
    """A 28 px PNG of random blocks, as a data URI."""
    blocks = np.kron(np.random.default_rng(0).integers(0, 2, (7, 7)) * 255, np.ones((4, 4)))
    buffer = io.BytesIO()
    Image.fromarray(blocks.astype(np.uint8)).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
