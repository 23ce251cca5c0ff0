"""What a worker reads of a task, step after step, and how it is read without Ray."""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice, pairwise
from typing import Any, NamedTuple

import numpy as np

from holdfast.base import thread_count
from holdfast.data.streaming.ahead import ahead
from holdfast.data.streaming.images import Stack, StreamedImages, in_order
from holdfast.data.streaming.schedule import Epoch, Schedule

LOADERS = 16
"""Threads that wait for files and for other machines."""
STEPS_AHEAD = 2
"""Steps whose images are decoded, or wait for it, before they are asked for."""


@dataclass(frozen=True, eq=False)
class Reading:
    """What one worker reads. Can be pickled.

    Attributes:
        images: those of the task, in the source's order.
        schedule: in which batches they are learned.
        columns: int64 (b,), which images of every batch.
        epochs: how many there are.
        step: the first that is read, counted from the task's beginning.
    """

    images: StreamedImages
    schedule: Schedule
    columns: np.ndarray
    epochs: int
    step: int = 0


class EncodedStep(NamedTuple):
    """A worker's images of one step: their rows in the set, int64 (b,), and the bytes of each."""

    rows: np.ndarray
    images: list[bytes]


Reader = Callable[[Reading], Generator[np.ndarray]]
"""Gives what a worker sees of step after step, uint8 (b, channels, height, width). Raises DataError for an
image that cannot be read, which it names."""


def read_here(reading: Reading) -> Generator[np.ndarray]:
    """A `Reader` with threads of this process."""
    with closing(encoded_steps(reading)) as steps:
        parts = max(1, min(thread_count(), len(reading.columns)))
        cuts = np.cumsum([0, *map(len, np.array_split(reading.columns, parts))])

        def work() -> Iterator[Callable[[], np.ndarray]]:
            for step in steps:
                # A step is as soon there as its slowest part, so that each has a thread of its own.
                made = np.empty((len(step.rows), *reading.images.stack.shape), np.uint8)
                for start, end in pairwise(cuts):
                    part = EncodedStep(step.rows[start:end], step.images[start:end])
                    yield partial(_decode_into, reading.images.stack, part, made[start:end])

        decoded = in_order(work(), (1 + STEPS_AHEAD) * parts)
        with closing(decoded):
            while True:
                found = list(islice(decoded, parts))
                if not found:
                    return
                whole = found[0].base
                assert isinstance(whole, np.ndarray)
                yield whole


def encoded_steps(reading: Reading) -> Generator[EncodedStep]:
    """What a worker needs of each step from `reading.step` on, read window by window, one of them ahead.

    Raises DataError for an image that cannot be read, and for a piece that is damaged or gone.
    """
    with ThreadPoolExecutor(LOADERS, "load") as pool, closing(ahead(_windows(reading, pool), 1)) as windows:
        for shown, loaded in windows:
            for numbers in shown:
                rows = reading.images.rows[numbers]
                yield EncodedStep(rows, [loaded[number].result() for number in numbers.tolist()])


Window = tuple[np.ndarray, dict[int, "Future[bytes]"]]
"""The positions of a worker's images in some steps, int64 (steps, b), and the bytes of each."""


def _windows(reading: Reading, pool: ThreadPoolExecutor) -> Generator[Window]:
    schedule, images = reading.schedule, reading.images
    for epoch in range(reading.step // schedule.steps, reading.epochs):
        first = reading.step % schedule.steps if epoch == reading.step // schedule.steps else 0
        drawn = schedule.draw(epoch)
        begun = first // schedule.window
        lanes = [_lane(reading, drawn, number, begun) for number in _lanes(reading)]
        for start in range(begun * schedule.window, schedule.steps, schedule.window):
            loaded: dict[int, Future[bytes]] = {}
            for lane in lanes:
                for position, encoded in lane(start):
                    row = int(images.rows[position])
                    loaded[position] = pool.submit(images.stack.load, row, encoded)
            end = min(start + schedule.window, schedule.steps)
            yield drawn.shown[max(start, first) : end, reading.columns], loaded


def _lanes(reading: Reading) -> list[int]:
    """The lanes that a worker's part of every batch comes from."""
    columns = reading.columns
    return [
        number
        for number, lane in enumerate(reading.schedule.lanes)
        if ((columns >= lane.start) & (columns < lane.stop)).any()
    ]


def _lane(
    reading: Reading, drawn: Epoch, number: int, begun: int
) -> Callable[[int], Iterator[tuple[int, Any]]]:
    """What gives, window by window from `begun` on, what a worker needs of a lane, in the order in which it
    lies."""
    schedule, lane = reading.schedule, reading.schedule.lanes[number]
    width = schedule.window * (lane.stop - lane.start)
    read = drawn.read[number][begun * width :]
    columns = np.unique(reading.columns)
    columns = columns[(columns >= lane.start) & (columns < lane.stop)]
    if len(columns) < lane.stop - lane.start:
        needed = drawn.shown[begun * schedule.window :, columns]
        kept = np.isin(read, needed)
    else:
        kept = np.ones(len(read), bool)
    chosen = read[kept]
    ends = np.cumsum([int(kept[start : start + width].sum()) for start in range(0, len(read), width)])
    walked = reading.images.stack.walk(reading.images.rows[chosen])

    def take(start: int) -> Iterator[tuple[int, Any]]:
        window = start // schedule.window - begun
        before = int(ends[window - 1]) if window else 0
        positions = chosen[before : int(ends[window])].tolist()
        return zip(positions, islice(walked, len(positions)), strict=True)

    return take


def _decode_into(stack: Stack, step: EncodedStep, made: np.ndarray) -> np.ndarray:
    for place, (row, data) in enumerate(zip(step.rows.tolist(), step.images, strict=True)):
        stack.decode(row, data, made[place])
    return made
