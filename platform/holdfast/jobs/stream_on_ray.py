"""Streamed images read and decoded by Ray Data: beside the device, on whichever machine has CPUs to spare.

A worker has a dataset of its own, for a task. One Ray task reads the worker's steps in their order, as long
as the task lasts; what it gives, a row a step, is decoded by others, and comes back in that order.
"""

from collections.abc import Generator, Iterator
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import ray
import ray.data
from ray.data import DataContext, Datasource, ExecutionResources, ReadTask
from ray.data.block import BlockMetadata

from holdfast.base import DataError, InvalidImageError
from holdfast.data import Reading, encoded_steps

READING_CPUS, DECODING_CPUS = 0.25, 0.75
"""Of the task that reads, and of each that decodes."""
BESIDE_WORKER = READING_CPUS + DECODING_CPUS
"""CPUs that a worker needs besides its own, at least, so that it gets to see anything."""
STEPS, LEAST_BYTES = 16, 2**27
"""Decoded steps for which there is room in the object store: what is ahead of a worker is bounded by it."""


def read_on_ray(reading: Reading) -> Generator[np.ndarray]:
    """A `Reader` that has Ray Data read."""
    stack = reading.images.stack
    shape = (len(reading.columns), *stack.shape)
    context = DataContext.get_current().copy()
    context.enable_progress_bars = False
    # A block is a row, and a row is a step: never more, and never a part of one.
    context.target_max_block_size = 1
    context.execution_options.preserve_order = True
    context.execution_options.resource_limits = ExecutionResources.for_limits(
        object_store_memory=max(STEPS * int(np.prod(shape)), LEAST_BYTES)
    )
    with DataContext.current(context):
        read = ray.data.read_datasource(
            _Steps(ray.put(reading)), override_num_blocks=1, num_cpus=READING_CPUS
        )
        decoded = read.map_batches(
            partial(_decode, stack.decoder, stack.shape),
            batch_size=None,
            batch_format="pyarrow",
            num_cpus=DECODING_CPUS,
        )
    steps = iter(decoded.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=2))
    try:
        for table in steps:
            for step in range(table.num_rows):
                flaw, row = table.column("flaw")[step].as_py(), table.column("row")[step].as_py()
                if flaw:
                    raise DataError(flaw) if row is None else stack.unreadable(row, flaw)
                pixels = np.frombuffer(table.column("pixels")[step].as_buffer(), np.uint8)
                # A copy, so that the object store has room again, and whoever gets it may write to it.
                yield pixels.reshape(shape).copy()
    finally:
        steps.close()


class _Steps(Datasource):
    """The steps of a reading that lies in the object store, by one task."""

    def __init__(self, reading: Any) -> None:
        super().__init__()
        self._reading = reading

    def estimate_inmemory_data_size(self) -> int | None:
        return None

    def get_read_tasks(
        self,
        parallelism: int,
        per_task_row_limit: int | None = None,
        data_context: DataContext | None = None,
    ) -> list[ReadTask]:
        metadata = BlockMetadata(num_rows=None, size_bytes=None, exec_stats=None, input_files=None)
        return [ReadTask(partial(_read, self._reading), metadata)]


def _read(reference: Any) -> Iterator[pa.Table]:
    try:
        for step in encoded_steps(ray.get(reference)):
            yield _row(step.rows.tolist(), step.images, None)
    except DataError as error:
        # As a row: an error of a task would be Ray's, and be tried again.
        yield _row([], [], str(error))


def _row(rows: list[int], images: list[bytes], flaw: str | None) -> pa.Table:
    return pa.table(
        {
            "rows": pa.array([rows], pa.list_(pa.int64())),
            "images": pa.array([images], pa.list_(pa.large_binary())),
            "flaw": pa.array([flaw], pa.string()),
        }
    )


def _decode(decoder: Any, shape: tuple[int, ...], table: pa.Table) -> pa.Table:
    """Steps of encoded images -> their pixels, or what is wrong with one, and its row if that has no name."""
    made = [_decode_step(decoder, shape, step) for step in table.to_pylist()]
    return pa.table(
        {
            "pixels": pa.concat_arrays([_as_bytes(pixels) for pixels, _, _ in made]),
            "flaw": pa.array([flaw for _, flaw, _ in made], pa.string()),
            "row": pa.array([row for _, _, row in made], pa.int64()),
        }
    )


def _decode_step(
    decoder: Any, shape: tuple[int, ...], step: dict[str, Any]
) -> tuple[np.ndarray, str | None, int | None]:
    pixels = np.empty((len(step["rows"]), *shape), np.uint8)
    for place, (row, image) in enumerate(zip(step["rows"], step["images"], strict=True)):
        try:
            pixels[place] = decoder.pixels(image)
        except InvalidImageError as error:
            return pixels[:0], str(error), row
    return pixels, step["flaw"], None


def _as_bytes(pixels: np.ndarray) -> pa.Array:
    """One row of bytes, which are not copied."""
    ends = pa.py_buffer(np.array([0, pixels.nbytes], np.int64))
    return pa.Array.from_buffers(pa.large_binary(), 1, [None, ends, pa.py_buffer(pixels)])
