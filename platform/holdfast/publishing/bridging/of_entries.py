"""Entries of the gallery as material: their stored vectors, and the images at their sources."""

import json
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from sqlalchemy import Row, Text, cast, select

from holdfast.backfill import Sources, read_image
from holdfast.base import ConfigError, DataError
from holdfast.entries import Entries
from holdfast.publishing.bridging.material import Item, Material
from holdfast.store import Store, metadata, reading

entries = metadata.tables["entries"]
_CHUNK = 256


def read_entries(store: Store, version: str, sources: Sources, labels: str | None) -> Material:
    """The entries that a version embedded itself, and that name a source.

    Raises ConfigError where nothing may be read, DataError where no entry names a source or has the label.
    """
    counted = Entries(store).count().get(version, 0)
    own = (entries.c.version == version) & entries.c.deleted.is_(False) & entries.c.mapped_from.is_(None)
    columns = [entries.c.id, *([cast(entries.c.attributes, Text)] if labels is not None else [])]
    statement = select(*columns).where(own & entries.c.source.is_not(None)).order_by(entries.c.seq)
    with reading(store.engine) as connection:
        rows = connection.execute(statement).all()
    if not rows:
        raise DataError(
            f"The gallery holds {counted:,} entries of {version}, and none of them names a source: name "
            "images with --images (sample_id is the entry's id), or vectors with --pairs."
        )
    if not sources.roots:
        raise ConfigError(
            "A bridge reads the images that entries name as their source, and none may be read: say which "
            "folders or URL prefixes may, with --sources, or name images with --images, or vectors with "
            "--pairs."
        )
    ids = np.array([row[0] for row in rows], object)
    return Material(
        ids,
        None if labels is None else _labels(rows, labels, version),
        partial(_read, store, ids, sources),
        f"entries of {version}",
        at_sources=True,
        entries=counted,
    )


def _read(store: Store, ids: np.ndarray, sources: Sources, positions: np.ndarray) -> Iterator[Item]:
    for start in range(0, len(positions), _CHUNK):
        for entry in Entries(store).get_many(list(ids[np.sort(positions)[start : start + _CHUNK]])):
            yield Item(entry.id, old=entry.vector, load=partial(read_image, entry.source, sources))


def _labels(rows: Sequence[Row], key: str, version: str) -> np.ndarray:
    found = [json.loads(row[1]).get(key) for row in rows]
    if all(value is None for value in found):
        raise DataError(
            f"No entry of {version} has an attribute {key!r}: --labels names the one of the class."
        )
    return np.array(["" if value is None else str(value) for value in found], object)
