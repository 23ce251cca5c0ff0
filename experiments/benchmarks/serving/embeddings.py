"""Embedding requests a second: Holdfast's server beside the one that a user would write."""

import base64
import contextlib
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from experiments.benchmarks.harness.cells import Record
from experiments.benchmarks.harness.child import module_command
from experiments.benchmarks.harness.part import Part
from experiments.benchmarks.harness.published import encoder_folder, publish_untrained
from experiments.benchmarks.harness.rows import Row, at_least, for_the_record
from experiments.benchmarks.harness.servers import KEY, running, running_holdfast
from experiments.benchmarks.learning.pretrained_step import fetched
from experiments.benchmarks.serving import bare_server, wrk
from holdfast.models import ModelConfig
from holdfast.store import open_store

CLIENTS = 32
ROUNDS = 5
RATE = "requests_per_second"


@dataclass(frozen=True)
class Case:
    """What is asked, and how much of the bare server's requests a second has to be kept."""

    images: int
    size: int
    form: str
    model: Callable[[], ModelConfig]
    bound: float
    gateways: int = 1
    beside_busy: bool = False
    """Whether both are asked once more in every round, with a process beside them that computes: what is kept
    of the requests then is not to be less than what the bare server keeps."""

    @property
    def what(self) -> str:
        count = "one" if self.images == 1 else str(self.images)
        return f"{count} {self.size} px {self.form} a request, {CLIENTS} clients on the same cores"

    def body(self) -> str:
        pictures = [picture(self.size, self.form, seed) for seed in range(self.images)]
        return json.dumps({"model": "live", "input": pictures[0] if self.images == 1 else pictures})


def photographs() -> ModelConfig:
    """EfficientNet-Lite0 with its weights, at 224 px: without them it makes nothing of a plain image."""
    trunk = {"kind": "experiments.lite:LiteTrunk", "name": "lite0", "weights": str(fetched())}
    preprocessing = {"size": 224, "channels": 3}
    return ModelConfig.model_validate({"trunk": trunk, "preprocessing": preprocessing, "dimension": 512})


CASES = {
    "small images": Case(1, 28, "PNG", ModelConfig, 0.9, beside_busy=True),
    "photographs": Case(1, 224, "JPEG", photographs, 0.97),
    "small images, two gateways": Case(1, 28, "PNG", ModelConfig, 0.9, gateways=2),
    "many images": Case(64, 28, "PNG", ModelConfig, 0.95),
}


def measure(cells: Part, quick: bool) -> list[Row]:
    """Both servers up, the one that is not asked idle; medians over rounds of A B A B."""
    wanted = {name: case for name, case in CASES.items() if not quick or name == "small images"}
    return [
        row for name, case in wanted.items() for row in rows_of(name, case, asked(cells, name, case, quick))
    ]


def asked(cells: Part, name: str, case: Case, quick: bool) -> list[Record]:
    """By round and side, what the clients found."""
    rounds, seconds = (1, 1.0) if quick else (ROUNDS, 5.0)
    numbers = [f"{name}, round {number} of {rounds}" for number in range(1, rounds + 1)]
    if all(number in cells for number in numbers):
        return [cells(number, dict) for number in numbers]
    with both_servers(case) as urls:
        bodies = [case.body()]

        def ask(seconds: float) -> Record:
            quiet = {side: wrk.ask(url, bodies, KEY, CLIENTS, seconds) for side, url in urls.items()}
            if not case.beside_busy:
                return quiet
            with computing():
                busy = {side: wrk.ask(url, bodies, KEY, CLIENTS, seconds) for side, url in urls.items()}
            return {**quiet, "busy": busy}

        ask(min(seconds, 2.0))
        return [cells(number, lambda: ask(seconds)) for number in numbers]


@contextlib.contextmanager
def computing() -> Iterator[None]:
    """A process beside, which computes all the time."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def rows_of(name: str, case: Case, found: list[Record]) -> list[Row]:
    def figures(side: str, figure: str) -> list[float]:
        return [cell[side][figure] for cell in found]

    ratios = [
        mine / theirs for mine, theirs in zip(figures("holdfast", RATE), figures("bare", RATE), strict=True)
    ]
    return [
        at_least(f"serving {name}, against a bare server", ratios, "times", case.bound, case.what),
        for_the_record(f"serving {name}", figures("holdfast", RATE), "requests/s", case.what),
        for_the_record(
            f"serving {name}, bare FastAPI and uvicorn with batching",
            figures("bare", RATE),
            "requests/s",
            case.what,
        ),
        for_the_record(f"serving {name}: latency p50", figures("holdfast", "p50_ms"), "ms", case.what),
        for_the_record(f"serving {name}: latency p99", figures("holdfast", "p99_ms"), "ms", case.what),
        *(rows_beside_busy(name, case, found) if case.beside_busy else ()),
    ]


def rows_beside_busy(name: str, case: Case, found: list[Record]) -> list[Row]:
    kept = {
        side: [cell["busy"][side][RATE] / cell[side][RATE] for cell in found] for side in ("holdfast", "bare")
    }
    ratios = [mine / theirs for mine, theirs in zip(kept["holdfast"], kept["bare"], strict=True)]
    beside = f"serving {name} beside a busy process, share kept"
    return [
        at_least(f"{beside}, against a bare server", ratios, "times", 1.0, case.what),
        for_the_record(beside, kept["holdfast"], "times", case.what),
        for_the_record(f"{beside} by the bare server", kept["bare"], "times", case.what),
    ]


@contextlib.contextmanager
def both_servers(case: Case) -> Iterator[dict[str, str]]:
    """By side the URL of /v1/embeddings, of one model."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as temporary, contextlib.ExitStack() as stack:
        folder = Path(temporary)
        with open_store(folder / "store") as store:
            store.traffic.promote(publish_untrained(store, folder, case.model()))
        ours = stack.enter_context(running_holdfast(store=str(folder / "store"), replicas=case.gateways))
        bare = stack.enter_context(running(module_command(bare_server.__name__, str(encoder_folder(folder)))))
        yield {"holdfast": f"{ours}/v1/embeddings", "bare": f"{bare}/v1/embeddings"}


def picture(size: int, form: str, seed: int = 0) -> str:
    """Random blocks, as a data URI: grey of 28 px, of colours and smoothed where they are larger."""
    shape = (7, 7) if size <= 28 else (14, 14, 3)
    blocks = np.random.default_rng(seed).integers(0, 2, shape).astype(np.uint8) * 255
    drawn = Image.fromarray(blocks).resize(
        (size, size), Image.Resampling.NEAREST if size <= 28 else Image.Resampling.BICUBIC
    )
    buffer = io.BytesIO()
    drawn.save(buffer, form)
    return f"data:image/{form.lower()};base64," + base64.b64encode(buffer.getvalue()).decode()
