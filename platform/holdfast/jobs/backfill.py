"""Backfills with workers: the images of entries embedded anew by actors of Ray."""

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from holdfast.backfill import Backfill, Mover, Sources, Write, work_on
from holdfast.jobs.runtime import prepare_environment
from holdfast.models import Model
from holdfast.store import Store


def work_on_backfill(
    store: Store,
    name: str,
    owner: str,
    write: Write,
    stop: threading.Event | None = None,
    sources: Sequence[str] = (),
    gpus: float = 0.0,
) -> Backfill:
    """`holdfast.backfill.work_on`, with Ray Data for a backfill that asks for workers, each with `gpus`."""
    return work_on(store, name, owner, write, partial(_on_ray, gpus=gpus), stop, sources)


@contextmanager
def _on_ray(model: Model, target: str, workers: int, sources: Sources, gpus: float) -> Iterator[Mover]:
    if "ray" not in sys.modules:  # beside a server Ray runs already, as the server has set it up
        prepare_environment()
    from holdfast.jobs.backfill_on_ray import ray_mover

    with ray_mover(model, target, workers, sources, gpus) as mover:
        yield mover
