"""Embedding the images of entries anew: reading them, and saying why one could not be."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from pyarrow import fs

from holdfast.backfill.mover import Moved, Stored
from holdfast.backfill.sources import Sources, UnreadableError
from holdfast.base import InvalidImageError, TooManyPixelsError
from holdfast.entries import NewVector
from holdfast.models import Model

READERS = 8
"""Images of a batch that are read at once: most of the time goes to waiting for a disk or a network."""
EMBEDDED = 64
"""Images that go through the encoder at once."""
LARGEST = 64 * 2**20
"""Bytes of an image file; a larger one is not read."""


class ImageMover:
    """Embeds the images of entries with the target version, in this process."""

    reads_vectors = False

    def __init__(
        self,
        model: Model,
        target: str,
        readers: ThreadPoolExecutor,
        sources: Sources,
        halt: threading.Event | None = None,
    ) -> None:
        """`halt`: once it is set, the batch in progress is given up."""
        self._model = model
        self._target = target
        self._readers = readers
        self._sources = sources
        self._halt = halt or threading.Event()

    def move(self, batches: Iterator[list[Stored]]) -> Iterator[Moved]:
        for batch in batches:
            pixels = list(self._readers.map(self._look, (entry.source for entry in batch)))
            seen = [position for position, one in enumerate(pixels) if isinstance(one, np.ndarray)]
            rows: list[NewVector] = []
            for start in range(0, len(seen), EMBEDDED):
                if self._halt.is_set():
                    break
                some = seen[start : start + EMBEDDED]
                vectors = self._model.embed(np.stack([pixels[position] for position in some]))
                for position, vector in zip(some, vectors, strict=True):
                    entry = batch[position]
                    rows.append(NewVector(entry.id, entry.seq, self._target, vector.astype("<f4").tobytes()))
            if self._halt.is_set():
                return
            skipped = [
                (describe(entry), one)
                for entry, one in zip(batch, pixels, strict=True)
                if isinstance(one, str)
            ]
            yield Moved(rows, skipped)

    def _look(self, source: str | None) -> np.ndarray | str:
        return "given up" if self._halt.is_set() else look(self._model.prepare, source, self._sources)


def look(prepare: Callable[[bytes], np.ndarray], source: str | None, sources: Sources) -> np.ndarray | str:
    """The image that an entry's source names, as a model prepares it, or why there is none."""
    try:
        return prepare(read_image(source, sources))
    except UnreadableError as error:
        return str(error)
    except TooManyPixelsError:
        return "too many pixels"
    except InvalidImageError:
        return "not an image"


def read_image(source: str | None, sources: Sources) -> bytes:
    """The file that an entry's source names: a path, or a URI of a file system that pyarrow knows.

    Raises UnreadableError: "no source", "outside the allowed sources", "not found", "unreadable", "too
    large".
    """
    if not source:
        raise UnreadableError("no source")
    filesystem, path = sources.find(source)
    if isinstance(filesystem, fs.LocalFileSystem) and os.path.exists(path) and not os.path.isfile(path):
        # A pipe would be waited for without end.
        raise UnreadableError("unreadable")
    try:
        with filesystem.open_input_stream(path) as stream:
            data = stream.read(LARGEST + 1)
    except FileNotFoundError as error:
        raise UnreadableError("not found") from error
    except (OSError, ValueError) as error:
        raise UnreadableError("unreadable") from error
    if len(data) > LARGEST:
        raise UnreadableError("too large")
    return bytes(data)


def describe(entry: Stored) -> str:
    """An entry with its source, for people."""
    return f"{entry.id} ({entry.source})" if entry.source else entry.id
