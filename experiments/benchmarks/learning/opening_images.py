"""Memory and time of opening a data set: decoded for the first time, and again from the cache.

    python -m experiments.benchmarks.learning.opening_images FOLDER --prepare     # the images, once
    python -m experiments.benchmarks.learning.opening_images FOLDER --kind parquet  # one opening, as JSON

12,000 images of 24 KiB (two splits of 10,000 and 2,000) in a folder and in Parquet; and 3,000 small images
beside an unused text column of 100,000 characters a row. The figure is the greatest resident memory without
mapped files while opening, less what there was before; `encoded` is the size of the images as they lie there.
"""

import argparse
import io
import json
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from experiments.benchmarks.harness.cells import Record
from experiments.benchmarks.harness.child import measure_in_child
from experiments.benchmarks.harness.memory import PeakAnonymous, release_freed, resident_mib
from experiments.benchmarks.harness.part import Part
from experiments.benchmarks.harness.rows import Row, at_most, for_the_record
from holdfast.config import parse_experiment
from holdfast.runs import load_datasets

KINDS = ("folder", "parquet", "text")
IMAGE_BYTES = 24 * 1024
TEXT_LENGTH = 100_000
SIDE = 96
BATCH = 500
SHARE = 0.35
"""Of the encoded images, what opening may need beyond what the process holds already."""


def measure(cells: Part, quick: bool) -> list[Row]:
    """Two openings a kind, each in a process of its own."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        for kind in KINDS:
            cell = cells(kind, partial(_open_twice, Path(folder), kind, quick))
            note = f"{cell['encoded_mib']:.0f} MiB as they lie there"
            for opening, said in (("first", "first opening"), ("again", "from the cache")):
                figure = cell[opening]
                rows.append(
                    at_most(
                        f"{kind}: memory, {said}",
                        [figure["extra_mib"]],
                        "MiB",
                        64 + SHARE * cell["encoded_mib"],
                        note,
                    )
                )
                rows.append(for_the_record(f"{kind}: time, {said}", [figure["seconds"]], "s", note))
    return rows


def _open_twice(folder: Path, kind: str, quick: bool) -> Record:
    chosen = [str(folder), "--kind", kind, *(["--quick"] if quick else [])]
    cache = {"HOLDFAST_CACHE": str(folder / f"cache-{kind}")}
    encoded = prepare(folder, kind, quick)
    first, again = (measure_in_child(__name__, chosen, cache) for _ in range(2))
    return {"encoded_mib": encoded, "first": first, "again": again}


def prepare(folder: Path, kind: str, quick: bool) -> float:
    """Make the images of one kind; their size in MiB."""
    count = 240 if quick else (3_000 if kind == "text" else 12_000)
    if kind == "folder":
        return _write_folder(folder / kind, count)
    text = 1_000 if quick else TEXT_LENGTH
    return _write_parquet(folder / f"{kind}.parquet", count, text if kind == "text" else None)


def open_images(folder: Path, kind: str) -> Record:
    """Open training and evaluation images as a run does."""
    source = f"folder:{folder / kind}" if kind == "folder" else f"parquet:{folder / kind}.parquet"
    experiment = parse_experiment(
        {
            "name": "opening-images",
            "data": {"source": source, "train": {"split": "train"}, "evaluate": {"split": "test"}},
            "stream": {"tasks": 2},
            "model": {"preprocessing": {"size": 28, "channels": 3}},
        }
    )
    release_freed()
    before, started = resident_mib("RssAnon"), time.perf_counter()
    with PeakAnonymous() as peak:
        data = load_datasets(experiment)
    seconds = time.perf_counter() - started
    return {"images": len(data.training), "seconds": seconds, "extra_mib": peak.mib - before}


def _pictures(count: int, size: int) -> Iterator[tuple[str, str, str, bytes]]:
    """(split, label, sample_id, JPEG of exactly `size` bytes), each of other pixels, padded by a comment."""
    generator = np.random.default_rng(0)
    for number in range(count):
        coarse = generator.integers(0, 255, (12, 12, 3)).astype(np.uint8)
        buffer = io.BytesIO()
        picture = Image.fromarray(coarse).resize((SIDE, SIDE))
        picture.save(buffer, "JPEG", quality=90)
        padding = size - len(buffer.getvalue()) - 4
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=90, comment=b" " * max(1, padding))
        yield (
            "test" if number % 6 == 5 else "train",
            f"c{number % 20:02d}",
            f"{number:05d}",
            buffer.getvalue(),
        )


def _write_folder(root: Path, count: int) -> float:
    total = 0
    for split, label, name, data in _pictures(count, IMAGE_BYTES):
        file = root / split / label / f"{name}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        total += len(data)
    return total / 2**20


def _write_parquet(file: Path, count: int, text: int | None) -> float:
    total = 0
    fields = [(name, pa.string()) for name in ("split", "label", "sample_id")] + [("image", pa.binary())]
    if text:
        fields.append(("caption", pa.string()))
    schema = pa.schema(fields)
    size = IMAGE_BYTES if text is None else 4 * 1024
    with pq.ParquetWriter(file, schema) as writer:
        batch: list[tuple[object, ...]] = []
        for number, row in enumerate(_pictures(count, size), start=1):
            total += len(row[-1])
            batch.append((*row, f"{number} ".ljust(text, "x")) if text else row)
            if len(batch) == BATCH or number == count:
                writer.write_table(pa.table(list(map(list, zip(*batch, strict=True))), schema=schema))
                batch.clear()
    return total / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the images are")
    parser.add_argument("--kind", choices=KINDS, default="folder")
    parser.add_argument("--prepare", action="store_true", help="make the images, and no more")
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args()
    if chosen.prepare:
        print(json.dumps({"encoded_mib": prepare(chosen.folder, chosen.kind, chosen.quick)}))
    else:
        print(json.dumps(open_images(chosen.folder, chosen.kind)))


if __name__ == "__main__":
    main()
