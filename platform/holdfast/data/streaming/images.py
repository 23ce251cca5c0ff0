"""Images that are decoded when they are looked at, in the place of an array of them."""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from holdfast.base import DataError, InvalidImageError, thread_count
from holdfast.data.decoder import Decoder
from holdfast.data.sources import Encoded, Originals

AHEAD_BYTES = 64 * 2**20
"""Of decoded images that wait, at most, unless two batches have more."""
WINDOW_BYTES = 128 * 2**20
"""Of encoded images among which others are shuffled. Three windows are held at most: one is shown, one is
there, one is read."""
UNKNOWN_BYTES = 2**18
"""For the size of an image of which the source does not say it."""


@dataclass(frozen=True, eq=False)
class Stack:
    """All images of a set, as they lie.

    Attributes:
        where: how a message names the source.
        places: int64 (n,), which row of the source each is; ascending.
        names: text (n,), their sample_ids.
        shape: of one of them, (channels, height, width).
        shuffled: among how many they shall be shuffled.
    """

    where: str
    originals: Originals
    decoder: Decoder
    places: np.ndarray
    names: np.ndarray
    shape: tuple[int, ...]
    shuffled: int

    @property
    def window(self) -> int:
        """Among how many images they are shuffled: fewer than they shall be where they are large."""
        layout = self.originals.layout
        size = layout["bytes"].sum() / max(1, layout["starts"][-1]) or UNKNOWN_BYTES
        return max(1, min(self.shuffled, int(WINDOW_BYTES / size)))

    def pieces(self, rows: np.ndarray) -> np.ndarray:
        """In which piece each of some images lies, int64."""
        starts = self.originals.layout["starts"]
        return np.searchsorted(starts, self.places[rows], side="right") - 1

    def walk(self, rows: np.ndarray) -> Iterator[Encoded]:
        """The images of some rows, in their order, each piece opened once for all that follow each other."""
        if not len(rows):
            return
        places, pieces = self.places[rows], self.pieces(rows)
        turns = np.flatnonzero((np.diff(pieces) != 0) | (np.diff(places) < 0)) + 1
        starts = self.originals.layout["starts"]
        for start, end in zip([0, *turns], [*turns, len(rows)], strict=True):
            piece = int(pieces[start])
            wanted = places[start:end] - starts[piece]
            # A source gives what is asked for once.
            distinct, times = np.unique(wanted, return_counts=True)
            for encoded, often in zip(self.originals.read(piece, distinct), times, strict=True):
                for _ in range(often):
                    yield encoded

    def load(self, row: int, encoded: Encoded) -> bytes:
        """The bytes of one image. Raises DataError that names it."""
        try:
            found = encoded.load()
        except OSError as error:
            raise self.unreadable(row, f"{error.strerror or error}") from error
        if found is None:
            raise self.unreadable(row, "the row has no image (null)")
        return found

    def decode(self, row: int, data: bytes, into: np.ndarray) -> None:
        """Decode one image into an array of `shape`. Raises DataError that names it."""
        try:
            pixels = self.decoder.pixels(data)
        except InvalidImageError as error:
            raise self.unreadable(row, str(error)) from error
        into[...] = pixels

    def unreadable(self, row: int, reason: str) -> DataError:
        """What is to be said of an image that was lost."""
        return DataError(
            f"{self.where}: the image {str(self.names[row])!r} could be read when the source was looked "
            f"through, and cannot be now: {reason.rstrip('.')}. Bring it back, and repeat the command."
        )


class StreamedImages:
    """In the place of an array uint8 (n, channels, height, width) that fits no memory.

    Indexing by a slice, or by int64 (m,) or bool (n,), reads nothing and gives another one; `batches` reads,
    some ahead, with a thread a CPU; `numpy.asarray` reads all.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, stack: Stack, rows: np.ndarray) -> None:
        self.stack, self.rows = stack, rows

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.rows), *self.stack.shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int | np.integer):
            return np.asarray(StreamedImages(self.stack, self.rows[np.array([index])]))[0]
        return StreamedImages(self.stack, self.rows[index])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        found = np.empty(self.shape, np.uint8)
        done = 0
        for batch in self.batches(64):
            found[done : done + len(batch)] = batch
            done += len(batch)
        return found if dtype is None else found.astype(dtype)

    def batches(self, size: int) -> Generator[np.ndarray]:
        """Arrays (size, channels, height, width) of the images in their order; the last may have fewer.

        Raises DataError for one that cannot be read.
        """
        stack = self.stack

        def parts() -> Iterator[Callable[[], np.ndarray]]:
            encoded = stack.walk(self.rows)
            for start in range(0, len(self.rows), size):
                rows = self.rows[start : start + size]
                yield partial(_decode, stack, rows, list(islice(encoded, len(rows))))

        room = AHEAD_BYTES // max(1, size * int(np.prod(stack.shape)))
        yield from in_order(parts(), max(2, min(room, 2 * thread_count())))


def in_batches(images: Any, size: int, indices: np.ndarray | None = None) -> Iterator[np.ndarray]:
    """Images, those at `indices` int64 (m,), or all: so many at a time, of an array or streamed."""
    if isinstance(images, StreamedImages):
        yield from (images if indices is None else images[indices]).batches(size)
        return
    for start in range(0, len(images) if indices is None else len(indices), size):
        chosen = slice(start, start + size)
        yield images[chosen if indices is None else indices[chosen]]


def in_order(work: Iterator[Callable[[], np.ndarray]], most: int) -> Generator[np.ndarray]:
    """What some calls give, in their order, made by threads: at most so many wait, or are at work."""
    waiting: deque[Future[np.ndarray]] = deque()
    pool = ThreadPoolExecutor(min(thread_count(), 16), "decode")
    try:
        for call in work:
            waiting.append(pool.submit(call))
            if len(waiting) >= most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _decode(stack: Stack, rows: np.ndarray, encoded: list[Encoded]) -> np.ndarray:
    found = np.empty((len(rows), *stack.shape), np.uint8)
    for place, (row, each) in enumerate(zip(rows.tolist(), encoded, strict=True)):
        stack.decode(row, stack.load(row, each), found[place])
    return found
