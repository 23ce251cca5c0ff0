"""Embedding a whole source with one version, into a Parquet file."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from holdfast.base import DataError, require_writable, thread_count, whole_file
from holdfast.data import Encoded, Listing, Source, ahead, open_source, require_values, row_notes, tell
from holdfast.jobs.embedded_batch import BATCH, decode_batch, embed_batch
from holdfast.jobs.runtime import joins_cluster, prepare_environment
from holdfast.learning import Progress, Watcher
from holdfast.models import Model, blank_image
from holdfast.store import Store

BATCH_BYTES = 64 * 2**20
"""Bytes of a batch, encoded or decoded, unless one image has more."""
LARGE = 100_000
"""From so many images on, starting Ray costs less than it saves."""
LARGE_ON_CLUSTER = 10_000
"""The same where Ray runs already."""


def embed_source(
    store: Store,
    version: str,
    source: str,
    split: str | None,
    output: Path,
    watch: Watcher,
    thumbnails: bool = False,
    large: int | None = None,
    gpus: float = 0.0,
) -> tuple[int, str]:
    """Write `sample_id, label, version, vector` (fixed-size float32 list, unit norm), in the source's order.

    Sources of `large` images and more go through Ray (on a cluster they may be smaller), as do all for which
    `gpus` are asked for, for each of its actors. With `thumbnails` a column `attributes` (JSON) holds the
    label and the image as a data URI, so that an imported gallery shows pictures on the page. Of images in
    folders a column `source` says where each lies, so that a backfill can embed it anew.

    Returns:
        The number of images, and the version's name.

    Raises:
        NotFoundError, DataError: no such version, source or split; an image that cannot be decoded (named).
        ChangedModelError, EndpointError: the endpoint of the version is another model now, or is away.
        ResourcesError: no machine has such GPUs. ConfigError: a model that runs on processors alone.
        DataError as well if `output` cannot be written, which is found out before anything else.
    """
    require_writable(output)
    name = store.versions.get(version).name
    model = store.versions.load(name)
    model.check()
    where = f"Source {source!r}"
    opened = open_source(source)
    listing = opened.listing(split, columns=())
    require_values(listing.rows, where)
    tell((*listing.notes, *row_notes(listing.rows, where)))
    batches = _batches(listing, model, where)
    if large is None:
        large = LARGE_ON_CLUSTER if joins_cluster() else LARGE
    if len(listing) < large and not gpus:
        embedded: Iterable[pa.Table] = _embed_here(model, name, batches, thumbnails)
    else:
        prepare_environment()
        from holdfast.jobs.embed_on_ray import embed_on_ray

        embedded = embed_on_ray(
            model, name, batches, thumbnails, gpus, lambda waits: watch(Progress(waits, 0, 0))
        )
    _write(output, _watched(_placed(embedded, opened), len(listing), watch))
    return len(listing), name


def _embed_here(
    model: Model, version: str, batches: Iterator[pa.Table], thumbnails: bool
) -> Iterator[pa.Table]:
    """The next batch is read and decoded while one is embedded."""
    threads = min(thread_count(), 16)
    decoded = ((batch, decode_batch(model, batch, threads)) for batch in batches)
    with closing(ahead(decoded, 1)) as ready:
        for batch, pixels in ready:
            yield embed_batch(model, version, batch, thumbnails, pixels)


def _batches(listing: Listing, model: Model, where: str) -> Iterator[pa.Table]:
    """Rows with their encoded images, few enough for memory whatever the size of an image."""
    rows = listing.rows.select(["sample_id", "label"])
    most = int(np.clip(BATCH_BYTES // model.prepare(blank_image()).nbytes, 1, BATCH))
    images: list[bytes | None] = []
    start = held = 0
    for number, image in enumerate(listing.images(np.arange(len(listing)))):
        images.append(_load(image, where, rows.column("sample_id")[number].as_py()))
        held += image.size
        if len(images) == most or held >= BATCH_BYTES or number + 1 == len(listing):
            batch = rows.slice(start, len(images))
            yield batch.append_column("image", pa.array(images, pa.large_binary()))
            start, held, images = start + len(images), 0, []


def _load(image: Encoded, where: str, sample_id: str) -> bytes | None:
    try:
        return image.load()
    except OSError as error:
        raise DataError(f"{where}: image {sample_id!r} cannot be read: {error.strerror or error}.") from error


def _placed(tables: Iterable[pa.Table], source: Source) -> Iterator[pa.Table]:
    for table in tables:
        places = source.places(table.column("sample_id").to_pylist())
        yield table if places is None else table.append_column("source", pa.array(places, pa.string()))


def _watched(tables: Iterable[pa.Table], total: int, watch: Watcher) -> Iterator[pa.Table]:
    done = 0
    for table in tables:
        done += len(table)
        watch(Progress("embedding", 0, 0, step=done, steps=total))
        yield table


def _write(output: Path, tables: Iterator[pa.Table]) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(output) as draft:
        first = next(tables)
        with pq.ParquetWriter(draft, first.schema) as writer:
            writer.write_table(first)
            for table in tables:
                writer.write_table(table)
