"""Working on a backfill: mapping vectors, or embedding images anew, here or with Ray Data."""

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
from pyarrow import fs

from holdfast.data.files import expand, locate
from holdfast.errors import DataError, InvalidImageError
from holdfast.gallery.backfill import AdapterMover, Moved, Mover, Stored, Write, run_backfill
from holdfast.gallery.replace import NewVector
from holdfast.jobs.runtime import prepare_environment
from holdfast.models import Encoder
from holdfast.store import Backfill, Store

READERS = 8
"""Images of a batch that are read at once: most of the time goes to waiting for a disk or a network."""
LARGEST = 64 * 2**20
"""Bytes of an image file; a larger one is not read."""


def work_on_backfill(
    store: Store, name: str, owner: str, write: Write, stop: threading.Event | None = None
) -> Backfill:
    """Claim a backfill and run it until it is over, paused or taken over, or `stop` is set.

    Args:
        owner: who works on it, for people.
        write: how a batch reaches the writer.

    Raises ConflictError if it does not run, NotFoundError, and what `run_backfill` raises.
    """
    claim = store.backfills.claim(name, owner)
    found = store.backfills.get(name)
    with _mover(store, found) as mover:
        return run_backfill(store, claim, mover, write, stop)


@contextmanager
def _mover(store: Store, found: Backfill) -> Iterator[Mover]:
    if found.kind == "map":
        yield AdapterMover(store, found.target, found.sources)
        return
    encoder = store.load(found.target)
    if found.workers == 0:
        with ThreadPoolExecutor(READERS, thread_name_prefix="backfill-read") as readers:
            yield ImageMover(encoder, found.target, readers)
        return
    if "ray" not in sys.modules:  # beside a server Ray runs already, as the server has set it up
        prepare_environment()
    from holdfast.jobs.backfill_on_ray import ray_mover

    with ray_mover(encoder, found.target, found.workers) as mover:
        yield mover


class ImageMover:
    """Embeds the images of entries with the target version, in this process."""

    reads_vectors = False
    can_probe = True

    def __init__(self, encoder: Encoder, target: str, readers: ThreadPoolExecutor) -> None:
        self._encoder = encoder.eval()
        self._target = target
        self._readers = readers

    def move(self, batches: Iterator[list[Stored]]) -> Iterator[Moved]:
        for batch in batches:
            pixels = list(self._readers.map(self._look, (entry.source for entry in batch)))
            seen = [position for position, one in enumerate(pixels) if isinstance(one, np.ndarray)]
            rows: list[NewVector] = []
            if seen:
                vectors = self._encoder.embed(np.stack([pixels[position] for position in seen]))
                for position, vector in zip(seen, vectors, strict=True):
                    entry = batch[position]
                    rows.append(NewVector(entry.id, entry.seq, self._target, vector.astype("<f4").tobytes()))
            skipped = [
                (describe(entry), one)
                for entry, one in zip(batch, pixels, strict=True)
                if isinstance(one, str)
            ]
            yield Moved(rows, skipped)

    def _look(self, source: str | None) -> np.ndarray | str:
        """uint8 (c, s, s), or why there is none."""
        try:
            return self._encoder.preprocessing.pixels(read_image(source))
        except UnreadableError as error:
            return str(error)
        except InvalidImageError:
            return "not an image"


class UnreadableError(Exception):
    """An entry's image is out of reach; the message is one of few reasons."""


def read_image(source: str | None) -> bytes:
    """The file that an entry's source names: a path, or a URI of a file system that pyarrow knows.

    Raises UnreadableError: "no source", "not found", "unreadable", "too large".
    """
    if not source:
        raise UnreadableError("no source")
    try:
        filesystem, path = _locate(source)
        with filesystem.open_input_stream(path) as stream:
            data = stream.read(LARGEST + 1)
    except FileNotFoundError as error:
        raise UnreadableError("not found") from error
    except (OSError, ValueError, DataError) as error:
        raise UnreadableError("unreadable") from error
    if len(data) > LARGEST:
        raise UnreadableError("too large")
    return bytes(data)


def describe(entry: Stored) -> str:
    """An entry with its source, for people."""
    return f"{entry.id} ({entry.source})" if entry.source else entry.id


def _locate(source: str) -> tuple[fs.FileSystem, str]:
    scheme, separator, rest = source.partition("://")
    if not separator or scheme == "file" or "?" in rest:
        return locate(expand(source))
    # A client of an object store is dear to make, and the same for all objects of a bucket.
    bucket, _, key = rest.partition("/")
    return _bucket(f"{scheme}://{bucket}")[0], f"{bucket}/{key}" if scheme in ("s3", "gs") else locate(
        source
    )[1]


@lru_cache(maxsize=16)
def _bucket(uri: str) -> tuple[fs.FileSystem, str]:
    return locate(uri)
