"""Encoded images -> one uint8 array on disk, decoded once and mapped by everybody after that.

Vectors likewise, as float32.
"""

import hashlib
import json
import warnings
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import PIL
import pyarrow as pa

from holdfast.base import DataError, InvalidImageError, cache_folder, thread_count
from holdfast.data.cache import Items, locked, read_entry, write_entry
from holdfast.data.config import Column, SplitConfig
from holdfast.data.decoder import Decoder
from holdfast.data.features import Featurizer
from holdfast.data.image_set import ImageSet
from holdfast.data.rows import row_columns, row_notes
from holdfast.data.selection import names_in, select, unknown_column
from holdfast.data.sources import (
    Encoded,
    Source,
    VectorListing,
    VectorSource,
    open_any,
    require_values,
    some,
)
from holdfast.data.streaming import read_survey, write_survey
from holdfast.data.usable import complete_rows, usable_vectors

OnDecoded = Callable[[int, int], None]
Batch = list[tuple[int, Encoded]]
S = TypeVar("S")
T = TypeVar("T")

FORMAT = 2
BATCH = 512
"""Images of a batch, at most."""
FIRST_BATCH = 8
BATCH_BYTES = 4 * 2**20
"""Bytes of a batch, encoded or decoded, unless one image has more."""


def load_images(
    source: str,
    split: SplitConfig,
    decoder: Decoder | Featurizer | None,
    columns: Mapping[str, Column] | None = None,
    undecodable: Literal["refuse", "skip"] = "refuse",
    cache: Path | None = None,
    progress: OnDecoded | None = None,
    selections: Collection[str] | None = None,
    streamed: int | None = None,
) -> ImageSet:
    """The decoded images of one split, or its vectors, from the cache where it has them.

    The first call decodes into the cache folder (`cache`, else `$HOLDFAST_CACHE`, else the user's cache
    folder) while other processes wait; later calls map the same file. A damaged cache entry is made anew.
    Whatever was passed over is said in a warning.

    Args:
        source: a URI for `open_any`.
        split: which rows.
        decoder: how images become pixels, or vectors; a source of vectors needs none.
        columns: derived columns, for `split.where` and later selections.
        undecodable: whether images that cannot be decoded, and vectors without a direction, are an error or
            are left out with a warning.
        progress: called with (images done, images in all) while decoding; not called for a cached entry.
        selections: what will be selected later; only columns that one of them names are read. None for all.
        streamed: look at each image once, and keep no pixels: they are read again from where they lie, and
            shuffled among so many. What a network makes of them is kept all the same.

    Raises:
        DataError: the source is missing or empty, lacks a column or the split, nothing is selected, images
            are undecodable (names the first few), or the cache folder cannot be written.
    """
    columns = columns or {}
    opened = open_any(source)
    if decoder is None and isinstance(opened, Source):
        raise DataError(f"Source {source!r} holds images; here vectors are wanted.")
    if isinstance(opened, VectorSource) and not (decoder is None or isinstance(decoder, Featurizer)):
        raise DataError(
            f"Source {source!r} holds vectors, and the model reads images: name the version that made them, "
            "as in model.trunk: {kind: version, name: v1, train: none}."
        )
    if streamed is not None and isinstance(opened, VectorSource):
        raise DataError(
            f"Source {source!r} holds vectors, which are mapped as they are: leave data.streaming out."
        )
    window = None if isinstance(decoder, Featurizer) else streamed
    folder = cache or cache_folder()
    survey = opened.survey()
    looks = window is not None
    key = _key(opened, survey.fingerprint, split, decoder, columns, undecodable, selections, looks)

    def read(entry: Path) -> ImageSet | None:
        if window is None:
            return read_entry(entry)
        assert isinstance(opened, Source)
        assert decoder is not None
        return read_survey(entry, opened, decoder, window)

    # Entries appear whole, so a hit needs no lock, nor a folder that can be written.
    found = read(folder / key)
    if found is None:
        with locked(folder, key) as entry:
            found = read(entry)
            if found is None:
                _make(entry, opened, split, decoder, columns, undecodable, progress, selections, looks)
                found = read(entry)
    if found is None:
        raise DataError(
            f"The decoded images in {folder / key} were damaged as they were written; check the disk."
        )
    if isinstance(decoder, Featurizer) and found.images.shape[1:] != (decoder.network.dimension,):
        raise DataError(
            f"Source {source!r} holds vectors of {found.images.shape[1]} numbers; the version that "
            f"model.trunk names makes {decoder.network.dimension}."
        )
    notes = tuple(dict.fromkeys((*survey.notes, *found.notes)))
    tell(notes)
    return replace(found, notes=notes)


def tell(notes: Iterable[str]) -> None:
    """Say something to the user: once, though training and evaluation images come from one source."""
    for note in notes:
        warnings.warn(note, stacklevel=1)


def _key(
    source: Source | VectorSource,
    fingerprint: str,
    split: SplitConfig,
    decoder: Decoder | Featurizer | None,
    columns: Mapping[str, Column],
    undecodable: str,
    selections: Collection[str] | None,
    streamed: bool,
) -> str:
    reads = None if isinstance(source, VectorSource) else decoder
    parts = [
        FORMAT,
        PIL.__version__,
        source.uri,
        fingerprint,
        split.split,
        split.where,
        {name: column.model_dump() for name, column in columns.items()},
        undecodable,
        *(() if reads is None else (type(reads).__name__, reads.model_dump_json())),
        None if selections is None else sorted({name for one in selections for name in names_in(one)}),
        *(["streamed"] if streamed else []),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _make(
    entry: Path,
    source: Source | VectorSource,
    split: SplitConfig,
    decoder: Decoder | Featurizer | None,
    columns: Mapping[str, Column],
    undecodable: str,
    progress: OnDecoded | None,
    selections: Collection[str] | None,
    streamed: bool,
) -> None:
    where = f"Source {source.uri!r}"
    listing = source.listing(split.split, _needed(split, columns, selections))
    for selection in selections or ():
        for name in names_in(selection):
            if name not in columns and name not in listing.available:
                raise unknown_column(name, selection, [*listing.available, *columns])
    arrays = row_columns(listing.rows, columns, listing.available)
    indices = np.arange(len(listing))
    if split.where is not None:
        indices = np.flatnonzero(select(split.where, arrays))
        arrays = {name: values[indices] for name, values in arrays.items()}
    what = "vector" if isinstance(listing, VectorListing) else "image"
    if not len(indices):
        chosen = f"split {split.split!r}" if split.where is None else f"where {split.where!r}"
        raise DataError(f"{where} is empty: {chosen} selects no {what}.")
    rows = listing.rows.take(pa.array(indices))
    # The survey says again, at every opening, what it says of files.
    notes = [*listing.notes]
    skip = undecodable == "skip"
    batches: Iterator[Items]
    if isinstance(listing, VectorListing):
        kept, more = complete_rows(rows, where)
        if not len(kept):
            raise DataError(" ".join([f"{where} has no vector with a label and an id.", *more]))
        rows, indices = rows.take(pa.array(kept)), indices[kept]
        arrays = {name: values[kept] for name, values in arrays.items()}
        notes += [*more, *row_notes(rows, where)]
        vectors = listing.vectors(indices)
        batches = usable_vectors(where, vectors, arrays["sample_id"], skip, progress, notes)
    else:
        assert decoder is not None
        require_values(rows, where)
        notes += row_notes(rows, where)
        encoded = listing.images(indices)
        batches = _decode(where, encoded, arrays["sample_id"], decoder, skip, progress, notes)
        if isinstance(decoder, Featurizer):
            batches = decoder.finish(batches, entry.parent)
        if streamed:
            assert isinstance(source, Source)
            layout = listing.layout or {}
            source.originals(layout)
            places = np.arange(len(listing)) if listing.places is None else listing.places
            write_survey(entry, batches, arrays, places[indices], layout, notes)
            return
    write_entry(entry, batches, arrays, notes)


def _needed(
    split: SplitConfig, columns: Mapping[str, Column], selections: Collection[str] | None
) -> set[str] | None:
    """The columns that must be read; None for all."""
    if selections is None:
        return None
    expressions = [*selections, *([split.where] if split.where is not None else [])]
    return {column.of for column in columns.values()} | {
        name for one in expressions for name in names_in(one)
    }


def _decode(
    where: str,
    encoded: Iterator[Encoded],
    sample_ids: np.ndarray,
    decoder: Decoder,
    skip: bool,
    progress: OnDecoded | None,
    notes: list[str],
) -> Iterator[Items]:
    """Batches of decoded images, in row order."""
    total = len(sample_ids)
    undecodable: dict[int, str] = {}
    limit = Limit()

    def decode(batch: Batch) -> tuple[list[int], list[np.ndarray], dict[int, str]]:
        positions, pixels, failed = [], [], {}
        for position, image in batch:
            try:
                pixels.append(decoder.pixels(_load(image)))
            except InvalidImageError as error:
                failed[position] = str(error)
                continue
            positions.append(position)
        if pixels:
            limit.learn(pixels[0].nbytes)
        return positions, pixels, failed

    done = 0
    with ThreadPoolExecutor(_threads()) as pool:
        for positions, pixels, failed in _in_order(pool, decode, limit.batches(encoded)):
            undecodable |= failed
            if pixels:
                yield Items(np.array(positions, dtype=np.int64), pixels)
            before, done = done, done + len(positions) + len(failed)
            if progress is not None and (done // BATCH > before // BATCH or done == total):
                progress(done if done == total else done // BATCH * BATCH, total)
    if not undecodable:
        return
    names = some(sample_ids[list(undecodable)])
    first = next(iter(undecodable.values()))
    if len(undecodable) == total or not skip:
        advice = "" if skip else " Mend or remove them, or set data.undecodable to skip."
        raise DataError(
            f"{where}: {len(undecodable)} of {total} images cannot be decoded: {names}. The first: "
            f"{first}{advice}"
        )
    notes.append(f"{where}: {len(undecodable)} undecodable images were skipped: {names}. The first: {first}")


def _load(image: Encoded) -> bytes:
    try:
        found = image.load()
    except OSError as error:
        raise InvalidImageError(f"It cannot be read: {error.strerror or error}.") from error
    if found is None:
        raise InvalidImageError("The row has no image (null).")
    return found


class Limit:
    """How many images make a batch: few enough for memory, whatever their size, encoded and decoded."""

    def __init__(self) -> None:
        self._rows = FIRST_BATCH

    def learn(self, decoded: int) -> None:
        """Bytes of one decoded image, which is as large as any other."""
        self._rows = int(np.clip(BATCH_BYTES // max(1, decoded), 1, BATCH))

    def batches(self, encoded: Iterator[Encoded]) -> Iterator[Batch]:
        batch: Batch = []
        held = 0
        for item in enumerate(encoded):
            batch.append(item)
            held += item[1].size
            if len(batch) >= self._rows or held >= BATCH_BYTES:
                yield batch
                batch, held = [], 0
        if batch:
            yield batch


def _in_order(pool: ThreadPoolExecutor, work: Callable[[S], T], items: Iterator[S]) -> Iterator[T]:
    """Like `pool.map`, but with few items and results waiting, so that memory stays bounded."""
    waiting: deque[Future[T]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > 2 * _threads():
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _threads() -> int:
    return min(thread_count(), 16)
