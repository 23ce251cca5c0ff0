"""A gallery of a million vectors from its file to the first search through a cascade, in wall-clock time.

    python experiments/adopt_lite.py -o lite
    python -m experiments.benchmarks.adopting.large --model lite/lite0.onnx --preprocessing lite/lite0.yaml
    python -m experiments.benchmarks.adopting.large --quick     # small: does it run at all?

The Parquet file has ids, 512 numbers a row and the place of an image, one of the 8,242 of Caltech-101; it is
made first, and not counted. Its vectors are what the new model makes of the images, turned by a random
matrix, with noise of a row's own: what they find is of no interest here. Each step is one command in a
process of its own. The last line is JSON; the exit code is 1 if all of them together take more than ten
minutes, or the import of a million more than three.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from experiments.benchmarks.adopting.galleries import Protocol, write_folders
from experiments.benchmarks.harness.asking import holdfast
from experiments.benchmarks.harness.command import run_command
from holdfast.models import Encoder, ModelConfig, Preprocessing, write_exported

DIMENSION = 512
ROWS = 50_000
MOST_SECONDS, MOST_IMPORTING = 600.0, 180.0


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="the new one, an ONNX file")
    parser.add_argument("--preprocessing", type=Path, help="how it wants its pixels")
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where all of it lies; by default nowhere afterwards")
    parser.add_argument("--quick", action="store_true", help="small sizes; no figure means anything then")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    with tempfile.TemporaryDirectory(prefix="holdfast-large-") as temporary:
        seconds = measure(options, options.folder or Path(temporary))
    total = sum(seconds.values())
    for step, took in seconds.items():
        print(f"{step:<8} {took:8.1f} s", file=sys.stderr)
    print(json.dumps({"entries": options.entries, "seconds": seconds, "total": total}))
    held = total <= MOST_SECONDS and seconds["import"] <= MOST_IMPORTING
    return 0 if held or options.quick else 1


def measure(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Seconds of each command."""
    folder.mkdir(parents=True, exist_ok=True)
    count = options.entries
    model: list[object] = [f"onnx:{options.model}"]
    source = "parquet:$HOLDFAST_DATA/caltech101_160.parquet"
    if options.preprocessing is not None:
        model += ["--preprocessing", options.preprocessing]
    if options.quick:
        count, source, model = 600, "glyphs:?classes=20&instances=12", [f"onnx:{_untrained(folder)}"]
    images, _ = write_folders(Protocol(source, None, lambda place: False), folder / "images")
    store, file = folder / "store", folder / "gallery.parquet"
    if not file.exists():
        _write_gallery(file, images, count, model, folder / "scratch")
    asked = next(images.rglob("*.*"))
    steps: dict[str, tuple[object, ...]] = {
        "adopt": ("adopt", "better", *model),
        "import": ("gallery", "import", file, "--version", "clip", "--made-by", "somebody/clip"),
        "bridge": ("bridge", "clip", "better", "--sources", images),
        "search": ("search", "better", "--image", asked, "--sources", images, "--json"),
    }
    seconds = {}
    for name, words in steps.items():
        started = time.perf_counter()
        holdfast(*words, "--store", store)
        seconds[name] = time.perf_counter() - started
        print(f"{name}: {seconds[name]:.1f} s", file=sys.stderr, flush=True)
    return seconds


def _untrained(folder: Path) -> Path:
    """A small network that nobody trained, always alike, as an ONNX file that says its preprocessing."""
    config = ModelConfig(dimension=32, width=0.25, preprocessing=Preprocessing(size=16))
    file = folder / "untrained.onnx"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Encoder(config)
    write_exported(network.eval(), "onnx", file)
    return file


def _write_gallery(file: Path, images: Path, count: int, model: Sequence[object], scratch: Path) -> None:
    holdfast("adopt", "better", *model, "--store", scratch)
    embedded = scratch / "embedded.parquet"
    holdfast("embed", "better", f"folder:{images}", "-o", embedded, "--store", scratch)
    table = pq.read_table(embedded, columns=["vector", "source"])
    vectors = np.stack(table.column("vector").to_numpy())
    places = np.array(table.column("source").to_pylist())
    generator = np.random.default_rng(0)
    turned = vectors @ generator.normal(size=(vectors.shape[1], DIMENSION)).astype(np.float32)
    turned /= np.linalg.norm(turned, axis=1, keepdims=True)
    noise = 0.3 / np.sqrt(DIMENSION)
    partial = file.with_suffix(".partial")
    writer: pq.ParquetWriter | None = None
    for start in range(0, count, ROWS):
        rows = np.arange(start, min(start + ROWS, count)) % len(turned)
        drawn = turned[rows] + noise * generator.standard_normal((len(rows), DIMENSION), np.float32)
        part = pa.table(
            {
                "id": pa.array([f"photo-{start + number}" for number in range(len(rows))]),
                "vector": pa.FixedSizeListArray.from_arrays(pa.array(drawn.ravel()), DIMENSION),
                "source": pa.array(places[rows]),
            }
        )
        writer = writer or pq.ParquetWriter(
            partial, part.schema, compression="none", use_dictionary=["source"]
        )
        writer.write_table(part)
    assert writer is not None
    writer.close()
    partial.replace(file)


if __name__ == "__main__":
    run_command(main)
