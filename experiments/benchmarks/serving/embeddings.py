"""Embedding requests a second: Holdfast's server beside the one that a user would write."""

import base64
import contextlib
import io
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from experiments.benchmarks.harness.cells import Record
from experiments.benchmarks.harness.child import measure_in_child, module_command
from experiments.benchmarks.harness.part import Part
from experiments.benchmarks.harness.published import encoder_folder, publish_untrained
from experiments.benchmarks.harness.rows import Row, for_the_record
from experiments.benchmarks.harness.servers import KEY, running, running_holdfast
from experiments.benchmarks.serving import bare_server, load
from holdfast.models import ModelConfig
from holdfast.store import open_store

CLIENTS = 32
ROUNDS = 5


def measure(cells: Part, quick: bool) -> list[Row]:
    """Both servers up, the one that is not asked idle; medians over rounds of A B A B."""
    rounds, seconds = (1, 1.0) if quick else (ROUNDS, 5.0)
    names = [f"round {number} of {rounds}" for number in range(1, rounds + 1)]
    if all(name in cells for name in names):
        found = [cells(name, dict) for name in names]
    else:
        with both_servers() as (ours, bare, body):

            def ask(url: str, seconds: float) -> Record:
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
                return measure_in_child(load.__name__, arguments)

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
        ours = stack.enter_context(running_holdfast(store=str(folder / "store")))
        bare = stack.enter_context(running(module_command(bare_server.__name__, str(encoder_folder(folder)))))
        yield f"{ours}/v1/embeddings", f"{bare}/v1/embeddings", body


def small_image() -> str:
    """A 28 px PNG of random blocks, as a data URI."""
    blocks = np.kron(np.random.default_rng(0).integers(0, 2, (7, 7)) * 255, np.ones((4, 4)))
    buffer = io.BytesIO()
    Image.fromarray(blocks.astype(np.uint8)).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
