"""Data that fits no machine: what a worker needs to learn from it, and whether it is fed in time.

    python -m experiments.benchmarks.learning.streaming FOLDER --images 10000 --prepare
    python -m experiments.benchmarks.learning.streaming FOLDER --images 10000 --seconds 0.1 [--mapped] [--ray]

Photographs of 224 px, made here, as JPEG in Parquet files of 1,000. One task of one epoch in batches of 32,
through a trunk that waits as one on a device does, and takes no processor meanwhile: so this is about what
reads, decodes and distorts beside it. Memory is what a process holds besides mapped files, at most, from its
first step to its last evaluation; there the trunk does not wait.
"""

import argparse
import io
import json
import shutil
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

from experiments.benchmarks.harness.cells import Record
from experiments.benchmarks.harness.child import measure_in_child
from experiments.benchmarks.harness.memory import PeakAnonymous, release_freed
from experiments.benchmarks.harness.part import Part
from experiments.benchmarks.harness.rows import Row, at_least, at_most, for_the_record
from experiments.benchmarks.learning.task_memory import Forgetful
from experiments.benchmarks.learning.waiting_trunk import WaitingTrunk
from holdfast.config import Experiment, parse_experiment
from holdfast.jobs.embed import embed_source
from holdfast.jobs.train import run_experiment
from holdfast.learning import Learned, keep_freed_memory, run_sequence
from holdfast.learning.progress import ignore_progress
from holdfast.models import Encoder
from holdfast.runs import load_datasets
from holdfast.store import open_store

FEW, MANY = 10_000, 200_000
EVALUATED = 400
SHARD, ROW_GROUP = 1_000, 250
CLASSES = 100
BATCH = 32
SECONDS = 0.1
ROUNDS = 3


def measure(cells: Part, quick: bool) -> list[Row]:
    """Memory once for each size; streamed and mapped in turns, the ratio within a round."""
    # The quick form has one size, and starts Ray once.
    few, many = (200, 200) if quick else (FEW, MANY)
    rounds, seconds = (1, 0.01) if quick else (ROUNDS, SECONDS)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        prepared = cache(lambda images: run(folder, images, quick, "--prepare"))

        def measured(images: int, *options: str) -> Record:
            prepared(images)
            return run(folder, images, quick, *options)

        looks = {size: cells(f"look at {size}", partial(prepared, size)) for size in (few, many)}
        held = {
            size: cells(f"memory, {size}", partial(measured, size, "--seconds", "0")) for size in (few, many)
        }
        embeds = {
            size: cells(f"embedding {size}", partial(measured, size, "--embed")) for size in (few, many)
        }
        if many > few:
            shutil.rmtree(Path(folder) / str(many), ignore_errors=True)
        waits = ("--seconds", str(seconds))
        found = {
            way: [
                cells(f"{way}, {number} of {rounds}", partial(measured, few, *waits, *options))
                for number in range(1, rounds + 1)
            ]
            for way, options in (("mapped", ("--mapped",)), ("streamed", ()))
        }
        on_ray = {
            way: cells(f"{way} on Ray", partial(measured, few, *waits, *options))
            for way, options in (("mapped", ("--mapped", "--ray")), ("streamed", ("--ray",)))
            if way == "streamed" or not quick
        }
    what = f"{few:,} photographs, batches of {BATCH}, a trunk of {1000 * seconds:.0f} ms a batch"
    ratios = [
        ours["images_per_second"] / theirs["images_per_second"]
        for ours, theirs in zip(found["streamed"], found["mapped"], strict=True)
    ]
    busy = [cell["busy"] for cell in found["streamed"]]
    note = ", ".join(f"{cell['peak_mib']:.0f} MiB with {size:,} images" for size, cell in held.items())
    embedding = ", ".join(f"{cell['peak_mib']:.0f} MiB with {size:,}" for size, cell in embeds.items())
    return [
        at_most("streaming: memory of a worker", [_growth(held, few, many)], "times", 1.05, note),
        at_most("streaming: memory of embedding", [_growth(embeds, few, many)], "times", 1.05, embedding),
        at_least("streaming: throughput against mapped", ratios, "times", 0.9, what),
        at_least(
            "streaming: throughput against mapped, on Ray",
            [
                on_ray["streamed"]["images_per_second"]
                / on_ray.get("mapped", found["mapped"][0])["images_per_second"]
            ],
            "times",
            0.9,
            what,
        ),
        at_least("streaming: device busy", busy, "of a step", 0.9, what),
        at_least("streaming: device busy, on Ray", [on_ray["streamed"]["busy"]], "of a step", 0.9, what),
        for_the_record("mapped: device busy", [each["busy"] for each in found["mapped"]], "of a step", what),
        for_the_record(
            "streaming: the look at every image",
            [looks[many]["images_per_second"]],
            "images/s",
            f"{many:,} images, once; {looks[many]['peak_mib']:.0f} MiB",
        ),
    ]


def _growth(cells: dict[int, Record], few: int, many: int) -> float:
    return float(cells[many]["peak_mib"] / cells[few]["peak_mib"])


def run(folder: str, images: int, quick: bool, *options: str) -> Record:
    """In a process of its own, with decoded images beside the others."""
    small = ["--quick"] if quick else []
    place = Path(folder) / str(images)
    place.mkdir(exist_ok=True)
    arguments = [str(place), "--images", str(images), *small, *options]
    return measure_in_child(__name__, arguments, {"HOLDFAST_CACHE": str(place / "cache")}, timeout=3600)


def write_photographs(folder: Path, images: int, side: int) -> None:
    """So many to learn from, and some to evaluate on, in shards; an interrupted one is made again."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [("train", start, min(start + SHARD, images)) for start in range(0, images, SHARD)]
    parts.append(("evaluation", 0, min(EVALUATED, images)))
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(partial(_write_shard, folder, side), parts))


def _write_shard(folder: Path, side: int, part: tuple[str, int, int]) -> None:
    split, start, end = part
    file = folder / f"{split}-{start:07d}.parquet"
    if file.exists():
        return
    numbers = range(start, end)
    table = pa.table(
        {
            "image": pa.array([photograph(split, number, side) for number in numbers], pa.binary()),
            "label": [f"class-{number % CLASSES:03d}" for number in numbers],
            "split": [split] * len(numbers),
            "sample_id": [f"{split}-{number:07d}" for number in numbers],
        }
    )
    draft = file.with_suffix(".draft")
    pq.write_table(table, draft, row_group_size=ROW_GROUP, compression="none")
    draft.rename(file)


def photograph(split: str, number: int, side: int) -> bytes:
    """Blots of colour with some grain, as JPEG: no two alike."""
    generator = np.random.default_rng([split == "train", number])
    blots = Image.fromarray(generator.integers(0, 255, (12, 12, 3), np.uint8)).resize((side, side))
    grain = generator.integers(0, 16, (side, side, 1), np.uint8)
    picture = np.clip(np.asarray(blots).astype(np.int16) + grain - 8, 0, 255).astype(np.uint8)
    target = io.BytesIO()
    Image.fromarray(picture).save(target, "JPEG", quality=85)
    return target.getvalue()


def make_experiment(folder: Path, mapped: bool, seconds: float, ray: bool, side: int) -> Experiment:
    """One task over `folder`/photographs."""
    return parse_experiment(
        {
            "name": "mapped" if mapped else "streamed",
            "data": {
                "source": f"parquet:{folder / 'photographs'}",
                "train": {"split": "train"},
                "evaluate": {"split": "evaluation"},
                "streaming": not mapped,
            },
            "stream": {"tasks": 1, "validation": 0.02},
            "model": {
                "trunk": {
                    "kind": "experiments.benchmarks.learning.waiting_trunk:Waiting",
                    "seconds": seconds,
                },
                "dimension": 32,
                "preprocessing": {"size": side, "channels": 3},
            },
            "learning": {"epochs": 1, "batch_size": BATCH, "checkpoint_steps": 100_000},
            "regularizers": [],
            "scaling": {"workers": int(ray), "cpus_per_worker": 1},
        }
    )


class Measured(Forgetful):
    """What came of the task."""

    def __init__(self) -> None:
        self.record: Record = {}

    def publish(self, learned: Learned) -> str:
        assert isinstance(learned.encoder, Encoder)
        trunk = learned.encoder.trunk
        assert isinstance(trunk, WaitingTrunk)
        seconds = learned.seconds["learning"]
        self.record = {"images_per_second": learned.images / seconds, "busy": trunk.busy / seconds}
        return super().publish(learned)


def learn_here(experiment: Experiment) -> Record:
    """Without Ray, and without all that publishing does besides."""
    data = load_datasets(experiment)
    keep_freed_memory()
    release_freed()
    measured = Measured()
    with PeakAnonymous() as peak:
        run_sequence(experiment, data, measured, measured)
    return {**measured.record, "peak_mib": peak.mib}


def learn_on_ray(experiment: Experiment, folder: Path, seconds: float) -> Record:
    """As a user does."""
    shutil.rmtree(folder / "store", ignore_errors=True)
    with open_store(folder / "store") as store:
        run_experiment(store, experiment, ignore_progress, publish_anyway=True)
        metrics = store.versions.get("v1").metrics
    spent = metrics["seconds"]["learning"]
    return {
        "images_per_second": metrics["images"] / spent,
        "busy": metrics["images"] / BATCH * seconds / spent,
    }


def look(experiment: Experiment, images: int) -> Record:
    """The one look at every image."""
    started = time.perf_counter()
    with PeakAnonymous() as peak:
        load_datasets(experiment)
    return {"images_per_second": images / (time.perf_counter() - started), "peak_mib": peak.mib}


def embed(experiment: Experiment, folder: Path) -> Record:
    """All of them into a file, by a network that knows nothing, in this process."""
    shutil.rmtree(folder / "store", ignore_errors=True)
    small = experiment.model_copy(update={"name": "embedding"})
    with open_store(folder / "store") as store:
        learned = parse_experiment({**small.model_dump(mode="json"), "data": _evaluation_alone(experiment)})
        run_experiment(store, learned, ignore_progress, publish_anyway=True)
        release_freed()
        with PeakAnonymous() as peak:
            output = folder / "vectors.parquet"
            embed_source(store, "v1", experiment.data.source, None, output, ignore_progress, large=10**9)
    return {"peak_mib": peak.mib}


def _evaluation_alone(experiment: Experiment) -> dict[str, object]:
    return {
        "source": experiment.data.source,
        "train": {"split": "evaluation"},
        "evaluate": {"split": "evaluation", "queries": 0.5},
        "allow_overlap": True,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the photographs and the store are")
    parser.add_argument("--images", type=int, required=True)
    parser.add_argument("--prepare", action="store_true", help="make the photographs, look at each, no more")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of the trunk, a batch")
    parser.add_argument("--mapped", action="store_true", help="decoded before")
    parser.add_argument("--ray", action="store_true", help="on one worker of Ray's")
    parser.add_argument("--embed", action="store_true", help="embed all of them")
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args()
    side = 32 if chosen.quick else 224
    torch.set_num_threads(1)
    experiment = make_experiment(chosen.folder, chosen.mapped, chosen.seconds, chosen.ray, side)
    if chosen.prepare:
        write_photographs(chosen.folder / "photographs", chosen.images, side)
        record = look(experiment, chosen.images)
    elif chosen.embed:
        record = embed(experiment, chosen.folder)
    elif chosen.ray:
        record = learn_on_ray(experiment, chosen.folder, chosen.seconds)
    else:
        record = learn_here(experiment)
    print(json.dumps(record))


if __name__ == "__main__":
    main()
