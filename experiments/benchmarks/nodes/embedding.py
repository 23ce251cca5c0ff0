"""A source that lies in the object storage, embedded by all machines, and put into the gallery."""

import json
import re
import threading

from experiments.benchmarks.nodes.data import PHOTOS
from experiments.benchmarks.nodes.room import BUCKET, Room
from experiments.benchmarks.nodes.steps import Step

ACTOR = "^ray::_Embedder"


def embed(step: Step, room: Room, version: str, count: int) -> None:
    source, file = f"parquet:s3://{BUCKET}/data/{PHOTOS}", f"/tmp/home/{version}.parquet"
    seen: set[str] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(1):
            seen.update(machine.name for machine in room.workers if machine.processes(ACTOR))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        job = room.submit("embed", version, source, "-o", file, "--store", "$HOLDFAST_STORE")
    finally:
        over.set()
        watching.join()
    told = job.require().said(rf"([\d,]+) images embedded by {version}")
    embedded = int(re.sub(",", "", told[-1][1])) if told else 0
    step.note(images=embedded, images_per_second=round(embedded / job.seconds), on=sorted(seen))
    step.check(f"{count:,} images are embedded", embedded == count)
    step.check("by all workers", seen == {machine.name for machine in room.workers})
    imported = room.submit("gallery", "import", file, "--store", "$HOLDFAST_STORE").require()
    step.note(import_seconds=round(imported.seconds, 1))
    entries = json.loads(room.on_head("gallery", "count", "--version", version, "--json"))["count"]
    step.note(entries=entries)
    step.check("all of them are in the gallery", entries == count)
