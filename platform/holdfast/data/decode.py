"""Encoded images -> one uint8 array on disk, decoded once and mapped by everybody after that."""

import hashlib
import json
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Literal, Protocol, TypeVar

import numpy as np
import PIL
import pyarrow as pa

from holdfast.cache_folder import cache_folder
from holdfast.data.cache import locked, read_entry, write_entry
from holdfast.data.config import Column, SplitConfig
from holdfast.data.image_set import ImageSet
from holdfast.data.rows import row_columns
from holdfast.data.selection import select
from holdfast.data.source import Source, open_source
from holdfast.data.table import some
from holdfast.errors import DataError, InvalidImageError
from holdfast.processors import thread_count

Progress = Callable[[int, int], None]
T = TypeVar("T")

FORMAT = 1
BATCH = 512


class Decoder(Protocol):
    """Turns an encoded image into pixels; `holdfast.models.Preprocessing` is one."""

    def pixels(self, image: bytes) -> np.ndarray:
        """uint8 (channels, height, width), of one shape for all images. Raises InvalidImageError."""
        ...

    def model_dump_json(self) -> str:
        """Everything that the pixels depend on."""
        ...


def load_images(
    source: str,
    split: SplitConfig,
    decoder: Decoder,
    columns: Mapping[str, Column] | None = None,
    undecodable: Literal["refuse", "skip"] = "refuse",
    cache: Path | None = None,
    progress: Progress | None = None,
) -> ImageSet:
    """The decoded images of one split, from the cache where it has them.

    The first call decodes into the cache folder (`cache`, else `$HOLDFAST_CACHE`, else the user's cache
    folder) while other processes wait; later calls map the same file. A damaged cache entry is made anew.

    Args:
        source: a URI for `open_source`.
        split: which rows.
        decoder: how bytes become pixels.
        columns: derived columns, for `split.where` and later selections.
        undecodable: whether images that cannot be decoded are an error or are left out with a warning.
        progress: called with (images done, images in all) while decoding; not called for a cached entry.

    Raises:
        DataError: the source is missing or empty, lacks a column or the split, nothing is selected, images
            are undecodable (names the first few), or the cache folder cannot be written.
    """
    columns = columns or {}
    opened = open_source(source)
    folder = cache or cache_folder()
    key = _key(opened, split, decoder, columns, undecodable)
    # Entries appear whole, so a hit needs no lock, nor a folder that can be written.
    found = read_entry(folder / key)
    if found is None:
        with locked(folder, key) as entry:
            found = read_entry(entry)
            if found is None:
                table, arrays = _selected(opened, split, columns)
                keep = undecodable == "skip"
                write_entry(
                    entry, _decode(source, table, arrays["sample_id"], decoder, keep, progress), arrays
                )
                found = read_entry(entry)
    if found is None:
        raise DataError(
            f"The decoded images in {folder / key} were damaged as they were written; check the disk."
        )
    images, skipped = found
    if skipped:
        warnings.warn(f"Source {source!r}: {skipped} undecodable images were skipped.", stacklevel=2)
    return images


def _key(
    source: Source,
    split: SplitConfig,
    decoder: Decoder,
    columns: Mapping[str, Column],
    undecodable: str,
) -> str:
    parts = [
        FORMAT,
        PIL.__version__,
        source.uri,
        source.fingerprint(),
        split.split,
        split.where,
        {name: column.model_dump() for name, column in columns.items()},
        undecodable,
        type(decoder).__name__,
        decoder.model_dump_json(),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _selected(
    source: Source, split: SplitConfig, columns: Mapping[str, Column]
) -> tuple[pa.Table, dict[str, np.ndarray]]:
    table = source.read(split.split)
    arrays = row_columns(table, columns)
    if split.where is not None:
        mask = select(split.where, arrays)
        table = table.filter(pa.array(mask))
        arrays = {name: values[mask] for name, values in arrays.items()}
    if table.num_rows == 0:
        chosen = f"split {split.split!r}" if split.where is None else f"where {split.where!r}"
        raise DataError(f"Source {source.uri!r} is empty: {chosen} selects no image.")
    return table, arrays


def _decode(
    uri: str,
    table: pa.Table,
    sample_ids: np.ndarray,
    decoder: Decoder,
    skip: bool,
    progress: Progress | None,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches of (positions int64 (b,), pixels uint8 (b, C, H, W)) in row order."""
    encoded = table.column("image")
    total = table.num_rows
    undecodable: list[int] = []

    def decode(start: int) -> tuple[list[int], list[np.ndarray]]:
        positions, pixels = [], []
        for offset, scalar in enumerate(encoded.slice(start, BATCH)):
            try:
                pixels.append(decoder.pixels(scalar.as_py() or b""))
            except InvalidImageError:
                continue
            positions.append(start + offset)
        return positions, pixels

    with ThreadPoolExecutor(_threads()) as pool:
        starts = range(0, total, BATCH)
        for start, (positions, pixels) in zip(starts, _in_order(pool, decode, starts), strict=True):
            end = min(start + BATCH, total)
            undecodable.extend(sorted(set(range(start, end)) - set(positions)))
            if pixels:
                yield np.array(positions, dtype=np.int64), np.stack(pixels)
            if progress is not None:
                progress(end, total)
    if len(undecodable) == total or (undecodable and not skip):
        advice = "" if skip else " Mend or remove them, or set data.undecodable to skip."
        raise DataError(
            f"Source {uri!r}: {len(undecodable)} of {total} images cannot be decoded: "
            f"{some(sample_ids[undecodable])}.{advice}"
        )


def _in_order(pool: ThreadPoolExecutor, work: Callable[[int], T], items: range) -> Iterator[T]:
    """Like `pool.map`, but with few results waiting, so that memory stays bounded on a slow disk."""
    waiting: deque[Future[T]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > 2 * _threads():
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _threads() -> int:
    return min(thread_count(), 16)
