"""What the cluster learns from and searches: Omniglot, put into the object storage by whoever has it."""

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from experiments.benchmarks.harness.places import REPOSITORY
from experiments.benchmarks.nodes.room import BUCKET
from experiments.benchmarks.nodes.stores import put_object
from holdfast.base import DataError

FOLDER = REPOSITORY / ".." / "shared" / "data"
IMAGES, PHOTOS = "omniglot.parquet", "photos.parquet"


def data_folder() -> Path:
    """Where the data of this host are. Raises DataError where Omniglot is not among them."""
    folder = Path(os.environ.get("HOLDFAST_DATA") or FOLDER).resolve()
    if not (folder / IMAGES).is_file():
        raise DataError(f"There is no {IMAGES} in {folder}: set HOLDFAST_DATA to a folder that has it.")
    return folder


def upload(reach: Mapping[str, str], count: int) -> bytes:
    """Put Omniglot into the bucket, and so many of its images once more, as those of a gallery; returns one
    of them, encoded."""
    file = data_folder() / IMAGES
    put_object(reach, f"{BUCKET}/data/{IMAGES}", file.read_bytes())
    table = pq.read_table(file)
    # All alphabets are among them.
    chosen = table.take(pa.array([row * table.num_rows // count for row in range(count)]))
    written = io.BytesIO()
    pq.write_table(chosen, written, row_group_size=4096)
    put_object(reach, f"{BUCKET}/data/{PHOTOS}", written.getvalue())
    image: bytes = chosen.column("image")[count // 2].as_py()
    return image


def experiment(tasks: int, epochs: int, trials: int) -> dict[str, Any]:
    """The experiment file: two workers, a checkpoint every few steps, and a sweep over two weights."""
    return {
        "name": "nodes",
        "seed": 0,
        "parent": "none",
        "data": {
            "source": f"parquet:s3://{BUCKET}/data/{IMAGES}",
            "columns": {"drawer": {"of": "sample_id", "pattern": r"_(\d+)$"}},
            "train": {"split": "background"},
            "evaluate": {"split": "evaluation", "queries": "drawer <= 5"},
        },
        "stream": {
            "scenario": "class-incremental",
            "by": "group",
            "tasks": tasks,
            "validation": "drawer > 16",
        },
        "model": {
            "trunk": "conv4",
            "width": 0.25,
            "dimension": 64,
            "head": {"kind": "cosface", "scale": 16, "margin": 0.2},
        },
        "learning": {
            "epochs": epochs,
            "batch_size": 64,
            "checkpoint_steps": 20,
            "optimizer": {"learning_rate": 0.01},
        },
        "scaling": {"workers": 2, "cpus_per_worker": 1, "max_failures": 3},
        "tuning": {
            "space": {
                "regularizers.feature-distillation.weight": {"kind": "loguniform", "low": 1, "high": 100},
                "regularizers.prototype-alignment.weight": {"kind": "uniform", "low": 0.2, "high": 3},
            },
            "trials": trials,
            "concurrent": 2,
            "stopping": "none",
        },
    }
