"""Embedding the images of entries anew with Ray Data: actors read, decode and embed beside each other."""

import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import pyarrow as pa
import ray
import ray.data
import torch

from holdfast.backfill import READERS, ImageMover, Moved, Mover, Sources, Stored
from holdfast.base import NICE
from holdfast.entries import NewVector
from holdfast.jobs.gpus import on_gpu
from holdfast.jobs.resources import await_resources
from holdfast.jobs.runtime import ray_session
from holdfast.models import Model

_ASKED = pa.schema(
    [
        ("batch", pa.int64()),
        ("id", pa.string()),
        ("seq", pa.int64()),
        ("version", pa.string()),
        ("source", pa.string()),
    ]
)
_ANSWERED = pa.schema(
    [
        ("batch", pa.int64()),
        ("id", pa.string()),
        ("seq", pa.int64()),
        ("vector", pa.binary()),
        ("why", pa.string()),
    ]
)


@contextmanager
def ray_mover(model: Model, target: str, workers: int, sources: Sources, gpus: float) -> Iterator[Mover]:
    """A mover that embeds with `workers` actors, each with `gpus`, of the Ray that runs here, or of one for
    as long as it lasts. Beside a server they take no share of its cores from it, and run at a lower
    priority."""
    with ExitStack() as stack:
        beside = ray.is_initialized()
        if not beside:
            stack.enter_context(ray_session(cpus=workers + 1))
        cpus = 0 if beside else 1
        await_resources("The backfill", workers, {"CPU": cpus, "GPU": gpus}, warnings.warn)
        yield RayMover(model, target, workers, sources, cpus, gpus)


class RayMover:
    """Reads the whole plan, ids and sources, into Ray's object store; results come back batch by batch."""

    reads_vectors = False

    def __init__(
        self, model: Model, target: str, workers: int, sources: Sources, cpus: float, gpus: float
    ) -> None:
        self._model, self._target, self._sources = model, target, sources
        self._workers, self._cpus, self._gpus = workers, cpus, gpus

    def move(self, batches: Iterator[list[Stored]]) -> Iterator[Moved]:
        tables = [_table(number, batch) for number, batch in enumerate(batches) if batch]
        if not tables:
            return
        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        embedded = ray.data.from_arrow(tables).map_batches(
            _Reembedder,
            fn_constructor_args=(self._model, self._target, self._sources, self._gpus),
            batch_format="pyarrow",
            # A batch is what one transaction takes.
            batch_size=None,
            concurrency=min(self._workers, len(tables)),
            num_cpus=self._cpus,
            num_gpus=self._gpus,
        )
        for answer in embedded.iter_batches(batch_format="pyarrow", batch_size=None):
            yield from _results(answer, self._target)


class _Reembedder:
    """One Ray Data actor."""

    def __init__(self, model: Model, target: str, sources: Sources, gpus: float) -> None:
        torch.set_num_threads(1)
        os.nice(NICE)
        self._model, self._target, self._gpus = model, target, gpus
        self._mover = ImageMover(model, target, ThreadPoolExecutor(READERS), sources)

    def __call__(self, table: pa.Table) -> pa.Table:
        # Here, as Ray hands on what is raised by a call, and of a constructor its text alone.
        on_gpu(self._model, self._target, self._gpus)
        self._gpus = 0.0
        asked = table.to_pylist()
        entries = [Stored(row["id"], row["seq"], row["version"], row["source"], None) for row in asked]
        (moved,) = self._mover.move(iter([entries]))
        number = asked[0]["batch"]
        answers: list[dict[str, Any]] = [
            {"batch": number, "id": row.id, "seq": row.seq, "vector": row.vector, "why": None}
            for row in moved.rows
        ]
        answers += [
            {"batch": number, "id": entry, "seq": 0, "vector": None, "why": why}
            for entry, why in moved.skipped
        ]
        return pa.Table.from_pylist(answers, _ANSWERED)


def _table(number: int, batch: list[Stored]) -> pa.Table:
    rows = [
        {"batch": number, "id": each.id, "seq": each.seq, "version": each.version, "source": each.source}
        for each in batch
    ]
    return pa.Table.from_pylist(rows, _ASKED)


def _results(answer: pa.Table, target: str) -> Iterator[Moved]:
    """One result a batch: Ray may join what comes back."""
    by_batch: dict[int, list[dict[str, Any]]] = {}
    for row in answer.to_pylist():
        by_batch.setdefault(row["batch"], []).append(row)
    for rows in by_batch.values():
        yield Moved(
            [NewVector(row["id"], row["seq"], target, row["vector"]) for row in rows if row["why"] is None],
            [(row["id"], row["why"]) for row in rows if row["why"] is not None],
        )
